"""The figures as a picture: for each, how many times as fast as the peer, on a logarithmic axis, with the aim as a mark."""

from __future__ import annotations

import math
from html import escape
from pathlib import Path

from bench.compare import Figure

ROW, LEFT, WIDTH, TOP = 22, 330, 460, 54
LOW, HIGH = 0.1, 100.0


def draw(figures: list[Figure], file: Path) -> None:
    rates = [figure for figure in figures if figure.unit == "/s"]
    height = TOP + ROW * len(rates) + 40
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{LEFT + WIDTH + 190}" height="{height}" '
        'font-family="sans-serif" font-size="12">',
        '<rect width="100%" height="100%" fill="white"/>',
        '<text x="10" y="22" font-size="16">Postern beside its peers: how many times as fast (medians of five, one run)</text>',
    ]
    for tick in (0.1, 0.3, 1, 3, 10, 30, 100):
        x = _x(tick)
        colour = "#444" if tick == 1 else "#ddd"
        parts.append(f'<line x1="{x}" y1="{TOP - 8}" x2="{x}" y2="{height - 30}" stroke="{colour}"/>')
        parts.append(f'<text x="{x}" y="{height - 14}" text-anchor="middle">{tick:g}x</text>')
    for number, figure in enumerate(rates):
        parts.extend(_row(figure, TOP + ROW * number))
    parts.append("</svg>")
    file.write_text("\n".join(parts) + "\n")


def _row(figure: Figure, y: float) -> list[str]:
    x, one = _x(figure.ratio), _x(1.0)
    good = figure.ratio >= (figure.aim or 1.0)
    label = f"{figure.ratio:g}x  ({figure.ours:,.0f} : {figure.peer:,.0f}{figure.unit})"
    parts = [
        f'<text x="{LEFT - 8}" y="{y + 11}" text-anchor="end">{escape(f"{figure.name}, {figure.peer_name}")}</text>',
        f'<rect x="{min(x, one)}" y="{y}" width="{max(1.0, abs(x - one))}" height="14" '
        f'fill="{"#2a7f62" if good else "#c0504d"}"/>',
        f'<text x="{LEFT + WIDTH + 8}" y="{y + 11}">{escape(label)}</text>',
    ]
    if figure.aim:
        mark = _x(figure.aim)
        parts.append(f'<line x1="{mark}" y1="{y - 3}" x2="{mark}" y2="{y + 17}" stroke="black" stroke-width="2"/>')
    return parts


def _x(value: float) -> float:
    bounded = min(HIGH, max(LOW, value))
    return round(LEFT + WIDTH * (math.log10(bounded) - math.log10(LOW)) / (math.log10(HIGH) - math.log10(LOW)), 1)
