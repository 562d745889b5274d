"""Small plots as SVG, drawn by hand: both axes in powers of ten, a line for each series, its last value beside it."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

Series = Mapping[str, Sequence[tuple[float, float]]]
_WIDTH, _HEIGHT = 460, 250
_LEFT, _RIGHT, _TOP, _BOTTOM = 52, 132, 28, 36
_COLOURS = ("#1b6ca8", "#c2571a", "#3a7d34", "#7b4397")


def _decades(values: Sequence[float]) -> tuple[int, int]:
    """The powers of ten around these."""
    return math.floor(math.log10(min(values))), max(
        math.ceil(math.log10(max(values))), math.floor(math.log10(min(values))) + 1
    )


def _short(value: float) -> str:
    """A figure of two or three digits."""
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"


def plot(title: str, across: str, up: str, series: Series) -> str:
    """One plot.

    :param across: what grows; ``up``: what it costs, with its unit.
    :param series: points above 0, by the name of the line.
    """
    xs = [x for points in series.values() for x, _ in points]
    ys = [y for points in series.values() for _, y in points]
    (left, right), (low, high) = _decades(xs), _decades(ys)

    def place(x: float, y: float) -> tuple[float, float]:
        return (
            _LEFT + (math.log10(x) - left) / (right - left) * (_WIDTH - _LEFT - _RIGHT),
            _HEIGHT - _BOTTOM - (math.log10(y) - low) / (high - low) * (_HEIGHT - _TOP - _BOTTOM),
        )

    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {_HEIGHT}" font-size="11" role="img">',
        "<style>text { font-family: sans-serif }</style>",
        f"<title>{title}</title>",
        f'<rect width="{_WIDTH}" height="{_HEIGHT}" fill="#fff"/>',
        f'<text x="{_LEFT}" y="16" font-size="12" font-weight="bold">{title}</text>',
    ]
    for power in range(left, right + 1):
        x, y = place(10.0**power, 10.0**low)
        parts.append(f'<path d="M{x:.1f} {_TOP}V{y:.1f}" stroke="#ddd"/>')
        parts.append(f'<text x="{x:.1f}" y="{y + 14:.1f}" text-anchor="middle">{_short(10.0**power)}</text>')
    for power in range(low, high + 1):
        x, y = place(10.0**left, 10.0**power)
        parts.append(f'<path d="M{x:.1f} {y:.1f}H{_WIDTH - _RIGHT}" stroke="#ddd"/>')
        parts.append(f'<text x="{x - 5:.1f}" y="{y + 4:.1f}" text-anchor="end">{_short(10.0**power)}</text>')
    parts.append(f'<text x="{_LEFT}" y="{_HEIGHT - 6}">{across}; up: {up}</text>')
    taken: list[float] = []
    for colour, (name, points) in zip(_COLOURS, series.items(), strict=False):
        placed = [place(x, y) for x, y in points]
        line = " ".join(f"{x:.1f},{y:.1f}" for x, y in placed)
        parts.append(f'<polyline points="{line}" fill="none" stroke="{colour}" stroke-width="2"/>')
        parts += [f'<circle cx="{x:.1f}" cy="{y:.1f}" r="2.5" fill="{colour}"/>' for x, y in placed]
        height = placed[-1][1] + 4
        while any(abs(height - other) < 12 for other in taken):
            height -= 12
        taken.append(height)
        label = f"{name} {_short(points[-1][1])}"
        parts.append(f'<text x="{_WIDTH - _RIGHT + 6}" y="{height:.1f}" fill="{colour}">{label}</text>')
    return "\n".join([*parts, "</svg>"]) + "\n"
