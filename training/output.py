"""What a finished run leaves: an IPA-CLIP checkpoint with its processor, `metrics.json` and a model card."""

import copy
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
from ipaclip import IPAClipProcessor, IPAClipPronunciationConfig, IPAClipPronunciationModelWithProjection
from ipaclip.tokenization import IPATokenizer, get_transcriber
from transformers import AutoImageProcessor

from .arguments import DistillationArguments
from .folder import GO_ON, METRICS_FILE, saying_what_cannot_be_written
from .prepared import TrainingData
from .student import finished_model
from .teachers import Teacher
from .token_states import TokenHead

logger = logging.getLogger(__name__)

# The image tower is the teacher's own, so a gallery made with the teacher stays right.
TRAVELLING_FILES = ("gallery.safetensors", "gallery.json")


def save_result(
    output_dir: Path,
    config: IPAClipPronunciationConfig,
    student: dict[str, torch.Tensor],
    *,
    teacher: Teacher,
    tokenizer: IPATokenizer,
    data: TrainingData,
    arguments: DistillationArguments,
    run: dict[str, Any],
    head: TokenHead | None = None,
) -> None:
    """Writes the checkpoint: weights in `save_dtype`, processor, gallery of the teacher, model card, metrics.

    `student` are the weights of the pronunciation tower, which is saved within the teacher's CLIP, or, where the
    teacher is none, alone with its tokenizer. The `head` for token states lies beside, if there is one. `metrics.json`
    comes last: where it is, all is.
    """
    dtype = getattr(torch, arguments.save_dtype)
    tower = IPAClipPronunciationModelWithProjection(copy.deepcopy(config))
    tower.load_state_dict(student)
    model = finished_model(tower, teacher).to(dtype)
    reader: Any = tokenizer if teacher.clip is None else build_processor(teacher, tokenizer, data, arguments)
    source = Path(teacher.name)
    with saying_what_cannot_be_written("the finished model", output_dir, GO_ON):
        model.save_pretrained(output_dir)
        if head is not None:
            head.save_pretrained(output_dir, dtype)
        reader.save_pretrained(output_dir)
        for name in TRAVELLING_FILES:
            if (source / name).is_file():
                shutil.copyfile(source / name, output_dir / name)
    tower_shape = {name: getattr(config, name) for name in ("num_hidden_layers", "hidden_size", "pooling")}
    run = {**run, "tower": tower_shape, "tower_alone": teacher.clip is None}
    metrics = {"run": {**run, **provenance()}, "data": describe(data), "arguments": arguments.to_dict()}
    write_text(output_dir / "README.md", model_card(metrics))
    write_text(output_dir / METRICS_FILE, json.dumps(metrics, indent=2, ensure_ascii=False) + "\n")


def build_processor(
    teacher: Teacher, tokenizer: IPATokenizer, data: TrainingData, arguments: DistillationArguments
) -> IPAClipProcessor:
    """The teacher's image processor and tokenizer beside the IPA tokenizer; which transcriber was used is recorded."""
    language = arguments.data.language
    records = {spoken: get_transcriber(spoken, chain).record for spoken, chain in data.transcribers.items()}
    return IPAClipProcessor(
        AutoImageProcessor.from_pretrained(teacher.name),
        teacher.tokenizer,
        tokenizer,
        language=language,
        transcriber=records[language]["backend"] if language in records else None,
        transcribers=records or None,
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


WITHIN_CLIP = """---
library_name: transformers
license: apache-2.0
pipeline_tag: zero-shot-image-classification
tags: [ipa-clip, clip, phonetics, pronunciation]
---

# IPA-CLIP distilled from `{teacher}`

CLIP with a third tower that reads how words sound: phonemes (IPA), embedded by their phonetic features
(`{feature_set}`), trained by distilling the frozen text tower. After Matsuhira et al. 2023, *IPA-CLIP*,
arXiv 2303.03144. Made with [ipaclip](https://pypi.org/project/ipaclip).

```python
from ipaclip import IPAClipModel, IPAClipProcessor

directory = "."  # where this file lies
model, processor = IPAClipModel.from_pretrained(directory), IPAClipProcessor.from_pretrained(directory)
inputs = processor(pronounce=["batterfly"], return_tensors="pt")
embedding = model.get_pronunciation_features(**inputs).pooler_output
```
"""

TOWER_ALONE = """---
library_name: transformers
license: apache-2.0
pipeline_tag: feature-extraction
tags: [ipa-clip, phonetics, pronunciation]
---

# A pronunciation tower distilled from `{teacher}`

It reads how words sound: phonemes (IPA), embedded by their phonetic features (`{feature_set}`). Its embeddings lie in
the space of `{teacher}`, and are compared with the embeddings of that model, which is **not** in this folder: here are
the tower, its projection and its tokenizer alone. After Matsuhira et al. 2023, *IPA-CLIP*, arXiv 2303.03144. Made with
[ipaclip](https://pypi.org/project/ipaclip).

```python
from ipaclip import IPAClipPronunciationModelWithProjection
from ipaclip.tokenization import IPATokenizer, get_transcriber

directory = "."  # where this file lies
model = IPAClipPronunciationModelWithProjection.from_pretrained(directory)
tokenizer = IPATokenizer.from_pretrained(directory)
said = get_transcriber("eng-Latn").transcribe(["batterfly"])
embedding = model(**tokenizer(said, padding=True, return_tensors="pt")).pronunciation_embeds
```
"""


def model_card(metrics: dict[str, Any]) -> str:
    """A README.md in the Hub's form, from the metrics alone."""
    arguments, data, run = metrics["arguments"], metrics["data"], metrics["run"]
    student, noise = arguments["student"], arguments["augmentation"]
    tower = run["tower"]
    shape = f"{tower['num_hidden_layers']} layers, {tower['hidden_size']} wide, pooling `{tower['pooling']}`"
    transcribed = ", ".join(f"{name} ({language})" for language, name in data["transcribers"].items())
    alone = run["tower_alone"]
    introduction = (TOWER_ALONE if alone else WITHIN_CLIP).format(
        teacher=arguments["teacher"], feature_set=student["feature_set"]
    )
    pictures = "has no pictures" if alone else "knows pictures only as its CLIP does"
    return f"""{introduction}
| | |
| --- | --- |
| pronunciation tower | {shape} |
| trained on | {data["rows"]:,} rows, {data["texts"]:,} different texts, {data["tokens"]:,} phoneme tokens |
| transcribed by | {transcribed or "given as IPA"} |
| started from | {f"`{arguments['start_from']}`" if arguments["start_from"] else "random weights"} |
| steps | {run["steps"]:,} of {batch_size(arguments["loop"])}, {run["seconds"]:,.0f} s |
| phonetic noise | {noise["substitution"]} of phonemes swapped for one of the {noise["nearest"]} nearest |
| machine | {run["machine"]} |

Limits: it hears as its transcriber does, and {pictures}. All settings and versions are in
`metrics.json`.
"""


def batch_size(loop: dict[str, Any]) -> str:
    """What one step sees."""
    batch = f"{loop['tokens_per_batch']:,} tokens" if loop["tokens_per_batch"] else f"{loop['batch_size']} rows"
    return f"{loop['accumulation']} batches of {batch}" if loop["accumulation"] > 1 else batch


def write_text(path: Path, text: str) -> None:
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    temporary.write_text(text, encoding="utf-8")
    os.replace(temporary, path)
