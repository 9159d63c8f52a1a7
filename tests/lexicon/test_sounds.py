"""Sound vectors, broad segments and spellings: what finds the candidates of a query."""

import numpy as np
import pytest
from ipaclip.lexicon.letters import LetterIndex, plain_letters, typing_errors
from ipaclip.lexicon.sounds import Sounds, segments_of
from ipaclip.tokenization import phoneme_distance
from ipaclip.tokenization.phonemes.distance import GAP, SegmentCosts
from ipaclip.tokenization.phonemes.sound_vectors import SoundEncoder


@pytest.mark.parametrize(
    ("ipa", "segments"),
    [
        ("ˈbʌt.ə", "b ʌ t ə"),
        ("kæsl̩", "k æ s ə l"),  # a syllabic consonant is a schwa and the consonant
        ("bɜ˞d", "b ɜ ɹ d"),
        ("kɔkko", "k ɔ k o"),  # twice in sequence is once
        ("biː ɡuːs", "b i ɡ u s"),
        ("aɪ̯s", "a ɪ s"),
        ("ˈˌ", ""),
    ],
)
def test_what_transcribers_write_differently_is_one(ipa: str, segments: str) -> None:
    assert segments_of([ipa]) == [tuple(segments.split())]


def test_a_feature_is_the_same_step_everywhere() -> None:
    encoder = SoundEncoder()
    bat, pat, zip_, sip = encoder([["b", "æ", "t"], ["p", "æ", "t"], ["z", "ɪ", "p"], ["s", "ɪ", "p"]])
    np.testing.assert_allclose(bat - pat, zip_ - sip, atol=1e-5)
    assert np.abs(bat - pat).max() > 0.1


def test_vectors_do_not_depend_on_what_is_encoded_beside_them() -> None:
    encoder = SoundEncoder()
    words = [["k", "æ", "t"], ["b"], list("banana"), []]
    together = encoder(words)
    for word, vector in zip(words, together, strict=True):
        np.testing.assert_allclose(encoder([word])[0], vector, atol=1e-5)
    assert not together[3].any()
    with pytest.raises(ValueError, match="no features"):
        encoder([["ˈ"]])


def test_the_vectors_of_one_segment_by_hand() -> None:
    encoder = SoundEncoder(waves=2, damping=1.0, presence=3.0)
    (vector,) = encoder([["m"]])
    # One segment stands at 1/2: cos(0) = 1 and cos(pi/2) = 0, so the second wave is empty; the constant is last.
    assert vector.reshape(-1, 2)[-1] == pytest.approx([3.0, 0.0], abs=1e-6)
    assert vector.reshape(-1, 2)[:, 1] == pytest.approx(0.0, abs=1e-6)


def test_confusions_cost_less_than_features_and_never_more() -> None:
    segments = ("r", "ʁ", "p", "b", "t", "ʔ")
    features, learned = SegmentCosts.panphon(segments, gap=GAP), SegmentCosts.confusions(segments)
    assert (learned.substitution <= features.substitution + 1e-6).all()
    assert learned.substitution[0, 1] < 1  # German r, by two transcribers
    assert features.substitution[0, 1] > 4
    assert learned.substitution[2, 3] == pytest.approx(phoneme_distance("p", "b"))  # no confusion: by its features
    assert learned.gap[5] < learned.gap[2] == GAP  # a glottal stop is often left out, p is not


def test_rows_of_words_and_exact_distances() -> None:
    sounds = Sounds.build([[("b", "æ", "t")], [("p", "æ", "t"), ("p", "a")], [("t",)]])
    assert sounds.rows_of(np.array([2, 1])).tolist() == [3, 1, 2]
    distances = sounds.distances(("b", "æ", "t"), np.array([0, 1, 3]))
    gaps = sounds.costs(()).gap
    lost = gaps[sounds.segments.index("b")] + gaps[sounds.segments.index("æ")]
    assert distances == pytest.approx([0.0, phoneme_distance("b", "p"), lost])


def test_joined_and_reduced_sounds_are_those_built_at_once() -> None:
    words = [[("b", "æ", "t")], [("k", "ɪ"), ("k", "i")], [tuple("banana")]]
    joined = Sounds.build(words[:1])
    joined = joined.joined(Sounds.build(words[1:], joined), 1)
    assert joined.owners.tolist() == [0, 1, 1, 2]
    assert [joined.said(row) for row in range(4)] == [one for word in words for one in word]
    less = joined.of_words(np.array([0, 2]))
    assert less.owners.tolist() == [0, 1]
    assert less.said(1) == tuple("banana")


@pytest.mark.parametrize(
    ("text", "letters"),
    [
        ("Crème Brûlée!", "creme brulee"),
        ("  ice-cream ", "ice cream"),
        ("man’s shoe", "mans shoe"),
        ("ТЁРКА", "терка"),
        ("हिन्दी", "हिन्दी"),
    ],
)
def test_letters_are_compared_without_what_typists_leave_out(text: str, letters: str) -> None:
    assert plain_letters(text) == letters


def test_words_that_share_letters_are_found() -> None:
    words = ["cat", "dog", "butterfly", "battery", "act"]
    index = LetterIndex(words)
    assert "cat" in [words[one] for one in index.nearest("cta", 2)]
    assert words[index.nearest("batterfly", 1)[0]] in ("butterfly", "battery")
    assert index.nearest("§", 3).size == 0
    assert typing_errors("cta", ["cat", "cats", "dog", ""]).tolist() == [1, 2, 3, 3]
