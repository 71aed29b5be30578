"""Lineage as a tree: what a record came from, then what it led to. Each node is shown once."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from datetime import datetime
from pathlib import Path

from rich.console import RenderableType
from rich.text import Text
from rich.tree import Tree

from flyball.cli.views.words import ago, coloured, short
from flyball.domain.lineage import Direction, Edge, Graph, Kind, Node, Traced
from flyball.domain.lineage_folding import folded

MOST = 8
"""Nodes of one kind that a tree shows; the rest are one line."""

_FLOW = {kind: place for place, kind in enumerate(Kind)}


def tree(found: Traced, now: datetime, *, drawn: Path | None = None) -> Iterator[RenderableType]:
    """The tree, and where the picture lies if one was drawn."""
    graph = folded(found.graph, found.focus, most=MOST)
    root = Tree(_line(graph.nodes[found.focus], now), guide_style="dim")
    if found.direction is not Direction.DOWN:
        branch = root.add(Text("came from", style="italic"))
        _grow(branch, graph, found.focus, now, up=True)
    if found.direction is not Direction.UP:
        branch = root.add(Text("led to", style="italic"))
        _grow(branch, graph, found.focus, now, up=False)
    yield root
    if len(graph.nodes) < len(found.nodes):
        yield Text(f"{len(found.nodes):,} records in all; --json lists each", style="dim")
    if drawn is not None:
        yield f"drawn: {drawn}"


def _grow(branch: Tree, graph: Graph, focus: str, now: datetime, *, up: bool) -> None:
    """Add what lies beyond the focus, in the order of the flow, without recursion."""
    leaving: Mapping[str, list[Edge]] = graph.into() if up else graph.out_of()
    far: Callable[[Edge], str] = (lambda e: e.source) if up else (lambda e: e.target)
    seen, waiting = {focus}, [(branch, focus)]
    if not leaving.get(focus):
        branch.add(Text("nothing that is recorded", style="dim"))
    while waiting:
        at, key = waiting.pop(0)
        edges = sorted(leaving.get(key, ()), key=lambda edge: _order(graph.nodes[far(edge)]))
        for edge in edges:
            node = graph.nodes[far(edge)]
            if node.key in seen:
                at.add(
                    Text.assemble((f"{node.kind} {_name(node)}", "dim"), (" (see there)", "dim"))
                )
                continue
            seen.add(node.key)
            waiting.append((at.add(_line(node, now, how=edge.how)), node.key))


def _order(node: Node) -> tuple[int, bool, float, str]:
    when = node.at.timestamp() if node.at else 0.0
    return _FLOW[node.kind], node.count > 1, when, node.id


def _line(node: Node, now: datetime, how: str = "") -> Text:
    kind = "" if node.kind is Kind.EVENTS or node.count > 1 else f"{node.kind} "  # the id says it
    line = Text.assemble((kind, "cyan"), (_name(node), "bold"))
    if node.state:
        line.append(" ").append_text(coloured(node.state))
    for part in (node.fact, how, ago(node.at, now)):
        if part:
            line.append(f" · {short(part)}", style="dim")
    return line


def _name(node: Node) -> str:
    """Its id on one line; hashes cut to 12 digits, as the commands take them."""
    if node.kind is Kind.DATASET and node.count == 1:
        model, _, version = node.id.partition("/")
        return f"{model}/{version[:12]}"
    return " ".join(node.id.split())
