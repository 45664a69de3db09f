"""`skin-edge capture` by trigger, in bursts, explained, in a window: through the installed command."""

from __future__ import annotations

import json
import os
import pty
import select
import signal
import sqlite3
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import psutil
import pytest

from skin_edge.camera.drawing import draw

RunCli = Callable[..., "subprocess.CompletedProcess[str]"]


def rows(state: Path) -> list[dict[str, object]]:
    with sqlite3.connect(state / "results.sqlite3") as log:
        assert log.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        return [json.loads(r) for (r,) in log.execute("SELECT record FROM results ORDER BY seq")]


def write_folder(folder: Path, count: int) -> Path:
    folder.mkdir()
    for number in range(count):
        small = cv2.resize(draw(0, 0).pixels, (320, 240), interpolation=cv2.INTER_AREA)
        cv2.imwrite(str(folder / f"{number}.jpg"), small[:, :, ::-1])
    return folder


def test_each_line_is_a_capture_and_the_end_of_input_is_no_failure(run_cli: RunCli, tmp_path: Path) -> None:
    folder = write_folder(tmp_path / "photos", 5)
    told = run_cli("capture", "--source", f"replay:{folder}", "--trigger", "enter", "--json", input="\n\n\n")
    assert told.returncode == 0, told.stderr
    names = [Path(json.loads(line)["image"]).name for line in told.stdout.splitlines()]
    assert names == ["0.jpg", "1.jpg", "2.jpg"]


class Terminal:
    """The command with a terminal of its own, as a person has it."""

    def __init__(self, command: list[str], env: dict[str, str]) -> None:
        self.pid, self.fd = pty.fork()
        if self.pid == 0:
            os.execve(command[0], command, env)
        self.seen = b""

    def wait_for(self, text: bytes, count: int = 1) -> None:
        deadline = time.monotonic() + 30
        while self.seen.count(text) < count:
            assert time.monotonic() < deadline, self.seen
            if select.select([self.fd], [], [], 0.1)[0]:
                self.seen += os.read(self.fd, 65536)

    def press(self, keys: bytes) -> None:
        os.write(self.fd, keys)

    def status(self) -> int:
        while True:
            try:
                self.seen += os.read(self.fd, 65536)
            except OSError:
                return os.waitstatus_to_exitcode(os.waitpid(self.pid, 0)[1])


@pytest.mark.parametrize(("key", "status"), [(b"\x03", 130), (b"\x04", 0)], ids=["Ctrl-C", "Ctrl-D"])
def test_enter_on_a_terminal(
    cli_script: str, cli_env: dict[str, str], tmp_path: Path, key: bytes, status: int
) -> None:
    command = [cli_script, "capture", "--source", "demo", "--fps", "30", "--trigger", "enter"]
    terminal = Terminal(command, cli_env)
    for count in (1, 2):
        terminal.press(b"\r")
        terminal.wait_for(b"not a diagnosis", count)
    terminal.press(key)
    assert terminal.status() == status
    assert b"Traceback" not in terminal.seen
    assert len(rows(tmp_path / "state")) == 2


def test_sigterm_ends_it_as_a_service_ends(cli_script: str, cli_env: dict[str, str], tmp_path: Path) -> None:
    process = subprocess.Popen(
        [cli_script, "capture", "--source", "demo", "--fps", "20", "--json"],
        env=cli_env, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert process.stdout is not None
    printed = [process.stdout.readline() for _ in range(2)]
    process.send_signal(signal.SIGTERM)
    rest, errors = process.communicate(timeout=20)
    assert (process.returncode, errors) == (0, "")
    told = [json.loads(line)["result_id"] for line in [*printed, *rest.splitlines()]]
    assert told == [row["result_id"] for row in rows(tmp_path / "state")][: len(told)]


def test_a_burst_is_one_row_that_says_so(run_cli: RunCli, tmp_path: Path) -> None:
    folder = write_folder(tmp_path / "photos", 7)
    told = run_cli("capture", "--source", f"replay:{folder}", "--burst", "5", "--json")
    assert told.returncode == 0, told.stderr
    first, second = (json.loads(line)["burst"] for line in told.stdout.splitlines())
    assert first == {"taken": 5, "refused": 0, "used": 3, "views": 1, "spread": 0.0}
    assert (second["taken"], second["used"]) == (2, 2)
    told = run_cli("capture", "--source", f"replay:{folder}", "--burst", "5", "--once")
    assert "3 of 5 frames, spread 0.00" in told.stdout
    assert "agree" not in told.stdout


def test_frames_of_different_lesions_are_uncertain(run_cli: RunCli, tmp_path: Path) -> None:
    config = tmp_path / "config.yaml"
    config.write_text("capture: {burst: 2, max_spread: 0.001}\nmodel: {views: 2}\n", encoding="utf-8")
    options = ["--source", "demo", "--fps", "100", "--once", "--config", str(config)]
    row = json.loads(run_cli("capture", *options, "--json").stdout)
    assert row["burst"]["taken"] == row["burst"]["views"] == 2
    assert row["burst"]["spread"] > 0.001
    assert (row["label"], row["refer"]) == ("uncertain", True)
    assert "frames-disagree" in row["reasons"]
    assert "the frames of the burst disagree" in run_cli("capture", *options).stdout


def test_views_answer_alike_in_classify_and_in_capture(run_cli: RunCli, tmp_path: Path) -> None:
    config = tmp_path / "config.yaml"
    config.write_text("model: {views: 4}\n", encoding="utf-8")
    (picture,) = write_folder(tmp_path / "photos", 1).iterdir()
    told = [
        json.loads(run_cli(*command, "--json", "--config", str(config)).stdout)
        for command in (["capture", "--source", f"replay:{picture}"], ["classify", str(picture)])
    ]
    assert told[0]["logit"] == told[1]["logit"]
    assert told[0]["burst"] == told[1]["burst"] == {
        "taken": 1, "refused": 0, "used": 1, "views": 4, "spread": 0.0,
    }  # fmt: skip


def test_the_terminal_and_the_row_point_at_the_activation_map(run_cli: RunCli, tmp_path: Path) -> None:
    folder = write_folder(tmp_path / "photos", 2)
    options = ["--source", f"replay:{folder}", "--explain", "maps/of/today"]
    told = [json.loads(line) for line in run_cli("capture", *options, "--json").stdout.splitlines()]
    assert rows(tmp_path / "state") == told
    for answer in told:
        assert answer["explanation_path"] == f"maps/of/today/{answer['result_id']}.png"
        drawn = tmp_path / answer["explanation_path"]
        assert cv2.imread(str(drawn)) is not None
        assert drawn.stat().st_mode & 0o777 == 0o600
    shown = run_cli("capture", *options, "--once").stdout
    assert f"explained in  maps/of/today/{rows(tmp_path / 'state')[-1]['result_id']}.png" in shown


def test_refusals_are_summed_up_at_the_end(run_cli: RunCli, tmp_path: Path) -> None:
    folder = write_folder(tmp_path / "photos", 2)
    cv2.imwrite(str(folder / "3.png"), np.asarray(draw(0, 0).pixels // 12, np.uint8))
    (folder / "4.jpg").write_bytes(b"\xff\xd8\xff\xe0 not a picture")
    told = run_cli("capture", "--source", f"replay:{folder}", "--json")
    assert told.returncode == 1
    assert told.stderr == (
        "skin-edge: 3 decisions; refused: too-dark 1; unreadable frames: image-truncated 1\n"
    )


@pytest.mark.parametrize(
    ("options", "says"),
    [
        (["--trigger", "enter", "--interval", "2"], "exclude each other"),
        (["--trigger", "bell"], "expected enter, or gpio:PIN"),
        (["--trigger", "gpio:17"], "gpiozero"),
        (["--preview"], "neither DISPLAY nor WAYLAND_DISPLAY is set"),
        (["--burst", "0"], "--burst"),
    ],
)
def test_what_cannot_start_a_capture_is_one_line_and_2(
    run_cli: RunCli, options: list[str], says: str
) -> None:
    told = run_cli(
        "capture", "--source", "demo", "--once", *options,
        env={"DISPLAY": None, "WAYLAND_DISPLAY": None, "GPIOZERO_PIN_FACTORY": "none-such"},
    )  # fmt: skip
    assert told.returncode == 2
    assert told.stderr.count("\n") == 1
    assert says in told.stderr


def test_trigger_and_lights_may_be_settings(run_cli: RunCli, tmp_path: Path) -> None:
    config = tmp_path / "config.yaml"
    config.write_text(
        "capture: {source: demo, trigger: enter}\nfeedback: {led_pin: 5, buzzer_pin: 6}\n", encoding="utf-8"
    )
    mock = {"GPIOZERO_PIN_FACTORY": "mock"}
    told = run_cli("capture", "--json", "--config", str(config), input="\n", env=mock)
    assert (told.returncode, told.stderr) == (0, "")
    assert len(told.stdout.splitlines()) == 1
    again = run_cli(
        "capture", "--json", "--once", "--interval", "0", "--config", str(config), env=mock, input=""
    )
    assert len(again.stdout.splitlines()) == 1, "an option goes before the setting"


def test_a_folder_for_maps_that_cannot_be_made_is_a_storage_error(run_cli: RunCli, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    told = run_cli("capture", "--source", "demo", "--once", "--explain", "file/maps")
    assert told.returncode == 5
    assert "cannot make this folder" in told.stderr


@pytest.mark.parametrize(("sent", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, 0)])
def test_a_stopped_capture_leaves_no_camera_process(
    cli_script: str, cli_env: dict[str, str], tmp_path: Path, sent: signal.Signals, status: int
) -> None:
    process = subprocess.Popen(
        [cli_script, "capture", "--source", "fault:none", "--json"],
        env=cli_env, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert process.stdout is not None
    first = json.loads(process.stdout.readline())
    assert first["burst"]["taken"] == 5, "a camera gives five frames a decision"
    children = psutil.Process(process.pid).children(recursive=True)
    assert children, "the camera has a process of its own"
    process.send_signal(sent)
    _, errors = process.communicate(timeout=30)
    assert process.returncode == status
    assert "Traceback" not in errors
    assert psutil.wait_procs(children, timeout=5.0)[1] == []
    assert rows(tmp_path / "state")[0]["result_id"] == first["result_id"]


def test_a_camera_that_hangs_is_told_and_ends_in_3(run_cli: RunCli, tmp_path: Path) -> None:
    config = tmp_path / "config.yaml"
    config.write_text("camera: {read_timeout_s: 0.5, restarts: 0}\n", encoding="utf-8")
    told = run_cli("capture", "--source", "fault:hang-read", "--json", "--config", str(config))
    assert told.returncode == 3
    assert "skin-edge: camera: hang-read: " in told.stderr
    acknowledged = [json.loads(line)["result_id"] for line in told.stdout.splitlines()]
    assert acknowledged == [row["result_id"] for row in rows(tmp_path / "state")]
