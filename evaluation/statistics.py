"""Correlations, and how sure a mean is."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np


def pearson(first: Any, second: Any) -> float | None:
    """Pearson's r of two series, from -1 to 1; None where one of them is constant or has fewer than three values.

    Raises:
        ValueError: if the series differ in length.
    """
    x, y = np.asarray(first, dtype=np.float64), np.asarray(second, dtype=np.float64)
    if x.shape != y.shape or x.ndim != 1:
        raise ValueError(f"Correlation takes two series of equal length, not {x.shape} and {y.shape}.")
    if len(x) < 3:
        return None
    x, y = x - x.mean(), y - y.mean()
    spread = np.sqrt((x @ x) * (y @ y))
    # Rounding leaves a constant series a spread of some 1e-16 of its size.
    tiny = 1e-12 * max(1.0, np.abs(np.asarray(first)).max() * np.abs(np.asarray(second)).max())
    return float(np.clip(x @ y / spread, -1.0, 1.0)) if spread > tiny else None


def spearman(first: Any, second: Any) -> float | None:
    """Spearman's rho: Pearson's r of the ranks, ties sharing their mean rank. None as in `pearson`."""
    return pearson(mean_ranks(first), mean_ranks(second))


def mean_ranks(values: Any) -> np.ndarray:
    """The rank of each value, from 1; equal values share the mean of their ranks."""
    array = np.asarray(values)
    _, place, count = np.unique(array, return_inverse=True, return_counts=True)
    last = np.cumsum(count)
    return (last - (count - 1) / 2)[place]


@dataclass(frozen=True)
class Interval:
    """A mean with the bounds between which it lies in 95 of 100 resamplings."""

    mean: float
    low: float
    high: float

    def __str__(self) -> str:
        return f"{self.mean:.3f} [{self.low:.3f}, {self.high:.3f}]"


def bootstrap_mean(values: Sequence[float] | np.ndarray, seed: int = 0, resamples: int = 2000) -> Interval:
    """The mean of the values and its percentile bootstrap interval at 95% (Efron and Tibshirani 1993, chapter 13).

    Raises:
        ValueError: if there are no values.
    """
    array = np.asarray(values, dtype=np.float64)
    if array.ndim != 1 or not len(array):
        raise ValueError("There is nothing to take the mean of: give at least one value.")
    rng = np.random.default_rng(seed)
    # One resampling at a time: values × resamples would not fit for large series.
    means = [array[rng.integers(0, len(array), len(array))].mean() for _ in range(resamples)]
    low, high = np.percentile(means, [2.5, 97.5])
    return Interval(float(array.mean()), float(low), float(high))
