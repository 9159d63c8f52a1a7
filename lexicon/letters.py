"""How words are spelled: which are spelled alike, and how many typing errors lie between two."""

import unicodedata
from collections.abc import Sequence

import numpy as np

_START, _END = "\x02", "\x03"
_SHIFT = 21  # bits of a code point
_APOSTROPHES = "'’‘ʼ`"  # left out: "man's" is typed "mans", and not "man s"
_MARKS = ("\u0300", "\u036f")  # Latin's and Greek's accents; marks of other scripts are letters


def plain_letters(text: str) -> str:
    """A text as it is compared: small letters without accents, words divided by one space, no punctuation."""
    decomposed = unicodedata.normalize("NFKD", text.casefold())
    kept = (sign for sign in decomposed if not _MARKS[0] <= sign <= _MARKS[1])
    letters = "".join(
        sign if unicodedata.category(sign)[0] in "LMN" else " " for sign in kept if sign not in _APOSTROPHES
    )
    return unicodedata.normalize("NFC", " ".join(letters.split()))


class LetterIndex:
    """Finds the words that share the most pairs of letters with a query: next to each other, or with one between.

    So a letter too many, too few, wrong, or changed with its neighbour leaves most pairs as they were.

    Args:
        words: as `plain_letters` writes them.
    """

    def __init__(self, words: Sequence[str]) -> None:
        self._count = len(words)
        keys, owners = _pairs(words)
        order = np.argsort(keys, kind="stable")
        self._owners = owners[order].astype(np.int32)
        self._keys, self._starts = np.unique(keys[order], return_index=True)
        self._ends = np.append(self._starts[1:], len(order))
        rarity = np.log1p(self._count / (self._ends - self._starts))
        self._rarity = rarity.astype(np.float32)
        total = np.bincount(self._owners, weights=np.repeat(rarity, self._ends - self._starts), minlength=self._count)
        self._weight = np.sqrt(np.maximum(total, 1e-9))

    def nearest(self, query: str, top: int) -> np.ndarray:
        """The numbers of the `top` words that share the most with the query, fewer where fewer share anything."""
        keys = np.unique(_pairs([query])[0])
        places = np.searchsorted(self._keys, keys)
        places = places[places < len(self._keys)]
        places = places[np.isin(self._keys[places], keys)]
        if not places.size:
            return np.empty(0, dtype=np.int64)
        parts = [slice(self._starts[place], self._ends[place]) for place in places]
        owners = np.concatenate([self._owners[part] for part in parts])
        weights = np.repeat(self._rarity[places], self._ends[places] - self._starts[places])
        shared = np.bincount(owners, weights=weights, minlength=self._count) / self._weight
        top = min(top, self._count)
        best = np.argpartition(-shared, top - 1)[:top]
        found: np.ndarray = best[shared[best] > 0]
        return found


def _pairs(words: Sequence[str]) -> tuple[np.ndarray, np.ndarray]:
    """The pairs of letters of all words as numbers, each word's once, and whose they are."""
    text = "".join(f"{_START}{word}{_END}" for word in words)
    codes = np.frombuffer(text.encode("utf-32-le", "surrogatepass"), dtype=np.uint32).astype(np.int64)
    owner = np.repeat(np.arange(len(words)), [len(word) + 2 for word in words])
    keys, owners = [], []
    for step in (1, 2):
        same = owner[step:] == owner[:-step]
        keys.append((codes[:-step][same] << _SHIFT) | codes[step:][same])
        owners.append(owner[step:][same])
    both = np.stack([np.concatenate(owners), np.concatenate(keys)])
    unique = np.unique(both, axis=1) if len(words) == 1 else _unique_columns(both)
    return unique[1], unique[0]


def _unique_columns(both: np.ndarray) -> np.ndarray:
    order = np.lexsort((both[1], both[0]))
    ordered = both[:, order]
    new = np.ones(ordered.shape[1], dtype=bool)
    new[1:] = (ordered[:, 1:] != ordered[:, :-1]).any(0)
    return ordered[:, new]


def typing_errors(query: str, words: Sequence[str]) -> np.ndarray:
    """Letters wrong, too many, too few, or changed with their neighbour, between the query and each word, `(words,)`.

    The optimal string alignment distance of rapidfuzz, over `plain_letters`.
    """
    from rapidfuzz.distance import OSA
    from rapidfuzz.process import cdist

    if not words:
        return np.empty(0, dtype=np.float32)
    found: np.ndarray = cdist([query], words, scorer=OSA.distance, dtype=np.int32)[0].astype(np.float32)
    return found
