"""The `ipaclip` command. Only typer is imported before a subcommand runs."""

from typing import Annotated

import typer

from . import convert, distill, evaluate, languages, lexicon, match, phonetic, push, quickstart, search, transcribe
from .console import CommandGroup, debug_option, use_utf8

app = typer.Typer(
    cls=CommandGroup,
    help="IPA-CLIP: pictures found by how their names sound.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)

for command in (
    quickstart.quickstart,
    search.search,
    match.match,
    transcribe.transcribe,
    languages.languages,
    lexicon.lexicon,
    distill.distill,
    phonetic.fit_phonetic,
    evaluate.evaluate,
    push.push,
):
    app.command()(command)
app.add_typer(convert.convert)


def _print_version(wanted: bool) -> None:
    if wanted:
        from importlib.metadata import version

        typer.echo(f"ipaclip {version('ipaclip')}")
        raise typer.Exit


@app.callback()
def _options(
    version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version.")
    ] = False,
    debug: Annotated[bool, debug_option()] = False,
) -> None:
    """Both options act elsewhere: `version` in its callback, `debug` in `CommandGroup`."""


def main() -> None:
    """The entry point of the `ipaclip` command."""
    use_utf8()
    app(prog_name="ipaclip")
