"""What epitran 1.35's tables say wrongly or not at all, and what is read in its place.

Written in epitran's own notation
(https://github.com/dmort27/epitran#extending-epitran-with-map-files-preprocessors-postprocessors-and-strip-files), so
that a row can be given back to it. Right is what a grammar or a dictionary of the language says; the reasons stand with
the rows.
"""

from collections.abc import Mapping
from types import MappingProxyType
from typing import NamedTuple


class Mend(NamedTuple):
    """The mends of one language's files.

    `rows` of the map, `"spelled=IPA"`, take the place of its own or come with them; `dropped` are spellings whose rows
    go. `before` and `after` are rules put before those of the pre- and the postprocessor, `lines` rules of the latter
    with what stands in their place, and `classes` what its symbols lack.
    """

    rows: str = ""
    dropped: str = ""
    before: str = ""
    after: str = ""
    lines: Mapping[str, str] = MappingProxyType({})
    classes: Mapping[str, str] = MappingProxyType({})


# The tables of Devanagari lack the letters of English /ɔ/ and /æ/, and hin-Deva has the sign of one alone.
_ENGLISH_VOWELS = "ऑ=<ons>ɔ ऍ=<ons>æ ॲ=<ons>æ ॅ=æ ॉ=ɔ"
_EARLIER_VOWEL = "(?<=[AÆEIOØUYaeiouɛɪɔʊəøœyʏ].*)"

MENDS: dict[str, Mend] = {
    "ben-Beng": Mend(
        # ঘ has its breath once; the nasal sign is a tilde on whatever vowel it follows, and no vowel itself; ya-phala
        # and া are /æ/ together (ব্যাগ, র‍্যাব), but where র্ stands on য (সূর্যালোক).
        rows="ঘ=ɡ̤V ঁ=\u0303 ্যা=æ",
        dropped="াঁ",
        before="য -> জ / (?<=.র্) _ (?=া)",
        after="V -> 0 / V(::consonant::) _ #",  # ghôr, jôl: the last vowel goes after an unwritten one too
        classes={"::vowel::": "ã|ĩ|ũ|ẽ|õ|æ"},
    ),
    "cat-Latn": Mend(rows="ŀl=lː"),
    "deu-Latn": Mend(
        # D makes the vowel before it short. ss is never voiced, as ß is not; ng is one sound.
        rows="ss=Dß ck=Dk tz=Dt͡s ng=Dŋ",
        lines={
            # -en, -el, -er, -em, -es have no full vowel; den and der do.
            "E -> ə / (::vowel::|m|n|l|r|b|d|ɡ|p|t|k|X) _ (l|m|n)#": f"E -> ə / {_EARLIER_VOWEL} _ (l|m|n|s)s?#",
            "əl -> l̩ / (::vowel::)(::consonant::)+ _ (::consonant::)?#": (
                "əl -> l̩ / (::vowel::)(::consonant::|ß)+ _ (::consonant::)?#"
            ),
            "ən -> n̩ / (::vowel::)(::consonant::)+ _ (::consonant::)?#": (
                "ən -> n̩ / (::vowel::)(::consonant::|ß)+ _ (::consonant::)?#"
            ),
            "Er -> ɐ / _ (s)?#": (
                f"Er -> ɐ / {_EARLIER_VOWEL} _ (?=(n|s|ns)?#|lɪ|X|haft|[hk]aɪ̯t|ʃaft|tʊm|laɪ̯n|lO)\n"
                f"E -> ə / {_EARLIER_VOWEL} _ (?=r(ʊŋ|In#|ɪn[nE]))"
            ),
            "E -> ɛː / _": "E -> eː / _",
            "ː -> 0 / _ (::consonant::)(::consonant::)": "ː -> 0 / _ (::consonant::)(::consonant::)(?!\u0329)",
            # ch is ç but after a, o, u, au: at the beginning and after consonants as well.
            "X -> ç / (iː|i|ɪ|eː|e|ɛ|ɛː|ø:|ø|œ|yː|y|ʏ)̯? _": "X -> ç / (?<![aoɔuʊ][ː\u032f]*) _",
            "X -> k / _ (s)": "",  # the stems with /ks/ are spelled with x by now
            "s -> z / [^͡] _ (::vowel::)": (
                "s -> z / [^͡] _ (::vowel::)\ns -> z / (?<=[ɛɪɔʊøœaeiouyː\u032f]) _ [lmn]\u0329"
            ),
        },
    ),
    "hin-Deva": Mend(rows=_ENGLISH_VOWELS, classes={"::vowel::": "æ"}),
    "mar-Deva": Mend(
        rows=f"{_ENGLISH_VOWELS} ऱ=rə",  # ऱ्या is another spelling of र्‍या
        classes={"::vowel::": "æ|ɔ"},
    ),
    "npi-Deva": Mend(rows=_ENGLISH_VOWELS, classes={"::vowel::": "æ|ɔ"}),
    # я ю є have their /j/ after vowels, the apostrophe and ь too; ї always has it.
    "ukr-Cyrl": Mend(before="0 -> j / (?<=[аеєиіїоуюяь']) _ (?=[єюя])"),
    "uzb-Latn": Mend(rows="'=ʔ"),  # the table knows the letter by its printed signs only
}
