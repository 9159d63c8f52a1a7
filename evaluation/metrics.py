"""How well a ranking finds what was asked for."""

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
