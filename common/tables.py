"""Markdown tables: of reports, model cards, commands and benchmarks."""

from collections.abc import Sequence


def markdown_table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A Markdown table with aligned columns: the first to the left, of the others those of numbers to the right.

    Raises:
        ValueError: If a row is not as long as the header.
    """
    lines = [[cell.replace("|", "\\|") for cell in line] for line in (header, *rows)]
    columns = list(zip(*lines, strict=True))
    widths = [max(3, *map(len, column)) for column in columns]
    right = [index > 0 and all(map(_is_number, column[1:])) for index, column in enumerate(columns)]
    ruler = ["-" * (width - flush) + ":" * flush for width, flush in zip(widths, right, strict=True)]
    body = [
        [
            cell.rjust(width) if flush else cell.ljust(width)
            for cell, width, flush in zip(line, widths, right, strict=True)
        ]
        for line in lines
    ]
    return "\n".join(f"| {' | '.join(line)} |" for line in (body[0], ruler, *body[1:]))


def _is_number(cell: str) -> bool:
    return not cell or cell[0].isdigit() or cell[0] in "-–<"
