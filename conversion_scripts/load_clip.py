"""CLIPs as sources: loaded whole or not at all, and compared with what was made of them."""

import os
from typing import Any

import torch
from ipaclip.checkpoint_path import reading_weights, require_directory_or_name
from ipaclip.common.checkpoints import fits_vocabulary
from transformers import AutoImageProcessor, AutoTokenizer, CLIPModel

from .comparison import in_float32, relative_difference, require_same_weights, require_small


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
    """Compares what was written and loaded again with its source: its weights to the bit, its embeddings to rounding.

    Returns:
        How far the embeddings lie apart, as `largest_difference` says.

    Raises:
        ValueError: if a weight differs, or embeddings do by more than `TOLERANCE`.
    """
    require_same_weights(source, written, description)
    return require_small(largest_difference(source, written), description)


@torch.no_grad()
def largest_difference(source: CLIPModel, converted: CLIPModel) -> float:
    """The largest difference of image and text embeddings on random input, computed in float32.

    As a share of the largest value among the source's embeddings, of images and of texts by themselves.
    """
    generator = torch.Generator().manual_seed(0)
    text, vision = source.config.text_config, source.config.vision_config
    ids = torch.randint(0, text.vocab_size, (4, min(16, text.max_position_embeddings)), generator=generator)
    ids[:, -1] = text.eos_token_id
    pixels = torch.randn(4, vision.num_channels, vision.image_size, vision.image_size, generator=generator)
    embeds = [
        (model.get_text_features(ids).pooler_output, model.get_image_features(pixels).pooler_output)
        for model in (in_float32(source), in_float32(converted))
    ]
    differences = [relative_difference(before, after) for before, after in zip(*embeds, strict=True)]
    return torch.tensor(differences).max().item()  # unlike Python's, of numbers and nan it is nan
