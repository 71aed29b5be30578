"""Draw: lineage as one SVG document, left to right as data flows, in light and dark.

The document is built as a tree of elements and then written, so that nothing in an id or a source
can end up as markup. It loads nothing and runs nothing.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from xml.etree.ElementTree import Element, SubElement, tostring

from flyball.domain.lineage import Edge, Graph, Kind, Node, Traced
from flyball.domain.lineage_folding import folded
from flyball.steps.lineage_layout import Place, placed

MOST = 8
"""Nodes of one kind that are drawn; the rest are one box."""

WIDTH, HEIGHT = 244, 62
_GAP, _ROW = 72, 82
_MARGIN, _TOP = 40, 56
_LINE = 30
"""Characters of 12 px that a box is wide enough for."""

_STYLE = """
svg { color-scheme: light dark; --page: #f6f7f9; --card: #fff; --text: #1c2430; --soft: #5b6675;
  --line: #aab4c0; --focus: #3b6fb6; --good: #14733c; --bad: #b3261e; --wait: #8a5a00; }
@media (prefers-color-scheme: dark) { svg { --page: #12161c; --card: #1b212a; --text: #e6eaf0;
  --soft: #9aa6b5; --line: #566273; --focus: #7fb0f0; --good: #5fd08a; --bad: #ff8a80;
  --wait: #f0b849; } }
.page { fill: var(--page); }
.box { fill: var(--card); stroke: var(--line); stroke-width: 1; }
.focus .box { stroke: var(--focus); stroke-width: 3; }
.many .box { stroke-dasharray: 5 4; }
text { font: 12px system-ui, sans-serif; fill: var(--soft); }
.id { fill: var(--text); font-weight: 600; }
.kind { font-size: 11px; letter-spacing: .04em; }
.heading { font-size: 13px; font-weight: 600; }
.good { fill: var(--good); } .bad { fill: var(--bad); } .wait { fill: var(--wait); }
.edge { fill: none; stroke: var(--line); stroke-width: 1.5; }
.back { stroke-dasharray: 6 4; }
.tip { fill: var(--line); }
"""

_TONES = {
    "good": ("production", "monitoring", "staging", "promote", "done", "baking", "switching"),
    "bad": ("failed", "reject", "rolled back", "rollback"),
    "wait": ("undecided", "validation", "training", "searching", "loading"),
}
_TONE = {state: tone for tone, states in _TONES.items() for state in states}

_COLUMNS: Mapping[Kind, str] = {
    Kind.SOURCE: "Sources",
    Kind.EVENTS: "Sources",
    Kind.BATCH: "Batches",
    Kind.DATASET: "Datasets",
    Kind.RUN: "Runs",
    Kind.VERSION: "Versions",
    Kind.REPORT: "Validation",
    Kind.DEPLOYMENT: "Deployments",
    Kind.PREDICTIONS: "Predictions",
    Kind.PREDICTION: "Predictions",
}

_NOT_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def drawn(found: Traced) -> str:
    """The answer as an SVG document (UTF-8 text, ends with a newline)."""
    graph = folded(found.graph, found.focus, most=MOST)
    headings = list(dict.fromkeys(_COLUMNS.values()))
    column = {key: headings.index(_COLUMNS[node.kind]) for key, node in graph.nodes.items()}
    places = placed(graph, column)
    size = _Size.of(places.values(), back=any(_is_back(edge, places) for edge in graph.edges))
    svg = _document(found, graph, size)
    used = sorted(set(column.values()))
    for place, index in enumerate(used):
        heading = SubElement(svg, "text", x=str(_x(place)), y="34")
        heading.set("class", "heading")
        heading.text = headings[index]
    for edge in graph.edges:
        _edge(svg, edge, places, size)
    for key, node in graph.nodes.items():
        _box(svg, node, places[key], focus=key == found.focus)
    return tostring(svg, encoding="unicode") + "\n"


@dataclass(frozen=True, slots=True)
class _Size:
    width: int
    height: int
    floor: int

    @classmethod
    def of(cls, places: Iterable[Place], *, back: bool) -> _Size:
        places = list(places)
        columns = max(place.column for place in places) + 1
        floor = _TOP + int((max(place.row for place in places) + 1) * _ROW)
        width = 2 * _MARGIN + columns * WIDTH + (columns - 1) * _GAP
        return cls(width, floor + (44 if back else 12), floor)


def _document(found: Traced, graph: Graph, size: _Size) -> Element:
    svg = Element("svg", xmlns="http://www.w3.org/2000/svg", role="img")
    svg.set("viewBox", f"0 0 {size.width} {size.height}")
    svg.set("width", str(size.width))
    svg.set("height", str(size.height))
    focus = graph.nodes[found.focus]
    SubElement(svg, "title").text = f"Lineage of {focus.kind} {_clean(focus.id)}"
    said = f"{len(found.nodes)} records, drawn from left to right as data flowed"
    SubElement(svg, "desc").text = said
    SubElement(svg, "style").text = _STYLE
    page = SubElement(svg, "rect", width="100%", height="100%")
    page.set("class", "page")
    return svg


def _box(svg: Element, node: Node, place: Place, *, focus: bool) -> None:
    x, y = _x(place.column), _y(place.row)
    group = SubElement(svg, "g")
    group.set("class", " ".join(["node", *["focus"] * focus, *["many"] * (node.count > 1)]))
    when = f"\n{node.at:%Y-%m-%d %H:%M:%S} UTC" if node.at else ""
    SubElement(group, "title").text = _clean(
        f"{node.kind} {node.id}\n{' '.join(filter(None, (node.state, node.fact)))}{when}"
    )
    box = SubElement(
        group, "rect", x=str(x), y=str(y), width=str(WIDTH), height=str(HEIGHT), rx="8"
    )
    box.set("class", "box")
    _text(group, x, y + 18, str(node.kind), "kind")
    if node.state:
        state = _text(
            group, x + WIDTH - 20, y + 18, node.state, f"kind {_TONE.get(node.state, '')}"
        )
        state.set("text-anchor", "end")
    _text(group, x, y + 36, _short_id(node), "id")
    when = f"{node.at:%Y-%m-%d}" if node.at else ""
    _text(group, x, y + 53, _cut(node.fact or when), "fact")


def _text(group: Element, x: float, y: float, words: str, style: str) -> Element:
    made = SubElement(group, "text", x=str(x + 10), y=str(y))
    made.set("class", style.strip())
    made.text = words
    return made


def _edge(svg: Element, edge: Edge, places: Mapping[str, Place], size: _Size) -> None:
    source, target = places[edge.source], places[edge.target]
    x1, y1 = _x(source.column) + WIDTH, _y(source.row) + HEIGHT / 2
    x2, y2 = _x(target.column), _y(target.row) + HEIGHT / 2
    if target.column > source.column + 1:  # below the boxes that it passes
        low = y1 + _ROW / 2
        way = (
            f"M{x1} {y1} C{x1 + 36} {y1} {x1 + 24} {low} {x1 + 64} {low} L{x2 - 64} {low} "
            f"C{x2 - 24} {low} {x2 - 36} {y2} {x2 - 7} {y2}"
        )
    elif target.column > source.column:
        bend = max(_GAP / 2, (x2 - x1) / 2)
        way = f"M{x1} {y1} C{x1 + bend} {y1} {x2 - bend} {y2} {x2 - 7} {y2}"
    elif target.column == source.column:  # around the right side, and in from there
        x2 += WIDTH
        way = f"M{x1} {y1} C{x1 + 44} {y1} {x2 + 44} {y2} {x2 + 7} {y2}"
    else:  # back to the left along the floor: feedback that became data
        low = size.floor + 18
        way = (
            f"M{x1} {y1} C{x1 + 30} {y1} {x1 + 30} {low} {x1 - 10} {low} L{x2 + 10} {low} "
            f"C{x2 - 34} {low} {x2 - 34} {y2} {x2 - 7} {y2}"
        )
    path = SubElement(svg, "path", d=way)
    path.set("class", "edge back" if _is_back(edge, places) else "edge")
    if edge.how:
        SubElement(path, "title").text = _clean(edge.how)
    point = 7 if target.column == source.column else -7
    tip = SubElement(svg, "path", d=f"M{x2} {y2} l{point} -4 v8 z")
    tip.set("class", "tip")


def _is_back(edge: Edge, places: Mapping[str, Place]) -> bool:
    return places[edge.target].column < places[edge.source].column


def _x(column: int) -> int:
    return _MARGIN + column * (WIDTH + _GAP)


def _y(row: float) -> float:
    return _TOP + row * _ROW


def _short_id(node: Node) -> str:
    """The end of an id says more than its beginning: a path's file, a record without its model."""
    id = _clean(node.id)
    if node.kind is Kind.SOURCE and node.count == 1:
        return id if len(id) <= _LINE else f"…{id[-(_LINE - 1) :]}"
    if node.kind is Kind.DATASET and node.count == 1:
        model, _, version = id.partition("/")
        return _cut(f"{model}/{version[:12]}")
    return _cut(id)


def _cut(words: str) -> str:
    words = _clean(words)
    return words if len(words) <= _LINE else f"{words[: _LINE - 1]}…"


def _clean(words: str) -> str:
    """Without the characters that XML cannot hold."""
    return _NOT_XML.sub("\N{REPLACEMENT CHARACTER}", words)
