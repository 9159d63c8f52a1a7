"""Is what was written what it was made of? The weights must be, to the bit; the embeddings, but for rounding."""

import copy
from typing import Any, TypeVar

import torch
from torch import Tensor, nn

# How far embeddings of equal weights may lie apart, as a share of the largest value among the source's, both computed
# in float32. Weights at other places in memory, or in another library, take other kernels, which add up in another
# order: that makes 1e-6 (AMD EPYC, PyTorch 2.13 and onnxruntime 1.32). GELU in QuickGELU's place makes 1e-2.
TOLERANCE = 1e-4

Model = TypeVar("Model", bound=nn.Module)


def in_float32(model: Model) -> Model:
    """The model itself if it is float32, else a copy that is: half precision rounds too coarsely to judge by."""
    if all(weight.dtype == torch.float32 for weight in model.state_dict().values() if weight.is_floating_point()):
        return model
    return copy.deepcopy(model).float()


def relative_difference(before: Tensor, after: Tensor) -> float:
    """The largest absolute difference, as a share of the largest absolute value of `before`."""
    scale = max(before.abs().max().item(), torch.finfo(before.dtype).tiny)
    return (before - after).abs().max().item() / scale


def require_same_weights(source: nn.Module, written: Any, description: str) -> None:
    """Every weight of `source` is in `written`, of the same value. Other dtypes are compared in the wider of the two.

    Raises:
        ValueError: if any differs.
    """
    weights = written.state_dict()
    changed = [
        name for name, weight in source.state_dict().items() if name not in weights or not _equal(weight, weights[name])
    ]
    if changed:
        raise ValueError(
            f"What was written does not hold the weights of {description}: {len(changed)} differ (as {changed[0]})."
        )


def _equal(one: Tensor, other: Tensor) -> bool:
    dtype = torch.promote_types(one.dtype, other.dtype)
    return one.shape == other.shape and torch.allclose(
        one.to(dtype), other.to(dtype), rtol=0, atol=0, equal_nan=one.is_floating_point()
    )


def require_small(difference: float, description: str) -> float:
    """The relative difference of embeddings, if it is rounding.

    Raises:
        ValueError: if it is more than `TOLERANCE`, or no number.
    """
    if not difference <= TOLERANCE:
        raise ValueError(
            f"What was written does not give the embeddings of {description}: they differ by up to {difference:.1e} of "
            f"the largest value, and rounding explains no more than {TOLERANCE:g}."
        )
    return difference


def verdict(difference: float, description: object) -> str:
    """What a conversion found, for people: of weights and of embeddings."""
    return (
        f"the weights are those of {description}; embeddings differ by {difference:.1e} of the largest value "
        f"(rounding: up to {TOLERANCE:.0e})"
    )
