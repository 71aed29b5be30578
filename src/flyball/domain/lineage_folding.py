"""A graph that a person can take in: of many nodes of a kind, most are folded into one."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping

from flyball.domain.lineage import Edge, Graph, Kind, Node

_PLURALS = {
    Kind.SOURCE: "sources",
    Kind.EVENTS: "stretches of events",
    Kind.BATCH: "batches",
    Kind.DATASET: "dataset versions",
    Kind.RUN: "runs",
    Kind.VERSION: "versions",
    Kind.REPORT: "reports",
    Kind.DEPLOYMENT: "deployments",
    Kind.PREDICTIONS: "versions' predictions",
    Kind.PREDICTION: "predictions",
}


def folded(graph: Graph, focus: str, *, most: int) -> Graph:
    """At most ``most`` nodes of each kind; the rest of a kind are one node: "37 more batches".

    What stays: the focus, then what is next to what stays nearer to the focus, then the newest.
    """
    stays: set[str] = set()
    into: dict[str, str] = {}
    extra: dict[str, Node] = {}
    near = _steps_from(graph, focus)
    for kind in sorted(Kind, key=lambda kind: _nearest(graph, near, kind)):
        nodes = [node for node in graph.nodes.values() if node.kind is kind]
        if len(nodes) <= most:
            stays |= {node.key for node in nodes}
            continue
        beside = _beside(graph, stays)
        nodes.sort(key=lambda node: (node.key == focus, node.key in beside, _age(node)))
        kept = {node.key for node in nodes[-(most - 1) :]}
        stays |= kept
        rest = [node for node in nodes if node.key not in kept]
        one = _rest(kind, rest)
        extra[one.key] = one
        into |= {node.key: one.key for node in rest}
    nodes_by_key = {key: node for key, node in graph.nodes.items() if key in stays} | extra
    return Graph(nodes=nodes_by_key, edges=_merged(graph.edges, into))


def _steps_from(graph: Graph, focus: str) -> dict[str, int]:
    """How many edges each node is away from the focus, in whatever direction."""
    into, out_of = graph.into(), graph.out_of()
    steps, waiting = {focus: 0}, deque([focus])
    while waiting:
        key = waiting.popleft()
        beside = [edge.source for edge in into.get(key, ())]
        beside += [edge.target for edge in out_of.get(key, ())]
        for other in beside:
            if other not in steps:
                steps[other] = steps[key] + 1
                waiting.append(other)
    return steps


def _nearest(graph: Graph, steps: Mapping[str, int], kind: Kind) -> int:
    far = len(graph.nodes)
    keys = (key for key, node in graph.nodes.items() if node.kind is kind)
    return min((steps.get(key, far) for key in keys), default=far)


def _beside(graph: Graph, stays: set[str]) -> set[str]:
    beside = {edge.source for edge in graph.edges if edge.target in stays}
    return beside | {edge.target for edge in graph.edges if edge.source in stays}


def _age(node: Node) -> tuple[float, str]:
    return (node.at.timestamp() if node.at else 0.0, node.id)


def _rest(kind: Kind, nodes: list[Node]) -> Node:
    count = sum(node.count for node in nodes)
    times = [node.at for node in nodes if node.at]
    return Node(
        kind=kind,
        id=f"{count:,} more {_PLURALS[kind]}",
        at=max(times, default=None),
        fact=f"since {min(times):%Y-%m-%d}" if times else "",
        count=count,
    )


def _merged(edges: tuple[Edge, ...], into: Mapping[str, str]) -> tuple[Edge, ...]:
    """Edges between what is left, each once; folded ones say nothing of how."""
    made: dict[tuple[str, str], Edge] = {}
    for edge in edges:
        source, target = into.get(edge.source, edge.source), into.get(edge.target, edge.target)
        if source == target:
            continue
        same = (source, target) == (edge.source, edge.target)
        made.setdefault((source, target), edge if same else Edge(source=source, target=target))
    return tuple(made.values())
