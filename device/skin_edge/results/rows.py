"""A record as a row of the log, and back: what the columns repeat, and what is sealed in some of them."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from skin_edge.errors import StorageError
from skin_edge.results.record import ResultRecord

if TYPE_CHECKING:
    from skin_edge.results.keys import Keyring

#: The fields that say who the person is; each has a column `sealed_<field>`.
SEALED = ("subject", "site")

#: What `from_row` needs, in its order.
READ_COLUMNS = "result_id, record, key_id, sealed_subject, sealed_site"

_INSERT = (
    "INSERT INTO results (result_id, created_at, label, subject, image_path, record) "
    "VALUES (?, ?, ?, ?, ?, ?)"
)
_INSERT_SEALED = (
    "INSERT INTO results (result_id, created_at, label, subject, image_path, record, "
    "key_id, sealed_subject, sealed_site) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)"
)


def insert(record: ResultRecord, keyring: Keyring | None) -> tuple[str, tuple[Any, ...]]:
    """Return the statement and the values that add a record with an id."""
    if keyring is None:
        return _INSERT, (*_plain(record, record.subject),)
    key, result_id = keyring.current, str(record.result_id)
    values = (getattr(record, field) for field in SEALED)
    sealed = [
        None if value is None else key.seal(value.encode(), result_id, field)
        for field, value in zip(SEALED, values, strict=True)
    ]
    tag = None if record.subject is None else key.tag(record.subject)
    bare = msgspec.structs.replace(record, subject=None, site=None)
    return _INSERT_SEALED, (*_plain(bare, tag), key.id, *sealed)


def from_row(row: tuple[Any, ...], path: Path, keyring: Keyring | None) -> ResultRecord:
    """Return the record in a row of `READ_COLUMNS`.

    Without keys, a sealed field is None and named in `encrypted`.

    Raises:
        StorageError: the row was altered, or sealed with a key that is not in the ring.
    """
    result_id, text, key_id, *sealed = row
    record = decode(text, result_id, path)
    if key_id is None:
        return record
    found = {field: value for field, value in zip(SEALED, sealed, strict=True) if value is not None}
    if keyring is None:
        return msgspec.structs.replace(record, encrypted=tuple(found))
    key = keyring.key(key_id, f"{path}: row {result_id}")
    opened = {field: key.open(value, result_id, field).decode() for field, value in found.items()}
    return msgspec.structs.replace(record, **opened)


def decode(text: str, result_id: str, path: Path) -> ResultRecord:
    """Return the record in the text of a row, with nothing opened.

    Raises:
        StorageError: it is not a record.
    """
    try:
        return msgspec.json.decode(text, type=ResultRecord)
    except (msgspec.DecodeError, TypeError) as error:
        raise StorageError(
            f"{path}: row {result_id} is not a result ({error}): it was altered from outside",
            code="storage-corrupt",
        ) from None


def encode(record: ResultRecord) -> str:
    """Return the record as the text of its row."""
    return msgspec.json.encode(record).decode("utf-8")


def _plain(record: ResultRecord, subject: str | None) -> tuple[Any, ...]:
    return (record.result_id, record.created_at, record.label, subject, record.image_path, encode(record))
