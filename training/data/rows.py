"""Rows of text from files and from the Hub, one at a time, each with the place that it comes from."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ipaclip.common.rows import TEXT_COLUMN, TEXT_SUFFIXES, read_records
from ipaclip.common.sources import import_datasets

from ..arguments import ArgumentsError, SourceArguments


@dataclass(frozen=True)
class Row:
    """One training pair: what the teacher reads, what is said, in which language, how often in an epoch."""

    where: str
    text: str
    pronounced: str
    ipa: str | None
    language: str
    weight: float


@dataclass(frozen=True)
class RejectedRow:
    """A row that cannot be trained on; it is set aside and the rest goes on."""

    where: str
    reason: str


def read_rows(source: SourceArguments) -> Iterator[Row | RejectedRow]:
    """Each row of a source, its place being `file:line` or `name:row`, its text within the template.

    Of JSONL, CSV, TSV and TXT (a text a line) a broken line does not stop the rest; Parquet and names of Hub data sets
    go through `datasets`, streamed.

    Raises:
        ArgumentsError: for a file that is missing, empty or of another kind, is in UTF-16, has no text column, or names
            a column twice.
    """
    rows, columns = 0, set[str]()
    is_text = Path(source.path).suffix.lower() in TEXT_SUFFIXES
    for number, values, broken in _read_file(source) if is_text else _read_dataset(source):
        rows += 1
        where = f"{source.path}:{number}"
        if broken is not None:
            yield RejectedRow(where, broken)
            continue
        if source.text_column not in columns:
            columns.update(key for key in values if isinstance(key, str))
        try:
            yield _parse(where, values, source)
        except ValueError as error:
            yield RejectedRow(where, str(error))
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


# Number, values, and why the row is broken if it is.
_Records = Iterable[tuple[int, dict[str, Any], str | None]]


def _read_file(source: SourceArguments) -> _Records:
    is_txt = Path(source.path).suffix.lower() == ".txt"
    try:
        for line, values, broken in read_records(Path(source.path), whole=False):
            if not is_txt or broken is not None:
                yield line, values, broken
            elif values[TEXT_COLUMN].strip():
                yield line, {source.text_column: values[TEXT_COLUMN]}, None
    except ValueError as error:
        raise ArgumentsError(f"data.train: {error}") from error


def _read_dataset(source: SourceArguments) -> _Records:
    datasets = import_datasets()
    is_file, number = Path(source.path).suffix.lower() == ".parquet", 0
    name: tuple[str, str | None] = ("parquet", None) if is_file else (source.path, source.config)
    options = {"data_files": source.path, "split": "train"} if is_file else {
        "split": source.split, "revision": source.revision
    }  # fmt: skip
    try:
        for number, values in enumerate(datasets.load_dataset(*name, **options, streaming=True), 1):
            yield number, values, None
    except (OSError, ValueError) as error:  # datasets' own errors are of these kinds
        reason = " ".join(str(error).split())
        is_there = is_file or number
        what = (
            f"cannot be read after row {number}" if is_there else "is neither a file nor a data set that can be loaded"
        )
        raise ArgumentsError(f"data.train: {source.path} {what}: {reason}") from error


def _parse(where: str, values: dict[str, Any], source: SourceArguments) -> Row:
    """One row's values under the source's column names. Raises `ValueError`."""
    text, pronounced, ipa, language = (
        values.get(column) or None
        for column in (source.text_column, source.pronounced_column, source.ipa_column, source.language_column)
    )
    for name, value in (("text", text), ("pronounced", pronounced), ("ipa", ipa), ("language", language)):
        if value is not None and not isinstance(value, str):
            raise ValueError(f"{name} is {value!r}, not a string")
    if text is None or not text.strip():
        raise ValueError("the text is empty")
    if "\ufffd" in f"{text}{pronounced}{ipa}":
        raise ValueError("the row holds U+FFFD, which stands where a character was lost")
    return Row(
        where, source.template.format(text.strip()), (pronounced or text).strip(), ipa, language or source.language,
        _weight(values.get(source.weight_column)) * source.weight,
    )  # fmt: skip


def _weight(value: Any) -> float:
    try:
        weight = 1.0 if value in (None, "") else float(value)
    except (TypeError, ValueError, OverflowError):
        weight = -1.0
    if not 0 < weight < float("inf"):
        raise ValueError(f"weight is {value!r}: it must be a positive number")
    return weight
