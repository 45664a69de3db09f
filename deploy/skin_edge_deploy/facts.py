"""What there is to know of a host before anything on it is changed; reading it changes nothing."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import Any, Final

from skin_edge.model.manifest import one_line
from skin_edge_deploy.device import Device, Said
from skin_edge_deploy.errors import HostError
from skin_edge_deploy.looking import PLAIN_NAME, kilobytes, look, shared_uploads, values

#: A path that no shell, no sudoers line and no JSON reads as anything else.
_PLAIN_PATH: Final = re.compile(r"/[A-Za-z0-9._+~/@-]*")
_SUDO: Final = ("", "needless", "missing", "refused", "owner", "root")


@dataclass(frozen=True, slots=True)
class Model:
    """One installed bundle, as `skin-edge model list --json` says it.

    Attributes:
        identity: NAME-VERSION.
        current: whether it is in use.
        ok: whether its files are whole.
        manifest_sha256: SHA-256 (hex) of its manifest.yaml; empty where an older skin-edge does not say it.
    """

    identity: str
    current: bool
    ok: bool
    manifest_sha256: str = ""


@dataclass(frozen=True, slots=True)
class Facts:
    """A host as it is.

    Attributes:
        user, uid: who we are there.
        machine, kernel, os: as ``aarch64``, ``Linux 6.1.0``, ``Debian GNU/Linux 12 (bookworm)``.
        service: state of skin-edge.service as systemd has it, ``none`` where it is not installed.
        program: path of skin-edge; None where there is none.
        python: that runs it, as ``Python 3.11.2``; empty where that cannot be told.
        state: folder of the models in question.
        owner: the account that they belong to.
        sudo: what sudo lets us do without a password: empty (not needed: we are root or the owner),
            ``needless`` (the folder is writable), ``missing``, ``refused``, ``owner`` or ``root``; or
            ``password``: as the owner, with a password that a person gave.
        free_bytes: on the disk of `state`; None where that cannot be told.
        uploads: folder to which a bundle would go.
        uploads_free_bytes: on its disk; None where that cannot be told.
        partial_bytes: of this very bundle that an earlier upload left there.
        version: of skin-edge; empty without a program.
        models: installed there, the oldest first.
    """

    user: str
    uid: int
    machine: str
    kernel: str
    os: str
    service: str
    program: str | None
    python: str
    state: str
    owner: str
    sudo: str
    free_bytes: int | None
    uploads: str
    uploads_free_bytes: int | None
    partial_bytes: int
    version: str = ""
    models: tuple[Model, ...] = ()

    @property
    def models_known(self) -> bool:
        """Whether we may ask which models there are."""
        return self.sudo not in ("missing", "refused")

    @property
    def current(self) -> Model | None:
        """The installed bundle in use; None where the one that is shipped with skin-edge is."""
        return next((model for model in self.models if model.current), None)


async def gather(device: Device, upload_name: str, program: str | None = None, secret: bytes = b"") -> Facts:
    """Look at a host.

    Args:
        device: it.
        upload_name: of the bundle, as an earlier upload would have left it.
        program: skin-edge there; None looks for it.
        secret: what sudo reads there, where it wants a password; empty where nobody was asked for one.

    Raises:
        HostError: it does not answer, or not as skin-edge's device does.
    """
    said = await look(device, "look.sh", program or "", upload_name, f"{device.limits.lock_wait_s:g}")
    facts = parse(device.name, said)
    if facts.program is not None and not re.fullmatch(r"[0-9]+\.[0-9]+\.[0-9]+\S{0,40}", facts.version):
        raise HostError(
            f"{device.name}: {facts.program} does not work there: {facts.version or said.last_words()}",
            code="no-skin-edge",
        )
    return await _with_password(device, facts, secret) if secret and facts.sudo == "refused" else facts


async def _with_password(device: Device, facts: Facts, secret: bytes) -> Facts:
    facts = replace(facts, sudo="password", uploads=shared_uploads(facts.uid), uploads_free_bytes=None)
    said = await device.words(
        *command(facts, "model list --json"),
        doing="asking for its models",
        timeout_s=device.limits.facts_timeout_s,
        stdin=secret,
    )
    return replace(facts, models=_models(said.objects()))


def parse(name: str, answer: Said) -> Facts:
    """Return the facts in what `look.sh` printed.

    Args:
        name: of the target, for messages.
        answer: of the host.

    Raises:
        HostError: it is not whole, or holds what cannot be.
    """
    said = values(name, answer)
    program = said.get("program")
    for key in ("program", "state", "uploads"):
        if program is not None and not _PLAIN_PATH.fullmatch(said.get(key, "")):
            raise HostError(
                f"{name}: {key} is {said.get(key)!r} there: not a path to work with", code="device"
            )
    owner = said.get("owner", "")
    if program is not None and not PLAIN_NAME.fullmatch(owner):
        raise HostError(
            f"{name}: the models there belong to nobody that can be named ({owner!r})", code="device"
        )
    sudo = said.get("sudo", "")
    return Facts(
        user=said.get("user", ""),
        uid=int(said["uid"]),
        machine=said.get("system", "").rpartition(" ")[2],
        kernel=said.get("system", "").rpartition(" ")[0],
        os=said.get("os", ""),
        service=said.get("service", "none"),
        program=program,
        python=said.get("python", ""),
        state=said.get("state", ""),
        owner=owner,
        sudo=sudo if sudo in _SUDO else "refused",
        free_bytes=kilobytes(said.get("free_kb", "")),
        uploads=said.get("uploads", ""),
        uploads_free_bytes=kilobytes(said.get("uploads_free_kb", "")),
        partial_bytes=int(said["partial"]) if said.get("partial", "").isdigit() else 0,
        version=said.get("version", "").removeprefix("skin-edge "),
        models=_models(answer.objects()),
    )


def command(facts: Facts, arguments: str) -> tuple[str, ...]:
    """Return the words that run skin-edge there as the account to which the models belong."""
    sudo = {
        "owner": ("sudo", "-n", "-u", facts.owner),
        "root": ("sudo", "-n"),
        "password": ("sudo", "-S", "-p", "", "-u", facts.owner),
    }.get(facts.sudo, ())
    return (*sudo, "/usr/bin/env", f"SKIN_EDGE_HOME={facts.state}", str(facts.program), *arguments.split())


def _models(listed: list[dict[str, Any]]) -> tuple[Model, ...]:
    return tuple(
        Model(
            one_line(str(one.get("identity")), 120),
            one.get("current") is True,
            one.get("ok") is True,
            one_line(str(one.get("manifest_sha256") or ""), 64),
        )
        for one in listed
        if "identity" in one
    )
