"""How well a ranking finds what was asked for."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from ipaclip.common.arrays import as_array


def ranks(scores: Any, targets: Any) -> np.ndarray:
    """The place of each query's target, 0 the best: how many OTHER pictures score at least as high.

    So ties count against us (a model that scores all pictures alike finds none), and so does a score that is not a
    number.

    Args:
        scores: `(queries, pictures)`, numpy or torch; higher means more alike.
        targets: `(queries,)`, the index of the picture that each query means.

    Returns:
        `(queries,)` integers from 0 to pictures - 1.

    Raises:
        ValueError: if the shapes do not fit, there are no queries, or a target is no picture's index.
    """
    values, wanted = as_array(scores), as_array(targets)
    if values.ndim != 2 or wanted.shape != values.shape[:1]:
        raise ValueError(f"scores {values.shape} must be (queries, pictures) and targets {wanted.shape} (queries,).")
    if not len(wanted):
        raise ValueError("There are no queries, and so nothing to measure: give at least one.")
    if wanted.min() < 0 or wanted.max() >= values.shape[1]:
        raise ValueError(
            f"Targets run from {wanted.min()} to {wanted.max()}, but pictures run from 0 to {values.shape[1] - 1}."
        )
    own = np.take_along_axis(values, wanted[:, None], axis=1)
    # Nothing is less than a target that is not a number: it comes last. The target itself is counted, so one goes off.
    return np.count_nonzero(~(values < own), axis=1) - 1


def recall_at_k(scores: Any, targets: Any, ks: Sequence[int] = (1, 5, 10)) -> dict[int, float]:
    """The share of queries whose target is among the k best pictures.

    There is one right picture for each query, so this is top-k accuracy: from 0 to 1, higher is better. The target is
    among the k best if fewer than k OTHER pictures score as high or higher: ties count against us.

    Args:
        scores: `(queries, pictures)`, numpy or torch; higher means more alike.
        targets: `(queries,)`, the index of the picture that each query means.
        ks: which k, each at least 1.

    Returns:
        k → share.

    Raises:
        ValueError: as `ranks`, and if a k is less than 1.
    """
    if any(k < 1 for k in ks):
        raise ValueError(f"Every k must be at least 1, got {list(ks)}.")
    places = ranks(scores, targets)
    return {k: float(np.mean(places < k)) for k in ks}


def median_rank(scores: Any, targets: Any) -> float:
    """The median place of the target, 1 the best: lower is better. Ties and errors as in `ranks`."""
    return float(np.median(ranks(scores, targets))) + 1.0
