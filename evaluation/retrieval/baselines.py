"""What finds pictures without the pronunciation tower, to stand beside it: nearest names, and the words of a lexicon.

Every name of the gallery lies at a distance from the query, and the picture of the nearest name is the first. Of names
that lie equally near, the one that comes first in the gallery is taken, as a list that is shown to people would have
it; a name at no distance (a query without letters, or with another Double Metaphone) is never found.
"""

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from ipaclip.common.extras import needs_extra
from ipaclip.lexicon.sounds import segments_of
from ipaclip.tokenization.phonemes.distance import GAP, SegmentCosts

from ..checkpoint import Checkpoint
from .queries import Query
from .retrieval import Finder, directions

BY_SOUND, BY_LETTERS = "nearest name by phonetic distance", "nearest name by letters"
BY_METAPHONE = "nearest name by Double Metaphone"
BY_LEXICON = "nearest words of the lexicon, then text tower"
IPA, HEARD, SPELLING = "phonemes", "spelling as transcribed", "spelling"
_SHARPNESS = 0.05  # of the text tower's cosine with a picture
_READINGS = 5
_SAME, _OTHER = 0.0, 1.0  # of two Double Metaphones: both first codes alike, or one of the other codes

Distances = Callable[[Sequence[str]], np.ndarray]


@dataclass(frozen=True)
class Baselines:
    """What stands beside the towers.

    Attributes:
        finders: column → what finds pictures.
        notes: which are left out, and why.
    """

    finders: dict[str, Finder]
    notes: tuple[str, ...] = ()


def baselines_of(checkpoint: Checkpoint) -> Baselines:
    """All that a checkpoint's gallery can be asked by beside its towers; made once.

    Raises:
        NotRunError: if it has no gallery.
        ValueError: if the transcriber of its language is not installed.
    """
    if "baselines" not in checkpoint.known:
        checkpoint.known["baselines"] = _baselines(checkpoint)
    return checkpoint.known["baselines"]


def _baselines(checkpoint: Checkpoint) -> Baselines:
    names = list(checkpoint.names)
    pictures = directions(checkpoint.gallery, names)
    near = NearestName(checkpoint.transcriber.transcribe_each(names), range(len(names)), len(names))
    finders: dict[str, Finder] = {
        f"{BY_SOUND}, {IPA}": lambda queries: by_place(near([query.ipa for query in queries])),
        f"{BY_SOUND}, {HEARD}": lambda queries: by_place(near([query.heard for query in queries])),
        BY_LETTERS: _of_spellings(lambda spellings: letter_distances(spellings, names)),
    }
    notes = []
    try:
        code_distances([], names)
        finders[BY_METAPHONE] = _of_spellings(lambda spellings: code_distances(spellings, names))
    except ImportError as error:
        notes.append(f"Left out: {error}.")
    if checkpoint.lexicon is not None:
        try:
            decoded = LexiconThenText(checkpoint, pictures)
        except ValueError as error:
            notes.append(f"Left out: {BY_LEXICON}. {error}")
        else:
            language = checkpoint.transcriber.language
            finders[f"{BY_LEXICON}, {IPA}"] = lambda queries: decoded(
                [query.ipa for query in queries], language, ipa=True
            )
            finders[f"{BY_LEXICON}, {SPELLING}"] = lambda queries: decoded(
                [query.spelling for query in queries], language
            )
    return Baselines(finders, tuple(notes))


def _of_spellings(distances: Distances) -> Finder:
    def find(queries: Sequence[Query]) -> np.ndarray:
        return by_place(distances([query.spelling for query in queries]))

    return find


def by_place(distances: np.ndarray) -> np.ndarray:
    """Scores of pictures, higher is better, from distances: none are equal, since the first of equals is the better.

    Args:
        distances: `(queries, pictures)`; infinite where a picture is not found at all.

    Returns:
        `(queries, pictures)`, float32: 0 for the nearest, -1 for the next, and -inf.
    """
    order = np.argsort(distances, axis=1, kind="stable")
    scores = np.empty(distances.shape, dtype=np.float32)
    np.put_along_axis(scores, order, -np.arange(distances.shape[1], dtype=np.float32)[None], axis=1)
    scores[np.isinf(distances)] = -np.inf
    return scores


class NearestName:
    """How far names are from what is heard: feature edit distance, panphon's weights, 2.5 a segment more or less.

    Args:
        said: the names in IPA, or why one cannot be said: it is far from everything.
        owners: of each name the picture that it means; a picture may have several names, or none.
        pictures: how many there are.
    """

    def __init__(self, said: Sequence[str | ValueError], owners: Sequence[int], pictures: int) -> None:
        heard = segments_of([one if isinstance(one, str) else "" for one in said])
        self._names = [segments for segments in heard if segments]
        self._owners = np.array([owner for owner, one in zip(owners, heard, strict=True) if one], dtype=np.int64)
        self._pictures = pictures

    def __len__(self) -> int:
        return len(self._names)

    def __call__(self, ipa: Sequence[str]) -> np.ndarray:
        """`(strings, pictures)`, float32: to the nearest name of each; infinite without one, or without a sound."""
        asked = segments_of(ipa)
        costs = SegmentCosts.panphon(sorted({segment for one in (*asked, *self._names) for segment in one}), gap=GAP)
        ids, lengths = costs.encode(self._names)
        rows = {one: self._nearest(costs, one, ids, lengths) for one in dict.fromkeys(asked)}
        found = np.full((len(asked), self._pictures), np.inf, dtype=np.float32)
        for row, one in zip(found, asked, strict=True):
            row[:] = rows[one]
        return found

    def _nearest(
        self, costs: SegmentCosts, segments: tuple[str, ...], ids: np.ndarray, lengths: np.ndarray
    ) -> np.ndarray:
        row = np.full(self._pictures, np.inf, dtype=np.float32)
        if segments and len(self):
            (query,), _ = costs.encode([segments])
            np.minimum.at(row, self._owners, costs.distances(query, ids, lengths))
        return row


def letter_distances(spellings: Sequence[str], names: Sequence[str]) -> np.ndarray:
    """`(spellings, names)`: letters changed, lost, added, or swapped with their neighbour, capitals or not.

    Optimal string alignment (Damerau 1964, *Communications of the ACM* 7).
    """
    from rapidfuzz.distance import OSA
    from rapidfuzz.process import cdist

    spelled, named = ([one.casefold() for one in texts] for texts in (spellings, names))
    return np.asarray(cdist(spelled, named, scorer=OSA.distance, dtype=np.float32))


def code_distances(spellings: Sequence[str], names: Sequence[str]) -> np.ndarray:
    """`(spellings, names)`: 0 where both have one Double Metaphone, 1 where a second one agrees, else infinite.

    Philips 2000, *C/C++ Users Journal* 18. A phrase has one code, of all its letters; an empty code agrees with none.

    Raises:
        ImportError: if the package `metaphone` is not installed.
    """
    with needs_extra("evaluation", BY_METAPHONE):
        from metaphone import doublemetaphone

    found = np.full((len(spellings), len(names)), np.inf, dtype=np.float32)
    having: dict[str, set[int]] = {}
    first: dict[str, set[int]] = {}
    for column, name in enumerate(names):
        codes = doublemetaphone(name)
        first.setdefault(codes[0], set()).add(column)
        for code in codes:
            having.setdefault(code, set()).add(column)
    for row, spelling in zip(found, spellings, strict=True):
        codes = doublemetaphone(spelling)
        row[_columns(having, codes)] = _OTHER
        row[_columns(first, codes[:1])] = _SAME
    return found


def _columns(having: dict[str, set[int]], codes: Collection[str]) -> list[int]:
    return sorted({column for code in codes if code for column in having.get(code, ())})


class LexiconThenText:
    """Pictures by what a query may have meant: the scores of its readings are mixed, each through the text tower.

    Args:
        checkpoint: with a lexicon.
        pictures: `(pictures, projection_dim)`, of length 1.

    Raises:
        ValueError: if there is no lexicon, or its embeddings are of another text tower.
    """

    def __init__(self, checkpoint: Checkpoint, pictures: torch.Tensor) -> None:
        if checkpoint.lexicon is None:
            raise ValueError(f"{checkpoint.name} has no lexicon.")
        self._lexicon, self._model, self._processor = checkpoint.lexicon, checkpoint.model, checkpoint.processor
        if self._lexicon.has_embeds:
            self._lexicon.check_text_tower(self._model, self._processor)
        self._pictures = pictures.numpy()

    def __call__(self, queries: Sequence[str], language: str, *, ipa: bool = False) -> np.ndarray:
        """`(queries, pictures)`, float32: log of the sum over readings of probability · exp((cosine - 1) / 0.05).

        The cosine is the picture's with what the text tower makes of the reading's meaning; -inf without readings.
        """
        distinct = list(dict.fromkeys(queries))
        answers = self._lexicon.readings(distinct, ipa=ipa, language=language, top=_READINGS) if distinct else []
        meanings = list(dict.fromkeys(one.meaning for readings in answers for one in readings))
        scores = np.full((len(distinct), len(self._pictures)), -np.inf, dtype=np.float32)
        if meanings:
            embeds = self._lexicon.text_embeds(meanings, self._model, self._processor)
            row_of = {meaning: row for row, meaning in enumerate(meanings)}
            for row, readings in zip(scores, answers, strict=True):
                if readings:
                    row[:] = self._mixed(embeds[[row_of[one.meaning] for one in readings]], readings)
        place = {query: row for row, query in enumerate(distinct)}
        return scores[[place[query] for query in queries]]

    def _mixed(self, embeds: np.ndarray, readings: Sequence[Any]) -> np.ndarray:
        tiny = np.finfo(np.float64).tiny  # a probability may be too small for a float
        weights = np.log([max(one.probability, tiny) for one in readings])
        scores: np.ndarray = np.logaddexp.reduce(
            weights[:, None] + (embeds @ self._pictures.T - 1) / _SHARPNESS, axis=0
        )
        return scores
