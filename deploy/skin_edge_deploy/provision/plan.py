"""What a release takes on a host, from what is known of it: pure, so that a dry run is the same code."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Final

from skin_edge.release.build import needed_bytes
from skin_edge_deploy.errors import HostError
from skin_edge_deploy.facts import Facts
from skin_edge_deploy.limits import Limits
from skin_edge_deploy.machine import CONFIG, PROGRAM, PYTHON, SIGNERS, SUDOERS, Machine
from skin_edge_deploy.plan import UPLOAD_DIGITS, sudoers_line
from skin_edge_deploy.provision.candidates import Candidate
from skin_edge_deploy.provision.settings import Settings, other_signers

_BITS: Final = 64
#: Beside the file itself: what else a disk needs to go on.
_ROOM_BYTES: Final = 8_000_000
_MODEL_FREE: Final = ("", "needless")


@dataclass(frozen=True, slots=True)
class Plan:
    """What is to be done on one host before its model.

    Attributes:
        install: the release is to be installed and put to use.
        before: what is to be written before that; empty settings where nothing is.
        kept: of what was asked for, what the host has and keeps, in words.
        steps: in words, in order.
    """

    install: bool
    before: Settings
    kept: tuple[str, ...]
    steps: tuple[str, ...]


def check_machine(name: str, machine: Machine) -> None:
    """See that a host can be provisioned at all.

    Raises:
        HostError: it cannot, and why (``no-python``, ``no-systemd``).
    """
    if not machine.python:
        raise HostError(f"{name}: no {PYTHON} there: apt-get install python3-minimal", code="no-python")
    if machine.bits != _BITS:
        raise HostError(
            f"{name}: {machine.os} of {machine.bits} bits is there: install the 64 bit system",
            code="no-release",
        )
    if not machine.systemd:
        raise HostError(f"{name}: systemd does not run there, which the service needs", code="no-systemd")


def make_plan(name: str, machine: Machine, candidate: Candidate, wanted: Settings, limits: Limits) -> Plan:
    """Return what brings a host to a release.

    Args:
        name: of the target, for messages.
        machine: the host.
        candidate: the release.
        wanted: what else is to be there.
        limits: patience.

    Raises:
        HostError: it cannot be done there, and why.
    """
    before, kept = _before(name, machine, wanted)
    signed_only = machine.signers_sha256 is not None or before.signers is not None
    install = not (machine.installed and machine.release == candidate.identity)
    if install and signed_only and not candidate.is_signed:
        raise HostError(
            f"{name}: {candidate.identity} is not signed, and {SIGNERS} asks for that: "
            "skin-edge wheelhouse --sign KEY, then --release FILE",
            code="signature",
        )
    line = wanted.sudoers and machine.rights != "root"
    if line:
        _check_signers(name, machine, before)
    steps = [f"write {SIGNERS}"] if before.signers is not None else []
    steps += [f"write {CONFIG}"] if before.config is not None else []
    if install:
        _check_room(name, machine, candidate)
        steps += _installing(machine, candidate, limits)
    if line and machine.rights != "line":
        steps.append(f"write {SUDOERS}, once visudo has read it")
    return Plan(install, before, kept, tuple(steps))


def install_words(machine: Machine, limits: Limits, path: str) -> tuple[str, ...]:
    """Return the words with which root installs the release at `path` on a host.

    Where skin-edge is there, its own code, which is trusted, checks the file before anything of it runs.
    """
    begin = (PROGRAM, "release", "install", path) if machine.installed else (PYTHON, path, "install")
    return (*begin, "--json", "--wait", f"{limits.release_wait_s:g}")


def sudoers_file(machine: Machine, facts: Facts, limits: Limits) -> str:
    """Return the file for /etc/sudoers.d that lets the login push releases and models, and nothing else.

    No ``*`` in it: that would match blanks too, and so let a login add options such as `--allowed-signers`.
    """
    upload = f"{machine.uploads}/{'[0-9a-f]' * UPLOAD_DIGITS}.skinrelease"
    words = f"{PROGRAM} release install {upload} --json --wait {limits.release_wait_s:g}"
    lines = [f"{machine.user} ALL=(root) NOPASSWD: {words}"]
    if facts.program is not None and facts.sudo not in _MODEL_FREE:
        lines.append(sudoers_line(facts, limits))
    return "".join(f"{line}\n" for line in ("# Written by `skin-edge deploy --provision --sudoers`.", *lines))


def _before(name: str, machine: Machine, wanted: Settings) -> tuple[Settings, tuple[str, ...]]:
    signers = wanted.signers
    if signers is not None and machine.signers_sha256 is not None:
        if hashlib.sha256(signers).hexdigest() != machine.signers_sha256:
            raise other_signers(name)
        signers = None
    keep = wanted.config is not None and machine.has_config
    return (
        Settings(config=None if keep else wanted.config, signers=signers),
        (f"{CONFIG} of the host",) if keep else (),
    )


def _check_signers(name: str, machine: Machine, before: Settings) -> None:
    if before.signers is None and machine.signers_sha256 is None:
        raise HostError(
            f"{name}: --sudoers asks for {SIGNERS} there, without which this login could become root by a "
            "release of its own making: give --allowed-signers FILE",
            code="signers",
        )
    if before.signers is None and not machine.signers_safe:
        raise HostError(
            f"{name}: --sudoers: others than root can change {SIGNERS}; on the device: "
            "chown root: /etc/skin-edge /etc/skin-edge/allowed_signers && "
            "chmod go-w /etc/skin-edge /etc/skin-edge/allowed_signers",
            code="signers",
        )


def _check_room(name: str, machine: Machine, candidate: Candidate) -> None:
    upload = candidate.cargo.size_bytes - machine.parts.get(candidate.cargo.upload_name, 0) + _ROOM_BYTES
    install = needed_bytes(candidate.release)
    # The same number is the same disk, on all but very odd devices.
    one_disk = machine.opt_free_bytes == machine.uploads_free_bytes
    wanted = (
        [("/opt/skin-edge", machine.opt_free_bytes, install + upload)]
        if one_disk
        else [
            ("/opt/skin-edge", machine.opt_free_bytes, install),
            (machine.uploads, machine.uploads_free_bytes, upload),
        ]
    )
    for path, free, needed in wanted:
        if free is not None and free < needed:
            raise HostError(
                f"{name}: {free // 1_000_000} MB are free for {path} there, {needed // 1_000_000} are "
                "needed; delete something",
                code="no-space",
            )


def _installing(machine: Machine, candidate: Candidate, limits: Limits) -> list[str]:
    size = candidate.cargo.size_bytes
    there = machine.parts.get(candidate.cargo.upload_name, 0)
    resumed = f", of which {there} are there" if 0 < there < size else ""
    sudo = {"root": (), "password": ("sudo",)}.get(machine.rights, ("sudo", "-n"))
    return [
        f"upload {candidate.identity}, {size} bytes, to {machine.uploads}{resumed}",
        f"check their SHA-256 there: {candidate.cargo.sha256}",
        " ".join((*sudo, *install_words(machine, limits, "UPLOADED"))),
        "delete the upload",
    ]
