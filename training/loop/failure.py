"""A loss that is no number: what it came from is saved, and the run stops."""

import copy
import json
import logging
from pathlib import Path

import torch
from ipaclip.common.files import write_text
from ipaclip.tokenization import IPATokenizer
from torch import Tensor

from ..data.batches import Batch, BatchMaker, Step
from ..data.prepared import TrainingData

logger = logging.getLogger(__name__)

NAN_FILE = "nan_batch.jsonl"


class LossError(FloatingPointError, ValueError):
    """A loss that is no number; the message says where its rows are."""


class LossWatch:
    """Looks at the losses of steps, later and all at once where looking makes an accelerator wait."""

    def __init__(
        self, maker: BatchMaker, data: TrainingData, tokenizer: IPATokenizer, output_dir: Path, writes: bool
    ) -> None:
        """Only one process `writes`."""
        self._maker = copy.copy(maker)
        self._maker.process, self._maker.processes = 0, 1
        self._data, self._tokenizer, self._path = data, tokenizer, output_dir / NAN_FILE
        self._writes = writes
        self._steps: list[tuple[Step, Tensor]] = []

    def add(self, step: Step, loss: Tensor) -> None:
        self._steps.append((step, loss))

    def check(self) -> None:
        """Looks at all that was added since.

        Raises:
            LossError: if one is no finite number; the rows of that step are then in `nan_batch.jsonl`.
        """
        if not self._steps:
            return
        losses = torch.stack([loss for _, loss in self._steps]).cpu()
        steps, self._steps = self._steps, []
        bad = torch.nonzero(~torch.isfinite(losses)).flatten().tolist()
        if not bad:
            return
        step = steps[bad[0]][0]
        records = [record for batch in step.make(self._maker) for record in self._records(batch)]
        if self._writes:
            write_text(self._path, "".join(json.dumps(record, ensure_ascii=False) + "\n" for record in records))
        raise LossError(
            f"the loss is {losses[bad[0]].item()} at step {step.number}: its {len(records)} rows are in {self._path}. "
            "Lower loop.learning_rate, or look what is wrong with the rows; the checkpoints before are good"
        )

    def _records(self, batch: Batch) -> list[dict[str, object]]:
        """Where each row comes from, what the teacher reads, and what the student heard, noise included."""
        records: list[dict[str, object]] = []
        for row, ids, mask in zip(batch.rows.tolist(), batch.ids.cpu(), batch.mask.cpu(), strict=True):
            heard = ids[mask != 0].tolist()
            records.append({
                "where": self._data.places[row], "text": self._data.texts[int(self._data.text_of_row[row])],
                "heard": self._tokenizer.decode(heard, skip_special_tokens=True), "ids": heard,
            })  # fmt: skip
        return records
