"""What a distillation asks of a teacher."""

from collections.abc import Sequence
from typing import Any, Protocol

import numpy as np
import torch
from torch import nn
from transformers import CLIPModel


class TeacherError(ValueError):
    """A model that cannot teach; the message says why and what can."""


class Teacher(Protocol):
    """A frozen text encoder. Its embeddings, as it compares them itself, are the targets.

    A contrastive model's rows have length 1, for its own logits are cosines. A sentence encoder's rows are what its
    modules leave: of length 1 only where it ends in `Normalize`.
    """

    name: str
    """Hub name or directory that it was loaded from."""

    dim: int
    """Width of `embed`'s rows."""

    token_dim: int
    """Width of `embed_tokens`'s states."""

    tokenizer: Any

    clip: CLIPModel | None
    """The CLIP that a finished tower is saved within; None where the tower is saved alone."""

    has_tower: bool
    """Whether the CLIP has a pronunciation tower of its own, which takes no part."""

    @property
    def truncated(self) -> int:
        """How many texts so far were longer than the encoder reads, and were cut."""

    @property
    def max_length(self) -> int:
        """The longest text that it reads whole, in its own tokens."""

    @property
    def text_tower(self) -> nn.Module:
        """The encoder of texts; its `config` has its shape."""

    def load_image_processor(self) -> Any:
        """That of the CLIP, None where there is no CLIP. Raises `TeacherError` if it is missing."""

    def to(self, device: torch.device | str) -> "Teacher":
        """Moves the model, and returns itself."""

    def fingerprint(self) -> str:
        """A hash of all that decides the targets: weights, configuration, vocabulary, pooling, padding."""

    def embed(self, texts: Sequence[str]) -> np.ndarray:
        """`(texts, dim)` float32."""

    def embed_tokens(self, texts: Sequence[str], length: int) -> np.ndarray:
        """`(texts, length, token_dim)` float32: the last hidden states of a text's tokens, resampled to `length`."""
