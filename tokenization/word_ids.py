"""Word → ids: what makes text in which words repeat fast to tokenize."""

import re
from collections.abc import Collection, Iterable, Iterator, Sequence
from itertools import chain

from tokenizers import Tokenizer

from .phonemes.segments import SPECIAL_TOKENS, TIE, WORD_BOUNDARY
from .phonemes.spelling import NOT_BY_WORD

_BOS_ID, _EOS_ID = SPECIAL_TOKENS.index("<s>"), SPECIAL_TOKENS.index("</s>")
_UNK_ID = SPECIAL_TOKENS.index("<unk>")
_REMEMBERED = 100_000  # words: ~30 MB
_LONGEST = 200  # code points; a longer word is not remembered
_TOGETHER = 8192  # texts
_ENCODED = 64  # words that the model gets as one text: each text has its price
_not_by_word = re.compile(NOT_BY_WORD)

STEADY = "abcdefhijklmnopqrstuvwxyzæðøŋœɐɑɒɔəɛɜɡɪɫɹɾʃʊʌʒθˈˌː"
"""Signs of which any string is its own normal form, by the whole table of spellings: most of many languages' words."""
_steady = re.compile(f"(?:[{STEADY}]|{TIE}(?!ː))*")


class WordIds:
    """The ids of words met before, by the rules of one backend as they were when this was made.

    Words are parted by the plain space, and no rule of spelling looks across one. What depends on the text around it
    (delimiters, other white space, special tokens) takes its whole text: there the answer is None.

    Args:
        backend: Its normalizer and model are asked.
        refuse_unknown: Whether a word with an unknown sign has None, too.
        steady: Whether its spelling is that of the whole table and no more, so that `STEADY` holds.
    """

    def __init__(self, backend: Tokenizer, refuse_unknown: bool, steady: bool) -> None:
        self._normalizer = backend.normalizer
        self._model = Tokenizer(backend.model)
        self._changeable = _has_more if steady else bool
        self._boundary: int = backend.token_to_id(WORD_BOUNDARY)  # type: ignore[assignment]
        self._refused = _UNK_ID if refuse_unknown else None
        # One object for each number: a million ids take no more memory than their places.
        self._numbers = list(range(backend.get_vocab_size()))
        self._known: dict[str, tuple[int, ...] | None] = {"": ()}

    def rows(self, texts: Sequence[str], add_special_tokens: bool) -> list[list[int] | None]:
        """For each text its ids; None if it cannot be put together from its words, or a word of it is refused."""
        rows: list[list[int] | None] = []
        for start in range(0, len(texts), _TOGETHER):
            some = texts[start : start + _TOGETHER]
            known = self._knowing(set(" ".join(some).split(" ")))
            rows += [_row(text, known, add_special_tokens) for text in some]
        return rows

    def _knowing(self, words: set[str]) -> dict[str, tuple[int, ...] | None]:
        if len(self._known) > _REMEMBERED:
            self._known = {"": ()}
        known = self._known
        new = words.difference(known)
        if new:
            known.update(self._learn([word for word in new if len(word) <= _LONGEST]))
        return known

    def _learn(self, words: list[str]) -> Iterable[tuple[str, tuple[int, ...] | None]]:
        """Each word with its ids and a word boundary's; none if it has no sound; None if it takes its whole text."""
        if _not_by_word.search("".join(words)):
            yield from ((word, None) for word in words if _not_by_word.search(word))
            words = [word for word in words if not _not_by_word.search(word)]
        changeable = list(filter(self._changeable, words))
        changed = dict(zip(changeable, self._normal_forms(changeable), strict=True))
        forms = [changed.get(word, word) for word in words]
        groups = [" ".join(forms[start : start + _ENCODED]) for start in range(0, len(forms), _ENCODED)]
        answers = chain.from_iterable(
            self._parted(encoding.ids) for encoding in self._model.encode_batch_fast(groups, add_special_tokens=False)
        )
        for word, ids in zip(words, answers, strict=True):
            yield word, None if self._refused in ids else ids

    def _parted(self, ids: Iterable[int]) -> Iterator[tuple[int, ...]]:
        """The ids of several words, each with the boundary behind it; none where there is a boundary only."""
        word: list[int] = []
        for number in chain(map(self._numbers.__getitem__, ids), (self._boundary,)):
            word.append(number)
            if number == self._boundary:
                yield tuple(word) if len(word) > 1 else ()
                word = []

    def _normal_forms(self, words: Sequence[str]) -> list[str]:
        """The words' normal forms, of many at once: each step of the normalizer has its price, however short a text."""
        form = self._normalizer.normalize_str(" ".join(words))
        forms = form.split(" ")
        if len(forms) == len(words):
            return forms
        if len(words) < 2:
            return [form] * len(words)
        # A word has no sound, and is gone.
        half = len(words) // 2
        return self._normal_forms(words[:half]) + self._normal_forms(words[half:])


def _has_more(word: str) -> bool:
    """Whether a word has signs that are not steady."""
    return _steady.fullmatch(word) is None


def _row(text: str, known: dict[str, tuple[int, ...] | None], add_special_tokens: bool) -> list[int] | None:
    row = [_BOS_ID] if add_special_tokens else []
    try:
        for ids in map(known.__getitem__, text.split(" ")):
            row += ids  # type: ignore[arg-type]
    except (KeyError, TypeError):  # too long to be remembered; or None, which cannot be added
        return None
    if not add_special_tokens:
        del row[-1:]  # the boundary behind the last word
    elif len(row) == 1:
        row.append(_EOS_ID)
    else:
        row[-1] = _EOS_ID
    return row


def by_word(added_tokens: Collection[str]) -> bool:
    """Whether texts may be taken apart into words where the tokenizer has such added tokens beside its segments."""
    return all("<" in token for token in added_tokens)
