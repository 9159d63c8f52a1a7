"""Teachers as sentence-transformers stores them: an encoder, a pooling, and what follows.

The folder's layout is that of https://www.sbert.net/docs/sentence_transformer/usage/custom_models.html: `modules.json`
lists the modules in order, each with a folder and a `config.json` of its own.
"""

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors.torch import load_file
from torch import Tensor, nn
from torch.nn import functional
from transformers import AutoModel, AutoTokenizer, CLIPModel
from transformers.utils.hub import cached_file

from .fingerprint import config_values, fingerprint
from .protocol import TeacherError
from .reading import TextReader, are_alike, longest_text
from .resampling import resample_tokens

# Bidirectional encoders of one stack, which read a mask and tell tokens by position.
ENCODERS = (
    "albert", "bert", "camembert", "deberta-v2", "distilbert", "electra", "modernbert", "mpnet", "roberta",
    "xlm-roberta",
)  # fmt: skip
MODULES = ("Transformer", "Pooling", "Dense", "Normalize", "Dropout")
MODULES_FILE = "modules.json"
READING_VERSION = 1
# As many words, so that without a vocabulary they are the same tokens.
PROBES = ("one cat", "two dogs")

# What the first module's settings were called over the years.
TRANSFORMER_SETTINGS = (
    "sentence_bert_config.json", "sentence_roberta_config.json", "sentence_distilbert_config.json",
    "sentence_camembert_config.json", "sentence_albert_config.json", "sentence_xlm-roberta_config.json",
)  # fmt: skip

# Keys of older pooling configurations, in the order in which several are joined.
POOLING_KEYS = {
    "pooling_mode_cls_token": "cls",
    "pooling_mode_max_tokens": "max",
    "pooling_mode_mean_tokens": "mean",
    "pooling_mode_mean_sqrt_len_tokens": "mean_sqrt_len_tokens",
    "pooling_mode_weightedmean_tokens": "weightedmean",
    "pooling_mode_lasttoken": "lasttoken",
}
ACTIVATIONS: dict[str, Callable[[], nn.Module]] = {
    "Tanh": nn.Tanh, "Identity": nn.Identity, "ReLU": nn.ReLU, "GELU": nn.GELU, "Sigmoid": nn.Sigmoid, "SiLU": nn.SiLU,
}  # fmt: skip


@dataclass(frozen=True)
class StoredModel:
    """Files of a model by Hub name or directory."""

    name: str

    def path(self, file: str, folder: str = "") -> Path | None:
        found = cached_file(
            self.name, file, subfolder=folder, _raise_exceptions_for_missing_entries=False,
            _raise_exceptions_for_connection_errors=False,
        )  # fmt: skip
        return None if found is None else Path(found)

    def json(self, file: str, folder: str = "") -> Any:
        """The file's content, None where there is no such file. Raises `TeacherError` if it is not JSON."""
        path = self.path(file, folder)
        if path is None:
            return None
        try:
            return json.loads(path.read_text(encoding="utf-8"))
        except ValueError as error:
            raise TeacherError(f"teacher {self.name}: {path} is not JSON ({error})") from error


def is_sentence_encoder(name: str) -> bool:
    """Whether a model is stored as sentence-transformers does it: with a `modules.json`."""
    return StoredModel(name).path(MODULES_FILE) is not None


class Pooling(nn.Module):
    """Token states `(texts, tokens, width)` to one row a text; several modes are joined side by side."""

    def __init__(self, modes: Sequence[str]) -> None:
        super().__init__()
        self.modes = tuple(modes)

    @classmethod
    def from_config(cls, config: dict[str, Any], name: str) -> "Pooling":
        given = config.get("pooling_mode") or [mode for key, mode in POOLING_KEYS.items() if config.get(key)] or "mean"
        modes = [given] if isinstance(given, str) else given
        for mode in modes:
            if mode not in POOLING_KEYS.values():
                raise TeacherError(
                    f"teacher {name}: pooling {mode!r} is not supported; supported: {', '.join(POOLING_KEYS.values())}"
                )
        return cls(modes)

    def forward(self, states: Tensor, mask: Tensor) -> Tensor:
        return torch.cat([getattr(self, f"_{mode}")(states, mask) for mode in self.modes], dim=-1)

    def _cls(self, states: Tensor, mask: Tensor) -> Tensor:
        return states[torch.arange(len(states), device=states.device), mask.argmax(1)]

    def _lasttoken(self, states: Tensor, mask: Tensor) -> Tensor:
        return states[torch.arange(len(states), device=states.device), mask.argmax(1) + mask.sum(1) - 1]

    def _max(self, states: Tensor, mask: Tensor) -> Tensor:
        return states.masked_fill(mask[..., None] == 0, float("-inf")).amax(1)

    def _mean(self, states: Tensor, mask: Tensor) -> Tensor:
        return (states * mask[..., None]).sum(1) / mask.sum(1, keepdim=True)

    def _mean_sqrt_len_tokens(self, states: Tensor, mask: Tensor) -> Tensor:
        return (states * mask[..., None]).sum(1) / mask.sum(1, keepdim=True).sqrt()

    def _weightedmean(self, states: Tensor, mask: Tensor) -> Tensor:
        """The first token counts once, the second twice, and so on (Muennighoff 2022, arXiv 2202.08904)."""
        weights = mask.cumsum(1) * mask
        return (states * weights[..., None]).sum(1) / weights.sum(1, keepdim=True)


class Dense(nn.Module):
    """A linear layer and an activation, as stored in a module's folder."""

    def __init__(self, linear: nn.Linear, activation: nn.Module) -> None:
        super().__init__()
        self.linear, self.activation = linear, activation

    @classmethod
    def from_folder(cls, stored: StoredModel, folder: str) -> "Dense":
        config = stored.json("config.json", folder) or {}
        if config.get("use_residual"):
            raise TeacherError(f"teacher {stored.name}: {folder} has use_residual, which is not supported")
        path = str(config.get("activation_function") or "torch.nn.modules.linear.Identity")
        activation = path.rpartition(".")[2]
        if not path.startswith("torch.") or activation not in ACTIVATIONS:
            raise TeacherError(
                f"teacher {stored.name}: the activation {path!r} of {folder} is not supported; supported: "
                f"{', '.join(ACTIVATIONS)}"
            )
        linear = nn.Linear(config["in_features"], config["out_features"], bias=config.get("bias", True))
        weights = cls._weights(stored, folder)
        try:
            linear.load_state_dict({key.removeprefix("linear."): value.float() for key, value in weights.items()})
        except RuntimeError as error:
            raise TeacherError(
                f"teacher {stored.name}: the weights of {folder} do not fit its config: {error}"
            ) from error
        return cls(linear, ACTIVATIONS[activation]())

    @staticmethod
    def _weights(stored: StoredModel, folder: str) -> dict[str, Tensor]:
        path = stored.path("model.safetensors", folder)
        if path is not None:
            return load_file(path)
        path = stored.path("pytorch_model.bin", folder)
        if path is None:
            raise TeacherError(f"teacher {stored.name}: {folder} has neither model.safetensors nor pytorch_model.bin")
        return torch.load(path, map_location="cpu", weights_only=True)

    def forward(self, rows: Tensor) -> Tensor:
        return self.activation(self.linear(rows))


class Normalize(nn.Module):
    """Rows to length 1."""

    def forward(self, rows: Tensor) -> Tensor:
        return functional.normalize(rows, dim=-1)


@dataclass
class SentenceModules:
    """What a `modules.json` and the folders it names hold."""

    encoder_folder: str
    max_length: int | None
    lower_case: bool
    prompt: str
    pooling: Pooling
    after: nn.Sequential = field(default_factory=nn.Sequential)

    @classmethod
    def read(cls, stored: StoredModel) -> "SentenceModules":
        """Raises `TeacherError` for a module that is not supported, or modules in another order."""
        listed = [(one["type"].rpartition(".")[2], one["path"]) for one in stored.json(MODULES_FILE)]
        kinds = [kind for kind, _ in listed]
        for kind in kinds:
            if kind not in MODULES:
                raise TeacherError(
                    f"teacher {stored.name}: its module {kind} is not supported; supported: {', '.join(MODULES)}"
                )
        if kinds[:2] != ["Transformer", "Pooling"] or {"Transformer", "Pooling"} & set(kinds[2:]):
            raise TeacherError(
                f"teacher {stored.name}: its modules are {', '.join(kinds)}, and must be one Transformer, one Pooling, "
                "then any of Dense and Normalize"
            )
        folder = listed[0][1]
        settings: dict[str, Any] = next(
            (one for file in TRANSFORMER_SETTINGS if (one := stored.json(file, folder))), {}
        )
        pooling = stored.json("config.json", listed[1][1]) or {}
        prompt = cls._prompt(stored)
        if prompt and pooling.get("include_prompt") is False:
            raise TeacherError(f"teacher {stored.name} pools without its prompt {prompt!r}, which is not supported")
        after = [
            Normalize() if kind == "Normalize" else Dense.from_folder(stored, path)
            for kind, path in listed[2:] if kind != "Dropout"
        ]  # fmt: skip
        return cls(
            folder, settings.get("max_seq_length"), bool(settings.get("do_lower_case")), prompt,
            Pooling.from_config(pooling, stored.name), nn.Sequential(*after),
        )  # fmt: skip

    @staticmethod
    def _prompt(stored: StoredModel) -> str:
        """What is put before every text where none is asked for."""
        settings = stored.json("config_sentence_transformers.json") or {}
        return (settings.get("prompts") or {}).get(settings.get("default_prompt_name")) or ""


class SentenceTeacher:
    """A sentence encoder, in float32. It knows texts alone, so that the finished tower is saved alone."""

    clip: CLIPModel | None = None
    has_tower = False

    def __init__(self, model: Any, tokenizer: Any, name: str, modules: SentenceModules) -> None:
        self.model, self.tokenizer, self.name = model.eval().requires_grad_(False), tokenizer, name
        self.modules = modules
        self.modules.after.eval().requires_grad_(False)
        limit = longest_text(model, tokenizer)
        self.reader = TextReader(tokenizer, min(limit, modules.max_length or limit))
        self.token_dim = int(model.config.hidden_size)
        rows = self.embed(PROBES)
        # transformers makes an empty tokenizer where the vocabulary is missing.
        if are_alike(rows):
            raise TeacherError(
                f"teacher {name} embeds {PROBES[0]!r} and {PROBES[1]!r} alike: its tokenizer is missing, or another "
                "model's. Copy the files of the model's own there"
            )
        self.dim = rows.shape[-1]

    @classmethod
    def load(cls, name: str) -> "SentenceTeacher":
        """Loads by Hub name or directory.

        Raises:
            OSError: if there is none.
            TeacherError: if it holds an encoder or a module that is not supported, or lacks weights.
        """
        modules = SentenceModules.read(StoredModel(name))
        where = {"subfolder": modules.encoder_folder} if modules.encoder_folder else {}
        model, loaded = AutoModel.from_pretrained(name, dtype=torch.float32, output_loading_info=True, **where)
        if model.config.model_type not in ENCODERS:
            raise TeacherError(
                f"teacher {name}: sentence encoders of model_type {model.config.model_type!r} are not supported; "
                f"supported: {', '.join(ENCODERS)}"
            )
        missing = sorted(key for key in loaded["missing_keys"] if not key.startswith("pooler."))
        if missing:
            raise TeacherError(f"teacher {name} lacks {len(missing)} weights (as {missing[0]})")
        return cls(model, AutoTokenizer.from_pretrained(name, **where), name, modules)

    @property
    def text_tower(self) -> nn.Module:
        return self.model

    @property
    def max_length(self) -> int:
        return self.reader.max_length

    @property
    def truncated(self) -> int:
        return self.reader.truncated

    def load_image_processor(self) -> None:
        """There are no pictures."""

    def to(self, device: torch.device | str) -> "SentenceTeacher":
        self.model.to(device)
        self.modules.after.to(device)
        return self

    def fingerprint(self) -> str:
        settings = {
            "reading": READING_VERSION,
            "config": config_values(self.model.config),
            "max_length": self.max_length,
            "lower_case": self.modules.lower_case,
            "prompt": self.modules.prompt,
            "pooling": self.modules.pooling.modes,
            "after": str(self.modules.after),
        }
        # BERT's own pooler takes no part, and is random where a checkpoint lacks it.
        weights = [(key, value) for key, value in self.model.state_dict().items() if not key.startswith("pooler.")]
        weights += [(f"after.{key}", value) for key, value in self.modules.after.state_dict().items()]
        return fingerprint(settings, weights, self.tokenizer)

    def embed(self, texts: Sequence[str]) -> np.ndarray:
        """`(texts, dim)` float32, as the modules leave them: of length 1 only after a `Normalize`."""

        def forward(ids: Tensor, mask: Tensor) -> Tensor:
            return self.modules.after(self.modules.pooling(self._states(ids, mask), mask))

        return self.reader.run(self._as_read(texts), forward, self.model.device)

    def embed_tokens(self, texts: Sequence[str], length: int) -> np.ndarray:
        """`(texts, length, token_dim)` float32: the encoder's last states, before any pooling, resampled."""

        def forward(ids: Tensor, mask: Tensor) -> Tensor:
            return resample_tokens(self._states(ids, mask), mask, length)

        return self.reader.run(self._as_read(texts), forward, self.model.device)

    def _as_read(self, texts: Sequence[str]) -> list[str]:
        texts = [self.modules.prompt + text for text in texts]
        return [text.lower() for text in texts] if self.modules.lower_case else texts

    def _states(self, ids: Tensor, mask: Tensor) -> Tensor:
        return self.model(input_ids=ids, attention_mask=mask).last_hidden_state
