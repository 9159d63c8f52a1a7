"""Text as it is typed → text as every backend gets it: one table of rules, each with its reason and its languages.

What is one thing is written in one way before words are taken out of a text: compatibility letters, apostrophes,
joiners, marks without a sound, and the digits of one number. `words` says what a word is then, and `adapting` what a
single backend needs beyond that.
"""

import re
import unicodedata
from collections.abc import Iterable
from functools import lru_cache
from typing import NamedTuple


class Rule(NamedTuple):
    """Every match of `pattern` becomes `target`; without a target, what Unicode holds it compatible with (NFKC).

    `signs` is the inside of a character class: where a text has none of them, the rule has nothing to do. `languages`
    and `but_not` name scripts (`"Cyrl"`) and beginnings of languages (`"ukr"`); without any, all are meant.
    """

    signs: str
    pattern: str
    target: str | None
    reason: str
    languages: str = ""
    but_not: str = ""

    def is_for(self, language: str) -> bool:
        """Whether the rule is for the language, such as `"ukr-Cyrl"`."""
        return (not self.languages or is_named(language, self.languages)) and not is_named(language, self.but_not)


def is_named(language: str, names: str) -> bool:
    """Whether the script or the beginning of a language is among `names`, which spaces part."""
    return any(name == language[4:8] or language.startswith(name) for name in names.split())


class Rewriter:
    """Rules in their order, each over what the last one left; a text with none of their signs costs one look."""

    def __init__(self, rules: Iterable[Rule]) -> None:
        listed = list(rules)
        self._steps = [(re.compile(rule.pattern), rule.target) for rule in listed]
        self._touches = re.compile(f"[{''.join(rule.signs for rule in listed)}]").search if listed else None

    def __call__(self, text: str) -> str:
        """The text, rewritten."""
        if self._touches is None or not self._touches(text):
            return text
        for pattern, target in self._steps:
            text = pattern.sub(_compatible if target is None else target, text)
        return text


def _compatible(match: re.Match[str]) -> str:
    return unicodedata.normalize("NFKC", match[0])


_LETTER = r"[^\W\d_]"
# https://www.unicode.org/reports/tr44/#Character_Decomposition_Mappings. Not among them: letters of an alphabet (Thai
# and Lao ำ ຳ ໜ, Armenian և, Korean ㄱ), and what voices read as it is (ª º ² ½).
_COMPATIBILITY = (
    "ĲĳſǄ-ǌǱ-ǳϐ-ϒϕϖϰ-ϲϴϵϹ₀-₉ℂℇℊ-ℓℕℙ-ℝℤℨℬℭℯ-ℱℳ-ℹℼ-ℿⅅ-ⅉⅠ-ⅿ①-⑳Ⓐ-ⓩゟヿ"
    "\ufb00-\ufb06\ufb13-\ufb17\ufb20-\ufb28\ufb4f\ufb50-\ufbb1\ufbd3-\ufd3d\ufd50-\ufdfb\ufe76-\ufefc"
    "０-９Ａ-Ｚａ-ｚｦ-ﾟﾡ-ￜ\U0001d400-\U0001d7ff\U0001ee00-\U0001eef1\U0001f130-\U0001f149"
)
_RAISED = "ᵃ-ᵿʰʲʳʷʸˡˢˣ"
_INVISIBLE = "\u034f\u061c\u180b-\u180f\u202a-\u202e\u2066-\u2069\ufe00-\ufe0f"
_POINTS = "\u0591-\u05bd\u05bf\u05c1\u05c2\u05c4\u05c5\u05c7"
_TWO_PARTS = "sara am in two parts, the tone between them or not: another way to type it"
_NASAL_FIRST = "the nasal sign typed before the sign of its vowel"

RULES: tuple[Rule, ...] = (
    Rule(_INVISIBLE, f"[{_INVISIBLE}]", "", "invisible: it sets a direction, or chooses a shape"),
    # The same letters in another shape.
    *(
        Rule(sign, f"{sign}(?=[a-zà-ž])", title, "a capital before small letters")
        for sign, title in zip("ǄǇǊǱ", "ǅǈǋǲ", strict=True)
    ),
    Rule("µ", "µ", "μ", "the micro sign for the letter", "Grek"),
    Rule(_COMPATIBILITY, f"[{_COMPATIBILITY}]+", None, "ligature, other width, mathematical letter, presentation form"),
    Rule(_RAISED, f"[{_RAISED}]+", None, "raised ending, as in 1ᵉʳ", "fra"),
    Rule("，．", r"(?<=\d)，(?=\d)", ",", "wide comma of a number"),
    Rule("，．", r"(?<=\d)．(?=\d)", ".", "wide point of a number"),
    Rule("·‧∙", "l[·‧∙](?=l)", "ŀ", "ela geminada, whose point parts no words", "cat"),
    Rule("·‧∙", "L[·‧∙](?=L)", "Ŀ", "ela geminada, whose point parts no words", "cat"),
    Rule("\u0e4d", "([\u0e48-\u0e4b]?)\u0e4d([\u0e48-\u0e4b]?)\u0e32", "\\1\\2\u0e33", _TWO_PARTS, "Thai"),
    Rule("\u0e40", "\u0e40\u0e40", "\u0e41", "ae typed as e twice", "Thai"),
    Rule("\u0ecd", "([\u0ec8-\u0ecb]?)\u0ecd([\u0ec8-\u0ecb]?)\u0eb2", "\\1\\2\u0eb3", _TWO_PARTS, "Laoo"),
    Rule("\u0ec0", "\u0ec0\u0ec0", "\u0ec1", "ae typed as e twice", "Laoo"),
    Rule("\u0945", "\u0905\u0945", "\u0972", "ॲ typed in two parts", "Deva"),
    Rule("\u0945\u0949", "\u0906\u0945|\u0905\u0949", "\u0911", "ऑ typed in two parts", "Deva"),
    Rule("\u0901", "\u0901([\u093e-\u094c])", "\\1\u0901", _NASAL_FIRST, "Deva"),
    Rule("\u0981", "\u0981([\u09be-\u09cc])", "\\1\u0981", _NASAL_FIRST, "Beng"),
    # Apostrophes. Where it is a letter (Ukrainian, Guaraní), the backends know it as U+0027 too.
    Rule("'’ʼŉ", r"(?<!\w)['’ʼ]n(?!\w)", "ŉ", "the article: an apostrophe that begins a word", "afr"),
    Rule("'’‘ʼʻ`´", "(?<=[oOgG])['’‘ʼʻ`´]", "ʻ", "part of the letters oʻ and gʻ", "uzb"),
    Rule("´", "(?<=[аеиоуыэюяєіїАЕИОУЫЭЮЯЄІЇ])´", "\u0301", "stress, typed beside its vowel", "Cyrl"),
    Rule('"*', f'(?<={_LETTER})["*](?=[яюєїеёЯЮЄЇЕЁ])', "'", "typed for the apostrophe", "ukr bel"),
    Rule("ʼ’＇", "[ʼ’＇]", "'", "the letter apostrophe, the printer's, the wide one"),
    Rule("‘‛ʹ′´`", f"(?<={_LETTER})[‘‛ʹ′´`](?={_LETTER})", "'", "typed for the apostrophe"),
    Rule("ꞌꞋ", "[ꞌꞋ]", "'", "saltillo: the voices know it as U+0027", "Latn", but_not="mto"),
    Rule("᾽᾿", f"(?<={_LETTER})[᾽᾿]", "'", "koronis: a vowel is left out", "Grek"),
    Rule("՚", f"(?<={_LETTER})՚", "'", "the Armenian apostrophe", "Armn"),
    Rule("׳", f"(?<={_LETTER})׳", "'", "geresh", "Hebr"),
    Rule('"״“”', '(?<=[א-ת])["״“”](?=[א-ת])', "", "gershayim: an abbreviation that is read as a word", "Hebr"),
    # Joiners. The old spelling of a chillu is consonant, virama, joiner.
    Rule("\u200d\u0d7b", "(?:\u0d28\u0d4d\u200d|\u0d7b\u0d4d)\u0d31", "\u0d28\u0d4d\u0d31", "joined n and ṟ", "Mlym"),
    *(
        Rule("\u200d", f"{letter}\u0d4d\u200d", chillu, "chillu as written before Unicode 5.1", "Mlym")
        for letter, chillu in zip("ണനരലളക", "ൺൻർൽൾൿ", strict=True)
    ),
    Rule("\u200d", "\u200d", "", "it chooses a shape: eyelash ra, ya-phala, ligatures of Sinhala"),
    Rule(
        "\u200c", "\u200c", "", "it chooses a shape; in Arabic letters it parts what a word is made of", but_not="Arab"
    ),
    # Marks without a sound of their own.
    Rule("\u0640", "\u0640", "", "tatweel stretches a word to the width of its line"),
    Rule(_POINTS, f"[{_POINTS}]+", "", "points: the voice reads words as spelled without", "Hebr"),
)
"""How a text is spelled for every backend. They see NFC, and leave it."""

# Where a number's groups are parted by spaces: the Unicode CLDR's number formats, https://cldr.unicode.org.
_SPACED = (
    "afr bak bel bul ces chv epo est fin fra hun hye hyw kat kaz kir lav lit ltg nno nob oci pol por-Latn rus slk smj "
    "sqi swe tat tuk ukr uzb"
)
_NO_BREAK = "\u00a0\u2005\u2006\u2007\u2008\u2009\u200a\u202f"
_START = r"(?<![\w.,'])\d{1,3}"
_GROUPS_IN_SPACES = re.compile(rf"{_START}([{_NO_BREAK}])\d{{3}}(?:\1\d{{3}})*(?!\d)")
_GROUPS_IN_PLAIN_SPACES = re.compile(rf"{_START}(?: \d{{3}})*? 0\d\d(?: \d{{3}})*(?!\d)")
_GROUPS = re.compile(
    rf"{_START}(?:(['_٬])\d{{3}}(?:\1\d{{3}})*(?!\1?\d)|,\d{{3}}(?:,\d{{3}})+(?!,?\d)|(?:,\d\d)+,\d{{3}}(?!,?\d))"
)
_DECIMAL = re.compile(r"(?<=\d)٫(?=\d)")
_SEPARATORS = dict.fromkeys(map(ord, f" {_NO_BREAK}'_٬,"))


def _one_number(groups: re.Match[str]) -> str:
    # What begins with 0 is no number, but that of a telephone.
    return groups[0].translate(_SEPARATORS) if unicodedata.digit(groups[0][0]) else groups[0]


class Normaliser:
    """What is done to each text of a language before it is taken apart into words."""

    def __init__(self, language: str) -> None:
        self._rewrite = Rewriter(rule for rule in RULES if rule.is_for(language))
        self._plain_spaces = is_named(language, _SPACED) and not language.startswith("por-Latn-br")

    def join_numbers(self, text: str) -> str:
        """The text with the digits of one number together where spaces part them.

        No-break and thin spaces do, between groups of three. A plain space does in languages that part groups by
        spaces, and where a group begins with 0, as no number does: `12 000` is one number, `12 345` are two.
        """
        if self._plain_spaces and " 0" in text:
            text = _GROUPS_IN_PLAIN_SPACES.sub(_one_number, text)
        if not text.isascii() and any(space in text for space in _NO_BREAK):
            text = _GROUPS_IN_SPACES.sub(_one_number, text)
        return text

    def __call__(self, text: str) -> str:
        """The text in NFC, spelled by `RULES`, the digits of one number together."""
        if not text.isascii() and not unicodedata.is_normalized("NFC", text):
            text = unicodedata.normalize("NFC", text)
        rewritten = self._rewrite(text)
        if rewritten is not text:
            text = unicodedata.normalize("NFC", rewritten)
        if text.isalpha():
            return text
        return _DECIMAL.sub(".", _GROUPS.sub(_one_number, text))


@lru_cache(maxsize=256)
def normaliser(language: str) -> Normaliser:
    """The normaliser of a language."""
    return Normaliser(language)
