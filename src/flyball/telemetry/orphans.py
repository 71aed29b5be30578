"""The share of feedback that names an answer nobody gave: worked out when metrics are scraped."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Protocol

from flyball.domain.traffic import Join

if TYPE_CHECKING:
    from prometheus_client import Metric

FEEDBACK = "flyball_feedback_total"
ORPHANS = "flyball_feedback_orphan_ratio"


class Collects(Protocol):
    """Gives metrics, as those of ``prometheus_client`` do."""

    def collect(self) -> Iterable[Metric]:
        """All of them, as they are now."""
        ...


class WithOrphans:
    """All metrics of a collector, and one more that follows from them.

    Of the workers of a home any one is scraped, and its collector has the sums of all: so the
    share is that of the whole home, which a gauge of each worker would not be.

    Args:
        inner: what has the counter of feedback.
    """

    def __init__(self, inner: Collects) -> None:
        self._inner = inner

    def collect(self) -> Iterator[Metric]:
        """The metrics, then the share of orphans among events that name an answer, by model.

        A model without such events has no share.
        """
        from prometheus_client.core import GaugeMetricFamily

        orphans: dict[str, float] = defaultdict(float)
        named: dict[str, float] = defaultdict(float)
        for metric in self._inner.collect():
            yield metric
            for sample in metric.samples:
                if sample.name == FEEDBACK and sample.labels["join"] != Join.UNATTRIBUTED:
                    model = sample.labels["model"]
                    named[model] += sample.value
                    orphans[model] += sample.value * (sample.labels["join"] == Join.ORPHAN)
        share = GaugeMetricFamily(
            ORPHANS,
            "Share of feedback with an id of an answer that was never given.",
            labels=["model"],
        )
        for model, count in named.items():
            if count:
                share.add_metric([model], orphans[model] / count)
        yield share
