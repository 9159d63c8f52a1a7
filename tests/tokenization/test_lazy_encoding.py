"""A batch put together from remembered words, beside the same call of a plain fast tokenizer over the same file."""

import copy
import logging
import pickle
from collections.abc import Callable
from itertools import product
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from ipaclip.tokenization import IPATokenizer, tokenization_ipa
from ipaclip.tokenization.phonemes.segments import TIE
from ipaclip.tokenization.word_ids import STEADY
from tokenizers import Encoding
from transformers import BatchEncoding
from transformers.tokenization_utils_tokenizers import TokenizersBackend

Pair = tuple[IPATokenizer, TokenizersBackend]

WORDS = [
    "",
    "ˈbʌtɚflaɪ",
    "t͡ʃiːz",
    "bat",
    "g",
    "ʔǎː",
    "♥",
    "a♥",
    "/ɪn/",
    "[a",
    "<s>",
    "<unk>",
    "n\u0303",
    "a\tb",
    "\u200b",
    "x" * 300,
]
WORD = st.one_of(st.sampled_from(WORDS), st.text(st.characters(exclude_categories=("Cs", "Cn")), max_size=4))
TEXTS = st.lists(st.lists(WORD, max_size=5).map(" ".join), min_size=1, max_size=4)
OPTIONS = st.fixed_dictionaries(
    {},
    optional={
        "add_special_tokens": st.booleans(),
        "padding": st.sampled_from([True, False, "longest", "max_length", "do_not_pad"]),
        "truncation": st.sampled_from([True, False, "longest_first", "only_first", "do_not_truncate"]),
        "max_length": st.integers(3, 12),
        "stride": st.just(0),
        "pad_to_multiple_of": st.sampled_from([None, 2, 5, 8]),
        "padding_side": st.sampled_from([None, "left", "right"]),
        "return_token_type_ids": st.sampled_from([None, True, False]),
        "return_attention_mask": st.sampled_from([None, True, False]),
        "return_overflowing_tokens": st.booleans(),
        "return_special_tokens_mask": st.booleans(),
        "return_offsets_mapping": st.booleans(),
        "return_length": st.booleans(),
        "return_tensors": st.sampled_from([None, "np", "pt"]),
        "verbose": st.booleans(),
    },
)
BUILDS: dict[str, dict[str, Any]] = {
    "plain": {},
    "drop": {"unknown": "drop", "stress": False, "tone": False, "length": False},
    "short": {"max_length": 5},
}


def plain(tokenizer: IPATokenizer, folder: Path) -> TokenizersBackend:
    tokenizer.save_pretrained(folder)
    return TokenizersBackend.from_pretrained(folder)


@pytest.fixture(scope="module", params=list(BUILDS))
def pair(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Pair:
    tokenizer = IPATokenizer.build(**BUILDS[request.param])
    return tokenizer, plain(tokenizer, tmp_path_factory.mktemp("plain"))


def answer(call: Callable[..., BatchEncoding], texts: list[str], options: dict[str, Any]) -> BatchEncoding | str:
    try:
        return call(list(texts), **options)
    except ValueError as error:
        return str(error)


def data(batch: BatchEncoding) -> list[tuple[str, Any, Any]]:
    """Keys in their order, types, values."""
    return [(key, getattr(value, "dtype", type(value)), listed(value)) for key, value in batch.items()]


def listed(value: Any) -> Any:
    """Tensors, arrays and arrays of arrays as lists."""
    if hasattr(value, "tolist"):
        value = value.tolist()
    return list(map(listed, value)) if isinstance(value, list | tuple) else value


def everything(encoding: Encoding) -> tuple[Any, ...]:
    parts = ("ids", "tokens", "offsets", "type_ids", "attention_mask", "special_tokens_mask", "word_ids")
    others = (encoding.sequence_ids, encoding.n_sequences, list(map(everything, encoding.overflowing)))
    return (*(getattr(encoding, part) for part in parts), *others)


def assert_alike(ours: BatchEncoding, theirs: BatchEncoding, texts: list[str]) -> None:
    assert data(ours) == data(theirs)
    assert list(map(everything, ours.encodings or [])) == list(map(everything, theirs.encodings or []))
    assert (ours.n_sequences, ours.is_fast) == (theirs.n_sequences, theirs.is_fast)
    for index, text in enumerate(texts):
        assert ours.tokens(index) == theirs.tokens(index)
        assert ours.word_ids(index) == theirs.word_ids(index)
        for position in range(len(text)):
            assert ours.char_to_token(index, position) == theirs.char_to_token(index, position)


@pytest.mark.filterwarnings("ignore:`max_length` is ignored")
@settings(max_examples=500, deadline=None, derandomize=True, database=None)
@given(texts=TEXTS, options=OPTIONS)
def test_a_batch_is_that_of_a_plain_tokenizer(pair: Pair, texts: list[str], options: dict[str, Any]) -> None:
    ours, theirs = (answer(tokenizer, texts, options) for tokenizer in pair)
    if isinstance(ours, str) or isinstance(theirs, str):
        assert ours == theirs
    else:
        assert_alike(ours, theirs, texts)


@pytest.mark.parametrize("side", ["left", "right"])
def test_the_sides_of_the_tokenizer_count(pair: Pair, side: str) -> None:
    ours, theirs = map(copy.deepcopy, pair)
    ours.padding_side = theirs.padding_side = ours.truncation_side = theirs.truncation_side = side
    texts = ["a bat", "ˈbʌtɚflaɪz ænd ˈbʌtɚ", ""]
    options: dict[str, Any] = {"padding": True, "truncation": True, "max_length": 6}
    assert_alike(ours(texts, **options), theirs(texts, **options), texts)
    assert (
        ours(texts, **options).input_ids
        == ours.pad({"input_ids": ours(texts, truncation=True, max_length=6).input_ids}).input_ids
    )


def test_other_kinds_of_input_go_the_plain_way(pair: Pair) -> None:
    ours, theirs = pair
    for texts, options in (
        ([("a bat", "bʌt")], {}),
        (["a", "bat"], {"is_split_into_words": True}),
        (["a <s> bat"], {"split_special_tokens": True}),
        (["a bat", "bat"], {"text_pair": ["bat", "t"], "truncation": "only_second", "max_length": 9}),
        (["bʌtɚflaɪ"], {"truncation": True, "max_length": 4, "stride": 1, "return_overflowing_tokens": True}),
    ):
        assert data(ours(texts, **options)) == data(theirs(texts, **options))


def test_offsets_are_computed_when_they_are_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    tokenizer = IPATokenizer.build()
    calls: list[int] = []
    honest = tokenization_ipa.encodings_of
    monkeypatch.setattr(tokenization_ipa, "encodings_of", lambda *given: calls.append(1) or honest(*given))
    batch = tokenizer(["a bat", "bʌt"], padding=True, return_tensors="pt")
    assert batch.is_fast
    assert batch.to("cpu").input_ids.shape == (2, 7)
    assert batch.attention_mask.dtype == torch.int64
    assert copy.copy(batch).keys() == batch.copy().keys() == batch.keys()
    assert not calls
    assert batch.tokens(1) == ["<s>", "b", "ʌ", "t", "</s>", "<pad>", "<pad>"]
    assert batch[0].offsets[2:4] == [(1, 2), (2, 3)]
    assert len(calls) == 1


@pytest.mark.parametrize("copied", [copy.copy, copy.deepcopy, lambda batch: pickle.loads(pickle.dumps(batch))])
def test_copies_are_whole(pair: Pair, copied: Callable[[BatchEncoding], BatchEncoding]) -> None:
    texts = ["a bat", "ˈbʌtɚ"]
    ours, theirs = (copied(tokenizer(texts, padding=True, return_tensors="np")) for tokenizer in pair)
    assert data(ours) == data(theirs)
    assert list(map(everything, ours.encodings or [])) == list(map(everything, theirs.encodings or []))


def test_it_can_be_rebuilt_as_libraries_rebuild_mappings(pair: Pair) -> None:
    """accelerate moves tensors to a device by `type(batch)({key: moved})`."""
    for tokenizer in pair:
        batch = tokenizer(["a bat"], return_tensors="pt")
        again = type(batch)({key: value + 1 for key, value in batch.items()})
        assert again["input_ids"][0, 0] == batch["input_ids"][0, 0] + 1
        assert again.encodings is None
        assert not again.is_fast


def test_tokens_added_later_do_not_change_what_was_given() -> None:
    tokenizer = IPATokenizer.build()
    before = tokenizer(["ab"])
    tokenizer.add_tokens(["ab"])
    assert before.tokens() == ["<s>", "a", "b", "</s>"]
    assert tokenizer(["ab"]).tokens() == ["<s>", "ab", "</s>"]


def test_an_added_token_may_hold_a_space_or_be_known_already(tmp_path: Path) -> None:
    tokenizer = IPATokenizer.build()
    tokenizer(["a b"])
    tokenizer.add_tokens(["a b"])
    tokenizer.add_special_tokens({"additional_special_tokens": ["ʘ"]})
    texts = ["a b", "ʘa", "bʘ b"]
    assert_alike(tokenizer(texts), plain(tokenizer, tmp_path)(texts), texts)
    assert tokenizer.batch_ids(texts) == tokenizer(texts).input_ids


def test_the_backends_own_rules_are_followed() -> None:
    tokenizer = IPATokenizer.build()
    assert tokenizer(["ab"]).input_ids == [[2, *tokenizer.convert_tokens_to_ids(["a", "b"]), 3]]
    tokenizer.backend_tokenizer.post_processor = None
    assert tokenizer(["ab"]).input_ids == [tokenizer.convert_tokens_to_ids(["a", "b"])]
    tokenizer.backend_tokenizer.normalizer = None
    assert tokenizer(["g"]).input_ids == [[tokenizer.unk_token_id]]


def test_a_warning_counts_what_was_cut(caplog: pytest.LogCaptureFixture) -> None:
    tokenizer = IPATokenizer.build(max_length=4)
    with caplog.at_level(logging.WARNING):
        tokenizer(["abab", "ab", "a ab"], truncation=True)
    assert "Truncation cut 4 tokens" in caplog.text  # two each of four


def test_an_empty_batch_is_empty() -> None:
    tokenizer = IPATokenizer.build()
    assert (
        dict(tokenizer([]))
        == dict(tokenizer([], padding=True, truncation=True))
        == {"input_ids": [], "attention_mask": []}
    )
    assert tokenizer([]).encodings == []


def test_rows_are_not_shared() -> None:
    tokenizer = IPATokenizer.build()
    first = tokenizer(["a bat"]).input_ids
    first[0].append(0)
    assert tokenizer(["a bat"]).input_ids[0] == first[0][:-1]


def test_steady_signs_are_their_own_normal_form_in_any_order() -> None:
    """All strings of three: no rule looks at more signs than that."""
    words = ["".join(signs) for signs in product(f"{STEADY}{TIE}", repeat=3)]
    words = [word for word in words if f"{TIE}ː" not in word]
    text = " ".join(words)
    assert IPATokenizer.build().normalize(text) == text
