"""`ipaclip convert`."""

from pathlib import Path
from typing import Annotated

import typer

from .console import fast_imports, keep_libraries_quiet


def convert(
    clip: Annotated[str, typer.Argument(metavar="CLIP", help="Hub name or directory of a transformers CLIP.")],
    output: Annotated[Path, typer.Argument(metavar="DIR", help="The new checkpoint's directory.")],
    *,
    feature_set: Annotated[str, typer.Option(help="panphon, ipa_chart or learned.")] = "panphon",
    language: Annotated[str, typer.Option(help="Language of spelled words.")] = "eng-Latn",
    seed: Annotated[int, typer.Option(help="Of the new tower's weights.")] = 0,
) -> None:
    """Put a new, untrained pronunciation tower beside a CLIP, and check that the CLIP stays as it is."""
    keep_libraries_quiet()
    with fast_imports():
        from ipaclip.conversion_scripts import convert_clip_to_ipaclip
    difference = convert_clip_to_ipaclip(clip, output, feature_set=feature_set, language=language, seed=seed)
    typer.echo(f"{output}: image and text embeddings differ from {clip} by {difference:g}")
