"""One host, from the first connection to the device's own word that it runs the model."""

from __future__ import annotations

import asyncio
import contextlib
import time
from dataclasses import dataclass, replace
from typing import Any

import msgspec

from skin_edge.errors import SkinEdgeError
from skin_edge.model.manifest import one_line
from skin_edge_deploy.device import Device, Said
from skin_edge_deploy.errors import HostError
from skin_edge_deploy.facts import Facts, command, gather
from skin_edge_deploy.limits import Limits
from skin_edge_deploy.outcome import Outcome, Track
from skin_edge_deploy.package import Package
from skin_edge_deploy.plan import install_arguments, make_plan
from skin_edge_deploy.ssh.asking import Stopwatch
from skin_edge_deploy.ssh.connect import Dialer, hang_up
from skin_edge_deploy.targets import Target
from skin_edge_deploy.upload import discard, upload


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
        uploaded = await upload(device, facts, self.package, track)
        known.add(uploaded_bytes=uploaded.sent_bytes, resumed_bytes=uploaded.resumed_bytes)
        track.step = "installing"
        known.add(after=None)  # until it says
        said = await device.sh(
            command(facts, install_arguments(self.limits, uploaded.path)),
            doing="installing; it goes on there by itself",
            timeout_s=self.limits.install_timeout_s,
        )
        # Only now: cut off, the host may still be reading it. One that stays goes by itself a day later.
        with contextlib.suppress(HostError):
            await discard(device, uploaded.path)
        answer = _answer(device.name, said)
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
    said = await device.sh(
        command(facts, f"model info --json {facts.state}/models/{used.identity}"),
        doing="asking for its model",
        timeout_s=device.limits.facts_timeout_s,
    )
    found = said.objects()
    ours = msgspec.json.decode(msgspec.json.encode(package.bundle.manifest))
    return said.status == 0 and bool(found) and found[-1].get("manifest") == ours


def _answer(name: str, said: Said) -> dict[str, Any]:
    """Return what the device says of an installation.

    Raises:
        HostError: that it did not succeed, with the device's own code and reason.
    """
    answer = (said.objects() or [{}])[-1]
    error = answer.get("error")
    if isinstance(error, dict):
        raise HostError(
            f"{name}: {one_line(str(error.get('message')))}", code=one_line(str(error.get("code")), 40)
        )
    if said.status or "installed" not in answer:
        raise HostError(f"{name}: model install ended with status {said.status}: {said.last_words()}")
    return answer


def _text(value: object) -> str | None:
    return one_line(value, 120) if isinstance(value, str) else None
