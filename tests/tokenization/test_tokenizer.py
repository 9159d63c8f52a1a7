"""The IPA tokenizer: segmentation, spelling, unknown signs, truncation, and life without this package."""

import json
import logging
import pickle
import re
import subprocess
import sys
import unicodedata
from itertools import permutations
from pathlib import Path

import pytest
from datasets.fingerprint import Hasher
from ipaclip.tokenization import IPATokenizer, UnknownSymbol, split_segments, unknown_symbols
from ipaclip.tokenization.phonemes.segments import MODIFIERS, SUPRASEGMENTALS, TIE, TONES, panphon_table, vocabulary
from tokenizers import normalizers
from transformers import AutoTokenizer

SEGMENTS = sorted(panphon_table().segments)
MARKS_BEHIND = f"[{''.join(MODIFIERS)}ː]*".replace(TIE, "") + r"\Z"


@pytest.fixture(scope="module")
def tokenizer() -> IPATokenizer:
    return IPATokenizer.build()


@pytest.mark.parametrize(
    ("ipa", "segments"),
    [
        ("t͡ʃtʰə̃aː", ["t͡ʃ", "tʰ", "ə̃", "aː"]),
        ("ˈbʌt.ə˞ flaɪ", ["ˈ", "b", "ʌ", "t", ".", "ə˞", " ", "f", "l", "a", "ɪ"]),
        ("ɹ̩n̩", ["ɹ̩", "n̩"]),
        ("aˀt", ["aˀ", "t"]),  # a mark belongs to what precedes it, unless nothing does
        ("ˀta", ["ˀt", "a"]),
        ("ŋ͡m", ["ŋ", "͡", "m"]),  # panphon has no such segment: its parts and the tie remain
        ("t̚", ["t", "̚"]),
        ("ma˥˩", ["m", "a", "˥", "˩"]),
    ],
)
def test_segmentation(tokenizer: IPATokenizer, ipa: str, segments: list[str]) -> None:
    expected = [unicodedata.normalize("NFD", segment) for segment in segments]
    assert split_segments(ipa, tokenizer) == expected
    assert tokenizer(ipa).tokens() == ["<s>", *expected, "</s>"]


@pytest.mark.parametrize(
    ("written", "normal"),
    [
        ("gʧʤ", "ɡt͡ʃd͡ʒ"),
        ("t͜s", "t͡s"),
        ("ɚ ɝ ᵻ", "ə˞ ɜ˞ ɨ"),
        ("'a:", "ˈaː"),
        ("ç\u0327", "c\u0327\u0327"),
        ("\u00e7", "c\u0327"),
        ("a\u200b\ufeff\u00adb", "ab"),
        ("\t a \u00a0\n b ", "a b"),
        ("ŋ\u030a", "ŋ\u0325"),
        ("bʱ", "b\u0324"),
        ("tːʰ", "tʰː"),
        ("á", "a˦"),
        ("ǎː", "aː˩˥"),
        ("á\u0303ː", "ãː˦"),
        ("š", "ʃ"),
        ("[a]", "a"),
        ("/ˈa b/", "ˈa b"),
        ("[a] [b", "a] [b"),
        ("ts", "ts"),  # two sounds in "cats": tying is not the tokenizer's to decide
    ],
)
def test_spelling(tokenizer: IPATokenizer, written: str, normal: str) -> None:
    assert tokenizer.normalize(written) == unicodedata.normalize("NFD", normal)


def test_every_panphon_segment_is_one_token(tokenizer: IPATokenizer) -> None:
    """A tone letter is, too; with `ˤ` behind it, as in five rows, it stands behind the mark instead.

    What the table has twice, with its marks in two orders, has one of the two tokens, which has the same features.
    """
    table = panphon_table().segments
    of_signs: dict[tuple[str, ...], set[str]] = {}
    for segment in SEGMENTS:
        of_signs.setdefault(tuple(sorted(segment)), set()).add(segment)
    for segment, encoding in zip(SEGMENTS, tokenizer(SEGMENTS, add_special_tokens=False).encodings, strict=True):
        if segment[0] in TONES and len(segment) > 1:
            assert encoding.tokens == [segment[1], segment[0]]
            continue
        (token,) = encoding.tokens
        twins = {twin for twin in of_signs[tuple(sorted(segment))] if twin[0] == segment[0]}
        assert token in twins
        assert len({table[twin] for twin in twins}) == 1


MARKED = [segment for segment in SEGMENTS if len(re.findall(MARKS_BEHIND, segment)[0]) > 1]


def test_marks_of_a_segment_may_stand_in_any_order(tokenizer: IPATokenizer) -> None:
    written = [
        ["".join((segment[: -len(marks)], *order)) for order in permutations(marks)]
        for segment in MARKED
        for marks in re.findall(MARKS_BEHIND, segment)[:1]
    ]
    ids = iter(tokenizer.batch_ids([text for texts in written for text in texts]))
    for segment, texts in zip(MARKED, written, strict=True):
        rows = {tuple(next(ids)) for _ in texts}
        assert len(rows) == 1, segment
        assert len(rows.pop()) == 3, segment  # <s>, one token, </s>


@pytest.mark.parametrize(
    ("written", "right"),
    [
        ("sʷʲ", "sʲʷ"),
        ("tˠʷ", "tʷˠ"),
        ("aː̰", "a̰ː"),
        ("tʰ̪", "t̪ʰ"),
        ("nʲ̥", "n̥ʲ"),
        ("bːʷ", "bʷː"),
        ("a˥ː", "aː˥"),
        ("a˥˩̃ː", "ãː˥˩"),
        ("ã́ː", "ãː˦"),
        ("t˥ʰ̪", "t̪ʰ˥"),
        ("t͡sʼʷ", "t͡sʷʼ"),
        ("t̚ˀ", "tˀ̚"),
        ("k͈ʷ", "kʷ͈"),
        ("aːː̃ˑ", "ãːːˑ"),
    ],
)
def test_a_sound_has_the_same_tokens_in_whatever_order_its_marks_are_typed(
    tokenizer: IPATokenizer, written: str, right: str
) -> None:
    assert tokenizer(written).tokens() == tokenizer(right).tokens()
    assert tokenizer(f"{written}ma").tokens() == tokenizer(f"{right}ma").tokens()


@pytest.mark.parametrize(
    ("ipa", "tokens"),
    [
        ("ma˥ⁿda", ["m", "a", "˥", "ⁿ", "d", "a"]),  # the nasal is the next letter's
        ("má̃ⁿda", ["m", "ã", "˦", "ⁿ", "d", "a"]),
        ("aːⁿda", ["aː", "ⁿ", "d", "a"]),
        ("ma˧ˀba", ["m", "a", "˧", "ˀb", "a"]),
        ("aːˀta", ["aː", "ˀt", "a"]),
        ("ɗi˨˩ˀ", ["ɗ", "iˀ", "˨", "˩"]),
        ("ɚ̃", ["ə˞", "\u0303"]),
    ],
)
def test_where_marks_belong(tokenizer: IPATokenizer, ipa: str, tokens: list[str]) -> None:
    expected = [unicodedata.normalize("NFD", token) for token in tokens]
    assert tokenizer(ipa, add_special_tokens=False).tokens() == expected


TONELESS = {
    "x̌": "χ", "x̌ʷ": "χʷ", "xʷ̌": "χʷ", "ɣ̌": "ʁ", "ǯ": "d͡ʒ", "š": "ʃ", "č": "t͡ʃ", "c̓̌": "t͡ʃʼ", "ć": "t͡ɕ", "ś": "ɕ",
    "ź": "ʑ", "ń": "ɲ", "ň": "ɲ", "ť": "tʲ", "ď": "dʲ", "ľ": "lʲ", "ř": "r̝", "ŕ": "rʲ", "ĺ": "lʲ", "ṕ": "pʲ", "ǵ": "ɡʲ",
    "ḱ": "kʲ", "š̪": "ʃ̪", "ʒ́": "d͡ʑ",
}  # fmt: skip


@pytest.mark.parametrize("written", TONELESS)
def test_a_caron_or_acute_on_a_consonant_is_no_tone(tokenizer: IPATokenizer, written: str) -> None:
    assert tokenizer(f"a{written}a").tokens() == tokenizer(f"a{TONELESS[written]}a").tokens()
    assert tokenizer.unknown_symbols(written) == []


@pytest.mark.parametrize("mark", ["\u0301", "\u030c", "\u0300", "\u0304", "\u0302"])
@pytest.mark.parametrize("letter", "ʃħɬwʔχçɾðʂɖʄǃ")
def test_a_tone_mark_on_a_consonant_without_a_reading_is_unknown(
    tokenizer: IPATokenizer, letter: str, mark: str
) -> None:
    for written in (f"a{letter}{mark}a", f"a{letter}ʷ{mark}ːa"):
        assert not set(TONES) & set(tokenizer(written).tokens())
        assert tokenizer.unknown_symbols(written) == [UnknownSymbol(mark, written.index(mark))]


@pytest.mark.parametrize(
    ("written", "tokens"),
    [
        ("ń̩", ["n̩", "˦"]),
        ("ŋ̍̌", ["ŋ̩", "˩", "˥"]),
        ("ź̩", ["z̩", "˦"]),
        ("ɿ́", ["z̩", "˦"]),  # apical vowel
        ("ḿba", ["m", "˦", "b", "a"]),  # a syllabic nasal in African notation
        ("ŋ̀", ["ŋ", "˨"]),
        ("ǹ", ["n", "˨"]),
        ("r̂", ["r", "˥", "˩"]),
        ("ý", ["y", "˦"]),
        ("mat˥", ["m", "a", "t", "˥"]),  # a tone letter stands at the end of its syllable
    ],
)
def test_what_can_bear_a_tone_does(tokenizer: IPATokenizer, written: str, tokens: list[str]) -> None:
    assert tokenizer(written, add_special_tokens=False).tokens() == tokens


@pytest.mark.parametrize(
    ("written", "right"),
    [
        ("k̓", "kʼ"),
        ("q̓ʷ", "qʼʷ"),
        ("ƛ̓", "t͡ɬʼ"),
        ("q̕", "qʼ"),
        ("č̓", "t͡ʃʼ"),
        ("t̪̓", "t̪ʼ"),
        ("ł̓", "ɬʼ"),
        ("m̓", "mˀ"),
        ("w̓a", "wˀa"),
        ("l̥̓", "l̥ˀ"),
        ("a̓", "aˀ"),
    ],
)
def test_a_comma_above_is_ejective_or_glottalized(tokenizer: IPATokenizer, written: str, right: str) -> None:
    assert tokenizer(written).tokens() == tokenizer(right).tokens()
    assert tokenizer.unknown_symbols(written) == []


def test_ids_are_contiguous_and_special_tokens_first(tokenizer: IPATokenizer) -> None:
    vocabulary = tokenizer.get_vocab()
    assert sorted(vocabulary.values()) == list(range(len(tokenizer)))
    assert [tokenizer.convert_tokens_to_ids(token) for token in ("<pad>", "<unk>", "<s>", "</s>")] == [0, 1, 2, 3]
    assert vocabulary == IPATokenizer.build().get_vocab()


def test_unknown_signs_leave_their_neighbours(tokenizer: IPATokenizer) -> None:
    a, b = tokenizer.convert_tokens_to_ids(["aː", "t͡ʃ"])
    assert tokenizer("aːXt͡ʃ").input_ids == [2, a, 1, b, 3]
    assert tokenizer("aːXYt͡ʃ").input_ids == [2, a, 1, b, 3]
    assert tokenizer("X").input_ids == [2, 1, 3]


@pytest.mark.parametrize("sign", [*SUPRASEGMENTALS, "˩˥", "˧˦˧"])
def test_suprasegmentals_are_tokens(tokenizer: IPATokenizer, sign: str) -> None:
    # After a mark of stress, for length would become part of the segment before it.
    encoding = tokenizer(f"ˈ{sign}t")
    assert encoding.tokens() == ["<s>", "ˈ", *sign, "t", "</s>"]
    assert tokenizer.decode(encoding.input_ids, skip_special_tokens=True) == f"ˈ{sign}t"


def test_unknown_symbols_give_the_place_in_the_original(tokenizer: IPATokenizer) -> None:
    text = " \t a\u200b[ʧç]XYb"
    expected = [UnknownSymbol("[", 5), UnknownSymbol("]", 8), UnknownSymbol("X", 9), UnknownSymbol("Y", 10)]
    assert tokenizer.unknown_symbols(text) == expected
    assert unknown_symbols(text) == expected
    assert unknown_symbols("ˈbʌtɚflaɪ") == []
    assert unknown_symbols("") == []


def test_unknown_symbols_are_named_where_marks_were_sorted(tokenizer: IPATokenizer) -> None:
    assert tokenizer.unknown_symbols("ta\u0323ːʷ\u0307a") == [UnknownSymbol("\u0323", 2), UnknownSymbol("\u0307", 5)]
    assert tokenizer.unknown_symbols("ʃ\u0304ʷːʃ\u0304\u0301ː") == [
        UnknownSymbol("\u0304", 1),
        UnknownSymbol("\u0304", 5),
        UnknownSymbol("\u0301", 6),
    ]


def test_batches_pad_right_and_mask(tokenizer: IPATokenizer) -> None:
    batch = tokenizer(["a", "aba"], padding=True)
    assert set(batch) == {"input_ids", "attention_mask"}
    assert batch["attention_mask"] == [[1, 1, 1, 0, 0], [1, 1, 1, 1, 1]]
    assert batch["input_ids"][0][3:] == [0, 0]
    assert tokenizer("").input_ids == [2, 3]


def test_truncation_keeps_the_end_token_and_warns(caplog: pytest.LogCaptureFixture) -> None:
    tokenizer = IPATokenizer.build(max_length=6)
    a = tokenizer.convert_tokens_to_ids("a")
    with caplog.at_level(logging.WARNING, logger="ipaclip.tokenization"):
        assert tokenizer("aaaa", truncation=True).input_ids == [2, a, a, a, a, 3]
        assert not caplog.records
        assert tokenizer(["a" * 9, "a" * 20], truncation=True).input_ids == [[2, a, a, a, a, 3]] * 2
    assert "21 tokens" in caplog.records[0].getMessage()  # (9 - 4) + (20 - 4)


def test_a_call_leaves_no_state(tokenizer: IPATokenizer) -> None:
    before = tokenizer("a" * 20).input_ids
    tokenizer(["a" * 20], truncation=True, max_length=5, padding="max_length")
    assert tokenizer("a" * 20).input_ids == before
    assert tokenizer.unknown_symbols("a" * 20 + "X") == [UnknownSymbol("X", 20)]


@pytest.mark.parametrize("max_length", [2, 0, -1])
def test_a_length_without_room_is_refused(max_length: int) -> None:
    with pytest.raises(ValueError, match="at least 3"):
        IPATokenizer.build(max_length=max_length)


def test_save_and_load(tokenizer: IPATokenizer, tmp_path: Path) -> None:
    tokenizer("aaaaaaa", truncation=True, max_length=4, padding="max_length")
    tokenizer.save_pretrained(tmp_path)
    loaded = IPATokenizer.from_pretrained(tmp_path)
    text = "ˈt͡ʃɪkən ɑ̃ːX a"
    for other in (loaded, pickle.loads(pickle.dumps(tokenizer))):
        assert other(text).input_ids == tokenizer(text).input_ids
        assert other.model_max_length == 256


FRESH = """
import json, sys
sys.modules["ipaclip"] = None
from tokenizers import normalizers
from transformers import AutoTokenizer
tokenizer = AutoTokenizer.from_pretrained(sys.argv[1])
texts = json.loads(sys.argv[2])
ids = tokenizer(texts, truncation=True).input_ids
print(json.dumps([type(tokenizer).__name__, ids, [tokenizer.decode(i, skip_special_tokens=True) for i in ids]]))
"""


def test_auto_tokenizer_in_a_process_without_the_package(tokenizer: IPATokenizer, tmp_path: Path) -> None:
    tokenizer.save_pretrained(tmp_path)
    texts = ["ˈbʌtɚflaɪ ʧ", "XYa", "tːʰa " * 200, ""]
    command = [sys.executable, "-c", FRESH, str(tmp_path), json.dumps(texts)]
    name, ids, decoded = json.loads(subprocess.run(command, capture_output=True, text=True, check=True).stdout)
    assert name == "TokenizersBackend"
    assert ids == tokenizer(texts, truncation=True).input_ids
    assert decoded[0] == tokenizer.normalize(texts[0])


SHIPPED = Path(__file__).parents[2] / "pretrained" / "emoji" / "pronunciation_tokenizer" / "tokenizer.json"


def test_the_ids_of_the_shipped_checkpoint_are_kept(tokenizer: IPATokenizer) -> None:
    shipped = json.loads(SHIPPED.read_text(encoding="utf-8"))
    assert [token for token, _ in shipped["model"]["vocab"]] == list(vocabulary())
    assert shipped == json.loads(tokenizer.backend_tokenizer.to_str())


def test_a_tokenizer_with_other_rules_loads_and_keeps_them(tokenizer: IPATokenizer, tmp_path: Path) -> None:
    """As one that an older version saved."""
    older = IPATokenizer.build()
    older.backend_tokenizer.normalizer = normalizers.NFD()
    older.save_pretrained(tmp_path)
    loaded = IPATokenizer.from_pretrained(tmp_path)
    assert loaded(["sʷʲ gæ"], add_special_tokens=False).tokens(0) == ["sʷ", "ʲ", " ", "g", "æ"]
    assert loaded.batch_ids(["kæt"]) == [loaded("kæt").input_ids] == [tokenizer("kæt").input_ids]


def test_unknown_drop(tokenizer: IPATokenizer, tmp_path: Path) -> None:
    dropping = IPATokenizer.build(unknown="drop")
    text = "Xa\u0303 Q b9|X|t͡Yʃ c\u0327\u0327"
    assert dropping.normalize(text) == "a\u0303 b‖t͡ʃ c\u0327"
    assert dropping(text).input_ids == tokenizer("a\u0303 b‖t͡ʃ c\u0327").input_ids
    assert dropping("XQ").input_ids == [2, 3]
    assert [symbol for symbol, _ in dropping.unknown_symbols(text)] == ["X", "Q", "9", "X", "Y", "\u0327"]
    assert dropping.unknown_symbols("aX") == [UnknownSymbol("X", 1)]


def test_unknown_error_names_signs_places_and_texts() -> None:
    strict = IPATokenizer.build(unknown="error")
    assert strict("bʌt").tokens() == ["<s>", "b", "ʌ", "t", "</s>"]
    with pytest.raises(ValueError, match=r"'X' at position 1 of 'aXY'; 'Y' at position 2 of 'aXY'\. Spell"):
        strict("aXY")
    with pytest.raises(ValueError, match=r"'X' at position 0 of 'X' \(text 1\); 'Q' at position 2 of 'b Q' \(text 2\)"):
        strict(["a", "X", "b Q"])
    with pytest.raises(ValueError, match=r"'X' at position 1 of 'bX' \(text 0\)"):
        strict(["a", "a"], ["bX", "b"])
    with pytest.raises(ValueError, match="'X' at position 30"):
        strict("a" * 30 + "X", truncation=True, max_length=5)
    with pytest.raises(ValueError, match=r"'X'.*text 1"):
        strict.batch_ids(["a", "b X"])
    with pytest.raises(ValueError, match="and 5 more"):
        strict("XaXaXaXaXa" * 5)
    assert strict.unknown_symbols("aX") == [UnknownSymbol("X", 1)]
    with pytest.raises(ValueError, match="choose one of unk, drop, error"):
        IPATokenizer.build(unknown="ignore")  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("option", "normal"),
    [
        ("stress", "maː˥˩ a‖ˑ b↗c\u0306"),
        ("tone", "ˈmaː a|ˌ|ˑ bc\u0306"),
        ("length", "ˈma˥˩ a|ˌ| b↗c"),
    ],
)
def test_what_is_not_kept_leaves_the_normal_form(option: str, normal: str) -> None:
    tokenizer = IPATokenizer.build(**{option: False})  # type: ignore[arg-type]
    assert tokenizer.normalize("ˈmâː a|ˌ|ˑ b↗c\u0306") == normal
    assert tokenizer.normalize(normal) == normal
    assert len(tokenizer) == len(vocabulary())


def test_options_are_saved(tmp_path: Path) -> None:
    texts = ["ˈmâː X bʌt", "aː˥ Q"]
    for unknown in ("unk", "drop", "error"):
        built = IPATokenizer.build(unknown=unknown, stress=False, tone=False, length=False)  # type: ignore[arg-type]
        built.save_pretrained(tmp_path / unknown)
        loaded = IPATokenizer.from_pretrained(tmp_path / unknown)
        generic = AutoTokenizer.from_pretrained(tmp_path / unknown)
        copy = pickle.loads(pickle.dumps(built))
        assert loaded.unknown == copy.unknown == unknown
        for other in (loaded, copy):
            if unknown == "error":
                with pytest.raises(ValueError, match="'X' at position 5"):
                    other(texts)
            else:
                assert other(texts).input_ids == built(texts).input_ids
        expected = ["ma bʌt", "a"] if unknown == "drop" else ["ma <unk> bʌt", "a <unk>"]
        ids = generic(texts, add_special_tokens=False).input_ids
        assert generic.batch_decode(ids) == expected


def test_further_segments(tokenizer: IPATokenizer, tmp_path: Path) -> None:
    further = ["t͡sʲˠ", "ʙʷˤː"]
    assert not set(further) & set(vocabulary())
    built = IPATokenizer.build(segments=further)
    built.save_pretrained(tmp_path)
    for other in (built, AutoTokenizer.from_pretrained(tmp_path)):
        assert other.convert_tokens_to_ids(further) == [len(vocabulary()), len(vocabulary()) + 1]
        assert other.tokenize(f"a{further[0]}a") == ["a", further[0], "a"]
    assert built("ˈbʌtɚflaɪ").input_ids == tokenizer("ˈbʌtɚflaɪ").input_ids


@pytest.mark.parametrize(
    ("segments", "message"),
    [
        (["tʰ"], "already"),
        (["t͡sʲˠ", "t͡sʲˠ"], "already"),
        (["ʧʲˠ"], "write it 't͡ʃʲˠ'"),
        (["X"], "does not begin with a letter"),
        (["ŋ͡m"], "no rule that puts '͡' on 'ŋ'"),
        (["zʰʼ"], "no rule that puts 'ʰ' on 'z'"),
    ],
)
def test_further_segments_without_features_are_refused(segments: list[str], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        IPATokenizer.build(segments=segments)


def test_further_segments_agree_with_the_options() -> None:
    with pytest.raises(ValueError, match="leaves out"):
        IPATokenizer.build(length=False, segments=["t͡sʲːˠ"])
    with pytest.raises(TypeError, match="not one str"):
        IPATokenizer.build(segments="t͡sʲˠ")


def test_batch_ids_are_the_ids_of_a_call(tokenizer: IPATokenizer) -> None:
    texts = ["ˈbʌtɚ flaɪ", "", " ", "[a b]", "a\tb", "X <pad> a", "a  ʧ", "a / b", "ˈbʌtɚ"]
    alone = [tokenizer(text).input_ids for text in texts]  # one text goes to the backend
    assert tokenizer.batch_ids(texts) == tokenizer(texts).input_ids == alone
    assert tokenizer.batch_ids([]) == []
    tokenizer(texts, truncation=True, max_length=4, padding=True, return_offsets_mapping=True)
    assert tokenizer.batch_ids([*texts, "kæt " * 9]) == [*alone, tokenizer("kæt " * 9).input_ids]
    with pytest.raises(TypeError, match="not one str"):
        tokenizer.batch_ids("a")


def test_batch_ids_follow_an_added_token() -> None:
    tokenizer = IPATokenizer.build()
    assert tokenizer.batch_ids(["aQ"]) == [tokenizer("aQ").input_ids]
    tokenizer.add_tokens(["Q"])
    assert tokenizer.batch_ids(["aQ"]) == [tokenizer("aQ").input_ids]
    assert tokenizer.batch_ids(["aQ"])[0][2] == len(vocabulary())


def test_half_of_a_surrogate_pair_is_refused_and_named(tokenizer: IPATokenizer) -> None:
    for texts in ("a\ud800", ["bat", "a\ud800"], [("bat", "a\ud800")]):
        with pytest.raises(ValueError, match=r"half of a surrogate pair at position 1"):
            tokenizer(texts)
    assert tokenizer.unknown_symbols("a\ud800") == [UnknownSymbol("\ud800", 1)]
    assert tokenizer(["bat"]).input_ids == [tokenizer("bat").input_ids]


def test_pairs(tokenizer: IPATokenizer) -> None:
    a, b = tokenizer.convert_tokens_to_ids(["a", "b"])
    batch = tokenizer(["a", "aa"], ["b", "b"], padding=True, return_token_type_ids=True)
    assert batch["input_ids"] == [[2, a, 3, b, 3, 0], [2, a, a, 3, b, 3]]
    assert batch["attention_mask"] == [[1, 1, 1, 1, 1, 0], [1] * 6]


def test_offsets_lead_back_through_the_spelling(tokenizer: IPATokenizer) -> None:
    text = "[ ʧã\u200bɚ ,ba⁵¹]"
    encoding = tokenizer(text, return_offsets_mapping=True, add_special_tokens=False)
    pieces = [
        (token, text[start:end]) for token, (start, end) in zip(encoding.tokens(), encoding.offset_mapping, strict=True)
    ]
    expected = [
        ("t͡ʃ", "ʧ"),
        ("ã", "ã"),
        ("ə˞", "ɚ"),
        (" ", " "),
        ("ˌ", ","),
        ("b", "b"),
        ("a", "a"),
        ("˥", "⁵"),
        ("˩", "¹"),
    ]
    nfd = [(unicodedata.normalize("NFD", token), piece) for token, piece in expected]
    assert [(token, piece.strip("\u200b")) for token, piece in pieces] == nfd


def test_no_setting_of_a_call_is_saved(tokenizer: IPATokenizer, tmp_path: Path) -> None:
    tokenizer(["a" * 20], truncation=True, max_length=5, padding="max_length")
    tokenizer.save_pretrained(tmp_path)
    saved = json.loads((tmp_path / "tokenizer.json").read_text(encoding="utf-8"))
    assert saved["truncation"] is None
    assert saved["padding"] is None


def test_use_leaves_no_trace_in_copies_pickles_and_hashes() -> None:
    """`datasets` hashes what a tokenizer holds: equal maps must have equal hashes."""
    tokenizer = IPATokenizer.build()
    before, hashed = pickle.dumps(tokenizer), Hasher.hash(tokenizer)
    tokenizer(["kæt dɔɡ", "[a] b"], truncation=True, max_length=4, padding=True)
    tokenizer("a <pad> b", split_special_tokens=True)
    assert len(tokenizer("a" * 600).input_ids) == 602  # transformers warns of its length, once
    tokenizer.pad([{"input_ids": [2, 3]}, {"input_ids": [2, 4, 3]}])
    assert Hasher.hash(tokenizer) == hashed
    assert pickle.dumps(tokenizer) == before


def test_a_setting_for_special_tokens_holds_for_its_call(tokenizer: IPATokenizer) -> None:
    ids = tokenizer("a <pad> b").input_ids
    assert tokenizer("a <pad> b", split_special_tokens=True).input_ids != ids
    assert tokenizer("a <pad> b").input_ids == ids
    assert tokenizer(["a <pad> b"]).input_ids == [ids]


def test_its_tokens_are_not_learned_from_texts(tokenizer: IPATokenizer) -> None:
    with pytest.raises(NotImplementedError, match=r"segments of a table.*build\(segments="):
        tokenizer.train_new_from_iterator([["kæt"]], vocab_size=100)


TEXTBOOK = """
/ˈʧɛʃ/ [kʰæt̚] [pʰə̥ˈtʰeɪɾoʊ] [ma˥˩] [ᶢǁ] [ŋǃa] /ðə ˈnɔɹθ ˌwɪnd/ [ˈɹʌnɪŋ] [ˈbʌʔn̩] [ˈlɪɾɫ̩] [bɝd] [ˈbɛtɚ]
[ə ˈfjuː ˈmɪnɪts] [m̥a˥] [pʰɑ˥˩˧] [ɕi˥ʔ˧] [t͡ɕʰi⁵⁵] [ʂʅ⁵¹] [sɿ³⁵] [ɕjɛn²¹⁴] [sip˺] [ˈdɛɐ̯ ˈnɔɐ̯tvɪnt]
[ˈkʏnstlɪç] [aɪ̯nˈmaːl] [lə vɑ̃ dy nɔːʁ] [œ̃ bɔ̃ vɛ̃ blɑ̃] [ʁə.ɡaʁ.de‿œ̃] [el ˈβjento ˈnoɾte] [ˈtʃi.ko]
[o ˈvẽtu ˈnɔɾtɨ] [pɐˈɾɐ̃w̃] [ˈsiːvɛr̝̊] [r̝ɛka] [tr̩n] [ˈvjatr puwˈnɔt͡snɨ] [dʑiɲ] [ˈʐɨt͡ɕɛ] [ˈsolnt͡sə]
[mʲatʲ] [ˈxʷəlʷa] [ǀʰoɾa] [ᵑǃʼũ] [k͡pa] [ɡ͡ba] [ŋ͡mĩ̂] [ʔa˦ǃa˩] [ìlú] [ɔ̀rɔ̄] [bʱaːrət̪] [ʈʰɪk] [t̪ʰaɳɖa]
[d͡ʒʱuːʈ] [ɭ̩] [ɻaː] [qˁalb] [ˈħaːʔit̪ˤ] [ʕajn] [sˤaːd] [ɯᵝ] [ɲ̟i] [koɴ] [ɸɯdʑi] [k͈ɐɾɐ] [p͈aɭ] [tɕʌŋ]
[ɓaːŋ˧˥] [ɗi˨˩ˀ] [ɣɔ̆] [ə̯] [ɤ̞] [t̼ap] [s̺a] [s̻a] [æ̝] [ə̹] [ə̜] [tʷ tʲ tˠ tˤ] [n̪t̪] [e̘o̙] [dⁿdˡ] [b̤ãb̰a]
[ɥi] [ʍɪt͡ʃ] [ɧøː] [ˈsɥɪt ‖ ˈnwi | ɥit] [ꜜɛ ꜛɛ] [↗ja ↘no] [pʼ tʼ kʼ sʼ] [ʘ ǀ ǃ ǂ ǁ] [ɓ ɗ ʄ ɠ ʛ]
[ʜ ʢ ʡ ɕ ʑ ɺ ɧ] [t͜s k͜p] [e˞ ə˞] [š ž č ǰ ƛ ł] [ʦa ʣa ʨi ʥi] [ɫəl̴] [ⁿd ᵐb ᵑɡ] [aᶦ oᶷ] [tˢ kˣ] [pᵊn] [ĕ̞]
[ʋɛɪ̯f] [ɑ̈ ɪ̈] [ˌʌndɚˈstænd] [ˈɡlad̥] [z̥ ŋ̊] [t̠ e̠ e̟ u̟]
"""


@pytest.mark.parametrize("written", re.findall(r"\[[^\]]+\]|/[^/]+/", TEXTBOOK))
def test_textbooks_are_read(tokenizer: IPATokenizer, written: str) -> None:
    assert tokenizer.unknown_symbols(written) == []
    assert tokenizer.unk_token_id not in tokenizer(written).input_ids
