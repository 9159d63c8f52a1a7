"""Teachers as sentence-transformers stores them: an encoder, a pooling, and what follows."""

import json
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from ipaclip.common.checkpoints import find_file
from ipaclip.common.extras import needs_extra

from .protocol import Teacher, TeacherError
from .reading import TextReader, are_alike, config_values, fingerprint, resample_tokens

MODULES_FILE = "modules.json"
MODULES = ("Transformer", "Pooling", "Dense", "Normalize", "Dropout")
READING_VERSION = 2
BATCH_TEXTS = 128
# As many words, so that without a vocabulary they are the same tokens.
PROBES = ("one cat", "two dogs")


def is_sentence_encoder(name: str) -> bool:
    """Whether a model is stored as sentence-transformers does it: with a `modules.json`."""
    return find_file(name, MODULES_FILE) is not None


def _read_json(name: str, file: str) -> Any:
    """A JSON file of a model (directory or Hub name), empty where it has none."""
    path = find_file(name, file)
    try:
        return json.loads(path.read_text(encoding="utf-8")) if path else {}
    except ValueError as error:
        raise TeacherError(f"teacher {name}: {path} is not JSON ({error})") from error


def _check_modules(name: str) -> str:
    """Refuses what would run code of the model's or unpickle its files; returns the encoder's folder."""
    listed = [(one["type"], one["path"]) for one in _read_json(name, MODULES_FILE)]
    kinds = [kind.rpartition(".")[2] for kind, _ in listed]
    for (kind, folder), short in zip(listed, kinds, strict=True):
        if short not in MODULES or not kind.startswith("sentence_transformers."):
            raise TeacherError(
                f"teacher {name}: its module {short} ({kind}) is not supported; supported: {', '.join(MODULES)}"
            )
        if short == "Dense":
            activation = str(_read_json(name, f"{folder}/config.json").get("activation_function", "torch.nn."))
            if not activation.startswith("torch.nn."):
                raise TeacherError(f"teacher {name}: the activation {activation} of {folder} is not one of torch.nn")
            if find_file(name, f"{folder}/model.safetensors") is None:
                raise TeacherError(
                    f"teacher {name}: {folder} has no model.safetensors; pickled weights are not read, for they may "
                    "hold code: save the model anew with sentence-transformers"
                )
    if kinds[:2] != ["Transformer", "Pooling"] or {"Transformer", "Pooling"} & set(kinds[2:]):
        raise TeacherError(
            f"teacher {name}: its modules are {', '.join(kinds)}, and must be one Transformer, one Pooling, then any "
            "of Dense and Normalize"
        )
    return listed[0][1]


class SentenceTeacher(Teacher):
    """A sentence encoder, in float32. It knows texts alone, so that the finished tower is saved alone."""

    def __init__(self, model: Any, name: str) -> None:
        """`model` is a `sentence_transformers.SentenceTransformer`."""
        super().__init__(model.float(), model.tokenizer, name)
        self.prompt = (model.prompts or {}).get(model.default_prompt_name) or ""
        self.reader = TextReader(self.tokenizer, int(model.get_max_seq_length() or self.tokenizer.model_max_length))
        self.token_dim = int(self.text_tower.config.hidden_size)
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
        """Loads by Hub name or directory. No code of the model's is run, and no pickled file is read.

        Raises:
            ImportError: if sentence-transformers is not installed.
            OSError: if there is none, or its weights are no safetensors.
            TeacherError: if it holds a module that is not supported, or lacks weights.
        """
        with needs_extra("sentence-transformers", f"The sentence encoder {name} as a teacher"):
            from sentence_transformers import SentenceTransformer

        folder = _check_modules(name)
        options = {"dtype": torch.float32, "use_safetensors": True}
        try:
            model = SentenceTransformer(name, device="cpu", trust_remote_code=False, model_kwargs=options)
        except (ValueError, TypeError, KeyError, RuntimeError) as error:  # what its modules say of their files
            raise TeacherError(f"teacher {name} cannot be loaded: {' '.join(str(error).split())}") from error
        encoder = model[0].auto_model
        # The library says nothing of weights that a checkpoint lacks, and leaves them as they were drawn.
        _, loaded = type(encoder).from_pretrained(name, subfolder=folder, output_loading_info=True, **options)
        missing = sorted(key for key in loaded["missing_keys"] if not key.startswith("pooler."))
        if missing:
            raise TeacherError(f"teacher {name} lacks {len(missing)} weights (as {missing[0]})")
        return cls(model, name)

    @property
    def text_tower(self) -> Any:
        return self.model[0].auto_model

    def fingerprint(self) -> str:
        settings = {
            "reading": READING_VERSION,
            "config": config_values(self.text_tower.config),
            "max_length": self.max_length,
            "prompt": self.prompt,
            "modules": [(type(module).__name__, module.get_config_dict()) for module in self.model],
        }
        # BERT's own pooler takes no part, and is random where a checkpoint lacks it.
        weights = ((key, value) for key, value in self.model.state_dict().items() if ".pooler." not in key)
        return fingerprint(settings, weights, self.tokenizer)

    def embed(self, texts: Sequence[str]) -> np.ndarray:
        """`(texts, dim)` float32, as the modules leave them: of length 1 only after a `Normalize`."""
        self._count_cut(texts)
        return self.model.encode(list(texts), batch_size=BATCH_TEXTS, show_progress_bar=False)

    def embed_tokens(self, texts: Sequence[str], length: int) -> np.ndarray:
        """`(texts, length, token_dim)` float32: the encoder's last states, before any pooling, resampled."""
        self._count_cut(texts)
        rows = self.model.encode(list(texts), batch_size=BATCH_TEXTS, show_progress_bar=False, output_value=None)
        states = [resample_tokens(one["token_embeddings"][None], one["attention_mask"][None], length) for one in rows]
        return torch.cat(states).cpu().numpy()

    def _count_cut(self, texts: Sequence[str]) -> None:
        self.reader.encode([self.prompt + text for text in texts])
