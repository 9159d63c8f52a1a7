"""`ipaclip transcribe`."""

import json
import sys
from typing import Annotated

import typer

from .console import CANNOT_BE_SAID, complain, keep_libraries_quiet, read_lines, transcribe_each


def transcribe(
    words: Annotated[list[str] | None, typer.Argument(help="Words or quoted sentences.", show_default=False)] = None,
    file: Annotated[str | None, typer.Option(metavar="FILE", help="Read texts, one a line; - is stdin.")] = None,
    language: Annotated[str, typer.Option(help="Language of the words; see `ipaclip languages`.")] = "eng-Latn",
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object a line.")] = False,
) -> None:
    """Print how words sound, in IPA, one line for each; without words, read them from stdin.

    What cannot be pronounced is reported on stderr, its line stays empty, and the exit code is 1.
    """
    keep_libraries_quiet()
    from ipaclip.tokenization import get_transcriber

    texts = list(words or [])
    if file is not None or (not texts and not sys.stdin.isatty()):
        texts += read_lines(file or "-")
    if not texts:
        raise ValueError("There is nothing to transcribe: give words, or a file of them with --file.")
    failed = False
    for text, ipa in zip(texts, transcribe_each(get_transcriber(language).transcribe, texts), strict=True):
        if isinstance(ipa, ValueError):
            failed = True
            complain(ipa)
        if as_json:
            answer = {"error": str(ipa)} if isinstance(ipa, ValueError) else {"ipa": ipa}
            typer.echo(json.dumps({"text": text, **answer}, ensure_ascii=False))
        else:
            typer.echo("" if isinstance(ipa, ValueError) else ipa)
    if failed:
        raise typer.Exit(CANNOT_BE_SAID)
