"""Evaluation while training, on rows that the run does not train on; the best weights so far are kept."""

import json
import os
import shutil
from pathlib import Path

import numpy as np
import torch
from accelerate import Accelerator
from ipaclip.common.files import saying_what_cannot_be_written
from safetensors.torch import load_file, save_file
from torch import Tensor, nn
from torch.nn import functional

from ..data.batches import pad
from ..data.evaluation_rows import HeldOutRows
from .folder import GO_ON

BEST_FOLDER = "best"
WEIGHTS_FILE = "student.safetensors"
RESULT_FILE = "result.json"
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
        self, held_out: HeldOutRows, mean: Tensor, variance: float, accelerator: Accelerator, pad_token_id: int
    ) -> None:
        self.accelerator, self.pad_token_id = accelerator, pad_token_id
        self.mean, self.variance = mean.to(accelerator.device), variance
        self._phonemes = held_out.phonemes
        texts, right = np.unique(held_out.of_row[held_out.rows], return_inverse=True)
        lengths = np.array([len(held_out.phonemes[row]) for row in held_out.rows])
        order = np.argsort(lengths, kind="stable")
        self._rows, self._right = held_out.rows[order], right[order]
        self._batches = _cut(lengths[order])
        teacher = torch.from_numpy(np.asarray(held_out.embeddings[texts], dtype=np.float32))
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


def _cut(lengths: np.ndarray) -> list[slice]:
    """Batches of at most `TOKENS` padded tokens, of rows sorted by length."""
    batches, start = [], 0
    while start < len(lengths):
        end = start + 1
        while end < len(lengths) and lengths[end] * (end + 1 - start) <= TOKENS:
            end += 1
        batches.append(slice(start, end))
        start = end
    return batches


def is_better(metric: str, value: float, best: float | None) -> bool:
    return best is None or (value > best if HIGHER_IS_BETTER[metric] else value < best)


def save_best(output_dir: Path, weights: dict[str, Tensor], result: dict[str, float], step: int) -> None:
    """Puts weights and result into `best/`, in place of those before. Called on the main process."""
    target, temporary = output_dir / BEST_FOLDER, output_dir / f".{BEST_FOLDER}-writing"
    shutil.rmtree(temporary, ignore_errors=True)
    with saying_what_cannot_be_written("the best weights", target, GO_ON):
        temporary.mkdir()
        save_file({key: value.contiguous() for key, value in weights.items()}, temporary / WEIGHTS_FILE)
        text = json.dumps({"step": step, **result}, indent=2) + "\n"
        (temporary / RESULT_FILE).write_text(text, encoding="utf-8")
        shutil.rmtree(target, ignore_errors=True)
        os.replace(temporary, target)


def load_best(output_dir: Path) -> tuple[dict[str, Tensor], dict[str, float]]:
    """The weights in `best/`, and the result with its step."""
    folder = output_dir / BEST_FOLDER
    return load_file(folder / WEIGHTS_FILE), json.loads((folder / RESULT_FILE).read_text(encoding="utf-8"))
