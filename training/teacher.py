"""The frozen teacher: CLIP's text tower, its embeddings computed once and kept on disk."""

import hashlib
import json
import logging
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from tqdm.auto import tqdm
from transformers import AutoTokenizer, CLIPModel

logger = logging.getLogger(__name__)

BATCH_SIZE = 256


@dataclass
class Teacher:
    """A CLIP, frozen, and the tokenizer of its text tower."""

    model: CLIPModel
    tokenizer: Any
    name: str

    @classmethod
    def load(cls, name: str) -> "Teacher":
        """Loads a CLIP by Hub name or directory (an IPA-CLIP directory gives the CLIP within it), in float32.

        Raises:
            OSError: if there is none.
        """
        model = CLIPModel.from_pretrained(name, dtype=torch.float32).eval().requires_grad_(False)
        return cls(model, AutoTokenizer.from_pretrained(name), name)

    def fingerprint(self) -> str:
        """A hash of what decides the targets: the text tower's weights and configuration, and the vocabulary."""
        digest = hashlib.sha256(json.dumps(self.model.config.text_config.to_dict(), sort_keys=True).encode())
        for key, value in sorted(self.model.state_dict().items()):
            if key.startswith("text_"):
                digest.update(key.encode())
                digest.update(value.contiguous().view(torch.uint8).numpy().tobytes() if value.ndim else b"")
        digest.update(json.dumps(sorted(self.tokenizer.get_vocab().items())).encode())
        return digest.hexdigest()

    @torch.no_grad()
    def embed(self, texts: Sequence[str]) -> np.ndarray:
        """`(texts, projection_dim)` float32, rows of length 1."""
        limit = self.model.config.text_config.max_position_embeddings
        parts = []
        bar = tqdm(range(0, len(texts), BATCH_SIZE), desc="teacher targets", unit="batch", disable=None)
        for start in bar:
            batch = self.tokenizer(
                list(texts[start : start + BATCH_SIZE]),
                padding=True, truncation=True, max_length=limit, return_tensors="pt",
            )  # fmt: skip
            inputs = {key: batch[key].to(self.model.device) for key in ("input_ids", "attention_mask")}
            features = self.model.get_text_features(**inputs).pooler_output
            parts.append(torch.nn.functional.normalize(features, dim=-1).cpu())
        return torch.cat(parts).numpy()


def cached_targets(teacher: Teacher, texts: Sequence[str], cache_dir: Path) -> np.ndarray:
    """The teacher's embedding of each text, `(texts, dim)`, memory-mapped from the cache, computed where it has none.

    The file's name is a hash of the teacher and the texts: another teacher or another text never meets an old file.
    It is written under a name of its own and then renamed, so that two runs at once cannot spoil it.
    """
    key = hashlib.sha256(teacher.fingerprint().encode() + json.dumps(list(texts)).encode()).hexdigest()[:32]
    path = cache_dir.expanduser() / f"{key}.npy"
    dim = teacher.model.config.projection_dim
    if not _is_whole(path, (len(texts), dim)):
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary = path.with_suffix(f".{os.getpid()}.tmp.npy")
        np.save(temporary, teacher.embed(texts))
        os.replace(temporary, path)
    else:
        logger.info("teacher targets of %d texts taken from %s", len(texts), path)
    return np.load(path, mmap_mode="r")


def _is_whole(path: Path, shape: tuple[int, int]) -> bool:
    if not path.exists():
        return False
    try:
        stored = np.load(path, mmap_mode="r")
    except (ValueError, EOFError, OSError):
        logger.warning("%s cannot be read and is computed anew", path)
        return False
    return stored.shape == shape and bool(np.isfinite(stored[:: max(1, len(stored) // 64)]).all())
