"""What a finished run leaves: an IPA-CLIP checkpoint with its processor, `metrics.json` and a model card."""

import json
import logging
import os
import platform
import shutil
import subprocess
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import torch
from ipaclip import IPAClipModel, IPAClipProcessor
from ipaclip.tokenization import IPATokenizer
from transformers import AutoImageProcessor

from .arguments import DistillationArguments
from .prepared import TrainingData
from .teacher import Teacher

logger = logging.getLogger(__name__)

METRICS_FILE = "metrics.json"
# The image tower is the teacher's own, so a gallery made with the teacher stays right.
TRAVELLING_FILES = ("gallery.safetensors", "gallery.json")


def save_result(
    output_dir: Path,
    model: IPAClipModel,
    *,
    teacher: Teacher,
    tokenizer: IPATokenizer,
    data: TrainingData,
    arguments: DistillationArguments,
    run: dict[str, Any],
) -> None:
    """Writes the checkpoint: weights in `save_dtype`, processor, gallery of the teacher, metrics, model card."""
    # A model on its way to disk must not lose precision in the run that goes on using it.
    copy = IPAClipModel(model.config)
    copy.load_state_dict(model.state_dict())
    copy.to(getattr(torch, arguments.save_dtype)).save_pretrained(output_dir)
    build_processor(teacher, tokenizer, data, arguments).save_pretrained(output_dir)
    source = Path(teacher.name)
    for name in TRAVELLING_FILES:
        if (source / name).is_file():
            shutil.copyfile(source / name, output_dir / name)
    metrics = {"run": {**run, **provenance()}, "data": describe(data), "arguments": arguments.to_dict()}
    write_text(output_dir / METRICS_FILE, json.dumps(metrics, indent=2, ensure_ascii=False) + "\n")
    write_text(output_dir / "README.md", model_card(metrics))


def build_processor(
    teacher: Teacher, tokenizer: IPATokenizer, data: TrainingData, arguments: DistillationArguments
) -> IPAClipProcessor:
    """The teacher's image processor and tokenizer beside the IPA tokenizer; which transcriber was used is recorded."""
    language = arguments.data.language
    return IPAClipProcessor(
        AutoImageProcessor.from_pretrained(teacher.name),
        teacher.tokenizer,
        tokenizer,
        language=language,
        transcriber=data.transcribers.get(language),
    )


def describe(data: TrainingData) -> dict[str, Any]:
    return {
        "rows": len(data),
        "texts": len(data.texts),
        "tokens": int(data.lengths.sum(dtype=np.int64)),
        "rejected": data.rejected,
        "transcribers": data.transcribers,
    }


def provenance() -> dict[str, Any]:
    """Versions, machine and git revision, as far as they can be known."""
    packages = ("ipaclip", "torch", "transformers", "accelerate", "panphon", "tokenizers")
    return {
        "versions": {"python": platform.python_version(), **{name: version(name) for name in packages}},
        "machine": f"{platform.machine()}, {os.cpu_count()} cores, "
        + (torch.cuda.get_device_name() if torch.cuda.is_available() else "no GPU"),
        "git_revision": git_revision(),
    }


def git_revision() -> str | None:
    """The revision of the source tree this package runs from; None for an installed wheel."""
    command = ["git", "-C", str(Path(__file__).parent), "rev-parse", "HEAD"]
    try:
        return subprocess.run(command, capture_output=True, text=True, check=True, timeout=5).stdout.strip()
    except (OSError, subprocess.SubprocessError):
        return None


def model_card(metrics: dict[str, Any]) -> str:
    """A README.md in the Hub's form, from the metrics alone."""
    arguments, data, run = metrics["arguments"], metrics["data"], metrics["run"]
    student, noise = arguments["student"], arguments["augmentation"]
    shape = f"{student['num_hidden_layers']} layers, {student['hidden_size']} wide, pooling `{student['pooling']}`"
    transcribed = ", ".join(f"{name} ({language})" for language, name in data["transcribers"].items())
    return f"""---
library_name: transformers
license: apache-2.0
pipeline_tag: zero-shot-image-classification
tags: [ipa-clip, clip, phonetics, pronunciation]
---

# IPA-CLIP distilled from `{arguments["teacher"]}`

CLIP with a third tower that reads how words sound: phonemes (IPA), embedded by their phonetic features
(`{student["feature_set"]}`), trained by distilling the frozen text tower. After Matsuhira et al. 2023, *IPA-CLIP*,
arXiv 2303.03144. Made with [ipaclip](https://pypi.org/project/ipaclip).

```python
from ipaclip import IPAClipModel, IPAClipProcessor

directory = "."  # where this file lies
model, processor = IPAClipModel.from_pretrained(directory), IPAClipProcessor.from_pretrained(directory)
inputs = processor(pronounce=["batterfly"], return_tensors="pt")
embedding = model.get_pronunciation_features(**inputs).pooler_output
```

| | |
| --- | --- |
| pronunciation tower | {shape} |
| trained on | {data["rows"]:,} rows, {data["texts"]:,} different texts, {data["tokens"]:,} phoneme tokens |
| transcribed by | {transcribed or "given as IPA"} |
| steps | {run["steps"]:,} of {arguments["loop"]["batch_size"]} rows, {run["seconds"]:,.0f} s |
| phonetic noise | {noise["substitution"]} of phonemes swapped for one of the {noise["nearest"]} nearest |
| machine | {run["machine"]} |

Limits: it hears as its transcriber does, and knows pictures only as its CLIP does. All settings and versions are in
`metrics.json`.
"""


def write_text(path: Path, text: str) -> None:
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    temporary.write_text(text, encoding="utf-8")
    os.replace(temporary, path)
