"""The output for sound alone, of checkpoints that have one."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from ipaclip.common.progress import track

_BATCH = 256


def has_sound_alone(model: Any) -> bool:
    """Whether the model's `get_phonetic_features` has something to answer with."""
    return getattr(model, "phonetic_projection", None) is not None


@torch.no_grad()
def encode_sound(model: Any, processor: Any, ipa: Sequence[str], show_progress: bool = False) -> np.ndarray:
    """IPA strings → `(strings, phonetic_dim)`, float32, in their order and not normalised: a longer word's is longer.

    Args:
        model: an `IPAClipModel` with a phonetic projection.
        processor: its processor.
        ipa: what it hears.
        show_progress: whether to show a progress bar.
    """
    order = sorted(range(len(ipa)), key=lambda row: len(ipa[row]))
    result = np.zeros((len(ipa), model.config.pronunciation_config.phonetic_dim), dtype=np.float32)
    for start in track(range(0, len(ipa), _BATCH), "encoding sound", unit="batches", shown=show_progress):
        rows = order[start : start + _BATCH]
        inputs = processor(ipa=[ipa[row] for row in rows], return_tensors="pt", truncation=True).to(model.device)
        result[rows] = model.get_phonetic_features(**inputs).pooler_output.float().cpu().numpy()
    return result
