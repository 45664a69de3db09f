"""Where an artefact comes from: experiment, seed, data, libraries, commit; the same record in every one."""

from __future__ import annotations

import hashlib
import json
import os
import platform
import subprocess
import zipfile
from contextlib import suppress
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import msgspec
import pandas as pd

from skin_edge import __version__
from skin_edge.strict import Strict
from skin_edge_training.backends import TENSORFLOW, VARIABLE
from skin_edge_training.config import ExperimentConfig
from skin_edge_training.data.split import leaking

LIBRARIES = (
    *("tensorflow", "tensorflow-cpu", "keras", "numpy", "opencv-python-headless", "scikit-learn"),
    *("ai-edge-litert", "tflite-runtime"),
)


class Leak(Strict, frozen=True):
    """Held-out pictures that show a lesion which was learnt from."""

    test: int
    test_pictures: int
    validation: int

    def __str__(self) -> str:
        return (
            f"LEAKING SPLIT: {self.test} of {self.test_pictures} test pictures show a lesion that was learnt "
            "from; figures on them are no evidence"
        )


class Provenance(Strict, frozen=True, kw_only=True):
    """What shaped an artefact.

    `config_sha256` is of the experiment as msgspec encodes it, `data_sha256` of the names and SHA-256 of all
    pictures, `git_commit` ends in ``+changes`` where the working tree differs from it and is None outside a
    checkout. `leak` is None where the split is clean.
    """

    skin_edge: str
    git_commit: str | None
    seed: int
    config: ExperimentConfig
    config_sha256: str
    sets: tuple[str, ...]
    licences: tuple[str, ...]
    pictures: int
    data_sha256: str
    split_sha256: str
    leak: Leak | None
    libraries: dict[str, str]
    backend: str = TENSORFLOW
    machine: str


def describe(
    config: ExperimentConfig, table: pd.DataFrame, licences: dict[str, str], split_sha256: str
) -> Provenance:
    """Return the provenance of whatever is made here and now from `table` (a run's)."""
    lines = sorted(f"{i} {digest}\n" for i, digest in zip(table["image_id"], table["sha256"], strict=True))
    return Provenance(
        skin_edge=__version__,
        git_commit=git_commit(),
        seed=config.seed,
        config=config,
        config_sha256=config_sha256(config),
        sets=tuple(licences),
        licences=tuple(f"{name}: {text or 'licence not recorded'}" for name, text in licences.items()),
        pictures=len(table),
        data_sha256=hashlib.sha256("".join(lines).encode()).hexdigest(),
        split_sha256=split_sha256,
        leak=find_leak(table),
        libraries=installed_versions(),
        backend=backend(),
        machine=this_machine(),
    )


def as_of_now(made: Provenance, config: ExperimentConfig) -> Provenance:
    """Return the provenance of prepared data under an experiment, with code and machine of this moment."""
    return msgspec.structs.replace(
        made,
        seed=config.seed,
        config=config,
        config_sha256=config_sha256(config),
        skin_edge=__version__,
        git_commit=git_commit(),
        libraries=installed_versions(),
        backend=backend(),
        machine=this_machine(),
    )


def config_sha256(config: ExperimentConfig) -> str:
    """Return the SHA-256 (hex) of all settings."""
    return hashlib.sha256(msgspec.json.encode(config, order="sorted")).hexdigest()


def find_leak(table: pd.DataFrame) -> Leak | None:
    """Return how a run's table leaks; None where it does not."""
    lost = table.loc[leaking(table), "part"].value_counts()
    if lost.empty:
        return None
    return Leak(
        test=int(lost.get("test", 0)),
        test_pictures=int((table["part"] == "test").sum()),
        validation=int(lost.get("validation", 0)),
    )


def installed_versions() -> dict[str, str]:
    """Return name and version of the libraries that shape a model, those that are installed here."""
    found = {}
    for name in (*LIBRARIES, *({backend()} - {TENSORFLOW})):
        with suppress(PackageNotFoundError):  # TensorFlow's name, for one, differs by platform
            found[name] = version(name)
    return found


def backend() -> str:
    """Return the library that Keras runs on in this process, without importing Keras for it."""
    return os.environ.get(VARIABLE) or TENSORFLOW


def this_machine() -> str:
    """Return interpreter, system and architecture in words."""
    return f"Python {platform.python_version()}, {platform.system()} {platform.machine()}"


def git_commit() -> str | None:
    """Return the commit of the checkout that this code runs from; None where it is installed from a wheel."""

    def git(*arguments: str) -> str:
        command = ["git", "-C", str(Path(__file__).parent), *arguments]
        return subprocess.run(command, capture_output=True, text=True, check=True, timeout=20).stdout.strip()

    try:
        git("ls-files", "--error-unmatch", Path(__file__).name)  # an ignored .venv inside another checkout
        commit = git("rev-parse", "HEAD")
        return f"{commit}+changes" if git("status", "--porcelain", "--untracked-files=no") else commit
    except (OSError, subprocess.SubprocessError):
        return None


def save_model(model: Any, path: Path, provenance: Provenance) -> None:
    """Write a Keras model to a .keras file, whole or not at all, with its provenance inside.

    Keras finds the members of that zip by name, so one more does not disturb it.
    """
    partial = path.with_name(f"{path.stem}.partial.keras")
    model.save(partial, include_optimizer=False)
    with zipfile.ZipFile(partial, "a") as archive:
        archive.writestr("provenance.json", to_json(provenance))
    partial.replace(path)


def to_json(provenance: Provenance) -> str:
    """Return the record as indented JSON."""
    plain: Any = msgspec.to_builtins(provenance)
    return json.dumps(plain, indent=2) + "\n"
