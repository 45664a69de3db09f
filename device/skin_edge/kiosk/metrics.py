"""The kiosk's figures in the format of Prometheus, in a registry of their own."""

from __future__ import annotations

from typing import Final

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    Info,
    ProcessCollector,
    generate_latest,
)

from skin_edge import __version__
from skin_edge.errors import SkinEdgeError
from skin_edge.kiosk.broadcast import Latest
from skin_edge.kiosk.snapshot import age_s
from skin_edge.kiosk.station import Station
from skin_edge.results.record import ResultRecord

CONTENT_TYPE: Final = "text/plain; version=0.0.4; charset=utf-8"

_SECONDS: Final = (0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0, 30.0)
_NAN: Final = float("nan")


class Metrics:
    """Counters of what happened, and gauges that look at the station when they are asked.

    Args:
        station: what the gauges look at.
        preview: likewise.
    """

    def __init__(self, station: Station, preview: Latest[bytes]) -> None:
        self.registry = registry = CollectorRegistry()
        ProcessCollector(registry=registry)
        Info("skin_edge", "The software.", registry=registry).info({"version": __version__})
        self._captures = Counter(
            "skin_edge_captures", "Captures with a durable row.", ["label"], registry=registry
        )
        self._refusals = Counter(
            "skin_edge_refusals", "Refusals of the quality gate.", ["reason"], registry=registry
        )
        self._failures = Counter(
            "skin_edge_capture_failures",
            "Captures without a row, by error code.",
            ["code"],
            registry=registry,
        )
        self._seconds = Histogram(
            "skin_edge_capture_seconds",
            "From the request to the durable row.",
            buckets=_SECONDS,
            registry=registry,
        )
        self.preview_sent = Counter(
            "skin_edge_preview_frames",
            "Pictures of the live preview sent, to all clients.",
            registry=registry,
        )
        self.preview_dropped = Counter(
            "skin_edge_preview_frames_dropped", "Pictures that slow clients did not get.", registry=registry
        )
        self.requests = Counter(
            "skin_edge_http_requests", "Answers by status.", ["status"], registry=registry
        )
        self._gauges(registry, station, preview)

    def _gauges(self, registry: CollectorRegistry, station: Station, preview: Latest[bytes]) -> None:
        def gauge(name: str, text: str, value: object) -> None:
            Gauge(f"skin_edge_{name}", text, registry=registry).set_function(value)  # type: ignore[arg-type]

        def seen(name: str) -> float:
            found = age_s(getattr(station.snapshot, name))
            return _NAN if found is None else found

        def machine(name: str) -> float:
            found = getattr(station.snapshot.machine, name)
            return _NAN if found is None else float(found)

        gauge("camera_up", "1 where the camera gives pictures.", lambda: station.camera.state.state == "ok")
        gauge("camera_restarts", "Restarts by the supervisor.", lambda: station.camera.restarts)
        gauge("frame_age_seconds", "Since the last frame.", lambda: seen("frame_s"))
        gauge("classified_age_seconds", "Since a frame was last classified.", lambda: seen("classified_s"))
        gauge("busy", "1 while a capture is under way.", lambda: station.snapshot.busy)
        gauge("preview_clients", "Live previews that are watched.", lambda: preview.watchers)
        gauge("temperature_celsius", "Of the processor.", lambda: machine("temperature_c"))
        gauge("throttled", "1 while the processor is slowed down.", lambda: machine("throttled"))
        gauge("under_voltage", "1 while the supply is too low.", lambda: machine("under_voltage"))
        gauge(
            "disk_free_bytes",
            "Free room of the state folder.",
            lambda: _NAN if (free := station.snapshot.free_mb) is None else free * 1e6,
        )

    def captured(self, record: ResultRecord, seconds: float) -> None:
        """Count a capture whose row is durable."""
        self._captures.labels(record.label).inc()
        for reason in record.quality.reasons:
            self._refusals.labels(reason).inc()
        self._seconds.observe(seconds)

    def failed(self, error: SkinEdgeError) -> None:
        """Count a capture without a row."""
        self._failures.labels(error.code).inc()

    def text(self) -> bytes:
        """Return all figures as text."""
        return generate_latest(self.registry)
