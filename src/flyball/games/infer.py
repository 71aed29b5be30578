"""Recommendations in tensors (Open Inference Protocol v2): a row is a player, or a history."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from itertools import islice
from typing import TYPE_CHECKING, Annotated, Any

import msgspec
from msgspec import Meta, Struct

from flyball.domain.tensors import Datatype, Outputs, Signature, Tensor, TensorSpec
from flyball.errors import InvalidRequest
from flyball.games.batch import MOST_PLAYERS, counted, in_turns, limited
from flyball.games.counted import Answering
from flyball.games.lists import Ask, Lists
from flyball.games.messages import (
    Diversity,
    Filters,
    GameIds,
    Id,
    K,
    MinScore,
    RecommendationRequest,
)
from flyball.games.reading import read, read_texts

if TYPE_CHECKING:
    from flyball.domain.access import Caller
    from flyball.ports import Choice, Host

ENDPOINT = "/v2/models/{model}/infer"
SIGNATURE = Signature(
    platform="flyball_games",
    inputs=(
        TensorSpec(name="user_id", datatype=Datatype.BYTES, shape=(-1,), optional=True),
        TensorSpec(name="history", datatype=Datatype.BYTES, shape=(-1,), optional=True),
        TensorSpec(name="k", datatype=Datatype.INT64, shape=(1,), optional=True),
    ),
    outputs=(
        TensorSpec(name="game_id", datatype=Datatype.BYTES, shape=(-1, -1)),
        TensorSpec(name="score", datatype=Datatype.FP32, shape=(-1, -1)),
        TensorSpec(name="count", datatype=Datatype.INT64, shape=(-1,)),
        TensorSpec(name="recommendation_id", datatype=Datatype.BYTES, shape=(-1,)),
        TensorSpec(name="model_version", datatype=Datatype.BYTES, shape=(-1,)),
    ),
)


class Parameters(Struct, forbid_unknown_fields=True, frozen=True):
    """Parameters of a request; ``filters`` is a JSON document in a text."""

    k: K = 10
    filters: str | None = None
    min_score: MinScore = None
    diversity: Diversity = None


class _Row(Struct, frozen=True):
    """Who one row asks for; empty is nobody."""

    user_id: Annotated[Id | None, Meta()] = None
    history: GameIds = []


class _Item(Struct, frozen=True):
    game_id: str
    score: float


class _Answer(Struct, frozen=True):
    """Of an answer in JSON, what goes into tensors."""

    recommendation_id: str
    model_version: str
    items: list[_Item]


_HISTORY = msgspec.json.Decoder(GameIds)
_FILTERS = msgspec.json.Decoder(Filters)
_ANSWER = msgspec.json.Decoder(_Answer)


class GamesInference:
    """Implements ``flyball.ports.Inference``.

    Args:
        host: chooses versions and counts.
        lists: answers.
    """

    signature = SIGNATURE

    def __init__(self, host: Host, lists: Lists) -> None:
        self._host, self._lists = host, lists

    async def infer(
        self,
        inputs: Mapping[str, Tensor],
        parameters: Mapping[str, Any],
        *,
        pinned: Choice | None,
        caller: Caller,
        deadline: float,
        trace: str,
    ) -> Outputs:
        """The best games of each row; short lists are filled up with ``""`` and 0.

        Each row is answered and counted as a request for this player alone.

        Raises:
            InvalidRequest: the rows do not fit together, or a parameter is wrong.
        """
        rows, wishes = _rows(inputs), _wishes(inputs, parameters)
        filters = None
        if wishes.filters is not None:
            with _of("the parameter filters"):
                filters = read(_FILTERS, wishes.filters.encode())
        answers: list[_Answer] = []
        async for part in in_turns(rows, deadline):
            asks = []
            for row in part:
                answering = _Pinned(self._host, pinned, deadline)
                if row.user_id is not None:
                    limited(self._host, answering, caller, row.user_id)
                asks.append(Ask(answering, _asked(row, wishes, filters), trace))
            answers += [_ANSWER.decode(each.body) for each in counted(self._lists, asks)]
        return _outputs(answers, wishes.k)


def _asked(row: _Row, wishes: Parameters, filters: Filters | None) -> RecommendationRequest:
    return RecommendationRequest(
        user_id=row.user_id,
        history=row.history,
        k=wishes.k,
        filters=filters,
        min_score=wishes.min_score,
        diversity=wishes.diversity,
    )


class _Pinned(Answering):
    """Counts an answer; of a pinned version, if there is one, which was drawn for nobody."""

    def __init__(self, host: Host, pinned: Choice | None, deadline: float) -> None:
        super().__init__(host, ENDPOINT, deadline)
        self._pinned = pinned

    def by(self, user: str | None) -> Choice:
        if self._pinned is None:
            return super().by(user)
        choice = self._choice = self._pinned
        if choice.watch is not None:
            self._working(choice)
        return choice


def _rows(inputs: Mapping[str, Tensor]) -> Sequence[_Row]:
    users, histories = inputs.get("user_id"), inputs.get("history")
    sizes = {len(each.data) for each in (users, histories) if each is not None}
    if len(sizes) != 1 or not 1 <= min(sizes) <= MOST_PLAYERS:
        raise InvalidRequest(
            "send the input user_id, or history, or both with as many rows as each other, 1 to "
            f"{MOST_PLAYERS}"
        )
    (size,) = sizes
    names = [""] * size if users is None else users.data
    owned = [""] * size if histories is None else histories.data
    return [_row(index, *row) for index, row in enumerate(zip(names, owned, strict=True))]


def _row(index: int, name: str, history: str) -> _Row:
    """One row; an empty text is nobody, or no games."""
    with _of(f"row {index}"):
        games = read(_HISTORY, history.encode()) if history else []
        return read_texts(_Row, {"user_id": name or None, "history": games})


@contextmanager
def _of(place: str) -> Iterator[None]:
    """Says where a part of the request is that cannot be read."""
    try:
        yield
    except InvalidRequest as error:
        raise InvalidRequest(f"{place}: {error}") from error


def _wishes(inputs: Mapping[str, Tensor], parameters: Mapping[str, Any]) -> Parameters:
    asked = dict(parameters)
    if (k := inputs.get("k")) is not None:
        if "k" in asked:
            raise InvalidRequest("k is both an input and a parameter; send one")
        asked["k"] = k.data[0]
    try:
        return msgspec.convert(asked, Parameters)
    except msgspec.ValidationError as error:
        raise InvalidRequest(f"parameters: {error}; there are {_KNOWN}") from error


_KNOWN = ", ".join(Parameters.__struct_fields__)


def _outputs(answers: Sequence[_Answer], k: int) -> Outputs:
    shapes = {"game_id": (len(answers), k), "score": (len(answers), k)}
    columns: dict[str, list[Any]] = {
        "game_id": [name for each in answers for name in _filled(each, "game_id", k, "")],
        "score": [score for each in answers for score in _filled(each, "score", k, 0.0)],
        "count": [len(each.items) for each in answers],
        "recommendation_id": [each.recommendation_id for each in answers],
        "model_version": [each.model_version for each in answers],
    }
    tensors = [
        Tensor(
            name=spec.name,
            datatype=spec.datatype,
            shape=shapes.get(spec.name, (len(answers),)),
            data=columns[spec.name],
        )
        for spec in SIGNATURE.outputs
    ]
    versions = {each.model_version for each in answers}
    return Outputs(tensors=tensors, version=versions.pop() if len(versions) == 1 else "")


def _filled(answer: _Answer, name: str, k: int, nothing: Any) -> list[Any]:
    values = [getattr(item, name) for item in islice(answer.items, k)]
    return values + [nothing] * (k - len(values))
