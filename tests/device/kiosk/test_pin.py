"""The PIN: hashed, private, tried slowly, and neither a restart nor a pulled plug gives a free try."""

from __future__ import annotations

import json
import os
import stat
from pathlib import Path
from typing import Any

import pytest

from skin_edge.errors import StorageError
from skin_edge.kiosk.pin import FIRST_WAIT_S, FREE_TRIES, MOST_WAIT_S, Pin, TooManyTriesError, WrongPinError
from skin_edge.kiosk.unlocks import COOKIE, Unlocks


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def pin(tmp_path: Path, clock: Clock) -> Pin:
    pin = Pin(tmp_path, clock=clock)
    pin.set("2468")
    return pin


def wrong(pin: Pin, times: int = 1) -> None:
    for _ in range(times):
        with pytest.raises(WrongPinError):
            pin.check("0000")


def test_it_is_kept_as_a_slow_hash_in_a_private_file(pin: Pin, tmp_path: Path) -> None:
    file = tmp_path / "kiosk-pin.json"
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    kept = json.loads(file.read_text())
    assert kept["hash"].startswith("$argon2id$")
    assert "2468" not in file.read_text()
    pin.check("2468")


def test_after_some_wrong_ones_it_waits_longer_and_longer(pin: Pin, clock: Clock) -> None:
    wrong(pin, FREE_TRIES)
    for wait_s in (FIRST_WAIT_S, 2 * FIRST_WAIT_S, 4 * FIRST_WAIT_S):
        with pytest.raises(TooManyTriesError) as told:
            pin.check("2468")
        assert told.value.retry_after_s == pytest.approx(wait_s)
        clock.now += wait_s - 0.1
        with pytest.raises(TooManyTriesError):
            pin.check("2468")
        clock.now += 0.2
        wrong(pin)
    clock.now += MOST_WAIT_S
    pin.check("2468")
    wrong(pin, FREE_TRIES - 1)  # the right one has cleared the count


def test_waits_have_an_upper_bound(pin: Pin, clock: Clock) -> None:
    wrong(pin, FREE_TRIES)
    for _ in range(12):
        clock.now += MOST_WAIT_S + 1
        wrong(pin)
    with pytest.raises(TooManyTriesError) as told:
        pin.check("2468")
    assert told.value.retry_after_s <= MOST_WAIT_S


def test_a_restart_forgives_nothing(pin: Pin, tmp_path: Path) -> None:
    wrong(pin, FREE_TRIES)
    with pytest.raises(TooManyTriesError) as told:
        Pin(tmp_path, clock=Clock()).check("2468")
    assert told.value.retry_after_s == pytest.approx(FIRST_WAIT_S)


def test_a_try_counts_before_it_is_looked_at(
    pin: Pin, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import skin_edge.kiosk.pin as module

    class Unplugged(BaseException):
        pass

    class Hasher:
        def verify(self, *_: object) -> None:
            raise Unplugged

    monkeypatch.setattr(module, "_HASHER", Hasher())
    with pytest.raises(Unplugged):
        pin.check("2468")
    assert json.loads((tmp_path / "kiosk-pin.json").read_text())["failures"] == 1


def test_a_try_that_cannot_be_counted_is_not_made(pin: Pin, monkeypatch: pytest.MonkeyPatch) -> None:
    import skin_edge.kiosk.pin as module

    def full(*_: object) -> None:
        raise OSError(28, os.strerror(28))

    monkeypatch.setattr(module, "replacing", full)
    with pytest.raises(StorageError) as told:
        pin.check("2468")
    assert told.value.code == "storage-full"


def test_a_damaged_file_is_an_error_and_no_open_door(tmp_path: Path) -> None:
    (tmp_path / "kiosk-pin.json").write_text("{}")
    with pytest.raises(StorageError, match="no PIN file"):
        Pin(tmp_path)


def test_unlocking_ends_by_itself_and_for_each_browser_alone() -> None:
    clock = Clock()
    unlocks = Unlocks(clock)
    first, second = unlocks.open(900.0), unlocks.open(1800.0)
    assert first != second
    assert unlocks.is_open({COOKIE: first})
    clock.now += 899
    assert unlocks.is_open({COOKIE: first})
    clock.now += 2
    assert not unlocks.is_open({COOKIE: first})
    assert unlocks.is_open({COOKIE: second})
    unlocks.close({COOKIE: second})
    assert not unlocks.is_open({COOKIE: second})
    assert not unlocks.is_open({})
    assert not unlocks.is_open({COOKIE: ""})


def test_unlocks_are_bounded() -> None:
    unlocks = Unlocks()
    cookies = [unlocks.open(900.0 + at) for at in range(100)]
    assert [unlocks.is_open({COOKIE: cookie}) for cookie in cookies].count(True) == 64
    assert unlocks.is_open({COOKIE: cookies[-1]})


def code(answer: Any) -> tuple[int, str | None]:
    return answer.status_code, answer.json().get("error", {}).get("code")


def test_the_page_sets_it_once_and_is_locked_out_without_it(start_kiosk: Any) -> None:
    kiosk = start_kiosk()
    assert code(kiosk.get("/api/settings")) == (403, "pin-unset")
    assert code(kiosk.post("/api/unlock", {"pin": "2468"})) == (409, "pin-unset")
    assert code(kiosk.post("/api/unlock", {"pin": "2468", "repeat": "2469"})) == (422, "pin-repeat")
    for bad in ("123", "1234567890123", "12a4", "", 1234):
        assert code(kiosk.post("/api/unlock", {"pin": bad, "repeat": bad})) == (422, "body")
    opened = kiosk.post("/api/unlock", {"pin": "2468", "repeat": "2468"})
    assert opened.json() == {"locked": False, "expires_s": 900.0}
    cookie = opened.headers["set-cookie"].lower()
    assert "httponly" in cookie
    assert "samesite=strict" in cookie
    assert "max-age=900" in cookie
    assert not kiosk.snapshot()["locked"]
    assert kiosk.get("/api/settings").status_code == 200
    with kiosk.browser() as other:
        assert other.get("/api/state").json()["locked"]
        assert code(other.get("/api/settings")) == (403, "locked")
    assert kiosk.post("/api/lock").json() == {"locked": True}
    assert code(kiosk.get("/api/settings")) == (403, "locked")
    again = kiosk.post("/api/unlock", {"pin": "1357", "repeat": "1357"})
    assert code(again) == (403, "pin-wrong"), "a PIN that is set is not set again by whoever comes"
    assert kiosk.post("/api/unlock", {"pin": "2468"}).status_code == 200


def test_another_pin_is_set_from_inside_and_locks_the_others(start_kiosk: Any) -> None:
    kiosk = start_kiosk()
    assert code(kiosk.post("/api/pin", {"pin": "1111", "repeat": "1111"})) == (403, "pin-unset")
    kiosk.post("/api/unlock", {"pin": "2468", "repeat": "2468"})
    ours = dict(kiosk.http.cookies)
    assert kiosk.post("/api/pin", {"pin": "1357", "repeat": "1357"}).status_code == 200
    assert kiosk.get("/api/settings").status_code == 200
    with kiosk.browser() as other:
        other.cookies.update(ours)
        assert other.get("/api/settings").status_code == 403
    kiosk.post("/api/lock")
    assert code(kiosk.post("/api/unlock", {"pin": "2468"})) == (403, "pin-wrong")
    assert kiosk.post("/api/unlock", {"pin": "1357"}).status_code == 200


def test_wrong_ones_are_slowed_down_and_a_restart_does_not_help(start_kiosk: Any) -> None:
    kiosk = start_kiosk()
    kiosk.post("/api/unlock", {"pin": "2468", "repeat": "2468"})
    kiosk.post("/api/lock")
    tries = [kiosk.post("/api/unlock", {"pin": f"000{at}"}) for at in range(FREE_TRIES + 1)]
    assert [code(t) for t in tries] == [(403, "pin-wrong")] * FREE_TRIES + [(429, "pin-wait")]
    assert 0 < int(tries[-1].headers["retry-after"]) <= FIRST_WAIT_S
    kiosk.process.kill()
    kiosk.process.wait()
    again = start_kiosk()
    refused = again.post("/api/unlock", {"pin": "2468"})
    assert code(refused) == (429, "pin-wait")
    assert int(refused.headers["retry-after"]) > 15
