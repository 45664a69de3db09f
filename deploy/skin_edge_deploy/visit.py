"""One host, from the connection to the goodbye: whatever goes wrong there is said in what is returned."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace

from skin_edge.errors import SkinEdgeError
from skin_edge_deploy.device import Device
from skin_edge_deploy.limits import Limits
from skin_edge_deploy.outcome import Known, Outcome, Track
from skin_edge_deploy.ssh.asking import Stopwatch
from skin_edge_deploy.ssh.connect import Dialer, hang_up
from skin_edge_deploy.targets import Target


@dataclass(frozen=True, slots=True)
class Call:
    """One host that is being worked on.

    Attributes:
        device: it, connected to.
        track: is told how far it is.
        known: is told what came of it.
        clock: runs while a person is asked for its sake.
    """

    device: Device
    track: Track
    known: Known
    clock: Stopwatch


Work = Callable[[Call], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class Visit:
    """Work to do on hosts.

    Attributes:
        dialer: makes connections, one a host.
        limits: patience.
        work: what is done there.
    """

    dialer: Dialer
    limits: Limits
    work: Work

    async def to(self, target: Target, track: Track) -> Outcome:
        """Do the work on one host; whatever goes wrong there is said in what is returned.

        Cancelled, it hangs up and leaves the host as it is.

        Args:
            target: the host.
            track: is told how far it is.
        """
        known = Known(Outcome(target.text, "failed"))
        began, clock = time.monotonic(), Stopwatch()
        try:
            track.step = "connecting"
            connected = await self.dialer.dial(target, clock)
            known.add(fingerprint=connected.fingerprint)
            try:
                await self.work(Call(Device(target.text, connected.ssh, self.limits), track, known, clock))
            finally:
                await hang_up(connected.ssh, self.limits.close_timeout_s)
        except SkinEdgeError as error:
            known.add(status="failed", code=error.code, message=str(error))
        except asyncio.CancelledError:
            known.add(status="interrupted", code="interrupted", message=f"while {track.step}")
        return replace(known.outcome, seconds=time.monotonic() - began - clock.seconds())
