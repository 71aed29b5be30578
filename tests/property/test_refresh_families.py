"""Whatever is done with the tokens of sign-ins: at most one is good, and never an old one."""

from __future__ import annotations

from datetime import timedelta

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, consumes, initialize, rule

from flyball.access.refresh import GRACE, begun, revoked, rotated
from flyball.domain.access import Principal, RefreshFamily, Scope
from flyball.errors import Unauthenticated
from flyball.ports import Change
from flyball.testing.access import a_principal
from flyball.testing.fakes import ManualClock, MemoryRecords

LIFETIME = timedelta(minutes=5)


class SignIns(RuleBasedStateMachine):
    """A model of the truth beside the code: per family the one good token, or none.

    ``spent`` are tokens that were exchanged, with the times of their exchange.
    """

    tokens = Bundle("tokens")

    @initialize()
    def begin(self) -> None:
        self.clock, self.records = ManualClock(), MemoryRecords()
        self.records.commit([Change(value=a_principal())])
        self.good: dict[str, str] = {}
        self.ends: dict[str, object] = {}
        self.spent: dict[str, tuple[str, object]] = {}

    @rule(target=tokens)
    def signs_in(self) -> str:
        now = self.clock.now()
        owner = self.records.get(Principal, "account:ada")
        token = begun(self.records, owner, [Scope.READ], now=now, lifetime=LIFETIME)
        self.good[_family(token)] = token
        self.ends[_family(token)] = now + LIFETIME
        return token

    @rule(seconds=st.sampled_from([0.5, 1, 3, 60]))
    def waits(self, seconds: float) -> None:
        self.clock.advance(seconds)

    @rule(target=tokens, token=tokens)
    def exchanges(self, token: str) -> str:
        family, now = _family(token), self.clock.now()
        live = self.ends[family] > now
        expected = self.good.get(family) == token and live
        try:
            _, after = rotated(self.records, token, now=now)
        except Unauthenticated:
            assert not expected
            if live and family in self.good and not self._just_spent(token):
                del self.good[family]
            return token
        assert expected, "a token that is not the newest was taken"
        self.good[family] = after
        self.spent[token] = (after, now)
        return after

    @rule(token=consumes(tokens))
    def signs_out(self, token: str) -> None:
        family = revoked(self.records, token, now=self.clock.now())
        assert family is None or family.revoked_at is not None
        self.good.pop(_family(token), None)

    @rule()
    def changes_the_password(self) -> None:
        old = self.records.get(Principal, "account:ada")
        new = a_principal(epoch=old.epoch + 1)
        self.records.commit([Change(value=new, replacing=old)])
        self.good.clear()

    @rule()
    def looks(self) -> None:
        """Families that were stolen from are told once each."""
        ended = [f for f in self.records.find(RefreshFamily) if "came back" in f.reason]
        told = [row for row in self.records.ledger() if row.entry.action == "end sign-in"]
        assert len(told) >= len(ended)

    def _just_spent(self, token: str) -> bool:
        """Whether it is the one before the newest, exchanged a moment ago."""
        after, when = self.spent.get(token, (None, None))
        newest = self.good[_family(token)]
        return after == newest and self.clock.now() - when <= GRACE  # type: ignore[operator]


def _family(token: str) -> str:
    return token.split("_")[1]


TestSignIns = SignIns.TestCase
TestSignIns.settings = settings(max_examples=30, stateful_step_count=30)
