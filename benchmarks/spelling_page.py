"""The table of IPA spelling as a part of a page, so that the page cannot say what the table does not.

python benchmarks/spelling_page.py docs/sounds.md            # writes it between its two marks
python benchmarks/spelling_page.py docs/sounds.md --check    # exit code 1 if the page is behind the table
"""

import argparse
import os
import sys
import tempfile
import unicodedata
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ipaclip.tokenization import Spelling

BEGIN, END = "<!-- begin: python benchmarks/spelling_page.py docs/sounds.md -->", "<!-- end -->"


def shown(text: str) -> str:
    """Signs so that they can be told apart on a page: a mark on a dotted circle, an invisible sign by its number."""
    return "".join(
        f"U+{ord(sign):04X}"
        if sign != " " and unicodedata.category(sign)[0] in "CZ"
        else f"◌{sign}"
        if unicodedata.combining(sign) and index == 0
        else {"|": "&#124;", "<": "&lt;", " ": "␣"}.get(sign, sign)
        for index, sign in enumerate(text)
    )


def spelling_markdown() -> str:
    """One row for each reason, in the order in which the rules run; of a rule with a context, what it writes."""
    from ipaclip.tokenization import spelling_table

    lines = ["| why | what becomes what |", "| --- | --- |"]
    for (reason, pattern), group in groupby(spelling_table(), key=lambda rule: (rule.reason, rule.pattern)):
        rules = list(group)
        lines.append(f"| {reason} | {in_context(rules) if pattern else by_target(rules)} |")
    return "\n".join(lines)


def by_target(rules: "list[Spelling]") -> str:
    """Neighbours with one target share it: `˷ ˬ → x`."""
    groups = groupby(rules, key=lambda rule: rule.target)
    return ", ".join(f"{' '.join(shown(rule.source) for rule in part)} → {shown(target)}" for target, part in groups)


def in_context(rules: "list[Spelling]") -> str:
    targets = dict.fromkeys(shown(rule.target) for rule in rules)
    return f"in context → {' '.join(targets)}" if any(targets) else "goes"


def page_with_table(page: str) -> str:
    """The page with the table between its marks.

    Raises:
        ValueError: If the page has no marks.
    """
    before, begin, rest = page.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
        raise ValueError(f"The page has no {BEGIN} … {END}: put both where the table belongs.")
    return f"{before}{begin}\n\n{spelling_markdown()}\n\n{end}{after}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("page", type=Path)
    parser.add_argument("--check", action="store_true", help="write nothing; exit code 1 if the page is behind")
    arguments = parser.parse_args()
    page = arguments.page.read_text(encoding="utf-8")
    new = page_with_table(page)
    if arguments.check and new != page:
        sys.exit(f"{arguments.page} is behind the spelling table: run this without --check.")
    if not arguments.check:
        with tempfile.TemporaryDirectory(dir=arguments.page.parent) as folder:
            unfinished = Path(folder) / arguments.page.name
            unfinished.write_text(new, encoding="utf-8")
            os.replace(unfinished, arguments.page)


if __name__ == "__main__":
    main()
