"""Which release a host gets, what is believed of what it says, and gathering once for all."""

from __future__ import annotations

import asyncio
import time
from dataclasses import replace
from pathlib import Path

import pytest

import skin_edge_deploy.provision.gathering as gathering
from skin_edge.errors import HealthError
from skin_edge.release.manifest import Entry, Release
from skin_edge_deploy.cargo import Cargo
from skin_edge_deploy.device import Said
from skin_edge_deploy.errors import HostError
from skin_edge_deploy.machine import Machine, parse
from skin_edge_deploy.provision.candidates import Candidate, choose, fits, target_of
from skin_edge_deploy.provision.gathering import Gatherer, cache_folder, key_of
from skin_edge_deploy.provision.rights import Root

A_PI = """\
user=pi
uid=1000
system=Linux 6.12.25+rpt-rpi-v8 aarch64
os=debian|12|Debian GNU/Linux 12 (bookworm)
systemd=1
python=3 11 64 glibc 2.36
{"current": "1.0.0-pi-bookworm-aa", "previous": null, "releases": ["1.0.0-pi-bookworm-aa"]}
program=1
config=1
signers=abc
signers_modes=0 644 0 755 0 755
rights=password
opt_free_kb=1000000
uploads_free_kb=1000000
part_abc.part=4096
done=1
"""


def machine(text: str = A_PI) -> Machine:
    return parse("pi", Said(0, text, ""))


def candidate(tmp_path: Path, name: str, **changes: object) -> Candidate:
    path = tmp_path / name
    path.touch()
    release = Release(
        identity=name,
        version="1.0.0",
        target="pi-bookworm",
        python="3.11",
        machine="aarch64",
        glibc=36,
        system_site_packages=True,
        files={"requirements.txt": Entry("0" * 64, 1)},
    )
    return Candidate(replace(release, **changes), Cargo(path, 0, name), False)  # type: ignore[arg-type]


def test_what_a_pi_says() -> None:
    found = machine()
    assert (found.python, found.bits, found.glibc, found.machine) == ("3.11", 64, 36, "aarch64")
    assert (found.os_id, found.os_version) == ("debian", "12")
    assert (found.installed, found.release) == (True, "1.0.0-pi-bookworm-aa")
    assert (found.has_config, found.signers_sha256, found.signers_safe) == (True, "abc", True)
    assert found.uploads == "/var/tmp/skin-edge-1000"
    assert found.parts == {"abc.part": 4096}
    assert target_of(found) == "pi-bookworm"


@pytest.mark.parametrize(
    "modes", ["0 666 0 755 0 755", "1000 644 0 755 0 755", "0 644 0 777 0 755", "0 644", ""]
)
def test_signers_that_others_can_change_are_not_safe(modes: str) -> None:
    assert not machine(A_PI.replace("0 644 0 755 0 755", modes)).signers_safe


@pytest.mark.parametrize(
    ("wrong", "right"),
    [("uid=1000", "uid=x"), ("done=1", ""), ("user=pi", "user=pi ALL"), ("uid=1000", "uid=1 2")],
)
def test_what_cannot_be_is_not_believed(wrong: str, right: str) -> None:
    with pytest.raises(HostError) as caught:
        machine(A_PI.replace(wrong, right))
    assert str(caught.value).isprintable()


@pytest.mark.parametrize(
    ("system", "os", "python", "target"),
    [
        ("aarch64", "debian|13|Debian GNU/Linux 13 (trixie)", "3 13", "pi-trixie"),
        ("aarch64", "ubuntu|22.04|Ubuntu 22.04.5 LTS", "3 10", "jetpack6"),
        ("aarch64", "ubuntu|24.04|Ubuntu 24.04 LTS", "3 12", None),
        ("x86_64", "debian|12|Debian GNU/Linux 12 (bookworm)", "3 11", None),
        ("aarch64", "debian|12|Debian GNU/Linux 12 (bookworm)", "3 12", None),
    ],
)
def test_the_target_follows_from_the_system(system: str, os: str, python: str, target: str | None) -> None:
    text = A_PI.replace("aarch64", system).replace("debian|12|Debian GNU/Linux 12 (bookworm)", os)
    assert target_of(machine(text.replace("python=3 11", f"python={python}"))) == target


def test_of_those_that_fit_its_own_target_s_newest_is_taken(tmp_path: Path) -> None:
    old = candidate(tmp_path, "old", version="1.9.0")
    new = candidate(tmp_path, "new", version="1.10.0")
    other = candidate(tmp_path, "other", version="2.0.0", target="this")
    wrong = [
        candidate(tmp_path, "python", version="3.0.0", python="3.13"),
        candidate(tmp_path, "machine", version="3.0.0", machine="x86_64"),
        candidate(tmp_path, "glibc", version="3.0.0", glibc=37),
    ]
    assert not any(fits(one.release, machine()) for one in wrong)
    assert choose("pi", [old, other, new, *wrong], machine()) is new
    assert choose("pi", [other, *wrong], machine()) is other
    with pytest.raises(HostError, match="skin-edge wheelhouse --target pi-bookworm") as caught:
        choose("pi", wrong, machine())
    assert caught.value.code == "no-release"


def test_32_bits_and_another_c_library_fit_nothing(tmp_path: Path) -> None:
    release = candidate(tmp_path, "one").release
    assert fits(release, machine())
    assert not fits(release, machine(A_PI.replace("3 11 64", "3 11 32")))
    assert not fits(release, machine(A_PI.replace(" glibc 2.36", "  ")))


def test_a_password_is_in_no_text() -> None:
    assert "horse" not in repr(Root(("sudo",), b"correct horse\n"))


PROGRAM = """
import pathlib, sys, time
out = pathlib.Path(sys.argv[sys.argv.index("--out") + 1])
sys.stderr.write("skin-edge: the wheels ...\\n"); sys.stderr.flush()
with open({count!r}, "a") as count:
    count.write("x")
time.sleep({seconds})
if {fails}:
    sys.exit("skin-edge: no wheel of numpy")
out.mkdir()
(out / "skin-edge-1.skinrelease").write_text("x")
"""


@pytest.fixture
def source(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A checkout, and a cache that is empty."""
    root = tmp_path / "checkout"
    (root / "device").mkdir(parents=True)
    (root / "device" / "one.py").write_text("1\n")
    monkeypatch.setattr(gathering, "checkout", lambda: root)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return root


def program(
    monkeypatch: pytest.MonkeyPatch, count: Path, *, seconds: float = 0.2, fails: bool = False
) -> None:
    text = PROGRAM.format(count=str(count), seconds=seconds, fails=fails)
    monkeypatch.setattr(gathering, "_PROGRAM", text)


def test_gathered_once_for_all_hosts_and_again_when_the_source_changes(
    source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    count = tmp_path / "count"
    program(monkeypatch, count)
    told: list[str] = []

    async def all_at_once() -> list[Path]:
        two = Gatherer(), Gatherer()  # as in two runs of the command
        return await asyncio.gather(*(two[n % 2].release_for("pi-bookworm", told.append) for n in range(6)))

    first = asyncio.run(all_at_once())
    assert len(set(first)) == 1
    assert first[0].read_text() == "x"
    assert count.read_text() == "x"
    assert "gathering: the wheels ..." in told
    assert Gatherer().kept("pi-bookworm") == first[0]
    assert Gatherer().kept("pi-trixie") is None
    for text in ("2\n", "3\n"):
        (source / "device" / "one.py").write_text(text)
        (again,) = set(asyncio.run(all_at_once()))
        assert again != first[0]
    assert count.read_text() == "xxx"
    assert not first[0].exists()  # two are kept


def test_what_fails_is_said_and_nothing_is_kept(
    source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    program(monkeypatch, tmp_path / "count", fails=True)
    with pytest.raises(HealthError, match="no wheel of numpy"):
        asyncio.run(Gatherer().release_for("pi-bookworm", lambda _: None))
    assert Gatherer().kept("pi-bookworm") is None
    assert [path.name for path in cache_folder().iterdir()] == [".pi-bookworm.lock"]


def test_ctrl_c_ends_the_gathering(source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    count = tmp_path / "count"
    program(monkeypatch, count, seconds=60)

    async def cut() -> None:
        task = asyncio.ensure_future(Gatherer().release_for("pi-bookworm", lambda _: None))
        while not count.exists():
            await asyncio.sleep(0.02)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)

    began = time.monotonic()
    asyncio.run(cut())
    assert time.monotonic() - began < 20
    assert [path.name for path in cache_folder().iterdir()] == [".pi-bookworm.lock"]


def test_the_key_follows_what_a_wheel_is_made_of(source: Path) -> None:
    first = key_of(source)
    (source / "device" / "__pycache__").mkdir()
    (source / "device" / "__pycache__" / "one.pyc").touch()
    (source / "notes.txt").touch()
    assert key_of(source) == first
    (source / "device" / "two.py").touch()
    assert key_of(source) != first
