"""A release is gathered from a folder of small wheels, without a network, and is one that a device takes."""

from __future__ import annotations

import json
import shutil
import subprocess
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from skin_edge.errors import HealthError, UsageError
from skin_edge.release.archive import open_release
from skin_edge.release.manifest import ReleaseError
from skin_edge_deploy.wheelhouse import gather as gathering
from skin_edge_deploy.wheelhouse.gather import gather
from skin_edge_deploy.wheelhouse.targets import TARGETS, Target, this_machine

RunCli = Callable[..., "subprocess.CompletedProcess[str]"]


def make_wheel(folder: Path, name: str, version: str, *needs: str, tag: str = "py3-none-any") -> Path:
    folder.mkdir(exist_ok=True)
    plain = name.replace("-", "_")
    info = f"{plain}-{version}.dist-info"
    extras = "Provides-Extra: kiosk\nProvides-Extra: encryption\n" if name == "skin-edge" else ""
    lines = "".join(f"Requires-Dist: {need}\n" for need in needs)
    path = folder / f"{plain}-{version}-{tag}.whl"
    with zipfile.ZipFile(path, "w") as wheel:
        wheel.writestr(f"{plain}.py", f"# {version}\n")
        wheel.writestr(
            f"{info}/METADATA", f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n{extras}{lines}"
        )
        wheel.writestr(f"{info}/WHEEL", f"Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: {tag}\n")
        wheel.writestr(f"{info}/RECORD", "")
    return path


@pytest.fixture
def index(tmp_path: Path) -> Path:
    """A folder of wheels that pip and uv can be pointed to."""
    folder = tmp_path / "index"
    make_wheel(folder, "pip", "24.5")
    make_wheel(folder, "pip", "99.0")
    make_wheel(folder, "drawn", "1.0", "deeper>=2")
    make_wheel(folder, "deeper", "2.1")
    make_wheel(folder, "page", "3.0")
    make_wheel(folder, "backport", "1.0")
    make_wheel(folder, "numpy", "1.26.0")
    make_wheel(folder, "numpy", "2.2.0")
    return folder


@pytest.fixture
def own(tmp_path: Path) -> Path:
    """A wheel of skin-edge that needs other wheels, one of them by an extra, one not on this Python."""
    return make_wheel(
        tmp_path / "own", "skin-edge", "1.2.0", "drawn", 'page; extra == "kiosk"', "numpy",
        'backport; python_version < "3.11"',
    )  # fmt: skip


def gathered(target: Target, out: Path, own: Path, index: Path, key: Path | None = None) -> Path:
    options = ("--no-index", "--find-links", str(index))
    return gather(target, out, wheel=own, index=options, key=key).path


def names(release: Path) -> set[str]:
    with zipfile.ZipFile(release) as archive:
        return {name.removeprefix("wheels/") for name in archive.namelist() if name.startswith("wheels/")}


def test_all_that_is_needed_is_in_it_and_it_is_whole(tmp_path: Path, own: Path, index: Path) -> None:
    target = this_machine()
    release = gathered(target, tmp_path / "out", own, index)
    wanted = {"deeper-2.1", "drawn-1.0", "numpy-2.2.0", "page-3.0", "pip-24.5", "skin_edge-1.2.0"}
    wanted |= {"backport-1.0"} if target.python == "3.10" else set()
    assert names(release) == {f"{name}-py3-none-any.whl" for name in wanted}
    with open_release(release, None) as opened:
        opened.check()
        assert opened.release.misfit() is None
        assert opened.release.identity.startswith("1.2.0-this-")
    assert [path.name for path in (tmp_path / "out").iterdir()] == [release.name]


def test_markers_and_constraints_are_those_of_the_device(tmp_path: Path, own: Path, index: Path) -> None:
    jetson = names(gathered(TARGETS["jetpack6"], tmp_path, own, index))
    assert {"backport-1.0-py3-none-any.whl", "numpy-1.26.0-py3-none-any.whl"} < jetson
    trixie = names(gathered(TARGETS["pi-trixie"], tmp_path, own, index))
    assert "backport-1.0-py3-none-any.whl" not in trixie
    assert "numpy-2.2.0-py3-none-any.whl" in trixie


def test_wheels_of_another_processor_are_not_taken(tmp_path: Path, own: Path, index: Path) -> None:
    (index / "deeper-2.1-py3-none-any.whl").unlink()
    make_wheel(index, "deeper", "2.1", tag="cp311-cp311-manylinux_2_17_x86_64")
    with pytest.raises(HealthError, match="deeper"):
        gathered(TARGETS["pi-bookworm"], tmp_path / "out", own, index)
    assert list((tmp_path / "out").iterdir()) == []


def test_the_same_wheels_make_the_same_file(tmp_path: Path, own: Path, index: Path) -> None:
    first = gathered(this_machine(), tmp_path / "1", own, index)
    second = gathered(this_machine(), tmp_path / "2", own, index)
    assert (first.name, first.read_bytes()) == (second.name, second.read_bytes())


@pytest.fixture(scope="module")
def key(tmp_path_factory: pytest.TempPathFactory) -> Path:
    if shutil.which("ssh-keygen") is None:
        pytest.fail("ssh-keygen is missing: apt-get install openssh-client")
    path = tmp_path_factory.mktemp("key") / "clinic"
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", path], check=True)
    (path.parent / "allowed").write_text(f"us@clinic {path.with_suffix('.pub').read_text()}")
    (path.parent / "others").write_text(f"them {path.with_suffix('.pub').read_text()[:-40]}")
    return path


def test_a_signed_one_tells_who_signed_it(tmp_path: Path, own: Path, index: Path, key: Path) -> None:
    release = gathered(this_machine(), tmp_path / "out", own, index, key)
    with open_release(release, key.parent / "allowed") as opened:
        opened.check()
        assert opened.signed_by == "us@clinic"
    with pytest.raises(ReleaseError, match="signed by a key"), open_release(release, key.parent / "others"):
        pass


def test_a_key_in_an_agent_signs(
    tmp_path: Path, own: Path, index: Path, key: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    socket = tmp_path / "agent"
    with subprocess.Popen(["ssh-agent", "-D", "-a", socket], stdout=subprocess.DEVNULL) as agent:
        try:
            while not socket.exists():
                assert agent.poll() is None
            monkeypatch.setenv("SSH_AUTH_SOCK", str(socket))
            subprocess.run(["ssh-add", "-q", key], check=True, capture_output=True)
            public = tmp_path / "public-half-only.pub"
            shutil.copy(key.with_suffix(".pub"), public)
            release = gathered(this_machine(), tmp_path / "out", own, index, public)
        finally:
            agent.terminate()
    with open_release(release, key.parent / "allowed") as opened:
        assert opened.signed_by == "us@clinic"


def test_a_file_that_is_no_key_is_told(tmp_path: Path, own: Path, index: Path) -> None:
    (tmp_path / "key").write_text("no key")
    (tmp_path / "key").chmod(0o600)
    with pytest.raises(UsageError, match="ssh-keygen does not sign with it") as told:
        gathered(this_machine(), tmp_path / "out", own, index, tmp_path / "key")
    assert told.value.code == "signature"


def test_what_is_no_wheel_of_skin_edge_is_refused(run_cli: RunCli, tmp_path: Path) -> None:
    done = run_cli("wheelhouse", "--target", "this", "--out", str(tmp_path), "--wheel", "other-1.whl")
    assert (done.returncode, "not a wheel of skin-edge" in done.stderr) == (2, True)
    done = run_cli("wheelhouse", "--target", "this", "--sign", str(tmp_path / "nothing"))
    assert (done.returncode, "no such file" in done.stderr) == (2, True)
    done = run_cli("wheelhouse", "--target", "pdp11")
    assert (done.returncode, "pi-bookworm" in done.stderr) == (2, True)


def test_without_uv_it_says_what_to_install(
    tmp_path: Path, own: Path, index: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(gathering.shutil, "which", lambda *_, **__: None)
    with pytest.raises(UsageError, match=r"skin-edge\[deploy\]"):
        gathered(this_machine(), tmp_path / "out", own, index)


def test_what_is_gathered_is_listed(tmp_path: Path, own: Path, index: Path) -> None:
    release = gathered(this_machine(), tmp_path / "out", own, index)
    with zipfile.ZipFile(release) as archive:
        told = json.loads(archive.read("release.json"))
        assert set(archive.namelist()) == {*told["files"], "release.json"}
        for name, entry in told["files"].items():
            assert archive.getinfo(name).file_size == entry["size_bytes"]
