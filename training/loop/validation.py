"""Evaluation while training, on rows that the run does not train on; the best weights so far are kept."""

import json
from itertools import pairwise
from pathlib import Path

import numpy as np
import torch
from accelerate import Accelerator
from ipaclip.common.files import saying_what_cannot_be_written, whole_file
from safetensors import safe_open
from safetensors.torch import load_file, save_file
from torch import Tensor, nn
from torch.nn import functional

from ..data.batches import cut_by_tokens, pad
from ..data.evaluation_rows import EvaluationRows
from .folder import GO_ON

BEST_FILE = "best.safetensors"
# Padded tokens of a batch, and pairs of embeddings compared at once.
TOKENS, PAIRS = 16384, 1 << 24
HIGHER_IS_BETTER = {"recall": True, "cosine": True, "mse": False}


class Validator:
    """Measures a student on held-out rows, all processes together.

    - `cosine`: mean cosine of student and teacher, both less the mean of the teacher's training embeddings. -1 to 1.
    - `mse`: mean squared distance in units of the training targets' variance; 1 for a student that says the mean.
    - `recall`: share of rows to which, by plain cosine, the right text is nearest among all held-out texts. 0 to 1.
    """

    def __init__(
        self, rows: EvaluationRows, mean: Tensor, variance: float, accelerator: Accelerator, pad_token_id: int
    ) -> None:
        self.accelerator, self.pad_token_id = accelerator, pad_token_id
        self.mean, self.variance = mean.to(accelerator.device), variance
        self._phonemes = rows.phonemes
        texts, right = np.unique(rows.of_row[rows.rows], return_inverse=True)
        lengths = np.array([len(rows.phonemes[row]) for row in rows.rows])
        order = np.argsort(lengths, kind="stable")
        self._rows, self._right = rows.rows[order], right[order]
        bounds = cut_by_tokens(lengths[order], TOKENS).tolist()
        self._batches = [slice(*pair) for pair in pairwise(bounds)]
        teacher = torch.from_numpy(rows.embeddings[texts])
        self._teacher = teacher.to(accelerator.device)

    def __len__(self) -> int:
        return len(self._rows)

    @torch.no_grad()
    def measure(self, student: nn.Module) -> dict[str, float]:
        """`eval_cosine`, `eval_mse` and `eval_recall`. Called on every process; leaves the student training."""
        student.eval()
        sums = torch.zeros(3, device=self.accelerator.device)
        processes, process = self.accelerator.num_processes, self.accelerator.process_index
        for first in range(0, len(self._batches), processes):
            # All take part in each round, since sharded weights are gathered together; past the end counts for nothing.
            number = min(first + process, len(self._batches) - 1)
            sums += self._sums(student, self._batches[number]) * (first + process < len(self._batches))
        student.train()
        cosine, mse, recall = (self.accelerator.reduce(sums, "sum") / len(self._rows)).tolist()
        return {"eval_cosine": cosine, "eval_mse": mse, "eval_recall": recall}

    def _sums(self, student: nn.Module, batch: slice) -> Tensor:
        ids, lengths = pad([self._phonemes[row] for row in self._rows[batch]], self.pad_token_id)
        mask = torch.from_numpy((np.arange(ids.shape[1]) < lengths[:, None]).astype(np.int64))
        device = self.accelerator.device
        said = student(input_ids=torch.from_numpy(ids).to(device), attention_mask=mask.to(device)).pronunciation_embeds
        said = said.float()
        right = torch.from_numpy(self._right[batch]).to(device)
        teacher = self._teacher[right]
        cosine = functional.cosine_similarity(said - self.mean, teacher - self.mean, dim=-1).sum()
        mse = (said - teacher).square().sum() / self.variance
        texts = functional.normalize(self._teacher, dim=-1).T
        parts = functional.normalize(said, dim=-1).split(max(1, PAIRS // len(self._teacher)))
        nearest = torch.cat([(part @ texts).argmax(-1) for part in parts])
        return torch.stack([cosine, mse, (nearest == right).float().sum()])


def is_better(metric: str, value: float, best: float | None) -> bool:
    return best is None or (value > best if HIGHER_IS_BETTER[metric] else value < best)


def save_best(output_dir: Path, weights: dict[str, Tensor], result: dict[str, float], step: int) -> None:
    """Writes weights and result, in place of those before. Called on the main process."""
    path = output_dir / BEST_FILE
    with saying_what_cannot_be_written("the best weights", path, GO_ON), whole_file(path) as temporary:
        about = {"format": "pt", "result": json.dumps({"step": step, **result})}
        save_file({key: value.contiguous() for key, value in weights.items()}, temporary, about)


def load_best(output_dir: Path) -> tuple[dict[str, Tensor], dict[str, float]]:
    """The best weights, and their result with its step."""
    path = output_dir / BEST_FILE
    with safe_open(path, framework="pt") as file:
        return load_file(path), json.loads(file.metadata()["result"])
