"""Distillation of a pronunciation tower from a frozen CLIP text tower."""

from .arguments import (
    AugmentationArguments,
    DataArguments,
    DistillationArguments,
    LoopArguments,
    ObjectiveArguments,
    StudentArguments,
)

__all__ = [
    "AugmentationArguments",
    "DataArguments",
    "DistillationArguments",
    "LoopArguments",
    "ObjectiveArguments",
    "StudentArguments",
]
