"""Token states of any number → token states of one number."""

import torch
from torch import Tensor


def resample_tokens(states: Tensor, mask: Tensor, length: int) -> Tensor:
    """Linear interpolation over the tokens that are not padding; the first and the last stay what they are.

    Args:
        states: `(batch, tokens, width)`. Gradients pass.
        mask: `(batch, tokens)`, 1 for tokens (side by side), 0 for padding on either side.
        length: how many positions to make, at least 2. Position i lies at `i (n - 1) / (length - 1)` of n tokens.

    Returns:
        `(batch, length, width)`.

    Raises:
        ValueError: if `length` is below 2, or, on a CPU, a row has no token.
    """
    if length < 2:
        raise ValueError(f"token states are resampled to at least 2 positions, got {length}")
    mask = mask.long()
    count, first = mask.sum(1), mask.argmax(1)
    if mask.device.type == "cpu" and not bool((count > 0).all()):  # an accelerator would have to wait
        raise ValueError(f"row {int((count == 0).int().argmax())} has no token")
    steps = torch.arange(length, device=states.device) / (length - 1)
    place = steps[None, :] * (count - 1)[:, None]  # (batch, length)
    low = place.floor().long()
    high = torch.minimum(low + 1, (count - 1)[:, None])
    share = (place - low)[..., None].to(states.dtype)
    return torch.lerp(_take(states, first[:, None] + low), _take(states, first[:, None] + high), share)


def _take(states: Tensor, positions: Tensor) -> Tensor:
    return states.gather(1, positions[..., None].expand(-1, -1, states.shape[-1]))
