"""All checks in the order in which they are run, and the running: one that crashes takes no other with it."""

from __future__ import annotations

import logging
import subprocess
from collections.abc import Callable, Iterator, Sequence
from importlib import import_module
from pathlib import Path

import msgspec

from skin_edge.config import Config, find_config, load_config
from skin_edge.errors import ConfigError, SkinEdgeError, UsageError
from skin_edge.health.checks.check import Context, Finding, Result
from skin_edge.health.checks.child import how_it_ended, run_child
from skin_edge.health.platform import Platform
from skin_edge.sections import DEFAULT_SOURCE

_log = logging.getLogger(__name__)

Check = Callable[[Context], Finding]

#: Name -> where its function is; imported when it runs, so that what is broken there is that check's finding.
CHECKS: dict[str, str] = {
    "software": "software:check_software",
    "config": "settings:check_config",
    "model": "model:check_model",
    "camera": "camera:check_camera",
    "disk": "storage:check_disk",
    "log": "storage:check_log",
    "permissions": "permissions:check_permissions",
    "devices": "permissions:check_devices",
    "clock": "machine:check_clock",
    "temperature": "machine:check_temperature",
    "throttling": "machine:check_throttling",
    "power": "machine:check_power",
    "service": "service:check_service",
}


#: These load numpy, OpenCV and the runtime, where wheels for another processor crash the whole process.
ISOLATED = frozenset({"software", "model"})
ISOLATED_TIMEOUT_S = 120.0


def make_context(config: Path | None, source: str | None, root: Path = Path("/")) -> Context:
    """Read the settings and the machine once for all checks; wrong settings are kept for the check of them.

    Raises:
        ConfigError: the place of the state folder cannot even be told.
    """
    error: ConfigError | None = None
    try:
        settings = load_config(config)
    except ConfigError as caught:
        settings, error = Config(), caught
    with Platform(root) as platform:
        readings = platform.read()
    return Context(
        settings=settings,
        config_path=find_config(config),
        config_error=error,
        source=source or settings.capture.source or DEFAULT_SOURCE,
        state_dir=settings.state_dir(),
        readings=readings,
        root=root,
    )


def chosen(names: Sequence[str]) -> tuple[str, ...]:
    """Return the names in the order in which they are run; all where none is given.

    Raises:
        UsageError: there is no such check.
    """
    for name in names:
        if name not in CHECKS:
            raise UsageError(f"no such check {name!r}; there are {', '.join(CHECKS)}")
    return tuple(name for name in CHECKS if not names or name in names)


def run(names: Sequence[str], context: Context) -> Iterator[Result]:
    """Yield the result of each check as it is known."""
    for name in names:
        finding = _run_one(name, context)
        yield Result(
            name=name, status=finding.status, message=finding.message, fix=finding.fix, data=finding.data
        )


def _run_one(name: str, context: Context) -> Finding:
    try:
        return _in_child(name, context) if name in ISOLATED else find(name, context)
    except SkinEdgeError as error:
        return Finding(status="fail", message=_one_line(str(error)), data={"code": error.code})
    except Exception as error:  # noqa: BLE001 - whatever is broken in one check, the others are still told
        _log.debug("the check %s failed", name, exc_info=True)
        return Finding(
            status="fail",
            message=_one_line(f"the check itself failed: {type(error).__name__}: {error}"),
            fix=f"report it with what `skin-edge --verbose doctor --only {name}` shows",
            data={"code": "check-crashed"},
        )


def find(name: str, context: Context) -> Finding:
    """Run one check in this process."""
    module, _, function = CHECKS[name].partition(":")
    check: Check = getattr(import_module(f"skin_edge.health.checks.{module}"), function)
    return check(context)


def _in_child(name: str, context: Context) -> Finding:
    config = [] if context.config_path is None else [str(context.config_path)]
    try:
        done = run_child("skin_edge.health.checks.isolated", name, *config, timeout_s=ISOLATED_TIMEOUT_S)
        return msgspec.json.decode(done.stdout, type=Finding)
    except subprocess.TimeoutExpired:
        what = f"it did not end within {ISOLATED_TIMEOUT_S:g} s"
    except msgspec.DecodeError:
        what = f"its process {how_it_ended(done)}"
    return Finding(
        status="fail",
        message=_one_line(f"the check cannot be made: {what}"),
        fix="install skin-edge again in a fresh virtual environment, with wheels that fit this processor",
        data={"code": "check-crashed"},
    )


def _one_line(text: str) -> str:
    return " ".join(text.split())[:600]
