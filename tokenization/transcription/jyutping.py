"""espeak-ng's Cantonese, which is Jyutping in IPA's letters, → IPA.

Jyutping is that of the Linguistic Society of Hong Kong (https://lshk.org/jyutping-scheme/); its sounds are as in Zee,
Chinese (Hong Kong Cantonese), Journal of the IPA 21(1), 1991.
"""

import re

from ..phonemes.cells import table

_ONSETS = {"": ""} | table(
    """
    b p   p pʰ  m m  f f   d t   t tʰ  n n   l l    g k           k kʰ
    ng ŋ  h h   w w  s s   j j   gw kʷ   kw kʷʰ     z t\u0361s   c t\u0361sʰ
    """
)
_NUCLEI = {"aa": "aː", "a": "ɐ", "e": "ɛː", "i": "iː", "o": "ɔː", "u": "uː", "oe": "œː", "eo": "ɵ", "yu": "yː"}
_CODAS = {"": "", "i": "i", "u": "u", "m": "m", "n": "n", "ng": "ŋ", "p": "p", "t": "t", "k": "k"}
_FINALS = {nucleus + coda: _NUCLEI[nucleus] + _CODAS[coda] for nucleus in _NUCLEI for coda in _CODAS} | table(
    "ei ei  ou ou  eoi ɵy  ing ɪŋ  ik ɪk  ung ʊŋ  uk ʊk  m m\u0329  ng ŋ\u0329"
)
_SYLLABLES = {onset + final: _ONSETS[onset] + _FINALS[final] for onset in _ONSETS for final in _FINALS}
# espeak numbers the vowel, to which it counts ng but no other coda: "si1k".
_NUMBERED = re.compile("([a-z]+)([1-7])")
_LETTERS = str.maketrans({"ɜ": "3", "ɡ": "g", "ŋ": "ng", "ˈ": None, "ˌ": None})


def jyutping_to_ipa(spoken: str, tones: dict[str, str]) -> str:
    """Words parted by spaces → IPA without stress; a word that is not Jyutping with numbered tones stays as it is."""
    return " ".join(_syllables(word.translate(_LETTERS), tones) or word for word in spoken.split())


def _syllables(word: str, tones: dict[str, str]) -> str | None:
    """The IPA of one or more syllables: a consonant between two vowels belongs to the second if it can."""
    numbered = _NUMBERED.match(word)
    if numbered is None:
        return None
    rest = word[numbered.end() :]
    for coda in ("", "m", "n", "p", "t", "k"):
        ipa = _SYLLABLES.get(numbered[1] + coda)
        if ipa is None or not rest.startswith(coda):
            continue
        if rest == coda:
            return ipa + tones[numbered[2]]
        following = _syllables(rest[len(coda) :], tones)
        if following is not None:
            return ipa + tones[numbered[2]] + following
    return None
