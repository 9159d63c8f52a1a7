"""Phonetic noise: what a listener mishears, made while training.

A phoneme is swapped for one of its nearest (panphon's weighted feature distance) within the language's own inventory,
so that the tower learns a neighbourhood around each pronunciation instead of a point. Words held out for evaluation
are never made.
"""

from collections.abc import Sequence

import numpy as np
from ipaclip.tokenization import IPATokenizer, is_segment, nearest_phonemes

from ..arguments import AugmentationArguments
from .held_out_words import HeldOutWords


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
        self.is_stress = np.zeros(size, dtype=bool)
        self.is_stress[held_out.stress] = True

    def __call__(self, phonemes: np.ndarray, rng: np.random.Generator, strength: float = 1.0) -> np.ndarray:
        """Noisy copy of one sequence of ids, `<s>` and `</s>` kept; its length may change by dropping and adding.

        All rates are multiplied by `strength`.
        """
        return self.batch([phonemes], rng, strength)[0]

    def batch(
        self, sequences: Sequence[np.ndarray], rng: np.random.Generator, strength: float = 1.0
    ) -> list[np.ndarray]:
        """The same of many sequences: only the drawing is done one by one, all else on all at once."""
        lengths = np.array([len(ids) - 2 for ids in sequences])
        flat = np.concatenate([ids[1:-1] for ids in sequences])
        starts = flat == self.held_out.boundary
        ends = np.cumsum(lengths)
        starts[(ends - lengths)[lengths > 0]] = True
        level, noise, choice = self._draw(flat, ends, np.flatnonzero(starts), rng, strength)
        if not level.any():
            return list(sequences)
        word = np.cumsum(starts) - 1
        result, times = self._change(flat, word, level, noise, choice)
        noisy = self._repeat(result, times, rng)
        of_word = np.bincount(word, times).astype(np.int64)
        if self.held_out:
            changed = np.unique(word[(result != flat) | (times != 1)])
            noisy, of_word = self._take_back(flat, np.flatnonzero(starts), noisy, of_word, changed)
        owner = np.repeat(np.arange(len(sequences)), lengths)[starts]
        parts = np.split(noisy, np.cumsum(np.bincount(owner, of_word, len(sequences)).astype(np.int64))[:-1])
        return [np.concatenate([ids[:1], part, ids[-1:]]) for ids, part in zip(sequences, parts, strict=True)]

    def _draw(
        self, flat: np.ndarray, ends: np.ndarray, starts: np.ndarray, rng: np.random.Generator, strength: float
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """For each phoneme a level, four numbers from 0 to 1 to hold against rates, and a choice of neighbour."""
        level, noise = np.zeros(len(flat)), np.ones((4, len(flat)))
        choice = np.zeros(len(flat), dtype=np.int64)
        bounds, first = [*starts.tolist(), len(flat)], 0
        for end in ends.tolist():
            mine = 0.0 if rng.random() < self.arguments.clean else 2.0 * rng.random() * strength
            while bounds[first] < end:
                if mine:
                    here = slice(bounds[first], bounds[first + 1])
                    count = here.stop - here.start
                    level[here], noise[:, here] = mine, rng.random((4, count))
                    choice[here] = rng.integers(0, self.arguments.nearest, count)
                first += 1
        return level, noise, choice

    def _change(
        self, flat: np.ndarray, word: np.ndarray, level: np.ndarray, noise: np.ndarray, choice: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray]:
        """What each phoneme becomes, and how often it is there: 0, 1 or 2. No word loses all its segments."""
        rates = self.arguments
        swappable = self.near[flat, 0] >= 0
        swapped = swappable & (noise[0] < level * rates.substitution)
        result = np.where(swapped, self.near[flat, choice], flat)
        keep = ~(swappable & (noise[1] < level * rates.deletion))
        keep &= ~(self.is_stress[flat] & (noise[2] < level * rates.stress))
        emptied = (np.bincount(word, swappable) > 1) & (np.bincount(word, keep & swappable) == 0)
        keep |= swappable & emptied[word]
        doubled = keep & swappable & (noise[3] < level * rates.insertion)
        return result, keep.astype(np.int64) + doubled

    def _repeat(self, result: np.ndarray, times: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        """Each phoneme so often; the second of two becomes a neighbour of the first."""
        noisy = np.repeat(result, times)
        added = np.cumsum(times)[times == 2] - 1
        if len(added):
            noisy[added] = self.near[noisy[added], rng.integers(0, self.arguments.nearest, len(added))]
        return noisy

    def _take_back(
        self, flat: np.ndarray, starts: np.ndarray, noisy: np.ndarray, of_word: np.ndarray, changed: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray]:
        """Words that became held-out ones are again what they were."""
        ends = np.cumsum(of_word)
        spans = ((number, slice(ends[number] - of_word[number], ends[number])) for number in changed)
        bad = [number for number, span in spans if self.held_out.holds(noisy[span])]
        if not bad:
            return noisy, of_word
        before, words = np.split(flat, starts[1:]), np.split(noisy, ends[:-1])
        for number in bad:
            words[number] = before[number]
        return np.concatenate(words), np.array([len(word) for word in words])
