"""The station as a library: what is a beat and what is none; a capture is a row or an error, never both."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from skin_edge.config import Config
from skin_edge.errors import CameraError, ModelError, SkinEdgeError, UsageError
from skin_edge.kiosk.broadcast import FullError, Latest
from skin_edge.kiosk.hooks import Hooks
from skin_edge.kiosk.preview_feed import PreviewFeed
from skin_edge.kiosk.requests import BusyError, CaptureRequest
from skin_edge.kiosk.station import Station
from skin_edge.model.classifier import Classifier
from skin_edge.model.locate import default_bundle_path
from skin_edge.results.log import ResultsLog
from skin_edge.sections import CameraConfig, KioskConfig, ModelConfig, StateConfig


class Faulty:
    """The shipped model, which hangs or fails when told to."""

    def __init__(self) -> None:
        self._real = Classifier.load(default_bundle_path(), trusted=True)
        self.bundle = self._real.bundle
        self.error: SkinEdgeError | None = None
        self.hang = threading.Event()
        self.hangs = threading.Event()
        self.go_on = threading.Event()

    def classify(self, *args: Any, **options: Any) -> Any:
        if self.hang.is_set():
            self.hangs.set()
            self.go_on.wait(30)
        if self.error is not None:
            raise self.error
        return self._real.classify(*args, **options)


class Beats:
    def __init__(self) -> None:
        self.count = 0
        self.ended = threading.Event()

    def beat(self) -> None:
        self.count += 1


Build = Callable[..., tuple[Station, Faulty, Beats]]


@pytest.fixture
def build(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Build]:
    monkeypatch.delenv("SKIN_EDGE_HOME", raising=False)
    stations: list[tuple[Station, Faulty]] = []

    def make(source: str = "demo", camera: CameraConfig | None = None, **kiosk: Any) -> Any:
        settings = Config(
            state=StateConfig(directory=str(tmp_path / "state")),
            camera=camera or CameraConfig(),
            kiosk=KioskConfig(**{"probe_s": 0.05, "selftest_s": 0.05, **kiosk}),
        )
        model, beats = Faulty(), Beats()
        hooks = Hooks(heartbeat=beats.beat, ended=beats.ended.set)
        station = Station(settings, source, load=lambda: model, hooks=hooks)  # type: ignore[arg-type,return-value]
        stations.append((station, model))
        station.start()
        assert station.wait_open()
        return station, model, beats

    yield make
    for station, model in stations:
        model.go_on.set()
        station.stop()


def count(station: Station) -> int:
    with ResultsLog(station.settings.state_dir()) as log:
        return log.count()


def test_frames_beat(build: Build, wait_until: Any) -> None:
    _, _, beats = build("fault:none")
    wait_until(lambda: beats.count > 5)


def test_a_hang_in_the_model_is_no_beat_whatever_the_camera_does(build: Build, wait_until: Any) -> None:
    camera = CameraConfig(read_timeout_s=0.3, backoff_s=0.05, restarts=1000)
    station, model, beats = build("fault:error,after=20,times=0", camera=camera)
    wait_until(lambda: beats.count > 2)
    model.hang.set()
    assert model.hangs.wait(20)
    restarts, before = station.camera.restarts, beats.count
    wait_until(lambda: station.camera.restarts >= restarts + 2)
    assert beats.count == before, "the supervisor's restarts kept the watchdog quiet"
    model.hang.clear()
    model.go_on.set()
    wait_until(lambda: beats.count > before)


def test_each_try_to_get_a_lost_camera_back_is_a_beat(build: Build, wait_until: Any, tmp_path: Path) -> None:
    station, _, beats = build(f"replay:{tmp_path / 'nothing-there'}")
    wait_until(lambda: beats.count >= 2)
    assert station.snapshot.camera.state == "lost"
    assert station.snapshot.classified_s is None


def test_what_the_model_fails_on_is_told_and_the_next_capture_works(build: Build, wait_until: Any) -> None:
    station, model, beats = build(probe_s=60.0)
    wait_until(lambda: beats.count > 0)
    model.error = ModelError("the network failed")
    with pytest.raises(ModelError):
        station.capture(None, None).future.result(20)
    model.error = None
    assert station.capture("P", None).future.result(20).record.subject == "P"
    assert count(station) == 1


def test_a_model_that_fails_while_nobody_asks_ends_the_station(build: Build, wait_until: Any) -> None:
    station, model, beats = build("fault:none")
    wait_until(lambda: beats.count > 0)
    model.error = ModelError("the network failed")
    assert beats.ended.wait(20)
    assert isinstance(station.failure, ModelError)
    with pytest.raises(SkinEdgeError):
        station.capture(None, None).future.result(20)


def test_a_source_that_makes_no_sense_ends_it(build: Build) -> None:
    station, _, beats = build("nonsense")
    assert beats.ended.wait(20)
    assert isinstance(station.failure, UsageError)


def test_a_capture_that_is_decided_when_it_stops_is_a_row(build: Build, wait_until: Any) -> None:
    station, model, beats = build(probe_s=60.0)
    wait_until(lambda: beats.count > 0)
    model.hang.set()
    request = station.capture(None, None)
    assert model.hangs.wait(20)
    with pytest.raises(BusyError):
        station.capture(None, None)
    threading.Timer(0.3, model.go_on.set).start()
    assert station.stop()
    assert request.future.result(1).record.result_id
    assert count(station) == 1


def test_a_capture_that_waits_for_frames_when_it_stops_is_none(build: Build, wait_until: Any) -> None:
    station, _, beats = build("fault:slow,after=3,times=0,for=1.5", probe_s=60.0)
    wait_until(lambda: beats.count > 0)
    request = station.capture(None, None)
    station.stop()
    with pytest.raises(CameraError) as told:
        request.future.result(1)
    assert told.value.code == "stopping"
    assert count(station) == 0


def test_given_up_or_decided_never_both() -> None:
    for _ in range(300):
        request = CaptureRequest(None, None, 1.0)
        won: list[str] = []
        barrier = threading.Barrier(2)

        def give_up(request: CaptureRequest = request, won: list[str] = won, barrier: Any = barrier) -> None:
            barrier.wait()
            if request.expire():
                won.append("given up")

        thread = threading.Thread(target=give_up)
        thread.start()
        barrier.wait()
        if request.begin_deciding():
            won.append("decided")
        thread.join()
        assert len(won) == 1
        assert request.future.done() == (won == ["given up"])
        assert not request.future.cancel(), "whoever waits cannot take it back"


def test_other_settings_are_in_force_from_the_next_capture_on(
    build: Build, wait_until: Any, tmp_path: Path
) -> None:
    import msgspec

    station, _, beats = build(probe_s=60.0)
    wait_until(lambda: beats.count > 0)
    changed = msgspec.structs.replace(
        station.settings, state=StateConfig(directory=str(tmp_path / "state"), save_images=True)
    )
    station.apply(changed)
    wait_until(lambda: station.settings is changed)
    assert station.capture(None, None).future.result(20).record.image_path
    wrong = msgspec.structs.replace(changed, model=ModelConfig(operating_point="none"))
    station.apply(wrong)
    assert station.capture(None, None).future.result(20).record.image_path
    assert station.settings is changed, "what cannot be opened leaves the ones before in force"


async def _newest_only() -> list[tuple[int, str]]:
    import asyncio

    latest: Latest[str] = Latest(asyncio.get_running_loop(), most=1)
    seen = []
    with latest.watching():
        with pytest.raises(FullError), latest.watching():
            pass
        for text in ("a", "b", "c"):
            latest.publish(text)
        issue = await latest.after(0, 1.0)
        assert issue is not None
        seen.append((issue.number, issue.value))
        assert await latest.after(issue.number, 0.05) is None
        threading.Timer(0.05, latest.publish, ("d",)).start()
        issue = await latest.after(issue.number, 5.0)
        assert issue is not None
        seen.append((issue.number, issue.value))
        latest.forget()
        assert await latest.after(0, 0.05) is None
    assert not latest.wanted.is_set()
    begun = time.monotonic()
    asyncio.get_running_loop().call_later(0.1, latest.close)
    assert await latest.after(99, 30.0) is None
    assert time.monotonic() - begun < 5
    return seen


def test_a_watcher_gets_the_newest_and_knows_what_it_missed() -> None:
    import asyncio

    assert asyncio.run(_newest_only()) == [(3, "c"), (4, "d")]


async def _failing_feed() -> tuple[Any, bool]:
    import asyncio

    def small() -> Any:
        raise RuntimeError("the picture is no picture")

    ended = asyncio.Event()
    loop = asyncio.get_running_loop()
    latest: Latest[bytes] = Latest(loop, most=1)

    def tell() -> None:
        loop.call_soon_threadsafe(ended.set)

    feed = PreviewFeed(latest, small, lambda: 10.0, tell)
    feed.start()
    with latest.watching():
        await asyncio.wait_for(ended.wait(), 10.0)
    return feed.failure, ended.is_set()


def test_a_preview_that_fails_is_told_and_does_not_stand_still() -> None:
    import asyncio

    failure, ended = asyncio.run(_failing_feed())
    assert ended
    assert "no picture" in str(failure)


async def _cancelled_with_the_news() -> int:
    import asyncio

    loop = asyncio.get_running_loop()
    latest: Latest[str] = Latest(loop, most=100)

    async def watch() -> None:
        number = 0
        with latest.watching():
            while True:
                issue = await latest.after(number, 60.0)
                assert issue is not None
                number = issue.number

    watchers = [asyncio.ensure_future(watch()) for _ in range(100)]
    for at, watcher in enumerate(watchers):
        await asyncio.sleep(0)
        latest.publish(str(at))
        loop.call_soon(watcher.cancel)
        await asyncio.sleep(0)
    await asyncio.wait(watchers, timeout=2.0)
    left = latest.watchers
    for watcher in watchers:
        watcher.cancel()
    return left


def test_a_watcher_that_goes_in_the_moment_of_news_is_gone() -> None:
    import asyncio

    assert asyncio.run(_cancelled_with_the_news()) == 0
