"""The settings file, sound and unsound."""

from __future__ import annotations

from pathlib import Path

import pytest

from skin_edge.health.checks.registry import make_context
from skin_edge.health.checks.settings import check_config


def checked(config: Path) -> tuple[str, str, str | None]:
    finding = check_config(make_context(config, None, config.parent))
    return finding.status, finding.message, finding.fix


@pytest.fixture
def config(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.delenv("SKIN_EDGE_HOME", raising=False)
    path = tmp_path / "config.yaml"
    path.write_text("state:\n  directory: /var/lib/skin-edge\n")
    path.chmod(0o644)
    return path


def test_a_sound_file_is_ok(config: Path) -> None:
    assert checked(config) == ("ok", f"{config} is sound", None)


def test_no_file_is_ok(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    monkeypatch.setattr("skin_edge.config.SYSTEM_CONFIG", tmp_path / "none.yaml")
    finding = check_config(make_context(None, None, tmp_path))
    assert (finding.status, finding.message) == ("ok", "no settings file: the built-in defaults hold")


@pytest.mark.parametrize(("mode", "who"), [(0o666, "everybody"), (0o664, "its group")])
def test_a_file_that_others_may_write_is_a_warning(config: Path, mode: int, who: str) -> None:
    config.chmod(mode)
    status, message, fix = checked(config)
    assert (status, who in message, fix) == ("warn", True, f"chmod go-w {config}")


def test_two_state_folders_are_a_warning(config: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SKIN_EDGE_HOME", "/elsewhere")
    status, message, _ = checked(config)
    assert (status, "SKIN_EDGE_HOME" in message) == ("warn", True)


def test_a_link_that_leads_nowhere_fails(tmp_path: Path) -> None:
    link = tmp_path / "config.yaml"
    link.symlink_to(tmp_path / "gone.yaml")
    status, message, _ = checked(link)
    assert (status, "No such file" in message) == ("fail", True)


@pytest.mark.parametrize(
    "text", ["capture: [", "capture:\n  interval_s: fast\n", "\x00\x01", "x: &a 1\ny: *a\n"]
)
def test_an_unsound_file_fails(config: Path, text: str) -> None:
    config.write_text(text)
    status, message, fix = checked(config)
    assert (status, str(config) in message, "config check" in (fix or "")) == ("fail", True, True)
