"""Words and names with their sounds: what a spelled or spoken query may have meant."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .channel import Channel
    from .entries import Entry, read_entries
    from .lexicon import Lexicon
    from .matching import Match, NameMatcher, match
    from .readings import Edit, Part, Reading

__all__ = ["Channel", "Edit", "Entry", "Lexicon", "Match", "NameMatcher", "Part", "Reading", "match", "read_entries"]

_HOME = {
    "Channel": "channel",
    "Edit": "readings",
    "Entry": "entries",
    "Lexicon": "lexicon",
    "Match": "matching",
    "NameMatcher": "matching",
    "Part": "readings",
    "Reading": "readings",
    "match": "matching",
    "read_entries": "entries",
}


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f".{_HOME[name]}", __name__), name)


def __dir__() -> list[str]:
    return __all__
