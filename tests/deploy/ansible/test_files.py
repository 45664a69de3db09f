"""What the files on the workstation hold, and which of them is for a host."""

from __future__ import annotations

import importlib.util
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from ansible.errors import AnsibleFilterError
from fleet import ANSIBLE
from small_release import make_release

from skin_edge.model.bundle import open_bundle, sha256_hex

FOUND = {"python": "3.11", "machine": "aarch64", "release": None, "manifest_sha256": None}


@pytest.fixture(scope="module")
def wanted() -> Callable[..., Any]:
    path = ANSIBLE / "roles" / "skin_edge" / "filter_plugins" / "skin_edge_files.py"
    spec = importlib.util.spec_from_file_location("skin_edge_files", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.FilterModule().filters()["skin_edge_wanted"]  # type: ignore[no-any-return]


@pytest.fixture
def releases(tmp_path: Path) -> list[str]:
    """For a Pi with Bookworm, one with Trixie, and a Jetson."""
    made = [("1.0.0", "3.11", "aarch64"), ("1.0.1", "3.13", "aarch64"), ("1.0.2", "3.10", "aarch64")]
    return [str(make_release(tmp_path, v, python=python, machine=machine)) for v, python, machine in made]


def test_each_host_gets_the_release_for_its_python(wanted: Callable[..., Any], releases: list[str]) -> None:
    for python, file in zip(("3.11", "3.13", "3.10"), releases, strict=True):
        told = wanted(FOUND | {"python": python}, releases, "")
        assert (told["release"]["file"], told["release"]["due"], told["model"]) == (file, True, {})
        used = FOUND | {"python": python, "release": told["release"]["identity"]}
        assert wanted(used, releases, "")["release"]["due"] is False


def test_none_or_two_for_a_host_are_an_error(
    wanted: Callable[..., Any], releases: list[str], tmp_path: Path
) -> None:
    with pytest.raises(AnsibleFilterError, match=r"no release is for Python 3\.9 .* there are: 1\.0\.0"):
        wanted(FOUND | {"python": "3.9"}, releases, "")
    more = str(make_release(tmp_path, "1.1.0", python="3.11", machine="aarch64"))
    with pytest.raises(AnsibleFilterError, match=r"several releases .* Python 3\.11 on aarch64: 1\.0\.0"):
        wanted(FOUND, [*releases, more], "")
    with pytest.raises(AnsibleFilterError, match="no python3 on the host"):
        wanted(FOUND | {"python": None}, releases, "")


def test_a_bundle_is_due_until_its_manifest_is_in_use(wanted: Callable[..., Any], better: Path) -> None:
    told = wanted(FOUND, [], str(better))
    assert (told["model"]["identity"], told["model"]["due"], told["release"]) == (
        "ham-student-9.0.0",
        True,
        {},
    )
    same = sha256_hex(open_bundle(better).manifest_yaml)
    assert wanted(FOUND | {"manifest_sha256": same}, [], str(better))["model"]["due"] is False


def test_damaged_and_strange_files_are_an_error_in_a_line(
    wanted: Callable[..., Any], better: Path, tmp_path: Path
) -> None:
    data = bytearray(better.read_bytes())
    data[len(data) // 2] ^= 1
    (tmp_path / "damaged.skinmodel").write_bytes(data)
    (tmp_path / "text.skinmodel").write_text("text")
    for name, manifest in (
        ("empty", ""),
        ("list", "[1]"),
        ("path", "{name: ../x, version: 1}"),
        ("tag", "!!a b"),
    ):
        with zipfile.ZipFile(tmp_path / f"{name}.skinmodel", "w") as archive:
            archive.writestr("manifest.yaml", manifest)
    for name in ("damaged", "text", "empty", "list", "path", "tag", "missing"):
        with pytest.raises(AnsibleFilterError, match=f"{name}.skinmodel: ") as caught:
            wanted(FOUND, [], str(tmp_path / f"{name}.skinmodel"))
        assert type(caught.value) is AnsibleFilterError
    with zipfile.ZipFile(tmp_path / "x.skinrelease", "w") as archive:
        archive.writestr("release.json", '{"identity": 1}')
    with pytest.raises(AnsibleFilterError, match=r"x\.skinrelease: release\.json: "):
        wanted(FOUND, [str(tmp_path / "x.skinrelease")], "")
