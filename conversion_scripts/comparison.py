"""Is what was written what it was made of? The weights must be, to the bit; the embeddings, but for rounding."""

import copy
from collections.abc import Callable
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


def require_same(
    source: nn.Module, written: Any, embed: Callable[[Any], tuple[Tensor, ...]], description: str
) -> float:
    """Compares what was written and loaded again with its source: its weights to the bit, its embeddings to rounding.

    Args:
        source: What was written.
        written: What was loaded; it may have further weights. Other dtypes are compared in the wider of the two.
        embed: Of either model in float32, some embeddings.
        description: Of the source.

    Returns:
        The largest difference of embeddings, as a share of the largest value among the source's.

    Raises:
        ValueError: if a weight differs, or embeddings do by more than `TOLERANCE`, or are no numbers.
    """
    weights = written.state_dict()
    changed = [
        name for name, weight in source.state_dict().items() if name not in weights or not _equal(weight, weights[name])
    ]
    if changed:
        raise ValueError(
            f"What was written does not hold the weights of {description}: {len(changed)} differ (as {changed[0]})."
        )
    with torch.no_grad():
        pairs = zip(embed(in_float32(source)), embed(in_float32(written)), strict=True)
    # Unlike Python's, torch's maximum of numbers and nan is nan.
    difference = torch.tensor([relative_difference(before, after) for before, after in pairs]).max().item()
    if not difference <= TOLERANCE:
        raise ValueError(
            f"What was written does not give the embeddings of {description}: they differ by up to {difference:.1e} of "
            f"the largest value, and rounding explains no more than {TOLERANCE:g}."
        )
    return difference


def _equal(one: Tensor, other: Tensor) -> bool:
    dtype = torch.promote_types(one.dtype, other.dtype)
    return one.shape == other.shape and torch.allclose(
        one.to(dtype), other.to(dtype), rtol=0, atol=0, equal_nan=one.is_floating_point()
    )


def verdict(difference: float, description: object) -> str:
    """What a conversion found, for people: of weights and of embeddings."""
    return (
        f"the weights are those of {description}; embeddings differ by {difference:.1e} of the largest value "
        f"(rounding: up to {TOLERANCE:.0e})"
    )
