"""Do words that people find alike in sound lie close together?

Judgements are a table `word1, word2, obtained`, as PWESuite has it (Zouhar et al. 2024, LREC-COLING; the judgements are
those of Vitz and Winkler 1973, Journal of Verbal Learning and Verbal Behavior 12): people said how alike many words
sound to one standard word, `word2`.
"""

import csv
import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from .statistics import pearson, spearman

logger = logging.getLogger(__name__)

COLUMNS = ("word1", "word2", "obtained")
SMALLEST_GROUP = 3

Encode = Callable[[list[str]], Any]


@dataclass(frozen=True)
class Judgement:
    """How alike people found two words, higher being more alike."""

    word1: str
    word2: str
    obtained: float


@dataclass(frozen=True)
class GroupCorrelation:
    """One standard word and those compared to it; a correlation is None where one side is constant."""

    standard: str
    pairs: int
    pearson: float | None
    spearman: float | None


@dataclass(frozen=True)
class HumanReport:
    """Agreement with people.

    Attributes:
        pearson: mean over groups of Pearson's r between cosine and judgement, -1 to 1, higher is better; None where
            no group has one.
        spearman: likewise, of ranks.
        groups: each group's own.
        set_aside: word pair or group → why it could not be used.
    """

    pearson: float | None
    spearman: float | None
    groups: tuple[GroupCorrelation, ...]
    set_aside: Mapping[str, str]

    def to_dict(self) -> dict[str, Any]:
        """As JSON has it."""
        return asdict(self)


def read_judgements(path: str | Path) -> list[Judgement]:
    """Reads a CSV of judgements; columns beside `word1`, `word2`, `obtained` are ignored.

    Raises:
        FileNotFoundError: if there is no such file.
        ValueError: for a column that is missing, a word that is empty, or a judgement that is no number, with its line.
    """
    with Path(path).open(encoding="utf-8", newline="") as file:
        reader = csv.DictReader(file)
        missing = [name for name in COLUMNS if name not in (reader.fieldnames or ())]
        if missing:
            raise ValueError(f"{path} has no column {', '.join(missing)}: it needs {', '.join(COLUMNS)}.")
        judgements = []
        for row in reader:
            where = f"{path}:{reader.line_num}"
            words = [(row["word1"] or "").strip(), (row["word2"] or "").strip()]
            if not all(words):
                raise ValueError(f"{where}: a word is empty.")
            try:
                judgements.append(Judgement(*words, float(row["obtained"])))
            except (TypeError, ValueError):
                raise ValueError(f"{where}: {row['obtained']!r} is no number.") from None
    if not judgements:
        raise ValueError(f"{path} holds no judgements.")
    return judgements


def human_similarity(
    judgements: Sequence[Judgement], encode: Encode, unsayable: Mapping[str, str] | None = None
) -> HumanReport:
    """Correlates cosine similarity with what people judged, group by group, and takes the mean over groups.

    Args:
        judgements: word pairs; those with the same `word2` are one group.
        encode: a list of words → `(words, dim)`, numpy or torch, of any length.
        unsayable: word → why it cannot be encoded; its pairs are set aside.

    A group of fewer than three pairs is set aside, too: two points always lie on a line.
    """
    aside: dict[str, str] = {}
    grouped: dict[str, list[Judgement]] = {}
    for one in judgements:
        reason = next((why for word, why in (unsayable or {}).items() if word in (one.word1, one.word2)), None)
        if reason is None:
            grouped.setdefault(one.word2, []).append(one)
        else:
            aside[f"{one.word1} / {one.word2}"] = reason
    for standard in [word for word, group in grouped.items() if len(group) < SMALLEST_GROUP]:
        aside[standard] = f"only {len(grouped.pop(standard))} pairs: a correlation takes {SMALLEST_GROUP}"
    words = list(dict.fromkeys(word for group in grouped.values() for one in group for word in (one.word1, one.word2)))
    vectors = dict(zip(words, _unit_rows(encode(words)), strict=True)) if words else {}
    groups = tuple(_correlate(standard, group, vectors) for standard, group in grouped.items())
    for group in groups:
        if group.pearson is None:
            aside[group.standard] = "all judgements, or all similarities, are equal: correlation is undefined"
    for name, reason in aside.items():
        logger.warning("%s is left out: %s", name, reason)
    return HumanReport(_mean(g.pearson for g in groups), _mean(g.spearman for g in groups), groups, aside)


def _unit_rows(vectors: Any) -> np.ndarray:
    rows = np.asarray(vectors.detach().cpu() if hasattr(vectors, "detach") else vectors, dtype=np.float64)
    return rows / np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), 1e-12)


def _correlate(standard: str, group: Sequence[Judgement], vectors: Mapping[str, np.ndarray]) -> GroupCorrelation:
    similar = [float(vectors[one.word1] @ vectors[one.word2]) for one in group]
    judged = [one.obtained for one in group]
    return GroupCorrelation(standard, len(group), pearson(similar, judged), spearman(similar, judged))


def _mean(values: Any) -> float | None:
    known = [value for value in values if value is not None]
    return float(np.mean(known)) if known else None
