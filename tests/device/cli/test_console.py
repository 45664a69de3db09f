"""What reaches stdout and the terminal: whole lines, no control characters, bars only where they are seen."""

from __future__ import annotations

import json
import os
import pty
import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from skin_edge.cli import console
from skin_edge.strict import Strict


class Row(Strict, frozen=True):
    name: str
    value: float | None = None


def test_json_is_one_line_an_object(capfdbinary: pytest.CaptureFixture[bytes]) -> None:
    console.emit_json(Row(name="läsion\n", value=0.5))
    console.emit_json({"a": [1, None]})
    assert capfdbinary.readouterr().out == '{"name":"läsion\\n","value":0.5}\n{"a":[1,null]}\n'.encode()


def test_a_file_name_that_is_not_utf8_comes_back_the_same(capfdbinary: pytest.CaptureFixture[bytes]) -> None:
    name = os.fsdecode(b"photo\xff.jpg")
    console.emit_json(Row(name=name))
    assert os.fsencode(json.loads(capfdbinary.readouterr().out)["name"]) == b"photo\xff.jpg"


@given(st.text())
def test_visible_text_is_printable_and_good_text_is_untouched(text: str) -> None:
    shown = console.visible(text)
    assert shown.isprintable()
    assert console.visible(shown) == shown


def test_a_note_is_one_line_whatever_is_in_it(capsys: pytest.CaptureFixture[str]) -> None:
    console.note("a\x1b[2Jb\nskin-edge: forged\u202e\udcff")
    assert capsys.readouterr().err == "a\\x1b[2Jb\\nskin-edge: forged\\u202e\\udcff\n"


def test_a_table_in_a_pipe_is_not_cut_and_takes_no_markup(capfd: pytest.CaptureFixture[str]) -> None:
    long = "x" * 300
    console.table("Results [bold]", ["image", "p"], [[f"[red]{long}\x1b[0m", 0.5], ["b", 1], ["c", None]])
    out = capfd.readouterr().out
    assert "\x1b" not in out
    assert f"[red]{long}\\x1b[0m" in out
    assert "Results [bold]" in out
    assert [line.split()[-1] for line in out.splitlines()[-3:]] == ["0.5", "1", "-"]


def test_an_empty_table_has_its_head(capfd: pytest.CaptureFixture[str]) -> None:
    console.table("", ["image", "label"], [])
    assert capfd.readouterr().out.split("\n")[0].split() == ["image", "label"]


LOOP = """
import sys
from skin_edge.cli import console
count = int(sys.argv[1])
for i in console.progress(range(count), count, "Classifying", prints="prints" in sys.argv):
    console.emit_json(i)
print("rich" in sys.modules, file=sys.stdout)
"""


def run_loop(count: int, *flags: str, stdout_too: bool = False) -> tuple[str, str]:
    """Run the loop with stderr (and stdout) on a terminal; return what came on each."""
    main, side = pty.openpty()
    out = side if stdout_too else subprocess.PIPE
    env = {**os.environ, "TERM": "xterm", "COLUMNS": "80"}
    with subprocess.Popen(
        [sys.executable, "-c", LOOP, str(count), *flags], stdout=out, stderr=side, env=env
    ) as loop:
        os.close(side)
        piped = b"" if loop.stdout is None else loop.stdout.read()
        shown = b""
        while True:
            try:
                block = os.read(main, 65536)
            except OSError:  # how Linux says that the other end is closed
                break
            if not block:
                break
            shown += block
    os.close(main)
    assert loop.returncode == 0
    return piped.decode(), shown.decode()


def test_many_items_on_a_terminal_get_a_bar_that_leaves_stdout_alone() -> None:
    piped, shown = run_loop(30)
    assert piped.split() == [*map(str, range(30)), "True"]
    assert "Classifying" in shown
    assert "30/30" in shown


def test_few_items_get_no_bar_and_do_not_pay_for_rich() -> None:
    piped, shown = run_loop(3)
    assert (piped.split(), shown) == (["0", "1", "2", "False"], "")


def test_no_bar_over_results_on_the_same_terminal() -> None:
    _, shown = run_loop(30, "prints", stdout_too=True)
    assert "Classifying" not in shown
    assert shown.split() == [*map(str, range(30)), "False"]


def test_no_bar_without_a_terminal() -> None:
    result = subprocess.run([sys.executable, "-c", LOOP, "30"], capture_output=True, text=True)
    assert (result.stderr, result.stdout.split()[-1]) == ("", "False")
