"""Real words of many languages through the transcribers and the tokenizer: what is lost, refused, or unstable.

The words are those of the Unicode CLDR, as the package `babel` brings it: names of countries, languages, scripts,
currencies, months and days. Each word is transcribed alone, so that a failure has one name. Of each IPA string is asked

- whether a sign of it becomes `<unk>`;
- whether its normal form is its own normal form;
- whether decoding its ids gives the normal form, and the normal form the same ids.

Each of these is a failure. A word that the transcriber refuses is counted and printed, and is none: it was not lost in
silence. Exit code 1: something failed, or fewer languages, scripts or words were covered than are asked for below.

With `--every-backend` one rule of `backend="auto"` is checked, too: where no dictionary has decided (`g2p.py`), epitran
comes first, but not where it refuses 2% or more of the words and espeak-ng fewer. A language of which the table of such
languages (`backend_choice.GAPS`) says otherwise is a failure. Each backend is asked alone, and so without a fallback;
without `--every-backend`, `auto` is asked, and so with one.
"""

import argparse
import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from report import machine, markdown_table, versions

if TYPE_CHECKING:
    from babel import Locale
    from ipaclip.tokenization import IPATokenizer

MOST_REFUSED = 0.02
LEAST_WORDS, LEAST_LANGUAGES, LEAST_SCRIPTS = 200, 40, 12
QUICK = ["ell-Grek", "eng-Latn", "heb-Hebr", "hin-Deva", "hye-Armn", "jpn-Kana", "kat-Geor", "kor-Hang", "pol-Latn"]


@dataclass
class Result:
    """What became of the words of one language through one backend."""

    language: str
    backend: str
    words: int = 0
    tokens: int = 0
    unknown: int = 0
    refused: list[tuple[str, str]] = field(default_factory=list)
    failures: list[str] = field(default_factory=list)

    @property
    def script(self) -> str:
        return self.language.split("-")[1]


def names(locale: "Locale") -> Iterator[tuple[tuple[str, ...], str]]:
    """Each name that the CLDR has in a language, with its key, by which the same name is found in another."""
    for kind in ("territories", "languages", "scripts", "currencies"):
        for key, name in getattr(locale, kind).items():
            yield (kind, key), name
    for kind in ("months", "days"):
        for number, name in getattr(locale, kind)["stand-alone"]["wide"].items():
            yield (kind, str(number)), name


def words_of(language: str, most: int) -> list[str]:
    """At most so many different words of a language, evenly spread over the CLDR's names; none if it has none.

    Left out: what stands there in English, words in another script, digits, single letters, abbreviations (`USA`).
    """
    from babel import Locale, UnknownLocaleError
    from ipaclip.tokenization.transcription.words import split_words, unreadable_letters

    code, script = language.split("-")[:2]
    try:
        # The CLDR's own name for the language: `eng` is `en`.
        locale = Locale.parse(f"{code}_{script}", resolve_likely_subtags=True)
    except (UnknownLocaleError, ValueError):
        return []
    english = {} if code == "eng" else dict(names(Locale("en")))
    native = (name for key, name in names(locale) if english.get(key) != name)
    words = dict.fromkeys(word for name in native for word in split_words(name))
    real = [word for word in words if is_ordinary(word) and not unreadable_letters(word, script)]
    return real[:: max(1, len(real) // most)][:most]


def is_ordinary(word: str) -> bool:
    """Neither a single letter nor an abbreviation nor a number."""
    return len(word) > 1 and not word.isupper() and not any(map(str.isdigit, word))


def check(language: str, backend: str, words: Sequence[str], tokenizer: "IPATokenizer") -> Result:
    """Transcribe every word alone and ask of its IPA what the module says."""
    from ipaclip.tokenization import TranscriptionError, get_transcriber

    result = Result(language, backend, words=len(words))
    transcriber = get_transcriber(language, backend)
    for word in words:
        try:
            ipa = transcriber.transcribe([word])[0]
        except TranscriptionError as error:
            result.refused.append((word, str(error)))
            continue
        except Exception as error:
            # A benchmark that stopped at the first crash would hide the others.
            result.failures.append(f"{word!r}: {type(error).__name__}: {error}")
            continue
        ids = tokenizer(ipa, add_special_tokens=False)["input_ids"]
        result.tokens += len(ids)
        unknown = tokenizer.unknown_symbols(ipa)
        result.unknown += len(unknown)
        if unknown:
            result.failures.append(f"{word!r} /{ipa}/: <unk> for {', '.join(repr(sign) for sign, _ in unknown)}")
        result.failures += [f"{word!r} /{ipa}/: {what}" for what in unstable(ipa, ids, tokenizer)]
    return result


def unstable(ipa: str, ids: list[int], tokenizer: "IPATokenizer") -> Iterator[str]:
    """What does not hold of an IPA string: normal form of the normal form, decoded ids, ids of the normal form."""
    normal = tokenizer.normalize(ipa)
    if (again := tokenizer.normalize(normal)) != normal:
        yield f"normalised {normal!r}, and again {again!r}"
    if tokenizer.unk_token_id not in ids and (decoded := tokenizer.decode(ids)) != normal:
        yield f"decoded {decoded!r}, not {normal!r}"
    if tokenizer(normal, add_special_tokens=False)["input_ids"] != ids:
        yield f"its normal form {normal!r} has other ids"


def choose(asked: Sequence[str], every_backend: bool, most_words: int) -> Iterator[tuple[str, str, list[str]]]:
    """Language, backend, words: by default every language with enough words, but no variants (`deu-Latn-np`)."""
    from ipaclip.tokenization import get_transcriber, languages

    for language, backends in languages().items():
        if language not in asked if asked else language.count("-") > 1:
            continue
        words = words_of(language, most_words)
        if len(words) < LEAST_WORDS:
            continue
        for backend in backends if every_backend else [get_transcriber(language).chain]:
            yield language, backend, words


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--words", type=int, default=300, help="words a language, at most (default: 300)")
    parser.add_argument("--languages", nargs="+", default=[], help="only these, such as hin-Deva")
    parser.add_argument("--every-backend", action="store_true", help="not as `auto` has them said, but by each")
    parser.add_argument("--quick", action="store_true", help="nine languages, 200 words each")
    arguments = parser.parse_args()
    if arguments.quick:
        arguments.words = LEAST_WORDS
        arguments.languages = arguments.languages or QUICK
    from ipaclip.tokenization import IPATokenizer
    from tqdm import tqdm

    tokenizer = IPATokenizer.build()
    chosen = list(choose(arguments.languages, arguments.every_backend, arguments.words))
    bar = tqdm(chosen, unit="language", disable=None)
    results = [check(language, backend, words, tokenizer) for language, backend, words in bar]
    print_results(results)
    wrong = wrong_first(results) if arguments.every_backend else []
    for language in wrong:
        print(f"FAILED {language}: the table of letters that epitran lacks is wrong")
    failed = wrong or any(result.failures for result in results)
    sys.exit(int(bool(failed) or (not arguments.languages and few(results))))


def wrong_first(results: Sequence[Result]) -> list[str]:
    """The languages that epitran and espeak-ng have, and of which `GAPS` is not what the rule says."""
    from ipaclip.tokenization.transcription.backend_choice import by_letters

    shares: dict[str, dict[str, float]] = {}
    for result in results:
        shares.setdefault(result.language, {})[result.backend] = len(result.refused) / result.words
    wrong = []
    for language, share in shares.items():
        if {"epitran", "espeak"} <= share.keys():
            gaps = share["epitran"] >= MOST_REFUSED and share["espeak"] < share["epitran"]
            if by_letters(language, share)[0] != ("espeak" if gaps else "epitran"):
                wrong.append(language)
    return wrong


def few(results: Sequence[Result]) -> bool:
    """Whether fewer languages or scripts were covered than the benchmark asks for."""
    covered = {result.language for result in results}
    return len(covered) < LEAST_LANGUAGES or len({code.split("-")[1] for code in covered}) < LEAST_SCRIPTS


def print_results(results: Sequence[Result]) -> None:
    print(f"{machine()}; {versions('ipaclip', 'epitran', 'phonemizer', 'espeakng-loader', 'panphon', 'babel')}\n")
    header = ("language", "backend", "words", "tokens", "<unk>", "refused", "failures")
    print(markdown_table(header, [(r.language, r.backend, *numbers([r])) for r in results]))
    print(f"\nBy script, {len({r.language for r in results})} languages:\n")
    scripts = Counter(r.script for r in results)
    by_script = [(script, [r for r in results if r.script == script]) for script in sorted(scripts)]
    rows = [(script, " ".join(sorted({r.language[:3] for r in part})), *numbers(part)) for script, part in by_script]
    print(markdown_table(("script", "languages", *header[2:]), [*rows, ("all", "", *numbers(results))]))
    for r in results:
        for failure in r.failures:
            print(f"\nFAILED {r.language} {r.backend} {failure}", end="")
    print()
    for r in results:
        if r.refused:
            print(f"\nrefused by {r.language} {r.backend}: {', '.join(word for word, _ in r.refused)}", end="")
    print()


def numbers(results: Sequence[Result]) -> tuple[str, ...]:
    words, tokens = sum(r.words for r in results), sum(r.tokens for r in results)
    unknown, refused = sum(r.unknown for r in results), sum(len(r.refused) for r in results)
    failures = sum(len(r.failures) for r in results)
    share = f"{unknown / max(tokens, 1):.3%}"
    return f"{words:,}", f"{tokens:,}", share, f"{refused:,} ({refused / max(words, 1):.1%})", f"{failures:,}"


if __name__ == "__main__":
    main()
