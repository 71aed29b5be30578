"""Which batches are called abnormal, what is said about them, and which are refused."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Sequence
from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from functools import cache

import numpy as np
import polars as pl
import pytest

from flyball.domain.data import Measured, Severity
from flyball.domain.schema import Column, ColumnType, Privacy, Reference, Schema
from flyball.domain.validation import Verdict
from flyball.stats.profile import Profile
from flyball.steps.anomalies import SEVERE_BATCHES, judged
from flyball.steps.duplicates import row_hashes
from flyball.steps.profile import Profiler

NOW = datetime(2024, 6, 1, tzinfo=UTC)
SCHEMA = Schema(
    name="plays",
    columns=(
        Column(name="user_id", type=ColumnType.STRING, privacy=Privacy.PERSONAL),
        Column(name="title", type=ColumnType.STRING,
               references=Reference(table="catalogue", column="name")),
        Column(name="event", type=ColumnType.STRING),
        Column(name="hours", type=ColumnType.NUMBER, nullable=True),
        Column(name="score", type=ColumnType.NUMBER, nullable=True),
        Column(name="liked", type=ColumnType.BOOLEAN, nullable=True),
        Column(name="genres", type=ColumnType.STRINGS, nullable=True),
        Column(name="timestamp", type=ColumnType.TIMESTAMP, nullable=True),
    ),
    key=("user_id", "title", "event", "hours", "timestamp"),
)  # fmt: skip
TITLES = [
    f"The {a} of {b} {n}" for a in ("Fall", "Rise") for b in ("Troy", "Rome") for n in range(50)
]
GENRES = ["action", "puzzle", "racing"]


def rows(seed: int, count: int = 3_000) -> pl.DataFrame:
    """Plays of 600 users, a month before now."""
    rng = np.random.default_rng(seed)
    played = rng.random(count) < 0.4
    hours = np.where(played, np.round(rng.lognormal(2, 1, count), 1) + 2, 1.0)
    at = NOW - timedelta(days=30)
    days = [at + timedelta(hours=float(h)) for h in rng.random(count) * 24 * 20]
    return pl.DataFrame(
        {
            "user_id": [f"user{seed}-{u}" for u in rng.integers(0, 600, count)],
            "title": [TITLES[t] for t in (rng.beta(1, 3, count) * len(TITLES)).astype(int)],
            "event": np.where(played, "play", "purchase"),
            "hours": hours,
            "score": np.round(hours * 2 + rng.normal(0, 5, count), 2),
            "liked": rng.random(count) < 0.8,
            "genres": [[GENRES[g] for g in range(1 + n)] for n in rng.integers(0, 3, count)],
            "timestamp": pl.Series(days).dt.cast_time_unit("us"),
        }
    )


def profile(frame: pl.DataFrame, *, rejected: int = 0, unresolved: int = 0) -> Profile:
    """As an ingest makes it."""
    hashes = row_hashes(frame, [name for name in SCHEMA.key if name in frame.columns])
    first = hashes.is_first_distinct()
    profiler = Profiler(SCHEMA)
    profiler.add(frame.filter(first), hashes.filter(first))
    return profiler.finished(
        read=frame.height + rejected,
        rejected=rejected,
        duplicates=frame.height - int(first.sum()),
        unresolved={"title": unresolved},
    )


@cache
def usual(count: int) -> tuple[Profile, ...]:
    """So many earlier batches."""
    return tuple(profile(rows(seed), rejected=3, unresolved=30) for seed in range(count))


def verdicts(
    batch: Profile, history: Sequence[Profile] | None = None, *, own_events: bool = False
) -> dict[str, Measured]:
    """By measure; against ten earlier batches, if nothing else is said."""
    past = usual(10) if history is None else history
    found = judged(batch, past, schema=SCHEMA, false_alarms=0.01, now=NOW, own_events=own_events)
    assert len({m.measure for m in found}) == len(found)
    return {m.measure: m for m in found}


def alarms(batch: Profile, history: Sequence[Profile] | None = None) -> dict[str, Measured]:
    """Those that raise one."""
    found = verdicts(batch, history).values()
    return {m.measure: m for m in found if m.verdict is Verdict.FAIL}


def clean(seed: int = 99) -> pl.DataFrame:
    """Rows of another batch of the same kind."""
    return rows(seed)


def changed(share: float, **columns: pl.Expr) -> pl.DataFrame:
    """A clean batch with other values in a share of its rows."""
    hit = pl.int_range(pl.len()) % 1000 < share * 1000
    return clean().with_columns(
        pl.when(hit).then(other).otherwise(pl.col(name)).alias(name)
        for name, other in columns.items()
    )


class TestACleanBatch:
    """Of the same kind as those before it."""

    def test_raises_no_alarm(self) -> None:
        """And every measure says what it saw."""
        found = verdicts(profile(clean(), rejected=2, unresolved=33))
        assert {m.verdict for m in found.values()} == {Verdict.PASS}
        assert {m.severity for m in found.values()} == {Severity.NOTICE}
        assert all(m.detail for m in found.values())

    def test_is_measured_in_every_way(self) -> None:
        """By what each column is."""
        assert set(verdicts(profile(clean()))) == {
            "volume", "rejected", "duplicates", "unresolved:title", "repeated",
            "nulls:hours", "nulls:score", "nulls:liked", "nulls:genres", "nulls:timestamp",
            "top:user_id", "top:title", "distribution:title", "length:title", "encoding:title",
            "non_ascii:title", "digits:title", "distribution:event", "new_values:event",
            "distribution:hours", "distribution:score", "distribution:liked",
            "distribution:genres", "new_values:genres", "hours:timestamp", "future:timestamp",
            "late:timestamp", "joint:event,hours", "joint:event,score", "joint:event,liked",
            "joint:liked,hours", "joint:liked,score", "correlation:hours,score",
        }  # fmt: skip

    def test_measures_share_the_batchs_rate(self) -> None:
        """Together they raise no more alarms than was promised."""
        found = verdicts(profile(clean()))
        assert sum(m.false_alarm_rate for m in found.values()) == pytest.approx(0.01)

    def test_can_be_told_as_json(self) -> None:
        """No number is infinite or missing."""
        for history in ((), usual(1), usual(3)):
            found = verdicts(profile(clean()), history)
            assert json.dumps([asdict(m) for m in found.values()], allow_nan=False)

    def test_is_judged_the_same_twice(self) -> None:
        """Judging changes nothing."""
        batch = profile(clean())
        assert verdicts(batch) == verdicts(batch)


class TestAFirstBatch:
    """There is nothing to compare it with."""

    def test_is_inconclusive_and_never_a_pass(self) -> None:
        """Except for what a sound batch cannot show at all."""
        found = verdicts(profile(clean()), history=())
        assert found.pop("future:timestamp").verdict is Verdict.PASS
        assert {m.verdict for m in found.values()} == {Verdict.INCONCLUSIVE}
        assert all(m.p_value is None for m in found.values())
        assert "no earlier batch" in found["volume"].detail

    def test_with_times_in_the_future_is_refused(self) -> None:
        """That needs no history."""
        batch = changed(0.5, timestamp=pl.col("timestamp") + timedelta(days=365))
        found = alarms(profile(batch), history=())
        assert set(found) == {"future:timestamp"}
        assert found["future:timestamp"].severity is Severity.SEVERE

    def test_after_an_empty_one_it_is_still_the_first(self) -> None:
        """Batches without rows say nothing of what is usual."""
        found = verdicts(profile(clean()), history=(Profile(),))
        assert found["volume"].verdict is Verdict.INCONCLUSIVE


LOST = pl.lit(None)
FAULTS: dict[str, tuple[Callable[[], Profile], str]] = {
    "a unit changed": (
        lambda: profile(changed(1.0, hours=pl.col("hours") * 60)),
        "distribution:hours",
    ),
    "values were lost": (lambda: profile(changed(0.05, liked=LOST)), "nulls:liked"),
    "ids in the place of titles": (
        lambda: profile(changed(0.03, title=pl.lit("4711"))),
        "digits:title",
    ),
    "another encoding": (
        lambda: profile(changed(0.03, title=pl.lit("PokÃ©mon"))),
        "encoding:title",
    ),
    "a new category": (lambda: profile(changed(0.03, event=pl.lit("gift"))), "new_values:event"),
    "a bot": (lambda: profile(changed(0.1, user_id=pl.lit("bot"))), "top:user_id"),
    "a clock ahead": (
        lambda: profile(changed(0.01, timestamp=pl.col("timestamp") + timedelta(days=99))),
        "future:timestamp",
    ),
    "an old export": (
        lambda: profile(changed(0.05, timestamp=pl.col("timestamp") - timedelta(days=300))),
        "late:timestamp",
    ),
    "half a day": (
        lambda: profile(clean().filter(pl.col("timestamp").dt.hour() < 12)),
        "hours:timestamp",
    ),
    "shuffled labels": (
        lambda: profile(clean().with_columns(pl.col("event").shuffle(seed=3))),
        "joint:event,hours",
    ),
    "rows of two columns apart": (
        lambda: profile(clean().with_columns(pl.col("score").shuffle(seed=3))),
        "correlation:hours,score",
    ),
    "a truncated file": (lambda: profile(clean().head(300)), "volume"),
    "a file of ten": (lambda: profile(pl.concat([rows(i) for i in range(50, 65)])), "volume"),
    "an upload repeated": (lambda: profile(rows(7)), "repeated"),
    "rows twice": (lambda: profile(pl.concat([clean(), clean().head(300)])), "duplicates"),
    "a break of references": (lambda: profile(clean(), unresolved=600), "unresolved:title"),
    "a broken sender": (lambda: profile(clean(), rejected=150), "rejected"),
    "a column is gone": (lambda: profile(clean().drop("liked")), "nulls:liked"),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_each_fault_is_found_by_its_measure(fault: str) -> None:
    """And the clean batch was not."""
    made, measure = FAULTS[fault]
    found = alarms(made())
    assert measure in found
    assert found[measure].p_value is not None
    assert ": " in found[measure].detail


class TestWhatIsSaid:
    """An alarm is evidence in plain words."""

    def test_a_unit_that_changed_is_named_with_its_factor(self) -> None:
        """As far as the quartiles agree on one."""
        batch = changed(1.0, hours=pl.col("hours") * 60)
        detail = alarms(profile(batch))["distribution:hours"].detail
        assert "60 times larger: a unit may have changed" in detail
        assert "10 earlier batches" in detail

    def test_a_unit_that_changed_is_no_shuffling_of_labels(self) -> None:
        """What the column takes along follows from it, and refuses nothing by itself."""
        found = alarms(profile(changed(1.0, hours=pl.col("hours") * 60)))
        joint = found["joint:event,hours"]
        assert joint.detail.endswith("this follows from hours, which moved by itself")
        assert joint.severity is Severity.NOTICE
        assert found["distribution:hours"].severity is Severity.SEVERE
        assert not any("shuffled" in m.detail for m in found.values())

    def test_labels_that_were_shuffled_are_still_named_when_a_column_moved_a_little(self) -> None:
        """A little does not explain it all."""
        spoilt = changed(0.06, event=pl.lit("gift")).with_columns(pl.col("event").shuffle(seed=3))
        found = alarms(profile(spoilt))
        assert "new_values:event" in found
        assert "labels may have been shuffled" in found["joint:event,hours"].detail

    def test_counts_have_commas_and_one_is_no_plural(self) -> None:
        """In one way everywhere."""
        one, many = (verdicts(profile(clean().head(n))) for n in (1, 2_500))
        assert one["volume"].detail.startswith("1 row, usually 3,003 by 10 earlier batches")
        assert "(0 of 2,500)" in many["nulls:liked"].detail
        late = next(m for m in many.values() if m.measure == "late:timestamp").detail
        assert "days (" in late
        said = " ".join(m.detail for m in (*one.values(), *many.values()))
        assert not re.search(
            r"\b1 (rows|days|hours|values|batches)\b|\ba [aeio]|(?<![.\d])\d{4}(?!-)", said
        )

    @pytest.mark.parametrize(
        ("hours", "said"),
        [(1, "1 hour"), (36, "36 hours"), (24 * 3, "3 days"), (24 * 2_000, "2,000 days")],
    )
    def test_how_old_is_usual_is_said_in_a_unit_that_suits(self, hours: int, said: str) -> None:
        """Not "over 0 days"."""
        schema = Schema(
            name="plays",
            columns=(
                Column(name="user", type=ColumnType.STRING, privacy=Privacy.PERSONAL),
                Column(name="at", type=ColumnType.TIMESTAMP),
            ),
        )
        made = []
        for _ in range(2):
            at = [NOW - timedelta(hours=hours * (i % 2)) for i in range(100)]
            profiler = Profiler(schema)
            users = [f"u{i}" for i in range(100)]
            frame = pl.DataFrame({"user": users, "at": pl.Series(at).dt.cast_time_unit("us")})
            profiler.add(frame)
            made.append(profiler.finished())
        found = judged(made[1], made[:1], schema=schema, false_alarms=0.01, now=NOW)
        (late,) = [m for m in found if m.measure == "late:at"]
        assert f"older than the newest by more than {said} (" in late.detail

    def test_new_categories_are_shown(self) -> None:
        """Up to three, shortened: they come from outside."""
        odd = pl.concat_str(pl.lit("x" * 50), pl.int_range(pl.len()) % 5)
        detail = alarms(profile(changed(0.05, event=odd)))["new_values:event"].detail
        assert detail.count(repr("x" * 40)) == 3
        assert "x" * 41 not in detail

    def test_nobody_is_named(self) -> None:
        """A personal column's values are in no detail."""
        found = verdicts(profile(changed(0.3, user_id=pl.lit("jane.doe"))))
        assert found["top:user_id"].verdict is Verdict.FAIL
        assert not any("jane" in m.detail or "user99" in m.detail for m in found.values())

    def test_the_repeated_batch_is_counted_back_to(self) -> None:
        """The newest before this one is the first."""
        detail = alarms(profile(rows(7)))["repeated"].detail
        assert "the batch 3 before this one" in detail

    def test_alarms_come_first(self) -> None:
        """The severe ones at the top."""
        batch = profile(changed(1.0, hours=pl.col("hours") * 60), rejected=100)
        found = judged(batch, usual(10), schema=SCHEMA, false_alarms=0.01, now=NOW)
        order = [(m.verdict is not Verdict.FAIL, m.severity is not Severity.SEVERE) for m in found]
        assert order == sorted(order)
        assert order[0] == (False, False)


class TestWhatIsRefused:
    """Only what is beyond chance, large, and against a history."""

    def test_a_large_and_certain_difference_is_severe(self) -> None:
        """Half of a column is lost."""
        assert alarms(profile(changed(0.5, liked=LOST)))["nulls:liked"].severity is Severity.SEVERE

    def test_a_certain_but_small_one_is_a_notice(self) -> None:
        """However sure it is."""
        found = alarms(profile(changed(0.15, liked=LOST)))["nulls:liked"]
        assert found.p_value is not None
        assert found.p_value < 1e-6
        assert found.severity is Severity.NOTICE

    def test_nothing_is_severe_after_two_batches(self) -> None:
        """Whatever it looks like: nobody knows yet what is usual."""
        batch = profile(changed(1.0, hours=pl.col("hours") * 1e6, title=pl.lit("1"), liked=LOST))
        few, enough = (alarms(batch, usual(k)) for k in (SEVERE_BATCHES - 1, SEVERE_BATCHES))
        assert few
        assert {m.severity for m in few.values()} == {Severity.NOTICE}
        assert Severity.SEVERE in {m.severity for m in enough.values()}

    @pytest.mark.parametrize(
        ("fault", "measure"),
        [
            ("an old export", "late:timestamp"),
            ("half a day", "hours:timestamp"),
            ("a file of ten", "volume"),
            ("rows twice", "duplicates"),
        ],
    )
    def test_what_honest_deliveries_do_is_told_and_taken(self, fault: str, measure: str) -> None:
        """Older files, part of a day, many days at once; and what is left out does no harm."""
        assert alarms(FAULTS[fault][0]())[measure].severity is Severity.NOTICE

    def test_files_of_last_year_are_told_and_taken(self) -> None:
        """Two that were sent again, with nothing else that is odd."""
        again = pl.concat([rows(70), rows(71)]).with_columns(
            pl.col("timestamp") - timedelta(days=365)
        )
        found = alarms(profile(again, rejected=6, unresolved=60))
        assert "late:timestamp" in found
        assert {m.severity for m in found.values()} == {Severity.NOTICE}

    def test_a_hundredth_of_the_rows_is_refused(self) -> None:
        """A file that was cut off."""
        assert alarms(profile(clean().head(30)))["volume"].severity is Severity.SEVERE

    def test_how_many_own_events_there_are_is_not_judged(self) -> None:
        """They are taken whenever somebody asks for them; what they hold is judged."""
        found = verdicts(profile(clean().head(30)), own_events=True)
        assert "volume" not in found
        assert found["distribution:hours"].p_value is not None

    def test_a_small_batch_after_one_large_one_is_taken(self) -> None:
        """The first increment after a bulk load is the usual beginning."""
        found = alarms(profile(rows(98, 100)), usual(1))
        assert not found


class TestOtherTables:
    """Facts, not what people did."""

    def test_dates_ahead_are_no_fault_of_a_catalogue(self) -> None:
        """A game may come out next year, as long as the share is the usual one."""
        schema = Schema(
            name="games",
            columns=(Column(name="released", type=ColumnType.TIMESTAMP, nullable=True),),
        )

        def catalogue(ahead: int) -> Profile:
            days = [NOW + timedelta(days=100 if i < ahead else -i) for i in range(2_000)]
            profiler = Profiler(schema)
            profiler.add(pl.DataFrame({"released": pl.Series(days).dt.cast_time_unit("us")}))
            return profiler.finished()

        history = [catalogue(40) for _ in range(5)]
        for ahead, verdict in ((45, Verdict.PASS), (900, Verdict.FAIL)):
            found = judged(catalogue(ahead), history, schema=schema, false_alarms=0.01, now=NOW)
            by_name = {m.measure: m for m in found}
            assert by_name["future:released"].verdict is verdict
            assert "late:released" not in by_name
