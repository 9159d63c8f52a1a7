"""Words that training must never hear, because an evaluation asks for them."""

from collections.abc import Iterable

import numpy as np
from ipaclip.common.rows import read_utf8
from ipaclip.tokenization import IPATokenizer

STRESS_MARKS = ("ˈ", "ˌ")


class HeldOutWords:
    """A set of spoken words; each is known whatever its stress, for `ˈ` elsewhere does not make it another word."""

    def __init__(self, tokenizer: IPATokenizer, words: Iterable[str] = ()) -> None:
        self.boundary = tokenizer.convert_tokens_to_ids(" ")
        self.stress = np.array(tokenizer.convert_tokens_to_ids(list(STRESS_MARKS)))
        self._words = {self._key(np.asarray(tokenizer(word)["input_ids"][1:-1])) for word in words}
        self._words.discard(())

    @classmethod
    def from_file(cls, tokenizer: IPATokenizer, path: str | None) -> "HeldOutWords":
        """Words of IPA, one a line."""
        return cls(tokenizer, read_utf8(path).split() if path else ())

    def __bool__(self) -> bool:
        return bool(self._words)

    def _key(self, ids: np.ndarray) -> tuple[int, ...]:
        return tuple(ids[~np.isin(ids, self.stress)].tolist())

    def holds(self, word: np.ndarray) -> bool:
        """Whether the ids of one word, with or without its boundary, are those of a held-out one."""
        return bool(self._words) and self._key(word[word != self.boundary]) in self._words

    def split(self, ids: np.ndarray) -> list[np.ndarray]:
        """The words of `<s> … </s>`, each with the boundary before it."""
        return np.split(ids[1:-1], np.flatnonzero(ids[1:-1] == self.boundary))

    def first_in(self, ids: np.ndarray) -> np.ndarray | None:
        """The ids of the first held-out word of a sequence `<s> … </s>`, or None."""
        if not self._words:
            return None
        return next((word for word in self.split(ids) if self.holds(word)), None)
