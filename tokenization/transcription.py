"""Text → IPA, word by word, by espeak-ng or epitran."""

import difflib
import os
import threading
from collections import OrderedDict
from collections.abc import Iterable, Sequence
from typing import Protocol

from .epitran_rules import EpitranEngine, epitran_languages
from .espeak import VOICES, EspeakEngine
from .spelling import is_ipa
from .words import is_readable, split_words

BACKENDS = ("espeak", "epitran")
_INSTALL = {"espeak": "pip install 'ipaclip[espeak]'", "epitran": "pip install epitran"}
_CACHED_WORDS = 200_000

# A word alone is said in full; in company the English article is weak.
_WEAK_FORMS = {"eng-Latn": {"a": "ə"}}


class TranscriptionError(ValueError):
    """A text, or a word of it, that cannot be pronounced."""


class UnknownLanguageError(ValueError):
    """A language that no backend, or not the one asked for, can pronounce."""


class MissingBackendError(ImportError):
    """The backend for a language is not installed."""


class _Engine(Protocol):
    @property
    def version(self) -> str: ...

    def pronounce(self, words: list[str]) -> list[str]: ...


class _Pronouncer:
    """An engine behind a lock, with the words it has said last (at most `_CACHED_WORDS`)."""

    def __init__(self, engine: _Engine) -> None:
        self.engine = engine
        self._lock = threading.Lock()
        self._said: OrderedDict[str, str | None] = OrderedDict()

    def pronounce(self, words: Iterable[str]) -> dict[str, str | None]:
        """Word → IPA, or None where the engine cannot say it; new words go to the engine in one call."""
        with self._lock:
            wanted = dict.fromkeys(words)
            new = [word for word in wanted if word not in self._said]
            for word in wanted:
                if word in self._said:
                    self._said.move_to_end(word)
            if new:
                for word, ipa in zip(new, self.engine.pronounce(new), strict=True):
                    self._said[word] = ipa if ipa and is_ipa(ipa) else None
            answer = {word: self._said[word] for word in wanted}
            while len(self._said) > _CACHED_WORDS:
                self._said.popitem(last=False)
            return answer


_pronouncers: dict[tuple[str, str], _Pronouncer] = {}
_pronouncers_lock = threading.Lock()


def _renew_locks() -> None:
    # A lock that another thread held at the fork would stay held in the child for ever.
    global _pronouncers_lock  # noqa: PLW0603
    _pronouncers_lock = threading.Lock()
    for pronouncer in _pronouncers.values():
        pronouncer._lock = threading.Lock()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_renew_locks)


def _pronouncer(language: str, backend: str) -> _Pronouncer:
    with _pronouncers_lock:
        if (language, backend) not in _pronouncers:
            try:
                engine: _Engine = EspeakEngine(language) if backend == "espeak" else EpitranEngine(language)
            except ImportError as error:
                raise MissingBackendError(
                    f"Pronouncing {language} takes the {backend} backend, which is not installed ({error}): "
                    f"{_INSTALL[backend]}"
                ) from error
            _pronouncers[language, backend] = _Pronouncer(engine)
        return _pronouncers[language, backend]


class Transcriber:
    """Spelled text → IPA in one language. Make it with `get_transcriber`.

    Words are transcribed one at a time and remembered, so a text costs little when its words are known, and a word
    sounds the same in every text. The price: nothing is heard across word borders (no liaison, no weak forms but that
    of the English "a"). espeak-ng's stress mark stands before the stressed vowel, not before its syllable. A letter
    that epitran has no rule for stays as it is, and fails only if it is no sign of the IPA.

    Holds no engine, so it can be pickled and forked; threads may share it.

    Attributes:
        language: As epitran names it: ISO 639-3, a dash, ISO 15924.
        backend: `"espeak"` or `"epitran"`.
    """

    def __init__(self, language: str, backend: str) -> None:
        self.language = language
        self.backend = backend

    def __repr__(self) -> str:
        return f"{type(self).__name__}(language={self.language!r}, backend={self.backend!r})"

    @property
    def version(self) -> str:
        """The engine's name and version, e.g. `"espeak-ng 1.52.0 (phonemizer 3.4.0)"`."""
        return _pronouncer(self.language, self.backend).engine.version

    def transcribe(self, texts: Sequence[str]) -> list[str]:
        """One IPA string for each text, its words parted by single spaces. Punctuation and emoji are dropped.

        Raises:
            TypeError: If `texts` is one string, or holds something that is not a string.
            TranscriptionError: If a text has nothing to pronounce, or a word that the backend cannot say.
            MissingBackendError: If the backend is not installed.
        """
        if isinstance(texts, str):
            raise TypeError(f"transcribe takes a list of texts, not one str: write transcribe([{texts!r}]).")
        spelled = [self._words(index, text) for index, text in enumerate(texts)]
        pronouncer = _pronouncer(self.language, self.backend)
        said = pronouncer.pronounce(word for words in spelled for word in words)
        return [self._join(index, words, said) for index, words in enumerate(spelled)]

    def _words(self, index: int, text: str) -> list[str]:
        if not isinstance(text, str):
            raise TypeError(f"Text {index} is of type {type(text).__name__}: transcribe takes a list of str.")
        words = split_words(text)
        if not words:
            raise TranscriptionError(f"Text {index}, {text!r}, has nothing to pronounce: give it letters.")
        script = self.language.split("-")[1]
        for word in words:
            if not is_readable(word, script):
                raise self._cannot_say(index, word)
        return words

    def _join(self, index: int, words: list[str], said: dict[str, str | None]) -> str:
        weak = _WEAK_FORMS.get(self.language, {}) if len(words) > 1 else {}
        sounds = []
        for place, word in enumerate(words):
            ipa = weak.get(word if place else word.lower()) or said[word]
            if ipa is None:
                raise self._cannot_say(index, word)
            sounds.append(ipa)
        return " ".join(sounds)

    def _cannot_say(self, index: int, word: str) -> TranscriptionError:
        return TranscriptionError(
            f"The word {word!r} in text {index} cannot be pronounced in {self.language} by {self.backend}: "
            "spell it in that language's script with numbers in words, or choose another language."
        )


def languages() -> dict[str, tuple[str, ...]]:
    """Language → the backends that can pronounce it, the one that `"auto"` takes first; sorted by name."""
    rules = epitran_languages()
    found = {}
    for language in sorted(rules | VOICES.keys()):
        backends = [name for name, known in (("epitran", rules), ("espeak", VOICES)) if language in known]
        # epitran's English wants a flite binary that pip cannot bring.
        found[language] = tuple(reversed(backends)) if language == "eng-Latn" else tuple(backends)
    return found


def get_transcriber(language: str, backend: str = "auto") -> Transcriber:
    """A transcriber for a language; nothing heavy is loaded before it is first used.

    Args:
        language: ISO 639-3, a dash, ISO 15924, such as `"eng-Latn"`; `languages()` lists them.
        backend: `"espeak"`, `"epitran"`, or `"auto"`: epitran where it has rules, else espeak; English: espeak.

    Raises:
        ValueError: If there is no such backend.
        UnknownLanguageError: If the backend, or with `"auto"` neither, has the language.
    """
    if backend not in ("auto", *BACKENDS):
        raise ValueError(f"There is no transcription backend {backend!r}: choose 'auto', 'espeak' or 'epitran'.")
    known = {code: names for code, names in languages().items() if backend in ("auto", *names)}
    if language not in known:
        raise UnknownLanguageError(_unknown_language(language, backend, list(known)))
    return Transcriber(language, known[language][0] if backend == "auto" else backend)


def _unknown_language(language: str, backend: str, known: list[str]) -> str:
    start = str(language)[:2].lower()
    near = difflib.get_close_matches(str(language), known, n=4) or [code for code in known if code.startswith(start)]
    hint = f" Did you mean {', '.join(near[:4])}?" if near else ""
    by = "any backend" if backend == "auto" else f"the {backend} backend"
    return (
        f"Language {language!r} is not known to {by}: name it by ISO 639-3, a dash and ISO 15924, "
        f"as in 'eng-Latn'.{hint}"
    )
