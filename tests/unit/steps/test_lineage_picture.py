"""The drawing of lineage: one SVG document that is safe to open and possible to read."""

from __future__ import annotations

from xml.etree import ElementTree

import pytest

from flyball.domain.lineage import Direction, Edge, Graph, Kind, Node, Traced, traced
from flyball.steps.lineage import trace
from flyball.steps.lineage_layout import placed
from flyball.steps.lineage_picture import drawn
from lineage_records import (
    ANSWER,
    NEW,
    OLD,
    HeardEvents,
    batch,
    dataset,
    day,
    everything,
    feedback,
    records,
)

SVG = "{http://www.w3.org/2000/svg}"


def picture(found: Traced) -> ElementTree.Element:
    return ElementTree.fromstring(drawn(found))


def lineage(id: str, values: list[object] | None = None) -> Traced:
    return trace(id, records=records(values), events=HeardEvents(feedback()))


def boxes(svg: ElementTree.Element) -> dict[str, tuple[float, float]]:
    """Where each node's box is, by the first line of its title."""
    return {
        (group.findtext(f"{SVG}title") or "").splitlines()[0]: (
            float(group.find(f"{SVG}rect").attrib["x"]),
            float(group.find(f"{SVG}rect").attrib["y"]),
        )
        for group in svg.iter(f"{SVG}g")
    }


class TestThePicture:
    @pytest.mark.parametrize("id", [OLD.id, NEW.id, ANSWER, "monday"])
    def test_has_a_box_for_each_node_and_a_line_for_each_edge(self, id):
        found = lineage(id)
        svg = picture(found)
        assert len(list(svg.iter(f"{SVG}g"))) == len(found.nodes)
        lines = [p for p in svg.iter(f"{SVG}path") if "edge" in p.attrib["class"].split()]
        assert len(lines) == len(found.edges)

    def test_flows_from_left_to_right(self):
        at = boxes(picture(lineage(OLD.id)))
        order = ["source /data/monday.csv", "batch games/monday", f"run games/{OLD.run_id}",
                 f"version {OLD.id}", "deployment games/1", f"predictions {OLD.id}"]  # fmt: skip
        columns = [at[name][0] for name in order]
        assert columns == sorted(set(columns))

    def test_never_draws_two_boxes_in_one_place(self):
        at = boxes(picture(lineage(NEW.id)))
        assert len(set(at.values())) == len(at)

    def test_stays_small_with_thousands_of_batches(self):
        many = [
            batch(f"b{n:04d}", source=f"/data/{n}.csv", ingested_at=day(n)) for n in range(2000)
        ]
        whole = dataset("44dd" * 8, *(one.batch_id for one in many))
        svg = picture(lineage(whole.version, [*everything(), *many, whole]))
        assert float(svg.attrib["height"]) < 1000
        assert "batch 1,993 more batches" in boxes(svg)

    def test_holds_whatever_a_source_is_called_as_text_only(self):
        """A file's name comes from outside: markup, control characters, other alphabets."""
        nasty = '</text><script>alert("1")</script>\x00\x1b[31m &amp; 日本\ud800.csv'
        [focus, other] = [
            Node(kind=Kind.SOURCE, id=nasty, fact=nasty),
            Node(kind=Kind.BATCH, id="b"),
        ]
        graph = Graph(
            nodes={focus.key: focus, other.key: other},
            edges=(Edge(source=focus.key, target=other.key, how=nasty),),
        )
        svg = picture(traced(graph, focus.key, Direction.BOTH))
        assert not list(svg.iter(f"{SVG}script"))
        assert any("<script>" in (text or "") for text in svg.itertext())

    def test_needs_nothing_else_and_suits_light_and_dark(self):
        text = drawn(lineage(OLD.id))
        assert "http" not in text.replace("http://www.w3.org/2000/svg", "")
        assert "prefers-color-scheme: dark" in text
        assert "<title>Lineage of version games/1.0.0" in text


class TestTheLayout:
    def test_orders_rows_so_that_lines_do_not_cross(self):
        """Batches in the opposite order of their sources: a straight line each all the same."""
        sources = [Node(kind=Kind.SOURCE, id=f"s{n}", at=day(n)) for n in range(4)]
        batches = [Node(kind=Kind.BATCH, id=f"b{n}", at=day(9 - n)) for n in range(4)]
        graph = Graph(
            nodes={node.key: node for node in [*sources, *batches]},
            edges=tuple(
                Edge(source=s.key, target=b.key) for s, b in zip(sources, batches, strict=True)
            ),
        )
        at = placed(graph, {k: 0 if n.kind is Kind.SOURCE else 1 for k, n in graph.nodes.items()})
        assert all(at[edge.source].row == at[edge.target].row for edge in graph.edges)

    def test_leaves_no_column_empty(self):
        graph = Graph(nodes={"run:a": Node(kind=Kind.RUN, id="a")}, edges=())
        assert placed(graph, {"run:a": 3})["run:a"].column == 0
