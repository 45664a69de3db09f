"""What the capture process and its supervisor say to each other: small JSON messages over a socket pair.

The socket keeps message borders (SOCK_SEQPACKET). The capture process never waits to send: what the
supervisor does not fetch in time is dropped, so that nothing ever queues. From the supervisor come two bare
words; they are answered between two pictures.
"""

from __future__ import annotations

import array
import json
import os
import socket
from typing import Any, Final

MAX_MESSAGE_BYTES: Final = 65_536

#: The supervisor's words: the next picture is wanted, and the last one offered is done with; let go of all.
WANT: Final = b"want"
CLOSE: Final = b"close"


def send(channel: socket.socket, message: dict[str, Any], descriptor: int | None = None) -> bool:
    """Send one message, with an open descriptor where one is given; False where it would have to wait.

    Raises:
        OSError: the other side is gone.
    """
    data = json.dumps(message).encode()[:MAX_MESSAGE_BYTES]
    try:
        if descriptor is None:
            channel.send(data, socket.MSG_DONTWAIT | socket.MSG_NOSIGNAL)
        else:
            socket.send_fds(channel, [data], [descriptor], socket.MSG_NOSIGNAL)
    except BlockingIOError:
        return False
    return True


def receive(channel: socket.socket) -> tuple[dict[str, Any], int | None] | None:
    """Return the next message and the descriptor that came with it, without waiting; None at the end.

    Raises:
        BlockingIOError: nothing is there yet.
        ValueError: not a message.
    """
    # Not socket.recv_fds: up to Python 3.13 at least it drops its flags, and would wait here.
    room = socket.CMSG_SPACE(array.array("i").itemsize)
    flags = socket.MSG_DONTWAIT | socket.MSG_CMSG_CLOEXEC
    try:
        data, ancillary, _, _ = channel.recvmsg(MAX_MESSAGE_BYTES, room, flags)
    except ConnectionResetError:
        # The other side ended without reading all it was sent. The kernel says so once, before it gives what
        # that side had still to say: the cause of its end.
        data, ancillary, _, _ = channel.recvmsg(MAX_MESSAGE_BYTES, room, flags)
    descriptors = array.array("i")
    for level, kind, payload in ancillary:
        if (level, kind) == (socket.SOL_SOCKET, socket.SCM_RIGHTS):
            descriptors.frombytes(payload[: len(payload) - len(payload) % descriptors.itemsize])
    for extra in descriptors[1:]:
        os.close(extra)
    descriptor = descriptors[0] if descriptors else None
    if not data:
        return None
    try:
        message = json.loads(data)
        if not isinstance(message, dict):
            raise ValueError("not an object")
    except ValueError:
        if descriptor is not None:
            os.close(descriptor)
        raise
    return message, descriptor
