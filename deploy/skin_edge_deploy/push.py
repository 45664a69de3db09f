"""One host, from the first connection to the device's own word that it runs the model."""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass, replace
from typing import Any, Final

import msgspec

from skin_edge.errors import SkinEdgeError
from skin_edge.model.bundle import sha256_hex
from skin_edge.model.manifest import one_line
from skin_edge_deploy.device import Device
from skin_edge_deploy.errors import HostError
from skin_edge_deploy.facts import Facts, command, gather
from skin_edge_deploy.install import install
from skin_edge_deploy.limits import Limits
from skin_edge_deploy.outcome import Outcome, Track
from skin_edge_deploy.package import Package
from skin_edge_deploy.plan import make_plan
from skin_edge_deploy.ssh.asking import Stopwatch
from skin_edge_deploy.ssh.connect import Dialer, hang_up
from skin_edge_deploy.targets import Target
from skin_edge_deploy.upload import upload

#: Of sending what arrives garbled.
_TRIES: Final = 3


@dataclass(frozen=True, slots=True)
class Push:
    """A bundle, and how it is brought to a host.

    Attributes:
        package: the bundle.
        dialer: makes connections.
        limits: patience.
        program: skin-edge on the hosts; None looks for it.
        dry_run: look and plan, change nothing.
    """

    package: Package
    dialer: Dialer
    limits: Limits
    program: str | None = None
    dry_run: bool = False

    async def to(self, target: Target, track: Track) -> Outcome:
        """Bring one host to the bundle; whatever goes wrong there is said in what is returned.

        Cancelled, it hangs up and leaves the host as it is.

        Args:
            target: the host.
            track: is told how far it is.
        """
        known = _Known(Outcome(target.text, "failed"))
        began, clock = time.monotonic(), Stopwatch()
        try:
            track.step = "connecting"
            connected = await self.dialer.dial(target, clock)
            known.add(fingerprint=connected.fingerprint)
            try:
                await self._work(Device(target.text, connected.ssh, self.limits), track, known)
            finally:
                await hang_up(connected.ssh, self.limits.close_timeout_s)
        except SkinEdgeError as error:
            known.add(status="failed", code=error.code, message=str(error))
        except asyncio.CancelledError:
            known.add(status="interrupted", code="interrupted", message=f"while {track.step}")
        return replace(known.outcome, seconds=time.monotonic() - began - clock.seconds())

    async def _work(self, device: Device, track: Track, known: _Known) -> None:
        track.step = "looking"
        facts = await gather(device, self.package.upload_name, self.program)
        current = facts.current.identity if facts.current is not None else None
        known.add(facts=facts, before=current, after=current)
        same = await _runs(device, facts, self.package)
        plan = make_plan(device.name, facts, self.package, self.limits, same=same)
        known.add(steps=plan.steps)
        if plan.unchanged:
            known.add(status="unchanged", message="runs this very bundle")
            return
        if self.dry_run:
            known.add(status="planned")
            return
        answer = None
        for attempt in range(_TRIES):
            uploaded = await upload(device, facts, self.package, track, afresh=attempt > 0)
            known.add(
                uploaded_bytes=known.outcome.uploaded_bytes + uploaded.sent_bytes,
                resumed_bytes=uploaded.resumed_bytes,
                after=None,  # until it says
            )
            track.step = "installing"
            answer = await install(device, facts, self.package, uploaded.path)
            if answer is not None:
                break
        else:
            raise HostError(
                f"{device.name}: {_TRIES} times what arrived in {facts.uploads} was not what was sent: "
                "sha256sum is missing there, or a disk or a memory fails (dmesg)",
                code="upload",
            )
        switched = answer.get("activated") is True
        known.add(
            status="done" if switched else "unchanged",
            message="" if switched else "was in use",
            after=_text(answer.get("current")),
            answer=answer,
        )


@dataclass(slots=True)
class _Known:
    """What is known of an outcome so far, whatever ends the work."""

    outcome: Outcome

    def add(self, **changes: Any) -> None:
        """Note more of it."""
        self.outcome = replace(self.outcome, **changes)


async def _runs(device: Device, facts: Facts, package: Package) -> bool:
    """Return whether the bundle in use there is this very one, byte for byte as far as its hashes tell."""
    used = facts.current
    if used is None or not used.ok or used.identity != package.identity:
        return False
    if used.manifest_sha256:
        return used.manifest_sha256 == sha256_hex(package.bundle.manifest_yaml)
    # An older skin-edge does not list the hash, and Python is started there once more.
    said = await device.sh(
        command(facts, "model info --json"),
        doing="asking for its model",
        timeout_s=device.limits.facts_timeout_s,
    )
    found = said.objects()
    ours = msgspec.json.decode(msgspec.json.encode(package.bundle.manifest))
    return said.status == 0 and bool(found) and found[-1].get("manifest") == ours


def _text(value: object) -> str | None:
    return one_line(value, 120) if isinstance(value, str) else None
