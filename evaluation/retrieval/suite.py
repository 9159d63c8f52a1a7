"""The suite `retrieval`: pictures found by names and by captions. What all that is found is shown by stands here."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from ..checkpoint import Checkpoint, Options
from ..report import Figure, SuiteResult
from .baselines import baselines_of
from .captions import evaluate_captions, read_pictures
from .queries import NAMES, RESPELLED
from .retrieval import BOTH, HEARD, KS, TEXT, Placing, RetrievalReport, RetrievalRow, column_name, evaluate_retrieval

NAMED = (NAMES, RESPELLED)


def ask_gallery(checkpoint: Checkpoint, seed: int) -> RetrievalReport:
    """The gallery asked by name, respelled name and nonsense, with the baselines; once for all suites.

    Raises:
        NotRunError: if there is none.
        ValueError, ImportError: as `evaluate_retrieval`.
    """
    key = ("retrieval", seed)
    if key not in checkpoint.known:
        checkpoint.known[key] = evaluate_retrieval(
            checkpoint.model,
            checkpoint.processor,
            checkpoint.gallery,
            checkpoint.names,
            seed=seed,
            gate=checkpoint.gate_in_use,
            finders=baselines_of(checkpoint).finders,
        )
    return checkpoint.known[key]


def notes_of(checkpoint: Checkpoint) -> list[str]:
    """What is to be said of the towers' fusion and of the baselines."""
    left_out = baselines_of(checkpoint).notes if checkpoint.image_embeds is not None else ()
    return [*checkpoint.notes_on_gate, *left_out]


def run_retrieval(checkpoint: Checkpoint, options: Options) -> SuiteResult:
    """Pictures by name and by respelled name, names by picture, pictures by caption: each tower, and both together."""
    # Read first: a broken table fails in no time, and asking a gallery takes minutes.
    pictures = read_pictures(options.pictures) if options.pictures is not None else None
    result = SuiteResult("retrieval")
    if pictures is None:
        result = by_name(ask_gallery(checkpoint, options.seed))
    elif checkpoint.image_embeds is not None:
        # Captions are asked for in any language, names in English only: where these fail, those are left.
        try:
            result = by_name(ask_gallery(checkpoint, options.seed))
        except ValueError as error:
            reason = f"names: {error}"
            result = SuiteResult("retrieval", notes=[f"Left out: {reason}"], failure=reason)
    if pictures is not None:
        report = evaluate_captions(checkpoint.model, checkpoint.processor, pictures, gate=checkpoint.gate_in_use)
        add_placings(result, "pictures found by caption", report.caption_to_picture)
        add_placings(result, "captions found by picture", report.picture_to_caption)
        result.notes.append(f"{report.pictures} pictures and {report.captions} captions of {options.pictures}.")
        result.notes.extend(f"Left out: {name}, {why}." for name, why in report.set_aside.items())
        result.notes.append(f"Captions are said in {checkpoint.transcriber}.")
    result.notes.extend(notes_of(checkpoint))
    return result


def by_name(report: RetrievalReport) -> SuiteResult:
    """What names and respelled names find, and what finds names."""
    result = by_kind("retrieval", report, NAMED)
    add_placings(result, "names found by picture", report.picture_to_word)
    result.notes.append(worst_loss([row for row in report.rows if row.kind in NAMED]))
    return result


def by_kind(suite: str, report: RetrievalReport, kinds: Sequence[str]) -> SuiteResult:
    """What some kinds of query find: tables, figures, notes and bars."""
    rows = [row for row in report.rows if row.kind in kinds]
    by = f"{report.pictures} pictures; {rows[0].queries} queries of each kind; {report.spoken_by}."
    result = SuiteResult(suite, notes=[by, *(row.note for row in rows if row.unswapped or row.heard_real)])
    for row in rows:
        add_placings(result, f"pictures found by {row.kind}", row.placings)
    add_bars(result, f"{suite}.png", rows, f"{suite}: pictures found, {report.pictures} in all")
    return result


def add_placings(result: SuiteResult, title: str, placings: Mapping[str, Placing]) -> None:
    """A table of recall and median rank by tower, and the same as figures."""
    rows: list[list[str | Figure]] = []
    for column, placing in placings.items():
        name = column_name(column)
        rows.append([name, *(placing.recall[k] for k in KS), f"{placing.median_rank.mean:g}"])
        result.values.update({f"{title}, {name}: top-{k}": placing.recall[k] for k in KS})
        result.values[f"{title}, {name}: median rank"] = placing.median_rank
    header = ["tower", *(f"top-{k}" for k in KS), "median rank"]
    result.add_table(f"{title}: share, with 95% interval", header, rows)


def add_bars(result: SuiteResult, file: str, rows: Sequence[RetrievalRow], title: str) -> None:
    """A picture of what each kind of query finds at once."""

    def draw(path: Path) -> None:
        from ..plots import recall_bars, save

        shares = {row.kind: {column: placing.recall[1] for column, placing in row.placings.items()} for row in rows}
        save(recall_bars(shares, title), path)

    result.plots[file] = draw


def worst_loss(rows: Sequence[RetrievalRow]) -> str:
    """How much the fusion loses to the better tower."""
    losses = {row.kind: max(row.recall[TEXT][1], row.recall[HEARD][1]) - row.recall[BOTH][1] for row in rows}
    kind = max(losses, key=lambda one: losses[one])
    return (
        f"Both towers against the better of the two, same spelling, top-1: at worst {-100 * losses[kind]:+.1f} points "
        f"({kind})."
    )
