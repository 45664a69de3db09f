"""A small but real bundle: real network, real stages, real golden vectors."""

from __future__ import annotations

import math
import random
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest
import yaml

from skin_edge.errors import BundleError
from skin_edge.model.bundle import open_bundle, pack_bundle, write_bundle
from skin_edge.model.golden import make_golden
from skin_edge.model.manifest import (
    AbstainBand,
    Estimate,
    InputSpec,
    Manifest,
    OperatingPoint,
    TrainingInfo,
)
from skin_edge.model.runtime import Network
from skin_edge.preprocess.pipeline import Preprocessor
from skin_edge.preprocess.spec import ColourConstancy, CropResize, PreprocessSpec

NETWORKS = Path(__file__).parent / "networks"
SIDE_PX = 32
SPEC = PreprocessSpec(crop_resize=CropResize(size_px=SIDE_PX), colour_constancy=ColourConstancy(enabled=True))

MakeBundle = Callable[..., Path]
#: Changes the directory or the archive it is given and returns the one to open.
Mutation = Callable[[random.Random, Path, Path], Path]


@dataclass(frozen=True)
class Parts:
    """What `write_bundle` takes."""

    manifest: Manifest
    model: bytes
    golden: bytes
    model_card: str = "# tiny\n\nNo model of anything.\n"


def manifest() -> Manifest:
    """A manifest that uses every key."""
    return Manifest(
        name="tiny",
        version="1.2.3",
        created="2026-01-31T12:00:00Z",
        input=InputSpec(height=SIDE_PX, width=SIDE_PX),
        preprocess=SPEC,
        preprocess_fingerprint=SPEC.fingerprint(),
        temperature=1.25,
        operating_points=(
            OperatingPoint(
                name="screening",
                threshold=0.2,
                sensitivity=Estimate(value=0.95, low=0.91, high=0.97),
                specificity=Estimate(value=0.6, low=0.57, high=0.63),
                chosen_on="validation lesions",
            ),
            OperatingPoint(
                name="balanced",
                threshold=0.5,
                sensitivity=Estimate(value=0.8, low=0.75, high=0.85),
                specificity=Estimate(value=0.9, low=0.88, high=0.92),
                chosen_on="validation lesions",
            ),
        ),
        default_operating_point="screening",
        abstain_band=AbstainBand(low=0.15, high=0.25),
        training=TrainingInfo(
            data=("drawn lesions",), licences=("CC0",), split_sha256="0" * 64, seed=7, leaks=True
        ),
        metrics={"auroc": Estimate(value=0.5, low=0.4, high=0.6)},
        libraries={"numpy": np.__version__},
        minimum_skin_edge_version="0.1.0",
        intended_use="Tests only.\nNever a patient.",
    )


def frames(count: int = 2) -> list[np.ndarray]:
    """Smooth coloured pictures of 48 x 40 pixels."""
    rng = np.random.default_rng(3)
    y, x = np.mgrid[0:40, 0:48].astype(np.float32)
    made = []
    for _ in range(count):
        waves = [127 + 100 * np.sin(x / a + y / b + c) for a, b, c in rng.uniform(2, 9, (3, 3))]
        made.append(np.stack(waves, axis=-1).astype(np.uint8))
    return made


@pytest.fixture(scope="session")
def parts() -> Parts:
    """Everything of a good bundle but the disk."""
    model = (NETWORKS / "tiny.tflite").read_bytes()
    network = Network(model, (SIDE_PX, SIDE_PX, 3))
    return Parts(manifest(), model, make_golden(frames(), Preprocessor(SPEC), network))


@pytest.fixture
def make_bundle(tmp_path: Path, parts: Parts) -> MakeBundle:
    """Write a bundle to `tmp_path/NAME`, with parts of one's own: `make_bundle("x", model=b"...")`.

    Keywords `model`, `golden` and `model_card` replace a part, all others a key of the manifest. Hashes are
    always right: what is refused is refused for its content.
    """

    def make(name: str = "bundle", **changes: object) -> Path:
        files = {key: changes.pop(key, getattr(parts, key)) for key in ("model", "golden", "model_card")}
        changed = msgspec.structs.replace(parts.manifest, **changes)
        return write_bundle(tmp_path / name, changed, **files)  # type: ignore[arg-type]

    return make


@pytest.fixture
def good_bundle(make_bundle: MakeBundle) -> Path:
    """The directory of a good bundle."""
    return make_bundle()


def assert_sound(manifest: Manifest) -> None:
    """The promises of a manifest, checked by other means than the code's."""
    plain = msgspec.to_builtins(manifest)
    text = yaml.safe_dump(plain)
    assert ".nan" not in text
    assert ".inf" not in text
    assert plain["labels"] in (["benign", "malignant"], ("benign", "malignant"))
    assert plain["temperature"] > 0
    assert manifest.preprocess.fingerprint() == plain["preprocess_fingerprint"]
    points = {p["name"]: p for p in plain["operating_points"]}
    assert plain["default_operating_point"] in points
    measured = [*plain["metrics"].values()]
    for point in points.values():
        assert 0 < point["threshold"] < 1
        measured += [point["sensitivity"], point["specificity"]]
    for estimate in measured:
        assert 0 <= estimate["low"] <= estimate["value"] <= estimate["high"] <= 1
    assert 0 <= plain["abstain_band"]["low"] <= plain["abstain_band"]["high"] <= 1
    assert "/" not in manifest.identity
    assert "\n" not in manifest.identity
    assert all(math.isfinite(v) for v in (plain["temperature"], plain["training"]["seed"]))


class FuzzBench:
    """A good bundle in both forms, restored for every case; a case is drawn from the name and its number."""

    def __init__(self, good: Path, folder: Path) -> None:
        self._good = {path.name: path.read_bytes() for path in good.iterdir()}
        self._folder = folder
        self._zipped = pack_bundle(good, folder / "good.skinmodel").read_bytes()
        self._original = open_bundle(good)

    def case(self, mutation: Mutation, number: int) -> Path:
        """Return the path of the mutated bundle."""
        shutil.rmtree(self._folder / "case", ignore_errors=True)
        directory = self._folder / "case" / "bundle"
        directory.mkdir(parents=True)
        for name, data in self._good.items():
            (directory / name).write_bytes(data)
        archive = self._folder / "case" / "bundle.skinmodel"
        archive.write_bytes(self._zipped)
        return mutation(random.Random(f"{mutation.__name__}-{number}"), directory, archive)

    def run(self, mutation: Mutation, count: int, *, may_be_another: bool = False) -> None:
        """Open `count` mutated bundles: at least half are refused in one line, the others are still sound.

        `may_be_another`: the manifest may have become another sound one, which only a signature tells apart.
        """
        messages: dict[int, str] = {}
        for number in range(count):
            path = self.case(mutation, number)
            try:
                opened = open_bundle(path)
            except BundleError as error:
                messages[number] = str(error)
                continue
            except Exception as error:
                raise AssertionError(f"case {number} of {mutation.__name__}: {error!r}") from error
            assert_sound(opened.manifest)
            same = [
                getattr(opened, n) == getattr(self._original, n) for n in ("model", "golden", "model_card")
            ]
            assert all(same), f"case {number}"
            assert may_be_another or opened.manifest == self._original.manifest, f"case {number}"
        assert {n: m for n, m in messages.items() if not m.isprintable() or len(m) > 1200} == {}
        assert len(messages) >= count / 2

    def run_cli(self, run_cli: Callable[..., Any], cases: list[tuple[Mutation, int]]) -> int:
        """Give the refused ones of `cases` to the real command line; return how many there were."""
        refused = 0
        for mutation, number in cases:
            path = self.case(mutation, number)
            try:
                open_bundle(path)
            except BundleError:
                refused += 1
            else:
                continue
            done = run_cli("model", "verify" if number % 2 else "info", path)
            assert done.returncode == 4, f"{mutation.__name__} {number}: {done}"
            assert done.stdout == ""
            assert len(done.stderr.splitlines()) == 1
            assert done.stderr.startswith("skin-edge: ")
            assert "Traceback" not in done.stderr
        return refused


@pytest.fixture
def fuzz_bench(good_bundle: Path, tmp_path: Path) -> FuzzBench:
    """A bench on the good bundle."""
    return FuzzBench(good_bundle, tmp_path)


def scribble(rng: random.Random, data: bytes) -> bytes:
    """Return `data` with bytes changed, cut, added or repeated."""
    changed = bytearray(data)
    kind = rng.randrange(6)
    if kind == 0 and changed:
        changed[rng.randrange(len(changed))] ^= 1 << rng.randrange(8)
    elif kind == 1 and changed:
        for _ in range(rng.randrange(1, 40)):
            changed[rng.randrange(len(changed))] = rng.randrange(256)
    elif kind == 2:
        del changed[rng.randrange(len(changed) + 1) :]
    elif kind == 3:
        changed += rng.randbytes(rng.randrange(1, 200))
    elif kind == 4:
        a, b = sorted(rng.randrange(len(changed) + 1) for _ in range(2))
        changed[a:b] = b""
    else:
        a, b = sorted(rng.randrange(len(changed) + 1) for _ in range(2))
        changed[b:b] = changed[a:b]
    return bytes(changed)


@pytest.fixture(name="scribble")
def scribble_fixture() -> Callable[[random.Random, bytes], bytes]:
    """The function that damages bytes."""
    return scribble
