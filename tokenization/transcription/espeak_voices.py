"""Which of espeak-ng's voices speaks which language, which voices are left out and why, and tones by number."""

from ..language_table import LANGUAGES

VOICES: dict[str, str] = {language: known.voice for language, known in LANGUAGES.items() if known.voice}

LEFT_OUT: dict[str, str] = {
    "chr-US-Qaaa-x-west": "reads no Cherokee letters",
    "cmn": "its IPA keeps one digit of a tone's number, so the first tone (55) and the fourth (51) are both 5",
    "cmn-latn-pinyin": "as cmn",
    "fo": "its dictionary is missing from espeak-ng's data",
    "hak": "reads no characters, and tones in its romanisation are lost",
    "kaa": "its dictionary is missing from espeak-ng's data",
    "kok": "puts the names of vowel signs, halant and bindu into words",
    "my": "leaves out vowels",
    "piqd": "reads Latin capitals as names of letters",
    "py": "Pyash has no code in ISO 639-3",
    "qdb": "Lang Belta has no code in ISO 639-3",
    "shn": "leaves out vowels",
    "th": "leaves out vowels, and spells its consonants in two letters",
    "vi-vn-x-central": "numbers its tones as vi does, though they sound otherwise",
    "vi-vn-x-south": "numbers its tones as vi does, though they sound otherwise",
    "xex": "a voice for testing espeak-ng",
}
"""Voice → why no language is given to it: what it answers cannot be read as IPA, or the language has no name."""

TONES: dict[str, dict[str, str]] = {
    "vi": {"1": "˧", "2": "˨˩", "3": "˧˥", "4": "˧˩˧", "5": "˧ˀ˥", "6": "˧˨ˀ"},
    "yue": {"1": "˥", "2": "˧˥", "3": "˧", "4": "˨˩", "5": "˩˧", "6": "˨", "7": "˥˧"},
}
"""Voice → number of a tone → tone letters.

What the numbers mean is said in espeak-ng's phsource/ph_vi (ngang, huyền, sắc, hỏi, ngã, nặng) and phsource/ph_yue
(high level, rise, mid level, low fall, low rise, low level, high fall), with start and end of each tone's pitch. The
glottal signs of Vietnamese: Kirby, Vietnamese (Hanoi Vietnamese), Journal of the IPA 41(3), 2011.
"""
