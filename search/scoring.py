"""The one score: what was typed, the words it may have been, and its sound, mixed into probabilities of pictures."""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path

import numpy as np
from ipaclip.common.checkpoints import SCORE_FILE, find_file
from ipaclip.common.files import write_json


@dataclass(frozen=True)
class Witness:
    """How far one way of asking is believed.

    Attributes:
        weight: natural logarithm of how much it counts.
        scale: cosines are multiplied by it: high where a right picture stands out.
    """

    weight: float
    scale: float

    def evidence(self, cosines: np.ndarray) -> np.ndarray:
        """weight + scale · (cosine - 1), of the cosines' shape."""
        return self.weight + self.scale * (cosines - 1)


@dataclass(frozen=True)
class Score:
    """The weights of the one score; `benchmarks/score_fit.py` fits them and prints what they rest on.

    With t, r and s the cosines of a picture with the text tower's embedding of what was typed, with that of reading r
    (of probability P(r)), and with the pronunciation tower's of its sound, a picture p has

        e(p) = exp(text(t(p))) + sum over r of P(r) · exp(readings(r(p))) + exp(sound(s(p)))

    and the probability e(p) / (exp(nothing) + sum over pictures of e): what is left is that nothing fits. Scores are
    mixed and never embeddings, for the mean of two words' embeddings lies beside neither. Of IPA there is no t.

    Attributes:
        text: the text tower on what was typed.
        readings: the text tower on the words it may have been.
        sound: the pronunciation tower on the sound.
        nothing: natural logarithm of what speaks for no picture.
        threshold: a hit is shown as one from this probability on.
    """

    text: Witness = Witness(-4.0, 20.0)
    readings: Witness = Witness(0.0, 20.0)
    sound: Witness = Witness(-3.0, 20.0)
    nothing: float = -8.0
    threshold: float = 0.2

    def probabilities(
        self,
        text: np.ndarray | None,
        readings: Sequence[tuple[float, np.ndarray]],
        sound: np.ndarray | None,
    ) -> np.ndarray:
        """The probability of each picture, `(pictures,)`, for one query.

        Args:
            text: `(pictures,)` cosines; None for IPA.
            readings: probability and `(pictures,)` cosines of each reading.
            sound: `(pictures,)` cosines; None where the query has no sound.

        Raises:
            ValueError: If there is nothing to go by.
        """
        evidence = [witness.evidence(cosines) for witness, cosines in ((self.text, text), (self.sound, sound))
                    if cosines is not None]  # fmt: skip
        evidence += [np.log(max(chance, 1e-300)) + self.readings.evidence(cosines) for chance, cosines in readings]
        if not evidence:
            raise ValueError("There is neither a spelling, nor a reading, nor a sound to go by.")
        each = np.logaddexp.reduce(evidence)
        total = np.logaddexp(np.logaddexp.reduce(each), self.nothing)
        probabilities: np.ndarray = np.exp(each - total)
        return probabilities

    def save(self, directory: str | Path) -> None:
        """Writes `score.json` into a checkpoint's directory."""
        write_json(Path(directory) / SCORE_FILE, asdict(self), indent=2)

    @classmethod
    def of_checkpoint(cls, checkpoint: str | Path) -> "Score":
        """The weights of a checkpoint (directory or Hub name), from its `score.json`; without one the defaults.

        Raises:
            ValueError: If the file holds other numbers than these.
        """
        path = find_file(checkpoint, SCORE_FILE)
        if path is None:
            return cls()
        try:
            values = json.loads(path.read_text(encoding="utf-8"))
            if set(values) != {field.name for field in fields(cls)}:
                raise ValueError(f"it has {', '.join(sorted(values))}")
            text, readings, sound = (Witness(**values[name]) for name in ("text", "readings", "sound"))
            return cls(text, readings, sound, float(values["nothing"]), float(values["threshold"]))
        except (ValueError, TypeError, AttributeError) as error:
            raise ValueError(f"{path} is damaged ({error!r}): copy or download it again.") from error
