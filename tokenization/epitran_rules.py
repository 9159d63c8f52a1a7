"""epitran: words → IPA by each language's spelling rules."""

import importlib.util
import re
import shutil
from functools import lru_cache
from pathlib import Path
from typing import Any

_CODE = re.compile(r"[a-z]{3}-[A-Z][a-z]{3}(-\w+)?")


@lru_cache(maxsize=1)
def epitran_languages() -> frozenset[str]:
    """Languages whose rules come with epitran, named as it names them; English too where flite is installed.

    Read off its files, because importing epitran takes seconds.
    """
    spec = importlib.util.find_spec("epitran")
    if spec is None or spec.origin is None:
        return frozenset()
    names = {path.stem for path in (Path(spec.origin).parent / "data" / "map").glob("*.csv")}
    codes = {name for name in names if _CODE.fullmatch(name)}
    return frozenset(codes | {"eng-Latn"}) if shutil.which("lex_lookup") else frozenset(codes)


class EpitranEngine:
    """epitran's rules for one language.

    Raises:
        ImportError: If epitran is missing.
    """

    def __init__(self, language: str) -> None:
        from epitran import Epitran

        self._epitran: Any = Epitran(language)

    @property
    def version(self) -> str:
        """epitran's version."""
        from importlib.metadata import version

        return f"epitran {version('epitran')}"

    def pronounce(self, words: list[str]) -> list[str]:
        """One IPA string for each word; a letter that the rules do not cover is left in it as it is."""
        return [self._epitran.transliterate(word).replace("'", "") for word in words]
