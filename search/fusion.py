"""Text tower and pronunciation tower asked together: for each query the one that is likelier to be right leads.

Plain averages hurt. A spelling that the text tower never read lands anywhere, with scores as wide as a true name's, and
drags down what the pronunciation tower had found. So a gate says, query by query, how far the text tower is trusted.
"""

import json
import logging
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

import numpy as np
from ipaclip.common.arrays import as_array
from ipaclip.common.checkpoints import GATE_FILE, find_file
from ipaclip.common.extras import needs_extra
from ipaclip.common.files import write_json

logger = logging.getLogger(__name__)

_SHRINKAGE = 1e-3


@dataclass(frozen=True)
class Gate:
    """How far the text tower is trusted: the logistic function of three signs of a query, weighted.

    Attributes:
        text_best: weight of the best cosine of the text tower over all pictures.
        pronunciation_best: weight of that of the pronunciation tower.
        agreement: weight of the cosine between the towers' embeddings of the query.
        bias: what is added.
        temperature: cosines are divided by it before they become probabilities; 1 / CLIP's logit scale.
    """

    text_best: float
    pronunciation_best: float
    agreement: float
    bias: float
    temperature: float

    def text_weight(self, signs: np.ndarray) -> np.ndarray:
        """`(queries, 3)` of `query_signs` → the text tower's weight for each, 0 to 1; the other tower has the rest."""
        logit = signs @ np.array([self.text_best, self.pronunciation_best, self.agreement]) + self.bias
        return 1 / (1 + np.exp(-np.clip(logit, -500, 500)))

    def save(self, directory: str | Path) -> None:
        """Writes `fusion.json` into a checkpoint's directory."""
        write_json(Path(directory) / GATE_FILE, asdict(self), indent=2)


# Of the embedded checkpoint, as in its `fusion.json`: `python benchmarks/fusion_study.py` prints these numbers.
EMBEDDED_GATE = Gate(text_best=37.76, pronunciation_best=-18.76, agreement=4.449, bias=-16.74, temperature=0.04402)


def load_gate(checkpoint: str | Path) -> Gate:
    """The gate of a checkpoint, from its `fusion.json`; without one that of the embedded checkpoint, with a warning.

    Cosines of another CLIP may be higher or lower throughout, and then that gate trusts the wrong tower: fit one.

    Raises:
        ValueError: if the file does not hold the five numbers of a `Gate`.
    """
    gate = find_gate(checkpoint)
    if gate is None:
        logger.warning("%s %s", checkpoint, NO_GATE)
    return gate or EMBEDDED_GATE


NO_GATE = (
    f"has no gate of its own ({GATE_FILE}): its towers are fused by the embedded checkpoint's gate, which may trust "
    "the wrong one here. Fit one: python benchmarks/fusion_study.py --checkpoint DIR --write"
)


def find_gate(checkpoint: str | Path) -> Gate | None:
    """The gate of a checkpoint (directory or Hub name), None where it has none. Raises `ValueError` as `load_gate`."""
    path = find_file(checkpoint, GATE_FILE)
    if path is None:
        return None
    wanted = [field.name for field in fields(Gate)]
    try:
        numbers = json.loads(path.read_text(encoding="utf-8"))
        gate = Gate(**{name: float(numbers[name]) for name in wanted})
        if set(numbers) != set(wanted) or not np.isfinite(list(asdict(gate).values())).all() or gate.temperature <= 0:
            raise ValueError("another number, one that is not finite, or a temperature not above 0")
    except (ValueError, TypeError, KeyError) as error:
        raise ValueError(
            f"{path} must hold the numbers {', '.join(wanted)} and no others ({error!r}): copy or download it again."
        ) from error
    return gate


def query_signs(text_scores: Any, pronunciation_scores: Any, text_embeds: Any, pronunciation_embeds: Any) -> np.ndarray:
    """What the gate goes by, `(queries, 3)`: best cosine of each tower, and the cosine of their embeddings, -1 to 1."""
    text, sound = as_array(text_embeds), as_array(pronunciation_embeds)
    lengths = np.linalg.norm(text, axis=1) * np.linalg.norm(sound, axis=1)
    agreement = (text * sound).sum(1) / np.maximum(lengths, 1e-12)
    return np.stack([as_array(text_scores).max(1), as_array(pronunciation_scores).max(1), agreement], axis=1)


def fuse(
    text_scores: Any,
    pronunciation_scores: Any,
    text_embeds: Any,
    pronunciation_embeds: Any,
    gate: Gate = EMBEDDED_GATE,
) -> np.ndarray:
    """One score for each picture from both towers: the log-probability that the query means it.

        p = w · softmax(text_scores / T) + (1 - w) · softmax(pronunciation_scores / T)
        w = σ(a · max text_scores + b · max pronunciation_scores + c · cos(text embedding, its pronunciation's) + d)

    A mixture of two experts with a gate (Jacobs, Jordan, Nowlan and Hinton 1991, Neural Computation 3(1)), of which
    only the gate is learned, by logistic regression on queries where one tower is right and the other is not. Where
    both know the query they lie close together and w hardly matters.

    Args:
        text_scores: `(queries, pictures)`, cosines of the text tower's embedding of each query with the pictures.
        pronunciation_scores: `(queries, pictures)`, those of the pronunciation tower.
        text_embeds: `(queries, dim)`.
        pronunciation_embeds: `(queries, dim)`.
        gate: a, b, c, d and T; see `load_gate` and `fit_gate`.

    Returns:
        `(queries, pictures)`, natural logarithms of probabilities that sum to 1 over the pictures: 0 or below, higher
        is better.

    Raises:
        ValueError: if the shapes do not fit each other, or there are no pictures.
    """
    text, sound, weight = _weighed(text_scores, pronunciation_scores, text_embeds, pronunciation_embeds, gate)
    with np.errstate(divide="ignore"):  # a weight of exactly 0 or 1 leaves one tower out
        written, heard = np.log(weight), np.log1p(-weight)
    return np.logaddexp(written + _log_softmax(text / gate.temperature), heard + _log_softmax(sound / gate.temperature))


def fuse_cosines(
    text_scores: Any,
    pronunciation_scores: Any,
    text_embeds: Any,
    pronunciation_embeds: Any,
    gate: Gate = EMBEDDED_GATE,
) -> np.ndarray:
    """`w · text_scores + (1 - w) · pronunciation_scores`, `(queries, pictures)`, -1 to 1, with w as in `fuse`.

    The scores of one picture can be compared between queries, as when a picture asks for its word. Those of `fuse`
    are divided up among the pictures, and so tell of the other pictures, too.

    Raises:
        ValueError: as `fuse`.
    """
    text, sound, weight = _weighed(text_scores, pronunciation_scores, text_embeds, pronunciation_embeds, gate)
    return weight * text + (1 - weight) * sound


def _weighed(
    text_scores: Any, pronunciation_scores: Any, text_embeds: Any, pronunciation_embeds: Any, gate: Gate
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Both scores as float64, and the text tower's weight, `(queries, 1)`."""
    text, sound = as_array(text_scores).astype(np.float64), as_array(pronunciation_scores).astype(np.float64)
    shapes = [text.shape, sound.shape, as_array(text_embeds).shape, as_array(pronunciation_embeds).shape]
    fits = text.ndim == 2 and shapes[0] == shapes[1] and len(shapes[2]) == 2 and shapes[2] == shapes[3]
    if not fits or shapes[0][0] != shapes[2][0] or not shapes[0][1]:
        raise ValueError(
            f"Scores must be (queries, pictures) and embeddings (queries, dim), alike for both towers; got {shapes}."
        )
    return text, sound, gate.text_weight(query_signs(text, sound, text_embeds, pronunciation_embeds))[:, None]


def _log_softmax(scores: np.ndarray) -> np.ndarray:
    shifted = scores - scores.max(axis=1, keepdims=True)
    return shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True))


def fit_gate(signs: Any, text_right: Any, pronunciation_right: Any, temperature: float) -> Gate:
    """Logistic regression of which tower is right, over the queries where exactly one of them is.

    Signs are standardised, and weights shrunk a little, so that signs which part the cases wholly do not drive them to
    infinity.

    Args:
        signs: `(queries, 3)` from `query_signs`.
        text_right: `(queries,)`, whether the text tower puts the right picture first.
        pronunciation_right: the same of the pronunciation tower.
        temperature: of the gate; not fitted.

    Raises:
        ValueError: if there is no query that the text tower alone gets right, or none that the other alone does.
        ImportError: if scikit-learn, of the extra `evaluation`, is not installed.
    """
    text, sound = as_array(text_right).astype(bool), as_array(pronunciation_right).astype(bool)
    told = text != sound
    if not (told & text).any() or not (told & sound).any():
        raise ValueError("A gate is fitted on queries that one tower alone gets right, some for each tower.")
    with needs_extra("evaluation", "Fitting a gate"):
        from sklearn.linear_model import LogisticRegression

    rows = as_array(signs)[told].astype(np.float64)
    mean, spread = rows.mean(0), np.maximum(rows.std(0), 1e-9)
    # Its loss is a sum over queries: the shrinkage is that of their mean.
    regression = LogisticRegression(C=1 / (_SHRINKAGE * len(rows)), tol=1e-8, max_iter=1000)
    regression.fit((rows - mean) / spread, text[told])
    slopes = regression.coef_[0] / spread
    text_best, pronunciation_best, agreement = slopes.tolist()
    return Gate(text_best, pronunciation_best, agreement, float(regression.intercept_[0] - slopes @ mean), temperature)
