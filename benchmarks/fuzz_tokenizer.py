"""Random text through the tokenizer and the notation converters, for as long as you like: what never may happen.

    python benchmarks/fuzz_tokenizer.py --minutes 10

Whatever Unicode text is given (no half surrogate pairs, which no encoder takes):

- Encoding raises nothing. Normalising twice is normalising once. Decoded ids are the normal form, where nothing in the
  text is unknown or a special token. A batch, which is put together from remembered words, has the ids of its rows, as
  `batch_ids` has them, their offsets, and is cut and padded like one row alone.
- Offsets lie in the text and go forwards. `unknown_symbols` names signs that stand where it says, and names some
  exactly if there is an `<unk>`; `unknown="drop"` has none, and `unknown="error"` is an error exactly then.
- `to_ipa` answers with a normal form that has nothing unknown in it, and is its own IPA; or with a `NotationError`.

The default engine is hypothesis, which makes a failure small before it shows it. `--engine atheris` mutates bytes under
the guidance of coverage: of the Python code, which is the converters; the tokenizer is in Rust. Exit code 1: a failure.
"""

import argparse
import logging
import sys
import tempfile
import time
from collections.abc import Callable
from functools import lru_cache
from typing import TYPE_CHECKING

from report import machine, versions

if TYPE_CHECKING:
    from hypothesis.strategies import SearchStrategy
    from ipaclip.tokenization import IPATokenizer
    from transformers import BatchEncoding


@lru_cache(maxsize=1)
def tokenizers() -> "tuple[IPATokenizer, IPATokenizer, IPATokenizer]":
    """Three that differ in what they make of unknown signs: `unk`, `drop`, `error`."""
    from ipaclip.tokenization import IPATokenizer

    return IPATokenizer.build(), IPATokenizer.build(unknown="drop"), IPATokenizer.build(unknown="error")


def ids_of(tokenizer: "IPATokenizer", text: str) -> list[int]:
    return list(tokenizer(text, add_special_tokens=False, verbose=False)["input_ids"])


def check_tokenizer(text: str) -> None:
    """All that the module says of the tokenizer, of one text.

    Raises:
        AssertionError: If something does not hold.
    """
    tokenizer, dropping, strict = tokenizers()
    encoding = tokenizer(text, add_special_tokens=False, verbose=False).encodings[0]
    ids, special = list(encoding.ids), any(token in text for token in tokenizer.all_special_tokens)
    normal = tokenizer.normalize(text)
    assert tokenizer.normalize(normal) == normal, f"normalised again: {tokenizer.normalize(normal)!r}, once: {normal!r}"
    unknown = tokenizer.unknown_symbols(text)
    assert all(text[sign.position] == sign.symbol for sign in unknown), f"{unknown} do not stand there"
    known = [index for index in ids if index != tokenizer.unk_token_id]
    if not special:
        assert bool(unknown) == (tokenizer.unk_token_id in ids), f"{unknown}, but the tokens are {encoding.tokens}"
        assert unknown or tokenizer.decode(ids) == normal, f"decoded {tokenizer.decode(ids)!r}, not {normal!r}"
        assert ids_of(tokenizer, normal) == ids, f"normal form {normal!r} has other ids"
        check_unknown_modes(text, bool(unknown), known, dropping, strict)
    check_offsets(encoding.offsets, text)
    check_batch(tokenizer, text)


def check_batch(tokenizer: "IPATokenizer", text: str) -> None:
    """A batch beside the backend, which alone is asked for a single text."""

    def ids_and_offsets(batch: "BatchEncoding") -> list[tuple[list[int], list[tuple[int, int]]]]:
        return [(encoding.ids, encoding.offsets) for encoding in batch.encodings or []]

    texts = [text, "ˈbʌtɚflaɪ", f"{text} {text}"]
    batch, alone = tokenizer(texts, verbose=False), [tokenizer(each, verbose=False) for each in texts]
    ids = [one["input_ids"] for one in alone]
    assert batch["input_ids"] == ids, f"in a batch the ids are {batch['input_ids']}, alone {ids}"
    assert tokenizer.batch_ids(texts) == ids, f"batch_ids gives {tokenizer.batch_ids(texts)}, the call {ids}"
    offsets = [ids_and_offsets(one)[0] for one in alone]
    assert ids_and_offsets(batch) == offsets, f"in a batch {ids_and_offsets(batch)}, alone {offsets}"
    cut = {"truncation": True, "max_length": 7, "padding": "max_length", "add_special_tokens": len(text) % 2 == 0}
    batch, alone = tokenizer(texts, **cut), [tokenizer(each, **cut) for each in texts]
    for key in batch:
        assert batch[key] == [one[key] for one in alone], f"cut and padded in a batch, {key} is {batch[key]}"


def check_unknown_modes(
    text: str, unknown: bool, known: list[int], dropping: "IPATokenizer", strict: "IPATokenizer"
) -> None:
    # Where a sign goes, its neighbours may join, so ids are compared only where nothing is unknown.
    dropped = ids_of(dropping, text)
    assert dropping.unk_token_id not in dropped, "an <unk> although unknown signs are dropped"
    assert unknown or dropped == known, f"nothing unknown, yet with 'drop' the ids are {dropped}, not {known}"
    try:
        ids = ids_of(strict, text)
    except ValueError:
        assert unknown, "nothing unknown, yet an error"
    else:
        assert not unknown, "something unknown, and no error"
        assert ids == known, f"with 'error' the ids are {ids}, not {known}"


def check_offsets(offsets: list[tuple[int, int]], text: str) -> None:
    assert all(0 <= start <= end <= len(text) for start, end in offsets), f"outside the text: {offsets}"
    starts = [start for start, _ in offsets]
    assert starts == sorted(starts), f"offsets go back: {offsets}"


def check_notations(text: str) -> None:
    """All that the module says of `to_ipa`, of one text in every notation.

    Raises:
        AssertionError: If something does not hold.
    """
    from ipaclip.tokenization.phonemes.notations import NOTATIONS, NotationError, to_ipa

    tokenizer = tokenizers()[0]
    for notation in NOTATIONS:
        try:
            ipa = to_ipa(text, notation)
        except NotationError:
            continue
        assert ipa == tokenizer.normalize(ipa), f"{notation}: {ipa!r} is no normal form"
        assert not tokenizer.unknown_symbols(ipa), f"{notation}: {tokenizer.unknown_symbols(ipa)} in {ipa!r}"
        assert to_ipa(ipa) == ipa, f"{notation}: {ipa!r} is read as {to_ipa(ipa)!r}"


CHECKS: tuple[Callable[[str], None], ...] = (check_tokenizer, check_notations)


def alphabet() -> list[str]:
    """What makes interesting texts: tokens, every source of a spelling rule, the signs of the other notations."""
    from ipaclip.tokenization.phonemes.spelling import MARKS, SIGNS

    sources = [rule.source for rule in (*SIGNS, *MARKS) if not rule.pattern]
    marks = [chr(code) for code in (*range(0x300, 0x370), *range(0x1DC4, 0x1DC9), 0x200B, 0x200D, 0xFE0F, 0xAD)]
    others = ["AH0", "T", "ER1", " ", "|", "_", "\\", "{", "<h>", "{vls,alv,stp}", "\n", "\t", "\u00a0", "<", ">", "🦋"]
    return sorted({*tokenizers()[0].get_vocab(), *sources, *marks, *others, *map(chr, range(33, 127))})


def texts() -> "SearchStrategy[str]":
    """Any Unicode, pieces of IPA and of the other notations, and both mixed."""
    from hypothesis import strategies as st

    anything, pieces = st.text(max_size=40), st.lists(st.sampled_from(alphabet()), max_size=20).map("".join)
    return st.one_of(
        anything,
        pieces,
        st.lists(pieces, max_size=5).map(" ".join),
        st.lists(st.one_of(st.characters(exclude_categories=("Cs",)), pieces), max_size=8).map("".join),
    )


def fuzz_with_hypothesis(seconds: float, seed: int) -> int:
    """Rounds of each check in turn, at least one, until the time is over; the number of different failures."""
    from hypothesis import HealthCheck, Phase, given, settings
    from hypothesis import seed as seeded

    started, executions = time.monotonic(), 0
    failures: dict[str, str] = {}
    strategy = texts()
    profile = settings(
        max_examples=500,
        database=None,
        deadline=None,
        suppress_health_check=list(HealthCheck),
        phases=(Phase.generate, Phase.shrink),
    )

    def fuzz(check: Callable[[str], None], number: int) -> None:
        @seeded(number)
        @profile
        @given(text=strategy)
        def run(text: str) -> None:
            nonlocal executions
            executions += 1
            try:
                check(text)
            except Exception as error:
                raise AssertionError(f"{text!r}: {type(error).__name__}: {error}") from error

        run()

    number = seed
    while number == seed or time.monotonic() - started < seconds:
        for check in CHECKS:
            try:
                fuzz(check, number)
            except AssertionError as error:
                message = f"{check.__name__}: {error}".splitlines()[0]
                if message not in failures:
                    failures[message] = message
                    print(f"FAILED {message}", flush=True)
        number += 1
    print(
        f"hypothesis, seeds {seed} to {number - 1}: {executions:,} executions in {time.monotonic() - started:.0f} s, "
        f"{len(failures)} failures"
    )
    return len(failures)


def fuzz_with_atheris(seconds: float, seed: int) -> None:
    """libFuzzer's loop: ends the process, with a code other than 0 at the first failure."""
    import atheris

    with atheris.instrument_imports(include=["ipaclip.tokenization"]):
        import ipaclip.tokenization.phonemes.notations
        import ipaclip.tokenization.tokenization_ipa  # noqa: F401
    parts = alphabet()

    def run(data: bytes) -> None:
        provider = atheris.FuzzedDataProvider(data)
        if provider.ConsumeBool():
            text = provider.ConsumeUnicodeNoSurrogates(60)
        else:
            text = "".join(parts[provider.ConsumeIntInRange(0, len(parts) - 1)] for _ in range(len(data) // 2))
        for check in CHECKS:
            check(text)

    with tempfile.TemporaryDirectory() as folder:
        flags = (f"-max_total_time={round(seconds)}", f"-seed={seed or 1}", f"-artifact_prefix={folder}/")
        atheris.Setup([sys.argv[0], *flags, "-max_len=80"], run)
        atheris.Fuzz()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, default=10.0, help="how long (default: 10)")
    parser.add_argument("--engine", choices=("hypothesis", "atheris"), default="hypothesis")
    parser.add_argument("--seed", type=int, default=0, help="of the first round (default: 0)")
    parser.add_argument("--quick", action="store_true", help="two seconds")
    arguments = parser.parse_args()
    seconds = 2.0 if arguments.quick else arguments.minutes * 60
    logging.getLogger("ipaclip").setLevel(logging.ERROR)  # each cut text is a warning
    print(f"{machine()}; {versions('ipaclip', 'tokenizers', 'hypothesis', 'atheris')}", flush=True)
    if arguments.engine == "atheris":
        fuzz_with_atheris(seconds, arguments.seed)
    else:
        sys.exit(int(fuzz_with_hypothesis(seconds, arguments.seed) > 0))


if __name__ == "__main__":
    main()
