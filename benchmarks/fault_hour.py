"""An hour of injected faults: is an acknowledged row lost, is a process, a descriptor or memory left behind?

    python benchmarks/fault_hour.py [--minutes 60] [--out docs/results/fault_hour.csv]

`skin-edge capture`, as a service runs it, on a camera that fails in another way at every start: hangs in
opening and in reading, crashes, errors, unplugging, black, frozen, torn, garbled and wrong-sized pictures.
Pictures are kept, and deleted again beyond a number. After each tenth of the time the command is killed with
SIGKILL and started again, as systemd would. Every JSON line that it printed is an acknowledgement.

At the end every acknowledged id must be in the log, `results verify` must find nothing once `results purge
--orphans` has deleted what a SIGKILL may leave, and no process may be there. In each life descriptors,
children and zombies are sampled and must not grow. It ends with 1 where one of these fails.
"""

from __future__ import annotations

import argparse
import collections
import csv
import itertools
import json
import os
import re
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

import psutil

ROOT = Path(__file__).resolve().parents[1]
SAMPLE_S = 5.0
LIVES = 10
SOURCE = "fault:mixed,times=0,after=20,fps=20"
SETTINGS = """
state: {save_images: true}
retention: {max_images: 200, min_free_bytes: 0}
capture: {burst: 2, interval_s: 0.5}
camera:
  {open_timeout_s: 10, read_timeout_s: 2, close_timeout_s: 2, bad_s: 0.5, black_s: 1, frozen_s: 1,
   backoff_s: 0.2, backoff_max_s: 2, restarts: 10000}
"""
COMMAND = (sys.executable, "-m", "skin_edge")
EVENT = re.compile(r"camera: ([a-z-]+): ")


class Life:
    """One run of `skin-edge capture`, heard by two threads and sampled by the caller.

    Attributes:
        ids: of the decisions that it has printed.
        events: how often it named each camera event.
        samples: seconds of life, resident bytes, descriptors, children, zombies.
    """

    def __init__(self, config: Path) -> None:
        command = [*COMMAND, "capture", "--config", str(config), "--source", SOURCE, "--json"]
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        self.ids: list[str] = []
        self.events: collections.Counter[str] = collections.Counter()
        self.samples: list[tuple[float, int, int, int, int]] = []
        self.last_words: collections.deque[str] = collections.deque(maxlen=5)
        self._started = time.monotonic()
        self._watched = psutil.Process(self.process.pid)
        self._threads = [
            threading.Thread(target=target) for target in (self._hear_results, self._hear_events)
        ]
        for thread in self._threads:
            thread.start()

    def _hear_results(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            if line.endswith("\n"):  # a line that SIGKILL cut short acknowledges nothing
                found = json.loads(line)
                if "result_id" in found:
                    self.ids.append(found["result_id"])

    def _hear_events(self) -> None:
        assert self.process.stderr is not None
        for line in self.process.stderr:
            self.last_words.append(line.rstrip())
            if event := EVENT.search(line):
                self.events[event[1]] += 1

    def sample(self) -> None:
        """Look at the process from outside."""
        children = self._watched.children(recursive=True)
        zombies = sum(_is_zombie(child) for child in children)
        resident = self._watched.memory_info().rss
        seconds = time.monotonic() - self._started
        self.samples.append((seconds, resident, self._watched.num_fds(), len(children), zombies))

    def end(self, *, kill: bool) -> int:
        """End it as a power cut or as systemd would; return its status."""
        if kill:
            self.process.kill()
        else:
            self.process.terminate()
        status = self.process.wait(60)
        for thread in self._threads:
            thread.join(60)
        return status


def _is_zombie(process: psutil.Process) -> bool:
    try:
        return bool(process.status() == psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return False


def run(config: Path, seconds: float) -> tuple[list[Life], list[str]]:
    """Run lives until the time is up; return them and what was wrong."""
    wrong, lives = [], []
    for number in range(LIVES):
        life, until = Life(config), time.monotonic() + seconds / LIVES
        lives.append(life)
        while (left := until - time.monotonic()) > 0 and life.process.poll() is None:
            time.sleep(min(SAMPLE_S, left))
            if life.process.poll() is None:
                life.sample()
        if life.process.poll() is not None:
            wrong.append(f"life {number + 1} ended by itself: {' / '.join(life.last_words)}")
        kill = number < LIVES - 1
        status = life.end(kill=kill)
        if not kill and status != 0:
            wrong.append(f"SIGTERM ended it with {status}: {' / '.join(life.last_words)}")
        last = life.samples[-1] if life.samples else (0.0, 0, 0, 0, 0)
        print(
            f"life {number + 1}: {len(life.ids)} decisions, {life.events['restart']} restarts, "
            f"{last[1] / 1e6:.1f} MB, {last[2]} descriptors, {last[3]} children",
            flush=True,
        )
    return lives, wrong


def left_running() -> list[str]:
    """Commands of this run that are still there, and capture processes that nobody watches any more."""
    found = []
    for process in psutil.process_iter(["cmdline", "ppid"]):
        command = " ".join(process.info["cmdline"] or [])
        orphan = "skin_edge.camera.worker" in command and process.info["ppid"] in (0, 1)
        if process.pid != os.getpid() and (orphan or SOURCE in command):
            found.append(command[:80])
    return found


def judge(config: Path, lives: list[Life]) -> list[str]:
    """What is wrong with the log and the lives, nothing for a good run."""
    wrong = []

    def ask(*words: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [*COMMAND, *words, "--config", str(config)], capture_output=True, text=True, check=False
        )

    exported = ask("results", "export", "--format", "jsonl").stdout.splitlines()
    rows = {json.loads(line)["result_id"] for line in exported}
    acknowledged = [result_id for life in lives for result_id in life.ids]
    if lost := [result_id for result_id in acknowledged if result_id not in rows]:
        wrong.append(f"{len(lost)} of {len(acknowledged)} acknowledged rows are lost, the first: {lost[0]}")
    ask("results", "purge", "--orphans", "--yes")
    verified = ask("results", "verify", "--json")
    if verified.returncode != 0:
        wrong.append(f"results verify: {verified.stdout.strip()[:400]}")
    for number, life in enumerate(lives, 1):
        settled = life.samples[len(life.samples) // 4 :]
        if not settled:
            wrong.append(f"life {number} was never sampled")
            continue
        if any(now[4] and then[4] for then, now in itertools.pairwise(settled)):
            wrong.append(f"life {number}: zombies that stay")
        # A capture process that is just being started or ended has some of its own.
        third = -(-len(settled) // 3)
        first, last = (statistics.median(s[2] for s in part) for part in (settled[:third], settled[-third:]))
        if last > first + 2:
            wrong.append(f"life {number}: descriptors grew from {first:g} to {last:g}")
    print(
        f"{len(acknowledged)} acknowledged, {len(rows)} rows, all of the former among the latter: {not lost}"
    )
    return wrong


def main() -> None:
    """Run, judge, save; exit 1 where something is wrong."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--minutes", type=float, default=60.0)
    parser.add_argument("--out", type=Path, default=ROOT / "docs/results/fault_hour.csv")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        config = Path(name, "config.yaml")
        config.write_text(f"{SETTINGS}\n", encoding="utf-8")
        os.environ["SKIN_EDGE_HOME"] = str(Path(name, "state"))
        lives, wrong = run(config, options.minutes * 60)
        wrong += judge(config, lives)
    time.sleep(1)
    wrong += [f"still running: {command}" for command in left_running()]
    with options.out.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(("life", "seconds", "resident_bytes", "descriptors", "children", "zombies"))
        for number, life in enumerate(lives, 1):
            writer.writerows((number, f"{s[0]:.0f}", *s[1:]) for s in life.samples)
    events = sum((life.events for life in lives), collections.Counter())
    print("events: " + ", ".join(f"{kind} {count}" for kind, count in events.most_common()))
    print("\n".join(f"WRONG: {what}" for what in wrong) or "nothing wrong")
    raise SystemExit(bool(wrong))


if __name__ == "__main__":
    main()
