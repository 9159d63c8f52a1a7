"""`ipaclip quickstart`: the whole of IPA-CLIP in a few minutes."""

import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from .console import fast_imports, keep_libraries_quiet, show_progress
from .search import print_hits

if TYPE_CHECKING:
    from ipaclip.search import PictureSearch

# How a name might be misspelled; none is the name of a picture.
SEARCHES = ("batterfly", "dolfin", "oktopus", "kaktus", "pitsa", "skorpion", "avokado", "yoonikorn")
RESPELLINGS = 2  # of each name, further ones than the questions


def quickstart(
    *,
    output: Annotated[Path, typer.Option(metavar="DIR", help="Where the new checkpoint goes.")] = Path("quickstart"),
    feature_set: Annotated[
        str, typer.Option(help="panphon, ipa_chart, or learned: a phoneme embedding without phonetic features.")
    ] = "panphon",
    steps: Annotated[
        int | None, typer.Option(min=1, help="Training steps.", show_default="the configuration's")
    ] = None,
    seed: Annotated[int, typer.Option(help="Of the training; the questions stay the same.")] = 0,
) -> None:
    """Distil a new pronunciation tower for the embedded CLIP, ask it for every picture, and search a little."""
    keep_libraries_quiet()
    show_progress()
    from ipaclip import embedded_checkpoint
    from ipaclip.training.loop.threads import wait_asleep_if_busy
    from ipaclip.training.quickstart import configuration, make_room, write_inputs

    wait_asleep_if_busy()
    replaces = (output / "checkpoint" / "metrics.json").exists()
    resume = make_room(output)
    if replaces:
        typer.echo(f"{output} holds an earlier quickstart, which this one replaces.")
    teacher = Path(embedded_checkpoint())
    with fast_imports():
        import torch
        from ipaclip.common.checkpoints import add_to_metrics
        from ipaclip.evaluation import RealWords, build_queries, evaluate_retrieval, further_respellings, held_out_words
        from ipaclip.search import Gallery, PictureSearch
        from ipaclip.search.fusion import NO_GATE
        from ipaclip.tokenization import get_transcriber
        from ipaclip.training.arguments import DistillationArguments
        from ipaclip.training.distillation import Distillation

    gallery = Gallery.load(teacher)
    names = [entry.name for entry in gallery.entries]
    typer.echo(f"1. The questions: {len(names)} pictures, asked for by name, by respelled name and by nonsense words.")
    transcriber = get_transcriber("eng-Latn", "espeak")
    inventory = RealWords.load(transcriber).inventory(transcriber.transcribe(names))
    queries = build_queries(names, transcriber, inventory)
    respellings = further_respellings(names, transcriber, queries, RESPELLINGS)
    texts, held_out = write_inputs(output, gallery.entries, respellings, held_out_words(queries))

    typer.echo("2. A new pronunciation tower learns from the frozen text tower what each pronunciation means.")
    values = configuration(feature_set, seed, steps)
    values.update(teacher=str(teacher), output_dir=str(output / "checkpoint"), resume=resume)
    values["data"] = {"train": [str(texts)], "transcriber": "espeak", "held_out": str(held_out)}
    values["augmentation"]["inventory"] = inventory
    started = time.perf_counter()
    checkpoint = Distillation(DistillationArguments.from_dict(values)).run()
    typer.echo(f"   distilled in {time.perf_counter() - started:.0f} s")

    typer.echo("3. What it finds. The noise of training never made a nonsense word of the table.\n")
    pictures = PictureSearch.from_checkpoint(checkpoint)
    report = evaluate_retrieval(
        pictures.model, pictures.processor, torch.from_numpy(gallery.image_embeds), names, queries=queries
    )
    typer.echo(report.to_markdown())
    typer.echo(f"The column of both towers: {checkpoint} {NO_GATE}.\n")
    add_to_metrics(checkpoint, retrieval=report.to_dict())
    _show_searches(pictures)
    typer.echo(
        f"The checkpoint lies in {checkpoint}. Next:\n"
        f'  ipaclip search "your own mispeling" --checkpoint {checkpoint}\n'
        f'  ipaclip search "your own mispeling" --both      # the shipped checkpoint, beside its text tower'
    )


def _show_searches(pictures: "PictureSearch") -> None:
    typer.echo("4. Words that nobody wrote:\n")
    for query, hits in zip(SEARCHES, pictures.search(SEARCHES, top=3), strict=True):
        print_hits(query, hits)
    typer.echo("")
