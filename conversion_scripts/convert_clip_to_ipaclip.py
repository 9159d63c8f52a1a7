"""A transformers CLIP checkpoint → IPA-CLIP with a new, untrained pronunciation tower."""

import logging
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from ipaclip import IPAClipModel, IPAClipProcessor
from ipaclip.common.checkpoints import CLIP_FILES, copy_files
from ipaclip.common.files import new_directory
from ipaclip.common.text_tower import copy_text_tower
from ipaclip.presets import PRESET_NAMES, PRESETS
from ipaclip.tokenization import IPATokenizer, phoneme_feature_table
from transformers import CLIPModel

from .load_clip import load_clip, load_clip_processor, require_same_clip

logger = logging.getLogger(__name__)

# Blocks of one shape with another number of heads, or another activation, would compute something else.
SAME_IN_BOTH_TOWERS = ("hidden_size", "intermediate_size", "num_attention_heads", "hidden_act", "layer_norm_eps")


@dataclass(frozen=True)
class NewTower:
    """What a new pronunciation tower shall be.

    Attributes:
        preset: "tiny" (2 layers, 128 wide), "small" (3 layers, 256 wide), "medium" (6 layers, 384 wide) or "base" (as
            CLIP's text tower): the names and shapes of `ipaclip distill`.
        init_from_text_tower: Take blocks, last norm and projection from the text tower, and only the embedding anew.
            Of more text layers than wanted, evenly spaced ones, the first and the last among them.
        feature_set: "panphon", "ipa_chart" or "learned".
        language: What the processor takes spelled words to be, as epitran names languages.
        pronunciation_config: Single values of the tower's configuration, over those of the preset.
        seed: Of the new weights.
    """

    preset: str = "base"
    init_from_text_tower: bool = False
    feature_set: str = "panphon"
    language: str = "eng-Latn"
    pronunciation_config: dict[str, Any] | None = None
    seed: int = 0


def convert_clip_to_ipaclip(clip: str | Path, output: str | Path, **tower: Any) -> float:
    """Puts a new pronunciation tower beside a CLIP and saves both as one checkpoint.

    Args:
        clip: Hub name or directory of a CLIP.
        output: The new checkpoint's directory.
        tower: Any field of `NewTower`.

    Returns:
        How far image and text embeddings of the checkpoint, loaded again from disk, lie from the source's, as a share
        of their largest value, in float32: up to 1e-4, for kernels round differently. Weights are the same to the bit.

    Raises:
        OSError: if there is no such CLIP, or `output` cannot be made.
        ValueError: if `output` holds files already, the tower cannot be as wanted, or source and checkpoint differ.
            Nothing is then left at `output`.
    """
    source = load_clip(clip)
    images, tokenizer = load_clip_processor(clip, source)
    difference = save_as_ipaclip(
        source, images, tokenizer, output, NewTower(**tower), description=str(clip), gallery_of=clip
    )
    logger.info("%s: image and text embeddings differ from those of %s by %.1e", output, clip, difference)
    return difference


def save_as_ipaclip(
    source: CLIPModel,
    image_processor: Any,
    text_tokenizer: Any,
    output: str | Path,
    tower: NewTower,
    *,
    description: str,
    gallery_of: str | Path | None = None,
) -> float:
    """Saves a CLIP with a new tower, its processor and, if there is one, its gallery (of the checkpoint `gallery_of`).

    Returns how far its embeddings are off once it is loaded again.
    """
    if tower.preset not in PRESET_NAMES:
        raise ValueError(f"There is no preset {tower.preset!r}: choose from {', '.join(PRESET_NAMES)}.")
    # As `ipaclip distill` has it: the text tower's activation only in a tower of its shape.
    preset = {"hidden_act": "gelu", **PRESETS[tower.preset]} if tower.preset in PRESETS else {}
    config = {**preset, **(tower.pronunciation_config or {}), "feature_set": tower.feature_set}
    if tower.feature_set == "learned":
        config["learned_residual"] = True
    tokenizer = IPATokenizer.build(max_length=config.get("max_position_embeddings", 256))
    torch.manual_seed(tower.seed)
    model = IPAClipModel.from_clip(source, phoneme_feature_table(tokenizer, tower.feature_set), config)
    if tower.init_from_text_tower:
        start_as_text_tower(model)
    processor = IPAClipProcessor(image_processor, text_tokenizer, tokenizer, language=tower.language)
    with new_directory(output) as directory:
        model.save_pretrained(directory)
        processor.save_pretrained(directory)
        if gallery_of is not None:
            copy_files(gallery_of, directory, CLIP_FILES)
        return require_same_clip(source, IPAClipModel.from_pretrained(directory).eval(), description)


@torch.no_grad()
def start_as_text_tower(model: IPAClipModel) -> None:
    """Gives the pronunciation tower the text tower's blocks, last norm and projection.

    Raises:
        ValueError: if the blocks of the two towers do not fit each other.
    """
    text: Any = model.config.text_config
    pronunciation: Any = model.config.pronunciation_config
    for name in SAME_IN_BOTH_TOWERS:
        ours, theirs = getattr(pronunciation, name), getattr(text, name)
        if ours != theirs:
            raise ValueError(
                f"The text tower cannot start a pronunciation tower with {name}={ours}, for its own is {theirs}: "
                'take the preset "base", or a new tower.'
            )
    if pronunciation.num_hidden_layers > text.num_hidden_layers:
        raise ValueError(
            f"The text tower has {text.num_hidden_layers} layers, too few for a pronunciation tower of "
            f"{pronunciation.num_hidden_layers}."
        )
    copy_text_tower(model.text_model, model.pronunciation_model)
    model.pronunciation_projection.weight.copy_(model.text_projection.weight)
