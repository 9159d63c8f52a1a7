"""How far apart two phonemes are, and which are near: asked by training's augmentation and by evaluation."""

from collections import Counter
from collections.abc import Iterable, Sequence
from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np

from .features import panphon_weights
from .segments import is_segment, is_vowel, panphon_table, segment_features

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

    from ..tokenization_ipa import IPATokenizer, UnknownSymbol


def _vectors(segments: Sequence[str]) -> np.ndarray:
    """`(len(segments), num_features)`, each feature times its weight, so that distance is a plain sum."""
    for segment in segments:
        if not is_segment(segment):
            raise ValueError(
                f"{segment!r} is not an IPA segment of the vocabulary: give segments as split_segments returns them."
            )
    table = panphon_table()
    values = np.array([segment_features(segment) for segment in segments], dtype=np.float64)
    return values.reshape(len(segments), len(table.names)) * panphon_weights()


def phoneme_distance(a: str, b: str) -> float:
    """panphon's weighted feature distance between two segments: sum over features of weight · |a - b|.

    The same number as `panphon.distance.Distance.weighted_substitution_cost`. From 0 (same features) to 14.5, twice
    the sum of the weights, were every feature opposite; English consonants lie 0.25 to 8.4 apart.

    Raises:
        ValueError: If either is not one segment of the vocabulary.
    """
    first, second = _vectors([a, b])
    return float(np.abs(first - second).sum())


def phoneme_sequence_distance(a: Sequence[str], b: Sequence[str]) -> float:
    """The least cost of turning one sequence of segments into the other.

    A substitution costs `phoneme_distance`, an insertion or deletion the sum of panphon's weights (7.25): panphon's
    `weighted_feature_edit_distance`. From 0 to 7.25 · (length of both together), not normalised.

    Raises:
        ValueError: If anything in the sequences is not a segment (drop stress and word boundaries first).
    """
    gap = float(panphon_weights().sum())
    substitution = np.abs(_vectors(a)[:, None] - _vectors(b)[None]).sum(-1)
    steps = gap * np.arange(len(b) + 1)
    row = steps
    for costs in substitution:
        best = np.minimum(row + gap, np.concatenate([[np.inf], row[:-1] + costs]))
        # Insertions chain along the row: best[j] = min over i <= j of best[i] + (j - i) · gap.
        row = np.minimum.accumulate(best - steps) + steps
    return float(row[-1])


def nearest_phonemes(inventory: Sequence[str]) -> dict[str, list[str]]:
    """For each segment of the inventory, the others of its class (syllabic or not), nearest first.

    Distance is `phoneme_distance`; equally near segments stand in code point order.

    Raises:
        ValueError: If the inventory holds something that is not a segment.
    """
    segments = sorted(set(inventory))
    vectors = _vectors(segments)
    distances = np.abs(vectors[:, None] - vectors[None]).sum(-1)
    vowel = np.array([is_vowel(segment) for segment in segments], dtype=bool)
    nearest = {}
    for index, segment in enumerate(segments):
        order = np.argsort(distances[index], kind="stable")
        nearest[segment] = [segments[j] for j in order if j != index and vowel[j] == vowel[index]]
    return nearest


@lru_cache(maxsize=1)
def _default_tokenizer() -> "IPATokenizer":
    from ..tokenization_ipa import IPATokenizer

    return IPATokenizer.build()


def _tokens(texts: list[str], tokenizer: "PreTrainedTokenizerBase | None") -> list[list[str]]:
    if not texts:
        return []
    encodings = (tokenizer or _default_tokenizer())(texts, add_special_tokens=False, verbose=False).encodings
    return [encoding.tokens for encoding in encodings or ()]


def split_segments(ipa: str, tokenizer: "PreTrainedTokenizerBase | None" = None) -> list[str]:
    """The tokens of an IPA string, stress marks and word boundaries among them, without special tokens.

    A sign the vocabulary lacks stands for itself. The tokenizer may be any with the IPA vocabulary.
    """
    return _tokens([ipa], tokenizer)[0]


def unknown_symbols(text: str) -> "list[UnknownSymbol]":
    """The signs of `text` that the vocabulary lacks, with their positions: see `IPATokenizer.unknown_symbols`."""
    return _default_tokenizer().unknown_symbols(text)


def inventory_of(
    ipa_strings: Iterable[str], tokenizer: "PreTrainedTokenizerBase | None" = None, min_count: int = 1
) -> list[str]:
    """The segments (no stress, tone or breaks) that occur at least `min_count` times, most frequent first.

    Equally frequent segments stand in code point order.

    Raises:
        TypeError: If `ipa_strings` is one string.
    """
    if isinstance(ipa_strings, str):
        raise TypeError(f"inventory_of takes IPA strings, not one str: write inventory_of([{ipa_strings!r}]).")
    counts = Counter(token for tokens in _tokens(list(ipa_strings), tokenizer) for token in tokens)
    often = [(-count, token) for token, count in counts.items() if count >= min_count and is_segment(token)]
    return [token for _, token in sorted(often)]
