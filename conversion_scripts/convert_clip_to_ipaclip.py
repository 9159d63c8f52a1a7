"""A transformers CLIP checkpoint → IPA-CLIP with a new, untrained pronunciation tower."""

import logging
from pathlib import Path
from typing import Any

import torch
from ipaclip import IPAClipModel, IPAClipProcessor
from ipaclip.tokenization import IPATokenizer, phoneme_feature_table
from transformers import AutoImageProcessor, AutoTokenizer, CLIPModel

logger = logging.getLogger(__name__)


def convert_clip_to_ipaclip(
    clip: str | Path,
    output: str | Path,
    *,
    feature_set: str = "panphon",
    language: str = "eng-Latn",
    pronunciation_config: dict[str, Any] | None = None,
    seed: int = 0,
) -> float:
    """Puts a pronunciation tower with random weights beside a CLIP and saves both as one checkpoint.

    Args:
        clip: Hub name or directory of a CLIP.
        output: The new checkpoint's directory.
        feature_set: `"panphon"`, `"ipa_chart"` or `"learned"`.
        language: What the processor takes spelled words to be, as epitran names languages.
        pronunciation_config: The tower's shape, where it is not that of CLIP's text tower.
        seed: Of the tower's weights.

    Returns:
        The largest absolute difference between image and text embeddings of the source and of the checkpoint as it is
        loaded again from disk: 0.

    Raises:
        OSError: if there is no such CLIP.
        ValueError: if `output` holds files already, or source and checkpoint differ.
    """
    output = Path(output)
    if output.is_dir() and any(output.iterdir()):
        raise ValueError(f"{output} is not empty: name another directory")
    source = CLIPModel.from_pretrained(clip).eval()
    config = dict(pronunciation_config or {})
    tokenizer = IPATokenizer.build(max_length=config.get("max_position_embeddings", 256))
    torch.manual_seed(seed)
    if feature_set == "learned":
        config["learned_residual"] = True
    model = IPAClipModel.from_clip(
        source, phoneme_feature_table(tokenizer, feature_set), {**config, "feature_set": feature_set}
    )
    processor = IPAClipProcessor(
        AutoImageProcessor.from_pretrained(clip), AutoTokenizer.from_pretrained(clip), tokenizer, language=language
    )
    model.save_pretrained(output)
    processor.save_pretrained(output)
    difference = largest_difference(source, IPAClipModel.from_pretrained(output).eval())
    if difference != 0:
        raise ValueError(f"{output} does not give the embeddings of {clip}: they differ by up to {difference}")
    logger.info("%s: image and text embeddings differ from %s by %g", output, clip, difference)
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
