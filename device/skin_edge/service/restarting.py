"""The running service as an installation of a model sees it: start anew, wait for a classified frame."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from typing import TYPE_CHECKING, Final

from skin_edge.errors import HealthError
from skin_edge.service.endpoint import Health, ask
from skin_edge.service.layout import UNIT
from skin_edge.service.unit import show, systemd_runs

if TYPE_CHECKING:
    from skin_edge.sections import KioskConfig

_RUNS: Final = ("active", "activating", "reloading")
_RESTART_TIMEOUT_S: Final = 60.0
_PAUSE_S: Final = 0.5


class SystemdService:
    """`skin-edge.service`, restarted by root through systemd, by its own user through its end."""

    def __init__(self, url: str) -> None:
        self._url = url

    @classmethod
    def of(cls, kiosk: KioskConfig) -> SystemdService:
        """Return the service whose page is where the settings say."""
        from skin_edge.service.endpoint import page_url

        return cls(page_url(kiosk))

    def running(self) -> bool:
        """True where systemd runs it or is starting it."""
        return systemd_runs() and show(UNIT).get("ActiveState") in _RUNS

    def restart(self) -> None:
        """Have systemd start it anew.

        Raises:
            HealthError: this user may not (``not-allowed``), or systemd does not.
        """
        if os.geteuid() == 0:
            done = subprocess.run(
                ["systemctl", "restart", "--no-block", UNIT],
                capture_output=True,
                text=True,
                timeout=_RESTART_TIMEOUT_S,
                check=False,
            )
            if done.returncode:
                raise HealthError(f"systemctl restart {UNIT}: {done.stderr.strip()[:200]}", code="systemctl")
            return
        unit = show(UNIT)
        process = int(unit.get("MainPID") or 0)
        if process:  # else systemd is about to start it by itself
            try:
                os.kill(process, signal.SIGTERM)  # Restart=always
            except ProcessLookupError:
                return
            except PermissionError:
                raise HealthError(
                    f"{UNIT} has to be restarted: run this as root or as {unit.get('User') or 'its user'}",
                    code="not-allowed",
                ) from None

    def wait_healthy(self, sha256: str, timeout_s: float) -> None:
        """Return once the page says that a frame was classified with the model of that SHA-256.

        Raises:
            HealthError: it has not in `timeout_s` seconds.
        """
        until = time.monotonic() + timeout_s
        while True:
            health = ask(self._url)
            if health.ok and _sha256(health) == sha256:
                return
            if time.monotonic() >= until:
                why = health.why if not health.ok else "it still runs another model"
                raise HealthError(f"{UNIT} classified no frame with it in {timeout_s:g} s: {why}")
            time.sleep(_PAUSE_S)


def _sha256(health: Health) -> object:
    model = health.data.get("model")
    return model.get("sha256") if isinstance(model, dict) else None
