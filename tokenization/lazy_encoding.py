"""Ids first: a BatchEncoding that computes tokens and offsets when they are asked for, and what the backend's
truncation and padding do, on lists of ids."""

from collections.abc import Callable, Sequence
from typing import Any

from tokenizers import Encoding, Tokenizer
from transformers import BatchEncoding


class LazyBatchEncoding(BatchEncoding):
    """A `BatchEncoding` whose `encodings` are made by `encode`, once, when something needs them.

    A pickle or deep copy of it is a plain `BatchEncoding`. Made by its class alone, as accelerate does when it moves
    tensors, it is one without encodings, again as the plain class.
    """

    _encode: Callable[[], list[Encoding]] | None = None
    _computed: Sequence[Encoding] | None = None

    @classmethod
    def of(cls, data: dict[str, Any], encode: Callable[[], list[Encoding]], tensor_type: Any) -> "LazyBatchEncoding":
        """The data of a call with single sequences, as tensors of that type, and how its encodings are made."""
        batch = cls(data, tensor_type=tensor_type, n_sequences=1)
        batch._encode = encode
        return batch

    @property
    def _encodings(self) -> Sequence[Encoding] | None:
        if self._computed is None and self._encode is not None:
            self._computed, self._encode = self._encode(), None
        return self._computed

    @_encodings.setter
    def _encodings(self, encodings: Sequence[Encoding] | None) -> None:
        self._computed = encodings

    @property
    def is_fast(self) -> bool:
        """Whether there are, or will be, encodings."""
        return self._encode is not None or self._computed is not None

    def __reduce__(self) -> tuple[Any, ...]:
        return BatchEncoding, (), self.__getstate__()


def encodings_of(
    backend: Tokenizer,
    texts: Sequence[str],
    add_special_tokens: bool,
    truncation: dict[str, Any] | None,
    padding: dict[str, Any] | None,
) -> list[Encoding]:
    """What the backend gives for single texts when it is set to such truncation and padding, without setting it.

    Args:
        truncation: `max_length`, which counts no special tokens, and `direction`; None: nothing is cut.
        padding: As `Encoding.pad` takes it; None: nothing is padded.
    """
    encodings = backend.encode_batch(list(texts), add_special_tokens=False)
    for encoding in encodings:
        if truncation is not None:
            encoding.truncate(**truncation)
    encodings = [backend.post_process(encoding, None, add_special_tokens) for encoding in encodings]
    for encoding in encodings:
        if padding is not None:
            encoding.pad(**padding)
    return encodings


def truncate(row: list[int], longest: int, side: str, has_special_tokens: bool) -> int:
    """Cut a row to that length, but not its `<s>` and `</s>`; how many ids were cut."""
    cut = max(len(row) - longest, 0)
    if cut:
        first, last = (1, len(row) - 1) if has_special_tokens else (0, len(row))
        if side == "right":
            del row[last - cut : last]
        else:
            del row[first : first + cut]
    return cut


def pad(rows: list[list[int]], length: int, filler: int, side: str) -> None:
    """Fill all rows up to that length; longer ones stay."""
    for index, row in enumerate(rows):
        missing = [filler] * (length - len(row))
        rows[index] = row + missing if side == "right" else missing + row
