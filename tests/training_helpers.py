"""A small distillation from a tiny random CLIP, shared by the tests of training."""

import json
import os
import resource
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.resources import files
from pathlib import Path
from typing import Any

from ipaclip.training.arguments import DistillationArguments

WORDS = {
    "cat": "kæt", "dog": "dɔɡ", "bee": "biː", "tiger": "taɪɡɚ", "horse": "hɔːɹs", "mouse": "maʊs", "whale": "weɪl",
    "butterfly": "bʌtɚflaɪ", "snake": "sneɪk", "sheep": "ʃiːp", "chicken": "t͡ʃɪkən", "goose": "ɡuːs",
}  # fmt: skip


def values(folder: Path, teacher: Path, output: str = "out", **sections: Any) -> dict[str, Any]:
    """The configuration of a small run below `folder`, with changes; the rows are written there."""
    rows = folder / "rows.jsonl"
    if not rows.exists():
        rows.write_text("".join(json.dumps({"text": text, "ipa": ipa}) + "\n" for text, ipa in WORDS.items()))
    result: dict[str, Any] = {
        "teacher": str(teacher),
        "output_dir": str(folder / output),
        "cache_dir": str(folder / "cache"),
        "data": {"train": [str(rows)]},
        "student": {"hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 1, "num_attention_heads": 2},
        "loop": {"steps": 12, "batch_size": 4, "learning_rate": 3e-3, "log_every": 1, "checkpoint_every": 1000},
        "augmentation": {"substitution": 0.1},
        "objective": {},
    }
    for section, change in sections.items():
        result[section] = {**result[section], **change} if isinstance(change, dict) else change
    return result


def configure(folder: Path, teacher: Path, output: str = "out", **sections: Any) -> DistillationArguments:
    return DistillationArguments.from_dict(values(folder, teacher, output, **sections))


@contextmanager
def file_limit(size: int) -> Iterator[None]:
    """No file can be written beyond so many bytes, as on a full disk."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def weights(directory: Path) -> dict[str, Any]:
    from safetensors.torch import load_file

    return load_file(directory / "model.safetensors")


def log(directory: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (directory / "log.jsonl").read_text().splitlines()]


def launch(*words):
    """Runs what follows in two processes on the CPU, by the configuration that the package brings."""
    config = files("ipaclip.training") / "configs" / "accelerate" / "cpu_2.yaml"
    command = [sys.executable, "-m", "accelerate.commands.launch", "--config_file", str(config)]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    environment.pop("ACCELERATE_USE_CPU", None)
    done = subprocess.run(
        [*command, "--main_process_port", "0", *map(str, words)],
        capture_output=True, text=True, check=False, env=environment, timeout=3600,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout + done.stderr
