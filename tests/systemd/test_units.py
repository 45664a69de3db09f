"""systemd reads the units without a word, and finds the service locked up as tightly as is claimed."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from systemd_tools import tool, version

from skin_edge.service.layout import DISPLAY_UNIT, PIECES, RECOVER_UNIT, UNIT, UNIT_DIR

ROOT = Path(__file__).resolve().parents[2]
MAX_EXPOSURE = 2.0
BACKOFF_SINCE = 254

Installed = Callable[..., Path]


def verify(unit: Path) -> str:
    """Return all that systemd-analyze says of a unit: an unknown key is no error to it, only words."""
    done = subprocess.run(
        [tool("systemd-analyze"), "verify", "--man=no", unit], capture_output=True, text=True, timeout=60
    )
    return done.stdout + done.stderr + (f"exit status {done.returncode}" if done.returncode else "")


@pytest.mark.parametrize("name", [UNIT, DISPLAY_UNIT, RECOVER_UNIT])
def test_systemd_says_nothing_of_a_unit(installed: Installed, name: str) -> None:
    assert verify(installed() / UNIT_DIR / name) == ""


def test_what_takes_back_a_release_is_there_where_there_are_releases_and_only_there(
    installed: Installed,
) -> None:
    units = installed() / UNIT_DIR
    assert values(units / UNIT, "Wants")[-1] == RECOVER_UNIT
    (there,) = values(units / RECOVER_UNIT, "ExecStart")
    prefix = units.parents[3] / "opt"
    assert there == f"/usr/bin/python3 -I {prefix}/installer.pyz recover --boot --prefix {prefix}"
    assert UNIT in values(units / RECOVER_UNIT, "Before")[0].split()
    assert values(units / RECOVER_UNIT, "ConditionPathExists") == [f"{prefix}/activation.json"]
    (units / RECOVER_UNIT).unlink()
    without = installed(executable="/bin/true") / UNIT_DIR
    assert not (without / RECOVER_UNIT).exists()
    assert verify(without / UNIT) == ""


def test_a_key_that_systemd_does_not_know_would_be_seen(installed: Installed) -> None:
    unit = installed() / UNIT_DIR / UNIT
    unit.write_text(unit.read_text().replace("[Service]\n", "[Service]\nRestartAllways=yes\n"))
    assert "RestartAllways" in verify(unit)


@pytest.mark.parametrize("name", [UNIT, DISPLAY_UNIT])
def test_the_growing_pause_is_there_where_systemd_knows_it_and_only_there(
    installed: Installed, name: str
) -> None:
    drop_in = installed(systemd=BACKOFF_SINCE) / UNIT_DIR / f"{name}.d" / "50-backoff.conf"
    said = verify(drop_in.parents[1] / name)
    assert said == "" if version() >= BACKOFF_SINCE else "RestartSteps" in said
    drop_in.unlink()
    assert not (installed(systemd=BACKOFF_SINCE - 1) / UNIT_DIR / f"{name}.d" / "50-backoff.conf").exists()


@pytest.mark.parametrize("name", [UNIT, RECOVER_UNIT])
def test_the_exposure_is_at_most_2(installed: Installed, name: str) -> None:
    done = subprocess.run(
        [
            tool("systemd-analyze"),
            "security",
            "--offline=true",
            f"--threshold={MAX_EXPOSURE * 10:.0f}",
            installed() / UNIT_DIR / name,
        ],
        capture_output=True,
        text=True,
        timeout=60,
        env={"SYSTEMD_COLORS": "0", "LANG": "C.UTF-8", "PATH": "/usr/bin:/bin"},
    )
    level = re.search(r"Overall exposure level for \S+: (\d+\.\d+)", done.stdout)
    assert level, done.stdout + done.stderr
    assert done.returncode == 0, done.stdout
    assert float(level[1]) <= MAX_EXPOSURE
    said = re.search(rf"systemd-analyze security {name}.*?(\d\.\d)", (ROOT / "docs/service.md").read_text())
    assert said
    assert float(said[1]) == float(level[1]), "docs/service.md tells another figure"


def values(unit: Path, key: str) -> list[str]:
    return re.findall(rf"^{key}=(.*)$", unit.read_text(encoding="utf-8"), re.MULTILINE)


def test_the_service_reaches_cameras_and_no_other_device(installed: Installed) -> None:
    unit = installed() / UNIT_DIR / UNIT
    assert values(unit, "DevicePolicy") == ["closed"]
    assert set(values(unit, "DeviceAllow")) == {
        f"char-{name} rw" for name in ("video4linux", "media", "dma_heap", "vcio", "vchiq", "gpiochip")
    }


@pytest.mark.parametrize("name", [UNIT, DISPLAY_UNIT])
def test_no_packet_leaves_the_machine_and_a_failure_is_never_the_last(
    installed: Installed, name: str
) -> None:
    unit = installed() / UNIT_DIR / name
    assert values(unit, "IPAddressDeny") == ["any"]
    assert values(unit, "IPAddressAllow") == ["localhost"]
    assert values(unit, "Restart") == ["always"]
    assert values(unit, "StartLimitIntervalSec") == ["0"]


def test_every_file_of_the_folder_is_installed_and_every_place_is_one_file() -> None:
    assert {piece.source for piece in PIECES} == {path.name for path in (ROOT / "systemd").iterdir()}
    assert len({piece.target for piece in PIECES}) == len(PIECES)


def test_no_placeholder_is_left(installed: Installed) -> None:
    left = [
        path
        for path in installed().rglob("*")
        if path.is_file() and re.search(r"@[A-Z_]+@", path.read_text())
    ]
    assert left == []


def test_users_and_groups_are_made_as_the_units_name_them(installed: Installed) -> None:
    root = installed(groups=("gpio",))
    done = subprocess.run(
        [tool("systemd-sysusers"), f"--root={root}", "skin-edge.conf", "skin-edge-display.conf"],
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    users = {line.split(":")[0]: line.split(":") for line in (root / "etc/passwd").read_text().splitlines()}
    for name, unit in (("skin-edge", UNIT), ("skin-edge-display", DISPLAY_UNIT)):
        assert values(root / UNIT_DIR / unit, "User") == [name]
        assert users[name][6].endswith("nologin")
    members = {
        line.split(":")[0]: line.split(":")[3] for line in (root / "etc/group").read_text().splitlines()
    }
    assert members["video"].split(",") == ["skin-edge", "skin-edge-display"]
    assert members["gpio"] == "skin-edge"


def test_the_rules_are_read_without_a_word(installed: Installed) -> None:
    rules = installed() / "etc/udev/rules.d/70-skin-edge.rules"
    if version() < 254:
        pytest.skip("udevadm verify came with systemd 254")
    done = subprocess.run([tool("udevadm"), "verify", rules], capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stderr) == (0, "")
