"""The tower before the first step: shapes of presets, blocks from the teacher, what it is saved as."""

import numpy as np
import pytest
import torch
from conftest import PROJECTION_DIM
from ipaclip import IPAClipModel, IPAClipPronunciationConfig, IPAClipPronunciationModelWithProjection
from ipaclip.common.text_tower import matching_layers
from ipaclip.training.arguments import StudentArguments
from ipaclip.training.student import (
    StudentError,
    build_student,
    finished_model,
    init_from_text_tower,
    like_text_tower,
    student_shape,
)
from ipaclip.training.teachers import load_teacher
from teacher_helpers import bert_checkpoint, siglip_checkpoint

TABLE = np.sign(np.random.default_rng(5).normal(size=(40, 10))).astype(np.float32)
IDS = torch.tensor([[2, 5, 6, 7, 3]])


@pytest.fixture(scope="module")
def teacher(tiny_checkpoint):
    return load_teacher(str(tiny_checkpoint))


def config_for(teacher, **changes):
    shape = student_shape(StudentArguments(preset="base"), teacher)
    values = {
        "vocab_size": 40,
        "num_phoneme_features": 10,
        "max_position_embeddings": 24,
        "projection_dim": teacher.dim,
    }
    return IPAClipPronunciationConfig(**{**values, **shape, **like_text_tower(teacher), **changes})


def build(teacher, *, copy=False, gain=1.0, **changes):
    torch.manual_seed(0)
    mean = torch.linspace(-1, 1, teacher.dim)
    return build_student(
        config_for(teacher, **changes), TABLE, mean=mean, scale=0.1, query_key_gain=gain,
        text_tower_of=teacher if copy else None,
    )  # fmt: skip


def test_weighted_features_start_at_the_weighted_distance(teacher):
    table = torch.zeros(40, 10)
    table[1, 0], table[2, 1], table[3, :2] = 1.0, 1.0, 1.0
    torch.manual_seed(0)
    config = config_for(teacher, hidden_size=4096, num_attention_heads=2)
    tower = build_student(
        config, table, mean=torch.zeros(teacher.dim), scale=0.1, feature_weights=[4.0, 1.0] + [0.5] * 8
    )
    embeddings = tower.pronunciation_model.embeddings
    vectors = embeddings.feature_projection(embeddings.phoneme_features[:4])
    near, far = (vectors[3] - vectors[1]).norm(), (vectors[3] - vectors[2]).norm()
    assert (far / near).item() == pytest.approx(
        2.0, rel=0.05
    )  # the root of 4 to 1; 4,096 random columns are nearly even
    unweighted = build_student(config, table, mean=torch.zeros(teacher.dim), scale=0.1).pronunciation_model.embeddings
    size = unweighted.feature_projection(unweighted.phoneme_features).square().mean()
    assert embeddings.feature_projection(table).square().mean().item() == pytest.approx(size.item(), rel=0.1)


def blocks(module):
    return {
        key: value for key, value in module.state_dict().items() if key.startswith(("encoder.", "final_layer_norm"))
    }


def shape_of(teacher, preset, **given):
    return tuple(student_shape(StudentArguments(preset=preset, **given), teacher).values())


def test_presets(teacher):
    # Width, width of the MLP, layers, heads; the same as of `ipaclip convert`, see `test_conversion`.
    assert shape_of(teacher, "base") == (16, 32, 2, 2)
    assert shape_of(teacher, "tiny") == (128, 512, 2, 2)
    assert shape_of(teacher, "small") == (256, 1024, 3, 4)
    assert shape_of(teacher, "medium") == (384, 1536, 6, 6)
    assert shape_of(teacher, "small", num_hidden_layers=7) == (256, 1024, 7, 4)
    with pytest.raises(ValueError, match="huge"):
        StudentArguments(preset="huge")
    with pytest.raises(StudentError, match=r"num_attention_heads \(3\) must divide student.hidden_size \(256\)"):
        shape_of(teacher, "small", num_attention_heads=3)


def test_base_is_the_shape_of_a_sentence_encoder_too(tmp_path):
    assert shape_of(load_teacher(bert_checkpoint(tmp_path)), "base")[:3] == (16, 32, 2)


def test_copied_blocks_are_the_teacher_s_bit_for_bit_and_compute_the_same(teacher):
    student = build(teacher, copy=True, gain=3.0)
    theirs = blocks(teacher.text_tower)
    assert len(theirs) == 34
    for key, value in blocks(student.pronunciation_model).items():
        assert torch.equal(value, theirs[key]), key
    states = torch.randn(2, 5, 16, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        ours = student.pronunciation_model.encoder(inputs_embeds=states).last_hidden_state
        expected = teacher.text_tower.encoder(inputs_embeds=states).last_hidden_state
        assert student(input_ids=IDS).pronunciation_embeds.isfinite().all()
    torch.testing.assert_close(ours, expected)


def test_siglip_s_blocks_fit_too(tmp_path):
    teacher = load_teacher(siglip_checkpoint(tmp_path))
    student = build(teacher, copy=True)
    theirs = blocks(teacher.text_tower)
    for key, value in blocks(student.pronunciation_model).items():
        assert torch.equal(value, theirs[key]), key
    assert student.config.hidden_act == "gelu_pytorch_tanh"
    assert student.config.layer_norm_eps == 1e-6


def test_only_what_fits_is_copied(teacher):
    student = build(teacher, intermediate_size=48, num_hidden_layers=3)
    before = {key: value.clone() for key, value in student.state_dict().items()}
    copied = init_from_text_tower(student, teacher)
    parts = ("layer_norm1", "self_attn", "layer_norm2")
    assert copied == [*(f"encoder.layers.{layer}.{part}" for layer in (0, 1) for part in parts), "final_layer_norm"]
    theirs = teacher.text_tower.state_dict()
    for key, value in student.state_dict().items():
        short = key.removeprefix("pronunciation_model.")
        part = short.rpartition(".")[0]
        expected = theirs[short] if any(part.startswith(one) for one in copied) else before[key]
        assert torch.equal(value, expected), key


def test_layers_at_even_distances():
    assert matching_layers(4, 10) == [0, 3, 6, 9]
    assert matching_layers(12, 12) == list(range(12))
    assert matching_layers(4, 2) == [0, 1]
    assert matching_layers(1, 12) == [0]
    assert matching_layers(4, 0) == []


def test_a_shallow_student_gets_first_and_last(teacher, monkeypatch):
    student = build(teacher, num_hidden_layers=1)
    assert init_from_text_tower(student, teacher)[0] == "encoder.layers.0.layer_norm1"
    layer = student.pronunciation_model.encoder.layers[0].state_dict()
    for key, value in teacher.text_tower.encoder.layers[0].state_dict().items():
        assert torch.equal(layer[key], value)


@pytest.mark.parametrize("change", [{"hidden_size": 32}, {"num_attention_heads": 4, "intermediate_size": 48}])
def test_where_nothing_but_norms_fits_it_is_an_error(teacher, change):
    with pytest.raises(StudentError, match=r"nothing of the text tower .* fits a tower of"):
        init_from_text_tower(build(teacher, **change), teacher)


def test_other_heads_read_the_same_weights_otherwise(teacher):
    copied = init_from_text_tower(build(teacher, num_attention_heads=4), teacher)
    assert "encoder.layers.0.mlp" in copied
    assert "encoder.layers.0.self_attn" not in copied


def test_a_bert_has_nothing_to_copy(tmp_path):
    teacher = load_teacher(bert_checkpoint(tmp_path))
    with pytest.raises(StudentError, match=r"nothing of the text tower .*BertModel, 16 wide, 2 heads.* fits"):
        build(teacher, copy=True)


def test_drawn_blocks_have_the_gain_and_the_projection_starts_in_the_teacher_s_space(teacher):
    plain, sharp = build(teacher), build(teacher, gain=3.0)
    first, second = (one.pronunciation_model.encoder.layers[1].self_attn for one in (plain, sharp))
    torch.testing.assert_close(second.q_proj.weight, 3 * first.q_proj.weight)
    torch.testing.assert_close(second.v_proj.weight, first.v_proj.weight)
    torch.testing.assert_close(plain.pronunciation_projection.bias, torch.linspace(-1, 1, teacher.dim))
    # CLIP draws a projection with 1 / sqrt(width), here 16, and the targets' spread is 0.1.
    assert plain.pronunciation_projection.weight.std().item() == pytest.approx(0.1 / 4, rel=0.15)


def test_a_tower_starts_as_the_one_that_from_clip_makes(teacher):
    torch.manual_seed(0)
    beside = IPAClipModel.from_clip(teacher.clip, TABLE, config_for(teacher)).pronunciation_model.state_dict()
    for key, value in build(teacher).pronunciation_model.state_dict().items():
        if value.ndim > 1:
            assert value.std().item() == pytest.approx(beside[key].std().item(), rel=0.3), key


def test_a_clip_s_tower_is_saved_within_it(teacher, tmp_path):
    student = build(teacher)
    finished_model(student, teacher).save_pretrained(tmp_path)
    model = IPAClipModel.from_pretrained(tmp_path)
    assert model.config.projection_dim == PROJECTION_DIM
    with torch.no_grad():
        said = model.get_pronunciation_features(pronunciation_input_ids=IDS).pooler_output
        torch.testing.assert_close(said, student(input_ids=IDS).pronunciation_embeds)
    for key, value in teacher.clip.state_dict().items():
        assert torch.equal(model.state_dict()[key], value), key


def test_a_sentence_encoder_s_tower_is_saved_alone_and_it_is_said(tmp_path, caplog):
    import logging

    teacher = load_teacher(bert_checkpoint(tmp_path / "bert"))
    student = build(teacher, num_hidden_layers=1)
    with caplog.at_level(logging.INFO):
        finished_model(student, teacher).save_pretrained(tmp_path / "tower")
    assert "alone" in caplog.text
    loaded = IPAClipPronunciationModelWithProjection.from_pretrained(tmp_path / "tower")
    with torch.no_grad():
        torch.testing.assert_close(
            loaded(input_ids=IDS).pronunciation_embeds, student(input_ids=IDS).pronunciation_embeds
        )
