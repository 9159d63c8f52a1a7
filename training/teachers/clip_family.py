"""Teachers with `get_text_features`: CLIP and its relatives."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from ipaclip.common.checkpoints import fits_vocabulary
from torch import Tensor, nn
from torch.nn import functional
from transformers import AutoImageProcessor, AutoModel, AutoTokenizer, CLIPModel

from .protocol import Teacher, TeacherError
from .reading import TextReader, are_alike, config_values, fingerprint, longest_text, resample_tokens

# An IPA-CLIP directory holds a CLIP: it teaches as that CLIP does.
IPACLIP_TYPE = "ipaclip"
CLIP_TYPES = ("clip", IPACLIP_TYPE)
# Pooled at the last position, be it padding, and trained without a mask (Zhai et al. 2023, arXiv 2303.15343; the
# library's model documentation): they must be padded to the full length, and the mask must not be given.
PADDED_TYPES = ("siglip", "siglip2")
SUPPORTED = (*CLIP_TYPES, "metaclip_2", *PADDED_TYPES, "chinese_clip", "altclip")
# Raised when the same model is to be read in another way, so that old targets are not taken for new ones.
READING_VERSION = 1

PROBES = ("a", "two dogs")
# 1 - cosine. float32 gives 1e-6, padding that is read 1e-2 and more.
PADDING_TOLERANCE = 1e-4


class ClipTeacher(Teacher):
    """Any transformers model with `get_text_features`, in float32. Rows have length 1."""

    def __init__(self, model: Any, tokenizer: Any, name: str) -> None:
        super().__init__(model, tokenizer, name)
        self.padded = model.config.model_type in PADDED_TYPES
        self.reader = TextReader(tokenizer, longest_text(self.text_tower, tokenizer), self.padded)
        self.clip = model if isinstance(model, CLIPModel) else None
        self.dim, self.token_dim = self._check_reading()

    @classmethod
    def load(cls, name: str, model_type: str) -> "ClipTeacher":
        """Loads by Hub name or directory; an IPA-CLIP directory gives the CLIP within it.

        Raises:
            OSError: if there is none.
            TeacherError: if weights of the text tower or the tokenizer are missing, or texts cannot be told apart.
        """
        kind = CLIPModel if model_type in CLIP_TYPES else AutoModel
        model, loaded = kind.from_pretrained(name, dtype=torch.float32, output_loading_info=True)
        if not hasattr(model, "text_model"):
            raise TeacherError(f"teacher {name} (model_type {model_type!r}) has no tower called text_model")
        missing = sorted(key for key in loaded["missing_keys"] if key.startswith("text_"))
        if missing:
            raise TeacherError(f"teacher {name} lacks {len(missing)} weights of its text tower (as {missing[0]})")
        tokenizer = _loaded(AutoTokenizer, "tokenizer", name)
        teacher = cls(model, tokenizer, name)
        teacher.has_tower = model_type == IPACLIP_TYPE
        if teacher.clip and not fits_vocabulary(tokenizer, vocab_size := model.config.text_config.vocab_size):
            raise TeacherError(
                f"teacher {name}: its tokenizer has {len(tokenizer)} tokens, its text tower {vocab_size}: the "
                "tokenizer is missing, incomplete or another model's. Copy the files of the model's own there"
            )
        return teacher

    @property
    def text_tower(self) -> nn.Module:
        return self.model.text_model

    def load_image_processor(self) -> Any:
        return _loaded(AutoImageProcessor, "image processor", self.name) if self.clip is not None else None

    def fingerprint(self) -> str:
        settings = {
            "reading": READING_VERSION,
            "model_type": "clip" if self.clip is not None else self.model.config.model_type,
            "config": config_values(self.text_tower.config),
            "max_length": self.max_length,
            "padding_side": self.tokenizer.padding_side,
            "pad_token_id": self.tokenizer.pad_token_id if self.padded else None,
        }
        text = ((key, value) for key, value in self.model.state_dict().items() if key.startswith("text_"))
        return fingerprint(settings, text, self.tokenizer)

    def embed(self, texts: Sequence[str]) -> np.ndarray:
        """`(texts, dim)` float32, rows of length 1."""
        return self.reader.run(texts, self._pooled, self.model.device)

    def embed_tokens(self, texts: Sequence[str], length: int) -> np.ndarray:
        """`(texts, length, token_dim)` float32: states after the last layer norm, of a text's own tokens, resampled."""

        def forward(ids: Tensor, mask: Tensor) -> Tensor:
            return resample_tokens(self._features(ids, mask).last_hidden_state, mask, length)

        return self.reader.run(texts, forward, self.model.device)

    def _features(self, ids: Tensor, mask: Tensor) -> Any:
        return self.model.get_text_features(input_ids=ids, attention_mask=None if self.padded else mask)

    def _pooled(self, ids: Tensor, mask: Tensor) -> Tensor:
        return functional.normalize(self._features(ids, mask).pooler_output, dim=-1)

    @torch.no_grad()
    def _check_reading(self) -> tuple[int, int]:
        """Widths of embedding and token states, once two texts read apart and together have shown that it reads them.

        A tokenizer without an end token, or a family that must be padded in a way of its own, would otherwise teach
        nonsense without a word.
        """
        short, long = self.reader.encode(PROBES)
        together = self._probe([short, long], self.max_length if self.padded else len(long))
        pooled, states = getattr(together, "pooler_output", None), getattr(together, "last_hidden_state", None)
        if pooled is None or states is None or pooled.ndim != 2:
            raise TeacherError(f"teacher {self.name}: its get_text_features gives no (texts, dim) pooler_output")
        if are_alike(pooled.cpu().numpy()):
            raise TeacherError(
                f"teacher {self.name} embeds {PROBES[0]!r} and {PROBES[1]!r} alike: its tokenizer is missing, or does "
                "not fit (CLIP pools at the end token, which the tokenizer must add)"
            )
        if not self.padded:
            apart = self._probe([short], len(short)).pooler_output
            if functional.cosine_similarity(apart[0], pooled[0], dim=0) < 1 - PADDING_TOLERANCE:
                raise TeacherError(
                    f"teacher {self.name} (model_type {self.model.config.model_type!r}) embeds a text otherwise when "
                    f"it is padded, and how it wants to be padded is not known. Known are {', '.join(SUPPORTED)}"
                )
        return pooled.shape[-1], states.shape[-1]

    def _probe(self, encoded: list[list[int]], length: int) -> Any:
        return self._features(*(part.to(self.model.device) for part in self.reader.pad(encoded, length)))


def _loaded(kind: Any, what: str, name: str) -> Any:
    try:
        return kind.from_pretrained(name)
    except (OSError, ValueError, KeyError) as error:
        reason = " ".join(str(error).split())
        raise TeacherError(
            f"teacher {name} has no {what} that can be loaded: copy the files of the model's own there ({reason})"
        ) from error
