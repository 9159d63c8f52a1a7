"""What a finished run leaves: an IPA-CLIP checkpoint with its processor, `metrics.json` and a model card."""

import copy
import logging
import os
import platform
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from ipaclip import IPAClipProcessor, IPAClipPronunciationConfig, IPAClipPronunciationModelWithProjection
from ipaclip.common.checkpoints import METRICS_FILE
from ipaclip.common.files import copy_file, saying_what_cannot_be_written, write_json, write_text
from ipaclip.common.model_card import model_card
from ipaclip.common.provenance import git_revision, python_version, versions
from ipaclip.common.speech_record import SpeechRecord
from ipaclip.tokenization import IPATokenizer, get_transcriber

from .arguments import DistillationArguments
from .data.prepared import TrainingData
from .loop.folder import GO_ON
from .student import finished_model
from .teachers import Teacher
from .token_states import TokenHead

logger = logging.getLogger(__name__)


def save_result(
    output_dir: Path,
    config: IPAClipPronunciationConfig,
    student: dict[str, torch.Tensor],
    *,
    teacher: Teacher,
    reader: Any,
    gallery: Sequence[Path] = (),
    data: TrainingData,
    arguments: DistillationArguments,
    run: dict[str, Any],
    head: TokenHead | None = None,
) -> None:
    """Writes the checkpoint: weights in `save_dtype`, processor, gallery of the teacher, model card, metrics.

    `student` are the weights of the pronunciation tower, which is saved within the teacher's CLIP, or, where the
    teacher is none, alone; with it the `reader` (see `build_reader`). The `head` for token states lies beside, if there
    is one. `metrics.json` comes last: where it is, all is.
    """
    dtype = getattr(torch, arguments.save_dtype)
    tower = IPAClipPronunciationModelWithProjection(copy.deepcopy(config))
    tower.load_state_dict(student)
    model = finished_model(tower, teacher).to(dtype)
    with saying_what_cannot_be_written("the finished model", output_dir, GO_ON):
        model.save_pretrained(output_dir)
        if head is not None:
            head.save_pretrained(output_dir, dtype)
        reader.save_pretrained(output_dir)
        for file in gallery:
            copy_file(file, output_dir / file.name)
    tower_shape = {name: getattr(config, name) for name in ("num_hidden_layers", "hidden_size", "pooling")}
    run = {**run, "tower": tower_shape, "tower_alone": teacher.clip is None}
    metrics = {"run": {**run, **provenance()}, "data": describe(data), "arguments": arguments.to_dict()}
    languages = sorted(data.transcribers) or [arguments.data.language]
    write_text(
        output_dir / "README.md", model_card(output_dir.resolve().name, metrics, languages=languages, is_local=True)
    )
    write_json(output_dir / METRICS_FILE, metrics, indent=2)


def build_reader(
    teacher: Teacher,
    image_processor: Any,
    tokenizer: IPATokenizer,
    *,
    data: TrainingData,
    arguments: DistillationArguments,
    before: SpeechRecord | None = None,
) -> Any:
    """What is saved with the tower to read for it: the teacher's image processor and tokenizer beside the IPA
    tokenizer, or, where the teacher is no CLIP, the IPA tokenizer alone.

    Which transcribers were used is recorded in it, and of languages that these rows do not have what `before` says, the
    record of the tower that training starts from.
    """
    language = arguments.data.language
    records = {spoken: get_transcriber(spoken, chain).record for spoken, chain in data.transcribers.items()}
    transcriber = records[language]["backend"] if language in records else None
    record = SpeechRecord(language, transcriber, records or None)
    record = before.updated(record) if before else record
    if teacher.clip is not None:
        return IPAClipProcessor(image_processor, teacher.tokenizer, tokenizer, **record.to_dict())
    record.write_into(tokenizer)
    return tokenizer


def describe(data: TrainingData) -> dict[str, Any]:
    return {
        "rows": len(data),
        "texts": len(data.texts),
        "tokens": int(data.lengths.sum(dtype=np.int64)),
        "rejected": len(data.rejected),
        "transcribers": data.transcribers,
        "revisions": data.revisions,
    }


def provenance() -> dict[str, Any]:
    """Versions, machine and git revision, as far as they can be known."""
    packages = ("ipaclip", "torch", "transformers", "accelerate", "panphon", "tokenizers")
    return {
        "versions": {"python": python_version(), **versions(*packages)},
        "machine": f"{platform.machine()}, {os.cpu_count()} cores, "
        + (torch.cuda.get_device_name() if torch.cuda.is_available() else "no GPU"),
        "git_revision": git_revision(),
    }
