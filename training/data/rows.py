"""Rows of text from files and from the Hub, one at a time, each with the place that it comes from."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ipaclip.common.rows import TEXT_COLUMN, TEXT_SUFFIXES, read_records

from ..arguments import ArgumentsError, SourceArguments

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

    Of JSONL, CSV, TSV and TXT (a text a line) a broken line does not stop the rest; Parquet and names of Hub data sets
    go through `datasets`, streamed.

    Raises:
        ArgumentsError: for a file that is missing, empty or of another kind, is in UTF-16, has no text column, or names
            a column twice.
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
    if path.suffix.lower() in (*TEXT_SUFFIXES, ".parquet"):
        if not path.is_file():
            raise ArgumentsError(f"data.train: there is no file {path}")
    elif path.exists():
        raise ArgumentsError(f"data.train: {path} must end in {', '.join(TEXT_SUFFIXES)} or .parquet")


def _reader(source: SourceArguments) -> Iterator[tuple[int, Values | RowError]]:
    path = Path(source.path)
    return _read_file(source, path) if path.suffix.lower() in TEXT_SUFFIXES else _read_dataset(source, path)


def _read_file(source: SourceArguments, path: Path) -> Iterator[tuple[int, Values | RowError]]:
    is_txt = path.suffix.lower() == ".txt"
    try:
        for line, values, broken in read_records(path, whole=False):
            if broken is not None:
                yield line, RowError(broken)
            elif not is_txt:
                yield line, values
            elif values[TEXT_COLUMN].strip():
                yield line, {source.text_column: values[TEXT_COLUMN].strip()}
    except ValueError as error:
        raise ArgumentsError(f"data.train: {error}") from error


def _read_dataset(source: SourceArguments, path: Path) -> Iterator[tuple[int, Values | RowError]]:
    try:
        import datasets
    except ImportError as error:
        raise ArgumentsError(
            f"data.train: {path} is read with the package datasets: pip install 'ipaclip[data]'"
        ) from error
    if path.suffix.lower() == ".parquet":
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
        raise RowError("the row holds U+FFFD, which stands where a character was lost")
    weight = _weight(values.get(source.weight_column)) * source.weight
    return Row(where, text.strip(), (pronounced or text).strip(), ipa, language or source.language, weight)


def _weight(value: Any) -> float:
    if value is None or value == "":
        return 1.0
    try:
        weight = float(value)
    except (TypeError, ValueError, OverflowError):
        weight = -1.0
    if not 0 < weight < float("inf"):
        raise RowError(f"weight is {value!r}: it must be a positive number")
    return weight
