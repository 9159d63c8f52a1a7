"""Rows of text files, read in one way wherever they are used: .txt, .csv, .tsv and .jsonl, in UTF-8.

A row that is broken comes with its reason, and reading goes on behind it. In a .tsv a line is a row and quotation marks
are text; a cell is quoted only if it has to be, since it holds a tab, a line break or a quotation mark, or if all
columns' names are quoted.
"""

import csv
import json
import re
from collections import deque
from collections.abc import Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import Any, NamedTuple

TEXT_SUFFIXES = (".txt", ".csv", ".tsv", ".jsonl")
TEXT_COLUMN = "text"
_DEEPEST, _LONGEST = 100, 1000  # levels of JSON; lines of a cell of a .tsv
_TOO_DEEP = f"is nested deeper than {_DEEPEST} levels"
_UNCLOSED = "a quotation mark is not closed"
_OPENED = "are one by a quotation mark that opens in the first: close or double it"
_NOT_READ = "the row cannot be read"


class Record(NamedTuple):
    """A row of a text file: the line it begins on (from 1), its values, and why it is broken, if it is."""

    line: int
    values: dict[str, Any]
    broken: str | None = None


def read_records(path: Path, *, whole: bool = True) -> Iterator[Record]:
    """Every row of a text file in UTF-8, with or without a byte order mark; a broken one with its reason.

    Lines without anything are rows of a .txt file, and no rows of the others. The cells of tables are strings.

    Args:
        path: Of the file; its suffix, in capitals or not, is one of `TEXT_SUFFIXES`.
        whole: Whether a table's row with fewer cells than the header is broken, and a second column without a name
            refused. Otherwise cells that are missing are None.

    Raises:
        ValueError: If the file is in UTF-16, or a table's header is broken or names a column twice.
    """
    return _records(path, path.suffix.lower(), whole)


def _records(path: Path, suffix: str, whole: bool) -> Iterator[Record]:
    _refuse_utf16(path)
    # A lone carriage return ends a row of a CSV, as spreadsheets once wrote it, and no line of the others.
    newline = "\n" if suffix in (".txt", ".tsv", ".jsonl") else ""
    # Bytes that are not UTF-8 must cost their own row only: they come as surrogates, which no valid text holds.
    with path.open(encoding="utf-8-sig", errors="surrogateescape", newline=newline) as lines:
        if suffix == ".txt":
            yield from _read_txt(lines)
        elif suffix == ".jsonl":
            yield from _read_jsonl(lines)
        else:
            yield from _read_table(path, _tsv_rows(lines) if suffix == ".tsv" else _csv_rows(lines), whole)


def read_table(path: str | Path, columns: Sequence[str] = ()) -> Iterator[tuple[str, dict[str, Any]]]:
    """`(file:line, values)` of each row of a .tsv, a .jsonl or else a CSV, in which every row must be sound.

    Raises:
        ValueError: For the first row that is broken or lacks one of `columns`, or as `read_records`, with the line.
        OSError: If the file cannot be read.
    """
    suffix = Path(path).suffix.lower()
    for line, values, broken in _records(Path(path), suffix if suffix in (".tsv", ".jsonl") else ".csv", False):
        if broken is not None:
            raise ValueError(f"{path}:{line}: {broken}.")
        if missing := [name for name in columns if name not in values]:
            has = f"{path}:{line}:" if suffix == ".jsonl" else f"{path} has"
            raise ValueError(f"{has} no column {', '.join(missing)}; it needs {', '.join(columns)}.")
        yield f"{path}:{line}", values


def split_lines(text: str) -> list[str]:
    r"""The lines of a text, blank ones included; they end at `\n` or `\r\n` only, and the last need not end."""
    lines = text.removesuffix("\n").split("\n") if text else []
    return [line.removesuffix("\r") for line in lines]


def read_utf8(path: str | Path) -> str:
    """A whole file in UTF-8, without its byte order mark.

    Raises:
        ValueError: If it is in another encoding, with its name.
        OSError: If it cannot be read.
    """
    try:
        return Path(path).read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise ValueError(f"{path} is not UTF-8 at byte {error.start}: save it as UTF-8.") from error


def _refuse_utf16(path: Path) -> None:
    with path.open("rb") as file:
        start = file.read(4096)
    if start[:2] in (b"\xff\xfe", b"\xfe\xff") or 4 * start.count(b"\0") > len(start) > 0:
        raise ValueError(f"{path} is in UTF-16: save it as UTF-8.")


def _why_not_utf8(text: str) -> str | None:
    try:
        text.encode("utf-8")
    except UnicodeEncodeError as error:
        place = len(text[: error.start].encode("utf-8")) + 1
        return f"the row is not UTF-8 at byte {place}: save the file as UTF-8"
    return None


def _read_txt(lines: Iterator[str]) -> Iterator[Record]:
    for number, line in enumerate(lines, 1):
        yield Record(number, {TEXT_COLUMN: _without_end(line)}, _why_not_utf8(line))


def _without_end(line: str) -> str:
    return line.removesuffix("\n").removesuffix("\r")


# --- JSON lines ---


def _read_jsonl(lines: Iterator[str]) -> Iterator[Record]:
    for number, line in enumerate(lines, 1):
        broken = _why_not_utf8(line)
        if broken:
            yield Record(number, {}, broken)
        elif line.strip():
            yield _parse_json(number, line)


class _BrokenError(Exception):
    """Why a line of JSON cannot be used."""


def _parse_json(number: int, line: str) -> Record:
    try:
        return Record(number, _json_object(line))
    except _BrokenError as error:
        reason = str(error)
    except RecursionError:
        reason = _TOO_DEEP
    except ValueError as error:
        reason = f"is not JSON: {error}"
    return Record(number, {}, f"the line {reason}")


def _json_object(line: str) -> dict[str, Any]:
    values = json.loads(line, object_pairs_hook=_unique)
    if not isinstance(values, dict):
        raise _BrokenError("is not a JSON object")
    if line.count("[") + line.count("{") > _DEEPEST and _is_deep(values):
        raise _BrokenError(_TOO_DEEP)
    # Only an escape can smuggle half a character in, and no UTF-8 file can hold it.
    if "\\u" in line and _why_not_utf8(json.dumps(values, ensure_ascii=False)):
        raise _BrokenError("holds half of a surrogate pair, which is no character")
    return values


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    values = dict(pairs)
    if len(values) < len(pairs):
        names = [name for name, _ in pairs]
        twice = sorted({repr(name) for name in names if names.count(name) > 1})
        raise _BrokenError(f"names {', '.join(twice)} twice")
    return values


def _is_deep(values: dict[str, Any]) -> bool:
    """Whether what reads a row by recursion might fail at it."""
    level: list[Any] = [values]
    for _ in range(_DEEPEST):
        inner = (one.values() if isinstance(one, dict) else one for one in level)
        level = [value for some in inner for value in some if isinstance(value, dict | list)]
        if not level:
            return False
    return True


# --- tables ---

# The line a row begins on, and its cells, or why they cannot be told.
_Rows = Iterator[tuple[int, list[str] | str]]


def _read_table(path: Path, rows: _Rows, whole: bool) -> Iterator[Record]:
    line, header = next(rows, (1, []))
    header = _checked_header(path, line, header, whole)
    for number, cells in rows:
        if isinstance(cells, str):
            yield Record(number, {}, cells)
        elif len(cells) > len(header) or (whole and len(cells) < len(header)):
            yield Record(number, {}, f"the row has {len(cells)} cells, and the header {len(header)}")
        else:
            missing = [None] * (len(header) - len(cells))
            yield Record(number, dict(zip(header, [*cells, *missing], strict=True)), _why_not_utf8(",".join(cells)))


def _checked_header(path: Path, line: int, header: list[str] | str, whole: bool) -> list[str]:
    if isinstance(header, str):
        raise ValueError(f"{path}:{line}: the header cannot be read: {header.removeprefix(f'{_NOT_READ}: ')}.")
    if _why_not_utf8("".join(header)):
        raise ValueError(f"{path}:{line}: the header is not UTF-8: save the file as UTF-8.")
    twice = sorted({name for name in header if header.count(name) > 1 and (name or whole)})
    if twice:
        raise ValueError(f"{path}:{line}: the header names {', '.join(map(repr, twice))} twice: rename one.")
    return header


def _csv_rows(lines: Iterator[str]) -> _Rows:
    """Of a broken row the line behind it begins the next one.

    So an open quotation mark costs its own line, not all that follow up to the next one. Where there is a next one that
    closes it, as it would a cell with line breaks, lines that would be rows by themselves are set aside with it.
    """
    taken: list[str] = []  # lines of the row that is being read
    waiting: deque[str] = deque()  # lines to be read once more

    def feed() -> Iterator[str]:
        while True:
            line = waiting.popleft() if waiting else next(lines, None)
            if line is None:
                return
            taken.append(line)
            yield line

    first, width, reader = 1, 0, csv.reader(feed(), strict=True)
    while True:
        try:
            cells: list[str] | str | None = next(reader, None)
        except csv.Error as error:
            unclosed = len(taken) > 1 or "unexpected end of data" in str(error)
            cells = f"{_NOT_READ}: {_UNCLOSED if unclosed else error}"
            waiting.extendleft(reversed(taken[1:]))
            del taken[1:]
            reader = csv.reader(feed(), strict=True)
        if cells is None:
            return
        if cells:
            if len(taken) > 1 and width > 1 and all(_width_alone(line) == width for line in taken):
                cells = f"lines {first} to {first + len(taken) - 1} would each be a row, and {_OPENED}"
            if not width and isinstance(cells, list):
                width = len(cells)
            yield first, cells
        first += len(taken)
        taken.clear()


def _width_alone(line: str) -> int:
    """How many cells a line of a CSV has if what opens in it ends with it; 0 if that cannot be told."""
    try:
        return len(next(csv.reader([line]), []))
    except csv.Error:
        return 0


_QUOTED = re.compile(r'"(?:[^"]|"")*"(?=\t|$)')


def _tsv_rows(lines: Iterator[str]) -> _Rows:
    numbered = enumerate(lines, 1)
    ahead: deque[tuple[int, str]] = deque()
    width, quoted = 0, False
    while ahead or (ahead := deque(islice(numbered, 1))):
        number, raw = ahead.popleft()
        line = _without_end(raw)
        if not line:
            continue
        if not width:
            header = _cells(line)
            quoted = all(map(_QUOTED.fullmatch, header))
            width = len(header)
            yield number, [_unquoted(cell, always=True) for cell in header]
            continue
        cells = line.split("\t")
        if '"' in line:
            block = _quoted_block(raw, width, numbered, ahead)
            if block is not None:
                cells = block
            elif len(cells) == width:
                cells = [_unquoted(cell, always=quoted) for cell in cells]
        yield number, cells


def _quoted_block(
    raw: str, width: int, numbered: Iterator[tuple[int, str]], ahead: deque[tuple[int, str]]
) -> list[str] | None:
    """The cells of a row with tabs or line breaks in quoted cells; None if the line is not the beginning of such a row.

    It is one if it has as many cells as the header, while none of its lines has that many besides: a line that could be
    a row is one. Lines that are read for it are taken from `ahead`, those that are not wait there.
    """
    line = _without_end(raw)
    if len(line.split("\t")) == width and not _is_open(line):
        return None
    block, beyond, cells = [raw], len(_cells(line)) - 1, None
    while beyond < width and len(block) <= _LONGEST:
        cells, goes_on = _as_csv(block)
        if not goes_on or width == 1:
            break
        if len(ahead) < len(block):
            ahead.extend(islice(numbered, 1))
        if len(ahead) < len(block):
            break
        block.append(ahead[len(block) - 1][1])
        beyond += len(_cells(_without_end(block[-1]))) - 1
    if cells is None or len(cells) != width:
        return None
    for _ in block[1:]:
        ahead.popleft()
    return cells


def _as_csv(lines: list[str]) -> tuple[list[str] | None, bool]:
    """The cells of lines that are one row, None if they are not, and whether they are with more lines."""
    if len(lines) > 1 and '"' not in lines[-1]:
        return None, True
    try:
        return next(csv.reader(lines, delimiter="\t", strict=True), []), False
    except csv.Error as error:
        return None, "unexpected end of data" in str(error)


def _is_open(line: str) -> bool:
    return any(cell.startswith('"') and not _QUOTED.fullmatch(cell) for cell in _cells(line))


def _cells(line: str) -> list[str]:
    """The cells of a line of a .tsv, with their quotation marks; a quoted one may hold tabs."""
    cells, start = [], 0
    while start <= len(line):
        found = _QUOTED.match(line, start)
        end = found.end() if found else line.find("\t", start)
        end = len(line) if end < 0 else end
        cells.append(line[start:end])
        start = end + 1
    return cells


def _unquoted(cell: str, *, always: bool) -> str:
    """A cell as its quotation marks mean it, if they quote it, which they do if there is a reason or `always`."""
    if not _QUOTED.fullmatch(cell) or not (always or re.search('""|[\t\r\n]', cell[1:-1]) or cell == '""'):
        return cell
    return cell[1:-1].replace('""', '"')
