"""The pronunciation tower that a distillation trains: its shape, where its weights start, what it is saved as."""

import logging
from typing import Any

import torch
from ipaclip import IPAClipModel, IPAClipPronunciationConfig, IPAClipPronunciationModelWithProjection
from ipaclip.common.text_tower import copy_text_tower
from ipaclip.presets import PRESETS
from torch import nn

from .arguments import StudentArguments
from .teachers import Teacher

logger = logging.getLogger(__name__)


class StudentError(ValueError):
    """A tower that cannot be built as asked."""


SHAPE = ("hidden_size", "intermediate_size", "num_hidden_layers", "num_attention_heads")


def student_shape(arguments: StudentArguments, teacher: Teacher) -> dict[str, int]:
    """The four numbers of a preset (`base` is the teacher's text tower's), those that are given in their place.

    Raises:
        StudentError: if the teacher does not say a number that `base` needs, or the heads do not divide the width.
    """
    config: Any = teacher.text_tower.config
    shape: dict[str, Any] = {name: getattr(config, name, None) for name in SHAPE} | PRESETS.get(arguments.preset, {})
    shape |= {name: number for name in SHAPE if (number := getattr(arguments, name)) is not None}
    for name, number in shape.items():
        if number is None:
            raise StudentError(f"teacher {teacher.name} does not say its {name}: give student.{name}")
    if shape["hidden_size"] % shape["num_attention_heads"]:
        raise StudentError(
            f"student.num_attention_heads ({shape['num_attention_heads']}) must divide student.hidden_size "
            f"({shape['hidden_size']})"
        )
    return shape


def like_text_tower(teacher: Teacher) -> dict[str, Any]:
    """What makes copied blocks compute what they computed: the teacher's activation and the epsilon of its norms."""
    config: Any = teacher.text_tower.config
    return {name: getattr(config, name) for name in ("hidden_act", "layer_norm_eps") if hasattr(config, name)}


def student_config(
    arguments: StudentArguments, teacher: Teacher, vocab_size: int, num_features: int
) -> IPAClipPronunciationConfig:
    """The tower's configuration, for a table of `(vocab_size, num_features)`. Raises `StudentError`."""
    is_like = arguments.preset == "base" or arguments.init_from_text_tower
    like = like_text_tower(teacher) if is_like else {}
    if not is_like or arguments.hidden_act:
        like["hidden_act"] = arguments.hidden_act or "gelu"
    return IPAClipPronunciationConfig(
        vocab_size=vocab_size, num_phoneme_features=num_features, feature_set=arguments.feature_set,
        learned_residual=arguments.learned_residual or arguments.feature_set == "learned",
        projection_dim=teacher.dim, max_position_embeddings=arguments.max_position_embeddings,
        pooling=arguments.pooling, **{**student_shape(arguments, teacher), **like},
    )  # fmt: skip


def build_student(
    config: IPAClipPronunciationConfig,
    table: Any,
    *,
    mean: torch.Tensor,
    scale: float,
    query_key_gain: float = 1.0,
    feature_weights: Any = None,
    text_tower_of: Teacher | None = None,
) -> IPAClipPronunciationModelWithProjection:
    """A new tower with random weights (`torch.manual_seed`), its outputs where the teacher's are.

    Args:
        table: `(vocab_size, num_phoneme_features)`, the phoneme feature table.
        mean: `(projection_dim,)`, the mean of the targets, which the projection's bias starts as.
        scale: standard deviation of one dimension of the targets, which the projection's weights are multiplied by.
        query_key_gain: multiplies the query and key weights of blocks that are drawn, not copied.
        feature_weights: `(num_phoneme_features,)`, above 0, what each feature counts in the distance of two phonemes:
            the square of an embedding's distance is a sum over features, so that columns start with their roots.
        text_tower_of: the teacher whose blocks it starts with, see `init_from_text_tower`.
    """
    student = IPAClipPronunciationModelWithProjection(config)
    student.set_phoneme_features(table)
    student.pronunciation_model.embeddings.scale_to_table()
    if feature_weights is not None and student.pronunciation_model.embeddings.feature_projection is not None:
        weigh_columns(student.pronunciation_model.embeddings, torch.as_tensor(feature_weights, dtype=torch.float32))
    with torch.no_grad():
        # Mean and spread of the targets need no learning: with these, outputs start in the teacher's space.
        student.pronunciation_projection.weight.mul_(scale)
        if student.pronunciation_projection.bias is not None:
            student.pronunciation_projection.bias.copy_(mean)
        for layer in student.pronunciation_model.encoder.layers:
            layer.self_attn.q_proj.weight.mul_(query_key_gain)
            layer.self_attn.k_proj.weight.mul_(query_key_gain)
    if text_tower_of is not None:
        init_from_text_tower(student, text_tower_of)
    return student


@torch.no_grad()
def weigh_columns(embeddings: nn.Module, weights: torch.Tensor) -> None:
    """Multiplies the columns of the feature projection by the roots of weights; embeddings stay as large on average."""
    table: Any = embeddings.phoneme_features
    projection: Any = embeddings.feature_projection
    scale = weights.sqrt()
    scale *= (table.square().mean() / (table * scale).square().mean()).sqrt()
    projection.weight.mul_(scale)


def init_from_text_tower(student: IPAClipPronunciationModelWithProjection, teacher: Teacher) -> list[str]:
    """Copies the blocks of the teacher's text tower, where shapes fit: see `ipaclip.common.text_tower`.

    Returns:
        The names of what was copied, as `encoder.layers.0.mlp`, relative to `pronunciation_model`.

    Raises:
        StudentError: if nothing fits, or nothing but norms.
    """
    tower, source = student.pronunciation_model, teacher.text_tower
    copied = copy_text_tower(source, tower)
    if all("norm" in name for name in copied):
        config: Any = source.config
        raise StudentError(
            f"student.init_from_text_tower: nothing of the text tower of {teacher.name} ({type(source).__name__}, "
            f"{getattr(config, 'hidden_size', '?')} wide, {getattr(config, 'num_attention_heads', '?')} heads) fits a "
            f"tower of {tower.config.hidden_size} with {tower.config.num_attention_heads} heads: set "
            "student.preset=base, or train from scratch. Only towers of CLIP's kind (CLIP, MetaCLIP, SigLIP) can be "
            "copied from"
        )
    logger.info("copied from the text tower of %s: %s", teacher.name, ", ".join(copied))
    return copied


def finished_model(
    student: IPAClipPronunciationModelWithProjection, teacher: Teacher
) -> IPAClipModel | IPAClipPronunciationModelWithProjection:
    """What is saved: the tower within the teacher's CLIP, or the tower alone where the teacher is no CLIP."""
    if teacher.clip is None:
        logger.info(
            "the teacher %s is no CLIP: what is saved is the pronunciation tower with its projection alone, whose "
            "embeddings compare with the teacher's own",
            teacher.name,
        )
        return student
    model = IPAClipModel.from_clip(teacher.clip, pronunciation_config=student.config)
    model.load_state_dict(student.state_dict(), strict=False)
    return model
