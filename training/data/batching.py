"""Which rows make up which batch: a pure function of seed and epoch, so that a run goes on exactly where it stopped."""

from collections.abc import Sequence

import numpy as np

# Batches are cut from this many batches' worth of rows sorted by length: little padding, still well mixed. By a budget
# of tokens, words and captions share a window, and the batch where they meet is half padding: of more batches, one.
GROUPED_BATCHES = 16
GROUPED_BATCHES_BY_TOKENS = 64


class EpochBatches(Sequence[np.ndarray]):
    """The batches of an epoch, each an array of row numbers: slices of one array, which needs little memory."""

    def __init__(self, rows: np.ndarray, bounds: np.ndarray, order: np.ndarray) -> None:
        """Batch `i` is `rows[bounds[order[i]] : bounds[order[i] + 1]]`."""
        self._rows, self._bounds, self._order = rows, bounds, order

    def __len__(self) -> int:
        return len(self._order)

    def __getitem__(self, index):  # type: ignore[no-untyped-def]  # both of Sequence's overloads
        if isinstance(index, slice):
            return [self[one] for one in range(*index.indices(len(self)))]
        number = self._order[index]
        return self._rows[self._bounds[number] : self._bounds[number + 1]]


def epoch_batches(
    lengths: Sequence[int] | np.ndarray,
    weights: np.ndarray,
    batch_size: int,
    *,
    seed: int,
    epoch: int,
    tokens_per_batch: int | None = None,
) -> EpochBatches:
    """The batches of one epoch, rows of alike length together.

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
        bounds = _cut(length[rows], tokens_per_batch)
    return EpochBatches(rows, bounds, rng.permutation(len(bounds) - 1))


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


def _cut(length: np.ndarray, budget: int) -> np.ndarray:
    """Bounds of batches of at most `budget` padded tokens. A last one that is not half full is left out."""
    bounds, start = [0], 0
    most = max(1, budget // int(length.min()))
    counts = np.arange(1, most + 1)
    while start < len(length):
        padded = np.maximum.accumulate(length[start : start + most])
        padded = padded * counts[: len(padded)]
        fits = max(1, int(np.searchsorted(padded, budget, side="right")))
        start += fits
        if start < len(length) or len(bounds) == 1 or padded[fits - 1] >= budget / 2:
            bounds.append(start)
    return np.array(bounds)
