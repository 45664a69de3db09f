"""The commands on an encrypted log, with the key, without it and with a wrong one."""

from __future__ import annotations

import csv
import io
import json
import subprocess
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest

RunCli = Callable[..., "subprocess.CompletedProcess[str]"]
SUBJECT, SITE = "Marker-Subject", "Marker-Site"


@pytest.fixture
def sealed(run_cli: RunCli, tmp_path: Path) -> Path:
    """Settings that name a new key, after one captured result with its picture."""
    made = run_cli("results", "keygen", tmp_path / "results.key", "--json")
    assert len(json.loads(made.stdout)["key_id"]) == 16
    settings = tmp_path / "sealed.yaml"
    settings.write_text(
        f"encryption: {{key_file: {tmp_path / 'results.key'}}}\nstate: {{save_images: true}}\n"
    )
    done = run_cli(
        "capture", "--source", "demo:1", "--once", "--config", settings, "--subject", SUBJECT, "--site", SITE
    )
    assert done.returncode == 0, done.stderr
    return settings


def test_with_the_key_every_command_shows_what_was_given(run_cli: RunCli, sealed: Path) -> None:
    config = ("--config", sealed)
    assert SUBJECT in run_cli("results", "list", *config).stdout
    (line,) = run_cli("results", "list", "--json", "--subject", SUBJECT, *config).stdout.splitlines()
    record = json.loads(line)
    assert (record["subject"], record["site"], record["encrypted"]) == (SUBJECT, SITE, [])
    assert SITE in run_cli("results", "show", record["result_id"], *config).stdout
    for form in ("csv", "jsonl", "fhir"):
        assert SUBJECT in run_cli("results", "export", "--format", form, *config).stdout
    checked = run_cli("results", "verify", *config)
    assert checked.returncode == 0, checked.stdout


def test_without_settings_the_rest_is_shown_and_these_as_encrypted(run_cli: RunCli, sealed: Path) -> None:
    (line,) = run_cli("results", "list", "--json").stdout.splitlines()
    record = json.loads(line)
    assert (record["subject"], record["site"], record["encrypted"]) == (None, None, ["subject", "site"])
    (row,) = run_cli("results", "list").stdout.splitlines()[2:3]
    assert row.count("encrypted") == 2
    assert run_cli("results", "show", record["result_id"]).stdout.count(" encrypted\n") == 2
    (cells,) = csv.DictReader(io.StringIO(run_cli("results", "export").stdout))
    assert (cells["subject"], cells["encrypted"]) == ("", "subject;site")
    report = json.loads(run_cli("results", "export", "--format", "fhir").stdout)["entry"][0]["resource"]
    assert report["subject"]["display"] == "encrypted"
    for command in (["list", "--json"], ["export", "--json"], ["purge", "--dry-run"]):
        asked = run_cli("results", *command, "--subject", SUBJECT)
        assert SUBJECT not in asked.stdout
        assert "1 results are encrypted with a key that is not at hand, and may be of this" in asked.stderr
    checked = run_cli("results", "verify")
    assert checked.returncode == 0
    assert "1 rows are encrypted with a key that is not at hand" in checked.stdout


def test_a_key_that_is_away_is_said_by_reading_and_stops_a_capture(
    run_cli: RunCli, sealed: Path, tmp_path: Path
) -> None:
    (tmp_path / "results.key").rename(tmp_path / "elsewhere")
    shown = run_cli("results", "list", "--config", sealed)
    assert shown.returncode == 0
    assert "the encryption key cannot be read here" in shown.stderr
    assert "encrypted" in shown.stdout
    done = run_cli("capture", "--source", "demo:1", "--once", "--config", sealed)
    assert (done.returncode, done.stdout) == (2, "")
    assert "cannot read the encryption key: No such file" in done.stderr


def test_a_wrong_key_ends_in_exit_5_with_one_line(run_cli: RunCli, sealed: Path, tmp_path: Path) -> None:
    run_cli("results", "keygen", tmp_path / "wrong.key")
    settings = tmp_path / "wrong.yaml"
    settings.write_text(f"encryption: {{key_file: {tmp_path / 'wrong.key'}}}\n")
    done = run_cli("results", "list", "--config", settings)
    assert (done.returncode, done.stdout) == (5, "")
    assert "encrypted with key" in done.stderr
    assert len(done.stderr.splitlines()) == 1
    settings.write_text(
        f"encryption: {{key_file: {tmp_path / 'wrong.key'}, old_key_files: [{tmp_path / 'results.key'}]}}\n"
    )
    assert SUBJECT in run_cli("results", "list", "--config", settings).stdout, "rotated keys open old rows"


def test_a_picture_is_written_out_decrypted_and_private(
    run_cli: RunCli, sealed: Path, tmp_path: Path
) -> None:
    target = tmp_path / "out.png"
    identifier = json.loads(run_cli("results", "list", "--json").stdout)["result_id"]
    refused = run_cli("results", "picture", identifier, "-o", target)
    assert refused.returncode == 5
    assert "encrypted with key" in refused.stderr
    done = run_cli("results", "picture", identifier[:13], "-o", target, "--json", "--config", sealed)
    assert json.loads(done.stdout)["bytes"] == target.stat().st_size
    assert target.stat().st_mode & 0o777 == 0o600
    decoded = cv2.imread(str(target))
    assert decoded is not None
    assert decoded.dtype == np.uint8
    assert min(decoded.shape[:2]) > 100


def test_a_picture_that_was_not_kept_or_is_gone_is_a_usage_error(run_cli: RunCli, tmp_path: Path) -> None:
    run_cli("capture", "--source", "demo:1", "--once")
    run_cli("capture", "--source", "demo:1", "--once", "--save-images")
    run_cli("results", "purge", "--keep", "0", "--images-only", "--yes")
    newest, oldest = (
        json.loads(line)["result_id"] for line in run_cli("results", "list", "--json").stdout.splitlines()
    )
    for identifier, says in ((oldest, "pictures are kept with"), (newest, "it was deleted at 20")):
        done = run_cli("results", "picture", identifier, "-o", tmp_path / "x.png")
        assert done.returncode == 2
        assert says in done.stderr


def test_keygen_never_overwrites(run_cli: RunCli, tmp_path: Path) -> None:
    path = tmp_path / "k"
    done = run_cli("results", "keygen", path)
    assert done.returncode == 0
    assert path.stat().st_mode & 0o777 == 0o600
    assert path.read_text() not in done.stdout + done.stderr
    again = run_cli("results", "keygen", path)
    assert again.returncode == 2
    assert "exists" in again.stderr
    assert run_cli("results", "keygen", tmp_path / "no" / "k").returncode == 5


def test_an_unfit_key_is_a_usage_error_of_one_line(run_cli: RunCli, sealed: Path, tmp_path: Path) -> None:
    (tmp_path / "results.key").chmod(0o644)
    for command in (["results", "list"], ["capture", "--source", "demo", "--once"]):
        done = run_cli(*command, "--config", sealed)
        assert (done.returncode, done.stdout) == (2, "")
        assert "others may read this encryption key" in done.stderr
        assert len(done.stderr.splitlines()) == 1
