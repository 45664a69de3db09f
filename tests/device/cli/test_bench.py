"""`skin-edge bench`: what it measures and prints, and that it leaves nothing behind."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import time
import xml.etree.ElementTree as ET
from collections.abc import Callable
from pathlib import Path

import cv2
import pytest

from skin_edge.camera.drawing import draw

RunCli = Callable[..., "subprocess.CompletedProcess[str]"]
QUICK = ("--no-cold", "--minutes", "0", "--rounds", "3")


def test_everything_at_once(run_cli: RunCli, tmp_path: Path) -> None:
    plot = tmp_path / "bench.svg"
    told = run_cli("bench", "--minutes", "0.05", "--rounds", "5", "--plot", plot, "--json", timeout=240)
    assert told.returncode == 0, told.stderr
    report = json.loads(told.stdout)
    assert (report["width"], report["height"], report["source"]) == (1920, 1080, "drawn lesion")
    steps = report["steps"]
    assert list(steps) == [
        "quality",
        "crop_resize",
        "colour_constancy",
        "normalise",
        "invoke",
        "decide",
        "log",
        "frame to durable row",
    ], "the stages that the shipped model has on"
    for spread in steps.values():
        assert 0 < spread["p50_ms"] <= spread["p95_ms"] <= spread["max_ms"]
    whole = steps.pop("frame to durable row")
    assert whole["max_ms"] >= max(s["p50_ms"] for s in steps.values())
    cold = report["cold"]
    assert set(cold["steps"]) == {"interpreter", "imports", "load", "first_result"}
    assert all(s["p50_ms"] > 0 for s in cold["steps"].values())
    assert cold["command_ratio"] == pytest.approx(cold["command"]["p50_ms"] / cold["bare_import"]["p50_ms"])
    assert 30 < cold["peak_mb"] < 500
    run = report["sustained"]
    assert 2.9 < run["seconds"] < 60
    assert run["frames"] == sum(sample["frames"] for sample in run["samples"]) > 0
    assert run["frames_per_s"] == pytest.approx(run["frames"] / run["seconds"])
    assert run["interrupted"] is False
    assert report["peak_mb"] >= max(sample["resident_mb"] for sample in run["samples"]) - 1
    assert ET.fromstring(plot.read_text("utf-8")).tag == "{http://www.w3.org/2000/svg}svg"
    assert not list(tmp_path.glob("**/.bench-*"))
    assert not (tmp_path / "state").exists()


def test_the_table_has_a_row_a_step(run_cli: RunCli) -> None:
    told = run_cli("bench", *QUICK)
    assert told.returncode == 0, told.stderr
    for word in (
        "step",
        "p50 ms",
        "p95 ms",
        "max ms",
        "quality",
        "crop resize",
        "invoke",
        "log",
        "peak memory",
    ):
        assert word in told.stdout
    assert told.stdout.startswith("ham-student-")


def test_the_real_log_is_never_written(run_cli: RunCli, tmp_path: Path) -> None:
    assert run_cli("capture", "--source", "demo", "--once").returncode == 0
    before = {p.name: p.read_bytes() for p in (tmp_path / "state").iterdir() if p.suffix == ".sqlite3"}
    assert run_cli("bench", *QUICK).returncode == 0
    after = {p.name: p.read_bytes() for p in (tmp_path / "state").iterdir() if p.suffix == ".sqlite3"}
    assert before == after
    assert json.loads(run_cli("results", "list", "--json").stdout.splitlines()[0])


def test_a_source_and_a_size(run_cli: RunCli, tmp_path: Path) -> None:
    photos = tmp_path / "photos"
    photos.mkdir()
    for number in range(2):
        cv2.imwrite(str(photos / f"{number}.jpg"), draw(0, number).pixels[::4, ::4, ::-1])
    (photos / "broken.jpg").write_bytes(b"no picture")
    report = json.loads(run_cli("bench", *QUICK, "--source", f"replay:{photos}", "--json").stdout)
    assert (report["width"], report["height"], report["source"]) == (320, 240, f"replay:{photos}")
    report = json.loads(
        run_cli("bench", *QUICK, "--source", f"replay:{photos}", "--size", "640x360", "--json").stdout
    )
    assert (report["width"], report["height"]) == (640, 360)
    assert report["cold"] is None
    assert report["sustained"] is None


@pytest.mark.parametrize(
    ("arguments", "status", "word"),
    [
        (("--size", "big"), 2, "WIDTHxHEIGHT"),
        (("--size", "1x1"), 2, "WIDTHxHEIGHT"),
        (("--plot", "x.png"), 2, "ends in .svg"),
        (("--plot", "x.svg", "--minutes", "0"), 2, "--minutes 0"),
        (("--plot", "no/x.svg"), 2, "no folder"),
        (("--minutes", "-1"), 2, "--minutes"),
        (("--rounds", "0"), 2, "--rounds"),
        (("--source", "replay:/no/such"), 3, "no such file or folder"),
        (("--source", "nonsense"), 2, "no such kind of source"),
        (("--model", "/no/such.skinmodel"), 4, "no such"),
    ],
)
def test_what_cannot_be_is_one_line(
    run_cli: RunCli, arguments: tuple[str, ...], status: int, word: str
) -> None:
    told = run_cli("bench", *arguments)
    assert told.returncode == status, told.stderr
    assert told.stderr.count("\n") == 1
    assert word.lower() in told.stderr.lower()
    assert told.stdout == ""


def test_a_folder_that_cannot_be_written_is_exit_status_5(run_cli: RunCli, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    told = run_cli("bench", *QUICK, env={"SKIN_EDGE_HOME": "/proc/skin-edge"})
    assert (told.returncode, "SKIN_EDGE_HOME" in told.stderr) == (5, True)


def test_ctrl_c_prints_what_was_measured_and_leaves_nothing(
    cli_script: str, cli_env: dict[str, str], tmp_path: Path
) -> None:
    command = [cli_script, "bench", "--no-cold", "--rounds", "1", "--minutes", "5", "--json"]
    with subprocess.Popen(command, env=cli_env, stdout=subprocess.PIPE, text=True) as process:
        deadline = time.monotonic() + 60
        while not list(tmp_path.glob(".bench-*/sustained")) and time.monotonic() < deadline:
            time.sleep(0.1)
        time.sleep(2.5)
        process.send_signal(signal.SIGINT)
        stdout, _ = process.communicate(timeout=30)
    assert process.returncode == 130
    run = json.loads(stdout)["sustained"]
    assert (run["interrupted"], run["frames"] > 0) == (True, True)
    assert not list(tmp_path.glob(".bench-*"))


def test_what_a_killed_run_left_is_removed_by_the_next(
    cli_script: str, cli_env: dict[str, str], run_cli: RunCli, tmp_path: Path
) -> None:
    command = [cli_script, "bench", "--no-cold", "--rounds", "1", "--minutes", "5"]
    with subprocess.Popen(command, env=cli_env, stdout=subprocess.DEVNULL) as process:
        deadline = time.monotonic() + 60
        while not list(tmp_path.glob(".bench-*/sustained")) and time.monotonic() < deadline:
            time.sleep(0.1)
        process.kill()
    assert list(tmp_path.glob(".bench-*"))
    running = tmp_path / f".bench-{os.getpid()}-other"  # of a run that is still going on
    running.mkdir()
    assert run_cli("bench", *QUICK).returncode == 0
    assert list(tmp_path.glob(".bench-*")) == [running]
