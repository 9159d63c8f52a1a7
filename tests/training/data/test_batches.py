"""Which rows make up which batch."""

import numpy as np
import pytest
from ipaclip.training.data.batches import epoch_batches


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


def padded(batch, lengths):
    return len(batch) * max(lengths[row] for row in batch)


@pytest.mark.parametrize("epoch", [0, 1])
def test_a_token_budget_is_kept_and_filled(epoch):
    lengths = np.random.default_rng(0).integers(3, 60, 3000)
    batches = epoch_batches(lengths, np.ones(3000), 32, seed=0, epoch=epoch, tokens_per_batch=1000)
    sizes = [padded(batch, lengths) for batch in batches]
    assert max(sizes) <= 1000
    assert np.mean(sizes) > 930
    rows = np.concatenate(list(batches))
    assert len(set(rows.tolist())) == len(rows)
    assert len(rows) > 2900
    assert sum(lengths[rows]) / sum(sizes) > 0.9
    again = epoch_batches(lengths, np.ones(3000), 32, seed=0, epoch=epoch, tokens_per_batch=1000)
    assert [batch.tolist() for batch in batches] == [batch.tolist() for batch in again]


def test_words_and_captions_mixed_are_padded_little():
    rng = np.random.default_rng(0)
    lengths = np.where(np.arange(20_000) % 2, rng.integers(5, 13, 20_000), rng.lognormal(4.0, 0.3, 20_000).astype(int))
    batches = epoch_batches(lengths, np.ones(20_000), 32, seed=0, epoch=0, tokens_per_batch=4096)
    tokens = sum(lengths[batch].sum() for batch in batches)
    assert tokens / sum(padded(batch, lengths) for batch in batches) > 0.95


def test_few_rows_fill_one_batch_of_tokens_and_a_long_row_stands_alone():
    (batch,) = epoch_batches([3, 4], np.ones(2), 32, seed=0, epoch=0, tokens_per_batch=100)
    assert sorted(batch.tolist()) == [0, 1]
    batches = epoch_batches([90, 90, 90], np.ones(3), 32, seed=0, epoch=0, tokens_per_batch=100)
    assert sorted(batch.tolist() for batch in batches) == [[0], [1], [2]]


def test_rows_of_weight_0_are_never_seen():
    weights = np.ones(64)
    weights[10:20] = 0
    for tokens in (None, 64):
        batches = epoch_batches([5] * 64, weights, 8, seed=0, epoch=0, tokens_per_batch=tokens)
        assert not set(np.concatenate(list(batches)).tolist()) & set(range(10, 20))


@pytest.mark.slow
def test_ten_million_rows_are_planned_in_little_memory():
    import tracemalloc

    lengths = np.random.default_rng(0).integers(3, 60, 10_000_000).astype(np.int32)
    weights = np.ones(10_000_000, dtype=np.float32)
    tracemalloc.start()
    batches = epoch_batches(lengths, weights, 32, seed=0, epoch=0, tokens_per_batch=65536)
    assert tracemalloc.get_traced_memory()[1] < 600e6
    tracemalloc.stop()
    assert len(batches) > 4000
