"""Which rows make up which batch, and what one step works on: noisy phonemes, padded, the teacher beside them.

Both are pure functions of seed, epoch and number, so that a run goes on exactly where it stopped.
"""

from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from ..arguments import DistillationArguments
from ..loop.processes import share_of
from ..teachers.targets import Targets
from .augmentation import PhoneticAugmentation
from .prepared import TrainingData


@dataclass(frozen=True)
class Batch:
    """A process's share of the phonemes of a global batch, and the teacher's side of all of it.

    `ids` and `mask` are `(share, length)`; `teacher` `(rows, dim)` and `text` `(rows,)`, the texts' numbers, are those
    of the whole batch; `extra` `(others, dim)` and `extra_text` those of further negatives. `states`, where they are
    learned, are the teacher's token states of this share, `(share, positions, token_dim)`. `padding` is the part of
    `ids` that is none.
    """

    rows: np.ndarray
    ids: Tensor
    mask: Tensor
    teacher: Tensor
    text: Tensor
    extra: Tensor
    extra_text: Tensor
    tokens: int
    states: Tensor | None = None

    @property
    def padding(self) -> float:
        return 1 - self.tokens / self.ids.numel()


class BatchMaker:
    """Makes the batches of a run; each is a pure function of its rows, the seed, the epoch and its number."""

    def __init__(
        self,
        arguments: DistillationArguments,
        data: TrainingData,
        targets: Targets,
        augmentation: PhoneticAugmentation,
        *,
        negatives: np.ndarray | None = None,
        states: Targets | None = None,
        pad_token_id: int,
        device: torch.device,
        process: int = 0,
        processes: int = 1,
    ) -> None:
        """`targets` are the teacher's embeddings of `data.texts`, `states`, if given, its token states of them;
        `negatives` are the texts that may be further negatives.
        """
        self.arguments = arguments
        self.data, self.targets, self.augmentation = data, targets, augmentation
        self.negatives, self.states = negatives, states
        self.pad_token_id, self.device = pad_token_id, device
        self.process, self.processes = process, processes

    def make(self, rows: np.ndarray, epoch: int, number: int, strength: float = 1.0) -> Batch:
        """The batch of these rows, the `number`th of its epoch, with noise of this strength.

        The noise of all rows is drawn, also of those that other processes take: what a row becomes must not depend on
        the number of processes.
        """
        rng = np.random.default_rng([self.arguments.loop.seed, 1, epoch, number])
        phonemes = self.augmentation.batch([self.data.phonemes[row] for row in rows], rng, strength)
        extra = self._draw_negatives(rng)
        mine = share_of(len(rows), self.process, self.processes)
        limit = self.arguments.student.max_position_embeddings
        ids, lengths = pad([cut(phonemes[index], limit) for index in mine], self.pad_token_id)
        mask = np.arange(ids.shape[1]) < lengths[:, None]
        text = self.data.text_of_row[rows]
        return Batch(
            rows=rows, ids=self._send(ids), mask=self._send(mask.astype(np.int64)),
            teacher=self._teacher(text), text=self._send(text.astype(np.int64)),
            extra=self._teacher(extra), extra_text=self._send(extra), tokens=int(lengths.sum()),
            states=None if self.states is None else self._send(self.states[text[mine]]),
        )  # fmt: skip

    def _draw_negatives(self, rng: np.random.Generator) -> np.ndarray:
        texts = len(self.targets) if self.negatives is None else len(self.negatives)
        wanted = self.arguments.objective.extra_negatives if self.arguments.objective.contrastive else 0
        drawn = np.sort(rng.choice(texts, min(wanted, texts), replace=False))
        return drawn if self.negatives is None else self.negatives[drawn]

    def _teacher(self, texts: np.ndarray) -> Tensor:
        return self._send(self.targets[texts])

    def _send(self, values: np.ndarray) -> Tensor:
        tensor = torch.from_numpy(values)
        if self.device.type == "cuda":
            return tensor.pin_memory().to(self.device, non_blocking=True)
        return tensor.to(self.device)


@dataclass(frozen=True)
class Step:
    """What a step worked on: all that is needed to make its batches again."""

    number: int
    epoch: int
    strength: float
    batches: list[tuple[int, np.ndarray]]

    def make(self, maker: BatchMaker) -> list[Batch]:
        return [maker.make(rows, self.epoch, number, self.strength) for number, rows in self.batches]


class Preparation:
    """Makes the batches of the next step while an accelerator works on this one."""

    def __init__(self, maker: BatchMaker, ahead: bool) -> None:
        """Without `ahead`, batches are made when they are taken: on a CPU there is nobody to do it meanwhile."""
        self._maker = maker
        self._pool = ThreadPoolExecutor(1) if ahead else None
        self._next: tuple[int, Future[list[Batch]]] | None = None

    def take(self, step: Step) -> list[Batch]:
        if self._next and self._next[0] == step.number:
            return self._next[1].result()
        return step.make(self._maker)

    def start(self, step: Step) -> None:
        """Begins with a step that comes next."""
        if self._pool:
            self._next = step.number, self._pool.submit(step.make, self._maker)


def cut(ids: np.ndarray, limit: int) -> np.ndarray:
    """Noise may have lengthened a sequence past the tower's positions: its end goes, its `</s>` stays."""
    return ids if len(ids) <= limit else np.append(ids[: limit - 1], ids[-1])


def pad(sequences: Sequence[np.ndarray], pad_token_id: int) -> tuple[np.ndarray, np.ndarray]:
    """`(rows, longest)` int64 ids, and the length of each."""
    lengths = np.fromiter((len(ids) for ids in sequences), dtype=np.int64, count=len(sequences))
    padded = np.full((len(sequences), int(lengths.max())), pad_token_id, dtype=np.int64)
    padded[np.arange(padded.shape[1]) < lengths[:, None]] = np.concatenate(sequences)
    return padded, lengths


# --- which rows make up which batch ---

# Batches are cut from this many batches' worth of rows sorted by length: little padding, still well mixed. By a budget
# of tokens, words and captions share a window, and the batch where they meet is half padding: of more batches, one.
GROUPED_BATCHES = 16
GROUPED_BATCHES_BY_TOKENS = 64


def epoch_batches(
    lengths: Sequence[int] | np.ndarray,
    weights: np.ndarray,
    batch_size: int,
    *,
    seed: int,
    epoch: int,
    tokens_per_batch: int | None = None,
) -> list[np.ndarray]:
    """The batches of one epoch, each an array of row numbers, rows of alike length together.

    Each has `batch_size` rows or, if `tokens_per_batch` is given, as many as fit into so many tokens when all are
    padded to the longest. A row of weight 2.5 is seen two or three times, the fraction drawn anew each epoch. Rows that
    do not fill a last batch sit this epoch out; each epoch leaves out others.
    """
    rng = np.random.default_rng([seed, epoch])
    length = np.asarray(lengths)
    rows = _draw_rows(np.asarray(weights), rng)
    if not len(rows):
        rows = np.flatnonzero(np.asarray(weights) > 0)
    if tokens_per_batch is not None:
        batch_size = max(1, int(tokens_per_batch / float(length[rows].mean())))
    window = batch_size * (GROUPED_BATCHES if tokens_per_batch is None else GROUPED_BATCHES_BY_TOKENS)
    if tokens_per_batch is None and len(rows) < batch_size:
        bounds = np.array([0, len(rows)])
    elif tokens_per_batch is None:
        rows = _group(rows[: len(rows) - len(rows) % batch_size], length, window)
        bounds = np.arange(0, len(rows) + 1, batch_size)
    else:
        rows = _group(rows, length, window)
        # Up and down by turns, neighbours stay alike where windows meet; what is left over is long or short by turns.
        for start in range((epoch % 2) * window, len(rows), 2 * window):
            rows[start : start + window] = rows[start : start + window][::-1].copy()
        bounds = cut_by_tokens(length[rows], tokens_per_batch)
        last = length[rows[bounds[-2] :]]
        if len(bounds) > 2 and last.max() * len(last) < tokens_per_batch / 2:
            bounds = bounds[:-1]  # a last batch that is not half full
    # Slices of one array, which need little memory.
    return [rows[bounds[number] : bounds[number + 1]] for number in rng.permutation(len(bounds) - 1)]


def _draw_rows(weights: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    times = np.floor(weights).astype(np.int32)
    times += rng.random(len(weights)) < weights % 1
    return rng.permutation(np.repeat(np.arange(len(weights), dtype=np.int32), times))


def _group(rows: np.ndarray, length: np.ndarray, window: int) -> np.ndarray:
    """Sorts each window of rows by length."""
    for start in range(0, len(rows), window):
        part = rows[start : start + window]
        rows[start : start + window] = part[np.argsort(length[part], kind="stable")]
    return rows


def cut_by_tokens(length: np.ndarray, budget: int) -> np.ndarray:
    """Bounds of batches of as many neighbours as fit into `budget` padded tokens, at least one."""
    bounds, start = [0], 0
    counts = np.arange(1, max(1, budget // int(length.min())) + 1)
    while start < len(length):
        padded = np.maximum.accumulate(length[start : start + len(counts)])
        padded = padded * counts[: len(padded)]
        start += max(1, int(np.searchsorted(padded, budget, side="right")))
        bounds.append(start)
    return np.array(bounds)
