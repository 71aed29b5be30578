"""What came from what: from any record to its sources, to whoever was answered, and around."""

from __future__ import annotations

from dataclasses import replace

import pytest

from flyball.domain.lineage import Direction, Edge, Graph, Kind, Node, Traced
from flyball.domain.lineage_folding import folded
from flyball.domain.lineage_graph import Recorded, graph_of
from flyball.domain.names import Recipe
from flyball.domain.traffic import Answers
from flyball.errors import NotFound
from flyball.steps.lineage import trace
from flyball.testing import builders as a
from lineage_records import (
    ANSWER,
    DATASETS,
    EVENTS,
    FIRST,
    NEW,
    OLD,
    SECOND,
    THIRD,
    HeardEvents,
    batch,
    dataset,
    day,
    everything,
    feedback,
    records,
)


def lineage(id: str, direction: str = "both", events: HeardEvents | None = None) -> Traced:
    heard = HeardEvents(feedback()) if events is None else events
    return trace(id, records=records(), events=heard, direction=Direction(direction))


def keys(found: Traced) -> set[str]:
    return {node.key for node in found.nodes}


def edges(found: Traced) -> set[tuple[str, str]]:
    return {(edge.source, edge.target) for edge in found.edges}


def node(found: Traced, key: str) -> Node:
    return found.graph.nodes[key]


class TestFromABatch:
    def test_down_to_every_version_deployment_and_prediction(self):
        assert keys(lineage("monday", "down")) >= {
            f"dataset:games/{FIRST}", f"dataset:games/{THIRD}", f"run:games/{OLD.run_id}",
            f"version:{OLD.id}", f"version:{NEW.id}", "deployment:games/1",
            f"predictions:{OLD.id}", "report:games/report0000000001",
        }  # fmt: skip

    def test_up_to_its_source_and_no_further(self):
        assert keys(lineage("monday", "up")) == {"batch:games/monday", "source:/data/monday.csv"}

    def test_a_repaired_batch_comes_from_the_batch_that_left_its_rows_out(self):
        found = lineage("mended", "up")
        assert ("batch:games/monday", "batch:games/mended") in edges(found)
        [edge] = [edge for edge in found.edges if edge.target == "batch:games/mended"]
        assert edge.how == "repaired: minimum:value=null"
        assert not any(node.id.startswith("quarantine") for node in found.nodes)


class TestTheLoopCloses:
    def test_feedback_that_became_data_leads_back_to_the_version_that_was_answered_from(self):
        found = lineage(NEW.id, "up")
        assert edges(found) >= {
            (f"predictions:{OLD.id}", f"events:{EVENTS}"),
            (f"events:{EVENTS}", "batch:games/heard"),
            ("deployment:games/1", f"predictions:{OLD.id}"),
        }
        assert ("batch:games/monday", f"dataset:games/{FIRST}") in edges(found)

    def test_events_are_counted_by_the_batch_they_went_into(self):
        found = lineage(OLD.id, "down")
        told = node(found, f"predictions:{OLD.id}").fact
        assert told == "2 answers led to 3 events, 1 not ingested yet"
        [edge] = [edge for edge in found.edges if edge.target == f"events:{EVENTS}"]
        assert edge.how == "2 events"

    def test_numbers_may_be_missing_where_a_person_was_forgotten(self):
        """Event 3 is gone, and the one after the batch's last number must not slip into it."""
        gone = HeardEvents([feedback()[0], feedback()[3]], numbers=[1, 900])
        found = lineage(OLD.id, "down", events=gone)
        assert node(found, f"predictions:{OLD.id}").fact.endswith("1 not ingested yet")

    def test_a_version_without_feedback_says_so(self):
        found = lineage(OLD.id, "down", events=HeardEvents())
        assert node(found, f"predictions:{OLD.id}").fact == "no event came back"

    def test_only_the_newest_events_are_counted_and_the_answer_says_so(self):
        found = trace(OLD.id, records=records(), events=HeardEvents(feedback()), newest_events=1)
        assert node(found, f"predictions:{OLD.id}").fact == (
            "1 answer led to 1 event, 1 not ingested yet (of the newest 1 events)"
        )


class TestFromAPrediction:
    def test_back_to_the_rows_it_learned_from_by_way_of_what_allowed_it(self):
        found = lineage(ANSWER, "up")
        assert found.focus == f"prediction:games/{ANSWER}"
        assert keys(found) >= {
            "deployment:games/1", "report:games/report0000000001", f"version:{OLD.id}",
            f"run:games/{OLD.run_id}", f"dataset:games/{FIRST}", "batch:games/monday",
            "source:/data/monday.csv",
        }  # fmt: skip

    def test_on_to_the_events_it_led_to_and_the_version_that_learned_from_them(self):
        found = lineage(ANSWER, "down")
        assert keys(found) >= {f"events:{EVENTS}", "batch:games/heard", f"version:{NEW.id}"}
        assert node(found, found.focus).fact == "led to purchase (2)"

    def test_one_of_a_version_that_never_was_is_not_found(self):
        with pytest.raises(NotFound, match="not recorded here"):
            lineage(Answers(b"key").new("9.9.9-00000000-00000000", 0, "0a1b0a1b0a"))


class TestAnId:
    @pytest.mark.parametrize(
        ("asked", "key"),
        [
            ("monday", "batch:games/monday"),
            ("games/monday", "batch:games/monday"),
            ("batch:games/monday", "batch:games/monday"),
            ("22bb", f"dataset:games/{SECOND}"),
            (f"games/{SECOND[:12]}", f"dataset:games/{SECOND}"),
            ("1.0.1", f"version:{NEW.id}"),
            ("games/1.0.1", f"version:{NEW.id}"),
            (NEW.name, f"version:{NEW.id}"),
            ("games/1", "deployment:games/1"),
            ("report0000000002", "report:games/report0000000002"),
            (OLD.run_id, f"run:games/{OLD.run_id}"),
            (f"games/{ANSWER}", f"prediction:games/{ANSWER}"),
        ],
    )
    def test_names_a_record_with_or_without_its_model(self, asked, key):
        assert lineage(asked).focus == key

    def test_that_names_several_things_is_refused_with_the_words_that_tell_them_apart(self):
        with pytest.raises(NotFound, match=r"run:games/run0000000000001, run:games/run0"):
            lineage("run000")

    def test_of_a_batch_called_like_a_deployment_needs_its_kind(self):
        values = [*everything(), batch("1", source="one.csv")]
        with pytest.raises(NotFound, match="batch:games/1, deployment:games/1"):
            trace("games/1", records=records(values), events=HeardEvents())
        found = trace("deployment:games/1", records=records(values), events=HeardEvents())
        assert found.focus == "deployment:games/1"

    def test_that_nobody_has_names_the_nearest(self):
        with pytest.raises(NotFound, match=r"'mondya'; nearest: games/monday"):
            lineage("mondya")

    def test_in_an_empty_home_says_that_nothing_is_recorded(self):
        with pytest.raises(NotFound, match="nothing is recorded yet"):
            trace("monday", records=records([]), events=HeardEvents())


class TestDatasetVersions:
    def test_that_nobody_learned_from_are_left_out_unless_asked_for(self):
        assert f"dataset:games/{SECOND}" not in keys(lineage("monday"))
        assert f"dataset:games/{SECOND}" in keys(lineage(SECOND))

    def test_without_a_forgotten_person_follow_the_one_that_still_had_them(self):
        """The same batches in other files: rows were removed."""
        newest = DATASETS[-1]
        files = dict.fromkeys(newest.files, "ee" * 16)
        later = dataset("44dd" * 8, *newest.batches, created_at=day(6))
        later = replace(later, files=files, rows=newest.rows - 2)
        found = trace(
            later.version, records=records([*everything(), later]), events=HeardEvents(),
            direction=Direction.UP,
        )  # fmt: skip
        [edge] = [e for e in found.edges if e.source == f"dataset:games/{THIRD}"]
        assert (edge.target, edge.how) == (found.focus, "2 rows removed")


class TestAGraph:
    def test_refuses_an_edge_to_nowhere(self):
        with pytest.raises(NotFound, match="batch:b"):
            Graph(
                nodes={"source:a": Node(kind=Kind.SOURCE, id="a")},
                edges=(Edge(source="source:a", target="batch:b"),),
            )

    def test_of_another_models_records_keeps_them_apart(self):
        other = Recipe(architecture="x", hyperparameters={}, data_version=FIRST)
        version = a.a_version("1.0.0", model="other", recipe=other, run_id="other00000000001")
        graph = graph_of(Recorded(versions=(OLD, version), datasets=DATASETS))
        assert not any(version.id in (e.source, e.target) for e in graph.edges)


class TestFolding:
    def many(self, count: int) -> Recorded:
        batches = tuple(
            batch(f"b{n:04d}", source=f"/data/{n}.csv", ingested_at=day(n)) for n in range(count)
        )
        return Recorded(batches=batches, datasets=(dataset(FIRST, *(b.batch_id for b in batches)),))

    def test_thousands_of_batches_become_a_few_and_one_for_the_rest(self):
        graph = graph_of(self.many(3000))
        found = folded(graph, f"dataset:games/{FIRST}", most=8)
        batches = [n for n in found.nodes.values() if n.kind is Kind.BATCH]
        assert len(batches) == 8
        assert sum(n.count for n in batches) == 3000
        assert "batch:2,993 more batches" in found.nodes
        assert "batch:games/b2999" in found.nodes  # the newest stay

    def test_sources_that_stay_are_those_of_the_batches_that_stay(self):
        found = folded(graph_of(self.many(100)), f"dataset:games/{FIRST}", most=8)
        into = found.into()
        for key, one in found.nodes.items():
            if one.kind is Kind.BATCH and one.count == 1:
                [edge] = into[key]
                assert found.nodes[edge.source].count == 1

    def test_what_was_asked_for_always_stays(self):
        found = folded(graph_of(self.many(100)), "batch:games/b0000", most=8)
        assert "batch:games/b0000" in found.nodes

    def test_few_are_left_as_they_are(self):
        graph = graph_of(self.many(8))
        assert folded(graph, f"dataset:games/{FIRST}", most=8) == graph
