"""Small tables written as they are read: cells of words, in rows and columns."""

import re


def table(cells: str, key: int = 1) -> dict[str, str]:
    """A dictionary of cells that two spaces or a line break part: a cell's words before place `key` → those behind."""
    words = [cell.split(" ") for cell in re.split(r"\s{2,}", cells.strip())]
    return {" ".join(cell[:key]): " ".join(cell[key:]) for cell in words}
