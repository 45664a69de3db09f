"""manifest.yaml: what a bundle says of itself, typed, and the rules between its keys.

A `Manifest` that exists is sound: `parse_manifest` and `check_manifest` are the only ways to get one trusted.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from datetime import datetime
from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta

from skin_edge import __version__
from skin_edge.errors import BundleError
from skin_edge.errors import one_line as one_line
from skin_edge.preprocess.spec import ALGORITHM_VERSION, PreprocessSpec
from skin_edge.strict import SchemaError, Strict, convert, dump_yaml, parse_yaml

SCHEMA_VERSION = 1
MANIFEST_NAME = "manifest.yaml"
MODEL_NAME = "model.tflite"
GOLDEN_NAME = "golden.npz"
CARD_NAME = "MODEL_CARD.md"
LISTED_FILES = (MODEL_NAME, GOLDEN_NAME, CARD_NAME)

# `\Z`, not `$`: a trailing newline must not slip into a file name.
Name = Annotated[str, Meta(pattern=r"^[a-z0-9][a-z0-9-]{0,62}\Z")]
Version = Annotated[
    str, Meta(pattern=r"^[0-9]{1,6}\.[0-9]{1,6}\.[0-9]{1,6}(-[0-9A-Za-z][0-9A-Za-z.]{0,31})?\Z")
]
Sha256 = Annotated[str, Meta(pattern=r"^[0-9a-f]{64}\Z")]
Fraction = Annotated[float, Meta(ge=0.0, le=1.0)]
ShortText = Annotated[str, Meta(min_length=1, max_length=200)]
LongText = Annotated[str, Meta(min_length=1, max_length=4000)]
SidePx = Annotated[int, Meta(ge=16, le=512)]


class FileEntry(Strict, frozen=True):
    """SHA-256 (hex) and size of one file of the bundle."""

    sha256: Sha256
    size_bytes: Annotated[int, Meta(ge=0, le=1 << 32)]


class InputSpec(Strict, frozen=True):
    """The network's input tensor: (1, height, width, channels)."""

    height: SidePx
    width: SidePx
    channels: Literal[3] = 3
    dtype: Literal["float32"] = "float32"
    colour_order: Literal["RGB"] = "RGB"


class Estimate(Strict, frozen=True):
    """A measured fraction and its 95 % confidence interval."""

    value: Fraction
    low: Fraction
    high: Fraction


class OperatingPoint(Strict, frozen=True):
    """A probability threshold, what it costs and gains, and the data on which it was chosen."""

    name: Name
    threshold: Annotated[float, Meta(gt=0.0, lt=1.0)]
    sensitivity: Estimate
    specificity: Estimate
    chosen_on: ShortText


class AbstainBand(Strict, frozen=True):
    """Calibrated probabilities from `low` to `high` give the answer ``uncertain``."""

    low: Fraction
    high: Fraction


class TrainingInfo(Strict, frozen=True):
    """Where the weights come from.

    `leaks` is True where test lesions may have been seen in training: its metrics are then no evidence.
    `data_sha256` covers every picture, `experiment_sha256` all settings, which the model card spells out.
    """

    data: Annotated[tuple[ShortText, ...], Meta(max_length=64)]
    licences: Annotated[tuple[ShortText, ...], Meta(max_length=64)]
    split_sha256: Sha256
    seed: Annotated[int, Meta(ge=0, le=(1 << 63) - 1)]
    leaks: bool = False
    data_sha256: Sha256 | None = None
    experiment_sha256: Sha256 | None = None
    git_commit: ShortText | None = None


class Manifest(Strict, frozen=True, kw_only=True):
    """Everything a device must know to run the network as it was trained, and to report it honestly.

    `created` is ISO-8601 in UTC. `temperature` divides the logit (Guo et al. 2017). `metrics` are fractions
    on held-out lesions. `files` covers every file but the manifest and its signature; `write_bundle` fills
    it.
    """

    schema_version: int = SCHEMA_VERSION
    name: Name
    version: Version
    created: ShortText
    files: dict[str, FileEntry] = msgspec.field(default_factory=dict)
    input: InputSpec
    preprocess: PreprocessSpec
    preprocess_fingerprint: Sha256
    labels: tuple[Literal["benign"], Literal["malignant"]] = ("benign", "malignant")
    temperature: Annotated[float, Meta(gt=0.0, le=1000.0)]
    operating_points: Annotated[tuple[OperatingPoint, ...], Meta(min_length=1, max_length=32)]
    default_operating_point: Name
    abstain_band: AbstainBand
    training: TrainingInfo
    metrics: Annotated[dict[ShortText, Estimate], Meta(max_length=64)]
    libraries: Annotated[dict[ShortText, ShortText], Meta(max_length=64)]
    minimum_skin_edge_version: Version
    intended_use: LongText

    @property
    def identity(self) -> str:
        """``name-version``: the bundle's directory in the store and its archive's stem."""
        return f"{self.name}-{self.version}"


def parse_manifest(data: bytes) -> Manifest:
    """Return the checked manifest in the bytes of a manifest.yaml.

    Raises:
        BundleError: not YAML, not this schema, or keys that contradict each other; one line naming the key.
    """
    try:
        plain = parse_yaml(data)
        if isinstance(plain, dict) and plain.get("schema_version") != SCHEMA_VERSION:
            raise _unsupported(plain.get("schema_version"))
        manifest = convert(plain, Manifest)
    except SchemaError as error:
        raise BundleError(f"{MANIFEST_NAME}: {one_line(str(error))}") from None
    check_manifest(manifest)
    return manifest


def check_manifest(manifest: Manifest) -> None:
    """Check what types cannot say: values against each other and against this skin-edge.

    Raises:
        BundleError: one line naming the key.
    """
    for path, value in _leaves(msgspec.to_builtins(manifest), ""):
        if isinstance(value, float) and not math.isfinite(value):
            raise _wrong(path, "must be a finite number")
        if isinstance(value, str) and not value.replace("\n", "").replace("\t", "").isprintable():
            raise _wrong(path, "holds characters that cannot be printed")
    if manifest.schema_version != SCHEMA_VERSION:
        raise _unsupported(manifest.schema_version)
    if not _is_utc(manifest.created):
        raise _wrong("created", "must be an ISO-8601 time in UTC, such as 2026-01-31T12:00:00Z")
    if set(manifest.files) != set(LISTED_FILES):
        raise _wrong("files", f"must list exactly {', '.join(LISTED_FILES)}")
    _check_preprocess(manifest)
    _check_operating_points(manifest)
    for name, metric in manifest.metrics.items():
        _check_estimate(f"metrics.{name}", metric)
    if _release(manifest.minimum_skin_edge_version) > _release(__version__):
        raise _wrong(
            "minimum_skin_edge_version",
            f"needs skin-edge {manifest.minimum_skin_edge_version} or newer, this is {__version__}: "
            "upgrade skin-edge",
        )


def dump_manifest(manifest: Manifest) -> bytes:
    """Return the manifest as the UTF-8 YAML that `parse_manifest` reads back to an equal one."""
    return dump_yaml(manifest).encode("utf-8")


def _check_preprocess(manifest: Manifest) -> None:
    spec = manifest.preprocess
    if spec.algorithm_version != ALGORITHM_VERSION:
        raise _wrong(
            "preprocess.algorithm_version",
            f"{spec.algorithm_version} is not what this skin-edge runs ({ALGORITHM_VERSION})",
        )
    try:
        fingerprint = spec.fingerprint()
    except SchemaError as error:
        raise _wrong("preprocess", str(error)) from None
    if fingerprint != manifest.preprocess_fingerprint:
        raise _wrong("preprocess_fingerprint", "does not match the preprocess spec")
    # Also where the stage is off: frames must then come in this size.
    size_px = spec.crop_resize.size_px
    if (manifest.input.height, manifest.input.width) != (size_px, size_px):
        raise _wrong(
            "input",
            f"{manifest.input.height}x{manifest.input.width} is not "
            f"preprocess.crop_resize.size_px ({size_px})",
        )


def _check_operating_points(manifest: Manifest) -> None:
    names = [point.name for point in manifest.operating_points]
    if len(set(names)) != len(names):
        raise _wrong("operating_points", "two have the same name")
    if manifest.default_operating_point not in names:
        raise _wrong("default_operating_point", f"not among the operating points ({', '.join(names)})")
    for point in manifest.operating_points:
        _check_estimate(f"operating_points.{point.name}.sensitivity", point.sensitivity)
        _check_estimate(f"operating_points.{point.name}.specificity", point.specificity)
    if manifest.abstain_band.low > manifest.abstain_band.high:
        raise _wrong("abstain_band", "low is above high")


def _check_estimate(path: str, estimate: Estimate) -> None:
    if not estimate.low <= estimate.value <= estimate.high:
        raise _wrong(path, f"{estimate.value} lies outside its interval {estimate.low} to {estimate.high}")


def _is_utc(text: str) -> bool:
    try:
        # Python 3.10 does not read the `Z` that ISO-8601 writes for UTC.
        moment = datetime.fromisoformat(f"{text[:-1]}+00:00" if text.endswith("Z") else text)
    except ValueError:
        return False
    offset = moment.utcoffset()
    return offset is not None and not offset


def _release(version: str) -> tuple[int, ...]:
    """The numbers of a version; a pre-release counts as its release, so that a bundle can be tried on it."""
    numbers = []
    for part in version.split("-")[0].split(".")[:3]:
        digits = "".join(c for c in part if c.isdigit())
        numbers.append(int(digits or 0))
    return tuple(numbers)


def _leaves(value: Any, path: str) -> Iterator[tuple[str, Any]]:
    if isinstance(value, dict):
        for key, inner in value.items():
            yield f"{path} key", key
            yield from _leaves(inner, f"{path}.{key}" if path else str(key))
    elif isinstance(value, (list, tuple)):
        for position, inner in enumerate(value):
            yield from _leaves(inner, f"{path}[{position}]")
    else:
        yield path, value


def _unsupported(schema_version: object) -> BundleError:
    found = one_line(repr(schema_version), 40)
    return _wrong("schema_version", f"{found} is not supported, this skin-edge reads {SCHEMA_VERSION}")


def _wrong(key: str, what: str) -> BundleError:
    return BundleError(one_line(f"{MANIFEST_NAME}: {key}: {what}"))
