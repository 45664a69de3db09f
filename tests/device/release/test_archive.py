"""What is altered, not signed, or for another machine is refused before anything of it is used."""

from __future__ import annotations

import json
import platform
import shutil
import stat
import subprocess
import zipfile
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from small_device import play_programs, print_nothing, tiny_release

from skin_edge.errors import HealthError, SkinEdgeError, StorageError
from skin_edge.release import build, operations, programs, shipped
from skin_edge.release.archive import open_release
from skin_edge.release.manifest import parse
from skin_edge.release.operations import Answer, Request, perform
from skin_edge.release.store import ReleaseStore

Entries = dict[str, bytes]
RunCli = Callable[..., "subprocess.CompletedProcess[str]"]
WHEEL = "wheels/skin_edge-1.0.0-py3-none-any.whl"


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tiny_release(tmp_path, "1.0.0")


@pytest.fixture(autouse=True)
def _nothing_runs(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    def run(command: list[str], doing: str) -> str:
        pytest.fail(f"{command[0]} was run")

    monkeypatch.setattr(programs, "run", run)
    monkeypatch.setattr(operations, "system_allowed_signers", lambda: None)


def install(file: Path, prefix: Path, allowed: Path | None = None) -> Answer:
    return perform(
        Request(
            "install", ReleaseStore(prefix), print_nothing, file=file, service=False, allowed_signers=allowed
        )
    )


def assert_refused(answer: Answer, prefix: Path, said: str, code: str, status: int) -> None:
    assert answer.error is not None
    assert said in str(answer.error)
    assert "\n" not in str(answer.error)
    assert (answer.error.code, answer.error.exit_code) == (code, status)
    assert answer.told["error"] == {"code": code, "message": str(answer.error)}
    assert answer.told["releases"] == []
    left = {path.name for path in prefix.rglob("*")} if prefix.exists() else set()
    assert left <= {"releases", ".lock"}


def rewrite(file: Path, change: Callable[[Entries], object], compression: int = zipfile.ZIP_STORED) -> None:
    with zipfile.ZipFile(file) as archive:
        entries = {name: archive.read(name) for name in archive.namelist()}
    change(entries)
    with zipfile.ZipFile(file, "w", compression) as archive:
        for name, data in entries.items():
            archive.writestr(name, data)


def rewrite_json(file: Path, **changes: Any) -> None:
    def change(entries: Entries) -> None:
        entries["release.json"] = json.dumps(json.loads(entries["release.json"]) | changes).encode()

    rewrite(file, change)


def listed(file: Path, name: str, data: bytes) -> None:
    """Add a file that release.json lists as it is."""
    import hashlib

    def change(entries: Entries) -> None:
        told = json.loads(entries["release.json"])
        told["files"][name] = {"sha256": hashlib.sha256(data).hexdigest(), "size_bytes": len(data)}
        entries["release.json"] = json.dumps(told).encode()
        entries[name] = data

    rewrite(file, change)


def twice(file: Path) -> None:
    with zipfile.ZipFile(file, "a") as archive, pytest.warns(UserWarning, match="Duplicate"):
        archive.writestr(WHEEL, b"another")


def as_link(file: Path) -> None:
    with zipfile.ZipFile(file, "a") as archive:
        entry = zipfile.ZipInfo("wheels/link.whl")
        entry.create_system = 3
        entry.external_attr = (stat.S_IFLNK | 0o777) << 16
        archive.writestr(entry, "/etc/passwd")


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (lambda f: rewrite(f, lambda e: e.update({WHEEL: b"x" * len(e[WHEEL])})), "damaged or altered"),
        (lambda f: rewrite(f, lambda e: e.update({WHEEL: e[WHEEL] + b"x"})), "damaged or altered"),
        (lambda f: rewrite(f, lambda e: e.update({"requirements.txt": b"evil==1"})), "damaged or altered"),
        (lambda f: rewrite(f, lambda e: e.update({"__main__.py": b"#" * len(e["__main__.py"])})), "altered"),
        (lambda f: rewrite(f, lambda e: e.update({"wheels/evil-1.whl": b""})), "evil-1.whl' is missing or"),
        (lambda f: rewrite(f, lambda e: e.pop(WHEEL)), "is missing or does not belong there"),
        (lambda f: rewrite(f, lambda e: e.pop("release.json")), "not a release of skin-edge"),
        (lambda f: rewrite(f, lambda e: e.update({"release.json": b"[]"})), "not an object"),
        (lambda f: rewrite(f, lambda e: e.update({"release.json": b"[" * 90_000})), "release.json"),
        (lambda f: rewrite(f, lambda e: e.update({"release.json": b" " * (1 << 21)})), "more than"),
        (lambda f: rewrite(f, lambda e: None, zipfile.ZIP_DEFLATED), "is compressed"),
        (twice, "holds a file twice"),
        (as_link, "is a link"),
        (lambda f: listed(f, "../evil", b"x"), "no name that a file may have"),
        (lambda f: listed(f, "/etc/evil", b"x"), "no name that a file may have"),
        (lambda f: listed(f, "wheels/../../evil", b"x"), "no name that a file may have"),
        (lambda f: listed(f, "wheels/.hidden", b"x"), "no name that a file may have"),
        (lambda f: listed(f, "wheels/a\nb", b"x"), "no name that a file may have"),
        (lambda f: listed(f, "wheels/a/b.whl", b"x"), "wheels have no folders"),
        (lambda f: rewrite_json(f, schema=99), "schema 99"),
        (lambda f: rewrite_json(f, identity="../../etc"), "identity"),
        (lambda f: rewrite_json(f, identity=".."), "identity"),
        (lambda f: rewrite_json(f, files={}), "requirements.txt is missing"),
        (lambda f: f.write_bytes(f.read_bytes()[:-100]), "not a sound release file"),
        (lambda f: f.write_bytes(b""), "not a sound release file"),
        (lambda f: f.write_bytes(b"\x00" * 5000), "not a sound release file"),
    ],
)
def test_what_is_altered_changes_nothing(
    file: Path, tmp_path: Path, spoil: Callable[[Path], object], said: str
) -> None:
    spoil(file)
    assert_refused(install(file, tmp_path / "opt"), tmp_path / "opt", said, "release", 6)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"python": "2.7"}, "for Python 2.7"),
        ({"machine": "sparc"}, f"on {platform.machine()}: gather one for this machine"),
        ({"glibc": 999}, "for glibc 2.999 or newer, this machine has glibc 2."),
    ],
)
def test_what_is_for_another_machine_is_refused(
    file: Path, tmp_path: Path, changes: dict[str, Any], said: str
) -> None:
    rewrite_json(file, **changes)
    assert_refused(install(file, tmp_path / "opt"), tmp_path / "opt", said, "wrong-machine", 2)


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    answer = install(tmp_path / "nothing.skinrelease", tmp_path / "opt")
    assert_refused(answer, tmp_path / "opt", "no such file", "usage", 2)


def test_what_lies_one_in_the_other_is_refused(file: Path, tmp_path: Path) -> None:
    """A small file whose entries overlap could fill a disk without any compression."""
    data = file.read_bytes()
    big = b"PK\x05\x06"
    with zipfile.ZipFile(file) as archive:
        entry = archive.getinfo(WHEEL)
    size = entry.file_size.to_bytes(4, "little") * 2
    at = data.rindex(WHEEL.encode()) - 46
    assert data[at + 20 : at + 28] == size
    file.write_bytes(data[: at + 20] + (0x7FFFFFFF).to_bytes(4, "little") * 2 + data[at + 28 :])
    assert big in data
    answer = install(file, tmp_path / "opt")
    assert_refused(answer, tmp_path / "opt", "its entries are larger than itself", "release", 6)


@settings(max_examples=150, deadline=None)
@given(data=st.data())
def test_no_bytes_end_in_a_traceback(data: st.DataObject, tmp_path_factory: pytest.TempPathFactory) -> None:
    folder = tmp_path_factory.mktemp("fuzz")
    whole = bytearray(tiny_release(folder, "1.0.0").read_bytes())
    end = len(whole)
    directory = whole.rindex(b"PK\x01\x02", 0, whole.index(b"PK\x05\x06"))
    for _ in range(data.draw(st.integers(1, 6))):
        whole[data.draw(st.integers(directory - 1500, end - 1))] = data.draw(st.integers(0, 255))
    path = folder / "fuzzed.skinrelease"
    path.write_bytes(whole[: data.draw(st.integers(directory, end))])
    with suppress(SkinEdgeError), open_release(path, None) as opened:
        opened.check()


@given(
    st.recursive(st.none() | st.integers() | st.text(), lambda x: st.lists(x) | st.dictionaries(st.text(), x))
)
def test_no_release_json_ends_in_a_traceback(told: Any) -> None:
    whole = {"schema": 1, "identity": "a", "version": "1", "target": "t", "python": "3.11", "machine": "m",
             "glibc": 1, "system_site_packages": True, "files": told}  # fmt: skip
    for text in (told, whole):
        with pytest.raises(HealthError):
            parse(json.dumps(text).encode())


def test_no_room_is_told_before_anything_is_written(
    file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with open_release(file, None) as opened:
        needed = build.needed_bytes(opened.release)
    usage = shutil.disk_usage(tmp_path)
    monkeypatch.setattr(build.shutil, "disk_usage", lambda path: usage._replace(free=needed - 1))
    answer = install(file, tmp_path / "opt")
    assert isinstance(answer.error, StorageError)
    assert_refused(answer, tmp_path / "opt", "are needed", "storage-full", 5)


def test_verify_tells_what_it_is_and_changes_nothing(file: Path, run_cli: RunCli) -> None:
    before = file.read_bytes()
    told = json.loads(run_cli("release", "verify", str(file), "--json").stdout)
    assert (told["version"], told["target"], told["fits"], told["signed"]) == ("1.0.0", "this", True, False)
    assert told["files"] == 4 + len(shipped.MODULES)
    rewrite_json(file, python="2.7")
    shown = run_cli("release", "verify", str(file))
    assert (shown.returncode, "not for this machine" in shown.stdout) == (0, True)
    file.write_bytes(
        before.replace(b"skin_edge-1.0.0-py3-none-any.whl 1.0.0", b"skin_edge-1.0.0-py3-none-any.whl 6.6.6")
    )
    refused = run_cli("release", "verify", str(file), "--json")
    assert refused.returncode == 6
    assert "copy it again" in json.loads(refused.stdout)["error"]["message"]


@pytest.fixture(scope="module")
def keys(key_pairs: Path) -> Path:
    """That folder, with the clinic in `allowed_signers`."""
    public = (key_pairs / "clinic.pub").read_text()
    (key_pairs / "allowed_signers").write_text(f'releases@clinic namespaces="skin-edge" {public}')
    return key_pairs


def test_a_signed_release_is_installed_and_tells_who_signed_it(
    tmp_path: Path, keys: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    play_programs(monkeypatch)
    (tmp_path / "small").touch()
    signed = tiny_release(tmp_path, "1.0.0", keys / "clinic")
    answer = install(signed, tmp_path / "opt", keys / "allowed_signers")
    assert answer.error is None
    assert (answer.told["signed_by"], answer.told["activated"]) == ("releases@clinic", True)


def test_an_unsigned_one_is_refused(file: Path, tmp_path: Path, keys: Path) -> None:
    answer = install(file, tmp_path / "opt", keys / "allowed_signers")
    said = "not signed, and this device takes signed releases only"
    assert_refused(answer, tmp_path / "opt", said, "signature", 6)


def test_a_strangers_is_refused(tmp_path: Path, keys: Path) -> None:
    signed = tiny_release(tmp_path, "1.0.0", keys / "stranger")
    answer = install(signed, tmp_path / "opt", keys / "allowed_signers")
    assert_refused(answer, tmp_path / "opt", "signed by a key that", "signature", 6)


def test_one_altered_after_it_was_signed_is_refused(tmp_path: Path, keys: Path) -> None:
    signed = tiny_release(tmp_path, "1.0.0", keys / "clinic")
    rewrite_json(signed, version="9.9.9")
    answer = install(signed, tmp_path / "opt", keys / "allowed_signers")
    assert_refused(answer, tmp_path / "opt", "its signature does not hold", "signature", 6)


def test_a_wheel_altered_after_it_was_signed_is_refused(tmp_path: Path, keys: Path) -> None:
    signed = tiny_release(tmp_path, "1.0.0", keys / "clinic")
    rewrite(signed, lambda entries: entries.update({WHEEL: b"x" * len(entries[WHEEL])}))
    answer = install(signed, tmp_path / "opt", keys / "allowed_signers")
    assert_refused(answer, tmp_path / "opt", "damaged or altered", "release", 6)


def test_the_devices_own_file_of_signers_counts_unasked(
    file: Path, tmp_path: Path, keys: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(operations, "system_allowed_signers", lambda: keys / "allowed_signers")
    assert_refused(install(file, tmp_path / "opt"), tmp_path / "opt", "not signed", "signature", 6)


def test_a_file_of_signers_that_is_missing_does_not_switch_the_check_off(file: Path, tmp_path: Path) -> None:
    answer = install(file, tmp_path / "opt", tmp_path / "nobody")
    assert_refused(answer, tmp_path / "opt", "no such file", "usage", 2)
