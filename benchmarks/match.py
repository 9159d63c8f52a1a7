"""Names that are the same: `ipaclip match` beside Soundex, Metaphone, Double Metaphone and letters, in one run.

Three sets of pairs, half of which are the same name (see `match_sets.py`): homophones of the CMU dictionary, spellings
of its rare names, and cities of the Unicode CLDR in English and in seven other scripts. For each method the threshold
is chosen on one half of the pairs, and precision, recall and F1 are those of the other half. What has two values only
(a code is the same or not) needs no threshold, but has the same chance to say that all are the same.

In the first two sets our side has its pronunciations from espeak-ng alone: the sets are made of the CMU dictionary,
which would otherwise be asked, too. `romanised` is Jaro-Winkler after the package `anyascii`, if that is installed.

`--fit` fits the weights of `lexicon/matching.py` by logistic regression, on pairs drawn with another seed.
"""

import argparse
import random
from collections.abc import Callable, Sequence
from typing import Any

import match_sets
import numpy as np
from match_sets import Pair
from report import machine, markdown_table, versions

PACKAGES = ("ipaclip", "jellyfish", "rapidfuzz", "metaphone", "anyascii", "espeakng-loader", "epitran")
FITTED_ON, MEASURED_ON = 1, 0  # seeds
QUICK = 40


def by_espeak(words: Sequence[str], language: str) -> list[tuple[str, ...] | str]:
    """How `ipaclip.lexicon.matching` has names pronounced, without the CMU dictionary."""
    from ipaclip.lexicon import matching
    from ipaclip.tokenization import get_transcriber

    if language != "eng-Latn":
        return list(matching.pronounce_name(words, language))
    ways = [(code, "espeak") for code in (language, "eng-Latn-gb", *matching.ALSO_SAID_IN_ENGLISH)]
    ways += [(code, "auto") for code in matching.ALSO_SAID]
    answers = [get_transcriber(*way).transcribe_each(list(words)) for way in ways]
    return [tuple(one for one in said if isinstance(one, str)) for said in zip(*answers, strict=True)]


def ours(pairs: Sequence[Pair], pronounce: Any = None) -> list[Any]:
    """The `Match` of each pair."""
    from ipaclip.lexicon import NameMatcher

    matcher = NameMatcher([pair.other for pair in pairs], pronounce=pronounce)
    return matcher.compare([pair.one for pair in pairs], range(len(pairs)))


def scorers() -> dict[str, Callable[[str, str], float]]:
    """The other methods: name → similarity of two names in small letters; empty codes are like nothing."""
    import jellyfish
    from metaphone import doublemetaphone
    from rapidfuzz import fuzz

    def same_code(code: Callable[[str], str]) -> Callable[[str, str], float]:
        return lambda one, other: float(bool(code(one)) and code(one) == code(other))

    def double(one: str, other: str) -> float:
        return float(bool((set(doublemetaphone(one)) & set(doublemetaphone(other))) - {""}))

    found = {
        "Soundex": same_code(jellyfish.soundex),
        "Metaphone": same_code(jellyfish.metaphone),
        "Double Metaphone": double,
        "Jaro-Winkler": jellyfish.jaro_winkler_similarity,
        "rapidfuzz ratio": fuzz.ratio,
        "rapidfuzz WRatio": fuzz.WRatio,
    }
    try:
        from anyascii import anyascii
    except ImportError:
        return found
    return {
        **found,
        "romanised": lambda one, other: jellyfish.jaro_winkler_similarity(
            anyascii(one).lower(), anyascii(other).lower()
        ),
    }


def measure(scores: np.ndarray, same: np.ndarray, seed: int) -> tuple[float, float, float]:
    """Precision, recall and F1 on one half of the pairs, with the threshold that is best on the other half."""
    order = np.random.default_rng(seed).permutation(len(same))
    chosen_on, measured_on = order[: len(order) // 2], order[len(order) // 2 :]
    threshold = max(np.unique(scores[chosen_on]), key=lambda one: rates(scores[chosen_on] >= one, same[chosen_on])[2])
    return rates(scores[measured_on] >= threshold, same[measured_on])


def rates(taken: np.ndarray, same: np.ndarray) -> tuple[float, float, float]:
    """Precision, recall and F1 of the pairs that are taken for the same."""
    right = float((taken & same).sum())
    return right / max(taken.sum(), 1), right / max(same.sum(), 1), 2 * right / max(taken.sum() + same.sum(), 1)


def pairs_of(count: int, languages: Sequence[str], seed: int) -> dict[str, list[Pair]]:
    return {
        "homophones": match_sets.homophones(count, seed),
        "spelling variants": match_sets.spelling_variants(count, seed),
        "across scripts": match_sets.across_scripts(languages, seed),
    }


def compare(name: str, pairs: Sequence[Pair], seed: int) -> list[tuple[str, ...]]:
    """A row for each method."""
    same = np.array([pair.same for pair in pairs])
    own = [found.score for found in ours(pairs, None if name == "across scripts" else by_espeak)]
    columns = {"ipaclip match": own}
    for method, scorer in scorers().items():
        columns[method] = [scorer(pair.one.lower(), pair.other.lower()) for pair in pairs]
    return [
        (name, method, *(f"{value:.3f}" for value in measure(np.array(scores), same, seed)))
        for method, scores in columns.items()
    ]


def typos(pairs: Sequence[Pair], seed: int) -> list[Pair]:
    """Slips of the hand: names with two letters exchanged, one missing, or one doubled or another."""
    chance = random.Random(seed)
    found = []
    for pair in (pair for pair in pairs if not pair.same):
        at = chance.randrange(1, len(pair.one) - 1)
        a, b = pair.one[at], pair.one[at + 1]
        middle = chance.choice([b + a, b, a, a + a + b, chance.choice("abcdefghijklmnopqrstuvwxyz") + b])
        found += [Pair(pair.one, pair.one[:at] + middle + pair.one[at + 2 :], True), pair]
    return found


def fit(sets: dict[str, list[Pair]], seed: int) -> str:
    """The weights that make the pairs likeliest, as `lexicon/matching.py` has them."""
    from scipy.optimize import minimize

    def loss(odds: np.ndarray, same: np.ndarray) -> float:
        return float(np.logaddexp(0, np.where(same, -odds, odds)).mean())

    one_script = [*sets["homophones"], *sets["spelling variants"], *typos(sets["spelling variants"], seed)]
    d, e, same = _features(one_script, by_espeak)

    def written(weights: np.ndarray) -> float:
        bias, sound, letter, share = weights
        return loss(
            bias + np.logaddexp(-sound * d - np.logaddexp(0, -share), -letter * e - np.logaddexp(0, share)), same
        )

    weights = minimize(written, [2.0, 10.0, 10.0, 2.0], method="Nelder-Mead", options={"maxiter": 4000}).x
    across, _, same_across = _features(sets["across scripts"], None)
    heard = minimize(lambda w: loss(w[0] - w[1] * across, same_across), [3.0, 8.0], method="Nelder-Mead").x
    share = 1 / (1 + np.exp(-weights[3]))
    return (
        f"spoken={heard[1]:.3g}, by_ear=({share:.3g}, {weights[1]:.3g}, 0), "
        f"by_hand=({1 - share:.3g}, 0, {weights[2]:.3g}), SAME={weights[0]:.3g}, SAME_ACROSS={heard[0]:.3g}"
    )


def _features(pairs: Sequence[Pair], pronounce: Any) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Distance by segment, typing errors by letter, whether they are the same."""
    found = ours(pairs, pronounce)
    d = [one.distance for one in found]
    e = [(one.part.typing_errors or 0) / max(len(one.query), len(one.name)) for one in found]
    return np.array(d), np.array(e), np.array([pair.same for pair in pairs])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="few pairs, one other script")
    parser.add_argument("--fit", action="store_true", help="fit the weights instead")
    options = parser.parse_args()
    count, languages = (QUICK, ("ru",)) if options.quick else (2000, tuple(match_sets.SCRIPTS))
    sets = pairs_of(count, languages, FITTED_ON if options.fit else MEASURED_ON)
    print(f"{machine()}; {versions(*PACKAGES)}; {', '.join(f'{name} {len(some):,}' for name, some in sets.items())}\n")
    if options.fit:
        print(fit(sets, FITTED_ON))
        return
    rows = [row for name, pairs in sets.items() for row in compare(name, pairs, MEASURED_ON)]
    print(markdown_table(("pairs", "method", "precision", "recall", "F1"), rows))


if __name__ == "__main__":
    main()
