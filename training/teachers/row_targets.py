"""What the teacher says to each row, and how its embeddings lie."""

from dataclasses import dataclass

import numpy as np
import torch

from ..data.prepared import TrainingData
from ..student import spread
from .targets import TargetCache, Targets


@dataclass
class RowTargets:
    """The teacher's embeddings `(texts, dim)` of all different texts, which one each row has, mean and variance."""

    embeddings: Targets
    of_row: np.ndarray
    mean: torch.Tensor
    variance: float

    @property
    def scale(self) -> float:
        """Standard deviation of one dimension: what CLIP's initialisation takes to be 1."""
        return spread(self.variance, len(self.mean))

    @classmethod
    def of(cls, data: TrainingData, cache: TargetCache) -> "RowTargets":
        embeddings = cache.targets(data.texts)
        mean, variance = embeddings.mean_and_variance()
        return cls(embeddings, data.text_of_row, torch.from_numpy(mean).float(), variance)
