"""Several processes on one global batch: who takes which rows, and how all see the embeddings of all."""

import logging
import os
from typing import Any

import numpy as np
import psutil
import torch
from accelerate import Accelerator
from torch import Tensor

from ..arguments import ArgumentsError

logger = logging.getLogger(__name__)


def share_of(rows: int, process: int, processes: int) -> np.ndarray:
    """Which of the batch's rows a process takes: every `processes`-th, the last one again where that is one too few."""
    mine = np.arange(process, processes * -(-rows // processes), processes)
    return np.minimum(mine, rows - 1)


def gather_with_gradients(accelerator: Accelerator, mine: Tensor, rows: int) -> Tensor:
    """`(share, dim)` of each process → `(rows, dim)`, the global batch in its order, on every process.

    Gradients flow into a process's own rows alone, and that is enough: as every process computes the same loss of the
    same embeddings, its own rows' gradient is the whole one. Data-parallel training takes the mean of the processes'
    parameter gradients where the chain rule wants their sum, so the loss is multiplied by their number before
    `backward`.
    """
    if accelerator.num_processes == 1:
        return mine
    parts = list(accelerator.gather(mine.detach()).chunk(accelerator.num_processes))
    parts[accelerator.process_index] = mine
    # Row j of process p is row j * processes + p of the batch; repeated rows come last.
    return torch.stack(parts, dim=1).flatten(0, 1)[:rows]


def build_accelerator(**options: Any) -> Accelerator:
    """An `Accelerator` of all the processes that were launched, which it may otherwise miss where there is no GPU.

    Raises:
        ArgumentsError: if it misses them all the same: each would do the whole run.
    """
    launched = int(os.environ.get("WORLD_SIZE", "1"))
    accelerator = Accelerator(cpu=launched > 1 and not torch.accelerator.is_available(), **options)
    if launched > accelerator.num_processes:
        raise ArgumentsError(
            f"{launched} processes were launched, and accelerate sees {accelerator.num_processes}: on CPUs set "
            "ACCELERATE_USE_CPU=true"
        )
    wanted = _asked_of_launcher()
    if wanted > accelerator.num_processes:
        logger.warning(
            "THIS RUN HAS %d PROCESS, AND THE LAUNCHER WAS ASKED FOR %d: `accelerate launch --cpu` starts only one. On "
            "CPUs use `--config_file` with training/configs/accelerate/cpu_2.yaml (see docs/distillation.md).",
            accelerator.num_processes, wanted,
        )  # fmt: skip
    return accelerator


def _asked_of_launcher() -> int:
    """The number of processes in the command line of the `accelerate launch` above this process; 1 if there is none."""
    try:
        words = psutil.Process().parent().cmdline()
    except (psutil.Error, AttributeError):
        return 1
    if "launch" not in words:
        return 1
    for word, following in zip(words, [*words[1:], ""], strict=True):
        option, equals, value = word.replace("-", "_").partition("=")
        if option == "__num_processes":
            given = value if equals else following
            return int(given) if given.isdigit() else 1
    return 1
