"""What moves the weights: AdamW, its schedule, and a running mean of what it leaves."""

import math
from collections.abc import Iterator
from contextlib import contextmanager

import torch
from ipaclip import IPAClipPronunciationModelWithProjection
from torch import Tensor, nn
from torch.optim.swa_utils import get_ema_multi_avg_fn

from ..arguments import AugmentationArguments, LoopArguments
from ..token_states import TokenHead


def build_optimizer(
    student: IPAClipPronunciationModelWithProjection,
    loop: LoopArguments,
    projection_rate: float,
    head: TokenHead | None = None,
    head_rate: float = 1.0,
) -> torch.optim.Optimizer:
    """AdamW, without decay for biases and norms. What starts smaller than the blocks takes smaller steps.

    AdamW's steps are as large as the learning rate, whatever a weight is. So the projection and the `head` for token
    states, if there is one, have rates by the factor by which they were scaled, and the embeddings, which start as
    small as CLIP's, `loop.embedding_rate`.
    """
    tower = student.pronunciation_model
    embeddings = list(tower.embeddings.parameters())
    small = {id(weight) for weight in embeddings}
    blocks = [weight for weight in tower.parameters() if id(weight) not in small]
    projection = list(student.pronunciation_projection.parameters())
    parts = [(blocks, 1.0), (embeddings, loop.embedding_rate), (projection, projection_rate)]
    parts += [(list(head.parameters()), head_rate)] if head else []
    groups = [
        {
            "params": [weight for weight in weights if (weight.ndim >= 2) is matrix],
            "weight_decay": loop.weight_decay if matrix else 0.0,
            "relative_rate": rate,
        }
        for weights, rate in parts
        for matrix in (True, False)
    ]
    return torch.optim.AdamW(groups, lr=loop.learning_rate, betas=(0.9, 0.98), eps=1e-6, fused=True)


def learning_rate(loop: LoopArguments, step: int) -> float:
    """Linear warm-up over `warmup` of the steps, then a cosine from `learning_rate` to `final_learning_rate`."""
    warmup = max(1, round(loop.warmup * loop.steps))
    if step < warmup:
        return loop.learning_rate * (step + 1) / warmup
    done = (step - warmup) / max(1, loop.steps - warmup)
    cosine = (1 + math.cos(math.pi * min(1.0, done))) / 2
    return loop.final_learning_rate + (loop.learning_rate - loop.final_learning_rate) * cosine


def noise_strength(augmentation: AugmentationArguments, steps: int, step: int) -> float:
    """What the noise rates are multiplied by at `step`: from 0 to 1 over the first `ramp` of the steps, then 1."""
    ramp = augmentation.ramp * steps
    return 1.0 if step >= ramp else step / ramp


class WeightAverage:
    """An exponential moving average of a model's parameters (Polyak and Juditsky 1992), kept beside it.

    While few steps are done the decay is at most (1 + steps) / (10 + steps): the first weights are soon forgotten.
    """

    def __init__(self, model: nn.Module, decay: float) -> None:
        self.decay = decay
        self._parameters = list(model.parameters())
        self._means = [parameter.detach().clone() for parameter in self._parameters]

    @torch.no_grad()
    def update(self, step: int) -> None:
        """Takes in the weights after `step` steps."""
        decay = min(self.decay, (1 + step) / (10 + step))
        get_ema_multi_avg_fn(decay)(self._means, [parameter.detach() for parameter in self._parameters], step)

    @contextmanager
    def swapped(self) -> Iterator[None]:
        """The model has the mean weights within, and its own again after."""
        self._swap()
        try:
            yield
        finally:
            self._swap()

    @torch.no_grad()
    def _swap(self) -> None:
        for parameter, mean in zip(self._parameters, self._means, strict=True):
            kept: Tensor = parameter.detach().clone()
            parameter.copy_(mean)
            mean.copy_(kept)
