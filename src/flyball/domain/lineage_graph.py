"""From the records to the graph of what came from what. Pure: the records are given."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from itertools import pairwise

from flyball.domain.data import EMPTY, DataBatch, DatasetVersion
from flyball.domain.deployment import Deployment, Phase
from flyball.domain.lifecycle import ModelVersion
from flyball.domain.lineage import Edge, Graph, Kind, Node, key_of
from flyball.domain.text import many
from flyball.domain.training import Run
from flyball.domain.validation import Decision, ValidationReport, Verdict

_SERVED = (Phase.SWITCHING, Phase.BAKING, Phase.DONE, Phase.ROLLED_BACK)


@dataclass(frozen=True, slots=True, kw_only=True)
class Feedback:
    """Events that answers of a version led to.

    Attributes:
        version: the version's id.
        source: the batch source they were ingested as; empty while they were not.
        events: how many.
        answers: to how many answers they belong.
    """

    version: str
    source: str
    events: int
    answers: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """One prediction.

    Attributes:
        id: ``"<model>/<recommendation id>"``.
        version: the id of the version that gave it.
        events: the types of the events it led to, by the source that they were ingested as.
    """

    id: str
    version: str
    events: Mapping[str, tuple[str, ...]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Recorded:
    """What is known: the records of all models, and what came back from live traffic.

    ``heard`` says to how many of the newest events ``feedback`` is limited; None for to none.
    """

    batches: tuple[DataBatch, ...] = ()
    datasets: tuple[DatasetVersion, ...] = ()
    runs: tuple[Run, ...] = ()
    versions: tuple[ModelVersion, ...] = ()
    reports: tuple[ValidationReport, ...] = ()
    deployments: tuple[Deployment, ...] = ()
    feedback: tuple[Feedback, ...] = ()
    answer: Answer | None = None
    heard: int | None = None


def graph_of(recorded: Recorded, *, focus: str = "") -> Graph:
    """The graph of everything recorded.

    Dataset versions that nobody learned from are left out, but for the newest of each model and
    the one called ``focus``: each ingest makes one.
    """
    nodes = {node.key: node for node in _nodes(recorded, focus)}
    edges = [
        edge
        for edge in dict.fromkeys(_edges(recorded, nodes))
        if edge.source in nodes and edge.target in nodes
    ]
    return Graph(nodes=nodes, edges=tuple(edges))


# --- nodes ------------------------------------------------------------------------------------


def _nodes(recorded: Recorded, focus: str) -> Iterator[Node]:
    for batch in recorded.batches:
        if not batch.repaired_from:
            yield _source(batch)
        yield Node(kind=Kind.BATCH, id=batch.id, at=batch.ingested_at, fact=_contents(batch))
    yield from map(_dataset, _used(recorded, focus))
    yield from map(_run, recorded.runs)
    for version in recorded.versions:
        fact = ", ".join([version.family, *_measured(version.metrics)])
        yield _node(Kind.VERSION, version.id, version.created_at, fact, version.state)
    yield from map(_report, recorded.reports)
    for one in recorded.deployments:
        yield _node(Kind.DEPLOYMENT, one.id, one.started_at, one.strategy, one.phase)
    yield from _predictions(recorded)
    if recorded.answer is not None:
        yield _answer(recorded.answer)


def _node(kind: Kind, id: str, at: datetime, fact: str, state: StrEnum) -> Node:
    return Node(kind=kind, id=id, at=at, fact=fact, state=str(state))


def _source(batch: DataBatch) -> Node:
    if batch.events_until:
        return Node(kind=Kind.EVENTS, id=batch.source, fact="what users did")
    return Node(kind=Kind.SOURCE, id=batch.source)


def _contents(batch: DataBatch) -> str:
    dropped = sum(finding.count for finding in batch.findings if finding.dropped)
    parts = [f"{batch.rows:,} rows"]
    parts += [f"{dropped:,} left out"] if dropped else []
    parts += [many(len(batch.anomalies), "anomaly", "anomalies")] if batch.anomalies else []
    return ", ".join(parts)


def _used(recorded: Recorded, focus: str) -> list[DatasetVersion]:
    wanted = {f"{run.model}/{run.data_version}" for run in recorded.runs}
    wanted |= {f"{v.model}/{v.recipe.data_version}" for v in recorded.versions}
    newest = {d.model: d.id for d in recorded.datasets if d.version != EMPTY}
    wanted |= {focus, *newest.values()}
    return [d for d in recorded.datasets if d.version != EMPTY and d.id in wanted]


def _dataset(dataset: DatasetVersion) -> Node:
    fact = f"{many(len(dataset.batches), 'batch')}, {dataset.rows:,} rows"
    return Node(kind=Kind.DATASET, id=dataset.id, at=dataset.created_at, fact=fact)


def _run(run: Run) -> Node:
    measured = _measured(run.result.metrics) if run.result else []
    fact = run.error or ", ".join([many(run.trials_done, "trial"), *measured])
    return _node(Kind.RUN, run.id, run.started_at, fact, run.phase)


def _report(report: ValidationReport) -> Node:
    passed = sum(result.verdict is Verdict.PASS for result in report.results)
    fact = f"{passed} of {many(len(report.results), 'check')} passed"
    against = f", against {report.champion}" if report.champion else ""
    return _node(Kind.REPORT, report.id, report.created_at, fact + against, report.decision)


def _predictions(recorded: Recorded) -> Iterator[Node]:
    """One node for all answers of each version that served, or whose answers led to events."""
    events: dict[str, list[Feedback]] = defaultdict(list)
    for one in recorded.feedback:
        events[one.version].append(one)
    served = {f"{d.model}/{d.version}" for d in recorded.deployments if d.phase in _SERVED}
    for version in recorded.versions:
        found = events.get(version.id, [])
        if version.id in served or found:
            limit = f" (of the newest {recorded.heard:,} events)" if recorded.heard else ""
            yield Node(kind=Kind.PREDICTIONS, id=version.id, fact=_came_back(found) + limit)


def _came_back(found: list[Feedback]) -> str:
    if not found:
        return "no event came back"
    answers, events = sum(one.answers for one in found), sum(one.events for one in found)
    waiting = sum(one.events for one in found if not one.source)
    led = f"{many(answers, 'answer')} led to {many(events, 'event')}"
    return f"{led}, {waiting:,} not ingested yet" if waiting else led


def _answer(answer: Answer) -> Node:
    types = [event for found in answer.events.values() for event in found]
    fact = f"led to {_listed(sorted(types))}" if types else "no event came back"
    return Node(kind=Kind.PREDICTION, id=answer.id, fact=fact)


def _measured(metrics: Mapping[str, float]) -> list[str]:
    return [f"{name} {value:.4g}" for name, value in list(metrics.items())[:1]]


# --- edges ------------------------------------------------------------------------------------


def _edges(recorded: Recorded, nodes: Mapping[str, Node]) -> Iterator[Edge]:
    for batch in recorded.batches:
        yield _arrival(batch)
    for dataset in recorded.datasets:
        if key_of(Kind.DATASET, dataset.id) not in nodes:
            continue  # every ingest makes one, and each names all batches before it
        for batch_id in dataset.batches:
            yield _edge(Kind.BATCH, f"{dataset.model}/{batch_id}", Kind.DATASET, dataset.id)
    yield from _rewritten(recorded)
    for run in recorded.runs:
        yield _edge(Kind.DATASET, f"{run.model}/{run.data_version}", Kind.RUN, run.id)
        if run.version:
            yield _edge(Kind.RUN, run.id, Kind.VERSION, f"{run.model}/{run.version}")
    for version in recorded.versions:
        yield _edge(Kind.RUN, f"{version.model}/{version.run_id}", Kind.VERSION, version.id)
    for report in recorded.reports:
        yield _edge(Kind.VERSION, f"{report.model}/{report.version}", Kind.REPORT, report.id)
    yield from _deployed(recorded)
    yield from _answered(recorded)


def _edge(kind: Kind, source: str, onto: Kind, target: str, how: str = "") -> Edge:
    return Edge(source=key_of(kind, source), target=key_of(onto, target), how=how)


def _arrival(batch: DataBatch) -> Edge:
    """A batch comes from its source, or from the rows that an earlier batch left out."""
    if batch.repaired_from:
        before = f"{batch.model}/{batch.repaired_from}"
        how = batch.source.partition(", ")[2] or "repaired"
        return _edge(Kind.BATCH, before, Kind.BATCH, batch.id, how)
    return _edge(_source(batch).kind, batch.source, Kind.BATCH, batch.id)


def _rewritten(recorded: Recorded) -> Iterator[Edge]:
    """Dataset versions with the same batches follow each other: a person's rows were removed."""
    by_model: dict[str, list[DatasetVersion]] = defaultdict(list)
    for dataset in recorded.datasets:
        by_model[dataset.model].append(dataset)
    for versions in by_model.values():
        for old, new in pairwise(versions):
            if old.batches == new.batches and old.files != new.files:
                gone = old.rows - new.rows
                how = f"{many(gone, 'row')} removed" if gone > 0 else "rewritten"
                yield _edge(Kind.DATASET, old.id, Kind.DATASET, new.id, how)


def _deployed(recorded: Recorded) -> Iterator[Edge]:
    passed: dict[str, list[ValidationReport]] = defaultdict(list)
    for report in recorded.reports:
        if report.decision is Decision.PROMOTE:
            passed[f"{report.model}/{report.version}"].append(report)
    for one in recorded.deployments:
        version = f"{one.model}/{one.version}"
        yield _edge(Kind.VERSION, version, Kind.DEPLOYMENT, one.id)
        before = [r for r in passed[version] if r.created_at <= one.started_at]
        if before:
            yield _edge(Kind.REPORT, before[-1].id, Kind.DEPLOYMENT, one.id, "allowed it")


def _answered(recorded: Recorded) -> Iterator[Edge]:
    """From whatever served to the answers, and on to the events that were ingested."""
    by_version: dict[str, list[Edge]] = defaultdict(list)
    for one in recorded.deployments:
        if one.phase in _SERVED:
            version = f"{one.model}/{one.version}"
            by_version[version].append(_edge(Kind.DEPLOYMENT, one.id, Kind.PREDICTIONS, version))
    for version in dict.fromkeys(one.version for one in recorded.feedback):
        if not by_version[version]:  # answered without a deployment: a candidate on trial
            by_version[version].append(_edge(Kind.VERSION, version, Kind.PREDICTIONS, version))
    for edges in by_version.values():
        yield from edges
    for back in recorded.feedback:
        if back.source:
            how = many(back.events, "event")
            yield _edge(Kind.PREDICTIONS, back.version, Kind.EVENTS, back.source, how)
    if recorded.answer is not None:
        yield from _one_answered(recorded.answer, by_version)


def _one_answered(answer: Answer, by_version: Mapping[str, list[Edge]]) -> Iterator[Edge]:
    target = key_of(Kind.PREDICTION, answer.id)
    serving = [edge.source for edge in by_version.get(answer.version, ())]
    for source in serving or [key_of(Kind.VERSION, answer.version)]:
        yield Edge(source=source, target=target)
    for source, types in answer.events.items():
        if source:
            yield _edge(Kind.PREDICTION, answer.id, Kind.EVENTS, source, _listed(types))


def _listed(types: Iterable[str]) -> str:
    return ", ".join(f"{type} ({n})" if n > 1 else type for type, n in Counter(types).items())
