"""Correlations, and how sure a figure is.

Intervals are drawn here and not by scipy: retrieval has them, too, which must work without the extra `evaluation`.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from ipaclip.common.extras import needs_extra

# Rounding leaves a constant series a spread of some 1e-16 of its size.
_ROUNDING = 1e-12


def pearson(first: Any, second: Any) -> float | None:
    """Pearson's r of two series, from -1 to 1; None where one of them is constant or has fewer than three values.

    Raises:
        ValueError: if the series differ in length, or hold what is no finite number.
    """
    x, y = np.asarray(first, dtype=np.float64), np.asarray(second, dtype=np.float64)
    if x.shape != y.shape or x.ndim != 1:
        raise ValueError(f"Correlation takes two series of equal length, not {x.shape} and {y.shape}.")
    if not (np.isfinite(x).all() and np.isfinite(y).all()):
        raise ValueError("Correlation takes finite numbers: a series holds NaN or infinity.")
    if len(x) < 3 or _is_constant(x) or _is_constant(y):
        return None
    # scipy's pearsonr gives the same, with a p-value that nobody asks for, and takes many times as long.
    x, y = x - x.mean(), y - y.mean()
    return float(np.clip((x / np.linalg.norm(x)) @ (y / np.linalg.norm(y)), -1.0, 1.0))


def _is_constant(series: np.ndarray) -> bool:
    return bool(np.ptp(series) <= _ROUNDING * np.abs(series).max())


def spearman(first: Any, second: Any) -> float | None:
    """Spearman's rho: Pearson's r of the ranks, ties sharing their mean rank. None as in `pearson`.

    Raises:
        ValueError: as `pearson`.
        ImportError: if scipy, of the extra `evaluation`, is not installed.
    """
    return pearson(mean_ranks(first), mean_ranks(second))


def mean_ranks(values: Any) -> np.ndarray:
    """The rank of each value in its row, from 1; equal values share the mean of their ranks; NaN where a row has one.

    Raises:
        ImportError: if scipy, of the extra `evaluation`, is not installed.
    """
    with needs_extra("evaluation", "Spearman's rho"):
        from scipy.stats import rankdata

    return rankdata(values, axis=-1)


@dataclass(frozen=True)
class Interval:
    """A figure with the bounds between which it lies in 95 of 100 resamplings.

    Attributes:
        mean: the figure itself, a mean or another statistic of the whole sample.
        low: the 2.5th percentile of the resamplings.
        high: the 97.5th.
    """

    mean: float
    low: float
    high: float

    def __str__(self) -> str:
        return f"{self.mean:.3f} [{self.low:.3f}, {self.high:.3f}]"

    @classmethod
    def of(cls, value: float, resampled: Any) -> "Interval":
        """A figure and what it was in each resampling: the percentile bootstrap (Efron and Tibshirani 1993, ch. 13)."""
        low, high = np.percentile(resampled, [2.5, 97.5])
        return cls(float(value), float(low), float(high))


def bootstrap_mean(values: Sequence[float] | np.ndarray, seed: int = 0, resamples: int = 2000) -> Interval:
    """The mean of the values and its interval.

    Raises:
        ValueError: if there are no values.
    """
    array = np.asarray(values, dtype=np.float64)
    if array.ndim != 1 or not len(array):
        raise ValueError("There is nothing to take the mean of: give at least one value.")
    interval = bootstrap(lambda drawn: array[drawn].mean(), len(array), seed, resamples)
    assert interval is not None
    return interval


def bootstrap_share(share: float, count: int, seed: int = 0, resamples: int = 2000) -> Interval:
    """A share of `count` yes-or-no outcomes and its interval.

    The same as `bootstrap_mean` of the outcomes: drawing them anew gives a binomial number of hits.

    Raises:
        ValueError: if there are no outcomes, or the share is not from 0 to 1.
    """
    if count < 1 or not 0 <= share <= 1:
        raise ValueError(f"A share lies from 0 to 1 and is of at least one outcome, got {share} of {count}.")
    return Interval.of(share, np.random.default_rng(seed).binomial(count, share, resamples) / count)


def bootstrap(
    statistic: Callable[[np.ndarray], float | None], count: int, seed: int = 0, resamples: int = 500
) -> Interval | None:
    """Any statistic of a sample, with its interval.

    Args:
        statistic: `(count,)` indices of the sample, some of them more than once → the statistic, or None where that
            resampling has none.
        count: how many things were sampled.

    Returns:
        None if the statistic of the whole sample is None, or that of more than half of the resamplings.
    """
    value = statistic(np.arange(count))
    if value is None:
        return None
    rng = np.random.default_rng(seed)
    # One resampling at a time: values × resamples would not fit for large series.
    resampled = [statistic(rng.integers(0, count, count)) for _ in range(resamples)]
    known = [one for one in resampled if one is not None]
    return Interval.of(value, known) if 2 * len(known) > resamples else None
