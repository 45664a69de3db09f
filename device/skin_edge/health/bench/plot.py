"""Latency over time with temperature and frequency, as an SVG: sharp at any size, and no library needed."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from html import escape

from skin_edge.health.bench.sustained import Sample, Sustained

_WIDTH, _HEIGHT = 960, 500
_LEFT, _RIGHT, _TOP = 70, 890, 70
_LATENCY_BOTTOM, _GAP, _BOTTOM = 320, 40, 440
#: More points than pixels would only be slow to draw.
_MAX_POINTS = 400

_BLUE, _RED, _GREEN, _GREY, _INK = "#1f5fa8", "#c2410c", "#2f7d4f", "#d9dde2", "#1c2530"

Scale = Callable[[float], float]


def plot(sustained: Sustained, title: str) -> str:
    """Return an SVG document.

    Above, the latency of each second: its median, the band up to its 95th percentile, a dot for its slowest
    frame where that lies in the picture; over it the temperature, on the right axis. Below, the frequency of
    the processor, or the frames of each second where the machine does not tell it. Seconds in which the
    processor was slowed down have a red ground.

    Args:
        sustained: what was measured.
        title: of the picture.
    """
    samples = _thinned(sustained.samples)
    end_s = samples[-1].at_s
    x = _scale(0.0, end_s, _LEFT, _RIGHT)
    parts = [
        '<svg xmlns="http://www.w3.org/2000/svg" font-family="Helvetica, Arial, DejaVu Sans, sans-serif" '
        f'viewBox="0 0 {_WIDTH} {_HEIGHT}" width="{_WIDTH}" height="{_HEIGHT}" font-size="12" fill="{_INK}">',
        f'<rect width="{_WIDTH}" height="{_HEIGHT}" fill="white"/>',
        _text(_LEFT, 28, title, size=16, weight="bold"),
        _text(_LEFT, 48, _caption(sustained), colour="#5b6673"),
    ]
    parts += _throttled(samples, x)
    parts += _latency(samples, x)
    parts += _temperature(samples, x)
    parts += _lower(samples, x)
    parts += _time_axis(end_s, x)
    return "\n".join([*parts, "</svg>", ""])


def _caption(sustained: Sustained) -> str:
    latency = sustained.latency
    return (
        f"{sustained.frames:,} frames in {sustained.seconds:.0f} s, {sustained.frames_per_s:.1f} a second; "
        f"latency p50 {latency.p50_ms:.1f}, p95 {latency.p95_ms:.1f}, max {latency.max_ms:.1f} ms; "
        f"last tenth / first tenth {sustained.slowdown:.2f}"
    )


def _thinned(samples: Sequence[Sample]) -> list[Sample]:
    """At most `_MAX_POINTS`, each the slowest by its median of its share, so that no slow spell is hidden."""
    share = math.ceil(len(samples) / _MAX_POINTS)
    return [
        max(samples[i : i + share], key=lambda sample: sample.latency.p50_ms)
        for i in range(0, len(samples), share)
    ]


def _latency(samples: list[Sample], x: Scale) -> list[str]:
    top_ms = _nice_above(max(s.latency.p95_ms for s in samples) * 1.15)
    y = _scale(0.0, top_ms, _LATENCY_BOTTOM, _TOP)
    upper = [(x(s.at_s), y(s.latency.p95_ms)) for s in samples]
    middle = [(x(s.at_s), y(s.latency.p50_ms)) for s in samples]
    parts = _grid(0.0, top_ms, y)
    parts.append(f'<polygon points="{_points(upper + middle[::-1])}" fill="{_BLUE}" fill-opacity="0.18"/>')
    parts += [
        f'<circle cx="{x(s.at_s):.1f}" cy="{y(s.latency.max_ms):.1f}" r="1.6" fill="{_BLUE}" opacity="0.45"/>'
        for s in samples
        if s.latency.max_ms <= top_ms
    ]
    parts.append(_line(middle, _BLUE))
    parts.append(_side_text(18, (_TOP + _LATENCY_BOTTOM) / 2, "latency, ms", _BLUE))
    parts.append(
        _text(_LEFT + 8, _TOP + 14, "line: median; band: to p95; dots: slowest frame", colour=_BLUE, size=11)
    )
    return parts


def _temperature(samples: list[Sample], x: Scale) -> list[str]:
    known = [(s.at_s, s.temperature_c) for s in samples if s.temperature_c is not None]
    if not known:
        return [
            _text(
                _RIGHT,
                _TOP + 14,
                "this machine tells no temperature",
                colour="#5b6673",
                anchor="end",
                size=11,
            )
        ]
    low = math.floor((min(c for _, c in known) - 3) / 5) * 5.0
    high = math.ceil((max(c for _, c in known) + 3) / 5) * 5.0
    y = _scale(low, high, _LATENCY_BOTTOM, _TOP)
    parts = [_line([(x(t), y(c)) for t, c in known], _RED)]
    parts += [_text(_RIGHT + 6, y(mark) + 4, f"{mark:g}", colour=_RED) for mark in _marks(low, high)]
    return [*parts, _side_text(_WIDTH - 18, (_TOP + _LATENCY_BOTTOM) / 2, "temperature, °C", _RED)]


def _lower(samples: list[Sample], x: Scale) -> list[str]:
    """Frequency where it is known, else the rate: either shows a machine that slows down."""
    known = [(s.at_s, s.cpu_mhz) for s in samples if s.cpu_mhz is not None]
    name = "CPU, MHz"
    if not known:
        name = "frames / s"
        starts = [0.0, *(s.at_s for s in samples[:-1])]
        known = [
            (s.at_s, s.frames / max(1e-3, min(s.at_s - t, 1.5))) for s, t in zip(samples, starts, strict=True)
        ]
    top = _nice_above(max(value for _, value in known) * 1.05)
    y = _scale(0.0, top, _BOTTOM, _LATENCY_BOTTOM + _GAP)
    parts = _grid(0.0, top, y, count=3)
    parts.append(_line([(x(t), y(value)) for t, value in known], _GREEN))
    return [*parts, _side_text(18, (_LATENCY_BOTTOM + _GAP + _BOTTOM) / 2, name, _GREEN)]


def _throttled(samples: list[Sample], x: Scale) -> list[str]:
    spells: list[tuple[float, float]] = []
    start_s = 0.0
    for sample in samples:
        if sample.throttled or sample.under_voltage:
            # One rectangle a spell: the edges of neighbours would show.
            first_s = spells.pop()[0] if spells and spells[-1][1] == start_s else start_s
            spells.append((first_s, sample.at_s))
        start_s = sample.at_s
    parts = [
        f'<rect x="{x(first_s):.1f}" y="{_TOP}" width="{x(last_s) - x(first_s):.1f}" '
        f'height="{_BOTTOM - _TOP}" fill="#dc2626" fill-opacity="0.10"/>'
        for first_s, last_s in spells
    ]
    if parts:
        told = "red ground: slowed down by heat or low voltage"
        parts.append(_text(_LEFT, _BOTTOM + 36, told, colour="#b91c1c", size=11))
    return parts


def _time_axis(end_s: float, x: Scale) -> list[str]:
    unit_s, unit = (60.0, "minutes") if end_s >= 180 else (1.0, "seconds")
    parts = [
        _text(x(mark * unit_s), _BOTTOM + 18, f"{mark:g}", anchor="middle")
        for mark in _marks(0.0, end_s / unit_s, 8)
    ]
    return [*parts, _text((_LEFT + _RIGHT) / 2, _BOTTOM + 36, unit, anchor="middle", colour="#5b6673")]


def _grid(low: float, high: float, y: Scale, count: int = 5) -> list[str]:
    parts = []
    for mark in _marks(low, high, count):
        parts.append(
            f'<line x1="{_LEFT}" x2="{_RIGHT}" y1="{y(mark):.1f}" y2="{y(mark):.1f}" stroke="{_GREY}"/>'
        )
        parts.append(_text(_LEFT - 8, y(mark) + 4, f"{mark:g}", anchor="end"))
    return parts


def _scale(low: float, high: float, start: float, end: float) -> Scale:
    span = (high - low) or 1.0
    return lambda value: start + (value - low) / span * (end - start)


def _step(span: float, count: int) -> float:
    """A step of 1, 2 or 5 times a power of ten that makes at most about `count` marks."""
    power = 10.0 ** math.floor(math.log10(span / count))
    return next(f * power for f in (1, 2, 5, 10) if f * power >= span / count * 0.999)


def _marks(low: float, high: float, count: int = 5) -> list[float]:
    step = _step((high - low) or 1.0, count)
    first = math.ceil(low / step - 1e-9)
    return [round(i * step, 9) for i in range(first, math.floor(high / step + 1e-9) + 1)]


def _nice_above(value: float) -> float:
    step = _step(value or 1.0, 5)
    return math.ceil((value or 1.0) / step - 1e-9) * step


def _points(points: Sequence[tuple[float, float]]) -> str:
    return " ".join(f"{px:.1f},{py:.1f}" for px, py in points)


def _line(points: Sequence[tuple[float, float]], colour: str) -> str:
    return (
        f'<polyline points="{_points(points)}" fill="none" stroke="{colour}" stroke-width="1.8" '
        'stroke-linejoin="round"/>'
    )


def _text(
    x: float,
    y: float,
    text: str,
    *,
    colour: str = _INK,
    anchor: str = "start",
    size: int = 12,
    weight: str = "normal",
) -> str:
    return (
        f'<text x="{x:.1f}" y="{y:.1f}" fill="{colour}" text-anchor="{anchor}" font-size="{size}" '
        f'font-weight="{weight}">{escape(text)}</text>'
    )


def _side_text(x: float, y: float, text: str, colour: str) -> str:
    return (
        f'<text transform="translate({x:.1f} {y:.1f}) rotate(-90)" text-anchor="middle" fill="{colour}">'
        f"{escape(text)}</text>"
    )
