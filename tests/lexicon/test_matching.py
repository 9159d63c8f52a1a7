"""Names that are the same: by sound in any script, by letters within one."""

from collections.abc import Sequence

import numpy as np
import pytest
from ipaclip.lexicon import Entry, NameMatcher, match
from ipaclip.lexicon.matching import language_of, score, script_of

# Hand-made, so that no transcriber has a say. Of "Mora" and "Mola" ɹ and l differ.
SAID = {
    "Mora": ("moɹa",),
    "Morra": ("moɹa", "moːɹa"),
    "Mola": ("mola",),
    "Мора": ("mora",),
    "Tikken": ("tikən",),
    "明": (),
}


def pronounce(words: Sequence[str], language: str) -> list[tuple[str, ...] | str]:
    return [SAID.get(word) or f"{word} cannot be said in {language}" for word in words]


@pytest.fixture(scope="module")
def matcher() -> NameMatcher:
    return NameMatcher(["Tikken", "Mola", "Мора", "Mora", "明", "Mora"], pronounce=pronounce)


@pytest.mark.parametrize(
    ("query", "name"),
    [
        ("Katherine", "Catherine"),
        ("Steven", "Stephen"),
        ("Smyth", "Smith"),
        ("Мария", "Maria"),
        ("Jonhatan", "Jonathan"),
    ],
)
def test_the_same_name_is_found_and_others_are_far(query: str, name: str) -> None:
    pytest.importorskip("phonemizer")
    names = ["Peter", "Catherine", "Stephen", "Smith", "Maria", "Jonathan", "Robert"]
    (found,) = match([query], names)
    assert (found[0].name, found[0].place) == (name, names.index(name))
    assert found[0].score > 0.8
    assert all(other.score < 0.2 for other in found[1:])


def test_names_across_scripts() -> None:
    pytest.importorskip("phonemizer")
    (found,) = match(["Maria"], ["Robert", "Мария", "Βασίλης", "ماريا", "Μαρία", "Olga"], top=4)
    assert {one.name for one in found[:3]} == {"Мария", "ماريا", "Μαρία"}
    assert min(one.score for one in found[:3]) > 0.9
    assert found[3].score < 0.2


def test_a_name_that_is_there_twice_comes_twice(matcher: NameMatcher) -> None:
    (found,) = matcher.match(["Mora"], top=3)
    assert [(one.name, one.place, one.score) for one in found[:2]] == [("Mora", 3, 1.0), ("Mora", 5, 1.0)]
    assert len(matcher) == 6


def test_of_several_pronunciations_the_nearest_counts(matcher: NameMatcher) -> None:
    (found,) = matcher.match(["Morra"], top=1)
    assert found[0].distance == 0
    assert found[0].part.typing_errors == 1
    # SAME is 2.7; one of five letters is too many: log(0.8 + 0.2 · exp(-9.6 / 5))
    assert found[0].score == pytest.approx(1 / (1 + np.exp(-(2.7 + np.log(0.8 + 0.2 * np.exp(-9.6 / 5))))), abs=1e-6)


def test_letters_count_within_a_script_only(matcher: NameMatcher) -> None:
    found = {one.name: one for one in matcher.match(["Mora"], top=6)[0]}
    assert found["Mola"].part.typing_errors == 1
    assert found["Мора"].part.typing_errors is None
    assert found["Мора"].score > found["Mola"].score


def test_a_name_without_sound_is_found_by_its_letters(matcher: NameMatcher) -> None:
    assert matcher.silent == {4: "明 cannot be said in eng-Latn"}
    (found,) = matcher.match(["明"])
    assert [one.name for one in found if one.score > 0.01] == ["明"]
    assert found[0].score == 1
    assert "明" in found[0].explain()


def test_signs_are_no_name() -> None:
    found = NameMatcher(["!!!", "Mora"], pronounce=pronounce).match(["???"])[0]
    assert all(one.score < 0.01 for one in found)


def test_vowels_count_less_than_consonants() -> None:
    said = {"bada": ("bada",), "beda": ("beda",), "baga": ("baɡa",)}
    one = NameMatcher(["beda", "baga"], pronounce=lambda words, language: [said[word] for word in words])
    vowel, consonant = one.compare(["bada", "bada"], [0, 1])
    assert 0 < vowel.distance < consonant.distance


def test_why_shows_sounds_and_costs() -> None:
    said = {"bada": ("bada",), "baga": ("baɡa",)}
    one = NameMatcher(["baga"], pronounce=lambda words, language: [said[word] for word in words])
    (found,) = one.compare(["bada"], [0])
    lines = found.explain().splitlines()
    assert lines[0].startswith("bada → baga (eng-Latn): distance ")
    assert [line.split() for line in lines[1:3]] == [["baga", *"baɡa"], ["bada", *"bada"]]
    (edit,) = (edit for edit in found.part.edits if edit.cost)
    assert (edit.word, edit.query) == ("ɡ", "d")
    assert float(lines[3].split()[1]) == pytest.approx(edit.cost, rel=0.1)
    assert found.distance == pytest.approx(edit.cost / 4, abs=1e-6)


def test_duplicates(matcher: NameMatcher) -> None:
    pairs = {(one.query_place, one.place): one.score for one in matcher.duplicates()}
    assert pairs[3, 5] == 1  # Mora twice
    assert {(2, 3), (2, 5)} <= pairs.keys()  # Мора
    assert all(0 not in pair and 4 not in pair for pair in pairs)
    assert [(one.query_place, one.place) for one in matcher.duplicates(1.0)] == [(3, 5)]


def test_duplicates_are_those_that_comparing_all_finds() -> None:
    letters = np.random.default_rng(0).choice(list("pbtdae"), (80, 4))
    names = sorted({"".join(row) for row in letters})
    one = NameMatcher(names, pronounce=lambda words, language: [(word,) for word in words])
    found = {(pair.query_place, pair.place) for pair in one.duplicates(0.1)}
    every = [
        (first, second)
        for first in range(len(names))
        for second in range(first + 1, len(names))
        if one.compare([names[first]], [second])[0].score >= 0.1
    ]
    assert every
    assert found == set(every)


def test_the_threshold_cuts(matcher: NameMatcher) -> None:
    scores = [one.score for one in matcher.match(["Mora"], top=6)[0]]
    assert scores == sorted(scores, reverse=True)
    assert len(matcher.match(["Mora"], top=6, threshold=0.99)[0]) == sum(one >= 0.99 for one in scores)


def test_a_language_of_its_own() -> None:
    asked = []

    def note(words: Sequence[str], language: str) -> list[tuple[str, ...] | str]:
        asked.append((tuple(words), language))
        return [("a",) for _ in words]

    NameMatcher(["Jan", Entry("Johan", "swe-Latn"), "Юрій", "Γιώργος"], language="ukr-Cyrl", pronounce=note)
    assert set(asked) == {
        (("Jan",), "eng-Latn"),
        (("Johan",), "swe-Latn"),
        (("Юрій",), "ukr-Cyrl"),
        (("Γιώργος",), "ell-Grek"),
    }


@pytest.mark.parametrize(
    ("name", "script", "language"),
    [
        ("Zoë", "LATIN", "fra-Latn"),
        ("Мария II", "CYRILLIC", "rus-Cyrl"),
        ("たなか", "HIRAGANA", "jpn-Hira"),
        ("김민준", "HANGUL", "kor-Hang"),
        ("明", "CJK", "fra-Latn"),
        ("42", "", "fra-Latn"),
    ],
)
def test_scripts(name: str, script: str, language: str) -> None:
    assert script_of(name) == script
    assert language_of(name, "fra-Latn") == language


def test_the_score_falls_with_distance_and_errors() -> None:
    steps = np.linspace(0.01, 2, 20)
    zeros = np.zeros(20)
    for same_script in (np.ones(20, dtype=bool), np.zeros(20, dtype=bool)):
        falls = np.diff(score(steps, zeros + 0.5, same_script))
        assert (falls <= 0).all()
        assert falls[0] < 0
    assert (np.diff(score(zeros + 0.1, steps, np.ones(20, dtype=bool))) < 0).all()
    np.testing.assert_array_equal(score(zeros, steps, np.zeros(20, dtype=bool)), np.full(20, score(0, 0, False)))


@pytest.mark.parametrize(
    ("names", "queries", "options", "error", "message"),
    [
        ([], ["a"], {}, ValueError, "no names"),
        ("Mora", ["a"], {}, TypeError, "not one str"),
        (["Mora", " "], ["a"], {}, ValueError, "is empty"),
        (["Mora"], "Mora", {}, TypeError, "not one str"),
        (["Mora"], [""], {}, ValueError, "is empty"),
        (["Mora"], ["a" * 501], {}, ValueError, "501 signs"),
        (["Mora"], ["a"], {"top": 0}, ValueError, "top is 0"),
        (["Mora"], ["a"], {"threshold": 1.5}, ValueError, "1.5"),
    ],
)
def test_bad_input(names, queries, options, error, message) -> None:
    with pytest.raises(error, match=message):
        NameMatcher(names, pronounce=pronounce).match(queries, **options)


def test_an_unknown_language() -> None:
    with pytest.raises(ValueError, match="xxx-Latn"):
        NameMatcher(["Mora"], language="xxx-Latn")


def test_a_place_beyond_the_list(matcher: NameMatcher) -> None:
    with pytest.raises(KeyError):
        matcher.compare(["Mora"], [6])
