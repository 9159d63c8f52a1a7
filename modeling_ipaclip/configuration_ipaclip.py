"""IPA-CLIP model configuration."""

from difflib import get_close_matches
from typing import Any

from huggingface_hub.dataclasses import strict
from transformers.configuration_utils import PreTrainedConfig
from transformers.models.clip.configuration_clip import CLIPConfig, CLIPTextConfig, CLIPVisionConfig
from transformers.utils import logging

logger = logging.get_logger(__name__)

FEATURE_SETS = ("panphon", "ipa_chart", "learned")
POOLINGS = ("mean", "eos", "bos")

# What transformers itself writes into a config.json or passes to a configuration, beyond fields and properties.
TRANSFORMERS_KEYS = frozenset(
    {
        "attn_implementation",
        "auto_map",
        "base_model_tp_plan",
        "distributed_config",
        "experts_implementation",
        "fusion_config",
        "kernel_config",
        "per_layer_config",
        "quantization_config",
        "text_config_dict",
        "tie_word_embeddings",
        "transformers_weights",
        "use_cache",
        "use_kernels",
        "vision_config_dict",
    }
)


def reject_misspelled_keys(config: PreTrainedConfig, keys: dict[str, Any]) -> None:
    """
    transformers turns every unknown key into an attribute, so that a misspelled one silently leaves its default.

    Raises:
        `ValueError`: if an unknown key resembles a valid one. A key that resembles none is kept, with a warning:
            a later transformers may have written it.
    """
    name, valid = type(config).__name__, type(config).__dataclass_fields__
    for key in keys:
        if key in TRANSFORMERS_KEYS or key.startswith("_") or hasattr(type(config), key):
            continue
        if nearest := get_close_matches(key, valid, n=1):
            raise ValueError(f"`{key}` is not a key of {name}: did you mean `{nearest[0]}`?")
        logger.warning(f"`{key}` is not a key of {name} and has no effect on the model.")


@strict
class IPAClipPronunciationConfig(PreTrainedConfig):
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
        `ValueError`: if the values contradict each other, or a key is misspelled.

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
    feature_set: str = "panphon"
    learned_residual: bool = False
    hidden_size: int = 512
    intermediate_size: int = 2048
    projection_dim: int = 512
    projection_bias: bool = True
    num_hidden_layers: int = 12
    num_attention_heads: int = 8
    max_position_embeddings: int = 256
    hidden_act: str = "quick_gelu"
    layer_norm_eps: float = 1e-5
    attention_dropout: int | float = 0.0
    initializer_range: float = 0.02
    initializer_factor: float = 1.0
    pre_layer_norm: bool = True
    pooling: str = "mean"
    phonetic_dim: int = 0
    phonetic_bottleneck: int = 48

    pad_token_id: int = 0
    unk_token_id: int = 1
    bos_token_id: int = 2
    eos_token_id: int = 3

    def __post_init__(self, **kwargs: Any) -> None:
        # Popped, for as an attribute it would hide the class's own.
        if (model_type := kwargs.pop("model_type", self.model_type)) != self.model_type:
            raise ValueError(
                f"The configuration of a `{model_type}` has no pronunciation tower: to put one beside a CLIP, use "
                "`IPAClipModel.from_clip`."
            )
        reject_misspelled_keys(self, kwargs)
        super().__post_init__(**kwargs)

    def validate_architecture(self) -> None:
        """Part of `@strict`-powered validation: the values must agree with each other."""
        sizes = ("vocab_size", "hidden_size", "intermediate_size", "projection_dim", "num_hidden_layers")
        for name in (*sizes, "num_attention_heads", "max_position_embeddings"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} must be at least 1, got {getattr(self, name)}.")
        if self.phonetic_dim < 0 or self.phonetic_bottleneck < 1:
            raise ValueError(
                "phonetic_dim must be at least 0 and phonetic_bottleneck at least 1, got "
                f"{self.phonetic_dim} and {self.phonetic_bottleneck}."
            )
        if self.hidden_size % self.num_attention_heads != 0:
            raise ValueError(
                f"The hidden size ({self.hidden_size}) is not a multiple of the number of attention heads "
                f"({self.num_attention_heads})."
            )
        if self.pooling not in POOLINGS:
            raise ValueError(f"pooling must be one of {', '.join(POOLINGS)}, got {self.pooling!r}.")
        self._validate_features()
        for name in ("pad_token_id", "unk_token_id", "bos_token_id", "eos_token_id"):
            if not 0 <= getattr(self, name) < self.vocab_size:
                raise ValueError(f"{name} ({getattr(self, name)}) is outside the vocabulary of {self.vocab_size}.")

    def _validate_features(self) -> None:
        if self.feature_set not in FEATURE_SETS:
            raise ValueError(f"feature_set must be one of {', '.join(FEATURE_SETS)}, got {self.feature_set!r}.")
        if self.feature_set == "learned" and (self.num_phoneme_features != 0 or not self.learned_residual):
            raise ValueError(
                "feature_set 'learned' has no phoneme features: it needs num_phoneme_features=0 and "
                f"learned_residual=True, got {self.num_phoneme_features} and {self.learned_residual}."
            )
        if self.feature_set != "learned" and self.num_phoneme_features < 1:
            raise ValueError(
                f"feature_set {self.feature_set!r} needs num_phoneme_features of at least 1, got "
                f"{self.num_phoneme_features}."
            )


@strict
class IPAClipConfig(CLIPConfig):
    r"""
    Configuration of IPA-CLIP: CLIP's, and that of the pronunciation tower.

    Args:
        pronunciation_config (`dict` or [`IPAClipPronunciationConfig`], *optional*):
            Configuration of the pronunciation tower. Its `projection_dim` must be this configuration's, and is taken
            from here where it is not given.

    The other arguments are [`~transformers.CLIPConfig`]'s.

    Raises:
        `ValueError`: if the two projection dimensions differ, or a key is misspelled.

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

    def __post_init__(self, **kwargs: Any) -> None:
        # A plain CLIP's config.json may hold what it likes: CLIP reads it, too.
        if kwargs.pop("model_type", self.model_type) == self.model_type:
            reject_misspelled_keys(self, kwargs)
        if not isinstance(self.pronunciation_config, PreTrainedConfig):
            self.pronunciation_config = {"projection_dim": self.projection_dim, **(self.pronunciation_config or {})}
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
