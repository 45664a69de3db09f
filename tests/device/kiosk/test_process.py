"""The process: how it starts, what it tells systemd, how it ends, and that a full disk does not end it."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from skin_edge.results.log import ResultsLog


def test_sigterm_ends_it_well_with_streams_open_and_the_log_whole(
    start_kiosk: Any, run_cli: Callable[..., Any], wait_until: Any
) -> None:
    kiosk = start_kiosk("fault:none").consent()
    wait_until(lambda: kiosk.snapshot()["camera"]["state"] == "ok")
    acknowledged: list[str] = []

    def captures() -> None:
        with contextlib.suppress(Exception):
            while True:
                answer = kiosk.capture()
                if answer.status_code != 200:
                    return
                acknowledged.append(answer.json()["result"]["result_id"])

    thread = threading.Thread(target=captures)
    thread.start()
    with kiosk.browser() as browser, browser.stream("GET", "/preview.mjpg"):
        wait_until(lambda: len(acknowledged) >= 3)
        begun = time.monotonic()
        assert kiosk.stop(signal.SIGTERM) == 0
        assert time.monotonic() - begun < 8
    thread.join()
    with ResultsLog(kiosk.state) as log:
        ids = [record.result_id for record in log.iter_all()]
    assert ids[: len(acknowledged)] == acknowledged
    assert len(ids) <= len(acknowledged) + 1
    verified = run_cli("results", "verify", env={"SKIN_EDGE_HOME": str(kiosk.state)})
    assert verified.returncode == 0, verified.stdout
    assert "Traceback" not in "".join(kiosk.stderr)


def test_a_client_that_takes_nothing_does_not_keep_it_from_ending(start_kiosk: Any, wait_until: Any) -> None:
    kiosk = start_kiosk("fault:none,size=1280x720", config={"camera": {"preview_width": 1280}})
    with socket.socket() as stuck:
        stuck.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        stuck.connect((kiosk.http.base_url.host, kiosk.http.base_url.port))
        stuck.sendall(b"GET /preview.mjpg HTTP/1.1\r\nHost: localhost\r\n\r\n")

        def is_stuck() -> bool:
            before = kiosk.metric("skin_edge_preview_frames_total")
            time.sleep(2.0)
            return 0 < before == kiosk.metric("skin_edge_preview_frames_total")

        wait_until(is_stuck, 30.0)
        begun = time.monotonic()
        assert kiosk.stop(signal.SIGTERM) == 0
        assert time.monotonic() - begun < 10
    assert "Traceback" not in "".join(kiosk.stderr)


def test_ctrl_c_ends_it_with_130(start_kiosk: Any) -> None:
    kiosk = start_kiosk()
    assert kiosk.stop(signal.SIGINT) == 130
    assert "Traceback" not in "".join(kiosk.stderr)


@pytest.mark.parametrize("source", ["fault:hang-open,times=0", "fault:hang-read,after=1,times=0"])
def test_a_hanging_camera_does_not_keep_it_from_ending(start_kiosk: Any, source: str) -> None:
    kiosk = start_kiosk(source)
    time.sleep(1.5)
    begun = time.monotonic()
    assert kiosk.stop(signal.SIGTERM) == 0
    assert time.monotonic() - begun < 15


def test_kill_loses_no_acknowledged_result(start_kiosk: Any) -> None:
    kiosk = start_kiosk().consent()
    ids = [kiosk.capture().json()["result"]["result_id"] for _ in range(3)]
    kiosk.stop(signal.SIGKILL)
    again = start_kiosk()
    assert [r["result_id"] for r in again.get("/api/results").json()["results"]] == ids[::-1]


def run(*args: str, env: dict[str, str], timeout: float = 30.0) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "skin_edge", "kiosk", *args]
    return subprocess.run(command, capture_output=True, text=True, env=env, timeout=timeout)


def test_an_address_in_use_and_a_source_that_is_none_are_told_in_one_line(
    start_kiosk: Any, cli_env: dict[str, str], tmp_path: Path
) -> None:
    port = str(start_kiosk().http.base_url.port)
    done = run("--source", "demo", "--port", port, env=cli_env)
    assert (done.returncode, done.stderr.count("\n")) == (2, 1)
    assert f"port {port}" in done.stderr
    done = run("--source", "nonsense", "--port", "0", env=cli_env)
    assert done.returncode == 2
    assert "no such kind of source" in done.stderr
    done = run("--source", "demo", "--port", "0", "--model", str(tmp_path), env=cli_env)
    assert done.returncode == 4
    assert done.stdout == "", "an address is told once there is something to be asked for"


def test_help_teaches(cli_env: dict[str, str]) -> None:
    told = run("--help", env=cli_env).stdout
    for word in (
        "--source demo --open",
        "healthz",
        "tls_cert",
        "SIGTERM",
        "kiosk-pin.json",
        "skin-edge[kiosk]",
    ):
        assert word in told


def notifications(path: Path) -> socket.socket:
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    listener.bind(str(path))
    listener.settimeout(20)
    return listener


def heard(listener: socket.socket, until: str) -> list[str]:
    told: list[str] = []
    while not told or not told[-1].startswith(until):
        told.append(listener.recv(4096).decode())
    return told


def test_systemd_hears_of_frames_and_of_the_end(start_kiosk: Any, tmp_path: Path) -> None:
    with contextlib.closing(notifications(tmp_path / "n")) as listener:
        env = {"NOTIFY_SOCKET": str(tmp_path / "n")}
        kiosk = start_kiosk("fault:none", config={"kiosk": {"probe_s": 0.2}}, env=env)
        assert "WATCHDOG=1" in heard(listener, "READY=1"), "ready after the first classified frame"
        begun = time.monotonic()
        for _ in range(5):
            heard(listener, "WATCHDOG=1")
        assert time.monotonic() - begun < 5
        assert kiosk.stop() == 0
        heard(listener, "STOPPING=1")


def test_no_beat_while_a_camera_hangs_and_one_for_each_try_to_get_it_back(
    start_kiosk: Any, tmp_path: Path
) -> None:
    with contextlib.closing(notifications(tmp_path / "n")) as listener:
        env = {"NOTIFY_SOCKET": str(tmp_path / "n")}
        settings = {"kiosk": {"probe_s": 0.1}, "camera": {"read_timeout_s": 3.0, "backoff_s": 0.5}}
        start_kiosk("fault:hang-read,after=30,times=0", config=settings, env=env)
        heard(listener, "STATUS=camera ok")
        while True:  # frames beat, until the camera hangs
            listener.settimeout(1.5)
            try:
                listener.recv(4096)
            except TimeoutError:
                break
        listener.settimeout(20)
        told = heard(listener, "STATUS=camera lost")
        assert "WATCHDOG=1" in [*told, listener.recv(4096).decode()], "the try that ended is a beat"


FILL = """
import os, sys
with open(sys.argv[1], "ab", buffering=0) as ballast:
    for size in (65536, 4096, 1):
        try:
            while True:
                ballast.write(bytes(size))
        except OSError:
            pass
"""


def test_a_full_disk_is_told_as_507_and_the_kiosk_lives(
    start_kiosk: Any, tmp_path: Path, wait_until: Any
) -> None:
    disk = tmp_path / "disk"
    disk.mkdir()
    unshare = ["unshare", "-m"] if os.geteuid() == 0 else ["unshare", "-Urm"]
    mount = f"mount -t tmpfs -o size=2m tmpfs '{disk}'"
    probe = subprocess.run([*unshare, "sh", "-c", mount], capture_output=True, text=True)
    if probe.returncode:
        pytest.skip(f"no tmpfs can be mounted here, so a full disk cannot be tried: {probe.stderr.strip()}")
    kiosk = start_kiosk(
        "demo", state=disk / "state", prefix=(*unshare, "sh", "-c", f'{mount} && exec "$@"', "sh")
    ).consent()
    seen = Path(f"/proc/{kiosk.process.pid}/root{disk}")
    acknowledged = [kiosk.capture().json()["result"]["result_id"]]

    def until_full() -> Any:
        subprocess.run([sys.executable, "-c", FILL, seen / "ballast"], check=True)
        answer = kiosk.capture()
        if answer.status_code == 200:
            acknowledged.append(answer.json()["result"]["result_id"])
            return None
        return answer

    refused = wait_until(until_full, 60.0)
    assert (refused.status_code, refused.json()["error"]["code"]) == (507, "storage-full")
    assert wait_until(lambda: kiosk.snapshot()["disk"]["low"])
    assert kiosk.get("/").status_code == 200
    (seen / "ballast").unlink()
    after = kiosk.capture()
    assert after.status_code == 200, after.text
    acknowledged.append(after.json()["result"]["result_id"])
    listed = [r["result_id"] for r in kiosk.get("/api/results?limit=200").json()["results"]]
    assert listed == acknowledged[::-1]
    assert kiosk.stop() == 0
