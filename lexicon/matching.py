"""Names that are the same by sound and letters: the nearest of a list, and the duplicates within one."""

import unicodedata
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property, lru_cache
from typing import Any

import numpy as np
from ipaclip.common.progress import Progress
from ipaclip.tokenization import MissingBackendError, UnknownLanguageError
from ipaclip.tokenization.phonemes.distance import SegmentCosts
from ipaclip.tokenization.phonemes.segments import is_vowel

from .channel import Channel, Way
from .entries import Entry
from .letters import LetterIndex, plain_letters, typing_errors
from .pronouncing import pronounce
from .readings import Edit, Part, Reading
from .sounds import Sounds, segments_of

# The language in which a name is said that comes with none, by its script's name in Unicode.
LANGUAGE_OF_SCRIPT = {
    "LATIN": "eng-Latn",
    "ARABIC": "ara-Arab",
    "ARMENIAN": "hye-Armn",
    "BENGALI": "ben-Beng",
    "CYRILLIC": "rus-Cyrl",
    "DEVANAGARI": "hin-Deva",
    "ETHIOPIC": "amh-Ethi",
    "GEORGIAN": "kat-Geor",
    "GREEK": "ell-Grek",
    "GUJARATI": "guj-Gujr",
    "GURMUKHI": "pan-Guru",
    "HANGUL": "kor-Hang",
    "HEBREW": "heb-Hebr",
    "HIRAGANA": "jpn-Hira",
    "KANNADA": "kan-Knda",
    "KATAKANA": "jpn-Kana",
    "KATAKANA-HIRAGANA": "jpn-Kana",
    "LAO": "lao-Laoo",
    "MALAYALAM": "mal-Mlym",
    "MYANMAR": "mya-Mymr",
    "SINHALA": "sin-Sinh",
    "TAMIL": "tam-Taml",
    "TELUGU": "tel-Telu",
    "THAI": "tha-Thai",
}
# Names travel: those in Latin letters are also said as in these, whose letters have few sounds, and in more accents.
ALSO_SAID = ("ita-Latn", "deu-Latn", "spa-Latn")
ALSO_SAID_IN_ENGLISH = ("eng-Latn-scotland", "eng-Latn-caribbean", "eng-Latn-westmidlands")

# What `benchmarks/match.py --fit` found: distances are by segment, typing errors by letter.
WEIGHTS = Channel(spoken=7.1, by_ear=Way(0.8, 23.7, 0.0), by_hand=Way(0.2, 0.0, 9.6))
SAME, SAME_ACROSS = 2.7, 5.1  # log odds of names that are said alike, in one script and in two
_VOWEL = 0.4  # what an edit of a vowel costs beside that of a consonant: variants of a name keep its consonants
_FAR = 1e3  # by segment: of names of which one is silent
_LONGEST = 500  # signs
_BY_SOUND, _BY_LETTERS = 300, 100  # candidates of a query
_DUPLICATES_BY_SOUND, _DUPLICATES_BY_LETTERS = 60, 20
_TOGETHER = 4096  # names that are transcribed in one call

Pronounce = Callable[[Sequence[str], str], Sequence[tuple[str, ...] | str]]


@dataclass(frozen=True)
class Match:
    """A name that may be another.

    Attributes:
        query: the other.
        name: as the list has it.
        score: how probable it is that both are one name, 0 to 1, where as many pairs are one as are two alike.
        place: of the name in the list, from 0.
        distance: phonetic, by segment of the longer name; 1,000 where one has no sound.
        part: sounds and edits; an edit of a vowel costs less here than elsewhere.
        query_place: of the other in the list, where it is of the list.
    """

    query: str
    name: str
    score: float
    place: int
    distance: float
    part: Part
    query_place: int | None = None

    def to_dict(self) -> dict[str, Any]:
        """As JSON has it."""
        kept = ("language", "query_ipa", "ipa", "distance", "typing_errors", "edits")
        about = {key: value for key, value in self.part.to_dict().items() if key in kept}
        return {"name": self.name, "place": self.place, "score": round(self.score, 4), **about}

    def explain(self) -> str:
        """Why, in a few lines: one sound above the other, and what each difference costs."""
        return Reading(self.name, self.name, self.score, (self.part,)).explain()


@dataclass(frozen=True)
class _Heard:
    """A name, its script, letters and pronunciations: segments → IPA."""

    entry: Entry
    script: str
    letters: str
    sounds: Mapping[tuple[str, ...], str]


class NameMatcher:
    """A list of names, asked by names.

    A name that comes without a language is said as its script is: Latin letters as in `language`, Мария as in Russian,
    Μαρία as in Greek (`LANGUAGE_OF_SCRIPT`). Letters are compared within a script, sounds always. So of a name that
    cannot be pronounced only the letters count.

    Args:
        names: strings, or entries, of which word, language and pronunciations count. A name may be there twice.
        language: of names in its script that come with none.
        pronounce: names and a language → pronunciations of each, or why it has none; by default all transcribers of
            the language that are installed, and for Latin letters some more languages'.
        show_progress: whether to show names done of all.

    Attributes:
        silent: place in the list → why the name there cannot be pronounced.

    Raises:
        TypeError: If `names` is one string.
        ValueError: If there is no name, or one is empty.
        UnknownLanguageError: If a language cannot be pronounced.
        MissingBackendError: If what transcribes it is not installed.
    """

    def __init__(
        self,
        names: Iterable[str | Entry],
        *,
        language: str = "eng-Latn",
        pronounce: "Pronounce | None" = None,
        show_progress: bool = False,
    ) -> None:
        self.language = language
        self._pronounce = pronounce or pronounce_name
        entries = self._entries(names, language)
        if not entries:
            raise ValueError("There are no names to match: give at least one.")
        # Every name once; a list of customers has many twice.
        self._places: dict[Entry, list[int]] = defaultdict(list)
        for place, entry in enumerate(entries):
            self._places[entry].append(place)
        reasons: dict[Entry, str] = {}
        self._numbers = {place: number for number, some in enumerate(self._places.values()) for place in some}
        self._names = self._heard(list(self._places), reasons, show_progress)
        self.silent = {place: why for entry, why in reasons.items() for place in self._places[entry]}
        self._sounds = Sounds.build([list(name.sounds) for name in self._names])
        self._letters = LetterIndex([name.letters for name in self._names])
        self._scripts = np.array([name.script for name in self._names])

    def __len__(self) -> int:
        return sum(map(len, self._places.values()))

    def match(
        self, queries: Sequence[str | Entry], *, language: str | None = None, top: int = 5, threshold: float = 0.0
    ) -> list[list[Match]]:
        """The names nearest to each query, best first; one that the list has twice comes twice.

        Args:
            queries: names.
            language: of queries in its script; by default that of the list.
            top: how many for each.
            threshold: the least score.

        Raises:
            TypeError: If `queries` is one string.
            ValueError: If a query is empty or too long, `top` below 1, or `threshold` not within 0 to 1.
            UnknownLanguageError: If a language cannot be pronounced.
        """
        if top < 1:
            raise ValueError(f"top is {top}: ask for one name at least.")
        _check_threshold(threshold)
        asked = self._heard(self._entries(queries, language or self.language), {})
        return [self._nearest(query, top, threshold) for query in asked]

    def compare(self, queries: Sequence[str | Entry], places: Sequence[int]) -> list[Match]:
        """Each query beside the name at a place of the list, however far they are.

        Raises:
            TypeError: If `queries` is one string.
            ValueError: If a query is empty or too long, or there are more of the one than of the other.
            KeyError: If a place is not within the list.
        """
        asked = self._heard(self._entries(queries, self.language), {})
        numbers = [self._numbers[place] for place in places]
        found = (
            self._compared(query, np.array([number]), 0.0)[0] for query, number in zip(asked, numbers, strict=True)
        )
        return [replace(one, place=place) for one, place in zip(found, places, strict=True)]

    def duplicates(self, threshold: float = 0.5, *, show_progress: bool = False) -> Iterator[Match]:
        """Pairs of the list that may be one name, each once, in the order of the list; the same name twice scores 1.

        Not all pairs are compared, but each name with those that are near it by sound vectors and by letters.

        Raises:
            ValueError: If `threshold` is not within 0 to 1.
        """
        _check_threshold(threshold)
        near: list[set[int]] = [set() for _ in self._names]  # of each name those behind it
        with Progress("comparing", 2 * len(self._names), unit="names", shown=show_progress) as progress:
            for number, query in enumerate(self._names):
                for other in self._candidates(query, _DUPLICATES_BY_SOUND, _DUPLICATES_BY_LETTERS, every=False):
                    if other != number:
                        near[min(number, other)].add(int(max(number, other)))
                progress.update(1)
            for number, query in enumerate(self._names):
                places = self._places[query.entry]
                for index, place in enumerate(places[1:], 1):
                    for before in places[:index]:
                        yield Match(query.entry.word, query.entry.word, 1.0, place, 0.0, _same(query), before)
                for found in self._compared(query, np.array(sorted(near[number]), dtype=np.int64), threshold):
                    for before in places:
                        yield from (replace(found, place=one, query_place=before) for one in self._copies(found))
                progress.update(1)

    # How names are said

    def _entries(self, names: Iterable[str | Entry], language: str) -> list[Entry]:
        if isinstance(names, (str, bytes)):
            raise TypeError(f"A list of names is needed, not one str: write [{names!r}].")
        entries = []
        for name in names:
            if not isinstance(name, Entry) and (not isinstance(name, str) or not name.strip()):
                raise ValueError(f"The name {name!r} is empty: write a name.")
            entry = name if isinstance(name, Entry) else Entry(name, language_of(name, language))
            if len(entry.word) > _LONGEST:
                raise ValueError(f"The name {entry.word[:20]!r}… has {len(entry.word)} signs: {_LONGEST} are the most.")
            entries.append(entry)
        return entries

    def _heard(self, entries: Sequence[Entry], reasons: dict[Entry, str], show_progress: bool = False) -> list[_Heard]:
        said = {entry: entry.pronunciations for entry in entries if entry.pronunciations}
        by_language: dict[str, list[Entry]] = defaultdict(list)
        for entry in dict.fromkeys(entries):
            if entry not in said:
                by_language[entry.language].append(entry)
        with Progress(
            "pronouncing", sum(map(len, by_language.values())), unit="names", shown=show_progress
        ) as progress:
            for language, group in by_language.items():
                for start in range(0, len(group), _TOGETHER):
                    part = group[start : start + _TOGETHER]
                    for entry, answer in zip(part, self._pronounce([one.word for one in part], language), strict=True):
                        said[entry] = () if isinstance(answer, str) else tuple(answer)
                        if isinstance(answer, str):
                            reasons[entry] = answer
                    progress.update(len(part))
        segments = iter(segments_of([ipa for entry in entries for ipa in said[entry]]))
        heard = []
        for entry in entries:
            sounds = {segment: ipa for ipa in said[entry] if (segment := next(segments))}
            if not sounds:
                reasons.setdefault(entry, "its pronunciation has no segment")
            heard.append(_Heard(entry, script_of(entry.word), plain_letters(entry.word), sounds))
        return heard

    # What is near

    def _copies(self, match: Match) -> list[int]:
        return self._places[self._names[match.place].entry]

    def _nearest(self, query: _Heard, top: int, threshold: float) -> list[Match]:
        near = self._candidates(query, _BY_SOUND, _BY_LETTERS)
        found = self._compared(query, near, threshold, top)
        return [replace(one, place=place) for one in found for place in self._copies(one)][:top]

    def _candidates(self, query: _Heard, by_sound: int, by_letters: int, *, every: bool = True) -> np.ndarray:
        """The names (by number) near a query; with `every` by all its pronunciations, else by its first."""
        asked = list(query.sounds)[: None if every else 1]
        rows = self._sounds.nearest(asked, by_sound) if asked else []
        return np.unique(
            np.concatenate(
                [*(self._sounds.owners[some] for some in rows), self._letters.nearest(query.letters, by_letters)]
            )
        ).astype(np.int64)

    def _compared(self, query: _Heard, near: np.ndarray, threshold: float, top: int | None = None) -> list[Match]:
        """The names `near` that reach the threshold, best first; `place` is the name's number here."""
        distances, rows, heard = self._distances(query, near)
        same_script = (self._scripts[near] == query.script) & bool(query.letters)
        errors = typing_errors(query.letters, [self._names[number].letters for number in near])
        letters = np.array([max(len(query.letters), len(self._names[number].letters), 1) for number in near])
        scores = score(distances, errors / letters, same_script)
        best = np.argsort(-scores, kind="stable")
        best = best[scores[best] >= threshold][:top]
        return [
            Match(
                query.entry.word,
                self._names[near[one]].entry.word,
                float(scores[one]),
                int(near[one]),
                float(distances[one]),
                self._part(query, near[one], rows[one], heard[one], int(errors[one]) if same_script[one] else None),
            )
            for one in best
        ]

    def _distances(self, query: _Heard, near: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """For each name the least distance by segment, and between which of its and the query's pronunciations."""
        least, place = np.full(len(near), _FAR), {number: index for index, number in enumerate(near)}
        best_row, best_heard = np.full(len(near), -1), np.full(len(near), -1)
        rows = self._sounds.rows_of(np.array([number for number in near if self._names[number].sounds], dtype=np.int64))
        owners = np.array([place[owner] for owner in self._sounds.owners[rows]], dtype=np.int64)
        lengths = self._sounds.lengths[rows].astype(np.int64)
        numbers = self._sounds.numbers[rows, : int(lengths.max(initial=0))].astype(np.int64)
        for index, said in enumerate(query.sounds if len(rows) else ()):
            costs = self._costs(said)
            (asked,), _ = costs.encode([said])
            distances = costs.distances(asked, numbers, lengths) / np.maximum(lengths, len(said))
            order = np.lexsort((distances, owners))
            first = order[np.append(True, owners[order][1:] != owners[order][:-1])]
            better = first[distances[first] < least[owners[first]]]
            least[owners[better]] = distances[better]
            best_row[owners[better]], best_heard[owners[better]] = rows[better], index
        return least, best_row, best_heard

    def _costs(self, said: Sequence[str]) -> SegmentCosts:
        new = sorted(set(said) - set(self._sounds.segments))
        return _name_costs((*self._sounds.segments, *new)) if new else self._own_costs

    @cached_property
    def _own_costs(self) -> SegmentCosts:
        return _name_costs(self._sounds.segments)

    def _part(self, query: _Heard, number: int, row: int, heard: int, errors: int | None) -> Part:
        entry = self._names[number].entry
        part = Part(query.entry.word, entry.word, entry.language, typing_errors=errors)
        if row < 0:
            return part
        said, asked = self._sounds.said(row), list(query.sounds)[heard]
        edits = tuple(Edit(*edit) for edit in self._costs(asked).align(said, asked))
        return replace(
            part,
            query_ipa=query.sounds[asked],
            ipa=self._names[number].sounds[said],
            distance=sum(edit.cost for edit in edits),
            segments=said,
            query_segments=asked,
            edits=edits,
        )


def match(
    queries: Sequence[str | Entry],
    names: Iterable[str | Entry],
    *,
    language: str = "eng-Latn",
    top: int = 5,
    threshold: float = 0.0,
) -> list[list[Match]]:
    """The names nearest to each query, best first: `NameMatcher` for one call."""
    return NameMatcher(names, language=language).match(queries, top=top, threshold=threshold)


def score(distances: np.ndarray, errors: np.ndarray, same_script: np.ndarray) -> np.ndarray:
    """How probable it is that two names are one, of the same shape.

    In one script σ(`SAME` + log(share₁ · exp(-s · d) + share₂ · exp(-l · e))): they sound alike or are spelled alike;
    1 where all letters are the same. In two σ(`SAME_ACROSS` - `spoken` · d).

    Args:
        distances: phonetic, by segment of the longer name.
        errors: typing errors, by letter of the longer name.
        same_script: whether letters count.
    """
    odds = np.where(same_script, SAME + WEIGHTS.written(distances, errors), SAME_ACROSS + WEIGHTS.heard(distances))
    found: np.ndarray = 1 / (1 + np.exp(-np.clip(odds, -80, 80)))
    return np.where(same_script & (errors == 0), 1.0, found)


def script_of(name: str) -> str:
    """The script of most of a name's letters, as Unicode calls it, such as `"CYRILLIC"`; empty without letters."""
    counts = Counter(_script(sign) for sign in name if sign.isalpha())
    return counts.most_common(1)[0][0] if counts else ""


@lru_cache(maxsize=65_536)
def _script(sign: str) -> str:
    return unicodedata.name(sign, "").partition(" ")[0]


def language_of(name: str, language: str) -> str:
    """The language in which a name is said: `language` if that is written in its script, else its script's own."""
    own = LANGUAGE_OF_SCRIPT.get(script_of(name), language)
    return language if _code(own) == _code(language) else own


def _code(language: str) -> str:
    return "-".join(language.split("-")[1:2])


def pronounce_name(words: Sequence[str], language: str) -> list[tuple[str, ...] | str]:
    """As `pronounce`; names in Latin letters are also said as in `ALSO_SAID`, those of English in more accents."""
    answers = pronounce(words, language)
    more = (*ALSO_SAID_IN_ENGLISH, *ALSO_SAID) if language.startswith("eng-Latn") else ALSO_SAID
    if _code(language) != "Latn":
        return answers
    for other in more:
        try:
            also = pronounce(words, other, every=False)
        except (MissingBackendError, UnknownLanguageError):
            continue
        answers = [
            (*said, *new) if isinstance(said, tuple) and isinstance(new, tuple) else said
            for said, new in zip(answers, also, strict=True)
        ]
    return answers


@lru_cache(maxsize=64)
def _name_costs(segments: tuple[str, ...]) -> SegmentCosts:
    """The costs of edits between names: of vowels less."""
    costs = SegmentCosts.confusions(segments)
    vowel = np.array([is_vowel(segment) for segment in segments], dtype=bool)
    factor = np.where(vowel, np.float32(_VOWEL), np.float32(1))
    both = np.maximum(factor[:, None], factor[None, :])
    return SegmentCosts(costs.segments, costs.substitution * both, costs.gap * factor)


def _same(name: _Heard) -> Part:
    return Part(name.entry.word, name.entry.word, name.entry.language, typing_errors=0)


def _check_threshold(threshold: float) -> None:
    if not 0 <= threshold <= 1:
        raise ValueError(f"The threshold is {threshold}: a score is within 0 and 1.")
