"""What a run says while it goes: `log.jsonl`, trackers, the progress line."""

import json
import logging
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import psutil
import torch
from accelerate import Accelerator
from ipaclip.common.files import write_text
from torch import Tensor
from tqdm.auto import tqdm
from transformers.utils.generic import flatten_dict

from ..arguments import DistillationArguments

logger = logging.getLogger(__name__)

LOG_FILE = "log.jsonl"
PROJECT = "ipaclip"


class Meter:
    """What is measured each step. Tensors stay where they are until they are read, so that no step waits for them."""

    def __init__(self, read: dict[str, list[float]] | None = None) -> None:
        """`read` is what another meter's `read` gave, to go on with."""
        self._read = dict(read or {})
        self._names: tuple[str, ...] = ()
        self._steps: list[Tensor] = []

    def add(self, values: Mapping[str, Tensor | float]) -> None:
        """One step's values, the same names each time, at least one of them a tensor."""
        self._names = tuple(values)
        device = next(one.device for one in values.values() if isinstance(one, Tensor))
        row = [torch.as_tensor(one, dtype=torch.float32, device=device).detach() for one in values.values()]
        self._steps.append(torch.stack(row))

    def read(self) -> dict[str, list[float]]:
        """`name: [value of each step since the last `clear`]`."""
        if self._steps:
            columns = torch.stack(self._steps).cpu().T.tolist()
            for name, column in zip(self._names, columns, strict=True):
                self._read[name] = [*self._read.get(name, []), *column]
            self._steps.clear()
        return self._read

    def clear(self) -> None:
        self._read, self._steps = {}, []


class RunLog:
    """Writes records on the main process; does nothing on the others."""

    def __init__(self, output_dir: Path, accelerator: Accelerator, arguments: DistillationArguments, step: int) -> None:
        """`step` is the last that was done: what the log says of later ones is taken out, for they come again."""
        self._path = output_dir / LOG_FILE
        self._accelerator, self._steps = accelerator, arguments.loop.steps
        self._trackers = bool(arguments.loop.trackers)
        main = accelerator.is_main_process
        if main:
            cut_back(self._path, step)
        if self._trackers:
            chosen = {one: {"name": output_dir.name} for one in arguments.loop.trackers if one != "tensorboard"}
            settings = dict(flatten_dict(arguments.to_dict()))
            plain = {key: one if isinstance(one, int | float | str) else str(one) for key, one in settings.items()}
            accelerator.init_trackers(PROJECT, plain, init_kwargs=chosen)
        self._bar = tqdm(total=self._steps, initial=step, desc="distilling", unit="step", smoothing=0.05,
                         disable=None if main else True)  # fmt: skip
        self._first, self._started = step, time.perf_counter()

    def advance(self) -> None:
        self._bar.update()

    def write(self, record: dict[str, Any], shown: dict[str, str]) -> None:
        """A line of `log.jsonl`, the same for the trackers, and `shown` in the progress line."""
        if not self._accelerator.is_main_process:
            return
        with self._path.open("a", encoding="utf-8") as log:
            log.write(json.dumps(record) + "\n")
        if self._trackers:
            numbers = {key: value for key, value in record.items() if isinstance(value, (int, float)) and key != "step"}
            self._accelerator.log(numbers, step=record["step"])
        self._bar.set_postfix(shown)
        if self._bar.disable:
            line = ", ".join(f"{key} {value}" for key, value in shown.items())
            logger.info("step %d of %d, %s, %s", record["step"], self._steps, line, self._time_left(record["step"]))

    def _time_left(self, step: int) -> str:
        rate = (step - self._first) / max(1e-9, time.perf_counter() - self._started)
        left = tqdm.format_interval((self._steps - step) / rate) if rate else "?"
        return f"{rate:.2f} steps/s, {left} left"

    def __enter__(self) -> "RunLog":
        return self

    def __exit__(self, *_: object) -> None:
        self._bar.close()


def cut_back(path: Path, step: int) -> None:
    """Takes the records after `step`, and a line cut off by a kill, out of a log."""
    if not path.exists():
        return
    kept = []
    for line in path.read_text(encoding="utf-8").splitlines():
        try:
            if json.loads(line)["step"] <= step:
                kept.append(line + "\n")
        except (ValueError, KeyError):
            continue
    write_text(path, "".join(kept))


def memory(device: torch.device) -> dict[str, float]:
    """Gigabytes: of this process in RAM now and, on a GPU, the most that was ever taken there."""
    used = {"memory_gb": round(psutil.Process().memory_info().rss / 1e9, 3)}
    if device.type == "cuda":
        used["gpu_memory_gb"] = round(torch.cuda.max_memory_allocated(device) / 1e9, 3)
    return used
