"""Which rows a run is evaluated on while it trains, and which are left to train on."""

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from ipaclip.tokenization import IPATokenizer

from ..arguments import ArgumentsError, DistillationArguments
from ..loop.folder import EVALUATION_FOLDER
from ..teachers.targets import Targets
from .prepare import load_data
from .prepared import TrainingData


@dataclass(frozen=True)
class EvaluationRows:
    """What is evaluated on: the student hears `phonemes[row]` for each of `rows`; the teacher's side is beside it.

    `embeddings[of_row[row]]` is what the teacher makes of the row's text.
    """

    rows: np.ndarray
    phonemes: Sequence[np.ndarray]
    of_row: np.ndarray
    embeddings: Targets


def choose_rows(
    arguments: DistillationArguments,
    data: TrainingData,
    embeddings: Targets,
    *,
    tokenizer: IPATokenizer,
    cache_dir: Path,
    teach: Callable[[Sequence[str]], Targets],
) -> tuple[np.ndarray, EvaluationRows | None]:
    """The weight of each row of `data` in training, 0 for rows held out; and what to evaluate on, None for nothing.

    `embeddings` are the teacher's of `data.texts`, `teach` gives those of other texts.

    Raises:
        ArgumentsError: if `data.eval_share` leaves nothing to train or to evaluate on.
    """
    weights = np.array(data.weights)
    if arguments.data.eval:
        folder = Path(arguments.output_dir) / EVALUATION_FOLDER
        folder.mkdir(exist_ok=True)
        positions = arguments.student.max_position_embeddings
        other = load_data(arguments.data.for_evaluation(), tokenizer, positions, folder, cache_dir)
        rows = np.arange(len(other))
        return weights, EvaluationRows(rows, other.phonemes, other.text_of_row, teach(other.texts))
    share = arguments.data.eval_share
    if not share:
        return weights, None
    rows = np.flatnonzero(is_held_out(data.texts, share)[data.text_of_row])
    if not 0 < len(rows) < len(data):
        raise ArgumentsError(
            f"data.eval_share {share} keeps {len(rows)} of {len(data)} rows: give another, or data.eval"
        )
    weights[rows] = 0
    return weights, EvaluationRows(rows, data.phonemes, data.text_of_row, embeddings)


def is_held_out(texts: Sequence[str], share: float) -> np.ndarray:
    """Which texts are kept for evaluation: about `share` of them, by a hash of the text, whatever else there is."""
    bound = int(share * 2**64)
    hashes = (hashlib.blake2b(text.encode(), digest_size=8, person=b"ipaclip").digest() for text in texts)
    return np.fromiter((int.from_bytes(one, "little") < bound for one in hashes), dtype=bool, count=len(texts))
