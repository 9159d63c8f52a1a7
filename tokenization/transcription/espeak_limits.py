"""How long a word espeak-ng can say, and whether it has said all of one.

espeak-ng 1.52 keeps a word in 160 bytes and its sound in 200 phonemes (N_WORD_BYTES and N_WORD_PHONEMES in
https://github.com/espeak-ng/espeak-ng/blob/1.52.0/src/libespeak-ng/translate.h). A prefix or an ending that is stacked
beyond that ends the process (https://github.com/espeak-ng/espeak-ng/pull/2495), any other sound beyond it is left out
without a word. The shortest words found that end the process, among 900,000 of all its voices, have 101 letters, in
German and Irish, and 136, in English and French.
"""

import re
from collections.abc import Callable

from ..phonemes.segments import TIE
from .refusal import Refusal

LONGEST = 85
"""Letters of the longest word that espeak-ng is asked for."""
LONGEST_BYTES = 130
"""Bytes of UTF-8 of the longest word that espeak-ng is asked for."""

_NEVER_TOO_LONG = LONGEST_BYTES // 4  # letters, whatever they are
# What was cut had 90 signs of IPA at least, stress marks among them, or 27 prefixes; numbers had 33 digits, or 8 parted
# by points, or 14 behind one.
_MAYBE_CUT_SIGNS, _MAYBE_CUT_LETTERS = 75, 40
_LONGEST_NUMBER, _LONGEST_NUMBER_WITH_POINT, _MANY_POINTS = 32, 12, 3
_END, _END_OF_NUMBER = re.compile(".{1,10}$"), re.compile(r"[.,]\d{1,3}$|\d{1,3}$")
_A_DIGIT = 5  # sounds of a short one, which may find room where a long one found none
_NO_SOUND = re.compile(rf"\([a-z-]+\)|[ ˈˌː_]|{TIE}.")


def too_long(word: str) -> Refusal | None:
    """Why espeak-ng is not asked for the word; nothing if it is."""
    if len(word) <= _NEVER_TOO_LONG:
        return None
    size = len(word.encode())
    if len(word) <= LONGEST and size <= LONGEST_BYTES:
        return None
    most = f"{LONGEST} letters" if len(word) > LONGEST else f"{LONGEST_BYTES} bytes"
    return Refusal(f"it is too long for espeak-ng: {len(word)} letters, {size} bytes, of {most} at most")


def is_cut(word: str, spoken: str, say: Callable[[str], str]) -> bool:
    """Whether the answer is full, so that the end of the word may be missing.

    Sounds that find no room are left out, so a full answer hardly grows when the end of the word is said once more. Of
    a number, the end may be said in another way in longer company, so any growth will do.
    """
    if len(spoken) < _MAYBE_CUT_SIGNS and len(word) < _MAYBE_CUT_LETTERS:
        return False
    number = _END_OF_NUMBER.search(word)
    if number and not _may_be_cut_number(word, say):
        return False
    end = (number or _END.search(word))[0]  # type: ignore[index]
    grown, alone = _sounds(say(word + end)) - _sounds(spoken), _sounds(say(end.lstrip(".,")))
    return grown <= min(_A_DIGIT, alone / 3) if number else grown < alone * 2 / 3


def _may_be_cut_number(word: str, say: Callable[[str], str]) -> bool:
    for sign in ".,":
        if sign in word and say(f"1{sign}000") == say("1000"):  # its groups are said each in a word
            word = word.replace(sign, "")
    points = word.count(".") + word.count(",")
    longest = _LONGEST_NUMBER_WITH_POINT if points else _LONGEST_NUMBER
    return points >= _MANY_POINTS or sum(map(str.isdigit, word)) > longest or len(word) >= _MAYBE_CUT_LETTERS


def _sounds(spoken: str) -> int:
    return len(_NO_SOUND.sub("", spoken))
