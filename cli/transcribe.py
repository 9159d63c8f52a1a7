"""`ipaclip transcribe`."""

import json
import sys
from functools import partial
from pathlib import Path
from typing import Annotated, Any

import typer

from .console import CANNOT_BE_SAID, complain, keep_libraries_quiet, read_lines, show_progress, some_at_a_time

_DEFAULT_LANGUAGE = "eng-Latn"
_bulk = partial(typer.Option, rich_help_panel="A whole file or data set (with --output)")


def transcribe(
    words: Annotated[
        list[str] | None,
        typer.Argument(metavar="WORDS|INPUT", help="Words or quoted sentences; with --output, one file or data set."),
    ] = None,
    *,
    file: Annotated[str | None, typer.Option(metavar="FILE", help="Read texts, one a line; - is stdin.")] = None,
    language: Annotated[
        str | None,
        typer.Option(help="Language of the words; see `ipaclip languages`.", show_default=_DEFAULT_LANGUAGE),
    ] = None,
    backend: Annotated[str, typer.Option(help="What pronounces them; see `ipaclip languages`.")] = "auto",
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object a line.")] = False,
    output: Annotated[
        Path | None, _bulk(help="New file: .parquet, .jsonl, .csv, .tsv, or .txt with IPA alone.")
    ] = None,
    column: Annotated[str, _bulk(help="Column of the text.")] = "text",
    ipa_column: Annotated[str, _bulk(help="Name of the new column.")] = "ipa",
    language_column: Annotated[
        str | None, _bulk(help="Column of each row's language; --language is then for empty ones.")
    ] = None,
    split: Annotated[str | None, _bulk(help="Split of a data set.")] = None,
    config: Annotated[str | None, _bulk(help="Configuration of a data set.")] = None,
    streaming: Annotated[bool, _bulk("--streaming", help="Read a data set without a copy.")] = False,
    num_proc: Annotated[int, _bulk(min=1, help="Processes.")] = 1,
    rejected: Annotated[
        Path | None,
        _bulk(
            metavar="FILE",
            help="Where to list rows that cannot be used.",
            show_default="rejected.jsonl beside the output",
        ),
    ] = None,
    overwrite: Annotated[bool, _bulk("--overwrite", help="Replace an output that exists.")] = False,
    overwrite_column: Annotated[bool, _bulk("--overwrite-column", help="Replace a column of that name.")] = False,
) -> None:
    """Print how words sound, in IPA, one line for each; without words, read them from stdin.

    What cannot be pronounced is reported on stderr, its line stays empty, and the exit code is 1. Blank lines stay.

    With --output, INPUT is a .txt, .csv, .tsv, .jsonl or .parquet file, a directory of such, or a data set on the Hub,
    and the output has all its columns and the IPA. Rows that cannot be used are listed in rejected.jsonl, and the exit
    code is 1. Interrupted, the same command goes on where it stopped.
    """
    bulk = {
        "column": column,
        "ipa_column": ipa_column,
        "language_column": language_column,
        "split": split,
        "config": config,
        "streaming": streaming,
        "num_proc": num_proc,
        "rejected": rejected,
        "overwrite": overwrite,
        "overwrite_column": overwrite_column,
    }
    keep_libraries_quiet()
    if output is None:
        _reject_bulk_options(bulk)
        _transcribe_words(list(words or []), file, language or _DEFAULT_LANGUAGE, backend, as_json)
        return
    if file is not None or as_json:
        raise ValueError("--output takes INPUT from the command line: leave out --file and --json.")
    if len(words or []) != 1:
        raise ValueError("--output takes exactly one INPUT: a file or a data set.")
    if language is None and language_column is None:
        language = _DEFAULT_LANGUAGE
    _transcribe_file((words or [])[0], output, {**bulk, "language": language, "backend": backend})


def _reject_bulk_options(bulk: dict[str, Any]) -> None:
    unset = {"column": "text", "ipa_column": "ipa", "num_proc": 1}
    given = [
        f"--{name.replace('_', '-')}" for name, value in bulk.items() if value not in (unset.get(name), None, False)
    ]
    if given:
        raise ValueError(f"{', '.join(given)}: only for a file or data set, with --output FILE.")


def _transcribe_words(words: list[str], file: str | None, language: str, backend: str, as_json: bool) -> None:
    from ipaclip.tokenization import get_transcriber

    lines = read_lines(file or "-") if file is not None or (not words and not sys.stdin.isatty()) else []
    texts = [*words, *lines]
    if not texts:
        raise ValueError("There is nothing to transcribe: give words, or a file of them with --file.")
    failed = False
    transcriber = get_transcriber(language, backend)
    # Blank lines are nothing to say, and nothing to complain of.
    said = iter(some_at_a_time(transcriber.transcribe_each, [*words, *filter(str.strip, lines)]))
    for index, text in enumerate(texts):
        ipa = next(said) if index < len(words) or text.strip() else ""
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


def _transcribe_file(source: str, output: Path, options: dict[str, Any]) -> None:
    show_progress()
    from ipaclip.tokenization import transcribe_file

    report = transcribe_file(source, output, **options)
    typer.echo(f"{report.output}: {report.transcribed:,} of {report.rows:,} rows transcribed")
    if report.rejected:
        typer.echo(f"warning: {report.rejected:,} rows were set aside, with reasons: {report.rejected_path}", err=True)
        raise typer.Exit(CANNOT_BE_SAID)
