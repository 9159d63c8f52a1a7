"""`ipaclip evaluate` without suites as a report: its figures have the names that the suites give them."""

from collections.abc import Mapping, Sequence
from typing import Any

from .report import Figure, Report, SuiteResult, Table
from .retrieval.queries import NAMES, RESPELLED
from .retrieval.retrieval import COLUMN_NAMES, KS, RetrievalReport
from .statistics import Interval


def plain_report(name: str, report: RetrievalReport, terms: Mapping[str, Any]) -> Report:
    """The report of a checkpoint that was asked for its pictures by name, respelled name and nonsense."""
    return Report(name, figures_of(report.to_dict()), terms)


def figures_of(document: Mapping[str, Any]) -> tuple[SuiteResult, ...]:
    """The suites `retrieval` and `nonsense`, as far as a `RetrievalReport` has them.

    Args:
        document: what `RetrievalReport.to_dict` gave, or one of an earlier version, without intervals.

    Raises:
        KeyError, TypeError, IndexError: if it is another document.
    """
    rows = {row["kind"]: row for row in document["rows"]}
    by_name = [kind for kind in (NAMES, RESPELLED) if kind in rows]
    groups = {"retrieval": by_name, "nonsense": [kind for kind in rows if kind not in by_name]}
    note = f"{document['pictures']} pictures; {document['language']} by {document['transcriber_version']}."
    suites = [_suite(name, [rows[kind] for kind in kinds], note) for name, kinds in groups.items() if kinds]
    for column, placing in document.get("picture_to_word", {}).items():
        suites[0].values.update(_figures(f"names found by picture, {COLUMN_NAMES[column]}", placing))
    if not suites:
        raise KeyError("rows")
    return tuple(suites)


def _suite(name: str, rows: Sequence[Mapping[str, Any]], note: str) -> SuiteResult:
    values: dict[str, Figure] = {}
    columns = [column for column in COLUMN_NAMES if column in rows[0]["recall"]]
    for row in rows:
        for column in columns:
            # Older files have no intervals.
            placing = row.get("intervals", {}).get(column) or {
                "recall": row["recall"][column], "median_rank": row["median_rank"][column]
            }  # fmt: skip
            values.update(_figures(f"pictures found by {row['kind']}, {COLUMN_NAMES[column]}", placing))
    table = Table(
        f"share found, top-{'/'.join(map(str, KS))}, percent",
        ["queries", *(COLUMN_NAMES[column] for column in columns)],
        [[row["kind"], *(_percent(row["recall"][column]) for column in columns)] for row in rows],
    )
    return SuiteResult(name, [table], values, [note])


def _figures(title: str, placing: Mapping[str, Any]) -> dict[str, Figure]:
    figures: dict[str, Figure] = {f"{title}: top-{k}": _figure(placing["recall"][str(k)]) for k in KS}
    return {**figures, f"{title}: median rank": _figure(placing["median_rank"])}


def _figure(value: Any) -> Figure:
    return Interval(**value) if isinstance(value, Mapping) else float(value)


def _percent(shares: Mapping[str, float]) -> str:
    return " / ".join(f"{100 * shares[str(k)]:.1f}" for k in KS)
