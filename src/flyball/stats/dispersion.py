"""How much more batches differ than independent rows would: design effects, learnt from history.

Rows of real batches come in clusters: a user's rows resemble each other. A share or a histogram
of such a batch then varies ``phi`` times as much as a multinomial's (Kish, "Survey Sampling",
1965, section 5.4: ``phi = 1 + rho (m - 1)``, with ``m`` the mean cluster size that a row sees and
``rho`` how alike the rows of a cluster are). Tests that know nothing of it call most clean
batches abnormal.

``rho`` differs between columns and is unknown. So ``phi`` of a batch is taken as ``s2 * w``: ``w``
is what one expects of a batch so clustered (``expected_effect``), and ``s2`` is learnt from how
much earlier batches differed, moderated with ``PRIOR_DF`` degrees of freedom at 1, as variances
are in Smyth, "Linear models and empirical Bayes methods" (SAGMB 3, 2004). A short history is
thereby judged with wide tails, not with false confidence.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from flyball.errors import InvalidRequest

BASE_EFFECT = 2.0
"""Expected design effect of a batch without clusters that we know of."""

LIKENESS = 0.05
"""Expected likeness (``rho``) of a cluster's rows: a purchase or a play in steam-200k: 0.055."""

PRIOR_DF = 8.0
"""Weight of the expectation, in degrees of freedom."""

_PRIOR_PAIRS = 10.0

Floats = NDArray[np.float64]


def cluster_size(bucket_counts: ArrayLike) -> float:
    """The mean size of the cluster that a row is in, from cluster ids hashed to buckets.

    Rows per bucket scatter around their mean by the sum of squared cluster sizes (Alon, Matias
    and Szegedy, "The space complexity of approximating the frequency moments", 1999). With 64
    buckets the relative standard error is 18% for many clusters. At least 1.

    Args:
        bucket_counts: shape (b,), b >= 2: rows whose cluster id falls in each bucket.
    """
    counts = np.asarray(bucket_counts, dtype=np.float64)
    rows = counts.sum()
    if rows <= 0 or len(counts) < 2:
        return 1.0
    scatter = ((counts - counts.mean()) ** 2).sum() * len(counts) / (len(counts) - 1)
    return float(max(1.0, scatter / rows))


def expected_effect(cluster: float) -> float:
    """The design effect expected of a batch, before any history: 2.0 where nothing is clustered."""
    return BASE_EFFECT + LIKENESS * (max(cluster, 1.0) - 1.0)


@dataclass(frozen=True, slots=True)
class Dispersion:
    """How much batches differ, as learnt from earlier ones.

    Attributes:
        scale: ``s2``: design effects are ``scale`` times the expected ones.
        df: how sure that is: the scale is distributed as a chi-square of so many degrees.
        dimensions: how many independent directions differences have (Satterthwaite), at least 1.
    """

    scale: float
    df: float
    dimensions: float = 1.0


def effects(excess: ArrayLike, growth: float = 1.0) -> Floats:
    """Design effects, at least 1; same shape.

    Args:
        excess: the scale times the ``expected_effect``.
        growth: how many times larger a batch is than earlier ones. Differences between batches
            that are not due to chance do not shrink with size; so the excess grows with it.
    """
    beyond = np.asarray(excess, dtype=np.float64) - 1.0
    return np.asarray(1.0 + np.maximum(0.0, beyond) * max(1.0, growth))


def expected_effects(clusters: ArrayLike, cluster: float) -> tuple[Floats, float]:
    """The design effects expected of earlier batches and of the batch judged against them.

    Part of a design effect does not depend on how clustered a batch is. So earlier batches share
    their mean, and a batch less clustered than they are is not expected to differ less.

    Args:
        clusters: shape (k,), ``cluster_size`` of each earlier batch.
        cluster: the batch's own.
    """
    each = np.array([expected_effect(c) for c in np.asarray(clusters, np.float64)])
    usual = float(each.mean())
    return np.full(len(each), usual), max(usual, expected_effect(cluster))


def dispersion(counts: ArrayLike, expected: ArrayLike) -> Dispersion:
    """How much the histograms of earlier batches differ from each other.

    The scale is the moderated mean of Pearson's statistics. Their distribution is matched by its
    first two moments (Rao and Scott, "On chi-squared tests for multiway contingency tables with
    cell proportions estimated from survey data", Annals of Statistics 12, 1984); the second is
    estimated without bias from products of different batches.

    Args:
        counts: shape (k, J): rows of batch i in bin j. A bin that is empty in all is passed over.
        expected: shape (k,): each batch's ``expected_effect``.

    Raises:
        InvalidRequest: the shapes do not fit.
    """
    table, weights = np.asarray(counts, np.float64), np.asarray(expected, np.float64)
    if table.ndim != 2 or weights.shape != table.shape[:1]:
        raise InvalidRequest(
            f"earlier batches need a table of counts and one effect each, not {table.shape} and "
            f"{weights.shape}"
        )
    kept = table.sum(axis=1) > 0
    table, weights = table[kept][:, table.sum(axis=0) > 0], weights[kept]
    batches, bins = table.shape
    free = bins - 1
    if free < 1 or batches < 2:
        dimensions = max(1.0, (bins - 1) / 2)
        return Dispersion(scale=1.0, df=PRIOR_DF, dimensions=dimensions)
    z = _residuals(table, weights)
    informative = _informative(table)
    raw = float((z**2).sum()) / ((batches - 1) * free)
    dimensions = _dimensions(z, raw * free, free)
    df = (batches - 1) * dimensions * informative
    scale = (PRIOR_DF + df * raw) / (PRIOR_DF + df)
    return Dispersion(scale=scale, df=PRIOR_DF + df, dimensions=dimensions)


def _residuals(table: Floats, weights: Floats) -> Floats:
    """Pearson's residuals (k, J), in units of the expected standard deviation."""
    sizes = table.sum(axis=1, keepdims=True)
    fitted = sizes * (table.sum(axis=0) / table.sum())
    return np.asarray((table - fitted) / np.sqrt(fitted * weights[:, None]))


def _informative(table: Floats) -> float:
    """Share of a degree of freedom that rare events carry: batches of hardly any say little."""
    rarest = table.sum(axis=0).min() if table.shape[1] == 2 else table.sum() / table.shape[1]
    return float(min(1.0, rarest / table.shape[0]))


def _dimensions(z: Floats, trace: float, free: int) -> float:
    """Satterthwaite's degrees of freedom: trace(V)^2 / trace(V^2), moderated towards free / 2."""
    batches = len(z)
    if trace <= 0:
        return max(1.0, free / 2)
    products = z @ z.T + trace / batches  # residuals share a fitted mean: it is taken out again
    upper = products[np.triu_indices(batches, 1)]
    squared = float((upper**2).sum()) + _PRIOR_PAIRS * trace**2 / max(1.0, free / 2)
    return float(np.clip(trace**2 * (len(upper) + _PRIOR_PAIRS) / squared, 1.0, free))
