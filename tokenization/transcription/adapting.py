"""A word as one backend must be given it, and what of the word its answer lacks.

A voice of espeak-ng 1.52 or a table of epitran 1.35 may not know a letter as its language spells it, and know it in
another spelling: the rules below say which. Two things no spelling tells a voice, so its answer is mended: which
syllable a mark stresses, and the vowel of English words in Devanagari.
"""

import re
import unicodedata

from .normalising import Rewriter, Rule, is_named

_MARKS = "\u0300\u0301\u0302\u0304\u030f\u0311"
_CYRILLIC_VOWELS = "аеёиоуыэюяєіїъАЕЁИОУЫЭЮЯЄІЇЪ"
_LEARNERS = "stress and tone are marked in dictionaries and for learners"
_SWISS = "ß in capitals, and in Switzerland"


def _unmarked(letter: str, languages: str) -> Rule:
    marked = "".join(sign for mark in _MARKS if len(sign := unicodedata.normalize("NFC", letter + mark)) == 1)
    return Rule(marked, f"[{marked}]", letter, _LEARNERS, languages)


_EVERY_BACKEND: tuple[Rule, ...] = (
    *(_unmarked(letter, "rus ukr bel bul srp-Cyrl mkd") for letter in "еиуЕИУ"),
    Rule(_MARKS, f"(?<=[{_CYRILLIC_VOWELS}])[{_MARKS}]+", "", _LEARNERS, "Cyrl"),
    Rule("\u0a3c", "\u0a15\u0a3c", "\u0a15", "q of Persian words, said as k; no backend knows the dot there", "pan"),
    Rule("s", r"(?i:(stra|spa|gr[oöuü]|\b(?:fu|fü|sü)))ss(?!el|i)", r"\1ß", _SWISS, "deu"),
    Rule("S", r"(STRA|SPA|GR[OÖUÜ]|\b(?:FU|FÜ|SÜ))SS(?!EL|I)", r"\1ẞ", _SWISS, "deu"),
)

# The stems whose chs is /ks/, as in sechs, wachsen, Fuchs, Achse; elsewhere its s is a suffix, or begins a word.
_KS = (
    r"(?i)((?:se|w[aäuü]|f[uü]|(?<!f)lu|sä|bü|we|wi|dre|eide)(?=chs(?!am))"
    r"|(?:sa|fla|\bda|(?<![cfghks])la|\bo)(?=chs(?!t))|(?:\ba|dreha|dera|dei|wei)(?=chse))chs"
)
_EPITRAN: tuple[Rule, ...] = (
    Rule("cC", _KS, r"\1x", "the table reads x as /ks/", "deu"),
    Rule("cC", r"(?i)\bch(?=ef|anc|amp|auff|auss|arm|iff|ic\b)", "sch", "initial in French words", "deu"),
    Rule("cC", r"(?i)\bch(?=ip|at\b|att|eck|illen)", "tsch", "initial in English words", "deu"),
    Rule("cC", r"(?i)\bch(?=[aoulr])", "k", "initial before these, in Greek words", "deu"),
    Rule("nN", r"(?i)\b(ei|hi|a(?!ngst|ngel|nger|ngl)|u(?!ngar))n(?=g)", r"\1nn'", "of a prefix: no /ŋ/", "deu"),
    Rule("nN", r"(?i)ng(?=[aoäöü]|u(?!ng))", "ngg", "/ŋɡ/, as in Tango", "deu"),
    *(_unmarked(letter, "hrv srp-Latn slv") for letter in "aeiourAEIOUR"),
)
_ESPEAK: tuple[Rule, ...] = (
    *(
        Rule(digits, f"[{digits}]", str(value), "the voice counts in its language, but not by its digits", languages)
        for value in range(10)
        for digits, languages in [
            (f"{chr(0x660 + value)}{chr(0x6F0 + value)}", "urd snd uig"),
            (chr(0xDE6 + value), "sin"),
        ]
    ),
    *(
        Rule(str(value), str(value), chr(0x966 + value), "the voice counts in English by these", "npi")
        for value in range(10)
    ),
    Rule("'", "'", "", "the voice says the apostrophe's name", "dan kir"),
    Rule(
        "'",
        r"(?i)(?<!\b[ldmnst])'(?!(?:[mtsln]|[nl]s|hi|ho)\b)|(?<=\b[ldmnst])'(?![aeiouhyàèéíòóúïü])",
        "",
        "the voice says the accent's name in foreign words",
        "cat",
    ),
    Rule("ŉ", "ŉ", "'n", "the article, as the voice knows it", "afr"),
    Rule("\u09bc", "\u09af\u09bc", "\u09df", "the voice knows one sign, which NFC takes apart", "asm"),
    Rule("\u09bc", "\u09af\u09bc(?=[\u09be-\u09cc])", "\u09df", "so; its vowel sign would be lost", "ben"),
    Rule("\u09bc", "\u09a1\u09bc", "\u09dc", "so; its vowel sign would be lost", "ben bpy"),
    Rule("\u09bc", "\u09a2\u09bc", "\u09dd", "so; its vowel sign would be lost", "ben bpy"),
    Rule("\u09bc", "\u09a1\u09bc", "\u09f0", "sounds as ৰ", "asm"),
    Rule("\u09bc", "\u09a2\u09bc", "\u09f0\u09cd\u09b9", "sounds as ৰ, breathy", "asm"),
    *(
        Rule("\u09bc", f"(?<=[\u0985-\u09cc])\u09af\u09bc{sign}", vowel, "so; its vowel sign would be lost", "bpy")
        for sign, vowel in zip("\u09be\u09bf\u09c0\u09c1\u09c2\u09c7\u09cb", "আইঈউঊএও", strict=True)
    ),
    Rule("\u0b3c", "(?<=[\u0b15\u0b16\u0b17\u0b1c\u0b2b])\u0b3c", "", "so; and a vowel sign would be lost", "ori"),
    *(
        Rule("\u093c", f"\u091c\u093c{sign}", f"\u091c\u094d\u200c{vowel}", "z: ज alone is ɟ before these", "mar kok")
        for sign, vowel in zip("\u093f\u0940\u0947\u0948", "इईएऐ", strict=True)
    ),
    Rule("\u093c", "\u091c\u093c", "\u091c", "z, as ज is in Marathi", "mar kok"),
    Rule("\u0972", "\u0972", "\u090d", "the older letter of the same vowel", "hin mar npi kok"),
    Rule("\u0945", "(?<=[\u0915-\u0939])\u0945", "\u094d\u090d", "the voice takes the sign for a nasal", "npi"),
    Rule("cC", f"{_KS}(?=[aeiouyäöü])", r"\1ckß", "the voice says /xs/ in some of these", "deu"),
    Rule("cC", _KS, r"\1cks", "the voice says /xs/ in some of these", "deu"),
    Rule(
        "cC", r"(?i:(?<=[eiäöülrn])ch(?=s(?![cpaeiouyäöü])))", "ch'", "the voice says /ks/ in some that are none", "deu"
    ),
)
RULES: dict[str, tuple[Rule, ...]] = {
    "epitran": (*_EVERY_BACKEND, *_EPITRAN),
    "espeak": (*_EVERY_BACKEND, *_ESPEAK),
    "lexicon": (),
}
"""Backend → how words are respelled for it, after all of `normalising`."""

# Where espeak-ng is given no stress mark and puts the stress where it likes: the vowel letters, and what a vowel is
# with and without stress where that differs.
_RUSSIAN = {"а": "ɑa", "я": "ɑa", "о": "oʌ", "е": "ei", "э": "ɛɛ"}
_REDUCED = {"rus": _RUSSIAN, "bul": {"а": "aɐ", "я": "aɐ"}, "ukr": {}, "bel": {}}
_VOWEL_LETTERS = {"rus": "аеёиоуыэюя", "bul": "аеиоуъюя", "ukr": "аеиіоуюяєї", "bel": "аеёіоуыэюя"}
_VOWEL = re.compile("[aɑɐæʌoɔɵeɛəiɪɨyuʉʊ]")

_CANDRA = frozenset("\u090d\u0945\u0972")
_OPEN = re.compile("ɛ(?!ː)")

_KANA = dict(zip("AIUEON", "あいうえおん", strict=True))
_BEFORE_LENGTH = frozenset("あいうえおんぁぃぅぇぉアイウエオンァィゥェォー")
_TO_DEVANAGARI = {code: code - 0x180 for code in range(0x0A80, 0x0B00)}  # Unicode sets both scripts out alike
_WITH_DOT = {unicodedata.normalize("NFD", letter): letter for letter in map(chr, range(0x0958, 0x0960))}


class Adapter:
    """What lies between the words of a language and one backend."""

    def __init__(self, language: str, backend: str) -> None:
        self._respell = Rewriter(rule for rule in RULES.get(backend, ()) if rule.is_for(language))
        voice = language if backend == "espeak" else ""
        self._drawn_out = is_named(voice, "jpn")
        self._dotted = is_named(voice, "guj")
        self._stressed = voice[:3] if voice[:3] in _REDUCED else ""
        self._candra = is_named(voice, "hin mar npi kok")

    def spell(self, word: str) -> str:
        """The word as the backend must be given it."""
        if self._drawn_out and "ー" in word:
            return _with_vowels(word)
        if self._dotted and "\u0abc" in word:
            return _in_devanagari(word)
        return self._respell(word)

    def mend(self, word: str, ipa: str) -> str:
        """The answer to the word, with what the backend could not be told."""
        if self._candra and (count := sum(sign in _CANDRA for sign in word)):
            return _OPEN.sub("æ", ipa) if len(_OPEN.findall(ipa)) == count else ipa
        if self._stressed and not word.isalpha():
            return _with_stress(word, ipa, self._stressed)
        return ipa


def _with_vowels(word: str) -> str:
    """The length mark after a vowel that is long already, as that vowel: the voice would say the mark's name."""
    written: list[str] = []
    for sign in word:
        if sign == "ー" and written and written[-1] in _BEFORE_LENGTH:
            vowel = next((unicodedata.name(kana)[-1] for kana in reversed(written) if kana != "ー"), "")
            written.append(_KANA.get(vowel, sign))
        else:
            written.append(sign)
    return "".join(written)


def _in_devanagari(word: str) -> str:
    """A Gujarati word with a dotted letter, which espeak-ng says in Hindi's voice: Gujarati's has none of them."""
    word = word.translate(_TO_DEVANAGARI)
    for apart, composed in _WITH_DOT.items():
        word = word.replace(apart, composed)
    return word


def _with_stress(word: str, ipa: str, language: str) -> str:
    """The answer stressed on the vowel that the word marks; as it is where letters and sounds do not pair off."""
    vowels: list[str] = []
    marked = None
    for sign in word.lower():
        if sign in _VOWEL_LETTERS[language]:
            vowels.append(sign)
        elif sign == "\u0301" and vowels:
            marked = len(vowels) - 1
    before, _, _ = ipa.partition("ˈ")
    stressed = len(_VOWEL.findall(before))
    signs = list(ipa.replace("ˈ", "").replace("ˌ", ""))
    places = [place for place, sign in enumerate(signs) if _VOWEL.match(sign)]
    if marked is None or len(places) != len(vowels) or stressed in (marked, len(vowels)):
        return ipa
    for vowel, as_it_is_now in ((stressed, 1), (marked, 0)):
        place = places[vowel]
        signs[place] = _REDUCED[language].get(vowels[vowel], signs[place] * 2)[as_it_is_now]
    signs.insert(places[marked], "ˈ")
    return "".join(signs)
