"""The rows of a run in one SQLite file: written once, then read where they are asked for, in any order.

A chunk of rows is a transaction, with how far the reading has come: a run that was broken off goes on behind the last
whole chunk. While it is written the file's name ends in `.partial`. One process writes at a time; others wait.
"""

import json
import os
import sqlite3
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from ipaclip.tokenization import IPATokenizer, is_segment

# Numbers begin with 1.
_TABLES = """
CREATE TABLE IF NOT EXISTS texts (number INTEGER PRIMARY KEY, text TEXT UNIQUE);
CREATE TABLE IF NOT EXISTS rows (number INTEGER PRIMARY KEY, place TEXT, text INTEGER, ids BLOB, weight REAL);
CREATE TABLE IF NOT EXISTS rejected (number INTEGER PRIMARY KEY, place TEXT, reason TEXT);
CREATE TABLE IF NOT EXISTS about (number INTEGER PRIMARY KEY, content TEXT);
"""
_ID = np.dtype(np.uint16)
_CACHE_KIB = 65_536


@dataclass
class PreparedRow:
    """One row that can be trained on."""

    where: str
    text: str
    ids: np.ndarray
    weight: float


@contextmanager
def _os_error(path: Path, advice: str = "") -> Iterator[None]:
    """Raises `OSError` for what SQLite says of the file and of the disk."""
    try:
        yield
    except sqlite3.DatabaseError as error:
        raise OSError(f"{path}: {error}{advice}") from error


class Writer:
    """Appends rows to a file, chunk by chunk; `read` rows of the sources were taken so far.

    All methods raise `OSError` where the file cannot be written.
    """

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self.path = path
        with _os_error(path):
            self._file = sqlite3.connect(path)
            self._file.execute(f"PRAGMA cache_size = -{_CACHE_KIB}")
            self._file.executescript(_TABLES)
            about = _about(self._file)
        self.read: int = about["read"]
        self.transcribers: dict[str, str] = about["transcribers"]
        self._ids = set(about["ids"])

    def append(self, rows: Sequence[PreparedRow], rejected: Sequence[tuple[str, str]], read: int) -> None:
        """Adds a chunk of `read` rows: those kept, and places and reasons of those set aside."""
        with _os_error(self.path), self._file as file:
            file.executemany("INSERT OR IGNORE INTO texts (text) VALUES (?)", ((row.text,) for row in rows))
            file.executemany(
                "INSERT INTO rows (place, text, ids, weight) "
                "VALUES (?, (SELECT number FROM texts WHERE text = ?), ?, ?)",
                ((_utf8(row.where), row.text, row.ids.astype(_ID).tobytes(), float(row.weight)) for row in rows),
            )
            listed = ((_utf8(place), _utf8(reason)) for place, reason in rejected)
            file.executemany("INSERT INTO rejected (place, reason) VALUES (?, ?)", listed)
            self.read += read
            self._ids.update(*(row.ids.tolist() for row in rows))
            about = {"read": self.read, "transcribers": self.transcribers, "ids": sorted(self._ids)}
            file.execute("INSERT OR REPLACE INTO about VALUES (1, ?)", (json.dumps(about),))

    def close(self) -> None:
        self._file.close()

    def finish(self, target: Path) -> None:
        """Gives the file its name."""
        self.close()
        os.replace(self.path, target)


def _utf8(text: str) -> str:
    """A file's name need not be UTF-8."""
    return text.encode(errors="backslashreplace").decode()


def _about(file: sqlite3.Connection) -> dict[str, Any]:
    """Rows read so far, who transcribed, which ids occur."""
    found = file.execute("SELECT content FROM about").fetchone()
    return json.loads(found[0]) if found else {"read": 0, "transcribers": {}, "ids": []}


class Column(Sequence[Any]):
    """Values that stay on disk until they are asked for."""

    def __init__(
        self, file: sqlite3.Connection, name: str, table: str, count: int, decode: Callable[[Any], Any] = str
    ) -> None:
        self._file, self._count, self._decode = file, count, decode
        self._all = f"SELECT {name} FROM {table} ORDER BY number"
        self._one = f"SELECT {name} FROM {table} WHERE number = ?"

    def __len__(self) -> int:
        return self._count

    def __getitem__(self, index: Any) -> Any:
        if isinstance(index, slice):
            return [self[one] for one in range(*index.indices(len(self)))]
        (value,) = self._file.execute(self._one, (range(len(self))[index] + 1,)).fetchone()
        return self._decode(value)

    def __iter__(self) -> Iterator[Any]:
        return map(self._decode, self.stored())

    def stored(self) -> Iterator[Any]:
        """All of them, one after the other, as they lie on disk."""
        return (value for (value,) in self._file.execute(self._all))


def _decode_ids(content: bytes) -> np.ndarray:
    return np.frombuffer(content, _ID).astype(np.int32)


@dataclass(frozen=True)
class TrainingData:
    """What a run trains on; phonemes, texts and places stay on disk until they are asked for.

    Attributes:
        phonemes: ids of each row, with `<s>` and `</s>`, int32.
        lengths: `(rows,)`, how many ids each row has.
        weights: `(rows,)`, how often a row is seen in an epoch.
        texts: the different texts, as the teacher reads them, in the order in which they first come.
        text_of_row: `(rows,)`, each row's number in `texts`.
        places: where each row comes from, `file:line`.
        rejected: places of rows that were set aside, and why.
        ids: which ids occur.
        transcribers: language → what transcribed its rows, as `Transcriber.chain` names it.
        revisions: `name@revision` of each Hub data set whose revision was no commit → the commit that was read.
    """

    phonemes: Column
    lengths: np.ndarray
    weights: np.ndarray
    texts: Sequence[str]
    text_of_row: np.ndarray
    places: Sequence[str]
    rejected: Sequence[tuple[str, str]]
    ids: Sequence[int]
    transcribers: dict[str, str]
    revisions: dict[str, str] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.lengths)

    def inventory(self, tokenizer: IPATokenizer) -> list[str]:
        """The segments that occur, sorted."""
        return sorted(filter(is_segment, tokenizer.convert_ids_to_tokens(list(self.ids))))

    @classmethod
    def load(cls, path: Path) -> "TrainingData":
        """Opens a finished file.

        Raises:
            OSError: where it is missing or damaged.
        """
        with _os_error(path, ". Remove it, and it is made again"):
            # It never changes again, and is read by the thread that makes batches as well.
            address = f"{path.absolute().as_uri()}?mode=ro&immutable=1"
            file = sqlite3.connect(address, uri=True, check_same_thread=False)
            file.execute(f"PRAGMA mmap_size = {1 << 40}")
            rows, texts = (file.execute(f"SELECT count(*) FROM {table}").fetchone()[0] for table in ("rows", "texts"))
            kinds = [("length", np.int32), ("weight", np.float32), ("text", np.int32)]
            query = f"SELECT length(ids) / {_ID.itemsize}, weight, text - 1 FROM rows ORDER BY number"
            numbers = np.fromiter(file.execute(query), np.dtype(kinds), count=rows)
            rejected = file.execute("SELECT place, reason FROM rejected ORDER BY number").fetchall()
            about = _about(file)
        return cls(
            phonemes=Column(file, "ids", "rows", rows, _decode_ids),
            lengths=np.ascontiguousarray(numbers["length"]),
            weights=np.ascontiguousarray(numbers["weight"]),
            texts=Column(file, "text", "texts", texts),
            text_of_row=np.ascontiguousarray(numbers["text"]),
            places=Column(file, "place", "rows", rows),
            rejected=rejected,
            ids=about["ids"],
            transcribers=about["transcribers"],
        )
