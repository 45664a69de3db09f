"""What an installation or its removal would change, file by file, before anything is changed."""

from __future__ import annotations

import difflib
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from skin_edge.errors import HealthError, UsageError
from skin_edge.service.endpoint import page_url
from skin_edge.service.facts import Facts
from skin_edge.service.layout import (
    DISPLAY_UNIT,
    PIECES,
    SYSUSERS_DIR,
    UNIT,
    UNIT_DIR,
    WANTS_DIR,
    Part,
    render,
    source_dir,
)

Action = Literal["create", "update", "remove", "keep"]


@dataclass(frozen=True, slots=True)
class Change:
    """What becomes of one file.

    Attributes:
        path: on this machine.
        action: ``keep`` where it is as it is to be.
        before, after: its text; None where there is none.
    """

    path: Path
    action: Action
    before: str | None
    after: str | None

    def diff(self) -> str:
        """Return the change as a unified diff; empty where nothing changes."""
        before, after = (self.before or "").splitlines(True), (self.after or "").splitlines(True)
        return "".join(
            difflib.unified_diff(
                before,
                after,
                str(self.path) if self.before is not None else "/dev/null",
                str(self.path) if self.after is not None else "/dev/null",
                n=1,
            )
        )


@dataclass(frozen=True, slots=True)
class Plan:
    """All files, and the units that are to run afterwards.

    Attributes:
        root: of the system.
        changes: of every file that skin-edge may have there.
        units: that are to be enabled; the others of `layout` are to be gone.
    """

    root: Path
    changes: tuple[Change, ...]
    units: tuple[str, ...]

    @property
    def changed(self) -> tuple[Change, ...]:
        """Return what is not as it is to be."""
        return tuple(change for change in self.changes if change.action != "keep")


def plan_install(facts: Facts, *, display: bool | None) -> Plan:
    """Return what makes the service be there and as it is to be.

    Args:
        facts: about the system.
        display: whether its own display shows the page; None: where cage and Chromium are installed.

    Raises:
        UsageError: a display is wanted, and cage or Chromium is missing; or a unit is masked.
        HealthError: a file cannot be read.
    """
    shown = facts.can_display if display is None else display
    if shown and not facts.can_display:
        missing = " and ".join(name for name in ("cage", "chromium") if getattr(facts, name) is None)
        raise UsageError(f"--display needs {missing}: apt-get install cage chromium", code="no-display")
    parts: set[Part] = {"service", "display"} if shown else {"service"}
    if facts.release_prefix is not None and facts.python is not None:
        parts.add("release")
    values = {
        "SKIN_EDGE": facts.executable,
        "CAGE": facts.cage or "",
        "CHROMIUM": facts.chromium or "",
        "CHVT": facts.chvt or "/usr/bin/chvt",
        "PREFIX": facts.release_prefix or "",
        "PYTHON": facts.python or "",
        "URL": page_url(facts.settings.kiosk),
    }
    sources = source_dir()
    changes = []
    for piece in PIECES:
        path, after = facts.root / piece.target, None
        if piece.part in parts and facts.systemd >= piece.since:
            after = render((sources / piece.source).read_text(encoding="utf-8"), values)
            if piece.target == SYSUSERS_DIR / "skin-edge.conf":
                after += "".join(f"m skin-edge {group}\n" for group in facts.groups)
        changes.append(_change(path, after))
    units = (UNIT, DISPLAY_UNIT) if shown else (UNIT,)
    for unit in units:
        _refuse_masked(facts.root / UNIT_DIR / unit)
    if not facts.live:
        changes += [_link(facts.root / WANTS_DIR / unit, unit in units) for unit in (UNIT, DISPLAY_UNIT)]
    return Plan(facts.root, tuple(changes), units)


def plan_uninstall(root: Path) -> Plan:
    """Return what removes every file of the service, and no state.

    Raises:
        HealthError: a file cannot be read.
    """
    changes = [_change(root / piece.target, None) for piece in reversed(PIECES)]
    changes += [_link(root / WANTS_DIR / unit, wanted=False) for unit in (UNIT, DISPLAY_UNIT)]
    return Plan(root, tuple(changes), ())


def _change(path: Path, after: str | None) -> Change:
    before = _read(path)
    if before == after:
        action: Action = "keep"
    elif after is None:
        action = "remove"
    else:
        action = "create" if before is None else "update"
    return Change(path, action, before, after)


def _link(path: Path, wanted: bool) -> Change:
    """Return the change of the link that enables a unit; as text, what it points to."""
    after = f"/{UNIT_DIR / path.name}" if wanted else None
    before = str(path.readlink()) if path.is_symlink() else None
    if before == after:
        return Change(path, "keep", before, after)
    return Change(
        path, "remove" if after is None else "create" if before is None else "update", before, after
    )


def _read(path: Path) -> str | None:
    try:
        return path.read_text(encoding="utf-8", errors="replace")
    except FileNotFoundError:
        return None
    except OSError as error:
        raise HealthError(f"{path}: cannot read it: {error.strerror}", code="install") from error


def _refuse_masked(path: Path) -> None:
    if path.is_symlink() and path.readlink() == Path("/dev/null"):
        raise UsageError(f"{path.name} is masked; systemctl unmask {path.name}, then again", code="masked")
