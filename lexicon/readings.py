"""What a query may have meant, and why: words with probabilities, and the edits between what is given and the word."""

from dataclasses import dataclass
from typing import Any, NamedTuple


class Edit(NamedTuple):
    """One step from the sound of a word to that of the query.

    Attributes:
        word: the word's segment; None where the query has one too many.
        query: the query's segment; None where it lacks one.
        cost: in panphon's weighted feature distance; 0 where both are the same.
    """

    word: str | None
    query: str | None
    cost: float


@dataclass(frozen=True)
class Part:
    """A piece of the query, and the word that it is taken for.

    Attributes:
        query: the piece, as it was given.
        word: the word.
        language: of the word; None where the piece is left as it is.
        meaning: what the text tower reads for it.
        query_ipa: how the piece sounds, of several pronunciations the one that fits best.
        ipa: how the word sounds, likewise.
        distance: between both, in panphon's weighted feature distance.
        typing_errors: between both spellings; None for IPA.
        log_likelihood: how likely the word comes out as this piece, natural logarithm.
        log_prior: how likely the word is, natural logarithm, up to a constant.
        segments: of the word's pronunciation.
        query_segments: of the piece's.
        edits: what was swapped, dropped or added, in order.
    """

    query: str
    word: str
    language: str | None = None
    meaning: str = ""
    query_ipa: str = ""
    ipa: str = ""
    distance: float = 0.0
    typing_errors: int | None = None
    log_likelihood: float = 0.0
    log_prior: float = 0.0
    segments: tuple[str, ...] = ()
    query_segments: tuple[str, ...] = ()
    edits: tuple[Edit, ...] = ()

    def to_dict(self) -> dict[str, Any]:
        """As JSON has it."""
        return {
            "query": self.query,
            "word": self.word,
            "language": self.language,
            "query_ipa": self.query_ipa,
            "ipa": self.ipa,
            "distance": round(self.distance, 3),
            "typing_errors": self.typing_errors,
            "log_likelihood": round(self.log_likelihood, 3),
            "log_prior": round(self.log_prior, 3),
            "edits": [{"word": one.word, "query": one.query, "cost": round(one.cost, 3)} for one in self.edits],
        }


@dataclass(frozen=True)
class Reading:
    """What a query may have meant.

    Attributes:
        words: the words, as they are spelled.
        meaning: what the text tower reads for them.
        probability: that the query meant this, 0 to 1, among all readings and that it is no word of the lexicon.
        parts: piece by piece.
    """

    words: str
    meaning: str
    probability: float
    parts: tuple[Part, ...]

    @property
    def distance(self) -> float:
        """Phonetic distance of the whole, in panphon's weighted feature distance."""
        return sum(part.distance for part in self.parts)

    def to_dict(self) -> dict[str, Any]:
        """As JSON has it."""
        return {
            "words": self.words,
            "meaning": self.meaning,
            "probability": round(self.probability, 4),
            "distance": round(self.distance, 3),
            "parts": [part.to_dict() for part in self.parts],
        }

    def explain(self) -> str:
        """Why, in three lines a part: the word's sound above the query's, and what each difference costs."""
        return "\n".join(_explained(part) for part in self.parts)


def _explained(part: Part) -> str:
    if part.language is None:
        return f"{part.query}: left as it is"
    cells = [(edit.word or "–", edit.query or "–", f"{edit.cost:.2g}" if edit.cost else "") for edit in part.edits]
    widths = [max(map(_width, cell)) for cell in cells]
    lines = [
        " ".join(text + " " * (width - _width(text)) for text, width in zip(line, widths, strict=True)).rstrip()
        for line in zip(*cells, strict=True)
    ] or ["", "", ""]
    typed = "" if part.typing_errors is None else f", {part.typing_errors} typing errors"
    return "\n".join(
        [
            f"{part.query} → {part.word} ({part.language}): distance {part.distance:.2f}{typed}",
            f"  {part.word:<12} {lines[0]}",
            f"  {part.query:<12} {lines[1]}",
            f"  {'cost':<12} {lines[2]}".rstrip(),
        ]
    )


def _width(text: str) -> int:
    from rich.cells import cell_len

    return cell_len(text)
