"""State dicts of OpenAI's CLIP and open_clip → transformers' `CLIPModel`: names, shapes and configuration.

The two layouts: github.com/openai/CLIP, `clip/model.py` (2021), and github.com/mlfoundations/open_clip,
`src/open_clip/model.py` and `transformer.py` (3.3).
"""

import math
import re
from typing import Any

import torch
from transformers import CLIPConfig, CLIPModel

Weights = dict[str, torch.Tensor]

ACTIVATIONS = ("quick_gelu", "gelu")
# OpenAI's archives carry these numbers among their weights, and open_clip's files do not.
OPENAI_MARKS = ("input_resolution", "context_length", "vocab_size")
HEAD_WIDTH = 64

# transformers' names, each rule after the one before.
_RENAMES = {
    r"^text_projection$": "text_projection.weight",
    r"^token_embedding\.": "text_model.embeddings.token_embedding.",
    r"^positional_embedding$": "text_model.embeddings.position_embedding.weight",
    r"^ln_final\.": "text_model.final_layer_norm.",
    r"^transformer\.resblocks\.": "text_model.encoder.layers.",
    r"^visual\.proj$": "visual_projection.weight",
    r"^visual\.class_embedding$": "vision_model.embeddings.class_embedding",
    r"^visual\.conv1\.": "vision_model.embeddings.patch_embedding.",
    r"^visual\.positional_embedding$": "vision_model.embeddings.position_embedding.weight",
    r"^visual\.ln_pre\.": "vision_model.pre_layrnorm.",  # transformers spells it so
    r"^visual\.ln_post\.": "vision_model.post_layernorm.",
    r"^visual\.transformer\.resblocks\.": "vision_model.encoder.layers.",
    r"\.attn\.": ".self_attn.",
    r"\.ln_([12])\.": r".layer_norm\1.",
    r"\.c_fc\.": ".fc1.",
    r"\.c_proj\.": ".fc2.",
}
# Stored as `x @ weight`.
_TRANSPOSED = ("text_projection", "visual.proj")
# What tells the shape of a model.
_TELLING = (
    "text_projection", "token_embedding.weight", "positional_embedding", "visual.conv1.weight",
    "visual.positional_embedding",
)  # fmt: skip
_CUSTOM_TEXT = re.compile(
    r"text\.(?=transformer\.|token_embedding\.|positional_embedding$|ln_final\.|text_projection$)"
)

# What open_clip can be told to do that transformers' CLIP does not; the values that change nothing are allowed.
_ONLY_OFF = (
    "attentional_pool", "embed_cls", "final_ln_after_pool", "no_causal_mask", "no_ln_pre", "proj_bias", "qk_norm",
    "scale_attn", "scale_attn_inner", "scale_fc", "scale_heads", "scaled_cosine_attn",
)  # fmt: skip
_HARMLESS: dict[str, tuple[Any, ...]] = {
    **dict.fromkeys(_ONLY_OFF, (False,)),
    "act_kwargs": (None, {}),
    "block_type": (None, "default"),
    "hf_model_name": (None,),
    "ls_init_value": (None,),
    "norm_kwargs": (None, {}),
    "pool_type": ("tok", "argmax"),
    "pos_embed_type": ("learnable", "sin_cos_2d"),
    "proj_type": ("linear",),
    "timm_model_name": (None, ""),
}
# Seen in the weights, or of no consequence once a model is trained.
_IGNORED = (
    "attn_pooler_heads", "attn_pooler_queries", "context_length", "eos_id", "head_width", "heads",
    "hf_model_pretrained", "hf_pooler_type", "hf_proj_type", "hf_tokenizer_name", "image_size", "layers", "mlp_ratio",
    "output_tokens", "pad_id", "patch_dropout", "patch_size", "timm_drop", "timm_drop_path", "timm_model_pretrained",
    "timm_pool", "timm_proj", "timm_proj_bias", "tokenizer_kwargs", "tokenizer_mode", "vocab_size", "width",
)  # fmt: skip


def to_transformers(
    weights: Weights, *, activation: str | None = None, model_config: dict[str, Any] | None = None
) -> CLIPModel:
    """A `CLIPModel` in float32 with the weights of an original CLIP.

    Args:
        weights: OpenAI's or open_clip's state dict.
        activation: "quick_gelu" or "gelu", where the source does not say which.
        model_config: open_clip's configuration: `embed_dim`, `quick_gelu`, `vision_cfg`, `text_cfg`.

    Raises:
        ValueError: if the activation or the number of heads cannot be known, or the model is no CLIP with a vision
            transformer as transformers computes it.
    """
    from_openai = all(mark in weights for mark in OPENAI_MARKS)
    weights = {
        _CUSTOM_TEXT.sub("", key): value
        for key, value in weights.items()
        if key not in OPENAI_MARKS and key.rpartition(".")[2] != "attn_mask"
    }
    _require_vision_transformer(weights)
    if model_config is not None:
        _require_harmless(model_config)
    config = _configuration(weights, _activation(activation, model_config, from_openai), model_config, from_openai)
    model = CLIPModel(config).eval()
    expected = {name: tuple(value.shape) for name, value in model.state_dict().items()}
    translated: Weights = {}
    for key, value in weights.items():
        for name, part in translate(key, value).items():
            if name not in expected:
                raise ValueError(f"{key} has no place in transformers' CLIP: this model is another architecture.")
            if expected[name] != tuple(part.shape):
                raise ValueError(f"{name} should have the shape {expected[name]}, but has {tuple(part.shape)}.")
            translated[name] = part
    if missing := sorted(expected.keys() - translated.keys()):
        raise ValueError(f"This is no whole CLIP: {len(missing)} weights are missing (as {missing[0]}).")
    model.load_state_dict(translated)
    return model


def translate(key: str, value: torch.Tensor) -> Weights:
    """A weight in float32 under its name in transformers; `in_proj` is split into query, key and value."""
    name = key
    for pattern, replacement in _RENAMES.items():
        name = re.sub(pattern, replacement, name)
    value = (value.t() if key in _TRANSPOSED else value).float().contiguous()
    if ".in_proj_" not in name:
        return {name: value}
    parts = zip("qkv", value.chunk(3), strict=True)
    return {name.replace("in_proj_", f"{letter}_proj."): part.contiguous() for letter, part in parts}


def _require_vision_transformer(weights: Weights) -> None:
    if any(key.startswith("visual.layer1.") for key in weights):
        raise ValueError("The image tower is a ResNet, which transformers' CLIP does not have: use a ViT.")
    if any(key.startswith("visual.trunk.") for key in weights):
        raise ValueError("The image tower is a timm model, which transformers' CLIP does not have: use a ViT.")
    if "logit_bias" in weights:
        raise ValueError("There is a logit_bias: this is a SigLIP, no CLIP.")
    if missing := [key for key in _TELLING if key not in weights]:
        raise ValueError(f"This is no whole original CLIP: it lacks {', '.join(missing)}.")


def _require_harmless(model_config: dict[str, Any]) -> None:
    for tower in ("vision_cfg", "text_cfg"):
        for key, value in model_config.get(tower, {}).items():
            if key in _IGNORED or value in _HARMLESS.get(key, ()):
                continue
            raise ValueError(f"{tower}.{key} is {value!r}: transformers' CLIP cannot compute that.")


def _activation(given: str | None, model_config: dict[str, Any] | None, from_openai: bool) -> str:
    if given not in (None, *ACTIVATIONS):
        raise ValueError(f"The activation must be one of {', '.join(ACTIVATIONS)}, got {given!r}.")
    known = "quick_gelu" if from_openai else None
    if known is None and model_config is not None:
        known = "quick_gelu" if model_config.get("quick_gelu", False) else "gelu"
    if known is None and given is None:
        raise ValueError(
            "Nothing says whether this model computes GELU or QuickGELU, and a wrong guess costs accuracy silently: "
            "pass its open_clip configuration, or the activation if you know it."
        )
    if known is not None and given not in (None, known):
        raise ValueError(f"The activation was given as {given}, but the source says {known}.")
    return known or str(given)


def _configuration(
    weights: Weights, activation: str, model_config: dict[str, Any] | None, from_openai: bool
) -> CLIPConfig:
    """The configuration that the shapes tell, and of what they do not tell, the source's own."""
    vocab_size, text_width = weights["token_embedding.weight"].shape
    vision_width, channels, patch_size, _ = weights["visual.conv1.weight"].shape
    side = math.isqrt(len(weights["visual.positional_embedding"]) - 1)
    if side * side != len(weights["visual.positional_embedding"]) - 1:
        raise ValueError("The pictures of this model are not square: transformers' CLIP wants them square.")
    vision_cfg, text_cfg = ((model_config or {}).get(name, {}) for name in ("vision_cfg", "text_cfg"))
    vision_heads = vision_width // vision_cfg.get("head_width", HEAD_WIDTH)
    text_heads = text_cfg.get("heads", 8 if model_config is not None and not from_openai else text_width // HEAD_WIDTH)
    return CLIPConfig(
        projection_dim=weights["text_projection"].shape[1],
        text_config={
            **_tower(weights, "transformer.", text_width, text_heads, activation),
            "vocab_size": vocab_size,
            "max_position_embeddings": len(weights["positional_embedding"]),
            # Pooled at the highest id, which is the end token, the last of CLIP's vocabulary.
            "bos_token_id": vocab_size - 2,
            "eos_token_id": vocab_size - 1,
            "pad_token_id": vocab_size - 1,
        },
        vision_config={
            **_tower(weights, "visual.transformer.", vision_width, vision_heads, activation),
            "num_channels": channels,
            "patch_size": patch_size,
            "image_size": side * patch_size,
        },
    )


def _tower(weights: Weights, prefix: str, width: int, heads: int, activation: str) -> dict[str, Any]:
    layers = {int(key[len(prefix) :].split(".")[1]) for key in weights if key.startswith(f"{prefix}resblocks.")}
    if layers != set(range(len(layers))) or not layers:
        raise ValueError(f"The blocks of {prefix.rstrip('.')} are {sorted(layers)}: some are missing.")
    inner = weights.get(f"{prefix}resblocks.0.mlp.c_fc.weight")
    if inner is None or heads < 1 or width % heads:
        raise ValueError(f"The blocks of {prefix.rstrip('.')}, {width} wide, cannot have {heads} heads and this shape.")
    return {
        "hidden_size": width,
        "intermediate_size": len(inner),
        "num_hidden_layers": len(layers),
        "num_attention_heads": heads,
        "hidden_act": activation,
    }
