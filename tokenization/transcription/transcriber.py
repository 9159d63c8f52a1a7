"""Text → IPA, by espeak-ng, epitran's rules, the CMU dictionary, or nothing where it is IPA already.

What counts as a word and what is not spoken is defined in `words`, how a text is spelled before that in `normalising`,
and what becomes of a word on its way to a backend and back in `adapting`.
"""

import difflib
import logging
import os
import re
import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import chain
from typing import Protocol

from ..phonemes.spelling import is_ipa, respell
from .adapting import Adapter
from .articles import settle_articles, spoken_article
from .backend_choice import auto, by_choice
from .dictionary import LEXICON_LANGUAGES, LexiconEngine
from .epitran_rules import LEFT_OUT, EpitranEngine, epitran_languages
from .espeak import EspeakEngine, renew_locks
from .espeak_voices import VOICES
from .normalising import normaliser
from .refusal import Refusal
from .words import split_words, unreadable_letters, unspoken

logger = logging.getLogger(__name__)

BACKENDS = ("espeak", "epitran", "lexicon", "ipa")
THEN = "+"  # between a backend and that for the words that it refuses
_INSTALL = {
    "espeak": "pip install 'ipaclip[espeak]'",
    "epitran": "pip install epitran",
    "lexicon": "pip install 'ipaclip[data]'",
}

_REMEMBERED = 65_536  # words, and chunks of text: ~30 MB if all are new
_TOGETHER = 1024  # texts


class TranscriptionError(ValueError):
    """A text, or a word of it, that cannot be pronounced."""


class UnknownLanguageError(ValueError):
    """A language that no backend, or not the one asked for, can pronounce."""


class MissingBackendError(ImportError):
    """The backend for a language is not installed."""


class _Engine(Protocol):
    @property
    def version(self) -> str: ...

    def pronounce(self, words: list[str]) -> list[str | Refusal]: ...


_ENGINES: dict[str, Callable[[str], _Engine]] = {
    "espeak": EspeakEngine,
    "epitran": EpitranEngine,
    "lexicon": LexiconEngine,
}


class _WithFallback:
    """The engine of two backends: what the first refuses, the second is asked for.

    Both are those that an explicit choice of them takes, so a backend has one engine for a language and process. The
    second is loaded when a word needs it; where it is not installed, the first one's refusal stands.
    """

    def __init__(self, language: str, first: str, second: str) -> None:
        self._language, self._second = language, second
        self._asked = _pronouncer(language, first)

    def _fallback(self) -> "_Pronouncer | None":
        try:
            return _pronouncer(self._language, self._second)
        except MissingBackendError:
            return None

    @property
    def version(self) -> str:
        second = self._fallback()
        instead = f"{self._second} (not installed)" if second is None else second.engine.version
        return f"{self._asked.engine.version}, else {instead}"

    def pronounce(self, words: list[str]) -> list[str | Refusal]:
        answers = self._asked.ask(words)
        places = [place for place, answer in enumerate(answers) if isinstance(answer, Refusal)]
        second = self._fallback() if places else None
        others = [None] * len(places) if second is None else second.ask([words[place] for place in places])
        for place, other in zip(places, others, strict=True):
            answers[place] = other if isinstance(other, str) else self._refusal(answers[place], other)
        return answers

    def _refusal(self, first: str | Refusal, second: Refusal | None) -> Refusal:
        assert isinstance(first, Refusal)
        if second is not None:
            return Refusal(f"{first.reason}; {second.reason}")
        return Refusal(
            f"{first.reason}; {self._second}, which might say it, is not installed: {_INSTALL[self._second]}"
        )


class _Memory(dict[str, str | Refusal]):
    """The answers given last: when there are `_REMEMBERED`, all are forgotten."""

    def put(self, key: str, answer: str | Refusal) -> None:
        if len(self) >= _REMEMBERED:
            self.clear()
        self[key] = answer


class _Pronouncer:
    """An engine behind a lock, with what it has said last.

    Texts are taken apart at white space only, and what a chunk (`"Dogs,"`) sounds like is remembered whole: known text
    is split, looked up and joined, and no sign of it is looked at.
    """

    def __init__(self, language: str, chain: str) -> None:
        first, _, second = chain.partition(THEN)
        self.engine: _Engine = _WithFallback(language, first, second) if second else _ENGINES[first](language)
        self.name = f"{language} by {first}" + (f" or {second}" if second else "")
        self.lock = threading.Lock()
        self._script = language.split("-")[1]
        self._normalise = normaliser(language)
        self._adapter = Adapter(language, chain)  # of a chain, each backend adapts its own
        self._has_article = language.startswith("eng-Latn")
        self._words, self._chunks = _Memory(), _Memory()
        self._reported: set[str] = set()

    def transcribe(self, texts: Sequence[str]) -> list[str | Refusal]:
        """For each text its IPA, or why it has none."""
        split = [self._normalise.join_numbers(text).split() for text in texts]
        if self._has_article:
            for chunks in split:
                settle_articles(chunks)
        with self.lock:
            said = self._say_chunks(dict.fromkeys(chain.from_iterable(split)))
        return [self._join(text, chunks, said) for text, chunks in zip(texts, split, strict=True)]

    def _join(self, text: str, chunks: list[str], said: dict[str, str | Refusal]) -> str | Refusal:
        try:
            ipa = " ".join(filter(None, [said[chunk] for chunk in chunks]))  # type: ignore[misc]
        except TypeError:  # a refusal among them: seldom, so it is not looked for
            return self._refuse(text)
        if not ipa:
            return Refusal(f"{_shown(text)} has nothing to pronounce: give it letters.")
        return ipa

    def _refuse(self, text: str) -> Refusal:
        with self.lock:
            said = self._say(split_words(self._normalise.join_numbers(text), self._normalise))
        refused = [f"{_shown(word)} ({answer.reason})" for word, answer in said.items() if isinstance(answer, Refusal)]
        where = "" if text.strip() in said else f" in {_shown(text)}"
        return Refusal(
            f"{', '.join(refused)}{where} cannot be pronounced in {self.name}: spell it in that language's script with "
            "numbers in words, or choose another language or backend."
        )

    def _say_chunks(self, chunks: Iterable[str]) -> dict[str, str | Refusal]:
        said, new = dict[str, str | Refusal](), dict[str, list[str]]()
        for chunk in chunks:
            answer = self._chunks.get(chunk)
            if answer is None:
                new[chunk] = split_words(chunk, self._normalise)
            else:
                said[chunk] = answer
        if new:
            self._report(map(self._normalise, new))
            words = self._say(chain.from_iterable(new.values()))
            for chunk, parts in new.items():
                answers = [words[word] for word in parts]
                if len(answers) == 1:
                    answer = (self._has_article and spoken_article(chunk)) or answers[0]
                else:
                    refused = next((answer for answer in answers if isinstance(answer, Refusal)), None)
                    answer = " ".join(map(str, answers)) if refused is None else refused
                said[chunk] = answer
                self._chunks.put(chunk, answer)
        return said

    def _say(self, words: Iterable[str]) -> dict[str, str | Refusal]:
        """Word → IPA or refusal; new words go to the engine in one call."""
        said, new = dict[str, str | Refusal](), list[str]()
        for word in dict.fromkeys(words):
            answer = self._words.get(word)
            if answer is None:
                foreign = unreadable_letters(word, self._script)
                if not foreign:
                    new.append(word)
                    continue
                letters = ", ".join(map(repr, foreign))
                answer = Refusal(f"{letters}: not of the script {self._script}")
                self._words.put(word, answer)
            said[word] = answer
        for word, answer in zip(new, self._answers(new), strict=True):
            said[word] = answer
            self._words.put(word, answer)
        return said

    def ask(self, words: list[str]) -> list[str | Refusal]:
        """What the engine says of words that are in the language's script; nothing is remembered."""
        with self.lock:
            return self._answers(words)

    def _answers(self, words: list[str]) -> list[str | Refusal]:
        if not words:
            return []
        answers = self.engine.pronounce([self._adapter.spell(word) for word in words])
        mended = [
            answer if isinstance(answer, Refusal) else self._adapter.mend(word, answer)
            for word, answer in zip(words, answers, strict=True)
        ]
        return _checked(mended)

    def _report(self, chunks: Iterable[str]) -> None:
        new = [sign for sign in unspoken("".join(chunks)) if sign not in self._reported]
        if new:
            self._reported.update(new)
            logger.warning(
                f"Not spoken in {self.name}: {' '.join(new)}. Symbols and emoji are left out; write them in words to "
                "have them said."
            )


def _checked(answers: list[str | Refusal]) -> list[str | Refusal]:
    """An engine's answers, those that are no IPA refused."""
    heard = [answer for answer in answers if isinstance(answer, str)]
    if all(heard) and is_ipa(" ".join(heard)):
        return answers
    return [_checked_word(answer) if isinstance(answer, str) else answer for answer in answers]


def _checked_word(ipa: str) -> str | Refusal:
    if not ipa:
        return Refusal("it has no sound")
    return ipa if is_ipa(ipa) else Refusal(f"the answer {ipa!r} is not all IPA")


def _shown(text: str) -> str:
    return repr(text if len(text) <= 80 else f"{text[:79]}…")


class _PassThrough:
    """IPA, checked and in the tokenizer's spelling."""

    def transcribe(self, texts: Sequence[str]) -> list[str | Refusal]:
        return [self._check(text) for text in texts]

    def _check(self, text: str) -> str | Refusal:
        if not is_ipa(text):
            from ..phonemes.distance import unknown_symbols

            signs = ", ".join(f"{unknown.symbol!r} at {unknown.position}" for unknown in unknown_symbols(text))
            return Refusal(f"{_shown(text)} is not all IPA: {signs}. Write IPA, or convert it with to_ipa first.")
        ipa = respell(text)
        if not any(map(_LETTER.match, ipa)):
            return Refusal(f"{_shown(text)} has nothing to pronounce: give it a consonant or a vowel.")
        return ipa


_LETTER = re.compile(r"[^\W\d_ˈˌːˑʼʰʷʲˠˤˀᶣⁿˡᶿˣ˞˭ꜜꜛ]")
_pass_through = _PassThrough()
_pronouncers: dict[tuple[str, str], _Pronouncer] = {}
_pronouncers_lock = threading.RLock()  # a pronouncer of two backends is made of two others


def _renew_locks() -> None:
    # A lock that another thread held at the fork would stay held in the child for ever.
    global _pronouncers_lock  # noqa: PLW0603
    _pronouncers_lock = threading.RLock()
    for pronouncer in _pronouncers.values():
        pronouncer.lock = threading.Lock()
    renew_locks()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_renew_locks)


def _pronouncer(language: str, chain: str) -> _Pronouncer:
    with _pronouncers_lock:
        if (language, chain) not in _pronouncers:
            try:
                _pronouncers[language, chain] = _Pronouncer(language, chain)
            except MissingBackendError:  # of the first of two backends, which says so itself
                raise
            except ImportError as error:
                raise MissingBackendError(
                    f"Pronouncing {language} takes the {chain} backend, which is not installed ({error}): "
                    f"{_INSTALL[chain]}"
                ) from error
        return _pronouncers[language, chain]


class Transcriber:
    """Spelled text → IPA in one language. Make it with `get_transcriber`.

    Words are transcribed one at a time and remembered, so a text costs little when its words are known, and a word
    sounds the same in every text. The price: nothing is heard across word borders (no liaison, no weak forms but that
    of the English "a"). espeak-ng's stress mark stands before the stressed vowel, not before its syllable.

    Punctuation is not spoken; symbols and emoji are not either, and each is named once in a warning. A word with a
    letter of another script, or one that the backend has no rule for, is an error: nothing is guessed. The rules are in
    the module `words`.

    Holds no engine, so it can be pickled and forked; threads may share it.

    Attributes:
        language: As epitran names it: ISO 639-3, a dash, ISO 15924.
        backend: `"espeak"`, `"epitran"`, `"lexicon"` or `"ipa"`.
        fallback: The backend that says the words that `backend` refuses; None if there is none. Where it is not
            installed, these words stay refused.
    """

    def __init__(self, language: str, backend: str, fallback: str | None = None) -> None:
        self.language = language
        self.backend = backend
        self.fallback = fallback

    def __repr__(self) -> str:
        fallback = f", fallback={self.fallback!r}" if self.fallback else ""
        return f"{type(self).__name__}(language={self.language!r}, backend={self.backend!r}{fallback})"

    @property
    def chain(self) -> str:
        """Backend and fallback as `get_transcriber` takes them: `"espeak"`, or `"espeak+epitran"`."""
        return THEN.join(filter(None, (self.backend, self.fallback)))

    @property
    def version(self) -> str:
        """The engine's name and version, e.g. `"espeak-ng 1.52.0 (phonemizer 3.4.0)"`; of `"ipa"`, that name only.

        With a fallback, both: `"epitran 1.35.3, else espeak-ng 1.52.0 (phonemizer 3.4.0)"`, or `"…, else espeak (not
        installed)"`.
        """
        return "ipa" if self.backend == "ipa" else _pronouncer(self.language, self.chain).engine.version

    @property
    def record(self) -> dict[str, str]:
        """What a checkpoint keeps of it: `"backend"`, `"version"` and, if there is one, `"fallback"`."""
        record = {"backend": self.backend, "version": self.version}
        return {**record, "fallback": self.fallback} if self.fallback else record

    def transcribe(self, texts: Sequence[str]) -> list[str]:
        """One IPA string for each text, its words parted by single spaces.

        Raises:
            TypeError: If `texts` is one string, or holds something that is not a string.
            TranscriptionError: If a text has nothing to pronounce, or a word that the backend cannot say.
            MissingBackendError: If the backend is not installed.
        """
        texts, said = _as_list(texts), []
        for index, answer in enumerate(self.transcribe_each(texts)):
            if isinstance(answer, TranscriptionError):
                raise TranscriptionError(f"texts[{index}]: {answer}") if len(texts) > 1 else answer
            said.append(answer)
        return said

    def transcribe_each(self, texts: Sequence[str]) -> list[str | TranscriptionError]:
        """As `transcribe`, but a text that cannot be said gets its error, and the others their IPA.

        Raises:
            TypeError: If `texts` is one string, or holds something that is not a string.
            MissingBackendError: If the backend is not installed.
        """
        texts = _as_list(texts)
        speaker = _pass_through if self.backend == "ipa" else _pronouncer(self.language, self.chain)
        answers: list[str | TranscriptionError] = []
        for start in range(0, len(texts), _TOGETHER):
            answers += [
                TranscriptionError(answer.reason) if isinstance(answer, Refusal) else answer
                for answer in speaker.transcribe(texts[start : start + _TOGETHER])
            ]
        return answers


def _as_list(texts: Sequence[str]) -> list[str]:
    if isinstance(texts, str):
        raise TypeError(f"transcribe takes a list of texts, not one str: write transcribe([{_shown(texts)}]).")
    if not isinstance(texts, Iterable) or isinstance(texts, Mapping):
        raise TypeError(f"transcribe takes a list of texts, not {type(texts).__name__}.")
    listed = list(texts)
    for index, text in enumerate(listed):
        if not isinstance(text, str):
            raise TypeError(f"Text {index} is of type {type(text).__name__}: transcribe takes a list of str.")
    return listed


def languages() -> dict[str, tuple[str, ...]]:
    """Language → the backends that can pronounce it, the one that `"auto"` takes first; sorted by name.

    Not `"ipa"`, which takes any language. What is listed need not be installed: only epitran's English is listed where
    the program that it runs is found, and it comes last.
    """
    rules = epitran_languages()
    found = {}
    for language in sorted(rules | VOICES.keys()):
        known = [name for name, has in (("epitran", rules), ("espeak", VOICES)) if language in has]
        backends = list(by_choice(language, known))
        if language in LEXICON_LANGUAGES:
            backends.insert(1, "lexicon")
        found[language] = tuple(backends)
    return found


def get_transcriber(language: str, backend: str = "auto") -> Transcriber:
    """A transcriber for a language; nothing heavy is loaded before it is first used.

    Args:
        language: ISO 639-3, a dash, ISO 15924, such as `"eng-Latn"`; `languages()` lists them.
        backend: `"espeak"`, `"epitran"`, `"lexicon"` (English by the CMU dictionary) or `"ipa"` (the texts are IPA
            already, in whatever language): that one alone. `"espeak+epitran"`, or other two: the second says the words
            that the first refuses. `"auto"`: the one that errs less on a dictionary's words, by more than 0.01 of a
            segment in each, where that was measured (`backend_choice.MEASURED`); else espeak where epitran's rules
            refuse 2% or more of the language's words in the Unicode CLDR and espeak fewer, and epitran elsewhere;
            English: espeak. Words that it refuses the other one says, but in English. What is installed does not
            change the choice.

    Raises:
        ValueError: If there is no such backend.
        UnknownLanguageError: If the backend, or with `"auto"` none, has the language.
    """
    asked = str(backend).split(THEN)
    if backend != "auto" and not _are_backends(asked):
        choices = ", ".join(map(repr, BACKENDS))
        raise ValueError(
            f"There is no transcription backend {backend!r}: choose one of 'auto', {choices}, or two of them, the "
            "second for the words that the first refuses, as 'espeak+epitran'."
        )
    if backend == "ipa":
        return Transcriber(language, backend)
    every = languages()
    for name in asked:
        known = [code for code, names in every.items() if name in ("auto", *names)]
        if language not in known:
            raise UnknownLanguageError(_unknown_language(language, name, known))
    return Transcriber(language, *(auto(language, every[language]) if backend == "auto" else asked))


def _are_backends(names: Sequence[str]) -> bool:
    if len(names) == 1:
        return names[0] in BACKENDS
    return len(set(names)) == len(names) == 2 and all(name in BACKENDS and name != "ipa" for name in names)


def _unknown_language(language: str, backend: str, known: list[str]) -> str:
    start = str(language)[:2].lower()
    near = difflib.get_close_matches(str(language), known, n=4) or [code for code in known if code.startswith(start)]
    hint = f" Did you mean {', '.join(near[:4])}?" if near else ""
    by = "any backend" if backend == "auto" else f"the {backend} backend"
    if language in LEFT_OUT and backend != "espeak":
        by += f" (epitran's table of it has {LEFT_OUT[language]}, and would refuse most words)"
    return (
        f"Language {language!r} is not known to {by}: name it by ISO 639-3, a dash and ISO 15924, "
        f"as in 'eng-Latn'.{hint}"
    )
