"""The units as they are installed, and systemd's own tools to judge them."""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

sys.path.append(str(Path(__file__).parent))  # `systemd_tools`

from systemd_tools import version

from skin_edge.config import Config
from skin_edge.service.facts import Facts
from skin_edge.service.plan import plan_install

Installed = Callable[..., Path]


@pytest.fixture
def installed(tmp_path: Path) -> Installed:
    """Return a function that writes what would be installed below a root, and returns that root."""

    def install(**changes: object) -> Path:
        root = tmp_path / "root"
        program = tmp_path / "opt/current/bin/skin-edge"
        program.parent.mkdir(parents=True, exist_ok=True)
        program.touch(mode=0o755)
        (root / program.parents[2].relative_to("/") / "releases").mkdir(parents=True, exist_ok=True)
        facts = Facts(
            root=root,
            executable=str(program),
            cage="/bin/true",
            chromium="/bin/true",
            chvt="/bin/true",
            python="/usr/bin/python3",
            systemd=version(),
            groups=(),
            settings=Config(),
        )
        for change in plan_install(replace(facts, **changes), display=True).changes:  # type: ignore[arg-type]
            if change.after is not None and "wants" not in change.path.parent.name:
                change.path.parent.mkdir(parents=True, exist_ok=True)
                change.path.write_text(change.after, encoding="utf-8")
        return root

    return install
