"""The IPA chart of 2020 as data, and the features of a segment read off it: base letters plus diacritics.

This is the prior of the IPA-CLIP paper (arXiv 2303.03144): place, manner and voicing of consonants, height, backness
and rounding of vowels. Rows are composed, so a segment nobody listed has features as soon as its parts have.
"""

from functools import lru_cache

import numpy as np

from .cells import table
from .segments import MODIFIERS, TIE, TONES

MANNERS = ("plosive", "nasal", "trill", "tap", "fricative", "lateral", "approximant", "click", "implosive")

# manner → place → letters: voiceless, voiced; "-" is an empty cell. Two manners or places are joined by "+".
CONSONANTS: dict[str, dict[str, str]] = {
    "plosive": table("bilabial pb  alveolar td  retroflex ʈɖ  palatal cɟ  velar kɡ  uvular qɢ  glottal ʔ-"),
    "nasal": table("bilabial -m  labiodental -ɱ  alveolar -n  retroflex -ɳ  palatal -ɲ  velar -ŋ  uvular -ɴ"),
    "trill": table("bilabial -ʙ  alveolar -r  uvular -ʀ"),
    "tap": table("alveolar -ɾ  retroflex -ɽ"),
    "tap+lateral": table("alveolar -ɺ"),
    "fricative": table(
        """
        bilabial ɸβ  labiodental fv  dental θð  alveolar sz  postalveolar ʃʒ  alveolo_palatal ɕʑ  retroflex ʂʐ
        palatal çʝ  velar xɣ  uvular χʁ  pharyngeal ħʕ  glottal hɦ  postalveolar+velar ɧ-
        """
    ),
    "fricative+lateral": table("alveolar ɬɮ"),
    "approximant": table(
        """
        labiodental -ʋ  alveolar -ɹ  retroflex -ɻ  palatal -j  velar -ɰ  bilabial+velar ʍw  bilabial+palatal -ɥ
        """
    ),
    "approximant+lateral": table("alveolar -l  retroflex -ɭ  palatal -ʎ  velar -ʟ  alveolar+velar -ɫ"),
    "click": table("bilabial ʘ-  dental ǀ-  alveolar ǃ-  palatal ǂ-"),
    "click+lateral": table("alveolar ǁ-"),
    "implosive": table("bilabial -ɓ  alveolar -ɗ  palatal -ʄ  velar -ɠ  uvular -ʛ"),
}
PLACES = tuple(place for place in CONSONANTS["fricative"] if "+" not in place)  # it has one of every place

# Vowel height (1 close … 0 open) → backness (0 front … 1 back) → letters: unrounded, rounded.
VOWELS: dict[float, dict[float, str]] = {
    1.0: {0.0: "iy", 0.5: "ɨʉ", 1.0: "ɯu"},
    5 / 6: {0.25: "ɪʏ", 0.75: "-ʊ"},
    4 / 6: {0.0: "eø", 0.5: "ɘɵ", 1.0: "ɤo"},
    3 / 6: {0.5: "ə-"},
    2 / 6: {0.0: "ɛœ", 0.5: "ɜɞ", 1.0: "ʌɔ"},
    1 / 6: {0.0: "æ-", 0.5: "ɐ-"},
    0.0: {0.0: "aɶ", 1.0: "ɑɒ"},
}

_LENGTH = {"ː": 1.0, "ˑ": 0.5, "\u0306": -0.5}
CHART_FEATURES = (
    "consonant",
    "vowel",
    "voiced",
    *PLACES,
    *MANNERS,
    "affricate",
    "height",
    "backness",
    "rounded",
    "length",
    "pitch",
    *(f"mark_{name}" for name in MODIFIERS.values()),
)
_COLUMN = {name: column for column, name in enumerate(CHART_FEATURES)}


def _row(**values: float) -> np.ndarray:
    row = np.zeros(len(CHART_FEATURES), dtype=np.float32)
    for name, value in values.items():
        row[_COLUMN[name]] = value
    return row


@lru_cache(maxsize=1)
def base_letters() -> dict[str, np.ndarray]:
    """Letter → row of `CHART_FEATURES` for every base letter of the chart, and a row for each tone letter."""
    letters = {}
    for manner, places in CONSONANTS.items():
        for place, pair in places.items():
            kinds = dict.fromkeys([*manner.split("+"), *place.split("+")], 1.0)
            for voiced, letter in enumerate(pair):
                letters[letter] = _row(consonant=1, voiced=voiced, **kinds)
    for height, row in VOWELS.items():
        for backness, pair in row.items():
            for rounded, letter in enumerate(pair):
                letters[letter] = _row(vowel=1, voiced=1, height=height, backness=backness, rounded=rounded)
    for step, letter in enumerate(TONES):
        letters[letter] = _row(pitch=1 - step / 2)
    del letters["-"]
    return letters


def chart_row(token: str) -> np.ndarray | None:
    """The features of one token, `(len(CHART_FEATURES),)`, or None where the chart has no letter in it, or
    knows a sign of it not at all.

    Parts joined by a tie are laid over each other: `t͡ʃ` is alveolar and postalveolar, plosive and fricative, and
    counted as an affricate; `k͡p` is velar and bilabial. All values lie in 0..1, but for `length` (-0.5 extra-short,
    0.5 half-long, 1 long) and `pitch` (-1 extra low … 1 extra high).
    """
    letters = base_letters()
    token = token.replace("c\u0327", "ç")  # the one letter that NFD takes apart
    bases = [letters[sign] for sign in token if sign in letters]
    if not bases or not all(sign in letters or sign in MODIFIERS or sign in _LENGTH for sign in token):
        return None
    row = np.maximum.reduce(bases) if len(bases) > 1 else bases[0].copy()
    for sign in token:
        if sign in MODIFIERS:
            row[_COLUMN[f"mark_{MODIFIERS[sign]}"]] = 1.0
        elif sign in _LENGTH:
            row[_COLUMN["length"]] += _LENGTH[sign]
    row[_COLUMN["affricate"]] = TIE in token and row[_COLUMN["plosive"]] * row[_COLUMN["fricative"]]
    row[_COLUMN["voiced"]] *= "\u0325" not in token
    return row
