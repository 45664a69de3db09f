"""Whose model store a command means."""

from __future__ import annotations

import os
from pathlib import Path

from skin_edge.config import Config


def state_dir(settings: Config) -> Path:
    """Return the state directory in force; for root on a machine with the service, that of the service.

    `sudo skin-edge model install` is meant for the device, and would else fill a store of root's own that
    nobody reads. A directory that is named, by SKIN_EDGE_HOME or in the settings, goes before.
    """
    named = os.environ.get("SKIN_EDGE_HOME") or settings.state.directory
    if named is None and os.geteuid() == 0:
        from skin_edge.service.layout import STATE_DIR, UNIT, UNIT_DIR

        if (Path("/") / UNIT_DIR / UNIT).exists():
            return Path("/") / STATE_DIR
    return settings.state_dir()
