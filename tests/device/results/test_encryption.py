"""At-rest encryption: nothing readable on the disk without the key, all of it with the key."""

from __future__ import annotations

import sqlite3
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest
from sample_records import make_record

from skin_edge.errors import StorageError
from skin_edge.results.images import ImageStore
from skin_edge.results.keeping import Keeping
from skin_edge.results.keys import Key, Keyring
from skin_edge.results.log import FILE_NAME, ResultsLog
from skin_edge.results.purge import Selection, carry_out, plan
from skin_edge.results.record import ResultRecord, new_result_id
from skin_edge.results.verify import verify

SUBJECT, SITE = "Marker-Subject-417", "Marker-Site-Ellbogen-ß"
PIXELS = np.random.default_rng(3).integers(0, 256, (40, 30, 3), np.uint8)


@pytest.fixture
def keyring() -> Keyring:
    return Keyring(Key(bytes(range(32))))


@pytest.fixture
def other() -> Keyring:
    return Keyring(Key(bytes(32)))


@pytest.fixture
def kept(tmp_path: Path, keyring: Keyring) -> ResultRecord:
    """One encrypted result with picture and explanation in `tmp_path/state`."""
    return keep(tmp_path / "state", keyring)


def keep(state: Path, keyring: Keyring | None, **changes: object) -> ResultRecord:
    with ResultsLog(state, keyring=keyring) as log:
        keeping = Keeping(log, ImageStore(state, keyring))
        changes = {"result_id": new_result_id(), "subject": SUBJECT, "site": SITE} | changes
        return keeping.keep(make_record(**changes), PIXELS, PIXELS)


def rows(state: Path, keyring: Keyring | None) -> list[ResultRecord]:
    log = ResultsLog.open_readonly(state, keyring=keyring)
    assert log is not None
    with log:
        return list(log.iter_all())


def files_with(state: Path, *needles: bytes) -> list[str]:
    found = [path for path in state.rglob("*") if path.is_file()]
    assert found
    return [path.name for path in found if any(needle in path.read_bytes() for needle in needles)]


WRITER = """
import os, sys
from pathlib import Path
sys.path.insert(0, sys.argv[2])
from test_encryption import SUBJECT, SITE, PIXELS
from sample_records import make_record
from skin_edge.results.images import ImageStore
from skin_edge.results.keeping import Keeping
from skin_edge.results.keys import Key, Keyring
from skin_edge.results.log import ResultsLog
from skin_edge.results.record import new_result_id
state, keyring = Path(sys.argv[1]), Keyring(Key(bytes(range(32)))) if sys.argv[3] == "on" else None
keeping = Keeping(ResultsLog(state, keyring=keyring), ImageStore(state, keyring))
for _ in range(30):
    keeping.keep(make_record(result_id=new_result_id(), subject=SUBJECT, site=SITE), PIXELS, PIXELS)
print(sorted(path.name for path in state.iterdir() if path.stat().st_size), flush=True)
os.kill(os.getpid(), 9)  # so that -wal and -shm stay as they are
"""


@pytest.mark.parametrize("switch", ["on", "off"])
def test_no_file_of_the_log_holds_subject_site_or_picture_in_the_clear(
    tmp_path: Path, script_env: dict[str, str], switch: str
) -> None:
    command = [sys.executable, "-c", WRITER, str(tmp_path), str(Path(__file__).parent), switch]
    done = subprocess.run(command, capture_output=True, text=True, env=script_env, timeout=60)
    assert f"{FILE_NAME}-wal" in done.stdout, done.stderr
    needles = SUBJECT.encode(), SITE.encode(), b"Ellbogen", b"IHDR", b"IDAT"
    clear = files_with(tmp_path, *needles)
    if switch == "on":
        assert clear == []
    else:
        assert f"{FILE_NAME}-wal" in clear, "or this test could not find what it looks for"
        assert any(name.endswith(".png") for name in clear)


def test_with_the_key_rows_and_pictures_are_as_they_were(
    tmp_path: Path, keyring: Keyring, kept: ResultRecord
) -> None:
    state = tmp_path / "state"
    assert rows(state, keyring) == [kept]
    assert (kept.subject, kept.site, kept.encrypted) == (SUBJECT, SITE, ())
    assert str(kept.image_path).endswith(".png.sealed")
    png = ImageStore(state, keyring).read(str(kept.image_path), str(kept.result_id))
    decoded = cv2.imdecode(np.frombuffer(png, np.uint8), cv2.IMREAD_COLOR)
    assert decoded is not None
    assert np.array_equal(decoded[..., ::-1], PIXELS)


def test_without_the_key_the_rest_can_be_read_and_what_is_sealed_is_named(
    tmp_path: Path, kept: ResultRecord
) -> None:
    (row,) = rows(tmp_path / "state", None)
    assert (row.subject, row.site, row.encrypted) == (None, None, ("subject", "site"))
    assert (row.label, row.logit, row.image_sha256) == (kept.label, kept.logit, kept.image_sha256)
    with pytest.raises(StorageError, match=r"encrypted with key .*encryption\.key_file") as caught:
        ImageStore(tmp_path / "state").read(str(kept.image_path), str(kept.result_id))
    assert caught.value.code == "storage-key"


def test_only_what_was_given_is_named_as_sealed(tmp_path: Path, keyring: Keyring) -> None:
    keep(tmp_path, keyring, subject=None)
    (row,) = rows(tmp_path, None)
    assert row.encrypted == ("site",)
    assert rows(tmp_path, keyring)[0].subject is None


def test_a_wrong_key_is_named_with_the_right_one(
    tmp_path: Path, keyring: Keyring, other: Keyring, kept: ResultRecord
) -> None:
    with pytest.raises(StorageError) as caught:
        rows(tmp_path / "state", other)
    assert caught.value.code == "storage-key"
    for part in (keyring.current.id, other.current.id, "encryption.old_key_files", str(kept.result_id)):
        assert part in str(caught.value)
    with pytest.raises(StorageError, match=keyring.current.id):
        ImageStore(tmp_path / "state", other).read(str(kept.image_path), str(kept.result_id))


def test_a_subject_is_found_under_every_key_and_in_the_clear(
    tmp_path: Path, keyring: Keyring, other: Keyring
) -> None:
    for ring in (None, other, keyring):
        keep(tmp_path, ring)
        keep(tmp_path, ring, subject="P-2")
    both = Keyring(keyring.current, (other.current,))
    with ResultsLog(tmp_path, keyring=both) as log:
        assert [record.subject for record in log.list(subject=SUBJECT)] == [SUBJECT] * 3
        assert len(list(log.iter_all(subject="P-2"))) == 3
        tag = keyring.current.tag(SUBJECT)
        assert log.list(subject=tag) == (), "the tag of a subject is no subject"
        assert log.count_sealed() == 0
    with ResultsLog(tmp_path, keyring=keyring) as log:
        assert log.count_sealed() == 2, "what is under the other key may be of any subject"


def test_a_subject_is_erased_under_every_key_at_hand(
    tmp_path: Path, keyring: Keyring, other: Keyring
) -> None:
    for ring in (None, other, keyring):
        keep(tmp_path, ring)
    keep(tmp_path, keyring, subject="P-2")
    with ResultsLog(tmp_path, keyring=Keyring(keyring.current, (other.current,))) as log:
        chosen = plan(log, Selection(subject=SUBJECT))
        assert (len(chosen.seqs), len(chosen.pictures), chosen.unreadable) == (3, 6, 0)
        carry_out(log, chosen, images_only=False)
        assert [record.subject for record in log.iter_all()] == ["P-2"]
    with ResultsLog(tmp_path, keyring=None) as log:
        assert plan(log, Selection(subject=SUBJECT)).unreadable == 1


def change(state: Path, statement: str, *values: object) -> None:
    connection = sqlite3.connect(state / FILE_NAME)
    connection.execute(statement, values)
    connection.commit()
    connection.close()


@pytest.mark.parametrize(
    "tamper",
    [
        "UPDATE results SET sealed_subject = (SELECT o.sealed_subject FROM results o WHERE o.seq = 2)",
        "UPDATE results SET sealed_subject = sealed_site",
        "UPDATE results SET sealed_site = substr(sealed_site, 1, 20)",
        "UPDATE results SET sealed_site = x''",
    ],
)
def test_what_was_altered_or_moved_to_another_row_or_field_is_refused(
    tmp_path: Path, keyring: Keyring, tamper: str
) -> None:
    keep(tmp_path, keyring)
    keep(tmp_path, keyring, subject="P-2")
    change(tmp_path, tamper)
    with pytest.raises(StorageError, match="altered or belongs to another result"):
        rows(tmp_path, keyring)
    with ResultsLog(tmp_path, keyring=keyring) as log:
        failed = {check.name: check for check in verify(log) if check.status == "fail"}
    assert failed["rows"].count >= 1


def test_a_picture_moved_to_another_result_or_changed_by_one_bit_is_refused(
    tmp_path: Path, keyring: Keyring
) -> None:
    first, second = keep(tmp_path, keyring), keep(tmp_path, keyring)
    store = ImageStore(tmp_path, keyring)
    with pytest.raises(StorageError, match="altered or belongs to another"):
        store.read(str(first.image_path), str(second.result_id))
    with pytest.raises(StorageError, match="altered or belongs to another"):
        store.read(str(first.image_path), str(first.result_id), "explanation")
    path = tmp_path / str(first.image_path)
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)
    with pytest.raises(StorageError, match="altered"):
        store.read(str(first.image_path), str(first.result_id))


def test_the_same_value_is_never_sealed_alike(tmp_path: Path, keyring: Keyring) -> None:
    for _ in range(20):
        keep(tmp_path, keyring)
    connection = sqlite3.connect(tmp_path / FILE_NAME)
    sealed = [row for (row,) in connection.execute("SELECT sealed_subject FROM results")]
    tags = {row for (row,) in connection.execute("SELECT subject FROM results")}
    connection.close()
    assert len({value[:12] for value in sealed}) == 20
    assert len(tags) == 1, "or a subject could not be found"


def test_switched_on_later_old_rows_stay_plain_and_verify_takes_the_mixture(
    tmp_path: Path, keyring: Keyring
) -> None:
    keep(tmp_path, None)
    keep(tmp_path, keyring)
    assert [record.subject for record in rows(tmp_path, keyring)] == [SUBJECT] * 2
    with ResultsLog(tmp_path, keyring=keyring) as log:
        assert {check.status for check in verify(log)} == {"ok"}
    with ResultsLog(tmp_path) as log:
        assert {check.name for check in verify(log) if check.status != "ok"} == {"encryption"}
        assert next(check for check in verify(log) if check.name == "encryption").status == "warn"
