"""The role brings skin-edge itself to devices, bare ones and others, and a model after it."""

from __future__ import annotations

from pathlib import Path

from fleet import Fleet
from small_release import make_release


def test_a_bare_device_becomes_one_with_release_and_model_and_is_upgraded_by_its_own_command(
    fleet: Fleet, better: Path, tmp_path: Path
) -> None:
    first, second = make_release(tmp_path, "1.0.0"), make_release(tmp_path, "1.1.0")
    other = make_release(tmp_path, "1.2.0", python="3.9")  # of the same fleet, for other devices
    opt = fleet.hosts["one"].root / "opt"
    bare = {"program": str(opt / "current" / "bin" / "skin-edge")}
    wanted = {**bare, "releases": [str(first), str(other)], "bundle": str(better)}
    before = fleet.tree("one")
    checked = fleet.play("one", args=["--check", "--diff"], **wanted)
    assert checked.recap == {"one": (2, 0, 0)}, checked.said
    assert "-none\n+1.0.0-this-" in checked.said
    assert "-the shipped model\n+ham-student-9.0.0" in checked.said
    assert fleet.tree("one") == before

    done = fleet.play("one", **wanted)
    assert done.recap == {"one": (2, 0, 0)}, done.said
    assert (opt / "current").readlink().name.startswith("1.0.0-this-")
    assert fleet.hosts["one"].current() == "ham-student-9.0.0"
    assert not list((fleet.hosts["one"].root / "uploads").rglob("ansible-*"))

    done = fleet.play("one", args=["--diff"], **wanted | {"releases": [str(second)], "keep_releases": 1})
    assert done.recap == {"one": (1, 0, 0)}, done.said
    assert "-1.0.0-this-" in done.said
    assert "+1.1.0-this-" in done.said
    assert (opt / "previous").readlink().name.startswith("1.0.0-this-")
    # The code that is trusted already looks at the new file; on the bare device the file had to do it itself.
    calls = (opt.parent / "calls").read_text().splitlines()
    assert [call for call in calls if "release install" in call] == ["1.0.0 release install"]
    before = fleet.tree("one")
    again = fleet.play("one", **wanted | {"releases": [str(second)]})
    assert again.recap == {"one": (0, 0, 0)}, again.said
    assert fleet.tree("one") == before


def test_an_altered_release_is_refused_on_the_device(fleet: Fleet, tmp_path: Path) -> None:
    altered = make_release(tmp_path, "1.0.0")
    data = bytearray(altered.read_bytes())
    data[len(data) // 2] ^= 1
    altered.write_bytes(data)
    done = fleet.play("one", releases=[str(altered)])
    assert done.recap == {"one": (0, 0, 1)}
    assert "code: release" in done.said
    assert "Traceback" not in done.said
    assert not (fleet.hosts["one"].root / "opt" / "current").exists()
    assert not list((fleet.hosts["one"].root / "uploads").rglob("ansible-*"))
