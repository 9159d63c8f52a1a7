"""What the suites found, as tables and figures: written, read again and compared."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ipaclip.common.files import write_text

from .statistics import Interval

REPORT_JSON, REPORT_MARKDOWN = "report.json", "report.md"
_FORMAT = 1

Figure = Interval | float | None


@dataclass(frozen=True)
class Table:
    """Cells as they are shown; every row is as long as the header."""

    title: str
    header: list[str]
    rows: list[list[str]]

    def to_markdown(self) -> str:
        """The table with its columns aligned: the first to the left, the others to the right."""
        lines = [[cell.replace("|", "\\|") for cell in line] for line in [self.header, *self.rows]]
        widths = [max(3, *(len(line[column]) for line in lines)) for column in range(len(self.header))]
        body = [
            " | ".join(
                cell.rjust(width) if column else cell.ljust(width)
                for column, (cell, width) in enumerate(zip(line, widths, strict=True))
            )
            for line in lines
        ]
        rule = " | ".join("-" * (width - bool(column)) + ":" * bool(column) for column, width in enumerate(widths))
        return "\n".join(f"| {line} |" for line in [body[0], rule, *body[1:]])


@dataclass(frozen=True)
class SuiteResult:
    """One suite on one checkpoint.

    Attributes:
        name: of the suite, such as `"phonemes"`.
        tables: to be read.
        values: to be compared: name → figure, with its 95% interval where it has one; None where it is undefined.
        notes: what the tables rest on, and what was left out and why.
        plots: file name → what is drawn there, for `plots.draw`.
        failure: why it could not be run, None where it was, or where only data that nobody gave were lacking.
    """

    name: str
    tables: list[Table]
    values: dict[str, Figure]
    notes: list[str]
    plots: dict[str, Any] = field(default_factory=dict, compare=False, repr=False)
    failure: str | None = None

    def to_dict(self) -> dict[str, Any]:
        """As JSON has it, without the plots' data."""
        values = {
            name: value.to_dict() if isinstance(value, Interval) else value for name, value in self.values.items()
        }
        return {
            "name": self.name,
            "values": values,
            "tables": [dict(vars(table)) for table in self.tables],
            "notes": self.notes,
            **({"failure": self.failure} if self.failure else {}),
        }

    @classmethod
    def from_dict(cls, document: Mapping[str, Any]) -> "SuiteResult":
        """The other way."""
        values = {
            name: Interval(**value) if isinstance(value, dict) else value for name, value in document["values"].items()
        }
        tables = [Table(**table) for table in document["tables"]]
        return cls(document["name"], tables, values, list(document["notes"]), failure=document.get("failure"))


@dataclass(frozen=True)
class Report:
    """All suites on one checkpoint.

    Attributes:
        checkpoint: its directory or name.
        suites: what was run.
        terms: what the figures rest on: versions, seed, machine.
    """

    checkpoint: str
    suites: tuple[SuiteResult, ...]
    terms: Mapping[str, Any]

    def to_dict(self) -> dict[str, Any]:
        """As JSON has it."""
        return {
            "format": _FORMAT,
            "checkpoint": self.checkpoint,
            "terms": dict(self.terms),
            "suites": [suite.to_dict() for suite in self.suites],
        }

    def to_markdown(self, pictures: Sequence[str] = ()) -> str:
        """A page: for each suite its tables, notes, and those of the pictures (file names) that are its."""
        parts = [f"# {self.checkpoint}"]
        for suite in self.suites:
            parts.append(f"## {suite.name}")
            for table in suite.tables:
                parts += [f"**{table.title}**", table.to_markdown()]
            parts += [f"![{name}]({name})" for name in suite.plots if name in pictures]
            if suite.notes:
                parts.append("\n".join(f"- {note}" for note in suite.notes))
        parts.append("Made with: " + ", ".join(f"{name} {value}" for name, value in self.terms.items()) + ".")
        return "\n\n".join(parts) + "\n"

    @property
    def failures(self) -> dict[str, str]:
        """Suite → why it could not be run."""
        return {suite.name: suite.failure for suite in self.suites if suite.failure}

    def values(self) -> dict[str, Figure]:
        """`suite: figure` → value, of all suites."""
        return {f"{suite.name}: {name}": value for suite in self.suites for name, value in suite.values.items()}


def write_report(report: Report, directory: Path, pictures: Sequence[str] = ()) -> None:
    """Writes `report.json` and `report.md`; what was there before stays whole until the new is written."""
    document = json.dumps(report.to_dict(), indent=2, ensure_ascii=False, allow_nan=False) + "\n"
    write_text(directory / REPORT_JSON, document)
    write_text(directory / REPORT_MARKDOWN, report.to_markdown(pictures))


def read_report(path: str | Path) -> Report:
    """Reads what `ipaclip evaluate` wrote, with suites or without: the file, or the directory that it lies in.

    Files of `ipaclip evaluate` without suites that are older than the common format are read, too.

    Raises:
        OSError: if it cannot be read.
        ValueError: if it is no such report.
    """
    file = Path(path)
    file = file / REPORT_JSON if file.is_dir() else file
    try:
        document = json.loads(file.read_text(encoding="utf-8"))
        if "format" not in document:
            from .plain_report import figures_of

            return Report(str(path), figures_of(document), {"seed": document["seed"]})
        if document["format"] != _FORMAT:
            raise ValueError(f"{file} is of format {document['format']}, and {_FORMAT} is known: evaluate again.")
        suites = tuple(SuiteResult.from_dict(suite) for suite in document["suites"])
        return Report(document["checkpoint"], suites, document["terms"])
    except (KeyError, TypeError, AttributeError, IndexError, json.JSONDecodeError, UnicodeDecodeError) as error:
        raise ValueError(f"{file} is no report of `ipaclip evaluate` ({error!r}): evaluate again.") from error


def show(value: Figure) -> str:
    """Three digits, with the bounds of the interval; a dash for what is undefined."""
    if value is None:
        return "–"
    return str(value) if isinstance(value, Interval) else f"{value:.3f}"


def compare(reports: Sequence[Report]) -> Table:
    """One table: a row for each figure that any of the reports has, a column for each report.

    A column says `not run` where its report does not have the figure.

    Raises:
        ValueError: if there are fewer than two reports.
    """
    if len(reports) < 2:
        raise ValueError(f"Comparing takes at least two reports, not {len(reports)}.")
    columns = [report.values() for report in reports]
    names = list(dict.fromkeys(name for column in columns for name in column))
    rows = [[name, *(show(column[name]) if name in column else "not run" for column in columns)] for name in names]
    return Table("Comparison", ["figure", *_short_names([report.checkpoint for report in reports])], rows)


def _short_names(names: Sequence[str]) -> list[str]:
    """The last parts of paths, where these differ from each other; else the whole."""
    last = [name.rstrip("/").rpartition("/")[2] for name in names]
    return last if len(set(last)) == len(last) else list(names)
