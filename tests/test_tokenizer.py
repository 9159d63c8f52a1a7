"""The IPA tokenizer: segmentation, spelling, unknown signs, truncation, and life without this package."""

import json
import logging
import pickle
import subprocess
import sys
import unicodedata
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from ipaclip.tokenization import IPATokenizer, UnknownSymbol, split_segments, unknown_symbols
from ipaclip.tokenization.segments import MODIFIERS, SUPRASEGMENTALS, panphon_table
from ipaclip.tokenization.spelling import is_ipa

SEGMENTS = sorted(panphon_table().segments)


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
        ("ts", "ts"),  # two sounds in "cats": tying is not the tokenizer's to decide
        ("[a]/b/", "[a]/b/"),
    ],
)
def test_spelling(tokenizer: IPATokenizer, written: str, normal: str) -> None:
    assert tokenizer.normalize(written) == unicodedata.normalize("NFD", normal)


def test_every_panphon_segment_is_one_token(tokenizer: IPATokenizer) -> None:
    encodings = tokenizer(SEGMENTS, add_special_tokens=False).encodings
    # A tone letter has an entry among the suprasegmentals, and is one token nonetheless.
    assert [encoding.tokens for encoding in encodings] == [[segment] for segment in SEGMENTS]


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


def test_unknown_symbols_give_the_place_in_the_original(tokenizer: IPATokenizer) -> None:
    text = " \t a\u200b[ʧç]XYb"
    expected = [UnknownSymbol("[", 5), UnknownSymbol("]", 8), UnknownSymbol("X", 9), UnknownSymbol("Y", 10)]
    assert tokenizer.unknown_symbols(text) == expected
    assert unknown_symbols(text) == expected
    assert unknown_symbols("ˈbʌtɚflaɪ") == []
    assert unknown_symbols("") == []


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


@settings(max_examples=300, deadline=None)
@given(text=st.text())
def test_any_text_encodes_and_normal_forms_are_stable(tokenizer: IPATokenizer, text: str) -> None:
    normal = tokenizer.normalize(text)
    assert tokenizer.normalize(normal) == normal
    ids = tokenizer(text).input_ids
    assert ids[0] == 2
    assert ids[-1] == 3


MARKED = st.text("aːˑtʰʼʱ\u0301\u0300\u030c\u0302\u0303\u0308\u030a\u0311\u0324š˞'|g:͜sʂ \u200b", max_size=12)


@settings(max_examples=1000, deadline=None)
@given(text=MARKED)
def test_normal_forms_of_marked_ipa_are_stable(tokenizer: IPATokenizer, text: str) -> None:
    normal = tokenizer.normalize(text)
    assert tokenizer.normalize(normal) == normal


@settings(max_examples=300, deadline=None)
@given(parts=st.lists(st.sampled_from([*SEGMENTS, *SUPRASEGMENTALS, *MODIFIERS]), max_size=12))
def test_decoding_gives_the_normal_form_back(tokenizer: IPATokenizer, parts: list[str]) -> None:
    text = "".join(parts)
    assert tokenizer.decode(tokenizer(text).input_ids, skip_special_tokens=True) == tokenizer.normalize(text)
    assert tokenizer.unknown_symbols(text) == []


@settings(max_examples=300, deadline=None)
@given(text=st.one_of(st.text(max_size=4), MARKED))
def test_is_ipa_agrees_with_the_tokenizer(tokenizer: IPATokenizer, text: str) -> None:
    if is_ipa(text):
        assert tokenizer.unknown_symbols(text) == []
