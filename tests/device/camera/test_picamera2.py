"""The picamera2 driver, against the real package as far as that goes without a Raspberry Pi."""

from __future__ import annotations

import ast
import dataclasses
import importlib.util
import inspect
import sys
import time
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from skin_edge.camera import open_source
from skin_edge.camera.driver import DriverSettings
from skin_edge.camera.drivers import picamera2_csi
from skin_edge.camera.drivers.picamera2_csi import Picamera2Driver, list_cameras
from skin_edge.errors import CameraError

pytestmark = [
    pytest.mark.skipif(
        importlib.util.find_spec("picamera2") is None,
        reason="needs picamera2's source: pip install --no-deps picamera2",
    ),
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
]

QUICK = DriverSettings(settle_s=0.05, read_timeout_s=2.0, preview_width=320)


@pytest.fixture
def offboard() -> Iterator[Any]:
    from offboard_picamera2 import offboard

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # picamera2 calls Thread.setDaemon
        yield offboard


def opened(rest: str = "", settings: DriverSettings = QUICK) -> tuple[Picamera2Driver, Any]:
    driver = Picamera2Driver(rest, settings)
    return driver, driver.open()


def test_the_real_package_off_a_pi_is_one_clear_error() -> None:
    with pytest.raises(CameraError, match=r"libcamera is missing.*apt install python3-picamera2") as caught:
        open_source("picamera2")
    assert (caught.value.exit_code, caught.value.code) == (3, "camera-unsupported")


def test_a_package_that_fails_in_its_own_way_is_the_same_error(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "picamera2.py").write_text("raise ValueError('numpy.dtype size changed')")
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.delitem(sys.modules, "picamera2", raising=False)
    with pytest.raises(CameraError, match=r"numpy\.dtype size changed") as caught:
        picamera2_csi.load_picamera2()
    assert caught.value.code == "camera-unsupported"


def test_a_full_picture_a_preview_and_what_the_camera_says(offboard: Any) -> None:
    with offboard() as board:
        driver, granted = opened()
        assert (granted.width, granted.height, granted.notes) == (1456, 1088, ())
        assert granted.name == "imx708 (picamera2)"
        camera = board.made[-1]
        main, lores = camera.camera_config["main"], camera.camera_config["lores"]
        assert (main["size"], main["format"], lores["format"]) == ((1456, 1088), "BGR888", "YUV420")
        assert camera.camera_config["use_case"] == "still"
        out = np.zeros((1088, 1456, 3), np.uint8)
        for _ in range(3):
            out[:] = 0
            said = driver.read(out)
            assert out.min() == out.max() >= 20
        small = driver.preview()
        assert small is not None
        assert small.shape == (lores["size"][1], lores["size"][0], 3)
        assert said == {
            "exposure_us": "20001", "gain": "1.5", "colour_gains": "1.9 2.1", "lens_dioptres": "8.25",
            "sensor_timestamp_ns": "123",
        }  # fmt: skip
        driver.close()
        assert not camera.is_open


def test_every_request_goes_back_to_the_camera(offboard: Any) -> None:
    with offboard() as board:
        driver, granted = opened()
        wrong = np.zeros((16, 16, 3), np.uint8)
        before = board.made[-1].released
        with pytest.raises(Exception, match="agreed was 16x16"):
            driver.read(wrong)
        driver.read(np.zeros((granted.height, granted.width, 3), np.uint8))
        driver.close()
        assert board.made[-1].released >= before + 2


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        ({}, {"AwbEnable": True, "AfMode": 2}),
        ({"exposure_us": 8000, "gain": 2.0}, {"ExposureTime": 8000, "AnalogueGain": 2.0}),
        ({"fps": 10.0}, {"FrameDurationLimits": (100_000, 100_000)}),
        ({"autofocus": "off", "focus": 9.5}, {"AfMode": 0, "LensPosition": 9.5}),
        ({"autofocus": "once"}, {"AfMode": 1}),
        (
            {"awb": "lock", "colour_gains": (1.5, 2.5)},
            {"AwbEnable": False, "ColourGains": (1.5, 2.5)},
        ),
    ],
)
def test_settings_become_controls(offboard: Any, settings: dict[str, Any], expected: dict[str, Any]) -> None:
    with offboard() as board:
        driver, granted = opened(settings=dataclasses.replace(QUICK, **settings))
        assert board.made[-1].began_with.items() >= expected.items()
        assert granted.notes == ()
        driver.close()


def test_what_settled_is_locked_and_focus_is_triggered_once(offboard: Any) -> None:
    with offboard() as board:
        driver, _ = opened(settings=dataclasses.replace(QUICK, awb="lock", autofocus="once"))
        later = board.made[-1].controls.make_dict()
        assert later.items() >= {"AwbEnable": False, "ColourGains": (1.9, 2.1), "AfTrigger": 0}.items()
        driver.close()


def test_a_camera_without_focus_is_told_about_and_not_set(offboard: Any) -> None:
    with offboard(autofocus=False) as board:
        driver, granted = opened()
        assert granted.notes == ()
        driver.close()
        driver, granted = opened(settings=dataclasses.replace(QUICK, autofocus="off", focus=3.0))
        assert granted.notes == ("focus was asked for, the camera has a fixed one",)
        assert not {"AfMode", "LensPosition"} & set(board.made[-1].began_with)
        driver.close()


def test_an_odd_size_is_made_even(offboard: Any) -> None:
    with offboard():
        driver, granted = opened(settings=dataclasses.replace(QUICK, width=801, height=601))
        assert (granted.width, granted.height) == (800, 600)
        assert granted.notes == ("the camera gives 800x600",)
        driver.close()


def test_a_camera_that_gives_nothing_runs_into_the_time_out(offboard: Any) -> None:
    with offboard() as board:
        driver, granted = opened(settings=dataclasses.replace(QUICK, read_timeout_s=0.3))
        board.made[-1]._stopping.set()
        time.sleep(0.1)
        with pytest.raises(CameraError, match=r"no picture in 0\.3 s") as caught:
            driver.read(np.zeros((granted.height, granted.width, 3), np.uint8))
        assert caught.value.code == "camera-hang"
        driver.close()
    with offboard(frames=False):
        driver = Picamera2Driver("", dataclasses.replace(QUICK, read_timeout_s=0.2))
        with pytest.raises(CameraError, match="does not start"):
            driver.open()
        driver.close()


def test_a_number_beyond_the_list_says_how_many_there_are(offboard: Any) -> None:
    with offboard(cameras=2):
        assert len(list_cameras()) == 2
        with pytest.raises(CameraError, match="no camera number 2, it lists 2") as caught:
            opened("2")
        assert caught.value.code == "camera-missing"


def test_every_call_exists_with_that_signature_in_the_package() -> None:
    """Of the installed source, read and not imported: methods, and the keywords they are called with."""
    spec = importlib.util.find_spec("picamera2")
    assert spec is not None
    assert spec.submodule_search_locations is not None
    folder = Path(next(iter(spec.submodule_search_locations)))
    camera = methods(folder / "picamera2.py", "Picamera2")
    request = methods(folder / "request.py", "CompletedRequest")
    driver = ast.parse(inspect.getsource(picamera2_csi))
    checked = set()
    for call in (node for node in ast.walk(driver) if isinstance(node, ast.Call)):
        if not isinstance(call.func, ast.Attribute):
            continue
        owner = ast.unparse(call.func.value)
        cameras = dict.fromkeys(("camera", "self._camera", "picamera2"), camera)
        known = (cameras | {"request": request}).get(owner)
        if known is None:
            continue
        name = call.func.attr
        assert name in known, f"picamera2 has no {name}"
        arguments = known[name]
        for keyword in call.keywords:
            assert keyword.arg in arguments, f"{name}({keyword.arg}=...)"
        assert len(call.args) <= len(arguments)
        checked.add(name)
    assert checked >= {
        "global_camera_info", "create_still_configuration", "configure", "start", "set_controls", "close",
        "capture_metadata", "capture_request", "cancel_all_and_flush", "make_array", "get_metadata",
        "release", "stream_configuration",
    }  # fmt: skip


def methods(path: Path, name: str) -> dict[str, list[str]]:
    """Return the last definition of each method of a class, with its arguments but `self`."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    kind = next(n for n in ast.walk(tree) if isinstance(n, ast.ClassDef) and n.name == name)
    found = {}
    for node in kind.body:
        if isinstance(node, ast.FunctionDef):
            names = [a.arg for a in (*node.args.posonlyargs, *node.args.args, *node.args.kwonlyargs)]
            found[node.name] = [n for n in names if n != "self"]
    return found
