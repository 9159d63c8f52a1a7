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

PHONEME_TYPE = np.uint16
_META, _PROGRESS = "meta.json", "progress.json"
# Column → type of its numbers; the ends are positions in `phonemes`, `texts` and `places`, one a row.
_COLUMNS: dict[str, Any] = {
    "phonemes": PHONEME_TYPE,
    "phoneme_ends": np.int64,
    "texts": np.uint8,
    "text_ends": np.int64,
    "text_hashes": np.uint64,
    "places": np.uint8,
    "place_ends": np.int64,
    "weights": np.float32,
}
_FINAL = {"text_of_row": np.int32, "first_rows": np.int64}


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
    phonemes: int = 0
    text_bytes: int = 0
    place_bytes: int = 0
    rejected_bytes: int = 0
    transcribers: dict[str, str] = field(default_factory=dict)


class Writer:
    """Appends rows to a folder, chunk by chunk; what a chunk leaves behind half-written is cut off when going on."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.folder = folder
        progress = folder / _PROGRESS
        self.counts = Counts(**json.loads(progress.read_text(encoding="utf-8"))) if progress.exists() else Counts()
        counts = self.counts
        lengths = {
            "phonemes": counts.phonemes, "texts": counts.text_bytes, "places": counts.place_bytes
        }  # fmt: skip
        self._files: dict[str, IO[bytes]] = {}
        for name, kind in _COLUMNS.items():
            self._files[name] = self._open(f"{name}.bin", lengths.get(name, counts.kept) * np.dtype(kind).itemsize)
        self._rejected = self._open(REJECTED_FILE, counts.rejected_bytes)

    def _open(self, name: str, size: int) -> IO[bytes]:
        file = open(self.folder / name, "ab")  # noqa: SIM115 (closed by `close`)
        file.truncate(size)
        return file

    def append(self, rows: Sequence[PreparedRow], rejected: Sequence[dict[str, str]], read: int) -> None:
        """Adds a chunk of `read` rows: those kept, and those set aside with their reasons."""
        counts = self.counts
        texts = [row.text.encode() for row in rows]
        # A file's name need not be UTF-8.
        places = [row.where.encode(errors="backslashreplace") for row in rows]
        listed = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rejected)
        aside = listed.encode(errors="backslashreplace")
        chunk = {
            "phonemes": np.concatenate([row.ids for row in rows]) if rows else [],
            "phoneme_ends": counts.phonemes + np.cumsum([len(row.ids) for row in rows]),
            "texts": np.frombuffer(b"".join(texts), np.uint8),
            "text_ends": counts.text_bytes + np.cumsum([len(text) for text in texts]),
            "text_hashes": [text_hash(text) for text in texts],
            "places": np.frombuffer(b"".join(places), np.uint8),
            "place_ends": counts.place_bytes + np.cumsum([len(place) for place in places]),
            "weights": [row.weight for row in rows],
        }
        for name, values in chunk.items():
            self._files[name].write(np.asarray(values, dtype=_COLUMNS[name]).tobytes())
        self._rejected.write(aside)
        counts.read, counts.kept = counts.read + read, counts.kept + len(rows)
        counts.rejected, counts.rejected_bytes = counts.rejected + len(rejected), counts.rejected_bytes + len(aside)
        counts.phonemes += sum(len(row.ids) for row in rows)
        counts.text_bytes, counts.place_bytes = (
            counts.text_bytes + sum(map(len, texts)),
            counts.place_bytes + sum(map(len, places)),
        )
        for file in (*self._files.values(), self._rejected):
            file.flush()
        write_json(self.folder / _PROGRESS, asdict(counts), indent=None)

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
        (self.folder / "text_of_row.bin").write_bytes(rank[of_row].astype(np.int32).data)
        (self.folder / "first_rows.bin").write_bytes(first[order].astype(np.int64).data)
        write_json(self.folder / _META, asdict(self.counts), indent=None)
        (self.folder / "text_hashes.bin").unlink()
        (self.folder / _PROGRESS).unlink()
        os.replace(self.folder, target)


def text_hash(text: bytes) -> int:
    """64 bits: among ten million texts two share one with a probability of 3 in a million."""
    return int.from_bytes(hashlib.blake2b(text, digest_size=8).digest(), "little")


class Strings(Sequence[str]):
    """Strings in one memory-mapped file; `rows` picks which of them, and in which order."""

    def __init__(self, data: np.ndarray, ends: np.ndarray, rows: np.ndarray | None = None) -> None:
        self._data, self._ends, self._rows = data, ends, rows

    def __len__(self) -> int:
        return len(self._ends if self._rows is None else self._rows)

    def __getitem__(self, index: Any) -> Any:
        if isinstance(index, slice):
            return [self[one] for one in range(*index.indices(len(self)))]
        if not -len(self) <= index < len(self):
            raise IndexError(f"{index} of {len(self)}")
        index = index % len(self)
        row = index if self._rows is None else int(self._rows[index])
        return bytes(self._data[_start(self._ends, row) : self._ends[row]]).decode()


class Phonemes(Sequence[np.ndarray]):
    """Ids of each row, `<s>` and `</s>` included, int32."""

    def __init__(self, data: np.ndarray, ends: np.ndarray) -> None:
        self.flat, self._ends = data, ends

    def __len__(self) -> int:
        return len(self._ends)

    def __getitem__(self, row: Any) -> Any:
        if not 0 <= row < len(self._ends):
            raise IndexError(f"row {row} of {len(self._ends)}")
        return self.flat[_start(self._ends, row) : self._ends[row]].astype(np.int32)


def _start(ends: np.ndarray, row: int) -> int:
    return int(ends[row - 1]) if row > 0 else 0


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
        lengths = {"phonemes": counts.phonemes, "texts": counts.text_bytes, "places": counts.place_bytes}
        columns = {
            name: _mapped(folder / f"{name}.bin", kind, lengths.get(name, counts.kept))
            for name, kind in {**_COLUMNS, "text_of_row": _FINAL["text_of_row"]}.items()
            if name != "text_hashes"
        }
        first = np.fromfile(folder / "first_rows.bin", _FINAL["first_rows"])
        ends = columns["phoneme_ends"]
        return cls(
            phonemes=Phonemes(columns["phonemes"], ends),
            lengths=np.diff(ends, prepend=0).astype(np.int32),
            weights=columns["weights"],
            texts=Strings(columns["texts"], columns["text_ends"], first),
            text_of_row=columns["text_of_row"],
            places=Strings(columns["places"], columns["place_ends"]),
            transcribers=counts.transcribers,
            rejected=counts.rejected,
        )


_SCANNED = 1 << 22


def _mapped(path: Path, kind: Any, length: int) -> np.ndarray:
    if path.stat().st_size != length * np.dtype(kind).itemsize:
        raise OSError(f"{path} is not as long as it was written: remove its folder, and it is made again")
    return np.memmap(path, kind, mode="r", shape=(length,)) if length else np.empty(0, kind)
