"""The one table of IPA spelling: what people and programs write, what the vocabulary writes, and why.

It comes in two parts. The rules of `SIGNS` run in order on NFD text, so a later rule sees what an earlier one wrote. A
source is literal unless `pattern` is set: then it is a regular expression, of the kind that Python and Oniguruma read
alike. Those of `MARKS` are looked up while the marks of each letter are put in order (`mark_order`). `normal_form`
makes one normalizer of all.

Withdrawn letters and other traditions are read as is usual; the place to look them up is Pullum and Ladusaw, *Phonetic
Symbol Guide*. What several traditions read in different ways (dots below, plain digits, `ǧ`) has no rule: it stays as
it is, and the tokenizer reports it.
"""

import re
import unicodedata
from collections.abc import Sequence
from functools import lru_cache
from typing import NamedTuple

from ..language_table import LANGUAGES
from .mark_order import LETTERS, MARK_ORDER, TONE_MARKS
from .segments import TIE, TONES, vocabulary


class Spelling(NamedTuple):
    """One rule: every `source` becomes `target`."""

    source: str
    target: str
    reason: str
    pattern: bool = False


INVISIBLE = (
    "[\u00ad\u034f\u061c\u180e\u200b-\u200f\u202a-\u202e\u2060-\u2064\u2066-\u206f\ufe00-\ufe0f\ufeff"
    "\U000e0100-\U000e01ef]"
)
_OTHER_SPACE = "[\t-\r\u0085\u00a0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000]"
NOT_BY_WORD = f"[/\\[\\]⟦⟧⫽<]|{_OTHER_SPACE}"
"""What makes the normal form of a word depend on the text around it: delimiters, white space but for the plain space,
and `<`, with which special tokens begin."""

_VOICED = "aeiouyæøœɐ-ɒɘ-ɞɤɨɪɯɵɶʉʊʌʏlmnrwjŋɥɫɭɰ-ɴɹ-ɾʀʋʎʟ"
_BELOW = "\u031d-\u0320\u0323-\u0325\u0329-\u0330\u0339-\u033c"


def _each(sources: str, targets: str, reason: str) -> tuple[Spelling, ...]:
    """One rule for each pair of words at the same place in the two lists."""
    return tuple(Spelling(s, t, reason) for s, t in zip(sources.split(), targets.split(), strict=True))


SIGNS: tuple[Spelling, ...] = (
    Spelling(INVISIBLE, "", "invisible in print", True),
    Spelling(_OTHER_SPACE, " ", "any white space is a word boundary", True),
    Spelling(" {2,}", " ", "any white space is one word boundary", True),
    Spelling(r"\A[ /\[⟦⫽]+", "", "delimiter: it tells phones from phonemes, and is no sound", True),
    Spelling(r"[/\]⟧⫽][ /\]⟧⫽]*\Z", "", "delimiter: it tells phones from phonemes, and is no sound", True),
    *(
        Spelling(
            f"(?:(?<=[{_VOICED}])|(?<=[{_VOICED}][{_BELOW}])){comma}",
            "ˀ",
            "comma above, Americanist: glottalization of vowels and sonorants, for they have no ejectives",
            True,
        )
        for comma in "\u0313\u0315"
    ),
    # Look-alikes: another code point, the same sign.
    Spelling("g", "ɡ", "IPA's letter is U+0261"),
    Spelling(":", "ː", "ASCII for the length mark"),
    Spelling("：", "ː", "full-width colon for the length mark"),
    Spelling("꞉", "ː", "modifier colon for the length mark"),
    Spelling("·", "ˑ", "raised dot for the half-length mark"),
    Spelling("'", "ˈ", "ASCII for primary stress"),
    Spelling("’", "ʼ", "typographic apostrophe for the ejective"),
    Spelling("ǝ", "ə", "turned e for schwa"),
    Spelling("ә", "ə", "Cyrillic schwa"),
    Spelling("ӕ", "æ", "Cyrillic ash"),
    Spelling("є", "ɛ", "Cyrillic ie, for open e"),
    Spelling("ε", "ɛ", "Greek epsilon"),
    Spelling("γ", "ɣ", "Greek gamma"),
    Spelling("φ", "ɸ", "Greek phi"),
    Spelling("ϕ", "ɸ", "Greek phi symbol"),
    Spelling("α", "ɑ", "Greek alpha"),
    Spelling("ϐ", "β", "Greek beta symbol"),
    Spelling("ꞵ", "β", "Latin beta: panphon writes the Greek letter"),
    Spelling("ϑ", "θ", "Greek theta symbol"),
    Spelling("ꭓ", "χ", "Latin chi: panphon writes the Greek letter"),
    Spelling("ᴧ", "ʌ", "small capital lambda for turned v"),
    Spelling("ᴜ", "ʊ", "small capital u"),
    Spelling("ˁ", "ˤ", "reversed glottal stop for the pharyngeal mark"),
    Spelling("ꞌ", "ʔ", "saltillo"),
    Spelling("↓", "ꜜ", "arrow for downstep"),
    Spelling("ꜝ", "ꜜ", "raised exclamation mark for downstep"),
    Spelling("↑", "ꜛ", "arrow for upstep"),
    *_each("꜒ ꜓ ꜔ ꜕ ꜖", "˥ ˦ ˧ ˨ ˩", "tone letter with its stem on the left, as for sandhi"),
    # The same mark in another place or shape.
    Spelling("\u035c", TIE, "the tie may stand below"),
    Spelling("⁀", TIE, "the tie may stand alone"),
    Spelling("\u0331", "\u0320", "macron below for the retracted mark"),
    Spelling("\u032b", "ʷ", "double arch for the labial mark"),
    Spelling("\u030a", "\u0325", "the voiceless ring may stand above a descender"),
    Spelling("\u030d", "\u0329", "the syllabic stroke may stand above a descender"),
    Spelling("\u0311", "\u032f", "the non-syllabic arch may stand above a descender"),
    *_each(
        "˖ ˗ ˔ ˕ ˳ ˬ ˷ ˒ ˓ ˺",
        "\u031f \u0320 \u031d \u031e \u0325 \u032c \u0330 \u0339 \u031c \u031a",
        "the mark may stand beside its letter",
    ),
    *_each("┐ ¬", "\u031a \u031a", "look-alike of the corner that marks no audible release"),
    # One code point for what IPA writes with two letters or with a mark.
    *_each("ʦ ʣ ʧ ʤ ʨ ʥ ꭧ ꭦ", "t͡s d͡z t͡ʃ d͡ʒ t͡ɕ d͡ʑ ʈ͡ʂ ɖ͡ʐ", "ligature"),
    *_each("ɚ ɝ", "ə˞ ɜ˞", "vowel with the rhotic hook"),
    *_each("ᵬ ᵭ ᵮ ᵯ ᵰ ᵱ ᵲ ᵳ ᵴ ᵵ ᵶ", "b̴ d̴ f̴ m̴ n̴ p̴ r̴ ɾ̴ s̴ t̴ z̴", "letter with the middle tilde"),
    *_each(
        "ᶀ ᶁ ᶂ ᶃ ᶄ ᶅ ᶆ ᶇ ᶈ ᶉ ᶊ ᶋ ᶌ ᶍ ᶎ ƫ ʆ ʓ \u0321",
        "bʲ dʲ fʲ ɡʲ kʲ lʲ mʲ nʲ pʲ rʲ sʲ ʃʲ vʲ xʲ zʲ tʲ ʃʲ ʒʲ ʲ",
        "palatal hook, withdrawn in 1989",
    ),
    *_each("ᶏ ᶐ ᶒ ᶓ ᶔ ᶕ ᶖ ᶗ ᶙ \u0322", "a˞ ɑ˞ e˞ ɛ˞ ɜ˞ ə˞ i˞ ɔ˞ u˞ ˞", "retroflex hook, withdrawn"),
    *_each("ᶘ ᶚ", "ʂ ʐ", "retroflex hook, withdrawn"),
    # Withdrawn by the IPA.
    *_each("ɩ ɷ", "ɪ ʊ", "withdrawn in 1989"),
    *_each("ʇ ʗ ʖ", "ǀ ǃ ǁ", "withdrawn in 1989"),
    *_each("ƥ ƭ ƈ ƙ ʠ", "ɓ\u0325 ɗ\u0325 ʄ\u0325 ɠ\u0325 ʛ\u0325", "voiceless implosive, withdrawn in 1993"),
    *_each("ƾ ƻ", "t͡s d͡z", "withdrawn before 1989"),
    *_each("ƪ ƺ", "ʃʷ ʒʷ", "labialized, withdrawn before 1989"),
    Spelling("ƞ", "n\u0329", "syllabic nasal, withdrawn before 1989"),
    Spelling("ɼ", "r\u031d", "fricative trill, withdrawn in 1989"),
    Spelling("ʚ", "ɞ", "another shape of the letter, in older charts"),
    # Sister alphabets.
    *_each("ƛ λ ¢ ł ƚ δ", "t͡ɬ d͡ɮ t͡s ɬ ɬ ð", "Americanist"),
    *_each("\u0328 ʸ \u0313 \u0315", "\u0303 ʲ ʼ ʼ", "Americanist"),
    *_each("ȵ ȶ ȡ ȴ", "ɲ\u031f c\u031f ɟ\u031f ʎ\u031f", "Sinological: alveolo-palatal"),
    *_each("ɿ ʅ ʮ ʯ", "z\u0329 ʐ\u0329 z\u0329ʷ ʐ\u0329ʷ", "Sinological: apical vowel"),
    *_each("ᴇ ᴀ", "e\u031e a\u0308", "Sinological"),
    *_each("ʾ ʿ", "ʔ ʕ", "Semitist"),
    Spelling("ʹ", "ʲ", "Slavicist"),
    Spelling("ʱ", "\u0324", "breathy release: panphon writes breathy voice"),
    # Approximations: panphon has no features for the sign, so the nearest one that has stands in.
    Spelling("ᵻ", "ɨ", "near-close central, to close central"),
    Spelling("ᵿ", "ʉ", "near-close central rounded, to close central rounded"),
    Spelling("ʜ", "ħ", "epiglottal, to pharyngeal"),
    Spelling("ʢ", "ʕ", "epiglottal, to pharyngeal"),
    Spelling("ʡ", "ʔ", "epiglottal stop, to glottal stop"),
    Spelling("ⱱ", "v", "labiodental flap, to labiodental fricative"),
    Spelling("ᶑ", "ɗ", "retroflex implosive, to alveolar implosive"),
    Spelling("ʪ", "ɬ", "lateral and grooved at once, to lateral"),
    Spelling("ʫ", "ɮ", "lateral and grooved at once, to lateral"),
    Spelling("ʩ", "ŋ\u0325", "velopharyngeal friction, to voiceless velar nasal"),
    Spelling("ꞎ", "ɬ", "retroflex lateral fricative, to alveolar"),
    Spelling("\U0001df05", "ɮ", "voiced retroflex lateral fricative, to alveolar"),
    Spelling("\U0001df06", "ʎ\u0325", "palatal lateral fricative, to voiceless approximant"),
    Spelling("\U0001df04", "ʟ\u0325", "velar lateral fricative, to voiceless approximant"),
    Spelling("\U0001df08", "ɺ", "retroflex lateral flap, to alveolar"),
    *_each("ᵐ ᵑ ᶮ ᶬ ᶯ ᶰ", "ⁿ ⁿ ⁿ ⁿ ⁿ ⁿ", "nasal on- or offset, of whatever place"),
    *_each("ᵝ ᶹ", "ʷ ʷ", "compressed or slight rounding, to labialized"),
    *_each("ʴ ʵ", "˞ ˞", "r-colour"),
    *_each(
        "ᵃ ᵄ ᵅ ᵉ ᵊ ᵋ ᵌ ᶟ ᵒ ᵓ ᵘ ᵚ ⁱ ᶛ ᶤ ᶥ ᶦ ᶧ ᶱ ᶶ ᶷ ᶸ ᶺ",
        "a ɐ ɑ e ə ɛ ɜ ɜ o ɔ u ɯ i ɒ ɨ ɪ ɪ ɨ ɵ ʉ ʊ ʊ ʌ",
        "fleeting vowel",
    ),
    *_each(
        "ᵇ ᵈ ᵍ ᵏ ᵖ ᵗ ᵛ ᵡ ᶜ ᶝ ᶞ ᶠ ᶡ ᶢ ᶨ ᶩ ᶪ ᶫ ᶭ ᶲ ᶳ ᶴ ᶵ ᶻ ᶼ ᶽ ᶾ ʳ ʶ ˢ",
        "b d ɡ k p t v χ c ɕ ð f ɟ ɡ ʝ ɭ lʲ ʟ ɰ ɸ ʂ ʃ tʲ z ʐ ʑ ʒ r ʁ s",
        "fleeting consonant",
    ),
    # Where two signs meet. These come after the rules of one sign, whose targets they may meet.
    Spelling("||", "‖", "ASCII for the major group"),
    Spelling(f"t(?={TIE}ʂ)", "ʈ", "both halves of a retroflex affricate are retroflex", True),
    Spelling(f"d(?={TIE}ʐ)", "ɖ", "both halves of a retroflex affricate are retroflex", True),
    # What stands for a sign in one place only.
    Spelling(f"(?<![^ .]),(?=[{LETTERS}])", "ˌ", "ASCII for secondary stress: a comma before a syllable", True),
    Spelling(f"(?<!!)!(?=[{LETTERS}])", "ǃ", "ASCII for the click: an exclamation mark before a letter", True),
    *(
        Spelling(f"(?<=[pbtdʈɖcɟkɡqɢʃʂɕsçx\u030c]){comma}", "ʰ", "turned comma for aspiration, in older books", True)
        for comma in "ʻʽ‘"
    ),
    *(
        Spelling(f"(?<=[^ ]){digit}", tone, "Chao's tone number, 5 high, where a sound goes before", True)
        for digit, tone in zip("⁵⁴³²¹", TONES, strict=True)
    ),
)
"""Which sign."""

MARKS: tuple[Spelling, ...] = (
    # A caron or acute on a consonant is a letter of another tradition. NFD takes them apart, so they are two signs.
    *_each("s\u030c z\u030c c\u030c j\u030c ʒ\u030c x\u030c ɣ\u030c", "ʃ ʒ t͡ʃ d͡ʒ d͡ʒ χ ʁ", "Americanist"),
    *_each("c\u0301 s\u0301 z\u0301 n\u0301 ʒ\u0301", "t͡ɕ ɕ ʑ ɲ d͡ʑ", "Slavicist"),
    *_each("t\u030c d\u030c l\u030c n\u030c r\u030c", "tʲ dʲ lʲ ɲ r\u031d", "Slavicist"),
    *_each(
        "p\u0301 b\u0301 t\u0301 d\u0301 k\u0301 ɡ\u0301 f\u0301 v\u0301 x\u0301 ɣ\u0301 l\u0301 r\u0301",
        "pʲ bʲ tʲ dʲ kʲ ɡʲ fʲ vʲ xʲ ɣʲ lʲ rʲ",
        "Slavicist: palatalized",
    ),
    Spelling("c\u0334\u0327", "c\u0327ˠ", "velarized: Unicode's order puts the tilde between c and its cedilla"),
    # The IPA chart gives each tone twice, as a mark and as a letter.
    *_each(
        " ".join(TONE_MARKS),
        "˦ ˧ ˨ ˩˥ ˥˩ ˥ ˩ ˦˥ ˩˨ ˨˩ ˥˦ ˧˦˧ ˧˨˧",
        "tone",
    ),
)
"""Marks that make another letter of a consonant, and tones as letters, in whatever order the marks of a letter stand.

A tone mark on another consonant stays as it is, and the tokenizer reports it, unless the consonant can bear a tone:
with the syllabic mark, and nasals and liquids (`ḿ`, `ŋ̀`, `r̂`) without it, too."""


def spelling_table() -> list[Spelling]:
    """All rules, in the order in which they run."""
    return [*SIGNS, *MARKS]


def readings() -> dict[str, str]:
    """The rules for tone marks, alone or on a consonant."""
    return {rule.source: rule.target for rule in MARKS}


def respell(text: str) -> str:
    """The spelling the vocabulary uses: NFD, the table rule by rule, marks in order, no space at the ends."""
    from ..normal_form import normalizer

    return normalizer().normalize_str(text)


@lru_cache(maxsize=1)
def signs() -> frozenset[str]:
    """Every sign that is a token by itself."""
    return frozenset(token for token in vocabulary() if len(token) == 1)


@lru_cache(maxsize=1)
def _plain_signs() -> frozenset[str]:
    return signs().union(rule.source for rule in SIGNS if not rule.pattern)


def is_ipa(text: str) -> bool:
    """Whether every sign of the text is of the vocabulary or spelled into it: so nothing of it becomes `<unk>`."""
    # The cedilla is the one sign that is no token of its own: it occurs in `ç` only.
    if _plain_signs().issuperset(unicodedata.normalize("NFD", text).replace("c\u0327", "c")):
        return True
    if re.search("[\ud800-\udfff]", text):  # half of a surrogate pair, which no normalizer reads
        return False
    return signs().issuperset(respell(text).replace("c\u0327", "c"))


def before_sorting(text: str, positions: Sequence[int]) -> list[int]:
    """Where unknown signs stand that came to these positions, ascending, when the marks of a letter were sorted.

    A known mark there has changed places with a sign of its run that is unknown, or that is a tone mark.
    """
    found: list[int] = []
    for position in positions:
        start, end = position, position + 1
        while start > 0 and _is_mark(text[start]):
            start -= 1
        while end < len(text) and _is_mark(text[end]):
            end += 1
        run = range(start, end) if _is_known(text[position]) else ()
        found.append(next((place for place in run if not _is_known(text[place]) and place not in found), position))
    return sorted(found)


def _is_known(sign: str) -> bool:
    return _plain_signs().issuperset(unicodedata.normalize("NFD", sign).removesuffix("\u0327"))


def _is_mark(sign: str) -> bool:
    return sign in MARK_ORDER or sign in TONES or unicodedata.combining(sign) > 0


AFFRICATES: dict[str, str] = {language: known.affricates for language, known in LANGUAGES.items() if known.affricates}
"""Language → the affricates that are single phonemes in it."""


def tie_affricates(ipa: str, language: str) -> str:
    """Tie the affricates of a language: in English `tʃ` becomes `t͡ʃ`, but `ts` stays two sounds.

    A text that ties anything, or has a ligature, knows of ties: what it leaves untied is two sounds, as in Polish
    `t͡ʂɨ` "czy" beside `tʂɨ` "trzy". So it comes back as it is. Untied text cannot tell the two apart, and "courtship"
    gets its `t͡ʃ`, too: so nothing is tied unless this is called.

    Raises:
        ValueError: If `AFFRICATES` has no entry for the language.
    """
    if language not in AFFRICATES:
        raise ValueError(f"No affricates are listed for {language!r}: choose one of {', '.join(AFFRICATES)}.")
    if TIE in respell(ipa):
        return ipa
    return re.sub("|".join(AFFRICATES[language].split()), lambda pair: TIE.join(pair[0]), ipa)
