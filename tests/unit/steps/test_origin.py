"""Locations with a story."""

from __future__ import annotations

import pytest

from flyball.errors import InvalidRequest
from flyball.steps.origin import Origin, own_events, repaired


class TestAnOrigin:
    """What an ingest knows of where its rows come from."""

    @pytest.mark.parametrize("location", ["/data/a:b.csv", "s3://b/k", "sqlite:////x.db#SELECT 1"])
    def test_of_any_other_place_is_the_place(self, location: str) -> None:
        """Nothing is read into it."""
        assert Origin.of(location) == Origin(location=location)

    @pytest.mark.parametrize("fixes", ["minimum:value=clip", "allowed:event==play, x=null", "a:b"])
    def test_of_repaired_rows_names_their_batch(self, fixes: str) -> None:
        """Their people are pseudonyms already."""
        origin = Origin.of(repaired("0a1b", fixes, "/home/incoming/r.parquet"))
        assert origin.location == "/home/incoming/r.parquet"
        assert origin.shown == f"quarantine of 0a1b, repaired: {fixes}"
        assert (origin.repaired_from, origin.pseudonymous) == ("0a1b", True)

    def test_of_own_events_knows_where_they_end(self) -> None:
        """The next batch goes on from there."""
        assert Origin.of(own_events("games", 5, 480)).events_until == 480

    def test_a_broken_repair_is_refused(self) -> None:
        """Rather than read as a file's name."""
        with pytest.raises(InvalidRequest, match="not a repair"):
            Origin.of("repair:0a1b")
