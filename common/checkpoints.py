"""The files of a checkpoint that neither model nor processor writes, and how they travel from one to another."""

import json
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from .files import copy_file, write_json

# Embeddings of pictures belong to the image tower: they stay right beside any pronunciation tower.
GALLERY_FILES = ("gallery.safetensors", "gallery.json")
# Words, their sounds, and what the text tower makes of them: they belong to the text tower.
LEXICON_FILES = ("lexicon.safetensors", "lexicon.tsv")
CLIP_FILES = (*GALLERY_FILES, *LEXICON_FILES)
# By what the towers are fused, and they and a lexicon; the map of token states; what was measured.
GATE_FILE, SCORE_FILE, HEAD_FILE, METRICS_FILE = "fusion.json", "score.json", "token_head.safetensors", "metrics.json"
TOWER_FILES = (HEAD_FILE, GATE_FILE, SCORE_FILE)
TRAVELLING_FILES = (*CLIP_FILES, *TOWER_FILES, METRICS_FILE)
# Embedding tables of CLIPs are padded to multiples of 128 at most.
PADDING = 128


def find_file(checkpoint: str | os.PathLike, name: str) -> Path | None:
    """
    A file of a checkpoint, by directory or Hub name; `None` where there is none, or no network to ask for it.
    """
    directory = Path(checkpoint).expanduser()
    if directory.is_dir():
        return directory / name if (directory / name).is_file() else None
    from transformers.utils.hub import cached_file

    found = cached_file(
        str(checkpoint),
        name,
        _raise_exceptions_for_missing_entries=False,
        _raise_exceptions_for_connection_errors=False,
    )
    return None if found is None else Path(found)


def copy_files(
    checkpoint: str | os.PathLike, target: str | os.PathLike, names: Sequence[str] = TRAVELLING_FILES
) -> list[str]:
    """
    Copies files of a checkpoint (directory or Hub name) into a directory, each whole or not at all.

    Returns:
        The names of those that the checkpoint has.

    Raises:
        `OSError`: if one cannot be written.
    """
    copied = []
    for name in names:
        source = find_file(checkpoint, name)
        if source is not None:
            copy_file(source, Path(target) / name)
            copied.append(name)
    return copied


def add_to_metrics(checkpoint: str | os.PathLike, **values: Any) -> None:
    """
    Adds to what a checkpoint's `metrics.json` says, or replaces it.

    Raises:
        `ValueError`: if the file is no JSON object.
        `OSError`: if it cannot be written.
    """
    path = Path(checkpoint) / METRICS_FILE
    try:
        metrics = json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}
        write_json(path, {**metrics, **values}, indent=2)
    except (ValueError, TypeError) as error:
        raise ValueError(f"{path} is no JSON object ({error}): copy or download it again.") from error


def fits_vocabulary(tokenizer: Any, vocab_size: int) -> bool:
    """
    Whether a CLIP tokenizer is that of a text tower. transformers makes an empty one where the vocabulary is missing.
    """
    return 0 <= vocab_size - len(tokenizer) < PADDING
