"""What the teacher says of each text, computed once for all runs and kept on disk.

One folder a teacher (its fingerprint), kind of target and precision; in it shards, each written whole or not at all:

    <fingerprint>/pooled/float32/shard-<hash of its keys>/{keys.npy, targets.npy, shard.json}

A key is a hash of one text as the teacher reads it, the template filled in. So runs with other lists of texts share
what they have in common, and writers at work at the same time only ever add shards.
"""

import json
import logging
import os
import shutil
import time
import uuid
import zlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from hashlib import blake2b
from itertools import islice
from pathlib import Path
from typing import Any, Literal

import numpy as np
from filelock import FileLock
from ipaclip.common.progress import Progress

from . import Teacher

logger = logging.getLogger(__name__)

Precision = Literal["float32", "float16"]

FORMAT = 1
KEY_BYTES = 16
KEY = np.dtype(f"S{KEY_BYTES}")
CHUNK_TEXTS = 65_536
BLOCK_TEXTS = 2048
SHARD_TEXTS = 50_000
SHARD_BYTES = 2**28
SHARD_SECONDS = 300.0
READ_BYTES = 2**24
ABANDONED_SECONDS = 86_400


def text_keys(texts: Sequence[str]) -> np.ndarray:
    """A 128-bit BLAKE2 hash of each text, `(texts,)` of 16 bytes."""
    digests = (blake2b(text.encode("utf-8", "surrogatepass"), digest_size=KEY_BYTES).digest() for text in texts)
    return np.frombuffer(b"".join(digests), dtype=KEY)


class SpoiledShardError(Exception):
    """A shard that is not what its `shard.json` says."""


@dataclass
class Shard:
    """One folder of the cache: keys in memory, targets memory-mapped; `checked` once all of them have been read."""

    folder: Path
    keys: np.ndarray
    targets: np.ndarray
    created: int
    checksum: int
    checked: bool = False

    @classmethod
    def open(cls, folder: Path, fingerprint: str, shape: tuple[int, ...]) -> "Shard":
        """Reads the keys and maps the targets of width `shape`. Raises `SpoiledShardError`."""
        try:
            about = json.loads((folder / "shard.json").read_text(encoding="utf-8"))
            keys = np.load(folder / "keys.npy")
            targets = np.load(folder / "targets.npy", mmap_mode="r")
            expected = {"format": FORMAT, "fingerprint": fingerprint, "keys_crc32": zlib.crc32(keys.tobytes())}
            created, checksum = about["created"], about["targets_crc32"]
        except (OSError, ValueError, EOFError, KeyError, TypeError) as error:
            raise SpoiledShardError(str(error) or type(error).__name__) from error
        for name, value in expected.items():
            if about.get(name) != value:
                raise SpoiledShardError(f"{name} is {about.get(name)!r}, not {value!r}")
        if keys.dtype != KEY or keys.ndim != 1 or not len(keys) or targets.shape != (len(keys), *shape):
            raise SpoiledShardError(f"{targets.shape} targets of {keys.shape} keys, where {shape} a key are due")
        return cls(folder, keys, targets, created, checksum)

    def check(self) -> None:
        """Reads all targets once. Raises `SpoiledShardError` if they are not those that were written."""
        if self.checked:
            return
        found = 0
        for block in _blocks(self.targets):
            found = zlib.crc32(block.tobytes(), found)
            if not np.isfinite(block).all():
                raise SpoiledShardError("a target is not finite")
        if found != self.checksum:
            raise SpoiledShardError(f"the checksum of the targets is {found}, not {self.checksum}")
        self.checked = True


def _blocks(targets: np.ndarray) -> Iterator[np.ndarray]:
    """Consecutive rows of about 16 MiB."""
    rows = max(1, READ_BYTES // max(1, targets[:1].nbytes))
    for start in range(0, len(targets), rows):
        yield targets[start : start + rows]


class KeyIndex:
    """Where the target of each key is: shard and row. 24 bytes a key.

    Sorted arrays, each at least twice as long as the next: adding costs little, and a lookup is a few binary searches.
    Of a key that was added twice the first place counts, so that a run finds again what it found before.
    """

    def __init__(self) -> None:
        self._levels: list[tuple[np.ndarray, np.ndarray]] = []  # keys; (keys, 2) shard and row

    def __len__(self) -> int:
        return sum(len(keys) for keys, _ in self._levels)

    def add(self, keys: np.ndarray, shard: int) -> None:
        places = np.stack([np.full(len(keys), shard), np.arange(len(keys))], axis=1).astype(np.int32)
        self._levels.append(self._sorted(keys, places))
        while len(self._levels) > 1 and len(self._levels[-2][0]) < 2 * len(self._levels[-1][0]):
            (keys, places), (newer_keys, newer_places) = self._levels[-2:]
            self._levels[-2:] = [
                self._sorted(np.concatenate([keys, newer_keys]), np.concatenate([places, newer_places]))
            ]

    @staticmethod
    def _sorted(keys: np.ndarray, places: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        order = np.argsort(keys, kind="stable")
        return keys[order], places[order]

    def find(self, keys: np.ndarray) -> np.ndarray:
        """`(keys, 2)` int32: shard and row of each key, -1 and -1 where there is none."""
        found = np.full((len(keys), 2), -1, dtype=np.int32)
        for level_keys, places in self._levels:
            at = np.minimum(np.searchsorted(level_keys, keys), len(level_keys) - 1)
            new = (level_keys[at] == keys) & (found[:, 0] < 0)
            found[new] = places[at[new]]
        return found


class Targets:
    """Targets of a list of texts, memory-mapped: `targets[rows]` reads just these, as float32."""

    def __init__(self, shards: Sequence[np.ndarray], places: np.ndarray, precision: Precision) -> None:
        self._shards, self._places, self._precision = shards, places, precision
        self.shape: tuple[int, ...] = (len(places), *shards[0].shape[1:])

    def __len__(self) -> int:
        return len(self._places)

    def __getitem__(self, rows: np.ndarray | slice) -> np.ndarray:
        """`(rows, …)` float32, of row numbers or a slice."""
        places = self._places[rows]
        result = np.empty((len(places), *self.shape[1:]), dtype=np.float32)
        for shard in np.unique(places[:, 0]):
            mine = places[:, 0] == shard
            # What was stored in full is rounded too: a run's targets do not depend on what else the cache has.
            result[mine] = self._shards[shard][places[mine, 1]].astype(self._precision)
        return result

    def mean_and_variance(self) -> tuple[np.ndarray, float]:
        """Mean `(dim,)` of all rows (and positions), float64, and the mean squared distance from it."""
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


class TargetCache:
    """The targets of one teacher on disk; computes what is not there.

    `cache.targets(texts)` is all that a run needs. Several processes may `fill` at once, on one machine or many that
    share the folder: each sees the others' finished shards.
    """

    def __init__(
        self, directory: str | Path, teacher: Teacher, *, token_length: int | None = None,
        precision: Precision = "float32", shard_texts: int = SHARD_TEXTS,
    ) -> None:  # fmt: skip
        """Opens the teacher's folder below `directory`.

        Args:
            token_length: None for one embedding a text `(dim,)`; a number for that many token states
                `(token_length, token_dim)`.
            precision: what is written. Half precision finds what was written in full, too; not the other way round.
            shard_texts: how many texts at most are computed before they are on disk.
        """
        self.teacher, self.token_length, self.precision = teacher, token_length, precision
        self.fingerprint = teacher.fingerprint()
        self.shape = (teacher.dim,) if token_length is None else (token_length, teacher.token_dim)
        bytes_a_text = int(np.prod(self.shape)) * np.dtype(precision).itemsize
        self.shard_texts = max(1, min(shard_texts, SHARD_BYTES // bytes_a_text))
        kind = "pooled" if token_length is None else f"tokens-{token_length}"
        above = Path(directory).expanduser() / self.fingerprint / kind
        self.folder = above / precision
        self._read_from = [self.folder] if precision == "float32" else [self.folder, above / "float32"]
        self.folder.mkdir(parents=True, exist_ok=True)
        self._remove_abandoned()
        self._clear()
        self.refresh()

    def __len__(self) -> int:
        """How many texts have their target here."""
        return len(self._index)

    def targets(self, texts: Sequence[str]) -> Targets:
        """Each text's target, computed where there is none; progress is shown, and what was finished stays.

        Raises:
            ValueError: if there is no text, or the teacher gives a target that is not finite.
        """
        if not texts:
            raise ValueError("there is no text to find targets of")
        self.fill(texts)
        return Targets([shard.targets for shard in self._shards], self._locate(text_keys(texts)), self.precision)

    def fill(self, texts: Iterable[str], *, process_index: int = 0, num_processes: int = 1) -> int:
        """Computes the targets that are missing, of a stream of any length, and returns how many they were.

        With several processes each computes its share; afterwards they must wait for each other.

        Raises:
            ValueError: if the teacher gives a target that is not finite.
        """
        total = len(texts) if isinstance(texts, Sequence) else None
        stream, computed, before, started = iter(texts), 0, self.teacher.truncated, time.perf_counter()
        waiting: dict[bytes, str] = {}
        turn = FileLock(self.folder / f".turn-{process_index}-of-{num_processes}")
        with Progress("teacher's targets", total, unit="texts") as progress:
            while chunk := list(islice(stream, CHUNK_TEXTS)):
                missing = self._missing(chunk, process_index, num_processes)
                progress.skip(len(chunk) - len(missing.keys() - waiting.keys()))
                waiting |= missing
                while len(waiting) >= self.shard_texts:
                    computed += self._take_turn(waiting, turn, progress)
            while waiting:
                computed += self._take_turn(waiting, turn, progress)
        if computed:
            logger.info(
                "computed the teacher's targets of %d texts (%.0f a second); %s holds %d",
                computed, computed / (time.perf_counter() - started), self.folder, len(self),
            )  # fmt: skip
        if cut := self.teacher.truncated - before:
            logger.warning(
                "%d of %d texts were longer than the teacher's %d tokens, and were cut", cut, computed,
                self.teacher.max_length,
            )  # fmt: skip
        return computed

    def refresh(self) -> None:
        """Takes in what other writers have finished since."""
        fresh = []
        for folder in self._read_from:
            names = sorted(entry.name for entry in os.scandir(folder)) if folder.is_dir() else []
            for path in (folder / name for name in names if name.startswith("shard-")):
                if path not in self._known:
                    try:
                        fresh.append(Shard.open(path, self.fingerprint, self.shape))
                    except SpoiledShardError as error:
                        _set_aside(path, error)
        # The oldest first, and one's own precision before others: then a run that goes on finds what it found before.
        for shard in sorted(fresh, key=lambda one: (one.folder.parent != self.folder, one.created)):
            self._add(shard)

    def _missing(self, texts: list[str], process_index: int, num_processes: int) -> dict[bytes, str]:
        """Key and text of what is in no shard and is this process's to compute."""
        keys, first = np.unique(text_keys(texts), return_index=True)
        self.refresh()
        absent = self._locate(keys)[:, 0] < 0
        pairs = zip(keys[absent], first[absent], strict=True)
        # numpy drops zero bytes at the end of a key; `ljust` puts them back.
        whole = ((bytes(key).ljust(KEY_BYTES, b"\0"), texts[row]) for key, row in pairs)
        return {key: text for key, text in whole if int.from_bytes(key[:8], "little") % num_processes == process_index}

    def _locate(self, keys: np.ndarray) -> np.ndarray:
        """Shard and row of each key, -1 where there is none. Every shard that is met is checked once."""
        while True:
            places = self._index.find(keys)
            spoiled = None
            for number in np.unique(places[places[:, 0] >= 0, 0]):
                try:
                    self._shards[number].check()
                except SpoiledShardError as error:
                    spoiled = self._shards[number].folder
                    _set_aside(spoiled, error)
            if spoiled is None:
                return places
            self._clear()
            self.refresh()

    def _take_turn(self, waiting: dict[bytes, str], turn: FileLock, progress: Progress) -> int:
        """Computes one shard, unless another run has meanwhile: of those that want the same, one computes at a time."""
        with turn:
            self.refresh()
            keys = list(waiting)
            for key, (shard, _) in zip(keys, self._locate(np.array(keys, dtype=KEY)), strict=True):
                if shard >= 0:
                    del waiting[key]
            progress.skip(len(keys) - len(waiting))
            return self._compute(waiting, progress) if waiting else 0

    def _compute(self, waiting: dict[bytes, str], progress: Progress) -> int:
        """Takes texts out of `waiting`, computes and writes one shard of them; interrupted, it writes what it has."""
        keys = list(islice(waiting, self.shard_texts))
        parts: list[np.ndarray] = []
        done, started = 0, time.perf_counter()
        try:
            while done < len(keys) and time.perf_counter() - started < SHARD_SECONDS:
                block = keys[done : done + BLOCK_TEXTS]
                parts.append(self._embed([waiting[key] for key in block]))
                done += len(block)
                progress.update(len(block))
        finally:
            if done:
                self._write(np.array(keys[:done], dtype=KEY), np.concatenate(parts))
        for key in keys[:done]:
            del waiting[key]
        return done

    def _embed(self, texts: list[str]) -> np.ndarray:
        if self.token_length is None:
            values = self.teacher.embed(texts)
        else:
            values = self.teacher.embed_tokens(texts, self.token_length)
        with np.errstate(over="ignore"):
            stored = values.astype(self.precision)
        finite = np.isfinite(stored).reshape(len(stored), -1).all(1)
        if not finite.all():
            row = int(finite.argmin())
            reason = f"does not fit in {self.precision}" if np.isfinite(values[row]).all() else "is not finite"
            raise ValueError(f"the target that {self.teacher.name} gives of {texts[row]!r} {reason}")
        return stored

    def _write(self, keys: np.ndarray, targets: np.ndarray) -> None:
        """Writes a shard under a name of its own, then renames it; one of the same keys that is there already stays."""
        folder = self.folder / f"shard-{blake2b(keys.tobytes(), digest_size=16).hexdigest()}"
        temporary = self.folder / f".writing-{os.getpid()}-{uuid.uuid4().hex}"
        about: dict[str, Any] = {
            "format": FORMAT,
            "fingerprint": self.fingerprint,
            "teacher": self.teacher.name,
            "created": time.time_ns(),
            "keys_crc32": zlib.crc32(keys.tobytes()),
            "targets_crc32": zlib.crc32(targets.tobytes()),
        }
        try:
            temporary.mkdir()
            np.save(temporary / "keys.npy", keys)
            np.save(temporary / "targets.npy", targets)
            (temporary / "shard.json").write_text(json.dumps(about) + "\n", encoding="utf-8")
            # On a full disk numpy may cut a file short without a word.
            Shard.open(temporary, self.fingerprint, self.shape)
            os.rename(temporary, folder)
        except (OSError, SpoiledShardError) as error:
            shutil.rmtree(temporary, ignore_errors=True)
            if not folder.is_dir():
                free = shutil.disk_usage(self.folder).free / 1e6
                raise OSError(
                    f"{len(keys)} of the teacher's targets cannot be written to {self.folder} ({free:,.0f} MB free): "
                    f"{error}. What was written before stays: make room, name another cache_dir, or set "
                    "target_precision=float16"
                ) from error
        if folder not in self._known:
            shard = Shard.open(folder, self.fingerprint, self.shape)
            self._add(shard)

    def _add(self, shard: Shard) -> None:
        self._known.add(shard.folder)
        self._index.add(shard.keys, len(self._shards))
        shard.keys = shard.keys[:0]  # the index has them
        self._shards.append(shard)

    def _clear(self) -> None:
        self._known: set[Path] = set()
        self._shards: list[Shard] = []
        self._index = KeyIndex()

    def _remove_abandoned(self) -> None:
        """What writers left that were killed more than a day ago."""
        for path in self.folder.glob(".writing-*"):
            try:
                if time.time() - path.stat().st_mtime > ABANDONED_SECONDS:
                    shutil.rmtree(path, ignore_errors=True)
            except FileNotFoundError:
                continue


def _set_aside(folder: Path, reason: Exception) -> None:
    """Renames a shard so that nobody reads it again; its texts are computed anew."""
    target = folder.with_name(f"spoiled-{folder.name}-{uuid.uuid4().hex[:8]}")
    try:
        os.rename(folder, target)
    except FileNotFoundError:  # another process was faster
        return
    logger.warning("%s is spoiled (%s): set aside as %s and computed anew", folder, reason, target.name)
