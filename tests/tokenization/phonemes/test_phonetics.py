"""Phonetic distance and near phonemes, against panphon's own distance."""

import itertools
import timeit
from collections.abc import Sequence

import numpy as np
import panphon
import panphon.distance
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from ipaclip.tokenization import (
    inventory_of,
    is_segment,
    is_vowel,
    nearest_phonemes,
    phoneme_distance,
    phoneme_sequence_distance,
    split_segments,
)
from ipaclip.tokenization.phonemes.distance import SegmentCosts
from ipaclip.tokenization.phonemes.segments import panphon_table

SEGMENTS = sorted(segment for segment in panphon_table().segments if is_segment(segment))
ENGLISH = split_segments("pbtdkɡfvθðszʃʒhmnŋlɹjwt͡ʃd͡ʒiɪeɛæɑɔoʊuʌə")


@pytest.fixture(scope="module")
def reference() -> panphon.distance.Distance:
    return panphon.distance.Distance()


@settings(max_examples=100, deadline=None)
@given(a=st.sampled_from(SEGMENTS), b=st.sampled_from(SEGMENTS))
def test_distance_is_panphons(reference: panphon.distance.Distance, a: str, b: str) -> None:
    vectors = (reference.fm.fts(a).numeric(), reference.fm.fts(b).numeric())
    assert phoneme_distance(a, b) == pytest.approx(reference.weighted_substitution_cost(*vectors))
    assert phoneme_distance(a, b) == phoneme_distance(b, a)
    assert phoneme_distance(a, a) == 0


def test_voicing_is_one_feature_of_weight_an_eighth() -> None:
    assert phoneme_distance("p", "b") == pytest.approx(2 * 0.125)


@settings(max_examples=60, deadline=None)
@given(
    a=st.lists(st.sampled_from(ENGLISH), max_size=7),
    b=st.lists(st.sampled_from(ENGLISH), max_size=7),
)
def test_sequence_distance_is_panphons(reference: panphon.distance.Distance, a: list[str], b: list[str]) -> None:
    expected = reference.weighted_feature_edit_distance("".join(a), "".join(b))
    assert phoneme_sequence_distance(a, b) == pytest.approx(expected)


def by_definition(costs: SegmentCosts, a: Sequence[str], b: Sequence[str]) -> float:
    """The recurrence of edit distance, cell by cell."""
    (one, other) = ([costs.segments.index(segment) for segment in word] for word in (a, b))
    table = {(0, 0): 0.0}
    for i, j in itertools.product(range(len(a) + 1), range(len(b) + 1)):
        ways = [table[0, 0]] if (i, j) == (0, 0) else []
        if i:
            ways.append(table[i - 1, j] + costs.gap[one[i - 1]])
        if j:
            ways.append(table[i, j - 1] + costs.gap[other[j - 1]])
        if i and j:
            ways.append(table[i - 1, j - 1] + costs.substitution[one[i - 1], other[j - 1]])
        table[i, j] = min(ways)
    return float(table[len(a), len(b)])


WORD = st.lists(st.sampled_from(ENGLISH), max_size=7)
COSTS = {
    "panphon": SegmentCosts.panphon(ENGLISH),
    "a cheap gap": SegmentCosts.panphon(ENGLISH, gap=0.7),
    "unweighted": SegmentCosts.unweighted(ENGLISH),
}


@pytest.mark.parametrize("kind", COSTS)
@settings(max_examples=60, deadline=None)
@given(query=WORD, words=st.lists(WORD, max_size=6))
def test_one_query_against_many_words(kind: str, query: list[str], words: list[list[str]]) -> None:
    costs = COSTS[kind]
    ids, lengths = costs.encode(words)
    found = costs.distances(costs.encode([query])[0][0], ids, lengths)
    assert found.shape == (len(words),)
    assert found == pytest.approx([by_definition(costs, query, word) for word in words], abs=1e-4)


@pytest.mark.parametrize("kind", COSTS)
@settings(max_examples=60, deadline=None)
@given(a=WORD, b=WORD)
def test_an_alignment_costs_the_distance_and_spells_both_words(kind: str, a: list[str], b: list[str]) -> None:
    costs = COSTS[kind]
    edits = costs.align(a, b)
    assert [one for one, _, _ in edits if one is not None] == a
    assert [other for _, other, _ in edits if other is not None] == b
    for one, other, cost in edits:
        assert cost == pytest.approx(by_definition(costs, [one] if one else [], [other] if other else []), abs=1e-4)
    assert sum(cost for _, _, cost in edits) == pytest.approx(by_definition(costs, a, b), abs=1e-4)


def test_an_alignment_by_hand() -> None:
    costs = SegmentCosts.panphon(ENGLISH)
    edits = costs.align(split_segments("kæt"), split_segments("bæts"))
    assert edits[1:] == [("æ", "æ", 0), ("t", "t", 0), (None, "s", 7.25)]
    assert edits[0] == ("k", "b", phoneme_distance("k", "b"))


def test_ids_are_places_and_padded() -> None:
    costs = SegmentCosts.panphon(["t", "æ", "k"])
    ids, lengths = costs.encode([["k", "æ", "t"], [], ["æ"]])
    assert ids.tolist() == [[2, 1, 0], [-1, -1, -1], [1, -1, -1]]
    assert lengths.tolist() == [3, 0, 1]
    assert costs.encode([])[0].shape == (0, 0)
    with pytest.raises(ValueError, match="'b' is not among the 3 segments"):
        costs.encode([["b"]])
    with pytest.raises(ValueError, match="given twice"):
        SegmentCosts.panphon(["t", "t"])


def test_a_hundred_thousand_words_take_less_than_half_a_second() -> None:
    costs = SegmentCosts.panphon(ENGLISH)
    ids = np.random.default_rng(0).integers(0, len(ENGLISH), (100_000, 8))
    seconds = min(timeit.repeat(lambda: costs.distances(ids[0], ids, np.full(len(ids), 8)), number=1, repeat=3))
    assert seconds < 0.5


def test_nearest_phonemes_are_of_the_class_sorted_and_deterministic() -> None:
    nearest = nearest_phonemes(ENGLISH)
    assert set(nearest) == set(ENGLISH)
    for segment, others in nearest.items():
        assert set(others) == {other for other in ENGLISH if is_vowel(other) == is_vowel(segment)} - {segment}
        keys = [(phoneme_distance(segment, other), other) for other in others]
        assert keys == sorted(keys)
    assert nearest["p"][0] == "b"
    assert nearest["ʃ"][0] == "ʒ"
    assert nearest_phonemes([*reversed(ENGLISH), "p"]) == nearest


def test_nearest_phonemes_of_little() -> None:
    assert nearest_phonemes([]) == {}
    assert nearest_phonemes(["a", "p"]) == {"a": [], "p": []}


def test_classes() -> None:
    assert is_vowel("aː")
    assert is_vowel("n̩")
    assert not is_vowel("t͡ʃ")
    assert is_segment("ə˞")
    for token in ("ˈ", "ː", " ", "˥", "˥ˤ", "\u0303", "<pad>", "X", ""):
        assert not is_segment(token)
    with pytest.raises(ValueError, match="not an IPA segment"):
        is_vowel("ˈ")


def test_inventory_counts_segments_only() -> None:
    strings = ["ˈbæt bæd", "bæ XX"]
    assert inventory_of(strings) == ["b", "æ", "d", "t"]
    assert inventory_of(iter(strings), min_count=3) == ["b", "æ"]
    assert inventory_of([]) == []
    with pytest.raises(TypeError, match="not one str"):
        inventory_of("bæt")


@pytest.mark.parametrize("bad", ["", "ab", "ˈ", "g", "<unk>"])
def test_what_is_no_segment_is_refused(bad: str) -> None:
    with pytest.raises(ValueError, match="not an IPA segment"):
        phoneme_distance(bad, "a")
    with pytest.raises(ValueError, match="not an IPA segment"):
        nearest_phonemes(["a", bad])
    with pytest.raises(ValueError, match="not an IPA segment"):
        phoneme_sequence_distance(["a"], [bad])
