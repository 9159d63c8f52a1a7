"""The cache of targets: what it computes, what it keeps, and what it does with what others left in it."""

import logging
import multiprocessing
import shutil

import numpy as np
import pytest
from ipaclip.training.teachers.targets import ENTRY, TargetCache, text_keys
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


def test_rows_are_read_in_any_order(tmp_path):
    cache = TargetCache(tmp_path, CountingTeacher(), batch_texts=7)
    targets = cache.targets(WORDS)
    rows = np.random.default_rng(0).integers(0, 100, 300)
    np.testing.assert_array_equal(targets[rows], expected(WORDS)[rows])
    np.testing.assert_array_equal(targets[20:30], expected(WORDS)[20:30])


def test_another_teacher_s_targets_are_never_met(tmp_path):
    TargetCache(tmp_path, CountingTeacher("a")).targets(WORDS)
    other = CountingTeacher("b")
    np.testing.assert_array_equal(TargetCache(tmp_path, other).targets(WORDS)[:], expected(WORDS, CountingTeacher("b")))
    assert len(other.asked) == 100


def test_what_was_copied_from_another_teacher_is_computed_anew(tmp_path, caplog):
    TargetCache(tmp_path, CountingTeacher("b")).targets(WORDS)
    shutil.copytree(tmp_path / "fingerprint-b", tmp_path / "fingerprint-a")
    np.testing.assert_array_equal(TargetCache(tmp_path, CountingTeacher("a")).targets(WORDS)[:], expected(WORDS))
    assert "100 targets in" in caplog.text


def test_half_precision(tmp_path):
    targets = TargetCache(tmp_path, CountingTeacher(), precision="float16").targets(WORDS)
    np.testing.assert_array_equal(targets[:], expected(WORDS).astype(np.float16).astype(np.float32))
    assert targets[:].dtype == np.float32
    size = sum(path.stat().st_size for path in tmp_path.rglob("float16/targets.bin"))
    assert size == 2 * DIM * len(WORDS)


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
    targets = TargetCache(tmp_path, CountingTeacher(), batch_texts=9).targets(WORDS)
    rows = expected(WORDS).astype(np.float64)
    np.testing.assert_allclose(targets.mean, rows.mean(0), rtol=1e-6)
    assert targets.variance == pytest.approx(np.square(rows - rows.mean(0)).sum(1).mean())
    assert targets.scale == pytest.approx((rows - rows.mean(0)).std())


def cut_off(folder):
    path = folder / "targets.bin"
    path.write_bytes(path.read_bytes()[: 70 * 4 * DIM + 5])
    return 30


def flip_a_bit(folder):
    data = bytearray((folder / "targets.bin").read_bytes())
    data[-2] ^= 1
    (folder / "targets.bin").write_bytes(data)
    return 1


def without_data(folder):
    (folder / "targets.bin").unlink()
    return 100


def without_index(folder):
    (folder / "index.bin").unlink()
    return 100


def half_an_index(folder):
    entries = np.fromfile(folder / "index.bin", ENTRY)
    (folder / "index.bin").write_bytes(entries[:80].tobytes() + b"half")
    return 20


def other_keys(folder):
    entries = np.fromfile(folder / "index.bin", ENTRY)
    entries["key"][[3, 4]] = entries["key"][[4, 3]]
    entries.tofile(folder / "index.bin")
    return 2


def other_rows(folder):
    entries = np.fromfile(folder / "index.bin", ENTRY)
    entries["row"][[3, 4, 5]] = -7, 1 << 40, 0
    entries.tofile(folder / "index.bin")
    # how many else are in row 0 does not matter


def not_finite(folder):
    rows = np.fromfile(folder / "targets.bin", np.float32).reshape(-1, DIM)
    rows[1, 2] = np.nan
    rows.tofile(folder / "targets.bin")
    return 1


@pytest.mark.parametrize(
    "damage",
    [cut_off, flip_a_bit, without_data, without_index, half_an_index, other_keys, other_rows, not_finite],
)
def test_what_is_damaged_and_nothing_else_is_computed_anew(damage, tmp_path, caplog):
    cache = TargetCache(tmp_path, CountingTeacher(), batch_texts=25)
    cache.targets(WORDS)
    lost = damage(cache.folder)
    teacher = CountingTeacher()
    with caplog.at_level(logging.WARNING):
        targets = TargetCache(tmp_path, teacher).targets(WORDS)
    np.testing.assert_array_equal(targets[:], expected(WORDS))
    assert len(teacher.asked) == lost if lost else 3 <= len(teacher.asked) <= 4
    assert ("are damaged" in caplog.text) == (damage not in (without_index, half_an_index))
    again = CountingTeacher()
    np.testing.assert_array_equal(TargetCache(tmp_path, again).targets(WORDS)[:], expected(WORDS))
    assert again.asked == []


def test_a_run_that_reads_is_not_disturbed_by_one_that_writes_or_repairs(tmp_path):
    cache = TargetCache(tmp_path, CountingTeacher(), batch_texts=7)
    reading = cache.targets(WORDS[:50])
    (cache.folder / "index.bin").unlink()
    TargetCache(tmp_path, CountingTeacher()).targets(WORDS[::-1])
    np.testing.assert_array_equal(reading[:], expected(WORDS[:50]))


def test_what_was_finished_before_an_interruption_stays(tmp_path):
    class Interrupted(CountingTeacher):
        def embed(self, texts):
            if len(self.asked) >= 40:
                raise KeyboardInterrupt
            return super().embed(texts)

    with pytest.raises(KeyboardInterrupt):
        TargetCache(tmp_path, Interrupted(), batch_texts=20).targets(WORDS)
    teacher = CountingTeacher()
    np.testing.assert_array_equal(TargetCache(tmp_path, teacher).targets(WORDS)[:], expected(WORDS))
    assert sorted(teacher.asked) == sorted(WORDS[40:])


def test_a_full_disk_says_what_to_do(tmp_path):
    cache = TargetCache(tmp_path, CountingTeacher(), batch_texts=20)
    with file_limit(1000), pytest.raises(OSError, match=r"20 of the teacher's targets cannot be written .*cache_dir"):
        cache.targets(WORDS)
    teacher = CountingTeacher()
    np.testing.assert_array_equal(TargetCache(tmp_path, teacher).targets(WORDS)[:], expected(WORDS))
    assert teacher.asked == WORDS[35:]  # 1,000 bytes hold 35 entries of the index


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
    cache = TargetCache(directory / "cache", RecordingTeacher(directory / f"asked-{number}"), batch_texts=8)
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


def test_of_two_targets_of_one_text_the_first_counts(tmp_path):
    """Two machines that could not see each other's locks: a run that goes on must find what it began with."""
    one = TargetCache(tmp_path / "one", CountingTeacher())
    one.targets(WORDS[:10])
    other = TargetCache(tmp_path / "other", CountingTeacher(scale=2.0))
    other.targets(WORDS[:11])
    entries = np.fromfile(other.folder / "index.bin", ENTRY)
    entries["row"] += 10
    for name, content in (
        ("targets.bin", (other.folder / "targets.bin").read_bytes()),
        ("index.bin", entries.tobytes()),
    ):
        with (one.folder / name).open("ab") as file:
            file.write(content)
    targets = TargetCache(tmp_path / "one", CountingTeacher()).targets(WORDS[:11])
    np.testing.assert_array_equal(targets[:10], expected(WORDS[:10]))
    np.testing.assert_array_equal(targets[10:], 2 * expected(WORDS[10:11]))


def test_what_grows_by_many_small_batches_is_found_again(tmp_path):
    rng = np.random.default_rng(1)
    words = [f"text {number}" for number in range(3500)]
    cache = TargetCache(tmp_path, CountingTeacher(), batch_texts=17)
    for _ in range(40):
        some = [words[row] for row in rng.integers(0, 3000, rng.integers(1, 120))]
        np.testing.assert_array_equal(cache.targets(some)[:], expected(some))
    assert len(cache.teacher.asked) == len(set(cache.teacher.asked)) == len(cache)
    known = set(cache.teacher.asked)
    cache.targets(words)
    assert set(cache.teacher.asked[len(known) :]) == set(words) - known


def test_keys_that_end_in_zero_bytes(tmp_path):
    """numpy drops them from a byte string: one text in 256 has such a key."""
    words = [f"w{number}" for number in range(3000)]
    assert any(len(key) < 16 for key in text_keys(words).tolist())
    teacher = CountingTeacher()
    np.testing.assert_array_equal(TargetCache(tmp_path, teacher).targets(words)[:], expected(words))
    TargetCache(tmp_path, teacher).targets(words)
    assert len(teacher.asked) == 3000
