"""Which earlier batches a new one is compared with: those of its table and of its kind."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import pytest
from ingest_world import PSEUDONYMS, World

from flyball.domain.data import DataBatch
from flyball.domain.validation import Verdict
from flyball.errors import DataQualityError
from flyball.steps.history import profiles_before
from flyball.steps.ingest import Ingest
from flyball.steps.origin import own_events, repaired
from flyball.storage.sources import FileSources


@dataclass
class Shop:
    """A home that gets files, and events of its own, which lie in files here."""

    world: World

    def file(self, number: int, rows: int, *, scale: int = 1) -> str:
        """So many rows of fifty people, like those of every other number."""
        text = "".join(f"p{number}-{n % 50},{(n * 7 + number) % 13 * scale}\n" for n in range(rows))
        return self.world.source(text, f"{number}.csv")

    def heard(self, number: int, rows: int, *, scale: int = 1) -> DataBatch:
        """The next batch of own events."""
        path, world = self.file(number, rows, scale=scale), self.world

        class Events(FileSources):
            def open(self, location, schemas):
                assert location.startswith("events:")
                return super().open(path, schemas)

        ingest = Ingest(
            model="games",
            schemas=world.schemas,
            limits=world.limits,
            pseudonyms=PSEUDONYMS,
            sources=Events(world.root / "scratch"),
            datasets=world.datasets,
            records=world.records,
            clock=world.clock,
            actor="operator:ada",
            scratch=world.root / "scratch",
        )
        return ingest(own_events("games", number, number + 1)).batch


@pytest.fixture
def shop(tmp_path: Path) -> Shop:
    """Six files of a thousand rows came in."""
    shop = Shop(World(tmp_path))
    for number in range(6):
        shop.world.ingest(shop.file(number, 1_000))
    return shop


def compared(shop: Shop, *, events: bool) -> list[int]:
    """How many rows each of the earlier batches has."""
    world = shop.world
    found = profiles_before(
        world.records.find(DataBatch, model="games"), world.datasets, "plays", events=events
    )
    return [profile.rows for profile in found]


class TestOwnEvents:
    """Are taken whenever somebody asks for them; they are no file of a day."""

    def test_are_compared_with_own_events_and_files_with_files(self, shop: Shop) -> None:
        """Neither is a sample of the other."""
        shop.heard(10, 40)
        assert compared(shop, events=True) == [40]
        assert 40 not in compared(shop, events=False)

    def test_are_taken_however_few_they_are_and_unlike_the_files(self, shop: Shop) -> None:
        """The first ones have nothing to be compared with, and say so."""
        batch = shop.heard(10, 40, scale=60)
        assert batch.anomalies == ()
        assert {m.verdict for m in batch.measured} == {Verdict.INCONCLUSIVE}

    def test_are_not_judged_by_how_many_they_are(self, shop: Shop) -> None:
        """That only says when somebody asked."""
        for number in range(10, 14):
            shop.heard(number, 1_000)
        batch = shop.heard(20, 30)
        assert "volume" not in {m.measure for m in batch.measured}

    def test_of_another_kind_than_earlier_ones_are_told(self, shop: Shop) -> None:
        """What they hold is judged as in any batch."""
        for number in range(10, 13):
            shop.heard(number, 1_000)
        with pytest.raises(DataQualityError, match=r"distribution:value"):
            shop.heard(20, 1_000, scale=60)


class TestRepairedRows:
    """A selection of a batch's bad rows is like no delivery."""

    def test_are_not_judged(self, shop: Shop) -> None:
        """Three rows after thousands, with values like no other, are no alarm."""
        mended = shop.file(30, 3, scale=1_000)
        batch = shop.world.ingest(repaired("0a1b", "minimum:value=clip", mended)).batch
        assert (batch.rows, batch.measured) == (3, ())

    def test_are_no_sample_for_others(self, shop: Shop) -> None:
        """The next file is compared with the files."""
        shop.world.ingest(repaired("0a1b", "minimum:value=clip", shop.file(30, 3)))
        assert 3 not in compared(shop, events=False)


class TestAnAcceptedAbnormalBatch:
    """Somebody said it is right as it is; that does not make the next one like it usual."""

    def test_does_not_hide_the_next_one(self, shop: Shop) -> None:
        """The same fault is seen again."""
        shop.world.ingest(shop.file(10, 1_000, scale=60), accept=True)
        with pytest.raises(DataQualityError, match="distribution:value"):
            shop.world.ingest(shop.file(11, 1_000, scale=60))

    def test_is_usual_once_most_of_the_newest_are_so(self, shop: Shop) -> None:
        """Three of five, each accepted: the world has changed."""
        for number in (10, 11, 12):
            shop.world.ingest(shop.file(number, 1_000, scale=60), accept=True)
        assert shop.world.ingest(shop.file(13, 1_000, scale=60)).new
