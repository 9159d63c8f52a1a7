"""Checkpoints of a run in progress: written whole or not at all, counters inside, the last few kept."""

import json
import logging
import os
import shutil
from dataclasses import asdict, dataclass
from pathlib import Path

import torch

logger = logging.getLogger(__name__)

FOLDER = "checkpoints"
STATE_FILE = "state.pt"
PROGRESS_FILE = "progress.json"


@dataclass
class Progress:
    """Where a run is: steps done, the epoch, the batches done in it, and the seconds spent training."""

    step: int = 0
    epoch: int = 0
    batch: int = 0
    seconds: float = 0.0


def save_checkpoint(
    output_dir: Path, progress: Progress, model: torch.nn.Module, optimizer: torch.optim.Optimizer, keep: int
) -> None:
    """Writes `checkpoints/step-N` under a temporary name, renames it, then removes all but the last `keep`."""
    folder = output_dir / FOLDER
    target, temporary = folder / f"step-{progress.step:08d}", folder / f".writing-{os.getpid()}"
    shutil.rmtree(temporary, ignore_errors=True)
    temporary.mkdir(parents=True)
    torch.save({"model": model.state_dict(), "optimizer": optimizer.state_dict()}, temporary / STATE_FILE)
    (temporary / PROGRESS_FILE).write_text(json.dumps(asdict(progress)), encoding="utf-8")
    shutil.rmtree(target, ignore_errors=True)
    os.replace(temporary, target)
    for old in list_checkpoints(output_dir)[:-keep]:
        shutil.rmtree(old)


def list_checkpoints(output_dir: Path) -> list[Path]:
    """All whole checkpoints, oldest first."""
    return sorted(path for path in (output_dir / FOLDER).glob("step-*") if (path / PROGRESS_FILE).exists())


def load_checkpoint(output_dir: Path, model: torch.nn.Module, optimizer: torch.optim.Optimizer) -> Progress:
    """Restores the newest checkpoint that can be read; a fresh `Progress` where there is none."""
    for path in reversed(list_checkpoints(output_dir)):
        try:
            state = torch.load(path / STATE_FILE, map_location="cpu", weights_only=True)
            progress = Progress(**json.loads((path / PROGRESS_FILE).read_text(encoding="utf-8")))
        except Exception as error:  # a file cut off anywhere makes the unpickler raise anything
            logger.warning("checkpoint %s cannot be read (%s); trying the one before", path, error)
            continue
        model.load_state_dict(state["model"])
        optimizer.load_state_dict(state["optimizer"])
        return progress
    return Progress()


def remove_checkpoints(output_dir: Path) -> None:
    """Removes all checkpoints; called once the finished model is saved."""
    shutil.rmtree(output_dir / FOLDER, ignore_errors=True)
