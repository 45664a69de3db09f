"""/healthz says whether a frame was classified lately, and why not; /metrics is what Prometheus reads."""

from __future__ import annotations

import math
import time
from typing import Any

from prometheus_client.parser import text_string_to_metric_families


def test_it_is_ill_until_the_first_frame_was_classified(start_kiosk: Any, wait_until: Any) -> None:
    kiosk = start_kiosk("fault:hang-open,times=1", config={"camera": {"open_timeout_s": 2.0}})
    answer = kiosk.get("/healthz")
    assert answer.status_code == 503
    assert answer.json()["status"] == "ill"
    assert answer.json()["frame_age_s"] is None
    assert answer.json()["camera"] == "opening"
    well = wait_until(lambda: (a := kiosk.get("/healthz")).status_code == 200 and a)
    assert well.json()["status"] == "ok"
    assert well.json()["frame_age_s"] < 10
    assert well.json()["pid"] == kiosk.process.pid
    assert len(well.json()["model"]["sha256"]) == 64


def test_it_is_ill_when_frames_stop(start_kiosk: Any, wait_until: Any) -> None:
    settings = {
        "kiosk": {"healthy_s": 1.0, "selftest_s": 0.2, "probe_s": 0.1},
        "camera": {"read_timeout_s": 0.7, "backoff_s": 60.0},
    }
    kiosk = start_kiosk("fault:hang-read,after=40,times=0", config=settings)
    wait_until(lambda: kiosk.get("/healthz").status_code == 200)
    ill = wait_until(lambda: (a := kiosk.get("/healthz")).status_code == 503 and a).json()
    assert ill["frame_age_s"] > 1.0
    assert "hangs" in ill["cause"]


def test_classifying_goes_on_without_anybody_and_makes_no_row(start_kiosk: Any, wait_until: Any) -> None:
    kiosk = start_kiosk("fault:none", config={"kiosk": {"selftest_s": 0.2, "probe_s": 0.1}})
    wait_until(lambda: kiosk.get("/healthz").status_code == 200)
    time.sleep(2)
    assert kiosk.get("/healthz").json()["frame_age_s"] < 1.0
    assert kiosk.get("/api/results").json() == {"results": [], "total": 0}


def test_the_figures_are_what_prometheus_reads(kiosk: Any) -> None:
    before = kiosk.metric("skin_edge_captures_total")
    assert kiosk.capture().status_code == 200
    answer = kiosk.get("/metrics")
    assert answer.headers["content-type"].startswith("text/plain; version=0.0.4")
    families = {family.name: family for family in text_string_to_metric_families(answer.text)}
    assert kiosk.metric("skin_edge_captures_total") == before + 1
    assert kiosk.metric("skin_edge_capture_seconds_count") == before + 1
    assert kiosk.metric("skin_edge_camera_up") == 1
    assert 0 <= kiosk.metric("skin_edge_classified_age_seconds") < 60
    assert kiosk.metric("skin_edge_disk_free_bytes") > 0
    assert kiosk.metric("process_open_fds") > 0
    assert math.isfinite(kiosk.metric("process_resident_memory_bytes"))
    assert all(family.documentation for family in families.values())


def test_failures_are_counted_by_their_code(start_kiosk: Any) -> None:
    kiosk = start_kiosk("replay:/nowhere/at-all").consent()
    assert kiosk.capture().status_code == 503
    assert kiosk.metric("skin_edge_capture_failures_total") == 1
    assert 'skin_edge_capture_failures_total{code="camera-lost"} 1.0' in kiosk.get("/metrics").text
