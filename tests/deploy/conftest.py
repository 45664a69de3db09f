"""A workstation with its own home, devices on loopback, and bundles good and bad."""

from __future__ import annotations

import io
import os
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest

HERE = Path(__file__).resolve().parent
sys.path.append(str(HERE))

from loopback import SSHD, Host, keygen  # noqa: E402
from pi import Pi  # noqa: E402
from releases import make_release  # noqa: E402
from terminal import Session, at_terminal  # noqa: E402
from workstation import MakeBundle, MakeHost, RunCli, Sit, Workstation  # noqa: E402

from skin_edge.model.bundle import open_bundle, pack_bundle, write_bundle  # noqa: E402
from skin_edge.model.locate import default_bundle_path  # noqa: E402

WITHOUT_SSHD = "needs OpenSSH's server: apt-get install openssh-server (make ssh-server)"


@pytest.fixture(scope="session", autouse=True)
def _sshd() -> None:
    if SSHD is None:
        if os.environ.get("CI") == "true":
            pytest.fail(WITHOUT_SSHD)
        pytest.skip(WITHOUT_SSHD)


@pytest.fixture
def cli_env(cli_env: dict[str, str]) -> dict[str, str]:
    """That of `tests/conftest.py`, without an agent of whoever runs the tests."""
    return {k: v for k, v in cli_env.items() if k not in ("SSH_AUTH_SOCK", "SSH_ASKPASS", "DISPLAY")}


@pytest.fixture
def station(run_cli: RunCli, cli_env: dict[str, str]) -> Workstation:
    """A workstation with one key and an empty known_hosts."""
    made = Workstation(Path(cli_env["HOME"]), run_cli)
    keygen(made.key)
    return made


@pytest.fixture
def sit(cli_script: str, cli_env: dict[str, str], tmp_path: Path) -> Sit:
    """Run `skin-edge deploy ARGS` at a terminal."""

    def run(*args: object) -> Session:
        env = {**cli_env, "TERM": "xterm-256color", "COLUMNS": "200", "LINES": "50"}
        return at_terminal([cli_script, "deploy", *map(str, args)], env, tmp_path)

    return run


@pytest.fixture
def make_host(tmp_path: Path, station: Workstation) -> Iterator[MakeHost]:
    """Start a device: `make_host("name", known=False, ...)`, more as `Host` takes it."""
    made: list[Host] = []

    def make(name: str = "device", *, known: bool = True, start: bool = True, **options: object) -> Host:
        authorized = options.pop("authorized", station.key.with_suffix(".pub"))
        host = Host(tmp_path / "hosts" / name, authorized, **options)  # type: ignore[arg-type]
        made.append(host)
        if known:
            station.know(host)
        return host.start() if start else host

    yield make
    for host in made:
        host.stop()


@pytest.fixture
def host(make_host: MakeHost) -> Host:
    """A device that the workstation knows."""
    return make_host()


@pytest.fixture
def make_bundle(tmp_path: Path) -> MakeBundle:
    """Pack a bundle like the shipped one: `make_bundle("1.2.0", model=b"...", golden=b"...")`."""

    def make(version: str = "9.0.0", *, name: str = "ham-student", **changes: object) -> Path:
        shipped = open_bundle(default_bundle_path())
        parts = {
            "model": changes.pop("model", shipped.model),
            "golden": changes.pop("golden", shipped.golden),
            "model_card": changes.pop("model_card", shipped.model_card),
        }
        manifest = msgspec.structs.replace(shipped.manifest, name=name, version=version, **changes)
        folder = write_bundle(tmp_path / "bundles" / manifest.identity, manifest, **parts)  # type: ignore[arg-type]
        return pack_bundle(folder, folder.with_name(f"{manifest.identity}.skinmodel"))

    return make


@pytest.fixture
def better(make_bundle: MakeBundle) -> Path:
    """A bundle that works, newer than the shipped one."""
    return make_bundle("9.0.0")


@pytest.fixture
def disagreeing(make_bundle: MakeBundle) -> Path:
    """A bundle whose golden vectors say other logits than its network gives."""
    with np.load(io.BytesIO(open_bundle(default_bundle_path()).golden)) as stored:
        arrays = {name: stored[name] for name in stored.files}
    key = next(name for name in arrays if "logit" in name)
    arrays[key] = arrays[key] + 1.0
    stream = io.BytesIO()
    np.savez(stream, **arrays)
    return make_bundle("9.0.1", golden=stream.getvalue())


@pytest.fixture
def make_pi(tmp_path: Path, station: Workstation) -> Iterator[Callable[..., Pi]]:
    """Start a bare device: `make_pi("name", user="pi", sudo="pi ALL=(ALL) ALL")`, more as `Pi` takes it."""
    if os.geteuid():
        pytest.skip("a bare device on loopback has accounts and folders of its own: run these tests as root")
    made: list[Pi] = []

    def make(name: str = "pi", **options: Any) -> Pi:
        device = Pi(tmp_path / "devices" / name, station.key.with_suffix(".pub"), **options)
        made.append(device)
        station.know(device)
        device.start()
        return device

    yield make
    for device in made:
        device.stop()


@pytest.fixture(scope="session")
def releases(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Path]:
    """Make a release, each once: `releases("1.0.0", key=..., python="3.9")`, more as `make_release`."""
    folder = tmp_path_factory.mktemp("releases")
    made: dict[str, Path] = {}

    def get(version: str = "1.0.0", **options: Any) -> Path:
        name = repr((version, sorted(options.items())))
        if name not in made:
            made[name] = make_release(folder / str(len(made)), version, **options)
        return made[name]

    return get
