"""`skin-edge config`, as a user runs it."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable
from pathlib import Path

import jsonschema
import yaml

RunCli = Callable[..., "subprocess.CompletedProcess[str]"]


def test_show_prints_yaml_that_check_accepts(run_cli: RunCli, tmp_path: Path) -> None:
    shown = run_cli("config", "show")
    assert shown.returncode == 0
    assert yaml.safe_load(shown.stdout)["model"]["threads"] == 1
    assert "# from the built-in defaults" in shown.stderr
    assert str(tmp_path / "state") in shown.stderr, "says where the log is"
    saved = tmp_path / "saved.yaml"
    saved.write_text(shown.stdout)
    checked = run_cli("config", "check", saved)
    assert (checked.returncode, checked.stdout, checked.stderr) == (0, f"{saved}: ok\n", "")


def test_show_json_is_one_object_that_fits_the_schema(run_cli: RunCli) -> None:
    shown = run_cli("config", "show", "--json")
    schema = json.loads(run_cli("config", "schema").stdout)
    assert shown.stdout.count("\n") == 1
    jsonschema.validate(json.loads(shown.stdout), schema)


def test_show_names_the_file_of_the_user(run_cli: RunCli, tmp_path: Path) -> None:
    path = tmp_path / "home" / ".config" / "skin-edge" / "config.yaml"
    path.parent.mkdir(parents=True)
    path.write_text("capture: {source: demo, interval_s: 2}\n")
    shown = run_cli("config", "show")
    assert yaml.safe_load(shown.stdout)["capture"].items() >= {"source": "demo", "interval_s": 2.0}.items()
    assert f"# from {path}" in shown.stderr
    assert json.loads(run_cli("config", "check", "--json").stdout) == {"path": str(path), "ok": True}


def test_show_takes_a_file(run_cli: RunCli, tmp_path: Path) -> None:
    path = tmp_path / "c.yaml"
    path.write_text("model: {threads: 2}")
    shown = run_cli("config", "show", "--json", "--config", path)
    assert json.loads(shown.stdout)["model"]["threads"] == 2


def test_check_names_the_wrong_key_and_the_nearest(run_cli: RunCli, tmp_path: Path) -> None:
    path = tmp_path / "c.yaml"
    path.write_text("capture:\n  intervall_s: 3\n")
    checked = run_cli("config", "check", path)
    assert (checked.returncode, checked.stdout) == (2, "")
    assert checked.stderr == (
        f"skin-edge: {path}: capture.intervall_s: unknown key; did you mean 'interval_s'?\n"
    )


def test_check_json_says_what_is_wrong_on_stdout(run_cli: RunCli, tmp_path: Path) -> None:
    path = tmp_path / "c.yaml"
    path.write_text("model: {threads: 99}")
    checked = run_cli("config", "check", "--json", path)
    answer = json.loads(checked.stdout)
    assert checked.returncode == 2
    assert (answer["path"], answer["ok"], answer["error"]["code"]) == (str(path), False, "config")
    assert "model.threads" in answer["error"]["message"]


def test_check_without_a_file_says_that_defaults_hold(run_cli: RunCli) -> None:
    checked = run_cli("config", "check")
    assert (checked.returncode, checked.stdout) == (0, "no settings file: the built-in defaults hold\n")


def test_check_of_a_file_that_is_not_there_fails(run_cli: RunCli, tmp_path: Path) -> None:
    checked = run_cli("config", "check", tmp_path / "absent.yaml")
    assert checked.returncode == 2
    assert "cannot read the configuration: No such file" in checked.stderr
