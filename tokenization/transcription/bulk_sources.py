"""Where the rows of a bulk run come from: text files line by line, Parquet and Hub data sets through `datasets`."""

import hashlib
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from ipaclip.common.rows import TEXT_SUFFIXES, Record, read_records

if TYPE_CHECKING:
    import pyarrow as pa
    from datasets import Dataset, IterableDataset

SUFFIXES = (*TEXT_SUFFIXES, ".parquet")
_SURVEYED_TOGETHER = 10_000


class Source(Protocol):
    """Rows to be transcribed, in an order that never changes.

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

    def shards(self, size: int, done: Collection[int]) -> Iterator[tuple[int, Any]]:
        """`(number, rows)` of each shard of `size` rows but those done; rows are records, a Dataset or a Table."""


def import_datasets() -> Any:
    """The package `datasets`.

    Raises:
        ImportError: If it is missing, saying how to get it.
    """
    try:
        import datasets
    except ImportError as error:
        raise ImportError(f"Parquet and Hub data sets take the package datasets ({error}): {_INSTALL}") from error
    return datasets


def import_pyarrow() -> Any:
    """The package `pyarrow`, which comes with `datasets`.

    Raises:
        ImportError: If it is missing, saying how to get it.
    """
    try:
        import pyarrow
    except ImportError as error:
        raise ImportError(f"Parquet takes the package pyarrow ({error}): {_INSTALL}") from error
    return pyarrow


_INSTALL = "pip install 'ipaclip[data]'"


def open_source(
    name: str | Path, *, cache: Path, split: str | None = None, config: str | None = None, streaming: bool = False
) -> Source:
    """The rows of a file, or of a data set on the Hub or in a directory.

    Args:
        name: A path ending in one of `SUFFIXES`, a directory of data files, or a name on the Hub.
        cache: Folder for the Arrow copy of local data. What comes from the Hub goes to `datasets`' own cache.
        split: Of a data set; needed if there are several.
        config: Of a data set; needed if there are several.
        streaming: Read a Parquet file or data set as it comes, without a copy on disk.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If the file is of another kind, is empty, or has no proper header; or the split is missing.
        ImportError: If Parquet or a data set is asked for and `datasets` is missing.
    """
    source = _open(name, cache, split, config, streaming=streaming)
    _refuse_empty(name, source.rows)
    return source


def _open(name: str | Path, cache: Path, split: str | None, config: str | None, *, streaming: bool) -> Source:
    path = Path(name)
    suffix = path.suffix.lower()
    is_file = suffix in SUFFIXES or path.is_file()
    if not is_file:
        return _open_data_set(str(name), cache, split, config, streaming)
    if split is not None or config is not None:
        raise ValueError(f"{path} is a file: only data sets have a split or a config.")
    if suffix not in SUFFIXES:
        raise ValueError(f"{path}: the name must end in {', '.join(SUFFIXES)}.")
    if not path.is_file():
        raise FileNotFoundError(2, "No such file", str(path))
    if suffix in TEXT_SUFFIXES:
        return TextSource(path)
    return _open_parquet(path, cache, streaming)


def _refuse_empty(name: str | Path, rows: int | None) -> None:
    if rows == 0:
        raise ValueError(f"{name} has no rows: there is nothing to transcribe.")


# --- text files ---


class TextSource:
    """A .txt (column `text`, a row a line), .csv, .tsv or .jsonl file. Reads it once to count rows and find columns."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self.file: str | None = path.name
        self.identity = {"file": str(path.resolve()), "sha256": _digest(path)}
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
        pa = import_pyarrow()
        if self._path.suffix.lower() != ".jsonl":
            return pa.schema([(name, pa.string()) for name in self.columns])
        found = pa.schema([(name, pa.string() if name in strings else pa.null()) for name in self.columns])
        records = read_records(self._path)
        while some := list(islice(records, _SURVEYED_TOGETHER)):
            for name in self.columns:
                if name not in strings:
                    found = self._widen(pa, found, name, some)
        return found

    def _widen(self, pa: Any, found: "pa.Schema", name: str, records: list[Record]) -> "pa.Schema":
        try:
            seen = pa.array([record.values.get(name) for record in records]).type
            return pa.unify_schemas([found, pa.schema([(name, seen)])], promote_options="permissive")
        except (pa.ArrowException, OverflowError) as error:
            raise ValueError(
                f"{self._path}: column {name!r} holds values of different kinds up to line {records[-1].line} "
                f"({error}): write .jsonl, which keeps each as it is."
            ) from error

    def shards(self, size: int, done: Collection[int]) -> Iterator[tuple[int, list[Record]]]:
        """`(number, records)` of each shard but those done."""
        records, number = read_records(self._path), 0
        while some := list(islice(records, size)):
            if number not in done:
                yield number, some
            number += 1


def _digest(path: Path) -> str:
    digest = hashlib.sha256()
    with path.open("rb") as content:
        while block := content.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()


# --- Parquet files and data sets ---


@dataclass
class TableSource:
    """A `datasets.Dataset`: memory-mapped, so that a worker is sent a path and a range, not the rows."""

    dataset: "Dataset"
    identity: dict[str, Any]

    def __post_init__(self) -> None:
        self.file: str | None = None
        self.columns: tuple[str, ...] = tuple(self.dataset.column_names)
        self.rows: int | None = len(self.dataset)

    def schema(self, strings: Collection[str]) -> "pa.Schema":
        """The data set's own, with its features in the metadata, where `datasets` looks for them."""
        return self.dataset.features.arrow_schema

    def shards(self, size: int, done: Collection[int]) -> Iterator[tuple[int, "Dataset"]]:
        """`(number, slice)` of each shard but those done."""
        for number, start in enumerate(range(0, len(self.dataset), size)):
            if number not in done:
                yield number, self.dataset.select(range(start, min(start + size, len(self.dataset))))


class ParquetSource:
    """A Parquet file read as it comes, without a copy. Arrow's scanner, which `datasets` uses, would run far ahead."""

    def __init__(self, path: Path, identity: dict[str, Any], rows: int) -> None:
        from pyarrow.parquet import read_schema

        self._path = path
        # As datasets would have them, so that the output does not depend on how the file was read.
        self._schema = import_datasets().Features.from_arrow_schema(read_schema(path)).arrow_schema
        self.identity = identity
        self.columns: tuple[str, ...] = tuple(self._schema.names)
        self.rows: int | None = rows
        self.file: str | None = None

    def schema(self, strings: Collection[str]) -> "pa.Schema":
        """The file's own, with its features in the metadata, where `datasets` looks for them."""
        return self._schema

    def shards(self, size: int, done: Collection[int]) -> Iterator[tuple[int, "pa.Table"]]:
        """`(number, table)` of each shard but those done."""
        for number, table in enumerate(self._tables(size)):
            if number not in done:
                yield number, table

    def _tables(self, size: int) -> Iterator["pa.Table"]:
        from pyarrow import Table
        from pyarrow.parquet import ParquetFile

        with ParquetFile(self._path) as file:
            waiting = self._schema.empty_table()
            for batch in file.iter_batches(batch_size=size):
                more = Table.from_batches([batch]).cast(self._schema)
                waiting = Table.from_batches([*waiting.to_batches(), *more.to_batches()], schema=self._schema)
                while len(waiting) >= size:
                    yield waiting[:size]
                    waiting = waiting[size:]
            if len(waiting):
                yield waiting


@dataclass
class StreamSource:
    """A `datasets.IterableDataset`, read from its beginning and only once."""

    dataset: "IterableDataset"
    identity: dict[str, Any]
    rows: int | None

    def __post_init__(self) -> None:
        self.file: str | None = None
        if self.dataset.features is None:
            raise ValueError("The data set does not say what its columns hold: leave out --streaming.")
        self.columns: tuple[str, ...] = tuple(self.dataset.features)

    def schema(self, strings: Collection[str]) -> "pa.Schema":
        """The data set's own, with its features in the metadata, where `datasets` looks for them."""
        return self.dataset.features.arrow_schema

    def shards(self, size: int, done: Collection[int]) -> Iterator[tuple[int, "pa.Table"]]:
        """`(number, table)` of each shard but those done. Rows that were done first are skipped."""
        first = 0
        while first in done:
            first += 1
        tables = self.dataset.skip(first * size).with_format("arrow").iter(batch_size=size)
        for number, table in enumerate(tables, first):
            if number not in done:
                yield number, table.cast(self.dataset.features.arrow_schema)


def _open_parquet(path: Path, cache: Path, streaming: bool) -> Source:
    datasets, pa = import_datasets(), import_pyarrow()
    from pyarrow.parquet import read_metadata

    try:
        rows = read_metadata(path).num_rows
    except pa.ArrowException as error:
        raise ValueError(f"{path} cannot be read: {error}") from error
    _refuse_empty(path, rows)  # datasets stumbles over such a file
    identity = {"file": str(path.resolve()), "sha256": _digest(path)}
    # load_dataset("parquet", ...) would report each use to the Hub; from_parquet does not.
    if streaming:
        return ParquetSource(path, identity, rows)
    with _readable(str(path)), _without_bars(datasets):
        return TableSource(datasets.Dataset.from_parquet(str(path), cache_dir=str(cache)), identity)


def _open_data_set(name: str, cache: Path, split: str | None, config: str | None, streaming: bool) -> Source:
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
    # The hash is the commit on the Hub; config_id tells which of its files.
    identity = {"data set": name, "version": builder.hash, "config": builder.config_id}
    if streaming:
        splits = builder.as_streaming_dataset()
        split = identity["split"] = _choose_split(name, split, list(splits))
        known = (builder.info.splits or {}).get(split)
        return StreamSource(splits[split], identity, known.num_examples if known and known.num_examples else None)
    with _readable(name):
        builder.download_and_prepare()
    split = identity["split"] = _choose_split(name, split, list(builder.info.splits))
    return TableSource(builder.as_dataset(split=split), identity)


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


@contextmanager
def _without_bars(datasets: Any) -> Iterator[None]:
    were_on = not datasets.are_progress_bars_disabled()
    datasets.disable_progress_bars()
    try:
        yield
    finally:
        if were_on:
            datasets.enable_progress_bars()
