"""Fits the weights of the noisy channel (`ipaclip.lexicon.Channel`) on development queries, and measures on others.

    python benchmarks/lexicon_fit.py [--checkpoint DIR] [--count N]

Queries are made from the names of a gallery as `ipaclip evaluate` makes them, but from other seeds: seed 1 to fit, seed
2 to measure. Each is compared with every name, by the least distance between their pronunciations and by typing errors.
Fitted are, by the greatest likelihood of the name that is meant, `spoken` on IPA, `by_ear` and `by_hand` on what is
typed; then `nothing`, on the same queries with their name in the list and taken out of it, each name as likely as one
of the 24,156 words of the shipped lexicon. `prior`, `other_language`,
`itself` and `further` cannot be fitted on names that are all as frequent and of one language: they are chosen.

Printed are the fitted weights and, for them and for the package's own, the mean negative log-likelihood and the share
of queries whose name comes first, on the queries to measure.
"""

import argparse
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from ipaclip import embedded_checkpoint
from ipaclip.evaluation.nonsense.queries import nonsense_queries
from ipaclip.evaluation.retrieval.queries import SpokenNames, build_queries
from ipaclip.lexicon import Channel
from ipaclip.lexicon.channel import Way
from ipaclip.lexicon.letters import plain_letters, typing_errors
from ipaclip.lexicon.pronouncing import pronounce
from ipaclip.lexicon.sounds import Sounds, segments_of
from ipaclip.search import Gallery
from ipaclip.tokenization import get_transcriber
from report import machine, markdown_table, versions
from scipy.optimize import minimize, minimize_scalar
from score_fit import FIT_SEED, MEASURE_SEED, SPOKEN, TYPED
from tqdm import tqdm

LANGUAGE = "eng-Latn"
LEXICON_WORDS = 24_156


@dataclass(frozen=True)
class Compared:
    """Queries beside all names.

    Attributes:
        kinds: of each query.
        targets: `(queries,)`, the name that is meant.
        lengths: `(queries,)`, segments of the query.
        distances: `(queries, names)`, phonetic.
        errors: `(queries, names)`, typing errors; None for IPA.
    """

    kinds: tuple[str, ...]
    targets: np.ndarray
    lengths: np.ndarray
    distances: np.ndarray
    errors: np.ndarray | None

    def scores(self, channel: Channel) -> np.ndarray:
        """`(queries, names)`, log P(query | name)."""
        return channel.heard(self.distances) if self.errors is None else channel.written(self.distances, self.errors)

    def loss(self, channel: Channel) -> float:
        """The mean negative logarithm of the probability of the name that is meant, among the names."""
        scores = self.scores(channel)
        return float(np.mean(np.logaddexp.reduce(scores, axis=1) - scores[np.arange(len(scores)), self.targets]))

    def loss_of_nothing(self, channel: Channel) -> float:
        """Likewise, with the name in the list, where it is right, and taken out of it, where nothing is."""
        scores = self.scores(channel) - channel.prior * np.log(LEXICON_WORDS)
        rows = np.arange(len(scores))
        own, none = scores[rows, self.targets], -channel.nothing * self.lengths
        others = scores.copy()
        others[rows, self.targets] = -np.inf
        without = np.logaddexp(np.logaddexp.reduce(others, axis=1), none)
        return float(np.mean(np.logaddexp(without, own) - own) + np.mean(without - none))


def compare(names: Sequence[str], seed: int, count: int) -> tuple[Compared, Compared]:
    """What is typed, and what is given as IPA: `count` queries of each kind."""
    transcriber = get_transcriber(LANGUAGE)
    nonsense = nonsense_queries(SpokenNames.of(names, transcriber, seed=seed))
    made = {**build_queries(names, transcriber, seed=seed), **nonsense}
    rng = np.random.default_rng(seed)
    said = [segments_of(answer) if isinstance(answer, tuple) else [] for answer in pronounce(names, LANGUAGE)]
    sounds = Sounds.build([list(dict.fromkeys(filter(None, one))) for one in said])
    plain = [plain_letters(name) for name in names]
    both = []
    for kinds, is_typed in ((TYPED, True), (SPOKEN, False)):
        drawn = [(kind, made[kind][number]) for kind in kinds for number in rng.permutation(len(made[kind]))[:count]]
        texts = [query.spelling if is_typed else query.ipa for _, query in drawn]
        heard = pronounce(texts, LANGUAGE) if is_typed else [(text,) for text in texts]
        rows, lengths = [], []
        for answer in tqdm(heard, desc="typed" if is_typed else "IPA"):
            pronunciations = [one for one in segments_of(answer) if one] if isinstance(answer, tuple) else []
            rows.append(_least(sounds, pronunciations, len(names)))
            lengths.append(max(map(len, pronunciations), default=1))
        errors = np.stack([typing_errors(plain_letters(text), plain) for text in texts]) if is_typed else None
        targets = np.array([query.target for _, query in drawn])
        both.append(Compared(tuple(kind for kind, _ in drawn), targets, np.array(lengths), np.stack(rows), errors))
    return both[0], both[1]


def _least(sounds: Sounds, pronunciations: Sequence[tuple[str, ...]], names: int) -> np.ndarray:
    """The least distance to each name; a name that cannot be pronounced is as far as ten segments."""
    least = np.full(names, 25.0, dtype=np.float32)
    for one in pronunciations:
        np.minimum.at(least, sounds.owners, sounds.distances(one, np.arange(len(sounds))))
    return least


def fit(typed: Compared, spoken: Compared) -> Channel:
    """The weights of the greatest likelihood."""
    start = Channel()
    heard = minimize_scalar(lambda one: spoken.loss(replace(start, spoken=one)), bounds=(0.2, 10), method="bounded").x
    first = np.array(
        [0.0, *np.log([start.by_ear.sound, start.by_ear.letter, start.by_hand.sound, start.by_hand.letter])]
    )
    best = minimize(
        lambda values: typed.loss(_channel(values)), first, method="Nelder-Mead", options={"maxiter": 400}
    ).x
    channel = replace(_channel(best), spoken=float(heard))
    nothing = minimize_scalar(
        lambda one: sum(both.loss_of_nothing(replace(channel, nothing=one)) for both in (typed, spoken)),
        bounds=(0.5, 6),
        method="bounded",
    ).x
    return replace(channel, nothing=float(nothing))


def _channel(values: np.ndarray) -> Channel:
    share = float(1 / (1 + np.exp(-values[0])))
    ear_sound, ear_letter, hand_sound, hand_letter = map(float, np.exp(values[1:]))
    return Channel(by_ear=Way(share, ear_sound, ear_letter), by_hand=Way(1 - share, hand_sound, hand_letter))


def measure(both: Sequence[Compared], channels: dict[str, Channel]) -> str:
    """A table: likelihoods, and the share of names that come first, kind by kind."""
    rows = []
    for queries in both:
        what = "IPA" if queries.errors is None else "typed"
        rows.append([f"{what}: loss", *(f"{queries.loss(one):.3f}" for one in channels.values())])
        rows.append(
            [f"{what}: loss with nothing", *(f"{queries.loss_of_nothing(one):.3f}" for one in channels.values())]
        )
        first = {name: queries.scores(one).argmax(1) == queries.targets for name, one in channels.items()}
        for kind in dict.fromkeys(queries.kinds):
            own = np.array([one == kind for one in queries.kinds])
            rows.append([f"{what}: {kind}, top-1 %", *(f"{100 * right[own].mean():.1f}" for right in first.values())])
    return markdown_table(["", *channels], rows)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--checkpoint", type=Path, default=Path(embedded_checkpoint()), help="whose gallery has names")
    parser.add_argument("--count", type=int, default=200, help="queries of each kind")
    arguments = parser.parse_args()
    names = [entry.name for entry in Gallery.load(arguments.checkpoint).entries]
    channel = fit(*compare(names, FIT_SEED, arguments.count))
    print(f"{machine()}; {versions('ipaclip', 'panphon', 'rapidfuzz')}\n\n{channel}\n")
    print(measure(compare(names, MEASURE_SEED, arguments.count), {"fitted": channel, "the package's": Channel()}))


if __name__ == "__main__":
    main()
