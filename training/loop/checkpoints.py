"""Checkpoints of a run in progress: written whole or not at all, with all that resuming needs, the last few kept."""

import logging
import shutil
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, cast

import torch
from accelerate import Accelerator
from accelerate.utils import broadcast_object_list
from ipaclip.common.files import saying_what_cannot_be_written, whole_file
from torch import nn
from torch.distributed.checkpoint.state_dict import (
    StateDictOptions,
    get_model_state_dict,
    get_optimizer_state_dict,
    set_model_state_dict,
    set_optimizer_state_dict,
)

from ..arguments import ArgumentsError
from .folder import GO_ON
from .optimisation import WeightAverage

logger = logging.getLogger(__name__)

FOLDER = "checkpoints"
# One path for a plain, a data-parallel and a sharded model: whole tensors on the CPU, named as the bare model's.
WHOLE = StateDictOptions(full_state_dict=True, cpu_offload=True)


@dataclass
class Progress:
    """Where a run is.

    Steps done, the epoch, the batches done in it, the seconds spent (and those up to the last record of the log), the
    best evaluation so far and its step, and what was measured of the steps that are not logged yet.
    """

    step: int = 0
    epoch: int = 0
    batch: int = 0
    seconds: float = 0.0
    logged_seconds: float = 0.0
    best: float | None = None
    best_step: int | None = None
    unlogged: dict[str, list[float]] = field(default_factory=dict)


@dataclass
class Trained:
    """All that a step changes; `identity` is what a run must not change when it goes on, such as its data."""

    accelerator: Accelerator
    student: nn.Module
    optimizer: torch.optim.Optimizer
    average: WeightAverage | None
    identity: dict[str, Any]

    def weights(self) -> dict[str, torch.Tensor]:
        """What is evaluated and kept: the student's weights or, if there is one, their running mean.

        Called on every process; with sharded parameters the result is whole on the main one.
        """
        if self.average is None:
            return self._student()
        with self.average.swapped():
            # Copies: on a CPU the state is the very tensors that are swapped back.
            return {key: value.clone() for key, value in self._student().items()}

    def _student(self) -> dict[str, torch.Tensor]:
        return cast(dict[str, torch.Tensor], get_model_state_dict(self.student, options=WHOLE))

    def state(self) -> dict[str, Any]:
        """Called on every process."""
        optimizer = getattr(self.optimizer, "optimizer", self.optimizer)
        scaler = self.accelerator.scaler
        return {
            "identity": self.identity,
            "model": self._student(),
            "optimizer": get_optimizer_state_dict(self.student, optimizer, options=WHOLE),
            "average": self.weights() if self.average else None,
            "scaler": scaler.state_dict() if scaler else None,
        }

    def restore(self, state: dict[str, Any]) -> None:
        """Called on every process, each with the whole state."""
        optimizer = getattr(self.optimizer, "optimizer", self.optimizer)
        if self.average and state["average"]:
            with self.average.swapped():
                set_model_state_dict(self.student, state["average"], options=WHOLE)
        set_model_state_dict(self.student, state["model"], options=WHOLE)
        set_optimizer_state_dict(self.student, optimizer, state["optimizer"], options=WHOLE)
        if self.accelerator.scaler and state["scaler"]:
            self.accelerator.scaler.load_state_dict(state["scaler"])


def save_checkpoint(output_dir: Path, progress: Progress, trained: Trained, keep: int) -> None:
    """Writes `checkpoints/step-N.pt`, whole or not at all, then removes all but the last `keep`.

    Called on every process; the main one writes.

    Raises:
        OSError: if it cannot be written, such as on a full disk. The checkpoints before stay.
    """
    state = trained.state()
    if trained.accelerator.is_main_process:
        path = output_dir / FOLDER / f"step-{progress.step:08d}.pt"
        with saying_what_cannot_be_written(f"checkpoint {path.name}", path, GO_ON), whole_file(path) as temporary:
            try:
                torch.save({**state, "progress": asdict(progress)}, temporary)
            except RuntimeError as error:  # what torch raises where the disk is full
                raise OSError(str(error)) from error
        for old in list_checkpoints(output_dir)[:-keep]:
            old.unlink()
    trained.accelerator.wait_for_everyone()


def list_checkpoints(output_dir: Path) -> list[Path]:
    """All whole checkpoints, oldest first."""
    return sorted((output_dir / FOLDER).glob("step-*.pt"))


def load_checkpoint(output_dir: Path, trained: Trained) -> Progress:
    """Restores the newest checkpoint that can be read; a fresh `Progress` where there is none.

    Called on every process, all of which must see `output_dir`; the main one chooses.

    Raises:
        ArgumentsError: if the checkpoint is of a run with another identity.
    """
    chosen, state = _newest(output_dir) if trained.accelerator.is_main_process else (None, None)
    if trained.accelerator.num_processes > 1:
        (chosen,) = broadcast_object_list([chosen])
    if chosen is None:
        return Progress()
    if state is None:
        state = _read(chosen)
    _check_identity(chosen, state["identity"], trained.identity)
    trained.restore(state)
    return Progress(**state["progress"])


def _newest(output_dir: Path) -> tuple[Path | None, dict[str, Any] | None]:
    paths = list_checkpoints(output_dir)
    for path in reversed(paths):
        try:
            return path, _read(path)
        except Exception as error:  # a file cut off anywhere makes the unpickler raise anything
            logger.warning("checkpoint %s cannot be read (%s); trying the one before", path, error)
    if paths:
        logger.warning("NO CHECKPOINT IN %s CAN BE READ: the run begins anew", output_dir / FOLDER)
    return None, None


def _read(path: Path) -> dict[str, Any]:
    state = torch.load(path, map_location="cpu", weights_only=True)
    if not isinstance(state, dict) or not {"identity", "progress", "model", "optimizer"} <= state.keys():
        raise ValueError("it is of another version of this package")
    return state


def _check_identity(path: Path, before: dict[str, Any], now: dict[str, Any]) -> None:
    for key, value in now.items():
        theirs = before.get(key)
        if theirs != value:
            raise ArgumentsError(
                f"the run in {path.parent.parent} began with another {key}{_difference(theirs, value)}: name another "
                "output_dir, or give the same"
            )


def _difference(before: Any, now: Any) -> str:
    """What two sections say otherwise; nothing of hashes, which nobody can read."""
    if not (isinstance(before, dict) and isinstance(now, dict)):
        return ""
    keys = sorted(key for key in before.keys() | now.keys() if before.get(key) != now.get(key))
    return f" ({', '.join(f'{key} {before.get(key)}, now {now.get(key)}' for key in keys)})"


def remove_checkpoints(output_dir: Path) -> None:
    """Removes all checkpoints; called once the finished model is saved."""
    shutil.rmtree(output_dir / FOLDER, ignore_errors=True)
