"""What would be done on a host, from what is known of it: pure, so that a dry run is the same code."""

from __future__ import annotations

from dataclasses import dataclass

from skin_edge_deploy.errors import HostError
from skin_edge_deploy.facts import Facts, command
from skin_edge_deploy.limits import Limits
from skin_edge_deploy.looking import shared_uploads
from skin_edge_deploy.package import Package

#: Of the name of a whole upload, in hex: as many as the line in sudoers says.
UPLOAD_DIGITS = 8
#: Beside the bundle itself: what else a disk needs to go on.
_ROOM_BYTES = 8_000_000


@dataclass(frozen=True, slots=True)
class Plan:
    """What is to be done on one host.

    Attributes:
        steps: in words, in order; empty where nothing is to be done.
        unchanged: the host runs this very bundle.
    """

    steps: tuple[str, ...]
    unchanged: bool


def make_plan(name: str, facts: Facts, package: Package, limits: Limits, *, same: bool) -> Plan:
    """Return what brings a host to a bundle.

    Args:
        name: of the target, for messages.
        facts: of the host.
        package: the bundle.
        limits: patience.
        same: the bundle in use there is this very one.

    Raises:
        HostError: it cannot be done there, and why.
    """
    if facts.program is None:
        raise HostError(
            f"{name}: skin-edge was not found there; install it, or say where it is: --skin-edge PATH",
            code="no-skin-edge",
        )
    if same:
        return Plan((), True)
    _check_permission(name, facts, limits)
    _check_version(name, facts, package)
    _check_room(name, facts, package)
    size = package.cargo.size_bytes
    resumed = f", of which {facts.partial_bytes} are there" if 0 < facts.partial_bytes < size else ""
    return Plan(
        (
            f"upload {size} bytes to {facts.uploads}{resumed}",
            f"check their SHA-256 there: {package.cargo.sha256}",
            " ".join(command(facts, install_arguments(limits, "UPLOADED"))),
            "delete the upload",
        ),
        False,
    )


def install_arguments(limits: Limits, path: str) -> str:
    """Return the arguments with which the device installs the bundle at `path` on it."""
    return f"model install --activate --json --wait {limits.lock_wait_s:g} {path}"


def sudoers_line(facts: Facts, limits: Limits) -> str:
    """Return the line for /etc/sudoers.d that lets the login do what is needed as the models' owner.

    No ``*`` in it: that would match blanks too, and so let a login add options such as another `--config`.
    """
    program = f"/usr/bin/env SKIN_EDGE_HOME={facts.state} {facts.program}"
    digits = "[0-9a-f]" * UPLOAD_DIGITS
    upload = f"{shared_uploads(facts.uid)}/{digits}.skinmodel"
    allowed = ("model list --json", "model info --json", install_arguments(limits, upload))
    commands = ", ".join(f"{program} {arguments}" for arguments in allowed)
    return f"{facts.user} ALL=({facts.owner}) NOPASSWD: {commands}"


def _check_permission(name: str, facts: Facts, limits: Limits) -> None:
    if facts.sudo not in ("missing", "refused"):
        return
    why = "there is no sudo" if facts.sudo == "missing" else "sudo does not let us without a password"
    raise HostError(
        f"{name}: the models in {facts.state} belong to {facts.owner}, we are {facts.user} there, and {why}; "
        f"log in as {facts.owner} or root, or add with `visudo -f /etc/sudoers.d/skin-edge-deploy`: "
        f"{sudoers_line(facts, limits)}",
        code="not-allowed",
    )


def _check_version(name: str, facts: Facts, package: Package) -> None:
    needed = package.bundle.manifest.minimum_skin_edge_version
    if _numbers(facts.version) < _numbers(needed):
        raise HostError(
            f"{name}: skin-edge {facts.version} is there, {package.identity} needs {needed}: upgrade it",
            code="too-old",
        )


def _check_room(name: str, facts: Facts, package: Package) -> None:
    needed = package.cargo.size_bytes + _ROOM_BYTES
    for path, free in ((facts.uploads, facts.uploads_free_bytes), (facts.state, facts.free_bytes)):
        if free is not None and free < needed:
            raise HostError(
                f"{name}: {free} bytes are free for {path} there, {needed} are needed; delete something",
                code="no-space",
            )


def _numbers(version: str) -> tuple[int, ...]:
    parts = version.partition("-")[0].split(".")[:3]
    return tuple(int("".join(c for c in part if c.isdigit()) or 0) for part in parts)
