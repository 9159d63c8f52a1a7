"""Arrays of whatever library as numpy's."""

from typing import Any

import numpy as np


def as_array(values: Any) -> np.ndarray:
    """A numpy array of what is numpy, torch or a list."""
    return np.asarray(values.detach().cpu().numpy() if hasattr(values, "detach") else values)


def unit_rows(vectors: np.ndarray) -> np.ndarray:
    """`(rows, dim)`, each row divided by its length; a row of zeros stays one."""
    return vectors / np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-12)
