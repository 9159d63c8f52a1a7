"""Text → the words to be pronounced, and what of a text is not pronounced.

What counts as a word is the same in every language and for every backend:

- A text is spelled in one way first: `normalising` says how, by language.
- White space parts words, and so do hyphens, dashes, slashes and all other punctuation: `well-known` is two words. An
  apostrophe inside a word stays (`don't`), and so do the point and the comma inside a number (`3.5`, `1,000`).
- Punctuation is not spoken. An abbreviation thus loses its point, and is read as the backend reads its letters: `Dr.`
  is the word `Dr`, `U.S.` the words `U` and `S`.
- Symbols (`%`, `&`, `€`, `+`) and emoji are not spoken either, but they stand for words: `unspoken` names them.
- An address, a hashtag or a handle is the words that its punctuation leaves: `https://a.org/b` is `https a org b`,
  `me@a.org` is `me a org`, and `#NoFilter` is the one word `NoFilter`.
- Digits stay in their word, and the backend says them or refuses them.
- A letter of another script than the language's makes its word unreadable: `unreadable_letters` names it.
"""

import re
import unicodedata
from collections.abc import Callable

from ..phonemes.cells import table

# ISO 15924 → how the Unicode names of its letters begin. Either kana may be mixed with the other; the backends that
# know one alone get it in that one.
_SCRIPT_NAMES: dict[str, tuple[str, ...]] = {
    "Hira": ("HIRAGANA", "KATAKANA"),
    "Kana": ("HIRAGANA", "KATAKANA"),
    "Latn": ("LATIN", "FULLWIDTH LATIN", "FEMININE ORDINAL", "MASCULINE ORDINAL", "MICRO"),
    **{
        script: (name,)
        for script, name in table(
            """
            Arab ARABIC      Armn ARMENIAN  Beng BENGALI  Cyrl CYRILLIC   Deva DEVANAGARI  Ethi ETHIOPIC
            Geor GEORGIAN    Goth GOTHIC    Grek GREEK    Gujr GUJARATI   Guru GURMUKHI    Hang HANGUL
            Hans CJK         Hant CJK       Hebr HEBREW   Khmr KHMER      Knda KANNADA     Laoo LAO
            Mlym MALAYALAM   Mymr MYANMAR   Orya ORIYA    Shaw SHAVIAN    Sinh SINHALA     Syrc SYRIAC
            Taml TAMIL       Telu TELUGU    Thai THAI
            """
        ).items()
    },
}

_KEPT = frozenset("'.,\u200c\u200d")  # apostrophe, and . , inside numbers; joiners shape Persian and Indic words
_DROPPED = frozenset("\u00ad\u200e\u200f\u2060\u20e3\ufeff")  # invisible inside a word, and the keycap around a digit
_HALF = "Cs"  # half of a surrogate pair: what is left of a sign that was decoded wrongly, and of no script
_SPOKEN_PUNCTUATION = frozenset("%‰‱&§¶٪")  # Unicode calls them punctuation, readers say a word


class _Separators(dict[int, int | str | None]):
    """For `str.translate`: letters, marks, digits stay, everything else becomes a space. Filled when asked."""

    def __missing__(self, code: int) -> int | str | None:
        sign = chr(code)
        if sign in "’＇":
            kept: int | str | None = "'"
        elif sign in _DROPPED or 0xFE00 <= code <= 0xFE0F:
            kept = None
        elif sign in _KEPT or unicodedata.category(sign)[0] in "LMN" or unicodedata.category(sign) == _HALF:
            kept = code
        else:
            kept = " "
        self[code] = kept
        return kept


_SEPARATORS = _Separators()
_NOT_IN_NUMBER = re.compile(r"(?<!\d)[.,]|[.,](?!\d)")


def split_words(text: str, normalise: Callable[[str], str] | None = None) -> list[str]:
    """The words of a text, in NFC or as `normalise` spells it, without punctuation, symbols and emoji."""
    if text.isascii() and text.isalpha():
        return [text]  # what follows would find the same, and most chunks of a text are like this
    text = normalise(text) if normalise else unicodedata.normalize("NFC", text)
    if text.isalpha():
        return [text]
    spaced = text.translate(_SEPARATORS)
    if "." in spaced or "," in spaced:
        spaced = _NOT_IN_NUMBER.sub(" ", spaced)
    words = (word.strip("'\u200c\u200d") for word in spaced.split())
    return [word for word in words if any(sign.isalnum() or unicodedata.category(sign) == _HALF for sign in word)]


def unspoken(text: str) -> list[str]:
    """The signs of a text that stand for words and are not pronounced, symbols and emoji; each once, in their order."""
    return [sign for sign in dict.fromkeys(text) if not sign.isalnum() and _is_symbol(sign)]


def _is_symbol(sign: str) -> bool:
    return unicodedata.category(sign)[0] == "S" or sign in _SPOKEN_PUNCTUATION


_READABLE: dict[str, set[str]] = {script: set() for script in _SCRIPT_NAMES}  # what was found to be of the script


def _is_written_in(sign: str, script: str) -> bool:
    if unicodedata.category(sign) == _HALF:
        return False
    if not sign.isalpha():
        return True  # digits and marks belong to no one script
    return unicodedata.name(sign, "").startswith((*_SCRIPT_NAMES[script], "MODIFIER LETTER"))


def unreadable_letters(word: str, script: str) -> list[str]:
    """The letters of the word that are not of the script (ISO 15924); an unlisted script accepts every letter."""
    readable = _READABLE.get(script)
    if readable is None or readable.issuperset(word):
        return []
    unreadable = [sign for sign in dict.fromkeys(word) if not _is_written_in(sign, script)]
    readable.update(set(word).difference(unreadable))
    return unreadable
