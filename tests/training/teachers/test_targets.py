"""The cache of targets: what it computes, what it keeps, and what it does with what others left in it."""

import json
import logging
import multiprocessing
import shutil

import numpy as np
import pytest
from ipaclip.training.teachers.targets import KeyIndex, TargetCache, text_keys
from training_helpers import file_limit

DIM = 6


class CountingTeacher:
    """Says of a text what a generator seeded by its letters says; remembers what it was asked."""

    name, dim, token_dim, clip, truncated, max_length = "counting", DIM, 4, None, 0, 77

    def __init__(self, identity="a", scale=1.0):
        self.identity, self.scale, self.asked = identity, scale, []

    def fingerprint(self):
        return f"fingerprint-{self.identity}"

    def say(self, text, *shape):
        seed = [ord(letter) for letter in self.identity + text]
        return np.random.default_rng(seed).normal(size=shape).astype(np.float32) * self.scale

    def embed(self, texts):
        self.asked.extend(texts)
        return np.stack([self.say(text, DIM) for text in texts])

    def embed_tokens(self, texts, length):
        self.asked.extend(texts)
        return np.stack([self.say(text, length, 4) for text in texts])


def expected(texts, teacher=None):
    return (teacher or CountingTeacher()).embed(texts)


WORDS = [f"word {number}" for number in range(100)]


def shards(directory, precision="float32", kind="pooled"):
    return sorted((directory / "fingerprint-a" / kind / precision).glob("shard-*"))


def test_each_text_is_computed_once_by_all_runs_together(tmp_path):
    teacher = CountingTeacher()
    first = TargetCache(tmp_path, teacher).targets(WORDS[:60])
    np.testing.assert_array_equal(first[:], expected(WORDS[:60]))
    second = TargetCache(tmp_path, teacher).targets([*WORDS[40:], WORDS[3], WORDS[3]])
    np.testing.assert_array_equal(second[:], expected([*WORDS[40:], WORDS[3], WORDS[3]]))
    assert sorted(teacher.asked) == sorted(WORDS)
    assert len(TargetCache(tmp_path, teacher)) == 100


def test_a_text_that_comes_twice_is_computed_once(tmp_path):
    teacher = CountingTeacher()
    targets = TargetCache(tmp_path, teacher).targets(["a", "b", "a", "a"])
    assert sorted(teacher.asked) == ["a", "b"]
    np.testing.assert_array_equal(targets[np.array([3, 1])], expected(["a", "b"]))
    assert targets.shape == (4, DIM)


def test_rows_are_read_from_many_shards(tmp_path):
    cache = TargetCache(tmp_path, CountingTeacher(), shard_texts=7)
    targets = cache.targets(WORDS)
    assert len(shards(tmp_path)) == 15
    rows = np.random.default_rng(0).integers(0, 100, 300)
    np.testing.assert_array_equal(targets[rows], expected(WORDS)[rows])
    np.testing.assert_array_equal(targets[20:30], expected(WORDS)[20:30])


def test_another_teacher_s_targets_are_never_met(tmp_path):
    TargetCache(tmp_path, CountingTeacher("a")).targets(WORDS)
    other = CountingTeacher("b")
    np.testing.assert_array_equal(TargetCache(tmp_path, other).targets(WORDS)[:], expected(WORDS, CountingTeacher("b")))
    assert len(other.asked) == 100


def test_a_shard_that_was_copied_from_another_teacher_is_set_aside(tmp_path, caplog):
    TargetCache(tmp_path, CountingTeacher("b")).targets(WORDS)
    shutil.copytree(tmp_path / "fingerprint-b", tmp_path / "fingerprint-a")
    np.testing.assert_array_equal(TargetCache(tmp_path, CountingTeacher("a")).targets(WORDS)[:], expected(WORDS))
    assert "fingerprint is 'fingerprint-b', not 'fingerprint-a'" in caplog.text


def test_half_precision(tmp_path):
    targets = TargetCache(tmp_path, CountingTeacher(), precision="float16").targets(WORDS)
    np.testing.assert_array_equal(targets[:], expected(WORDS).astype(np.float16).astype(np.float32))
    assert targets[:].dtype == np.float32
    assert np.load(shards(tmp_path, "float16")[0] / "targets.npy").dtype == np.float16


def test_half_precision_takes_what_is_there_in_full_and_not_the_other_way_round(tmp_path):
    teacher = CountingTeacher()
    TargetCache(tmp_path, teacher).targets(WORDS[:50])
    halves = TargetCache(tmp_path, teacher, precision="float16").targets(WORDS)
    assert sorted(teacher.asked) == sorted(WORDS)
    np.testing.assert_array_equal(halves[:], expected(WORDS).astype(np.float16).astype(np.float32))
    np.testing.assert_array_equal(TargetCache(tmp_path, teacher).targets(WORDS)[:], expected(WORDS))
    assert sorted(teacher.asked) == sorted([*WORDS, *WORDS[50:]])


def test_token_states_have_a_place_of_their_own(tmp_path):
    teacher = CountingTeacher()
    TargetCache(tmp_path, teacher).targets(WORDS)
    targets = TargetCache(tmp_path, teacher, token_length=3).targets(WORDS)
    assert targets.shape == (100, 3, 4)
    np.testing.assert_array_equal(targets[:], CountingTeacher().embed_tokens(WORDS, 3))
    assert len(TargetCache(tmp_path, teacher, token_length=5)) == 0


def test_mean_and_variance(tmp_path):
    targets = TargetCache(tmp_path, CountingTeacher(), shard_texts=9).targets(WORDS)
    mean, variance = targets.mean_and_variance()
    rows = expected(WORDS).astype(np.float64)
    np.testing.assert_allclose(mean, rows.mean(0))
    assert variance == pytest.approx(np.square(rows - rows.mean(0)).sum(1).mean())


def cut_off(folder):
    path = folder / "targets.npy"
    path.write_bytes(path.read_bytes()[:200])


def flip_a_bit(folder):
    data = bytearray((folder / "targets.npy").read_bytes())
    data[-2] ^= 1
    (folder / "targets.npy").write_bytes(data)


def without_description(folder):
    (folder / "shard.json").unlink()


def half_a_description(folder):
    (folder / "shard.json").write_text('{"format": 1, "fing')


def no_object(folder):
    (folder / "shard.json").write_text("[]")


def other_keys(folder):
    keys = np.load(folder / "keys.npy")
    np.save(folder / "keys.npy", keys[::-1])


def without_keys(folder):
    (folder / "keys.npy").write_bytes(b"")


def not_finite(folder):
    targets = np.load(folder / "targets.npy")
    targets[1, 2] = np.nan
    np.save(folder / "targets.npy", targets)


def another_shape(folder):
    np.save(folder / "targets.npy", np.load(folder / "targets.npy")[:, :3])


@pytest.mark.parametrize(
    "spoil",
    [
        cut_off, flip_a_bit, without_description, half_a_description, no_object, other_keys, without_keys, not_finite,
        another_shape,
    ],
)  # fmt: skip
def test_a_spoiled_shard_is_set_aside_and_only_its_texts_are_computed_anew(spoil, tmp_path, caplog):
    TargetCache(tmp_path, CountingTeacher(), shard_texts=25).targets(WORDS)
    spoiled = shards(tmp_path)[1]
    lost = set(np.load(spoiled / "keys.npy").tolist())
    spoil(spoiled)
    teacher = CountingTeacher()
    with caplog.at_level(logging.WARNING):
        targets = TargetCache(tmp_path, teacher).targets(WORDS)
    np.testing.assert_array_equal(targets[:], expected(WORDS))
    assert set(text_keys(teacher.asked).tolist()) == lost
    assert len(teacher.asked) == 25
    assert f"{spoiled} is spoiled" in caplog.text
    assert len(list(spoiled.parent.glob("spoiled-*"))) == 1
    again = CountingTeacher()
    TargetCache(tmp_path, again).targets(WORDS)
    assert again.asked == []


def test_what_was_finished_before_an_interruption_stays(tmp_path, monkeypatch):
    monkeypatch.setattr("ipaclip.training.teachers.targets.BLOCK_TEXTS", 5)

    class Interrupted(CountingTeacher):
        def embed(self, texts):
            if len(self.asked) >= 35:
                raise KeyboardInterrupt
            return super().embed(texts)

    with pytest.raises(KeyboardInterrupt):
        TargetCache(tmp_path, Interrupted(), shard_texts=20).targets(WORDS)
    teacher = CountingTeacher()
    np.testing.assert_array_equal(TargetCache(tmp_path, teacher).targets(WORDS)[:], expected(WORDS))
    # One whole shard of 20 and what was done of the next.
    assert len(teacher.asked) == 65


def test_a_shard_that_cannot_be_written_leaves_nothing(tmp_path, monkeypatch):
    cache = TargetCache(tmp_path, CountingTeacher())

    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("ipaclip.training.teachers.targets.np.save", full)
    with pytest.raises(OSError, match="No space left"):
        cache.targets(WORDS)
    assert [path.name for path in cache.folder.iterdir() if not path.name.startswith(".turn")] == []


def test_a_full_disk_says_what_to_do(tmp_path):
    cache = TargetCache(tmp_path, CountingTeacher())
    with file_limit(1000), pytest.raises(OSError, match=r"100 of the teacher's targets cannot be written .*cache_dir"):
        cache.targets(WORDS)
    np.testing.assert_array_equal(TargetCache(tmp_path, CountingTeacher()).targets(WORDS)[:], expected(WORDS))


def test_a_target_that_is_no_number_names_its_text(tmp_path):
    class Broken(CountingTeacher):
        def say(self, text, *shape):
            return np.full(shape, np.nan, np.float32) if text == "word 7" else super().say(text, *shape)

    with pytest.raises(ValueError, match="counting gives of 'word 7' is not finite"):
        TargetCache(tmp_path, Broken()).targets(WORDS)


def test_what_does_not_fit_in_half_precision_is_said(tmp_path):
    with pytest.raises(ValueError, match="does not fit in float16"):
        TargetCache(tmp_path, CountingTeacher(scale=1e6), precision="float16").targets(WORDS)


def test_no_text(tmp_path):
    with pytest.raises(ValueError, match="no text"):
        TargetCache(tmp_path, CountingTeacher()).targets([])


def test_a_stream_is_filled_in_shares(tmp_path, monkeypatch):
    monkeypatch.setattr("ipaclip.training.teachers.targets.CHUNK_TEXTS", 16)
    teachers = [CountingTeacher() for _ in range(3)]
    counts = [
        TargetCache(tmp_path, teacher).fill((word for word in WORDS), process_index=number, num_processes=3)
        for number, teacher in enumerate(teachers)
    ]
    assert sum(counts) == 100
    assert min(counts) > 15
    assert sorted(text for teacher in teachers for text in teacher.asked) == sorted(WORDS)


def test_a_cache_sees_what_another_writer_has_finished(tmp_path):
    teacher = CountingTeacher()
    early = TargetCache(tmp_path, teacher)
    TargetCache(tmp_path, CountingTeacher()).targets(WORDS)
    np.testing.assert_array_equal(early.targets(WORDS)[:], expected(WORDS))
    assert teacher.asked == []


class RecordingTeacher(CountingTeacher):
    """Writes what it was asked into a file of its own."""

    def __init__(self, path):
        super().__init__()
        self.path = path

    def embed(self, texts):
        with self.path.open("a") as file:
            file.writelines(f"{text}\n" for text in texts)
        return super().embed(texts)


def write(directory, number, words):
    cache = TargetCache(directory / "cache", RecordingTeacher(directory / f"asked-{number}"), shard_texts=8)
    targets = cache.targets(words)
    assert np.array_equal(targets[:], expected(words))


def test_writers_at_the_same_time_share_the_work(tmp_path):
    context = multiprocessing.get_context("fork")
    lists = [WORDS[start:] + WORDS[:start] for start in (0, 30, 60)]
    writers = [context.Process(target=write, args=(tmp_path, number, words)) for number, words in enumerate(lists)]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()
    assert [writer.exitcode for writer in writers] == [0, 0, 0]
    asked = [line for file in tmp_path.glob("asked-*") for line in file.read_text().splitlines()]
    assert sorted(asked) == sorted(WORDS)


def test_of_two_targets_of_one_text_the_older_counts(tmp_path):
    """Two machines that could not see each other's locks: a run that goes on must find what it began with."""
    TargetCache(tmp_path / "one", CountingTeacher()).targets(WORDS[:10])
    TargetCache(tmp_path / "two", CountingTeacher(scale=2.0)).targets(WORDS[:11])
    (first,), (second,) = shards(tmp_path / "one"), shards(tmp_path / "two")
    for folder, created in ((first, 2000), (second, 1000)):
        about = json.loads((folder / "shard.json").read_text())
        (folder / "shard.json").write_text(json.dumps({**about, "created": created}))
    shutil.copytree(second, first.parent / second.name)
    targets = TargetCache(tmp_path / "one", CountingTeacher()).targets(WORDS[:11])
    np.testing.assert_array_equal(targets[:], 2 * expected(WORDS[:11]))


def test_the_index_finds_what_a_dictionary_finds():
    rng = np.random.default_rng(1)
    index, places = KeyIndex(), {}
    for shard in range(40):
        keys = text_keys([f"text {number}" for number in rng.integers(0, 3000, rng.integers(1, 120))])
        index.add(keys, shard)
        for row, key in enumerate(keys.tolist()):
            places.setdefault(key, (shard, row))
    asked = text_keys([f"text {number}" for number in range(3500)])
    assert index.find(asked).tolist() == [list(places.get(key, (-1, -1))) for key in asked.tolist()]


def test_keys_that_end_in_zero_bytes(tmp_path):
    """numpy drops them from a byte string: one text in 256 has such a key."""
    words = [f"w{number}" for number in range(3000)]
    assert any(len(key) < 16 for key in text_keys(words).tolist())
    teacher = CountingTeacher()
    np.testing.assert_array_equal(TargetCache(tmp_path, teacher).targets(words)[:], expected(words))
    TargetCache(tmp_path, teacher).targets(words)
    assert len(teacher.asked) == 3000
