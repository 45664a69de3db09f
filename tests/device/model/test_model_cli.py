"""`skin-edge model info` and `verify` as they are called."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from skin_edge.model.bundle import open_bundle, pack_bundle

RunCli = Callable[..., Any]


def test_info_tells_what_the_bundle_says(good_bundle: Path, run_cli: RunCli) -> None:
    done = run_cli("model", "info", good_bundle)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("tiny-1.2.3, made 2026-01-31T12:00:00Z\n")
    for said in (
        "screening (from 0.200, default): sensitivity 95.0% (95 % CI 91.0% to 97.0%)",
        "LEAKS",
        "CC0",
        "crop_resize, colour_constancy, normalisation",
        "not a diagnosis",
        open_bundle(good_bundle).model_sha256,
    ):
        assert said in done.stdout


def test_info_as_json(good_bundle: Path, run_cli: RunCli, tmp_path: Path) -> None:
    archive = pack_bundle(good_bundle, tmp_path / "tiny.skinmodel")
    done = run_cli("model", "info", archive, "--json")
    told = json.loads(done.stdout)
    assert told["bundle"] == str(archive)
    assert told["signed"] is False
    assert told["model_sha256"] == open_bundle(archive).model_sha256
    assert told["manifest"]["operating_points"][0]["sensitivity"] == {
        "value": 0.95,
        "low": 0.91,
        "high": 0.97,
    }


def test_info_does_not_run_the_network_verify_does(make_bundle: Callable[..., Path], run_cli: RunCli) -> None:
    path = make_bundle(model=b"TFL3" * 100)
    assert run_cli("model", "info", path).returncode == 0
    done = run_cli("model", "verify", path)
    assert done.returncode == 4
    assert "refuses the model" in done.stderr
    assert len(done.stderr.splitlines()) == 1


def test_verify_tells_how_close_it_is(good_bundle: Path, run_cli: RunCli) -> None:
    done = run_cli("model", "verify", good_bundle)
    assert (done.returncode, done.stderr) == (0, "")
    assert "tiny-1.2.3 is good here: 2 golden vectors" in done.stdout
    told = json.loads(run_cli("model", "verify", good_bundle, "--json").stdout)
    assert told["ok"] is True
    assert told["golden"]["count"] == 2
    assert told["golden"]["max_logit_difference"] < 1e-3


@pytest.mark.parametrize("command", ["info", "verify"])
def test_without_a_path_the_one_in_use(
    make_bundle: Callable[..., Path], run_cli: RunCli, tmp_path: Path, command: str
) -> None:
    make_bundle("state/models/tiny-4.5.6", version="4.5.6")
    (tmp_path / "state" / "models" / "current").symlink_to("tiny-4.5.6")
    assert "tiny-4.5.6" in run_cli("model", command).stdout
    configured = make_bundle("configured", version="7.8.9")
    config = tmp_path / "config.yaml"
    config.write_text(f"model: {{path: {configured}}}\n")
    assert "tiny-7.8.9" in run_cli("model", command, "--config", config).stdout


def test_a_dangling_current_is_told(run_cli: RunCli, tmp_path: Path) -> None:
    (tmp_path / "state" / "models").mkdir(parents=True)
    (tmp_path / "state" / "models" / "current").symlink_to("gone")
    done = run_cli("model", "info")
    assert done.returncode == 4
    assert "leads nowhere" in done.stderr
