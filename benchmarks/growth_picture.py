"""The picture of growth: a panel for each axis and cost, both scales logarithmic, as one SVG."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from xml.etree.ElementTree import Element, SubElement, tostring

COLOURS = (
    "#4269d0", "#efb118", "#ff725c", "#6cc5b0", "#3ca951",
    "#ff8ab7", "#a463f2", "#97bbf5", "#9c6b4e",
)  # fmt: skip
PANEL, GAP, LEFT, TOP = 250, 70, 60, 60
COSTS = ("fit, s", "peak, MiB")

Points = Sequence[tuple[int, float, float]]
"""Size, seconds, MiB."""


def picture(lines: Mapping[tuple[str, str], Points]) -> str:
    """An SVG document; ``lines`` by axis and family."""
    axes = list(dict.fromkeys(axis for axis, _ in lines))
    families = list(dict.fromkeys(family for _, family in lines))
    colours = {f: COLOURS[n % len(COLOURS)] for n, f in enumerate(families)}
    step = PANEL + GAP
    svg = Element(
        "svg",
        xmlns="http://www.w3.org/2000/svg",
        viewBox=f"0 0 {LEFT + step * len(axes)} {TOP + step * len(COSTS)}",
        role="img",
    )
    svg.set("font-family", "sans-serif")
    svg.set("font-size", "12")
    svg.set("aria-label", "Cost of fitting each model by the size of the data")
    SubElement(svg, "rect", width="100%", height="100%", fill="white")
    for number, family in enumerate(families):
        _text(svg, LEFT + number * 105, 24, family, "start", fill=colours[family])
    for across, axis in enumerate(axes):
        for down, cost in enumerate(COSTS):
            series = {f: [(p[0], p[1 + down]) for p in lines[axis, f]] for f in families}
            panel = SubElement(svg, "g")
            panel.set("transform", f"translate({LEFT + across * step} {TOP + down * step})")
            _panel(panel, series, colours, f"{cost} by {axis}")
    return tostring(svg, encoding="unicode")


def _panel(
    panel: Element,
    series: Mapping[str, Sequence[tuple[float, float]]],
    colours: Mapping[str, str],
    title: str,
) -> None:
    points = [point for line in series.values() for point in line]
    _text(panel, PANEL / 2, -8, title, "middle")
    if not points:
        return
    across, up = _decades([x for x, _ in points]), _decades([y for _, y in points])
    for decade in range(across[0], across[1] + 1):
        x = _place(10.0**decade, across)
        _line(panel, (x, 0), (x, PANEL))
        _text(panel, x, PANEL + 16, f"{10**decade:,}", "middle")
    for decade in range(up[0], up[1] + 1):
        y = PANEL - _place(10.0**decade, up)
        _line(panel, (0, y), (PANEL, y))
        _text(panel, -6, y + 4, f"{10.0**decade:g}", "end")
    for family, line in series.items():
        places = [(_place(x, across), PANEL - _place(y, up)) for x, y in line]
        path = " ".join(f"{x:.1f},{y:.1f}" for x, y in places)
        drawn = SubElement(panel, "polyline", points=path, fill="none", stroke=colours[family])
        drawn.set("stroke-width", "2")
        SubElement(drawn, "title").text = family
        for x, y in places:
            SubElement(panel, "circle", cx=f"{x:.1f}", cy=f"{y:.1f}", r="3", fill=colours[family])


def _decades(values: Sequence[float]) -> tuple[int, int]:
    low, high = math.floor(math.log10(min(values))), math.ceil(math.log10(max(values)))
    return low, max(high, low + 1)


def _place(value: float, decades: tuple[int, int]) -> float:
    return PANEL * (math.log10(value) - decades[0]) / (decades[1] - decades[0])


def _line(panel: Element, start: tuple[float, float], end: tuple[float, float]) -> None:
    ends = {"x1": start[0], "y1": start[1], "x2": end[0], "y2": end[1]}
    SubElement(panel, "line", {k: f"{v:.1f}" for k, v in ends.items()} | {"stroke": "#ddd"})


def _text(
    parent: Element, x: float, y: float, words: str, anchor: str, *, fill: str = "#333"
) -> None:
    places = {"x": f"{x:.1f}", "y": f"{y:.1f}", "text-anchor": anchor, "fill": fill}
    SubElement(parent, "text", places).text = words
