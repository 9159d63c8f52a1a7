"""espeak-ng, through phonemizer: words → IPA."""

import os
import re
import threading
import unicodedata
from functools import cache
from os.path import commonprefix
from typing import Any

from ..phonemes.segments import TIE
from .espeak_limits import is_cut, too_long
from .espeak_names import named_signs
from .espeak_voices import TONES, VOICES
from .jyutping import jyutping_to_ipa
from .refusal import Refusal

_FLAG = re.compile(rf"\([a-z{TIE}-]+\)")  # where espeak changes to another language's voice and back
_NOT_AFFRICATE = re.compile(rf"(?<![pbtdʈɖcɟkɡqɢ]){TIE}|{TIE}(?![szʃʒɕʑʂʐfvɸβθðçʝxɣχʁɬɮ])")
_DOTTED = re.compile(r"([tdnszlr])\.")  # Kirshenbaum's retroflex, which espeak writes for want of an IPA sign
_RETROFLEX = dict(zip("tdnszlr", "ʈɖɳʂʐɭɽ", strict=True))
_NOT_IPA: dict[str, str | None] = {
    "-": None,  # separator
    "_": None,  # separator
    ".": None,  # Arabic: a vowel's variant
    "^": None,  # Russian: palatality of a final consonant, of which nothing is left
    '"': None,  # Russian, Māori: a vowel's variant
    "1": None,  # Persian: the number of a phoneme's variant
    ":": "ː",  # Kyrgyz, Scottish English: long
    "`": "ʼ",  # Amharic: ejective
    "?": "ˀ",  # Danish: stød
    "#": "\u0325",  # Icelandic: voiceless
    "A": "a",  # Irish: the phoneme's name, for want of its sign
    "S": "ʃ",  # Uzbek: the phoneme's name, for want of its sign
    "ᵝ": None,  # Japanese: compressed lips, for which the vocabulary has no sign
}
# The names of phonemes that espeak writes for want of a sign are Kirshenbaum's:
# https://github.com/espeak-ng/espeak-ng/blob/1.52.0/docs/phonemes.md
_NOT_IPA_OF_VOICE: dict[str, dict[str, str | None]] = {
    "et": {"^": "ʲ"},
    "ky": {"N": "ŋ", "X": "χ", "Z": "ʒ", "[": "\u032a"},
    "lb": {"X": "χ"},
    "lv": {"`": None},  # a vowel's variant
    "mk": {"^": "ʲ"},
    "om": {"?": "ʔ"},
    "pa": {"+": "˨"},  # the tone that a voiced aspirate has left, of low pitch (phsource/ph_punjabi)
    "vi": {"y": "ɨ"},
}


_NOBODYS_LETTERS = "\u1d0f\u2163\u2d00"  # of numbers that begin with 1 and 2, and in the alphabet of no voice
_TELLING = 3  # signs at least that such a name begins with
_SILENT = "ьъʻʼ"
_DOTS = frozenset("\u093c\u09bc\u0a3c\u0abc\u0b3c")  # below a letter, in the scripts of India: another consonant
_LETTERS = re.compile(f".[{''.join(_DOTS)}]?", re.DOTALL)


@cache
def _signs(voice: str) -> dict[int, str | None]:
    return str.maketrans({**_NOT_IPA, **_NOT_IPA_OF_VOICE.get(voice, {})})


def to_ipa(spoken: str, voice: str = "en-us") -> str:
    """A voice's notation → IPA.

    espeak-ng ties whatever it counts as one phoneme, diphthongs too: the tie stays where it joins an affricate. So
    "church" has `t͡ʃ`, and "courtship", with its seam, `tʃ`. What is not IPA goes, or is spelled as IPA spells it. The
    number of a tone becomes tone letters, at the end of its syllable.
    """
    spoken = _FLAG.sub("", spoken)
    if voice == "yue":
        return jyutping_to_ipa(spoken.replace(TIE, ""), TONES["yue"])
    spoken = _NOT_AFFRICATE.sub("", spoken)
    if voice == "vi":
        spoken = _vietnamese(spoken)
    if "." in spoken:
        spoken = _DOTTED.sub(lambda dotted: _RETROFLEX[dotted[1]], spoken)
    return " ".join(spoken.translate(_signs(voice)).split())


# espeak counts 3 among the signs of vowels, and writes its vowel for the tone of that number as well.
_VIETNAMESE_TONE = re.compile("([^1-6ɜ ]+)([1-6ɜ]?)([^1-6ɜ ]*)")
# A t that is not dental is the aspirated one (phsource/ph_vi); no syllable ends in c.
_VIETNAMESE_SIGNS = ((re.compile(rf"t(?![\u032a{TIE}])"), "tʰ"), (re.compile("c(?= |$)"), "k"))


def _vietnamese(spoken: str) -> str:
    for sign, ipa in _VIETNAMESE_SIGNS:
        spoken = sign.sub(ipa, spoken)
    tones = TONES["vi"]
    # The first tone has a number in the middle of a sentence only.
    return _VIETNAMESE_TONE.sub(lambda said: said[1] + said[3] + tones[said[2].replace("ɜ", "3") or "1"], spoken)


class _Library:
    """The espeak-ng library, loaded once a process: phonemizer copies it for each wrapper, ~5 MB that it never frees.

    It speaks in one voice at a time, so a lock is held from the choice of the voice to the last word.
    """

    def __init__(self) -> None:
        from phonemizer.backend.espeak.wrapper import EspeakWrapper

        _use_bundled_library(EspeakWrapper)
        self._wrapper: Any = EspeakWrapper()
        self._voice: str | None = None
        self.lock = threading.Lock()

    @property
    def version(self) -> str:
        return ".".join(map(str, self._wrapper.version))

    def say(self, voice: str, words: list[str]) -> list[str]:
        with self.lock:
            if voice != self._voice:
                self._voice = None
                self._wrapper.set_voice(voice)
                self._voice = voice
            return [self._say(word) for word in words]

    def _say(self, word: str) -> str:
        spoken: str = self._wrapper.text_to_phonemes(word, tie=True)
        if "." in word or "," in word:
            # espeak-ng 1.52 looks for the groups of a number beyond the end of its text, and finds there those of a
            # longer number that it has said before. A text as long, without digits, takes their place.
            self._wrapper.text_to_phonemes("a " * (len(word.encode()) // 2 + 2))
        return spoken


_library_lock = threading.Lock()
_loaded: list[_Library] = []


def _library() -> _Library:
    with _library_lock:
        if not _loaded:
            _loaded.append(_Library())
        return _loaded[0]


def renew_locks() -> None:
    """For a child after a fork: a lock that another thread held then would stay held for ever."""
    global _library_lock  # noqa: PLW0603
    _library_lock = threading.Lock()
    for library in _loaded:
        library.lock = threading.Lock()


class EspeakEngine:
    """One espeak-ng voice.

    Raises:
        ImportError: If phonemizer or the espeak-ng library is missing.
    """

    def __init__(self, language: str) -> None:
        self._voice = VOICES[language]
        self._library = _library()
        # What goes before the number by which the voice names a letter that it does not know.
        self._by_number = commonprefix(self._library.say(self._voice, list(_NOBODYS_LETTERS)))  # noqa: RUF071
        self._nameless: dict[str, bool] = {}

    @property
    def version(self) -> str:
        """espeak-ng's version and phonemizer's."""
        from importlib.metadata import version

        return f"espeak-ng {self._library.version} (phonemizer {version('phonemizer')})"

    def pronounce(self, words: list[str]) -> list[str | Refusal]:
        """For each word its IPA; or that espeak-ng says nothing, does not know which letter, or has no room for it."""
        refused = {word: why for word in words if (why := too_long(word))}
        answers = iter(self._library.say(self._voice, [word for word in words if word not in refused]))
        return [refused.get(word) or self._checked(word, next(answers)) for word in words]

    def _say(self, word: str) -> str:
        return self._library.say(self._voice, [word])[0]

    def _checked(self, word: str, spoken: str) -> str | Refusal:
        """espeak-ng drops a sign that it does not know, or spells the word out, and that sign by its name or number."""
        if is_cut(word, spoken, self._say):
            return Refusal(f"it is too long for espeak-ng, which would leave out its end: {len(word)} letters")
        unknown = named_signs(word, spoken, self._say)
        if not word.isascii() and not unknown:
            unknown = [sign for sign in dict.fromkeys(_LETTERS.findall(word)) if self._loses(sign, word, spoken)]
        if unknown:
            shown = (f"◌{sign}" if unicodedata.combining(sign[0]) else sign for sign in unknown)
            return Refusal(f"espeak-ng does not know {', '.join(map(repr, shown))}")
        return to_ipa(spoken, self._voice) or Refusal("espeak-ng says nothing for it")

    def _loses(self, letter: str, word: str, spoken: str) -> bool:
        if letter[-1] in _DOTS:
            return self._is_the_same_without(letter, word, spoken)
        if letter.isascii() or not letter.isalnum() or len(self._by_number) < _TELLING:
            return False
        if letter not in self._nameless:
            alone = self._say(letter)
            self._nameless[letter] = not alone or alone.startswith(self._by_number)
        # Some voices know letters in words that they cannot name alone; a letter with a mark may repeat its neighbour.
        if not self._nameless[letter] or self._by_number in spoken:
            return self._nameless[letter]
        may_be_silent = letter in _SILENT or unicodedata.decomposition(letter)
        return not may_be_silent and self._is_the_same_without(letter, word, spoken)

    def _is_the_same_without(self, letter: str, word: str, spoken: str) -> bool:
        rest = word.replace(letter, "")
        if self._say(rest) == spoken:
            return True
        return len(rest) == 1 and self._say(word + rest) == self._say(rest * 2)  # alone, it may be said by its name


def _use_bundled_library(wrapper: Any) -> None:
    """Point phonemizer at the library from the wheel, unless the user or the system has one."""
    try:
        import espeakng_loader
    except ImportError:
        try:
            wrapper.library()
        except RuntimeError as error:
            raise ImportError(str(error)) from error
        return
    if wrapper._ESPEAK_LIBRARY is None and "PHONEMIZER_ESPEAK_LIBRARY" not in os.environ:
        wrapper.set_library(espeakng_loader.get_library_path())
        wrapper.set_data_path(espeakng_loader.get_data_path())
