"""Which rows make up which batch."""

import numpy as np
import pytest
from ipaclip.training.batching import epoch_batches


def test_every_row_comes_once_an_epoch_and_epochs_differ():
    lengths, weights = list(range(64)), np.ones(64)
    first = epoch_batches(lengths, weights, 8, seed=1, epoch=0)
    assert sorted(np.concatenate(first).tolist()) == list(range(64))
    assert [batch.tolist() for batch in first] == [
        batch.tolist() for batch in epoch_batches(lengths, weights, 8, seed=1, epoch=0)
    ]
    other = epoch_batches(lengths, weights, 8, seed=1, epoch=1)
    assert [batch.tolist() for batch in first] != [batch.tolist() for batch in other]


def test_alike_lengths_stand_together():
    lengths = [5, 50] * 64
    batches = epoch_batches(lengths, np.ones(128), 16, seed=0, epoch=0)
    assert len(batches) == 8
    assert all(len({lengths[row] for row in batch}) == 1 for batch in batches)


def test_weights_are_how_often_a_row_is_seen():
    weights = np.array([3.0, 0.5, 1.0, 1.5])
    seen = np.zeros(4)
    for epoch in range(400):
        for batch in epoch_batches([1, 1, 1, 1], weights, 1, seed=0, epoch=epoch):
            seen[batch] += 1
    assert seen[[0, 2]].tolist() == [1200, 400]
    # Binomial with 400 draws of one half: six standard deviations are 60.
    assert seen[1] == pytest.approx(200, abs=60)
    assert seen[3] == pytest.approx(600, abs=60)


def test_fewer_rows_than_a_batch_make_one_batch():
    (batch,) = epoch_batches([1, 2, 3], np.ones(3), 8, seed=0, epoch=0)
    assert sorted(batch.tolist()) == [0, 1, 2]
