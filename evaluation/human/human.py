"""Do words that people find alike in sound lie close together?

Judgements are a table `word1, word2, obtained`, as PWESuite has it (Zouhar et al. 2024, LREC-COLING; the judgements are
those of Vitz and Winkler 1973, Journal of Verbal Learning and Verbal Behavior 12): people said how alike many words
sound to one standard word, `word2`.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from ipaclip.common.arrays import as_array, unit_rows
from ipaclip.common.rows import read_table

from ..statistics import Interval, pearson, spearman

COLUMNS = ("word1", "word2", "obtained")
SMALLEST_GROUP = 3
_RESAMPLES = 1000

Encode = Callable[[list[str]], Any]
Similarity = Callable[[str, str], float]


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
        interval: of `pearson`, 95%, the pairs of each group drawn anew; None where `pearson` is.
    """

    pearson: float | None
    spearman: float | None
    groups: tuple[GroupCorrelation, ...]
    set_aside: Mapping[str, str]
    interval: Interval | None = None


def read_judgements(path: str | Path) -> list[Judgement]:
    """Reads a CSV, TSV or JSONL of judgements; columns beside `word1`, `word2`, `obtained` are ignored.

    Raises:
        FileNotFoundError: if there is no such file.
        ValueError: for a column that is missing, a word that is empty, a judgement that is no finite number, or a row
            that is broken or not in UTF-8, with its line.
    """
    judgements = []
    for where, row in read_table(path, COLUMNS):
        first, second = (str(row[name] or "").strip() for name in COLUMNS[:2])
        if not (first and second):
            raise ValueError(f"{where}: a word is empty.")
        try:
            obtained = float(row["obtained"])
        except (TypeError, ValueError, OverflowError):
            obtained = math.nan
        if not math.isfinite(obtained):
            raise ValueError(f"{where}: {row['obtained']!r} is no number.")
        judgements.append(Judgement(first, second, obtained))
    if not judgements:
        raise ValueError(f"{path} holds no judgements.")
    return judgements


def human_similarity(
    judgements: Sequence[Judgement], encode: Encode, unsayable: Mapping[str, str] | None = None
) -> HumanReport:
    """As `human_agreement`, of cosine similarity.

    Args:
        judgements: word pairs.
        encode: a list of words → `(words, dim)`, numpy or torch, of any length.
        unsayable: word → why it cannot be encoded.
    """
    unsayable = unsayable or {}
    words = list(dict.fromkeys(w for one in judgements for w in (one.word1, one.word2) if w not in unsayable))
    rows: Any = unit_rows(as_array(encode(words)).astype(np.float64)) if words else []
    vectors = dict(zip(words, rows, strict=True))
    return human_agreement(judgements, lambda first, second: float(vectors[first] @ vectors[second]), unsayable)


def human_agreement(
    judgements: Sequence[Judgement], similarity: Similarity, unsayable: Mapping[str, str] | None = None
) -> HumanReport:
    """Correlates similarity with what people judged, group by group, and takes the mean over groups.

    A group of fewer than three pairs is set aside: two points always lie on a line. What is set aside is listed in the
    report.

    Args:
        judgements: word pairs; those with the same `word2` are one group.
        similarity: of two words, higher being more alike.
        unsayable: word → why it has no similarity; its pairs are set aside.
    """
    grouped, aside = _groups(judgements, unsayable or {})
    series = {
        standard: np.array([[similarity(one.word1, one.word2), one.obtained] for one in group])
        for standard, group in grouped.items()
    }
    groups = tuple(
        GroupCorrelation(standard, len(pairs), pearson(*pairs.T), spearman(*pairs.T))
        for standard, pairs in series.items()
    )
    for group in groups:
        if group.pearson is None:
            what = "judgements" if np.ptp(series[group.standard][:, 1]) == 0 else "similarities"
            aside[group.standard] = f"all {what} are equal: correlation is undefined"
    used = [series[group.standard] for group in groups if group.pearson is not None]
    interval = _interval(used)
    return HumanReport(
        interval.mean if interval else None, _mean(group.spearman for group in groups), groups, aside, interval
    )


def _groups(
    judgements: Sequence[Judgement], unsayable: Mapping[str, str]
) -> tuple[dict[str, list[Judgement]], dict[str, str]]:
    """Standard word → its pairs, and what is set aside for which reason."""
    aside: dict[str, str] = {}
    grouped: dict[str, list[Judgement]] = {}
    for one in judgements:
        mute = [word for word in (one.word1, one.word2) if word in unsayable]
        if mute:
            aside[f"{one.word1} / {one.word2}"] = unsayable[mute[0]]
        else:
            grouped.setdefault(one.word2, []).append(one)
    for standard in [word for word, group in grouped.items() if len(group) < SMALLEST_GROUP]:
        pairs = len(grouped.pop(standard))
        aside[standard] = f"only {pairs} pair{'s' * (pairs > 1)}: a correlation takes {SMALLEST_GROUP}"
    return grouped, aside


def _interval(series: Sequence[np.ndarray], seed: int = 0) -> Interval | None:
    """Bootstrap of the mean over groups: within each group its pairs are drawn anew."""
    if not series:
        return None
    rng = np.random.default_rng(seed)
    # A draw of one pair many times over may have no correlation: that group is out of this draw.
    means = [
        _mean(pearson(*pairs[rng.integers(0, len(pairs), len(pairs))].T) for pairs in series) for _ in range(_RESAMPLES)
    ]
    drawn = [mean for mean in means if mean is not None]
    return Interval.of(float(np.mean([pearson(*pairs.T) for pairs in series])), drawn or (-1.0, 1.0))


def _mean(values: Any) -> float | None:
    known = [value for value in values if value is not None]
    return float(np.mean(known)) if known else None
