"""How far apart two phonemes and two words are, and which phonemes are near.

`SegmentCosts` is the project's one edit distance: one query against many words at once.
"""

from collections import Counter, deque
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from .features import panphon_weights
from .segments import is_segment, is_vowel, segment_features

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

    from ..tokenization_ipa import UnknownSymbol

NUM_FEATURES = 24
GAP = 2.5
"""What a segment too many or too few costs among transcribers and listeners: near segments lie 0.25 to 3 apart."""
NOTHING = "–"  # in the table of confusions, the other side of a gap


def _features(segments: Sequence[str]) -> np.ndarray:
    """`(len(segments), num_features)`, each feature -1, 0 or 1."""
    for segment in segments:
        if not is_segment(segment):
            raise ValueError(
                f"{segment!r} is not an IPA segment of the vocabulary: give segments as split_segments returns them."
            )
    values = np.array([segment_features(segment) for segment in segments], dtype=np.float32)
    return values.reshape(len(segments), NUM_FEATURES)


def _city_block(vectors: np.ndarray) -> np.ndarray:
    """The sum of |a - b| over the features, `(n, n)`, with no more memory than that."""
    total = np.zeros((len(vectors),) * 2, dtype=np.float32)
    for feature in vectors.T:
        total += np.abs(feature[:, None] - feature)
    return total


@dataclass(frozen=True, eq=False)
class SegmentCosts:
    """What each edit of a word costs, and the edit distance by these costs.

    Attributes:
        segments: what words are made of; a segment's id is its place here.
        substitution: `(n, n)`, float32: what it costs to replace one segment by another.
        gap: `(n,)`, float32: what it costs to insert or delete a segment.
    """

    segments: tuple[str, ...]
    substitution: np.ndarray
    gap: np.ndarray

    @classmethod
    def panphon(cls, segments: Sequence[str], gap: float | None = None) -> "SegmentCosts":
        """The costs of panphon's `weighted_feature_edit_distance`: a substitution costs `phoneme_distance`.

        Args:
            segments: as `split_segments` returns them, each once.
            gap: for every segment; by default the sum of panphon's weights, 7.25.

        Raises:
            ValueError: If one is not a segment, or is given twice.
        """
        weights = panphon_weights().astype(np.float32)
        cost = weights.sum() if gap is None else gap
        substitution = _city_block(_features(segments) * weights)
        return cls(tuple(segments), substitution, np.full(len(segments), cost, dtype=np.float32))

    @classmethod
    def unweighted(cls, segments: Sequence[str]) -> "SegmentCosts":
        """Costs by how far the features differ, whole numbers: divided by `NUM_FEATURES`, those of panphon2.

        A substitution costs the sum of |a - b| over the features, an insertion or deletion the sum of |a|
        (`panphon2.FeatureTable.feature_edit_distance`; panphon's own function of this name halves the substitution).

        Raises:
            ValueError: If one is not a segment, or is given twice.
        """
        features = _features(segments)
        return cls(tuple(segments), _city_block(features), np.abs(features).sum(-1))

    @classmethod
    def confusions(cls, segments: Sequence[str]) -> "SegmentCosts":
        """panphon's costs with a gap of 2.5, and less where transcribers and dictionaries differ in a segment often.

        As German r is written ʁ by one and r by another, and 4.62 apart by its features. `confusions.tsv` has these
        costs; `benchmarks/confusions.py` learned them from WikiPron's words of 87 languages.

        Raises:
            ValueError: If one is not a segment, or is given twice.
        """
        costs = cls.panphon(segments, gap=GAP)
        for a, b, cost in _confusions():
            if a in costs._ids and b == NOTHING:
                costs.gap[costs._ids[a]] = cost
            elif a in costs._ids and b in costs._ids:
                one, other = costs._ids[a], costs._ids[b]
                costs.substitution[one, other] = costs.substitution[other, one] = cost
        return costs

    def __post_init__(self) -> None:
        if len(self._ids) < len(self.segments):
            raise ValueError(f"A segment is given twice: {' '.join(self.segments)}")

    @cached_property
    def _ids(self) -> dict[str, int]:
        return {segment: number for number, segment in enumerate(self.segments)}

    def encode(self, sequences: Sequence[Sequence[str]]) -> tuple[np.ndarray, np.ndarray]:
        """The ids of each sequence, `(N, L)`, padded with -1, and their lengths, `(N,)`.

        Raises:
            ValueError: If a sequence holds what is not among the segments.
        """
        lengths = np.array([len(sequence) for sequence in sequences], dtype=np.int64)
        ids = np.full((len(sequences), max(map(len, sequences), default=0)), -1, dtype=np.int64)
        try:
            for row, sequence in zip(ids, sequences, strict=True):
                row[: len(sequence)] = [self._ids[segment] for segment in sequence]
        except KeyError as error:
            raise ValueError(f"{error.args[0]!r} is not among the {len(self.segments)} segments.") from None
        return ids, lengths

    def distances(self, query_ids: np.ndarray, ids: np.ndarray, lengths: np.ndarray) -> np.ndarray:
        """The least cost of turning one query into each of N sequences, `(N,)`, float32.

        Wagner and Fischer 1974, *Journal of the ACM* 21. Memory grows with N · L, not with the query.

        Args:
            query_ids: `(Q,)`.
            ids: `(N, L)`, see `encode`; what is behind a sequence's end counts nothing.
            lengths: `(N,)`.
        """
        (costs,) = deque(self._rows(query_ids, ids), maxlen=1)
        found: np.ndarray = costs[lengths, np.arange(len(ids))]
        return found

    def align(self, a: Sequence[str], b: Sequence[str]) -> list[tuple[str | None, str | None, float]]:
        """The edits of least cost that turn `a` into `b`: segment of a, segment of b, cost, in order.

        None stands where a segment is inserted or deleted. Of ways that cost the same, the one that replaces as late
        as it can.

        Raises:
            ValueError: If either holds what is not among the segments.
        """
        (one,), _ = self.encode([a])
        others, _ = self.encode([b])
        table = np.stack(list(self._rows(one, others)))[:, :, 0]
        i, j = len(a), len(b)
        edits: list[tuple[str | None, str | None, float]] = []
        while i or j:
            ways = []
            if i and j:
                ways.append((i - 1, j - 1, self.substitution[one[i - 1], others[0, j - 1]]))
            if i:
                ways.append((i - 1, j, self.gap[one[i - 1]]))
            if j:
                ways.append((i, j - 1, self.gap[others[0, j - 1]]))
            before_i, before_j, cost = min(ways, key=lambda way: table[way[0], way[1]] + way[2])
            edits.append((a[before_i] if before_i < i else None, b[before_j] if before_j < j else None, float(cost)))
            i, j = before_i, before_j
        return edits[::-1]

    def _rows(self, query_ids: np.ndarray, ids: np.ndarray) -> Iterator[np.ndarray]:
        """What each beginning of the query, from none of it on, costs against each beginning of each sequence.

        A row is `(L + 1, N)`: numpy runs along the sequences.
        """
        targets = np.ascontiguousarray(ids.T)
        inserted = self.gap[targets] if targets.size else np.zeros(targets.shape, dtype=np.float32)
        row = np.concatenate([np.zeros((1, len(ids)), dtype=np.float32), inserted.cumsum(axis=0, dtype=np.float32)])
        yield row
        for segment in query_ids:
            best = row + self.gap[segment]
            if targets.size:
                np.minimum(best[1:], row[:-1] + self.substitution[segment][targets], out=best[1:])
            for column, cost in enumerate(inserted):
                np.minimum(best[column + 1], best[column] + cost, out=best[column + 1])
            row = best
            yield row


@lru_cache(maxsize=1)
def _confusions() -> tuple[tuple[str, str, float], ...]:
    """The rows of `confusions.tsv`: a segment, another or `NOTHING`, and what it costs."""
    text = (Path(__file__).parent / "confusions.tsv").read_text(encoding="utf-8")
    rows = (line.split("\t") for line in text.splitlines()[1:])
    return tuple((a, b, float(cost)) for a, b, cost, _ in rows)


def phoneme_distance(a: str, b: str) -> float:
    """panphon's weighted feature distance between two segments: sum over features of weight · |a - b|.

    The same number as `panphon.distance.Distance.weighted_substitution_cost`. From 0 (same features) to 14.5, twice
    the sum of the weights, were every feature opposite; English consonants lie 0.25 to 8.4 apart.

    Raises:
        ValueError: If either is not one segment of the vocabulary.
    """
    weights = panphon_weights()
    first, second = _features([a, b])
    return float(np.abs(first - second) @ weights)


def phoneme_sequence_distance(a: Sequence[str], b: Sequence[str]) -> float:
    """The least cost of turning one sequence of segments into the other.

    A substitution costs `phoneme_distance`, an insertion or deletion the sum of panphon's weights (7.25): panphon's
    `weighted_feature_edit_distance`. From 0 to 7.25 · (length of both together), not normalised. For many words at
    once, `SegmentCosts`.

    Raises:
        ValueError: If anything in the sequences is not a segment (drop stress and word boundaries first).
    """
    costs = SegmentCosts.panphon(list(dict.fromkeys([*a, *b])))
    (query,), _ = costs.encode([a])
    return float(costs.distances(query, *costs.encode([b]))[0])


def nearest_phonemes(inventory: Sequence[str]) -> dict[str, list[str]]:
    """For each segment of the inventory, the others of its class (syllabic or not), nearest first.

    Distance is `phoneme_distance`; equally near segments stand in code point order.

    Raises:
        ValueError: If the inventory holds something that is not a segment.
    """
    segments = sorted(set(inventory))
    distances = SegmentCosts.panphon(segments).substitution
    vowel = np.array([is_vowel(segment) for segment in segments], dtype=bool)
    nearest = {}
    for index, segment in enumerate(segments):
        order = np.argsort(distances[index], kind="stable")
        nearest[segment] = [segments[j] for j in order if j != index and vowel[j] == vowel[index]]
    return nearest


def _tokens(texts: list[str], tokenizer: "PreTrainedTokenizerBase | None") -> list[list[str]]:
    from ..tokenization_ipa import default_tokenizer

    if not texts:
        return []
    encodings = (tokenizer or default_tokenizer())(texts, add_special_tokens=False, verbose=False).encodings
    return [encoding.tokens for encoding in encodings or ()]


def split_segments(ipa: str, tokenizer: "PreTrainedTokenizerBase | None" = None) -> list[str]:
    """The tokens of an IPA string, stress marks and word boundaries among them, without special tokens.

    A sign the vocabulary lacks stands for itself. The tokenizer may be any with the IPA vocabulary.
    """
    return _tokens([ipa], tokenizer)[0]


def unknown_symbols(text: str) -> "list[UnknownSymbol]":
    """The signs of `text` that the vocabulary lacks, with their positions: see `IPATokenizer.unknown_symbols`."""
    from ..tokenization_ipa import default_tokenizer

    return default_tokenizer().unknown_symbols(text)


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
