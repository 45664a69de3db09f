"""The settings file: is it sound, and may nobody else change it."""

from __future__ import annotations

import os
import stat
from pathlib import Path

from skin_edge.health.checks.check import Context, Finding


def check_config(context: Context) -> Finding:
    """Is the settings file in force readable, sound, and writable by its owner only."""
    path = context.config_path
    if context.config_error is not None:
        return Finding(
            status="fail",
            message=str(context.config_error),
            fix="correct or remove that file; `skin-edge config check FILE` tells when it is right",
            data={"path": str(path), "code": context.config_error.code},
        )
    data: dict[str, object] = {"path": None if path is None else str(path), "state": str(context.state_dir)}
    if path is None:
        return Finding(status="ok", message="no settings file: the built-in defaults hold", data=data)
    if writers := _other_writers(path):
        return Finding(
            status="warn",
            message=f"{path} may be changed by {writers}, who could turn off what protects results",
            fix=f"chmod go-w {path}",
            data=data,
        )
    overridden = os.environ.get("SKIN_EDGE_HOME")
    if overridden and context.settings.state.directory is not None:
        return Finding(
            status="warn",
            message=f"SKIN_EDGE_HOME is set and goes before state.directory in {path}",
            fix="unset SKIN_EDGE_HOME, or take state.directory out, so that every user finds the same log",
            data=data,
        )
    return Finding(status="ok", message=f"{path} is sound", data=data)


def _other_writers(path: Path) -> str:
    mode = path.stat().st_mode
    if mode & stat.S_IWOTH:
        return "everybody"
    return "its group" if mode & stat.S_IWGRP else ""
