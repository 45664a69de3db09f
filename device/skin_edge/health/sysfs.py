"""Small files of /sys and /proc, of which any may be missing, unreadable or empty on a given machine."""

from __future__ import annotations

from pathlib import Path

#: A value is a word or a line; a device tree's model is one too.
_MAX_BYTES = 4096


def read_text(path: Path) -> str | None:
    """Return the text of a small file without its line end and NUL bytes; None where there is none to read.

    A sensor whose part of the chip is off answers with an error (EAGAIN on a Jetson): that is no value too.
    """
    try:
        with path.open("rb", buffering=0) as stream:
            data = stream.read(_MAX_BYTES)
    except OSError:
        return None
    return (data or b"").decode("utf-8", "replace").strip("\0 \t\r\n") or None


def read_int(path: Path, base: int = 10) -> int | None:
    """Return the number in a small file; None where there is none."""
    text = read_text(path)
    try:
        return None if text is None else int(text, base)
    except ValueError:
        return None


def board(root: Path = Path("/")) -> str | None:
    """Return what the device tree calls this board, `Raspberry Pi 4 Model B Rev 1.4`; None on a PC."""
    for tree in ("proc/device-tree", "sys/firmware/devicetree/base"):
        if (model := read_text(root / tree / "model")) is not None:
            return model
    return None
