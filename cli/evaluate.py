"""`ipaclip evaluate`."""

import json
from pathlib import Path
from typing import Annotated

import typer

from .console import fast_imports, keep_libraries_quiet


def evaluate(
    checkpoint: Annotated[
        str | None, typer.Argument(metavar="DIR|NAME", help="Directory or Hub name.", show_default="the embedded one")
    ] = None,
    *,
    seed: Annotated[int, typer.Option(help="Another seed asks for other nonsense words.")] = 0,
    output: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Write report.json and report.md there, too.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON instead of the table.")] = False,
) -> None:
    """Ask for every picture of a checkpoint's gallery by name, respelled name and nonsense, and count what is found."""
    keep_libraries_quiet()
    from ipaclip import embedded_checkpoint
    from ipaclip.search import PictureSearch

    with fast_imports():
        pictures = PictureSearch.from_checkpoint(checkpoint or embedded_checkpoint())
    import torch
    from ipaclip.evaluation import evaluate_retrieval

    gallery = pictures.gallery
    names = [entry.name for entry in gallery.entries]
    report = evaluate_retrieval(
        pictures.model, pictures.processor, torch.from_numpy(gallery.image_embeds), names, seed=seed
    )
    document = json.dumps(report.to_dict(), indent=2, ensure_ascii=False) + "\n"
    if output is not None:
        output.mkdir(parents=True, exist_ok=True)
        (output / "report.json").write_text(document, encoding="utf-8")
        (output / "report.md").write_text(report.to_markdown(), encoding="utf-8")
    typer.echo(document if as_json else report.to_markdown(), nl=False)
