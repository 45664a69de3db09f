"""Looking for results by what a person types: a part of a subject, a site, a label or an id."""

from __future__ import annotations

from collections.abc import Iterator

from skin_edge.results.log import ResultsLog
from skin_edge.results.record import ResultRecord
from skin_edge.results.rows import READ_COLUMNS, from_row

_ROWS_PER_READ = 256


def find(log: ResultsLog, query: str, *, offset: int, limit: int) -> tuple[tuple[ResultRecord, ...], int]:
    """Return a page of the rows that fit, newest first, and how many fit in all.

    A row fits where its subject, site, label or id has the text in it; the case of ASCII letters does not
    count. Of a row whose subject and site are encrypted, label and id are looked at, and the subject where
    the text is all of it and the key at hand.

    Args:
        log: open.
        query: the text; an empty one fits every row.
        offset: rows to leave out, the newest first.
        limit: at most so many rows.

    Raises:
        StorageError: the log cannot be read.
    """
    condition, values = _condition(log, query)
    with log.reading() as connection:
        total = connection.execute(
            f"SELECT count(*) FROM results WHERE {condition}",  # noqa: S608 - no text that a user typed
            values,
        ).fetchone()[0]
        rows = connection.execute(
            f"SELECT {READ_COLUMNS} FROM results WHERE {condition} "  # noqa: S608 - likewise
            "ORDER BY seq DESC LIMIT ? OFFSET ?",
            (*values, limit, offset),
        ).fetchall()
    return tuple(from_row(row, log.path, log.keyring) for row in rows), int(total)


def iter_found(log: ResultsLog, query: str) -> Iterator[ResultRecord]:
    """Yield the rows that fit, as `find` has it, in the order in which they were acknowledged.

    No lock is held between rows: a slow reader never stops a writer.

    Raises:
        StorageError: the log cannot be read.
    """
    condition, values = _condition(log, query)
    text = (
        f"SELECT seq, {READ_COLUMNS} FROM results WHERE seq > ? AND {condition} "  # noqa: S608 - likewise
        "ORDER BY seq LIMIT ?"
    )
    last = 0
    while True:
        with log.reading() as connection:
            rows = connection.execute(text, (last, *values, _ROWS_PER_READ)).fetchall()
        for _, *row in rows:
            yield from_row(tuple(row), log.path, log.keyring)
        if not rows:
            return
        last = rows[-1][0]


def _condition(log: ResultsLog, query: str) -> tuple[str, tuple[str, ...]]:
    """Return an SQL condition and its values; the text holds nothing that a user typed."""
    if not query:
        return "1", ()
    escaped = query.replace("\\", r"\\").replace("%", r"\%").replace("_", r"\_")
    like = f"%{escaped}%"
    plain = " OR ".join(
        rf"{column} LIKE ? ESCAPE '\'"
        for column in (
            "result_id",
            "label",
            "json_extract(record, '$.subject')",
            "json_extract(record, '$.site')",
        )
    )
    subject, tags = log.subject_condition(query)
    return f"({plain} OR {subject})", (like, like, like, like, *tags)
