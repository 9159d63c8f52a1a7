"""Which backend of a language `"auto"` takes, and which for the words that the first refuses. What is installed decides
nothing here."""

import hashlib
from collections.abc import Collection
from typing import NamedTuple

GAPS: dict[str, str] = {
    "afr-Latn": "ë, ï",
    "ara-Arab": "أ, إ, ة, ى",
    "cat-Latn": "ç, í, ú",
    "ces-Latn": "w, q, ü",
    "cym-Latn": "ŵ, ŷ, k",
    "eng-Latn": "epitran's English takes a program of flite that pip cannot bring",
    "est-Latn": "c, w, y",
    "fas-Arab": "پ",
    "fin-Latn": "ž, é",
    "fra-Latn": "à, è, ê, ù",
    "gle-Latn": "k, w, y",
    "hrv-Latn": "q, w, x, y",
    "ita-Latn": "k, w, x, y",
    "kaz-Cyrl": "ь",
    "kir-Cyrl": "ь",
    "mlt-Latn": "c, y, à, è, ù",
    "nld-Latn": "c",
    "por-Latn": "í, ú",
    "swa-Latn": "c, q",
    "swe-Latn": "q, é",
    "tam-Taml": "ஃ",
    "tur-Latn": "q, w",
    "vie-Latn": "f, j, w, z; and the tone sắc, which it makes the level one",
}
"""Language → what epitran 1.35's rules lack of its words, names of foreign places and languages among them.

There they refuse 2% or more of the words of the Unicode CLDR and espeak-ng fewer, as
`benchmarks/language_coverage.py --every-backend` counts them.
"""


class Errors(NamedTuple):
    """Mean feature edit distance from a dictionary, per segment of it, over the words that both backends say."""

    epitran: float
    espeak: float


MEASURED: dict[str, Errors] = {
    "afr-Latn": Errors(0.359, 0.048),
    "ara-Arab": Errors(0.276, 0.113),
    "ben-Beng": Errors(0.136, 0.126),
    "ces-Latn": Errors(0.027, 0.014),
    "cym-Latn": Errors(0.094, 0.076),
    "deu-Latn": Errors(0.126, 0.107),
    "epo-Latn": Errors(0.015, 0.014),
    "est-Latn": Errors(0.064, 0.064),
    "fra-Latn": Errors(0.088, 0.013),
    "gle-Latn": Errors(0.109, 0.188),
    "hin-Deva": Errors(0.091, 0.063),
    "hun-Latn": Errors(0.026, 0.038),
    "ind-Latn": Errors(0.020, 0.019),
    "ita-Latn": Errors(0.071, 0.044),
    "jpn-Hira": Errors(0.024, 0.093),
    "jpn-Kana": Errors(0.026, 0.106),
    "kan-Knda": Errors(0.061, 0.044),
    "kat-Geor": Errors(0.011, 0.004),
    "kir-Cyrl": Errors(0.089, 0.101),
    "kmr-Latn": Errors(0.012, 0.027),
    "kor-Hang": Errors(0.052, 0.107),
    "lav-Latn": Errors(0.069, 0.043),
    "mal-Mlym": Errors(0.042, 0.075),
    "mar-Deva": Errors(0.085, 0.092),
    "mlt-Latn": Errors(0.102, 0.232),
    "msa-Latn": Errors(0.021, 0.024),
    "nld-Latn": Errors(0.065, 0.028),
    "pan-Guru": Errors(0.142, 0.187),
    "pol-Latn": Errors(0.013, 0.023),
    "ron-Latn": Errors(0.029, 0.025),
    "slv-Latn": Errors(0.061, 0.024),
    "spa-Latn": Errors(0.010, 0.017),
    "sqi-Latn": Errors(0.040, 0.065),
    "swe-Latn": Errors(0.082, 0.068),
    "tam-Taml": Errors(0.112, 0.144),
    "tel-Telu": Errors(0.097, 0.077),
    "tur-Latn": Errors(0.032, 0.037),
    "uig-Arab": Errors(0.046, 0.053),
    "ukr-Cyrl": Errors(0.071, 0.100),
    "vie-Latn": Errors(0.135, 0.134),
}
"""Language → how far each backend is from Wiktionary's pronunciations (WikiPron, https://github.com/CUNY-CL/wikipron),
on 200 words of each language. `benchmarks/g2p.py --words FILE --lines` measures it and prints these lines."""

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
