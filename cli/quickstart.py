"""`ipaclip quickstart`: the whole of IPA-CLIP in a few minutes."""

import json
import shutil
import time
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from .console import fast_imports, keep_libraries_quiet, show_progress
from .search import print_hits

if TYPE_CHECKING:
    from ipaclip.search import Gallery, PictureSearch

# How a name might be misspelled; none is the name of a picture.
SEARCHES = ("batterfly", "dolfin", "oktopus", "kaktus", "pitsa", "skorpion", "avokado", "yoonikorn")
NAME_WEIGHT, RESPELLING_WEIGHT, SYNONYM_WEIGHT = 3.0, 0.5, 0.2
RESPELLINGS = 2


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

    wait_asleep_if_busy()
    teacher = Path(embedded_checkpoint())
    resume = _make_room(output)
    with fast_imports():
        import torch
        from ipaclip.evaluation import (
            RealWords,
            build_queries,
            evaluate_retrieval,
            further_respellings,
            held_out_words,
        )
        from ipaclip.search import Gallery, PictureSearch
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
    texts, held_out = write_inputs(output, gallery, respellings, held_out_words(queries))

    typer.echo("2. A new pronunciation tower learns from the frozen text tower what each pronunciation means.")
    values = _configuration(feature_set, seed, steps)
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
    _add_to_metrics(checkpoint, report.to_dict())
    _show_searches(pictures)
    typer.echo(
        f"The checkpoint lies in {checkpoint}. Next:\n"
        f'  ipaclip search "your own mispeling" --checkpoint {checkpoint}\n'
        f'  ipaclip search "your own mispeling" --both      # the shipped checkpoint, beside its text tower'
    )


def _make_room(output: Path) -> bool:
    """Clears the way for a new run, or says that one was broken off and goes on."""
    checkpoint = output / "checkpoint"
    if output.exists() and not output.is_dir():
        raise ValueError(f"{output} is a file: give --output a directory.")
    if (checkpoint / "metrics.json").exists():
        typer.echo(f"{output} holds an earlier quickstart, which this one replaces.")
        shutil.rmtree(checkpoint)
    elif output.exists() and any(output.iterdir()) and not (output / "texts.jsonl").exists():
        raise ValueError(f"{output} holds other files: give --output another directory.")
    elif checkpoint.exists() and not (checkpoint / "checkpoints").exists():
        shutil.rmtree(checkpoint)  # broken off before there was anything to go on with
    return checkpoint.exists()


def _configuration(feature_set: str, seed: int, steps: int | None) -> dict[str, Any]:
    import yaml

    text = (files("ipaclip.training") / "configs" / "quickstart.yaml").read_text(encoding="utf-8")
    values: dict[str, Any] = yaml.safe_load(text)
    values["student"]["feature_set"] = feature_set
    values["loop"]["seed"] = seed
    if steps is not None:
        values["loop"]["steps"] = steps
    return values


def write_inputs(
    output: Path, gallery: "Gallery", respellings: list[tuple[int, str]], held_out: set[str]
) -> tuple[Path, Path]:
    """The texts to learn (names, respelled names, and what else `emoji` calls them), and the words to keep out."""
    try:
        import emoji
    except ImportError as error:
        raise ImportError("the names' synonyms come from the package emoji: pip install 'ipaclip[data]'") from error
    weights: dict[str, float] = {}
    for entry in gallery.entries:
        for alias in emoji.EMOJI_DATA.get(entry.character, {}).get("alias", []):
            text = " ".join(alias.strip(":").replace("_", " ").split())
            if sum(sign.isalpha() for sign in text) >= 2:
                weights.setdefault(text, SYNONYM_WEIGHT)
    weights.update({entry.name: NAME_WEIGHT for entry in gallery.entries})
    output.mkdir(parents=True, exist_ok=True)
    texts, words = output / "texts.jsonl", output / "held_out.txt"
    rows: list[dict[str, Any]] = [{"text": text, "weight": weight} for text, weight in weights.items()]
    rows += [
        {"text": gallery.entries[index].name, "pronounced": spelling, "weight": RESPELLING_WEIGHT}
        for index, spelling in respellings
    ]
    texts.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows), encoding="utf-8")
    words.write_text("\n".join(sorted(held_out)) + "\n", encoding="utf-8")
    return texts, words


def _add_to_metrics(checkpoint: Path, retrieval: dict[str, Any]) -> None:
    path = checkpoint / "metrics.json"
    metrics = json.loads(path.read_text(encoding="utf-8"))
    metrics["retrieval"] = retrieval
    path.write_text(json.dumps(metrics, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")


def _show_searches(pictures: "PictureSearch") -> None:
    typer.echo("4. Words that nobody wrote:\n")
    for query, hits in zip(SEARCHES, pictures.search(SEARCHES, top=3), strict=True):
        print_hits(query, hits)
    typer.echo("")
