"""Phoneme geometry on vectors made by hand, and the vectors of a model."""

import numpy as np
import pytest
from ipaclip.evaluation.phonemes.phonemes import (
    analogy_quads,
    chart_letters,
    evaluate_phonemes,
    phoneme_vectors,
    phonetic_distances,
)
from ipaclip.tokenization import is_vowel

SEGMENTS = ["p", "b", "t", "d", "m", "n"]
# Columns: voiced, bilabial, alveolar, nasal; so that every change of one property adds the same vector.
IDEAL = np.array([[0, 2, 0, 0], [1, 2, 0, 0], [0, 0, 2, 0], [1, 0, 2, 0], [1, 2, 0, 3], [1, 0, 2, 3]], dtype=float)


def rows(vectors, segments=SEGMENTS):
    return {(row.level, row.phonemes): row for row in evaluate_phonemes(vectors, segments)}


def test_what_lies_as_phonetics_says_solves_all_analogies():
    row = rows({"embedding": IDEAL})["embedding", "consonants"]
    # p:b = t:d and back (voicing has 2 pairs: 2 ordered quads); b:m = d:n (nasality) likewise; no fricatives. From
    # bilabial to alveolar lead p:t, b:d, m:n: 3 pairs, 6 ordered quads, and as many back.
    assert row.analogy_counts == {"voicing": 2, "nasality": 2, "place": 12}
    assert row.analogies == {"voicing": 1.0, "nasality": 1.0, "place": 1.0}
    assert row.count == 6


def test_purity_is_the_share_whose_nearest_neighbour_is_of_the_same_class():
    row = rows({"embedding": IDEAL})["embedding", "consonants"]
    # Cosines: p-b 2/sqrt(5) = .89 is the highest of both, so is t-d; b-m 5/sqrt(70) = .60, m-n 10/14 = .71.
    assert row.purity["manner"] == pytest.approx(1.0)  # p-b, t-d plosives; m-n nasals
    assert row.purity["place"] == pytest.approx(4 / 6)  # m and n are each other's nearest
    assert row.purity["voicing"] == pytest.approx(2 / 6)
    # Blindly: a plosive meets 3 plosives among 5 others, a nasal 1.
    assert row.chance["manner"] == pytest.approx((4 * 3 / 5 + 2 * 1 / 5) / 6)


def test_the_order_of_distances_is_what_counts():
    # By panphon p-b and t-d are nearest, p-t and b-d next, p-d and b-t farthest: ranks 1.5, 3.5, 5.5. On the arc the
    # ranks of these pairs are 1.5 1.5, 4.5 4.5, 6 3: rho = 12 / sqrt(16 * 16.5), but for how p-t and b-d are rounded.
    near = {"p": 0.0, "b": 0.3, "t": 1.0, "d": 1.3}
    vectors = np.array([[np.cos(angle), np.sin(angle)] for angle in near.values()])
    good = rows({"tower": vectors}, list(near))["tower", "all"]
    bad = rows({"tower": vectors[[0, 3, 1, 2]]}, list(near))["tower", "all"]
    assert good.rho["panphon"].mean == pytest.approx(12 / 264**0.5, abs=0.02)
    assert bad.rho["panphon"].mean < 0.5
    assert good.rho["chart"].mean > bad.rho["chart"].mean


def test_classes_of_vowels_and_letters_of_the_chart():
    letters = chart_letters()
    assert {"ʃ", "ɲ", "c\u0327", "ə", "ɒ"} <= set(letters)
    assert "˥" not in letters
    vowels = [letter for letter in letters if is_vowel(letter)]
    row = rows({"embedding": np.random.default_rng(0).normal(size=(len(vowels), 8))}, vowels)["embedding", "vowels"]
    assert set(row.purity) == {"height", "backness", "rounded"}
    # The chart has 12 places with an unrounded and a rounded vowel: 12 * 11 ordered quads.
    assert row.analogy_counts == {"rounding": 132}


def test_a_syllabic_consonant_is_no_vowel():
    segments = ["n̩", "n", "m", "ŋ", "i", "e", "a", "o"]
    assert is_vowel("n̩")  # panphon's feature syl
    by_kind = rows({"embedding": np.eye(8)}, segments)
    assert by_kind["embedding", "consonants"].count == 4
    assert by_kind["embedding", "vowels"].count == 4


def test_analogies_need_the_same_change_and_four_letters():
    segments = ["p", "t", "k", "b", "d"]
    named = {tuple(segments[index] for index in quad) for quad in analogy_quads(segments, "place")}
    # p:k has no second pair, for there is no ɡ; p:t = b:d, its swap, and both backwards remain.
    assert named == {("p", "t", "b", "d"), ("b", "d", "p", "t"), ("t", "p", "d", "b"), ("d", "b", "t", "p")}


def test_an_interval_is_of_phonemes_drawn_anew():
    letters = chart_letters()
    rng = np.random.default_rng(0)
    few, many = (
        rows({"embedding": np.random.default_rng(1).normal(size=(count, 4))}, list(rng.permutation(letters)[:count]))[
            "embedding", "all"
        ].rho["panphon"]
        for count in (16, 64)
    )
    # Vectors that know nothing correlate with nothing; four times as many phonemes, half as wide or less.
    assert few.low < 0 < few.high
    assert many.high - many.low < 0.6 * (few.high - few.low)


def test_distances_agree_with_panphons_own():
    from panphon.distance import Distance

    segments = ["p", "b", "s", "i"]
    distances = phonetic_distances(segments)["panphon"]
    panphon = Distance()
    expected = [[panphon.weighted_feature_edit_distance(a, b) for b in segments] for a in segments]
    np.testing.assert_allclose(distances, expected)


@pytest.mark.parametrize(
    ("segments", "message"), [(["p", "b"], "at least four"), (["p", "b", "t", "ˈ"], "not on the IPA chart")]
)
def test_what_has_no_geometry_is_refused(segments, message):
    with pytest.raises(ValueError, match=message):
        evaluate_phonemes({"embedding": np.eye(len(segments))}, segments)


def test_vectors_are_the_embedding_without_position_and_the_output_for_one_phoneme(tiny_checkpoint):
    from ipaclip import IPAClipModel, IPAClipProcessor
    from ipaclip.encoding import encode

    model, processor = IPAClipModel.from_pretrained(tiny_checkpoint), IPAClipProcessor.from_pretrained(tiny_checkpoint)
    tokenizer = processor.pronunciation_tokenizer
    vectors = phoneme_vectors(model, tokenizer, ["p", "t͡ʃ"])
    embeddings = model.pronunciation_model.embeddings
    ids = tokenizer.convert_tokens_to_ids(["p", "t͡ʃ"])
    expected = embeddings.phoneme_features[ids].numpy() @ embeddings.feature_projection.weight.detach().numpy().T
    np.testing.assert_allclose(vectors["embedding"], expected, atol=1e-5)
    tower = vectors["tower"] / np.linalg.norm(vectors["tower"], axis=1, keepdims=True)
    np.testing.assert_allclose(tower, encode(model, processor, ipa=["p", "t͡ʃ"]).numpy(), atol=1e-5)
    with pytest.raises(ValueError, match="'pa' is not one segment"):
        phoneme_vectors(model, tokenizer, ["p", "pa"])
