"""The same pictures get the same answers here and there: labels alike, logits within 1e-3."""

from __future__ import annotations

import json
import logging
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from machine import Machine

from skin_edge.camera.drawing import draw
from skin_edge.model.locate import default_bundle_path
from skin_edge.model.manifest import GOLDEN_NAME

log = logging.getLogger(__name__)

RunCli = Callable[..., "subprocess.CompletedProcess[str]"]

MAX_LOGIT_DIFFERENCE = 1e-3
DRAWN = 12
REAL_OF_EACH_SET = 20


@pytest.fixture(scope="module")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of drawn lesions of every skin tone, as PNG and JPEG, and of the model's golden frames."""
    folder = tmp_path_factory.mktemp("pictures")
    for number in range(DRAWN):
        bgr = np.ascontiguousarray(draw(0, number).pixels[:, :, ::-1])
        assert cv2.imwrite(str(folder / f"drawn-{number:02}{'.jpg' if number % 2 else '.png'}"), bgr)
    with np.load(default_bundle_path() / GOLDEN_NAME) as vectors:
        for number, frame in enumerate(vectors["frames"]):
            assert cv2.imwrite(str(folder / f"golden-{number}.png"), np.ascontiguousarray(frame[:, :, ::-1]))
    return folder


def answers(stdout: str) -> dict[str, dict[str, Any]]:
    return {Path(answer["image"]).name: answer for answer in map(json.loads, stdout.splitlines())}


def compare(machine: Machine, run_cli: RunCli, folder: Path, name: str) -> float:
    """Classify a folder on both machines; return the largest difference between two logits."""
    machine.copy_in(folder, f"/root/{name}")
    here = answers(run_cli("classify", str(folder), "--json", timeout=600).stdout)
    there = answers(machine.ssh(f"skin-edge classify /root/{name} --json", timeout_s=600.0).stdout)
    assert here.keys() == there.keys() == {path.name for path in folder.iterdir()}
    for picture, mine in here.items():
        its = there[picture]
        assert "error" not in mine, mine
        assert its["label"] == mine["label"], picture
        assert its["quality"]["reasons"] == mine["quality"]["reasons"], picture
        assert its["preprocess_fingerprint"] == mine["preprocess_fingerprint"]
    return max(abs(there[picture]["logit"] - mine["logit"]) for picture, mine in here.items())


def test_drawn_lesions_and_golden_frames(machine: Machine, run_cli: RunCli, pictures: Path) -> None:
    difference = compare(machine, run_cli, pictures, "drawn")
    log.info("logits differ by %.1e at most", difference)
    assert difference <= MAX_LOGIT_DIFFERENCE


@pytest.mark.data
@pytest.mark.parametrize("part", ["ham10000/images", "kaggle_bm/test"])
def test_real_pictures(
    machine: Machine,
    run_cli: RunCli,
    data_dir: Path,
    tmp_path: Path,
    part: str,
) -> None:
    found = sorted((data_dir / part).rglob("*.jpg"))
    assert len(found) >= REAL_OF_EACH_SET
    chosen = tmp_path / "chosen"
    chosen.mkdir()
    for picture in found[:: len(found) // REAL_OF_EACH_SET][:REAL_OF_EACH_SET]:
        shutil.copy(picture, chosen / f"{picture.parent.name}-{picture.name}")
    difference = compare(machine, run_cli, chosen, part.replace("/", "-"))
    log.info("logits differ by %.1e at most", difference)
    assert difference <= MAX_LOGIT_DIFFERENCE


def test_a_replayed_folder_is_decided_and_logged(machine: Machine, pictures: Path) -> None:
    machine.copy_in(pictures, "/root/drawn")
    home = "SKIN_EDGE_HOME=/root/replayed"
    told = machine.ssh(f"{home} skin-edge capture --source replay:/root/drawn --json", timeout_s=600.0)
    decided = [json.loads(line) for line in told.stdout.splitlines()]
    assert [Path(answer["image"]).name for answer in decided] == sorted(p.name for p in pictures.iterdir())
    logged = machine.ssh(f"{home} skin-edge results list --limit 1000 --json").stdout.splitlines()
    assert [json.loads(line) for line in logged] == decided[::-1]
    assert machine.ssh("stat -c %a /root/replayed/results.sqlite3").stdout.strip() == "600"
