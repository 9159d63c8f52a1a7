"""Spelled words → IPA for a processor: the transcriber of a language, and what a checkpoint recorded of it."""

from functools import cache
from importlib.metadata import entry_points
from typing import Any

from transformers.utils import logging

logger = logging.get_logger(__name__)


@cache
def get_transcriber(language: str, backend: str | None, version: str | None) -> Any:
    """
    The transcriber of a language, made once per process: each new one costs time and memory. If it is of another
    version than the given one, that is said once.

    It comes through an entry point, so that a checkpoint's code runs without the package wherever IPA is given.

    Raises:
        `ImportError`: if there is no transcriber.
        `RuntimeError`: if there is none of the given backend.
    """
    for entry_point in entry_points(group="ipaclip.transcribers", name="default"):
        transcriber = entry_point.load()(language, backend or "auto")
        if backend is not None and transcriber.backend != backend.partition("+")[0]:
            raise RuntimeError(
                f"This checkpoint hears words as {backend!r} transcribes them, but for {language!r} there is only "
                f"{transcriber.backend!r} here: install {backend!r}, or pass `ipa` instead of `pronounce`."
            )
        if version is not None and transcriber.version != version:
            logger.warning(
                f"This checkpoint hears words of {language!r} as {version} transcribes them, and here they are "
                f"transcribed by {transcriber.version}: some may sound otherwise."
            )
        return transcriber
    raise ImportError(
        "To pronounce spelled words a transcriber is needed: `pip install ipaclip[espeak]`, or pass `ipa` instead of "
        "`pronounce`."
    )


def checked_record(transcribers: dict[str, dict[str, str]] | None) -> dict[str, dict[str, str]] | None:
    """
    What transcribed the words of each language, as it is.

    Raises:
        `ValueError`: if it names no backends.
    """
    for language, record in (transcribers or {}).items():
        if not isinstance(record, dict) or not isinstance(record.get("backend"), str):
            raise ValueError(
                f"transcribers[{language!r}] must be a dict with a 'backend', and if known a 'version', got {record!r}."
            )
        if not isinstance(record.get("fallback"), str | None):
            raise ValueError(f"transcribers[{language!r}]['fallback'] must name a backend, got {record['fallback']!r}.")
    return transcribers
