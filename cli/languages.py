"""`ipaclip languages`."""

import json
from typing import Annotated, Any

import typer

from .console import keep_libraries_quiet


def languages(
    language: Annotated[
        str | None, typer.Argument(metavar="LANGUAGE", help="Say more about one, such as deu-Latn.", show_default=False)
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object a line.")] = False,
) -> None:
    """List the languages that words can be pronounced in, by what, and a word to try.

    The first backend is the one that is taken unless another is asked for; of epitran and espeak, the other one says
    what that refuses, but in English. With LANGUAGE, the word is transcribed by each of its backends.
    """
    keep_libraries_quiet()
    if language is not None:
        _print_details(language, as_json)
        return
    from ipaclip.tokenization import languages as known
    from ipaclip.tokenization.language_table import describe

    for code, backends in known().items():
        name, example = describe(code)
        if as_json:
            _print_json({"language": code, "name": name, "backends": list(backends), "example": example})
        else:
            typer.echo(f"{code:<21}  {', '.join(backends):<24}  {name}: {example}")


def _print_details(language: str, as_json: bool) -> None:
    from ipaclip.tokenization import get_transcriber, languages
    from ipaclip.tokenization.language_table import describe

    get_transcriber(language)  # a language that is not known gets its error here
    name, example = describe(language)
    said = {backend: _transcription(language, backend, example) for backend in languages()[language]}
    if as_json:
        _print_json({"language": language, "name": name, "example": example, "backends": said})
        return
    typer.echo(f"{language}: {name}")
    for backend, answer in said.items():
        typer.echo(f"{backend:<8}  {example} → {answer.get('ipa') or answer['error']}  ({answer.get('version', '–')})")


def _transcription(language: str, backend: str, word: str) -> dict[str, str]:
    from ipaclip.tokenization import MissingBackendError, TranscriptionError, get_transcriber

    transcriber = get_transcriber(language, backend)
    try:
        version = transcriber.version
        (answer,) = transcriber.transcribe_each([word])
    except MissingBackendError as error:
        return {"error": str(error)}
    if isinstance(answer, TranscriptionError):
        return {"version": version, "error": str(answer)}
    return {"version": version, "ipa": answer}


def _print_json(row: dict[str, Any]) -> None:
    typer.echo(json.dumps(row, ensure_ascii=False))
