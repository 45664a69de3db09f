"""Every picture of a set through the device's own session: gate, stages, TFLite network, decision."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable
from pathlib import Path

import pandas as pd

from skin_edge.camera.decode import decode_image, read_file
from skin_edge.errors import ImageError
from skin_edge.frame import Frame
from skin_edge.session import Session

Progress = Callable[[range], Iterable[int]]


def predict(
    session: Session, table: pd.DataFrame, *, progress: Progress = iter
) -> tuple[pd.DataFrame, str, list[ImageError]]:
    """Classify the pictures of a table, at their own size, as `skin-edge classify` does.

    Args:
        session: the loaded bundle; its gate flags pictures and drops none.
        table: columns image_id and path; others are kept.
        progress: wraps the range of rows.

    Returns:
        The readable rows with logit, probability, answer, refer, quality_ok and quality_reasons instead of
        path; a SHA-256 (hex) of all pictures read; and an error for each picture that cannot be read.

    Raises:
        ModelError: the network failed.
    """
    kept, rows, unreadable, hashes = [], [], [], []
    for number in progress(range(len(table))):
        image_id, path = table["image_id"].iloc[number], Path(table["path"].iloc[number])
        try:
            data = read_file(path)
            frame = Frame(decode_image(data, str(path)), name=image_id, source="file")
        except ImageError as error:
            error.image = image_id
            unreadable.append(error)
            continue
        record = session.process(frame).record
        kept.append(number)
        hashes.append(f"{image_id} {hashlib.sha256(data).hexdigest()}\n")
        rows.append(
            (
                record.logit,
                record.probability,
                record.label,
                record.refer,
                record.quality.ok,
                " ".join(record.quality.reasons),
            )
        )
    columns = ["logit", "probability", "answer", "refer", "quality_ok", "quality_reasons"]
    answers = pd.DataFrame(rows, columns=columns)
    known = table.iloc[kept].drop(columns="path").reset_index(drop=True)
    fingerprint = hashlib.sha256("".join(sorted(hashes)).encode()).hexdigest()
    return pd.concat([known, answers], axis=1), fingerprint, unreadable
