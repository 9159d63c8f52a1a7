"""A piece of a query → the words of a lexicon that it may be: candidates first, then exact distances, then priors."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from .letters import plain_letters, typing_errors

if TYPE_CHECKING:
    from .lexicon import Lexicon

_BY_SOUND, _BY_LETTERS = 300, 150  # candidates


@dataclass(frozen=True)
class Piece:
    """What is decoded as one word or name.

    Attributes:
        text: as it was given.
        sounds: its pronunciations, as segments; each with its IPA in `ipa`.
        ipa: likewise, as strings.
        typed: whether its letters count, too.
    """

    text: str
    sounds: tuple[tuple[str, ...], ...]
    ipa: tuple[str, ...]
    typed: bool


@dataclass(frozen=True)
class Candidates:
    """Words of a lexicon, best first.

    Attributes:
        words: `(n,)`, their numbers.
        log_likelihood: `(n,)`.
        log_prior: `(n,)`.
        distances: `(n,)`, phonetic.
        errors: `(n,)`, typing errors; zeros for IPA.
        rows: `(n,)`, the pronunciation of the word that fits best.
        heard: `(n,)`, the pronunciation of the piece that fits best.
    """

    words: np.ndarray
    log_likelihood: np.ndarray
    log_prior: np.ndarray
    distances: np.ndarray
    errors: np.ndarray
    rows: np.ndarray
    heard: np.ndarray

    @property
    def score(self) -> np.ndarray:
        """log P(piece and word), up to a constant."""
        return self.log_likelihood + self.log_prior


def decode(lexicon: "Lexicon", piece: Piece, language: str | None, top: int) -> Candidates:
    """The `top` words that a piece may be, best first.

    Args:
        lexicon: the words.
        piece: what is given; with `typed` its letters count, and it may have no pronunciation.
        language: of the piece; None where any may be meant.
        top: how many at most.
    """
    rows = _rows(lexicon, piece)
    distances, heard = _exact(lexicon, piece, rows)
    words = lexicon.sounds.owners[rows]
    # Of each word the pronunciation that fits best.
    order = np.lexsort((distances, words))
    first = np.ones(len(order), dtype=bool)
    first[1:] = words[order][1:] != words[order][:-1]
    order = order[first]
    rows, words, distances, heard = rows[order], words[order], distances[order], heard[order]
    channel = lexicon.channel
    if piece.typed:
        errors = typing_errors(plain_letters(piece.text), [lexicon.plain_words[word] for word in words])
        likelihood = channel.written(distances, errors)
    else:
        errors = np.zeros(len(words), dtype=np.float32)
        likelihood = channel.heard(distances)
    prior = lexicon.log_prior(words, language)
    best = np.argsort(-(likelihood + prior), kind="stable")[:top]
    return Candidates(
        words[best], likelihood[best], prior[best], distances[best], errors[best], rows[best], heard[best]
    )


def _rows(lexicon: "Lexicon", piece: Piece) -> np.ndarray:
    found = [*lexicon.sounds.nearest(piece.sounds, _BY_SOUND)] if piece.sounds else []
    if piece.typed:
        words = lexicon.letter_index.nearest(plain_letters(piece.text), _BY_LETTERS)
        found.append(lexicon.sounds.rows_of(words))
    return np.unique(np.concatenate(found)).astype(np.int64) if found else np.empty(0, dtype=np.int64)


def _exact(lexicon: "Lexicon", piece: Piece, rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Of each row the least distance to a pronunciation of the piece, and which that is."""
    if not piece.sounds:
        # Letters alone: as far as a word that shares nothing would be.
        return lexicon.sounds.lengths[rows].astype(np.float32), np.full(len(rows), -1)
    table = np.stack([lexicon.sounds.distances(sounds, rows) for sounds in piece.sounds])
    heard = table.argmin(0)
    return table[heard, np.arange(len(rows))], heard


def nothing(lexicon: "Lexicon", piece: Piece) -> float:
    """log P(a piece is no word of the lexicon)."""
    return -lexicon.channel.nothing * max(map(len, piece.sounds), default=len(piece.text))
