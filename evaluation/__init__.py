"""How well pictures are found by sound: queries, metrics, and the evaluation that joins them.

Importing this package is light: each name brings what it needs when it is first used.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .human import HumanReport, Judgement, human_similarity, read_judgements
    from .metrics import median_rank, ranks, recall_at_k
    from .nonsense import RealWords, candidates, neighbours_within, swap_phonemes
    from .queries import Query, build_queries, further_respellings, held_out_words
    from .respelling import respell
    from .retrieval import RetrievalReport, RetrievalRow, evaluate_retrieval
    from .statistics import Interval, bootstrap_mean, pearson, spearman

_HOME = {
    "HumanReport": "human",
    "Judgement": "human",
    "human_similarity": "human",
    "read_judgements": "human",
    "median_rank": "metrics",
    "ranks": "metrics",
    "recall_at_k": "metrics",
    "RealWords": "nonsense",
    "candidates": "nonsense",
    "neighbours_within": "nonsense",
    "swap_phonemes": "nonsense",
    "Query": "queries",
    "build_queries": "queries",
    "further_respellings": "queries",
    "held_out_words": "queries",
    "respell": "respelling",
    "RetrievalReport": "retrieval",
    "RetrievalRow": "retrieval",
    "evaluate_retrieval": "retrieval",
    "Interval": "statistics",
    "bootstrap_mean": "statistics",
    "pearson": "statistics",
    "spearman": "statistics",
}

__all__ = [
    "HumanReport",
    "Interval",
    "Judgement",
    "Query",
    "RealWords",
    "RetrievalReport",
    "RetrievalRow",
    "bootstrap_mean",
    "build_queries",
    "candidates",
    "evaluate_retrieval",
    "further_respellings",
    "held_out_words",
    "human_similarity",
    "median_rank",
    "pearson",
    "neighbours_within",
    "ranks",
    "read_judgements",
    "recall_at_k",
    "respell",
    "spearman",
    "swap_phonemes",
]


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f".{_HOME[name]}", __name__), name)


def __dir__() -> list[str]:
    return __all__
