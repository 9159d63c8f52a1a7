"""A pronunciation tower that starts as the text tower it stands beside, or learns from."""

from typing import Any

import torch
from torch import nn

# A block's parts, each copied whole or not at all.
BLOCK_PARTS = ("layer_norm1", "self_attn", "layer_norm2", "mlp")


@torch.no_grad()
def copy_text_tower(source: nn.Module, target: Any) -> list[str]:
    """Copies blocks (attention, MLP, norms) from a text tower where shapes fit, and the last norm.

    Of a deeper text tower, blocks at even distances are taken, the first and the last among them, as Gandhi et al.
    2023 (arXiv 2311.00430) do it; a deeper target keeps its further blocks as drawn. CLIP's text tower sees only what
    is before a token, a pronunciation tower all: what is copied is a start, not the same function. Embeddings of
    phonemes are not those of word pieces, and are never copied.

    Returns:
        The names of what was copied, as `encoder.layers.0.mlp`.
    """
    theirs: Any = getattr(getattr(source, "encoder", None), "layers", None) or nn.ModuleList()
    ours = target.encoder.layers
    pairs = {
        f"encoder.layers.{number}.{part}": (getattr(theirs[origin], part, None), getattr(ours[number], part))
        for number, origin in enumerate(matching_layers(len(ours), len(theirs)))
        for part in BLOCK_PARTS
    }
    pairs["final_layer_norm"] = getattr(source, "final_layer_norm", None), target.final_layer_norm
    return [name for name, (theirs, ours) in pairs.items() if _copy_if_it_fits(theirs, ours)]


def matching_layers(target: int, source: int) -> list[int]:
    """Which of the source's layers each of the target's starts as; as many as both have."""
    count = min(target, source)
    if count < 2:
        return list(range(count))
    return [round(number * (source - 1) / (count - 1)) for number in range(count)]


def _copy_if_it_fits(source: nn.Module | None, target: nn.Module) -> bool:
    """Copies all weights, if both have the same names and shapes and, of attention, as many heads."""
    if source is None or getattr(source, "num_heads", None) != getattr(target, "num_heads", None):
        return False
    weights = source.state_dict()
    expected = {name: value.shape for name, value in target.state_dict().items()}
    if {name: value.shape for name, value in weights.items()} != expected:
        return False
    target.load_state_dict(weights)
    return True
