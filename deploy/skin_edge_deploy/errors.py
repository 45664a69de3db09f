"""What can go wrong with one host; the others go on."""

from __future__ import annotations

from skin_edge.errors import HealthError


class HostError(HealthError):
    """One host was not brought to the new model.

    `code` is one of ``unreachable``, ``timeout``, ``connection-lost``, ``host-key-unknown``,
    ``host-key-changed``, ``known-hosts``, ``not-authenticated``, ``no-skin-edge``, ``too-old``, ``no-space``,
    ``not-allowed``, ``upload``, ``device``, or the code that the device's own command gave.
    """

    code = "device"
