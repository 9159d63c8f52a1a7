"""How likely a word comes out as a sound and a spelling: the noisy channel between what is meant and what is given."""

from dataclasses import asdict, dataclass, fields
from typing import Any

import numpy as np


@dataclass(frozen=True)
class Way:
    """One way in which a word may have been written: what each unit of distance costs, in natural logarithms.

    Attributes:
        share: how often it is this way, above 0.
        sound: cost of a unit of phonetic distance.
        letter: cost of a typing error.
    """

    share: float
    sound: float
    letter: float


@dataclass(frozen=True)
class Channel:
    """The few weights of the noisy channel; `benchmarks/lexicon_fit.py` fits them and prints what they rest on.

    log P(query | word) = -`spoken` · d for IPA, where d is the phonetic distance; for what is typed, with e typing
    errors, the logarithm of the sum over both ways of share · exp(-sound · d - letter · e): `by_ear` writes what it
    hears, `by_hand` slips. log P(word) = `prior` · log(frequency), less `other_language` where the query is in another
    language. That the query is no word of the lexicon has log P = -`nothing` · (its segments).

    Attributes:
        spoken: cost of a unit of phonetic distance in IPA.
        by_ear: spelled after the sound.
        by_hand: spelled after the word, with slips.
        prior: how much frequency counts: 0 not at all, 1 wholly.
        other_language: cost of a word of another language than the query's.
        nothing: what each segment costs if the query is no word of the lexicon.
        itself: what leaving a word of a phrase as it is costs beyond that.
        further: what each further part of a phrase costs.
    """

    spoken: float = 2.68
    by_ear: Way = Way(0.57, 1.257, 1.643)
    by_hand: Way = Way(0.43, 0.398, 4.1)
    prior: float = 0.6
    other_language: float = 2.0
    nothing: float = 2.5
    itself: float = 4.0
    further: float = 2.0

    def heard(self, distances: np.ndarray) -> np.ndarray:
        """log P(IPA | word) for phonetic distances, of the same shape."""
        return -self.spoken * distances

    def written(self, distances: np.ndarray, errors: np.ndarray) -> np.ndarray:
        """log P(spelling | word) for phonetic distances and typing errors, both of one shape."""
        ways = [np.log(way.share) - way.sound * distances - way.letter * errors for way in (self.by_ear, self.by_hand)]
        return np.logaddexp(*ways)

    def to_dict(self) -> dict[str, Any]:
        """As JSON has it."""
        return asdict(self)

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> "Channel":
        """The other way; what is missing has its default.

        Raises:
            ValueError: If a weight is unknown or no number.
        """
        known = {field.name for field in fields(cls)}
        if set(values) - known:
            raise ValueError(f"{sorted(set(values) - known)[0]!r} is no weight of a channel: it has {sorted(known)}.")
        try:
            ways = {name: Way(**values[name]) for name in ("by_ear", "by_hand") if name in values}
            numbers = {name: float(value) for name, value in values.items() if name not in ways}
            return cls(**ways, **numbers)  # type: ignore[arg-type]
        except TypeError as error:
            raise ValueError(f"The weights of the channel are damaged: {error}") from error
