"""Ablations: arms that are checked before anything runs, the same sweep on Ray and here, and its table."""

from __future__ import annotations

import importlib.util
import json
import subprocess
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from skin_edge.errors import ConfigError
from skin_edge.preprocess.spec import CropResize, PreprocessSpec
from skin_edge.strict import dump_yaml
from skin_edge_training.ablation.plan import BASE, load_ablation
from skin_edge_training.ablation.report import markdown, picture
from skin_edge_training.ablation.sweep import LOCAL, plan_jobs
from skin_edge_training.ablation.table import COLUMNS
from skin_edge_training.config import (
    DataConfig,
    ExperimentConfig,
    StudentConfig,
    TrainingConfig,
    shipped_config,
)
from skin_edge_training.paired import paired_difference
from skin_edge_training.statistics import auroc, draw_weights

pytest.importorskip("tensorflow", reason="the extra 'train' is not installed")

RunCli = Callable[..., "subprocess.CompletedProcess[str]"]


def write(folder: Path, sets: str, text: str) -> Path:
    base = ExperimentConfig(
        data=DataConfig(sets=(sets,)),
        preprocess=PreprocessSpec(crop_resize=CropResize(size_px=48)),
        student=StudentConfig(blocks=1, tail_channels=(16,), dropout=0.0, initial_weights="random"),
        training=TrainingConfig(epochs=2, batch_size=16, learning_rate=0.01),
    )
    (folder / "base.yaml").write_text(dump_yaml(base), encoding="utf-8")
    path = folder / "ablation.yaml"
    path.write_text(f"base: base.yaml\n{text}", encoding="utf-8")
    return path


TWO_ARMS = """seeds: [1]
change: {training.epochs: 1}
arms:
  - {name: max, factor: pooling, change: {student.pooling: max}}
"""


def test_the_shipped_ablation_has_an_arm_for_every_factor() -> None:
    plan, base = load_ablation(shipped_config().with_name("ablation.yaml"))
    factors = {arm.factor for arm in plan.arms}
    assert factors >= {"stage", "augmentation", "distillation", "pooling", "resolution", "initialisation"}
    assert base.distillation is None
    stages = {key.split(".")[1] for arm in plan.arms if arm.factor == "stage" for key in arm.change}
    assert len(stages) == 6


@pytest.mark.parametrize(
    ("text", "named"),
    [
        (TWO_ARMS.replace("pooling: max", "poling: max"), "arm max.*poling"),
        (TWO_ARMS.replace("student.pooling", "nothing.pooling"), "nothing"),
        (TWO_ARMS.replace("pooling: max", "pooling: median"), "arm max"),
        (TWO_ARMS.replace("name: max", "name: base"), "base"),
        (TWO_ARMS.replace("seeds: [1]", "seeds: []"), "seeds"),
    ],
)
def test_a_wrong_arm_is_named_before_anything_is_trained(tmp_path: Path, text: str, named: str) -> None:
    with pytest.raises(ConfigError, match=named):
        load_ablation(write(tmp_path, "ham10000", text))


def test_arms_share_the_split_and_the_base_has_every_seed(tmp_path: Path) -> None:
    text = TWO_ARMS.replace("factor: pooling", "factor: pooling, seeds: [1, 2]")
    plan, base = load_ablation(write(tmp_path, "ham10000", text))
    jobs = plan_jobs(plan, base, tmp_path / "out", tmp_path / "cache", threads=1)
    assert [(job.arm, job.seed) for job in jobs] == [(BASE, 1), (BASE, 2), ("max", 1), ("max", 2)]
    assert {job.config.training.epochs for job in jobs} == {1}
    assert len({job.data for job in jobs}) == 1


@pytest.mark.slow
@pytest.mark.parametrize("backend", [LOCAL, pytest.param("ray", marks=pytest.mark.long)])
def test_the_same_sweep_here_and_on_ray(
    drawn_set: Path, run_cli: RunCli, tmp_path: Path, backend: str
) -> None:
    if backend == "ray" and importlib.util.find_spec("ray") is None:
        pytest.fail("ray is missing: make test installs it")
    config = write(tmp_path, str(drawn_set), TWO_ARMS)
    command = ["train", "ablate", str(config), "--out", "out", "--workers", "2", "--json"]
    told = run_cli(*command, *(["--local"] if backend == LOCAL else []), timeout=280)
    assert told.returncode == 0, told.stderr
    answer = json.loads(told.stdout)
    assert answer["backend"] == backend
    table = pd.read_csv(tmp_path / "out" / "ablation.csv")
    assert list(table.columns) == list(COLUMNS)
    assert list(table["arm"]) == [BASE, "max"]
    assert table["cost_ratio"][0] == 1.0
    assert table["difference"][1] == pytest.approx(table["auroc"][1] - table["auroc"][0], abs=1e-5)
    assert (tmp_path / "out" / "ablation.png").read_bytes().startswith(b"\x89PNG")

    results = {
        job: (tmp_path / f"out/arms/{job}/result.json").stat().st_mtime_ns for job in ("base-1", "max-1")
    }
    again = run_cli(*command, "--local", timeout=120)
    assert again.returncode == 0, again.stderr
    assert {job: (tmp_path / f"out/arms/{job}/result.json").stat().st_mtime_ns for job in results} == results


def test_the_difference_is_paired_by_lesion_and_seed() -> None:
    rng = np.random.default_rng(0)
    labels = (np.arange(400) % 4 == 0).astype(float)
    noise = rng.normal(0, 1, 400)
    weak, strong = labels + 1.5 * noise, labels + noise
    draws = draw_weights(labels, np.arange(400) // 2, seed=1, resamples=300)
    once = np.ones(400)
    gap = paired_difference(auroc, labels, [(strong, weak), (weak, weak)], draws)
    assert gap.value == pytest.approx((auroc(labels, strong, once) - auroc(labels, weak, once)) / 2)
    assert gap.verdict == "better"
    assert paired_difference(auroc, labels, [(weak, strong)], draws).verdict == "worse"
    assert paired_difference(auroc, labels, [(weak, weak)], draws).verdict == "no difference shown"


def test_the_table_reads_as_markdown_and_as_a_picture() -> None:
    row = dict.fromkeys(COLUMNS, 0.5) | {"arm": BASE, "factor": "none", "seeds": 2, "size_bytes": 450_140}
    other = row | {"arm": "contrast", "factor": "stage", "difference": -0.004, "low": -0.009, "high": 0.001}
    table = pd.DataFrame([row, other])
    text = markdown(table)
    assert "| contrast | 2 | 0.5000 | 0.5000 | -4.0 (-9.0 to +1.0) |" in text
    assert "450,140" in text
    assert picture(table).startswith(b"\x89PNG")
