"""`train run`, the whole chain of one experiment on a few hundred drawn lesions: `make train-smoke`."""

from __future__ import annotations

import json
import shutil
import subprocess
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pandas as pd
import pytest

from skin_edge.preprocess.spec import CropResize, PreprocessSpec
from skin_edge.strict import dump_yaml
from skin_edge_training.config import (
    BundleConfig,
    DataConfig,
    DistillationConfig,
    ExperimentConfig,
    SplitConfig,
    StudentConfig,
    TeacherConfig,
    TrainingConfig,
)

pytest.importorskip("tensorflow", reason="the extra 'train' is not installed")

RunCli = Callable[..., "subprocess.CompletedProcess[str]"]
#: Two runs with one seed on one machine: what the order of additions in threads may change.
SPREAD = 0.02


def experiment(folder: Path) -> ExperimentConfig:
    """Everything that the shipped experiment has, small."""
    training = TrainingConfig(epochs=2, batch_size=16, learning_rate=0.01)
    return ExperimentConfig(
        data=DataConfig(sets=(str(folder),)),
        preprocess=PreprocessSpec(crop_resize=CropResize(size_px=48)),
        student=StudentConfig(blocks=2, tail_channels=(16,), dropout=0.0),
        training=training,
        teacher=TeacherConfig(stages=2, size_px=48, training=training),
        distillation=DistillationConfig(),
        bundle=BundleConfig(name="smoke", version="0.0.1"),
    )


def write(path: Path, config: ExperimentConfig) -> Path:
    path.write_text(dump_yaml(config), encoding="utf-8")
    return path


def told(result: subprocess.CompletedProcess[str]) -> Any:
    assert result.returncode == 0, result.stderr
    return json.loads(result.stdout)


@pytest.mark.slow
def test_from_downloads_to_a_measured_bundle_and_again(
    drawn_set: Path, run_cli: RunCli, tmp_path: Path
) -> None:
    config = write(tmp_path / "smoke.yaml", experiment(drawn_set))
    first = told(run_cli("train", "run", str(config), "--json", timeout=280))
    run = tmp_path / first["run"]
    assert first["run"] == "runs/smoke"

    # the bundle is one that a device takes, and says where it comes from
    verified = run_cli("model", "verify", str(run / "bundle"), "--json")
    assert verified.returncode == 0, verified.stderr
    made = json.loads((run / "provenance.json").read_text())
    training = told(run_cli("model", "info", str(run / "bundle"), "--json"))["manifest"]["training"]
    assert training["leaks"] is False
    for key, theirs in (("data_sha256",) * 2, ("split_sha256",) * 2, ("experiment_sha256", "config_sha256")):
        assert training[key] == made[theirs]
    for name in ("teacher.keras", "student.keras"):
        with zipfile.ZipFile(run / name) as archive:
            inside = json.loads(archive.read("provenance.json"))
        for key in ("config", "seed", "data_sha256", "libraries", "git_commit"):
            assert inside[key] == made[key]

    # evidence: report, plots, card, formats side by side, distillation judged against its control arm
    metrics = json.loads((run / "evidence" / "metrics.json").read_text())
    assert metrics["figures"]["auroc"] == first["evidence"]["figures"]["auroc"]
    assert metrics["model"]["data_sha256"] == made["data_sha256"]
    assert (run / "evidence" / "report.html").stat().st_size > 50_000
    card = (run / "bundle" / "MODEL_CARD.md").read_text()
    verdict = json.loads((run / "distillation.json").read_text())
    assert verdict["verdict"] in card
    assert "LEAKING" not in card
    assert f"{metrics['figures']['auroc']['value']:.3f}" in card
    gap = verdict["parts"]["test"]["student_less_control"]["auroc"]
    assert gap["low"] <= gap["value"] <= gap["high"]
    formats = pd.read_csv(run / "quantization.csv")
    assert {"fp16", "int8"} <= set(formats["format"])
    control = msgspec.yaml.decode((run / "control" / "config.yaml").read_bytes())
    assert control["distillation"] is None

    # the same command again does nothing twice
    before = {
        name: (run / name).stat().st_mtime_ns for name in ("table.csv", "teacher.keras", "student.keras")
    }
    again = told(run_cli("train", "run", str(config), "--json", timeout=200))
    assert {name: (run / name).stat().st_mtime_ns for name in before} == before
    assert again["evidence"]["figures"] == first["evidence"]["figures"]

    # and from nothing, with the same seed, it gives the same split, and figures within the spread
    shutil.rmtree(tmp_path / "cache")
    other = told(run_cli("train", "run", str(config), "--run", "runs/other", "--json", timeout=280))
    assert (tmp_path / "runs/other/split.csv").read_bytes() == (run / "split.csv").read_bytes()
    one, two = (answer["evidence"]["figures"]["auroc"]["value"] for answer in (first, other))
    assert one == pytest.approx(two, abs=SPREAD)


@pytest.fixture
def leaking_set(drawn_set: Path, tmp_path: Path) -> Path:
    """Class folders with a test part, some of whose pictures are in training too, mirrored and coded anew."""
    import cv2

    folder = tmp_path / "leaky"
    labels = pd.read_csv(drawn_set / "HAM10000_metadata.csv").set_index("image_id")["dx"]
    for number, image in enumerate(sorted((drawn_set / "images").iterdir())):
        part = "test" if number % 4 == 0 else "train"
        kind = "malignant" if labels[image.stem] == "mel" else "benign"
        target = folder / part / kind / image.name
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(image, target)
        if number % 40 == 0:
            twin = cv2.flip(cv2.imread(str(image)), 1)
            cv2.imwrite(
                str(folder / "train" / kind / f"copy{number}.jpg"), twin, [cv2.IMWRITE_JPEG_QUALITY, 80]
            )
    return folder


@pytest.mark.slow
def test_a_split_that_leaks_is_refused_or_stamped_on_everything(
    leaking_set: Path, run_cli: RunCli, tmp_path: Path
) -> None:
    plain = msgspec.structs.replace(
        experiment(leaking_set),
        data=DataConfig(sets=(str(leaking_set),), split=SplitConfig(by="own")),
        teacher=None,
        distillation=None,
    )
    config = write(tmp_path / "leaky.yaml", plain)
    refused = run_cli("train", "run", str(config), timeout=200)
    assert refused.returncode == 2
    assert "--allow-leak" in refused.stderr
    assert "Traceback" not in refused.stderr
    run = tmp_path / "runs" / "leaky"
    assert not (run / "student.keras").exists()
    assert run_cli("train", "student", "--run", str(run)).returncode == 2
    leak = json.loads((run / "provenance.json").read_text())["leak"]
    assert leak["test"] >= 5  # of the six copies

    allowed = told(run_cli("train", "run", str(config), "--allow-leak", "--json", timeout=280))
    assert any("LEAKING" in caution for caution in allowed["evidence"]["cautions"])
    assert (
        told(run_cli("model", "info", str(run / "bundle"), "--json"))["manifest"]["training"]["leaks"] is True
    )
    assert f"LEAKING SPLIT: {leak['test']} of" in (run / "bundle" / "MODEL_CARD.md").read_text()[:800]
    assert "LEAKING" in (run / "evidence" / "report.html").read_text()

    clean = write(
        tmp_path / "clean.yaml",
        msgspec.structs.replace(
            plain, data=msgspec.structs.replace(plain.data, split=SplitConfig(by="own", drop_leaking=True))
        ),
    )
    parts = told(
        run_cli("train", "data", "--config", str(clean), "--run", "runs/clean", "--json", timeout=200)
    )
    assert parts["leak"] is None
    assert parts["parts"]["left-out"]["pictures"] >= leak["test"]
