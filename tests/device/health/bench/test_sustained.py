"""The run at full speed: rows are durable, logs are begun anew, and a warm machine shows."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import repeat
from pathlib import Path

import pytest
from recorded_machines import PI_4, write_machine, write_vcgencmd

from skin_edge.camera.drawing import draw
from skin_edge.errors import CameraError, StorageError
from skin_edge.frame import Frame
from skin_edge.health.bench import sustained
from skin_edge.health.bench.sustained import Sample, run_sustained
from skin_edge.model.classifier import Classifier
from skin_edge.model.locate import default_bundle_path
from skin_edge.results.log import ResultsLog


@pytest.fixture(scope="module")
def classifier() -> Classifier:
    return Classifier.load(default_bundle_path(), trusted=True)


@pytest.fixture(scope="module")
def frame() -> Frame:
    return Frame(draw(0, 0).pixels[::4, ::4].copy(), name="a", source="test")


def test_readings_are_taken_every_second(tmp_path: Path, classifier: Classifier, frame: Frame) -> None:
    root = write_machine(tmp_path / "root", PI_4)
    write_vcgencmd(root, throttled="0x50005")
    zone = root / "sys/class/thermal/thermal_zone0/temp"
    seen: list[Sample] = []

    def warm(sample: Sample) -> None:
        seen.append(sample)
        zone.write_text(f"{48312 + 1000 * len(seen)}\n")

    run = run_sustained(
        classifier, repeat(frame), tmp_path / "run", seconds=2.6, root=root, after_sample=warm
    )
    assert list(run.samples) == seen
    assert len(run.samples) == 3
    assert [s.temperature_c for s in run.samples] == [48.312, 49.312, 50.312]
    assert all(s.throttled and s.under_voltage and s.cpu_mhz == 1500.0 for s in run.samples)
    assert run.frames == sum(s.frames for s in run.samples)


def test_logs_are_begun_anew_before_they_fill_the_disk(
    tmp_path: Path, classifier: Classifier, frame: Frame, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sustained, "ROWS_PER_LOG", 10)
    run = run_sustained(classifier, repeat(frame), tmp_path / "run", seconds=1.0)
    (left,) = (tmp_path / "run").iterdir()
    assert run.frames > 10
    assert left.name == f"log-{(run.frames - 1) // 10}"
    with ResultsLog(left) as log:
        assert log.count() == run.frames - 10 * ((run.frames - 1) // 10)
        assert log.list(limit=1)[0].machine is not None


def test_an_almost_full_disk_is_refused(
    tmp_path: Path, classifier: Classifier, frame: Frame, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sustained, "_MIN_FREE_BYTES", 1 << 60)
    with pytest.raises(StorageError, match="would fill") as caught:
        run_sustained(classifier, repeat(frame), tmp_path / "run", seconds=1.0)
    assert caught.value.code == "storage-full"


def test_a_source_that_fails_ends_the_run_with_its_error(
    tmp_path: Path, classifier: Classifier, frame: Frame
) -> None:
    def frames() -> Iterator[Frame]:
        yield frame
        raise CameraError("unplugged")

    with pytest.raises(CameraError, match="unplugged"):
        run_sustained(classifier, frames(), tmp_path / "run", seconds=5.0)


def test_ctrl_c_before_the_first_second_measures_nothing(
    tmp_path: Path, classifier: Classifier, frame: Frame
) -> None:
    def frames() -> Iterator[Frame]:
        yield frame
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run_sustained(classifier, frames(), tmp_path / "run", seconds=5.0)
