"""What holds of any text: arbitrary Unicode, IPA in all its spellings, and real transcriptions."""

import re
import sys
import unicodedata

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from ipaclip.tokenization import IPATokenizer, get_transcriber, is_ipa, respell, spelling_table
from ipaclip.tokenization.charsmap import charsmap, charsmap_steps
from ipaclip.tokenization.phonemes.segments import MODIFIERS, SUPRASEGMENTALS, panphon_table
from ipaclip.tokenization.phonemes.spelling import INVISIBLE
from spelling_by_rules import by_rules
from tokenizers import normalizers

SEGMENTS = sorted(panphon_table().segments)
SOURCES = [rule.source for rule in spelling_table() if not rule.pattern]
PLACED = ["/", "[", "]", "⟧", ",", "!", "‘", "⁵", "¹", "⁰", "\u200b", "\t", "\u3000", " ", ".", "\u200d", "\ufe0f", "X"]

# Python's Unicode may be older than the tokenizer's: signs it has not assigned are left out.
ANY = st.text(st.characters(exclude_categories=("Cs", "Cn")), max_size=20)
WRITTEN = st.lists(st.sampled_from([*SOURCES, *PLACED, *SUPRASEGMENTALS, *MODIFIERS, *"abtdnszcjgpkʃʂ"]), max_size=12)
IPA = st.lists(st.sampled_from([*SEGMENTS, *SUPRASEGMENTALS, *MODIFIERS]), max_size=12).map("".join)
TEXT = st.one_of(ANY, WRITTEN.map("".join), st.lists(st.one_of(WRITTEN.map("".join), ANY), max_size=3).map("".join))
steady = settings(max_examples=400, deadline=None, derandomize=True, database=None)


@pytest.fixture(scope="module")
def tokenizer() -> IPATokenizer:
    return IPATokenizer.build()


@pytest.fixture(scope="module")
def dropping() -> IPATokenizer:
    return IPATokenizer.build(unknown="drop", stress=False, tone=False, length=False)


@steady
@given(text=TEXT)
def test_the_compiled_rules_are_the_table(tokenizer: IPATokenizer, text: str) -> None:
    assert tokenizer.normalize(text) == respell(text) == by_rules(text)


def test_the_compiled_rules_are_the_table_on_what_espeak_says(tokenizer: IPATokenizer) -> None:
    captions = [
        "A black dog and a spotted dog are fighting .",
        "A man in an orange hat starring at something .",
    ]
    for ipa in get_transcriber("eng-Latn", "espeak").transcribe(captions):
        assert tokenizer.normalize(ipa) == by_rules(ipa)
        assert tokenizer.batch_ids([ipa]) == [tokenizer(ipa).input_ids]
        assert is_ipa(ipa)


@steady
@given(text=TEXT)
def test_normalizing_twice_is_normalizing_once(tokenizer: IPATokenizer, dropping: IPATokenizer, text: str) -> None:
    for each in (tokenizer, dropping):
        normal = each.normalize(text)
        assert each.normalize(normal) == normal


@steady
@given(text=TEXT)
def test_any_text_encodes(tokenizer: IPATokenizer, dropping: IPATokenizer, text: str) -> None:
    ids = tokenizer(text).input_ids
    assert (ids[0], ids[-1]) == (2, 3)
    assert 1 not in dropping(text).input_ids


@steady
@given(text=TEXT)
def test_is_ipa_is_having_no_unknown_sign(tokenizer: IPATokenizer, text: str) -> None:
    assert is_ipa(text) == (tokenizer.unknown_symbols(text) == [])


@steady
@given(text=st.one_of(IPA, TEXT.filter(is_ipa)))
def test_decoding_gives_the_normal_form_back(tokenizer: IPATokenizer, text: str) -> None:
    assert tokenizer.decode(tokenizer(text).input_ids, skip_special_tokens=True) == tokenizer.normalize(text)


@steady
@given(text=TEXT)
def test_offsets_cover_the_text(tokenizer: IPATokenizer, text: str) -> None:
    """In order, and over everything but white space, invisible signs and delimiters.

    Of two signs that write one (`||`, `s` with a caron, `ç` with a tilde) or change places (length and aspiration), one
    is covered.
    """
    offsets = tokenizer(text, add_special_tokens=False, return_offsets_mapping=True).offset_mapping
    assert all(start < end for start, end in offsets)
    assert offsets == sorted(offsets)
    covered = {position for start, end in offsets for position in range(start, end)}
    left = "".join(
        sign
        for position, sign in enumerate(text)
        if position not in covered
        and not (sign in "|szcçjː\u0301\u0304\u0300\u030c\u0302" and covered & {position - 1, position + 1})
    )
    assert not re.sub(rf"{INVISIBLE}|[/\[\]⟦⟧⫽\s]", "", left)


@steady
@given(texts=st.lists(TEXT, min_size=1, max_size=5))
def test_a_batch_is_its_rows(tokenizer: IPATokenizer, texts: list[str]) -> None:
    batch = tokenizer(texts, return_offsets_mapping=True)
    rows = [tokenizer(text, return_offsets_mapping=True) for text in texts]
    assert batch.input_ids == [row.input_ids for row in rows]
    assert batch.offset_mapping == [row.offset_mapping for row in rows]


@steady
@given(texts=st.lists(st.lists(TEXT, max_size=3).map(" ".join), max_size=3))
def test_batch_ids_are_the_ids_of_a_call(tokenizer: IPATokenizer, dropping: IPATokenizer, texts: list[str]) -> None:
    for each in (tokenizer, dropping):
        assert each.batch_ids(texts) == [each(text).input_ids for text in texts]


@pytest.mark.parametrize("sign", ["g", "ɚ", "ᵻ", "\u0331"])  # one, two and three bytes, and a mark
def test_a_character_map_keeps_what_follows(sign: str) -> None:
    """Whatever code point stands behind a sign of the map stays: the map reads graphemes."""
    targets = {"g": "ɡ", "ɚ": "ə˞", "ᵻ": "ɨ", "\u0331": "\u0320"}
    points = (chr(point) for point in range(1, sys.maxunicode + 1) if not 0xD800 <= point < 0xE000)
    text = "".join(
        f"{sign}{point}\u0301a" for point in points if point != "\u200b" and unicodedata.category(point) != "Cn"
    )
    steps = normalizers.Sequence(charsmap_steps(targets))
    assert steps.normalize_str(text) == text.translate(str.maketrans(targets))


def test_a_character_map_refuses_what_it_cannot_do() -> None:
    with pytest.raises(ValueError, match="one sign"):
        charsmap({"ab": "c"})
    with pytest.raises(ValueError, match="one sign"):
        charsmap({"a": ""})
