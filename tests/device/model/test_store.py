"""The store: bundles appear whole, links switch at once, and a cut at any step leaves one model in use."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from pathlib import Path

import pytest
from power_cut import cut_at

from skin_edge.errors import BundleError, StorageError
from skin_edge.model.activation import activate, install
from skin_edge.model.bundle import open_bundle, pack_bundle
from skin_edge.model.locate import active_bundle_path, default_bundle_path
from skin_edge.model.store import ACTIVATION, CURRENT, PREVIOUS, ModelStore

MakeBundle = Callable[..., Path]


class NoService:
    """No service runs."""

    def running(self) -> bool:
        return False

    def restart(self) -> None:
        raise AssertionError("there is none to restart")

    def wait_healthy(self, sha256: str, timeout_s: float) -> None:
        raise AssertionError("there is none to wait for")


@pytest.fixture
def store(tmp_path: Path) -> ModelStore:
    return ModelStore(tmp_path / "state")


@pytest.fixture
def versions(make_bundle: MakeBundle) -> list[Path]:
    """Four versions of one model."""
    return [make_bundle(f"v{n}", version=f"1.0.{n}") for n in range(4)]


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """The trial frame and the child process have tests of their own."""
    monkeypatch.setattr("skin_edge.model.activation.try_frame", lambda bundle: None)
    monkeypatch.setattr(
        "skin_edge.model.activation.verify_bundle", lambda path: verified(Path(path)), raising=True
    )


def verified(path: Path) -> object:
    from skin_edge.model.golden import GoldenReport
    from skin_edge.model.verify import Verification

    return Verification(open_bundle(path), GoldenReport(1, 0.0, 0.0, 0))


def put(store: ModelStore, path: Path, *, to_use: bool = True) -> None:
    with store.locked():
        done = install(store, path, None)
        if to_use:
            activate(store, done.identity, NoService(), 1.0)


def test_a_directory_and_an_archive_come_out_byte_for_byte(
    store: ModelStore, good_bundle: Path, make_bundle: MakeBundle, tmp_path: Path
) -> None:
    put(store, good_bundle, to_use=False)
    other = make_bundle("other", version="2.0.0")
    put(store, pack_bundle(other, tmp_path / "other.skinmodel"), to_use=False)
    for source, name in ((good_bundle, "tiny-1.2.3"), (other, "tiny-2.0.0")):
        there = {path.name: path.read_bytes() for path in (store.path / name).iterdir()}
        assert there == {path.name: path.read_bytes() for path in source.iterdir()}
    assert active_bundle_path(store.state_dir) == default_bundle_path()


def test_the_links_tell_what_is_in_use_and_what_was(store: ModelStore, versions: list[Path]) -> None:
    for path in versions[:3]:
        put(store, path)
    assert (store.target(CURRENT), store.target(PREVIOUS)) == ("tiny-1.0.2", "tiny-1.0.1")
    assert active_bundle_path(store.state_dir).name == "tiny-1.0.2"
    assert str((store.path / "current").readlink()) == "tiny-1.0.2"  # relative: the state directory may move
    assert not (store.path / ACTIVATION).exists()
    assert [one.identity for one in store.installed()] == ["tiny-1.0.0", "tiny-1.0.1", "tiny-1.0.2"]


def test_old_ones_go_but_never_the_two_that_are_linked(store: ModelStore, versions: list[Path]) -> None:
    for path in versions:
        put(store, path, to_use=path in versions[:2])
    assert store.prune(3) == ["tiny-1.0.2"]
    assert [one.identity for one in store.installed()] == ["tiny-1.0.0", "tiny-1.0.1", "tiny-1.0.3"]
    assert store.prune(1) == ["tiny-1.0.3"]
    assert [one.identity for one in store.installed()] == ["tiny-1.0.0", "tiny-1.0.1"]


def test_the_same_again_is_left_and_another_of_that_name_is_refused(
    store: ModelStore, good_bundle: Path, make_bundle: MakeBundle
) -> None:
    put(store, good_bundle)
    before = (store.path / "tiny-1.2.3").stat().st_ino
    put(store, good_bundle)
    assert (store.path / "tiny-1.2.3").stat().st_ino == before
    with pytest.raises(
        BundleError, match=r"tiny-1\.2\.3 is installed already with other contents"
    ) as refused:
        put(store, make_bundle("impostor", temperature=9.0))
    assert refused.value.code == "bundle-conflict"


def test_a_damaged_bundle_is_listed_as_such_and_not_put_to_use(store: ModelStore, good_bundle: Path) -> None:
    put(store, good_bundle, to_use=False)
    model = store.path / "tiny-1.2.3" / "model.tflite"
    model.write_bytes(model.read_bytes()[:-1] + b"!")
    (one,) = store.installed()
    assert one.error is not None
    assert "damaged or altered" in one.error
    with store.locked(), pytest.raises(BundleError, match="damaged or altered"):
        activate(store, "tiny-1.2.3", NoService(), 1.0)
    assert store.target(CURRENT) is None


@pytest.mark.parametrize("name", ["../state", ".lock", "tiny-9.9.9", "current", "a/b"])
def test_what_is_not_installed_is_not_put_to_use(store: ModelStore, versions: list[Path], name: str) -> None:
    put(store, versions[0])
    with store.locked(), pytest.raises(BundleError, match=r"not installed; installed: tiny-1\.0\.0"):
        activate(store, name, NoService(), 1.0)


def test_one_changes_the_store_at_a_time(store: ModelStore) -> None:
    entered = threading.Event()
    let_go = threading.Event()

    def hold() -> None:
        with store.locked():
            entered.set()
            let_go.wait(20)

    thread = threading.Thread(target=hold)
    thread.start()
    try:
        assert entered.wait(20)
        with (
            pytest.raises(StorageError, match="another command is changing the model store"),
            store.locked(0.2),
        ):
            pytest.fail("both have the lock")
    finally:
        let_go.set()
        thread.join()
    with store.locked():
        pass


def test_a_link_out_of_the_store_is_not_followed(store: ModelStore, versions: list[Path]) -> None:
    put(store, versions[0])
    (store.path / "current").unlink()
    (store.path / "current").symlink_to("../../elsewhere")
    with pytest.raises(StorageError, match="out of the model store"):
        store.target(CURRENT)


def test_cut_at_every_step_of_an_installation_one_of_two_models_is_in_use(
    tmp_path: Path, versions: list[Path]
) -> None:
    old, new = versions[:2]
    seen: set[str] = set()
    for step in range(2000):
        store = ModelStore(tmp_path / f"state{step}")
        put(store, old)
        was_cut = cut_at(step, lambda store=store: put(store, new))  # type: ignore[misc]
        # Whoever only reads finds a whole model, before anything is tidied up.
        assert open_bundle(active_bundle_path(store.state_dir)).manifest.version in ("1.0.0", "1.0.1")
        with store.locked():
            pass
        name = store.target(CURRENT)
        assert name in ("tiny-1.0.0", "tiny-1.0.1")
        assert all(one.error is None for one in store.installed())
        strays = [path.name for path in store.path.iterdir() if path.name.startswith(".staging")]
        assert strays == []
        assert store.activation() is None
        put(store, new)  # running it again finishes the work
        assert store.target(CURRENT) == "tiny-1.0.1"
        assert store.target(PREVIOUS) == "tiny-1.0.0"
        if not was_cut:
            assert step > 40
            assert seen == {"tiny-1.0.0", "tiny-1.0.1"}
            return
        seen.add(name)
    pytest.fail("the installation never came to its end")


def test_a_full_disk_is_told_and_the_old_model_stays(
    store: ModelStore, versions: list[Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    put(store, versions[0])

    def full(descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(StorageError, match="the disk is full") as told:
        put(store, versions[1])
    monkeypatch.undo()
    assert told.value.code == "storage-full"
    assert active_bundle_path(store.state_dir).name == "tiny-1.0.0"
    assert [path.name for path in store.path.iterdir() if path.name.startswith(".staging")] == []
