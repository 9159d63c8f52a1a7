"""What the suites found, as tables and figures: written, read again and compared."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from ipaclip.common.files import write_json, write_text
from ipaclip.common.tables import markdown_table
from pydantic import TypeAdapter, ValidationError

from .statistics import Interval

REPORT = "report"
REPORT_JSON = f"{REPORT}.json"
_FORMAT = 1

Figure = Interval | float | None


@dataclass(frozen=True)
class Table:
    """Cells as they are shown; every row is as long as the header."""

    title: str
    header: list[str]
    rows: list[list[str]]

    def to_markdown(self) -> str:
        """The table with its columns aligned."""
        return markdown_table(self.header, self.rows)


@dataclass(frozen=True)
class SuiteResult:
    """One suite on one checkpoint.

    Attributes:
        name: of the suite, such as `"phonemes"`.
        tables: to be read.
        values: to be compared: name → figure, with its 95% interval where it has one; None where it is undefined.
        notes: what the tables rest on, and what was left out and why.
        plots: file name → what draws it to a path, for `suites.draw`.
        failure: why it could not be run, None where it was, or where only data that nobody gave were lacking.
    """

    name: str
    tables: list[Table] = field(default_factory=list)
    values: dict[str, Figure] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)
    plots: dict[str, Any] = field(default_factory=dict, compare=False, repr=False)
    failure: str | None = None

    def add_table(self, title: str, header: Sequence[str], rows: Sequence[Sequence[str | Figure]]) -> None:
        """A table whose cells are text or figures; none where there are no rows."""
        if rows:
            shown = [[cell if isinstance(cell, str) else show(cell) for cell in row] for row in rows]
            self.tables.append(Table(title, list(header), shown))

    def to_dict(self) -> dict[str, Any]:
        """As JSON has it, without the plots' data."""
        document = asdict(replace(self, plots={}))
        return {name: value for name, value in document.items() if name != "plots" and (name != "failure" or value)}


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
    write_pages(directory, REPORT, report.to_dict(), report.to_markdown(pictures))


def write_pages(directory: Path, name: str, document: Mapping[str, Any], page: str) -> None:
    """Writes the same as JSON and as Markdown."""
    write_json(directory / f"{name}.json", document, indent=2)
    write_text(directory / f"{name}.md", page)


def read_report(path: str | Path) -> Report:
    """Reads what `ipaclip evaluate` wrote, with suites or without: the file, or the directory that it lies in.

    Raises:
        OSError: if it cannot be read.
        ValueError: if it is no such report, or one of another version's format.
    """
    file = Path(path)
    file = file / REPORT_JSON if file.is_dir() else file
    try:
        document = json.loads(file.read_text(encoding="utf-8"))
        if document["format"] != _FORMAT:
            raise ValueError(f"{file} is of format {document['format']}, and {_FORMAT} is known: evaluate again.")
        del document["format"]
        return TypeAdapter(Report).validate_python(document)
    except (KeyError, TypeError, ValidationError, json.JSONDecodeError, UnicodeDecodeError) as error:
        raise ValueError(
            f"{file} is no report of `ipaclip evaluate`, or of an older version ({error!r}): evaluate again."
        ) from error


def is_report(path: Path) -> bool:
    """Whether a path is that of a report's file, or of a directory with one that is no checkpoint."""
    return path.suffix.lower() == ".json" or ((path / REPORT_JSON).is_file() and not (path / "config.json").is_file())


def show(value: Figure) -> str:
    """Three digits, with the bounds of the interval; a count as it is; a dash for what is undefined."""
    if value is None:
        return "–"
    return f"{value:.3f}" if isinstance(value, float) else str(value)


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
