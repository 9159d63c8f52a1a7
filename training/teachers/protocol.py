"""What a distillation asks of a teacher."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch import nn
from transformers import CLIPModel

from .reading import TextReader


class TeacherError(ValueError):
    """A model that cannot teach; the message says why and what can."""


class Teacher(ABC):
    """A frozen text encoder. Its embeddings, as it compares them itself, are the targets.

    A contrastive model's rows have length 1, for its own logits are cosines. A sentence encoder's rows are what its
    modules leave: of length 1 only where it ends in `Normalize`.

    Attributes:
        name: Hub name or directory that it was loaded from.
        dim: width of `embed`'s rows.
        token_dim: width of `embed_tokens`'s states.
        clip: the CLIP that a finished tower is saved within; None where the tower is saved alone.
        has_tower: whether the CLIP has a pronunciation tower of its own, which takes no part.
        reader: what tokenises for it, and counts the texts that were longer than it reads.
    """

    dim: int
    token_dim: int
    reader: TextReader
    clip: CLIPModel | None = None
    has_tower = False

    def __init__(self, model: Any, tokenizer: Any, name: str) -> None:
        self.model, self.tokenizer, self.name = model.eval().requires_grad_(False), tokenizer, name

    @property
    def truncated(self) -> int:
        """How many texts so far were longer than the encoder reads, and were cut."""
        return self.reader.truncated

    @property
    def max_length(self) -> int:
        """The longest text that it reads whole, in its own tokens."""
        return self.reader.max_length

    @property
    @abstractmethod
    def text_tower(self) -> nn.Module:
        """The encoder of texts; its `config` has its shape."""

    def load_image_processor(self) -> Any:  # noqa: B027 (None is an answer)
        """That of the CLIP, None where there is no CLIP. Raises `TeacherError` if it is missing."""

    def to(self, device: torch.device | str) -> "Teacher":
        """Moves the model, and returns itself."""
        self.model.to(device)
        return self

    @abstractmethod
    def fingerprint(self) -> str:
        """A hash of all that decides the targets: weights, configuration, vocabulary, pooling, padding."""

    @abstractmethod
    def embed(self, texts: Sequence[str]) -> np.ndarray:
        """`(texts, dim)` float32."""

    @abstractmethod
    def embed_tokens(self, texts: Sequence[str], length: int) -> np.ndarray:
        """`(texts, length, token_dim)` float32: the last hidden states of a text's tokens, resampled to `length`."""
