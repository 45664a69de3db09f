"""Some 840 broken bundle directories: each is refused in one line, or is still a sound bundle.

Cases are drawn from fixed seeds, so that a failure repeats; its number is in the message.
"""

from __future__ import annotations

import copy
import math
import os
import random
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from skin_edge.errors import BundleError
from skin_edge.model.manifest import parse_manifest

Scribble = Callable[[random.Random, bytes], bytes]
FILES = ("model.tflite", "manifest.yaml", "golden.npz", "MODEL_CARD.md")


def swap_files(rng: random.Random, directory: Path, archive: Path) -> Path:
    a, b = rng.sample(FILES, 2)
    spare = directory / "spare"
    (directory / a).rename(spare)
    (directory / b).rename(directory / a)
    spare.rename(directory / b)
    return directory


def odd_entry(rng: random.Random, directory: Path, archive: Path) -> Path:
    name = rng.choice([*FILES, "extra", ".hidden", "manifest.yaml.sig", "model.tflite~", "a\nb", "\udcff"])
    path = directory / name
    path.unlink(missing_ok=True)
    kind = rng.randrange(6)
    if kind == 0:
        path.symlink_to(rng.choice(["/etc/passwd", "model.tflite", "nowhere", name, "/dev/zero"]))
    elif kind == 1:
        path.mkdir()
    elif kind == 2:
        os.mkfifo(path)
    elif kind == 3:
        path.touch()
        os.truncate(path, rng.choice([0, 1, 20_000, 500_000, 1 << 40]))
    elif kind == 4:
        path.write_bytes(rng.randbytes(100))
    return directory


STRANGE: tuple[Any, ...] = (
    *(None, True, False, "", "x", "../x", "/etc/passwd", "a\nb", "\x1b[2J", "\u202e", "x" * 5000, b"\xff"),
    *(0, -1, 1, 2, 10**30, 10**400, -(10**19), 0.0, -0.5, 0.5, 1.0, 1.5, 1e308, 5e-324),
    *(math.nan, math.inf, -math.inf, [], {}, [1, [2, [3]]], {"a": {"b": 1}}, {1: 2}, {None: None}),
)


def _nodes(tree: Any) -> Iterator[tuple[Any, Any]]:
    """Every (container, key) below `tree`."""
    keys = list(tree) if isinstance(tree, dict) else range(len(tree)) if isinstance(tree, list) else ()
    for key in keys:
        yield tree, key
        yield from _nodes(tree[key])


def edit_manifest(rng: random.Random, directory: Path, archive: Path) -> Path:
    file = directory / "manifest.yaml"
    tree = yaml.safe_load(file.read_text())
    for _ in range(rng.choice([1, 1, 1, 2, 5])):
        nodes = list(_nodes(tree))
        if not nodes:
            break
        container, key = rng.choice(nodes)
        kind = rng.randrange(6)
        if kind == 0:
            del container[key]
        elif kind == 1 and isinstance(container, dict):
            container[rng.choice(["x", "../x", 7, "Name", "model.tflite"])] = copy.deepcopy(container[key])
        elif kind == 2:
            other, other_key = rng.choice(nodes)
            container[key] = copy.deepcopy(other[other_key])
        elif kind == 3 and isinstance(container, list):
            container *= rng.choice([2, 50])
        else:
            container[key] = copy.deepcopy(rng.choice(STRANGE))
    file.write_text(yaml.safe_dump(tree, sort_keys=rng.random() < 0.5))
    return directory


SNIPPETS = (
    *("&a ", "*a", "<<: *a\n", "!!bool ", "!!int ", "!!timestamp ", "!!binary ", "!!set ", "!!null ", "!x "),
    *(
        "!!python/object/apply:os.system [id]",
        "\t",
        "\0",
        "\x07",
        "---\n",
        "...\n",
        "%YAML 9.9\n",
        "? ",
        "- ",
    ),
    *("name: again\n", "files: {}\n", "[" * 500, "{a: " * 500, "- " * 500, "'", '"', "|\n", ">\n", "#", ": "),
    *("\u2028", "\ufeff", "1:1:1:1", "0x", "1e999", ".nan", ".inf", "~", "2026-13-45", "\\ud800", "\r"),
)


def edit_manifest_text(rng: random.Random, directory: Path, archive: Path) -> Path:
    file = directory / "manifest.yaml"
    text = file.read_text()
    for _ in range(rng.choice([1, 1, 2, 4])):
        lines = text.splitlines(keepends=True)
        if rng.random() < 0.5:
            at = rng.randrange(len(text) + 1)
        else:  # after a colon, where a value begins
            at = rng.choice([i + 2 for i, c in enumerate(text) if c == ":"])
        choice = rng.random()
        if choice < 0.8:
            text = text[:at] + rng.choice(SNIPPETS) + text[at:]
        elif choice < 0.9:
            lines.insert(rng.randrange(len(lines)), rng.choice(lines))
            text = "".join(lines)
        else:
            rng.shuffle(lines)
            text = "".join(lines)
    file.write_bytes(text.encode("utf-8", "surrogatepass"))
    return directory


@pytest.fixture
def scribble_file(scribble: Scribble) -> Callable[[random.Random, Path, Path], Path]:
    """Damage one file."""

    def scribble_file(rng: random.Random, directory: Path, archive: Path) -> Path:
        file = directory / rng.choice(FILES)
        file.write_bytes(scribble(rng, file.read_bytes()))
        return directory

    return scribble_file


def test_damaged_files(fuzz_bench: Any, scribble_file: Any) -> None:
    fuzz_bench.run(scribble_file, 160, may_be_another=True)


def test_swapped_files(fuzz_bench: Any) -> None:
    fuzz_bench.run(swap_files, 20)


def test_odd_entries(fuzz_bench: Any) -> None:
    fuzz_bench.run(odd_entry, 100)


def test_edited_manifests(fuzz_bench: Any) -> None:
    fuzz_bench.run(edit_manifest, 320, may_be_another=True)


def test_manifests_with_yaml_tricks(fuzz_bench: Any) -> None:
    fuzz_bench.run(edit_manifest_text, 240, may_be_another=True)


def test_the_command_line_refuses_in_one_line(fuzz_bench: Any, run_cli: Any, scribble_file: Any) -> None:
    cases = [(m, n) for m in (edit_manifest, edit_manifest_text, odd_entry, scribble_file) for n in range(4)]
    assert fuzz_bench.run_cli(run_cli, cases) >= 10


@settings(max_examples=150, deadline=None)
@given(
    st.binary(max_size=300) | st.text(alphabet="[]{}:,-?!&*|>'\"%@`#~ \n\tab1.", max_size=120).map(str.encode)
)
def test_no_text_gets_past_the_manifest(data: bytes) -> None:
    with pytest.raises(BundleError) as caught:
        parse_manifest(data)
    assert str(caught.value).isprintable()
