"""The Update Module goes through the states of Mender's protocol v3 with the real device commands."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from loopback import BIN
from small_release import make_release
from workstation import MakeBundle

MODULE = Path(__file__).resolve().parents[3] / "deploy" / "mender" / "skin-edge"
Deploy = Callable[..., list[str]]


@pytest.fixture
def deploy(tmp_path: Path, cli_env: dict[str, str]) -> Deploy:
    """Go through a deployment as Mender does, `fail` at that state, and return the states that were run."""
    tools = tmp_path / "bin"
    tools.mkdir()
    # All that differs from a device: releases go to a folder of the test, and no systemd follows.
    (tools / "skin-edge").write_text(
        f"""#!/bin/sh
case "$1 $2" in
    "release list") set -- "$@" --prefix {tmp_path}/opt ;;
    release*) set -- "$@" --prefix {tmp_path}/opt --no-service ;;
esac
exec {BIN}/skin-edge "$@"
"""
    )
    (tools / "skin-edge").chmod(0o755)
    env = cli_env | {"PATH": f"{tools}:/usr/bin:/bin"}

    def call(*words: str, cwd: Path) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-S", MODULE, *words]
        return subprocess.run(command, cwd=cwd, env=env, capture_output=True, text=True, timeout=120)

    def run(payload: Path, fail: str | None = None) -> list[str]:
        folder = tmp_path / f"deployment-{len(list(tmp_path.glob('deployment-*')))}"
        (folder / "tmp").mkdir(parents=True)
        ran, failed = [], False
        for state in ("Download", "ArtifactInstall", "ArtifactCommit"):
            if state == "ArtifactInstall":  # by now Mender has stored what the module did not stream
                (folder / "files").mkdir()
                shutil.copy(payload, folder / "files")
            ran.append(state)
            failed = call(state, str(folder), cwd=folder).returncode != 0 or state == fail
            if failed:
                break
            if state == "ArtifactInstall":
                assert call("NeedsArtifactReboot", cwd=folder).stdout.strip() == "No"
        assert call("SupportsRollback", cwd=folder).stdout.strip() == "Yes"
        for state in (["ArtifactRollback", "ArtifactFailure"] if failed else []) + ["Cleanup"]:
            ran.append(state)
            done = call(state, str(folder), cwd=folder)
            assert done.returncode == 0, done.stderr
        return ran

    return run


def test_a_model_is_committed_rolled_back_and_a_refused_one_leaves_the_model_in_use(
    deploy: Deploy, make_bundle: MakeBundle, disagreeing: Path, cli_env: dict[str, str]
) -> None:
    models = Path(cli_env["SKIN_EDGE_HOME"]) / "models"
    assert deploy(make_bundle("1.0.0")) == ["Download", "ArtifactInstall", "ArtifactCommit", "Cleanup"]
    assert (models / "current").readlink() == Path("ham-student-1.0.0")
    after = ["ArtifactRollback", "ArtifactFailure", "Cleanup"]
    assert deploy(make_bundle("1.1.0"), fail="ArtifactCommit")[-3:] == after
    assert (models / "current").readlink() == Path("ham-student-1.0.0")
    assert (models / "previous").readlink() == Path("ham-student-1.1.0")
    # The device stays as it is by itself: going back once more would be to 1.1.0, which was given up.
    assert deploy(disagreeing) == ["Download", "ArtifactInstall", *after]
    assert (models / "current").readlink() == Path("ham-student-1.0.0")


def test_a_release_is_committed_and_rolled_back(deploy: Deploy, tmp_path: Path) -> None:
    assert "ArtifactFailure" not in deploy(make_release(tmp_path, "1.0.0"))
    first = (tmp_path / "opt" / "current").readlink()
    assert first.name.startswith("1.0.0-this-")
    assert "ArtifactRollback" in deploy(make_release(tmp_path, "1.1.0"), fail="ArtifactCommit")
    assert (tmp_path / "opt" / "current").readlink() == first
    assert (tmp_path / "opt" / "previous").readlink().name.startswith("1.1.0-this-")
