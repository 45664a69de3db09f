"""`skin-edge results` as a user and as a script sees it."""

from __future__ import annotations

import csv
import io
import json
import subprocess
from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest
from sample_records import make_record

import skin_edge
from skin_edge.results.log import FILE_NAME, ResultsLog
from skin_edge.results.record import ResultRecord

RunCli = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture
def state_dir(tmp_path: Path) -> Path:
    """Where `run_cli` keeps its state, with three results in it."""
    state = tmp_path / "state"
    with ResultsLog(state) as log:
        for day, label, site in ((1, "benign", "arm"), (2, "malignant", "leg"), (3, "uncertain", None)):
            created_at = f"2026-01-0{day}T12:00:00.000Z"
            identifier = f"019ba2c4-5e{day}0-7000-8000-{day:012d}"
            log.append(make_record(result_id=identifier, created_at=created_at, label=label, site=site))
    return state


def rows(state: Path) -> list[ResultRecord]:
    with ResultsLog(state) as log:
        return list(log.iter_all())


def json_lines(output: str) -> list[ResultRecord]:
    return [msgspec.json.decode(line, type=ResultRecord) for line in output.splitlines()]


def test_list_json_is_one_record_a_line_newest_first(run_cli: RunCli, state_dir: Path) -> None:
    done = run_cli("results", "list", "--json")
    assert (done.returncode, done.stderr) == (0, "")
    assert json_lines(done.stdout) == rows(state_dir)[::-1]


@pytest.mark.parametrize(
    ("options", "days"),
    [
        (["--limit", "1"], [3]),
        (["--label", "malignant"], [2]),
        (["--since", "2026-01-02"], [3, 2]),
        (["--since", "2026-01-02T13:30+01:00"], [3]),
        (["--since", "2026-01-02T12:00:00.000Z", "--label", "benign"], []),
        (["--subject", "P-017", "-n", "2"], [3, 2]),
        (["--subject", "nobody"], []),
    ],
)
def test_list_selects(run_cli: RunCli, state_dir: Path, options: list[str], days: list[int]) -> None:
    done = run_cli("results", "list", "--json", *options)
    assert done.returncode == 0
    assert [int(record.created_at[8:10]) for record in json_lines(done.stdout)] == days


def test_list_shows_a_table_and_says_that_it_is_no_diagnosis(run_cli: RunCli, state_dir: Path) -> None:
    done = run_cli("results", "list")
    assert done.returncode == 0
    table = done.stdout.splitlines()
    assert [line.split()[0] for line in table[2:5]] == ["019ba2c4-5e30", "019ba2c4-5e20", "019ba2c4-5e10"]
    assert "malignant" in table[3]
    assert "0.812" in table[3]
    assert table[-1] == f"3 of 3 results. {skin_edge.DISCLAIMER}"


def test_the_short_id_of_the_table_is_enough_for_show(run_cli: RunCli, state_dir: Path) -> None:
    done = run_cli("results", "show", "019ba2c4-5e20", "--json")
    assert done.returncode == 0
    assert json_lines(done.stdout) == [rows(state_dir)[1]]
    drawn = run_cli("results", "show", "019ba2c4-5e20").stdout
    assert "sensitivity-95" in drawn
    assert skin_edge.DISCLAIMER in drawn


@pytest.mark.parametrize(
    ("wanted", "says"), [("019ba2c4", "several results begin so"), ("ffff", "no result")]
)
def test_show_needs_one_result(run_cli: RunCli, state_dir: Path, wanted: str, says: str) -> None:
    done = run_cli("results", "show", wanted)
    assert (done.returncode, done.stdout) == (2, "")
    assert says in done.stderr
    assert len(done.stderr.splitlines()) == 1


def test_text_from_outside_is_neither_markup_nor_control(run_cli: RunCli, state_dir: Path) -> None:
    with ResultsLog(state_dir) as log:
        log.append(
            make_record(result_id="evil", subject="[bold]B[/bold]", site="\x1b[31mred\x07\n\u202eright")
        )
    for command in (["list"], ["show", "evil"]):
        drawn = run_cli("results", *command).stdout
        assert "[bold]B[/bold]" in drawn
        assert r"\x1b[31mred\x07\n\u202eright" in drawn
        assert not {"\x1b", "\x07", "\u202e"} & set(drawn)


def test_export_jsonl_is_every_row_in_order(run_cli: RunCli, state_dir: Path) -> None:
    for options in (["--format", "jsonl"], ["--json"]):
        done = run_cli("results", "export", *options)
        assert done.returncode == 0
        assert json_lines(done.stdout) == rows(state_dir)


def test_export_csv_goes_to_a_private_file(run_cli: RunCli, state_dir: Path, tmp_path: Path) -> None:
    with (tmp_path / "stdout").open("wb") as stdout:
        run_cli(
            "results",
            "export",
            "--label",
            "benign",
            capture_output=False,
            stdout=stdout,
            stderr=subprocess.PIPE,
        )
    done = run_cli("results", "export", "--label", "benign", "--output", tmp_path / "out.csv")
    assert (done.returncode, done.stdout) == (0, "")
    assert "1 results written" in done.stderr
    written = tmp_path / "out.csv"
    assert written.read_bytes() == (tmp_path / "stdout").read_bytes()
    assert written.stat().st_mode & 0o777 == 0o600
    (row,) = csv.DictReader(io.StringIO(written.read_text("utf-8")))
    assert (row["label"], row["site"]) == ("benign", "arm")


def test_export_into_a_pipe_that_closes_ends_quietly(
    cli_script: str, cli_env: dict[str, str], state_dir: Path
) -> None:
    with ResultsLog(state_dir) as log:
        for _ in range(300):  # more than a pipe holds
            log.append(make_record())
    done = subprocess.run(
        ["sh", "-c", f"'{cli_script}' results export --json | head -n 1"],
        env=cli_env,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert (len(done.stdout.splitlines()), done.stderr) == (1, "")


def test_export_to_a_full_standard_output_is_a_storage_error(run_cli: RunCli, state_dir: Path) -> None:
    with Path("/dev/full").open("w") as full:
        done = run_cli("results", "export", capture_output=False, stdout=full, stderr=subprocess.PIPE)
    assert done.returncode == 5
    assert "standard output: cannot write the export: the disk is full" in done.stderr


@pytest.mark.parametrize(
    ("command", "status", "output"),
    [
        (["list"], 0, ""),
        (["list", "--json"], 0, ""),
        (["export", "--json"], 0, ""),
        (["show", "abc"], 2, ""),
        (["export"], 0, "result_id,created_at,image,"),
    ],
)
def test_without_a_log_that_is_said_and_none_is_made(
    run_cli: RunCli, tmp_path: Path, command: list[str], status: int, output: str
) -> None:
    done = run_cli("results", *command)
    assert done.returncode == status
    assert done.stdout.startswith(output)
    assert bool(done.stdout) == bool(output)
    assert f"no results yet: {tmp_path / 'state' / FILE_NAME}" in done.stderr
    assert not (tmp_path / "state").exists()


def test_the_log_is_where_the_settings_say(run_cli: RunCli, state_dir: Path, tmp_path: Path) -> None:
    settings = tmp_path / "config.yaml"
    settings.write_text(json.dumps({"state": {"directory": str(state_dir)}}))
    done = run_cli("results", "list", "--json", "--config", settings, env={"SKIN_EDGE_HOME": None})
    assert len(done.stdout.splitlines()) == 3


@pytest.mark.parametrize(
    "command",
    [
        ["list", "--since", "yesterday"],
        ["list", "--since", "0001-01-01T00:00+14:00"],
        ["list", "--limit", "0"],
        ["list", "--label", "fine"],
        ["export", "--format", "xml"],
        ["export", "--format", "csv", "--json"],
    ],
)
def test_a_wrong_option_is_a_usage_error_of_one_line(
    run_cli: RunCli, state_dir: Path, command: list[str]
) -> None:
    done = run_cli("results", *command)
    assert (done.returncode, done.stdout) == (2, "")
    assert len(done.stderr.splitlines()) == 1


def test_a_damaged_log_ends_in_exit_5_with_one_line(run_cli: RunCli, state_dir: Path) -> None:
    (state_dir / FILE_NAME).write_bytes(b"garbage " * 1000)
    done = run_cli("results", "list")
    assert (done.returncode, done.stdout) == (5, "")
    assert f"{state_dir / FILE_NAME}: cannot read the results log: it is damaged" in done.stderr
    assert len(done.stderr.splitlines()) == 1


@pytest.mark.parametrize("command", ["list", "show", "export"])
def test_every_command_explains_its_options(run_cli: RunCli, command: str) -> None:
    shown = run_cli("results", command, "--help").stdout
    assert "--json" in shown
    assert "--config FILE" in shown
