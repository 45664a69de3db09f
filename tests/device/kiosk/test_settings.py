"""What the page may change is checked, whole on disk, in force at once, and never in the way of a start."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import msgspec
import pytest

from skin_edge.config import Config
from skin_edge.errors import StorageError, UsageError
from skin_edge.kiosk.overlay import PLACES, KioskSettings, Overlay, schema

POINTS = ("sensitivity-90", "sensitivity-95")


def test_they_are_laid_over_the_settings_file(tmp_path: Path) -> None:
    base = msgspec.convert({"capture": {"burst": 7, "best": 2}}, Config)
    overlay = Overlay(tmp_path, base)
    assert overlay.settings == base
    changed = overlay.change({"burst": 9, "save_images": True, "retention_days": 30}, POINTS)
    assert (changed.capture.burst, changed.capture.best) == (9, 2)
    assert changed.state.save_images
    assert changed.retention.max_result_age_days == 30
    overlay.change({"burst": None}, POINTS)
    again = Overlay(tmp_path, base).settings
    assert (again.capture.burst, again.state.save_images) == (None, True)


@pytest.mark.parametrize(
    "wrong",
    [
        {"burst": 0}, {"burst": 51}, {"burst": 1.5}, {"burst": "5"}, {"save_images": 1}, {"burts": 5},
        {"operating_point": "none-such"}, {"operating_point": ""}, {"retention_days": 0}, {"language": "xx"},
        {"preview_fps": 0}, {"preview_fps": 31}, {"preview_fps": None}, {"burst": 5, "language": "xx"},
    ],
)  # fmt: skip
def test_what_makes_no_sense_changes_nothing(tmp_path: Path, wrong: dict[str, Any]) -> None:
    overlay = Overlay(tmp_path, Config())
    with pytest.raises(UsageError) as told:
        overlay.change(wrong, POINTS)
    assert told.value.code == "settings"
    assert next(iter(reversed(wrong))) in str(told.value)
    assert not (tmp_path / "kiosk-settings.json").exists()
    assert overlay.settings == Config()


def test_what_cannot_be_written_is_not_in_force(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import skin_edge.kiosk.overlay as module

    overlay = Overlay(tmp_path, Config())
    overlay.change({"burst": 9}, POINTS)
    before = (tmp_path / "kiosk-settings.json").read_bytes()

    def full(*_: object) -> None:
        raise OSError(28, os.strerror(28))

    monkeypatch.setattr(module, "replacing", full)
    with pytest.raises(StorageError):
        overlay.change({"burst": 3}, POINTS)
    assert (tmp_path / "kiosk-settings.json").read_bytes() == before
    assert overlay.settings.capture.burst == 9


@pytest.mark.parametrize("content", [b"", b"{", b'{"burst": 99}', b'{"none": 1}', b"\xff\xfe"])
def test_a_damaged_file_is_told_and_left_out(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "kiosk-settings.json").write_bytes(content)
    overlay = Overlay(tmp_path, Config())
    assert overlay.settings == Config()
    assert "kiosk-settings.json" in (overlay.problem or "")
    overlay.change({"burst": 3}, POINTS)
    assert overlay.problem is None


def test_the_form_and_the_check_are_of_the_same_settings() -> None:
    form = {field["name"]: field for field in schema(POINTS, POINTS[0])}
    assert list(form) == list(KioskSettings.__struct_fields__) == list(PLACES)
    for name, field in form.items():
        for end in ("min", "max"):
            if end in field:
                msgspec.convert({name: field[end]}, KioskSettings)
        for value in (field.get("max", 0) + 1, field.get("min", 1) - 1):
            if "max" in field:
                with pytest.raises(msgspec.ValidationError):
                    msgspec.convert({name: value}, KioskSettings)
        if field["null"]:
            msgspec.convert({name: None}, KioskSettings)
        else:
            with pytest.raises(msgspec.ValidationError):
                msgspec.convert({name: None}, KioskSettings)
        section, key = PLACES[name]
        assert hasattr(getattr(Config(), section), key)


@pytest.fixture
def unlocked(start_kiosk: Any, wait_until: Any) -> Any:
    kiosk = start_kiosk().consent()
    kiosk.post("/api/unlock", {"pin": "2468", "repeat": "2468"})
    wait_until(lambda: kiosk.get("/healthz").status_code == 200)
    return kiosk


def test_the_page_changes_them_and_the_next_capture_has_them(
    unlocked: Any, start_kiosk: Any, wait_until: Any
) -> None:
    told = unlocked.get("/api/settings").json()
    points = next(f["choices"] for f in told["schema"] if f["name"] == "operating_point")
    assert len(points) > 1
    other = next(point for point in points if point != unlocked.capture().json()["result"]["operating_point"])
    answer = unlocked.post("/api/settings", {"operating_point": other, "save_images": True})
    assert answer.json()["values"]["operating_point"] == other
    assert not answer.json()["restart_needed"]

    def captured() -> Any:
        result = unlocked.capture().json()["result"]
        return result["operating_point"] == other and result

    result = wait_until(captured)
    assert (unlocked.state / result["image_path"]).is_file()
    assert unlocked.stop() == 0
    again = start_kiosk()
    assert again.capture().json()["result"]["operating_point"] == other


def test_the_page_is_told_what_is_wrong(unlocked: Any) -> None:
    for body in ({"burst": 99}, {"nonsense": 1}, {"operating_point": "none"}):
        refused = unlocked.post("/api/settings", body)
        assert (refused.status_code, refused.json()["error"]["code"]) == (422, "settings")
    assert not (unlocked.state / "kiosk-settings.json").exists()


def test_the_language_of_the_settings_is_that_of_the_page(unlocked: Any) -> None:
    unlocked.post("/api/settings", {"language": "ar"})
    with unlocked.browser() as browser:
        assert 'lang="ar" dir="rtl"' in browser.get("/", headers={"Accept-Language": "es"}).text
        assert 'lang="bn" dir="ltr"' in browser.get("/?lang=bn").text
        assert 'lang="bn"' in browser.get("/").text, "what was chosen is remembered"
        assert 'lang="bn"' in browser.get("/?lang=xx").text


def test_an_operating_point_that_a_new_model_lacks_does_not_keep_it_from_starting(start_kiosk: Any) -> None:
    kiosk = start_kiosk().consent()
    assert kiosk.stop() == 0
    (kiosk.state / "kiosk-settings.json").write_text(json.dumps({"operating_point": "of-another-model"}))
    again = start_kiosk()
    assert again.capture().status_code == 200
    assert "of-another-model" in "".join(again.stderr)
