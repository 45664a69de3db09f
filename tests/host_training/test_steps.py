"""Each step on drawn lesions, through the command line: data, student, quantize, package, classify."""

from __future__ import annotations

import csv
import json
import os
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from skin_edge.strict import dump_yaml
from skin_edge_training.config import (
    BundleConfig,
    DataConfig,
    ExperimentConfig,
    StudentConfig,
    TrainingConfig,
)

pytest.importorskip("tensorflow", reason="the extra 'train' is not installed")

RunCli = Callable[..., "subprocess.CompletedProcess[str]"]


def experiment(folder: Path, epochs: int) -> ExperimentConfig:
    return ExperimentConfig(
        data=DataConfig(sets=(str(folder),)),
        student=StudentConfig(blocks=2, tail_channels=(16,), initial_weights="imagenet", dropout=0.0),
        training=TrainingConfig(epochs=epochs, batch_size=16, learning_rate=0.01),
        bundle=BundleConfig(name="drawn", version="0.0.1"),
    )


def test_from_pictures_to_a_bundle_that_the_device_takes(
    drawn_set: Path, run_cli: RunCli, tmp_path: Path
) -> None:
    config = tmp_path / "experiment.yaml"
    config.write_text(dump_yaml(experiment(drawn_set, epochs=3)), encoding="utf-8")
    where = ("--run", str(tmp_path / "run"))

    prepared = run_cli("train", "data", "--config", str(config), *where, "--json")
    assert prepared.returncode == 0, prepared.stderr
    parts = json.loads(prepared.stdout)["parts"]
    assert sum(part["pictures"] for part in parts.values()) == len(list((drawn_set / "images").iterdir()))
    assert all(0 < part["malignant"] < part["pictures"] for part in parts.values())

    trained = run_cli("train", "student", *where, "--json", timeout=240)
    assert trained.returncode == 0, trained.stderr

    quantized = run_cli("train", "quantize", *where, "--json", timeout=120)
    assert quantized.returncode == 0, quantized.stderr
    report = json.loads(quantized.stdout)
    assert report["size_bytes"] <= 469_770
    assert report["max_logit_change"] < 0.2
    assert abs(report["auroc_test_keras"] - report["auroc_test_tflite"]) <= 0.002
    assert [figures["format"] for figures in report["formats"]] == ["float32", "fp16", "int8"]

    packed = run_cli("train", "package", *where, "--json", timeout=120)
    assert packed.returncode == 0, packed.stderr
    bundle = json.loads(packed.stdout)["bundle"]
    assert "| int8, measured only |" in Path(bundle, "MODEL_CARD.md").read_text(encoding="utf-8")
    assert Path(bundle, "model.tflite").read_bytes() == (tmp_path / "run" / "student.tflite").read_bytes()

    verified = run_cli("model", "verify", bundle, "--json")
    assert verified.returncode == 0, verified.stderr
    manifest = json.loads(run_cli("model", "info", bundle, "--json").stdout)
    split = json.loads(prepared.stdout)["split_sha256"]
    assert split in json.dumps(manifest)

    pictures = sorted((drawn_set / "images").iterdir())[:6]
    told = run_cli("classify", *map(str, pictures), "--model", bundle, "--json")
    assert told.returncode == 0, told.stderr
    answers = [json.loads(line) for line in told.stdout.splitlines()]
    assert {a["model"]["name"] for a in answers} == {"drawn"}

    again = run_cli("train", "data", "--config", str(_other(config)), *where)
    assert again.returncode == 2
    assert "another experiment" in again.stderr


def _other(config: Path) -> Path:
    other = config.with_name("other.yaml")
    other.write_text(config.read_text(encoding="utf-8").replace("seed: ", "seed: 1"), encoding="utf-8")
    return other


def test_an_interrupted_training_goes_on_where_it_was(drawn_set: Path, tmp_path: Path) -> None:
    """Killed hard after an epoch, the same call finishes the rest and no epoch twice."""
    config = tmp_path / "experiment.yaml"
    config.write_text(dump_yaml(experiment(drawn_set, epochs=4)), encoding="utf-8")
    code = f"""
import os, keras
from pathlib import Path
from skin_edge_training.prepare import load_decoded, prepare
from skin_edge_training.run import Run
from skin_edge_training.train import train_student
run, cache = Run(Path({str(tmp_path / "run")!r})), Path({str(tmp_path / "cache")!r})
config = run.start(Path({str(config)!r}))
if not run.path("table.csv").exists():
    prepare(config, run, cache)
if os.environ.get("DIE_AFTER"):
    class Die(keras.callbacks.CSVLogger):
        def on_epoch_begin(self, epoch, logs=None):
            if epoch == int(os.environ["DIE_AFTER"]):
                os._exit(9)
    keras.callbacks.CSVLogger = Die
train_student(config, run, load_decoded(run, cache), verbose=0)
"""
    command = [os.sys.executable, "-c", code]  # type: ignore[attr-defined]
    killed = subprocess.run(command, env={**os.environ, "DIE_AFTER": "2"}, capture_output=True, text=True)
    assert killed.returncode == 9, killed.stderr
    assert not (tmp_path / "run" / "student.keras").exists()
    finished = subprocess.run(command, capture_output=True, text=True)
    assert finished.returncode == 0, finished.stderr
    with (tmp_path / "run" / "history.csv").open(encoding="utf-8") as file:
        epochs = [int(row["epoch"]) for row in csv.DictReader(file)]
    assert epochs[-2:] == [2, 3]
    assert epochs.count(2) == epochs.count(3) == 1
    assert (tmp_path / "run" / "student.keras").exists()


@pytest.mark.parametrize("step", ["teacher", "student", "quantize", "package"])
def test_a_step_too_early_names_the_one_before(run_cli: RunCli, tmp_path: Path, step: str) -> None:
    told = run_cli("train", step, "--run", str(tmp_path / "nothing"))
    assert told.returncode == 2
    assert "skin-edge train data" in told.stderr
    assert "Traceback" not in told.stderr
