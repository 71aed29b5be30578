"""Draw: predicted against observed probabilities, as an inline SVG for the validation report.

It takes its colours from the page's variables, loads nothing and runs nothing. The document is
built as a tree of elements, so that nothing in it can end up as other markup.
"""

from __future__ import annotations

import math
from xml.etree.ElementTree import Element, SubElement, tostring

from flyball.stats.reliability import Bin, Reliability

WIDTH, HEIGHT = 560, 340
_LEFT, _RIGHT, _TOP, _BOTTOM = 70, 540, 16, 286
_LOWEST = 1e-7
"""Probabilities below are drawn here."""


def reliability_chart(found: Reliability, *, units: str = "users") -> str:
    """The picture: bins with their intervals, and the line on which they should lie.

    Both axes are logarithmic, in decades that hold all bins: interactions are rare, and a bin at
    0.1% is as much worth seeing as one at 50%.
    """
    least = min(min(_floored(each.predicted), _floored(each.observed)) for each in found.bins)
    first = min(math.floor(math.log10(least) + 1e-9), -1)
    tone = {True: "pass", False: "fail", None: "inconclusive"}[found.holds]
    svg = Element("svg", viewBox=f"0 0 {WIDTH} {HEIGHT}", width=str(WIDTH), role="img")
    svg.set("class", tone)
    svg.set("aria-label", described(found, units=units))
    for decade in range(first, 1):
        _decade(svg, decade, first)
    start, end = _place(10.0**first, first), _place(1.0, first)
    _line(svg, start, end, stroke="var(--soft)", **{"stroke-dasharray": "5 4"})
    for each in found.bins:
        _bin(svg, each, first)
    _text(svg, (_LEFT + _RIGHT) / 2, HEIGHT - 8, "predicted probability", "middle")
    side = _text(svg, 0, 0, "share that came true", "middle")
    side.set("transform", f"translate(14 {(_TOP + _BOTTOM) / 2}) rotate(-90)")
    return tostring(svg, encoding="unicode")


def described(found: Reliability, *, units: str = "users") -> str:
    """What the picture says, in words."""
    unsure = "Too few hits to tell whether the probabilities hold"
    verdict = {
        True: "No sign that the probabilities are far wrong",
        False: "The probabilities do not hold",
        None: unsure if found.p_value is None else "The probabilities hold roughly",
    }[found.holds]
    chance = "" if found.p_value is None else f" (p = {found.p_value:.2g})"
    return (
        f"{verdict}{chance}: {found.hits:,.0f} hits of {found.units:,} {units} in "
        f"{len(found.bins)} bins, {found.misplaced:.0%} of them more or fewer than predicted."
    )


def percent(share: float) -> str:
    """A probability as a person reads it."""
    if share == 0.0:
        return "0%"
    digits = max(0, 1 - math.floor(math.log10(100 * share) + 1e-9))
    text = f"{100 * share:.{digits}f}"
    return f"{text.rstrip('0').rstrip('.') if '.' in text else text}%"


def _bin(svg: Element, each: Bin, first: int) -> None:
    group = SubElement(svg, "g")
    SubElement(group, "title").text = (
        f"predicted {percent(each.predicted)}, came true {percent(each.observed)} "
        f"({percent(each.low)} to {percent(each.high)}): {each.hits:,.0f} of {each.cells:,.0f}"
    )
    x, y = _place(each.predicted, first, each.observed)
    low, high = (_place(each.predicted, first, end)[1] for end in (each.low, each.high))
    _line(group, (x, low), (x, high), stroke="var(--bar)", **{"stroke-width": "2"})
    dot = SubElement(group, "circle", cx=_shown(x), cy=_shown(y), r="3.5", fill="var(--bar)")
    dot.set("stroke", "var(--card)")


def _decade(svg: Element, decade: int, first: int) -> None:
    x, y = _place(10.0**decade, first)
    _line(svg, (x, _TOP), (x, _BOTTOM), stroke="var(--line)")
    _line(svg, (_LEFT, y), (_RIGHT, y), stroke="var(--line)")
    _text(svg, x, _BOTTOM + 18, percent(10.0**decade), "middle")
    _text(svg, _LEFT - 8, y + 4, percent(10.0**decade), "end")


def _place(predicted: float, first: int, observed: float | None = None) -> tuple[float, float]:
    """Pixels from the left and from the top; below the first decade is drawn on the frame."""
    across = max(0.0, 1 - math.log10(_floored(predicted)) / first)
    share = predicted if observed is None else observed
    up = max(0.0, 1 - math.log10(_floored(share)) / first)
    return _LEFT + across * (_RIGHT - _LEFT), _BOTTOM - up * (_BOTTOM - _TOP)


def _floored(share: float) -> float:
    return max(share, _LOWEST)


def _line(
    parent: Element, start: tuple[float, float], end: tuple[float, float], **style: str
) -> None:
    places = {"x1": start[0], "y1": start[1], "x2": end[0], "y2": end[1]}
    SubElement(parent, "line", {name: _shown(at) for name, at in places.items()} | style)


def _text(parent: Element, x: float, y: float, words: str, anchor: str) -> Element:
    made = SubElement(parent, "text", {"x": _shown(x), "y": _shown(y), "text-anchor": anchor})
    made.text = words
    return made


def _shown(pixels: float) -> str:
    return f"{pixels:.1f}"
