"""CLIPs as sources: loaded whole or not at all, and compared with what was made of them."""

import os
from typing import Any

import torch
from ipaclip.checkpoint_path import reading_weights, require_directory_or_name
from ipaclip.common.checkpoints import fits_vocabulary
from transformers import AutoImageProcessor, AutoTokenizer, CLIPModel

from .comparison import require_same


def load_clip(name_or_path: str | os.PathLike, **kwargs: Any) -> CLIPModel:
    """A CLIP in evaluation mode; of an IPA-CLIP, the CLIP within.

    Raises:
        OSError: if there is no such CLIP, or a weight file is corrupt.
        ValueError: if it is another model, or weights are missing.
    """
    require_directory_or_name(name_or_path)
    try:
        with reading_weights(name_or_path):
            clip, loading_info = CLIPModel.from_pretrained(
                name_or_path, output_loading_info=True, ignore_mismatched_sizes=True, **kwargs
            )
    except OSError as error:
        raise OSError(f"No CLIP could be loaded from {name_or_path}: {error}") from error
    if loading_info["mismatched_keys"]:
        raise ValueError(f"The config.json of {name_or_path} is missing, or another model's than the weights.")
    if clip.config.model_type not in ("clip", "ipaclip"):
        raise ValueError(f"{name_or_path} is no CLIP, but a model of the type {clip.config.model_type!r}.")
    if missing := sorted(loading_info["missing_keys"]):
        raise ValueError(f"{name_or_path} is no whole CLIP: it lacks {len(missing)} weights (as {missing[0]}).")
    return clip.eval()


def load_clip_processor(name_or_path: str | os.PathLike, clip: CLIPModel) -> tuple[Any, Any]:
    """Image processor and text tokenizer of a CLIP.

    Raises:
        OSError, ValueError: if there are none, or the tokenizer is another model's.
    """
    images, tokenizer = AutoImageProcessor.from_pretrained(name_or_path), AutoTokenizer.from_pretrained(name_or_path)
    require_own_tokenizer(tokenizer, clip, str(name_or_path))
    return images, tokenizer


def require_own_tokenizer(tokenizer: Any, clip: CLIPModel, description: str) -> None:
    """Also catches the empty tokenizer that transformers makes where the vocabulary is missing.

    Raises:
        ValueError: if tokenizer and text tower differ in their vocabularies.
    """
    vocab_size = clip.config.text_config.vocab_size
    if not fits_vocabulary(tokenizer, vocab_size):
        raise ValueError(
            f"The tokenizer of {description} has {len(tokenizer)} tokens, the text tower {vocab_size}: it is "
            "incomplete, or another model's."
        )


def require_same_clip(source: CLIPModel, written: CLIPModel, description: str) -> float:
    """As `comparison.require_same`, on random texts and images."""
    generator = torch.Generator().manual_seed(0)
    text, vision = source.config.text_config, source.config.vision_config
    ids = torch.randint(0, text.vocab_size, (4, min(16, text.max_position_embeddings)), generator=generator)
    ids[:, -1] = text.eos_token_id
    pixels = torch.randn(4, vision.num_channels, vision.image_size, vision.image_size, generator=generator)

    def embed(clip: CLIPModel) -> tuple[torch.Tensor, ...]:
        return clip.get_text_features(ids).pooler_output, clip.get_image_features(pixels).pooler_output

    return require_same(source, written, embed, description)
