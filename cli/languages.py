"""`ipaclip languages`."""

import json
from typing import Annotated

import typer


def languages(
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object a line.")] = False,
) -> None:
    """List the languages that words can be pronounced in, and by what: the first is the one taken."""
    from ipaclip.tokenization import languages as known

    for language, backends in known().items():
        if as_json:
            typer.echo(json.dumps({"language": language, "backends": list(backends)}))
        else:
            typer.echo(f"{language:<12}{', '.join(backends)}")
