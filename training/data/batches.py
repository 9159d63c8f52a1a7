"""Row numbers → what one step works on: noisy phonemes, padded, and the teacher's embeddings beside them."""

from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from ..arguments import DistillationArguments
from ..loop.processes import share_of
from ..teachers.targets import Targets
from .augmentation import PhoneticAugmentation
from .prepared import TrainingData


@dataclass(frozen=True)
class Batch:
    """A process's share of the phonemes of a global batch, and the teacher's side of all of it.

    `ids` and `mask` are `(share, length)`; `teacher` `(rows, dim)` and `text` `(rows,)`, the texts' numbers, are those
    of the whole batch; `extra` `(others, dim)` and `extra_text` those of further negatives. `states`, where they are
    learned, are the teacher's token states of this share, `(share, positions, token_dim)`. `padding` is the part of
    `ids` that is none.
    """

    rows: np.ndarray
    ids: Tensor
    mask: Tensor
    teacher: Tensor
    text: Tensor
    extra: Tensor
    extra_text: Tensor
    tokens: int
    states: Tensor | None = None

    @property
    def padding(self) -> float:
        return 1 - self.tokens / self.ids.numel()


class BatchMaker:
    """Makes the batches of a run; each is a pure function of its rows, the seed, the epoch and its number."""

    def __init__(
        self,
        arguments: DistillationArguments,
        data: TrainingData,
        targets: Targets,
        augmentation: PhoneticAugmentation,
        *,
        negatives: np.ndarray | None = None,
        states: Targets | None = None,
        pad_token_id: int,
        device: torch.device,
        process: int = 0,
        processes: int = 1,
    ) -> None:
        """`targets` are the teacher's embeddings of `data.texts`, `states`, if given, its token states of them;
        `negatives` are the texts that may be further negatives.
        """
        self.arguments = arguments
        self.data, self.targets, self.augmentation = data, targets, augmentation
        self.negatives, self.states = negatives, states
        self.pad_token_id, self.device = pad_token_id, device
        self.process, self.processes = process, processes

    def make(self, rows: np.ndarray, epoch: int, number: int, strength: float = 1.0) -> Batch:
        """The batch of these rows, the `number`th of its epoch, with noise of this strength.

        The noise of all rows is drawn, also of those that other processes take: what a row becomes must not depend on
        the number of processes.
        """
        rng = np.random.default_rng([self.arguments.loop.seed, 1, epoch, number])
        phonemes = self.augmentation.batch([self.data.phonemes[row] for row in rows], rng, strength)
        extra = self._draw_negatives(rng)
        mine = share_of(len(rows), self.process, self.processes)
        limit = self.arguments.student.max_position_embeddings
        ids, lengths = pad([cut(phonemes[index], limit) for index in mine], self.pad_token_id)
        mask = np.arange(ids.shape[1]) < lengths[:, None]
        text = self.data.text_of_row[rows]
        return Batch(
            rows=rows, ids=self._send(ids), mask=self._send(mask.astype(np.int64)),
            teacher=self._teacher(text), text=self._send(text.astype(np.int64)),
            extra=self._teacher(extra), extra_text=self._send(extra), tokens=int(lengths.sum()),
            states=None if self.states is None else self._send(self.states[text[mine]]),
        )  # fmt: skip

    def _draw_negatives(self, rng: np.random.Generator) -> np.ndarray:
        texts = len(self.targets) if self.negatives is None else len(self.negatives)
        wanted = self.arguments.objective.extra_negatives if self.arguments.objective.contrastive else 0
        drawn = np.sort(rng.choice(texts, min(wanted, texts), replace=False))
        return drawn if self.negatives is None else self.negatives[drawn]

    def _teacher(self, texts: np.ndarray) -> Tensor:
        return self._send(self.targets[texts])

    def _send(self, values: np.ndarray) -> Tensor:
        tensor = torch.from_numpy(values)
        if self.device.type == "cuda":
            return tensor.pin_memory().to(self.device, non_blocking=True)
        return tensor.to(self.device)


@dataclass(frozen=True)
class Step:
    """What a step worked on: all that is needed to make its batches again."""

    number: int
    epoch: int
    strength: float
    batches: list[tuple[int, np.ndarray]]

    def make(self, maker: BatchMaker) -> list[Batch]:
        return [maker.make(rows, self.epoch, number, self.strength) for number, rows in self.batches]


class Preparation:
    """Makes the batches of the next step while an accelerator works on this one."""

    def __init__(self, maker: BatchMaker, ahead: bool) -> None:
        """Without `ahead`, batches are made when they are taken: on a CPU there is nobody to do it meanwhile."""
        self._maker = maker
        self._pool = ThreadPoolExecutor(1) if ahead else None
        self._next: tuple[int, Future[list[Batch]]] | None = None

    def take(self, step: Step) -> list[Batch]:
        if self._next and self._next[0] == step.number:
            return self._next[1].result()
        return step.make(self._maker)

    def start(self, step: Step) -> None:
        """Begins with a step that comes next."""
        if self._pool:
            self._next = step.number, self._pool.submit(step.make, self._maker)


def cut(ids: np.ndarray, limit: int) -> np.ndarray:
    """Noise may have lengthened a sequence past the tower's positions: its end goes, its `</s>` stays."""
    return ids if len(ids) <= limit else np.append(ids[: limit - 1], ids[-1])


def pad(sequences: Sequence[np.ndarray], pad_token_id: int) -> tuple[np.ndarray, np.ndarray]:
    """`(rows, longest)` int64 ids, and the length of each."""
    lengths = np.fromiter((len(ids) for ids in sequences), dtype=np.int64, count=len(sequences))
    padded = np.full((len(sequences), int(lengths.max())), pad_token_id, dtype=np.int64)
    padded[np.arange(padded.shape[1]) < lengths[:, None]] = np.concatenate(sequences)
    return padded, lengths
