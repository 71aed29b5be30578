"""The client speaks the server's language, field by field."""

from __future__ import annotations

import subprocess
import sys
import uuid
from types import UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin, get_type_hints

import msgspec
import pytest

from flyball.client import types as ours
from flyball.client.event_ids import new_event_id
from flyball.games import batch, messages, replies

PAIRS = [
    (ours.Filters, messages.Filters),
    (ours.Event, messages.EventIn),
    (ours.Rejected, replies.Rejected),
    (ours.Sent, replies.EventsAnswer),
    (ours.Reason, replies.Reason),
    (ours.Recommendation, replies.Recommendation),
    (ours.Recommendations, replies.RecommendationsAnswer),
    (ours.RecommendationsOfMany, batch.BatchAnswer),
    (ours.WhyNot, replies.WhyNotAnswer),
    (ours.SimilarGame, replies.SimilarGame),
    (ours.Similar, replies.SimilarAnswer),
    (ours.FoundGame, replies.FoundGame),
    (ours.Found, replies.SearchAnswer),
    (ours.Game, replies.GameAnswer),
    (ours.GamesPage, replies.GamesAnswer),
]
SAME = {server: client for client, server in PAIRS}


def plain(type_: Any) -> Any:
    """A type without bounds, and with the client's structs in place of the server's."""
    origin = get_origin(type_)
    if origin is Annotated:
        return plain(get_args(type_)[0])
    if origin is Literal:
        return type(get_args(type_)[0])
    if origin in (Union, UnionType):
        return frozenset(plain(each) for each in get_args(type_))
    if origin is not None:
        return (origin, *(plain(each) for each in get_args(type_)))
    return SAME.get(type_, type_)


def fields(struct: type[msgspec.Struct]) -> dict[str, Any]:
    hints = get_type_hints(struct, include_extras=True)
    return {
        field.encode_name: (plain(hints[field.name]), field.required)
        for field in msgspec.structs.fields(struct)
    }


@pytest.mark.parametrize(("client", "server"), PAIRS, ids=lambda type_: type_.__name__)
def test_a_struct_has_the_fields_and_types_of_the_servers(client, server):
    said, meant = fields(client), fields(server)
    if client is ours.Event:  # here an id is made where none is given
        assert said.pop("event_id") == (str, False)
        assert meant.pop("event_id") == (str, True)
    assert said == meant


def test_every_struct_of_the_servers_answers_has_one_here():
    structs = {
        found
        for found in vars(replies).values()
        if isinstance(found, type)
        and issubclass(found, msgspec.Struct)
        and found.__module__ == replies.__name__
    }
    assert structs - set(SAME) == set()


def test_every_field_of_a_request_can_be_asked_for():
    """By the names of the method's arguments."""
    import inspect

    from flyball.client import calls

    wanted = {field.name for field in msgspec.structs.fields(messages.RecommendationRequest)}
    assert set(inspect.signature(calls.recommend).parameters) == wanted
    wanted = {field.name for field in msgspec.structs.fields(batch.BatchRequest)}
    assert set(inspect.signature(calls.recommend_many).parameters) == wanted
    wanted = {field.name for field in msgspec.structs.fields(messages.GamesQuery)}
    assert set(inspect.signature(calls.games_page).parameters) == wanted
    wanted = {field.name for field in msgspec.structs.fields(messages.SimilarQuery)}
    assert set(inspect.signature(calls.similar).parameters) == wanted | {"game_id"}


def test_an_answer_of_a_newer_server_can_be_read():
    answer = {"items": [{"game_id": "g", "title": "G", "score": 1, "matched": "sound", "new": 1}]}
    found = msgspec.json.decode(msgspec.json.encode(answer), type=ours.Found)
    assert found.items[0].matched == "sound"


def test_event_ids_are_uuids_of_version_7_that_rise_and_never_repeat():
    ids = [new_event_id() for _ in range(5000)]
    assert len(set(ids)) == 5000
    for text in ids[::500]:
        made = uuid.UUID(text)
        assert (made.version, made.variant) == (7, uuid.RFC_4122)
    moments = [uuid.UUID(text).int >> 80 for text in ids]
    assert moments == sorted(moments)


def test_importing_the_client_brings_no_server_along():
    program = (
        "import sys, flyball.client as c; early = {m.partition('.')[0] for m in sys.modules};"
        "c.Client, c.AsyncClient, c.Event, c.ApiError;"
        "print(sorted(m for m in sys.modules if m.startswith('flyball.')));"
        "print(sorted({m.partition('.')[0] for m in sys.modules}));"
        "print('httpx' in early)"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    ours_, all_, early = map(str.strip, done.stdout.strip().split("\n"))
    allowed = ("flyball.client", "flyball.errors", "flyball.domain")
    assert all(name.startswith(allowed) for name in eval(ours_))
    heavy = {"fastapi", "starlette", "pydantic", "numpy", "polars", "sqlalchemy", "uvicorn"}
    assert heavy & set(eval(all_)) == set()
    assert early == "False"


def test_every_public_name_is_there_and_no_other():
    import flyball.client

    for name in flyball.client.__all__:
        assert getattr(flyball.client, name) is not None
    with pytest.raises(AttributeError, match="nothing"):
        _ = flyball.client.nothing
