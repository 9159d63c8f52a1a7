"""Whole files and data sets → IPA: on several cores, set aside what cannot be said, go on where it stopped.

A run on `OUTPUT` works in the folder `OUTPUT.partial`: what is written of the output and of the rejected rows, and a
journal of what was asked and how far both files are whole. After an interruption what is behind that is cut off, and
rows are read on from there. In the end the files are put in place by renaming, and the folder goes. What a shard of
rows adds depends on its rows and the options alone, and shards are written in order, so neither the number of processes
nor an interruption changes a byte.
"""

import json
import logging
import multiprocessing
import os
import shutil
import signal
import threading
from collections import deque
from collections.abc import Collection, Generator, Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import closing, contextmanager
from dataclasses import asdict, dataclass, field
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ipaclip.common.files import HeldError, copy_file, take_lock, write_json
from ipaclip.common.progress import Progress
from ipaclip.common.sources import SUFFIXES, Source, import_datasets, open_source

from .bulk_output import OutputFormat, Rows
from .pronunciation import Answer, BulkError, Pronunciation

if TYPE_CHECKING:
    from datasets import Dataset, IterableDataset

logger = logging.getLogger(__name__)

_JOURNAL, _LOCK, _CACHE, _OUTPUT, _REJECTED = "journal.json", "lock", "cache", "output", "rejected"
_FOLDER_FORMAT = 2


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
        streaming: Read a data set as it comes, without a copy on disk. Files always are.
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
    _check_request(input, output, rejected, overwrite, num_proc=num_proc, rows_per_shard=rows_per_shard)
    said = Pronunciation.of(column, language, language_column, backend)
    with _claimed(output) as folder:
        source = open_source(input, cache=folder / _CACHE, split=split, config=config, streaming=streaming)
        _check_columns(source.columns, str(input), said, ipa_column, overwrite_column)
        run = _Run(output, folder, source, said, OutputFormat.of(source, output.suffix.lower(), ipa_column, said))
        journal = run.open_journal(rows_per_shard)
        if journal.finished is None:
            _refuse_existing(output, rejected, overwrite)
            run.write(journal, num_proc, progress)
        return _put_in_place(folder, output, rejected, journal)


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
    said = Pronunciation.of(column, language, language_column, backend)
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
    add = _AddIPA(said, ipa_column, reason_column, said.versions())
    columns = [column] if language_column is None else [column, language_column]
    return dataset.map(add, batched=True, input_columns=columns, **options)


@dataclass(frozen=True)
class _AddIPA:
    """What `map` calls. The versions are there for its cache, which must not outlive them."""

    said: Pronunciation
    ipa_column: str
    reason_column: str
    versions: dict[str, str]

    def __call__(self, texts: list[object], languages: list[object] | None = None) -> dict[str, list[str | None]]:
        answers = self.said.answer(texts, languages or [None] * len(texts))
        return {
            self.ipa_column: [answer.ipa for answer in answers],
            self.reason_column: [answer.reason for answer in answers],
        }


# --- whether it can be done ---


def _check_request(
    source: str | Path, output: Path, rejected: Path, overwrite: bool, *, num_proc: int, rows_per_shard: int
) -> None:
    if num_proc < 1 or rows_per_shard < 1:
        raise BulkError(f"num_proc and rows_per_shard must be at least 1, not {num_proc} and {rows_per_shard}.")
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


# --- the folder of an unfinished run ---


def _folder(output: Path) -> Path:
    return output.with_name(f"{output.name}.partial")


@contextmanager
def _claimed(output: Path) -> Iterator[Path]:
    """The folder of the run, which no other process works in meanwhile; gone afterwards if nothing is worth keeping."""
    folder = _folder(output)
    try:
        lock = take_lock(folder / _LOCK)
    except HeldError as error:
        raise BulkError(
            f"Another process (pid {error.pid}) is at work on {output}: wait for it, or stop it."
        ) from error
    try:
        yield folder
    finally:
        if not (folder / _JOURNAL).exists():
            shutil.rmtree(folder, ignore_errors=True)
        lock.release()


@dataclass
class _Journal:
    """What was asked, and how far the run has come.

    Attributes:
        settings: All that the output depends on.
        shards, rows, rejected: How many are done.
        sizes: Bytes of the output and of the list of rejected rows that are whole.
        languages: Of the rows that have IPA.
        finished: The file that is the output, once all is written.
    """

    settings: dict[str, Any]
    shards: int = 0
    rows: int = 0
    rejected: int = 0
    sizes: dict[str, int] = field(default_factory=lambda: {_OUTPUT: 0, _REJECTED: 0})
    languages: list[str] = field(default_factory=list)
    finished: str | None = None

    def save(self, folder: Path) -> None:
        write_json(folder / _JOURNAL, asdict(self))


def _put_in_place(folder: Path, output: Path, rejected: Path, journal: _Journal) -> BulkReport:
    """Moves what was written to where it belongs, and empties the folder. Broken off, it can be done again."""
    assert journal.finished is not None
    listed, made = folder / _REJECTED, folder / journal.finished
    if listed.exists():
        if journal.rejected:
            copy_file(listed, rejected)
        else:
            rejected.unlink(missing_ok=True)
        listed.unlink()
    if made.exists():
        os.replace(made, output)
    (folder / _JOURNAL).unlink()
    rejected_path = rejected if journal.rejected else None
    return BulkReport(journal.rows, journal.rows - journal.rejected, journal.rejected, rejected_path, output)


# --- the work ---


@dataclass(frozen=True)
class _Run:
    """Rows of one source, said and written to the folder of one output."""

    output: Path
    folder: Path
    source: Source
    said: Pronunciation
    format: OutputFormat

    def open_journal(self, rows_per_shard: int) -> _Journal:
        """A new journal, or that of the run that was interrupted, if it is the same run.

        Raises:
            BulkError: If it is another.
        """
        settings = {
            "folder format": _FOLDER_FORMAT,
            "input": self.source.identity,
            "column": self.said.column,
            "language": self.said.language,
            "language column": self.said.language_column,
            "backend": self.said.backend,
            "IPA column": self.format.ipa_column,
            "rows per shard": rows_per_shard,
            "versions": self.said.versions(),
        }
        path = self.folder / _JOURNAL
        if not path.exists():
            journal = _Journal(settings)
            journal.save(self.folder)
            return journal
        journal = _Journal(**json.loads(path.read_text(encoding="utf-8")))
        before = journal.settings
        changed = [name for name in settings if settings[name] != before.get(name)]
        if changed:
            what = "; ".join(f"{name} was {before.get(name)!r} and is {settings[name]!r}" for name in changed)
            raise BulkError(
                f"{self.output} was begun otherwise and not finished: {what}. Go on as it was begun, choose another "
                f"output, or delete {self.folder} to begin anew."
            )
        return journal

    def write(self, journal: _Journal, num_proc: int, progress: bool) -> None:
        """Does all shards that are not done, and makes the output of them.

        Raises:
            BulkError: If a worker dies, or the input has other rows than it had.
        """
        if journal.rows:
            logger.info("%s: going on after %d rows", self.output, journal.rows)
        for name, size in journal.sizes.items():
            (self.folder / name).touch()
            os.truncate(self.folder / name, size)
        shards = islice(self.source.shards(journal.settings["rows per shard"]), journal.shards, None)
        working = _answered(self.said, shards, num_proc)
        bar = Progress(self.output.name, self.source.rows, unit="rows", initial=journal.rows, shown=progress)
        try:
            with bar, closing(working):
                for rows, answers in working:
                    self._append(journal, rows, answers)
                    bar.update(len(answers))
        except KeyboardInterrupt:
            logger.warning("%s: interrupted after %d rows; the same command goes on there", self.output, bar.n)
            raise
        if self.source.rows not in (None, journal.rows):
            raise BulkError(
                f"The input changed while it was read: it had {self.source.rows} rows, and then {journal.rows}."
            )
        how = {"language": self.said.language, "backend": self.said.backend, "versions": self.said.versions()}
        if self.said.language_column is not None:
            how["backends"] = self.said.chains(journal.languages)
        journal.finished = self.format.finish(self.folder / _OUTPUT, how).name
        journal.save(self.folder)

    def _append(self, journal: _Journal, rows: Rows, answers: list[Answer]) -> None:
        """Writes one shard; only when it is on disk, the journal says so."""
        new = {_OUTPUT: self.format.encode(rows, answers), _REJECTED: self._rejections(journal.rows, rows, answers)}
        if journal.shards == 0:
            new[_OUTPUT] = self.format.header() + new[_OUTPUT]
        for name, content in new.items():
            with (self.folder / name).open("ab") as file:
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
            journal.sizes[name] += len(content)
        journal.shards += 1
        journal.rows += len(answers)
        journal.rejected += sum(answer.ipa is None for answer in answers)
        if self.said.language_column is not None:
            _, _, languages = _asked(self.said, rows)
            said = {self.said.language_of(own) for own, answer in zip(languages, answers, strict=True) if answer.ipa}
            journal.languages = sorted({*journal.languages, *map(str, said)})
        journal.save(self.folder)

    def _rejections(self, before: int, rows: Rows, answers: list[Answer]) -> bytes:
        lines = []
        for place, answer in enumerate(answers):
            if answer.ipa is None:
                line = f"{self.source.file}:{rows[place].line}" if isinstance(rows, list) else None
                where = {} if line is None else {"where": line}
                rejection = {"row": before + place + 1, **where, "reason": answer.reason}
                lines.append(json.dumps(rejection, ensure_ascii=False) + "\n")
        return "".join(lines).encode()


def _asked(said: Pronunciation, rows: Rows) -> tuple[list[str | None], list[object], list[object]]:
    """Of each row why it cannot be asked, its text, and its own language."""
    if not isinstance(rows, list):
        languages = rows[said.language_column].to_pylist() if said.language_column else [None] * len(rows)
        return [None] * len(rows), rows[said.column].to_pylist(), languages
    missing = f"the row has no {said.column!r}"
    problems = [row.broken or (None if said.column in row.values else missing) for row in rows]
    texts = [row.values[said.column] if why is None else None for row, why in zip(rows, problems, strict=True)]
    languages = [row.values.get(said.language_column) if said.language_column else None for row in rows]
    return problems, texts, languages


def _answers(
    said: Pronunciation, problems: list[str | None], texts: list[object], languages: list[object]
) -> list[Answer]:
    answers = said.answer(texts, languages)
    return [answer if why is None else Answer(None, why) for why, answer in zip(problems, answers, strict=True)]


def _answered(
    said: Pronunciation, shards: Iterator[Rows], num_proc: int
) -> Generator[tuple[Rows, list[Answer]], None, None]:
    """Shards in order with their answers. Workers get texts alone, and only a few shards are read ahead."""
    if num_proc == 1:
        for rows in shards:
            yield rows, _answers(said, *_asked(said, rows))
        return
    spawn = multiprocessing.get_context("spawn")  # a fork of a process with threads may hang
    workers = ProcessPoolExecutor(num_proc, mp_context=spawn, initializer=_follow_parent)
    waiting: deque[tuple[Rows, Future[list[Answer]]]] = deque()
    try:
        for rows in shards:
            waiting.append((rows, workers.submit(_answers, said, *_asked(said, rows))))
            if len(waiting) >= 2 * num_proc:
                first, future = waiting.popleft()
                yield first, future.result()
        for rows, future in waiting:
            yield rows, future.result()
    except BrokenProcessPool as error:
        raise BulkError(
            "A worker process ended early. Was there too little memory? In a script of your own, is its main part "
            'guarded by `if __name__ == "__main__":`? What is done is kept, and the same command goes on.'
        ) from error
    finally:
        workers.shutdown(cancel_futures=True)


def _follow_parent() -> None:
    """Prepares a worker process: it leaves Ctrl-C to its parent, and ends when that is gone."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    parent = multiprocessing.parent_process()
    if parent is not None:
        threading.Thread(target=_end_after, args=(parent,), daemon=True).start()


def _end_after(parent: Any) -> None:
    parent.join()
    os._exit(1)
