"""Who may read the results, and may this user open the devices: real modes, real users."""

from __future__ import annotations

import os
import pwd
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from skin_edge.health.checks.check import Context
from skin_edge.health.checks.permissions import check_devices, check_permissions
from skin_edge.results.log import FILE_NAME, ResultsLog

MakeContext = Callable[..., Context]
AsSomebodyElse = Callable[[Callable[[], Any]], Any]


@pytest.fixture
def state(tmp_path: Path) -> Path:
    with ResultsLog(tmp_path / "state"):
        pass
    return tmp_path / "state"


def test_a_folder_as_skin_edge_makes_it_is_ok(make_context: MakeContext, state: Path) -> None:
    finding = check_permissions(make_context())
    assert (finding.status, finding.data["mode"]) == ("ok", "0700")
    assert finding.data["files"][FILE_NAME] == "0600"


def test_no_folder_is_skipped(make_context: MakeContext) -> None:
    assert check_permissions(make_context()).status == "skip"


@pytest.mark.parametrize(("folder", "log"), [(0o755, 0o600), (0o700, 0o644)])
def test_one_open_door_is_a_warning(make_context: MakeContext, state: Path, folder: int, log: int) -> None:
    (state / FILE_NAME).chmod(log)
    state.chmod(folder)
    finding = check_permissions(make_context())
    assert (finding.status, finding.fix) == ("warn", f"chmod -R go= {state}")


def test_results_that_others_can_read_fail(make_context: MakeContext, state: Path) -> None:
    (state / FILE_NAME).chmod(0o644)
    state.chmod(0o755)
    finding = check_permissions(make_context())
    assert (finding.status, "other users" in finding.message) == ("fail", True)


def test_a_file_in_place_of_the_folder_fails(make_context: MakeContext, tmp_path: Path) -> None:
    (tmp_path / "state").write_text("")
    assert check_permissions(make_context()).status == "fail"


def test_a_folder_of_another_user_fails_and_names_both(
    make_context: MakeContext, open_folder: Path, as_somebody_else: AsSomebodyElse
) -> None:
    state = open_folder / "state"
    state.mkdir(mode=0o700)
    if os.geteuid() != 0:
        state.chmod(0o000)
    context = make_context(state_dir=state)
    finding = as_somebody_else(lambda: check_permissions(context))
    assert (finding.status, "may not use it" in finding.message) == ("fail", True)
    if os.geteuid() == 0:
        assert f"belongs to root and user {pwd.getpwuid(65534).pw_name}" in finding.message
    else:
        state.chmod(0o700)


def test_a_log_of_another_user_in_a_folder_of_ones_own_fails(
    make_context: MakeContext, open_folder: Path, as_somebody_else: AsSomebodyElse
) -> None:
    state = open_folder / "state"
    ResultsLog(state).close()
    if os.geteuid() == 0:  # what `sudo skin-edge capture` leaves behind
        os.chown(state, 65534, 65534)
    else:
        (state / FILE_NAME).chmod(0o000)
    context = make_context(state_dir=state)
    finding = as_somebody_else(lambda: check_permissions(context))
    assert (finding.status, "chown -R" in (finding.fix or "")) == ("fail", True)


def test_a_folder_that_cannot_even_be_reached_fails(
    make_context: MakeContext, open_folder: Path, as_somebody_else: AsSomebodyElse
) -> None:
    (open_folder / "private").mkdir(mode=0o700)
    if os.geteuid() != 0:
        (open_folder / "private").chmod(0o000)
    context = make_context(state_dir=open_folder / "private" / "state")
    finding = as_somebody_else(lambda: check_permissions(context))
    (open_folder / "private").chmod(0o700)
    assert (finding.status, "may not reach" in finding.message) == ("fail", True)


@pytest.fixture
def devices(open_folder: Path) -> Path:
    """A root with the device files of a camera; plain files, whose modes stop a user just as well."""
    (open_folder / "dev").mkdir()
    for name in ("video0", "media0", "media1"):
        (open_folder / "dev" / name).write_text("")
        (open_folder / "dev" / name).chmod(0o666)
    return open_folder


@pytest.mark.parametrize("source", ["demo", "replay:photos"])
def test_sources_without_a_device_are_skipped(make_context: MakeContext, source: str) -> None:
    assert check_devices(make_context(source=source)).status == "skip"


def test_a_camera_that_can_be_opened_is_ok(make_context: MakeContext, devices: Path) -> None:
    finding = check_devices(make_context(source="v4l2:0", root=devices))
    assert (finding.status, finding.data["open"]) == ("ok", [str(devices / "dev/video0")])


@pytest.mark.parametrize("source", ["v4l2:/dev/video0", "v4l2:0?width=1280", "v4l2:"])
def test_a_camera_is_found_however_it_is_written(
    make_context: MakeContext, devices: Path, source: str
) -> None:
    finding = check_devices(make_context(source=source, root=devices))
    assert (finding.status, finding.data["open"]) == ("ok", [str(devices / "dev/video0")])


def test_a_camera_that_is_not_there_fails(make_context: MakeContext, devices: Path) -> None:
    finding = check_devices(make_context(source="v4l2:7", root=devices))
    assert (finding.status, finding.message) == ("fail", "there is no /dev/video7")


def test_a_user_outside_the_group_is_told_how_to_join_it(
    make_context: MakeContext, devices: Path, as_somebody_else: AsSomebodyElse
) -> None:
    (devices / "dev/video0").chmod(0o600 if os.geteuid() == 0 else 0o000)
    context = make_context(source="v4l2:0", root=devices)
    finding = as_somebody_else(lambda: check_devices(context))
    assert (finding.status, "usermod -aG video" in (finding.fix or "")) == ("fail", True)


def test_one_of_several_devices_that_is_shut_is_a_warning(
    make_context: MakeContext, devices: Path, as_somebody_else: AsSomebodyElse
) -> None:
    (devices / "dev/media1").chmod(0o600 if os.geteuid() == 0 else 0o000)
    context = make_context(source="picamera2", root=devices)
    finding = as_somebody_else(lambda: check_devices(context))
    assert (finding.status, "media1" in finding.message) == ("warn", True)
