"""Text → the words to be pronounced, and whether a word is written in the script a language is read in."""

import re
import unicodedata
from functools import lru_cache

# ISO 15924 → how the Unicode names of its letters begin.
_SCRIPT_NAMES: dict[str, tuple[str, ...]] = {
    "Arab": ("ARABIC",),
    "Armn": ("ARMENIAN",),
    "Beng": ("BENGALI",),
    "Cyrl": ("CYRILLIC",),
    "Deva": ("DEVANAGARI",),
    "Ethi": ("ETHIOPIC",),
    "Geor": ("GEORGIAN",),
    "Goth": ("GOTHIC",),
    "Grek": ("GREEK",),
    "Gujr": ("GUJARATI",),
    "Guru": ("GURMUKHI",),
    "Hang": ("HANGUL",),
    "Hans": ("CJK",),
    "Hant": ("CJK",),
    "Hebr": ("HEBREW",),
    "Hira": ("HIRAGANA", "KATAKANA-HIRAGANA"),
    "Kana": ("KATAKANA",),
    "Khmr": ("KHMER",),
    "Knda": ("KANNADA",),
    "Laoo": ("LAO",),
    "Latn": ("LATIN", "FULLWIDTH LATIN", "FEMININE ORDINAL", "MASCULINE ORDINAL", "MODIFIER LETTER"),
    "Mlym": ("MALAYALAM",),
    "Mymr": ("MYANMAR",),
    "Orya": ("ORIYA",),
    "Sinh": ("SINHALA",),
    "Syrc": ("SYRIAC",),
    "Taml": ("TAMIL",),
    "Telu": ("TELUGU",),
    "Thai": ("THAI",),
}

_KEPT = frozenset("'.,\u200c\u200d")  # apostrophe, and . , inside numbers; joiners shape Persian and Indic words
_DROPPED = frozenset("\u00ad\u200e\u200f\u2060\ufeff")  # invisible inside a word


class _Separators(dict[int, int | str | None]):
    """For `str.translate`: letters, marks, digits stay, everything else becomes a space. Filled when asked."""

    def __missing__(self, code: int) -> int | str | None:
        sign = chr(code)
        if sign in "’＇":
            kept: int | str | None = "'"
        elif sign in _DROPPED or 0xFE00 <= code <= 0xFE0F:
            kept = None
        elif sign in _KEPT or unicodedata.category(sign)[0] in "LMN":
            kept = code
        else:
            kept = " "
        self[code] = kept
        return kept


_SEPARATORS = _Separators()
_NOT_IN_NUMBER = re.compile(r"(?<!\d)[.,]|[.,](?!\d)")


def split_words(text: str) -> list[str]:
    """The words of a text, in NFC, without punctuation, symbols and emoji.

    Hyphens and dashes part words, an apostrophe inside a word stays (`don't`), as do the point and comma inside a
    number (`3.5`).
    """
    spaced = unicodedata.normalize("NFC", text).translate(_SEPARATORS)
    if "." in spaced or "," in spaced:
        spaced = _NOT_IN_NUMBER.sub(" ", spaced)
    words = (word.strip("'\u200c\u200d") for word in spaced.split())
    return [word for word in words if any(sign.isalnum() for sign in word)]


@lru_cache(maxsize=65536)
def _is_written_in(sign: str, script: str) -> bool:
    if not sign.isalpha():
        return True  # digits and marks belong to no one script
    return unicodedata.name(sign, "").startswith(_SCRIPT_NAMES[script])


def is_readable(word: str, script: str) -> bool:
    """Whether every letter of the word is of the script (ISO 15924); an unlisted script accepts every letter."""
    return script not in _SCRIPT_NAMES or all(_is_written_in(sign, script) for sign in word)
