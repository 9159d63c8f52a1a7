"""What an engine answers where it cannot say a word."""

from typing import NamedTuple


class Refusal(NamedTuple):
    """Why a word, or a text, has no IPA: a clause to follow a colon."""

    reason: str
