"""Agreement with human judgements, against values worked out by hand or by scipy's definition."""

import math

import numpy as np
import pytest
from ipaclip.evaluation.human.human import Judgement, human_agreement, human_similarity, read_judgements
from ipaclip.evaluation.statistics import bootstrap, bootstrap_mean, bootstrap_share, mean_ranks, pearson, spearman

# Angles to the standard word "stand": cosines 1, 0.5, 0, -1.
VECTORS = {"stand": (1.0, 0.0), "a": (2.0, 0.0), "b": (1.0, math.sqrt(3)), "c": (0.0, 5.0), "d": (-1.0, 0.0),
           "other": (0.0, 1.0)}  # fmt: skip


def encode(words):
    return np.array([VECTORS[word] for word in words])


def group(standard, **obtained):
    return [Judgement(word, standard, value) for word, value in obtained.items()]


def test_pearson_and_spearman_by_hand():
    assert pearson([1, 2, 3], [2, 4, 6]) == pytest.approx(1.0)
    # Deviations (-1, 0, 1) and (-1, 2, -1): their product is 0.
    assert pearson([1, 2, 3], [1, 4, 1]) == pytest.approx(0.0, abs=1e-12)
    # Deviations (-1.5, -.5, .5, 1.5) and (-2, 0, -1, 3): 7 / sqrt(5 * 14).
    assert pearson([1, 2, 3, 4], [0, 2, 1, 5]) == pytest.approx(7 / math.sqrt(70))
    # Ranks 1 2 3 4 and 1 3 2 4: 1 - 6 * 2 / (4 * 15).
    assert spearman([1, 2, 3, 4], [0, 2, 1, 5]) == pytest.approx(0.8)
    assert mean_ranks([10, 20, 10, 5]).tolist() == [2.5, 4.0, 2.5, 1.0]


@pytest.mark.parametrize("series", [[0.1, 0.1, 0.1], [1.0, 2.0]])
def test_no_correlation_where_there_is_none(series):
    assert pearson(series, [1.0, 2.0, 3.0][: len(series)]) is None
    assert spearman(series, [1.0, 2.0, 3.0][: len(series)]) is None


def test_a_small_spread_is_a_spread_and_rounding_is_none():
    assert pearson([1e-9, 2e-9, 3e-9], [2e-9, 4e-9, 6e-9]) == pytest.approx(1.0)
    assert pearson([0.3, 0.3 + 1e-16, 0.1 + 0.2], [1.0, 2.0, 3.0]) is None


@pytest.mark.parametrize("correlate", [pearson, spearman])
def test_what_is_no_number_has_no_correlation_and_says_so(correlate):
    with pytest.raises(ValueError, match="NaN or infinity"):
        correlate([1.0, math.nan, 2.0], [1.0, 2.0, 3.0])


def test_series_of_unequal_length_are_refused():
    with pytest.raises(ValueError, match="two series of equal length"):
        pearson([1, 2, 3], [1, 2])


def test_bootstrap_interval_has_the_width_of_the_standard_error():
    values = np.random.default_rng(3).normal(5, 2, 400)
    interval = bootstrap_mean(values, seed=1)
    assert interval.mean == pytest.approx(values.mean())
    # 1.96 standard errors of the mean on either side; the bootstrap itself is right to some percent.
    half = 1.96 * values.std() / 20
    assert interval.high - interval.mean == pytest.approx(half, rel=0.1)
    assert interval.mean - interval.low == pytest.approx(half, rel=0.1)
    assert bootstrap_mean(values, seed=1) == interval


def test_a_share_has_the_interval_of_its_outcomes():
    # The standard error of 80% of 400 is 2%.
    share = bootstrap_share(0.8, 400, seed=1)
    assert share.mean == 0.8
    assert share.high - 0.8 == pytest.approx(1.96 * 0.02, rel=0.15)
    assert 0.8 - share.low == pytest.approx(1.96 * 0.02, rel=0.15)
    assert bootstrap_share(1.0, 5).low == 1.0
    with pytest.raises(ValueError, match="at least one outcome"):
        bootstrap_share(0.5, 0)


def test_any_statistic_may_be_drawn_anew():
    values = np.random.default_rng(3).normal(5, 2, 400)
    interval = bootstrap(lambda drawn: float(values[drawn].mean()), 400, seed=1)
    assert interval.high - interval.mean == pytest.approx(1.96 * values.std() / 20, rel=0.2)
    assert bootstrap(lambda drawn: None, 4) is None


def test_groups_are_correlated_one_by_one_and_averaged():
    # Group "stand": cosines 1, .5, 0, -1 against the same numbers: r = 1. Group "other": the cosines of a, b, d with it
    # are 0, sqrt(3)/2, 0; judged 0, 1, 0.5: deviations from the means give r = .5 / sqrt(2/3 * .5).
    judged = group("stand", a=1.0, b=0.5, c=0.0, d=-1.0) + group("other", a=0.0, b=1.0, d=0.5)
    report = human_similarity(judged, encode)
    second = 0.5 / math.sqrt(2 / 3 * 0.5)
    assert [one.pearson for one in report.groups] == pytest.approx([1.0, second])
    assert report.pearson == pytest.approx((1 + second) / 2)
    assert [one.pairs for one in report.groups] == [4, 3]
    assert not report.set_aside
    assert report.interval.mean == pytest.approx(report.pearson)


def test_any_measure_may_be_compared_with_people():
    judged = group("stand", a=3.0, b=2.0, c=1.0)
    lengths = {"stand": 0, "a": 1, "b": 2, "c": 3}
    report = human_agreement(judged, lambda first, second: -abs(lengths[first] - lengths[second]))
    assert report.pearson == pytest.approx(1.0)


def test_what_is_constant_is_named():
    flat = human_similarity(group("stand", a=1.0, b=1.0, c=1.0), encode)
    assert flat.set_aside == {"stand": "all judgements are equal: correlation is undefined"}
    assert flat.interval is None
    alike = human_agreement(group("stand", a=1.0, b=2.0, c=3.0), lambda first, second: 0.5)
    assert alike.set_aside == {"stand": "all similarities are equal: correlation is undefined"}


def test_what_cannot_be_used_is_named_and_never_becomes_a_number():
    judged = (
        group("stand", a=1.0, b=0.5, c=0.0, d=-1.0, zzz=0.3)
        + group("other", a=0.0, b=1.0)
        + [Judgement(word, "c", 0.4) for word in ("a", "b", "d")]
    )
    report = human_similarity(judged, encode, unsayable={"zzz": "no vowel"})
    assert report.pearson == pytest.approx(1.0)
    assert report.set_aside.keys() == {"zzz / stand", "other", "c"}
    assert report.set_aside["zzz / stand"] == "no vowel"
    assert "only 2 pairs" in report.set_aside["other"]
    assert "undefined" in report.set_aside["c"]


def test_nothing_left_is_no_correlation():
    report = human_similarity(group("other", a=1.0), encode)
    assert report.pearson is None
    assert report.spearman is None


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("word1,word2\na,b\n", "has no column obtained"),
        ("word1,word2,obtained\na,,1\n", ":2: a word is empty"),
        ("word1,word2,obtained\na,b,1\na,c,high\n", ":3: 'high' is no number"),
        ("word1,word2,obtained\na,b,nan\n", ":2: 'nan' is no number"),
        ("word1,word2,obtained\na,b\n", ":2: None is no number"),
        ("word1,word2,obtained\n", "holds no judgements"),
    ],
)
def test_a_table_that_cannot_be_read_says_where(tmp_path, content, message):
    path = tmp_path / "judged.csv"
    path.write_text(content, encoding="utf-8")
    with pytest.raises(ValueError, match=message):
        read_judgements(path)


def test_a_table_that_is_not_utf8_says_so(tmp_path):
    path = tmp_path / "judged.csv"
    path.write_bytes("word1,word2,obtained\nnaïve,a,1\n".encode("latin-1"))
    with pytest.raises(ValueError, match="not UTF-8 at byte"):
        read_judgements(path)


def test_a_table_is_read_with_other_columns_ignored(tmp_path):
    path = tmp_path / "judged.csv"
    path.write_text("word1,word2,vw_predicted,obtained\nscreech, plant,1,0.11\n", encoding="utf-8")
    assert read_judgements(path) == [Judgement("screech", "plant", 0.11)]
