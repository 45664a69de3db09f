"""A file to a host and into use there: sent again where it arrived garbled."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any, Final

from skin_edge_deploy.cargo import Cargo
from skin_edge_deploy.errors import HostError
from skin_edge_deploy.upload import Folder, upload
from skin_edge_deploy.visit import Call

_TRIES: Final = 3


async def send(
    call: Call, folder: Folder, cargo: Cargo, use: Callable[[str], Awaitable[dict[str, Any] | None]]
) -> dict[str, Any]:
    """Upload a file and have it used, and return what the host says of that.

    Args:
        call: the host.
        folder: there, for the upload.
        cargo: the file.
        use: is given the path of the upload there; returns None where its bytes are not those of the file.

    Raises:
        HostError: it did not arrive, or `use` failed.
    """
    for attempt in range(_TRIES):
        uploaded = await upload(call.device, folder, cargo, call.track, afresh=attempt > 0)
        call.known.count(uploaded.sent_bytes, uploaded.resumed_bytes)
        answer = await use(uploaded.path)
        if answer is not None:
            return answer
    raise HostError(
        f"{call.device.name}: {_TRIES} times what arrived in {folder.path} was not what was sent: "
        "sha256sum is missing there, or a disk or a memory fails (dmesg)",
        code="upload",
    )
