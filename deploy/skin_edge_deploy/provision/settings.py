"""What else root writes on a host: settings, allowed signers, a line for sudo; each whole or not at all."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal

import asyncssh

from skin_edge.config import load_config
from skin_edge.errors import UsageError
from skin_edge_deploy.device import Device
from skin_edge_deploy.errors import HostError
from skin_edge_deploy.machine import CONFIG, SIGNERS, SUDOERS
from skin_edge_deploy.provision.rights import Root
from skin_edge_deploy.upload import Folder, place

_MAX_BYTES: Final = 256 * 1024
_PLACE_TIMEOUT_S: Final = 60.0
_REFUSED: Final = 96
_PATH: Final = "PATH=/usr/sbin:/usr/bin:/sbin:/bin; umask 022; "
# $1: what was uploaded, which is gone afterwards; $2: its place; $3: its mode. sudo reads no file that has a
# dot in its name. Without single quotes, backslashes and exclamation marks, as in handover.py.
_TAKE: Final = (
    _PATH + 'd=${2%/*}; t=$d/.${2##*/}.part; trap "rm -f -- $1 $t" EXIT; '
    '[ -d "$d" ] || mkdir -m 755 -- "$d" || exit; '
    'rm -f -- "$t"; cat <"$1" >"$t" && chown 0:0 -- "$t" && chmod "$3" -- "$t" && sync -- "$t" || exit; '
)
#: Never over another file: the link is made only where there is none.
NEW: Final = (
    _TAKE + 'if ln -T -- "$t" "$2" 2>/dev/null; then echo placed; '
    'elif cmp -s -- "$t" "$2"; then echo same; else echo other; fi; sync -- "$d"'
)
#: Under its name once visudo has read it without complaint.
LINE: Final = (
    _TAKE + f'visudo -cqf "$t" >&2 || exit {_REFUSED}; '
    'if cmp -s -- "$t" "$2"; then echo same; exit; fi; mv -fT -- "$t" "$2" && sync -- "$d" && echo placed'
)

Placed = Literal["placed", "same", "other"]


@dataclass(frozen=True, slots=True)
class Settings:
    """Files for hosts.

    Attributes:
        config: bytes of /etc/skin-edge/config.yaml for hosts that have none; None leaves it to them.
        signers: bytes of /etc/skin-edge/allowed_signers; None leaves it to them.
        sudoers: let this login push releases and models from now on without a password.
    """

    config: bytes | None = None
    signers: bytes | None = None
    sudoers: bool = False


def read_config(path: Path) -> bytes:
    """Return a device's settings, checked as the device would.

    Raises:
        ConfigError: they would be refused there.
        UsageError: the file cannot be read.
    """
    if not path.is_file():
        raise UsageError(f"--device-config {path}: no such file")
    load_config(path)
    return _read(path, "--device-config")


def read_signers(path: Path) -> bytes:
    """Return a file of allowed signers, each line of which has a principal and a key.

    Raises:
        UsageError: it cannot be read, or names nobody.
    """
    if not path.is_file():
        raise UsageError(f"--allowed-signers {path}: no such file")
    data = _read(path, "--allowed-signers")
    found = 0
    for number, line in enumerate(data.decode("utf-8", "replace").splitlines(), start=1):
        if not line.strip() or line.lstrip().startswith("#"):
            continue
        try:
            # Who it is comes first; options may stand between, as OpenSSH's ssh-keygen(1) has it.
            asyncssh.import_authorized_keys(line.strip().partition(" ")[2])
        except ValueError:
            raise UsageError(
                f"--allowed-signers {path}, line {number}: PRINCIPAL KEYTYPE KEY is needed", code="signers"
            ) from None
        found += 1
    if not found:
        raise UsageError(f"--allowed-signers {path}: names nobody", code="signers")
    return data


async def put(
    device: Device, folder: Folder, root: Root, data: bytes, where: str, script: str, mode: str
) -> Placed:
    """Have root write a file on a host, and return what came of it.

    Args:
        device: the host.
        folder: there, for the upload.
        root: how a command becomes root's.
        data: the file.
        where: its path: `CONFIG`, `SIGNERS` or `SUDOERS`.
        script: `NEW` or `LINE`.
        mode: octal.

    Raises:
        HostError: it was not written.
    """
    path = await place(device, folder, data, ".part")
    said = await device.words(
        *root.prefix, "/bin/sh", "-c", script, "sh", path, where, mode,
        doing=f"writing {where}", timeout_s=_PLACE_TIMEOUT_S, stdin=root.secret,
    )  # fmt: skip
    for answer in ("placed", "same", "other"):
        if said.status == 0 and said.out.strip() == answer:
            return answer
    code = "sudoers" if said.status == _REFUSED else "device"
    raise HostError(f"{device.name}: {where} was not written: {said.last_words()}", code=code)


async def put_before(
    device: Device, folder: Folder, root: Root, settings: Settings
) -> tuple[bool, tuple[str, ...]]:
    """Have root write settings and signers where there are none.

    Returns:
        Whether anything was written, and what was kept, in words.

    Raises:
        HostError: one was not written, or other signers are there.
    """
    placed: list[Placed] = []
    kept: tuple[str, ...] = ()
    if settings.signers is not None:
        placed.append(await put(device, folder, root, settings.signers, SIGNERS, NEW, "0644"))
        if placed[-1] == "other":
            raise other_signers(device.name)
    if settings.config is not None:
        placed.append(await put(device, folder, root, settings.config, CONFIG, NEW, "0644"))
        kept = (f"{CONFIG} of the host",) if placed[-1] != "placed" else ()
    return "placed" in placed, kept


async def put_line(device: Device, folder: Folder, root: Root, lines: str) -> Placed:
    """Have root write our file below /etc/sudoers.d.

    Raises:
        HostError: visudo does not take it (``sudoers``), or it was not written.
    """
    return await put(device, folder, root, lines.encode(), SUDOERS, LINE, "0440")


def other_signers(name: str) -> HostError:
    """Return the error of a host that has allowed signers, and not those that it should get."""
    return HostError(
        f"{name}: {SIGNERS} is there and says something else: change it on the device yourself, or leave out "
        "--allowed-signers",
        code="signers",
    )


def _read(path: Path, option: str) -> bytes:
    try:
        with path.open("rb") as stream:
            data = stream.read(_MAX_BYTES + 1)
    except OSError as error:
        raise UsageError(f"{option} {path}: cannot be read: {error.strerror}") from None
    if len(data) > _MAX_BYTES:
        raise UsageError(f"{option} {path}: larger than {_MAX_BYTES} bytes")
    return data
