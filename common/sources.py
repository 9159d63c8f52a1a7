"""Rows of a file or data set, some at a time: text by our tolerant reader, Parquet and data sets as Arrow tables."""

import hashlib
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from .extras import needs_extra
from .rows import TEXT_SUFFIXES, Record, read_records

if TYPE_CHECKING:
    import pyarrow as pa

SUFFIXES = (*TEXT_SUFFIXES, ".parquet")
_SURVEYED_TOGETHER = 10_000


class Source(Protocol):
    """Rows in an order that never changes.

    Attributes:
        identity: What tells this input from others, and from itself after a change.
        columns: Names, in order.
        rows: How many there are; None where only reading all of them would tell.
        file: The text file's name, for `file:line`; None where there are no lines.
    """

    identity: dict[str, Any]
    columns: tuple[str, ...]
    rows: int | None
    file: str | None

    def schema(self, strings: Collection[str]) -> "pa.Schema":
        """The Arrow type of each column; those named in `strings` are strings whatever they hold."""

    def shards(self, size: int) -> "Iterator[list[Record] | pa.Table]":
        """All rows, at most `size` at a time and always the same ones together."""


def import_datasets() -> Any:
    """The package `datasets`, and `pyarrow` with it.

    Raises:
        ImportError: If it is missing, saying how to get it.
    """
    with needs_extra("data", "Reading Parquet and data sets"):
        import datasets
    return datasets


def open_source(
    name: str | Path, *, cache: Path, split: str | None = None, config: str | None = None, streaming: bool = False
) -> Source:
    """The rows of a file, or of a data set on the Hub or in a directory.

    Args:
        name: A path ending in one of `SUFFIXES`, a directory of data files, or a name on the Hub.
        cache: Folder for the Arrow copy of a directory. What comes from the Hub goes to `datasets`' own cache.
        split: Of a data set; needed if there are several.
        config: Of a data set; needed if there are several.
        streaming: Read a data set as it comes, without a copy on disk. Files always are.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If the file is of another kind, is empty, or has no proper header; or the split is missing.
        ImportError: If Parquet or a data set is asked for and `datasets` is missing.
    """
    path = Path(name)
    suffix = path.suffix.lower()
    source: Source
    if suffix not in SUFFIXES and not path.is_file():
        source = _open_data_set(str(name), cache, split, config, streaming)
    elif split is not None or config is not None:
        raise ValueError(f"{path} is a file: only data sets have a split or a config.")
    elif suffix not in SUFFIXES:
        raise ValueError(f"{path}: the name must end in {', '.join(SUFFIXES)}.")
    elif not path.is_file():
        raise FileNotFoundError(2, "No such file", str(path))
    else:
        source = TextSource(path) if suffix in TEXT_SUFFIXES else _open_parquet(path)
    if source.rows == 0:
        raise ValueError(f"{name} has no rows: there is nothing to transcribe.")
    return source


def _file_identity(path: Path) -> dict[str, Any]:
    digest = hashlib.sha256()
    with path.open("rb") as content:
        while block := content.read(1 << 20):
            digest.update(block)
    return {"file": str(path.resolve()), "sha256": digest.hexdigest()}


class TextSource:
    """A .txt (column `text`, a row a line), .csv, .tsv or .jsonl file. Reads it once to count rows and find columns."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self.file: str | None = path.name
        self.identity = _file_identity(path)
        names: dict[str, None] = {}
        rows = 0
        for record in read_records(path):
            rows += 1
            names.update(dict.fromkeys(record.values))
        self.columns = tuple(names)
        self.rows: int | None = rows

    def schema(self, strings: Collection[str]) -> "pa.Schema":
        """Strings, but for JSONL: what its values are; a column must then hold values of one kind.

        Raises:
            ValueError: If it does not.
        """
        import_datasets()
        import pyarrow as pa

        if self._path.suffix.lower() != ".jsonl":
            return pa.schema([(name, pa.string()) for name in self.columns])
        found = pa.schema([(name, pa.string() if name in strings else pa.null()) for name in self.columns])
        for records in self.shards(_SURVEYED_TOGETHER):
            for name in self.columns:
                if name not in strings:
                    found = self._widen(found, name, records)
        return found

    def _widen(self, found: "pa.Schema", name: str, records: list[Record]) -> "pa.Schema":
        import pyarrow as pa

        try:
            seen = pa.array([record.values.get(name) for record in records]).type
            return pa.unify_schemas([found, pa.schema([(name, seen)])], promote_options="permissive")
        except (pa.ArrowException, OverflowError) as error:
            raise ValueError(
                f"{self._path}: column {name!r} holds values of different kinds up to line {records[-1].line} "
                f"({error}): write .jsonl, which keeps each as it is."
            ) from error

    def shards(self, size: int) -> Iterator[list[Record]]:
        """All records, `size` at a time."""
        records = read_records(self._path)
        while some := list(islice(records, size)):
            yield some


@dataclass
class TableSource:
    """A Parquet file or a data set, with the features of `datasets` in its schema's metadata."""

    identity: dict[str, Any]
    arrow_schema: "pa.Schema"
    rows: int | None
    read: "Callable[[int], Iterator[pa.Table]]"
    file: str | None = None

    def __post_init__(self) -> None:
        self.columns: tuple[str, ...] = tuple(self.arrow_schema.names)

    def schema(self, strings: Collection[str]) -> "pa.Schema":
        """The source's own."""
        return self.arrow_schema

    def shards(self, size: int) -> "Iterator[pa.Table]":
        """All rows, at most `size` at a time."""
        for table in self.read(size):
            yield table.cast(self.arrow_schema)


def _open_parquet(path: Path) -> TableSource:
    """Read as it comes. Arrow's scanner, which `datasets` uses, would run far ahead, and its builder makes a copy."""
    datasets = import_datasets()
    import pyarrow as pa
    from pyarrow.parquet import ParquetFile

    def read(size: int) -> "Iterator[pa.Table]":
        with ParquetFile(path) as file:
            for batch in file.iter_batches(batch_size=size):
                yield pa.Table.from_batches([batch])

    try:
        with ParquetFile(path) as file:
            schema, rows = file.schema_arrow, file.metadata.num_rows
    except pa.ArrowException as error:
        raise ValueError(f"{path} cannot be read: {error}") from error
    schema = datasets.Features.from_arrow_schema(schema).arrow_schema
    return TableSource(_file_identity(path), schema, rows, read)


def _open_data_set(name: str, cache: Path, split: str | None, config: str | None, streaming: bool) -> TableSource:
    datasets = import_datasets()
    is_local = Path(name).is_dir()
    try:
        builder = datasets.load_dataset_builder(name, config, cache_dir=str(cache) if is_local else None)
    except (OSError, ValueError) as error:
        if is_local:
            raise ValueError(f"{name} cannot be read as a data set: {error}") from error
        raise ValueError(
            f"There is no file {name}, and the Hub did not give a data set of that name: {error}"
        ) from error
    if not streaming:
        with _readable(name):
            builder.download_and_prepare()
    known = builder.as_streaming_dataset() if streaming else builder.info.splits
    split = _choose_split(name, split, list(known))
    dataset = known[split] if streaming else builder.as_dataset(split=split)
    if dataset.features is None:
        raise ValueError("The data set does not say what its columns hold: leave out --streaming.")
    # The hash is the commit on the Hub; config_id tells which of its files.
    identity = {"data set": name, "version": builder.hash, "config": builder.config_id, "split": split}
    counted = (builder.info.splits or {}).get(split)
    rows = len(dataset) if not streaming else counted.num_examples or None if counted else None
    tables = dataset.with_format("arrow")
    return TableSource(identity, dataset.features.arrow_schema, rows, lambda size: tables.iter(batch_size=size))


def _choose_split(name: str, split: str | None, known: list[str]) -> str:
    if split is None and len(known) == 1:
        return known[0]
    if split not in known:
        what = "has several splits" if split is None else f"has no split {split!r}"
        raise ValueError(f"{name} {what}: choose one of {', '.join(known)} with --split.")
    return split


@contextmanager
def _readable(name: str) -> Iterator[None]:
    """Says of an unreadable file which one it is, instead of where `datasets` noticed."""
    from datasets.exceptions import DatasetGenerationError

    try:
        yield
    except DatasetGenerationError as error:
        raise ValueError(f"{name} cannot be read: {error.__cause__ or error}") from error
