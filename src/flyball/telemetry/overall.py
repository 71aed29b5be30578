"""How long answers took over all models: worked out when scraped, not at each answer."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from prometheus_client import Metric

    from flyball.telemetry.orphans import Collects

DURATION = "model_inference_duration_seconds"
LATENCY = "prediction_latency_seconds"
"""The name that alerts use."""


class WithOverall:
    """All metrics of a collector, and the sum over the labels of its histogram of durations.

    Args:
        inner: what has that histogram.
    """

    def __init__(self, inner: Collects) -> None:
        self._inner = inner

    def collect(self) -> Iterator[Metric]:
        """The metrics, then the histogram over everything; all 0 before the first answer."""
        from prometheus_client.core import HistogramMetricFamily

        buckets: dict[str, float] = defaultdict(float)
        seconds = 0.0
        for metric in self._inner.collect():
            yield metric
            if metric.name == DURATION:
                for sample in metric.samples:
                    if sample.name.endswith("_bucket"):
                        buckets[sample.labels["le"]] += sample.value
                    elif sample.name.endswith("_sum"):
                        seconds += sample.value
        bounds = sorted(buckets.items(), key=lambda bucket: float(bucket[0]))
        yield HistogramMetricFamily(
            LATENCY,
            "Seconds an answer took, over all models.",
            buckets=bounds or [("+Inf", 0.0)],
            sum_value=seconds,
        )
