"""The rows of a run as files on disk: written once, then memory-mapped, so that memory does not grow with the data.

A folder holds one file a column. While it is written its name ends in `.partial`, and `progress.json` in it says up to
where its files are whole: a run that was broken off goes on from there. One process writes at a time; others wait.
"""

import hashlib
import json
import logging
import os
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import IO, Any

import numpy as np
from ipaclip.common.files import write_json
from ipaclip.tokenization import IPATokenizer, is_segment

from ..loop.folder import REJECTED_FILE

logger = logging.getLogger(__name__)

_META, _PROGRESS = "meta.json", "progress.json"
# Columns of rows of different lengths, end to end, and beside each `NAME_ends`, where its rows end.
_RAGGED: dict[str, Any] = {"phonemes": np.uint16, "texts": np.uint8, "places": np.uint8}
_COLUMNS: dict[str, Any] = {
    **_RAGGED, **{f"{name}_ends": np.int64 for name in _RAGGED}, "text_hashes": np.uint64, "weights": np.float32,
}  # fmt: skip
_FINAL = {"text_of_row": np.int32, "first_rows": np.int64}
_SCANNED = 1 << 22


@dataclass
class PreparedRow:
    """One row that can be trained on."""

    where: str
    text: str
    ids: np.ndarray
    weight: float


@dataclass
class Counts:
    """How far the writing has come: rows taken from the sources, kept, set aside, and who transcribed."""

    read: int = 0
    kept: int = 0
    rejected: int = 0
    rejected_bytes: int = 0
    transcribers: dict[str, str] = field(default_factory=dict)


class Writer:
    """Appends rows to a folder, chunk by chunk; what a chunk leaves behind half-written is cut off when going on."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.folder = folder
        progress = folder / _PROGRESS
        self.counts = Counts(**json.loads(progress.read_text(encoding="utf-8"))) if progress.exists() else Counts()
        kept, ends = self.counts.kept, (folder / f"{name}_ends.bin" for name in _RAGGED)
        self._lengths = {
            name: int(np.fromfile(path, np.int64, 1, offset=8 * (kept - 1))[0]) if kept else 0
            for name, path in zip(_RAGGED, ends, strict=True)
        }
        self._files = {
            name: self._open(f"{name}.bin", self._lengths.get(name, kept) * np.dtype(kind).itemsize)
            for name, kind in _COLUMNS.items()
        }
        self._rejected = self._open(REJECTED_FILE, self.counts.rejected_bytes)

    def _open(self, name: str, size: int) -> IO[bytes]:
        file = open(self.folder / name, "ab")  # noqa: SIM115 (closed by `close`)
        file.truncate(size)
        return file

    def append(self, rows: Sequence[PreparedRow], rejected: Sequence[dict[str, str]], read: int) -> None:
        """Adds a chunk of `read` rows: those kept, and those set aside with their reasons."""
        texts = [row.text.encode() for row in rows]
        # A file's name need not be UTF-8.
        places = [row.where.encode(errors="backslashreplace") for row in rows]
        self._append_ragged("phonemes", [row.ids for row in rows])
        self._append_ragged("texts", [np.frombuffer(text, np.uint8) for text in texts])
        self._append_ragged("places", [np.frombuffer(place, np.uint8) for place in places])
        self._append("text_hashes", [text_hash(text) for text in texts])
        self._append("weights", [row.weight for row in rows])
        listed = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rejected)
        self._rejected.write(listed.encode(errors="backslashreplace"))
        for file in (*self._files.values(), self._rejected):
            file.flush()
        counts = self.counts
        counts.read, counts.kept = counts.read + read, counts.kept + len(rows)
        counts.rejected, counts.rejected_bytes = counts.rejected + len(rejected), self._rejected.tell()
        write_json(self.folder / _PROGRESS, asdict(counts), indent=None)

    def _append_ragged(self, name: str, rows: Sequence[np.ndarray]) -> None:
        ends = self._lengths[name] + np.cumsum([len(row) for row in rows], dtype=np.int64)
        self._append(name, np.concatenate(rows) if rows else [])
        self._append(f"{name}_ends", ends)
        self._lengths[name] = int(ends[-1]) if rows else self._lengths[name]

    def _append(self, name: str, values: Any) -> None:
        self._files[name].write(np.asarray(values, dtype=_COLUMNS[name]).tobytes())

    def close(self) -> None:
        for file in (*self._files.values(), self._rejected):
            file.close()

    def finish(self, target: Path) -> None:
        """Numbers the different texts, in the order in which they first come, and gives the folder its name."""
        self.close()
        hashes = np.fromfile(self.folder / "text_hashes.bin", np.uint64)
        _, first, of_row = np.unique(hashes, return_index=True, return_inverse=True)
        order = np.argsort(first, kind="stable")
        rank = np.empty_like(order)
        rank[order] = np.arange(len(order))
        # Not numpy's `tofile`, which on a full disk may cut a file short without a word.
        (self.folder / "text_of_row.bin").write_bytes(rank[of_row].astype(_FINAL["text_of_row"]).data)
        (self.folder / "first_rows.bin").write_bytes(first[order].astype(_FINAL["first_rows"]).data)
        write_json(self.folder / _META, asdict(self.counts), indent=None)
        (self.folder / "text_hashes.bin").unlink()
        (self.folder / _PROGRESS).unlink()
        os.replace(self.folder, target)


def text_hash(text: bytes) -> int:
    """64 bits: among ten million texts two share one with a probability of 3 in a million."""
    return int.from_bytes(hashlib.blake2b(text, digest_size=8).digest(), "little")


class Ragged(Sequence[np.ndarray]):
    """Rows of different lengths, end to end in one array."""

    def __init__(self, flat: np.ndarray, ends: np.ndarray) -> None:
        self.flat, self.ends = flat, ends

    def __len__(self) -> int:
        return len(self.ends)

    def __getitem__(self, row: Any) -> Any:
        if not 0 <= row < len(self):
            raise IndexError(f"row {row} of {len(self)}")
        return self.flat[self.ends[row - 1] if row else 0 : self.ends[row]]


class Phonemes(Ragged):
    """Ids of each row, `<s>` and `</s>` included, int32."""

    def __getitem__(self, row: Any) -> Any:
        return super().__getitem__(row).astype(np.int32)


class Strings(Sequence[str]):
    """Strings of UTF-8; `chosen` picks which of the rows, and in which order."""

    def __init__(self, rows: Ragged, chosen: np.ndarray | None = None) -> None:
        self._rows, self._chosen = rows, chosen

    def __len__(self) -> int:
        return len(self._rows if self._chosen is None else self._chosen)

    def __getitem__(self, index: Any) -> Any:
        if isinstance(index, slice):
            return [self[one] for one in range(*index.indices(len(self)))]
        number = range(len(self))[index]
        return bytes(self._rows[number if self._chosen is None else int(self._chosen[number])]).decode()


@dataclass(frozen=True)
class TrainingData:
    """What a run trains on; every column but the lengths stays on disk until it is asked for.

    Attributes:
        phonemes: ids of each row, with `<s>` and `</s>`.
        lengths: `(rows,)`, how many ids each row has.
        weights: `(rows,)`, how often a row is seen in an epoch.
        texts: the different texts, as the teacher reads them, in the order in which they first come.
        text_of_row: `(rows,)`, each row's number in `texts`.
        places: where each row comes from, `file:line`.
        transcribers: language → what transcribed its rows, as `Transcriber.chain` names it.
        rejected: how many rows were set aside.
        revisions: `name@revision` of each Hub data set whose revision was no commit → the commit that was read.
    """

    phonemes: Phonemes
    lengths: np.ndarray
    weights: np.ndarray
    texts: Sequence[str]
    text_of_row: np.ndarray
    places: Sequence[str]
    transcribers: dict[str, str]
    rejected: int
    revisions: dict[str, str] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.lengths)

    def where(self, row: int) -> str:
        """Where a row comes from, `file:line`."""
        return self.places[row]

    def inventory(self, tokenizer: IPATokenizer) -> list[str]:
        """The segments that occur, sorted."""
        seen = np.zeros(len(tokenizer), dtype=bool)
        for start in range(0, len(self.phonemes.flat), _SCANNED):
            seen[self.phonemes.flat[start : start + _SCANNED]] = True
        return sorted(filter(is_segment, tokenizer.convert_ids_to_tokens(np.flatnonzero(seen).tolist())))

    @classmethod
    def load(cls, folder: Path) -> "TrainingData":
        """Maps a finished folder.

        Raises:
            OSError: where a file is missing or shorter than it was written.
        """
        counts = Counts(**json.loads((folder / _META).read_text(encoding="utf-8")))
        ragged = {}
        for name, kind in _RAGGED.items():
            ends = _mapped(folder / f"{name}_ends.bin", np.int64, counts.kept)
            ragged[name] = _mapped(folder / f"{name}.bin", kind, int(ends[-1]) if counts.kept else 0), ends
        phonemes = Phonemes(*ragged["phonemes"])
        return cls(
            phonemes=phonemes,
            lengths=np.diff(phonemes.ends, prepend=0).astype(np.int32),
            weights=_mapped(folder / "weights.bin", np.float32, counts.kept),
            texts=Strings(Ragged(*ragged["texts"]), np.fromfile(folder / "first_rows.bin", _FINAL["first_rows"])),
            text_of_row=_mapped(folder / "text_of_row.bin", _FINAL["text_of_row"], counts.kept),
            places=Strings(Ragged(*ragged["places"])),
            transcribers=counts.transcribers,
            rejected=counts.rejected,
        )


def _mapped(path: Path, kind: Any, length: int) -> np.ndarray:
    if path.stat().st_size != length * np.dtype(kind).itemsize:
        raise OSError(f"{path} is not as long as it was written: remove its folder, and it is made again")
    return np.memmap(path, kind, mode="r", shape=(length,)) if length else np.empty(0, kind)
