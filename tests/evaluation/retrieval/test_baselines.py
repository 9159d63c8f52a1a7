"""Nearest names and a lexicon's words as finders, against values by hand."""

import sys
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from ipaclip.evaluation import Query, evaluate_retrieval, ranks
from ipaclip.evaluation.checkpoint import Checkpoint
from ipaclip.evaluation.retrieval import baselines as module
from ipaclip.evaluation.retrieval.baselines import (
    LexiconThenText,
    NearestName,
    baselines_of,
    by_place,
    code_distances,
    letter_distances,
)
from ipaclip.lexicon import Lexicon
from ipaclip.tokenization import phoneme_distance

INF = float("inf")
NAMES = ("butterfly", "dog", "umbrella", "book", "pen", "family")


@pytest.fixture
def checkpoint(tiny_checkpoint):
    pytest.importorskip("phonemizer")
    return Checkpoint.load(str(tiny_checkpoint))


def test_of_equally_near_names_the_first_is_the_better():
    scores = by_place(np.array([[2.0, 1.0, 1.0, INF], [INF, INF, 0.0, INF]]))
    assert scores.tolist() == [[-2, 0, -1, -INF], [-INF, -INF, 0, -INF]]
    assert ranks(scores, [1, 2]).tolist() == [0, 0]
    assert ranks(scores, [2, 2]).tolist() == [1, 0]
    # What is not found at all comes last.
    assert ranks(scores, [3, 0]).tolist() == [3, 3]


def test_phonetic_distance_to_the_nearest_name_of_each_picture():
    # Picture 0 is a bat or a cat, picture 1 a bats; a name that cannot be said is no name of picture 2.
    near = NearestName(["bæt", "kæt", "bˈæts", ValueError("mute")], [0, 0, 1, 2], 3)
    assert len(near) == 3
    found = near(["pæt", "ɡæt", "bæt", "", "pæt"])
    p, g = phoneme_distance("p", "b"), phoneme_distance("ɡ", "k")
    assert g < phoneme_distance("ɡ", "b")
    expected = [[p, p + 2.5, INF], [g, phoneme_distance("ɡ", "b") + 2.5, INF], [0, 2.5, INF], [INF] * 3]
    np.testing.assert_allclose(found, [*expected, expected[0]], rtol=1e-5)


def test_letters_changed_lost_added_and_swapped():
    assert letter_distances(["CAB", "cta"], ["acb", "cab", "cat", "carts"]).tolist() == [[1, 0, 1, 3], [3, 2, 1, 3]]


def test_double_metaphones_agree_or_do_not():
    pytest.importorskip("metaphone")
    # Smith is SM0 or XMT, Schmidt XMT or SMT; circle and sirkle are SRKL; letters of other scripts have none.
    names = ["circle", "Schmidt", "日本", "8 ball"]
    assert code_distances(["sirkle", "Smith", "日本", "pull", ""], names).tolist() == [
        [0, INF, INF, INF],
        [INF, 1, INF, INF],
        [INF, INF, INF, INF],
        [INF, INF, INF, 0],
        [INF, INF, INF, INF],
    ]


class TwoReadings:
    """Whatever is asked means picture 0 with .5 and picture 2 with .25; `"???"` means nothing."""

    has_embeds = False

    def readings(self, queries, *, ipa, language, top):
        two = [SimpleNamespace(meaning="a", probability=0.5), SimpleNamespace(meaning="c", probability=0.25)]
        return [[] if query == "???" else two for query in queries]

    def text_embeds(self, meanings, model, processor):
        return np.eye(3, dtype=np.float32)[["abc".index(meaning) for meaning in meanings]]


def test_scores_of_readings_are_mixed_and_not_their_vectors(checkpoint):
    find = LexiconThenText(replace(checkpoint, lexicon=TwoReadings()), torch.eye(3))
    scores = find(["x", "???", "x"], "eng-Latn")
    far = np.exp(-20)  # a cosine of 0, by (0 - 1) / 0.05
    expected = np.log([0.5 + 0.25 * far, 0.75 * far, 0.5 * far + 0.25])
    np.testing.assert_allclose(scores[[0, 2]], [expected, expected], rtol=1e-5)
    assert np.isneginf(scores[1]).all()
    with pytest.raises(ValueError, match="has no lexicon"):
        LexiconThenText(checkpoint, torch.eye(3))


def test_a_checkpoint_with_a_lexicon_is_asked_by_it(tiny_checkpoint_copy):
    pytest.importorskip("phonemizer")
    bare = Checkpoint.load(str(tiny_checkpoint_copy))
    assert bare.lexicon is None
    Lexicon.build(NAMES, bare.model, bare.processor).save(tiny_checkpoint_copy)
    checkpoint = Checkpoint.load(str(tiny_checkpoint_copy))
    finders = baselines_of(checkpoint).finders
    assert list(finders) == [
        "nearest name by phonetic distance, phonemes",
        "nearest name by phonetic distance, spelling as transcribed",
        "nearest name by letters",
        "nearest name by Double Metaphone",
        "nearest words of the lexicon, then text tower, phonemes",
        "nearest words of the lexicon, then text tower, spelling",
    ]
    # The text tower finds the pictures that were made of what it reads: of book and pen.
    queries = {"names": [Query(3, "buk", "bʊk", "bˈʊk"), Query(4, "pen", "bɛn", "pˈɛn")]}
    report = evaluate_retrieval(
        checkpoint.model,
        checkpoint.processor,
        checkpoint.gallery,
        NAMES,
        queries=queries,
        finders=finders,
    )
    places = {name: report.rows[0].placings[name].places for name in finders}
    metaphone = places.pop("nearest name by Double Metaphone")
    assert set(places.values()) == {(0, 0)}
    assert metaphone == (0, 0)
    # Who knows the names finds them by no picture.
    assert list(report.picture_to_word) == ["text", "pronunciation", "heard", "both"]


def test_what_cannot_be_had_is_left_out_with_a_note(checkpoint, monkeypatch):
    other = Lexicon.build(["dog"])
    other._embeds, other.text_tower = {"dog": np.eye(1, 16, dtype=np.float32)[0]}, "another"
    monkeypatch.setitem(sys.modules, "metaphone", None)
    found = baselines_of(replace(checkpoint, lexicon=other, known={}))
    assert module.BY_METAPHONE not in found.finders
    assert not any(name.startswith(module.BY_LEXICON) for name in found.finders)
    assert [note for note in found.notes if 'pip install "ipaclip[evaluation]"' in note]
    assert [note for note in found.notes if "text tower of another" in note]
