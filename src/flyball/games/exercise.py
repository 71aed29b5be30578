"""Calls the API of a running server as its users do, and says what held."""

from __future__ import annotations

import math
import secrets
from collections.abc import Callable, Iterator
from typing import Any

import httpx

from flyball.domain.traffic import claimed_version

TIMEOUT_S = 10.0
TYPO_NEEDS = 6
"""Letters of a title that is still itself without one of them."""
PATHS = (
    "/v1/recommendations",
    "/v1/recommendations/batch",
    "/v1/recommendations/{user_id}",
    "/v1/why-not/{user_id}/{game_id}",
    "/v1/search",
    "/v1/events",
    "/v1/games",
    "/v1/games/{game_id}",
    "/v1/games/{game_id}/similar",
)
Found = tuple[str, bool, str]


def exercise(url: str) -> Iterator[Found]:
    """Call every endpoint; yields (what was tried, whether it held, detail).

    A server that does not answer is a finding, not an error. Stores one impression of a player
    called ``flyball-exercise``, where the server stores events at all.
    """
    with httpx.Client(base_url=url, timeout=TIMEOUT_S) as client:
        for what, attempt in (
            ("a page of games", _games),
            ("one game", _game),
            ("games paged by cursor", _paging),
            ("recommendations for a player never seen", _newcomer),
            ("recommendations for a history", _history),
            ("recommendations under filters", _filtered),
            ("diverse recommendations", _diverse),
            ("recommendations for many players", _many),
            ("why not, for every game of a list", _why_not),
            ("similar games", _similar),
            ("a search with a typo", _search),
            ("an unknown game is a problem document", _unknown_game),
            ("an invalid request is a problem document", _invalid),
            ("events", _events),
            ("the OpenAPI document", _documented),
        ):
            yield _tried(what, attempt, client)


def _tried(what: str, attempt: Callable[[httpx.Client], str], client: httpx.Client) -> Found:
    try:
        return what, True, attempt(client)
    except httpx.HTTPError as error:
        return what, False, f"{type(error).__name__}: {error}"
    except _Wrong as wrong:
        return what, False, str(wrong)
    except (ValueError, KeyError, TypeError, IndexError, AttributeError) as error:
        return what, False, f"the answer has another shape: {type(error).__name__} {error}"


class _Wrong(Exception):
    """What was expected and what came."""


def _expect(held: bool, wrong: str) -> None:
    if not held:
        raise _Wrong(wrong)


def _page(client: httpx.Client, **query: Any) -> dict[str, Any]:
    answer = client.get("/v1/games", params=query)
    _expect(answer.status_code == 200, f"{answer.status_code}: {answer.text[:200]}")
    page: dict[str, Any] = answer.json()
    return page


def _games(client: httpx.Client) -> str:
    items = _page(client, limit=5)["items"]
    _expect(0 < len(items) <= 5, f"{len(items)} games on a page of 5")
    return f"{len(items)} games"


def _game(client: httpx.Client) -> str:
    first = _page(client, limit=1)["items"][0]
    answer = client.get(f"/v1/games/{first['game_id']}")
    _expect(answer.status_code == 200 and answer.json() == first, f"not {first}: {answer.text}")
    return str(first["title"])


def _paging(client: httpx.Client) -> str:
    first = _page(client, limit=2)
    second = _page(client, limit=2, cursor=first["next_cursor"])
    both = _page(client, limit=4)
    _expect(first["items"] + second["items"] == both["items"], "two pages are not the whole")
    return "two pages of 2 are the first page of 4"


def _recommended(answer: httpx.Response, *, k: int, owned: set[str]) -> list[dict[str, Any]]:
    _expect(answer.status_code == 200, f"{answer.status_code}: {answer.text[:200]}")
    found = answer.json()
    items: list[dict[str, Any]] = found["items"]
    shown = [item["game_id"] for item in items]
    _expect(len(items) <= k, f"{len(items)} games where {k} were asked for")
    _expect(found["underfilled"] == (len(items) < k), "misstates whether it is full")
    _expect(len(set(shown)) == len(shown), "a game comes twice")
    _expect(not owned.intersection(shown), "a game the player has was recommended")
    _expect(all(math.isfinite(item["score"]) for item in items), "a score is not finite")
    version = found["model_version"]
    _expect(claimed_version(found["recommendation_id"]) == version, "the id names another version")
    _expect(answer.headers.get("x-flyball-version") == version, "the header names another version")
    return items


def _newcomer(client: httpx.Client) -> str:
    answer = client.get(f"/v1/recommendations/newcomer-{secrets.token_hex(8)}", params={"k": 5})
    items = _recommended(answer, k=5, owned=set())
    _expect(len(items) > 0, "a newcomer gets nothing")
    return ", ".join(item["title"] for item in items)


def _history(client: httpx.Client) -> str:
    popular = client.post("/v1/recommendations", json={"k": 3})
    owned = [item["game_id"] for item in _recommended(popular, k=3, owned=set())]
    answer = client.post("/v1/recommendations", json={"history": owned, "k": 5})
    items = _recommended(answer, k=5, owned=set(owned))
    _expect(len(items) > 0, "a player with a history gets nothing")
    return f"{len(items)} games after {', '.join(owned)}"


def _filtered(client: httpx.Client) -> str:
    items = _recommended(client.post("/v1/recommendations", json={"k": 3}), k=3, owned=set())
    excluded = [item["game_id"] for item in items]
    asked = {"k": 3, "filters": {"exclude": excluded, "max_price": 0}}
    shown = _recommended(client.post("/v1/recommendations", json=asked), k=3, owned=set(excluded))
    for item in shown:
        price = client.get(f"/v1/games/{item['game_id']}").json()["price_usd"]
        _expect(price == 0, f"{item['game_id']} costs {price}, 0 was the most")
    return f"{len(shown)} free games, none of the {len(excluded)} excluded"


def _diverse(client: httpx.Client) -> str:
    plain = _recommended(client.post("/v1/recommendations", json={"k": 5}), k=5, owned=set())
    asked = {"k": 5, "diversity": 0.5}
    items = _recommended(client.post("/v1/recommendations", json=asked), k=5, owned=set())
    _expect(len(items) == len(plain), f"{len(items)} games with diversity, {len(plain)} without")
    return ", ".join(item["title"] for item in items)


def _many(client: httpx.Client) -> str:
    players = [f"newcomer-{secrets.token_hex(8)}" for _ in range(3)]
    asked = {"user_ids": players, "k": 4}
    answers = _answered(client.post("/v1/recommendations/batch", json=asked))["items"]
    _expect(len(answers) == len(players), f"{len(answers)} answers for {len(players)} players")
    for answer in answers:
        version, named = answer["model_version"], claimed_version(answer["recommendation_id"])
        _expect(named == version, "an id names another version")
        _expect(answer["underfilled"] == (len(answer["items"]) < 4), "misstates whether it is full")
    return f"{len(answers)} lists"


def _why_not(client: httpx.Client) -> str:
    user = f"newcomer-{secrets.token_hex(8)}"
    path, genre = f"/v1/recommendations/{user}", "\N{NO ENTRY SIGN}"
    items = _recommended(client.get(path, params={"k": 3}), k=3, owned=set())
    for place, item in enumerate(items, 1):
        asked = f"/v1/why-not/{user}/{item['game_id']}"
        fate = _answered(client.get(asked, params={"k": 3}))
        found = (fate["verdict"], fate["rank"])
        _expect(found == ("recommended", place), f"{found} of the game at place {place}")
        barred = _answered(client.get(asked, params={"genres": genre}))["verdict"]
        _expect(barred == "filtered", f"{barred} of a game that a filter leaves out")
    return f"{len(items)} games are where the list says"


def _similar(client: httpx.Client) -> str:
    items = _recommended(client.post("/v1/recommendations", json={"k": 1}), k=1, owned=set())
    game_id = items[0]["game_id"]
    for content in (0.5, 0.0):
        asked = {"k": 3, "content": content}
        found = _answered(client.get(f"/v1/games/{game_id}/similar", params=asked))
        alike = [item["game_id"] for item in found["items"]]
        _expect(len(alike) <= 3 and game_id not in alike, f"{alike} to {game_id}")
    return f"{', '.join(alike) or 'nothing'} to {game_id}"


def _search(client: httpx.Client) -> str:
    titles = [game["title"] for game in _page(client, limit=200)["items"]]
    longest = max(titles, key=len)
    typed = longest[:2] + longest[3:] if len(longest) > TYPO_NEEDS else longest
    items = _answered(client.get("/v1/search", params={"q": typed, "k": 10}))["items"]
    found = [item["title"] for item in items]
    _expect(longest in found, f"{typed!r} does not find {longest!r} but {found}")
    scores = [item["score"] for item in items]
    _expect(scores == sorted(scores, reverse=True), "the best match does not come first")
    return f"{typed!r} finds {longest!r}"


def _answered(answer: httpx.Response) -> dict[str, Any]:
    _expect(answer.status_code == 200, f"{answer.status_code}: {answer.text[:200]}")
    found: dict[str, Any] = answer.json()
    return found


def _unknown_game(client: httpx.Client) -> str:
    return _problem(client.get(f"/v1/games/no-such-game-{secrets.token_hex(8)}"), 404)


def _invalid(client: httpx.Client) -> str:
    return _problem(client.post("/v1/recommendations", json={"k": 0}), 422)


def _problem(answer: httpx.Response, status: int) -> str:
    kind = answer.headers.get("content-type", "")
    _expect(answer.status_code == status, f"{answer.status_code}, expected {status}")
    _expect(kind.startswith("application/problem+json"), f"the answer is {kind}")
    _expect(answer.json()["status"] == status, "the document has another status")
    return str(answer.json()["detail"])


def _events(client: httpx.Client) -> str:
    game_id = _page(client, limit=1)["items"][0]["game_id"]
    event = {
        "event_id": f"exercise-{secrets.token_hex(8)}",
        "type": "impression",
        "user_id": "flyball-exercise",
        "game_id": game_id,
    }
    answer = client.post("/v1/events", json=[event])
    if answer.status_code == 503:
        return f"not stored here: {_problem(answer, 503)}"
    _expect(answer.status_code == 200, f"{answer.status_code}: {answer.text[:200]}")
    _expect(answer.json()["accepted"] == 1, f"not accepted: {answer.text[:200]}")
    return "one impression stored"


def _documented(client: httpx.Client) -> str:
    answer = client.get("/openapi.json")
    _expect(answer.status_code == 200, f"{answer.status_code}")
    missing = [path for path in PATHS if path not in answer.json()["paths"]]
    _expect(not missing, f"it lacks {', '.join(missing)}")
    return f"lists {len(PATHS)} routes"
