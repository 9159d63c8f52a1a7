"""Words → vectors of their sound, linear in the phonetic features: no training, no model, any language.

A voiced sound differs from its voiceless one by the same step wherever it stands in the same place of a word.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from .features import panphon_weights
from .segments import segment_features

_CHUNK = 8192  # words


@dataclass(frozen=True)
class SoundEncoder:
    """Each segment's features, spread over the place of the segment in the word.

    With features f(i) of the segment i of L, each times the root of panphon's weight for it, and a constant beside
    them, the vector is the sum over i of f(i) ⊗ b(i): its squared distance grows with the weighted features in which
    two words differ, wherever they differ. b(i) holds cosines of the relative place, `cos(pi · k · (i + 1/2) / L)` for
    k from 0 to `waves - 1`, each divided by `1 + k · damping`: coarse places count more than fine ones, so that a
    sound too many moves the rest but little.

    Attributes:
        waves: how finely places are told apart.
        damping: how much less fine places count.
        presence: how much it counts that there is a segment, whichever it is.
    """

    waves: int = 6
    damping: float = 0.25
    presence: float = 0.5

    @property
    def dim(self) -> int:
        """The width of a vector."""
        return (len(panphon_weights()) + 1) * self.waves

    def __call__(self, words: Sequence[Sequence[str]]) -> np.ndarray:
        """Words, each a sequence of segments as `split_segments` gives them, → `(words, dim)`, float32.

        A word without a segment is zero everywhere.

        Raises:
            ValueError: If anything in a word is not a segment (drop stress and word boundaries first).
        """
        segments = sorted({segment for word in words for segment in word})
        features = np.zeros((len(segments) + 1, len(panphon_weights()) + 1), dtype=np.float32)  # the last is padding
        if segments:
            values = np.array([segment_features(segment) for segment in segments], dtype=np.float32)
            features[:-1, :-1] = values * np.sqrt(panphon_weights())
            features[:-1, -1] = self.presence
        number = {segment: place for place, segment in enumerate(segments)}
        vectors = np.zeros((len(words), self.dim), dtype=np.float32)
        for start in range(0, len(words), _CHUNK):
            part = words[start : start + _CHUNK]
            longest = max(map(len, part))
            ids = np.full((len(part), longest), len(segments), dtype=np.int64)
            for row, word in zip(ids, part, strict=True):
                row[: len(word)] = [number[segment] for segment in word]
            spread = np.einsum("nlf,nlk->nfk", features[ids], self._places(part, longest), optimize=True)
            vectors[start : start + len(part)] = spread.reshape(len(part), -1)
        return vectors

    def _places(self, words: Sequence[Sequence[str]], longest: int) -> np.ndarray:
        lengths = np.array([max(len(word), 1) for word in words], dtype=np.float32)
        place = (np.arange(longest, dtype=np.float32) + 0.5) / lengths[:, None]
        wave = np.arange(self.waves, dtype=np.float32)
        basis: np.ndarray = np.cos(np.pi * place[..., None] * wave) / (1 + self.damping * wave)
        return basis
