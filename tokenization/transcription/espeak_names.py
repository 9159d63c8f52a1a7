"""Which signs of a word a voice of espeak-ng has named instead of reading the word.

A sign that a voice has no rule for makes espeak-ng spell, the whole word or that sign alone: each is said by its name,
often in the voice of another language. `(en)ɪdʒˈɛktɪv(fr)` is U+02BC in French, `(en)dˈiː(mi)` is d in Māori. A whole
word in another voice, `(en)kˈʊk(fr)`, is none: some voices say foreign words so.
"""

import re
import unicodedata
from collections.abc import Callable, Iterator
from itertools import pairwise
from typing import NamedTuple

from ..phonemes.segments import TIE

_FLAG_OR_SPACE = re.compile(rf"(\([a-z{TIE}-]+\))| +")
_NOT_IN_NAMES = str.maketrans("", "", f"ˈˌ[{TIE}")
_ON_NOTHING = "ʰχ"  # what the voices of India say for the letter that a vowel sign alone lacks
_SHORTEST_NAME = 3  # signs; what is shorter is the sound of a mark
_LONG_NAME = 5  # signs; what is shorter may be the sound of a letter
_SPELLED = 4  # parts; a word of fewer may be read as several words


class _Part(NamedTuple):
    said: str
    foreign: bool


def named_signs(word: str, spoken: str, say: Callable[[str], str]) -> list[str]:
    """The signs for whose sake others were named, or else those that were; none as a rule."""
    if "(" not in spoken and " " not in spoken and f"ʰ{TIE}χ" not in spoken:
        return []
    parts = _parts(spoken)
    named = [sign for sign in dict.fromkeys(word) if _is_named(sign, parts, say)]
    named += [sign for sign in _with_marks(word) if not named and _is_named(sign, parts, say)]
    if not named:
        return [sign for sign in dict.fromkeys(word) if not word.isupper() and _is_spelled_for(sign, word, parts, say)]
    marks = [sign for sign in dict.fromkeys(word) if _is_mark(sign)]
    return [mark for mark in marks if len(_parts(say(word.replace(mark, "")))) == 1] or named


def _is_mark(sign: str) -> bool:
    """Whether it is no letter, but stands by one."""
    return not sign.isascii() and (unicodedata.category(sign) == "Lm" or not sign.isalnum())


def _is_spelled_for(sign: str, word: str, parts: list[_Part], say: Callable[[str], str]) -> bool:
    """Whether the word is spelled, or the sign named in it, though the voice reads it without the sign."""
    if sign.isascii() or sign.isdigit():
        return False
    rest = word.replace(sign, "")
    if len(parts) < 2 or len(rest) < 2 or len(_parts(say(rest))) != 1:
        return False
    name = _parts(say(sign))
    is_named = sum(len(part.said) for part in name) >= _LONG_NAME and _begins(name, parts)
    return len(parts) >= _SPELLED or is_named


def _with_marks(word: str) -> Iterator[str]:
    """Each letter with the mark on it: some voices have one name for both."""
    for letter, mark in pairwise(word):
        if unicodedata.category(mark) == "Mn" and letter.isalpha():
            yield letter + mark


def _is_named(sign: str, parts: list[_Part], say: Callable[[str], str]) -> bool:
    if sign in ".," or sign.isdigit():
        return False
    name = _parts(say(sign))
    foreign = [part for part in name if part.foreign]
    if foreign:
        return (len(parts) > 1 and _begins(foreign, parts)) or parts == name
    if len(sign) > 1 or (sign.isalpha() and unicodedata.category(sign) != "Lm"):
        return False  # the name of a letter without a mark may be its sound
    name_said = "".join(part.said for part in name)
    if len(name_said) < _SHORTEST_NAME or (len(parts) < 2 and not name_said.startswith(_ON_NOTHING)):
        return False
    return _begins(name, parts)


def _begins(name: list[_Part], parts: list[_Part]) -> bool:
    """Whether the name is among the parts; its last part may run on into the next sound."""
    *first, last = name
    for place in range(len(parts) - len(first)):
        until = place + len(first)
        if parts[place:until] == first and parts[until].said.startswith(last.said):
            return True
    return False


def _parts(spoken: str) -> list[_Part]:
    parts, foreign = [], False
    for piece in filter(None, _FLAG_OR_SPACE.split(spoken)):
        if piece.startswith("("):
            foreign = not foreign
        elif said := piece.translate(_NOT_IN_NAMES):
            parts.append(_Part(said, foreign))
    return parts
