"""The teacher's targets of texts, computed once for all runs and kept on disk.

One folder a teacher (its fingerprint), kind of target and precision, as `<fingerprint>/pooled/float32`. In it are two
files that only ever grow, so that whoever reads them is not disturbed: `targets.bin` holds one row after the other,
`index.bin` says of each key in which row its target is, with a checksum. A row is on disk before the index names it:
what was cut off is in no index. A key is a hash of one text as the teacher reads it, the template filled in, so that
runs with other lists of texts share what they have in common.
"""

import logging
import math
import os
import time
import zlib
from collections.abc import Sequence
from functools import cached_property
from hashlib import blake2b
from pathlib import Path
from typing import Literal

import numpy as np
import torch
from filelock import FileLock
from ipaclip.common.files import saying_what_cannot_be_written
from ipaclip.common.progress import Progress

from .protocol import Teacher

logger = logging.getLogger(__name__)

Precision = Literal["float32", "float16"]

FORMAT = 2
CHUNK_TEXTS = 65_536
BATCH_TEXTS = 2048
BATCH_BYTES = 2**27
READ_BYTES = 2**24
DATA_FILE, INDEX_FILE, LOCK_FILE = "targets.bin", "index.bin", "writing.lock"
ENTRY = np.dtype([("key", "S16"), ("row", "<i8"), ("checksum", "<u4")])
MORE_ROOM = "What was written before stays: make room, name another cache_dir, or set target_precision=float16"


def text_keys(texts: Sequence[str]) -> np.ndarray:
    """A 128-bit BLAKE2 hash of each text, `(texts,)` of 16 bytes."""
    digests = (blake2b(text.encode("utf-8", "surrogatepass"), digest_size=16).digest() for text in texts)
    return np.frombuffer(b"".join(digests), dtype="S16")


class KeyIndex:
    """The entries of an index file in memory, and what is appended to it since.

    Sorted arrays, each at least twice as long as the next: adding costs little, and a lookup is a few binary searches.
    Of a key that was added twice the first entry counts, so that a run finds again what it found before.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._read, self._levels = 0, list[np.ndarray]()

    def __len__(self) -> int:
        return sum(map(len, self._levels))

    def refresh(self) -> None:
        """Takes in what this and other processes have appended."""
        if not self._path.exists():
            return
        new = np.fromfile(self._path, ENTRY, offset=self._read * ENTRY.itemsize)
        self._read += len(new)
        new = new[(new["key"] != b"") & (new["row"] >= 0)]
        while self._levels and len(self._levels[-1]) < 2 * len(new):
            new = np.concatenate([self._levels.pop(), new])
        if len(new):
            self._levels.append(new[np.argsort(new["key"], kind="stable")])

    def find(self, keys: np.ndarray) -> np.ndarray:
        """`(keys,)` entries; of a key that has none, the row is -1."""
        found = np.zeros(len(keys), ENTRY)
        found["row"] = -1
        for level in self._levels:
            at = np.minimum(np.searchsorted(level["key"], keys), len(level) - 1)
            new = (level["key"][at] == keys) & (found["row"] < 0)
            found[new] = level[at[new]]
        return found

    def forget(self, rows: np.ndarray) -> None:
        """Takes the entries of rows out of the file, and all others anew into memory."""
        entries = np.memmap(self._path, ENTRY, mode="r+", shape=(self._read,))
        entries["key"][np.isin(entries["row"], rows)] = b""
        entries.flush()
        self._read, self._levels = 0, []
        self.refresh()


class Targets:
    """Targets of a list of texts, memory-mapped: `targets[rows]` reads just these, as float32."""

    def __init__(self, stored: np.ndarray, places: np.ndarray) -> None:
        """Text `i` has its target in row `places[i]` of `stored`."""
        self._stored, self._places = stored, places
        self.shape: tuple[int, ...] = (len(places), *stored.shape[1:])

    def __len__(self) -> int:
        return len(self._places)

    def __getitem__(self, rows: np.ndarray | slice) -> np.ndarray:
        """`(rows, …)` float32, of row numbers or a slice."""
        return np.asarray(self._stored[self._places[rows]], dtype=np.float32)

    @cached_property
    def _moments(self) -> tuple[np.ndarray, float]:
        width = self.shape[-1]
        total, squares, count = np.zeros(width), 0.0, 0
        # Sums of the distances from the first row lose no precision to a large mean.
        origin = self[:1].reshape(-1, width)[0].astype(np.float64)
        step = max(1, READ_BYTES // (4 * int(np.prod(self.shape[1:]))))
        for start in range(0, len(self), step):
            away = self[start : start + step].reshape(-1, width) - origin
            total += away.sum(0)
            squares += float(np.square(away).sum())
            count += len(away)
        mean = total / count
        return origin + mean, squares / count - float(np.square(mean).sum())

    @property
    def mean(self) -> torch.Tensor:
        """`(dim,)` float32, of all rows and positions."""
        return torch.from_numpy(self._moments[0]).float()

    @property
    def variance(self) -> float:
        """The mean squared distance from the mean; above 0."""
        return max(self._moments[1], torch.finfo(torch.float32).tiny)

    @property
    def scale(self) -> float:
        """Standard deviation of one dimension: what CLIP's initialisation takes to be 1."""
        return math.sqrt(self.variance / self.shape[-1])


class TargetCache:
    """The targets of one teacher on disk; computes what is not there.

    `cache.targets(texts)` is all that a run needs. Several processes may ask at once: one computes at a time, and each
    finds what the others have finished.
    """

    def __init__(
        self, directory: str | Path, teacher: Teacher, *, token_length: int | None = None,
        precision: Precision = "float32", batch_texts: int = BATCH_TEXTS,
    ) -> None:  # fmt: skip
        """Opens the teacher's folder below `directory`.

        Args:
            token_length: None for one embedding a text `(dim,)`; a number for that many token states
                `(token_length, token_dim)`.
            precision: what is written. Half precision takes over what was written in full; not the other way round.
            batch_texts: how many texts at most are computed before they are on disk.
        """
        self.teacher, self.token_length, self.dtype = teacher, token_length, np.dtype(precision)
        self.fingerprint = teacher.fingerprint()
        self.shape = (teacher.dim,) if token_length is None else (token_length, teacher.token_dim)
        self._row_bytes = int(np.prod(self.shape)) * self.dtype.itemsize
        self._batch_texts = max(1, min(batch_texts, BATCH_BYTES // self._row_bytes))
        kind = "pooled" if token_length is None else f"tokens-{token_length}"
        self.folder = Path(directory).expanduser() / self.fingerprint / kind / precision
        self.folder.mkdir(parents=True, exist_ok=True)
        # Part of each checksum: a row that was copied here from another cache is no row of this one.
        self._seed = zlib.crc32(f"{FORMAT} {self.fingerprint} {self.shape} {precision}".encode())
        self._lock = FileLock(self.folder / LOCK_FILE)
        self._full = TargetCache(directory, teacher, token_length=token_length) if precision == "float16" else None
        self._index = KeyIndex(self.folder / INDEX_FILE)
        self._index.refresh()

    def __len__(self) -> int:
        """How many texts have their target here."""
        return len(self._index)

    def targets(self, texts: Sequence[str]) -> Targets:
        """Each text's target, computed where there is none; progress is shown, and what was finished stays.

        Raises:
            ValueError: if there is no text, or the teacher gives a target that is not finite.
            OSError: if the targets cannot be written, such as on a full disk.
        """
        if not texts:
            raise ValueError("there is no text to find targets of")
        places = np.empty(len(texts), dtype=np.int64)
        computed, cut, started = 0, self.teacher.truncated, time.perf_counter()
        with Progress("teacher's targets", len(texts), unit="texts") as progress:
            for start in range(0, len(texts), CHUNK_TEXTS):
                chunk = texts[start : start + CHUNK_TEXTS]
                keys = text_keys(chunk)
                computed += self._fill(keys, chunk, progress)
                places[start : start + len(chunk)] = self._find(keys)
        if (places < 0).any():
            raise OSError(f"targets that were written to {self.folder} are not what was written: is the disk sound?")
        if computed:
            logger.info(
                "computed the teacher's targets of %d texts (%.0f a second); %s holds %d",
                computed, computed / (time.perf_counter() - started), self.folder, len(self),
            )  # fmt: skip
        if cut := self.teacher.truncated - cut:
            logger.warning(
                "%d of %d texts were longer than the teacher's %d tokens, and were cut",
                cut, computed, self.teacher.max_length,
            )  # fmt: skip
        return Targets(self._stored(), places)

    def _fill(self, keys: np.ndarray, texts: Sequence[str], progress: Progress) -> int:
        """Computes what is missing, a batch at a time, and returns how many targets that were."""
        _, first = np.unique(keys, return_index=True)
        missing = np.sort(first)[self._find(keys[np.sort(first)]) < 0]
        progress.skip(len(texts) - len(missing))
        computed = 0
        for start in range(0, len(missing), self._batch_texts):
            batch = missing[start : start + self._batch_texts]
            with self._lock:
                batch = batch[self._find(keys[batch]) < 0]  # another process may have been faster
                if self._full is not None:
                    places = self._full._find(keys[batch])
                    there, batch = batch[places >= 0], batch[places < 0]
                    full = Targets(self._full._stored(), places[places >= 0])
                    self._append(keys[there], full[:], [texts[row] for row in there])
                asked = [texts[row] for row in batch]
                if asked:
                    self._append(keys[batch], self._ask(asked), asked)
            computed += len(batch)
            progress.update(min(self._batch_texts, len(missing) - start))
        return computed

    def _ask(self, texts: Sequence[str]) -> np.ndarray:
        if self.token_length is None:
            return self.teacher.embed(texts)
        return self.teacher.embed_tokens(texts, self.token_length)

    def _append(self, keys: np.ndarray, values: np.ndarray, texts: Sequence[str]) -> None:
        """Writes rows, then their entries. Raises `ValueError` if a value is not finite, or too large."""
        if not len(keys):
            return
        with np.errstate(over="ignore"):
            rows = values.astype(self.dtype)
        finite = np.isfinite(rows).reshape(len(rows), -1).all(1)
        if not finite.all():
            row = int(finite.argmin())
            reason = f"does not fit in {self.dtype}" if np.isfinite(values[row]).all() else "is not finite"
            raise ValueError(f"the target that {self.teacher.name} gives of {texts[row]!r} {reason}")
        entries = np.empty(len(keys), ENTRY)
        entries["key"], entries["checksum"] = keys, self._checksums(keys, rows.tobytes(), np.arange(len(keys)))
        with saying_what_cannot_be_written(f"{len(keys)} of the teacher's targets", self.folder, MORE_ROOM):
            entries["row"] = np.arange(len(keys)) + _append_to(self.folder / DATA_FILE, rows.tobytes(), self._row_bytes)
            _append_to(self.folder / INDEX_FILE, entries.tobytes(), ENTRY.itemsize)

    def _find(self, keys: np.ndarray) -> np.ndarray:
        """Row of each key, -1 where there is none. Targets that are not what was written are forgotten."""
        self._index.refresh()
        entries = self._index.find(keys)
        there = np.flatnonzero(entries["row"] >= 0)
        found = entries[there]
        sums = self._checksums(found["key"], self._stored().reshape(-1).view(np.uint8).data, found["row"])
        bad = found["row"][sums != found["checksum"]]
        if len(bad):
            with self._lock:
                self._index.forget(bad)
            logger.warning("%d targets in %s are damaged: they are computed anew", len(np.unique(bad)), self.folder)
            return self._find(keys)
        return entries["row"]

    def _checksums(self, keys: np.ndarray, data: bytes | memoryview, rows: np.ndarray) -> np.ndarray:
        """CRC-32 of each key and its row in `data`."""
        size, every = self._row_bytes, keys.tobytes()
        sums = (
            zlib.crc32(data[row * size : (row + 1) * size], zlib.crc32(every[16 * i : 16 * i + 16], self._seed))
            for i, row in enumerate(rows.tolist())
        )
        return np.fromiter(sums, np.uint32, len(rows))

    def _stored(self) -> np.ndarray:
        """`(rows, …)`, all whole rows that are on disk now, memory-mapped."""
        path = self.folder / DATA_FILE
        shape = (path.stat().st_size // self._row_bytes if path.exists() else 0, *self.shape)
        return np.memmap(path, self.dtype, mode="r", shape=shape) if shape[0] else np.empty(shape, self.dtype)


def _append_to(path: Path, content: bytes, size: int) -> int:
    """Appends records of `size` bytes, in place of one that was cut off; returns the number of the first."""
    with path.open("ab") as file:
        first = file.tell() // size
        file.truncate(first * size)
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    return first
