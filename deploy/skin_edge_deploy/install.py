"""A bundle that lies on a device, installed and activated by the device itself."""

from __future__ import annotations

from typing import Any

from skin_edge_deploy.device import Device
from skin_edge_deploy.facts import Facts, command
from skin_edge_deploy.handover import answer_of, hand_over
from skin_edge_deploy.package import Package
from skin_edge_deploy.plan import install_arguments


async def install(
    device: Device, facts: Facts, package: Package, path: str, secret: bytes = b""
) -> dict[str, Any] | None:
    """Have a device install and activate an upload, and return what it says of that.

    Args:
        device: the host.
        facts: of it.
        package: what the upload should be.
        path: of the upload, which is gone afterwards.
        secret: what sudo reads there, where it wants a password.

    Returns:
        The object that `model install --json` printed; None where the upload is not what was sent.

    Raises:
        HostError: it did not succeed, with the device's own code and reason; or no word came back.
    """
    said = await hand_over(
        device,
        path,
        package.cargo.sha256,
        command(facts, install_arguments(device.limits, path)),
        doing="installing",
        timeout_s=device.limits.install_timeout_s,
        stdin=secret,
    )
    return None if said is None else answer_of(device.name, said, "model install", path, package.identity)
