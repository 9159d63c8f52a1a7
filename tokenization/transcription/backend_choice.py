"""Which backend of a language `"auto"` takes, and which for the words that the first refuses. What is installed decides
nothing here."""

import hashlib
from collections.abc import Collection
from typing import NamedTuple

from ..language_table import LANGUAGES


class Errors(NamedTuple):
    """Mean feature edit distance from a dictionary, per segment of it, over the words that both backends say."""

    epitran: float
    espeak: float


GAPS: dict[str, str] = {language: known.epitran_lacks for language, known in LANGUAGES.items() if known.epitran_lacks}
"""Language → what epitran's rules lack of it, so that they refuse many of its words and espeak-ng fewer."""

MEASURED: dict[str, Errors] = {
    language: Errors(float(known.epitran_error), float(known.espeak_error))
    for language, known in LANGUAGES.items()
    if known.epitran_error
}
"""Language → how far each backend is from Wiktionary's pronunciations."""

MARGIN = 0.01
"""A difference of two `Errors` that is not above this decides nothing: it is about what other words would change."""

_WITHOUT_FALLBACK = "eng"  # epitran's English is there only where flite is


def by_letters(language: str, known: Collection[str]) -> tuple[str, ...]:
    """The backends `"epitran"` and `"espeak"`, as far as `known`, by `GAPS` alone: epitran's tables first, because
    they come with the package, but not where they lack letters."""
    order = ("espeak", "epitran") if language in GAPS else ("epitran", "espeak")
    return tuple(backend for backend in order if backend in known)


def by_choice(language: str, known: Collection[str]) -> tuple[str, ...]:
    """The backends `"epitran"` and `"espeak"`, as far as `known`, the one that `"auto"` takes first.

    That is `by_letters`, but where the other one was measured to be nearer to a dictionary by more than `MARGIN`, the
    other.
    """
    order = by_letters(language, known)
    if len(order) > 1 and language in MEASURED:
        first, second = (getattr(MEASURED[language], backend) for backend in order)
        if is_worse(first, second):
            return order[::-1]
    return order


def is_worse(error: float, other: float) -> bool:
    """Whether an error is above another by more than `MARGIN`, both rounded as they stand in `MEASURED`."""
    return round(round(error, 3) - round(other, 3), 3) > MARGIN


def auto(language: str, known: Collection[str]) -> tuple[str, ...]:
    """What `"auto"` takes of the backends that a language has: one, and where there is one its fallback."""
    order = by_choice(language, known)
    return order[:1] if language.startswith(_WITHOUT_FALLBACK) else order


def digest() -> str:
    """Of all that decides what `auto` takes: where it is another one, what was made by `"auto"` has to be made anew."""
    decides = repr((sorted(GAPS), sorted(MEASURED.items()), MARGIN, _WITHOUT_FALLBACK))
    return hashlib.blake2b(decides.encode(), digest_size=8).hexdigest()
