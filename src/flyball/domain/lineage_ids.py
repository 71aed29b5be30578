"""What somebody means by an id: a batch, a dataset version, a run, a version, an answer."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from flyball.domain.lineage import Kind, key_of
from flyball.domain.lineage_graph import Recorded
from flyball.domain.nearest import nearest
from flyball.domain.traffic import claimed_version
from flyball.errors import NotFound

_SHORTEST = 4
"""Fewer characters than this are no beginning of an id."""

Known = tuple[Kind, str]


def found(recorded: Recorded, asked: str) -> str:
    """The key of the node that ``asked`` names.

    Args:
        asked: an id with or without its ``model/``; a version also by its number, a hash also by
            its beginning (4 characters or more). ``kind:`` before it says which is meant.

    Raises:
        NotFound: nothing is called so (names the nearest), or several things are.
    """
    kinds, id = _kinds(asked.strip())
    everything = [*_known(recorded), *_answers(recorded, id)]
    known = [one for one in everything if one[0] in kinds]
    for means in (_is, _has_number, _begins):
        matching = [one for one in known if means(one, id)]
        if len(matching) == 1:
            return key_of(*matching[0])
        if matching:
            raise NotFound(_ambiguous(asked, matching))
    raise NotFound(_unknown(asked, id, known))


def _kinds(asked: str) -> tuple[Sequence[Kind], str]:
    name, colon, rest = asked.partition(":")
    if colon and name in tuple(Kind):
        return (Kind(name),), rest
    return tuple(Kind), asked


def _known(recorded: Recorded) -> Iterable[Known]:
    """Everything that can be asked for: the dataset versions too that nobody learned from."""
    for batch in recorded.batches:
        yield Kind.BATCH, batch.id
    for dataset in recorded.datasets:
        yield Kind.DATASET, dataset.id
    for run in recorded.runs:
        yield Kind.RUN, run.id
    for version in recorded.versions:
        yield Kind.VERSION, version.id
    for report in recorded.reports:
        yield Kind.REPORT, report.id
    for deployment in recorded.deployments:
        yield Kind.DEPLOYMENT, deployment.id


def _answers(recorded: Recorded, id: str) -> Iterable[Known]:
    """The answer with that id, if it is one: once for each model with the version it names."""
    model, slash, rest = id.partition("/")
    answer = rest if slash else id
    version = claimed_version(answer)
    for one in recorded.versions:
        if one.name == version and (not slash or one.model == model):
            yield Kind.PREDICTION, f"{one.model}/{answer}"


def _tail(id: str) -> str:
    return id.partition("/")[2]


def _is(one: Known, asked: str) -> bool:
    return asked in (one[1], _tail(one[1]))


def _has_number(one: Known, asked: str) -> bool:
    return one[0] is Kind.VERSION and _is((one[0], one[1].partition("-")[0]), asked)


def _begins(one: Known, asked: str) -> bool:
    kind, id = one
    if kind is Kind.DEPLOYMENT or len(asked.rpartition("/")[2]) < _SHORTEST:
        return False
    return id.startswith(asked) or _tail(id).startswith(asked)


def _ambiguous(asked: str, matching: Sequence[Known]) -> str:
    shown = ", ".join(key_of(*one) for one in matching[:5])
    more = f" and {len(matching) - 5} more" if len(matching) > 5 else ""
    return f"{asked!r} names {len(matching)} things: {shown}{more}; give one of these"


def _unknown(asked: str, id: str, known: Sequence[Known]) -> str:
    version = claimed_version(_tail(id) or id)
    if version is not None:
        return (
            f"the answer {asked!r} was given by version {version}, which is not recorded here; "
            "see `flyball versions MODEL`"
        )
    by_spelling = {one[1] if "/" in id else _tail(one[1]): one[1] for one in known}
    near = [by_spelling[name] for name in nearest(id, list(by_spelling))]
    if near:
        hint = f"nearest: {', '.join(near)}"
    elif known:
        hint = f"the last one written: {known[-1][1]}"
    else:
        hint = "nothing is recorded yet"
    return (
        f"there is no batch, dataset version, run, version, report, deployment or answer {asked!r};"
        f" {hint}"
    )
