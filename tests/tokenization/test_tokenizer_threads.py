"""One object in many threads, each call with its own settings: each gets what it would get alone."""

import random
import sys
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from ipaclip import IPAClipProcessor, embedded_checkpoint
from ipaclip.tokenization import IPATokenizer

THREADS, CALLS = 8, 300


@pytest.fixture(autouse=True)
def _threads_change_often() -> Iterator[None]:
    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-5)
    yield
    sys.setswitchinterval(interval)


def compare(calls: Sequence[Callable[[Any], Any]], make: Callable[[], Any]) -> None:
    """Each call alone, on an object of its own; then all calls at once, in random order, on one object."""
    right = [call(make()) for call in calls]
    shared = make()

    def wrong(seed: int) -> int:
        chance = random.Random(seed)
        chosen = chance.choices(range(len(calls)), k=CALLS)
        return sum(calls[index](shared) != right[index] for index in chosen)

    with ThreadPoolExecutor(THREADS) as pool:
        assert list(pool.map(wrong, range(THREADS))) == [0] * THREADS


def test_a_tokenizer() -> None:
    words = ["aːkət͡ʃaɪ ŋa", "ba [ka"]
    compare(
        [
            lambda tokenizer: tokenizer(words[0]).input_ids,
            lambda tokenizer: tokenizer(words[0], truncation=True, max_length=9).input_ids,
            lambda tokenizer: tokenizer("ba", padding="max_length", max_length=9).input_ids,
            lambda tokenizer: dict(tokenizer(words, padding=True)),
            lambda tokenizer: tokenizer(words, truncation=True, max_length=9).input_ids,
            lambda tokenizer: tokenizer(words, return_offsets_mapping=True).offset_mapping,
            lambda tokenizer: tokenizer(words, ["ka", "p"], padding="max_length", max_length=20).input_ids,
            lambda tokenizer: tokenizer(words).tokens(1),
            lambda tokenizer: tokenizer.unknown_symbols(f"{words[0]}X"),
            lambda tokenizer: tokenizer.batch_ids(words),
            lambda tokenizer: tokenizer("a <pad> b", split_special_tokens=True).input_ids,
            lambda tokenizer: tokenizer("a <pad> b").input_ids,
        ],
        IPATokenizer.build,
    )


def test_a_processor() -> None:
    def as_lists(features: Any) -> dict[str, Any]:
        return {key: value.tolist() if hasattr(value, "tolist") else value for key, value in features.items()}

    texts = ["a dog", "a black cat on a red mat"]
    compare(
        [
            lambda processor: as_lists(processor(text=texts[0])),
            lambda processor: as_lists(processor(text=texts, return_tensors="np")),
            lambda processor: as_lists(processor(text=texts, truncation=True, max_length=5)),
            lambda processor: as_lists(processor(text=texts, padding="max_length", max_length=20)),
            lambda processor: as_lists(processor(ipa="kæt")),
            lambda processor: as_lists(processor(ipa=["kæt", "dɔɡ ɪn"], return_tensors="np")),
            lambda processor: as_lists(processor(ipa=["kæt"], padding="max_length", max_length=9)),
            lambda processor: as_lists(processor(text=texts, ipa="kæt", return_tensors="np")),
            lambda processor: as_lists(
                processor(ipa="kæt", pronunciation_kwargs={"truncation": True, "max_length": 4})
            ),
        ],
        lambda: IPAClipProcessor.from_pretrained(embedded_checkpoint()),
    )
