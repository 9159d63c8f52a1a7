"""What the benchmarks share: where they ran, and how they print a table."""

import os
import platform
import sys
from collections.abc import Sequence
from datetime import date
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path


def machine() -> str:
    """Processor, cores that this process may use, system, Python, and the date, in one line."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    python = ".".join(map(str, sys.version_info[:3]))
    return f"{cores} cores of {_processor()}, {platform.system()}, Python {python}, {date.today().isoformat()}"


def _processor() -> str:
    description = Path("/proc/cpuinfo")
    if description.exists():
        for line in description.read_text(encoding="utf-8").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()


def versions(*packages: str) -> str:
    """`name number` of each package that is installed, parted by commas."""
    found = []
    for package in packages:
        try:
            found.append(f"{package} {version(package)}")
        except PackageNotFoundError:
            continue
    return ", ".join(found)


def markdown_table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A Markdown table; columns after the first that hold numbers only are set flush right."""
    columns = list(zip(header, *rows, strict=True))
    widths = [max(map(len, column)) for column in columns]
    right = [index > 0 and all(_is_number(cell) for cell in column[1:]) for index, column in enumerate(columns)]
    ruler = ["-" * (width - flush) + ":" * flush for width, flush in zip(widths, right, strict=True)]
    lines = [_line(header, widths, right), "| " + " | ".join(ruler) + " |"]
    return "\n".join([*lines, *(_line(row, widths, right) for row in rows)])


def _line(cells: Sequence[str], widths: Sequence[int], right: Sequence[bool]) -> str:
    padded = (
        cell.rjust(width) if flush else cell.ljust(width)
        for cell, width, flush in zip(cells, widths, right, strict=True)
    )
    return "| " + " | ".join(padded) + " |"


def _is_number(cell: str) -> bool:
    return not cell or cell[0].isdigit() or cell[0] in "-–<"
