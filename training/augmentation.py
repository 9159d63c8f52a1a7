"""Phonetic noise: what a listener mishears, made while training.

A phoneme is swapped for one of its nearest (panphon's weighted feature distance) within the language's own inventory,
so that the tower learns a neighbourhood around each pronunciation instead of a point. Words held out for evaluation
are never made.
"""

from collections.abc import Sequence

import numpy as np
from ipaclip.tokenization import IPATokenizer, is_segment, nearest_phonemes

from .arguments import AugmentationArguments
from .held_out import HeldOutWords


class PhoneticAugmentation:
    """Noise for phoneme ids; the same generator state gives the same noise.

    For each sequence a level is drawn uniformly from 0 to 2 (so that the means hold), or 0 with probability `clean`;
    each phoneme is then swapped, dropped or doubled by a neighbour at the level times its rate.
    """

    def __init__(
        self,
        arguments: AugmentationArguments,
        tokenizer: IPATokenizer,
        inventory: Sequence[str],
        held_out: HeldOutWords,
    ) -> None:
        self.arguments = arguments
        self.held_out = held_out
        size = len(tokenizer)
        segments = [segment for segment in inventory if is_segment(segment)]
        ids = dict(zip(segments, tokenizer.convert_tokens_to_ids(segments), strict=True))
        self.near = np.full((size, arguments.nearest), -1, dtype=np.int32)
        for segment, neighbours in nearest_phonemes(segments).items():
            nearest = [ids[other] for other in neighbours[: arguments.nearest]]
            if nearest:
                self.near[ids[segment]] = np.resize(nearest, arguments.nearest)

    def __call__(self, phonemes: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        """Noisy copy of one sequence of ids, `<s>` and `</s>` kept; its length may change by dropping and adding."""
        level = 0.0 if rng.random() < self.arguments.clean else 2.0 * rng.random()
        if level == 0.0:
            return phonemes
        noisy = [self._noisy_word(word, level, rng) for word in self.held_out.split(phonemes)]
        return np.concatenate([phonemes[:1], *noisy, phonemes[-1:]])

    def _noisy_word(self, word: np.ndarray, level: float, rng: np.random.Generator) -> np.ndarray:
        noise = rng.random((4, len(word)))
        rates = self.arguments
        swappable = self.near[word, 0] >= 0
        swapped = swappable & (noise[0] < level * rates.substitution)
        near = self.near[word, rng.integers(0, rates.nearest, len(word))]
        result = np.where(swapped, near, word)
        keep = ~(swappable & (noise[1] < level * rates.deletion))
        keep &= ~(np.isin(word, self.held_out.stress) & (noise[2] < level * rates.stress))
        if swappable.sum() > 1 and not (keep & swappable).any():
            keep |= swappable
        doubled = keep & swappable & (noise[3] < level * rates.insertion)
        result = np.repeat(result, keep.astype(np.int64) + doubled)
        if doubled.any():
            result = self._vary_doubles(result, np.cumsum(keep.astype(np.int64) + doubled)[doubled] - 1, rng)
        return word if self.held_out.holds(result) else result

    def _vary_doubles(self, ids: np.ndarray, added: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        ids[added] = self.near[ids[added], rng.integers(0, self.arguments.nearest, len(added))]
        return ids
