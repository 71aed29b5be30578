"""Recommended lists, from the request to the answer, and who stands in where a version fails.

The version that is chosen for the player answers. If it fails, the other loaded version does; if
that fails too, or there is none, the popular games that the player may be shown. The answer says
so. The failure counts for the version that failed: a canary is judged by it.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import msgspec
import structlog

from flyball.errors import ConfigurationError
from flyball.exchange import Reply
from flyball.games.answering import NO_OVERLAY, Wishes
from flyball.games.replies import RecommendationsAnswer

if TYPE_CHECKING:
    from flyball.games.counted import Answering
    from flyball.games.messages import RecommendationQuery, RecommendationRequest
    from flyball.games.replies import Fallback
    from flyball.games.servable import Answer, GamesServable
    from flyball.ports import Choice, Host

_ENCODER = msgspec.json.Encoder()


def reply(answer: Any, choice: Choice, *, tagged: bool = False) -> Reply:
    """An answer as JSON, with the version that gave it."""
    version = (b"x-flyball-version", choice.version.encode())
    return Reply(_ENCODER.encode(answer), headers=(version,), tagged=tagged)


def wishes(
    host: Host, user: str | None, asked: RecommendationRequest | RecommendationQuery
) -> Wishes:
    """What holds for one answer beside the player, ``k`` and the filters."""
    return Wishes(
        min_score=asked.min_score,
        diversity=asked.diversity,
        overlay=NO_OVERLAY if user is None else host.overlay(user),
        rules=host.rules(),
        now=datetime.now(UTC),
    )


class Lists:
    """Recommends.

    Args:
        host: chooses versions, counts answers and notes what is shown.
    """

    def __init__(self, host: Host) -> None:
        self._host = host

    def recommended(self, answering: Answering, asked: RecommendationRequest, trace: str) -> Reply:
        """The answer to one request."""
        host = self._host
        at_ms, nonce = time.time_ns() // 1_000_000, os.urandom(5).hex()
        # callers without a name are spread over the variants, as named ones are
        user = None if asked.user_id is None else host.pseudonym(asked.user_id)
        choice = answering.by(nonce if user is None else user)
        question = (user, asked.history, asked.k, asked.filters)
        told = wishes(host, user, asked)
        fallback: Fallback | None = None
        try:
            found: Answer = choice.servable.recommend(*question, **told)
        except Exception as error:  # noqa: BLE001 - whatever a model raises, the player gets a list
            choice, fallback, found = self._stand_in(answering, choice, error, question, told)
        answer_id = host.answers.new(choice.version, at_ms, nonce)
        host.shown(
            choice,
            answer_id,
            at_ms,
            user,
            [item.game_id for item in found.items],
            k=asked.k,
            filtered=asked.filters is not None and asked.filters.given(),
            fallback=fallback or "",
            trace=trace,
        )
        answer = RecommendationsAnswer(
            recommendation_id=answer_id,
            model=host.model,
            model_version=choice.version,
            variant=choice.variant.value,
            items=list(found.items),
            underfilled=found.underfilled,
            fallback=fallback,
        )
        return reply(answer, choice)

    def _stand_in(
        self,
        answering: Answering,
        failed: Choice,
        error: Exception,
        question: tuple[Any, ...],
        told: Wishes,
    ) -> tuple[Choice, Fallback, Answer]:
        """What answers in place of a version that raised ``error``.

        Raises:
            Exception: that error, where it is the caller's, or nothing can stand in.
        """
        if isinstance(error, ConfigurationError):
            raise error
        _log().error(
            "a version failed to answer; another one stands in",
            model=self._host.model,
            version=failed.version,
            exc_info=error,
        )
        answering.failed()
        for to, choice, ask in self._others(failed):
            try:
                found = ask(*question, **told)
            except Exception as again:  # noqa: BLE001 - then the next one
                _log().error("it failed as well", to=to, version=choice.version, exc_info=again)
                continue
            self._host.fell_back(failed, to)
            if choice is not failed:
                answering.instead(choice)
            return choice, to, found
        raise error

    def _others(self, failed: Choice) -> list[tuple[Fallback, Choice, Callable[..., Answer]]]:
        """Who may stand in, in this order."""
        beside = self._host.beside(failed)
        servable: GamesServable = failed.servable
        popular: list[tuple[Fallback, Choice, Callable[..., Answer]]] = [
            ("popularity", failed, servable.popular)
        ]
        if beside is None:
            return popular
        return [("other_version", beside, beside.servable.recommend), *popular]


def _log() -> Any:
    return structlog.get_logger("flyball.games")
