"""`ipaclip push`."""

from pathlib import Path
from typing import Annotated

import typer

from .console import fast_imports, keep_libraries_quiet


def push(
    checkpoint: Annotated[Path, typer.Argument(metavar="CHECKPOINT", help="Directory of an IPA-CLIP.")],
    name: Annotated[str, typer.Argument(metavar="NAME", help="Its name on the Hub, owner/name.")],
    *,
    private: Annotated[bool, typer.Option("--private", help="Make a new repository private.")] = False,
    card: Annotated[
        Path | None, typer.Option(help="A README.md of your own.", show_default="made from metrics.json")
    ] = None,
    base_model: Annotated[
        str | None, typer.Option(help="The teacher's name on the Hub.", show_default="metrics.json's, if it is there")
    ] = None,
    license: Annotated[str, typer.Option(help="As the Hub names licences.")] = "apache-2.0",
    message: Annotated[str, typer.Option(help="Of the commit.")] = "Upload IPA-CLIP",
) -> None:
    """Upload a checkpoint with its code and a model card, so that transformers alone loads it.

    Log in first, with `hf auth login`.
    """
    keep_libraries_quiet()
    with fast_imports():
        from ipaclip.conversion_scripts import push as push_checkpoint
    url = push_checkpoint(
        checkpoint, name, private=private, card=card, base_model=base_model, license=license, message=message
    )
    typer.echo(url)
