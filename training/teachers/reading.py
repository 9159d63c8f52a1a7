"""What all teachers share: texts → token ids → rows of a frozen encoder, and the hash that tells teachers apart."""

import hashlib
import json
import logging
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

logger = logging.getLogger(__name__)

BATCH_ROWS = 512
BATCH_TOKENS = 16_384
# Share of the largest value. Equal rows of one batch differ by 1e-6, for kernels take its last rows otherwise.
ALIKE = 1e-5


@dataclass
class TextReader:
    """Tokenises texts, cuts those that are too long (and counts them), pads texts of like length together."""

    tokenizer: Any
    max_length: int
    pad_to_max_length: bool = False
    truncated: int = 0

    @torch.no_grad()
    def run(
        self, texts: Sequence[str], forward: Callable[[Tensor, Tensor], Tensor], device: torch.device
    ) -> np.ndarray:
        """Rows of `forward(input_ids, attention_mask)`, in the order of the texts, float32.

        Raises:
            ValueError: if there is no text.
        """
        if not texts:
            raise ValueError("there is no text to embed")
        encoded = self.encode(texts)
        # The longest first: a batch that does not fit in memory shows at once.
        order = np.argsort([-len(ids) for ids in encoded], kind="stable")
        rows, done = np.empty(0), 0
        while done < len(order):
            length = self.max_length if self.pad_to_max_length else len(encoded[order[done]])
            batch = order[done : done + max(1, min(BATCH_ROWS, BATCH_TOKENS // length))]
            ids, mask = self.pad([encoded[row] for row in batch], length)
            values = forward(ids.to(device), mask.to(device)).float().cpu().numpy()
            if done == 0:
                rows = np.empty((len(texts), *values.shape[1:]), dtype=np.float32)
            rows[batch] = values
            done += len(batch)
        return rows

    def encode(self, texts: Sequence[str]) -> list[list[int]]:
        """Token ids of each text, at most `max_length`. The first text that is cut is named in a warning."""
        encoded = self.tokenizer(list(texts), add_special_tokens=True, verbose=False)["input_ids"]
        long = [row for row, ids in enumerate(encoded) if len(ids) > self.max_length]
        if long:
            if not self.truncated:
                logger.warning(
                    "the teacher reads %d tokens, and %r… has %d: such texts are cut",
                    self.max_length, texts[long[0]][:60], len(encoded[long[0]]),
                )  # fmt: skip
            self.truncated += len(long)
            cut = self.tokenizer(
                [texts[row] for row in long], truncation=True, max_length=self.max_length, verbose=False
            )
            for row, ids in zip(long, cut["input_ids"], strict=True):
                encoded[row] = ids
        return encoded

    def pad(self, encoded: Sequence[list[int]], length: int) -> tuple[Tensor, Tensor]:
        """`(texts, length)` ids and mask, padded on the tokenizer's side."""
        ids = np.full((len(encoded), length), self.tokenizer.pad_token_id or 0, dtype=np.int64)
        mask = np.zeros_like(ids)
        for row, tokens in enumerate(encoded):
            where = (
                slice(0, len(tokens)) if self.tokenizer.padding_side == "right" else slice(length - len(tokens), None)
            )
            ids[row, where], mask[row, where] = tokens, 1
        return torch.from_numpy(ids), torch.from_numpy(mask)


def are_alike(rows: np.ndarray) -> bool:
    """Whether two texts' rows `(2, dim)` are equal within rounding, as where the tokenizer does not tell them apart."""
    return bool(np.abs(rows[0] - rows[1]).max() <= ALIKE * np.abs(rows).max())


def longest_text(tower: nn.Module, tokenizer: Any) -> int:
    """How many tokens an encoder reads: its positions, less those RoBERTa's kind keeps for padding, or the tokenizer's
    own limit if that is lower."""
    config: Any = tower.config
    positions = getattr(config, "max_position_embeddings", None) or tokenizer.model_max_length
    for name, module in tower.named_modules():
        if name.endswith("position_embeddings") and isinstance(module, nn.Embedding) and module.padding_idx is not None:
            positions -= module.padding_idx + 1
            break
    return int(min(positions, tokenizer.model_max_length))


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


def resample_tokens(states: Tensor, mask: Tensor, length: int) -> Tensor:
    """Linear interpolation over the tokens that are not padding; the first and the last stay what they are.

    Args:
        states: `(batch, tokens, width)`. Gradients pass.
        mask: `(batch, tokens)`, 1 for tokens (side by side), 0 for padding on either side.
        length: how many positions to make, at least 2. Position i lies at `i (n - 1) / (length - 1)` of n tokens.

    Returns:
        `(batch, length, width)`.

    Raises:
        ValueError: if `length` is below 2, or, on a CPU, a row has no token.
    """
    if length < 2:
        raise ValueError(f"token states are resampled to at least 2 positions, got {length}")
    mask = mask.long()
    count, first = mask.sum(1), mask.argmax(1)
    if mask.device.type == "cpu" and not bool((count > 0).all()):  # an accelerator would have to wait
        raise ValueError(f"row {int((count == 0).int().argmax())} has no token")
    steps = torch.arange(length, device=states.device) / (length - 1)
    place = steps[None, :] * (count - 1)[:, None]  # (batch, length)
    low = place.floor().long()
    high = torch.minimum(low + 1, (count - 1)[:, None])
    share = (place - low)[..., None].to(states.dtype)
    return torch.lerp(_take(states, first[:, None] + low), _take(states, first[:, None] + high), share)


def _take(states: Tensor, positions: Tensor) -> Tensor:
    return states.gather(1, positions[..., None].expand(-1, -1, states.shape[-1]))
