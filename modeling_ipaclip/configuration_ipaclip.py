"""IPA-CLIP model configuration."""

import os
from dataclasses import fields
from difflib import get_close_matches
from typing import Any, Literal

from huggingface_hub.dataclasses import strict
from transformers.configuration_utils import PreTrainedConfig
from transformers.models.clip.configuration_clip import CLIPConfig, CLIPTextConfig, CLIPVisionConfig
from transformers.utils import logging

logger = logging.get_logger(__name__)

# What transformers itself passes to a configuration, beyond fields and properties.
TRANSFORMERS_KEYS = {
    "attn_implementation", "auto_map", "base_model_tp_plan", "cls_token_id", "decoder_start_token_id",
    "distributed_config", "experts_implementation", "fusion_config", "kernel_config", "mask_token_id",
    "per_layer_config", "quantization_config", "sep_token_id", "text_config_dict", "tie_word_embeddings",
    "transformers_weights", "use_cache", "use_kernels", "vision_config_dict",
}  # fmt: skip


def check_keys(config_class: type[PreTrainedConfig], keys: dict[str, Any], *, from_file: bool) -> None:
    """
    transformers turns every unknown key into an attribute, so that a misspelled one silently leaves its default.

    What a person writes must be spelled right. A file may hold whatever a program wrote, a later transformers above
    all: a key is likely to be misspelled only where the key that it resembles is missing, and that is a warning.

    Raises:
        `ValueError`: if a key that a person wrote is unknown and resembles a valid one.
    """
    inherited = {field.name for field in fields(PreTrainedConfig)}
    own = {field.name for field in fields(config_class)} - inherited
    known = own | inherited | TRANSFORMERS_KEYS | set(dir(config_class))
    for key in keys:
        if key in known or key.startswith("_"):
            continue
        nearest = next(iter(get_close_matches(key, own, n=1)), None)
        if nearest is None and not from_file:
            logger.warning(f"`{key}` is not a key of {config_class.__name__} and has no effect on the model.")
        elif nearest is not None and not from_file:
            raise ValueError(f"`{key}` is not a key of {config_class.__name__}: did you mean `{nearest}`?")
        elif nearest is not None and nearest not in keys:
            logger.warning(
                f"`{key}` is not a key of {config_class.__name__} and has no effect on the model: if `{nearest}` is "
                "meant, correct it in the file."
            )


class _ReadsFiles:
    """Tells the keys of a file, which may be any, from those that a person passes, which must be spelled right."""

    @classmethod
    def from_dict(cls: Any, config_dict: dict[str, Any], **kwargs: Any) -> Any:
        r"""As [`~transformers.PreTrainedConfig.from_dict`]: a key of `config_dict` that is unknown is kept."""
        if config_dict.get("model_type", cls.model_type) == cls.model_type:
            check_keys(cls, config_dict, from_file=True)
        return super().from_dict({"model_type": cls.model_type, **config_dict}, **kwargs)  # type: ignore[misc]

    @classmethod
    def from_json_file(cls: Any, json_file: str | os.PathLike) -> Any:
        return cls.from_dict(cls._dict_from_json_file(json_file))


@strict
class IPAClipPronunciationConfig(_ReadsFiles, PreTrainedConfig):
    r"""
    Configuration of the pronunciation tower: a bidirectional CLIP encoder over phonemes.

    Args:
        vocab_size (`int`): Number of phoneme tokens, the rows of the phoneme feature table.
        num_phoneme_features (`int`): Columns of the phoneme feature table, 0 just where `feature_set` is "learned".
        feature_set (`str`): What the table's columns mean: "panphon" (articulatory features), "ipa_chart" (place,
            manner, voicing; height, backness, rounding) or "learned" (no table).
        learned_residual (`bool`): Whether a learned embedding per token is added to the projected features.
        projection_bias (`bool`): Whether the projection has a bias. The mean of the teacher's embeddings lives there.
        max_position_embeddings (`int`): The longest sequence of tokens, `<s>` and `</s>` included.
        initializer_factor (`float`): Scales the standard deviation of all weights at initialisation.
        pre_layer_norm (`bool`): Whether embeddings are normalised before the encoder, as CLIP's image tower does it.
            CLIP draws embeddings so small (std 0.02) that what the first layer adds drowns the phonemes; with the norm
            a new tower learns at once.
        pooling (`str`): "mean" over the tokens that are not padding, or the state at "eos" or at "bos".
        phonetic_dim (`int`): Width of the output for sound alone (`get_phonetic_features`), 0 for a model without it.
        phonetic_bottleneck (`int`): Width that its projection first narrows phoneme embeddings to.

    The other arguments are [`~transformers.CLIPTextConfig`]'s.

    Raises:
        `ValueError`: if the values contradict each other, or a key that is passed resembles one and is none. What a
            file or `to_dict` holds may have further keys.

    Example:

    ```python
    >>> from ipaclip import IPAClipPronunciationConfig, IPAClipPronunciationModel

    >>> configuration = IPAClipPronunciationConfig(vocab_size=6400, num_phoneme_features=24)
    >>> model = IPAClipPronunciationModel(configuration)  # random weights; its feature table is still to be filled
    ```"""

    model_type = "ipaclip_pronunciation_model"
    base_config_key = "pronunciation_config"

    vocab_size: int = 6400
    num_phoneme_features: int = 24
    feature_set: Literal["panphon", "ipa_chart", "learned"] = "panphon"
    learned_residual: bool = False
    hidden_size: int = 512
    intermediate_size: int = 2048
    projection_dim: int = 512
    projection_bias: bool = True
    num_hidden_layers: int = 12
    num_attention_heads: int = 8
    max_position_embeddings: int = 256
    hidden_act: str = "quick_gelu"
    # JSON written elsewhere may hold 1 for 1.0.
    layer_norm_eps: int | float = 1e-5
    attention_dropout: int | float = 0.0
    initializer_range: int | float = 0.02
    initializer_factor: int | float = 1.0
    pre_layer_norm: bool = True
    pooling: Literal["mean", "eos", "bos"] = "mean"
    phonetic_dim: int = 0
    phonetic_bottleneck: int = 48

    pad_token_id: int = 0
    unk_token_id: int = 1
    bos_token_id: int = 2
    eos_token_id: int = 3

    def __post_init__(self, **kwargs: Any) -> None:
        # Popped, for as an attribute it would hide the class's own. What a person writes has none.
        model_type = kwargs.pop("model_type", None)
        if model_type not in (None, self.model_type):
            raise ValueError(
                f"The configuration of a `{model_type}` has no pronunciation tower: to put one beside a CLIP, use "
                "`IPAClipModel.from_clip`."
            )
        if model_type is None:
            check_keys(type(self), kwargs, from_file=False)
        super().__post_init__(**kwargs)

    def validate_architecture(self) -> None:
        """Part of `@strict`-powered validation: the values must agree with each other."""
        sizes: tuple[str, ...] = (
            "vocab_size",
            "hidden_size",
            "intermediate_size",
            "projection_dim",
            "num_hidden_layers",
        )
        sizes += ("num_attention_heads", "max_position_embeddings", "phonetic_bottleneck")
        has_features = self.feature_set != "learned"
        lowest = {**dict.fromkeys(sizes, 1), "phonetic_dim": 0, "num_phoneme_features": int(has_features)}
        for name, least in lowest.items():
            if getattr(self, name) < least:
                raise ValueError(f"{name} must be at least {least}, got {getattr(self, name)}.")
        if self.hidden_size % self.num_attention_heads != 0:
            raise ValueError(
                f"The hidden size ({self.hidden_size}) is not a multiple of the number of attention heads "
                f"({self.num_attention_heads})."
            )
        if not has_features and (self.num_phoneme_features != 0 or not self.learned_residual):
            raise ValueError(
                "feature_set 'learned' has no phoneme features: it needs num_phoneme_features=0 and "
                f"learned_residual=True, got {self.num_phoneme_features} and {self.learned_residual}."
            )
        for name in ("pad_token_id", "unk_token_id", "bos_token_id", "eos_token_id"):
            if not 0 <= getattr(self, name) < self.vocab_size:
                raise ValueError(f"{name} ({getattr(self, name)}) is outside the vocabulary of {self.vocab_size}.")


@strict
class IPAClipConfig(_ReadsFiles, CLIPConfig):
    r"""
    Configuration of IPA-CLIP: CLIP's, and that of the pronunciation tower.

    Args:
        pronunciation_config (`dict` or [`IPAClipPronunciationConfig`], *optional*):
            Configuration of the pronunciation tower. Its `projection_dim` must be this configuration's, and is taken
            from here where it is not given.

    The other arguments are [`~transformers.CLIPConfig`]'s.

    Raises:
        `ValueError`: if the two projection dimensions differ, or a key that is passed resembles one and is none. What
            a file or `to_dict` holds may have further keys.

    Example:

    ```python
    >>> from ipaclip import IPAClipConfig, IPAClipModel

    >>> configuration = IPAClipConfig(pronunciation_config={"num_hidden_layers": 6})
    >>> model = IPAClipModel(configuration)
    ```"""

    model_type = "ipaclip"
    sub_configs_defaults = {  # noqa: RUF012
        "vision_config": CLIPVisionConfig,
        "text_config": CLIPTextConfig,
        "pronunciation_config": IPAClipPronunciationConfig,
    }

    pronunciation_config: dict | IPAClipPronunciationConfig | None = None

    @classmethod
    def from_dict(cls, config_dict: dict[str, Any], **kwargs: Any) -> Any:
        r"""
        As [`~transformers.PreTrainedConfig.from_dict`]: a key of `config_dict` that is unknown is kept.

        Raises:
            `ValueError`: if a key in `kwargs["pronunciation_config"]` is misspelled, or the values do not fit.
        """
        in_file, passed = (source.get("pronunciation_config") for source in (config_dict, kwargs))
        if isinstance(in_file, dict):
            check_keys(IPAClipPronunciationConfig, in_file, from_file=True)
        if isinstance(passed, dict) and "model_type" not in passed:
            check_keys(IPAClipPronunciationConfig, passed, from_file=False)
        return super().from_dict(config_dict, **kwargs)

    def __post_init__(self, **kwargs: Any) -> None:
        model_type = kwargs.pop("model_type", None)
        tower_type = IPAClipPronunciationConfig.model_type
        if model_type == tower_type:
            raise ValueError(
                "This is the configuration of a pronunciation tower alone: load it with "
                "`IPAClipPronunciationModelWithProjection`, or put it onto its CLIP with `ipaclip convert merge`."
            )
        if model_type is None:
            check_keys(type(self), kwargs, from_file=False)
        if not isinstance(self.pronunciation_config, PreTrainedConfig):
            written = {} if model_type is None else {"model_type": tower_type}
            given = self.pronunciation_config or {}
            self.pronunciation_config = {"projection_dim": self.projection_dim, **written, **given}
        super().__post_init__(**kwargs)

    def validate_architecture(self) -> None:
        """Part of `@strict`-powered validation: all towers must end in the same space."""
        super().validate_architecture()
        tower: Any = self.pronunciation_config
        if tower.projection_dim != self.projection_dim:
            raise ValueError(
                f"The projection_dim of the pronunciation tower ({tower.projection_dim}) differs from the model's "
                f"({self.projection_dim}): they must be equal."
            )


__all__ = ["IPAClipConfig", "IPAClipPronunciationConfig"]
