"""`ipaclip lexicon`."""

from pathlib import Path
from typing import Annotated

import typer

from .console import fast_imports, keep_libraries_quiet


def lexicon(
    files: Annotated[
        list[Path],
        typer.Argument(help="Words, one a line, or a CSV, TSV or JSONL with a column word.", show_default=False),
    ],
    *,
    output: Annotated[Path, typer.Option(metavar="DIR", help="Where the lexicon is, or shall be.", show_default=False)],
    checkpoint: Annotated[
        str | None,
        typer.Option(
            metavar="DIR|NAME", help="Whose text tower reads the words.", show_default="the embedded checkpoint"
        ),
    ] = None,
    language: Annotated[
        str, typer.Option(help="Language of words that name none, and of queries, such as deu-Latn.")
    ] = "eng-Latn",
    remove: Annotated[bool, typer.Option("--remove", help="Take the words out instead.")] = False,
) -> None:
    """Build a lexicon: the words that a query may mean, with their sounds and what a text tower makes of them.

    Columns beside word are language, meaning (what the text tower reads for it), frequency and ipa. Words that are
    there already are passed over; after an interruption the same command does what is missing. Words that cannot be
    pronounced are listed with the reason in lexicon.rejected.tsv.
    """
    keep_libraries_quiet()
    from ipaclip.lexicon import Lexicon, read_entries
    from ipaclip.lexicon.building import REJECTED_FILE, build_into

    entries = [entry for file in files for entry in read_entries(file, language)]
    if remove:
        made = Lexicon.load(output)
        count = made.remove([entry.word for entry in entries])
        made.save(output)
        typer.echo(f"{count:,} entries taken out, {len(made):,} left: {output}")
        return
    from ipaclip import embedded_checkpoint
    from ipaclip.search import local_checkpoint
    from ipaclip.search.picture_search import load_model

    directory = local_checkpoint(checkpoint or embedded_checkpoint())
    with fast_imports():
        from ipaclip import IPAClipProcessor

        model = load_model(directory)
        processor = IPAClipProcessor.from_pretrained(directory, local_files_only=True)
    made = build_into(output, entries, model, processor, language=language, show_progress=True)
    typer.echo(f"{len(made):,} words, {len(made.sounds):,} pronunciations: {output}")
    if made.rejected:
        typer.echo(f"{len(made.rejected):,} left out: {output / REJECTED_FILE}", err=True)
