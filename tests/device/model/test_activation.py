"""A model is in use once it has classified a frame; else the old one is, and the reason is told."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from skin_edge.errors import BundleError, HealthError
from skin_edge.model.activation import activate, install, rollback, try_frame
from skin_edge.model.bundle import Bundle, open_bundle
from skin_edge.model.locate import active_bundle_path, default_bundle_path
from skin_edge.model.store import CURRENT, PREVIOUS, ModelStore

NETWORKS = Path(__file__).parent / "networks"
MakeBundle = Callable[..., Path]


class RecordedService:
    """A service that runs what `current` leads to, and is healthy with all models but the `bad` ones."""

    def __init__(self, store: ModelStore, bad: tuple[str, ...] = ()) -> None:
        self._store, self._bad = store, bad
        self.log: list[str] = []

    def running(self) -> bool:
        return True

    def restart(self) -> None:
        self.log.append(f"restart {self._store.target(CURRENT)}")

    def wait_healthy(self, sha256: str, timeout_s: float) -> None:
        runs = active_bundle_path(self._store.state_dir)
        assert open_bundle(runs).model_sha256 == sha256
        if self._store.target(CURRENT) in self._bad:
            raise HealthError("no frame in 1 s")
        self.log.append(f"healthy {self._store.target(CURRENT)}")


@pytest.fixture
def store(tmp_path: Path) -> ModelStore:
    return ModelStore(tmp_path / "state")


def versions(make_bundle: MakeBundle, count: int = 2) -> list[Path]:
    return [make_bundle(f"v{n}", version=f"1.0.{n}") for n in range(count)]


def put(store: ModelStore, path: Path, service: RecordedService) -> None:
    with store.locked():
        activate(store, install(store, path, None).identity, service, 1.0)


def test_the_service_restarts_with_the_new_model_and_shows_a_frame(
    store: ModelStore, make_bundle: MakeBundle
) -> None:
    service = RecordedService(store)
    for path in versions(make_bundle):
        put(store, path, service)
    assert service.log == [
        "restart tiny-1.0.0",
        "healthy tiny-1.0.0",
        "restart tiny-1.0.1",
        "healthy tiny-1.0.1",
    ]


def test_a_model_with_which_the_service_is_not_healthy_is_taken_back(
    store: ModelStore, make_bundle: MakeBundle
) -> None:
    first, second = versions(make_bundle)
    service = RecordedService(store, bad=("tiny-1.0.1",))
    put(store, first, service)
    with pytest.raises(HealthError, match=r"no frame in 1 s; tiny-1\.0\.0 is in use again") as told:
        put(store, second, service)
    assert told.value.code == "model-unhealthy"
    assert service.log[-2:] == ["restart tiny-1.0.0", "healthy tiny-1.0.0"]
    assert (store.target(CURRENT), store.target(PREVIOUS)) == ("tiny-1.0.0", None)
    assert store.activation() is None


def test_the_first_model_of_all_goes_back_to_the_shipped_one(
    store: ModelStore, make_bundle: MakeBundle
) -> None:
    service = RecordedService(store, bad=("tiny-1.0.0",))
    with pytest.raises(HealthError, match="the shipped model is in use again"):
        put(store, versions(make_bundle, 1)[0], service)
    assert active_bundle_path(store.state_dir) == default_bundle_path()


def test_ctrl_c_while_the_service_is_awaited_takes_the_model_back(
    store: ModelStore, make_bundle: MakeBundle, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second = versions(make_bundle)
    service = RecordedService(store)
    put(store, first, service)
    original = RecordedService.wait_healthy

    def interrupted(self: RecordedService, sha256: str, timeout_s: float) -> None:
        if self._store.target(CURRENT) == "tiny-1.0.1":
            raise KeyboardInterrupt
        original(self, sha256, timeout_s)

    monkeypatch.setattr(RecordedService, "wait_healthy", interrupted)
    with pytest.raises(KeyboardInterrupt):
        put(store, second, service)
    assert store.target(CURRENT) == "tiny-1.0.0"
    assert service.log[-1] == "healthy tiny-1.0.0"


def test_rollback_goes_back_and_forth(store: ModelStore, make_bundle: MakeBundle) -> None:
    service = RecordedService(store)
    with store.locked(), pytest.raises(BundleError, match="no other model has been in use"):
        rollback(store, service, 1.0)
    for path in versions(make_bundle):
        put(store, path, service)
    with store.locked():
        assert rollback(store, service, 1.0) == "tiny-1.0.0"
        assert (store.target(CURRENT), store.target(PREVIOUS)) == ("tiny-1.0.0", "tiny-1.0.1")
        assert rollback(store, service, 1.0) == "tiny-1.0.1"


def test_a_frame_is_classified_by_the_whole_of_capture(good_bundle: Path) -> None:
    try_frame(open_bundle(good_bundle))
    with pytest.raises(HealthError, match=r"no frame was classified in 0\.1 s"):
        try_frame(open_bundle(good_bundle), timeout_s=0.1)


def test_a_model_that_classifies_no_frame_does_not_come_to_the_service(
    store: ModelStore, make_bundle: MakeBundle, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second = versions(make_bundle)
    service = RecordedService(store)
    put(store, first, service)

    def dies(bundle: Bundle) -> None:
        raise HealthError("no frame was classified (status -9): nothing was said")

    monkeypatch.setattr("skin_edge.model.activation.try_frame", dies)
    before = list(service.log)
    with pytest.raises(HealthError, match=r"status -9.*tiny-1\.0\.0 stays in use"):
        put(store, second, service)
    assert service.log == before


def test_golden_vectors_that_disagree_stop_before_anything_is_written(
    store: ModelStore, make_bundle: MakeBundle
) -> None:
    wrong = make_bundle("wrong", model=(NETWORKS / "not_finite.tflite").read_bytes())
    with store.locked(), pytest.raises(BundleError, match="golden vectors"):
        install(store, wrong, None)
    assert store.installed() == []
