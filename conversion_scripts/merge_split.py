"""A trained pronunciation tower onto a CLIP, and off it again."""

import logging
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from ipaclip import IPAClipModel, IPAClipProcessor, IPAClipPronunciationModelWithProjection
from ipaclip.checkpoint_path import read_json, require_directory_or_name
from ipaclip.common.checkpoints import CLIP_FILES, GATE_FILE, METRICS_FILE, TOWER_FILES, copy_files, find_file
from ipaclip.common.files import new_directory, write_json
from ipaclip.common.speech_record import SpeechRecord
from ipaclip.tokenization import phoneme_feature_table
from transformers import AutoTokenizer, CLIPProcessor, PreTrainedConfig

from .comparison import require_same
from .load_clip import load_clip, load_clip_processor, require_same_clip

logger = logging.getLogger(__name__)

# What was measured with the pictures of one CLIP says nothing about another.
MEASURED_WITH_A_CLIP = ("retrieval",)
TOWER_FOLDER, CLIP_FOLDER = "pronunciation", "clip"
# A later table may correct some rows; beside another vocabulary, nearly all rows are others'.
MOST_ROWS_THAT_MAY_DIFFER = 0.1


@dataclass
class Tower:
    """A pronunciation tower with all that its use takes."""

    model: IPAClipPronunciationModelWithProjection
    tokenizer: Any
    speech: SpeechRecord


def merge(tower: str | Path, clip: str | Path, output: str | Path) -> float:
    """Puts a trained pronunciation tower onto a CLIP of the same projection width.

    A width says nothing about a space: only onto the CLIP whose text tower was the teacher does the tower fit, or onto
    one with the same text tower and projection.

    Args:
        tower: Directory or Hub name of an IPA-CLIP, or of a tower that `split` took off.
        clip: Directory or Hub name of a CLIP or an IPA-CLIP, whose own pronunciation tower is left behind.
        output: The new checkpoint's directory.

    Returns:
        How far all three towers' embeddings lie from the sources' after loading from disk, as a share of their largest
        value, in float32: up to 1e-4, for kernels round differently. The weights are the same to the bit.

    Raises:
        OSError: if a source is missing or corrupt.
        ValueError: if the widths differ, or the tower's vocabulary does not match its feature table, or `output` holds
            files, or something was changed by writing. Nothing is then left at `output`.
    """
    part, source = load_tower(tower), load_clip(clip)
    widths = (part.model.config.projection_dim, source.config.projection_dim)
    if widths[0] != widths[1]:
        raise ValueError(
            f"The tower of {tower} ends in {widths[0]} dimensions, {clip} in {widths[1]}: "
            "a tower fits only onto the CLIP that it was distilled from."
        )
    dtype = torch.promote_types(part.model.dtype, source.dtype)
    part.model.to(dtype)
    source.to(dtype)
    model = IPAClipModel.from_clip(source, pronunciation_config=part.model.config)
    model.load_state_dict(part.model.state_dict(), strict=False)
    images, tokenizer = load_clip_processor(clip, source)
    processor = IPAClipProcessor(images, tokenizer, part.tokenizer, **part.speech.to_dict())
    with new_directory(output) as directory:
        model.save_pretrained(directory)
        processor.save_pretrained(directory)
        copy_files(clip, directory, CLIP_FILES)
        if GATE_FILE in copy_files(tower, directory, TOWER_FILES):
            logger.warning(
                "%s came with %s: it was fitted to the pictures of the CLIP that the tower was trained beside, and "
                "onto another CLIP it must be fitted anew",
                GATE_FILE, tower,
            )  # fmt: skip
        _copy_metrics(tower, directory, merged_onto=str(clip))
        difference = require_same_clip(source, IPAClipModel.from_pretrained(directory).eval(), str(clip))
        return max(difference, _require_same_tower(part.model, directory, str(tower)))


def split(checkpoint: str | Path, output: str | Path) -> float:
    """Takes an IPA-CLIP apart: the tower to `output/pronunciation`, the CLIP to `output/clip`.

    `pronunciation` holds the tower with its projection and, at its root, the IPA tokenizer; `clip` is a plain CLIP with
    its processor.

    Args:
        checkpoint: Directory or Hub name of an IPA-CLIP.
        output: The new directory.

    Returns:
        How far all three towers' embeddings lie from the source's after loading from disk, as a share of their largest
        value, in float32: up to 1e-4, for kernels round differently. The weights are the same to the bit.

    Raises:
        OSError: if the checkpoint is missing or corrupt.
        ValueError: if it is no IPA-CLIP, or `output` holds files, or something was changed by writing. Nothing is then
            left at `output`.
    """
    part, source = load_tower(checkpoint), load_clip(checkpoint)
    with new_directory(output) as directory:
        save_tower(part, directory / TOWER_FOLDER)
        copy_files(checkpoint, directory / TOWER_FOLDER, TOWER_FILES)
        _copy_metrics(checkpoint, directory / TOWER_FOLDER)
        source.save_pretrained(directory / CLIP_FOLDER)
        CLIPProcessor(*load_clip_processor(checkpoint, source)).save_pretrained(directory / CLIP_FOLDER)
        copy_files(checkpoint, directory / CLIP_FOLDER, CLIP_FILES)
        difference = require_same_clip(source, load_clip(directory / CLIP_FOLDER), str(checkpoint))
        return max(difference, _require_same_tower(part.model, directory / TOWER_FOLDER, str(checkpoint)))


def load_tower(name_or_path: str | Path) -> Tower:
    """The pronunciation tower of an IPA-CLIP, or one that `split` took off.

    Raises:
        OSError: if it is missing or corrupt.
        ValueError: if there is no complete tower, or its tokenizer's vocabulary does not match its feature table.
    """
    require_directory_or_name(name_or_path)
    values = PreTrainedConfig.get_config_dict(name_or_path)[0]
    # The dtype of the file is in the outer configuration alone.
    dtype = values.get("dtype") or "auto"
    model = IPAClipPronunciationModelWithProjection.from_pretrained(name_or_path, dtype=dtype).eval()
    if values.get("model_type") == "ipaclip":
        processor = IPAClipProcessor.from_pretrained(name_or_path)
        tower = Tower(model, processor.pronunciation_tokenizer, SpeechRecord.of_processor(processor))
    else:
        tokenizer = AutoTokenizer.from_pretrained(name_or_path)
        tower = Tower(model, tokenizer, SpeechRecord.of_tokenizer(tokenizer))
    _require_matching_vocabulary(tower, str(name_or_path))
    return tower


def save_tower(tower: Tower, directory: str | Path) -> None:
    """Writes a tower with its tokenizer, and in the tokenizer's settings how spelled words were transcribed."""
    tower.model.save_pretrained(directory)
    tokenizer = tower.tokenizer
    kept = dict(tokenizer.init_kwargs)
    # What belongs to the processor that is left behind.
    for name in ("auto_map", "processor_class"):
        tokenizer.init_kwargs.pop(name, None)
    tokenizer._processor_class = None
    tower.speech.write_into(tokenizer)
    tokenizer.save_pretrained(directory)
    tokenizer.init_kwargs = kept


def _require_matching_vocabulary(tower: Tower, description: str) -> None:
    config, table = tower.model.config, tower.model.pronunciation_model.embeddings.phoneme_features
    if len(tower.tokenizer) != config.vocab_size:
        raise ValueError(
            f"The pronunciation tokenizer of {description} has {len(tower.tokenizer)} tokens, the tower "
            f"{config.vocab_size}: they do not belong together."
        )
    if table is None:
        return
    expected = torch.as_tensor(phoneme_feature_table(tower.tokenizer, config.feature_set)).to(table.dtype)
    if expected.shape != table.shape:  # a table of another version, which cannot be compared row by row
        return
    differing = (expected != table).any(dim=-1)
    if differing.float().mean() > MOST_ROWS_THAT_MAY_DIFFER:
        token = tower.tokenizer.convert_ids_to_tokens(int(differing.int().argmax()))
        raise ValueError(
            f"The vocabulary of {description} does not match the tower's feature table: {int(differing.sum())} of "
            f"{len(table)} tokens have the features of others (as {token!r}), so the tokenizer is another's."
        )


def _copy_metrics(source: str | Path, target: Path, merged_onto: str | None = None) -> None:
    file = find_file(source, METRICS_FILE)
    if file is None:
        return
    metrics = read_json(file)
    if merged_onto is not None:
        metrics = {key: value for key, value in metrics.items() if key not in MEASURED_WITH_A_CLIP}
        metrics["merged_onto"] = merged_onto
    write_json(target / METRICS_FILE, metrics, indent=2)


def _require_same_tower(
    tower: IPAClipPronunciationModelWithProjection, directory: str | os.PathLike, description: str
) -> float:
    config = tower.config
    ids = torch.randint(config.vocab_size, (4, 12), generator=torch.Generator().manual_seed(0))
    ids[:, 0], ids[:, -1] = config.bos_token_id, config.eos_token_id
    written = IPAClipPronunciationModelWithProjection.from_pretrained(directory).eval()
    return require_same(tower, written, lambda model: (model(ids).pronunciation_embeds,), description)
