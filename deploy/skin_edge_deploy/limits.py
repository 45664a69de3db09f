"""How long anything may take and how large it may be, in one place."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Limits:
    """Patience with one host. Time in which a person is asked something does not count.

    Attributes:
        connect_timeout_s: to be connected and logged in, each jump host for itself.
        facts_timeout_s: for a look at the host; a Pi Zero needs ten seconds to start Python.
        stall_timeout_s: of an upload in which no byte arrives.
        install_timeout_s: for `model install`, with its wait for a healthy service and the way back.
        release_timeout_s: for the installation of a release; minutes on an SD card.
        lock_wait_s: that an installation waits for another one.
        release_wait_s: that an installation of a release waits for another one, which may have minutes to go.
        close_timeout_s: for a goodbye.
        keepalive_s: between two questions whether the host is still there, where ssh_config says nothing.
        keepalive_count: questions left without an answer before the connection counts as lost.
        max_output_bytes: read of what a command on the host says.
        slice_bytes: written to the host between two looks at the clock.
        stale_upload_s: after which an upload that was never finished is deleted.
    """

    connect_timeout_s: float = 20.0
    facts_timeout_s: float = 90.0
    stall_timeout_s: float = 30.0
    install_timeout_s: float = 900.0
    release_timeout_s: float = 3600.0
    lock_wait_s: float = 120.0
    release_wait_s: float = 900.0
    close_timeout_s: float = 3.0
    keepalive_s: float = 15.0
    keepalive_count: int = 3
    max_output_bytes: int = 4_000_000
    slice_bytes: int = 128 * 1024
    stale_upload_s: float = 86_400.0
