"""What a check is given, and what it says."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import msgspec

from skin_edge.strict import Strict

if TYPE_CHECKING:
    from skin_edge.config import Config
    from skin_edge.errors import ConfigError
    from skin_edge.health.platform import Readings

Status = Literal["ok", "warn", "fail", "skip"]


class Finding(Strict, frozen=True):
    """What one check found.

    Attributes:
        status: ``ok``; ``warn``: works, but will not for long or not as well; ``fail``: does not work, or not
            safely; ``skip``: does not apply or cannot be told here.
        message: why, in one line.
        fix: what a person does about it; None where there is nothing to do.
        data: the figures behind it.
    """

    status: Status
    message: str
    fix: str | None = None
    data: dict[str, Any] = msgspec.field(default_factory=dict)


class Result(Strict, frozen=True):
    """A finding under the name of its check, as `doctor --json` prints it."""

    name: str
    status: Status
    message: str
    fix: str | None = None
    data: dict[str, Any] = msgspec.field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Context:
    """What checks need to know.

    Attributes:
        settings: in force; the defaults where the file could not be used.
        config_path: of the settings; None where there is no file.
        config_error: what is wrong with that file; None where nothing is.
        source: the frame source to try.
        state_dir: of log, images and models; it need not exist.
        readings: of the machine, taken once for all checks.
        root: of the file system that describes the machine; other than ``/`` in tests only.
    """

    settings: Config
    config_path: Path | None
    config_error: ConfigError | None
    source: str
    state_dir: Path
    readings: Readings
    root: Path = Path("/")


def existing(path: Path) -> Path:
    """Return `path`, or the nearest folder above it that exists."""
    while not os.path.exists(path) and path != path.parent:  # noqa: PTH110 - no error where it is forbidden
        path = path.parent
    return path
