"""What every implementation of the port ``Notifier`` promises.

Inherit it and give the fixtures below; they talk to a real server on this machine.
"""

from __future__ import annotations

import socket
import time
from collections.abc import Callable, Iterator
from dataclasses import replace

import pytest

from flyball.domain.notices import Notice, Urgency
from flyball.errors import EnvironmentFailed
from flyball.ports import Notifier
from flyball.testing.builders import NOON

LIMIT_S = 5.0
"""A notifier of these tests must have given up after so long."""

ROLLED_BACK = Notice(
    id="ledger row 7: games/3",
    at=NOON,
    model="games",
    title="games was rolled back from 1.1.0 to 1.0.0",
    text="1.1.0 answers no request any more.\nWhy: 40 of 100 requests failed\nNext: look at it",
    urgency=Urgency.NOW,
)


class NotifierContract:
    """People read what was meant, once it is handed over; secrets stay secret."""

    @pytest.fixture
    def deaf(self) -> Iterator[int]:
        """A port where connections are taken and nothing is ever said."""
        with socket.create_server(("127.0.0.1", 0)) as sock:
            yield sock.getsockname()[1]

    @pytest.fixture
    def closed(self) -> int:
        """A port where nobody listens."""
        with socket.create_server(("127.0.0.1", 0)) as sock:
            return int(sock.getsockname()[1])

    @pytest.fixture
    def notifier(self) -> Notifier:
        """One whose server takes notices."""
        raise NotImplementedError

    @pytest.fixture
    def arrived(self) -> Callable[[], list[str]]:
        """Gives what arrived at that server so far, as people read it."""
        raise NotImplementedError

    @pytest.fixture
    def nobody(self) -> Notifier:
        """One at whose address nobody listens."""
        raise NotImplementedError

    @pytest.fixture
    def silent(self) -> Notifier:
        """One whose server takes connections and says nothing; its time limit is under 1 s."""
        raise NotImplementedError

    @pytest.fixture
    def refused(self) -> Notifier:
        """One whose server takes no notice from us."""
        raise NotImplementedError

    @pytest.fixture
    def secret(self) -> str:
        """A secret that all of them were given."""
        raise NotImplementedError

    def test_hands_over_all_that_was_said(
        self, notifier: Notifier, arrived: Callable[[], list[str]]
    ) -> None:
        notifier.tell(ROLLED_BACK)
        [read] = arrived()
        for said in (ROLLED_BACK.title, *ROLLED_BACK.text.splitlines()):
            assert said in read

    def test_hands_over_one_after_the_other(
        self, notifier: Notifier, arrived: Callable[[], list[str]]
    ) -> None:
        for number in range(3):
            notifier.tell(replace(ROLLED_BACK, id=f"{number}", title=f"notice {number}"))
        assert [f"notice {n}" in read for n, read in enumerate(arrived())] == [True] * 3

    @pytest.mark.parametrize(
        "said",
        ["Zoë \N{VIDEO GAME} <b>&amp;</b>", "a.\n.\nQUIT", "{}%s\t\\n", "x" * 900],
        ids=["letters", "smtp", "format", "long"],
    )
    def test_hands_over_any_text_as_it_is(
        self, notifier: Notifier, arrived: Callable[[], list[str]], said: str
    ) -> None:
        notifier.tell(replace(ROLLED_BACK, text=said))
        assert said in arrived()[0]

    @pytest.mark.parametrize("title", ["one\r\nBcc: all@example.org\r\n\r\ntwo", "t" * 3000, ""])
    def test_hands_over_under_any_title(
        self, notifier: Notifier, arrived: Callable[[], list[str]], title: str
    ) -> None:
        """A title with line ends makes no headers, a long one is cut, and none is none."""
        notifier.tell(replace(ROLLED_BACK, title=title))
        assert "40 of 100 requests failed" in arrived()[0]

    def test_hands_over_a_very_long_text_at_least_in_part(
        self, notifier: Notifier, arrived: Callable[[], list[str]]
    ) -> None:
        notifier.tell(replace(ROLLED_BACK, text="begin " + "&<> " * 20_000))
        assert "begin &<> &<>" in arrived()[0]

    def test_tells_nobody_anything_when_it_only_tries_to_reach_them(
        self, notifier: Notifier, arrived: Callable[[], list[str]]
    ) -> None:
        notifier.reach()
        assert arrived() == []

    def test_says_whom_it_tells_without_a_secret(self, notifier: Notifier, secret: str) -> None:
        assert notifier.name
        assert notifier.whom
        assert secret not in notifier.name + notifier.whom + repr(notifier)

    @pytest.mark.parametrize("act", ["tell", "reach"])
    def test_says_where_nobody_listens(self, nobody: Notifier, secret: str, act: str) -> None:
        with pytest.raises(EnvironmentFailed) as caught:
            _do(nobody, act)
        self._is_told_well(caught.value, nobody, secret)

    def test_gives_up_on_one_that_never_answers(self, silent: Notifier, secret: str) -> None:
        began = time.monotonic()
        with pytest.raises(EnvironmentFailed, match="within") as caught:
            silent.tell(ROLLED_BACK)
        assert time.monotonic() - began < LIMIT_S
        self._is_told_well(caught.value, silent, secret)

    def test_says_where_a_notice_is_refused(self, refused: Notifier, secret: str) -> None:
        with pytest.raises(EnvironmentFailed) as caught:
            refused.tell(ROLLED_BACK)
        self._is_told_well(caught.value, refused, secret)

    def test_takes_notices_again_after_a_failure(
        self, refused: Notifier, notifier: Notifier, arrived: Callable[[], list[str]]
    ) -> None:
        for _ in range(3):
            with pytest.raises(EnvironmentFailed):
                refused.tell(ROLLED_BACK)
        notifier.tell(ROLLED_BACK)
        assert len(arrived()) == 1

    @staticmethod
    def _is_told_well(error: EnvironmentFailed, notifier: Notifier, secret: str) -> None:
        """The message names whom, and neither it nor what caused it holds the secret."""
        assert notifier.whom in str(error)
        assert secret not in str(error)
        assert error.__cause__ is None, "the cause would be shown with --debug"
        hidden = error.__suppress_context__ or error.__context__ is None
        assert hidden, "as would what it came up in"


def _do(notifier: Notifier, act: str) -> None:
    if act == "tell":
        notifier.tell(ROLLED_BACK)
    else:
        notifier.reach()
