"""IPA in and out: the tokenizer, phoneme features, phonetic distance, and text → IPA.

Importing this package is light: each name brings what it needs when it is first used.
"""

# ruff: noqa: F401 -- what is imported for type checkers is __all__ by _MODULES

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .phonemes.distance import (
        inventory_of,
        nearest_phonemes,
        phoneme_distance,
        phoneme_sequence_distance,
        split_segments,
        unknown_symbols,
    )
    from .phonemes.features import FEATURE_SETS, feature_names, feature_weights, phoneme_feature_table
    from .phonemes.notations import NOTATIONS, NotationError, to_ipa
    from .phonemes.segments import composed_features, is_segment, is_vowel
    from .phonemes.spelling import Spelling, is_ipa, respell, spelling_table, tie_affricates
    from .tokenization_ipa import IPATokenizer, UnknownSymbol
    from .transcription.bulk import BulkError, BulkReport, transcribe_dataset, transcribe_file
    from .transcription.transcriber import (
        MissingBackendError,
        Transcriber,
        TranscriptionError,
        UnknownLanguageError,
        get_transcriber,
        languages,
    )

_MODULES = {
    "transcription.bulk": ("BulkError", "BulkReport", "transcribe_dataset", "transcribe_file"),
    "phonemes.features": ("FEATURE_SETS", "feature_names", "feature_weights", "phoneme_feature_table"),
    "phonemes.notations": ("NOTATIONS", "NotationError", "to_ipa"),
    "phonemes.distance": (
        "inventory_of",
        "nearest_phonemes",
        "phoneme_distance",
        "phoneme_sequence_distance",
        "split_segments",
        "unknown_symbols",
    ),
    "phonemes.segments": ("composed_features", "is_segment", "is_vowel"),
    "phonemes.spelling": ("Spelling", "is_ipa", "respell", "spelling_table", "tie_affricates"),
    "tokenization_ipa": ("IPATokenizer", "UnknownSymbol"),
    "transcription.transcriber": (
        "MissingBackendError",
        "Transcriber",
        "TranscriptionError",
        "UnknownLanguageError",
        "get_transcriber",
        "languages",
    ),
}
_HOME = {name: module for module, names in _MODULES.items() for name in names}
__all__ = sorted(_HOME)  # noqa: PLE0605


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f".{_HOME[name]}", __name__), name)


def __dir__() -> list[str]:
    return __all__
