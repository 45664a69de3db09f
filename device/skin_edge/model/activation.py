"""Put a model to use: see a classified frame, switch, restart the service, and confirm or switch back.

Nothing counts as in use before it has classified a frame on this machine: first in a process of its own, then
in the service where that runs. What fails is undone, with the reason; what is cut short is undone later.
"""

from __future__ import annotations

import json
import logging
import os
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Protocol

from skin_edge.errors import BundleError, HealthError, SkinEdgeError
from skin_edge.model.bundle import Bundle, open_bundle
from skin_edge.model.locate import default_bundle_path
from skin_edge.model.manifest import one_line
from skin_edge.model.signature import check_signature
from skin_edge.model.store import CURRENT, PREVIOUS, ModelStore
from skin_edge.model.verify import Verification, verify_bundle

logger = logging.getLogger(__name__)

SHIPPED: Final = "shipped"
_SHIPPED_NAME: Final = "the shipped model"
UNHEALTHY: Final = "model-unhealthy"
#: A cold start and one frame take about ten seconds on a Pi Zero 2, and twenty in an emulated machine.
TRIAL_TIMEOUT_S: Final = 120.0


class Service(Protocol):
    """The service that uses the model, where one runs."""

    def running(self) -> bool:
        """True where it runs or is being started."""

    def restart(self) -> None:
        """Have it start anew.

        Raises:
            HealthError: this user may not.
        """

    def wait_healthy(self, sha256: str, timeout_s: float) -> None:
        """Return once it has classified a frame with the model of that SHA-256.

        Raises:
            HealthError: it has not in that time; says what it answered last.
        """


@dataclass(frozen=True, slots=True)
class Installation:
    """What an installation did.

    Attributes:
        verification: the bundle, and how close its golden vectors came.
        path: where it lies.
        signed_by: who signed it; None where that was not asked for.
        was_there: it had been installed before.
    """

    verification: Verification
    path: Path
    signed_by: str | None
    was_there: bool

    @property
    def identity(self) -> str:
        """NAME-VERSION."""
        return self.verification.bundle.manifest.identity


def install(store: ModelStore, path: Path, allowed: Path | None) -> Installation:
    """Check a bundle, prove it on this machine, and put it in the store; the lock must be held.

    Args:
        store: where to.
        path: a bundle directory or `.skinmodel` file, a USB stick's for example.
        allowed: file of allowed signers; None asks for no signature.

    Raises:
        BundleError: it must not be used.
        ModelError: this machine runs no model.
        StorageError: the disk does not take it.
    """
    bundle = open_bundle(path)
    signed_by = None if allowed is None else check_signature(bundle, allowed)
    verification = verify_bundle(path)
    if verification.bundle.manifest_yaml != bundle.manifest_yaml:
        raise BundleError(f"bundle {one_line(str(path))}: it changed while it was verified; try again")
    was_there = (store.path / bundle.manifest.identity).exists()
    placed = store.place(bundle)
    logger.info("%s: installed in %s", bundle.manifest.identity, placed)
    return Installation(verification, placed, signed_by, was_there)


def activate(store: ModelStore, identity: str | None, service: Service, timeout_s: float) -> bool:
    """Put an installed model to use, `None` the shipped one; the lock must be held.

    Args:
        store: where it lies.
        identity: NAME-VERSION.
        service: what uses it.
        timeout_s: seconds in which the service has to show a classified frame.

    Returns:
        False where it was in use already.

    Raises:
        BundleError: it is not installed, or not whole.
        HealthError: with it, no frame could be classified (``model-unhealthy``); the old one is in use.
        StorageError: the disk does not take the switch.
    """
    before = store.target(CURRENT)
    if before == identity:
        return False
    bundle = verify_bundle(_directory(store, identity)).bundle
    try:
        try_frame(bundle)
    except HealthError as error:
        raise _not_used(identity, error, f"{before or _SHIPPED_NAME} stays in use") from error
    activation = store.begin(identity)
    served = False
    try:
        if service.running():
            served = True
            logger.info("restarting the service with %s", identity or SHIPPED)
            service.restart()
            service.wait_healthy(bundle.model_sha256, timeout_s)
        store.commit()
    except BaseException as error:
        store.undo(activation)
        if served:
            _return_to(store, before, service, timeout_s)
        if isinstance(error, HealthError):
            raise _not_used(identity, error, f"{before or _SHIPPED_NAME} is in use again") from error
        raise
    return True


def _not_used(identity: str | None, error: HealthError, instead: str) -> HealthError:
    return HealthError(f"{identity or SHIPPED}: not put to use: {error}; {instead}", code=UNHEALTHY)


def rollback(store: ModelStore, service: Service, timeout_s: float) -> str:
    """Put the model to use that was in use before this one, and return its identity; the lock must be held.

    Raises:
        BundleError: there is none (``no-previous``).
        HealthError, StorageError: as `activate`.
    """
    previous = store.target(PREVIOUS)
    if previous is None and store.target(CURRENT) is None:
        raise BundleError("no other model has been in use here", code="no-previous")
    activate(store, previous, service, timeout_s)
    return previous or SHIPPED


def try_frame(bundle: Bundle, timeout_s: float = TRIAL_TIMEOUT_S) -> None:
    """Classify one drawn frame with a bundle through the whole of `capture`, in a process of its own.

    Raises:
        HealthError: it gave no decision.
    """
    # The shipped settings and a log of its own: a trial shows whether the model works, not the configuration.
    with tempfile.TemporaryDirectory(prefix="skin-edge-trial-") as home:
        (Path(home) / "config.yaml").touch()
        command = [sys.executable, "-m", "skin_edge", "capture", "--source", "demo", "--once", "--json"]
        command += ["--config", f"{home}/config.yaml", "--model", str(bundle.origin)]
        environment = os.environ | {"SKIN_EDGE_HOME": home, "PYTHONSAFEPATH": "1"}
        try:
            done = subprocess.run(
                command, env=environment, capture_output=True, timeout=timeout_s, check=False, cwd=home
            )
        except subprocess.TimeoutExpired:
            raise HealthError(f"no frame was classified in {timeout_s:g} s") from None
    try:
        decided = json.loads(done.stdout)["model"]["sha256"] == bundle.model_sha256
    except (ValueError, KeyError, TypeError):
        decided = False
    if done.returncode or not decided:
        said = done.stderr.decode("utf-8", "replace").strip().splitlines() or ["nothing was said"]
        raise HealthError(f"no frame was classified (status {done.returncode}): {one_line(said[-1], 200)}")


def _directory(store: ModelStore, identity: str | None) -> Path:
    return default_bundle_path() if identity is None else store.directory(identity)


def _return_to(store: ModelStore, before: str | None, service: Service, timeout_s: float) -> None:
    """Start the service with the old model again; that it fails too is said, but hides no first reason."""
    try:
        service.restart()
        service.wait_healthy(open_bundle(_directory(store, before)).model_sha256, timeout_s)
    except SkinEdgeError as error:
        logger.error("the service is not healthy with the old model either: %s", error)
