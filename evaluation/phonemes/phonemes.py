"""Do phonemes lie where phonetics says they should?

Asked of the phoneme embedding, of the tower's output for a phoneme on its own and, where there is one, of the output
for sound alone. Distance is 1 - cosine.
"""

import unicodedata
from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from ipaclip.common.arrays import unit_rows
from ipaclip.tokenization.phonemes.distance import SegmentCosts
from ipaclip.tokenization.phonemes.ipa_chart import CHART_FEATURES, MANNERS, PLACES, base_letters, chart_row
from ipaclip.tokenization.phonemes.segments import TONES

from ..sound_alone import has_sound_alone
from ..statistics import Interval, bootstrap, spearman

ALL, CONSONANTS, VOWELS = ("all", "consonants", "vowels")
EMBEDDING, TOWER, SOUND_ALONE = LEVELS = ("embedding", "tower", "sound alone")
_COLUMN = {name: column for column, name in enumerate(CHART_FEATURES)}
_RESAMPLES = 200


@dataclass(frozen=True)
class PhonemeRow:
    """One class of phonemes at one level of the model.

    Attributes:
        level: one of `LEVELS`.
        phonemes: `"all"`, `"consonants"` or `"vowels"`.
        count: how many.
        rho: Spearman's rho of distances, -1 to 1, higher is better, with `"panphon"`'s weighted feature distance and
            with the distance of features in the IPA `"chart"` (city block). Its 95% interval is of phonemes drawn anew
            (a phoneme drawn twice makes no pair with itself).
        purity: natural class, such as `"manner"` → share of phonemes whose nearest neighbour is of the same, 0 to 1.
        chance: the same for a neighbour drawn blindly.
        analogies: change, such as `"voicing"` → share of `b - p + t ≈ d` that come out, 0 to 1; `d` is the nearest of
            all but the three.
        analogy_counts: how many analogies there are of each.
    """

    level: str
    phonemes: str
    count: int
    rho: Mapping[str, Interval | None]
    purity: Mapping[str, float]
    chance: Mapping[str, float]
    analogies: Mapping[str, float]
    analogy_counts: Mapping[str, int]


def chart_letters() -> list[str]:
    """The letters of the IPA chart, consonants and vowels, without tones."""
    return sorted(unicodedata.normalize("NFD", letter) for letter in base_letters() if letter not in TONES)


def is_chart_vowel(segment: str) -> bool:
    """Whether it is one of the chart's vowels: a syllabic consonant, such as `n̩`, is none.

    Raises:
        ValueError: if it is not on the chart.
    """
    row = chart_row(segment)
    if row is None:
        raise ValueError(f"{segment!r} is not on the IPA chart.")
    return bool(row[_COLUMN["vowel"]]) and not row[_COLUMN["consonant"]]


@torch.no_grad()
def phoneme_vectors(model: Any, tokenizer: Any, segments: Sequence[str]) -> dict[str, np.ndarray]:
    """Level → `(segments, dim)`: the embedding without position, the tower's projected output for one segment, and the
    output for sound alone, where the model has one.

    Raises:
        ValueError: for a segment that is not one token.
    """
    encoded = tokenizer(list(segments), add_special_tokens=False, verbose=False)["input_ids"]
    for segment, ids in zip(segments, encoded, strict=True):
        if len(ids) != 1 or ids[0] == tokenizer.unk_token_id:
            raise ValueError(f"{segment!r} is not one segment of this tokenizer.")
    embeddings = model.pronunciation_model.embeddings
    ids = torch.tensor([one[0] for one in encoded], device=model.device)
    vectors = torch.zeros(len(segments), model.config.pronunciation_config.hidden_size, device=model.device)
    if embeddings.feature_projection is not None:
        vectors = vectors + embeddings.feature_projection(embeddings.phoneme_features[ids].to(model.dtype)).float()
    if embeddings.residual_embedding is not None:
        vectors = vectors + embeddings.residual_embedding(ids).float()
    alone = torch.tensor(tokenizer(list(segments), verbose=False)["input_ids"], device=model.device)
    output = model.get_pronunciation_features(
        pronunciation_input_ids=alone, pronunciation_attention_mask=torch.ones_like(alone)
    ).pooler_output
    levels = {EMBEDDING: vectors.cpu().numpy(), TOWER: output.float().cpu().numpy()}
    if has_sound_alone(model):
        sounds = model.get_phonetic_features(pronunciation_input_ids=alone).pooler_output
        levels[SOUND_ALONE] = sounds.float().cpu().numpy()
    return levels


def evaluate_phonemes(vectors: Mapping[str, np.ndarray], segments: Sequence[str]) -> list[PhonemeRow]:
    """All measures for each level, for all phonemes and for consonants and vowels apart.

    Args:
        vectors: level → `(segments, dim)`.
        segments: letters of the IPA chart, each once, with or without diacritics.

    Raises:
        ValueError: if a segment is not on the chart, or fewer than four of them are given.
    """
    if len(segments) < 4:
        raise ValueError(f"Geometry takes at least four phonemes, not {len(segments)}.")
    missing = [segment for segment in segments if chart_row(segment) is None]
    if missing:
        raise ValueError(f"{', '.join(missing)}: not on the IPA chart.")
    vowels = np.array([is_chart_vowel(segment) for segment in segments])
    chosen = {ALL: np.ones(len(segments), dtype=bool), CONSONANTS: ~vowels, VOWELS: vowels}
    truth = phonetic_distances(segments)
    return [
        _measure(
            level,
            kind,
            matrix[mask],
            [one for one, kept in zip(segments, mask, strict=True) if kept],
            {name: distances[np.ix_(mask, mask)] for name, distances in truth.items()},
        )
        for level, matrix in vectors.items()
        for kind, mask in chosen.items()
        if mask.sum() >= 4
    ]


def phonetic_distances(segments: Sequence[str]) -> dict[str, np.ndarray]:
    """`"panphon"` → weighted feature distances, `"chart"` → city block distances of IPA chart features, `(n, n)` each.

    Sources: `SegmentCosts` and `CHART_FEATURES` of `ipaclip.tokenization`.
    """
    chart = np.stack([_chart(segment) for segment in segments])
    return {
        "panphon": SegmentCosts.panphon(segments).substitution.astype(np.float64),
        "chart": np.abs(chart[:, None] - chart[None]).sum(-1),
    }


def cosines(vectors: np.ndarray) -> np.ndarray:
    """`(n, dim)` → `(n, n)` cosine similarities; a zero vector is like nothing."""
    unit = unit_rows(vectors)
    return unit @ unit.T


def _measure(
    level: str, kind: str, vectors: np.ndarray, segments: list[str], truth: Mapping[str, np.ndarray]
) -> PhonemeRow:
    similar = cosines(vectors)
    classes = {} if kind == ALL else _natural_classes(segments, kind)
    analogies = {change: quads for change in ANALOGIES if (quads := analogy_quads(segments, change))}
    return PhonemeRow(
        level=level,
        phonemes=kind,
        count=len(segments),
        rho={name: _rank_correlation(similar, distances) for name, distances in truth.items()},
        purity={name: _purity(similar, labels) for name, labels in classes.items()},
        chance={name: _chance(labels) for name, labels in classes.items()},
        analogies={change: _solved(unit_rows(vectors), quads) for change, quads in analogies.items()},
        analogy_counts={change: len(quads) for change, quads in analogies.items()},
    )


def _rank_correlation(similar: np.ndarray, distances: np.ndarray) -> Interval | None:
    first, second = np.triu_indices(len(similar), 1)

    def statistic(drawn: np.ndarray) -> float | None:
        i, j = drawn[first], drawn[second]
        apart = i != j
        return spearman(-similar[i[apart], j[apart]], distances[i[apart], j[apart]])

    return bootstrap(statistic, len(similar), resamples=_RESAMPLES)


def _chart(segment: str) -> np.ndarray:
    row = chart_row(segment)
    assert row is not None
    return row


def _names(segment: str, columns: Sequence[str]) -> str:
    row = _chart(segment)
    return "+".join(name for name in columns if row[_COLUMN[name]])


def _natural_classes(segments: Sequence[str], kind: str) -> dict[str, list[str]]:
    """Natural class → each segment's, by the IPA chart."""
    if kind == CONSONANTS:
        return {
            "manner": [_names(one, MANNERS) for one in segments],
            "place": [_names(one, PLACES) for one in segments],
            "voicing": [_names(one, ["voiced"]) for one in segments],
        }
    return {
        name: [str(round(float(_chart(one)[_COLUMN[name]]), 2)) for one in segments]
        for name in ("height", "backness", "rounded")
    }


def _purity(similar: np.ndarray, labels: Sequence[str]) -> float:
    others = similar.copy()
    np.fill_diagonal(others, -np.inf)
    nearest = others.argmax(1)
    return float(np.mean([labels[index] == labels[near] for index, near in enumerate(nearest)]))


def _chance(labels: Sequence[str]) -> float:
    return float(np.mean([(labels.count(label) - 1) / (len(labels) - 1) for label in labels]))


Quad = tuple[int, int, int, int]
_Key = tuple[str, str, str]


def _key(segment: str) -> _Key:
    """Manner, place and voicing of a consonant; height, backness and rounding of a vowel."""
    if is_chart_vowel(segment):
        row = _chart(segment)
        height, backness = (f"{row[_COLUMN[name]]:.2f}" for name in ("height", "backness"))
        return height, backness, _names(segment, ["rounded"])
    return _names(segment, MANNERS), _names(segment, PLACES), _names(segment, ["voiced"])


# Change → what leads from one phoneme to another that differs by it alone, None where it does not. Two pairs are an
# analogy if the same leads from one to the other in both.
ANALOGIES: dict[str, Callable[[_Key, _Key], Hashable]] = {
    "voicing": lambda a, b: (a[:2] == b[:2] and (a[2], b[2]) == ("", "voiced")) or None,
    "place": lambda a, b: (a[1], b[1]) if (a[0], a[2]) == (b[0], b[2]) and a[1] and b[1] and a[1] != b[1] else None,
    "nasality": lambda a, b: (a[1:] == b[1:] and (a[0], b[0]) == ("plosive", "nasal")) or None,
    "frication": lambda a, b: (a[1:] == b[1:] and (a[0], b[0]) == ("plosive", "fricative")) or None,
    "rounding": lambda a, b: (a[:2] == b[:2] and (a[2], b[2]) == ("", "rounded")) or None,
}
_OF_VOWELS = ("rounding",)


def analogy_quads(segments: Sequence[str], change: str) -> list[Quad]:
    """All `a : b = c : d` over bare letters, as indices, where both pairs differ by the change alone."""
    of_vowels = change in _OF_VOWELS
    letters = [
        (index, _key(one)) for index, one in enumerate(segments) if len(one) == 1 and is_chart_vowel(one) == of_vowels
    ]
    pairs = [(i, j, change_of) for i, a in letters for j, b in letters if (change_of := ANALOGIES[change](a, b))]
    return [(a, b, c, d) for a, b, way in pairs for c, d, same in pairs if way == same and len({a, b, c, d}) == 4]


def _solved(unit: np.ndarray, quads: Sequence[Quad]) -> float:
    solved = 0
    for a, b, c, d in quads:
        scores = unit @ (unit[b] - unit[a] + unit[c])
        scores[[a, b, c]] = -np.inf
        solved += int(scores.argmax() == d)
    return solved / len(quads)
