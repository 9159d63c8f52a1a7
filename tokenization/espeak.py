"""espeak-ng, through phonemizer: words → IPA."""

import logging
import re
from typing import Any

from .segments import TIE

VOICES: dict[str, str] = {
    "afr-Latn": "af",
    "amh-Ethi": "am",
    "ara-Arab": "ar",
    "aze-Latn": "az",
    "bel-Cyrl": "be",
    "ben-Beng": "bn",
    "bos-Latn": "bs",
    "bul-Cyrl": "bg",
    "cat-Latn": "ca",
    "ces-Latn": "cs",
    "cym-Latn": "cy",
    "dan-Latn": "da",
    "deu-Latn": "de",
    "ell-Grek": "el",
    "eng-Latn": "en-us",
    "epo-Latn": "eo",
    "est-Latn": "et",
    "eus-Latn": "eu",
    "fas-Arab": "fa",
    "fin-Latn": "fi",
    "fra-Latn": "fr-fr",
    "gle-Latn": "ga",
    "heb-Hebr": "he",
    "hin-Deva": "hi",
    "hrv-Latn": "hr",
    "hun-Latn": "hu",
    "hye-Armn": "hy",
    "ind-Latn": "id",
    "isl-Latn": "is",
    "ita-Latn": "it",
    "kat-Geor": "ka",
    "kaz-Cyrl": "kk",
    "kor-Hang": "ko",
    "lat-Latn": "la",
    "lav-Latn": "lv",
    "lit-Latn": "lt",
    "mkd-Cyrl": "mk",
    "mlt-Latn": "mt",
    "msa-Latn": "ms",
    "nld-Latn": "nl",
    "nob-Latn": "nb",
    "npi-Deva": "ne",
    "pol-Latn": "pl",
    "por-Latn": "pt",
    "ron-Latn": "ro",
    "rus-Cyrl": "ru",
    "slk-Latn": "sk",
    "slv-Latn": "sl",
    "spa-Latn": "es",
    "sqi-Latn": "sq",
    "srp-Cyrl": "sr",
    "swa-Latn": "sw",
    "swe-Latn": "sv",
    "tam-Taml": "ta",
    "tel-Telu": "te",
    "tur-Latn": "tr",
    "ukr-Cyrl": "uk",
    "urd-Arab": "ur",
    "uzb-Latn": "uz",
}
"""Language and script → espeak-ng's voice. Not those that write tones in digits (Mandarin, Thai, Vietnamese)."""

_FLAG = re.compile(rf"\([a-z{TIE}-]+\)")  # where espeak changes to another language's voice and back
_NOT_AFFRICATE = re.compile(rf"(?<![pbtdʈɖcɟkɡqɢ]){TIE}|{TIE}(?![szʃʒɕʑʂʐfvɸβθðçʝxɣχʁɬɮ])")
_NOT_IPA = str.maketrans(
    {
        "-": None,  # separator
        "_": None,  # separator
        "^": None,  # Russian: palatality of a final consonant, of which nothing is left
        '"': None,  # Russian: palatality, of which nothing is left
        "1": None,  # Persian: the number of a phoneme's variant
        "`": "ʼ",  # Amharic: ejective
        "?": "ˀ",  # Danish: stød
        "#": "\u0325",  # Icelandic: voiceless
        "A": "a",  # Irish: the phoneme's name, for want of its sign
        "S": "ʃ",  # Uzbek: the phoneme's name, for want of its sign
    }
)


def to_ipa(spoken: str) -> str:
    """espeak-ng's notation → IPA.

    espeak-ng ties whatever it counts as one phoneme, diphthongs too: the tie stays where it joins an affricate. So
    "church" has `t͡ʃ`, and "courtship", with its seam, `tʃ`. What is not IPA goes, or is spelled as IPA spells it.
    """
    spoken = _NOT_AFFRICATE.sub("", _FLAG.sub("", spoken))
    return " ".join(spoken.translate(_NOT_IPA).split())


class EspeakEngine:
    """One espeak-ng voice. Make one per language and process: phonemizer copies the library for each, ~5 MB.

    Raises:
        ImportError: If phonemizer or the espeak-ng library is missing.
    """

    def __init__(self, language: str) -> None:
        from phonemizer.backend.espeak.espeak import EspeakBackend
        from phonemizer.backend.espeak.wrapper import EspeakWrapper
        from phonemizer.separator import Separator

        _use_bundled_library(EspeakWrapper)
        quiet = logging.getLogger(f"{__name__}.phonemizer")
        quiet.setLevel(logging.ERROR)
        # Words come without punctuation, and "3.5" must keep its point: so no sign counts as punctuation.
        self._backend: Any = EspeakBackend(
            VOICES[language],
            punctuation_marks="\x00",
            with_stress=True,
            tie=True,
            language_switch="keep-flags",
            logger=quiet,
        )
        self._separator = Separator(phone="", word=" ")

    @property
    def version(self) -> str:
        """espeak-ng's version and phonemizer's."""
        from importlib.metadata import version

        number = ".".join(map(str, self._backend.version()))
        return f"espeak-ng {number} (phonemizer {version('phonemizer')})"

    def pronounce(self, words: list[str]) -> list[str]:
        """One IPA string for each word, empty where espeak-ng says nothing."""
        spoken = self._backend.phonemize(words, separator=self._separator, strip=True)
        if len(spoken) != len(words):
            raise RuntimeError(f"espeak-ng answered {len(spoken)} transcriptions to {len(words)} words.")
        return [to_ipa(line) for line in spoken]


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
    if wrapper._ESPEAK_LIBRARY is None:
        wrapper.set_library(espeakng_loader.get_library_path())
        wrapper.set_data_path(espeakng_loader.get_data_path())
