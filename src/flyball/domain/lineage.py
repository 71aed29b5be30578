"""Lineage: what came from what, as a graph of records; and the walk along it, up and down.

Data flows along the edges: from a source to the batch, and on to whoever was answered from it.
Feedback closes the loop: answers lead to events, and events are a source of the next batch.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from flyball.errors import NotFound


class Kind(StrEnum):
    """What a node stands for, in the order in which data flows."""

    SOURCE = "source"
    EVENTS = "events"  # a stretch of the product's own event store
    BATCH = "batch"
    DATASET = "dataset"
    RUN = "run"
    VERSION = "version"
    REPORT = "report"
    DEPLOYMENT = "deployment"
    PREDICTIONS = "predictions"  # all answers of a version
    PREDICTION = "prediction"  # one of them


class Direction(StrEnum):
    """Where to look from a node."""

    UP = "up"  # what it was made from
    DOWN = "down"  # what was made from it
    BOTH = "both"


@dataclass(frozen=True, slots=True, kw_only=True)
class Node:
    """One record, or several that were folded into one.

    Attributes:
        kind: what it is.
        id: the record's id, with its model; of a source, its location.
        at: when it came to be, UTC; None where nobody recorded that.
        fact: what a person wants to know first, for example ``"9,812 rows, 188 left out"``.
        state: its state, phase or decision; empty where it has none.
        count: how many records it stands for.
    """

    kind: Kind
    id: str
    at: datetime | None = None
    fact: str = ""
    state: str = ""
    count: int = 1

    @property
    def key(self) -> str:
        """``"<kind>:<id>"``: unique in a graph."""
        return key_of(self.kind, self.id)


@dataclass(frozen=True, slots=True, kw_only=True)
class Edge:
    """Data went from one node to another; ``how`` says it in a few words, where that helps."""

    source: str
    target: str
    how: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Graph:
    """Nodes by key, and the edges between them. Every edge has both its ends here.

    Raises:
        NotFound: an edge leads to a node that is not there.
    """

    nodes: Mapping[str, Node]
    edges: tuple[Edge, ...]

    def __post_init__(self) -> None:
        for edge in self.edges:
            for end in (edge.source, edge.target):
                if end not in self.nodes:
                    raise NotFound(f"the lineage {edge.source} -> {edge.target} lacks {end}")

    def reached(self, start: str, direction: Direction) -> Graph:
        """The part of the graph that ``start`` was made from, was used for, or both."""
        if start not in self.nodes:
            raise NotFound(f"the lineage has no {start}")
        edges: list[Edge] = []
        if direction is not Direction.DOWN:
            edges += _walked(start, self.edges, _target, _source)
        if direction is not Direction.UP:
            edges += _walked(start, self.edges, _source, _target)
        wanted = {start, *map(_source, edges), *map(_target, edges)}
        kept = set(edges)
        return Graph(
            nodes={key: node for key, node in self.nodes.items() if key in wanted},
            edges=tuple(edge for edge in self.edges if edge in kept),
        )

    def into(self) -> dict[str, list[Edge]]:
        """The edges by the node they lead to."""
        return _by(_target, self.edges)

    def out_of(self) -> dict[str, list[Edge]]:
        """The edges by the node they come from."""
        return _by(_source, self.edges)


@dataclass(frozen=True, slots=True, kw_only=True)
class Traced:
    """The answer to a question for lineage: ``focus`` is the key of the node asked for."""

    focus: str
    direction: Direction
    nodes: tuple[Node, ...]
    edges: tuple[Edge, ...]

    @property
    def graph(self) -> Graph:
        """The nodes and edges as a graph."""
        return Graph(nodes={node.key: node for node in self.nodes}, edges=self.edges)


def key_of(kind: Kind, id: str) -> str:
    """The key of the node with that kind and id."""
    return f"{kind}:{id}"


def traced(graph: Graph, focus: str, direction: Direction) -> Traced:
    """The lineage of one node, in one direction or both."""
    part = graph.reached(focus, direction)
    nodes = tuple(part.nodes.values())
    return Traced(focus=focus, direction=direction, nodes=nodes, edges=part.edges)


def _source(edge: Edge) -> str:
    return edge.source


def _target(edge: Edge) -> str:
    return edge.target


def _by(end: Callable[[Edge], str], edges: Iterable[Edge]) -> dict[str, list[Edge]]:
    found: dict[str, list[Edge]] = defaultdict(list)
    for edge in edges:
        found[end(edge)].append(edge)
    return found


def _walked(
    start: str, edges: Iterable[Edge], near: Callable[[Edge], str], far: Callable[[Edge], str]
) -> list[Edge]:
    """The edges met on the way from ``start``, each node visited once."""
    leaving = _by(near, edges)
    seen, waiting, met = {start}, [start], list[Edge]()
    while waiting:
        for edge in leaving.get(waiting.pop(), ()):
            met.append(edge)
            if far(edge) not in seen:
                seen.add(far(edge))
                waiting.append(far(edge))
    return met
