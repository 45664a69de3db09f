"""Some 320 broken archives and 200 broken golden.npz: each is refused in one line, or is what it was.

Cases are drawn from fixed seeds, so that a failure repeats; its number is in the message.
"""

from __future__ import annotations

import io
import random
import stat
import struct
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from skin_edge.errors import BundleError
from skin_edge.model.golden import read_golden

Scribble = Callable[[random.Random, bytes], bytes]


def lie_in_archive(rng: random.Random, directory: Path, archive: Path) -> Path:
    """Overwrite a field of a header: flags, method, sizes, offsets, lengths, attributes."""
    data = bytearray(archive.read_bytes())
    with zipfile.ZipFile(archive) as packed:
        local = [info.header_offset for info in packed.infolist()]
        directory_at = packed.start_dir
    places = [(at, 30) for at in local] + [(directory_at, len(data) - directory_at)] * 4
    for _ in range(rng.choice([1, 1, 2, 3])):
        start, length = rng.choice(places)
        at = start + rng.randrange(length - 4)
        width = rng.choice(["<B", "<H", "<I"])
        values = [0, 1, 0x7F, 0xFF, *([0x40, 0x7FFF, 0xFFFF] if width != "<B" else ())]
        if width == "<I":
            values += [0x7FFFFFFF, 0xFFFFFFFF, len(data), 1 << 20]
        struct.pack_into(width, data, at, rng.choice(values))
    archive.write_bytes(data)
    return archive


def rebuild_archive(rng: random.Random, directory: Path, archive: Path) -> Path:
    """Write the zip anew with something wrong in it."""
    with zipfile.ZipFile(archive) as packed:
        files = [(name, packed.read(name)) for name in packed.namelist()]
    rng.shuffle(files)
    kind = rng.randrange(7)
    odd = ["../x", "/x", "a\\b", "x/", "model.tflite/x", "C:\\x", "\u202e", "model.tflite ", "MODEL_CARD.MD"]
    if kind == 0:
        files.append((rng.choice(odd), b"x"))
    elif kind == 1:
        at = rng.randrange(len(files))
        files[at] = (rng.choice(odd), files[at][1])
    elif kind == 2:
        files.append(rng.choice(files))
    elif kind == 3:
        files += [(f"f{i}", b"") for i in range(3000)]
    elif kind == 4:
        at = rng.randrange(len(files))
        files[at] = (files[at][0], bytes(rng.choice([1, 300_000, 20_000_000])))
    elif kind == 5:
        del files[rng.randrange(len(files))]
    method = rng.choice([zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
    modes = [0, stat.S_IFREG, stat.S_IFLNK, stat.S_IFDIR, stat.S_IFCHR]
    with zipfile.ZipFile(archive, "w") as packed:
        for name, data in files:
            info = zipfile.ZipInfo(name)
            info.compress_type = method if rng.random() < 0.5 else zipfile.ZIP_DEFLATED
            if rng.random() < 0.2:
                info.external_attr = (rng.choice(modes) | 0o644) << 16
            packed.writestr(info, data)
    return archive


@pytest.fixture
def scribble_archive(scribble: Scribble) -> Callable[[random.Random, Path, Path], Path]:
    """Damage the archive."""

    def scribble_archive(rng: random.Random, directory: Path, archive: Path) -> Path:
        archive.write_bytes(scribble(rng, archive.read_bytes()))
        return archive

    return scribble_archive


def test_damaged_archives(fuzz_bench: Any, scribble_archive: Any) -> None:
    fuzz_bench.run(scribble_archive, 100)


def test_lying_headers(fuzz_bench: Any) -> None:
    fuzz_bench.run(lie_in_archive, 140)


@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_odd_archives(fuzz_bench: Any) -> None:
    fuzz_bench.run(rebuild_archive, 80)


@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_the_command_line_refuses_in_one_line(fuzz_bench: Any, run_cli: Any, scribble_archive: Any) -> None:
    cases = [(m, n) for m in (lie_in_archive, rebuild_archive, scribble_archive) for n in range(4)]
    assert fuzz_bench.run_cli(run_cli, cases) >= 8


def test_broken_golden_vectors_are_refused_or_the_same(parts: Any, scribble: Scribble) -> None:
    good = {name: array.tobytes() for name, array in read_golden(parts.golden).items()}
    messages = []
    for number in range(200):
        rng = random.Random(number)
        data = scribble(rng, parts.golden)
        if number % 2:  # past the checksums of the zip: damage an array and pack it again
            buffer = io.BytesIO()
            with zipfile.ZipFile(io.BytesIO(parts.golden)) as old, zipfile.ZipFile(buffer, "w") as new:
                victim = rng.choice(old.namelist())
                for name in old.namelist():
                    content = old.read(name)
                    head = scribble(rng, content[:128]) if name == victim else content[:128]
                    new.writestr(name, head + content[128:])
            data = buffer.getvalue()
        try:
            arrays = read_golden(data)
        except BundleError as error:
            messages.append(str(error))
            continue
        assert {name: array.tobytes() for name, array in arrays.items()} == good
    assert len(messages) > 150
    assert [m for m in messages if not m.isprintable()] == []
