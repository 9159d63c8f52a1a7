"""PyTorch IPA-CLIP model: a CLIP with a third tower, which reads phonemes (Matsuhira et al., arXiv 2303.03144)."""

import math
import os
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn
from transformers import initialization as init
from transformers.masking_utils import create_bidirectional_mask
from transformers.modeling_outputs import BaseModelOutputWithPooling
from transformers.models.clip.modeling_clip import (
    CLIPEncoder,
    CLIPModel,
    CLIPPreTrainedModel,
    image_text_contrastive_loss,
)
from transformers.processing_utils import Unpack
from transformers.utils import ModelOutput, TransformersKwargs, is_tracing
from transformers.utils.generic import can_return_tuple, merge_with_config_defaults
from transformers.utils.output_capturing import capture_outputs

from .checkpoint_path import reading_weights
from .configuration_ipaclip import IPAClipConfig, IPAClipPronunciationConfig

# CLIP's standard deviation of token and position embeddings, which the projected features are scaled to.
EMBEDDING_STD = 0.02
# In how many waves the output for sound alone says where in its word a token stands, and how much that counts at first.
PLACE_WAVES, PLACE_STD = 4, 0.1
# A residual beside features starts an order of magnitude below them, so that phonetics decides at first.
RESIDUAL_STD = 0.1 * EMBEDDING_STD

NOT_FILLED = (
    "The phoneme feature table of this model was never filled: call `set_phoneme_features(table)` with the "
    "tokenizer's table (`ipaclip.tokenization.phoneme_feature_table`), or load a trained checkpoint."
)

VOCABULARY_IS_FIXED = (
    "The input embeddings of a pronunciation tower cannot be resized or replaced, for each token is a row of its "
    "phoneme feature table: build a tokenizer with the further segments (`IPATokenizer.build(segments=[...])`), its "
    "table (`phoneme_feature_table`), and a new tower for both."
)

NO_PHONETIC_PROJECTION = (
    "This checkpoint has no output for sound alone (phonetic_dim is 0): fit one with `ipaclip fit-phonetic CHECKPOINT "
    "DIR`, or `ipaclip.training.sound_alone.fit.fit_phonetic_projection`."
)

# What a new pronunciation tower takes over from CLIP's text tower.
LIKE_TEXT = (
    "hidden_size",
    "intermediate_size",
    "num_hidden_layers",
    "num_attention_heads",
    "hidden_act",
    "layer_norm_eps",
    "attention_dropout",
    "initializer_range",
    "initializer_factor",
)

# Of a whole IPA-CLIP's checkpoint, what is nothing to the pronunciation tower.
CLIPS_OWN_KEYS = (r"^(text|vision)_model\.", r"^(text|visual)_projection\.", r"^logit_scale$")


@dataclass
class IPAClipPronunciationModelOutput(ModelOutput):
    r"""
    pronunciation_embeds (`torch.Tensor` of shape `(batch_size, projection_dim)`):
        The projected pooled states, not normalised.
    last_hidden_state (`torch.Tensor` of shape `(batch_size, length, hidden_size)`):
        The states after the last layer norm.
    """

    pronunciation_embeds: torch.Tensor | None = None
    last_hidden_state: torch.Tensor | None = None
    hidden_states: tuple[torch.Tensor, ...] | None = None
    attentions: tuple[torch.Tensor, ...] | None = None


@dataclass
class IPAClipOutput(ModelOutput):
    r"""
    Fields of a modality that was not passed are `None`. All logits are cosine similarities times `exp(logit_scale)`.

    loss (`torch.Tensor` of shape `()`, returned when `return_loss` is `True`):
        Mean of CLIP's contrastive loss over the pairs of modalities present.
    logits_per_image (`torch.Tensor` of shape `(images, texts)`):
        And its transpose, `logits_per_text`.
    logits_per_image_pronunciation (`torch.Tensor` of shape `(images, pronunciations)`):
        And its transpose, `logits_per_pronunciation`.
    logits_per_text_pronunciation (`torch.Tensor` of shape `(texts, pronunciations)`):
        And its transpose, `logits_per_pronunciation_text`.
    text_embeds, image_embeds, pronunciation_embeds (`torch.Tensor` of shape `(batch_size, projection_dim)`):
        The embeddings, L2-normalised.
    text_model_output, vision_model_output, pronunciation_model_output (`BaseModelOutputWithPooling`):
        The outputs of the towers, with the projected embeddings as `pooler_output`.
    """

    loss: torch.Tensor | None = None
    logits_per_image: torch.Tensor | None = None
    logits_per_text: torch.Tensor | None = None
    logits_per_image_pronunciation: torch.Tensor | None = None
    logits_per_pronunciation: torch.Tensor | None = None
    logits_per_text_pronunciation: torch.Tensor | None = None
    logits_per_pronunciation_text: torch.Tensor | None = None
    text_embeds: torch.Tensor | None = None
    image_embeds: torch.Tensor | None = None
    pronunciation_embeds: torch.Tensor | None = None
    text_model_output: BaseModelOutputWithPooling | None = None
    vision_model_output: BaseModelOutputWithPooling | None = None
    pronunciation_model_output: BaseModelOutputWithPooling | None = None

    def to_tuple(self) -> tuple[Any, ...]:
        return tuple(v.to_tuple() if isinstance(v, ModelOutput) else v for v in self.values())


class IPAClipPronunciationEmbeddings(nn.Module):
    """
    Phoneme embedding: a linear map of the phoneme's features, plus a learned residual if configured, plus position.

    The feature table is a buffer of shape `(vocab_size, num_phoneme_features)`, saved with the model. It is NaN until
    it is filled: a mark that casts, saving and loading keep.
    """

    phoneme_features: Any  # a tensor, or None where all is learned

    def __init__(self, config: IPAClipPronunciationConfig) -> None:
        super().__init__()
        self.config = config
        table, self.feature_projection = None, None
        if config.num_phoneme_features > 0:
            table = torch.full((config.vocab_size, config.num_phoneme_features), math.nan)
            self.feature_projection = nn.Linear(config.num_phoneme_features, config.hidden_size, bias=False)
        self.register_buffer("phoneme_features", table)
        self.residual_embedding = (
            nn.Embedding(config.vocab_size, config.hidden_size) if config.learned_residual else None
        )
        self.position_embedding = nn.Embedding(config.max_position_embeddings, config.hidden_size)
        # Looked for NaN until there is none, and again after loading or moving: each look waits for the accelerator.
        self._table_is_filled = False

    def _load_from_state_dict(self, *args: Any, **kwargs: Any) -> None:
        self._table_is_filled = False
        super()._load_from_state_dict(*args, **kwargs)

    def _apply(self, *args: Any, **kwargs: Any) -> Any:
        self._table_is_filled = False
        return super()._apply(*args, **kwargs)

    def set_phoneme_features(self, table: Any) -> None:
        """See [`IPAClipPreTrainedModel.set_phoneme_features`]."""
        table = torch.as_tensor(table, dtype=torch.float32).detach()
        expected = (self.config.vocab_size, self.config.num_phoneme_features)
        if tuple(table.shape) != expected:
            raise ValueError(
                f"The phoneme feature table must have the shape {expected}, as configured (vocab_size, "
                f"num_phoneme_features), got {tuple(table.shape)}."
            )
        finite = torch.isfinite(table).all(dim=-1)
        if not finite.all():
            raise ValueError(
                f"The phoneme feature table has NaN or infinite values in row {int(finite.int().argmin())}."
            )
        if self.phoneme_features is not None:
            self.phoneme_features.copy_(table)

    @torch.no_grad()
    def scale_to_table(self) -> None:
        """Scale a new feature projection for rows as dense as the table's, where the default takes half to be ±1."""
        if self.feature_projection is not None:
            density = self.phoneme_features.float().square().mean().item()
            if density > 0:
                self.feature_projection.weight.mul_((0.5 / density) ** 0.5)

    def _check(self, input_ids: torch.Tensor) -> None:
        """All that depends on values, and so cannot be traced."""
        table = self.phoneme_features
        if table is not None and table.device.type == "cpu":
            # Where a look costs nothing; a table is NaN as a whole.
            self._table_is_filled = self._table_is_filled and not math.isnan(table[0, 0])
        if table is not None and not self._table_is_filled:
            if torch.isnan(table).any():
                raise ValueError(NOT_FILLED)
            self._table_is_filled = True
        # Accelerators report such ids themselves, and looking would make them wait.
        if input_ids.device.type == "cpu" and input_ids.numel():
            low, high = int(input_ids.min()), int(input_ids.max())
            if low < 0 or high >= self.config.vocab_size:
                raise ValueError(
                    f"The ids of a pronunciation must lie within the vocabulary, 0 to {self.config.vocab_size - 1}, "
                    f"got {low if low < 0 else high}: were they made by another tokenizer?"
                )

    def forward(self, input_ids: torch.Tensor, position_ids: torch.Tensor | None = None) -> torch.Tensor:
        """Ids of shape `(batch, length)` to embeddings of shape `(batch, length, hidden_size)`."""
        length = input_ids.shape[-1]
        if length > self.config.max_position_embeddings:
            raise ValueError(
                f"The pronunciation is {length} tokens long, but the model has only "
                f"{self.config.max_position_embeddings} positions (max_position_embeddings): truncate it."
            )
        if not (is_tracing(input_ids) or input_ids.is_meta):
            self._check(input_ids)
        if position_ids is None:
            position_ids = torch.arange(length, device=input_ids.device)

        embeddings = self.position_embedding(position_ids)
        if self.feature_projection is not None:
            features = nn.functional.embedding(input_ids, self.phoneme_features)  # (batch, length, features)
            embeddings = embeddings + self.feature_projection(features)
        if self.residual_embedding is not None:
            embeddings = embeddings + self.residual_embedding(input_ids)
        return embeddings


class IPAClipPhoneticProjection(nn.Module):
    """
    How a word sounds, without meaning: phoneme embeddings, before the encoder, to one vector.

    Each token is described together with two neighbours on either side and by where in the word it stands, and a word
    is the sum of its tokens, so that a vector is about as long as its word has sounds.

    Its weights ask for no gradients, for no model's `forward` reads them, and distributed training waits for the
    gradients of all that ask. To train it, call `requires_grad_()`; `ipaclip.training.sound_alone.fit` does.
    """

    def __init__(self, config: IPAClipPronunciationConfig) -> None:
        super().__init__()
        narrow = config.phonetic_bottleneck
        self.layer_norm = nn.LayerNorm(config.hidden_size, eps=config.layer_norm_eps)
        self.narrow = nn.Linear(config.hidden_size, narrow)
        self.neighbours = nn.Conv1d(narrow, 2 * narrow, kernel_size=3, padding=1)
        self.context = nn.Conv1d(2 * narrow, config.phonetic_dim, kernel_size=3, padding=1)
        # What a token adds before it says anything: without it, all words would share one large direction.
        self.offset = nn.Parameter(torch.zeros(config.phonetic_dim))
        self.place = nn.Linear(2 * PLACE_WAVES, config.phonetic_dim)
        self.requires_grad_(False)

    def forward(self, embeddings: torch.Tensor, attention_mask: torch.Tensor) -> torch.Tensor:
        """`(batch, length, hidden_size)` and `(batch, length)` to `(batch, length, phonetic_dim)`, 0 at padding."""
        mask = (attention_mask != 0).to(embeddings.dtype)
        counts = mask.unsqueeze(-1)
        states = nn.functional.gelu(self.narrow(self.layer_norm(embeddings))) * counts
        states = nn.functional.gelu(self.neighbours(states.transpose(1, 2)).transpose(1, 2)) * counts
        states = nn.functional.gelu(self.context(states.transpose(1, 2)).transpose(1, 2))
        return (states - self.offset) * self.place(_waves(mask)) * counts


def _waves(mask: torch.Tensor) -> torch.Tensor:
    """
    Where a token stands between the first (0) and the last (1) of its row, as cosines and sines of 1, 2, … half turns:
    `(batch, length)` to `(batch, length, 2 * PLACE_WAVES)`.
    """
    count = mask.float().cumsum(dim=1)
    place = (count - 1) / (count[:, -1:] - 1).clamp(min=1)
    turns = place.unsqueeze(-1) * (math.pi * torch.arange(1, PLACE_WAVES + 1, device=mask.device))
    return torch.cat([turns.cos(), turns.sin()], dim=-1).to(mask.dtype)


class IPAClipPreTrainedModel(CLIPPreTrainedModel):
    """Initialisation, loading and the feature table, for all IPA-CLIP models."""

    config: IPAClipConfig
    base_model_prefix = "ipaclip"
    _no_split_modules = (*CLIPPreTrainedModel._no_split_modules, "IPAClipPronunciationEmbeddings")

    @classmethod
    def is_custom_code(cls) -> bool:
        # Custom code skips the initialisation of every module that owns no weights itself, and so all of CLIP's scheme
        # for attention and MLP. `_init_weights` below is the library's kind, which never touches a loaded weight.
        return False

    @torch.no_grad()
    def _init_weights(self, module: nn.Module) -> None:
        super()._init_weights(module)
        factor = self.config.initializer_factor
        if isinstance(module, IPAClipPronunciationEmbeddings):
            init.normal_(module.position_embedding.weight, std=EMBEDDING_STD * factor)
            if module.residual_embedding is not None:
                std = EMBEDDING_STD if module.feature_projection is None else RESIDUAL_STD
                init.normal_(module.residual_embedding.weight, std=std * factor)
            if module.feature_projection is not None:
                # About half of a phoneme's features are +1 or -1, the others 0.
                std = EMBEDDING_STD * (module.config.num_phoneme_features / 2) ** -0.5
                init.normal_(module.feature_projection.weight, std=std * factor)
                init.constant_(module.phoneme_features, math.nan)
        elif isinstance(module, IPAClipPhoneticProjection):
            init.normal_(module.narrow.weight, std=module.narrow.in_features**-0.5 * factor)
            init.normal_(module.place.weight, std=PLACE_STD * factor)
            # At first a token says the same wherever it stands.
            init.ones_(module.place.bias)
            init.zeros_(module.narrow.bias)
            for layer in (module.neighbours, module.context):
                init.normal_(layer.weight, std=(3 * layer.in_channels) ** -0.5 * factor)
                init.zeros_(layer.bias)
            init.zeros_(module.offset)
        elif module is getattr(self, "pronunciation_projection", None):
            init.normal_(module.weight, std=module.in_features**-0.5 * factor)

    def _add_tower(self, config: Any) -> None:
        """The pronunciation tower and its projections, of a model that has them."""
        self.pronunciation_model = IPAClipPronunciationModel._from_config(config)
        self.pronunciation_projection = nn.Linear(
            config.hidden_size, config.projection_dim, bias=config.projection_bias
        )
        self.phonetic_projection = IPAClipPhoneticProjection(config) if config.phonetic_dim > 0 else None

    def set_phoneme_features(self, table: Any) -> None:
        """
        Fill the phoneme feature table, which is saved with the model.

        Args:
            table (array-like of shape `(vocab_size, num_phoneme_features)`):
                One row of features per token of the pronunciation tokenizer, finite, usually -1, 0 or 1.

        Raises:
            `ValueError`: if the shape is not the configured one, or a value is not finite.
        """
        for module in self.modules():
            if isinstance(module, IPAClipPronunciationEmbeddings):
                module.set_phoneme_features(table)

    def save_pretrained(self, save_directory: str | os.PathLike, *args: Any, **kwargs: Any) -> None:
        r"""As [`~transformers.PreTrainedModel.save_pretrained`]; what is saved loads without this package, too."""
        # The library notes down one Auto class of a model.
        file = __name__.rpartition(".")[2]
        self.config.auto_map = {name: f"{file}.{one.__name__}" for name, one in self._auto_classes().items()}
        super().save_pretrained(save_directory, *args, **kwargs)

    def _auto_classes(self) -> dict[str, type]:
        """What each Auto class loads from this model's checkpoint."""
        return {"AutoModel": type(self)}

    @classmethod
    def from_pretrained(
        cls,
        pretrained_model_name_or_path: str | os.PathLike | None,
        *model_args: Any,
        output_loading_info: bool = False,
        **kwargs: Any,
    ) -> Any:
        r"""
        As [`~transformers.PreTrainedModel.from_pretrained`], but pronunciation weights that are missing are an error.
        Only [`IPAClipModel`] may lack them, and only where `config` or `pronunciation_config` asks for a new tower.

        Raises:
            `ValueError`: if the checkpoint has no (complete) pronunciation tower, or its configuration does not fit.
            `OSError`: if a weight file is corrupt, or a pickle that holds more than tensors.
        """
        name = pretrained_model_name_or_path
        # The Auto classes pass the checkpoint's own configuration, which asks for nothing new.
        config_source = getattr(kwargs.get("config"), "name_or_path", str(name))
        configured = "pronunciation_config" in kwargs or config_source != str(name)
        may_mismatch = kwargs.pop("ignore_mismatched_sizes", False)
        with reading_weights(name):
            model, loading_info = super().from_pretrained(
                name, *model_args, output_loading_info=True, ignore_mismatched_sizes=True, **kwargs
            )
        if loading_info["mismatched_keys"] and not may_mismatch:
            raise ValueError(f"The weights of {name} do not fit its config.json, or it is missing.")
        missing = model._missing_of_the_tower(loading_info["missing_keys"])
        if missing and not (issubclass(cls, IPAClipModel) and configured):
            raise ValueError(
                f"{name} lacks {len(missing)} weights of the pronunciation tower (as {missing[0]}): "
                f"{model._advice_on_missing(missing)}."
            )
        for module in model.modules():
            if isinstance(module, IPAClipPhoneticProjection):
                module.requires_grad_(False)  # Loading replaces all parameters by such as ask for gradients.
        return (model, loading_info) if output_loading_info else model

    def _missing_of_the_tower(self, keys: Iterable[str]) -> list[str]:
        clips = ("text_", "vision_", "visual_", "logit_scale")
        return sorted(key for key in keys if not key.startswith(clips))

    def _advice_on_missing(self, missing: list[str]) -> str:
        """What to do about a checkpoint that lacks weights of the pronunciation tower."""
        own = self._missing_of_the_tower(self.state_dict())
        if missing == own:
            return "to put a new tower beside a CLIP, use `IPAClipModel.from_clip`"
        if missing == [key for key in own if key.startswith(("pronunciation_projection.", "phonetic_projection."))]:
            return (
                "it is a tower without its projection, so load it with `IPAClipPronunciationModel`, or load the "
                "checkpoint that it was taken from"
            )
        return "it is incomplete, so save, copy or download it again"


class _FixedVocabulary:
    """The input embeddings of the pronunciation towers: computed from features, and so neither resized nor replaced."""

    def set_input_embeddings(self, value: Any) -> None:
        raise NotImplementedError(VOCABULARY_IS_FIXED)

    def resize_token_embeddings(self, *args: Any, **kwargs: Any) -> Any:
        raise NotImplementedError(VOCABULARY_IS_FIXED)


class IPAClipPronunciationModel(_FixedVocabulary, IPAClipPreTrainedModel):
    """
    The pronunciation tower without projection: a bidirectional CLIP encoder over phonemes.

    `from_pretrained` takes a directory or Hub name of this tower or of a whole IPA-CLIP.
    """

    config: IPAClipPronunciationConfig
    base_model_prefix = "pronunciation_model"
    input_modalities = ("text",)
    _keys_to_ignore_on_load_unexpected = (
        *CLIPS_OWN_KEYS,
        r"^(pronunciation|phonetic)_projection\.",
    )

    def __init__(self, config: IPAClipPronunciationConfig) -> None:
        super().__init__(config)
        self.embeddings = IPAClipPronunciationEmbeddings(config)
        self.pre_layer_norm = (
            nn.LayerNorm(config.hidden_size, eps=config.layer_norm_eps) if config.pre_layer_norm else None
        )
        self.encoder = CLIPEncoder(config)
        self.final_layer_norm = nn.LayerNorm(config.hidden_size, eps=config.layer_norm_eps)
        self.post_init()

    def get_input_embeddings(self) -> nn.Module:
        return self.embeddings

    @merge_with_config_defaults
    @capture_outputs(tie_last_hidden_states=False)
    def forward(
        self,
        input_ids: torch.Tensor | None = None,
        attention_mask: torch.Tensor | None = None,
        position_ids: torch.Tensor | None = None,
        **kwargs: Unpack[TransformersKwargs],
    ) -> BaseModelOutputWithPooling:
        r"""
        Args:
            input_ids (`torch.LongTensor` of shape `(batch, length)`):
                Ids of the pronunciation tokenizer, `length` at most `max_position_embeddings`.
            attention_mask (`torch.Tensor` of shape `(batch, length)`, *optional*):
                1 for tokens, 0 for padding. Without it, all but `pad_token_id` are tokens.
            position_ids (`torch.LongTensor` of shape `(length,)` or `(batch, length)`, *optional*):
                0, 1, 2, … by default.

        Returns:
            [`~transformers.modeling_outputs.BaseModelOutputWithPooling`]: `last_hidden_state` of shape
            `(batch, length, hidden_size)`, `pooler_output` of shape `(batch, hidden_size)`.

        Raises:
            `ValueError`: if `input_ids` is missing, too long, outside the vocabulary or lacks the token pooled at; if
            the mask has another shape or hides a whole row; if the feature table was never filled; if `inputs_embeds`
            are passed. While a graph is traced, what depends on values is not checked.
        """
        _reject_inputs_embeds(kwargs)
        input_ids, attention_mask = self._with_mask(input_ids, attention_mask)
        hidden_states = self.embeddings(input_ids, position_ids)
        if self.pre_layer_norm is not None:
            hidden_states = self.pre_layer_norm(hidden_states)
        encoder_mask = create_bidirectional_mask(
            config=self.config, inputs_embeds=hidden_states, attention_mask=attention_mask
        )
        kwargs.pop("is_causal", None)
        encoder_outputs = self.encoder(
            inputs_embeds=hidden_states, attention_mask=encoder_mask, is_causal=False, **kwargs
        )
        last_hidden_state = self.final_layer_norm(encoder_outputs.last_hidden_state)
        return BaseModelOutputWithPooling(
            last_hidden_state=last_hidden_state,
            pooler_output=self._pool(last_hidden_state, input_ids, attention_mask),
        )

    def _with_mask(
        self, input_ids: torch.Tensor | None, attention_mask: torch.Tensor | None
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Ids and mask, both of shape `(batch, length)`."""
        if input_ids is None:
            raise ValueError("The pronunciation tower needs input_ids, got None.")
        input_ids = input_ids.view(-1, input_ids.shape[-1])
        if attention_mask is None:
            attention_mask = input_ids != self.config.pad_token_id
        elif attention_mask.shape != input_ids.shape:
            raise ValueError(
                f"The attention mask must have the shape of the ids, {tuple(input_ids.shape)}, got "
                f"{tuple(attention_mask.shape)}."
            )
        return input_ids, attention_mask

    def phonetic_features(
        self,
        projection: IPAClipPhoneticProjection | None,
        input_ids: torch.Tensor | None,
        attention_mask: torch.Tensor | None,
        position_ids: torch.Tensor | None,
    ) -> BaseModelOutputWithPooling:
        """What `get_phonetic_features` of both models with a projection computes."""
        if projection is None:
            raise ValueError(NO_PHONETIC_PROJECTION)
        input_ids, attention_mask = self._with_mask(input_ids, attention_mask)
        _reject_empty_rows(attention_mask != 0, "token that is not padding")
        states = projection(self.embeddings(input_ids, position_ids), attention_mask)
        return BaseModelOutputWithPooling(last_hidden_state=states, pooler_output=states.sum(dim=1))

    def _pool(self, states: torch.Tensor, input_ids: torch.Tensor, attention_mask: torch.Tensor) -> torch.Tensor:
        """`(batch, length, hidden_size)` to `(batch, hidden_size)`: the mean of the positions that count."""
        counts = attention_mask != 0  # (batch, length)
        wanted = "token that is not padding"
        if self.config.pooling != "mean":
            token_id = getattr(self.config, f"{self.config.pooling}_token_id")
            wanted = f"{self.config.pooling} token (id {token_id}), which the model pools at"
            counts = counts & (input_ids == token_id)
            counts = counts & (counts.cumsum(dim=-1) == 1)  # only the first
        _reject_empty_rows(counts, wanted)
        weights = counts.to(states.dtype).unsqueeze(-1)
        return (states * weights).sum(dim=1) / weights.sum(dim=1).clamp(min=1)


def _reject_inputs_embeds(kwargs: dict[str, Any]) -> None:
    """Takes `inputs_embeds=None`, which adapters pass to any model, out of `kwargs`."""
    if kwargs.pop("inputs_embeds", None) is not None:
        raise ValueError("inputs_embeds are not supported, for the models pool by ids: pass ids.")


def _reject_empty_rows(counts: torch.Tensor, wanted: str) -> None:
    """`counts` says which positions count, `(batch, length)`. Nothing is checked while a graph is traced."""
    if is_tracing(counts) or counts.is_meta:
        return
    has_none = ~counts.any(dim=-1)
    if has_none.any():
        raise ValueError(f"Row {int(has_none.int().argmax())} of the pronunciations has no {wanted}.")


class IPAClipPronunciationModelWithProjection(_FixedVocabulary, IPAClipPreTrainedModel):
    """
    The pronunciation tower with its projection into CLIP's space.

    `from_pretrained` takes a directory or Hub name of this model or of a whole IPA-CLIP.
    """

    config: IPAClipPronunciationConfig
    base_model_prefix = "pronunciation_model"
    input_modalities = ("text",)
    _keys_to_ignore_on_load_unexpected = CLIPS_OWN_KEYS

    def __init__(self, config: IPAClipPronunciationConfig) -> None:
        super().__init__(config)
        self._add_tower(config)
        self.post_init()

    def _auto_classes(self) -> dict[str, type]:
        return {"AutoModel": IPAClipPronunciationModel, "AutoModelForTextEncoding": type(self)}

    def get_input_embeddings(self) -> nn.Module:
        return self.pronunciation_model.get_input_embeddings()

    @can_return_tuple
    def forward(
        self,
        input_ids: torch.Tensor | None = None,
        attention_mask: torch.Tensor | None = None,
        position_ids: torch.Tensor | None = None,
        **kwargs: Unpack[TransformersKwargs],
    ) -> IPAClipPronunciationModelOutput:
        r"""Arguments and errors as of [`IPAClipPronunciationModel.forward`]."""
        outputs = self.pronunciation_model(
            input_ids=input_ids, attention_mask=attention_mask, position_ids=position_ids, return_dict=True, **kwargs
        )
        return IPAClipPronunciationModelOutput(
            pronunciation_embeds=self.pronunciation_projection(outputs.pooler_output),
            last_hidden_state=outputs.last_hidden_state,
            hidden_states=outputs.hidden_states,
            attentions=outputs.attentions,
        )

    @can_return_tuple
    def get_phonetic_features(
        self,
        input_ids: torch.Tensor | None = None,
        attention_mask: torch.Tensor | None = None,
        position_ids: torch.Tensor | None = None,
    ) -> BaseModelOutputWithPooling:
        r"""As [`IPAClipModel.get_phonetic_features`]."""
        return self.pronunciation_model.phonetic_features(
            self.phonetic_projection, input_ids, attention_mask, position_ids
        )


class IPAClipModel(IPAClipPreTrainedModel, CLIPModel):
    """
    IPA-CLIP: CLIP's image and text towers, weight for weight, and the pronunciation tower in the same space.

    Its checkpoints keep CLIP's keys, so that `CLIPModel.from_pretrained` loads the CLIP within.
    """

    config: IPAClipConfig

    def __init__(self, config: IPAClipConfig) -> None:
        super().__init__(config)
        self._add_tower(config.pronunciation_config)
        # Once more, for what CLIPModel's own call could not see.
        self.post_init()

    def _auto_classes(self) -> dict[str, type]:
        return {"AutoModel": type(self), "AutoModelForZeroShotImageClassification": type(self)}

    def get_input_embeddings(self) -> nn.Module:
        return self.text_model.get_input_embeddings()

    def set_input_embeddings(self, value: nn.Module) -> None:
        self.text_model.set_input_embeddings(value)

    @classmethod
    def from_clip(
        cls,
        clip: str | os.PathLike | CLIPModel,
        phoneme_features: Any = None,
        pronunciation_config: dict[str, Any] | IPAClipPronunciationConfig | None = None,
        **kwargs: Any,
    ) -> "IPAClipModel":
        r"""
        Put a new pronunciation tower with random weights (`torch.manual_seed`) beside a CLIP.

        Args:
            clip (`str`, `os.PathLike` or [`~transformers.CLIPModel`]):
                Hub name, directory or model. A model's weights are copied.
            phoneme_features (array-like of shape `(vocab_size, num_phoneme_features)`, *optional*):
                The feature table of the pronunciation tokenizer. Without it, fill the table later with
                `set_phoneme_features`.
            pronunciation_config (`dict` or [`IPAClipPronunciationConfig`], *optional*):
                The tower's shape; a `dict` overrides single values of the default, which is the shape of CLIP's text
                tower, with the vocabulary of the table.
            kwargs:
                Passed to [`~transformers.CLIPModel.from_pretrained`]; none are possible where `clip` is a model.

        Returns:
            [`IPAClipModel`]: in evaluation mode, with the dtype, device and attention of `clip`.

        Raises:
            `TypeError`: if `clip` is neither name nor CLIP, or is a model and there are `kwargs`.
            `ValueError`: if `clip` lacks CLIP's weights, or table and configuration do not fit.

        Example:

        ```python
        >>> from ipaclip import IPAClipModel
        >>> from ipaclip.tokenization import IPATokenizer, phoneme_feature_table

        >>> table = phoneme_feature_table(IPATokenizer.build(), "panphon")
        >>> model = IPAClipModel.from_clip("openai/clip-vit-base-patch32", phoneme_features=table)
        ```"""
        if isinstance(clip, (str, os.PathLike)):
            clip = _load_clip(clip, **kwargs)
        elif not isinstance(clip, CLIPModel) or kwargs:
            raise TypeError(
                f"`clip` must be a name, a directory or a CLIPModel, and a CLIPModel takes no further arguments, got "
                f"{type(clip).__name__} and {sorted(kwargs)}."
            )
        if phoneme_features is not None:
            phoneme_features = torch.as_tensor(phoneme_features, dtype=torch.float32)
            if phoneme_features.dim() != 2:
                raise ValueError(
                    "The phoneme feature table must have the shape (vocab_size, num_phoneme_features), got "
                    f"{tuple(phoneme_features.shape)}."
                )
        config_dict = clip.config.to_dict()  # with its `model_type`: it may hold keys that no CLIP knows
        for key in ("architectures", "auto_map", "pronunciation_config"):
            config_dict.pop(key, None)
        config = IPAClipConfig(
            **config_dict,
            pronunciation_config=_pronunciation_config(clip.config, phoneme_features, pronunciation_config),
        )
        model = cls._from_config(config, dtype=clip.dtype, attn_implementation=clip.config._attn_implementation).to(
            clip.device
        )
        weights = clip.state_dict()
        for key in model._missing_of_the_tower(weights):
            del weights[key]
        model.load_state_dict(weights, strict=False)
        if phoneme_features is not None:
            model.set_phoneme_features(phoneme_features)
            model.pronunciation_model.embeddings.scale_to_table()
        return model.eval()

    @can_return_tuple
    def get_pronunciation_features(
        self,
        pronunciation_input_ids: torch.Tensor | None = None,
        pronunciation_attention_mask: torch.Tensor | None = None,
        position_ids: torch.Tensor | None = None,
        **kwargs: Unpack[TransformersKwargs],
    ) -> BaseModelOutputWithPooling:
        r"""
        Arguments and errors as [`IPAClipPronunciationModel.forward`].

        Returns:
            [`~transformers.modeling_outputs.BaseModelOutputWithPooling`]: the tower's output, with `pooler_output`
            projected to shape `(batch, projection_dim)` and not normalised.

        Example:

        ```python
        >>> from ipaclip import IPAClipModel, IPAClipProcessor, embedded_checkpoint

        >>> model = IPAClipModel.from_pretrained(embedded_checkpoint())
        >>> processor = IPAClipProcessor.from_pretrained(embedded_checkpoint())
        >>> inputs = processor(ipa=["bʌtɚflaɪ"], return_tensors="pt")
        >>> model.get_pronunciation_features(**inputs).pooler_output.shape
        ```"""
        outputs = self.pronunciation_model(
            input_ids=pronunciation_input_ids,
            attention_mask=pronunciation_attention_mask,
            position_ids=position_ids,
            return_dict=True,
            **kwargs,
        )
        outputs.pooler_output = self.pronunciation_projection(outputs.pooler_output)
        return outputs

    @can_return_tuple
    def get_phonetic_features(
        self,
        pronunciation_input_ids: torch.Tensor | None = None,
        pronunciation_attention_mask: torch.Tensor | None = None,
        position_ids: torch.Tensor | None = None,
    ) -> BaseModelOutputWithPooling:
        r"""
        How words sound, without what they mean. Only phoneme embeddings are read, not the encoder.

        Cosine says how alike two words sound to people, whatever their length. Euclidean distance says how far apart
        they are articulated: it grows with every sound that differs, and with length. So do not normalise for it.
        What the vectors are fitted to: `ipaclip.training.sound_alone.fit`. Elsewhere the projection is not trained: its
        weights ask for gradients only after `phonetic_projection.requires_grad_()`.

        Arguments as of [`IPAClipPronunciationModel.forward`].

        Returns:
            [`~transformers.modeling_outputs.BaseModelOutputWithPooling`]: `last_hidden_state` of shape
            `(batch, length, phonetic_dim)`, what each token adds, and `pooler_output` of shape
            `(batch, phonetic_dim)`, the sum of them, not normalised.

        Raises:
            `ValueError`: as `forward` does, and if the checkpoint has no phonetic projection.
        """
        return self.pronunciation_model.phonetic_features(
            self.phonetic_projection, pronunciation_input_ids, pronunciation_attention_mask, position_ids
        )

    @can_return_tuple
    def forward(  # noqa: PLR0917
        self,
        input_ids: torch.LongTensor | None = None,
        pixel_values: torch.Tensor | None = None,
        attention_mask: torch.Tensor | None = None,
        position_ids: torch.LongTensor | None = None,
        return_loss: bool | None = None,
        interpolate_pos_encoding: bool = False,
        pronunciation_input_ids: torch.LongTensor | None = None,
        pronunciation_attention_mask: torch.Tensor | None = None,
        **kwargs: Unpack[TransformersKwargs],
    ) -> IPAClipOutput:
        r"""
        Compare two or three of images, texts and pronunciations with each other. The arguments are
        [`~transformers.CLIPModel`]'s in their order, and behind them those of the pronunciations.

        Where a modality is not passed, its tower gets no gradients, but asks for them. `DistributedDataParallel` stops
        at the second step then: freeze that tower (`model.pronunciation_model.requires_grad_(False)`, and its
        projection), or set `find_unused_parameters=True`.

        Args:
            pronunciation_input_ids (`torch.LongTensor` of shape `(pronunciations, length)`, *optional*):
                Ids of the pronunciation tokenizer. `input_ids`, `attention_mask` and `position_ids` are the texts'.
            pronunciation_attention_mask (`torch.Tensor` of shape `(pronunciations, length)`, *optional*):
                1 for tokens, 0 for padding.

        Raises:
            `ValueError`: if fewer than two modalities are passed, or a loss is asked for between unequal batches, or
            `inputs_embeds` are passed.
        """
        _reject_inputs_embeds(kwargs)
        image = text = pronunciation = None
        if pixel_values is not None:
            image = self.get_image_features(pixel_values, interpolate_pos_encoding, **kwargs)
        if input_ids is not None:
            text = self.get_text_features(input_ids, attention_mask, position_ids, **kwargs)
        if pronunciation_input_ids is not None:
            pronunciation = self.get_pronunciation_features(
                pronunciation_input_ids, pronunciation_attention_mask, **kwargs
            )
        if (count := sum(one is not None for one in (image, text, pronunciation))) < 2:
            raise ValueError(
                "The model compares at least two of pixel_values, input_ids and pronunciation_input_ids, got "
                f"{count}: for single embeddings call get_image_features, get_text_features or "
                "get_pronunciation_features."
            )
        image_embeds, text_embeds, pronunciation_embeds = (_normalized(one) for one in (image, text, pronunciation))
        text_image = self._logits(text_embeds, image_embeds)
        pronunciation_image = self._logits(pronunciation_embeds, image_embeds)
        pronunciation_text = self._logits(pronunciation_embeds, text_embeds)
        return IPAClipOutput(
            loss=_mean_contrastive_loss(text_image, pronunciation_image, pronunciation_text) if return_loss else None,
            logits_per_image=_transposed(text_image),
            logits_per_text=text_image,
            logits_per_image_pronunciation=_transposed(pronunciation_image),
            logits_per_pronunciation=pronunciation_image,
            logits_per_text_pronunciation=_transposed(pronunciation_text),
            logits_per_pronunciation_text=pronunciation_text,
            text_embeds=text_embeds,
            image_embeds=image_embeds,
            pronunciation_embeds=pronunciation_embeds,
            text_model_output=text,
            vision_model_output=image,
            pronunciation_model_output=pronunciation,
        )

    def _logits(self, rows: torch.Tensor | None, columns: torch.Tensor | None) -> torch.Tensor | None:
        """Scaled cosine similarities of shape `(rows, columns)`, computed as CLIP computes them."""
        if rows is None or columns is None:
            return None
        return torch.matmul(rows, columns.t().to(rows.device)) * self.logit_scale.exp().to(rows.device)


def _normalized(output: BaseModelOutputWithPooling | None) -> torch.Tensor | None:
    """Rows of length 1, `(batch, dim)`, in the steps in which CLIP computes it: so they are rounded as CLIP's."""
    if output is None:
        return None
    return output.pooler_output / output.pooler_output.pow(2).sum(dim=-1, keepdim=True).pow(0.5)


def _transposed(logits: torch.Tensor | None) -> torch.Tensor | None:
    return None if logits is None else logits.t()


def _mean_contrastive_loss(*pairs: torch.Tensor | None) -> torch.Tensor:
    """CLIP's loss, the mean of it over the pairs of modalities that are present."""
    present = [logits for logits in pairs if logits is not None]
    for logits in present:
        if logits.shape[0] != logits.shape[1]:
            raise ValueError(
                f"The contrastive loss needs batches of equal length, got {logits.shape[0]} and {logits.shape[1]}."
            )
    losses = [image_text_contrastive_loss(logits) for logits in present]
    return losses[0] if len(losses) == 1 else torch.stack(losses).mean()


def _load_clip(name_or_path: str | os.PathLike, **kwargs: Any) -> CLIPModel:
    clip, loading_info = CLIPModel.from_pretrained(name_or_path, output_loading_info=True, **kwargs)
    if missing := sorted(loading_info["missing_keys"]):
        raise ValueError(f"{name_or_path} is not a CLIP checkpoint: it lacks {len(missing)} weights (as {missing[0]}).")
    return clip


def _pronunciation_config(
    clip_config: Any,
    phoneme_features: torch.Tensor | None,
    given: dict[str, Any] | IPAClipPronunciationConfig | None,
) -> IPAClipPronunciationConfig:
    """The shape of CLIP's text tower and the vocabulary of the table, unless `given` says otherwise."""
    if isinstance(given, IPAClipPronunciationConfig):
        config = given.__class__(**given.to_dict())  # a copy, for the model writes its dtype there
    else:
        values = {name: getattr(clip_config.text_config, name) for name in LIKE_TEXT}
        values["projection_dim"] = clip_config.projection_dim
        if phoneme_features is not None:
            values["vocab_size"], values["num_phoneme_features"] = phoneme_features.shape
        values |= given or {}
        if values.get("num_phoneme_features") == 0:
            values = {"feature_set": "learned", **values}
        if values.get("feature_set") == "learned":
            values = {"num_phoneme_features": 0, "learned_residual": True, **values}
        config = IPAClipPronunciationConfig(**values)
    table_shape = None if phoneme_features is None else tuple(phoneme_features.shape)
    if table_shape not in (None, (config.vocab_size, config.num_phoneme_features)):
        raise ValueError(
            f"The phoneme feature table has the shape {table_shape}, but the pronunciation configuration says "
            f"vocab_size={config.vocab_size} and num_phoneme_features={config.num_phoneme_features}."
        )
    return config


IPAClipPronunciationModel.register_for_auto_class("AutoModel")
IPAClipPronunciationModelWithProjection.register_for_auto_class("AutoModelForTextEncoding")
IPAClipModel.register_for_auto_class("AutoModel")
IPAClipPronunciationConfig.register_for_auto_class()
IPAClipConfig.register_for_auto_class()


__all__ = [
    "IPAClipModel",
    "IPAClipOutput",
    "IPAClipPreTrainedModel",
    "IPAClipPronunciationModel",
    "IPAClipPronunciationModelOutput",
    "IPAClipPronunciationModelWithProjection",
]
