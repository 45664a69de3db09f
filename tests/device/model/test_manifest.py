"""manifest.yaml: what it accepts, and that each rule names its key."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec
import pytest
import yaml

from skin_edge.errors import BundleError
from skin_edge.model.manifest import Manifest, check_manifest, dump_manifest, one_line, parse_manifest

Tree = dict[str, Any]


@pytest.fixture
def tree(good_bundle: Any) -> Tree:
    """The good manifest as plain data."""
    loaded: Tree = yaml.safe_load((good_bundle / "manifest.yaml").read_text())
    return loaded


def parse(tree: Tree) -> Manifest:
    return parse_manifest(yaml.safe_dump(tree).encode())


def test_reads_back_what_it_writes(tree: Tree) -> None:
    manifest = parse(tree)
    assert parse_manifest(dump_manifest(manifest)) == manifest
    assert manifest.identity == "tiny-1.2.3"
    assert manifest.intended_use == "Tests only.\nNever a patient."


def _set(path: str, value: object) -> Callable[[Tree], None]:
    def change(tree: Tree) -> None:
        *parents, last = [int(p) if p.isdigit() else p for p in path.split(".")]
        node: Any = tree
        for part in parents:
            node = node[part]
        node[last] = value

    return change


@pytest.mark.parametrize(
    ("path", "value", "said"),
    [
        ("schema_version", 2, "schema_version: 2 is not supported, this skin-edge reads 1"),
        ("schema_version", "1", "schema_version: '1' is not supported"),
        ("name", "Tiny", "name:"),
        ("name", "../tiny", "name:"),
        ("name", "tiny\n", "name:"),
        ("version", "1.2", "version:"),
        ("version", "1.2.3/..", "version:"),
        ("version", "١.2.3", "version:"),
        ("created", "yesterday", "created:"),
        ("created", "2026-01-31T12:00:00+01:00", "created:"),
        ("created", "2026-01-31T12:00:00", "created:"),
        ("files.model.tflite", {"sha256": "0" * 64, "size_bytes": -1}, "files"),
        ("files.evil", {"sha256": "0" * 64, "size_bytes": 1}, "files: must list exactly"),
        ("input.height", 64, "input: 64x32 is not preprocess.crop_resize.size_px (32)"),
        ("input.channels", 1, "input.channels"),
        ("input.dtype", "uint8", "input.dtype"),
        ("input.colour_order", "BGR", "input.colour_order"),
        ("preprocess.contrast.enabled", True, "preprocess_fingerprint: does not match"),
        ("preprocess.algorithm_version", 99, "preprocess.algorithm_version: 99"),
        ("preprocess_fingerprint", "0" * 64, "preprocess_fingerprint: does not match"),
        ("labels", ["malignant", "benign"], "labels"),
        ("temperature", 0.0, "temperature"),
        ("temperature", float("nan"), "temperature"),
        ("temperature", float("inf"), "temperature"),
        ("temperature", 10**400, "temperature"),
        ("operating_points", [], "operating_points"),
        ("operating_points.1.name", "screening", "operating_points: two have the same name"),
        ("operating_points.0.threshold", 1.0, "threshold"),
        ("operating_points.0.threshold", float("nan"), "threshold"),
        ("operating_points.0.sensitivity.low", 0.96, "operating_points.screening.sensitivity: 0.95 lies"),
        ("operating_points.1.specificity.high", 0.89, "operating_points.balanced.specificity: 0.9 lies"),
        ("default_operating_point", "other", "default_operating_point: not among"),
        ("abstain_band.low", 0.5, "abstain_band: low is above high"),
        ("abstain_band.high", 1.5, "abstain_band.high"),
        ("training.seed", 10**30, "training.seed"),
        ("training.leaks", "no", "training.leaks"),
        ("metrics.auroc.value", 0.7, "metrics.auroc: 0.7 lies outside"),
        ("minimum_skin_edge_version", "99.0.0", "minimum_skin_edge_version: needs skin-edge 99.0.0"),
        ("intended_use", "\x1b[31mred", "intended_use: holds characters that cannot be printed"),
        ("unheard_of", 1, "unheard_of: unknown key"),
        ("temperture", 1.0, "did you mean 'temperature'?"),
    ],
)
def test_a_wrong_value_is_refused_by_its_key(tree: Tree, path: str, value: object, said: str) -> None:
    if path.startswith("files.model"):
        tree["files"]["model.tflite"] = value
    else:
        _set(path, value)(tree)
    with pytest.raises(BundleError) as caught:
        parse(tree)
    message = str(caught.value)
    assert message.startswith("manifest.yaml: ")
    assert said in message
    assert "\n" not in message


@pytest.mark.parametrize("key", [f for f in Manifest.__struct_fields__ if f not in ("labels",)])
def test_every_key_is_needed(tree: Tree, key: str) -> None:
    del tree[key]
    with pytest.raises(BundleError, match=key):
        parse(tree)


@pytest.mark.parametrize(
    "text",
    [
        b"",
        b"\xff\xfe",
        b"[" * 200_000,
        b"*a " + b"[" * 200_000,
        b"- " * 100_000,
        b"a: &x 1\nb: *x",
        b"name: a\nname: b",
        b"!!bool 7",
        b'!!int ""',
        b"!!timestamp x",
        b"!!python/object/apply:os.system [id]",
        b"--- a\n--- b",
        b"? [a]\n: 3",
        b"seed: " + b"9" * 5_000,
    ],
)
def test_text_that_is_no_manifest_is_refused_in_one_line(text: bytes) -> None:
    with pytest.raises(BundleError) as caught:
        parse_manifest(text)
    assert len(str(caught.value)) < 400
    assert str(caught.value).isprintable()


def test_values_made_in_code_are_checked_too(tree: Tree) -> None:
    manifest = msgspec.structs.replace(parse(tree), temperature=float("nan"))
    with pytest.raises(BundleError, match="temperature: must be a finite number"):
        check_manifest(manifest)


def test_one_line_cuts_and_cleans() -> None:
    assert one_line("a\n b\x1b[1m") == "a b?[1m"
    assert len(one_line("x" * 10_000)) == 300
