"""Exports: the exact values come back, a spreadsheet runs nothing, and memory does not grow with the log."""

from __future__ import annotations

import csv
import io
import json
import os
import sqlite3
import stat
import tracemalloc
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sample_records import SAMPLE, make_record

from skin_edge.errors import StorageError, UsageError
from skin_edge.results.export import COLUMNS, flat_cells, open_output, write_records
from skin_edge.results.log import FILE_NAME, ResultsLog
from skin_edge.results.record import Burst, Quality, ResultRecord

AWKWARD = (
    'a "quoted", comma',
    "line\nbreak\r\nand more",
    "Ünïcode 皮膚 🩺",
    '=HYPERLINK("http://x","y")',
    "+1",
    "-2+3",
    "@SUM(A1)",
    "\tx",
    "\r=1",
    "＝1",
    "'already quoted",
    "",
    " = not first",
)


def exported_csv(*records: ResultRecord) -> list[dict[str, str]]:
    stream = io.BytesIO()
    assert write_records(records, stream, "csv") == len(records)
    return list(csv.DictReader(io.StringIO(stream.getvalue().decode("utf-8"), newline="")))


def unguarded(cell: str) -> str:
    return cell.removeprefix("'")


def test_columns_are_documented_and_hold_every_field_of_the_contract() -> None:
    def leaves(value: Any, path: str) -> list[str]:
        if isinstance(value, dict) and path != "quality.metrics":
            return [leaf for key in value for leaf in leaves(value[key], f"{path}.{key}".lstrip("."))]
        return [path]

    record = make_record(burst=Burst(taken=5, refused=1, used=3, views=1, spread=0.5))
    fields = set(leaves(json.loads(msgspec.json.encode(record)), ""))
    (row,) = exported_csv(record)
    assert [row[f"burst.{name}"] for name in Burst.__struct_fields__] == ["5", "1", "3", "1", "0.5"]
    (row,) = exported_csv(SAMPLE)
    assert {row[f"burst.{name}"] for name in Burst.__struct_fields__} == {""}
    assert set(COLUMNS) == fields - {"abstain_band"} | {"abstain_band.low", "abstain_band.high"}
    assert len(set(COLUMNS)) == len(COLUMNS)


def test_csv_has_plain_values_that_read_back_exactly() -> None:
    record = make_record(
        result_id="r1",
        logit=-0.1,
        probability=1 / 3,
        refer=False,
        site=None,
        reasons=("blurred", "dark"),
        quality=Quality(ok=False, reasons=("blurred",), metrics={"b": 1e-9, "a": 2.0}),
    )
    (row,) = exported_csv(record)
    assert list(row) == list(COLUMNS)
    assert (row["result_id"], row["model.version"]) == ("r1", "1.0.0")
    assert (float(row["logit"]), float(row["probability"])) == (-0.1, 1 / 3)  # no apostrophe before a number
    assert (row["refer"], row["site"], row["reasons"]) == ("false", "", "blurred;dark")
    assert (row["quality.ok"], row["quality.reasons"]) == ("false", "blurred")
    assert json.loads(row["quality.metrics"]) == {"a": 2.0, "b": 1e-9}
    assert (row["abstain_band.low"], row["abstain_band.high"]) == ("0.25", "0.4")
    machine = [row[f"machine.{name}"] for name in ("temperature_c", "throttled", "under_voltage", "clock")]
    assert machine == ["48.5", "false", "", "rtc"]
    (without,) = exported_csv(make_record(machine=None))
    assert {without[column] for column in COLUMNS if column.startswith("machine.")} == {""}


@pytest.mark.parametrize("text", AWKWARD)
def test_awkward_text_comes_back_from_csv_and_jsonl(text: str) -> None:
    record = make_record(site=text, image=text)
    (row,) = exported_csv(record)
    assert unguarded(row["site"]) == unguarded(row["image"]) == text
    stream = io.BytesIO()
    write_records([record, record], stream, "jsonl")
    assert [msgspec.json.decode(line, type=ResultRecord) for line in stream.getvalue().splitlines()] == [
        record
    ] * 2


@given(st.text(st.characters(codec="utf-8"), max_size=20))
def test_no_text_cell_begins_like_a_formula_and_one_apostrophe_less_is_the_text(text: str) -> None:
    (row,) = exported_csv(make_record(subject=text, source=text, operating_point=text))
    for column in ("subject", "source", "operating_point"):
        assert not row[column].startswith(("=", "+", "-", "@", "\t", "\r", "\n"))
        assert unguarded(row[column]) == text


def test_csv_is_utf8_with_crlf() -> None:
    stream = io.BytesIO()
    write_records([make_record(site="Knie — außen")], stream, "csv")
    assert stream.getvalue().count(b"\r\n") == 2
    assert "Knie — außen".encode() in stream.getvalue()
    assert not stream.closed


def test_flat_cells_are_not_guarded() -> None:
    assert flat_cells(make_record(site="=1"))["site"] == "=1"


class TestFile:
    def test_it_is_private_and_replaces_the_old_one_as_a_whole(self, tmp_path: Path) -> None:
        target = tmp_path / "out.jsonl"
        target.write_text("old")
        target.chmod(0o644)
        with open_output(target) as stream:
            write_records([SAMPLE], stream, "jsonl")
            assert target.read_text() == "old"
        assert json.loads(target.read_text())["label"] == "malignant"
        assert stat.S_IMODE(target.stat().st_mode) == 0o600
        assert list(tmp_path.iterdir()) == [target]

    def test_a_failure_leaves_the_old_one(self, tmp_path: Path) -> None:
        target = tmp_path / "out.csv"
        target.write_text("old")

        def records() -> Any:
            yield SAMPLE
            raise StorageError("the log went away")

        with pytest.raises(StorageError, match="went away"), open_output(target) as stream:
            write_records(records(), stream, "csv")
        assert target.read_text() == "old"
        assert list(tmp_path.iterdir()) == [target]

    def test_a_link_is_followed_not_replaced(self, tmp_path: Path) -> None:
        (tmp_path / "link").symlink_to(tmp_path / "real")
        with open_output(tmp_path / "link") as stream:
            stream.write(b"x")
        assert (tmp_path / "link").is_symlink()
        assert (tmp_path / "real").read_bytes() == b"x"

    @pytest.mark.parametrize("name", [".", "fifo", "/dev/null"])
    def test_what_is_no_regular_file_is_refused(self, tmp_path: Path, name: str) -> None:
        os.mkfifo(tmp_path / "fifo")
        with pytest.raises(UsageError, match="not a regular file"), open_output(tmp_path / name):
            pass

    def test_a_directory_that_is_not_there_is_a_storage_error(self, tmp_path: Path) -> None:
        with pytest.raises(StorageError, match="cannot write the export"), open_output(tmp_path / "no" / "x"):
            pass


@pytest.mark.parametrize("form", ["csv", "jsonl"])
def test_ten_thousand_rows_are_exported_in_little_memory(tmp_path: Path, form: Any) -> None:
    with ResultsLog(tmp_path) as log:
        log.append(make_record(result_id="first"))
    connection = sqlite3.connect(tmp_path / FILE_NAME)
    connection.execute(
        "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 9999) "
        "INSERT INTO results (result_id, created_at, label, record) "
        "SELECT 'r' || i, created_at, label, replace(record, 'first', 'r' || i) FROM n, results"
    )
    connection.commit()
    connection.close()
    target = tmp_path / "out"
    log = ResultsLog(tmp_path)
    tracemalloc.start()
    with log, open_output(target) as stream:
        assert write_records(log.iter_all(), stream, form) == 10_000
        _, peak_bytes = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak_bytes < 2_000_000 < target.stat().st_size / 2
