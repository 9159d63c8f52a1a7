"""Phoneme feature tables: one row for each token, what the pronunciation tower builds its embedding from."""

from collections.abc import Callable
from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np

from .ipa_chart import CHART_FEATURES, chart_row
from .segments import MODIFIERS, SPECIAL_TOKENS, SUPRASEGMENTALS, panphon_table, segment_features

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

FEATURE_SETS = ("panphon", "ipa_chart", "learned")

# What is no segment has a column of its own; the tone letters share one.
_OWN_COLUMN: dict[str, str] = {
    **{sign: f"sign_{kind}" for sign, kind in SUPRASEGMENTALS.items()},
    **{sign: f"lone_{name}" for sign, name in MODIFIERS.items()},
    **{token: f"special_{token.strip('<>').replace('/', 'end_')}" for token in SPECIAL_TOKENS},
}
_OWN_COLUMNS = tuple(dict.fromkeys(_OWN_COLUMN.values()))


def _panphon_row(token: str) -> "np.ndarray | None":
    try:
        return np.array(segment_features(token))
    except ValueError:
        return None


def _segment_features(feature_set: str) -> tuple[tuple[str, ...], Callable[[str], "np.ndarray | None"]]:
    """The names of the articulatory columns, and a function from a token to their values (None: it has none)."""
    if feature_set == "panphon":
        return panphon_table().names, _panphon_row
    if feature_set == "ipa_chart":
        return CHART_FEATURES, chart_row
    raise ValueError(f"There is no phoneme feature set {feature_set!r}: choose one of {', '.join(FEATURE_SETS)}.")


def feature_names(feature_set: str) -> list[str]:
    """The names of the columns of `phoneme_feature_table`.

    Raises:
        ValueError: If there is no such feature set.
    """
    return [] if feature_set == "learned" else [*_segment_features(feature_set)[0], *_OWN_COLUMNS]


@lru_cache(maxsize=1)
def panphon_weights() -> np.ndarray:
    """panphon's weights, `(24,)`: a feature without a weight (`hitone`, `hireg`) counts nothing."""
    table = panphon_table()
    weights = np.zeros(len(table.names))
    weights[: len(table.weights)] = table.weights
    return weights


def feature_weights(feature_set: str) -> np.ndarray:
    """How much each column of `phoneme_feature_table` counts in phonetic distance, `(num_features,)`, above 0.

    Of `"panphon"`, its own weights: the class of a sound (`syl`, `son`, `cons`) counts eight times as much as its
    voicing. What panphon gives no weight counts as its smallest. All other columns count 1.

    Raises:
        ValueError: If there is no such feature set.
    """
    weights = np.ones(len(feature_names(feature_set)))
    if feature_set == "panphon":
        own = panphon_weights()
        weights[: len(own)] = np.where(own > 0, own, own[own > 0].min())
    return weights


def phoneme_feature_table(tokenizer: "PreTrainedTokenizerBase", feature_set: str) -> np.ndarray:
    """The features of every token, `(vocab_size, num_features)`, float32; row = token id.

    Args:
        tokenizer: Any tokenizer with the IPA vocabulary; only its vocabulary is asked.
        feature_set: `"panphon"`: 24 articulatory features, -1, 0 or 1 (Mortensen et al. 2016). `"ipa_chart"`: where
            the segment stands in the IPA chart of 2020, 0 to 1 (see `ipa_chart`). `"learned"`: none, `num_features`
            is 0 and the embedding has to be learned. The first two end with columns, 0 or 1, for what is no segment:
            stress, length, tone, breaks, word boundary, lone diacritics, special tokens. A segment that panphon
            does not list gets composed features (see `segments.composed_features`); the chart's are always composed.

    panphon's 24 features do not tell all its 6,367 segments apart: fine shades such as `t̟` and `t` share a row, and
    so do three pairs of letters: `e` and `ɐ`, `r` and `ɾ`, `ə` and `ɜ`. `ipa_chart` tells all letters apart and gives
    every diacritic a column; only the order of marks and of tied letters is lost on it.

    Raises:
        ValueError: If there is no such feature set, or a token is neither of the IPA vocabulary nor can be composed.
    """
    names = feature_names(feature_set)
    vocabulary = tokenizer.get_vocab()
    rows = np.zeros((max(vocabulary.values()) + 1, len(names)), dtype=np.float32)
    if feature_set == "learned":
        return rows
    articulatory, features = _segment_features(feature_set)
    for token, index in vocabulary.items():
        values = features(token)
        own = _OWN_COLUMN.get(token)
        if values is None and own is None:
            raise ValueError(
                f"Token {token!r} (id {index}) is not of the IPA vocabulary, nor has {feature_set} features for it: "
                "build the tokenizer with IPATokenizer."
            )
        if values is not None:
            rows[index, : len(articulatory)] = values
        if own is not None:
            rows[index, names.index(own)] = 1.0
    return rows
