"""Runs skin-edge on the device and reads its JSON; what the modules of this role share."""

from __future__ import annotations

import json
import os
import pwd
from pathlib import Path

PREFIX = "/opt/skin-edge"
UNIT = Path("/etc/systemd/system/skin-edge.service")

#: Of every module of this role.
COMMON = {
    "program": {"type": "path"},
    "prefix": {"type": "path", "default": PREFIX},
    "state": {"type": "path"},
}


class DeviceError(Exception):
    """It refused or did not answer; `code` is its own, `said` what it printed."""

    def __init__(self, message, code="device", said=None):
        super().__init__(message)
        self.code = code
        self.said = said or {}


def find_program(params):
    """Return the path of skin-edge on this device; None where there is none."""
    prefix = params["prefix"]
    usual = [f"{prefix}/current/bin/skin-edge", "/usr/local/bin/skin-edge", f"{prefix}/bin/skin-edge"]
    places = [params["program"]] if params["program"] else usual
    return next((place for place in places if os.access(place, os.X_OK)), None)


def has_service():
    """Return whether systemd runs this device and skin-edge.service is installed."""
    return Path("/run/systemd/system").is_dir() and UNIT.exists()


def run(module, argv, doing, user=None):
    """Run a command of the device and return its exit status, the objects on its stdout, and its last words.

    With a user, root runs it as that one.
    """
    environment = {}
    if module.params.get("state"):
        environment["SKIN_EDGE_HOME"] = module.params["state"]
    if user is not None:
        argv = ["runuser", "-u", user, "--", *argv]
    try:
        status, out, err = module.run_command(
            argv, cwd="/", environ_update=environment, handle_exceptions=False
        )
    except OSError as error:
        raise DeviceError(f"{doing}: {error}", code="no-skin-edge") from None
    words = (err.strip() or out.strip()).splitlines()
    return status, _objects(out), words[-1].strip() if words else "nothing was said"


def answer(module, argv, doing, user=None):
    """Run a command that prints one object and return that.

    Raises:
        DeviceError: with the device's own code and message.
    """
    status, said, words = run(module, argv, doing, user)
    told = said[-1] if said else {}
    error = told.get("error")
    if isinstance(error, dict):
        raise DeviceError(f"{error.get('message')}", code=str(error.get("code")), said=told)
    if status or not told:
        raise DeviceError(f"{doing}: status {status}: {words}", said=told)
    return told


def owner_of(path):
    """Return the name of the account to which a folder belongs; None where there is no such folder."""
    try:
        return pwd.getpwuid(Path(path).stat().st_uid).pw_name
    except (OSError, KeyError):
        return None


def _objects(text):
    found = []
    for line in text.splitlines():
        try:
            value = json.loads(line)
        except ValueError:
            continue
        if isinstance(value, dict):
            found.append(value)
    return found
