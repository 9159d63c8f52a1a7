"""Fits the weights of the one score (`ipaclip.search.Score`) on development queries, and measures it on others.

    python benchmarks/score_fit.py [--checkpoint DIR] [--lexicon DIR] [--count N] [--write]

Queries are made from the names of the gallery, as `ipaclip evaluate` makes them but from other seeds: seed 1 to fit,
seed 2 to measure. Every second query has its picture taken out of the gallery: the right answer is then that nothing
fits. Every third is asked as if the lexicon did not have the name ("unlisted"): then the towers have to know it.
The weights are those of the greatest likelihood; the threshold is the one at which as few queries as possible
fail either way (a hit where nothing fits counts 2, none where the picture is there counts 5: 2 % and 5 % are allowed).

Printed are, for each kind, how often the right picture comes first, and for all: the calibration (what hits of a
probability turn out to be, with the expected calibration error over ten bins), and both kinds of failure at the
threshold.
"""

import argparse
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from ipaclip import embedded_checkpoint
from ipaclip.evaluation.nonsense.queries import nonsense_queries
from ipaclip.evaluation.retrieval.queries import SpokenNames, build_queries
from ipaclip.lexicon import Lexicon, Reading
from ipaclip.search import PictureSearch, Score, Witness
from ipaclip.search.picture_search import Witnesses
from ipaclip.tokenization import get_transcriber
from report import machine, markdown_table, versions
from scipy.optimize import minimize
from tqdm import tqdm

TYPED = (
    "names", "respelled", "one_swap", "two_swaps", "far_swap", "insertion", "deletion", "homophone", "misspelling",
    "typo",
)  # fmt: skip
SPOKEN = ("one_swap", "two_swaps", "far_swap", "insertion", "deletion")
_KEPT = 64  # pictures of a query that any witness puts first
FIT_SEED, MEASURE_SEED = 1, 2


@dataclass(frozen=True)
class Asked:
    """A query, and what each witness says of the pictures that any of them puts first.

    Attributes:
        kind: such as `"one_swap, IPA"`.
        target: the place of the right picture among those kept; None where it was taken out.
        text: `(kept,)` cosines, None for IPA.
        chances: `(readings,)` probabilities.
        readings: `(readings, kept)` cosines.
        sound: `(kept,)` cosines, None where the query has no sound.
    """

    kind: str
    target: int | None
    text: np.ndarray | None
    chances: np.ndarray
    readings: np.ndarray
    sound: np.ndarray | None

    def probabilities(self, score: Score) -> np.ndarray:
        """`(kept,)`."""
        return score.probabilities(self.text, list(zip(self.chances, self.readings, strict=True)), self.sound)


class Batch:
    """Many queries as padded arrays: what is missing is a cosine of minus infinity."""

    def __init__(self, asked: Sequence[Asked]) -> None:
        longest = max(len(one.chances) for one in asked)
        shape = len(asked), longest + 2, _KEPT + 1
        self.cosines, self.log_chance = np.full(shape, -np.inf), np.zeros(shape[:2])
        self.target = np.array([-1 if one.target is None else one.target for one in asked])
        for row, one in enumerate(asked):
            for place, cosines in enumerate((one.text, one.sound, *one.readings)):
                if cosines is not None:
                    self.cosines[row, place, : len(cosines)] = cosines
            self.log_chance[row, 2 : 2 + len(one.chances)] = np.log(np.maximum(one.chances, 1e-300))

    def loss(self, values: np.ndarray) -> float:
        """The mean negative log-likelihood of the right answers."""
        score = score_of(values)
        witnesses = [score.text, score.sound] + [score.readings] * (self.cosines.shape[1] - 2)
        weight = np.array([one.weight for one in witnesses]) + self.log_chance
        scale = np.array([one.scale for one in witnesses])[:, None]
        each = np.logaddexp.reduce(weight[..., None] + scale * (self.cosines - 1), axis=1)
        every = np.column_stack([each, np.full(len(each), score.nothing)])
        total = np.logaddexp.reduce(every, axis=1)
        return float(np.mean(total - every[np.arange(len(each)), self.target]))


def ask(pictures: PictureSearch, seed: int, count: int) -> list[Asked]:
    """The queries of a seed, `count` of each kind, and what the witnesses say."""
    names = [entry.name for entry in pictures.gallery.entries]
    transcriber = get_transcriber("eng-Latn")
    nonsense = nonsense_queries(SpokenNames.of(names, transcriber, seed=seed))
    made = {**build_queries(names, transcriber, seed=seed), **nonsense}
    rng = np.random.default_rng(seed)
    asked = []
    for kind, ipa in tqdm([*((kind, False) for kind in TYPED), *((kind, True) for kind in SPOKEN)], desc="asking"):
        drawn = rng.permutation(len(made[kind]))[:count]
        queries = [made[kind][number] for number in drawn]
        witnesses = pictures.witnesses([one.ipa if ipa else one.spelling for one in queries], ipa=ipa)
        for number, (query, (text, readings, sound)) in enumerate(zip(queries, witnesses, strict=True)):
            label = f"{kind}, IPA" if ipa else kind
            unlisted = number % 3 == 0
            known = _unlisted(readings, names[query.target]) if unlisted else readings
            kept = _kept(label, query.target, bool(number % 2), (text, known, sound))
            asked.append(replace(kept, kind=f"{label}, unlisted") if unlisted else kept)
    return asked


def _unlisted(readings: list[tuple[Reading, np.ndarray]], name: str) -> list[tuple[Reading, np.ndarray]]:
    """The readings of a lexicon that lacks a name: the probability of the others grows by what it had."""
    left = 1 - sum(one.probability for one, _ in readings if one.meaning == name)
    return [
        (replace(one, probability=min(one.probability / max(left, 1e-12), 1.0)), cosines)
        for one, cosines in readings
        if one.meaning != name
    ]


def _kept(kind: str, named: int, is_there: bool, witnesses: Witnesses) -> Asked:
    text, readings, sound = witnesses
    chances = np.array([reading.probability for reading, _ in readings])
    cosines = [row for _, row in readings]
    best = np.max([row for row in (text, sound, *cosines) if row is not None], axis=0)
    order = np.argsort(-best, kind="stable")[:_KEPT]
    order = np.array([one for one in order if one != named] + ([named] if is_there else []))
    rows = np.stack(cosines)[:, order] if cosines else np.zeros((0, len(order)))
    return Asked(
        kind, len(order) - 1 if is_there else None,
        None if text is None else text[order], chances, rows, None if sound is None else sound[order],
    )  # fmt: skip


def score_of(values: np.ndarray) -> Score:
    """The score of five numbers: the readings' weight is 0, for only differences count, and their scale the text's.

    Both are the text tower's. Of queries made from names a lexicon knows nearly all that the text tower does, so a
    scale of its own would leave it out, and with it words that the lexicon lacks.
    """
    text, sound, nothing, read, heard = (round(float(value), 2) for value in values)
    return Score(Witness(text, read), Witness(0.0, read), Witness(sound, heard), nothing)


def fit(asked: Sequence[Asked]) -> Score:
    """The weights of the greatest likelihood, and the threshold."""
    start = np.array([-4.0, -3.0, -8.0, 20.0, 20.0])
    bounds = [(-20, 10), (-20, 10), (-40, 5), (2, 80), (2, 80)]
    found = minimize(Batch(asked).loss, start, method="L-BFGS-B", bounds=bounds, options={"maxiter": 200, "eps": 0.05})
    score = score_of(found.x)
    grid = np.linspace(0.05, 0.95, 91)
    failures = [2 * wrong + 5 * missed for wrong, missed in (at_threshold(asked, score, one) for one in grid)]
    return replace(score, threshold=float(round(grid[int(np.argmin(failures))], 2)))


def at_threshold(asked: Sequence[Asked], score: Score, threshold: float) -> tuple[float, float]:
    """The share of queries without a picture that get a hit, and of those with one that get none."""
    best = np.array([one.probabilities(score).max() for one in asked])
    there = np.array([one.target is not None for one in asked])
    return float((best[~there] >= threshold).mean()), float((best[there] < threshold).mean())


def measure(asked: Sequence[Asked], score: Score) -> str:
    """What is printed."""
    rows = []
    for kind in dict.fromkeys(one.kind for one in asked):
        some = [one for one in asked if one.kind == kind and one.target is not None]
        right = [int(one.probabilities(score).argmax()) == one.target for one in some]
        rows.append([kind, str(len(some)), f"{100 * np.mean(right):.1f}"])
    best = [one.probabilities(score) for one in asked]
    chance = np.array([one.max() for one in best])
    right = np.array([int(one.argmax()) == query.target for one, query in zip(best, asked, strict=True)])
    bins = np.minimum((10 * chance).astype(int), 9)
    lines, error = [], 0.0
    for number in range(10):
        inside = bins == number
        if inside.any():
            gap = abs(chance[inside].mean() - right[inside].mean())
            error += inside.mean() * gap
            lines.append([f"{number / 10:.1f} to {(number + 1) / 10:.1f}", str(int(inside.sum())),
                          f"{chance[inside].mean():.3f}", f"{right[inside].mean():.3f}"])  # fmt: skip
    wrong, missed = at_threshold(asked, score, score.threshold)
    return "\n\n".join(
        [
            markdown_table(["kind of query", "n", "top-1 %"], rows),
            markdown_table(["best probability", "n", "mean", "right"], lines),
            f"Expected calibration error {error:.3f}. At the threshold {score.threshold}: {100 * wrong:.1f} % of the "
            f"queries whose picture is not there get a hit, {100 * missed:.1f} % of the others get none.",
        ]
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--checkpoint", type=Path, default=Path(embedded_checkpoint()))
    parser.add_argument("--lexicon", type=Path, help="a directory with a lexicon; by default the checkpoint")
    parser.add_argument("--count", type=int, default=100, help="queries of each kind")
    parser.add_argument("--write", action="store_true", help="write score.json into the checkpoint")
    arguments = parser.parse_args()
    pictures = PictureSearch.from_checkpoint(arguments.checkpoint)
    if arguments.lexicon is not None:
        pictures.lexicon = Lexicon.load(arguments.lexicon)
    score = fit(ask(pictures, FIT_SEED, arguments.count))
    print(f"{machine()}; {versions('ipaclip', 'torch', 'transformers')}\n\n{score}\n")
    print(measure(ask(pictures, MEASURE_SEED, arguments.count), score))
    if arguments.write:
        score.save(arguments.checkpoint)


if __name__ == "__main__":
    main()
