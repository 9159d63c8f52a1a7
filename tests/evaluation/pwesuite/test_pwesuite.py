"""PWESuite's tasks on small tables made by hand, and its formats."""

import json
import math
import pickle

import numpy as np
import pytest
from ipaclip.evaluation.human.human import Judgement
from ipaclip.evaluation.pwesuite.tasks import evaluate_pwesuite, feature_edit_distances, rhyme_part
from ipaclip.evaluation.pwesuite.words import (
    CognateTriple,
    Word,
    beside,
    embed_words,
    export_embeddings,
    read_cognates,
    read_words,
)
from ipaclip.tokenization.phonemes.segments import segment_features

ROW = {"token_ort": "pat", "token_ipa": "pæt", "token_arp": "P AE1 T", "lang": "en", "purpose": "main"}
PAT = Word("pat", "pæt", "P AE1 T", "en", "main")


def main(*pronunciations, lang="en"):
    return [Word(ipa, ipa, "", lang, "main") for ipa in pronunciations]


def score(report, task, language="all"):
    return next(one for one in report.scores if (one.task, one.language) == (task, language))


# --- distance ---


def _by_definition(first, second):
    """The textbook's table, cell by cell, with the costs of the docstring."""
    cost = {sign: np.abs(segment_features(sign)).sum() / 24 for sign in first + second}
    table = {(0, 0): 0.0}
    for i in range(len(first) + 1):
        for j in range(len(second) + 1):
            ways = [table[0, 0]] if (i, j) == (0, 0) else []
            if i:
                ways.append(table[i - 1, j] + cost[first[i - 1]])
            if j:
                ways.append(table[i, j - 1] + cost[second[j - 1]])
            if i and j:
                features = np.array([segment_features(first[i - 1]), segment_features(second[j - 1])])
                ways.append(table[i - 1, j - 1] + np.abs(features[0] - features[1]).sum() / 24)
            table[i, j] = min(ways)
    return table[len(first), len(second)]


def test_feature_edit_distance_is_that_of_its_definition():
    words = ["pat", "bat", "at", "stop", "a", "bnm"]
    expected = [[_by_definition(first, second) for second in words] for first in words]
    np.testing.assert_allclose(feature_edit_distances(words), expected, atol=1e-12)
    # p and b differ in voice alone, from -1 to 1: 2 of 24, which is what panphon2 0.1 says, too.
    assert feature_edit_distances(["pat", "bat"])[0, 1] == pytest.approx(2 / 24)


def test_stress_counts_nothing_and_silence_has_a_distance():
    assert feature_edit_distances(["pˈat", "pat"])[0, 1] == 0
    assert feature_edit_distances(["", "a"])[0, 1] == pytest.approx(np.abs(segment_features("a")).sum() / 24)
    assert feature_edit_distances(["", "ˈ"]).tolist() == [[0, 0], [0, 0]]


# --- tasks ---


def test_vectors_that_are_the_distances_correlate_wholly_and_retrieve_the_nearest():
    words = main("pi", "bi", "ti", "mu")
    truth = feature_edit_distances([word.ipa for word in words])
    values, axes = np.linalg.eigh(-0.5 * (np.eye(4) - 0.25) @ truth**2 @ (np.eye(4) - 0.25))
    points = axes * np.sqrt(np.maximum(values, 0))
    np.testing.assert_allclose(np.linalg.norm(points[:, None] - points[None], axis=-1), truth, atol=0.05)
    report = evaluate_pwesuite(words, points)
    assert score(report, "articulatory correlation").score.mean == pytest.approx(1.0, abs=0.01)
    # The nearest word is always next after the word itself: (4 - 1) / 4.
    assert score(report, "retrieval").score.mean == pytest.approx(0.75)


def test_retrieval_counts_who_is_ahead():
    # By sound bi is nearest to pi; its vector comes last, behind ti and mu.
    words = main("pi", "bi", "ti", "mu")
    report = evaluate_pwesuite(words, np.array([[0.0, 1.0], [9.0, 1.0], [1.0, 1.0], [2.0, 1.0]]))
    found = score(report, "retrieval", "en").detail["percentile euclidean"]
    truth = feature_edit_distances([word.ipa for word in words])
    nearest = [int(np.argsort(row)[1]) for row in truth]
    line = np.array([0.0, 9.0, 1.0, 2.0])
    places = [sorted(range(4), key=lambda other: abs(line[row] - line[other])).index(nearest[row]) for row in range(4)]
    assert places[0] == 3
    assert found == pytest.approx(np.mean([(4 - place) / 4 for place in places]))


def test_the_mean_is_over_languages():
    words = main("pi", "bi", "ti") + main("pa", "ba", "ka", lang="sw")
    report = evaluate_pwesuite(words, np.random.default_rng(0).normal(size=(6, 5)))
    both = [score(report, "retrieval", language).score.mean for language in ("en", "sw")]
    assert score(report, "retrieval").score.mean == pytest.approx(np.mean(both))
    assert score(report, "retrieval").count == 6


def analogies(*quads):
    return [Word(ipa, ipa, "", "en", "analogy") for quad in quads for ipa in quad]


def test_an_analogy_is_solved_if_at_most_one_word_is_nearer():
    at = {"p": (0, 0), "b": (0, 1), "t": (4, 0), "d": (4, 1), "f": (4, 1.2), "v": (9, 9), "k": (8, 0), "g": (4.1, 1)}
    words = analogies("pbtd", "pbtf", "pbkv")
    report = evaluate_pwesuite(words, np.array([at[word.ipa] for word in words], dtype=float))
    # b - p + t = (4, 1): d is first, f (0.2 away) second; b - p + k = (8, 1), far from v: d, f, t and k are nearer.
    found = score(report, "analogies", "en")
    assert found.score.mean == pytest.approx(2 / 3)
    assert found.detail["first"] == pytest.approx(1 / 3)
    assert found.count == 3


def test_analogies_that_are_not_fours_are_named():
    report = evaluate_pwesuite(analogies("pbt"), np.eye(3))
    assert "analogies: en is left out, 3 words are not a multiple of four." in report.notes


@pytest.mark.parametrize(
    ("arpabet", "part"),
    [("R EH1 D", "EH1 D"), ("D IH0 S EY1 D", "EY1 D"), ("AH1 N D ER2", "AH1 N D ER2"), ("DH AH0", None), ("", None)],
)
def test_a_rhyme_begins_at_the_last_stressed_vowel(arpabet, part):
    assert rhyme_part(arpabet) == part


def rhyming(clusters, size):
    return [Word(f"w{a}{b}", "pa", f"P{b} AA1 K{a}", "en", "main") for a in range(clusters) for b in range(size)]


def test_rhymes_are_told_apart_where_vectors_show_them():
    words = rhyming(500, 2)
    # One place for each cluster: a pair rhymes if its places are the same.
    places = np.repeat(np.random.default_rng(0).uniform(-4, 4, 500), 2)[:, None]
    told = score(evaluate_pwesuite(words, places), "rhyme")
    assert told.count == 500  # 1,000 pairs, half of them trained on
    assert told.score.mean > 0.8
    blind = score(evaluate_pwesuite(words, np.random.default_rng(1).normal(size=(1000, 1))), "rhyme")
    # Guesses: four standard errors of a share of one half.
    assert blind.score.mean == pytest.approx(0.5, abs=4 * 0.5 / math.sqrt(blind.count))
    assert any("rhyme: not run" in note for note in evaluate_pwesuite(main("pi", "bi"), np.eye(2)).notes)


def test_cognates_need_their_list_and_its_words():
    words = [Word(name, "pa", "", "multi", "cognates") for name in ("nox", "nuit", "knox", "noche")] * 1
    vectors = np.random.default_rng(0).normal(size=(4, 3))
    assert any("cognates: not run" in note for note in evaluate_pwesuite(words, vectors).notes)
    triples = [CognateTriple("nox", "nuit", "knox")] * 6 + [CognateTriple("nox", "night", "knox")]
    report = evaluate_pwesuite(words, vectors, cognates=triples)
    assert any("1 of 7 lines are left out" in note for note in report.notes)
    assert score(report, "cognates").count == 6  # 12 pairs, half of them trained on


def test_human_similarity_is_the_better_of_both_distances_and_names_what_lacks():
    words = [Word(name, name, "", "en", "human_similarity") for name in ("stand", "a", "b", "c")]
    # Cosines with "stand" 1, 1, 0; distances 1, 2, 5.
    vectors = np.array([[1.0, 0.0], [2.0, 0.0], [3.0, 0.0], [0.0, np.sqrt(24)]])
    judged = [Judgement("a", "stand", -1.0), Judgement("b", "stand", -2.0), Judgement("c", "stand", -5.0)]
    report = evaluate_pwesuite(words, vectors, judgements=[*judged, Judgement("zzz", "stand", 1.0)])
    human = score(report, "human similarity")
    assert human.score.mean == human.detail["pearson euclidean"] == pytest.approx(1.0)
    # Deviations (1/3, 1/3, -2/3) and (5/3, 2/3, -7/3).
    assert human.detail["pearson cosine"] == pytest.approx((7 / 3) / np.sqrt(6 / 9 * 78 / 9))
    assert any("zzz / stand is left out" in note for note in report.notes)


def test_vectors_must_fit_the_words():
    with pytest.raises(ValueError, match="a row for each of the 2 words"):
        evaluate_pwesuite(main("pi", "bi"), np.eye(3))
    with pytest.raises(ValueError, match="Row 1 of the vectors holds NaN"):
        evaluate_pwesuite(main("pi", "bi"), np.array([[1.0], [np.nan]]))


# --- words ---


def test_words_are_read_from_each_format(tmp_path):
    (tmp_path / "train.jsonl").write_text(json.dumps(ROW) + "\n\n", encoding="utf-8")
    assert read_words(tmp_path) == [PAT]
    (tmp_path / "words.csv").write_text(",".join(ROW) + "\n" + ",".join(ROW.values()) + "\n", encoding="utf-8")
    assert read_words(tmp_path / "words.csv") == [PAT]
    # The suite's own file: spelling, IPA, language, purpose, ARPAbet; quotes mean nothing in it.
    (tmp_path / "multi.tsv").write_text('pat\tpæt\ten\tmain\tP AE1 T\n"x\tks\ten\tanalogy\t\n', encoding="utf-8")
    assert read_words(tmp_path / "multi.tsv") == [PAT, Word('"x', "ks", "", "en", "analogy")]


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("a.jsonl", '{"token_ort": "pat"}\n', "a.jsonl:1: no column token_ipa, token_arp, lang, purpose"),
        ("a.jsonl", "{\n", "a.jsonl:1: the line is not JSON"),
        ("a.jsonl", "[1]\n", "a.jsonl:1: the line is not a JSON object"),
        ("a.csv", "token_ort,lang\npat,en\n", "no column token_ipa, token_arp, purpose"),
        ("a.tsv", "pat\tpæt\ten\tmain\tP\npat\n", "a.tsv:2: 1 columns instead of 5"),
        ("a.jsonl", "", "holds no words"),
    ],
)
def test_words_that_cannot_be_read_say_where(tmp_path, name, content, message):
    (tmp_path / name).write_text(content, encoding="utf-8")
    with pytest.raises(ValueError, match=message):
        read_words(tmp_path / name)


def test_files_that_are_missing(tmp_path):
    with pytest.raises(FileNotFoundError, match="neither train"):
        read_words(tmp_path)
    with pytest.raises(FileNotFoundError, match="no file"):
        read_words(tmp_path / "none.csv")
    assert beside(tmp_path) == (None, None)


def test_what_lies_beside_the_words(tmp_path):
    (tmp_path / "human_similarity.csv").write_text("word1,word2,obtained\na,b,1\n")
    (tmp_path / "cognates.csv").write_text("word,cognate,distractor\nnox,nuit,knox\n")
    assert beside(tmp_path) == ([Judgement("a", "b", 1.0)], [CognateTriple("nox", "nuit", "knox")])
    (tmp_path / "cognates.csv").write_text("word,cognate\nnox,nuit\n")
    with pytest.raises(ValueError, match="no column distractor"):
        read_cognates(tmp_path / "cognates.csv")
    (tmp_path / "cognates.csv").write_text("word,cognate,distractor\nnox,,knox\n")
    with pytest.raises(ValueError, match=":2: a word is empty"):
        read_cognates(tmp_path / "cognates.csv")


def test_each_row_has_a_vector_and_silence_is_zero():
    asked = []

    def encode(ipa):
        asked.extend(ipa)
        return np.array([[0.6, 0.8]] * len(ipa))

    words = main("pi", "😕", "p😕i", "ti")
    vectors, silent = embed_words(words, encode)
    assert asked == ["pi", "ti"]
    np.testing.assert_allclose(vectors, np.array([[0.6, 0.8], [0, 0], [0.6, 0.8], [0.6, 0.8]]) * 2**0.5, rtol=1e-6)
    assert silent == [1]
    with pytest.raises(ValueError, match="None of the words"):
        embed_words(main("😕"), encode)


def test_embeddings_are_written_as_the_suite_reads_them(tmp_path):
    vectors = np.eye(3, dtype=np.float32)
    export_embeddings(vectors, tmp_path / "sub" / "embd.pkl")
    with (tmp_path / "sub" / "embd.pkl").open("rb") as file:
        np.testing.assert_array_equal(pickle.load(file), vectors)
    export_embeddings(vectors, tmp_path / "embd.npz")
    (only,) = np.load(tmp_path / "embd.npz").values()
    np.testing.assert_array_equal(only, vectors)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["embd.npz", "sub"]
    with pytest.raises(ValueError, match=r"\.pkl and \.npz"):
        export_embeddings(vectors, tmp_path / "embd.txt")
