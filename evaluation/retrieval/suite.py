"""The suites `retrieval` and `nonsense`: pictures found by names, by captions, and by what nobody wrote."""

from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path

import torch

from ..checkpoint import Checkpoint, NotRunError, Options
from ..nonsense.report import NonsenseReport, evaluate_nonsense
from ..report import SuiteResult, Table, show
from ..statistics import Interval
from .captions import CaptionReport, evaluate_captions, read_pictures
from .queries import FAR_SWAP, NAMES, ONE_SWAP, RESPELLED, TWO_SWAPS
from .retrieval import (
    BOTH,
    COLUMN_NAMES,
    COLUMNS,
    KS,
    Placing,
    ProcessorTranscriber,
    RetrievalReport,
    RetrievalRow,
    evaluate_retrieval,
)

_TOWERS = ("text", "pronunciation")


def _gallery(checkpoint: Checkpoint) -> torch.Tensor:
    if checkpoint.image_embeds is None or not checkpoint.names:
        raise NotRunError(
            f"{checkpoint.name} has no gallery of pictures to be found: give pictures with captions (--pictures), or a "
            "checkpoint that has a gallery."
        )
    return checkpoint.image_embeds


def _retrieval(checkpoint: Checkpoint, options: Options) -> RetrievalReport:
    key = ("retrieval", options.seed)
    if key not in checkpoint.known:
        checkpoint.known[key] = evaluate_retrieval(
            checkpoint.model,
            checkpoint.processor,
            _gallery(checkpoint),
            checkpoint.names,
            seed=options.seed,
            gate=checkpoint.gate_in_use,
        )
    return checkpoint.known[key]


def run_retrieval(checkpoint: Checkpoint, options: Options) -> SuiteResult:
    """Pictures by name and by respelled name, names by picture, pictures by caption: each tower, and both together."""
    # Read first: a broken table fails in no time, and asking a gallery takes minutes.
    pictures = read_pictures(options.pictures) if options.pictures is not None else None
    if checkpoint.image_embeds is None and pictures is not None:
        result = SuiteResult("retrieval", [], {}, [])
    else:
        result = _by_name_if_possible(checkpoint, options, needed=pictures is None)
    if pictures is not None and options.pictures is not None:
        report = evaluate_captions(checkpoint.model, checkpoint.processor, pictures, gate=checkpoint.gate_in_use)
        _add_captions(result, report, options.pictures)
        result.notes.append(f"Captions are said in {ProcessorTranscriber(checkpoint.processor, None)}.")
    result.notes.extend(checkpoint.notes_on_gate)
    return result


def _by_name_if_possible(checkpoint: Checkpoint, options: Options, *, needed: bool) -> SuiteResult:
    """Captions are asked for in any language, names in English only: where these fail, those are left."""
    try:
        return _by_name(_retrieval(checkpoint, options))
    except ValueError as error:
        if needed:
            raise
        reason = f"names: {error}"
        return SuiteResult("retrieval", [], {}, [f"Left out: {reason}"], failure=reason)


def _by_name(report: RetrievalReport) -> SuiteResult:
    kinds = (NAMES, RESPELLED)
    rows = [row for row in report.rows if row.kind in kinds]
    result = SuiteResult("retrieval", [], {}, [_terms_of(report)])
    _add_rows(result, rows)
    _add_placings(result, "names found by picture", report.picture_to_word)
    result.notes.append(_worst_loss(rows))
    result.plots["retrieval.png"] = partial(_bars, rows, f"retrieval: pictures found, {report.pictures} in all")
    return result


def _terms_of(report: RetrievalReport) -> str:
    queries = report.rows[0].queries
    return (
        f"{report.pictures} pictures; {queries} queries of each kind; {report.language} by {report.transcriber}, "
        f"{report.transcriber_version}."
    )


def _add_captions(result: SuiteResult, report: CaptionReport, source: str) -> None:
    _add_placings(result, "pictures found by caption", report.caption_to_picture)
    _add_placings(result, "captions found by picture", report.picture_to_caption)
    result.notes.append(f"{report.pictures} pictures and {report.captions} captions of {source}.")
    result.notes.extend(f"Left out: {name}, {why}." for name, why in report.set_aside.items())


def run_nonsense(checkpoint: Checkpoint, options: Options) -> SuiteResult:
    """Pictures by words that nobody wrote, and the neighbourhood of words that have no source."""
    report = _retrieval(checkpoint, options)
    rows = [row for row in report.rows if row.kind in (ONE_SWAP, TWO_SWAPS, FAR_SWAP)]
    further = evaluate_nonsense(
        checkpoint.model,
        checkpoint.processor,
        _gallery(checkpoint),
        checkpoint.names,
        seed=options.seed,
        gate=checkpoint.gate_in_use,
    )
    result = SuiteResult("nonsense", [], {}, [_terms_of(report)])
    _add_rows(result, rows)
    result.tables.append(_kinds_table(further.rows))
    for row in further.rows:
        for column, placing in row.placings.items():
            result.values[f"{row.kind}, {COLUMN_NAMES[column]}: top-1"] = placing.recall[1]
    _add_neighbourhood(result, further)
    result.notes.extend(
        f"{row.kind}: {row.unswapped} of {row.words} words left as they are (every swap gives a real word), "
        f"{row.heard_real} heard as real words when typed."
        for row in rows
    )
    result.notes.append(_worst_loss([*rows, *further.rows]))
    result.notes.extend(checkpoint.notes_on_gate)
    result.plots["nonsense.png"] = partial(_bars, rows, f"nonsense: pictures found, {report.pictures} in all")
    result.plots["kinds.png"] = partial(_bars, further.rows, "edits of one word, and misspellings")
    result.plots["curve.png"] = partial(_curve, further)
    return result


def _kinds_table(rows: Sequence[RetrievalRow]) -> Table:
    columns = [column for column in COLUMNS if any(column in row.placings for row in rows)]
    return Table(
        "one word of the name edited, or spelled otherwise: top-1, with 95% interval",
        ["queries", "count", *(COLUMN_NAMES[column] for column in columns)],
        [
            [row.kind, str(row.queries)]
            + [show(row.placings[column].recall[1]) if column in row.placings else "" for column in columns]
            for row in rows
        ],
    )


def _add_neighbourhood(result: SuiteResult, report: NonsenseReport) -> None:
    near = report.neighbourhood
    distances = {COLUMN_NAMES[column]: interval for column, interval in near.distance.items()}
    distances |= {"names drawn blindly": near.random, "names nearest in sound": near.best}
    result.tables.append(
        Table(
            f"{near.words} pseudowords without a source: mean phonetic distance of the ten best (lower is more alike)",
            ["by", "distance"],
            [[name, show(interval)] for name, interval in distances.items()],
        )
    )
    result.values.update({f"pseudowords, {name}: distance": interval for name, interval in distances.items()})
    if report.rivals.wins is not None:
        wins = {COLUMN_NAMES[column]: interval for column, interval in report.rivals.wins.items()}
        result.tables.append(
            Table(
                f"{report.rivals.pairs} minimal pairs among the names: the right picture wins (0.5 by chance)",
                ["by", "share"],
                [[name, show(interval)] for name, interval in wins.items()],
            )
        )
        result.values.update({f"minimal pairs, {name}: right": interval for name, interval in wins.items()})
    _add_placings(
        result, "another real word, one phoneme off a name: the name's picture is found", report.minimal_pairs
    )
    result.tables.append(
        Table(
            "recall against phonetic distance: top-1, with 95% interval",
            ["distance", "queries", *(COLUMN_NAMES[column] for column in _TOWERS)],
            [
                [f"{point.distance:.2f}", str(point.queries), *(show(point.recall[column]) for column in _TOWERS)]
                for point in report.curve
            ],
        )
    )


def _add_rows(result: SuiteResult, rows: Sequence[RetrievalRow]) -> None:
    for row in rows:
        _add_placings(result, f"pictures found by {row.kind}", row.placings)


def _add_placings(result: SuiteResult, title: str, placings: Mapping[str, Placing]) -> None:
    """A table of recall and median rank by tower, and the same as figures."""
    columns = [column for column in COLUMNS if column in placings]
    if not columns:
        return
    head = ["tower", *(f"top-{k}" for k in KS), "median rank"]
    rows = []
    for column in columns:
        placing, name = placings[column], COLUMN_NAMES[column]
        rows.append([name, *(show(placing.recall[k]) for k in KS), f"{placing.median_rank.mean:g}"])
        result.values.update({f"{title}, {name}: top-{k}": placing.recall[k] for k in KS})
        result.values[f"{title}, {name}: median rank"] = placing.median_rank
    result.tables.append(Table(f"{title}: share, with 95% interval", head, rows))


def _bars(rows: Sequence[RetrievalRow], title: str, path: Path) -> None:
    from ..plots import recall_bars, save

    shares = {
        row.kind: {column: _bounds(row.placings[column].recall[1]) for column in COLUMNS if column in row.placings}
        for row in rows
    }
    save(recall_bars(shares, title), path)


def _curve(report: NonsenseReport, path: Path) -> None:
    from ..plots import recall_curve, save

    points = {
        column: [(point.distance, *_bounds(point.recall[column])) for point in report.curve] for column in _TOWERS
    }
    save(recall_curve(points, "names, and one to three phonemes of them swapped"), path)


def _bounds(interval: Interval) -> tuple[float, float, float]:
    return interval.mean, interval.low, interval.high


def _worst_loss(rows: Sequence[RetrievalRow]) -> str:
    losses = {row.kind: max(row.recall["text"][1], row.recall["heard"][1]) - row.recall[BOTH][1] for row in rows}
    kind = max(losses, key=lambda one: losses[one])
    return (
        f"Both towers against the better of the two, same spelling, top-1: at worst {-100 * losses[kind]:+.1f} points "
        f"({kind})."
    )
