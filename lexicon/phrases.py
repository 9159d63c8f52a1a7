"""Queries of several words: every way of taking them for words and names of the lexicon, by a beam."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from .readings import Part

_WIDEST = 4  # words of a query that may be one name
_BEAM = 24


@dataclass(frozen=True)
class Hypothesis:
    """The beginning of a query, read; or the whole.

    Attributes:
        score: log P(what was given and these words), up to a constant.
        parts: piece by piece.
    """

    score: float
    parts: tuple[Part, ...]

    @property
    def words(self) -> str:
        """As they are spelled."""
        return " ".join(part.word for part in self.parts)

    @property
    def meaning(self) -> str:
        """What the text tower reads for them; IPA that was left as it is means nothing to it."""
        return " ".join(part.meaning for part in self.parts if part.meaning)

    @property
    def is_literal(self) -> bool:
        """Whether every word was left as it is."""
        return all(part.language is None for part in self.parts)


# From a span of words, first and end, → its readings: score, part.
Read = Callable[[int, int], Sequence[tuple[float, Part]]]


def spans_of(count: int) -> list[tuple[int, int]]:
    """The spans of a query of so many words that may be one entry: the whole, and up to four words anywhere."""
    some = [(start, end) for start in range(count) for end in range(start + 1, min(start + _WIDEST, count) + 1)]
    return some if (0, count) in some else [*some, (0, count)]


def beam(count: int, read: Read, further: float) -> list[Hypothesis]:
    """The best ways of reading a query of `count` words, best first; of several with the same words the best.

    Each part after the first costs `further`: a name of several words is likelier one entry than several.
    """
    ends: list[list[Hypothesis]] = [[Hypothesis(0.0, ())], *([] for _ in range(count))]
    for start, end in sorted(spans_of(count), key=lambda span: span[1]):
        found = [
            Hypothesis(before.score + score - further * bool(before.parts), (*before.parts, part))
            for before in ends[start]
            for score, part in read(start, end)
        ]
        ends[end] = _best([*ends[end], *found])
    return ends[count]


def _best(hypotheses: Sequence[Hypothesis]) -> list[Hypothesis]:
    best: dict[tuple[str, str], Hypothesis] = {}
    for one in sorted(hypotheses, key=lambda one: -one.score):
        best.setdefault((one.words, one.meaning), one)
    return list(best.values())[:_BEAM]
