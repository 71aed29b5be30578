"""Lineage: from any record, or one answer, to everything it came from and everything it led to."""

from __future__ import annotations

from flyball.data.part import Part
from flyball.domain.lineage import Direction, Traced
from flyball.errors import InvalidRequest


class Lineage(Part):
    """What came from what, as the records say."""

    def lineage(self, id: str, *, direction: str = Direction.BOTH) -> Traced:
        """Everything a record or an answer came from, led to, or both.

        Args:
            id: of a batch, dataset version (or its beginning), run, version (or its number),
                deployment, report, or a ``recommendation_id``; with or without ``model/``.
            direction: ``"up"``, ``"down"`` or ``"both"``.

        Raises:
            NotFound: nothing is called so (names the nearest), or several things are.
            InvalidRequest: no such direction.
        """
        from flyball.steps.lineage import trace

        if direction not in tuple(Direction):
            raise InvalidRequest(f"{direction!r} is no direction; say up, down or both")
        return trace(
            id,
            records=self.platform.records,
            events=self.platform.events,
            direction=Direction(direction),
        )

    def lineage_picture(self, found: Traced) -> str:
        """The answer as a drawing: an SVG document that needs nothing else."""
        from flyball.steps.lineage_picture import drawn

        return drawn(found)
