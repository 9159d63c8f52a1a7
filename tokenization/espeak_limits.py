"""How long a word espeak-ng can say, and whether it has said all of one.

espeak-ng 1.52 keeps a word in 160 bytes and its sound in 200 phonemes (N_WORD_BYTES and N_WORD_PHONEMES in
https://github.com/espeak-ng/espeak-ng/blob/1.52.0/src/libespeak-ng/translate.h). A prefix or an ending that is stacked
beyond that ends the process (https://github.com/espeak-ng/espeak-ng/pull/2495), any other sound beyond it is left out
without a word. The shortest words found that end the process, among 900,000 of all its voices, have 101 letters, in
German and Irish, and 136, in English and French.
"""

import re
from collections.abc import Callable

from .refusal import Refusal
from .segments import TIE

LONGEST = 85
"""Letters of the longest word that espeak-ng is asked for."""
LONGEST_BYTES = 130
"""Bytes of UTF-8 of the longest word that espeak-ng is asked for."""

_NEVER_TOO_LONG = LONGEST_BYTES // 4  # letters, whatever they are
# What was cut had 90 signs of IPA at least, stress marks among them, or 27 prefixes.
_MAYBE_CUT_SIGNS, _MAYBE_CUT_LETTERS = 75, 40
_LONGEST_NUMBER = 32  # digits; a longer one shares the 200 phonemes among all its digits
# What is said once more: a group of digits, a digit, or letters. A word with them is still shorter than those that
# end the process.
_ENDS = tuple(map(re.compile, (r"[.,]\d{3}$", r"\d$", r".{1,10}$")))
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

    Sounds that find no room are left out, so a full answer hardly grows when the end of the word is said once more.
    """
    if len(spoken) < _MAYBE_CUT_SIGNS and len(word) < _MAYBE_CUT_LETTERS:
        return False
    if word.isdecimal() and len(word) <= _LONGEST_NUMBER:
        return False
    end = next(end[0] for pattern in _ENDS if (end := pattern.search(word)))
    return _sounds(say(word + end)) - _sounds(spoken) < _sounds(say(end)) * 2 / 3


def _sounds(spoken: str) -> int:
    return len(_NO_SOUND.sub("", spoken))
