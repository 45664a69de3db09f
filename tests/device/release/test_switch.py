"""The release in use serves, or the one before does; a cut at any step leaves one of them, whole."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest
from power_cut import cut_at
from small_device import SmallDevice, play_programs, tiny_release

from skin_edge.errors import HealthError, UsageError
from skin_edge.release import programs
from skin_edge.release.serving import Systemd
from skin_edge.release.store import COMPLETE


@pytest.fixture(autouse=True)
def _played(monkeypatch: pytest.MonkeyPatch) -> None:
    play_programs(monkeypatch)


@pytest.fixture
def make_device(tmp_path: Path) -> Callable[[str], SmallDevice]:
    def make(name: str = "device") -> SmallDevice:
        (tmp_path / name / "bin").mkdir(parents=True)
        (tmp_path / name / "small").touch()
        return SmallDevice(tmp_path / name)

    return make


@pytest.fixture
def files(tmp_path: Path) -> dict[str, Path]:
    """Release files of two versions, their wheels a few bytes, by the name of the version."""
    return {version: tiny_release(tmp_path, version) for version in ("1.0.0", "1.1.0")}


def in_use(device: SmallDevice) -> str | None:
    """The version that the links lead to; and all that follows agrees with them, and is whole."""
    store = device.store
    assert store.activation() is None
    identity = store.target("current")
    if identity is None:
        assert not device.units.exists()
        assert not os.path.lexists(device.command)
        return None
    assert (store.home(identity) / COMPLETE).exists()
    assert device.units.read_text() == identity
    assert device.command.resolve() == store.program(identity).resolve()
    assert device.running.read_text() == identity
    return identity[:5]


def strays(device: SmallDevice) -> list[str]:
    half = [home.name for home in device.store.releases.iterdir() if not (home / COMPLETE).exists()]
    return half + [path.name for path in device.store.prefix.glob(".staging-*")]


def test_what_serves_follows_the_release_in_use(
    make_device: Callable[..., SmallDevice], files: dict[str, Path]
) -> None:
    device = make_device()
    device.install(files["1.0.0"])
    assert in_use(device) == "1.0.0"
    device.install(files["1.1.0"])
    assert in_use(device) == "1.1.0"
    device.rollback()
    assert in_use(device) == "1.0.0"
    device.rollback()
    assert in_use(device) == "1.1.0"
    device.install(files["1.1.0"])
    assert in_use(device) == "1.1.0"


def ill(device: SmallDevice, file: Path, releases: dict[str, str]) -> None:
    (device.root / f"ill-{releases[file.name]}").touch()


def identities(make_device: Callable[..., SmallDevice], files: dict[str, Path]) -> dict[str, str]:
    other = make_device("to-learn-names")
    for file in files.values():
        other.install(file)
    return {f"{name[:5]}.skinrelease": name for name in other.store.installed()}


def test_one_with_which_the_service_is_not_healthy_is_taken_back_with_the_reason(
    make_device: Callable[..., SmallDevice], files: dict[str, Path]
) -> None:
    names = identities(make_device, files)
    device = make_device()
    device.install(files["1.0.0"])
    ill(device, files["1.1.0"], names)
    with pytest.raises(HealthError) as told:
        device.install(files["1.1.0"])
    assert in_use(device) == "1.0.0"
    said = str(told.value)
    assert "no frame was classified" in said
    assert "journalctl -u skin-edge.service" in said
    assert said.endswith(f"{names['1.0.0.skinrelease']} is in use again")
    assert device.store.target("previous") is None


def test_a_first_one_that_is_not_healthy_leaves_a_bare_device(
    make_device: Callable[..., SmallDevice], files: dict[str, Path]
) -> None:
    names = identities(make_device, files)
    device = make_device()
    ill(device, files["1.0.0"], names)
    with pytest.raises(HealthError, match=r"no frame was classified.*; no release is in use$"):
        device.install(files["1.0.0"])
    assert in_use(device) is None
    assert device.store.installed() == [names["1.0.0.skinrelease"]]  # there, for who looks into it
    (device.root / f"ill-{names['1.0.0.skinrelease']}").unlink()
    device.install(files["1.0.0"])
    assert in_use(device) == "1.0.0"


def test_the_last_words_of_the_service_are_told(
    make_device: Callable[..., SmallDevice], files: dict[str, Path]
) -> None:
    names = identities(make_device, files)
    device = make_device()
    device.install(files["1.0.0"])
    ill(device, files["1.0.0"], names)
    said: list[str] = []
    with pytest.raises(HealthError):
        Systemd(device.store, said.append, device.command).start()
    assert "skin-edge.service: why it fell ill" in said


def test_one_that_does_not_run_is_not_tried(
    make_device: Callable[..., SmallDevice], files: dict[str, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    device = make_device()
    device.install(files["1.0.0"])
    original = programs.run

    def broken(command: list[str], doing: str) -> str:
        if command[1:] == ["--version"]:
            raise HealthError(f"{doing}: no such Python")
        return original(command, doing)

    monkeypatch.setattr(programs, "run", broken)
    with pytest.raises(HealthError, match="no such Python"):
        device.install(files["1.1.0"])
    assert in_use(device) == "1.0.0"


def test_without_another_one_there_is_nothing_to_go_back_to(
    make_device: Callable[..., SmallDevice], files: dict[str, Path]
) -> None:
    device = make_device()
    device.install(files["1.0.0"])
    with pytest.raises(UsageError, match="no other release"):
        device.rollback()


def test_the_command_of_another_is_left_alone(
    make_device: Callable[..., SmallDevice], files: dict[str, Path]
) -> None:
    device = make_device()
    device.command.write_text("#!/bin/sh\n")
    device.install(files["1.0.0"])
    assert device.command.read_text() == "#!/bin/sh\n"


def cut_everywhere(
    make: Callable[[str], SmallDevice], job: Callable[[SmallDevice], None], check: Callable[..., None]
) -> int:
    """Cut `job` at each change, boot, `check`; return at how many it was cut."""
    for step in range(3000):
        device = make(f"cut-{step}")
        was_cut = cut_at(step, lambda device=device: job(device), (programs, "run"))  # type: ignore[misc]
        device.boot()
        check(device, was_cut)
        if not was_cut:
            return step
    pytest.fail("the job never came to its end")


def test_cut_at_every_step_of_a_first_installation_the_device_is_bare_or_serves(
    make_device: Callable[..., SmallDevice], files: dict[str, Path]
) -> None:
    seen = set()

    def check(device: SmallDevice, was_cut: bool) -> None:
        if device.units.exists():
            seen.add(in_use(device))
        else:
            seen.add(None)
            assert not device.running.exists()
        device.install(files["1.0.0"])  # the same command again finishes
        assert in_use(device) == "1.0.0"
        assert strays(device) == []

    assert cut_everywhere(make_device, lambda device: device.install(files["1.0.0"]), check) > 60
    assert seen == {None, "1.0.0"}


def test_cut_at_every_step_of_an_upgrade_the_old_or_the_new_serves(
    make_device: Callable[..., SmallDevice], files: dict[str, Path]
) -> None:
    def with_old(name: str) -> SmallDevice:
        device = make_device(name)
        device.install(files["1.0.0"])
        return device

    seen = []

    def check(device: SmallDevice, was_cut: bool) -> None:
        seen.append(in_use(device))
        device.install(files["1.1.0"])
        assert in_use(device) == "1.1.0"
        assert device.store.target("previous")[:5] == "1.0.0"  # type: ignore[index]
        assert strays(device) == []

    assert cut_everywhere(with_old, lambda device: device.install(files["1.1.0"]), check) > 50
    assert set(seen) == {"1.0.0", "1.1.0"}
    assert seen == sorted(seen)  # once it is confirmed, it stays


def test_cut_at_every_step_of_taking_one_back_the_old_serves(
    make_device: Callable[..., SmallDevice], files: dict[str, Path]
) -> None:
    names = identities(make_device, files)

    def with_ill_new(name: str) -> SmallDevice:
        device = make_device(name)
        device.install(files["1.0.0"])
        ill(device, files["1.1.0"], names)
        return device

    def install(device: SmallDevice) -> None:
        with pytest.raises(HealthError):
            device.install(files["1.1.0"])

    def check(device: SmallDevice, was_cut: bool) -> None:
        assert in_use(device) == "1.0.0"
        install(device)
        assert in_use(device) == "1.0.0"
        assert strays(device) == []

    assert cut_everywhere(with_ill_new, install, check) > 70


def test_cut_at_every_step_of_taking_the_first_one_back_the_device_is_bare(
    make_device: Callable[..., SmallDevice], files: dict[str, Path]
) -> None:
    names = identities(make_device, files)

    def with_ill_first(name: str) -> SmallDevice:
        device = make_device(name)
        ill(device, files["1.0.0"], names)
        return device

    def install(device: SmallDevice) -> None:
        with pytest.raises(HealthError):
            device.install(files["1.0.0"])

    def check(device: SmallDevice, was_cut: bool) -> None:
        assert not device.running.exists()
        assert not device.units.exists()
        install(device)
        assert in_use(device) is None

    assert cut_everywhere(with_ill_first, install, check) > 70


def test_cut_at_every_step_of_a_rollback_one_of_the_two_serves(
    make_device: Callable[..., SmallDevice], files: dict[str, Path]
) -> None:
    def with_both(name: str) -> SmallDevice:
        device = make_device(name)
        device.install(files["1.0.0"])
        device.install(files["1.1.0"])
        return device

    def check(device: SmallDevice, was_cut: bool) -> None:
        found = in_use(device)
        assert found in ("1.0.0", "1.1.0")
        other = {"1.0.0": "1.1.0", "1.1.0": "1.0.0"}[found or ""]
        assert device.store.target("previous")[:5] == other  # type: ignore[index]

    assert cut_everywhere(with_both, SmallDevice.rollback, check) > 20


def test_at_boot_nothing_is_started_by_us_since_the_service_waits(
    make_device: Callable[..., SmallDevice], files: dict[str, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    device = make_device()
    device.install(files["1.0.0"])
    device.install(files["1.1.0"])
    device.store.begin(device.store.target("previous") or "", service=True)
    asked: list[list[str]] = []
    original = programs.run
    monkeypatch.setattr(
        programs, "run", lambda command, doing: asked.append(command) or original(command, doing)
    )
    device.boot()
    words = [command[1:] for command in asked]
    assert words == [["service", "install", "--executable", str(device.store.program()), "--no-start"]]
    assert in_use(device) == "1.1.0"
