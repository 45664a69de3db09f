"""The shared memory and the messages, without a process."""

from __future__ import annotations

import gc
import os
import socket
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from skin_edge.camera import wire
from skin_edge.camera.driver import DriverSettings
from skin_edge.camera.ring import PREVIEWS, SLOTS, Ring, RingLayout, make_ring_memory
from skin_edge.camera.worker import Worker

LAYOUT = RingLayout(width=64, height=48, preview_width=16, preview_height=12)


@pytest.fixture
def pair() -> Iterator[tuple[socket.socket, socket.socket]]:
    one, other = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    with one, other:
        yield one, other


def test_what_one_side_writes_the_other_sees_and_cannot_change() -> None:
    memory = make_ring_memory(LAYOUT)
    reader = Ring(os.dup(memory), LAYOUT, writable=False)
    writer = Ring(memory, LAYOUT, writable=True)
    assert (len(writer.slots), len(writer.previews)) == (SLOTS, PREVIEWS)
    for number, part in enumerate((*writer.slots, *writer.previews)):
        part[:] = number + 1
    for number, part in enumerate((*reader.slots, *reader.previews)):
        assert part.min() == part.max() == number + 1
    with pytest.raises(ValueError, match="read-only"):
        reader.slots[0][:] = 0


def test_memory_that_is_too_small_is_refused() -> None:
    small = make_ring_memory(LAYOUT)
    with pytest.raises(ValueError, match="smaller"):
        Ring(small, RingLayout(640, 480, 16, 12), writable=False)


def test_no_descriptor_and_no_name_is_left() -> None:
    def descriptors() -> int:
        gc.collect()
        return len(os.listdir("/proc/self/fd"))  # noqa: PTH208

    before = descriptors()
    ring = Ring(make_ring_memory(LAYOUT), LAYOUT, writable=True)
    one = ring.slots[1]
    del ring
    one[0, 0] = 7
    assert one[0, 0].tolist() == [7, 7, 7], "what looks into the memory keeps it"
    assert not [path for path in Path("/dev/shm").iterdir() if "skin-edge" in path.name]
    del one
    assert descriptors() == before


def test_messages_keep_their_borders_and_carry_a_descriptor(
    pair: tuple[socket.socket, socket.socket],
) -> None:
    one, other = pair
    assert wire.send(one, {"type": "beat", "number": 1})
    memory = make_ring_memory(LAYOUT)
    wire.send(one, {"type": "opened"}, memory)
    os.close(memory)
    assert wire.receive(other) == ({"type": "beat", "number": 1}, None)
    heard = wire.receive(other)
    assert heard is not None
    assert heard[0] == {"type": "opened"}
    assert heard[1] is not None
    assert os.fstat(heard[1]).st_size == LAYOUT.total_bytes
    os.close(heard[1])
    with pytest.raises(BlockingIOError):
        wire.receive(other)
    one.close()
    assert wire.receive(other) is None


def test_the_last_words_are_heard_of_a_side_that_ended_without_listening(
    pair: tuple[socket.socket, socket.socket],
) -> None:
    one, other = pair
    other.send(b"want")  # never read: the kernel reports a reset before it gives what was said
    wire.send(one, {"type": "error", "message": "why"})
    one.close()
    assert wire.receive(other) == ({"type": "error", "message": "why"}, None)
    assert wire.receive(other) is None


def test_a_listener_that_does_not_listen_is_not_waited_for(
    pair: tuple[socket.socket, socket.socket],
) -> None:
    one, _ = pair
    sent = [wire.send(one, {"type": "beat", "number": n}) for n in range(5000)]
    assert sent[0] is True
    assert sent[-1] is False


@pytest.mark.parametrize("data", [b"nonsense", b"[1]", b"\xff\xfe"])
def test_nonsense_is_a_value_error(pair: tuple[socket.socket, socket.socket], data: bytes) -> None:
    one, other = pair
    one.send(data)
    with pytest.raises(ValueError, match=r"not an object|Expecting value|decode"):
        wire.receive(other)


def test_a_picture_offered_is_not_written_until_the_next_is_wanted(
    pair: tuple[socket.socket, socket.socket],
) -> None:
    """The worker's side of the promise, step by step."""
    theirs, ours = pair
    worker = Worker(theirs, "fault", "none,fps=10000,size=64x48", DriverSettings(preview_width=16))
    ring = worker._share(worker._driver.open())
    heard = wire.receive(ours)
    assert heard is not None
    assert heard[1] is not None
    reader = Ring(heard[1], RingLayout(*heard[0]["layout"]), writable=False)
    ours.send(wire.WANT)
    worker._read(ring)
    offered = wire.receive(ours)
    assert offered is not None
    slot = reader.slots[offered[0]["slot"]]
    kept = slot.copy()
    for _ in range(5):
        worker._read(ring)
        beat = wire.receive(ours)
        assert beat is not None
        assert beat[0]["type"] == "beat"
        assert np.array_equal(slot, kept)
    ours.send(wire.WANT)
    worker._read(ring)
    following = wire.receive(ours)
    assert following is not None
    assert following[0]["dropped"] == 5
    assert following[0]["slot"] != offered[0]["slot"]
    assert not np.array_equal(reader.slots[following[0]["slot"]], kept)
    ours.send(wire.CLOSE)
    assert worker._told_to_close()
