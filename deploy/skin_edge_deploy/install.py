"""What the device itself does with an upload: check it, install and activate it, delete it; one command."""

from __future__ import annotations

from typing import Any, Final

from skin_edge.model.manifest import one_line
from skin_edge_deploy.device import Device, Said
from skin_edge_deploy.errors import HostError
from skin_edge_deploy.facts import Facts, command
from skin_edge_deploy.package import Package
from skin_edge_deploy.plan import install_arguments

GARBLED: Final = 97

# Goes on by itself where the connection is lost meanwhile: sshd sends no signal without a terminal.
_SCRIPT: Final = """
[ "$(sha256sum <"$1" | cut -c 1-64)" = "$2" ] || { rm -f -- "$1"; exit %d; }
( %s )
status=$?
rm -f -- "$1"
exit $status
"""


async def install(device: Device, facts: Facts, package: Package, path: str) -> dict[str, Any] | None:
    """Have a device install and activate an upload, and return what it says of that.

    Args:
        device: the host.
        facts: of it.
        package: what the upload should be.
        path: of the upload, which is gone afterwards.

    Returns:
        The object that `model install --json` printed; None where the upload is not what was sent.

    Raises:
        HostError: it did not succeed, with the device's own code and reason; or no word came back.
    """
    said = await device.sh(
        _SCRIPT % (GARBLED, command(facts, install_arguments(device.limits, path))),
        path,
        package.sha256,
        doing="installing, which goes on there by itself",
        timeout_s=device.limits.install_timeout_s,
    )
    return None if said.status == GARBLED else _answer(device.name, said, path, package.identity)


def _answer(name: str, said: Said, path: str, identity: str) -> dict[str, Any]:
    answer = (said.objects() or [{}])[-1]
    error = answer.get("error")
    if isinstance(error, dict):
        code = one_line(str(error.get("code")), 40)
        why = one_line(str(error.get("message")).replace(path, identity))
        raise HostError(f"{name}: {why}", code=code)
    if said.status or "installed" not in answer:
        raise HostError(f"{name}: model install ended with status {said.status}: {said.last_words()}")
    return answer
