"""What a push costs beyond its transfer and the device's own work, and what fifty hosts cost beside five.

    python benchmarks/deploy.py [--repeats 5] [--out docs/results/deploy.csv]

Everything is on loopback: real OpenSSH servers, the real client. The overhead is measured with the real
device command. For fifty hosts that command is a stand-in, a shell script that answers at once: fifty real
ones would measure how many cores this machine has.
"""

from __future__ import annotations

import argparse
import asyncio
import csv
import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import asyncssh
import msgspec

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "tests" / "deploy"))

from loopback import BIN, Host, keygen  # noqa: E402

from skin_edge.model.bundle import open_bundle, pack_bundle, write_bundle  # noqa: E402
from skin_edge.model.locate import default_bundle_path  # noqa: E402

CONCURRENCY = 10
STAND_IN = """#!/bin/sh
case "$*" in
    --version) echo "skin-edge 0.1.0" ;;
    "model list --json") ;;
    "model install"*) echo '{"installed": "x", "activated": true, "current": "x"}' ;;
esac
"""


def bundle(folder: Path, version: str) -> Path:
    """Return the shipped bundle, packed under another version."""
    shipped = open_bundle(default_bundle_path())
    manifest = msgspec.structs.replace(shipped.manifest, version=version)
    written = write_bundle(
        folder / version, manifest, model=shipped.model, golden=shipped.golden, model_card=shipped.model_card
    )
    return pack_bundle(written, folder / f"{manifest.identity}.skinmodel")


def timed(action: Callable[[], object]) -> float:
    """Return how many seconds `action` takes."""
    began = time.perf_counter()
    action()
    return time.perf_counter() - began


def processor_s() -> float:
    """Return the processor time of all processes that this one has started and seen end, in seconds."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def run(command: list[str], env: dict[str, str]) -> None:
    """Run a command that must succeed."""
    done = subprocess.run(command, env=env, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done


def overhead(folder: Path, repeats: int) -> dict[str, float]:
    """Return the seconds of whole pushes, of the device's own install, and of the transfer; medians.

    Beside them the processor time of both, which a busy machine does not lengthen.
    """
    key = keygen(folder / "home" / ".ssh" / "id_ed25519")
    env = {**os.environ, "HOME": str(folder / "home"), "SKIN_EDGE_HOME": str(folder / "here")}
    env.pop("SSH_AUTH_SOCK", None)
    host = Host(folder / "device", key.with_suffix(".pub"))
    (folder / "home" / ".ssh" / "known_hosts").write_text(host.known_hosts_line)
    pushes, installs, transfers, spent, again = [], [], [], [], []
    try:
        for number in range(repeats):
            pushed, installed = (bundle(folder, f"{number + 1}.{n}.0") for n in range(2))
            command = [str(BIN / "skin-edge"), "deploy", host.target, "--bundle", str(pushed)]
            before = processor_s()
            host.start()
            pushes.append(timed(lambda command=command: run(command, env)))  # type: ignore[misc]
            host.stop()  # now its server's processes count too
            pushed_s, before = processor_s() - before, processor_s()
            host.start()
            again.append(timed(lambda command=command: run(command, env)))  # type: ignore[misc]
            host.stop()
            before = processor_s()
            local = {**env, "SKIN_EDGE_HOME": str(host.state), "XDG_CONFIG_HOME": str(host.root / "config")}
            own = [str(BIN / "skin-edge"), "model", "install", "--activate", "--json", str(installed)]
            installs.append(timed(lambda own=own, local=local: run(own, local)))  # type: ignore[misc]
            spent.append(pushed_s - (processor_s() - before))
            host.start()
            transfers.append(asyncio.run(transfer(host, key, installed.read_bytes())))
            host.stop()
    finally:
        host.stop()
    pairs = zip(pushes, installs, transfers, strict=True)
    return {
        "push": statistics.median(pushes),
        "device": statistics.median(installs),
        "transfer": statistics.median(transfers),
        "overhead": statistics.median(whole - own - sent for whole, own, sent in pairs),
        "overhead in processor time": statistics.median(spent),
        "the same bundle again": statistics.median(again),
    }


async def transfer(host: Host, key: Path, data: bytes) -> float:
    """Return the seconds that SFTP takes for `data` on a connection that stands."""
    async with (
        asyncssh.connect(
            host.address,
            host.port,
            client_keys=[str(key)],
            config=None,
            known_hosts=host.known_hosts_line.encode(),
        ) as ssh,
        ssh.start_sftp_client() as sftp,
        sftp.open(f"{host.root}/transferred", "wb") as file,
    ):
        began = time.perf_counter()
        await file.write(data)
        return time.perf_counter() - began


def fleets(folder: Path, repeats: int, counts: tuple[int, ...] = (5, 50)) -> dict[int, float]:
    """Return the median seconds of a push to so many hosts, each with an SSH server of its own."""
    key = keygen(folder / "home" / ".ssh" / "id_ed25519")
    env = {**os.environ, "HOME": str(folder / "home"), "SKIN_EDGE_HOME": str(folder / "here")}
    env.pop("SSH_AUTH_SOCK", None)
    program = folder / "skin-edge"
    program.write_text(STAND_IN)
    program.chmod(0o755)
    pushed = bundle(folder, "1.0.0")
    hosts = [
        Host(folder / f"device{number}", key.with_suffix(".pub"), address=f"127.0.1.{number + 1}")
        for number in range(max(counts))
    ]
    (folder / "home" / ".ssh" / "known_hosts").write_text("".join(h.known_hosts_line for h in hosts))
    try:
        for host in hosts:
            host.start()
        found: dict[int, list[float]] = {count: [] for count in counts}
        for _ in range(repeats):
            for count in counts:
                targets = [host.target for host in hosts[:count]]
                command = [str(BIN / "skin-edge"), "deploy", *targets, "--bundle", str(pushed), "--json"]
                command += ["--skin-edge", str(program), "--concurrency", str(CONCURRENCY)]
                found[count].append(timed(lambda command=command: run(command, env)))  # type: ignore[misc]
        expected = [repeats * sum(number < count for count in counts) for number in range(len(hosts))]
        assert [host.connections() for host in hosts] == expected
    finally:
        for host in hosts:
            host.stop()
    return {count: statistics.median(seconds) for count, seconds in found.items()}


def main() -> None:
    """Measure, print, and write the figures where asked to."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--out", type=Path)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="skin-edge-bench-", ignore_cleanup_errors=True) as one:
        alone = overhead(Path(one), options.repeats)
    with tempfile.TemporaryDirectory(prefix="skin-edge-bench-", ignore_cleanup_errors=True) as many:
        fleet = fleets(Path(many), options.repeats)
    rows = [(f"one host, {name}", f"{seconds:.3f}", "s") for name, seconds in alone.items()]
    rows += [(f"{count} hosts, stand-in device command", f"{s:.3f}", "s") for count, s in fleet.items()]
    rows.append((f"50 hosts over 5, concurrency {CONCURRENCY}", f"{fleet[50] / fleet[5]:.2f}", "ratio"))
    for row in rows:
        print(*row)
    if options.out is not None:
        with options.out.open("w", newline="") as stream:
            writer = csv.writer(stream, lineterminator="\n")
            writer.writerow(("what", "value", "unit"))
            writer.writerows(rows)
    print(json.dumps({"repeats": options.repeats, "cores": os.cpu_count()}))


if __name__ == "__main__":
    main()
