"""CLIP's activation in fewer passes over memory, for training without `torch.compile`."""

from typing import Any

import torch
from torch import nn
from torch.autograd.function import once_differentiable
from transformers.activations import QuickGELUActivation

SLOPE = 1.702


class _QuickGELU(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, states: torch.Tensor) -> torch.Tensor:
        steep = SLOPE * states
        ctx.save_for_backward(steep)
        return nn.functional.silu(steep).div_(SLOPE)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: torch.Tensor) -> torch.Tensor:
        (steep,) = ctx.saved_tensors
        return torch.ops.aten.silu_backward(gradient, steep)


class FusedQuickGELU(nn.Module):
    """`x * sigmoid(1.702 x)`, element by element and of any shape, as `silu(1.702 x) / 1.702`: silu has one kernel
    forward and one backward, and one tensor is kept between them instead of two. Differentiable once.

    The function is of Hendrycks and Gimpel 2016 (arXiv 1606.08415, section 2).
    """

    def forward(self, states: torch.Tensor) -> torch.Tensor:
        return _QuickGELU.apply(states)


def fuse_quick_gelu(tower: nn.Module) -> None:
    """Gives each block of `tower` that has CLIP's activation the same in fewer passes; nothing of it is saved."""
    for module in list(tower.modules()):
        for name, child in module.named_children():
            if isinstance(child, QuickGELUActivation):
                setattr(module, name, FusedQuickGELU())
