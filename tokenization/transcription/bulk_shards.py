"""The shards of a bulk run: rows in, a part of the output and the rows set aside out, joined in the end."""

import csv
import json
import os
import shutil
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TextIO

from ipaclip.common.files import whole_file, write_json
from ipaclip.common.rows import Record

from .bulk_sources import import_pyarrow
from .transcriber import Transcriber, UnknownLanguageError, get_transcriber

if TYPE_CHECKING:
    import pyarrow as pa

REJECTED = ".rejected.jsonl"
COUNTS = ".counts.json"
JOINED = "joined"


@dataclass(frozen=True)
class Answer:
    """What became of a row: its IPA, or the reason why it has none."""

    ipa: str | None
    reason: str | None = None


@dataclass(frozen=True)
class Pronunciation:
    """Which column is said, in which language, by what.

    Attributes:
        column: Holds the text.
        language: Of rows that do not say; None where each row must.
        language_column: Holds the language of each row.
        backend: As `get_transcriber` takes it.
    """

    column: str
    language: str | None
    language_column: str | None
    backend: str

    def answer(self, texts: Sequence[object], languages: Sequence[object]) -> list[Answer]:
        """One answer for each text; `languages` are the rows' own, or None."""
        answers: list[Answer] = []
        by_language: dict[str, list[int]] = {}
        for index, (text, own) in enumerate(zip(texts, languages, strict=True)):
            language = self.language if own is None or own == "" else own
            reason = self._why_unusable(text, language)
            answers.append(Answer(None, reason))
            if reason is None:
                by_language.setdefault(str(language), []).append(index)
        for language, indices in by_language.items():
            for index, answer in zip(indices, self._say(language, [str(texts[i]) for i in indices]), strict=True):
                answers[index] = answer
        return answers

    def _why_unusable(self, text: object, language: object) -> str | None:
        if text is None or (isinstance(text, str) and not text.strip()):
            return f"{self.column} is empty"
        if not isinstance(text, str):
            return f"{self.column} is {text!r}, not a string"
        if language is None:
            return f"{self.language_column} is empty, and no language is given for rows that do not say"
        if not isinstance(language, str):
            return f"{self.language_column} is {language!r}, not a string"
        return None

    def chains(self, languages: Iterable[object]) -> dict[str, str]:
        """Language → what transcribed it, as `Transcriber.chain` names it; `languages` are those that rows have."""
        own = {self.language if language is None or language == "" else language for language in languages}
        return {language: get_transcriber(language, self.backend).chain for language in sorted(map(str, own))}

    def _say(self, language: str, texts: list[str]) -> Iterator[Answer]:
        try:
            transcriber: Transcriber = get_transcriber(language, self.backend)
        except UnknownLanguageError as error:
            yield from (Answer(None, str(error)) for _ in texts)
            return
        for said in transcriber.transcribe_each(texts):
            yield Answer(said) if isinstance(said, str) else Answer(None, str(said))


@dataclass(frozen=True)
class ShardJob:
    """What a worker must know to turn any shard of a run into files in `folder`.

    Attributes:
        folder: Where the parts go.
        suffix: Of the output.
        size: Rows of a shard.
        pronunciation: How rows are said.
        columns: Of the output, in order, `ipa_column` among them.
        ipa_column: Takes the IPA.
        schema: Arrow types of `columns`, for Parquet.
        file: The text file's name, for `file:line`.
    """

    folder: Path
    suffix: str
    size: int
    pronunciation: Pronunciation
    columns: tuple[str, ...]
    ipa_column: str
    schema: "pa.Schema | None"
    file: str | None

    def part(self, number: int, suffix: str | None = None) -> Path:
        """The file of a shard: its part of the output, or another with that suffix."""
        return self.folder / f"{number:08d}{self.suffix if suffix is None else suffix}"

    def run(self, number: int, rows: Any) -> dict[str, int]:
        """Transcribes a shard (records, a Dataset or an Arrow Table) and writes its files, the counts last.

        Returns:
            How many rows there were, and how many of them were rejected.
        """
        if not isinstance(rows, list) and hasattr(rows, "with_format"):
            rows = rows.with_format("arrow")[:]
        answers = self._answer_records(rows) if isinstance(rows, list) else self._answer_table(rows)
        with whole_file(self.part(number)) as path:
            self._write(path, rows, answers)
        with whole_file(self.part(number, REJECTED)) as path:
            path.write_bytes("".join(self._rejections(number, rows, answers)).encode())
        counts = {"rows": len(answers), "rejected": sum(answer.ipa is None for answer in answers)}
        write_json(self.part(number, COUNTS), counts)  # whoever finds this finds the others
        return counts

    def _answer_records(self, records: list[Record]) -> list[Answer]:
        said = self.pronunciation
        problems = [record.broken or self._why_missing(record) for record in records]
        sound = [record for record, problem in zip(records, problems, strict=True) if problem is None]
        languages = [record.values.get(said.language_column) if said.language_column else None for record in sound]
        answers = iter(said.answer([record.values[said.column] for record in sound], languages))
        return [next(answers) if problem is None else Answer(None, problem) for problem in problems]

    def _why_missing(self, record: Record) -> str | None:
        column = self.pronunciation.column
        return None if column in record.values else f"the row has no {column!r}"

    def _answer_table(self, table: "pa.Table") -> list[Answer]:
        said = self.pronunciation
        languages = table[said.language_column].to_pylist() if said.language_column else [None] * len(table)
        return said.answer(table[said.column].to_pylist(), languages)

    def _rejections(self, number: int, rows: Any, answers: list[Answer]) -> Iterator[str]:
        for place, answer in enumerate(answers):
            if answer.ipa is None:
                rejection: dict[str, object] = {"row": number * self.size + place + 1}
                if self.file is not None:
                    rejection["where"] = f"{self.file}:{rows[place].line}"
                yield json.dumps({**rejection, "reason": answer.reason}, ensure_ascii=False) + "\n"

    def _write(self, path: Path, rows: Any, answers: list[Answer]) -> None:
        if self.suffix == ".txt":
            # Lines stay parallel to the rows: a row set aside leaves its line empty.
            path.write_bytes("".join(f"{answer.ipa or ''}\n" for answer in answers).encode())
        elif self.suffix == ".parquet":
            from pyarrow.parquet import write_table

            write_table(self._table(rows, answers), path)
        else:
            write = write_jsonl if self.suffix == ".jsonl" else self.write_cells
            with path.open("w", encoding="utf-8", newline="") as stream:
                write(stream, self._values(rows, answers))

    def _values(self, rows: Any, answers: list[Answer]) -> Iterator[dict[str, Any]]:
        values = (row.values for row in rows) if isinstance(rows, list) else iter(rows.to_pylist())
        for row, answer in zip(values, answers, strict=True):
            if answer.ipa is not None:
                yield {**row, self.ipa_column: answer.ipa}

    def _table(self, rows: Any, answers: list[Answer]) -> "pa.Table":
        pa = import_pyarrow()
        if isinstance(rows, list):
            return pa.Table.from_pylist(list(self._values(rows, answers)), schema=self.schema)
        ipa = pa.array([answer.ipa for answer in answers], pa.string())
        columns = [ipa if name == self.ipa_column else rows[name] for name in self.columns]
        return pa.Table.from_arrays(columns, schema=self.schema).filter(ipa.is_valid())

    def write_cells(self, stream: TextIO, rows: Iterable[dict[str, Any]]) -> None:
        """Rows of a CSV or TSV, without a header."""
        plain = csv.writer(stream, lineterminator="\n")
        quoting = csv.writer(stream, lineterminator="\n", quoting=csv.QUOTE_ALL)
        for row in rows:
            cells = [row.get(name) for name in self.columns]
            if self.suffix == ".tsv":
                stream.write("\t".join(map(_tsv_cell, cells)) + "\n")
                continue
            # csv leaves a lone carriage return unquoted, and readers take it for the end of the row.
            returns = any(isinstance(cell, str) and "\r" in cell for cell in cells)
            (quoting if returns else plain).writerow(cells)


def _tsv_cell(value: Any) -> str:
    """Quoted only if it must be: in a .tsv, quotation marks around anything else are text."""
    text = "" if value is None else str(value)
    return '"' + text.replace('"', '""') + '"' if any(sign in text for sign in '"\t\r\n') else text


def join_shards(job: ShardJob, versions: dict[str, str | None]) -> None:
    """The parts → one file of the output's format, and one of all rejected rows, both still in the folder.

    A Parquet file says in its metadata, under `ipaclip`, what transcribed it; with a column of languages, for each.
    """
    numbers = range(len(list(job.folder.glob(f"*{COUNTS}"))))
    with whole_file(job.folder / REJECTED) as path, path.open("wb") as joined:
        _append(joined, (job.part(number, REJECTED) for number in numbers))
    parts = [job.part(number) for number in numbers]
    with whole_file(job.folder / f"{JOINED}{job.suffix}") as path:
        if job.suffix == ".parquet":
            _join_parquet(path, parts, job, versions)
        else:
            if job.suffix in (".csv", ".tsv"):
                with path.open("w", encoding="utf-8", newline="") as stream:
                    job.write_cells(stream, [{name: name for name in job.columns}])
            with path.open("ab") as joined:
                _append(joined, parts)


def _append(joined: Any, parts: Iterable[Path]) -> None:
    for part in parts:
        with part.open("rb") as content:
            shutil.copyfileobj(content, joined)


def _join_parquet(path: Path, parts: Sequence[Path], job: ShardJob, versions: dict[str, str | None]) -> None:
    from pyarrow.parquet import ParquetFile, ParquetWriter

    assert job.schema is not None
    said = job.pronunciation
    how: dict[str, Any] = {"language": said.language, "backend": said.backend, "versions": versions}
    if said.language_column is not None:
        how["backends"] = said.chains(_values_of(said.language_column, parts))
    schema = job.schema.with_metadata({**(job.schema.metadata or {}), b"ipaclip": json.dumps(how).encode()})
    with ParquetWriter(path, schema) as writer:
        for part in parts:
            with ParquetFile(part) as shard:
                table = shard.read()
            if len(table):
                writer.write_table(table.cast(schema))


def _values_of(column: str, parts: Iterable[Path]) -> set[object]:
    from pyarrow.parquet import ParquetFile

    values = set[object]()
    for part in parts:
        with ParquetFile(part) as shard:
            values.update(shard.read(columns=[column])[column].unique().to_pylist())
    return values


def write_jsonl(stream: TextIO, rows: Iterable[dict[str, Any]]) -> None:
    """One JSON object a line, in UTF-8 and not escaped."""
    for row in rows:
        stream.write(json.dumps(row, ensure_ascii=False) + "\n")


_job: ShardJob | None = None


def start_worker(job: ShardJob) -> None:
    """Prepares a worker process: it leaves Ctrl-C to its parent, and ends when that is gone."""
    import multiprocessing
    import signal
    import threading

    global _job  # noqa: PLW0603
    _job = job
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    parent = multiprocessing.parent_process()
    if parent is not None:
        threading.Thread(target=_end_with, args=(parent.join,), daemon=True).start()


def _end_with(wait: Callable[[], None]) -> None:
    wait()
    os._exit(1)


def run_in_worker(number: int, rows: Any) -> dict[str, int]:
    """`ShardJob.run` of the job that the worker was started with."""
    assert _job is not None
    return _job.run(number, rows)
