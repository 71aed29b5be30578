"""Whatever the graph: every edge has both its ends, and down is up the other way round."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from flyball.domain.lineage import Direction, Edge, Graph, Kind, Node
from flyball.domain.lineage_folding import folded


@st.composite
def graphs(draw: st.DrawFn) -> Graph:
    """Up to 30 nodes of all kinds, edges anywhere, cycles too."""
    kinds = draw(st.lists(st.sampled_from(list(Kind)), min_size=1, max_size=30))
    nodes = [Node(kind=kind, id=str(number)) for number, kind in enumerate(kinds)]
    ends = st.sampled_from([node.key for node in nodes])
    pairs = draw(st.lists(st.tuples(ends, ends), max_size=60, unique=True))
    return Graph(
        nodes={node.key: node for node in nodes},
        edges=tuple(Edge(source=source, target=target) for source, target in pairs),
    )


@given(graphs())
def test_what_is_above_a_node_has_the_node_below_it(graph):
    down = {key: set(graph.reached(key, Direction.DOWN).nodes) for key in graph.nodes}
    for key in graph.nodes:
        above = set(graph.reached(key, Direction.UP).nodes)
        assert above == {other for other in graph.nodes if key in down[other]}


@given(graphs())
def test_both_directions_are_the_two_together(graph):
    key = next(iter(graph.nodes))
    up, down = (graph.reached(key, way) for way in (Direction.UP, Direction.DOWN))
    both = graph.reached(key, Direction.BOTH)
    assert set(both.nodes) == set(up.nodes) | set(down.nodes)
    assert set(both.edges) == set(up.edges) | set(down.edges)


@given(graphs(), st.integers(2, 6))
def test_folding_keeps_the_focus_loses_no_record_and_leaves_few_of_each_kind(graph, most):
    focus = next(iter(graph.nodes))
    found = folded(graph, focus, most=most)
    assert focus in found.nodes
    assert sum(node.count for node in found.nodes.values()) == len(graph.nodes)
    for kind in Kind:
        assert sum(node.kind is kind for node in found.nodes.values()) <= most
    for edge in found.edges:
        assert {edge.source, edge.target} <= set(found.nodes)


@given(graphs(), st.integers(2, 6))
def test_what_was_reachable_still_is_in_a_folded_graph(graph, most):
    """Folding merges nodes; it never cuts a way."""
    focus = next(iter(graph.nodes))
    found = folded(graph, focus, most=most)
    below = graph.reached(focus, Direction.DOWN).nodes
    still = found.reached(focus, Direction.DOWN).nodes
    for key in set(below) & set(found.nodes):
        assert key in still
