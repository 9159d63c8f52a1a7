"""IPA → English letters: how someone who only heard a word might write it ("sˈɜːkəl" → "sirkle").

The phonemes are those of espeak-ng's American English, and whatever near phonemes a swap may put in their place.
"""

import random
import re
import unicodedata
from collections.abc import Container, Iterator
from functools import lru_cache
from itertools import islice
from typing import NamedTuple

_VOWEL_LETTERS = "aeiouy"
_DRAWS = 16
_LISTED = 512


class _Choice(NamedTuple):
    """One way to write a phoneme, and where it may stand."""

    letters: str
    ending: str
    rest: re.Pattern[str]
    initial: bool | None
    after_short: bool | None


def _choice(text: str) -> _Choice:
    """Reads one entry of the table, see `_TABLE`."""
    head, _, condition = text.partition("/")
    flags = re.match(r"[\^!<>]*", head)
    marks = flags[0] if flags else ""
    letters, _, ending = head[len(marks) :].partition("_")
    initial = True if "^" in marks else False if "!" in marks else None
    after_short = True if "<" in marks else False if ">" in marks else None
    condition = re.sub(r"(\[[^^]\w*)\$\]", r"(?:\1]|$)", condition)
    return _Choice(letters, ending, re.compile(condition), initial, after_short)


_ONE = r"[bdfgklmnptvz]$"  # one consonant letter to the end: where a silent e makes the vowel long

# Phonemes → how they may be written, divided by spaces; the longest key wins. An entry reads
#   flags letters [_ending] [/condition]
# flags: ^ only at the start of a word, ! never there, < only after a short vowel, > only elsewhere;
# _ending: what the end of the word then takes on (silent e); condition: a regular expression that the letters which
# follow must begin with ($ is the end of the word). The last entry serves where none of the others fits.
_TABLE: dict[str, str] = {
    # vowels
    "iː": f"ee ea/[dkmnpt] e_e/{_ONE} ee",
    "i": "y/$ ey/$ i/[aeou] ie/d$ ee",
    "iz": "ies/$ eez",
    "ɪ": "i y",
    "ɨ": "e/[dsz]$ ^e !e/[bdfglmnpstv][aeiouy] i",
    "ɛ": "e",
    "æ": "a",
    "a": "a",
    "ɐ": "a ah/$ a",
    "ɑː": "o/[^aeiouyrwh$] ah/$ ah aa",
    "ɑ": "o/[^aeiouyrwh$] ah/$ ah",
    "ɔː": "aw au/[dknst] aw",
    "ɔ": "o/[^aeiouyrwh$] aw",
    "ʌ": "uh/$ u",
    "ə": "^uh/$ ^a/. a/$ !ah/$ !e/[bdfglmnprtv] !o/[bglmnpstv][aeiouy] !u/[ms]$ a/[aeiouy] e",
    "ʊ": "oo/[dk] u/l u/sh oo",
    "u": "oo u/[aeo]",
    "uː": "oo ooh/$ oo",
    "juː": "^yu/[^aeiouyr$][aeiouy] ^you !ew !ue/$ ew",
    "jʊɹ": "^eur !ure/$ ur/[aeiouy] yoor",
    "eɪ": f"ay/$ ey/$ a_e/{_ONE} ^ai/[dlmntv] !ai/[dlmntv] !ay/[^aeiouyr] ay",
    "e": "eh/$ e",
    "aɪ": f"y/$ ie/$ ye/$ i_e/{_ONE} y_e/{_ONE} igh/t i/nd y/[bdfglmnprtvz][aeiou] uy",
    "oʊ": f"o/$ oe/$ oh/$ oa/[bdfgklmnpt] o_e/{_ONE} o/[bdfgklmnptvz][aeiouy] o/[aeiouy] oh",
    "o": "oh",
    "aʊ": "ow/$ ow/[aeiouyl] ou/[^aeiouryzvl] ow",
    "ɔɪ": "oy/$ oi oy",
    # vowels with r
    "ɜː": "ur ir er/[^aeiouy$] ur",
    "ɜːɹ": "urr",
    "ɜ˞": "ur er ur",
    "ə˞": "er or/$ er",
    "ə˞ɹ": "er",
    "əɹ": "er or er",
    "ɑːɹ": "ar arr/[aeiouy] ar",
    "ɔːɹ": "or ore/$ oar",
    "wɔːɹ": "war wor",
    "ɛɹ": "are/$ err/[aeiouy] air",
    "æɹ": "arr/[aeiouy] ar",
    "ɪɹ": "eer ear/$ irr/[aeiouy] eer",
    "ʊɹ": "oor ure/$ oor",
    "aɪə˞": "ire/$ yer",
    "aʊə˞": "our ower/$ our",
    # vowels with l, m, n, and other ends
    "əl": "!le/$ el/$ al/$ al el",
    "əm": "um em/$ um um",
    "ən": "en on/$ an/$ en",
    "əns": "ence/$ ance/$ ens",
    "ənt": "ent/$ ant/$ ent",
    "əs": "us/$ ous/$ es",
    "ənz": "ens/$ ons/$ enz",
    "əlz": "els/$ als/$ elz",
    "ə˞d": "ered/$ erd",
    "jʊ": "^yoo !u/[lr] yoo",
    "ʃən": "!tion/$ shen/$ shen",
    "ʃənz": "!tions/$ shens/$ shenz",
    "ʒən": "!sion/$ zhen",
    "ʔn̩": "tten ten tten",
    "n̩": "en on en",
    "l̩": "el le el",
    "m̩": "em um em",
    "nz": "ns/$ nz",
    "lz": "ls/$ lz",
    "mz": "ms/$ mz",
    "dz": "ds/$ dz",
    "bz": "bs/$ bz",
    "ɡz": "gs/$ gz",
    "vz": "ves/$ vz",
    "ðz": "thes/$ thz",
    "ŋz": "ngs/$ ngz",
    "ə˞z": "ers/$ ors/$ erz",
    # consonants
    "p": "p",
    "b": "b",
    "t": "t",
    "d": "d",
    "ɾ": "t",
    "ʔ": "t tt t",
    "k": "<ck/$ <ck/[eiy] k/[eiy$] c/[aou] k/[aou] c/[lrt] k/[lrst] k",
    "ks": "!x/$ !x/[aeiou] cks/$ cks",
    "kw": "qu kw qu",
    "sk": "sk/[eiy$] sc/[aou] sk",
    "skw": "squ",
    "ʃw": "^schw shw",
    "ɡ": "^gu/[ei] ^gh/[eiy] !gg/[eiy] g",
    "m": "m",
    "n": "n",
    "ŋ": "ng",
    "ŋk": "nk nc/[aoulr] nk",
    "ŋɡ": "ng/[aoulrw] ngu/[eiy] ng",
    "f": "^f ^ph !<ff/$ f ph",
    "v": "ve/$ v",
    "θ": "th",
    "ð": "the/$ th",
    "s": "!<ss/$ !>ss/$ ^c/[eiy] >c/[eiy] s/[^aeiouy] ^s !ss/[aeiouy] s",
    "z": "z !<zz/$ z",
    "ʃ": "sh",
    "ʒ": "^zh zh/$ zh",
    "x": "kh",
    "h": "h",
    "t͡ʃ": "!<tch/$ ch",
    "d͡ʒ": "!<dge/$ !>ge/$ j",
    "l": "!<ll/$ l",
    "ɬ": "thl",
    "ɹ": "r",
    "r": "r rr r",
    "w": "w ^wh/[aei]",
    "j": "y",
    "ʲ": "y",
    "ɑ̃": "on an on",
    "ɔ̃": "on",
    "ɛ̃": "en",
}
_CHOICES = {phonemes: [_choice(entry) for entry in entries.split()] for phonemes, entries in _TABLE.items()}
_LONGEST = max(map(len, _CHOICES))

# A swap can leave diphthongs that English lacks: it hears and writes the one that it has.
LIKE_DIPHTHONGS = {
    **dict.fromkeys(("æɪ", "ʌɪ", "ɑɪ", "ɑːɪ", "ɐɪ", "ai", "əɪ", "aɨ", "ae"), "aɪ"),
    **dict.fromkeys(("ɛɪ", "ei", "eɛ"), "eɪ"),
    **dict.fromkeys(("oɪ", "ɔːɪ", "ɔi"), "ɔɪ"),
    **dict.fromkeys(("æʊ", "ʌʊ", "ɑːʊ", "aɔ", "ao", "au"), "aʊ"),
    **dict.fromkeys(("ɔʊ", "ɔːʊ", "əʊ", "ɜːʊ", "oɔ", "ou"), "oʊ"),
}
_MARKS = "\u0361\u0303\u0329˞"  # what belongs to the letter before it
_SHORT_VOWELS = {"ɪ", "ɛ", "æ", "ɑː", "ɑ", "ʌ", "ʊ", "a", "ɔ", "e"}
_DOUBLED = {letter: letter * 2 for letter in "bdfglmnprstvz"} | {"k": "ck", "c": "ck", "j": "dj"}


@lru_cache(maxsize=4096)
def _sign(sign: str) -> str:
    """One sign in the form the table has: espeak's own letters become IPA's, stress and breaks go."""
    replaced = {"ɚ": "ə˞", "ɝ": "ɜ˞", "ᵻ": "ɨ", "g": "ɡ", "ɫ": "l", "ʍ": "w", "ɱ": "m", "ˈ": "", "ˌ": "", ".": ""}
    return replaced.get(sign, sign)


def _parse(word: str) -> list[str]:
    """The keys of the table that a word is made of, longest match first."""
    text = "".join(map(_sign, unicodedata.normalize("NFC", word)))
    text = unicodedata.normalize("NFD", text)
    keys: list[str] = []
    position = 0
    while position < len(text):
        for length in range(_LONGEST, 0, -1):
            key = text[position : position + length]
            whole = position + length >= len(text) or text[position + length] not in _MARKS
            if len(key) == length and whole and (key in _CHOICES or key in LIKE_DIPHTHONGS):
                keys.append(LIKE_DIPHTHONGS.get(key, key))
                position += length
                break
        else:
            if text[position] != "ː" or not keys:
                raise ValueError(
                    f"{text[position]!r} in the pronunciation {word!r} has no English spelling: "
                    "respelling knows the phonemes of espeak-ng's American English."
                )
            position += 1  # English letters do not tell a long vowel that has no spelling of its own
    return keys


def _written(choice: _Choice, rest: str, after_short: bool) -> str:
    """The choice and what follows it, the consonant doubled where a single one would make the vowel before it long."""
    letters = choice.letters
    if after_short and letters in _DOUBLED and rest[:1] and rest[0] in _VOWEL_LETTERS:
        letters = _DOUBLED[letters]
    return letters + rest + choice.ending


def _fitting(keys: list[str], index: int, rest: str | None) -> list[_Choice]:
    short = index > 0 and keys[index - 1] in _SHORT_VOWELS
    choices = _CHOICES[keys[index]]
    fitting = [
        choice
        for choice in (choices if rest is None else choices[:-1])
        if choice.initial in (None, index == 0)
        and choice.after_short in (None, short)
        and (rest is None or choice.rest.match(rest))
    ]
    return fitting or choices[-1:]


def _draw(keys: list[str], rng: random.Random) -> str:
    # From the end, because what a letter sounds like depends on the letter after it.
    rest = ""
    for index in reversed(range(len(keys))):
        choice = rng.choice(_fitting(keys, index, rest))
        rest = _written(choice, rest, index > 0 and keys[index - 1] in _SHORT_VOWELS)
    return rest


def _every(keys: list[str], anywhere: bool, index: int | None = None, rest: str = "") -> Iterator[str]:
    """All spellings; with `anywhere`, also those whose letters stand where they sound otherwise."""
    index = len(keys) - 1 if index is None else index
    if index < 0:
        yield rest
        return
    for choice in _fitting(keys, index, None if anywhere else rest):
        after_short = index > 0 and keys[index - 1] in _SHORT_VOWELS
        yield from _every(keys, anywhere, index - 1, _written(choice, rest, after_short))


def letters_of(text: str) -> str:
    """A spelling's letters alone, in lower case: what tells two spellings apart."""
    return "".join(sign for sign in text.casefold() if sign.isalnum())


def _respell_word(word: str, rng: random.Random, avoid: str, forbidden: Container[str]) -> str:
    keys = _parse(word)
    if not keys:
        raise ValueError(f"The pronunciation {word!r} has no phonemes: give it at least one.")
    for _ in range(_DRAWS):
        spelling = _draw(keys, rng)
        if spelling != avoid and spelling not in forbidden:
            return spelling
    fitting = list(islice(_every(keys, anywhere=False), _LISTED))
    doubled = [spelling + spelling[-1] for spelling in fitting if re.search(r"[aeiouy][bdfglmnprtvz]$", spelling)]
    listed = [*fitting, *doubled, *islice(_every(keys, anywhere=True), _LISTED), fitting[0] + fitting[0][-1]]
    others = [spelling for spelling in listed if spelling != avoid]
    return next((spelling for spelling in others if spelling not in forbidden), others[0])


def respell(ipa: str, rng: random.Random, avoid: str = "", forbidden: Container[str] = ()) -> str:
    """Writes a pronunciation in English letters, by sound.

    Args:
        ipa: one or more words of IPA with a space between them, as espeak-ng's American English has it.
        rng: decides between spellings that sound alike; the same state gives the same spelling.
        avoid: the true spelling. Where it has as many words as `ipa`, no word comes out with the letters of its
            true one; else the whole does not.
        forbidden: lower-case spellings that no word shall have if there is any other way (real words, say).

    Returns:
        As many lower-case words as `ipa` has.

    Raises:
        ValueError: if `ipa` is empty or holds a phoneme that English letters cannot write.
    """
    words = ipa.split()
    if not words:
        raise ValueError("There is nothing to respell: give the IPA of at least one word.")
    true = [letters_of(word) for word in re.split(r"[\s\-‐-―]+", avoid) if letters_of(word)]
    by_word = len(true) == len(words)
    for _ in range(_DRAWS):
        spelled = [
            _respell_word(word, rng, true[index] if by_word else "", forbidden) for index, word in enumerate(words)
        ]
        if "".join(spelled) != letters_of(avoid):
            break
    else:
        spelled[0] = _respell_word(words[0], rng, spelled[0], forbidden)
    return " ".join(spelled)
