"""`ipaclip match`."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from .console import CANNOT_BE_SAID, complain, fast_imports, keep_libraries_quiet, read_words

if TYPE_CHECKING:
    from ipaclip.lexicon import Entry, Match, NameMatcher

_DEFAULT_LANGUAGE = "eng-Latn"
_DEFAULT_COLUMN = "name"
_DUPLICATES_FROM = 0.5
_TOLD = 5  # of the rows that are skipped


def match(
    queries: Annotated[list[str] | None, typer.Argument(help="Names; quote those of several words.")] = None,
    *,
    names: Annotated[
        Path, typer.Option(metavar="FILE", help="The list: .csv, .tsv or .jsonl; or .txt, one name a line.")
    ],
    column: Annotated[
        str | None, typer.Option(help="Column of the names in a table.", show_default=_DEFAULT_COLUMN)
    ] = None,
    language: Annotated[
        str,
        typer.Option(help="Language in which names of its script are said; other scripts have one of their own."),
    ] = _DEFAULT_LANGUAGE,
    language_column: Annotated[str | None, typer.Option(help="Column of each row's language, where known.")] = None,
    file: Annotated[
        str | None, typer.Option("--queries", metavar="FILE", help="Read queries, one a line; - is stdin.")
    ] = None,
    duplicates: Annotated[bool, typer.Option("--duplicates", help="Find pairs within the list instead.")] = False,
    threshold: Annotated[
        float | None,
        typer.Option(
            min=0, max=1, help="The least score that is shown.", show_default=f"0; with --duplicates {_DUPLICATES_FROM}"
        ),
    ] = None,
    why: Annotated[bool, typer.Option("--why", help="Show how each sounds, and what the differences cost.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object a line.")] = False,
    top: Annotated[int | None, typer.Option(min=1, help="Names for each query.", show_default="5")] = None,
) -> None:
    """Find names that are the same by sound and spelling, in any language and script: no pictures, no checkpoint.

    Rows without a name are skipped, and told on stderr. A query that is empty is reported there, too, the others are
    answered, and the exit code is 1.
    """
    wanted = [*(queries or []), *(read_words(file) if file is not None else [])]
    if duplicates and (wanted or top is not None):
        raise ValueError(f"--duplicates compares the list with itself: leave out {'--top' if top else 'the queries'}.")
    if not duplicates and not wanted:
        raise ValueError('There is no query: give a name, or --duplicates; see "ipaclip match --help".')
    keep_libraries_quiet()
    rows = _read_names(names, column, language_column, language)
    with fast_imports():
        from ipaclip.lexicon import NameMatcher

    matcher = NameMatcher([entry for _, entry in rows], language=language, show_progress=True)
    lines = [line for line, _ in rows]
    _tell_silent(matcher, names, lines)
    if duplicates:
        for found in matcher.duplicates(_DUPLICATES_FROM if threshold is None else threshold, show_progress=True):
            _print_pair(found, lines, as_json, why)
        return
    readable = [query for query in wanted if _is_readable(query)]
    for query, matches in zip(readable, matcher.match(readable, top=top or 5, threshold=threshold or 0), strict=True):
        _print_answer(query, matches, lines, as_json, why)
    if len(readable) < len(wanted):
        raise typer.Exit(CANNOT_BE_SAID)


def _is_readable(query: str) -> bool:
    if not query.strip():
        complain("A query is empty: write a name.")
        return False
    if any("\ud800" <= sign <= "\udfff" for sign in query):
        complain(f"The query {query!r} is not UTF-8: write it in UTF-8.")
        return False
    return True


def _read_names(
    path: Path, column: str | None, language_column: str | None, language: str
) -> list[tuple[int, "Entry"]]:
    """The line in the file, and the name, of each row that has one; the others are told."""
    from ipaclip.common.rows import TEXT_COLUMN, TEXT_SUFFIXES, read_records
    from ipaclip.lexicon import Entry
    from ipaclip.lexicon.matching import language_of

    if path.suffix.lower() not in TEXT_SUFFIXES:
        raise ValueError(f"{path}: a list of names ends with {', '.join(TEXT_SUFFIXES)}.")
    is_list = path.suffix.lower() == ".txt"
    if is_list and (column or language_column):
        raise ValueError(f"{path} has no columns: leave out --column and --language-column, or give a table.")
    wanted = TEXT_COLUMN if is_list else column or _DEFAULT_COLUMN
    rows: list[tuple[int, Entry]] = []
    skipped: list[str] = []
    for line, values, broken in read_records(path, whole=False):
        _require_columns(path, values, [wanted, language_column] if broken is None else [])
        name = values.get(wanted)
        if broken is None and isinstance(name, str) and name.strip():
            own = str(values.get(language_column or "") or "").strip()
            rows.append((line, Entry(name, own or language_of(name, language))))
        elif not is_list or broken:
            skipped.append(f"{path}:{line}: {broken or 'there is no name'}")
    for text in skipped[:_TOLD]:
        typer.echo(f"skipped {text}", err=True)
    if len(skipped) > _TOLD:
        typer.echo(f"skipped {len(skipped) - _TOLD:,} more rows", err=True)
    if not rows:
        raise ValueError(f"{path} holds no name" + (f" that can be read: {skipped[0]}." if skipped else "."))
    return rows


def _require_columns(path: Path, values: dict[str, Any], wanted: list[str | None]) -> None:
    for name in wanted:
        if name is not None and name not in values:
            have = ", ".join(map(repr, values)) or "none"
            raise ValueError(f"{path} has no column {name!r}: it has {have}; name one with --column.")


def _tell_silent(matcher: "NameMatcher", path: Path, lines: list[int]) -> None:
    for place, reason in list(matcher.silent.items())[:_TOLD]:
        typer.echo(f"by letters alone: {path}:{lines[place]}: {reason}", err=True)
    if len(matcher.silent) > _TOLD:
        typer.echo(f"by letters alone: {len(matcher.silent) - _TOLD:,} more names", err=True)


def _print_answer(query: str, matches: list["Match"], lines: list[int], as_json: bool, why: bool) -> None:
    if as_json:
        found = [_as_dict(one, lines) for one in matches]
        typer.echo(json.dumps({"query": query, "results": found}, ensure_ascii=False))
        return
    typer.echo(typer.style(query, bold=True))
    if not matches:
        typer.echo("  –")
    for one in matches:
        typer.echo(f"  {one.score:.3f}  {one.name}  (line {lines[one.place]})")
        if why:
            typer.echo(_indented(one))


def _print_pair(found: "Match", lines: list[int], as_json: bool, why: bool) -> None:
    first = lines[found.query_place or 0]
    if as_json:
        pair = {"query": found.query, "query_line": first, **_as_dict(found, lines)}
        typer.echo(json.dumps(pair, ensure_ascii=False))
        return
    typer.echo(f"{found.score:.3f}  {found.query}  (line {first})  =  {found.name}  (line {lines[found.place]})")
    if why:
        typer.echo(_indented(found))


def _as_dict(found: "Match", lines: list[int]) -> dict[str, Any]:
    values = found.to_dict()
    del values["place"]
    return {"line": lines[found.place], **values}


def _indented(found: "Match") -> str:
    return "\n".join(f"    {line}" for line in found.explain().splitlines())
