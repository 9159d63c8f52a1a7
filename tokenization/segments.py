"""What the vocabulary is made of: special tokens, suprasegmentals, modifiers, and panphon's segments.

panphon's table is read as a plain file, because ``import panphon`` brings pandas and takes over a second.
"""

import csv
import importlib.util
import unicodedata
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

SPECIAL_TOKENS = ("<pad>", "<unk>", "<s>", "</s>")
WORD_BOUNDARY = " "
TIE = "\u0361"
TONES = "˥˦˧˨˩"

SUPRASEGMENTALS: dict[str, str] = {
    WORD_BOUNDARY: "word_boundary",
    "ˈ": "primary_stress",
    "ˌ": "secondary_stress",
    "ː": "long",
    "ˑ": "half_long",
    "\u0306": "extra_short",
    ".": "syllable_break",
    "|": "minor_group",
    "‖": "major_group",
    "‿": "linking",
    "ꜜ": "downstep",
    "ꜛ": "upstep",
    "↗": "global_rise",
    "↘": "global_fall",
    **dict.fromkeys(TONES, "tone"),
}
"""Sign → kind. The five tone letters are one kind: panphon's ``hitone`` and ``hireg`` tell them apart."""

MODIFIERS: dict[str, str] = {
    TIE: "tie",
    "ʼ": "ejective",
    "ʰ": "aspirated",
    "ʷ": "labialized",
    "ʲ": "palatalized",
    "ˠ": "velarized",
    "ˤ": "pharyngealized",
    "\u0334": "velarized_or_pharyngealized",
    "ˀ": "glottalized",
    "ᶣ": "labio_palatalized",
    "ⁿ": "nasal_release",
    "ˡ": "lateral_release",
    "ᶿ": "dental_release",
    "ˣ": "velar_release",
    "˞": "rhotic",
    "\u0303": "nasalized",
    "\u0325": "voiceless",
    "\u032c": "voiced",
    "\u0324": "breathy",
    "\u0330": "creaky",
    "\u0329": "syllabic",
    "\u032f": "non_syllabic",
    "\u032a": "dental",
    "\u033a": "apical",
    "\u033b": "laminal",
    "\u033c": "linguolabial",
    "\u031f": "advanced",
    "\u0320": "retracted",
    "\u0308": "centralized",
    "\u033d": "mid_centralized",
    "\u031d": "raised",
    "\u031e": "lowered",
    "\u0318": "advanced_root",
    "\u0319": "retracted_root",
    "\u0339": "more_rounded",
    "\u031c": "less_rounded",
    "\u031a": "unreleased",
    "˭": "unaspirated",
    "\u0348": "fortis",
    "\u0349": "lenis",
}
"""Diacritics of the IPA and, fortis and lenis, of its extension.

Most come as part of a segment; one that panphon never joins to its base stays a token.
"""


class PanphonTable(NamedTuple):
    """panphon's articulatory features.

    Attributes:
        names: The feature names, in panphon's order.
        segments: Segment (NFD) → one value in {-1, 0, 1} for each name.
        weights: panphon's weights, by position as panphon itself applies them: the file lists fewer than there
            are names, and the last (``hitone``, ``hireg``) have none.
    """

    names: tuple[str, ...]
    segments: dict[str, tuple[int, ...]]
    weights: tuple[float, ...]


@lru_cache(maxsize=1)
def panphon_table() -> PanphonTable:
    """Read panphon's segment and weight tables, once a process."""
    spec = importlib.util.find_spec("panphon")
    if spec is None or spec.origin is None:
        raise ImportError("The IPA segment table comes from panphon, which is not installed: pip install panphon")
    data = Path(spec.origin).parent / "data"
    with open(data / "ipa_all.csv", encoding="utf-8", newline="") as file:
        header, *rows = csv.reader(file)
    with open(data / "feature_weights.csv", encoding="utf-8", newline="") as file:
        weights = list(csv.reader(file))[1]
    value = {"+": 1, "0": 0, "-": -1}
    segments = {unicodedata.normalize("NFD", row[0]): tuple(value[mark] for mark in row[1:]) for row in rows}
    return PanphonTable(tuple(header[1:]), segments, tuple(map(float, weights)))


@lru_cache(maxsize=1)
def vocabulary() -> tuple[str, ...]:
    """All tokens; the position is the id. Special tokens first, then suprasegmentals, modifiers, sorted segments."""
    first = (*SPECIAL_TOKENS, *SUPRASEGMENTALS, *MODIFIERS)
    return (*first, *sorted(panphon_table().segments.keys() - set(first)))


def is_segment(token: str) -> bool:
    """Whether the token is a consonant or a vowel: not a suprasegmental, a lone diacritic or a special token."""
    return token in panphon_table().segments and token[0] not in TONES


def is_vowel(segment: str) -> bool:
    """Whether panphon calls the segment syllabic, as vowels and syllabic consonants (``n̩``) are.

    Raises:
        ValueError: If it is not a segment.
    """
    if not is_segment(segment):
        raise ValueError(f"{segment!r} is not an IPA segment of the vocabulary: give one segment, spelled in NFD.")
    table = panphon_table()
    return table.segments[segment][table.names.index("syl")] > 0
