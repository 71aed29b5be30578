"""Refresh tokens: each is good once; one that comes back ends its family."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from flyball.access import refresh
from flyball.access.refresh import GRACE, MOST_FAMILIES, begun, revoked, rotated
from flyball.domain.access import RefreshFamily, Scope
from flyball.errors import InvalidRequest, StaleWrite, StorageUnavailable, Unauthenticated
from flyball.ports import Change
from flyball.testing.access import a_principal
from flyball.testing.builders import NOON
from flyball.testing.fakes import ManualClock, MemoryRecords

DAY = timedelta(days=1)
ADA = a_principal()


@pytest.fixture
def records():
    records = MemoryRecords()
    records.commit([Change(value=ADA)])
    return records


@pytest.fixture
def clock():
    return ManualClock()


@pytest.fixture
def token(records):
    return begun(records, ADA, [Scope.READ], now=NOON, lifetime=DAY)


def family(records):
    [found] = records.find(RefreshFamily)
    return found


def refused(records, token, now=NOON):
    with pytest.raises(Unauthenticated) as error:
        rotated(records, token, now=now)
    return str(error.value)


class TestARefreshToken:
    def test_is_exchanged_for_the_next_one_again_and_again(self, records, clock, token):
        for turn in range(2, 6):
            moved, after = rotated(records, token, now=clock.advance(60))
            assert after != token
            assert (moved.turn, moved.subject, moved.scopes) == (turn, "account:ada", (Scope.READ,))
            assert moved == family(records)
            token = after

    def test_is_not_in_its_record(self, records, token):
        said = str([getattr(family(records), name) for name in RefreshFamily.__slots__])
        assert token[-43:] not in said
        assert token[-65:-43] not in said

    def test_ends_with_its_family_however_often_it_was_exchanged(self, records, clock, token):
        _, token = rotated(records, token, now=clock.advance(hours=23))
        refused(records, token, clock.advance(hours=1))

    def test_is_kept_where_the_records_are_away(self, records, token):
        records.broken = True
        with pytest.raises(StorageUnavailable):
            rotated(records, token, now=NOON)
        records.broken = False
        assert rotated(records, token, now=NOON)

    def test_needs_a_scope(self, records):
        with pytest.raises(InvalidRequest, match="no scope"):
            begun(records, ADA, [], now=NOON, lifetime=DAY)

    @pytest.mark.parametrize(
        "change",
        [
            lambda owner: replace(owner, disabled_at=NOON),
            lambda owner: replace(owner, epoch=2),
        ],
        ids=["disabled", "another password"],
    )
    def test_is_void_once_its_owner_is(self, records, token, change):
        records.commit([Change(value=change(ADA), replacing=ADA)])
        refused(records, token)

    def test_of_an_owner_who_is_gone_is_void(self, records, token):
        records.discard(type(ADA), ADA.id)
        refused(records, token)


class TestATokenThatComesBack:
    def test_ends_its_family_for_the_thief_and_the_owner(self, records, clock, token):
        _, second = rotated(records, token, now=clock.now())
        refused(records, token, clock.advance(GRACE.total_seconds() + 1))
        refused(records, second, clock.now())
        assert family(records).revoked_at == clock.now()
        assert family(records).reason == refresh.REUSED

    def test_from_two_turns_ago_ends_it_at_once(self, records, token):
        _, second = rotated(records, token, now=NOON)
        rotated(records, second, now=NOON)
        refused(records, token)
        assert family(records).revoked_at == NOON

    def test_a_moment_after_its_exchange_is_refused_and_nothing_else(self, records, token):
        """A client that refreshes in two places at once is not thrown out."""
        _, second = rotated(records, token, now=NOON)
        refused(records, token, NOON + GRACE)
        assert rotated(records, second, now=NOON + GRACE)

    def test_is_a_row_of_the_ledger_once_and_names_no_secret(self, records, token):
        rotated(records, token, now=NOON)
        for _ in range(3):
            refused(records, token, NOON + DAY / 2)
        [row] = records.ledger()
        assert (row.entry.action, row.entry.subject) == ("end sign-in", "account:ada")
        assert "stolen" in row.entry.reason
        assert token[-65:] not in str(row)

    def test_leaves_the_other_sign_ins_of_its_owner_alone(self, records, token):
        other = begun(records, ADA, [Scope.READ], now=NOON, lifetime=DAY)
        rotated(records, token, now=NOON)
        refused(records, token, NOON + DAY / 2)
        assert rotated(records, other, now=NOON + DAY / 2)


class TestATokenThatNobodyIssued:
    def test_is_refused_with_the_words_for_all_others_and_ends_nothing(self, records, token):
        """Whoever knows a family's id alone can neither use nor end it."""
        id = family(records).id
        made_up = [
            "",
            "nonsense",
            f"fr_{id}_1_" + "A" * 65,
            f"fr_{id}_0_" + "A" * 65,
            f"fr_{id}_2_" + "A" * 65,
            "fr_0123456789ab_1_" + "A" * 65,
            token + "\n",
            token[:-1],
            token.upper(),
        ]
        said = {refused(records, text, NOON + DAY / 2) for text in made_up}
        rotated(records, token, now=NOON)
        said.add(refused(records, token, NOON + DAY / 2))
        assert len(said) == 1

    @pytest.mark.parametrize(
        "change",
        [lambda text: text[:-43] + "A" * 43, lambda text: text.replace("_1_", "_7_", 1)],
        ids=["secret", "turn"],
    )
    def test_but_changed_from_a_true_one_ends_the_family(self, records, token, change):
        refused(records, change(token))
        refused(records, token)
        assert family(records).reason == refresh.REUSED


class TestSigningOut:
    def test_ends_the_family_by_any_of_its_tokens_and_again_is_harmless(self, records, token):
        _, second = rotated(records, token, now=NOON)
        for text in (token, second):
            ended = revoked(records, text, now=NOON)
            assert (ended.revoked_at, ended.reason) == (NOON, "signed out")
        refused(records, second)
        assert records.ledger() == []

    def test_by_a_token_that_is_none_is_no_error(self, records, token):
        assert revoked(records, "nonsense", now=NOON) is None
        assert revoked(records, token[:-65] + "A" * 65, now=NOON) is None
        assert rotated(records, token, now=NOON)


class TestTwoAtOnce:
    class Racing(MemoryRecords):
        """Somebody else acts between this one's read and its write, so many times."""

        def __init__(self) -> None:
            super().__init__()
            self.others = []

        def commit(self, changes, entries=()):
            if self.others:
                self.others.pop(0)()
            super().commit(changes, entries)

    @pytest.fixture
    def records(self):
        records = self.Racing()
        records.commit([Change(value=ADA)])
        return records

    def test_one_gets_the_next_token_and_the_other_is_refused(self, records, token):
        won = []
        records.others = [lambda: won.append(rotated(records, token, now=NOON)[1])]
        refused(records, token)
        assert rotated(records, won[0], now=NOON)

    def test_an_end_holds_though_the_family_moves_on_meanwhile(self, records, token):
        won = []
        records.others = [lambda: won.append(rotated(records, token, now=NOON)[1])]
        assert revoked(records, token, now=NOON).turn == 2
        refused(records, won[0])

    def test_an_end_that_never_succeeds_is_said(self, records, token):
        def moves_on() -> None:
            now = family(records)
            MemoryRecords.commit(
                records, [Change(value=replace(now, turn=now.turn + 1), replacing=now)]
            )

        records.others = [moves_on] * 100
        with pytest.raises(StaleWrite, match="try again"):
            revoked(records, token, now=NOON)


class TestRoom:
    def test_is_made_for_the_newest_sign_in_at_the_cost_of_the_oldest(self, records):
        tokens = [
            begun(records, ADA, [Scope.READ], now=NOON, lifetime=DAY)
            for _ in range(MOST_FAMILIES + 2)
        ]
        assert len(records.find(RefreshFamily)) == MOST_FAMILIES
        refused(records, tokens[1])
        assert rotated(records, tokens[2], now=NOON)

    def test_is_not_taken_by_sign_ins_that_are_over(self, records, token):
        begun(records, ADA, [Scope.READ], now=NOON + DAY, lifetime=DAY)
        assert len(records.find(RefreshFamily)) == 1
        refused(records, token, NOON + DAY)

    def test_of_others_is_left_alone(self, records, token):
        bo = a_principal(name="bo")
        records.commit([Change(value=bo)])
        for _ in range(MOST_FAMILIES + 1):
            begun(records, bo, [Scope.READ], now=NOON, lifetime=DAY)
        assert rotated(records, token, now=NOON)
