"""What a host is as a machine: which release fits it, and what we may do there. Looking changes nothing."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Any, Final

from skin_edge_deploy.device import Device, Said
from skin_edge_deploy.errors import HostError
from skin_edge_deploy.looking import PLAIN_NAME, kilobytes, look, shared_uploads, values

#: Of the device, whatever the login's PATH says: what root runs there.
PYTHON: Final = "/usr/bin/python3"
PROGRAM: Final = "/usr/local/bin/skin-edge"
SIGNERS: Final = "/etc/skin-edge/allowed_signers"
CONFIG: Final = "/etc/skin-edge/config.yaml"
SUDOERS: Final = "/etc/sudoers.d/skin-edge-deploy"

_RIGHTS: Final = ("root", "sudo", "line", "password", "none")
_IDENTITY: Final = re.compile(r"[0-9A-Za-z][0-9A-Za-z._+-]{0,99}")
_MAX_PARTS: Final = 64


@dataclass(frozen=True, slots=True)
class Machine:
    """A host as a machine.

    Attributes:
        user, uid: who we are there.
        machine, kernel: as ``aarch64``, ``Linux 6.1.0``.
        os_id, os_version, os: of os-release: ``debian``, ``12``, ``Debian GNU/Linux 12 (bookworm)``.
        python: MAJOR.MINOR of its /usr/bin/python3; empty where there is none.
        bits: of that Python, 64 or 32; 0 where there is none.
        glibc: minor version of its glibc 2; None where it has another C library.
        systemd: it is the init there.
        installed: `skin-edge release` answers there, as the device's own command.
        release: identity in use; None where there is none.
        releases: identities that are installed, the oldest first.
        has_config: it has settings of its own.
        signers_sha256: of its allowed signers, in hex; None where it has none.
        signers_safe: only root can change them.
        rights: how we become root: ``root`` (we are), ``sudo`` (without a password), ``line`` (sudo lets us
            install releases, nothing else), ``password`` (sudo wants one, if it lets us), ``none`` (no sudo).
        opt_free_bytes, uploads_free_bytes: where releases and uploads go; None where that cannot be told.
        parts: bytes that earlier uploads left, by the name of the upload.
    """

    user: str
    uid: int
    machine: str
    kernel: str
    os_id: str
    os_version: str
    os: str
    python: str
    bits: int
    glibc: int | None
    systemd: bool
    installed: bool
    release: str | None
    releases: tuple[str, ...]
    has_config: bool
    signers_sha256: str | None
    signers_safe: bool
    rights: str
    opt_free_bytes: int | None
    uploads_free_bytes: int | None
    parts: dict[str, int] = field(default_factory=dict)

    @property
    def uploads(self) -> str:
        """Folder to which a release goes: root reads there, and a disk holds it."""
        return shared_uploads(self.uid)


async def examine(device: Device) -> Machine:
    """Look at a host as a machine.

    Raises:
        HostError: it does not answer, or not as a device does.
    """
    return parse(device.name, await look(device, "machine.sh", f"{device.limits.release_wait_s:g}"))


def parse(name: str, answer: Said) -> Machine:
    """Return the machine in what `machine.sh` printed.

    Args:
        name: of the target, for messages.
        answer: of the host.

    Raises:
        HostError: it is not whole, or holds what cannot be.
    """
    said = values(name, answer)
    user = said.get("user", "")
    if not PLAIN_NAME.fullmatch(user):
        raise HostError(f"{name}: the login there has no name to work with ({user!r})", code="device")
    os_id, _, rest = said.get("os", "").partition("|")
    os_version, _, os_name = rest.partition("|")
    python, bits, glibc = _python(said.get("python", ""))
    listed = _listed(answer.objects())
    rights = said.get("rights", "")
    return Machine(
        user=user,
        uid=int(said["uid"]),
        machine=said.get("system", "").rpartition(" ")[2],
        kernel=said.get("system", "").rpartition(" ")[0],
        os_id=os_id,
        os_version=os_version,
        os=os_name,
        python=python,
        bits=bits,
        glibc=glibc,
        systemd=said.get("systemd") == "1",
        installed=said.get("program") == "1",
        release=_identity(listed.get("current")),
        releases=_identities(listed.get("releases")),
        has_config=said.get("config") == "1",
        signers_sha256=said.get("signers"),
        signers_safe=_safe(said.get("signers_modes", "")),
        rights=rights if rights in _RIGHTS else "none",
        opt_free_bytes=kilobytes(said.get("opt_free_kb", "")),
        uploads_free_bytes=kilobytes(said.get("uploads_free_kb", "")),
        parts=_parts(said),
    )


def _python(text: str) -> tuple[str, int, int | None]:
    found = re.fullmatch(r"(\d{1,2}) (\d{1,3}) (32|64)(?: (\S+) (\d+)\.(\d+)\S*)?.*", text)
    if found is None:
        return "", 0, None
    glibc = int(found[6]) if (found[4], found[5]) == ("glibc", "2") else None
    return f"{found[1]}.{found[2]}", int(found[3]), glibc


def _listed(objects: list[dict[str, Any]]) -> dict[str, Any]:
    return next((one for one in objects if "releases" in one), {})


def _identity(value: object) -> str | None:
    return value if isinstance(value, str) and _IDENTITY.fullmatch(value) else None


def _identities(value: object) -> tuple[str, ...]:
    return tuple(filter(None, map(_identity, value))) if isinstance(value, list) else ()


def _safe(modes: str) -> bool:
    """Return whether the file, its folder and the folder above belong to root, who alone can write there."""
    found = re.fullmatch(r"(\d+) ([0-7]+) (\d+) ([0-7]+) (\d+) ([0-7]+)", modes)
    if found is None:
        return False
    pairs = zip(found.groups()[::2], found.groups()[1::2], strict=True)
    return all(owner == "0" and int(mode, 8) & 0o022 == 0 for owner, mode in pairs)


def _parts(said: dict[str, str]) -> dict[str, int]:
    found = {key.removeprefix("part_"): value for key, value in said.items() if key.startswith("part_")}
    kept = list(found.items())[:_MAX_PARTS]
    return {name: int(value) for name, value in kept if re.fullmatch(r"[0-9]{1,15}", value)}
