"""What looks at a host share: the script that is run there, and what is read of its NAME=VALUE lines."""

from __future__ import annotations

import re
from importlib.resources import files
from typing import Final

from skin_edge.model.manifest import one_line
from skin_edge_deploy.device import Device, Said
from skin_edge_deploy.errors import HostError

#: An account, as no shell and no sudoers line reads anything else.
PLAIN_NAME: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_.-]{0,63}\$?")
_SHARED: Final = "say.sh"
_UID: Final = re.compile(r"[0-9]{1,10}")


async def look(device: Device, script: str, *arguments: str) -> Said:
    """Run a script of this package on a host, and return what it prints.

    Args:
        device: the host.
        script: its file; `say.sh` goes before it.
        arguments: its $1, $2, ...

    Raises:
        HostError: no answer in time, or the connection is gone.
    """
    folder = files("skin_edge_deploy")
    text = "".join(folder.joinpath(name).read_text("utf-8") for name in (_SHARED, script))
    return await device.sh(text, *arguments, doing="looking at it", timeout_s=device.limits.facts_timeout_s)


def values(name: str, answer: Said) -> dict[str, str]:
    """Return the NAME=VALUE lines of a look that came to its end; `uid` among them is a number.

    Args:
        name: of the target, for messages.
        answer: what the script printed.

    Raises:
        HostError: it is not whole.
    """
    pairs = (line.partition("=") for line in answer.out.splitlines() if not line.startswith("{"))
    said = {key: one_line(value.strip(), 200) for key, equals, value in pairs if equals}
    if said.get("done") != "1" or not _UID.fullmatch(said.get("uid", "")):
        raise HostError(f"{name}: it does not answer as a shell does: {answer.last_words()}", code="device")
    return said


def kilobytes(text: str) -> int | None:
    """Return as bytes what `df -k` says; None where it said nothing."""
    return int(text) * 1024 if text.isdigit() else None


def shared_uploads(uid: int) -> str:
    """Return the folder of a login for uploads that another account is to read; see upload.py."""
    return f"/var/tmp/skin-edge-{uid}"  # noqa: S108 - ours alone, which is looked at before it is used
