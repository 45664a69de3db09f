"""Small disks filled for real: pictures make room, deleting works with no room, and no row is lost."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest

FULL_DISK = """
import json, os, sys
from pathlib import Path
import numpy as np
from sample_records import make_record
from skin_edge.config import Config
from skin_edge.sections import RetentionConfig, StateConfig
from skin_edge.errors import StorageError
from skin_edge.results.keeping import open_keeping
from skin_edge.results.log import ResultsLog
from skin_edge.results.record import new_result_id
from skin_edge.results.verify import verify

disk = Path(sys.argv[1])
os.environ.pop("SKIN_EDGE_HOME", None)
settings = Config(state=StateConfig(directory=str(disk / "state")))
noise = np.random.default_rng(1).integers(0, 256, (100, 100, 3), np.uint8)  # 30 kB as PNG
acknowledged, errors, told = [], [], {}

def keep(keeping, rows):
    for _ in range(rows):
        try:
            acknowledged.append(keeping.keep(make_record(result_id=new_result_id()), noise).result_id)
        except StorageError as error:
            errors.append((error.code, str(error)))
            return

def fill():
    with open(disk / "ballast", "ab", buffering=0) as ballast:
        for size in (65536, 4096, 1):
            try:
                while True:
                    ballast.write(bytes(size))
            except OSError:
                pass
        os.fsync(ballast.fileno())

def check(moment):
    with ResultsLog(disk / "state") as log:
        ids = [record.result_id for record in log.iter_all()]
        assert ids == acknowledged, (moment, len(ids), len(acknowledged))
        bad = [check for check in verify(log, grace_s=0.0) if check.status != "ok"]
        assert not bad, (moment, bad)
        told[moment] = [len(ids), sum(record.image_path is not None for record in log.iter_all())]

with open_keeping(settings, keep_images=True) as keeping:
    keep(keeping, 400)                       # twelve megabytes of pictures
    told["errors before full"] = len(errors)
    check("pictures went")
    free = os.statvfs(disk)
    told["free fraction"] = free.f_bavail / free.f_blocks
    fill()                                   # another program takes all there is, down to the last byte
    keep(keeping, 40)
    told["errors while full"] = len(errors)
    fill()
    keep(keeping, 40)
    told["errors while full again"] = len(errors)
fill()
with open_keeping(settings, keep_images=True) as keeping:   # a fresh start on the full disk
    told["started on a full disk"] = True
    check("after the start")
    for _ in range(60):
        fill()
        keep(keeping, 20)                    # until no picture is left, and no room at all
    told["errors at the end"] = [code for code, _ in errors]
    told["last error"] = errors[-1][1] if errors else ""
(disk / "ballast").unlink()
with open_keeping(settings, keep_images=True) as keeping:
    keep(keeping, 5)
check("room again")
print(json.dumps(told))
"""


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["tmpfs", "ext4"])
def test_a_small_disk_is_filled_for_real_and_no_acknowledged_row_is_lost(
    run_on_disk: Callable[..., str], kind: str
) -> None:
    told = json.loads(run_on_disk(FULL_DISK, kind=kind, size_kib=12_288))
    print(kind, told)  # noqa: T201 - shown with a failure, or by -s
    assert told["errors before full"] == 0, "the disk was met before it was full"
    rows, pictures = told["pictures went"]
    assert rows == 400
    assert 20 < pictures < 250
    assert told["free fraction"] > 0.05
    assert told["errors while full"] == told["errors while full again"] == 0, "pictures made room each time"
    assert told["started on a full disk"]
    assert set(told["errors at the end"]) <= {"storage-full"}
    assert told["room again"][1] > 0


PURGE_ON_A_FULL_DISK = """
import os, sys
from pathlib import Path
import numpy as np
from sample_records import make_record
from skin_edge.results.images import ImageStore
from skin_edge.results.keeping import Keeping
from skin_edge.results.log import ResultsLog
from skin_edge.results.purge import Selection, carry_out, plan
from skin_edge.results.record import new_result_id
from skin_edge.results.reserve import hold_reserve
disk = Path(sys.argv[1])
noise = np.random.default_rng(1).integers(0, 256, (60, 60, 3), np.uint8)
with ResultsLog(disk / "state") as log:
    hold_reserve(disk / "state")
    keeping = Keeping(log, ImageStore(disk / "state"))
    for _ in range(100):
        keeping.keep(make_record(result_id=new_result_id()), noise)
with open(disk / "ballast", "wb", buffering=0) as ballast:
    for size in (65536, 4096, 1):
        try:
            while True:
                ballast.write(bytes(size))
        except OSError:
            pass
with ResultsLog(disk / "state") as log:
    removed = carry_out(log, plan(log, Selection(keep=5)), images_only=True)
    print(removed.pictures, log.count(), os.statvfs(disk).f_bavail > 0)
"""


@pytest.mark.parametrize("kind", ["tmpfs", "ext4"])
def test_pictures_can_be_purged_by_hand_on_a_full_disk(run_on_disk: Callable[..., str], kind: str) -> None:
    assert run_on_disk(PURGE_ON_A_FULL_DISK, kind=kind, size_kib=16_384).split() == ["95", "100", "True"]


def test_opening_for_reading_needs_no_room(run_on_disk: Callable[..., str]) -> None:
    script = """
import os, sys
from pathlib import Path
from sample_records import make_record
from skin_edge.results.log import ResultsLog
disk = Path(sys.argv[1])
with ResultsLog(disk / "state") as log:
    log.append(make_record())
try:
    with open(disk / "ballast", "wb", buffering=0) as ballast:
        while True:
            ballast.write(bytes(4096))
except OSError:
    pass
with ResultsLog.open_readonly(disk / "state") as log:
    print(log.count())
"""
    assert run_on_disk(script, kind="tmpfs", size_kib=512).split() == ["1"]
