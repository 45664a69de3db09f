"""skin-edge in the machine, from its wheelhouse."""

from __future__ import annotations

from pathlib import Path

from machine import Machine
from make_vm import VENV_PATH

INSTALL_TIMEOUT_S = 600.0


def install(machine: Machine, wheel: Path) -> None:
    """Install the wheel into the machine's environment, which has all that the wheelhouse could give.

    `pip check` says whether that is all it needs; resolving it once more takes emulated minutes.
    """
    machine.copy_in(wheel, f"/opt/wheelhouse/{wheel.name}")
    machine.ssh(
        f"{VENV_PATH}/bin/pip install --quiet --disable-pip-version-check --no-index --no-deps "
        f"/opt/wheelhouse/{wheel.name} && "
        f"ln -sf {VENV_PATH}/bin/skin-edge /usr/local/bin/ && sync",
        timeout_s=INSTALL_TIMEOUT_S,
    )
