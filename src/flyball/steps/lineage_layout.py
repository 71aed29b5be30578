"""Lay out: which column and row of a picture each node gets, with few crossing lines."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from flyball.domain.lineage import Graph, Node

_SWEEPS = 6


@dataclass(frozen=True, slots=True)
class Place:
    """Where a node is drawn: columns and rows count from 0; a row may lie between two."""

    column: int
    row: float


def placed(graph: Graph, column: Mapping[str, int]) -> dict[str, Place]:
    """The places of all nodes. Empty columns are left out, and short ones stand in the middle.

    Rows are ordered by the mean row of the neighbours, back and forth over the columns: the
    barycentre heuristic of Sugiyama, Tagawa and Toda (1981).

    Args:
        column: of each node; several in one column get a row each.
    """
    used = {index: place for place, index in enumerate(sorted(set(column.values())))}
    columns: dict[int, list[str]] = defaultdict(list)
    for key in sorted(graph.nodes, key=lambda key: _age(graph.nodes[key])):
        columns[used[column[key]]].append(key)
    beside = _neighbours(graph)
    order = [columns[index] for index in sorted(columns)]
    for sweep in range(_SWEEPS):
        rows = {key: row for keys in order for key, row in _centred(keys).items()}
        for keys in order if sweep % 2 == 0 else reversed(order):
            keys.sort(key=lambda key: _mean(rows, beside.get(key, ()), rows[key]))
            rows |= _centred(keys)
    tallest = max(map(len, order))
    return {
        key: Place(index, row + (tallest - 1) / 2)
        for index, keys in enumerate(order)
        for key, row in _centred(keys).items()
    }


def _age(node: Node) -> tuple[bool, float, str]:
    return (node.count > 1, node.at.timestamp() if node.at else 0.0, node.id)


def _neighbours(graph: Graph) -> dict[str, list[str]]:
    beside: dict[str, list[str]] = defaultdict(list)
    for edge in graph.edges:
        beside[edge.source].append(edge.target)
        beside[edge.target].append(edge.source)
    return beside


def _centred(keys: list[str]) -> dict[str, float]:
    """Rows around the middle, so that columns of different lengths face each other."""
    return {key: place - (len(keys) - 1) / 2 for place, key in enumerate(keys)}


def _mean(rows: Mapping[str, float], keys: Sequence[str], otherwise: float) -> float:
    found = [rows[key] for key in keys]
    return sum(found) / len(found) if found else otherwise
