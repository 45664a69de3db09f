"""What commands write: results to stdout, everything else to stderr.

rich draws tables and progress bars and is imported only when one is drawn: it costs as much as typer.
Names of files, sites and subjects come from outside, so control characters never reach the terminal.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, TextIO, TypeVar

import msgspec

from skin_edge.errors import ImageError, StorageError

T = TypeVar("T")

#: Below this many items a bar would be gone before it is read.
MIN_ITEMS_FOR_PROGRESS = 20

#: A table in a pipe is not cut at a terminal's width.
PIPE_WIDTH = 1000


def is_terminal(stream: TextIO | None = None) -> bool:
    """True where `stream`, stdout unless given, is a terminal."""
    stream = sys.stdout if stream is None else stream
    return stream is not None and not stream.closed and stream.isatty()


def visible(text: str) -> str:
    """Return `text` with control, bidirectional and undecodable characters escaped, as in ``\\x1b``."""
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode("ascii") for c in text)


def note(text: str) -> None:
    """Write one line to stderr; line breaks in it are escaped."""
    if sys.stderr is not None:
        sys.stderr.write(f"{visible(text)}\n")
        sys.stderr.flush()


def emit(text: str) -> None:
    """Write text to stdout as it is, with a line end, and flush.

    Raises:
        StorageError: stdout is closed or full.
        BrokenPipeError: the reader went away; `main` ends quietly.
    """
    _write(text.encode("utf-8", "backslashreplace") + b"\n")


def emit_json(obj: Any) -> None:
    """Write a Struct or plain data to stdout as one line of JSON, and flush.

    Raises:
        StorageError: stdout is closed or full.
        BrokenPipeError: the reader went away; `main` ends quietly.
    """
    try:
        line = msgspec.json.encode(obj)
    except UnicodeEncodeError:  # a file name that is not UTF-8; json escapes it so that it can be read back
        import json

        line = json.dumps(msgspec.to_builtins(obj), separators=(",", ":")).encode("ascii")
    _write(line + b"\n")


def report_image_error(error: ImageError, *, as_json: bool) -> None:
    """Say that one input could not be used: an object of the JSON contract, or a line on stderr.

    Raises:
        StorageError: stdout is closed or full.
        BrokenPipeError: the reader went away; `main` ends quietly.
    """
    if as_json:
        emit_json({"image": error.image, "error": {"code": error.code, "message": str(error)}})
    else:
        note(f"skin-edge: {error}")


def _write(line: bytes) -> None:
    if sys.stdout is None:
        raise StorageError("standard output is closed; nobody would see the result", code="stdout")
    try:
        sys.stdout.flush()
        sys.stdout.buffer.write(line)
        sys.stdout.buffer.flush()
    except BrokenPipeError:
        raise
    except OSError as error:
        raise StorageError(f"cannot write to standard output: {error.strerror}", code="stdout") from error


def progress(items: Iterable[T], total: int | None, description: str, *, prints: bool = False) -> Iterator[T]:
    """Yield `items`, with a progress bar on stderr where that is a terminal and there are many.

    Args:
        items: what to go through.
        total: how many there are; None where that is not known, and then no bar is drawn.
        description: what is being done, in a word or two.
        prints: results go to stdout meanwhile: no bar where both are the same terminal.
    """
    many = total is not None and total >= MIN_ITEMS_FOR_PROGRESS
    if not many or not is_terminal(sys.stderr) or (prints and is_terminal(sys.stdout)):
        yield from items
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    bar = Progress(
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
        console=Console(stderr=True, markup=False, highlight=False),
        transient=True,
        refresh_per_second=4,
        # rich would send what commands write to stdout to its own console, stderr
        redirect_stdout=False,
        redirect_stderr=False,
    )
    with bar:
        yield from bar.track(items, total=total, description=visible(description))


def table(title: str, columns: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    """Write a table to stdout: None is shown as ``-``, columns of numbers are aligned to the right.

    Raises:
        StorageError: stdout is closed or full.
        BrokenPipeError: the reader went away; `main` ends quietly.
    """
    from rich import box
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    kept = [tuple(row) for row in rows]
    drawn = Table(title=Text(visible(title)) if title else None, box=box.SIMPLE_HEAD, title_justify="left")
    for index, column in enumerate(columns):
        numeric = bool(kept) and all(isinstance(row[index], (int, float)) for row in kept)
        drawn.add_column(Text(visible(column)), justify="right" if numeric else "left", overflow="fold")
    for row in kept:
        drawn.add_row(*(Text("-" if cell is None else visible(str(cell))) for cell in row))
    console = Console(markup=False, highlight=False, emoji=False, width=None if is_terminal() else PIPE_WIDTH)
    with console.capture() as captured:
        console.print(drawn)
    lines = [line.rstrip() for line in captured.get().split("\n")]
    emit("\n".join(lines).strip("\n"))
