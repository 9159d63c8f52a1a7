"""epitran's rules: words → IPA, without epitran's start-up.

epitran's tables are read by the code below, and epitran itself is not imported: an `Epitran` takes two to four
seconds, nearly all of which go to panphon's feature table, built three times over and not used for transcription.
The files and what they mean: https://github.com/dmort27/epitran#extending-epitran-with-map-files-preprocessors-postprocessors-and-strip-files

Other than epitran itself, this names the letters that no rule covers, where epitran leaves them in the IPA as they
are, and keeps the tone letters that some tables write (`Epitran(..., tones=True)`).
"""

import csv
import importlib.util
import re
import shutil
import unicodedata
from collections.abc import Callable
from functools import lru_cache
from pathlib import Path
from typing import Any

from .refusal import Refusal

_CODE = re.compile(r"[a-z]{3}-[A-Z][a-z]{3}(-\w+)?")
_RULE = re.compile(r"(\S+)\s*->\s*(\S+)\s*/\s*(\S*)\s*_\s*(\S*)")
_SYMBOL = re.compile(r"(::\w+::)\s*=\s*(.+)")
_HIRAGANA = {code: code - 0x60 for code in range(0x30A1, 0x30F7)}  # Unicode sets the kana out in the same order
_KATAKANA = {hiragana: katakana for katakana, hiragana in _HIRAGANA.items()}
_JOINERS = dict.fromkeys(map(ord, "\u200c\u200d"))  # they shape letters, and no map has them
# What these tables leave out because it is spelled as in the IPA; Yoruba's accents are tones.
_AS_SPELLED = {
    "got-Latn": "abdehijklmnoprstuwz",
    "hrv-Latn": "abdefgijklmnoprstuvz",
    "ltc-Latn-bax": "aeiouwjmnptk+",
    "nya-Latn": "aeiou",
    "yor-Latn": "\u0301\u0300\u0304",
}
_TURKIC_I = {ord("I"): "ı", ord("İ"): "i"}  # Python's lower case is that of other languages
_LETTERS: dict[str, dict[int, Any]] = {
    "aze-Latn": _TURKIC_I,
    "jpn-Hira": _HIRAGANA,
    "jpn-Kana": _KATAKANA,
    "tur-Latn": _TURKIC_I,
}


def _data() -> Path | None:
    # The spec is read off the file system: importing epitran takes a second.
    spec = importlib.util.find_spec("epitran")
    return None if spec is None or spec.origin is None else Path(spec.origin).parent / "data"


@lru_cache(maxsize=1)
def epitran_languages() -> frozenset[str]:
    """Languages whose rules come with epitran, named as it names them; English too where flite's lex_lookup is.

    Not the four that want a dictionary that epitran downloads (cmn-Hans, cmn-Hant, jpn-Jpan, yue-Hant).
    """
    data = _data()
    if data is None:
        return frozenset()
    codes = {path.stem for path in (data / "map").glob("*.csv") if _CODE.fullmatch(path.stem)}
    return frozenset(codes | {"eng-Latn"}) if shutil.which("lex_lookup") else frozenset(codes)


class EpitranEngine:
    """epitran's rules for one language.

    Raises:
        ImportError: If epitran is missing.
    """

    def __init__(self, language: str) -> None:
        data = _data()
        if data is None:
            raise ImportError("No module named 'epitran'")
        self._say = _english() if language == "eng-Latn" else _Rules(data, language).say

    @property
    def version(self) -> str:
        """epitran's version."""
        from importlib.metadata import version

        return f"epitran {version('epitran')}"

    def pronounce(self, words: list[str]) -> list[str | Refusal]:
        """For each word its IPA, or the letters that the rules do not cover."""
        return [self._say(word) for word in words]


def _english() -> Callable[[str], str | Refusal]:
    from epitran import Epitran

    english = Epitran("eng-Latn")

    def say(word: str) -> str | Refusal:
        if not re.fullmatch("[A-Za-z']+", word):
            return Refusal("flite's lex_lookup says letters from A to Z only")
        return english.transliterate(word)

    return say


class _Rules:
    """The tables of one language: strip → preprocess → map, longest spelling first → postprocess."""

    def __init__(self, data: Path, language: str) -> None:
        import regex

        self._stripped = dict.fromkeys(ord(sign) for (sign,) in _rows(data / "strip" / f"{language}.csv"))
        self._letters = _LETTERS.get(language[:8], {})
        header, *rows = _rows(data / "map" / f"{language}.csv")
        assert header == ["Orth", "Phon"], header
        self._map = {_nfd(spelled): _nfd(ipa) for spelled, ipa in rows}
        longest_first = sorted(self._map, key=len, reverse=True)
        self._spelled = regex.compile("|".join(map(regex.escape, longest_first)))
        # An apostrophe without a rule parts letters, and has no sound of its own.
        self._kept = frozenset("'" + _AS_SPELLED.get(language, ""))
        self._before = _rewriter(data / "pre" / f"{language}.txt")
        self._after = _rewriter(data / "post" / f"{language}.txt")

    def say(self, word: str) -> str | Refusal:
        """The word's IPA, or what of it is no spelling of the language."""
        letters = _jamo(_nfd(word.translate(self._letters).lower())).translate(self._stripped)
        ipa, unknown, position = [], [], 0
        spelled = self._before(letters).translate(_JOINERS)
        while position < len(spelled):
            match = self._spelled.match(spelled, position)
            if match:
                ipa.append(self._map[match.group()])
                position = match.end()
                continue
            sign = spelled[position]
            # What the preprocessor wrote and the map does not change is IPA already.
            if sign in letters and sign not in self._kept:
                unknown.append(sign)
            ipa.append(sign)
            position += 1
        said = self._after("".join(ipa)).replace("'", "")
        if unknown:
            # The postprocessor may have dealt with it.
            left = [sign for sign in dict.fromkeys(unknown) if sign in _nfd(said)]
            if left:
                signs = ", ".join(repr(f"◌{sign}" if unicodedata.combining(sign) else sign) for sign in left)
                return Refusal(f"epitran has no rule for {signs}")
        return _nfc(said)


def _nfd(text: str) -> str:
    return unicodedata.normalize("NFD", text)


def _nfc(text: str) -> str:
    return unicodedata.normalize("NFC", text)


def _jamo(word: str) -> str:
    """Hangul as epitran's table spells it, by compatibility jamo: NFD has taken its syllables apart."""
    if not any("\u1100" <= sign <= "\u11ff" for sign in word):
        return word
    from jamo import j2hcj

    return j2hcj(word)


def _rows(file: Path) -> list[list[str]]:
    if not file.is_file():
        return []
    with file.open(encoding="utf-8", newline="") as opened:
        return list(csv.reader(opened))


def _rewriter(file: Path) -> Callable[[str], str]:
    """The rules of a pre- or postprocessor, one after the other: each rewrites all that the last one left."""
    if not file.is_file():
        return lambda text: text
    rules, symbols = [], dict[str, str]()
    for line in _nfd(file.read_text(encoding="utf-8")).splitlines():
        rule = line.strip()
        if not rule or rule.startswith("%"):
            continue
        symbol = _SYMBOL.match(rule)
        if symbol:
            symbols[symbol[1]] = symbol[2]
        else:
            rules.append(_rule(rule, symbols))

    def rewrite(text: str) -> str:
        for pattern, replace in rules:
            text = pattern.sub(replace, text)
        return text

    return rewrite


def _rule(line: str, symbols: dict[str, str]) -> tuple[Any, Callable[[Any], str]]:
    """`a -> b / X _ Y`, where `0` is nothing, `#` a word's border, and `sw1` and `sw2` in `a` change places."""
    import regex

    while name := re.search(r"::\w+::", line):
        line = line.replace(name[0], symbols[name[0]])
    parts = _RULE.match(line)
    if parts is None:
        raise ValueError(f"epitran's rule {line!r} cannot be read.")
    source, target = (part.replace("0", "") for part in parts.group(1, 2))
    before, after = parts[3].replace("#", "^"), parts[4].replace("#", "$")
    if re.search(r"\?P<sw1>.+\?P<sw2>", source):
        pattern = regex.compile(f"(?P<X>{before}){source}(?P<Y>{after})")
        return pattern, lambda match: "".join(match[group] or "" for group in ("X", "sw2", "sw1", "Y"))
    pattern = regex.compile(f"(?P<X>{before})(?P<a>{source})(?P<Y>{after})")
    return pattern, lambda match: f"{match['X'] or ''}{target}{match['Y'] or ''}"
