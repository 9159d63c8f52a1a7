"""`ipaclip search`."""

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import partial
from itertools import zip_longest
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from .console import CANNOT_BE_SAID, complain, fast_imports, keep_libraries_quiet, read_words

if TYPE_CHECKING:
    from ipaclip.search import Gallery, Hit, PictureSearch


def search(
    queries: Annotated[
        list[str] | None, typer.Argument(help="Words, as they are spelled; quote those that go together.")
    ] = None,
    *,
    ipa: Annotated[bool, typer.Option("--ipa", help="The queries are IPA.")] = False,
    language: Annotated[
        str | None,
        typer.Option(help="Language the words are said in, such as eng-Latn.", show_default="the checkpoint's"),
    ] = None,
    sound: Annotated[bool, typer.Option("--sound", help="Ask the pronunciation tower alone.")] = False,
    text: Annotated[bool, typer.Option("--text", help="Ask the text tower alone.")] = False,
    both: Annotated[bool, typer.Option("--both", help="Ask both towers and show them side by side.")] = False,
    fused: Annotated[
        bool, typer.Option("--fuse", help="Ask both towers as one; scores are probabilities, in this gallery.")
    ] = False,
    why: Annotated[
        bool, typer.Option("--why", help="Say what a query was taken for, and what each edit costs.")
    ] = False,
    lexicon: Annotated[
        Path | None,
        typer.Option(metavar="DIR", help="Directory of a lexicon.", show_default="the checkpoint's, if it has one"),
    ] = None,
    file: Annotated[
        str | None, typer.Option("--queries", metavar="FILE", help="Read queries, one a line; - is stdin.")
    ] = None,
    list_gallery: Annotated[bool, typer.Option("--list", help="List the pictures instead.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object a line.")] = False,
    checkpoint: Annotated[
        str | None,
        typer.Option(metavar="DIR|NAME", help="Directory or Hub name.", show_default="the embedded checkpoint"),
    ] = None,
    top: Annotated[int | None, typer.Option(min=1, help="Pictures for each query.", show_default="5")] = None,
) -> None:
    """Find the pictures whose names sound like the queries, even where nobody ever wrote them.

    Beside a lexicon, all that is known of a query speaks: what is typed, the words it may mean, and its sound. Scores
    are then probabilities. Without one, or with --sound, the pronunciation tower is asked, and scores are cosines.

    A query that cannot be pronounced is reported on stderr, the others are answered, and the exit code is 1.
    """
    ways = {"--sound": sound, "--text": text, "--both": both, "--fuse": fused}
    _reject_conflicts([name for name, is_set in ways.items() if is_set], ipa=ipa, language=language, why=why)
    wanted = _wanted(queries or [], file, list_gallery)
    keep_libraries_quiet()
    from ipaclip import embedded_checkpoint
    from ipaclip.search import Gallery, PictureSearch, local_checkpoint

    directory = local_checkpoint(checkpoint or embedded_checkpoint())
    if list_gallery:
        _print_gallery(Gallery.load(directory), as_json)
        return
    with fast_imports():
        pictures = PictureSearch.from_checkpoint(directory)
    if top is not None and top > len(pictures.gallery):
        raise ValueError(f"--top {top} is too many: the gallery has {len(pictures.gallery)} pictures.")
    if lexicon is not None:
        pictures.take_lexicon(lexicon)
    answers = [_Answer(query, error=_why_unreadable(query)) for query in wanted]
    readable = [answer for answer in answers if answer.error is None]
    if why and pictures.lexicon is None:
        raise ValueError(f"{directory} has no lexicon, by which --why explains: build one, or name one by --lexicon.")
    way = next((name for name, is_set in ways.items() if is_set), None)
    _ask(pictures, readable, way, directory, is_ipa=ipa, language=language, top=top or 5)
    for answer in answers:
        if answer.error is not None:
            complain(answer.error)
        _print_answer(answer, as_json, why)
    if any(answer.error is not None for answer in answers):
        raise typer.Exit(CANNOT_BE_SAID)


def _wanted(queries: list[str], file: str | None, list_gallery: bool) -> list[str]:
    wanted = [*queries, *(read_words(file) if file is not None else [])]
    if list_gallery and wanted:
        raise ValueError("--list takes no queries: leave out one or the other.")
    if not list_gallery and not wanted:
        raise ValueError('There is no query: try `ipaclip search batterfly`, or see "ipaclip search --help".')
    return wanted


@dataclass
class _Answer:
    query: str
    ipa: str | None = None
    error: str | None = None
    results: list["Hit"] = field(default_factory=list)
    text_results: list["Hit"] | None = None
    fits: bool | None = None

    def to_dict(self) -> dict[str, Any]:
        answer: dict[str, Any] = {"query": self.query}
        for name in ("ipa", "error"):
            if getattr(self, name) is not None:
                answer[name] = getattr(self, name)
        if self.fits is not None:
            answer["fits"] = self.fits
        answer["results"] = _plain(self.results)
        return answer if self.text_results is None else {**answer, "text_results": _plain(self.text_results)}


def _plain(hits: Sequence["Hit"]) -> list[dict[str, Any]]:
    return [
        {
            **hit.entry.to_dict(),
            "score": round(hit.score, 4),
            **({} if hit.reading is None else {"reading": hit.reading.to_dict()}),
        }
        for hit in hits
    ]


def _reject_conflicts(ways: list[str], *, ipa: bool, language: str | None, why: bool) -> None:
    if len(ways) > 1:
        raise ValueError(f"{ways[0]} and {ways[1]} are two ways of asking: leave out one of them.")
    way = ways[0] if ways else None
    if ipa and way not in (None, "--sound"):
        raise ValueError(f"The text tower cannot read IPA: leave out --ipa or {way}.")
    if language is not None and way == "--text":
        raise ValueError("--language says how spelled words sound: leave out --language or --text.")
    if why and way is not None:
        raise ValueError(f"--why explains what a lexicon finds: leave out --why or {way}.")


def _why_unreadable(query: str) -> str | None:
    if not query.strip():
        return "A query is empty: write a word."
    # An argument that was not UTF-8 comes with its bytes as lone surrogates.
    if any("\ud800" <= sign <= "\udfff" for sign in query):
        return f"The query {query!r} is not UTF-8: write it in UTF-8."
    return None


def _ask(
    pictures: "PictureSearch",
    answers: list[_Answer],
    way: str | None,
    directory: Path,
    *,
    is_ipa: bool,
    language: str | None,
    top: int,
) -> None:
    if way is None and pictures.lexicon is not None:
        _ask_by_all(pictures, answers, is_ipa=is_ipa, language=language, top=top)
        return
    if is_ipa and language is not None:
        raise ValueError("--language says how spelled words sound: leave out --language or --ipa.")
    if way != "--text":
        _ask_by_sound(pictures, answers, is_ipa=is_ipa, language=language, top=top)
    if way == "--fuse":
        _ask_fused(pictures, answers, directory, top=top)
    if way in ("--text", "--both"):
        _ask_by_text(pictures, answers, top=top, beside=way == "--both")


def _ask_by_sound(
    pictures: "PictureSearch", answers: list[_Answer], *, is_ipa: bool, language: str | None, top: int
) -> None:
    queries = [answer.query for answer in answers]
    for answer, ipa in zip(answers, queries if is_ipa else _transcribe_each(pictures, queries, language), strict=True):
        if isinstance(ipa, ValueError):
            answer.error = str(ipa)
        elif not _has_known_sign(pictures, ipa):
            answer.error = f"{answer.query!r} holds no sign of IPA: leave out --ipa if it is spelled."
        else:
            answer.ipa = ipa
    heard = [answer for answer in answers if answer.ipa is not None]
    hits = pictures.search([answer.ipa or "" for answer in heard], by="ipa", top=top)
    for answer, found in zip(heard, hits, strict=True):
        answer.results = found


def _ask_by_all(
    pictures: "PictureSearch", answers: list[_Answer], *, is_ipa: bool, language: str | None, top: int
) -> None:
    assert pictures.lexicon is not None
    queries = [answer.query for answer in answers]
    said = queries if is_ipa else _transcribe_each(pictures, queries, language)
    for answer, ipa in zip(answers, said, strict=True):
        try:
            pictures.lexicon.split_query(answer.query, ipa=is_ipa)
        except ValueError as error:
            answer.error = str(error)
        else:
            answer.ipa = ipa if isinstance(ipa, str) else None
    asked = [answer for answer in answers if answer.error is None]
    found = pictures.find([one.query for one in asked], ipa=is_ipa, language=language, top=top)
    for answer, hits in zip(asked, found, strict=True):
        answer.results = hits
        answer.fits = hits[0].score >= pictures.score.threshold


def _transcribe_each(pictures: "PictureSearch", texts: list[str], language: str | None) -> list[str | ValueError]:
    try:
        return list(pictures.processor.transcribe_each(texts, language=language))
    except RuntimeError as error:  # the checkpoint was taught by another transcriber than is installed
        raise ValueError(str(error)) from error


def _has_known_sign(pictures: "PictureSearch", ipa: str) -> bool:
    tokenizer = pictures.processor.pronunciation_tokenizer
    tokens = tokenizer.convert_ids_to_tokens(tokenizer(ipa, add_special_tokens=False, verbose=False)["input_ids"])
    return any(token.strip() and token != tokenizer.unk_token for token in tokens)


def _ask_by_text(pictures: "PictureSearch", answers: list[_Answer], *, top: int, beside: bool) -> None:
    hits = pictures.search([answer.query for answer in answers], by="text", top=top)
    for answer, found in zip(answers, hits, strict=True):
        if beside:
            answer.text_results = found
        else:
            answer.results = found


def _ask_fused(pictures: "PictureSearch", answers: list[_Answer], directory: Path, *, top: int) -> None:
    """Puts what both towers find together in the place of what the sound alone found."""
    from ipaclip.search.fusion import fuse, load_gate

    heard = [answer for answer in answers if answer.ipa is not None]
    mix = partial(fuse, gate=load_gate(directory))
    found = pictures.search_both([one.query for one in heard], [one.ipa or "" for one in heard], mix, top=top)
    for answer, hits in zip(heard, found, strict=True):
        answer.results = hits


def _print_answer(answer: _Answer, as_json: bool, why: bool) -> None:
    if as_json:
        typer.echo(json.dumps(answer.to_dict(), ensure_ascii=False))
        return
    if not answer.results and not answer.text_results:
        return
    query = typer.style(answer.query, bold=True)
    heard = f"/{answer.ipa}/" if answer.ipa is not None else ""
    typer.echo(heard if answer.query == answer.ipa else f"{query}  {heard}".rstrip())
    lines = _table(answer.results)
    if answer.fits is False:
        lines = ["nothing fits; the nearest are", *lines]
    if why:
        told = dict.fromkeys(hit.reading.explain() for hit in answer.results if hit.reading is not None)
        lines += [line for text in told for line in ("", *text.splitlines())]
    if answer.text_results is not None:
        columns = zip_longest(["by sound", *lines], ["by text", *_table(answer.text_results)], fillvalue="")
        left, right = zip(*columns, strict=True)
        lines = [f"{sound}    {written}".rstrip() for sound, written in zip(_padded(left), right, strict=True)]
    for line in lines:
        typer.echo(f"  {line}".rstrip())


def print_hits(query: str, hits: Sequence["Hit"]) -> None:
    """One line: the query and what it found, best first."""
    found = "   ".join(f"{hit.entry.character} {hit.entry.name} {hit.score:.2f}" for hit in hits)
    typer.echo(f"  {typer.style(query, bold=True)}  →  {found}")


def _table(hits: Sequence["Hit"]) -> list[str]:
    characters = _padded([hit.entry.character for hit in hits])
    names = _padded([hit.entry.name for hit in hits])
    return [
        f"{character}  {name}  {hit.score:6.3f}" for character, name, hit in zip(characters, names, hits, strict=True)
    ]


def _padded(texts: Sequence[str]) -> list[str]:
    """All as wide as the widest, in cells of a terminal, where most emoji take two and combining marks none."""
    from rich.cells import cell_len

    widths = [cell_len(text) for text in texts]
    return [text + " " * (max(widths) - width) for text, width in zip(texts, widths, strict=True)]


def _print_gallery(gallery: "Gallery", as_json: bool) -> None:
    if as_json:
        for entry in gallery.entries:
            typer.echo(json.dumps(entry.to_dict(), ensure_ascii=False))
        return
    characters = _padded([entry.character for entry in gallery.entries])
    for character, entry in zip(characters, gallery.entries, strict=True):
        typer.echo(f"{character}  {entry.name}")
