"""A large lexicon built in a directory, so that an interrupted run goes on where it stopped."""

import csv
import logging
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ipaclip.common.checkpoints import LEXICON_FILES
from ipaclip.common.files import lock, whole_file

from .entries import Entry
from .lexicon import Lexicon

logger = logging.getLogger(__name__)

REJECTED_FILE = "lexicon.rejected.tsv"
_STEP = 8192  # words between two savings


def build_into(
    directory: str | Path,
    entries: Sequence[Entry],
    model: Any = None,
    processor: Any = None,
    *,
    language: str = "eng-Latn",
    show_progress: bool = False,
) -> Lexicon:
    """Builds a lexicon in a directory, or takes more words into the one that is there.

    It is saved after every 8,192 words. Words that it has already are passed over, so the same call after an
    interruption does what is missing. Words that cannot be pronounced are listed with the reason in
    `lexicon.rejected.tsv`.

    Args:
        directory: where it is, or shall be; a checkpoint's own directory serves.
        entries: the words.
        model: whose text tower reads the meanings; None for a lexicon without pictures.
        processor: the model's.
        language: of queries.
        show_progress: whether to show progress of each step.

    Raises:
        ValueError: If no word can be pronounced, or the lexicon there is of another text tower.
        OSError: If it cannot be written.
    """
    directory = Path(directory)
    with lock(directory / ".lexicon.lock", f"Another process writes the lexicon in {directory}: waiting for its end."):
        lexicon = Lexicon.load(directory) if all((directory / name).is_file() for name in LEXICON_FILES) else None
        known = set() if lexicon is None else {lexicon[number].key for number in range(len(lexicon))}
        new = [entry for entry in entries if entry.key not in known]
        if lexicon is not None:
            logger.info("%d of %d words are in the lexicon already", len(entries) - len(new), len(entries))
        rejected: dict[str, str] = {}
        for start in range(0, len(new), _STEP):
            part = new[start : start + _STEP]
            if lexicon is None:
                lexicon = Lexicon.build(part, model, processor, language=language, show_progress=show_progress)
            else:
                lexicon.add(part, model, processor, show_progress=show_progress)
            lexicon.save(directory)
            rejected |= lexicon.rejected
            logger.info("%d of %d words", min(start + _STEP, len(new)), len(new))
        if lexicon is None:
            raise ValueError("There are no words to make a lexicon of: give at least one.")
        if rejected:
            _list_rejected(rejected, directory / REJECTED_FILE)
        lexicon.rejected = rejected
    return lexicon


def _list_rejected(rejected: dict[str, str], path: Path) -> None:
    with whole_file(path) as temporary, temporary.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, delimiter="\t", lineterminator="\n")
        writer.writerow(("word", "reason"))
        writer.writerows(rejected.items())
