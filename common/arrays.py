"""Arrays of whatever library as numpy's."""

from typing import Any

import numpy as np


def as_array(values: Any) -> np.ndarray:
    """A numpy array of what is numpy, torch or a list."""
    return np.asarray(values.detach().cpu().numpy() if hasattr(values, "detach") else values)
