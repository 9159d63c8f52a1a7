"""Which rows make up which batch: a pure function of seed and epoch, so that a run goes on exactly where it stopped."""

from collections.abc import Sequence

import numpy as np

# Batches are cut from this many batches' worth of rows sorted by length: little padding, still well mixed.
GROUPED_BATCHES = 16


def epoch_batches(
    lengths: Sequence[int], weights: np.ndarray, batch_size: int, seed: int, epoch: int
) -> list[np.ndarray]:
    """The batches of one epoch: row numbers, `batch_size` each, rows of alike length together.

    A row of weight 2.5 is seen two or three times, the fraction drawn anew each epoch. Rows that do not fill a last
    batch sit this epoch out; each epoch leaves out others.
    """
    rng = np.random.default_rng([seed, epoch])
    times = np.floor(weights).astype(np.int64) + (rng.random(len(weights)) < weights % 1)
    rows = rng.permutation(np.repeat(np.arange(len(weights)), times))
    if len(rows) < batch_size:
        return [rows] if len(rows) else [np.arange(len(weights))]
    length = np.asarray(lengths)
    window = batch_size * GROUPED_BATCHES
    rows = rows[: len(rows) - len(rows) % batch_size]
    parts = [rows[start : start + window] for start in range(0, len(rows), window)]
    grouped = np.concatenate([part[np.argsort(length[part], kind="stable")] for part in parts])
    batches = grouped.reshape(-1, batch_size)
    return list(batches[rng.permutation(len(batches))])
