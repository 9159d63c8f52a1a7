"""A hash by which two teachers are the same teacher."""

import hashlib
import json
from collections.abc import Iterable
from typing import Any

import torch


def fingerprint(settings: dict[str, Any], weights: Iterable[tuple[str, torch.Tensor]], tokenizer: Any) -> str:
    """SHA-256 of the settings, of the named weights in the order of their names, and of how the tokenizer reads."""
    digest = hashlib.sha256(json.dumps(settings, sort_keys=True, default=str).encode())
    for name, value in sorted(weights, key=lambda one: one[0]):
        digest.update(f"{name} {tuple(value.shape)} {value.dtype}".encode())
        digest.update(value.detach().cpu().contiguous().flatten().view(torch.uint8).numpy().data)
    digest.update(_reading(tokenizer).encode())
    return digest.hexdigest()


def config_values(config: Any) -> dict[str, Any]:
    """A configuration without what says nothing about the model: where it was loaded from, by which version."""
    passing = {"_name_or_path", "transformers_version", "architectures", "dtype", "torch_dtype", "use_cache"}
    return {key: value for key, value in config.to_dict().items() if key not in passing}


def _reading(tokenizer: Any) -> str:
    """The tokenizer's rules and vocabulary. Padding and truncation are those of its last call, and stay out."""
    backend = getattr(tokenizer, "backend_tokenizer", None)
    if backend is None:
        return json.dumps([type(tokenizer).__name__, sorted(tokenizer.get_vocab().items())])
    rules = json.loads(backend.to_str())
    return json.dumps({**rules, "padding": None, "truncation": None}, sort_keys=True)
