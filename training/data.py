"""Rows of text → what a run trains on: texts for the teacher, phoneme ids for the student, a weight each."""

import csv
import json
import logging
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from ipaclip.tokenization import IPATokenizer, TranscriptionError, get_transcriber

from .arguments import ArgumentsError, DataArguments
from .held_out import HeldOutWords

logger = logging.getLogger(__name__)

REJECTED_FILE = "rejected.jsonl"


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
class TrainingData:
    """The teacher reads `texts[i]`, the student `phonemes[i]` (ids with `<s>`, `</s>`), `weights[i]` times an epoch."""

    texts: list[str]
    phonemes: list[np.ndarray]
    weights: np.ndarray
    ipa: list[str]
    transcribers: dict[str, str]
    rejected: int

    def __len__(self) -> int:
        return len(self.texts)


class RowError(ValueError):
    """A row that cannot be trained on; it is set aside and the rest goes on."""


def load_data(arguments: DataArguments, tokenizer: IPATokenizer, max_length: int, output_dir: Path) -> TrainingData:
    """Reads, transcribes and tokenizes all rows; those that cannot be used go to `rejected.jsonl` with their reasons.

    Raises:
        ArgumentsError: for a file that is missing, empty or without the text column, or when no row is left.
    """
    rejected: list[dict[str, str]] = []
    rows: list[Row] = []
    for path in arguments.train:
        for where, values in read_rows(Path(path), arguments.text_column):
            try:
                rows.append(parse_row(where, values, arguments))
            except RowError as error:
                rejected.append({"row": where, "reason": str(error)})
    held_out = HeldOutWords.from_file(tokenizer, arguments.held_out)
    ipa, transcribers = transcribe_rows(rows, arguments.transcriber, rejected)
    said = [(row, one) for row, one in zip(rows, ipa, strict=True) if one is not None]
    encoded = tokenizer([one for _, one in said])["input_ids"] if said else []
    kept, phonemes = [], []
    for (row, one), ids in zip(said, encoded, strict=True):
        reason = unusable(one, ids, tokenizer, max_length, held_out)
        if reason:
            rejected.append({"row": row.where, "reason": reason})
        else:
            kept.append((row, one))
            phonemes.append(np.asarray(ids, dtype=np.int32))
    write_rejected(rejected, output_dir / REJECTED_FILE)
    if not kept:
        raise ArgumentsError(f"no usable row in {', '.join(arguments.train)}: see {output_dir / REJECTED_FILE}")
    return TrainingData(
        texts=[arguments.template.format(row.text) for row, _ in kept],
        phonemes=phonemes,
        weights=np.array([row.weight for row, _ in kept]),
        ipa=[said for _, said in kept],
        transcribers=transcribers,
        rejected=len(rejected),
    )


def read_rows(path: Path, text_column: str) -> Iterator[tuple[str, dict[str, Any] | RowError]]:
    """`(file:line, values)` of each row of a JSONL, CSV, TSV or TXT file (a text a line); broken rows as `RowError`."""
    if not path.is_file():
        raise ArgumentsError(f"data.train: there is no file {path}")
    readers = {".jsonl": _read_jsonl, ".csv": _read_csv, ".tsv": _read_csv, ".txt": _read_txt}
    if path.suffix not in readers:
        raise ArgumentsError(f"data.train: {path} must end in {', '.join(readers)}")
    rows, seen = 0, False
    for line, values in readers[path.suffix](path, text_column):
        rows += 1
        seen = seen or (isinstance(values, dict) and text_column in values)
        yield f"{path}:{line}", values
    if rows == 0:
        raise ArgumentsError(f"data.train: {path} is empty")
    if not seen:
        raise ArgumentsError(f"data.train: {path} has no column {text_column!r}: set data.text_column")


def _read_jsonl(path: Path, _: str) -> Iterator[tuple[int, dict[str, Any] | RowError]]:
    with path.open(encoding="utf-8") as lines:
        for number, line in enumerate(lines, 1):
            if line.strip():
                try:
                    values = json.loads(line)
                    yield number, values if isinstance(values, dict) else RowError("the line is not a JSON object")
                except json.JSONDecodeError as error:
                    yield number, RowError(f"the line is not JSON: {error}")


def _read_csv(path: Path, _: str) -> Iterator[tuple[int, dict[str, Any] | RowError]]:
    with path.open(encoding="utf-8", newline="") as lines:
        reader = csv.DictReader(lines, delimiter="\t" if path.suffix == ".tsv" else ",")
        for values in reader:
            extra = values.pop(None, None)
            yield reader.line_num, RowError(f"{len(extra)} cells too many") if extra else values


def _read_txt(path: Path, text_column: str) -> Iterator[tuple[int, dict[str, Any] | RowError]]:
    with path.open(encoding="utf-8") as lines:
        for number, line in enumerate(lines, 1):
            if line.strip():
                yield number, {text_column: line.strip()}


def parse_row(where: str, values: dict[str, Any] | RowError, arguments: DataArguments) -> Row:
    """One row's values under the configured column names. Raises `RowError`."""
    if isinstance(values, RowError):
        raise values
    text, pronounced, ipa, language = (
        values.get(column) or None
        for column in (arguments.text_column, arguments.pronounced_column, arguments.ipa_column,
                       arguments.language_column)
    )  # fmt: skip
    for name, value in (("text", text), ("pronounced", pronounced), ("ipa", ipa), ("language", language)):
        if value is not None and not isinstance(value, str):
            raise RowError(f"{name} is {value!r}, not a string")
    if text is None or not text.strip():
        raise RowError("the text is empty")
    try:
        weight = float(values.get(arguments.weight_column) or 1)
    except (TypeError, ValueError):
        weight = -1.0
    if not 0 < weight < float("inf"):
        raise RowError(f"weight is {values.get(arguments.weight_column)!r}: it must be a positive number")
    return Row(where, text.strip(), (pronounced or text).strip(), ipa, language or arguments.language, weight)


def transcribe_rows(
    rows: list[Row], backend: str, rejected: list[dict[str, str]]
) -> tuple[list[str | None], dict[str, str]]:
    """The IPA of each row (None where it cannot be said, with the reason in `rejected`), and what transcribed it."""
    ipa: list[str | None] = [row.ipa for row in rows]
    used: dict[str, str] = {}
    for language in sorted({row.language for row in rows if row.ipa is None}):
        transcriber = get_transcriber(language, backend=backend)
        used[language] = transcriber.backend
        wanted = [index for index, row in enumerate(rows) if row.ipa is None and row.language == language]
        try:
            for index, said in zip(wanted, transcriber.transcribe([rows[i].pronounced for i in wanted]), strict=True):
                ipa[index] = said
        except TranscriptionError:
            # Words are cached, so asking again one by one to find the rows that cannot be said costs little.
            for index in wanted:
                try:
                    ipa[index] = transcriber.transcribe([rows[index].pronounced])[0]
                except TranscriptionError as error:
                    rejected.append({"row": rows[index].where, "reason": str(error)})
    return ipa, used


def unusable(ipa: str, ids: list[int], tokenizer: IPATokenizer, max_length: int, held_out: HeldOutWords) -> str | None:
    """Why an IPA string with these ids cannot be trained on, or None."""
    if tokenizer.unk_token_id in ids:
        unknown = tokenizer.unknown_symbols(ipa)[0]
        return f"{ipa!r} holds {unknown.symbol!r} at position {unknown.position}, which is no sign of the IPA"
    if len(ids) == 2:
        return "nothing to pronounce"
    if len(ids) > max_length:
        return f"{len(ids)} tokens, and the tower has {max_length} positions"
    word = held_out.first_in(np.asarray(ids))
    if word is not None:
        return f"{ipa!r} says {tokenizer.decode(word).strip()!r}, which data.held_out keeps for the evaluation"
    return None


def write_rejected(rejected: list[dict[str, str]], path: Path) -> None:
    path.unlink(missing_ok=True)
    if rejected:
        path.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rejected), encoding="utf-8")
        logger.warning("%d rows cannot be used and were set aside, with reasons, in %s", len(rejected), path)
