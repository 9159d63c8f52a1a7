"""The one table of IPA spelling: what people and programs write, what the vocabulary writes, and why.

It comes in two parts, `SIGNS` and `MARKS`. The rules of each run in order on NFD text, so a later rule sees what an
earlier one wrote. A source is literal unless `pattern` is set: then it is a regular expression.
"""

import unicodedata
from functools import lru_cache
from typing import NamedTuple

from .segments import TIE, TONES, vocabulary


class Spelling(NamedTuple):
    """One rule: every `source` becomes `target`."""

    source: str
    target: str
    reason: str
    pattern: bool = False


_TONE_MARKS = "\u0301\u0304\u0300\u030c\u0302"


def _swap(firsts: str, marks: str, run: str, reason: str) -> tuple[Spelling, ...]:
    """Rules that carry each mark from behind each of `firsts` to its front, where neither stands in a longer `run`.

    Where marks pile up they are left alone: else a second pass would find more to do.
    """
    return tuple(
        Spelling(f"(?<![{run}]){first}{mark}(?![{run}])", mark + first, reason, pattern=True)
        for first in firsts
        for mark in marks
    )


SIGNS: tuple[Spelling, ...] = (
    Spelling("[\u00ad\u034f\u061c\u200b-\u200f\u2060-\u2064\ufe00-\ufe0f\ufeff]", "", "invisible in print", True),
    Spelling(r"\s+", " ", "any white space is one word boundary", True),
    # Look-alikes: another code point, the same sign.
    Spelling("g", "ɡ", "IPA's letter is U+0261"),
    Spelling(":", "ː", "ASCII for the length mark"),
    Spelling("'", "ˈ", "ASCII for primary stress"),
    Spelling("’", "ʼ", "typographic apostrophe for the ejective"),
    Spelling("ǝ", "ə", "turned e for schwa"),
    Spelling("ә", "ə", "Cyrillic schwa"),
    Spelling("ε", "ɛ", "Greek epsilon"),
    Spelling("γ", "ɣ", "Greek gamma"),
    Spelling("φ", "ɸ", "Greek phi"),
    Spelling("ϕ", "ɸ", "Greek phi symbol"),
    Spelling("ˁ", "ˤ", "reversed glottal stop for the pharyngeal mark"),
    Spelling("||", "‖", "ASCII for the major group"),
    Spelling("↓", "ꜜ", "arrow for downstep"),
    Spelling("↑", "ꜛ", "arrow for upstep"),
    # The same mark in another place or shape.
    Spelling("\u035c", TIE, "the tie may stand below"),
    Spelling("⁀", TIE, "the tie may stand alone"),
    Spelling("\u0331", "\u0320", "macron below for the retracted mark"),
    Spelling("\u032b", "ʷ", "double arch for the labial mark"),
    Spelling("\u030a", "\u0325", "the voiceless ring may stand above a descender"),
    Spelling("\u030d", "\u0329", "the syllabic stroke may stand above a descender"),
    Spelling("\u0311", "\u032f", "the non-syllabic arch may stand above a descender"),
    Spelling("˖", "\u031f", "the advanced mark may stand beside its letter"),
    Spelling("˗", "\u0320", "the retracted mark may stand beside its letter"),
    Spelling("˔", "\u031d", "the raised mark may stand beside its letter"),
    Spelling("˕", "\u031e", "the lowered mark may stand beside its letter"),
    # One code point for what IPA writes with two letters or with a mark.
    Spelling("ʦ", f"t{TIE}s", "ligature"),
    Spelling("ʣ", f"d{TIE}z", "ligature"),
    Spelling("ʧ", f"t{TIE}ʃ", "ligature"),
    Spelling("ʤ", f"d{TIE}ʒ", "ligature"),
    Spelling("ʨ", f"t{TIE}ɕ", "ligature"),
    Spelling("ʥ", f"d{TIE}ʑ", "ligature"),
    Spelling("ꭧ", f"ʈ{TIE}ʂ", "ligature"),
    Spelling("ꭦ", f"ɖ{TIE}ʐ", "ligature"),
    Spelling("ɚ", "ə˞", "vowel with the rhotic hook"),
    Spelling("ɝ", "ɜ˞", "vowel with the rhotic hook"),
    Spelling(f"t{TIE}ʂ", f"ʈ{TIE}ʂ", "both halves of a retroflex affricate are retroflex"),
    Spelling(f"d{TIE}ʐ", f"ɖ{TIE}ʐ", "both halves of a retroflex affricate are retroflex"),
    # Withdrawn by the IPA, or from a sister alphabet.
    Spelling("ɩ", "ɪ", "withdrawn in 1989"),
    Spelling("ɷ", "ʊ", "withdrawn in 1989"),
    Spelling("ʇ", "ǀ", "withdrawn in 1989"),
    Spelling("ʗ", "ǃ", "withdrawn in 1989"),
    Spelling("ʖ", "ǁ", "withdrawn in 1989"),
    Spelling("s\u030c", "ʃ", "Americanist"),
    Spelling("z\u030c", "ʒ", "Americanist"),
    Spelling("c\u030c", f"t{TIE}ʃ", "Americanist"),
    Spelling("j\u030c", f"d{TIE}ʒ", "Americanist"),
    Spelling("ʱ", "\u0324", "breathy release: panphon writes breathy voice"),
    # Approximations: panphon has no features for the sign, so the nearest one that has stands in.
    Spelling("ᵻ", "ɨ", "near-close central, to close central"),
    Spelling("ᵿ", "ʉ", "near-close central rounded, to close central rounded"),
    Spelling("ᵊ", "ə", "fleeting vowel"),
    Spelling("ʜ", "ħ", "epiglottal, to pharyngeal"),
    Spelling("ʢ", "ʕ", "epiglottal, to pharyngeal"),
    Spelling("ʡ", "ʔ", "epiglottal stop, to glottal stop"),
    Spelling("ⱱ", "v", "labiodental flap, to labiodental fricative"),
    Spelling("ᶑ", "ɗ", "retroflex implosive, to alveolar implosive"),
    Spelling("ᵐ", "ⁿ", "nasal on- or offset, of whatever place"),
    Spelling("ᵑ", "ⁿ", "nasal on- or offset, of whatever place"),
    Spelling("ᶮ", "ⁿ", "nasal on- or offset, of whatever place"),
)
"""Which sign."""

MARKS: tuple[Spelling, ...] = (
    *_swap(_TONE_MARKS, "\u0303", _TONE_MARKS, "a tone follows its segment's marks"),
    *_swap("ː", "ʰʼ\u0303", f"ːʰʼ\u0303{_TONE_MARKS}{TONES}", "length follows its segment's marks"),
    *_swap(_TONE_MARKS, "ː", f"{_TONE_MARKS}ː", "a tone follows its segment's length"),
    # The IPA chart gives each tone twice, as a mark and as a letter.
    Spelling("\u030b", "˥", "extra high"),
    Spelling("\u0301", "˦", "high"),
    Spelling("\u0304", "˧", "mid"),
    Spelling("\u0300", "˨", "low"),
    Spelling("\u030f", "˩", "extra low"),
    Spelling("\u030c", "˩˥", "rising"),
    Spelling("\u0302", "˥˩", "falling"),
    Spelling("\u1dc4", "˦˥", "high rising"),
    Spelling("\u1dc5", "˩˨", "low rising"),
    Spelling("\u1dc8", "˧˦˧", "rising-falling"),
)
"""In which order, and tones as letters."""


@lru_cache(maxsize=1)
def _ipa_signs() -> frozenset[str]:
    tokens = (token for token in vocabulary() if len(token) == 1)
    return frozenset(tokens).union(*(rule.source for rule in SIGNS + MARKS if not rule.pattern))


def is_ipa(text: str) -> bool:
    """Whether every sign of the text is of the vocabulary or spelled into it: so nothing of it becomes `<unk>`."""
    # The cedilla is the one sign that is no token of its own: it occurs in `ç` only.
    return _ipa_signs().issuperset(unicodedata.normalize("NFD", text).replace("c\u0327", "c"))
