"""Programs of systemd that judge units. A test without them is skipped, and says so; in CI it fails."""

from __future__ import annotations

import os
import re
import shutil
import subprocess

import pytest


def tool(name: str) -> str:
    """Return the path of a program of systemd; without it the test is skipped, in CI it fails."""
    found = shutil.which(name, path=f"{os.environ.get('PATH', os.defpath)}:/usr/lib/systemd:/usr/sbin:/sbin")
    if found is None:
        missing = f"{name} is not installed (make systemd-tools): the units are NOT verified here"
        if os.environ.get("CI") == "true":
            pytest.fail(missing)
        pytest.skip(missing)
    return found


def version() -> int:
    """Return the version of the systemd whose tools are installed."""
    said = subprocess.run([tool("systemd-analyze"), "--version"], capture_output=True, text=True, check=True)
    found = re.match(r"systemd (\d+)", said.stdout)
    assert found, said.stdout
    return int(found[1])
