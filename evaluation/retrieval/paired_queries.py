"""Queries for both towers at once: what the text tower reads, and what the pronunciation tower hears."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from .queries import NAMES, Query

TYPED, GIVEN, MISHEARD = "typed", "given", "misheard"


@dataclass(frozen=True)
class PairedQueries:
    """What each tower is given, and the picture that is meant, query by query."""

    spellings: tuple[str, ...]
    ipa: tuple[str, ...]
    targets: tuple[int, ...]


def pair_queries(queries: Mapping[str, Sequence[Query]]) -> dict[str, PairedQueries]:
    """The ways in which both towers may be asked at once, by name, such as `"typed one_swap"`.

    `typed`: the pronunciation tower hears what the transcriber makes of the spelling. `given`: it hears the query's own
    IPA. `misheard`: the text tower reads the picture's true name, the pronunciation tower hears nonsense, as from
    noisy speech: here the text tower is the better one.
    """
    paired = {f"{TYPED} {kind}": _paired(asked, asked, heard=True) for kind, asked in queries.items()}
    for kind, asked in queries.items():
        if kind != NAMES:  # whose IPA is what is heard
            paired[f"{GIVEN} {kind}"] = _paired(asked, asked)
    named = {query.target: query for query in queries.get(NAMES, ())}
    for kind, asked in queries.items():
        if any(query.target in named and query.ipa != named[query.target].ipa for query in asked):
            known = [query for query in asked if query.target in named]
            paired[f"{MISHEARD} {kind}"] = _paired([named[query.target] for query in known], known)
    return paired


def _paired(read: Sequence[Query], said: Sequence[Query], heard: bool = False) -> PairedQueries:
    return PairedQueries(
        tuple(query.spelling for query in read),
        tuple(query.heard if heard else query.ipa for query in said),
        tuple(query.target for query in said),
    )
