"""`skin-edge doctor`: what it prints, and that a failed check is exit status 6."""

from __future__ import annotations

import json
import os
import pty
import re
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from skin_edge.health.checks.registry import CHECKS
from skin_edge.model.locate import default_bundle_path

RunCli = Callable[..., "subprocess.CompletedProcess[str]"]

#: Does not depend on how warm or how full the machine is that runs the tests.
STEADY = ("software", "config", "model", "camera", "log", "permissions", "devices")
ONLY = [word for name in STEADY for word in ("--only", name)]


def statuses(told: subprocess.CompletedProcess[str]) -> dict[str, str]:
    answer = json.loads(told.stdout)
    assert told.stdout.count("\n") == 1
    return {check["name"]: check["status"] for check in answer["checks"]}


def test_a_sound_machine_is_ok(run_cli: RunCli, tmp_path: Path) -> None:
    assert run_cli("capture", "--source", "demo", "--once").returncode == 0
    told = run_cli("doctor", "--source", "demo", *ONLY, "--json")
    assert told.returncode == 0, told.stdout
    assert json.loads(told.stdout)["ok"] is True
    assert statuses(told) == dict.fromkeys(STEADY, "ok") | {"devices": "skip"}
    assert told.stderr == ""


def test_all_checks_are_made_and_each_says_why(run_cli: RunCli) -> None:
    told = run_cli("doctor", "--json")
    answer = json.loads(told.stdout)
    assert [check["name"] for check in answer["checks"]] == list(CHECKS)
    for check in answer["checks"]:
        assert set(check) == {"name", "status", "message", "fix", "data"}
        assert check["status"] in ("ok", "warn", "fail", "skip")
        assert check["message"]
        assert "\n" not in check["message"]
        if check["status"] in ("warn", "fail"):
            assert check["fix"], check
    assert told.returncode == (0 if answer["ok"] else 6)


def test_nothing_is_written(run_cli: RunCli, tmp_path: Path) -> None:
    run_cli("doctor", "--source", "demo")
    assert not (tmp_path / "state").exists()


def test_a_corrupted_bundle_is_exit_status_6(run_cli: RunCli, tmp_path: Path) -> None:
    bundle = Path(shutil.copytree(default_bundle_path(), tmp_path / "bundle"))
    golden = bytearray((bundle / "golden.npz").read_bytes())
    golden[1000] ^= 0xFF
    (bundle / "golden.npz").write_bytes(golden)
    config = tmp_path / "config.yaml"
    config.write_text(f"model:\n  path: {bundle}\n")
    told = run_cli("doctor", "--config", config, *ONLY, "--json")
    assert told.returncode == 6
    assert statuses(told)["model"] == "fail"
    assert statuses(told)["software"] == "ok"
    text = run_cli("doctor", "--config", config, "--only", "model")
    assert text.returncode == 6
    assert re.match(r"fail  model  .*golden\.npz", text.stdout)
    assert "-> put a whole bundle where model.path leads" in text.stdout
    assert text.stdout.endswith("1 fail\n")


@pytest.mark.parametrize("text", ["capture: {sourc: demo}", None])
def test_wrong_settings_are_exit_status_6_and_the_rest_is_told(
    run_cli: RunCli, tmp_path: Path, text: str | None
) -> None:
    config = tmp_path / "config.yaml"
    if text is None:
        config.symlink_to("gone.yaml")
    else:
        config.write_text(text)
    told = run_cli("doctor", "--config", config, "--source", "demo", *ONLY, "--json")
    assert told.returncode == 6
    found = statuses(told)
    assert found.pop("config") == "fail"
    assert "fail" not in found.values()


def test_a_damaged_log_and_an_open_folder_are_told_together(run_cli: RunCli, tmp_path: Path) -> None:
    state = tmp_path / "state"
    state.mkdir(mode=0o700)
    (state / "results.sqlite3").write_bytes(b"garbage" * 1000)
    (state / "results.sqlite3").chmod(0o644)
    state.chmod(0o755)
    told = run_cli("doctor", "--only", "log", "--only", "permissions", "--json")
    assert (told.returncode, statuses(told)) == (6, {"log": "fail", "permissions": "fail"})


def test_a_source_that_cannot_be_opened_is_exit_status_6(run_cli: RunCli) -> None:
    told = run_cli("doctor", "--source", "replay:/no/such", "--only", "camera")
    assert told.returncode == 6
    assert "no such file or folder" in told.stdout


def test_an_unknown_check_is_a_usage_error(run_cli: RunCli) -> None:
    told = run_cli("doctor", "--only", "camrea")
    assert (told.returncode, told.stdout) == (2, "")
    assert "no such check 'camrea'; there are software" in told.stderr


def test_a_file_name_that_is_not_printable_does_no_harm(run_cli: RunCli) -> None:
    told = run_cli("doctor", "--source", "replay:/no/\x1b[31mred", "--only", "camera")
    assert told.returncode == 6
    assert "\x1b" not in told.stdout
    assert run_cli("doctor", "--source", b"replay:/no/\xff", "--only", "camera").returncode == 6
    assert run_cli("doctor", "--source", b"replay:/no/\xff", "--only", "camera", "--json").returncode == 6


def test_the_table_is_coloured_on_a_terminal_only(cli_script: str, cli_env: dict[str, str]) -> None:
    command = [cli_script, "doctor", "--only", "config", "--only", "log"]
    master, slave = pty.openpty()
    with subprocess.Popen(
        command, stdout=slave, stderr=subprocess.PIPE, env={**cli_env, "TERM": "xterm-256color"}
    ):
        os.close(slave)
        shown = b""
        while True:
            try:
                part = os.read(master, 4096)
            except OSError:  # the terminal is closed
                break
            if not part:
                break
            shown += part
    os.close(master)
    assert b"\x1b[32mok" in shown
    plain = subprocess.run(command, env=cli_env, capture_output=True, check=True).stdout
    assert b"\x1b" not in plain
    assert plain.startswith(b"ok    config  no settings file")
