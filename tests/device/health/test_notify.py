"""The states that reach a real datagram socket, as systemd would hold it."""

from __future__ import annotations

import os
import socket
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from skin_edge.health.notify import MAX_STATUS, VARIABLE, Notifier


@pytest.fixture(params=["path", "abstract"])
def manager(
    request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[socket.socket]:
    """What systemd does: listen, and name the socket in the environment."""
    name = str(tmp_path / "notify") if request.param == "path" else f"@skin-edge-test-{os.urandom(6).hex()}"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listening:
        listening.bind(name if name[0] == "/" else "\0" + name[1:])
        listening.settimeout(5)
        monkeypatch.setenv(VARIABLE, name)
        yield listening


def test_each_state_is_one_datagram_of_sd_notify(manager: socket.socket) -> None:
    with Notifier.from_environment() as notifier:
        assert notifier.listening
        notifier.ready()
        notifier.beat()
        notifier.status("waits for\nthe camera — v4l2:0")
        notifier.stopping()
    assert [manager.recv(4096).decode() for _ in range(4)] == [
        "READY=1",
        "WATCHDOG=1",
        "STATUS=waits for the camera — v4l2:0",  # one line: a second would be another assignment
        "STOPPING=1",
    ]


def test_a_long_status_is_cut_and_not_refused(manager: socket.socket) -> None:
    with Notifier.from_environment() as notifier:
        notifier.status("x" * 1_000_000)
    assert manager.recv(1_000_000) == b"STATUS=" + b"x" * MAX_STATUS


def test_no_child_inherits_the_address(manager: socket.socket) -> None:
    with Notifier.from_environment():
        assert VARIABLE not in os.environ


def test_a_manager_that_does_not_read_hangs_nobody(manager: socket.socket) -> None:
    with Notifier.from_environment() as notifier:
        started = time.monotonic()
        for _ in range(10_000):
            notifier.beat()
        assert time.monotonic() - started < 5
    assert manager.recv(4096) == b"WATCHDOG=1"


def test_a_manager_that_is_gone_is_no_error(tmp_path: Path) -> None:
    with Notifier(str(tmp_path / "gone")) as notifier:
        notifier.ready()


def test_without_a_manager_nothing_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(VARIABLE, raising=False)
    notifier = Notifier.from_environment()
    notifier.ready()
    assert not notifier.listening
    notifier.close()
    notifier.close()


def test_what_is_no_address_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(VARIABLE, "vsock:2:1234")
    with pytest.raises(ValueError, match="vsock:2:1234"):
        Notifier.from_environment()


def test_a_closed_one_is_silent(manager: socket.socket) -> None:
    notifier = Notifier.from_environment()
    notifier.close()
    notifier.beat()
    manager.setblocking(False)
    with pytest.raises(BlockingIOError):
        manager.recv(4096)
