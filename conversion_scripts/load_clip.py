"""CLIPs as sources: loaded whole or not at all, and compared with what was made of them."""

import os
from pathlib import Path
from typing import Any

import torch
from ipaclip import IPAClipModel
from ipaclip.checkpoint_path import require_directory_or_name
from ipaclip.common.checkpoints import fits_vocabulary
from safetensors import SafetensorError
from transformers import AutoImageProcessor, AutoTokenizer, CLIPModel


def load_clip(name_or_path: str | os.PathLike, **kwargs: Any) -> CLIPModel:
    """A CLIP in evaluation mode; of an IPA-CLIP, the CLIP within.

    Raises:
        OSError: if there is no such CLIP, or a weight file is corrupt.
        ValueError: if it is another model, or weights are missing.
    """
    require_directory_or_name(name_or_path)
    try:
        clip, loading_info = CLIPModel.from_pretrained(name_or_path, output_loading_info=True, **kwargs)
    except SafetensorError as error:
        raise OSError(
            f"A weight file of {name_or_path} is no valid safetensors file ({error}): download it again."
        ) from error
    except RuntimeError as error:  # shapes that do not match, after a report of them all
        raise ValueError(
            f"The config.json of {name_or_path} is missing, or another model's than the weights."
        ) from error
    except OSError as error:
        if str(name_or_path) in str(error):
            raise
        raise OSError(f"No CLIP could be loaded from {name_or_path}: {error}") from error
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


def require_same_clip(source: CLIPModel, directory: str | Path, description: str) -> float:
    """Reloads what was written and returns the largest absolute difference of its embeddings to the source's: 0.

    Raises:
        ValueError: if they differ.
    """
    difference = largest_difference(source, IPAClipModel.from_pretrained(directory).eval())
    if difference != 0:
        raise ValueError(
            f"What was written does not give the embeddings of {description}: they differ by up to {difference:g}."
        )
    return difference


@torch.no_grad()
def largest_difference(source: CLIPModel, converted: CLIPModel) -> float:
    """The largest absolute difference of image and text embeddings on random input."""
    generator = torch.Generator().manual_seed(0)
    text, vision = source.config.text_config, source.config.vision_config
    ids = torch.randint(0, text.vocab_size, (4, min(16, text.max_position_embeddings)), generator=generator)
    ids[:, -1] = text.eos_token_id
    pixels = torch.randn(4, vision.num_channels, vision.image_size, vision.image_size, generator=generator)
    pixels = pixels.to(source.dtype)
    pairs = (
        (source.get_text_features(ids).pooler_output, converted.get_text_features(ids).pooler_output),
        (source.get_image_features(pixels).pooler_output, converted.get_image_features(pixels).pooler_output),
    )
    return max((before - after).abs().max().item() for before, after in pairs)
