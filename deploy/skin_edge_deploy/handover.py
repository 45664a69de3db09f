"""What the device itself does with an upload: check it, run one command on it, delete it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Final

from skin_edge.model.manifest import one_line
from skin_edge_deploy.device import Device, Said
from skin_edge_deploy.errors import HostError

GARBLED: Final = 97

# Goes on by itself where the connection is lost meanwhile: sshd sends no signal without a terminal, and what
# the command says is taken from it all the same, so that it meets no broken pipe. stdin is the command's.
# One line without single quotes, backslashes and exclamation marks: any login shell passes it on as it is.
_SCRIPT: Final = (
    "f=$1 sum=$2; shift 2; cd /; "
    '[ "$(sha256sum <"$f" | cut -c 1-64)" = "$sum" ] || { rm -f -- "$f"; exit GARBLED; }; '
    '{ { "$@" 2>&1 >&3; s=$?; echo; echo "=$s"; } | { trap "" PIPE HUP; last=; while IFS= read -r line; do '
    'case $line in "") ;; =[0-9]*) last=${line#=};; *) echo "$line" >&2 2>/dev/null;; esac; done; '
    'exit "${last:-98}"; }; } 3>&1; '
    'status=$?; rm -f -- "$f"; exit "$status"'
).replace("GARBLED", str(GARBLED))


async def hand_over(
    device: Device,
    path: str,
    sha256: str,
    command: Sequence[str],
    *,
    doing: str,
    timeout_s: float,
    stdin: bytes = b"",
    heard: Callable[[str], None] = lambda line: None,
) -> Said | None:
    """Have a device run a command on an upload, which is gone afterwards, and return what it said.

    Args:
        device: the host.
        path: of the upload.
        sha256: of what was sent, in hex.
        command: its words.
        doing: what for, as an error says it.
        timeout_s: seconds.
        stdin: what the command can read.
        heard: is told each line of its stderr as it comes.

    Returns:
        None where the upload is not what was sent; the command was not run then.

    Raises:
        HostError: no word came back.
    """
    said = await device.words(
        "sh", "-c", _SCRIPT, "sh", path, sha256, *command,
        doing=f"{doing}, which goes on there by itself", timeout_s=timeout_s, stdin=stdin, heard=heard,
    )  # fmt: skip
    return None if said.status == GARBLED else said


def answer_of(name: str, said: Said, what: str, path: str, identity: str) -> dict[str, Any]:
    """Return the object in which a device says what it installed.

    Args:
        name: of the host, for messages.
        said: by the command.
        what: command that was.
        path: of the upload, which messages name by `identity` instead.
        identity: of what was uploaded.

    Raises:
        HostError: it did not succeed, with the device's own code and reason.
    """
    answer = (said.objects() or [{}])[-1]
    error = answer.get("error")
    if isinstance(error, dict):
        code = one_line(str(error.get("code")), 40)
        why = one_line(str(error.get("message")).replace(path, identity))
        raise HostError(f"{name}: {why}", code=code)
    if said.status or "installed" not in answer:
        raise HostError(f"{name}: {what} ended with status {said.status}: {said.last_words()}")
    return answer
