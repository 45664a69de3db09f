"""The plot is well-formed, says what was measured, and hides nothing."""

from __future__ import annotations

import xml.etree.ElementTree as ET

import pytest

from skin_edge.health.bench.measure import Spread
from skin_edge.health.bench.plot import plot
from skin_edge.health.bench.sustained import Sample, Sustained

SVG = "{http://www.w3.org/2000/svg}"


def run(seconds: int, *, warm: bool = True, throttled: range = range(0)) -> Sustained:
    samples = tuple(
        Sample(
            at_s=float(s),
            frames=50,
            latency=Spread(p50_ms=20.0 + s % 3, p95_ms=25.0, max_ms=30.0),
            temperature_c=40 + s / 60 if warm else None,
            cpu_mhz=1500.0 if warm else None,
            throttled=s in throttled if warm else None,
            under_voltage=None,
            resident_mb=90.0,
        )
        for s in range(1, seconds + 1)
    )
    latency = Spread(p50_ms=21.0, p95_ms=25.0, max_ms=30.0)
    return Sustained(
        seconds=float(seconds),
        interrupted=False,
        frames=50 * seconds,
        frames_per_s=50.0,
        latency=latency,
        slowdown=1.0,
        samples=samples,
    )


def texts(root: ET.Element) -> list[str]:
    return [element.text or "" for element in root.iter(f"{SVG}text")]


def inside(root: ET.Element) -> bool:
    """Every point of every line lies in the picture."""
    points = [
        tuple(map(float, pair.split(",")))
        for element in root.iter(f"{SVG}polyline")
        for pair in element.attrib["points"].split()
    ]
    return bool(points) and all(0 <= x <= 960 and 0 <= y <= 500 for x, y in points)


@pytest.mark.parametrize("seconds", [1, 2, 15, 179, 600, 3600])
def test_any_length_fits(seconds: int) -> None:
    root = ET.fromstring(plot(run(seconds), "a title"))
    assert inside(root)
    told = texts(root)
    assert "a title" in told
    assert "temperature, °C" in told
    assert "CPU, MHz" in told
    assert ("minutes" if seconds >= 180 else "seconds") in told
    lines = [len(e.attrib["points"].split()) for e in root.iter(f"{SVG}polyline")]
    assert max(lines) <= 400


def test_a_machine_that_tells_nothing_shows_its_rate() -> None:
    root = ET.fromstring(plot(run(30, warm=False), "t"))
    assert inside(root)
    assert {"frames / s", "this machine tells no temperature"} <= set(texts(root))


def test_a_spell_of_throttling_is_one_rectangle() -> None:
    root = ET.fromstring(plot(run(100, throttled=range(40, 61)), "t"))
    red = [e for e in root.iter(f"{SVG}rect") if e.attrib["fill"] == "#dc2626"]
    (rectangle,) = red
    assert float(rectangle.attrib["width"]) == pytest.approx(820 * 21 / 100, abs=0.2)
    assert any("slowed down" in text for text in texts(root))
    root = ET.fromstring(plot(run(100), "t"))
    assert [e for e in root.iter(f"{SVG}rect") if e.attrib["fill"] == "#dc2626"] == []


def test_a_slow_second_is_not_thinned_away() -> None:
    long = run(3600)
    slow = Sample(
        at_s=1801.0,
        frames=2,
        latency=Spread(p50_ms=500.0, p95_ms=500.0, max_ms=500.0),
        temperature_c=None,
        cpu_mhz=None,
        throttled=None,
        under_voltage=None,
        resident_mb=90.0,
    )
    samples = (*long.samples[:1800], slow, *long.samples[1801:])
    root = ET.fromstring(
        plot(
            Sustained(
                seconds=3600.0,
                interrupted=False,
                frames=1,
                frames_per_s=1.0,
                latency=long.latency,
                slowdown=1.0,
                samples=samples,
            ),
            "t",
        )
    )
    median = next(root.iter(f"{SVG}polyline"))
    ys = [float(pair.split(",")[1]) for pair in median.attrib["points"].split()]
    assert min(ys) < max(ys) - 150


def test_a_title_from_outside_cannot_break_the_picture() -> None:
    root = ET.fromstring(plot(run(3), '<script>&"'))
    assert '<script>&"' in texts(root)
