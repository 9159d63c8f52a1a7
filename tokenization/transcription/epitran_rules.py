"""epitran's rules: words → IPA, without epitran's start-up.

epitran's tables are read by the code below, and epitran itself is not imported: an `Epitran` takes two to four
seconds, nearly all of which go to panphon's feature table, built three times over and not used for transcription.
The files and what they mean: https://github.com/dmort27/epitran#extending-epitran-with-map-files-preprocessors-postprocessors-and-strip-files

Other than epitran itself, this names the letters that no rule covers, where epitran leaves them in the IPA as they
are, and keeps the tone letters that some tables write (`Epitran(..., tones=True)`). What the tables say wrongly is
mended by `epitran_mends`.
"""

import csv
import importlib.util
import re
import shutil
import unicodedata
from collections.abc import Callable, Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any

from .epitran_mends import MENDS, Mend
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
_TOGETHER = 512  # words
_SEES_LINES = re.compile(r"\\[sW]")
_PRIVATE = 0xF0000  # signs that no word has: `split_words` leaves letters, marks and digits only
_ACCENT = "[\u0300-\u036f]"
_TURKIC_I = {ord("I"): "ı", ord("İ"): "i"}  # Python's lower case is that of other languages
_LETTERS: dict[str, dict[int, Any]] = {
    "aze-Latn": _TURKIC_I,
    "jpn-Hira": _HIRAGANA,
    "jpn-Kana": _KATAKANA,
    "kaz-Latn": _TURKIC_I,
    "mya-Mymr": {0x102B: "\u102c"},  # the tall aa is a shape of aa
    "tur-Latn": _TURKIC_I,
}
# Letters of the language's own alphabet that its table forgot, as the table reads their like.
_FORGOTTEN = {
    "fry-Latn": "ë=e ï=i ië=iə",  # the diaeresis parts vowels that would be one sound together
    "glg-Latn": "ú=u ü=u",  # the acute is stress, the diaeresis parts; the table has the other vowels with them
    "hau-Latn": "z=z",
    "jav-Latn": "é=e è=ɛ",  # what the plain e leaves open
    "kab-Latn": "ɛ=ʕ",
    # The acute, and on a the grave, is stress here; where it is vowel quality, the table has it (è, ò).
    "oci-Latn": "à=a é=e í=i ó=u ú=y ï=i ü=y",
    "tgk-Cyrl": "ӣ=i э=e ё=jɔ ю=ju я=jæ",  # the macron marks the i that ends a word
}
LEFT_OUT = {
    "khm-Khmr": "no vowel signs",
    "sag-Latn": "no vowels with tone marks",
    "urd-Arab": "none of ی, ک, ہ",
}
"""Tables that lack so much of their language that most words are refused, and what they lack."""


def _data() -> Path | None:
    # The spec is read off the file system: importing epitran takes a second.
    spec = importlib.util.find_spec("epitran")
    return None if spec is None or spec.origin is None else Path(spec.origin).parent / "data"


@lru_cache(maxsize=1)
def epitran_languages() -> frozenset[str]:
    """Languages whose rules come with epitran, named as it names them; English too where flite's lex_lookup is.

    Not the four that want a dictionary that epitran downloads (cmn-Hans, cmn-Hant, jpn-Jpan, yue-Hant), and not
    `LEFT_OUT`.
    """
    data = _data()
    if data is None:
        return frozenset()
    codes = {path.stem for path in (data / "map").glob("*.csv") if _CODE.fullmatch(path.stem)} - LEFT_OUT.keys()
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
        self._say_all = (
            _english() if language == "eng-Latn" else _Rules(data, language, MENDS.get(language, Mend())).say_all
        )

    @property
    def version(self) -> str:
        """epitran's version."""
        from importlib.metadata import version

        return f"epitran {version('epitran')}"

    def pronounce(self, words: list[str]) -> list[str | Refusal]:
        """For each word its IPA, or the letters that the rules do not cover."""
        return self._say_all(words)


def _english() -> Callable[[list[str]], list[str | Refusal]]:
    from epitran import Epitran

    english = Epitran("eng-Latn")

    def say(word: str) -> str | Refusal:
        if not re.fullmatch("[A-Za-z']+", word):
            return Refusal("flite's lex_lookup says letters from A to Z only")
        return english.transliterate(word)

    return lambda words: [say(word) for word in words]


class _Rules:
    """The tables of one language, mended: strip → preprocess → map, longest spelling first → postprocess."""

    def __init__(self, data: Path, language: str, mend: Mend) -> None:
        self._stripped = dict.fromkeys(ord(sign) for (sign,) in _rows(data / "strip" / f"{language}.csv"))
        self._letters = _LETTERS.get(language[:8], {})
        header, *rows = _rows(data / "map" / f"{language}.csv")
        assert header == ["Orth", "Phon"], header
        forgotten = _FORGOTTEN.get(language, "")
        added = [row.split("=") for row in f"{forgotten} {mend.rows}".split()]
        table = {_nfd(spelled): _nfd(ipa) for spelled, ipa in (*rows, *added)}
        for spelled in mend.dropped.split():
            table.pop(_nfd(spelled), None)
        self._spelled, self._signs = _map_steps(table, accents=bool(forgotten))
        # An apostrophe without a rule parts letters, and has no sound of its own.
        self._kept = frozenset("'" + _AS_SPELLED.get(language, ""))
        before, after = (data / part / f"{language}.txt" for part in ("pre", "post"))
        self._before = _rewriter(f"{mend.before}\n{_text(before)}")
        self._after = _rewriter(_mended(_text(after), mend))
        # Rules about white space would see the neighbouring word.
        apart = any(_SEES_LINES.search(_text(file)) for file in (before, after))
        self._together = 1 if apart else _TOGETHER

    def say_all(self, words: list[str]) -> list[str | Refusal]:
        """The IPA of each word, or what of it is no spelling of the language.

        The words are read as lines of one text, since each rule has its price, however short a text.
        """
        said: list[str | Refusal] = []
        for start in range(0, len(words), self._together):
            said += self._say_lines(words[start : start + self._together])
        return said

    def _say_lines(self, words: list[str]) -> list[str | Refusal]:
        letters, spelled = self._prepared("\n".join(words))
        marked = self._spelled(spelled)
        lines = _nfc(self._after(marked.translate(self._signs)).replace("'", "")).split("\n")
        # What the preprocessor wrote and the map does not change is IPA already.
        left = marked.translate(dict.fromkeys(self._signs)).split("\n")
        given = letters.split("\n")
        if len(words) > 1 and not len(words) == len(lines) == len(left) == len(given):
            # A rule of a new version took a line break for a letter.
            return [said for word in words for said in self._say_lines([word])]
        return [
            self._refusal(line, set(signs).intersection(its) - self._kept, signs) if signs else line
            for line, signs, its in zip(lines, left, given, strict=True)
        ]

    def _prepared(self, text: str) -> tuple[str, str]:
        """The text's letters, and what the preprocessor makes of them."""
        letters = _jamo(_nfd(text.translate(self._letters).lower())).translate(self._stripped)
        return letters, self._before(letters).translate(_JOINERS)

    @staticmethod
    def _refusal(said: str, unknown: set[str], order: str) -> str | Refusal:
        # The postprocessor may have dealt with it.
        left = [sign for sign in dict.fromkeys(order) if sign in unknown and sign in _nfd(said)]
        if not left:
            return said
        signs = ", ".join(repr(f"◌{sign}" if unicodedata.combining(sign) else sign) for sign in left)
        return Refusal(f"epitran has no rule for {signs}")


def _map_steps(table: Mapping[str, str], accents: bool) -> tuple[Callable[[str], str], dict[int, str]]:
    """A map in two steps, since `str.translate` is far faster than a pattern: what is spelled with several signs
    becomes one sign of private use, longest spelling first; and each sign becomes its IPA.

    With `accents`, no letter is read without the accent that follows it: there is no `ia` in `iá`.
    """
    import regex

    together = sorted((spelled for spelled in table if accents or len(spelled) > 1), key=len, reverse=True)
    private = {spelled: chr(_PRIVATE + index) for index, spelled in enumerate(together)}
    signs = {ord(private.get(spelled, spelled)): ipa for spelled, ipa in table.items()}
    if not together:
        return str, signs
    longest_first = "|".join(map(regex.escape, together))
    whole = f"(?:{longest_first})(?!{_ACCENT})|" if accents else ""
    pattern = regex.compile(whole + longest_first)
    return lambda text: pattern.sub(lambda match: private[match.group()], text), signs


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


def _text(file: Path) -> str:
    return file.read_text(encoding="utf-8") if file.is_file() else ""


def _mended(text: str, mend: Mend) -> str:
    """A postprocessor with its mends: symbols first, since rules may use them."""
    symbols, rules = list[str](), list[str]()
    for line in text.splitlines():
        symbol = _SYMBOL.match(line.strip())
        if symbol:
            more = mend.classes.get(symbol[1])
            symbols.append(f"{line}|{more}" if more else line)
        else:
            rules.append(mend.lines.get(line.strip(), line))
    return "\n".join((*symbols, mend.after, *rules))


def _rewriter(text: str) -> Callable[[str], str]:
    """The rules of a pre- or postprocessor, one after the other: each rewrites all that the last one left."""
    rules, symbols = [], dict[str, str]()
    for line in _nfd(text).splitlines():
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
    """`a -> b / X _ Y`, where `0` is nothing, `#` a word's border, and `sw1` and `sw2` in `a` change places.

    A word is a line here, so no pattern may look across a line break.
    """
    while name := re.search(r"::\w+::", line):
        line = line.replace(name[0], symbols[name[0]])
    parts = _RULE.match(line)
    if parts is None:
        raise ValueError(f"epitran's rule {line!r} cannot be read.")
    source, target = (part.replace("0", "") for part in parts.group(1, 2))
    before, after = parts[3].replace("#", "^"), parts[4].replace("#", "$")
    if re.search(r"\?P<sw1>.+\?P<sw2>", source):
        pattern = _by_line(f"(?P<X>{before}){source}(?P<Y>{after})")
        return pattern, lambda match: "".join(match[group] or "" for group in ("X", "sw2", "sw1", "Y"))
    pattern = _by_line(f"(?P<X>{before})(?P<a>{source})(?P<Y>{after})")
    return pattern, lambda match: f"{match['X'] or ''}{target}{match['Y'] or ''}"


def _by_line(pattern: str) -> Any:
    import regex

    return regex.compile(pattern.replace("[^", "[^\\n"), regex.MULTILINE)
