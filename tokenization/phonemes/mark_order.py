"""The marks of a letter in one order, whichever way they were typed: `sʷʲ` is `sʲʷ`, `aː̰` is `a̰ː`, `t˥ʰ` is `tʰ˥`.

Unicode's NFD sorts combining marks by their combining class, but modifier letters (`ʷ`, `ː`) have none, and many marks
share one. So a tokenizer writes a stand-in for each mark: a combining mark of another script, in whose class is the
place of the mark. NFD sorts the stand-ins, runs of any length at once, and then they become marks again.

Sorted is twice. First the tone marks go next to their letter, for there it shows whether they are tones: a caron or
acute on a consonant is no tone. Then the tones go to the end.
"""

import unicodedata
from collections.abc import Iterable, Mapping

from tokenizers import Regex, normalizers

from ..charsmap import charsmap_steps
from .segments import TIE, TONES

SYLLABIC = "\u0329"
TONE_MARKS = "\u0301\u0304\u0300\u030c\u0302\u030b\u030f\u1dc4\u1dc5\u1dc6\u1dc7\u1dc8\u1dc9"
_OPENING = "ˀⁿ"  # they may belong to the next letter
MARK_ORDER = (
    "\u0327\u0334˞"  # parts of a letter: ç, ɫ, ɚ
    "\u032a\u033c\u033a\u033b\u031f\u0320\u031d\u031e\u0318\u0319\u0324\u0330\u0325\u0329\u032f\u0308\u0303"
    "ʲʷˤʰᶣʼːˠˡˑ\u0306"
    "\u032c\u0348\u0349\u0339\u031c\u033dᶿˣ˭"  # never part of a segment of panphon's
    f"{TIE}{_OPENING}\u031a"
)
"""The order in which panphon's table has marks, where it has but one; else what comes first in print. Tones follow."""

# Classes 10 to 36, 84 to 132, and 202 to 228.
_STAND_INS = (
    "\u05b0\u05b1\u05b2\u05b3\u05b4\u05b5\u05b6\u05b7\u05b8\u05b9\u05bb\u05bc\u05bd\u05bf\u05c1\u05c2\ufb1e"
    "\u064b\u064c\u064d\u064e\u064f\u0650\u0651\u0652\u0670\u0711\u0c55\u0c56\u0e38\u0e48\u0eb8\u0ec8\u0f71\u0f72\u0f74"
    "\u1dd0\u1dce\u031b\u302a\u059a\u302e\U0001d16d\u302b"
)
_FIRST_SYLLABIC = "\u093c"  # class 7
_TONE_MARK_STAND_INS = "\u094d\u09cd\u0a4d\u0acd\u0b4d\u0bcd\u0c4d\u0ccd\u0d4d\u0dca\u0e3a\u0f84\u1039"  # class 9
_TONE_STAND_INS = "\u0363\u0364\u0365\u0366\u0367"  # class 230
_HELD = dict(zip(_OPENING, "\ufdd0\ufdd1", strict=True))  # Unicode leaves these to programs for their own use

_MARKS = dict(zip(MARK_ORDER + TONES, _STAND_INS + _TONE_STAND_INS, strict=True))
_BEFORE_READING = {**_MARKS, SYLLABIC: _FIRST_SYLLABIC, **dict(zip(TONE_MARKS, _TONE_MARK_STAND_INS, strict=True))}
_NO_IPA = "".join(sorted({*_MARKS.values(), *_BEFORE_READING.values(), *_HELD.values()}.difference(_BEFORE_READING)))

_OFTEN_ALONE = f"ː{TIE}"
STAND_INS: dict[str, str] = {
    **dict.fromkeys(_NO_IPA, "\ufffd"),
    **{mark: stand_in for mark, stand_in in _BEFORE_READING.items() if mark not in _OFTEN_ALONE},
}
"""What a tokenizer writes for marks before `order_steps`. A stand-in that is there before becomes U+FFFD.

Length and the tie mostly stand alone and so come later: most words are left as they are, which is fast."""

LETTERS = "a-zæðøħŋœǀ-ǃɐ-ʯβθχ"
NO_TONE = "qɢʈɖtdpbcɟkɡǂǃǀʘʛɗɓʄɠǁχʁʂʐʃʒszθðɸfvβħʕʝxɣɧɕʑɮɬʔʋɰɥjʍwɽɾʙɺhɦ"
"""Consonants that bear a tone only with the syllabic mark. Nasals and liquids bear one without it, too."""

_AS_IN_TABLE = (
    ("ʷʰˠ", "ʷˠʰ"),
    ("ʲː(?<=[jɥ]ʲː)", "ːʲ"),
    ("ʷː(?<=[wɥʍ]ʷː)", "ːʷ"),
    ("ˤː(?<=[ħʔʕ]ˤː)", "ːˤ"),
    ("ˤʰ(?<=ħˤʰ)", "ʰˤ"),
)
"""Runs that panphon's table has, but not as sorted."""


def order_steps(readings: Mapping[str, str]) -> list[normalizers.Normalizer]:
    """What puts the marks of each letter in order and reads tone marks, in text in which marks are `STAND_INS`.

    Args:
        readings: What each tone mark becomes, and what a letter with certain marks becomes.
    """
    before, after = str.maketrans(_BEFORE_READING), str.maketrans(_MARKS)
    # Consonants with a tone mark that have no reading stay.
    read = {letter + mark: letter + mark for letter in NO_TONE for mark in TONE_MARKS}
    read |= {unicodedata.normalize("NFD", source.translate(before)): target for source, target in readings.items()}
    read = {source.translate(before): target.translate(after) for source, target in read.items()}
    back = {stand_in: mark for mark, stand_in in (*_MARKS.items(), *_HELD.items())}
    not_alone = ((rf"{mark}(?:(?=[\p{{M}}ː])|(?<=[\p{{M}}ː]{mark}))", _MARKS[mark]) for mark in _OFTEN_ALONE)
    return [
        *_replacing(not_alone),
        *_replacing(_held(before)),
        normalizers.NFD(),
        *_replacing((pattern, "\ufffd") for pattern in _second_tone_marks(before)),
        *charsmap_steps({**read, _FIRST_SYLLABIC: _MARKS[SYLLABIC]}),
        normalizers.NFD(),
        *charsmap_steps(back),
        *_replacing(_AS_IN_TABLE),
    ]


def _replacing(patterns: Iterable[tuple[str, str]]) -> list[normalizers.Normalizer]:
    return [normalizers.Replace(Regex(pattern), target) for pattern, target in patterns]


def _held(written: Mapping[int, str]) -> list[tuple[str, str]]:
    """Where a mark behind a tone belongs to the next letter, as in `ma˥ⁿda`, though a mark or two stand between."""
    tones, marks = (TONE_MARKS + TONES).translate(written), MARK_ORDER[: MARK_ORDER.index(_OPENING)].translate(written)
    patterns = []
    for opening, held in _HELD.items():
        mark = opening.translate(written)
        behind = "|".join(f"(?<=[{tones}]{f'[{marks}]' * count}{mark})" for count in range(3))
        patterns.append((f"{mark}(?=[{LETTERS}])(?:{behind})", held))
    return patterns


def _second_tone_marks(written: Mapping[int, str]) -> list[str]:
    """What stands behind the first tone mark of a consonant, as in `š` with an acute."""
    tone_marks = TONE_MARKS.translate(written)
    return [f"{mark}(?<=[{NO_TONE}][{tone_marks}]{mark})" for mark in "\u0301\u030c".translate(written)]
