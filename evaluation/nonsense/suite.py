"""The suite `nonsense`: pictures by words that nobody wrote, and the neighbourhood of words that have no source."""

from collections.abc import Mapping
from pathlib import Path

from ..checkpoint import Checkpoint, Options
from ..report import SuiteResult
from ..retrieval.queries import FAR_SWAP, ONE_SWAP, TWO_SWAPS
from ..retrieval.retrieval import column_name
from ..retrieval.suite import add_bars, add_placings, ask_gallery, by_kind, worst_loss
from ..statistics import Interval
from .report import CURVE_COLUMNS, NonsenseReport, evaluate_nonsense

SWAPPED = (ONE_SWAP, TWO_SWAPS, FAR_SWAP)


def run_nonsense(checkpoint: Checkpoint, options: Options) -> SuiteResult:
    """Pictures by swapped, edited and misspelled names; pseudowords; minimal pairs; recall against distance."""
    report = ask_gallery(checkpoint, options.seed)
    further = evaluate_nonsense(
        checkpoint.model,
        checkpoint.processor,
        checkpoint.gallery,
        checkpoint.names,
        seed=options.seed,
        gate=checkpoint.gate_in_use,
    )
    result = by_kind("nonsense", report, SWAPPED)
    _add_kinds(result, further)
    _add_neighbourhood(result, further)
    swapped = [row for row in report.rows if row.kind in SWAPPED]
    result.notes.extend([worst_loss([*swapped, *further.rows]), *checkpoint.notes_on_gate])
    return result


def _add_kinds(result: SuiteResult, report: NonsenseReport) -> None:
    columns = list(report.rows[0].placings)
    result.add_table(
        "one word of the name edited, or spelled otherwise: top-1, with 95% interval",
        ["queries", "count", *map(column_name, columns)],
        [[row.kind, row.queries, *(row.placings[column].recall[1] for column in columns)] for row in report.rows],
    )
    result.values.update(
        {
            f"{row.kind}, {column_name(column)}: top-1": placing.recall[1]
            for row in report.rows
            for column, placing in row.placings.items()
        }
    )
    add_bars(result, "kinds.png", report.rows, "edits of one word, and misspellings")


def _add_neighbourhood(result: SuiteResult, report: NonsenseReport) -> None:
    near, rivals = report.neighbourhood, report.rivals
    distances = {column_name(column): interval for column, interval in near.distance.items()}
    distances |= {"names drawn blindly": near.random, "names nearest in sound": near.best}
    title = f"{near.words} pseudowords without a source: mean phonetic distance of the ten best (lower is more alike)"
    _add_intervals(result, title, "distance", "pseudowords, {}: distance", distances)
    if rivals.wins is not None:
        wins = {column_name(column): interval for column, interval in rivals.wins.items()}
        title = f"{rivals.pairs} minimal pairs among the names: the right picture wins (0.5 by chance)"
        _add_intervals(result, title, "share", "minimal pairs, {}: right", wins)
    title = "another real word, one phoneme off a name: the name's picture is found"
    add_placings(result, title, report.minimal_pairs)
    result.add_table(
        "recall against phonetic distance: top-1, with 95% interval",
        ["distance", "queries", *map(column_name, CURVE_COLUMNS)],
        [
            [f"{point.distance:.2f}", point.queries, *(point.recall[column] for column in CURVE_COLUMNS)]
            for point in report.curve
        ],
    )

    def draw(path: Path) -> None:
        from ..plots import recall_curve, save

        points = {
            column: [(point.distance, point.recall[column]) for point in report.curve] for column in CURVE_COLUMNS
        }
        save(recall_curve(points, "names, and one to three phonemes of them swapped"), path)

    result.plots["curve.png"] = draw


def _add_intervals(
    result: SuiteResult, title: str, measure: str, figure: str, intervals: Mapping[str, Interval]
) -> None:
    result.add_table(title, ["by", measure], [[name, interval] for name, interval in intervals.items()])
    result.values.update({figure.format(name): interval for name, interval in intervals.items()})
