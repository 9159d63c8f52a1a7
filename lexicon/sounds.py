"""The pronunciations of a lexicon as arrays: vectors to find what is near, segments to measure it exactly."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property, lru_cache
from itertools import groupby

import numpy as np
from ipaclip.tokenization import is_segment
from ipaclip.tokenization.phonemes.distance import SegmentCosts
from ipaclip.tokenization.phonemes.sound_vectors import SoundEncoder
from ipaclip.tokenization.tokenization_ipa import default_tokenizer

ENCODER = SoundEncoder()
_NARROW = 64  # dimensions that are kept of a large lexicon's vectors
_LARGE = 2000  # pronunciations


_LENGTHS, _SYLLABIC, _NON_SYLLABIC, _RHOTIC = "ːˑ\u0306", "\u0329", "\u032f", "˞"


@lru_cache(maxsize=16_384)
def _broad(token: str) -> tuple[str, ...]:
    """A token as segments that all transcribers write alike; none for what is no segment."""
    if not is_segment(token):
        return ()
    bare = "".join(sign for sign in token if sign not in _LENGTHS and sign != _NON_SYLLABIC)
    before = ("ə",) if _SYLLABIC in bare else ()
    after = ("ɹ",) if _RHOTIC in bare else ()
    bare = bare.replace(_SYLLABIC, "").replace(_RHOTIC, "")
    return (*before, bare if is_segment(bare) else token, *after)


def segments_of(ipa_strings: Sequence[str]) -> list[tuple[str, ...]]:
    """The segments of each IPA string, broadly: without what one transcriber writes and another leaves out.

    That is stress, tone, breaks, word boundaries and length. A syllabic consonant is a schwa and the consonant, a
    rhotic vowel the vowel and ɹ, a non-syllabic vowel a vowel, and a segment twice in sequence is one.
    """
    if not ipa_strings:
        return []
    encodings = default_tokenizer()(list(ipa_strings), add_special_tokens=False, verbose=False).encodings
    return [
        tuple(segment for segment, _ in groupby(one for token in encoding.tokens for one in _broad(token)))
        for encoding in encodings or ()
    ]


@dataclass(frozen=True)
class Sounds:
    """Pronunciations, row by row.

    Attributes:
        segments: of which they are made; the number of one is its place.
        owners: `(rows,)`, the number of the word that is said so.
        numbers: `(rows, longest)`, the segments, padded with -1.
        lengths: `(rows,)`.
        projection: `(encoder's dim, dim)`, from the encoder's vectors to those that are kept.
        vectors: `(rows, dim)`, float32.
    """

    segments: tuple[str, ...]
    owners: np.ndarray
    numbers: np.ndarray
    lengths: np.ndarray
    projection: np.ndarray
    vectors: np.ndarray

    @classmethod
    def build(cls, words: Sequence[Sequence[tuple[str, ...]]], like: "Sounds | None" = None) -> "Sounds":
        """Of each word's pronunciations, each a tuple of segments; numbered and projected as those of `like`."""
        said = [one for pronunciations in words for one in pronunciations]
        owners = np.repeat(np.arange(len(words)), [len(one) for one in words]).astype(np.int32)
        first = like.segments if like else ()
        new = {segment for one in said for segment in one} - set(first)
        segments = (*first, *sorted(new))
        number = {segment: place for place, segment in enumerate(segments)}
        lengths = np.array([len(one) for one in said], dtype=np.int32)
        numbers = np.full((len(said), int(lengths.max(initial=1))), -1, dtype=np.int16)
        for row, one in zip(numbers, said, strict=True):
            row[: len(one)] = [number[segment] for segment in one]
        whole = ENCODER(said)
        projection = like.projection if like else _principal(whole)
        return cls(segments, owners, numbers, lengths, projection, whole @ projection)

    def __len__(self) -> int:
        return len(self.owners)

    def joined(self, more: "Sounds", first_owner: int) -> "Sounds":
        """These and more, which were built like these; their words are numbered from `first_owner` on."""
        longest = max(self.numbers.shape[1], more.numbers.shape[1])
        return replace(
            self,
            segments=more.segments,
            owners=np.concatenate([self.owners, more.owners + first_owner]),
            numbers=np.concatenate([_padded(self.numbers, longest), _padded(more.numbers, longest)]),
            lengths=np.concatenate([self.lengths, more.lengths]),
            vectors=np.concatenate([self.vectors, more.vectors]),
        )

    def of_words(self, kept: np.ndarray) -> "Sounds":
        """Those of the words whose numbers are kept, in ascending order, and numbered anew."""
        place = np.full(int(max(self.owners.max(initial=0), kept.max(initial=0))) + 1, -1, dtype=np.int32)
        place[kept] = np.arange(len(kept))
        rows = place[self.owners] >= 0
        return replace(
            self,
            owners=place[self.owners[rows]],
            numbers=self.numbers[rows],
            lengths=self.lengths[rows],
            vectors=self.vectors[rows],
        )

    @cached_property
    def _norms(self) -> np.ndarray:
        norms: np.ndarray = np.einsum("rd,rd->r", self.vectors, self.vectors)
        return norms

    @cached_property
    def _starts(self) -> np.ndarray:
        """Where each word's rows start: the owners ascend."""
        return np.searchsorted(self.owners, np.arange(int(self.owners.max(initial=-1)) + 2))

    def rows_of(self, words: np.ndarray) -> np.ndarray:
        """The rows of words."""
        counts = self._starts[words + 1] - self._starts[words]
        first = np.repeat(self._starts[words] - np.concatenate([[0], counts.cumsum()[:-1]]), counts)
        rows: np.ndarray = first + np.arange(int(counts.sum()))
        return rows

    def nearest(self, queries: Sequence[tuple[str, ...]], top: int) -> list[np.ndarray]:
        """For each query the rows whose vectors are nearest, in no order."""
        top = min(top, len(self))
        if not top:
            return [np.empty(0, dtype=np.int64)] * len(queries)
        # All queries in one pass: reading the vectors from memory is what takes the time.
        away = self._norms - 2 * (ENCODER(queries) @ self.projection) @ self.vectors.T
        return [np.argpartition(one, top - 1)[:top] for one in away]

    def distances(self, query: tuple[str, ...], rows: np.ndarray) -> np.ndarray:
        """The exact phonetic distance of a query and each row, `(len(rows),)`."""
        costs = self.costs(query)
        lengths = self.lengths[rows]
        numbers = self.numbers[rows, : int(lengths.max(initial=0))].astype(np.int64)
        (asked,), _ = costs.encode([query])
        return costs.distances(asked, numbers, lengths.astype(np.int64))

    def costs(self, query: Sequence[str]) -> SegmentCosts:
        """The costs of edits between the lexicon's segments and those of a query."""
        new = sorted(set(query) - set(self.segments))
        return _costs((*self.segments, *new)) if new else self._costs

    @cached_property
    def _costs(self) -> SegmentCosts:
        return _costs(self.segments)

    def said(self, row: int) -> tuple[str, ...]:
        """The segments of a row."""
        return tuple(self.segments[number] for number in self.numbers[row, : self.lengths[row]])


def _costs(segments: Sequence[str]) -> SegmentCosts:
    return SegmentCosts.confusions(segments)


def _padded(numbers: np.ndarray, longest: int) -> np.ndarray:
    return np.pad(numbers, ((0, 0), (0, longest - numbers.shape[1])), constant_values=-1)


def _principal(vectors: np.ndarray) -> np.ndarray:
    """The directions in which a large lexicon's vectors differ most; all of them for a small one."""
    if len(vectors) < _LARGE:
        return np.eye(vectors.shape[1], dtype=np.float32)
    centred = vectors - vectors.mean(0)
    _, directions = np.linalg.eigh((centred.T @ centred).astype(np.float64))
    kept: np.ndarray = directions[:, ::-1][:, :_NARROW].astype(np.float32)
    return np.ascontiguousarray(kept)
