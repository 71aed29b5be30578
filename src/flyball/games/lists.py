"""Recommended lists, from the request to the answer, and who stands in where a version fails.

The version that is chosen for the player answers. If it fails, the other loaded version does; if
that fails too, or there is none, the popular games that the player may be shown. The answer says
so. The failure counts for the version that failed: a canary is judged by it.
"""

from __future__ import annotations

import os
import time
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING, Any, TypeAlias

import msgspec
import structlog

from flyball.errors import ConfigurationError, DeploymentError
from flyball.exchange import Reply
from flyball.games.answering import NO_OVERLAY, Question, Wishes
from flyball.games.exploring import Exploring
from flyball.games.replies import RecommendationsAnswer
from flyball.games.soundness import check_sound

if TYPE_CHECKING:
    from flyball.games.business_rules import GameRules
    from flyball.games.counted import Answering
    from flyball.games.messages import RecommendationQuery, RecommendationRequest
    from flyball.games.replies import Fallback
    from flyball.games.servable import Answer, GamesServable
    from flyball.ports import Choice, Host

NONCE = 5
"""Random bytes of an answer's id."""

_ENCODER = msgspec.json.Encoder()

_Ask: TypeAlias = "Callable[[Sequence[Question]], list[Answer]]"


def reply(answer: Any, choice: Choice, *, tagged: bool = False) -> Reply:
    """An answer as JSON, with the version that gave it."""
    version = (b"x-flyball-version", choice.version.encode())
    return Reply(_ENCODER.encode(answer), headers=(version,), tagged=tagged)


def wishes(
    host: Host, user: str | None, asked: RecommendationRequest | RecommendationQuery
) -> Wishes:
    """What holds for one answer beside the player, ``k`` and the filters."""
    return _wishes(asked, _overlay(host, user), host.rules(), datetime.now(UTC))


def _wishes(
    asked: RecommendationRequest | RecommendationQuery,
    overlay: Mapping[str, frozenset[str]],
    rules: GameRules | None,
    now: datetime,
) -> Wishes:
    return {
        "min_score": asked.min_score,
        "diversity": asked.diversity,
        "overlay": overlay,
        "rules": rules,
        "now": now,
    }


def _overlay(host: Host, user: str | None) -> Mapping[str, frozenset[str]]:
    return NO_OVERLAY if user is None else host.overlay(user)


@dataclass(slots=True)
class Ask:
    """A request for a list.

    Attributes:
        answering: counts it.
        asked: what was sent.
        trace: id of its distributed trace.
    """

    answering: Answering
    asked: RecommendationRequest
    trace: str


@dataclass(slots=True)
class _Posed:
    """A request whose question is put: to a version, under a part of the answer's id.

    ``k`` games are wanted; where the list ``explores``, the question asks for more.
    """

    ask: Ask
    nonce: str
    choice: Choice
    question: Question
    k: int
    explores: bool = False
    fallback: Fallback | None = None


class Lists:
    """Recommends.

    Args:
        host: chooses versions, counts answers and notes what is shown.
    """

    def __init__(self, host: Host) -> None:
        self._host = host
        self._exploring = Exploring(host.exploration)

    def recommended(self, ask: Ask) -> Reply:
        """The answer to one request."""
        [found] = self.together([ask])
        if isinstance(found, Exception):
            raise found
        return found

    def together(self, asks: Sequence[Ask]) -> list[Reply | Exception]:
        """The answers to several requests, in their order; an error is that of one of them.

        They take one pass: each step is done for all before the next. So its code and its data are
        read from memory once, and a call into NumPy is made once.
        """
        at_ms, drawn = time.time_ns() // 1_000_000, os.urandom(NONCE * len(asks)).hex()
        rules, now = self._host.rules(), datetime.now(UTC)
        replies: dict[int, Reply | Exception] = {}
        by_version: dict[str, list[tuple[int, _Posed]]] = defaultdict(list)
        for number, ask in enumerate(asks):
            nonce = drawn[2 * NONCE * number : 2 * NONCE * (number + 1)]
            try:
                posed = self._posed(ask, nonce, rules, now)
            except Exception as error:  # noqa: BLE001 - such as: no version is loaded yet
                replies[number] = error
            else:
                by_version[posed.choice.version].append((number, posed))
        for group in by_version.values():
            posed_here = [posed for _, posed in group]
            self._working(posed_here)
            found = _answers(posed_here[0].choice, [posed.question for posed in posed_here])
            for (number, posed), answer in zip(group, found, strict=True):
                try:
                    replies[number] = self._reply(posed, answer, at_ms)
                except Exception as error:  # noqa: BLE001 - it is this request's, and nobody else's
                    replies[number] = error
        return [replies[number] for number in range(len(asks))]

    def _posed(self, ask: Ask, nonce: str, rules: GameRules | None, now: datetime) -> _Posed:
        host, asked = self._host, ask.asked
        # Callers without a name are drawn one by one, by what their answer's id tells later.
        user = None if asked.user_id is None else host.pseudonym(asked.user_id)
        choice = ask.answering.by(nonce if user is None else user)
        told = _wishes(asked, _overlay(host, user), rules, now)
        question = Question(user, asked.history, asked.k, asked.filters, told)
        posed = _Posed(ask, nonce, choice, question, asked.k)
        if self._exploring.share and self._exploring.picks(question, nonce):
            posed.explores, question.k = True, self._exploring.asked(asked.k)
        return posed

    def _working(self, posed: Sequence[_Posed]) -> None:
        """Tell who waits for whom, while a rollout is watched."""
        choice = posed[0].choice
        if choice.watch is not None:
            units = [unit for each in posed for unit in each.choice.units]
            self._host.working(choice.drawn_for(tuple(units)))

    def _reply(self, posed: _Posed, found: Answer | Exception, at_ms: int) -> Reply:
        """What goes out; notes it as shown."""
        if isinstance(found, Exception):
            posed.explores, posed.question.k = False, posed.k
            found = self._stand_in(posed, found)
        host, choice, question = self._host, posed.choice, posed.question
        propensities = None
        if posed.explores:
            found, propensities = self._exploring.mixed(found, posed.k, posed.nonce)
        answer_id = host.answers.new(choice.version, at_ms, posed.nonce)
        host.shown(
            choice,
            answer_id,
            at_ms,
            question.user_id,
            [item.game_id for item in found.items],
            k=posed.k,
            propensities=propensities,
            filtered=question.filters is not None and question.filters.given(),
            fallback=posed.fallback or "",
            trace=posed.ask.trace,
        )
        answer = RecommendationsAnswer(
            answer_id,
            host.model,
            choice.version,
            choice.variant.value,
            found.items,
            found.underfilled,
            fallback=posed.fallback,
        )
        return reply(answer, choice)

    def _stand_in(self, posed: _Posed, error: Exception) -> Answer:
        """What answers in place of a version that raised ``error``; ``posed`` says then who did.

        Raises:
            Exception: that error, where it is the caller's, or nothing can stand in.
        """
        if isinstance(error, ConfigurationError):
            raise error
        failed, answering = posed.choice, posed.ask.answering
        _log().error(
            "a version failed to answer; another one stands in",
            model=self._host.model,
            version=failed.version,
            exc_info=error,
        )
        answering.failed()
        for to, choice, ask in self._others(failed):
            try:
                [found] = _checked(choice, ask([posed.question]), [posed.question])
            except Exception as again:  # noqa: BLE001 - then the next one
                _log().error("it failed as well", to=to, version=choice.version, exc_info=again)
                continue
            self._host.fell_back(failed, to)
            if choice is not failed:
                answering.instead(choice)
            posed.choice, posed.fallback = choice, to
            return found
        raise error

    def _others(self, failed: Choice) -> list[tuple[Fallback, Choice, _Ask]]:
        """Who may stand in, in this order."""
        beside = self._host.beside(failed)
        servable: GamesServable = failed.servable
        popular: list[tuple[Fallback, Choice, _Ask]] = [
            ("popularity", failed, partial(servable.answers, popular=True))
        ]
        if beside is None:
            return popular
        return [("other_version", beside, beside.servable.answers), *popular]


def _answers(choice: Choice, questions: Sequence[Question]) -> Sequence[Answer | Exception]:
    """What a version answers. Where it fails with several, each is asked by itself."""
    try:
        found = _checked(choice, choice.servable.answers(questions), questions)
    except Exception as error:  # noqa: BLE001 - whatever a model raises, the player gets a list
        if len(questions) == 1:
            return [error]
        return [_answers(choice, [question])[0] for question in questions]
    return found


def _checked(
    choice: Choice, found: Sequence[Answer], questions: Sequence[Question]
) -> Sequence[Answer]:
    """What a version answered.

    Raises:
        DeploymentError: it may not go out. While a rollout is watched each list is looked at.
    """
    if len(found) != len(questions):
        raise DeploymentError(f"{len(questions)} questions got {len(found)} answers")
    if choice.watch is not None:
        for answer, question in zip(found, questions, strict=True):
            check_sound(answer, question.k)
    return found


def _log() -> Any:
    return structlog.get_logger("flyball.games")
