"""How well pictures are found by sound: queries, metrics, and the evaluation that joins them.

Importing this package is light: each name brings what it needs when it is first used.
"""

# ruff: noqa: F401 (imports for type checkers; `__all__` is what is brought when asked for)

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .checkpoint import Checkpoint, Options
    from .human.human import HumanReport, Judgement, human_agreement, human_similarity, read_judgements
    from .metrics import ranks
    from .nonsense.nonsense import RealWords, candidates, neighbours_within, swap_phonemes
    from .phonemes.phonemes import PhonemeRow, chart_letters, evaluate_phonemes, phoneme_vectors
    from .pwesuite.tasks import evaluate_pwesuite
    from .report import Report, SuiteResult, Table, compare, read_report, write_report
    from .retrieval.queries import Query, build_queries, further_respellings, held_out_words
    from .retrieval.respelling import respell
    from .retrieval.retrieval import RetrievalReport, RetrievalRow, evaluate_retrieval
    from .statistics import Interval, bootstrap_mean, pearson, spearman
    from .suites import run_suites

_MODULES = {
    "checkpoint": ("Checkpoint", "Options"),
    "human.human": ("HumanReport", "Judgement", "human_agreement", "human_similarity", "read_judgements"),
    "metrics": ("ranks",),
    "nonsense.nonsense": ("RealWords", "candidates", "neighbours_within", "swap_phonemes"),
    "phonemes.phonemes": ("PhonemeRow", "chart_letters", "evaluate_phonemes", "phoneme_vectors"),
    "pwesuite.tasks": ("evaluate_pwesuite",),
    "retrieval.queries": ("Query", "build_queries", "further_respellings", "held_out_words"),
    "report": ("Report", "SuiteResult", "Table", "compare", "read_report", "write_report"),
    "retrieval.respelling": ("respell",),
    "retrieval.retrieval": ("RetrievalReport", "RetrievalRow", "evaluate_retrieval"),
    "statistics": ("Interval", "bootstrap_mean", "pearson", "spearman"),
    "suites": ("run_suites",),
}
_HOME = {name: module for module, names in _MODULES.items() for name in names}
__all__ = list(_HOME)


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f".{_HOME[name]}", __name__), name)


def __dir__() -> list[str]:
    return __all__
