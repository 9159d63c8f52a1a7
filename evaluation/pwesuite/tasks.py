"""PWESuite, the suite of tasks for phonetic word embeddings (Zouhar et al. 2024, LREC-COLING, pages 13344-13355).

Written from the paper and from what its repository says of each task (https://github.com/zouharvi/pwesuite). The words
are those of the Hub data set `zouharvi/pwesuite-eval`, or of a local copy of the same columns. Two tasks need what the
data set lacks: human judgements (`human_similarity.csv` of the suite's repository) and lists of cognates.
"""

import random
import re
import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
from ipaclip.common.arrays import as_array, unit_rows
from ipaclip.common.extras import needs_extra
from ipaclip.common.progress import track
from ipaclip.tokenization import is_segment, split_segments
from ipaclip.tokenization.phonemes.distance import NUM_FEATURES, SegmentCosts

from ..human.human import Judgement, human_agreement
from ..statistics import Interval, bootstrap_mean, bootstrap_share, mean_ranks, pearson
from .words import ANALOGY, COGNATES, HUMAN, MAIN, CognateTriple, Word

TASKS = ("human similarity", "articulatory correlation", "retrieval", "analogies", "rhyme", "cognates")
ALL = "all"
# Of the suite: words a language that distances are taken between, and pairs that the classifiers are trained on.
_SAMPLE = 1000
_TRAINED_RHYMES, _TRAINED_COGNATES = 1000, 500
_DRAWS = 3
# A rhyme is what sounds alike from the last vowel with primary stress on.
_RHYME = re.compile(r".* (\w+1.*)")


@dataclass(frozen=True)
class TaskScore:
    """One task in one language (`"all"`: the mean over languages).

    Attributes:
        task: one of `TASKS`.
        language: as the data set has it.
        count: how many words, judged pairs, analogies or test pairs.
        score: what the suite ranks by, higher is better, with its 95% interval; None where it is undefined.
            Correlations: Pearson's r, -1 to 1, of the better of cosine and Euclidean distance, as the suite takes it.
            Retrieval: mean percentile rank of the phonetically nearest word, 0 to 1. Others: share solved, 0 to 1.
        detail: measure → value.
    """

    task: str
    language: str
    count: int
    score: Interval | None
    detail: Mapping[str, float | None]


@dataclass(frozen=True)
class PWESuiteReport:
    """All tasks that could be run, and why the others were not."""

    scores: tuple[TaskScore, ...]
    notes: tuple[str, ...]

    @property
    def overall(self) -> dict[str, Interval | None]:
        """Task → score over all languages."""
        return {one.task: one.score for one in self.scores if one.language == ALL}


def evaluate_pwesuite(
    words: Sequence[Word],
    vectors: Any,
    *,
    judgements: Sequence[Judgement] | None = None,
    cognates: Sequence[CognateTriple] | None = None,
    seed: int = 0,
    show_progress: bool = False,
) -> PWESuiteReport:
    """All of the suite's tasks that the data allow.

    Args:
        words: the rows of the data set, in its order.
        vectors: `(words, dim)`, numpy or torch.
        judgements: of people; the data set has the words but not the judgements.
        cognates: which words are of the same origin; the data set has the words alone.
        seed: of the words that distances are taken between, and of the classifiers; 0 draws the suite's own words.

    Raises:
        ValueError: if words and vectors differ in number, or a vector is not finite.
    """
    matrix = as_array(vectors).astype(np.float64)
    if matrix.ndim != 2 or len(matrix) != len(words):
        raise ValueError(f"vectors {matrix.shape} must be (words, dim), a row for each of the {len(words)} words.")
    if not np.isfinite(matrix).all():
        raise ValueError(f"Row {int((~np.isfinite(matrix)).any(1).argmax())} of the vectors holds NaN or infinity.")
    notes: list[str] = []
    pieces: list[Callable[[], list[TaskScore]]] = [
        partial(_human, words, matrix, judgements, notes),
        partial(_articulation, words, matrix, seed, notes),
        partial(_analogies, words, matrix, notes),
        partial(_rhymes, words, matrix, seed, notes),
        partial(_cognates, words, matrix, cognates, seed, notes),
    ]
    scores = [score for piece in track(pieces, "PWESuite", unit="pieces", shown=show_progress) for score in piece()]
    return PWESuiteReport(tuple(sorted(scores, key=lambda one: TASKS.index(one.task))), tuple(notes))


# Each task gives its scores, and notes why it has none, or what it leaves out.


def _human(
    words: Sequence[Word], vectors: np.ndarray, judgements: Sequence[Judgement] | None, notes: list[str]
) -> list[TaskScore]:
    if judgements is None:
        notes.append("human similarity: not run, for the data set has no judgements; give a table of them.")
        return []
    known = {word.ort: row for row, word in enumerate(words) if word.purpose == HUMAN}
    unit = unit_rows(vectors)
    asked = {word for one in judgements for word in (one.word1, one.word2)}
    missing = {word: f"{word} is not among the words of purpose {HUMAN}" for word in asked - known.keys()}
    reports = {
        "cosine": human_agreement(judgements, lambda a, b: float(unit[known[a]] @ unit[known[b]]), missing),
        "euclidean": human_agreement(
            judgements, lambda a, b: -float(np.linalg.norm(vectors[known[a]] - vectors[known[b]])), missing
        ),
    }
    detail = {f"pearson {name}": report.pearson for name, report in reports.items()}
    detail |= {f"spearman {name}": report.spearman for name, report in reports.items()}
    best = max(reports.values(), key=lambda report: -2.0 if report.pearson is None else report.pearson)
    notes += [f"human similarity: {name} is left out, {why}." for name, why in best.set_aside.items()]
    return [TaskScore(TASKS[0], ALL, sum(group.pairs for group in best.groups), best.interval, detail)]


def feature_edit_distances(ipa: Sequence[str]) -> np.ndarray:
    """Feature edit distance between all pairs of pronunciations, `(n, n)`, 0 and up.

    A substitution costs the sum of |a - b| over the 24 features, each -1, 0 or 1, divided by 24; an insertion or
    deletion the sum of |a| divided by 24. That is what `panphon2.FeatureTable.feature_edit_distance` computes, which
    the suite calls (panphon's own function of this name halves the substitution). Features are those of panphon 0.22,
    of which some differ from panphon2's. What is no segment, such as stress, counts nothing.
    """
    split = [[token for token in split_segments(one) if is_segment(token)] for one in ipa]
    costs = SegmentCosts.unweighted(sorted({token for tokens in split for token in tokens}))
    ids, lengths = costs.encode(split)
    rows = [costs.distances(row[:length], ids, lengths) for row, length in zip(ids, lengths, strict=True)]
    return np.stack(rows).astype(np.float64) / NUM_FEATURES


def _articulation(words: Sequence[Word], vectors: np.ndarray, seed: int, notes: list[str]) -> list[TaskScore]:
    """Correlation with articulatory distance, and retrieval of the word that is nearest by it."""
    correlations: list[TaskScore] = []
    retrievals: list[TaskScore] = []
    for language, rows in _by_language(words, MAIN).items():
        # As the suite draws them: by position within the language, and with this very generator.
        drawn = random.Random(seed).sample(rows, k=min(_SAMPLE, len(rows)))
        if len(drawn) < 3:
            continue
        truth = feature_edit_distances([words[row].ipa for row in drawn])
        some = vectors[drawn]
        distances = {"cosine": 1 - unit_rows(some) @ unit_rows(some).T, "euclidean": _euclidean(some)}
        correlations.append(_correlated(language, truth, distances))
        retrievals.append(_retrieved(language, truth, distances))
    if not correlations:
        notes.append(f"articulatory correlation, retrieval: not run, for no language has 3 words of purpose {MAIN}.")
    return [*_with_mean(correlations), *_with_mean(retrievals)]


def _correlated(language: str, truth: np.ndarray, distances: Mapping[str, np.ndarray]) -> TaskScore:
    rows = {f"pearson {name}": _known(truth, found) for name, found in distances.items()}
    best = max(rows.values(), key=lambda one: float(np.mean(one or [-2.0])))
    # Spearman's rho is Pearson's r of the ranks: those of all rows at once.
    ranked = mean_ranks(truth)
    rows |= {f"spearman {name}": _known(ranked, mean_ranks(found)) for name, found in distances.items()}
    detail = {name: float(np.mean(values)) if values else None for name, values in rows.items()}
    return TaskScore(TASKS[1], language, len(truth), bootstrap_mean(best) if best else None, detail)


def _known(first: np.ndarray, second: np.ndarray) -> list[float]:
    return [one for one in map(pearson, first, second) if one is not None]


def _retrieved(language: str, truth: np.ndarray, distances: Mapping[str, np.ndarray]) -> TaskScore:
    count = len(truth)
    others = truth + np.diag(np.full(count, np.inf))
    nearest = others.argmin(1)
    shares = {}
    for name, found in distances.items():
        own = found[np.arange(count), nearest][:, None]
        ahead = found < own
        np.fill_diagonal(ahead, True)  # the word itself is always first
        shares[f"percentile {name}"] = (count - ahead.sum(1)) / count
    best = max(shares.values(), key=lambda one: float(one.mean()))
    detail = {name: float(values.mean()) for name, values in shares.items()}
    return TaskScore(TASKS[2], language, count, bootstrap_mean(best), detail)


def _analogies(words: Sequence[Word], vectors: np.ndarray, notes: list[str]) -> list[TaskScore]:
    """`b - a + c ≈ d`: solved if at most one of the language's analogy words is nearer than d (Euclidean).

    Four rows in sequence are one analogy, as the suite makes them. Words of one pronunciation count as one.
    """
    scores = []
    for language, rows in _by_language(words, ANALOGY).items():
        if len(rows) % 4:
            notes.append(f"analogies: {language} is left out, {len(rows)} words are not a multiple of four.")
            continue
        place: dict[str, int] = {}
        for row in rows:
            place.setdefault(words[row].ipa, len(place))
        distinct = np.zeros((len(place), vectors.shape[1]))
        for row in rows:
            distinct[place[words[row].ipa]] = vectors[row]
        quads = np.array([place[words[row].ipa] for row in rows]).reshape(-1, 4)
        wanted = distinct[quads[:, 1]] - distinct[quads[:, 0]] + distinct[quads[:, 2]]
        distances = np.linalg.norm(wanted[:, None] - distinct[None], axis=-1)
        own = distances[np.arange(len(quads)), quads[:, 3]][:, None]
        ahead = (distances < own).sum(1)
        detail = {"within 2": float(np.mean(ahead <= 1)), "first": float(np.mean(ahead == 0))}
        scores.append(TaskScore(TASKS[3], language, len(quads), bootstrap_mean(ahead <= 1), detail))
    if not scores:
        notes.append(f"analogies: not run, for no language has words of purpose {ANALOGY}.")
    return _with_mean(scores)


def rhyme_part(arpabet: str) -> str | None:
    """What a word must share to rhyme: from the last vowel with primary stress on; None without such a vowel."""
    match = _RHYME.match(f" {arpabet}")
    return match[1] if match else None


def _rhymes(words: Sequence[Word], vectors: np.ndarray, seed: int, notes: list[str]) -> list[TaskScore]:
    """Pairs that rhyme against pairs that do not, told apart by a small perceptron over both vectors."""
    clusters: dict[str, list[int]] = {}
    for row, word in enumerate(words):
        part = rhyme_part(word.arp) if (word.lang, word.purpose) == ("en", MAIN) else None
        if part is not None:
            clusters.setdefault(part, []).append(row)

    def pairs(rng: random.Random) -> list[tuple[int, int, bool]]:
        parts, made = list(clusters), []
        for part, rows in clusters.items():
            if len(rows) > 1:
                first, second = rng.sample(rows, 2)
                other = part
                while other == part:
                    other = rng.choice(parts)
                made += [(first, second, True), (first, rng.choice(clusters[other]), False)]
        return made

    if len(clusters) < 2 or sum(len(rows) > 1 for rows in clusters.values()) < 4:
        notes.append("rhyme: not run, for there are not four groups of English words that rhyme (token_arp).")
        return []
    return [_classified(TASKS[4], vectors, pairs, hidden=(50, 20, 10), trained=_TRAINED_RHYMES, seed=seed)]


def _cognates(
    words: Sequence[Word],
    vectors: np.ndarray,
    cognates: Sequence[CognateTriple] | None,
    seed: int,
    notes: list[str],
) -> list[TaskScore]:
    """Pairs of one origin against pairs that only look alike, told apart by a small perceptron over both vectors."""
    if cognates is None:
        notes.append("cognates: not run, for the data set does not say which words are; give cognates.csv beside it.")
        return []
    rows = {word.ort: row for row, word in enumerate(words) if word.purpose == COGNATES}
    known = [one for one in cognates if {one.word, one.cognate, one.distractor} <= rows.keys()]
    if left := len(cognates) - len(known):
        notes.append(f"cognates: {left} of {len(cognates)} lines are left out, for their words are not in the data.")
    if len(known) < 4:
        notes.append(f"cognates: not run, for only {len(known)} lines are of use and four are needed.")
        return []

    def pairs(_: random.Random) -> list[tuple[int, int, bool]]:
        return [
            pair
            for one in known
            for pair in ((rows[one.word], rows[one.cognate], True), (rows[one.word], rows[one.distractor], False))
        ]

    return [_classified(TASKS[5], vectors, pairs, hidden=(10, 5, 5), trained=_TRAINED_COGNATES, seed=seed)]


def _classified(
    task: str,
    vectors: np.ndarray,
    pairs: Callable[[random.Random], list[tuple[int, int, bool]]],
    *,
    hidden: tuple[int, ...],
    trained: int,
    seed: int,
) -> TaskScore:
    """Accuracy on the pairs that are not trained on, the mean of several draws: the suite's one draw is noisy."""
    with needs_extra("evaluation", "PWESuite's classifier"):
        from sklearn.exceptions import ConvergenceWarning
        from sklearn.neural_network import MLPClassifier

    accuracies, tested = [], 0
    for draw in range(_DRAWS):
        rng = random.Random(seed + draw)
        made = pairs(rng)
        rng.shuffle(made)
        inputs = np.concatenate([vectors[[a for a, _, _ in made]], vectors[[b for _, b, _ in made]]], axis=1)
        truth = np.array([same for _, _, same in made])
        cut = min(trained, len(made) // 2)
        classifier = MLPClassifier(hidden_layer_sizes=hidden, random_state=seed + draw)
        with warnings.catch_warnings():
            # As the suite has it: what is not learned after 200 epochs stays so.
            warnings.simplefilter("ignore", ConvergenceWarning)
            classifier.fit(inputs[:cut], truth[:cut])
        accuracies.append(float(classifier.score(inputs[cut:], truth[cut:])))
        tested = len(made) - cut
    detail: dict[str, float | None] = {f"draw {draw}": value for draw, value in enumerate(accuracies)}
    return TaskScore(task, ALL, tested, bootstrap_share(float(np.mean(accuracies)), tested), detail)


def _by_language(words: Sequence[Word], purpose: str) -> dict[str, list[int]]:
    rows: dict[str, list[int]] = {}
    for row, word in enumerate(words):
        if word.purpose == purpose:
            rows.setdefault(word.lang, []).append(row)
    return rows


def _with_mean(scores: list[TaskScore]) -> list[TaskScore]:
    """The languages, and their mean: its interval holds if languages are drawn independently of each other."""
    if not scores:
        return []
    detail: dict[str, float | None] = {}
    for name in scores[0].detail:
        values = [value for one in scores if (value := one.detail[name]) is not None]
        detail[name] = float(np.mean(values)) if values else None
    return [*scores, TaskScore(scores[0].task, ALL, sum(one.count for one in scores), _mean_interval(scores), detail)]


def _mean_interval(scores: Sequence[TaskScore]) -> Interval | None:
    intervals = [one.score for one in scores if one.score is not None]
    if not intervals:
        return None
    mean = float(np.mean([one.mean for one in intervals]))
    # Independent errors: the half widths add as squares.
    below = float(np.linalg.norm([one.mean - one.low for one in intervals])) / len(intervals)
    above = float(np.linalg.norm([one.high - one.mean for one in intervals])) / len(intervals)
    return Interval(mean, mean - below, mean + above)


def _euclidean(vectors: np.ndarray) -> np.ndarray:
    squares = (vectors**2).sum(1)
    return np.sqrt(np.maximum(squares[:, None] + squares[None] - 2 * vectors @ vectors.T, 0.0))
