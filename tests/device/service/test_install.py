"""What is written into a system, and that it is whole, the same again, and gone afterwards."""

from __future__ import annotations

import json
import os
import stat
import subprocess
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from skin_edge.errors import HealthError, UsageError
from skin_edge.service.apply import apply
from skin_edge.service.control import commands_before_removal, commands_to_install
from skin_edge.service.facts import gather, this_executable
from skin_edge.service.plan import Change, Plan, plan_install, plan_uninstall

RunCli = Callable[..., "subprocess.CompletedProcess[str]"]

EXECUTABLE = Path("/opt/skin-edge/bin/skin-edge")
UNITS = "etc/systemd/system"


@pytest.fixture
def image(tmp_path: Path) -> Path:
    """An image of a system with skin-edge, cage and Chromium."""
    root = tmp_path / "image"
    for path in ("opt/skin-edge/bin/skin-edge", "usr/bin/cage", "usr/bin/chromium-browser", "etc/group"):
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).touch()
    return root


def plan(root: Path, display: bool | None = None) -> Plan:
    return plan_install(gather(root, EXECUTABLE), display=display)


def files(root: Path) -> dict[str, str]:
    """Return the text of each file, and what each link points to."""
    return {
        str(path.relative_to(root)): str(path.readlink()) if path.is_symlink() else path.read_text()
        for path in root.rglob("*")
        if path.is_file() or path.is_symlink()
    }


def test_all_is_filled_in_enabled_and_readable_for_others(image: Path) -> None:
    before = os.umask(0o077)
    try:
        apply(plan(image))
    finally:
        os.umask(before)
    there = files(image)
    assert f"ExecStart={EXECUTABLE} kiosk\n" in there[f"{UNITS}/skin-edge.service"]
    display = there[f"{UNITS}/skin-edge-display.service"]
    assert "ExecStart=/usr/bin/cage -d -s -- /usr/bin/chromium-browser " in display
    assert "    http://127.0.0.1:8080/\n" in display
    for unit in ("skin-edge.service", "skin-edge-display.service"):
        assert there[f"{UNITS}/multi-user.target.wants/{unit}"] == f"/{UNITS}/{unit}"
    for path in (image / UNITS).rglob("*"):
        assert path.stat(follow_symlinks=False).st_mode & 0o044 == 0o044, path
    assert stat.S_IMODE((image / UNITS / "multi-user.target.wants").stat().st_mode) == 0o755


def test_again_changes_nothing(image: Path) -> None:
    apply(plan(image))
    before = {path: path.stat().st_ino for path in image.rglob("*") if path.is_file()}
    again = plan(image)
    assert again.changed == ()
    apply(again)
    assert {path: path.stat().st_ino for path in image.rglob("*") if path.is_file()} == before


def test_the_address_is_that_of_the_settings(image: Path) -> None:
    (image / "etc/skin-edge").mkdir()
    (image / "etc/skin-edge/config.yaml").write_text("kiosk: {port: 8123}\n")
    apply(plan(image))
    assert "http://127.0.0.1:8123/\n" in (image / UNITS / "skin-edge-display.service").read_text()


def test_without_a_display_its_files_go(image: Path) -> None:
    apply(plan(image))
    apply(plan(image, display=False))
    assert [name for name in files(image) if "display" in name] == []
    assert (image / UNITS / "skin-edge.service").exists()


def test_a_display_needs_its_programs(image: Path) -> None:
    (image / "usr/bin/cage").unlink()
    with pytest.raises(UsageError, match="needs cage: apt-get install"):
        plan(image, display=True)
    assert "skin-edge-display.service" not in plan(image).units


def test_pins_are_for_the_service_where_the_system_has_that_group(image: Path) -> None:
    apply(plan(image))
    assert "gpio" not in (image / "etc/sysusers.d/skin-edge.conf").read_text()
    (image / "etc/group").write_text("gpio:x:993:pi\n")
    apply(plan(image))
    assert (image / "etc/sysusers.d/skin-edge.conf").read_text().endswith("\nm skin-edge gpio\n")


@pytest.mark.parametrize(("library", "there"), [("252", False), ("254", True), ("257.9-1", True)])
def test_the_growing_pause_is_for_a_systemd_that_knows_it(image: Path, library: str, there: bool) -> None:
    folder = image / "usr/lib/aarch64-linux-gnu/systemd"
    folder.mkdir(parents=True)
    (folder / f"libsystemd-shared-{library}.so").touch()
    apply(plan(image))
    assert (image / UNITS / "skin-edge.service.d/50-backoff.conf").exists() is there


def test_uninstall_leaves_what_was_there_before_and_what_is_the_owners(image: Path) -> None:
    before = files(image)
    apply(plan(image))
    own = image / UNITS / "skin-edge.service.d/override.conf"
    own.parent.mkdir(exist_ok=True)
    own.write_text("[Service]\nMemoryMax=1G\n")
    state = image / "var/lib/skin-edge/results.sqlite3"
    state.parent.mkdir(parents=True)
    state.write_text("results")
    apply(plan_uninstall(image))
    assert files(image) == before | {
        f"{UNITS}/skin-edge.service.d/override.conf": own.read_text(),
        "var/lib/skin-edge/results.sqlite3": "results",
    }
    assert plan_uninstall(image).changed == ()


def test_a_unit_that_a_power_cut_emptied_is_made_anew(image: Path) -> None:
    apply(plan(image))
    unit = image / UNITS / "skin-edge.service"
    whole = unit.read_text()
    unit.write_text("")
    assert [(change.path, change.action) for change in plan(image).changed] == [(unit, "update")]
    apply(plan(image))
    assert unit.read_text() == whole


def test_a_masked_unit_is_not_unmasked_behind_its_owners_back(image: Path) -> None:
    unit = image / UNITS / "skin-edge.service"
    unit.parent.mkdir(parents=True)
    unit.symlink_to("/dev/null")
    with pytest.raises(UsageError, match="systemctl unmask"):
        plan(image)


def test_a_file_that_cannot_be_written_is_told_and_the_old_one_stays(image: Path) -> None:
    apply(plan(image))
    unit = image / UNITS / "skin-edge.service"
    unit.unlink()
    unit.mkdir()
    with pytest.raises(HealthError, match=r"skin-edge\.service"):
        apply(plan(image))


@pytest.mark.parametrize(
    "path", ["opt/skin-edge/bin/skin-edge", "/opt/skin edge", "/opt/%h/skin-edge", "/nowhere/x"]
)
def test_what_the_service_could_not_start_is_refused(image: Path, path: str) -> None:
    with pytest.raises(UsageError):
        gather(image, Path(path))


def test_the_service_starts_anew_only_where_its_unit_changed(image: Path) -> None:
    live = plan(image)
    as_live = Plan(Path("/"), tuple(_moved(live, image)), live.units)
    words = [" ".join(command) for command in commands_to_install(as_live)]
    assert "systemctl restart skin-edge.service" in words
    assert "systemctl --no-block restart skin-edge-display.service" in words
    assert words.index("systemctl daemon-reload") < words.index("systemctl enable skin-edge.service")
    apply(live)
    kept = plan(image)
    words = [
        " ".join(c) for c in commands_to_install(Plan(Path("/"), tuple(_moved(kept, image)), kept.units))
    ]
    assert "systemctl start skin-edge.service" in words
    assert not any("restart" in word or "udevadm" in word for word in words)


def test_with_another_program_behind_its_path_the_service_starts_anew_all_the_same(image: Path) -> None:
    apply(plan(image))
    kept = plan(image)
    as_live = Plan(Path("/"), tuple(_moved(kept, image)), kept.units)
    words = [" ".join(command) for command in commands_to_install(as_live, "always")]
    assert "systemctl restart skin-edge.service" in words
    assert "systemctl --no-block start skin-edge-display.service" in words


def test_while_the_system_waits_to_start_the_service_nothing_is_started(image: Path) -> None:
    live = plan(image)
    as_live = Plan(Path("/"), tuple(_moved(live, image)), live.units)
    words = [" ".join(command) for command in commands_to_install(as_live, "never")]
    assert words[-3:] == [
        "systemctl daemon-reload",
        "systemctl enable skin-edge.service",
        "systemctl enable skin-edge-display.service",
    ]
    assert not any("udevadm" in word for word in words)


def test_of_releases_the_one_in_use_is_started_and_one_that_is_not_confirmed_taken_back(image: Path) -> None:
    prefix = Path("/srv/skin-edge")
    home = image / "srv/skin-edge/releases/1"
    (home / "bin").mkdir(parents=True)
    (home / "bin/skin-edge").touch()
    (home.parents[1] / "current").symlink_to("releases/1")
    (image / "usr/bin/python3").touch()
    apply(plan_install(gather(image, prefix / "current/bin/skin-edge"), display=False))
    unit = (image / UNITS / "skin-edge-recover.service").read_text()
    assert "ExecStart=/usr/bin/python3 -I /srv/skin-edge/installer.pyz recover --boot" in unit
    apply(plan(image))  # an installation of another kind
    assert not (image / UNITS / "skin-edge-recover.service").exists()


def test_a_release_that_is_in_use_installs_the_link_that_leads_to_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("1", "2"):
        (tmp_path / "releases" / name / "bin").mkdir(parents=True)
        (tmp_path / "releases" / name / "bin" / "skin-edge").touch()
    (tmp_path / "current").symlink_to("releases/2")
    for name, found in (("2", "current"), ("1", "releases/1")):
        monkeypatch.setattr("sys.executable", str(tmp_path / "releases" / name / "bin" / "python"))
        assert this_executable() == tmp_path / found / "bin" / "skin-edge"


def test_what_runs_is_stopped_before_its_unit_goes(image: Path) -> None:
    apply(plan(image))
    gone = plan_uninstall(image)
    assert commands_before_removal(gone) == ()
    as_live = Plan(Path("/"), tuple(_moved(gone, image)), ())
    assert commands_before_removal(as_live) == (
        ("systemctl", "disable", "--now", "skin-edge-display.service", "skin-edge.service"),
    )


def test_a_display_that_is_not_wanted_any_more_is_stopped(image: Path) -> None:
    apply(plan(image))
    less = plan(image, display=False)
    as_live = Plan(Path("/"), tuple(_moved(less, image)), less.units)
    assert commands_before_removal(as_live) == (
        ("systemctl", "disable", "--now", "skin-edge-display.service"),
    )


def _moved(of: Plan, image: Path) -> list[Change]:
    """The changes of an image's plan, as if it were the running system's."""
    return [replace(change, path=Path("/") / change.path.relative_to(image)) for change in of.changes]


def test_the_command_shows_and_writes_and_removes(run_cli: RunCli, image: Path) -> None:
    options = ("--root", str(image), "--json")
    before = files(image)
    dry = run_cli("service", "install", *options, "--executable", str(EXECUTABLE), "--dry-run")
    assert (dry.returncode, files(image)) == (0, before), dry.stderr
    told = json.loads(dry.stdout)
    assert {entry["action"] for entry in told["files"]} == {"create", "keep"}
    assert told["dry_run"] is True
    apply(plan(image))
    shown = run_cli("service", "install", "--root", str(image), "--executable", "/usr/bin/cage", "--dry-run")
    assert f"-ExecStart={EXECUTABLE} kiosk" in shown.stdout
    assert "+ExecStart=/usr/bin/cage kiosk" in shown.stdout
    state = image / "var/lib/skin-edge"
    state.mkdir(parents=True)
    refused = run_cli("service", "uninstall", *options, "--purge")
    assert (refused.returncode, "--yes" in refused.stderr, state.exists()) == (2, True, True)
    assert run_cli("service", "uninstall", *options).returncode == 0
    assert state.exists()
    assert run_cli("service", "uninstall", *options, "--purge", "--yes").returncode == 0
    assert not state.exists()
    assert [name for name in files(image) if "skin-edge" in name] == ["opt/skin-edge/bin/skin-edge"]


@pytest.mark.skipif(Path("/run/systemd/system").is_dir(), reason="systemd runs this machine")
@pytest.mark.parametrize("words", [("install", "--no-display"), ("uninstall",), ("status",)])
def test_without_systemd_it_says_so_in_one_line(run_cli: RunCli, words: tuple[str, ...]) -> None:
    told = run_cli("service", *words)
    assert (told.returncode, told.stdout, told.stderr.count("\n")) == (2, "", 1)
    assert "systemd does not run this machine" in told.stderr
