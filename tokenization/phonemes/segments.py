"""What the vocabulary is made of: special tokens, suprasegmentals, modifiers, and panphon's segments.

panphon's table is read as a plain file, because ``import panphon`` brings pandas and takes over a second.
"""

import csv
import importlib.util
import unicodedata
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

from .cells import table

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

STRESSES, LENGTHS, PITCHES = "ˈˌ", "ːˑ\u0306", f"{TONES}ꜜꜛ↗↘"
"""The groups of them that a tokenizer may leave out."""

MODIFIERS: dict[str, str] = table(
    """
    \u0361 tie                          ʼ ejective                          ʰ aspirated
    ʷ labialized                        ʲ palatalized                       ˠ velarized
    ˤ pharyngealized                    \u0334 velarized_or_pharyngealized  ˀ glottalized
    ᶣ labio_palatalized                 ⁿ nasal_release                     ˡ lateral_release
    ᶿ dental_release                    ˣ velar_release                     ˞ rhotic
    \u0303 nasalized                    \u0325 voiceless                    \u032c voiced
    \u0324 breathy                      \u0330 creaky                       \u0329 syllabic
    \u032f non_syllabic                 \u032a dental                       \u033a apical
    \u033b laminal                      \u033c linguolabial                 \u031f advanced
    \u0320 retracted                    \u0308 centralized                  \u033d mid_centralized
    \u031d raised                       \u031e lowered                      \u0318 advanced_root
    \u0319 retracted_root               \u0339 more_rounded                 \u031c less_rounded
    \u031a unreleased                   ˭ unaspirated                       \u0348 fortis
    \u0349 lenis
    """
)
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


_VALUE = {"+": 1, "0": 0, "-": -1}


@lru_cache(maxsize=1)
def _panphon_data() -> Path:
    spec = importlib.util.find_spec("panphon")
    if spec is None or spec.origin is None:
        raise ImportError("The IPA segment table comes from panphon, which is not installed: pip install panphon")
    return Path(spec.origin).parent / "data"


@lru_cache(maxsize=1)
def panphon_table() -> PanphonTable:
    """Read panphon's segment and weight tables, once a process."""
    data = _panphon_data()
    with open(data / "ipa_all.csv", encoding="utf-8", newline="") as file:
        header, *rows = csv.reader(file)
    with open(data / "feature_weights.csv", encoding="utf-8", newline="") as file:
        weights = list(csv.reader(file))[1]
    segments = {unicodedata.normalize("NFD", row[0]): tuple(_VALUE[sign] for sign in row[1:]) for row in rows}
    return PanphonTable(tuple(header[1:]), segments, tuple(map(float, weights)))


@lru_cache(maxsize=1)
def vocabulary() -> tuple[str, ...]:
    """All tokens; the position is the id. Special tokens first, then suprasegmentals, modifiers, sorted segments."""
    first = (*SPECIAL_TOKENS, *SUPRASEGMENTALS, *MODIFIERS)
    return (*first, *sorted(panphon_table().segments.keys() - set(first)))


# By the rules ʷ, ʲ, ˠ, ˤ and ᶣ also change "back"; in none of the table's rows do they.
_NOT_APPLIED = "back"


class _Diacritic(NamedTuple):
    """One of panphon's rules: what a mark changes, and on what it may stand."""

    before: bool
    conditions: tuple[dict[str, int], ...]
    excluded: frozenset[str]
    content: dict[str, int]


@lru_cache(maxsize=1)
def _diacritics() -> dict[str, tuple[_Diacritic, ...]]:
    """panphon's `diacritic_definitions.yml`, mark (NFD) → rules."""
    import yaml

    text = (_panphon_data() / "diacritic_definitions.yml").read_text(encoding="utf-8")
    rules: dict[str, tuple[_Diacritic, ...]] = {}
    for entry in yaml.safe_load(text)["diacritics"]:
        rule = _Diacritic(
            entry["position"] == "pre",
            tuple(_values(condition) for condition in entry["conditions"]),
            frozenset(unicodedata.normalize("NFD", form) for form in entry.get("exclude", ())),
            {name: value for name, value in _values(entry["content"]).items() if name != _NOT_APPLIED},
        )
        mark = unicodedata.normalize("NFD", entry["marker"])
        rules[mark] = (*rules.get(mark, ()), rule)
    return rules


def _values(features: dict[str, str]) -> dict[str, int]:
    return {name: _VALUE[sign] for name, sign in features.items()}


@lru_cache(maxsize=1)
def _bases() -> frozenset[str]:
    """What diacritics go on: panphon's `ipa_bases.csv`, of which only the names count.

    Its features are older than the table's.
    """
    with open(_panphon_data() / "ipa_bases.csv", encoding="utf-8", newline="") as file:
        _, *rows = csv.reader(file)
    return frozenset(unicodedata.normalize("NFD", row[0]) for row in rows if row[0] not in TONES)


@lru_cache(maxsize=10_000)
def composed_features(segment: str) -> tuple[int, ...]:
    """The features of base and diacritics by panphon's rules, one value in {-1, 0, 1} for each of panphon's names.

    panphon's table is made with the same rules, from a list of combinations; they hold for others as well. The marks
    act in the order in which they stand, one before the base last. The result is the table's row for all of its
    segments but 17: it has `ˀ` before glottalic consonants, `ʉˠ` and `l̴̪`, which the rules forbid, and `ɜ̘` as lax. A
    mark that panphon has no rule for (dental, unreleased), and a tie that is not part of a base, cannot be composed.

    Source: `diacritic_definitions.yml` of panphon (https://github.com/dmort27/panphon).

    Raises:
        ValueError: If there is no base, or a rule for a mark is missing or does not allow it there.
    """
    first = segment[:1] if segment[:1] in _diacritics() else ""
    rest = segment[len(first) :]
    base = next((rest[:end] for end in range(len(rest), 0, -1) if rest[:end] in _bases()), None)
    if base is None:
        raise ValueError(f"{segment!r} has no features: it does not begin with a letter that panphon knows.")
    table = panphon_table()
    features, form = dict(zip(table.names, table.segments[base], strict=True)), base
    for mark in (*rest[len(base) :], *first):
        before = mark is first and form == rest
        rule = next((rule for rule in _diacritics().get(mark, ()) if rule.before == before), None)
        if rule is None or form in rule.excluded or not any(c.items() <= features.items() for c in rule.conditions):
            raise ValueError(f"{segment!r} has no features: panphon has no rule that puts {mark!r} on {form!r}.")
        features |= rule.content
        form = mark + form if before else form + mark
    return tuple(features[name] for name in table.names)


def segment_features(segment: str) -> tuple[int, ...]:
    """The features of a consonant or vowel, from panphon's table or else composed.

    Raises:
        ValueError: If it has none.
    """
    return panphon_table().segments.get(segment) or composed_features(segment)


def check_segments(segments: Sequence[str]) -> None:
    """Check what is to become further segments of a vocabulary.

    Raises:
        ValueError: If one is there already, comes twice, or has no features.
    """
    known = set(vocabulary())
    for segment in segments:
        if segment in known:
            raise ValueError(f"The segment {segment!r} is in the vocabulary already.")
        known.add(segment)
        composed_features(segment)


def is_segment(token: str) -> bool:
    """Whether the token is a consonant or a vowel: not a suprasegmental, a lone diacritic or a special token.

    True for all segments of the vocabulary, and for others that panphon's rules compose (see `composed_features`).
    """
    if token in panphon_table().segments:
        return token[0] not in TONES
    try:
        composed_features(token)
    except ValueError:
        return False
    return True


def is_vowel(segment: str) -> bool:
    """Whether panphon calls the segment syllabic, as vowels and syllabic consonants (``n̩``) are.

    Raises:
        ValueError: If it is not a segment.
    """
    if not is_segment(segment):
        raise ValueError(f"{segment!r} is not an IPA segment of the vocabulary: give one segment, spelled in NFD.")
    return segment_features(segment)[panphon_table().names.index("syl")] > 0
