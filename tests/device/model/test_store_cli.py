"""`skin-edge model install|list|activate|rollback|recover` as they are called."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from skin_edge.model.bundle import open_bundle, pack_bundle
from skin_edge.model.locate import default_bundle_path

RunCli = Callable[..., Any]
MakeBundle = Callable[..., Path]


def told(done: Any) -> Any:
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_from_a_stick_to_use_and_back(make_bundle: MakeBundle, run_cli: RunCli, tmp_path: Path) -> None:
    stick = pack_bundle(make_bundle("v1", version="1.0.1"), tmp_path / "stick" / "tiny-1.0.1.skinmodel")
    answer = told(run_cli("model", "install", stick, "--activate", "--json"))
    assert answer["installed"] == answer["current"] == "tiny-1.0.1"
    assert answer["activated"] is True
    assert answer["previous"] is None
    assert answer["signed_by"] is None
    assert answer["golden"]["count"] == 2
    shutil.rmtree(stick.parent)  # pulled out
    info = told(run_cli("model", "info", "--json"))
    assert info["model_sha256"] == answer["sha256"]
    row = told(run_cli("capture", "--source", "demo", "--once", "--json"))
    assert row["model"]["version"] == "1.0.1"
    assert told(run_cli("model", "rollback", "--json"))["current"] is None
    row = told(run_cli("capture", "--source", "demo", "--once", "--json"))
    assert row["model"]["sha256"] == open_bundle(default_bundle_path()).model_sha256


def test_list_for_people_and_for_scripts(make_bundle: MakeBundle, run_cli: RunCli) -> None:
    assert "in use: the model that is shipped" in run_cli("model", "list").stdout
    for number in (1, 2):
        run_cli("model", "install", make_bundle(f"v{number}", version=f"1.0.{number}"), "--activate")
    lines = [json.loads(line) for line in run_cli("model", "list", "--json").stdout.splitlines()]
    assert [(line["identity"], line["current"], line["previous"], line["ok"]) for line in lines] == [
        ("tiny-1.0.1", False, True, True),
        ("tiny-1.0.2", True, False, True),
    ]
    used = open_bundle(lines[1]["path"])
    assert lines[1]["manifest_sha256"] == hashlib.sha256(used.manifest_yaml).hexdigest()
    assert lines[1]["model_sha256"] == used.model_sha256
    assert lines[0]["manifest_sha256"] != lines[1]["manifest_sha256"]
    table = run_cli("model", "list").stdout
    assert [line.split() for line in table.splitlines() if "tiny" in line] == [
        ["tiny-1.0.1", "before", "ok"],
        ["tiny-1.0.2", "in", "use", "ok"],
    ]


def test_what_is_refused_is_an_object_and_a_line_and_changes_nothing(
    make_bundle: MakeBundle, run_cli: RunCli, tmp_path: Path
) -> None:
    good = make_bundle("good", version="1.0.0")
    told(run_cli("model", "install", good, "--activate", "--json"))
    broken = make_bundle("broken", version="1.0.1")
    (broken / "model.tflite").write_bytes(b"!" + (broken / "model.tflite").read_bytes()[1:])
    for path, status, code in (
        (broken, 4, "bundle"),
        (make_bundle("crash", version="1.0.2", model=b"TFL3" * 300), 4, "bundle"),
        (make_bundle("liar", version="1.0.0", temperature=9.0), 4, "bundle-conflict"),
        (tmp_path / "nothing", 4, "bundle"),
    ):
        done = run_cli("model", "install", path, "--activate", "--json")
        assert done.returncode == status
        answer = json.loads(done.stdout)
        assert answer["error"]["code"] == code
        assert answer["bundle"] == str(path)
        assert len(done.stderr.splitlines()) == 1
    (line,) = run_cli("model", "list", "--json").stdout.splitlines()
    assert json.loads(line)["current"] is True


def test_with_allowed_signers_only_signed_models_come_in(
    make_bundle: MakeBundle, run_cli: RunCli, tmp_path: Path
) -> None:
    key = tmp_path / "clinic"
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", key], check=True)
    (tmp_path / "allowed").write_text(f"models@clinic {key.with_suffix('.pub').read_text()}")
    (tmp_path / "config.yaml").write_text(f"model: {{allowed_signers: {tmp_path / 'allowed'}}}\n")
    bundle = make_bundle("signed", version="1.0.1")
    done = run_cli("model", "install", bundle, "--json", "--config", "config.yaml")
    assert done.returncode == 4
    assert json.loads(done.stdout)["error"]["code"] == "signature"
    subprocess.run(
        ["ssh-keygen", "-q", "-Y", "sign", "-f", key, "-n", "skin-edge", bundle / "manifest.yaml"],
        check=True,
        capture_output=True,
    )
    packed = pack_bundle(bundle, tmp_path / "s.skinmodel")
    answer = told(run_cli("model", "install", packed, "--json", "--config", "config.yaml"))
    assert answer["signed_by"] == "models@clinic"
    assert answer["activated"] is False


def test_two_at_once_are_one_after_the_other(
    make_bundle: MakeBundle, run_cli: RunCli, cli_script: str, cli_env: dict[str, str], tmp_path: Path
) -> None:
    bundles = [make_bundle(f"v{n}", version=f"1.0.{n}") for n in range(2)]
    running = [
        subprocess.Popen(
            [cli_script, "model", "install", path, "--activate", "--json"],
            env=cli_env,
            cwd=tmp_path,
            stdout=subprocess.PIPE,
        )
        for path in bundles
    ]
    answers = [json.loads(process.communicate(timeout=100)[0]) for process in running]
    assert [process.returncode for process in running] == [0, 0]
    assert sorted(answer["current"] for answer in answers) == ["tiny-1.0.0", "tiny-1.0.1"]
    first = next(answer for answer in answers if answer["previous"] is None)
    second = next(answer for answer in answers if answer is not first)
    assert second["previous"] == first["current"]


@pytest.mark.slow
def test_killed_at_any_moment_one_model_is_in_use_and_again_finishes(
    make_bundle: MakeBundle, run_cli: RunCli, cli_script: str, cli_env: dict[str, str], tmp_path: Path
) -> None:
    old, new = (make_bundle(f"v{n}", version=f"1.0.{n}") for n in range(2))
    command = [cli_script, "model", "install", new, "--activate", "--json"]
    seen = set()
    for cut in range(10):
        env = cli_env | {"SKIN_EDGE_HOME": str(tmp_path / f"home{cut}")}
        told(run_cli("model", "install", old, "--activate", "--json", env=env))
        started = time.monotonic()
        with subprocess.Popen(
            command, env=env, cwd=tmp_path, stdout=subprocess.DEVNULL, start_new_session=True
        ) as process:
            time.sleep(0.25 * cut)
            os.killpg(process.pid, signal.SIGKILL)
        used = told(run_cli("model", "recover", "--json", env=env))
        assert used["current"] in ("tiny-1.0.0", "tiny-1.0.1"), (
            f"cut after {time.monotonic() - started:.2f} s"
        )
        seen.add(used["current"])
        again = told(run_cli("model", "install", new, "--activate", "--json", env=env))
        assert (again["current"], again["previous"]) == ("tiny-1.0.1", "tiny-1.0.0")
        if seen == {"tiny-1.0.0", "tiny-1.0.1"}:
            break


def test_what_was_never_confirmed_is_undone_before_the_service_starts(
    make_bundle: MakeBundle, run_cli: RunCli, cli_env: dict[str, str]
) -> None:
    told(run_cli("model", "install", make_bundle("v0", version="1.0.0"), "--activate", "--json"))
    told(run_cli("model", "install", make_bundle("v1", version="1.0.1"), "--json"))
    switch = (
        "import sys; from pathlib import Path; from skin_edge.model.store import ModelStore\n"
        "store = ModelStore(Path(sys.argv[1]))\n"
        "with store.locked(): store.begin('tiny-1.0.1')"
    )
    subprocess.run([sys.executable, "-c", switch, cli_env["SKIN_EDGE_HOME"]], check=True)
    done = run_cli("model", "recover")
    assert done.stdout.splitlines() == [
        "tiny-1.0.1 was not confirmed, so it is no longer in use",
        "in use: tiny-1.0.0",
    ]
    assert run_cli("model", "recover").stdout == ""


def test_a_state_directory_that_may_not_be_written_is_exit_5(
    good_bundle: Path, run_cli: RunCli, tmp_path: Path
) -> None:
    (tmp_path / "file").touch()
    done = run_cli("model", "install", good_bundle, env={"SKIN_EDGE_HOME": str(tmp_path / "file" / "state")})
    assert done.returncode == 5
    assert "cannot change the model store" in done.stderr
