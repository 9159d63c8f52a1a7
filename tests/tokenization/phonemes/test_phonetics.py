"""Phonetic distance and near phonemes, against panphon's own distance."""

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
