"""The power is cut in the middle of logging, again and again: what was printed is in the log afterwards."""

from __future__ import annotations

import hashlib
import json
import logging
import random
import time
from pathlib import Path

from machine import Machine

log = logging.getLogger(__name__)

CUTS = 6
HOME = "/root/power-cut"
#: Rows before each cut, so that a cut meets a log at work.
MIN_ROWS, MAX_ROWS = 3, 12
FIRST_ROW_TIMEOUT_S = 120.0

INTEGRITY = f"sqlite3 {HOME}/results.sqlite3 'PRAGMA integrity_check'"


def test_a_printed_result_id_outlives_every_power_cut(machine: Machine, tmp_path: Path) -> None:
    seed = random.randrange(2**32)
    chance = random.Random(seed)
    acknowledged: set[str] = set()
    for number in range(CUTS):
        options = "--save-images" if number % 2 else ""
        acknowledged |= capture_until_cut(machine, options, chance)
        machine.boot()
        listed = machine.ssh(f"SKIN_EDGE_HOME={HOME} skin-edge results list --limit 100000 --json").stdout
        rows = {row["result_id"]: row for row in map(json.loads, listed.splitlines())}
        lost = acknowledged - rows.keys()
        assert not lost, (
            f"seed {seed}, cut {number}: {len(lost)} of {len(acknowledged)} acknowledged rows lost"
        )
        # The row whose acknowledgement the cut swallowed: at most one a cut, and what SSH had in flight.
        assert machine.ssh(INTEGRITY).stdout.strip() == "ok", f"seed {seed}, cut {number}"
        check_pictures(machine, rows, tmp_path / f"images-{number}")
    log.info("%d cuts, %d acknowledged rows, none lost", CUTS, len(acknowledged))
    assert len(acknowledged) >= CUTS * MIN_ROWS


def capture_until_cut(machine: Machine, options: str, chance: random.Random) -> set[str]:
    """Log decisions as fast as they come, cut the power at a random moment; return the printed ids."""
    command = (
        f"SKIN_EDGE_HOME={HOME} skin-edge capture --source demo --fps 1000 --interval 0 --json {options}"
    )
    process = machine.start(command)
    assert process.stdout is not None
    assert process.stderr is not None
    printed = [process.stdout.readline() for _ in range(chance.randint(MIN_ROWS, MAX_ROWS))]
    time.sleep(chance.uniform(0.0, 1.0))  # any moment of a decision, not the one after a line was printed
    machine.cut_power()
    rest, errors = process.communicate(timeout=60)
    printed += rest.splitlines(keepends=True)
    whole = [line for line in printed if line.endswith("}\n")]
    assert len(whole) >= MIN_ROWS, errors
    return {json.loads(line)["result_id"] for line in whole}


def check_pictures(machine: Machine, rows: dict[str, dict[str, object]], folder: Path) -> None:
    """A row that names a picture has it, whole."""
    named = {str(row["image_path"]): row["image_sha256"] for row in rows.values() if row["image_path"]}
    if not named:
        return
    machine.copy_out(f"{HOME}/images/", folder)
    for path, sha256 in named.items():
        content = folder.joinpath(*Path(path).parts[1:]).read_bytes()
        assert hashlib.sha256(content).hexdigest() == sha256, path
