"""Other notations → IPA: X-SAMPA, ARPAbet and Kirshenbaum's ASCII IPA. What the signs mean is in `notation_tables`."""

import difflib
import re
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING

from .notation_tables import (
    ARPABET_CONSONANTS,
    ARPABET_NUCLEI,
    ARPABET_UNSTRESSED,
    KIRSHENBAUM_BARE,
    KIRSHENBAUM_BREAKS,
    KIRSHENBAUM_CLASSES,
    KIRSHENBAUM_DIACRITICS,
    KIRSHENBAUM_IMPLIED,
    KIRSHENBAUM_MARKS,
    KIRSHENBAUM_SEGMENTS,
    KIRSHENBAUM_SYMBOLS,
    XSAMPA_BREAKS,
    XSAMPA_LETTERS,
    XSAMPA_MARKS,
    XSAMPA_TONES,
)
from .segments import SPECIAL_TOKENS, TIE, WORD_BOUNDARY

if TYPE_CHECKING:
    from ..tokenization_ipa import IPATokenizer

_NAMES = {"ipa": "IPA", "xsampa": "X-SAMPA", "arpabet": "ARPAbet", "kirshenbaum": "Kirshenbaum"}
NOTATIONS = tuple(_NAMES)
"""What `to_ipa` reads."""


class NotationError(ValueError):
    """A text that is not written in the notation it is said to be in.

    Attributes:
        symbol: The sign, or for ARPAbet the token, that cannot be converted; empty if the text is.
        position: Where it stands in the text, in code points from 0.
    """

    def __init__(self, message: str, symbol: str = "", position: int = 0) -> None:
        super().__init__(message)
        self.symbol = symbol
        self.position = position


def to_ipa(text: str, notation: str = "ipa") -> str:
    """A transcription in one of `NOTATIONS` → IPA in the tokenizer's normal form, so that no sign becomes `<unk>`.

    Slashes or brackets around the whole text are taken off; white space parts words. Nothing is tied that the notation
    does not tie: X-SAMPA's `t_S` is `t͡ʃ` and its `tS` is `tʃ`, as is Kirshenbaum's, which has no tie.

    - `"ipa"`: checked and put in normal form.
    - `"xsampa"`: Wells 1995. Where `_` could be read in two ways it begins a diacritic, as Wells has it: `N_m` is a
      laminal `ŋ̻`. `-` only parts signs (`t-S`) and leaves nothing.
    - `"arpabet"`: the CMU dictionary's phonemes and TIMIT's allophones, in either case. One space parts phonemes; `|`,
      a line break, or two or more spaces (as joining what g2p_en returns leaves them) part words. The stress mark
      stands before the stressed vowel, where espeak-ng puts it: `B AH1 T ER0` is `bˈʌtɚ`. A vowel without a digit
      has no stress; AH0 is `ə` and ER0 `ɚ`, because the CMU dictionary has no other sign for these.
    - `"kirshenbaum"`: E. Kirshenbaum's draft of 1992 and FAQ of 1993, with feature sets (`{vls,alv,stp}`) and
      diacritics in angle brackets (`t<h>`, `r<trl>`); `#` becomes a syllable break. Tone digits mean another tone in
      each language, and `+ = $ %` what each author likes: they are refused.

    In X-SAMPA and Kirshenbaum, a stress mark stays where it was written.

    Raises:
        ValueError: If there is no such notation.
        NotationError: If the text is empty, or has a sign that the notation lacks or that cannot stand there.
    """
    if notation not in _CONVERTERS:
        raise ValueError(f"There is no notation {notation!r}: choose one of {', '.join(map(repr, NOTATIONS))}.")
    if not isinstance(text, str):
        raise TypeError(f"to_ipa takes one str, not {type(text).__name__}.")
    start, end = _inside_delimiters(text)
    ipa = _tokenizer().normalize(_CONVERTERS[notation](text, start, end))
    if not ipa:
        raise NotationError(f"{text!r} has no sound in it: give a transcription in {_NAMES[notation]}.")
    return ipa


def _tokenizer() -> "IPATokenizer":
    from ..tokenization_ipa import default_tokenizer

    return default_tokenizer()


def _inside_delimiters(text: str) -> tuple[int, int]:
    """Where the transcription begins and ends in `/…/`, `[…]` or neither."""
    start, end = len(text) - len(text.lstrip()), len(text.rstrip())
    delimited = end - start > 1 and text[start] + text[end - 1] in ("//", "[]")
    return (start + 1, end - 1) if delimited else (start, end)


def _no_sign(notation: str, symbol: str, position: int, hint: str = "") -> NotationError:
    article = "an" if _NAMES[notation][0] in "AIX" else "a"
    return NotationError(
        f"{symbol!r} at position {position} is not {article} {_NAMES[notation]} sign.{hint}", symbol, position
    )


def _no_place(symbol: str, position: int, reason: str) -> NotationError:
    return NotationError(f"{symbol!r} at position {position} {reason}", symbol, position)


def _one_of(symbols: Iterable[str]) -> str:
    """A pattern for the longest of the symbols."""
    return "|".join(re.escape(symbol) for symbol in sorted(symbols, key=len, reverse=True))


# IPA


# The tokenizer would take a special token for itself, and cannot read half of a surrogate pair.
_NOT_FOR_TOKENIZER = re.compile(f"{_one_of(SPECIAL_TOKENS)}|[\ud800-\udfff]")


def _from_ipa(text: str, start: int, end: int) -> str:
    odd = _NOT_FOR_TOKENIZER.search(text, start, end)
    unknown = [] if odd else _tokenizer().unknown_symbols(text[start:end])
    if odd or unknown:
        symbol, position = (odd[0], odd.start()) if odd else (unknown[0].symbol, unknown[0].position + start)
        others = ", ".join(map(repr, NOTATIONS[1:]))
        raise _no_sign("ipa", symbol, position, f" If the text is in another notation, say so: {others}.")
    return text[start:end]


# X-SAMPA

# No sign begins with a backslash: what stands before one is part of a longer sign. So `t_r\` has the tie and `r\`.
_XSAMPA = re.compile(
    rf"(?P<space>\s+)"
    rf"|(?:(?P<letter>{_one_of(XSAMPA_LETTERS)})"
    rf"|(?P<mark>{_one_of(XSAMPA_MARKS)})"
    rf"|(?P<tone>{_one_of(XSAMPA_TONES)})"
    rf"|(?P<break>{_one_of(XSAMPA_BREAKS)})"
    rf"|(?P<number>_[1-6])"
    rf"|(?P<separator>-))(?!\\)"
    rf"|(?P<tie>_)(?={_one_of(XSAMPA_LETTERS)})"
)
_XSAMPA_ODD = re.compile(r"_?.\\?", re.DOTALL)
_XSAMPA_IPA = {**XSAMPA_LETTERS, **XSAMPA_MARKS, **XSAMPA_TONES, **XSAMPA_BREAKS, "_": TIE, "-": ""}
_XSAMPA_SIGNS = {ipa: sign for sign, ipa in reversed(_XSAMPA_IPA.items())}


def _from_xsampa(text: str, start: int, end: int) -> str:
    pieces: list[str] = []
    tones = ""  # held back until the marks and the length of their letter are written
    on_letter = False
    while start < end:
        match = _XSAMPA.match(text, start, end)
        if match is None:
            raise _xsampa_error(text, start, end)
        kind, sign = str(match.lastgroup), match[0]
        if kind == "number":
            raise _no_place(sign, start, "is a tone of one language only: write it with _T _H _M _L _B.")
        if kind in ("mark", "tone", "tie") and not on_letter:
            stress = ' Primary stress is written ".' if sign == "'" else ""
            raise _no_place(sign, start, f"stands behind no letter: X-SAMPA's diacritics follow theirs.{stress}")
        if kind == "mark":
            pieces.append(_XSAMPA_IPA[sign])
        elif kind == "tone":
            tones += _XSAMPA_IPA[sign]
        else:
            pieces += (tones, WORD_BOUNDARY if kind == "space" else _XSAMPA_IPA[sign])
            tones = ""
            on_letter = kind in ("letter", "tie")
        start = match.end()
    return "".join((*pieces, tones))


def _xsampa_error(text: str, start: int, end: int) -> NotationError:
    match = _XSAMPA_ODD.match(text, start, end)
    assert match is not None
    if match[0] == "_<":
        bases = " ".join(sign.removesuffix("_<") for sign in XSAMPA_LETTERS if sign.endswith("_<"))
        return _no_place("_<", start, f"makes implosives, and stands behind none of {bases}.")
    return _no_sign("xsampa", match[0], start, _instead(match[0], _XSAMPA_SIGNS))


# ARPAbet

_ARPABET = re.compile(r"(?P<boundary>\s*[|\n\r]\s*|\s{2,})|\s|(?P<token>[^\s|]+)")
_ARPABET_NAMES = (*ARPABET_NUCLEI, *ARPABET_CONSONANTS)
_STRESS = {"": "", "0": "", "1": "ˈ", "2": "ˌ"}


def _from_arpabet(text: str, start: int, end: int) -> str:
    pieces = []
    for match in _ARPABET.finditer(text, start, end):
        if match["boundary"]:
            pieces.append(WORD_BOUNDARY)
        elif match["token"]:
            pieces.append(_arpabet_phoneme(match["token"], match.start()))
    return "".join(pieces)


def _arpabet_phoneme(token: str, position: int) -> str:
    name, digit = (token[:-1], token[-1]) if token[-1] in "0123456789" else (token, "")
    name = name.upper() if name.isascii() else name
    if name in ARPABET_NUCLEI and digit in _STRESS:
        unstressed = ARPABET_UNSTRESSED.get(name) if digit == "0" else None
        return _STRESS[digit] + (unstressed or ARPABET_NUCLEI[name])
    if name in ARPABET_NUCLEI:
        raise _no_place(token, position, "has a stress that there is not: 0 is none, 1 primary, 2 secondary.")
    if name not in ARPABET_CONSONANTS:
        near = difflib.get_close_matches(name, _ARPABET_NAMES, n=2, cutoff=0.6)
        hint = f" Did you mean {' or '.join(near)}?" if near else ""
        raise _no_sign("arpabet", token, position, f"{hint} Phonemes are parted by spaces, words by |.")
    if digit:
        raise _no_place(token, position, f"has stress, but {name} is a consonant: only vowels have a digit.")
    return ARPABET_CONSONANTS[name]


# Kirshenbaum

_Features = frozenset[str]

_KIRSHENBAUM = re.compile(
    rf"(?P<space>\s+)|(?P<break>{_one_of(KIRSHENBAUM_BREAKS)})"
    rf"|(?P<symbol>{_one_of(KIRSHENBAUM_SYMBOLS)})|\{{(?P<features>[^{{}}]*)\}}"
    rf"|(?P<diacritic>{_one_of(KIRSHENBAUM_BARE)})|<(?P<diacritics>[^<>]*)>"
)
_SEGMENTS: dict[_Features, str] = {frozenset(features.split()): ipa for features, ipa in KIRSHENBAUM_SEGMENTS.items()}
_SYMBOLS = {symbol: frozenset(features.split()) for symbol, features in KIRSHENBAUM_SYMBOLS.items()}
_FEATURES = frozenset({"lat", "vwl", *KIRSHENBAUM_MARKS}).union(KIRSHENBAUM_IMPLIED, *KIRSHENBAUM_CLASSES)
_PLACES = next(names for names in KIRSHENBAUM_CLASSES if "alv" in names)
_MANNERS = next(names for names in KIRSHENBAUM_CLASSES if "stp" in names) | {"lat", "vwl"}
_VOICED = frozenset({"nas", "apr", "trl", "flp", "imp", "vwl"})
_KIRSHENBAUM_SIGNS = {
    **{_SEGMENTS[features]: symbol for symbol, features in _SYMBOLS.items()},
    **{ipa: sign for sign, ipa in KIRSHENBAUM_BREAKS.items()},
    "ː": ":",
    "ʰ": "<h>",
}


def _from_kirshenbaum(text: str, start: int, end: int) -> str:
    pieces: list[str] = []
    segment: _Features = frozenset()
    began = start
    while start < end:
        match = _KIRSHENBAUM.match(text, start, end)
        if match is None:
            raise _kirshenbaum_error(text[start], start)
        kind = str(match.lastgroup)
        if kind in ("diacritic", "diacritics"):
            if not segment:
                raise _no_place(match[0], start, "is a diacritic behind no segment: Kirshenbaum's follow theirs.")
            segment = _modified(segment, match[kind], match[0], start)
        else:
            pieces.append(_spelled(segment, text[began:start], began))
            began, segment = start, frozenset()
            if kind == "symbol":
                segment = _SYMBOLS[match[0]]
            elif kind == "features":
                segment = _feature_set(match["features"], match[0], start)
            else:
                pieces.append(WORD_BOUNDARY if kind == "space" else KIRSHENBAUM_BREAKS[match[0]])
        start = match.end()
    pieces.append(_spelled(segment, text[began:end], began))
    return "".join(pieces)


def _feature_set(names: str, source: str, position: int) -> _Features:
    features = frozenset(name.strip() for name in names.split(","))
    odd = sorted(features - _FEATURES)
    if odd:
        near = difflib.get_close_matches(odd[0], sorted(_FEATURES), n=3)
        hint = f" Did you mean {' or '.join(near)}?" if near else ""
        raise _no_place(source, position, f"has {odd[0]!r} in it, which is not one of Kirshenbaum's features.{hint}")
    return features


def _modified(segment: _Features, diacritics: str, source: str, position: int) -> _Features:
    """The segment with the features of one bare diacritic, or of those between angle brackets, in turn."""
    for item in map(str.strip, diacritics.split(",")):
        for sign in [item] if item in _FEATURES else list(item) or [""]:
            if sign in KIRSHENBAUM_DIACRITICS:
                on_vowel, on_consonant = KIRSHENBAUM_DIACRITICS[sign]
                feature = on_vowel if "vwl" in segment else on_consonant
                if sign == "`" and "vls" not in segment:
                    feature = "imp"
            elif sign in _FEATURES:
                feature = sign
            else:
                raise _no_place(source, position, f"has {sign!r} in it, which is no diacritic or feature.")
            if feature in ("clk", "imp") and not segment & {"stp", "lat"}:
                raise _no_place(source, position, "makes a click or an implosive, and stands behind no stop.")
            segment = _overridden(segment, feature)
    return segment


def _overridden(segment: _Features, feature: str) -> _Features:
    # These are written as marks, whatever the place: `s[` is a dental s, and no θ.
    if feature in KIRSHENBAUM_MARKS and feature not in ("vls", "vcd"):
        return segment | {feature}
    return segment.difference(*(names for names in KIRSHENBAUM_CLASSES if feature in names)) | {feature}


def _spelled(segment: _Features, source: str, position: int) -> str:
    if not segment:
        return ""
    ipa = _SEGMENTS.get(segment) or _letter(_completed(segment))
    if ipa is None:
        names = ",".join(sorted(segment))
        raise _no_place(source, position, f"is {{{names}}}, a segment for which the IPA has no letter.")
    return ipa


def _letter(features: _Features) -> str | None:
    """IPA for a set of features: its letter, or that of the set without one that a mark can stand for, and the mark."""
    if features in _SEGMENTS:
        return _SEGMENTS[features]
    mark = next((name for name in reversed(KIRSHENBAUM_MARKS) if name in features), None)
    if mark is None:
        return None
    rest = features - {mark}
    if mark == "vcd":
        rest |= {"vls"}  # a voiced click is its voiceless letter and the mark
    elif mark == "dnt" and not rest & _PLACES and "vwl" not in rest:
        rest |= {"alv"}
    letter = _letter(rest)
    return letter and letter + KIRSHENBAUM_MARKS[mark]


def _completed(features: _Features) -> _Features:
    """With what Appendix E leaves unsaid: ejectives are voiceless stops, clicks voiceless, sonorants voiced."""
    features -= KIRSHENBAUM_IMPLIED
    if "ejc" in features and not features & _MANNERS:
        features |= {"stp", "vls"}
    if "clk" in features and not features & {"vcd", "vls"}:
        features |= {"vls"}
    if features & _VOICED or ("lat" in features and not features & {"stp", "frc", "clk"}):
        features -= {"vcd"}
    return features


def _kirshenbaum_error(sign: str, position: int) -> NotationError:
    if sign in "123456789":
        return _no_place(sign, position, "is a tone of one language only: take it out, or write the text in IPA.")
    if sign in "+=$%":
        return _no_place(sign, position, "is left to each author by Kirshenbaum: write what you mean by it.")
    return _no_sign("kirshenbaum", sign, position, _instead(sign, _KIRSHENBAUM_SIGNS))


def _instead(symbol: str, signs: dict[str, str]) -> str:
    return f" For {symbol} write {signs[symbol]!r}." if symbol in signs else ""


_CONVERTERS: dict[str, Callable[[str, int, int], str]] = {
    "ipa": _from_ipa,
    "xsampa": _from_xsampa,
    "arpabet": _from_arpabet,
    "kirshenbaum": _from_kirshenbaum,
}
