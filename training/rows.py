"""Rows of text from files and from the Hub, one at a time, each with the place that it comes from."""

import csv
import json
from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

from .arguments import ArgumentsError, SourceArguments

Values = dict[str, Any]


class RowError(ValueError):
    """A row that cannot be trained on; it is set aside and the rest goes on."""


@dataclass(frozen=True)
class Row:
    """One training pair: what the teacher reads, what is said, in which language, how often in an epoch."""

    where: str
    text: str
    pronounced: str
    ipa: str | None
    language: str
    weight: float


def read_rows(source: SourceArguments) -> Iterator[tuple[str, Values | RowError]]:
    """`(place, values)` of each row of a source, `place` being `file:line` or `name:row`; broken rows as `RowError`.

    JSONL, CSV, TSV and TXT (a text a line) are read here, since a broken line must not stop the rest; Parquet and names
    of Hub data sets go through `datasets`, streamed.

    Raises:
        ArgumentsError: for a file that is missing, empty or of another kind, or has no text column.
    """
    rows, columns = 0, set[str]()
    for number, values in _reader(source):
        rows += 1
        if isinstance(values, dict) and source.text_column not in columns:
            columns.update(key for key in values if isinstance(key, str))
        yield f"{source.path}:{number}", values
    if rows == 0:
        raise ArgumentsError(f"data.train: {source.path} is empty")
    if source.text_column not in columns:
        there = ", ".join(sorted(columns)) or "none"
        raise ArgumentsError(
            f"data.train: {source.path} has no column {source.text_column!r}, but {there}: set data.text_column"
        )


def check_source(source: SourceArguments) -> None:
    """Raises `ArgumentsError` for a file that is missing or of another kind; Hub data sets are not looked up."""
    path = Path(source.path)
    if path.suffix in (*_LINES, ".parquet"):
        if not path.is_file():
            raise ArgumentsError(f"data.train: there is no file {path}")
    elif path.exists():
        raise ArgumentsError(f"data.train: {path} must end in {', '.join(_LINES)} or .parquet")


def _reader(source: SourceArguments) -> Iterator[tuple[int, Values | RowError]]:
    path = Path(source.path)
    if path.suffix in _LINES:
        return _LINES[path.suffix](path, source.text_column)
    return _read_dataset(source, path)


def _read_jsonl(path: Path, _: str) -> Iterator[tuple[int, Values | RowError]]:
    with path.open(encoding="utf-8-sig", errors="replace") as lines:
        for number, line in enumerate(lines, 1):
            if line.strip():
                try:
                    values = json.loads(line)
                    yield number, values if isinstance(values, dict) else RowError("the line is not a JSON object")
                except json.JSONDecodeError as error:
                    yield number, RowError(f"the line is not JSON: {error}")


def _read_csv(path: Path, _: str) -> Iterator[tuple[int, Values | RowError]]:
    with path.open(encoding="utf-8-sig", errors="replace", newline="") as lines:
        header: list[str] | None = None
        for number, cells in csv_rows(lines, "\t" if path.suffix == ".tsv" else ","):
            if isinstance(cells, RowError):
                yield number, cells
            elif header is None:
                header = cells
            elif len(cells) > len(header):
                yield number, RowError(f"{len(cells) - len(header)} cells too many")
            else:
                yield number, dict(zip(header, cells, strict=False))


def csv_rows(lines: Iterable[str], delimiter: str) -> Iterator[tuple[int, list[str] | RowError]]:
    """The cells of each row, with the number of its first line.

    A quoted cell may hold line breaks, but few: a quotation mark that nobody closes would swallow the rest of the file.
    The row that it is in is broken, and the line after is the next row.
    """
    numbered = enumerate(lines, 1)
    ahead = deque(islice(numbered, CSV_ROW_LINES))
    while ahead:
        used = 1
        cells = _cells([ahead[0][1]], delimiter)
        while isinstance(cells, RowError) and str(cells) == UNCLOSED and used < len(ahead):
            used += 1
            cells = _cells([line for _, line in islice(ahead, used)], delimiter)
        if isinstance(cells, RowError):
            used = 1
            cells = _cells([ahead[0][1]], delimiter)
        if isinstance(cells, RowError) or cells:
            yield ahead[0][0], cells
        for _ in range(used):
            ahead.popleft()
        ahead.extend(islice(numbered, used))


CSV_ROW_LINES = 20
UNCLOSED = "a quotation mark is not closed"


def _cells(lines: list[str], delimiter: str) -> list[str] | RowError:
    """The cells of one row; none of an empty line."""
    try:
        return next(csv.reader(lines, delimiter=delimiter, strict=True), [])
    except csv.Error as error:
        return RowError(UNCLOSED if "unexpected end of data" in str(error) else f"the line is not CSV: {error}")


def _read_txt(path: Path, text_column: str) -> Iterator[tuple[int, Values | RowError]]:
    with path.open(encoding="utf-8-sig", errors="replace") as lines:
        for number, line in enumerate(lines, 1):
            if line.strip():
                yield number, {text_column: line.strip()}


_LINES = {".jsonl": _read_jsonl, ".csv": _read_csv, ".tsv": _read_csv, ".txt": _read_txt}


def _read_dataset(source: SourceArguments, path: Path) -> Iterator[tuple[int, Values | RowError]]:
    try:
        import datasets
    except ImportError as error:
        raise ArgumentsError(
            f"data.train: {path} is read with the package datasets: pip install 'ipaclip[data]'"
        ) from error
    if path.suffix == ".parquet":
        yield from _read_parquet(datasets, path)
        return
    try:
        stream = datasets.load_dataset(
            source.path, source.config, split=source.split, revision=source.revision, streaming=True
        )
    except (OSError, ValueError) as error:  # datasets' own errors are of these kinds
        reason = " ".join(str(error).split())
        raise ArgumentsError(
            f"data.train: {source.path!r} is neither a file nor a data set that can be loaded: {reason}"
        ) from error
    yield from enumerate(stream, 1)


def _read_parquet(datasets: Any, path: Path) -> Iterator[tuple[int, Values]]:
    number = 0
    try:
        stream = datasets.load_dataset("parquet", data_files=str(path), split="train", streaming=True)
        for number, values in enumerate(stream, 1):
            yield number, values
    except (OSError, ValueError) as error:
        reason = " ".join(str(error).split())
        raise ArgumentsError(f"data.train: {path} cannot be read after row {number}: {reason}") from error


def parse_row(where: str, values: Values | RowError, source: SourceArguments) -> Row:
    """One row's values under the source's column names. Raises `RowError`."""
    if isinstance(values, RowError):
        raise values
    text, pronounced, ipa, language = (
        values.get(column) or None
        for column in (source.text_column, source.pronounced_column, source.ipa_column, source.language_column)
    )
    for name, value in (("text", text), ("pronounced", pronounced), ("ipa", ipa), ("language", language)):
        if value is not None and not isinstance(value, str):
            raise RowError(f"{name} is {value!r}, not a string")
    if text is None or not text.strip():
        raise RowError("the text is empty")
    if "\ufffd" in f"{text}{pronounced}{ipa}":
        raise RowError("the row is not UTF-8")
    weight = _weight(values.get(source.weight_column)) * source.weight
    return Row(where, text.strip(), (pronounced or text).strip(), ipa, language or source.language, weight)


def _weight(value: Any) -> float:
    if value is None or value == "":
        return 1.0
    try:
        weight = float(value)
    except (TypeError, ValueError):
        weight = -1.0
    if not 0 < weight < float("inf"):
        raise RowError(f"weight is {value!r}: it must be a positive number")
    return weight
