"""The several ways in which a word is said: dialects, dictionaries and transcribers of its language."""

from collections.abc import Sequence
from functools import lru_cache

from ipaclip.tokenization import MissingBackendError, get_transcriber, languages

# Dialects that dictionaries write beside the one by which the language is named.
DIALECTS = {
    "eng-Latn": ("eng-Latn-gb",),
    "por-Latn": ("por-Latn-br",),
    "spa-Latn": ("spa-Latn-419",),
}
_INITIALISM = (2, 5)  # letters


@lru_cache(maxsize=256)
def _ways(language: str) -> tuple[tuple[str, str], ...]:
    """Language and backend of each way, the transcribers' own choice first."""
    known = languages()
    if language not in known:
        get_transcriber(language)  # says what is wrong
    others = [(language, backend) for backend in known[language]]
    dialects = [(dialect, "auto") for dialect in DIALECTS.get(language, ()) if dialect in known]
    return ((language, "auto"), *others[1:], *dialects)


def pronounce(words: Sequence[str], language: str, *, every: bool = True) -> list[tuple[str, ...] | str]:
    """For each word its pronunciations, each once, the transcriber's own choice first; or why it has none.

    Args:
        words: as they are spelled.
        language: ISO 639-3, a dash, ISO 15924.
        every: whether to ask every backend and dialect of the language that is installed, or the first choice only.

    Returns:
        A tuple of IPA strings, or a `str`: the reason why a word cannot be pronounced.

    Raises:
        UnknownLanguageError: If no backend has the language.
        MissingBackendError: If none that has it is installed.
    """
    found: list[dict[str, None]] = [{} for _ in words]
    reasons: list[str] = ["" for _ in words]
    missing: list[MissingBackendError] = []
    ways = _ways(language) if every else _ways(language)[:1]
    for code, backend in ways:
        try:
            answers = get_transcriber(code, backend).transcribe_each(list(words))
        except MissingBackendError as error:
            missing.append(error)
            continue
        for place, answer in enumerate(answers):
            if isinstance(answer, str):
                found[place][answer] = None
            else:
                reasons[place] = reasons[place] or str(answer)
    if len(missing) == len(ways):
        raise missing[0]
    return [tuple(said) or reason for said, reason in zip(found, reasons, strict=True)]


def letter_by_letter(words: Sequence[str], language: str) -> list[tuple[str, ...]]:
    """How initialisms (`"TNT"`) are said by their letters; nothing for other words."""
    some = [
        word for word in words if _INITIALISM[0] <= len(word) <= _INITIALISM[1] and word.isalpha() and word.isupper()
    ]
    if not some:
        return [()] * len(words)
    said = dict(zip(some, pronounce([" ".join(word) for word in some], language, every=False), strict=True))
    answers = [said.get(word, "") for word in words]
    return [answer if isinstance(answer, tuple) else () for answer in answers]
