"""The output for sound alone (`get_phonetic_features`): what it is fitted to, and how.

How alike two words sound to people is above all how much of them is the same: whole phonemes, in the same places (Vitz
and Winkler 1973, *Journal of Verbal Learning and Verbal Behavior* 12). And it is how far the mouth has to move to say
the one instead of the other. So the squared Euclidean distance of two words is a sum,

    D² = d² + runs · |x - y|²,

of their squared feature edit distance d, and of how the counts x and y of all their runs of one to three phonemes
differ, the word's boundaries included (of a spectrum kernel: Leslie, Eskin and Noble 2002, *Pacific Symposium on
Biocomputing* 7); a run with a vowel counts twice.

Distances leave open where the origin lies. It is the mean of all words (classical scaling: Torgerson 1952,
*Psychometrika* 17), so that cosine compares what sets two words apart from words in general. Only the phonetic
projection is trained: nothing else of the model changes.
"""

import copy
import math
import random
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from ipaclip import IPAClipPronunciationModelWithProjection
from ipaclip.common.progress import track
from ipaclip.tokenization import is_segment, is_vowel, nearest_phonemes
from ipaclip.tokenization.phonemes.distance import NUM_FEATURES, SegmentCosts
from ipaclip.tokenization.phonemes.ipa_chart import base_letters
from ipaclip.tokenization.phonemes.segments import TONES
from torch import nn
from torch.nn.utils.rnn import pad_sequence

PHONETIC_DIM, BOTTLENECK = 384, 48
# A phoneme that is not shared brings runs of about 5 with it, and so adds about 2 to the square of the distance.
RUNS = 0.4
_LONGEST_RUN = 3
_VOWELS_COUNT = 2.0
# Edits of the variants of one word: from nearly the same to nearly another.
_EDITS = (1, 1, 2, 2, 3, 4, 5)
_GROUP = 1 + len(_EDITS)
_NEAREST = 4
_LONGEST_WORD = 20
_FOREIGN = 0.25
# People are asked about words that are more or less alike: of the many unrelated ones, each counts little.
_UNRELATED_COSINE, _UNRELATED_DISTANCE = 0.06, 0.3
_COSINE_WEIGHT = 10.0
# Words whose mean is the origin.
_REFERENCE = 64

_Tokens = list[str]


@dataclass(frozen=True)
class PhoneticFit:
    """What a fit did.

    Attributes:
        steps: how many.
        words: how many different words were drawn from.
        loss: mean over the last tenth of the steps.
    """

    steps: int
    words: int
    loss: float


class SoundTable:
    """Phonemes as numbers, from 1 on (0 is silence), and how far words of them are apart."""

    def __init__(self, phonemes: Sequence[str]) -> None:
        self.number = {phoneme: row for row, phoneme in enumerate(phonemes, 1)}
        self.costs = SegmentCosts.unweighted(phonemes)
        self.is_vowel = torch.tensor([False, *(is_vowel(one) for one in phonemes)])

    def encode(self, words: Sequence[Sequence[str]]) -> torch.Tensor:
        """Numbers of each word's phonemes, `(words, longest)`, padded with 0; what is no phoneme is left out."""
        numbers = [[self.number[token] for token in word if token in self.number] for word in words]
        return pad_sequence([torch.tensor(one, dtype=torch.long) for one in numbers], batch_first=True)

    def distances(self, sounds: torch.Tensor, others: torch.Tensor) -> torch.Tensor:
        """Feature edit distance between all words of both, `(words, others)`: `panphon2`'s, by 24 features."""
        ids, lengths = others.numpy() - 1, (others > 0).sum(dim=1).numpy()
        words = (word[word > 0] - 1 for word in sounds.numpy())
        rows = [self.costs.distances(word, ids, lengths) for word in words]
        return torch.from_numpy(np.stack(rows)) / NUM_FEATURES

    def shared_runs(self, sounds: torch.Tensor) -> torch.Tensor:
        """Products x · y of the counts of runs of all words, `(words, words)`; see the module's description."""
        words, longest = sounds.shape
        boundary = len(self.number) + 1
        sequence = torch.zeros(words, longest + 2, dtype=torch.long)
        sequence[:, 0] = boundary
        sequence[:, 1:-1] = sounds
        sequence[torch.arange(words), (sounds > 0).sum(dim=1) + 1] = boundary
        vowel = torch.cat([self.is_vowel, torch.tensor([False])])[sequence]
        codes, weights = [], []
        for length in range(1, _LONGEST_RUN + 1):
            runs = sequence.unfold(1, length, 1)  # (words, runs, length)
            counts = (runs > 0).all(dim=-1) & ~((runs == boundary).all(dim=-1))
            code = (runs * (boundary + 1) ** torch.arange(length)).sum(dim=-1)
            codes.append(torch.where(counts, code, 0))
            weights.append(counts * torch.where(vowel.unfold(1, length, 1).any(dim=-1), _VOWELS_COUNT, 1.0))
        found, column = torch.unique(torch.cat(codes, dim=1), return_inverse=True)
        vectors = torch.zeros(words, len(found)).scatter_add_(1, column, torch.cat(weights, dim=1).sqrt())
        return vectors @ vectors.T

    def squares(self, sounds: torch.Tensor, others: torch.Tensor, runs: float = RUNS) -> torch.Tensor:
        """D² of the module's description between all words of both, `(words, others)`."""
        longest = max(sounds.shape[1], others.shape[1])
        both = torch.cat([nn.functional.pad(one, (0, longest - one.shape[1])) for one in (sounds, others)])
        shared = self.shared_runs(both)
        own, shared = shared.diagonal(), shared[: len(sounds), len(sounds) :]
        counted = own[: len(sounds), None] + own[None, len(sounds) :] - 2 * shared
        return self.distances(sounds, others) ** 2 + runs * counted


class _Variants:
    """Draws words, and what sounds more and less like them: sounds swapped, lost, added, and parts of other words."""

    def __init__(self, words: Sequence[_Tokens], rng: random.Random) -> None:
        self.words = words
        self.rng = rng
        own = sorted({token for word in words for token in word if is_segment(token)})
        foreign = sorted({letter for letter in base_letters() if letter not in TONES and is_segment(letter)})
        self.phonemes = sorted({*own, *foreign})
        self.own, self.all = (own, nearest_phonemes(own)), (self.phonemes, nearest_phonemes(self.phonemes))

    def group(self, longest: int) -> list[_Tokens]:
        """A word and its variants, at most `longest` tokens each, with stress or all without."""
        word = list(self.rng.choice(self.words))
        # Some groups take their sounds from the whole IPA chart, so that other languages are heard as well.
        foreign = self.rng.random() < _FOREIGN
        inventory, near = self.all if foreign else self.own
        if foreign:
            word = self._edited(word, len(word), inventory, near)
        if self.rng.random() < 0.5:
            word = [token for token in word if is_segment(token)]
        group = [word, *(self._edited(word, edits, inventory, near) for edits in _EDITS)]
        return [one[:longest] if any(map(is_segment, one[:longest])) else word[:longest] for one in group]

    def _edited(self, word: _Tokens, edits: int, inventory: list[str], near: dict[str, list[str]]) -> _Tokens:
        word = list(word)
        for _ in range(edits):
            place, kind = self.rng.randrange(len(word)), self.rng.random()
            if kind < 0.5:
                word[place] = self._other(word[place], inventory, near)
            elif kind < 0.65 and len(word) > 2:
                del word[place]
            elif kind < 0.8:
                word.insert(place, self.rng.choice(inventory))
            else:
                other = self.rng.choice(self.words)
                cut = self.rng.randrange(len(other))
                word = word[: place + 1] + other[cut:] if self.rng.random() < 0.5 else other[: cut + 1] + word[place:]
        return word

    def _other(self, phoneme: str, inventory: list[str], near: dict[str, list[str]]) -> str:
        neighbours = near.get(phoneme, [])
        return self.rng.choice(neighbours[:_NEAREST] if neighbours and self.rng.random() < 0.35 else inventory)


def add_phonetic_projection(
    model: Any, phonetic_dim: int = PHONETIC_DIM, bottleneck: int = BOTTLENECK, *, seed: int = 0
) -> None:
    """Gives a model a new phonetic projection with random weights, in place; one that it has is replaced.

    Args:
        model: an `IPAClipModel` or `IPAClipPronunciationModelWithProjection`.
        phonetic_dim: width of the output, at least 1.
        bottleneck: width that embeddings are narrowed to.
        seed: of the weights.

    Raises:
        ValueError: if a width is below 1.
    """
    if phonetic_dim < 1 or bottleneck < 1:
        raise ValueError(f"The widths of the phonetic projection must be at least 1, got {phonetic_dim}, {bottleneck}.")
    config = model.pronunciation_model.config
    config.phonetic_dim, config.phonetic_bottleneck = phonetic_dim, bottleneck
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        tower = IPAClipPronunciationModelWithProjection(copy.deepcopy(config))
    assert tower.phonetic_projection is not None
    model.phonetic_projection = tower.phonetic_projection.to(model.device, model.dtype)


def fit_phonetic_projection(
    model: Any,
    tokenizer: Any,
    words: Sequence[str],
    *,
    steps: int = 4000,
    groups: int = 12,
    learning_rate: float = 8e-3,
    runs: float = RUNS,
    seed: int = 0,
    show_progress: bool = False,
) -> PhoneticFit:
    """Trains the phonetic projection of a model, and nothing else of it, towards what is described above.

    Args:
        model: an `IPAClipModel` or `IPAClipPronunciationModelWithProjection` in float32, its `phonetic_dim` above 0
            (see `add_phonetic_projection`). The projection is changed in place.
        tokenizer: its `IPATokenizer`.
        words: pronunciations in IPA, stress marked or not: of some thousand words. Sounds and variants are made from
            these and, in a quarter of the cases, from the sounds of the whole IPA chart.
        steps: batches to train on.
        groups: words a batch, each with seven variants.
        learning_rate: the highest, of AdamW with a one-cycle schedule.
        runs: what shared runs of phonemes count beside articulation, at least 0.
        seed: of the words drawn; the projection starts as it is.
        show_progress: whether to show how far it is.

    Raises:
        ValueError: if there is no phonetic projection, no word has two phonemes, a word has a sign that the vocabulary
            lacks, an argument is out of range, or the loss is not finite.
    """
    if model.phonetic_projection is None:
        raise ValueError("The model has no phonetic projection: make one with `add_phonetic_projection`.")
    if steps < 20 or groups < 2 or not 0 <= runs < math.inf:
        raise ValueError(
            f"A fit takes at least 20 steps, 2 groups and runs of at least 0, got {steps}, {groups} and {runs}."
        )
    tokens = _split(tokenizer, words)
    variants = _Variants(tokens, random.Random(seed))
    sounds = SoundTable(variants.phonemes)
    reference = sounds.encode(random.Random(seed).choices(tokens, k=_REFERENCE))
    spread = float(sounds.squares(reference, reference, runs).mean())
    longest = model.pronunciation_model.config.max_position_embeddings - 2
    parameters = list(model.phonetic_projection.requires_grad_().parameters())
    optimizer = torch.optim.AdamW(parameters, lr=learning_rate, weight_decay=0.0)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, learning_rate, total_steps=steps, pct_start=0.1)
    losses: list[float] = []
    for step in track(range(steps), "phonetic projection", unit="steps", shown=show_progress):
        batch = [word for _ in range(groups) for word in variants.group(min(longest, _LONGEST_WORD))]
        heard = sounds.encode(batch)
        squares = torch.cat([sounds.squares(heard, one, runs) for one in (heard, reference)], dim=1)
        loss = _loss(_vectors(model, tokenizer, batch), squares.to(model.device), spread)
        if not math.isfinite(loss.item()):
            raise ValueError(
                f"The loss is {loss.item()} at step {step + 1}: fit with a lower learning rate or less runs."
            )
        gradients = torch.autograd.grad(loss, parameters)
        for parameter, gradient in zip(parameters, gradients, strict=True):
            parameter.grad = gradient
        optimizer.step()
        schedule.step()
        losses.append(loss.item())
    optimizer.zero_grad()
    model.phonetic_projection.requires_grad_(False)  # as it is made: `forward` does not read it
    last = losses[-max(1, steps // 10) :]
    return PhoneticFit(steps, len(tokens), sum(last) / len(last))


def _split(tokenizer: Any, words: Sequence[str]) -> list[_Tokens]:
    """The tokens of each word that has at least two phonemes, each word once."""
    tokens: list[_Tokens] = []
    distinct = list(dict.fromkeys(words))
    encodings = tokenizer(distinct, add_special_tokens=False, verbose=False).encodings if distinct else []
    for word, encoding in zip(distinct, encodings, strict=True):
        if tokenizer.unk_token_id in encoding.ids:
            unknown = encoding.tokens[encoding.ids.index(tokenizer.unk_token_id)]
            raise ValueError(f"{word!r} has a sign that the vocabulary lacks: {unknown!r}. Give words in IPA.")
        if sum(map(is_segment, encoding.tokens)) > 1:
            tokens.append(encoding.tokens)
    if not tokens:
        raise ValueError(f"None of the {len(words)} words has two phonemes: there is nothing to fit to.")
    return tokens


def _vectors(model: Any, tokenizer: Any, batch: Sequence[_Tokens]) -> torch.Tensor:
    """`(words, phonetic_dim)`, with gradients for the projection alone."""
    tower = model.pronunciation_model
    rows = [[tokenizer.bos_token_id, *tokenizer.convert_tokens_to_ids(word), tokenizer.eos_token_id] for word in batch]
    padded = pad_sequence([torch.tensor(row) for row in rows], batch_first=True, padding_value=tokenizer.pad_token_id)
    ids = padded.to(model.device)
    with torch.no_grad():
        embeddings = tower.embeddings(ids)
    return model.phonetic_projection(embeddings, ids != tokenizer.pad_token_id).sum(dim=1)


def _loss(vectors: torch.Tensor, squares: torch.Tensor, spread: float) -> torch.Tensor:
    """Squared errors of cosines, above all within groups, and relative ones of Euclidean distances.

    Args:
        vectors: `(words, phonetic_dim)`.
        squares: of the distances that they should have to each other and, behind them, to the words of reference.
        spread: mean square of the distances among the words of reference.
    """
    squares, mean = squares[:, : len(vectors)], squares[:, len(vectors) :].mean(dim=1)
    group = torch.arange(len(vectors), device=vectors.device) // _GROUP
    alike = group[:, None] == group[None]
    distance = squares.clamp(min=0).sqrt()
    # Products of vectors that lie so far apart, seen from the mean of the words of reference.
    wanted = _cosines((mean[:, None] + mean[None] - squares - spread) / 2)
    product = vectors @ vectors.T
    size = product.diagonal()
    found = (size[:, None] + size[None] - 2 * product).clamp(min=1e-6).sqrt()
    cosine_error = ((_cosines(product) - wanted) ** 2 * _weights(alike, _UNRELATED_COSINE)).sum()
    distance_error = (((found - distance) / (1 + distance)) ** 2 * _weights(alike, _UNRELATED_DISTANCE)).sum()
    return _COSINE_WEIGHT * cosine_error + distance_error


def _weights(alike: torch.Tensor, unrelated: float) -> torch.Tensor:
    """What each pair counts, 1 in all: one that is not `alike` counts `unrelated` times one that is."""
    weights = torch.where(alike, 1.0, unrelated).fill_diagonal_(0)
    return weights / weights.sum()


def _cosines(product: torch.Tensor) -> torch.Tensor:
    length = product.diagonal().clamp(min=1e-6).sqrt()
    return product / (length[:, None] * length[None])
