"""Token states: the student's, brought to the number and into the space of the teacher's, beside its embedding.

A text-to-image model reads the states of a text encoder's tokens, not its pooled embedding. What it needs of a
pronunciation tower is therefore a map into that space, which is trained with the tower and kept beside it.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import torch
from ipaclip import IPAClipPronunciationModelWithProjection
from ipaclip.common.checkpoints import HEAD_FILE, find_file
from ipaclip.common.files import whole_file
from safetensors import safe_open
from safetensors.torch import save_file
from torch import Tensor, nn
from transformers.utils import ModelOutput

from .teachers.reading import resample_tokens


class TokenHead(nn.Module):
    """States of a tower `(batch, length, hidden_size)` to `(batch, positions, token_dim)`, as the teacher's lie.

    Resampled linearly between the first token and the last, then mapped linearly.
    """

    def __init__(self, hidden_size: int, token_dim: int, positions: int) -> None:
        super().__init__()
        self.positions = positions
        self.linear = nn.Linear(hidden_size, token_dim)

    @torch.no_grad()
    def start_at(self, mean: Tensor, scale: float) -> None:
        """New weights, whose outputs have the mean and the spread of the targets: states come from a layer norm."""
        nn.init.normal_(self.linear.weight, std=self.linear.in_features**-0.5 * scale)
        self.linear.bias.copy_(mean)

    def forward(self, states: Tensor, mask: Tensor) -> Tensor:
        """`last_hidden_state` of the tower and its attention mask `(batch, length)`."""
        return self.linear(resample_tokens(states, mask, self.positions))

    def save_pretrained(self, directory: Path, dtype: torch.dtype = torch.float32) -> None:
        """Writes `token_head.safetensors`."""
        weights = {name: value.detach().to("cpu", dtype).contiguous() for name, value in self.state_dict().items()}
        with whole_file(directory / HEAD_FILE) as temporary:
            save_file(weights, temporary, metadata={"format": "pt", "positions": str(self.positions)})

    @classmethod
    def from_pretrained(cls, directory: str | Path) -> "TokenHead":
        """Reads `token_head.safetensors` of a finished run (a directory or Hub name), float32.

        Raises:
            FileNotFoundError: where there is none.
        """
        path = find_file(directory, HEAD_FILE)
        if path is None:
            raise FileNotFoundError(f"{directory} has no {HEAD_FILE}: it was not trained with objective.token_states")
        with safe_open(path, framework="pt") as file:
            weights = {name: file.get_tensor(name).float() for name in file.keys()}  # noqa: SIM118 (no mapping)
            return cls.of(weights, int(file.metadata()["positions"]))

    @classmethod
    def of(cls, weights: dict[str, Tensor], positions: int) -> "TokenHead":
        """A head with these weights."""
        token_dim, hidden_size = weights["linear.weight"].shape
        head = cls(hidden_size, token_dim, positions)
        head.load_state_dict(weights)
        return head


@dataclass
class StudentOutput(ModelOutput):
    """`(batch, dim)` embeddings and, while training, `(batch, positions, token_dim)` states."""

    pronunciation_embeds: Tensor | None = None
    token_states: Tensor | None = None


class StudentWithTokens(nn.Module):
    """A tower and its head as one module, so that data-parallel training sees all weights that get a gradient."""

    def __init__(self, tower: IPAClipPronunciationModelWithProjection, head: TokenHead) -> None:
        super().__init__()
        self.tower, self.head = tower, head

    def forward(self, input_ids: Tensor, attention_mask: Tensor) -> StudentOutput:
        said = cast(Any, self.tower)(input_ids=input_ids, attention_mask=attention_mask)
        states = self.head(said.last_hidden_state, attention_mask) if self.training else None
        return StudentOutput(pronunciation_embeds=said.pronunciation_embeds, token_states=states)


def split_weights(weights: dict[str, Tensor]) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
    """Weights of the tower, and of the head (none where there is none), from those of a student."""
    head = {name.removeprefix("head."): value for name, value in weights.items() if name.startswith("head.")}
    tower = {name.removeprefix("tower."): value for name, value in weights.items() if not name.startswith("head.")}
    return tower, head


def state_errors(said: Tensor, teacher: Tensor, variance: float) -> Tensor:
    """`(batch,)`: each row's mean over positions of the squared distance, in units of the targets' variance."""
    return (said.float() - teacher).square().sum(-1).mean(-1) / variance
