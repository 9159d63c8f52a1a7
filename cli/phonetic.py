"""`ipaclip fit-phonetic`."""

from pathlib import Path
from typing import Annotated

import typer

from .console import fast_imports, keep_libraries_quiet, read_words, show_progress


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
        from ipaclip.training.sound_alone.checkpoint import fit_checkpoint
    fit = fit_checkpoint(
        checkpoint,
        output,
        words=None if words is None else read_words(words),
        words_from=words or "cmudict",
        is_ipa=ipa,
        phonetic_dim=phonetic_dim,
        steps=steps,
        runs=runs,
        seed=seed,
        show_progress=True,
    )
    typer.echo(f"{output}: fitted to {fit.words} words in {fit.steps} steps, loss {fit.loss:.4f}")
