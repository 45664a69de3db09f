"""A release that lies on a device, installed and put to use by the device itself."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, Final

from skin_edge.model.manifest import one_line
from skin_edge_deploy.handover import answer_of, hand_over
from skin_edge_deploy.machine import Machine
from skin_edge_deploy.provision.candidates import Candidate
from skin_edge_deploy.provision.plan import install_words
from skin_edge_deploy.provision.rights import Root
from skin_edge_deploy.visit import Call

_MAX_STEP: Final = 60


def note_release(call: Call, current: object) -> None:
    """Note what a device says is in use; None: nothing, or it did not say."""
    release = call.known.outcome.release
    if release is not None:
        after = one_line(current, 120) if isinstance(current, str) else None
        call.known.add(release=replace(release, after=after))


async def install(
    call: Call, machine: Machine, candidate: Candidate, root: Root, path: str
) -> dict[str, Any] | None:
    """Have a device install a release and put it to use, and return what it says of that.

    Args:
        call: the host.
        machine: what it is.
        candidate: what the upload should be.
        root: how a command becomes root's there.
        path: of the upload, which is gone afterwards.

    Returns:
        The object that `release install --json` printed; None where the upload is not what was sent.

    Raises:
        HostError: it did not succeed, with the device's own code and reason; or no word came back.
    """

    def heard(line: str) -> None:
        if line.startswith("skin-edge: "):
            call.track.step = f"installing: {line.removeprefix('skin-edge: ')}"[:_MAX_STEP]

    call.track.step = "installing"
    limits = call.device.limits
    said = await hand_over(
        call.device,
        path,
        candidate.cargo.sha256,
        (*root.prefix, *install_words(machine, limits, path)),
        doing="installing",
        timeout_s=limits.release_timeout_s,
        stdin=root.secret,
        heard=heard,
    )
    if said is None:
        return None
    # Where it failed, too, the device says what is in use now.
    for told in said.objects()[-1:]:
        note_release(call, told.get("current"))
    return answer_of(call.device.name, said, "release install", path, candidate.identity)
