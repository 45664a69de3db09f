"""release.json: what a release says of itself, and whether this machine is one that it is for."""

from __future__ import annotations

import json
import platform
import re
import sys
from dataclasses import dataclass
from typing import Any, Final

from skin_edge.errors import HealthError, one_line

SCHEMA: Final = 1
NAME: Final = "release.json"
SIGNATURE_NAME: Final = "release.json.sig"
REQUIREMENTS: Final = "requirements.txt"
WHEELS: Final = "wheels"
#: Of every error about a release that is not whole, or does not do here.
CODE: Final = "release"

MAX_MANIFEST_BYTES: Final = 1 << 20
MAX_FILES: Final = 1000
MAX_FILE_BYTES: Final = 1 << 30

_IDENTITY: Final = re.compile(r"[0-9A-Za-z][0-9A-Za-z._+-]{0,99}")
#: No segment that begins with a dot, so no way up; no leading slash, no backslash, no control character.
_FILE: Final = re.compile(r"[0-9A-Za-z_][0-9A-Za-z._+!-]{0,149}(/[0-9A-Za-z_][0-9A-Za-z._+!-]{0,149}){0,3}")
_SHA256: Final = re.compile(r"[0-9a-f]{64}")
_WORD: Final = re.compile(r"[0-9A-Za-z][0-9A-Za-z._+!-]{0,63}")


class ReleaseError(HealthError):
    """A file that is no release, or one that was altered (code ``release``)."""

    code = CODE


@dataclass(frozen=True, slots=True)
class Entry:
    """SHA-256 (hex) and size of one file of the release."""

    sha256: str
    size_bytes: int


@dataclass(frozen=True, slots=True)
class Release:
    """A release, as its release.json describes it.

    Attributes:
        identity: VERSION-TARGET-HASH: its folder on the device.
        version: of skin-edge.
        target: the kind of device.
        python: MAJOR.MINOR of the Python that its wheels are for.
        machine: as `uname -m` says it.
        glibc: minor version of the glibc 2 that its wheels need.
        system_site_packages: whether its environment sees the system's own packages.
        files: every file but release.json and its signature, by name.
    """

    identity: str
    version: str
    target: str
    python: str
    machine: str
    glibc: int
    system_site_packages: bool
    files: dict[str, Entry]

    @property
    def size_bytes(self) -> int:
        """Of all files together."""
        return sum(entry.size_bytes for entry in self.files.values())

    def misfit(self) -> str | None:
        """Return why this machine cannot run it; None where it can."""
        python = f"{sys.version_info.major}.{sys.version_info.minor}"
        if (self.python, self.machine) != (python, platform.machine()):
            return (
                f"for Python {self.python} on {self.machine}, this is {python} on {platform.machine()}: "
                "gather one for this machine"
            )
        if sys.maxsize < 1 << 32:
            return "for a system of 64 bits, and this Python has 32: install the 64 bit system"
        library, version = platform.libc_ver()
        if library != "glibc" or _minor(version) < self.glibc:
            here = f"{library} {version}" if library else "another C library"
            return f"for glibc 2.{self.glibc} or newer, this machine has {here}"
        return None


def parse(data: bytes) -> Release:
    """Return the release that the bytes of a release.json describe.

    Raises:
        ReleaseError: they do not describe one.
    """
    try:
        told = json.loads(data)
        if not isinstance(told, dict):
            raise TypeError("not an object")
        if told.get("schema") != SCHEMA:
            raise ReleaseError(
                f"schema {one_line(repr(told.get('schema')), 40)}, this skin-edge knows {SCHEMA}"
            )
        return Release(
            identity=_text(told, "identity", _IDENTITY),
            version=_text(told, "version", _WORD),
            target=_text(told, "target", _WORD),
            python=_text(told, "python", _WORD),
            machine=_text(told, "machine", _WORD),
            glibc=_number(told["glibc"], 1000),
            system_site_packages=_flag(told["system_site_packages"]),
            files=_files(told["files"]),
        )
    except KeyError as error:
        raise ReleaseError(f"{NAME}: {error} is missing") from None
    except (ValueError, TypeError, RecursionError) as error:
        raise ReleaseError(f"{NAME}: {one_line(str(error))}") from None


def valid_identity(text: str) -> bool:
    """Return whether a release may be called that: a single plain name."""
    return _IDENTITY.fullmatch(text) is not None


def _files(told: Any) -> dict[str, Entry]:
    if not isinstance(told, dict) or len(told) > MAX_FILES:
        raise ValueError(f"files: an object of at most {MAX_FILES} is needed")
    files = {}
    for name, entry in told.items():
        if _FILE.fullmatch(name) is None or name in (NAME, SIGNATURE_NAME):
            raise ValueError(f"files: {one_line(repr(name), 80)} is no name that a file may have")
        if not isinstance(entry, dict):
            raise TypeError(f"files: {name}: not an object")
        files[name] = Entry(_text(entry, "sha256", _SHA256), _number(entry["size_bytes"], MAX_FILE_BYTES))
    if REQUIREMENTS not in files:
        raise ValueError(f"files: {REQUIREMENTS} is missing")
    return files


def _text(told: dict[str, Any], key: str, pattern: re.Pattern[str]) -> str:
    value = told[key]
    if not isinstance(value, str) or pattern.fullmatch(value) is None:
        raise ValueError(f"{key}: {one_line(repr(value), 80)} will not do")
    return value


def _number(value: Any, most: int) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value <= most:
        raise ValueError(f"{one_line(repr(value), 40)}: a number from 0 to {most} is needed")
    return value


def _flag(value: Any) -> bool:
    if not isinstance(value, bool):
        raise TypeError("system_site_packages: true or false is needed")
    return value


def _minor(version: str) -> int:
    major, _, minor = version.partition(".")
    return int(minor.partition(".")[0]) if major == "2" and minor.partition(".")[0].isdigit() else -1
