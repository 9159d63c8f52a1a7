"""Phoneme feature tables, against panphon itself and against the IPA chart read by hand."""

from pathlib import Path

import numpy as np
import panphon
import pytest
from ipaclip.tokenization import (
    FEATURE_SETS,
    IPATokenizer,
    composed_features,
    feature_names,
    is_segment,
    phoneme_distance,
    phoneme_feature_table,
)
from ipaclip.tokenization.phonemes.ipa_chart import base_letters
from ipaclip.tokenization.phonemes.segments import panphon_table
from transformers import AutoTokenizer, PreTrainedTokenizerBase


@pytest.fixture(scope="module")
def tokenizer() -> IPATokenizer:
    return IPATokenizer.build()


def features(tokenizer: PreTrainedTokenizerBase, token: str, feature_set: str) -> dict[str, float]:
    """The columns of a token that are not zero."""
    row = phoneme_feature_table(tokenizer, feature_set)[tokenizer.convert_tokens_to_ids(token)]
    return {name: float(value) for name, value in zip(feature_names(feature_set), row, strict=True) if value}


def test_panphon_rows_are_panphons(tokenizer: IPATokenizer) -> None:
    reference = panphon.FeatureTable()
    table = phoneme_feature_table(tokenizer, "panphon")
    segments = [segment for segment, _ in reference.segments]
    ids = tokenizer.convert_tokens_to_ids(segments)
    expected = np.array([features.numeric() for _, features in reference.segments])
    assert feature_names("panphon")[:24] == reference.names
    np.testing.assert_array_equal(table[ids, :24], expected)


@pytest.mark.parametrize("feature_set", FEATURE_SETS)
def test_shape_and_type(tokenizer: IPATokenizer, feature_set: str) -> None:
    table = phoneme_feature_table(tokenizer, feature_set)
    assert table.shape == (len(tokenizer), len(feature_names(feature_set)))
    assert table.dtype == np.float32
    assert len(set(feature_names(feature_set))) == table.shape[1]


@pytest.mark.parametrize("feature_set", ["panphon", "ipa_chart"])
def test_no_row_is_empty_and_what_is_no_segment_stands_alone(tokenizer: IPATokenizer, feature_set: str) -> None:
    table = phoneme_feature_table(tokenizer, feature_set)
    assert table.any(axis=1).all()
    own = ["<pad>", "<unk>", "<s>", "</s>", " ", "ˈ", "ˌ", "ː", "ˑ", ".", "‿", "˥", "˦", "˧", "˨", "˩", "\u0303"]
    rows = table[tokenizer.convert_tokens_to_ids(own)]
    assert len(np.unique(rows, axis=0)) == len(own)
    everything, counts = np.unique(table, axis=0, return_counts=True)
    for row in rows:
        assert counts[(everything == row).all(axis=1)] == 1


def test_learned_has_no_features(tokenizer: IPATokenizer) -> None:
    assert phoneme_feature_table(tokenizer, "learned").shape == (len(tokenizer), 0)
    assert feature_names("learned") == []


@pytest.mark.parametrize(
    ("segment", "expected"),
    [
        ("p", {"consonant": 1, "bilabial": 1, "plosive": 1}),
        ("n", {"consonant": 1, "alveolar": 1, "nasal": 1, "voiced": 1}),
        ("i", {"vowel": 1, "voiced": 1, "height": 1}),
        ("u", {"vowel": 1, "voiced": 1, "height": 1, "backness": 1, "rounded": 1}),
        ("ɑː", {"vowel": 1, "voiced": 1, "backness": 1, "length": 1}),
        ("w", {"consonant": 1, "voiced": 1, "bilabial": 1, "velar": 1, "approximant": 1}),
        (
            "t͡ʃ",
            {
                "consonant": 1,
                "alveolar": 1,
                "postalveolar": 1,
                "plosive": 1,
                "fricative": 1,
                "affricate": 1,
                "mark_tie": 1,
            },
        ),
        ("k͡p", {"consonant": 1, "velar": 1, "bilabial": 1, "plosive": 1, "mark_tie": 1}),
        ("tʰ", {"consonant": 1, "alveolar": 1, "plosive": 1, "mark_aspirated": 1}),
        ("pʼ", {"consonant": 1, "bilabial": 1, "plosive": 1, "mark_ejective": 1}),
        ("m\u0325", {"consonant": 1, "bilabial": 1, "nasal": 1, "mark_voiceless": 1}),
        ("ǁ", {"consonant": 1, "alveolar": 1, "click": 1, "lateral": 1}),
    ],
)
def test_chart_features_by_hand(tokenizer: IPATokenizer, segment: str, expected: dict[str, float]) -> None:
    assert features(tokenizer, segment, "ipa_chart") == expected


def test_chart_covers_every_panphon_letter_and_tells_letters_apart(tokenizer: IPATokenizer) -> None:
    letters = base_letters()
    assert len(np.unique(np.stack(list(letters.values())), axis=0)) == len(letters)
    bases = {segment for segment, _ in panphon.FeatureTable().segments if len(segment) == 1}
    assert bases <= letters.keys()


def test_schwa_lies_in_the_middle(tokenizer: IPATokenizer) -> None:
    assert features(tokenizer, "ə", "ipa_chart") == {"vowel": 1, "voiced": 1, "height": 0.5, "backness": 0.5}


def test_the_generic_tokenizer_gives_the_same_table(tokenizer: IPATokenizer, tmp_path: Path) -> None:
    tokenizer.save_pretrained(tmp_path)
    generic = AutoTokenizer.from_pretrained(tmp_path)
    for feature_set in FEATURE_SETS:
        np.testing.assert_array_equal(
            phoneme_feature_table(generic, feature_set), phoneme_feature_table(tokenizer, feature_set)
        )


def test_composing_gives_panphons_rows() -> None:
    """But for those that its own rules forbid (14) or contradict (3)."""
    table = panphon_table().segments
    differing = set()
    for segment in filter(is_segment, table):
        try:
            if composed_features(segment) != table[segment]:
                differing.add(segment)
        except ValueError:
            differing.add(segment)
    glottalized = {f"ˀ{letter}" for letter in "ʛɗɓʄɠʔ"}
    velarized = {f"ʉ{mark}ˠ" for mark in ("", "\u0319", "\u0325", "\u0318", "ː", "\u0330", "\u0324")}
    assert differing == {*glottalized, *velarized, "l\u0334\u032a", "ɜ\u0318", "ɜ\u0318ː", "ɜ\u0318ˠ"}


def test_a_further_segment_has_composed_features() -> None:
    base, further = "t͡sʲ", "t͡sʲˠ"
    tokenizer = IPATokenizer.build(segments=[further])
    # panphon: ˠ sets "hi" (and "back", which its table never takes over), and ʲ has set "hi" already.
    assert features(tokenizer, further, "panphon") == features(tokenizer, base, "panphon")
    assert composed_features("ʙʷː")[panphon_table().names.index("round")] == 1
    expected = {**features(tokenizer, base, "ipa_chart"), "mark_velarized": 1}
    assert features(tokenizer, further, "ipa_chart") == expected
    assert is_segment(further)
    assert phoneme_distance(further, base) == 0
    for bad in ("ŋ͡m", "", "X", "ˈ", "zʰʼ", "ab"):
        assert not is_segment(bad)
        with pytest.raises(ValueError, match="has no features"):
            composed_features(bad)


def test_c_cedilla_is_a_fricative(tokenizer: IPATokenizer) -> None:
    expected = {"consonant": 1, "palatal": 1, "fricative": 1, "mark_labialized": 1}
    assert features(tokenizer, "c\u0327ʷ", "ipa_chart") == expected


def test_bad_input(tokenizer: IPATokenizer) -> None:
    with pytest.raises(ValueError, match="choose one of panphon, ipa_chart, learned"):
        phoneme_feature_table(tokenizer, "phoible")
    with pytest.raises(ValueError, match="'phoible'"):
        feature_names("phoible")
    strange = IPATokenizer.build()
    strange.add_tokens(["Q"])
    with pytest.raises(ValueError, match="'Q'"):
        phoneme_feature_table(strange, "panphon")
