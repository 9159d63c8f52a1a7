"""What the benchmarks share: where they ran, and how they print a table."""

import platform
from datetime import date

from ipaclip.common import provenance
from ipaclip.common.tables import markdown_table

__all__ = ["machine", "markdown_table", "versions"]


def machine() -> str:
    """Processor, cores that this process may use, system, Python, and the date, in one line."""
    place = f"{provenance.cores()} cores of {provenance.processor()}, {platform.system()}"
    return f"{place}, Python {provenance.python_version()}, {date.today().isoformat()}"


def versions(*packages: str) -> str:
    """`name number` of each package that is installed, parted by commas."""
    return ", ".join(f"{name} {number}" for name, number in provenance.versions(*packages).items())
