"""A bundle to one host, up to the device's own word that it runs it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import msgspec

from skin_edge.model.manifest import one_line
from skin_edge_deploy.device import Device
from skin_edge_deploy.facts import Facts, command, gather
from skin_edge_deploy.install import install
from skin_edge_deploy.package import Package
from skin_edge_deploy.plan import make_plan
from skin_edge_deploy.sending import send
from skin_edge_deploy.upload import Folder
from skin_edge_deploy.visit import Call


@dataclass(frozen=True, slots=True)
class Push:
    """A bundle, and how it is brought to a host.

    Attributes:
        package: the bundle.
        program: skin-edge on the hosts; None looks for it.
        dry_run: look and plan, change nothing.
    """

    package: Package
    program: str | None = None
    dry_run: bool = False

    async def work(self, call: Call, secret: bytes = b"") -> None:
        """Bring a host to the bundle.

        Args:
            call: the host.
            secret: what sudo reads there, where it wants a password; empty where nobody was asked for one.

        Raises:
            HostError: it was not brought there, and why.
        """
        device, track, known = call.device, call.track, call.known
        track.step = "looking"
        facts = await gather(device, self.package.cargo.sha256, self.program, secret)
        current = facts.current.identity if facts.current is not None else None
        known.add(facts=facts, before=current, after=current)
        same = await _runs(device, facts, self.package, secret)
        plan = make_plan(device.name, facts, self.package, device.limits, same=same)
        known.add(steps=(*known.outcome.steps, *plan.steps))
        if plan.unchanged:
            known.add(status="unchanged", message="runs this very bundle")
            return
        if self.dry_run:
            known.add(status="planned")
            return

        async def use(path: str) -> dict[str, Any] | None:
            known.add(after=None)  # until it says
            track.step = "installing"
            return await install(device, facts, self.package, path, secret)

        shared = facts.sudo in ("owner", "root", "password")
        folder = Folder(facts.uploads, facts.user, facts.uid, shared)
        answer = await send(call, folder, self.package.cargo, use)
        switched = answer.get("activated") is True
        known.add(
            status="done" if switched else "unchanged",
            message="" if switched else "was in use",
            after=_text(answer.get("current")),
            answer=answer,
        )


async def _runs(device: Device, facts: Facts, package: Package, secret: bytes) -> bool:
    """Return whether the bundle in use there is this very one, byte for byte as far as its hashes tell."""
    used = facts.current
    if used is None or not used.ok or used.identity != package.identity:
        return False
    said = await device.words(
        *command(facts, "model info --json"),
        doing="asking for its model",
        timeout_s=device.limits.facts_timeout_s,
        stdin=secret,
    )
    found = said.objects()
    ours = msgspec.json.decode(msgspec.json.encode(package.bundle.manifest))
    return said.status == 0 and bool(found) and found[-1].get("manifest") == ours


def _text(value: object) -> str | None:
    return one_line(value, 120) if isinstance(value, str) else None
