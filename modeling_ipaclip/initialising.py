"""Where the weights of a new pronunciation tower start, if not at random."""

from typing import Any

import torch
from torch import nn

# A block's parts, each copied whole or not at all.
BLOCK_PARTS = ("layer_norm1", "self_attn", "layer_norm2", "mlp")


@torch.no_grad()
def copy_text_blocks(tower: Any, text_tower: Any) -> list[str]:
    """
    Copies blocks (attention, MLP, norms) from a text tower where shapes fit, and the last norm.

    Of a deeper text tower, blocks at even distances are taken, the first and the last among them, as Gandhi et al. 2023
    (arXiv 2311.00430) do it; a deeper pronunciation tower keeps its further blocks as drawn. CLIP's text tower sees
    only what is before a token, a pronunciation tower all: what is copied is a start, not the same function. Embeddings
    of phonemes are not those of word pieces, and are never copied.

    Args:
        tower ([`IPAClipPronunciationModel`]): What is copied to.
        text_tower (`nn.Module`): Of CLIP's kind, with `encoder.layers`.

    Returns:
        `list[str]`: the names of what was copied, as `encoder.layers.0.mlp`, relative to the tower.
    """
    theirs = getattr(getattr(text_tower, "encoder", None), "layers", None) or nn.ModuleList()
    ours = tower.encoder.layers
    copied = []
    for number, origin in enumerate(matching_layers(len(ours), len(theirs))):
        for part in BLOCK_PARTS:
            if _copy_if_it_fits(getattr(theirs[origin], part, None), getattr(ours[number], part)):
                copied.append(f"encoder.layers.{number}.{part}")
    if _copy_if_it_fits(getattr(text_tower, "final_layer_norm", None), tower.final_layer_norm):
        copied.append("final_layer_norm")
    return copied


def matching_layers(ours: int, theirs: int) -> list[int]:
    """Which of their layers each of ours starts as; as many as both have."""
    count = min(ours, theirs)
    if count < 2:
        return list(range(count))
    return [round(number * (theirs - 1) / (count - 1)) for number in range(count)]


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
