"""What changes with the step: the learning rate and the strength of the noise."""

import math

from ..arguments import AugmentationArguments, LoopArguments


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
