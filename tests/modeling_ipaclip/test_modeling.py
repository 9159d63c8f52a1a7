"""The models: CLIP unchanged within, the pronunciation tower, loading and saving, and bad input."""

import copy
import inspect
import json
import math
import pickle
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
import transformers
from ipaclip import (
    IPAClipConfig,
    IPAClipModel,
    IPAClipPronunciationConfig,
    IPAClipPronunciationModel,
    IPAClipPronunciationModelWithProjection,
)
from kernels import assert_same_gradients, assert_same_outputs, same_weights
from modeling_helpers import (
    NUM_FEATURES,
    PROJECTION_DIM,
    VOCAB_SIZE,
    feature_table,
    pixels,
    pronunciation_ids,
    text_ids,
    tiny_clip,
    tiny_model,
)
from safetensors.torch import load_file, save_file
from transformers import AutoModel, AutoModelForZeroShotImageClassification, CLIPModel

IDS, MASK = pronunciation_ids()


@torch.no_grad()
def embed(model: IPAClipModel, ids: torch.Tensor = IDS, mask: torch.Tensor | None = None) -> torch.Tensor:
    return model.get_pronunciation_features(ids, mask).pooler_output


def normalised(embeds: torch.Tensor) -> torch.Tensor:
    return torch.nn.functional.normalize(embeds, dim=-1)


# --- CLIP within ---


@torch.no_grad()
def test_images_and_texts_are_clips(tmp_path: Path) -> None:
    clip, model = tiny_clip(), tiny_model()
    assert all(torch.equal(model.state_dict()[key], weight) for key, weight in clip.state_dict().items())
    inputs = {"pixel_values": pixels(), "input_ids": text_ids()}
    expected, actual = clip(**inputs), model(**inputs)
    for name in ("logits_per_image", "logits_per_text", "image_embeds", "text_embeds"):
        assert_same_outputs(actual[name], expected[name])
    assert actual.pronunciation_embeds is None
    assert actual.logits_per_image_pronunciation is None

    model.save_pretrained(tmp_path)
    assert same_weights(CLIPModel.from_pretrained(tmp_path), clip)
    assert_same_outputs(CLIPModel.from_pretrained(tmp_path)(**inputs).logits_per_image, expected.logits_per_image)


def test_loss_of_images_and_texts_is_clips() -> None:
    inputs = {"pixel_values": pixels(3), "input_ids": text_ids(), "return_loss": True}
    assert_same_outputs(tiny_model()(**inputs).loss, tiny_clip()(**inputs).loss)


# --- the three modalities together ---


@torch.no_grad()
def test_logits_are_scaled_cosines_of_the_features() -> None:
    model = tiny_model()
    output = model(
        pixel_values=pixels(),
        input_ids=text_ids(),
        pronunciation_input_ids=IDS,
        pronunciation_attention_mask=MASK,
    )
    images = normalised(model.get_image_features(pixels()).pooler_output)
    texts = normalised(model.get_text_features(text_ids()).pooler_output)
    pronunciations = normalised(embed(model))
    scale = math.exp(model.logit_scale.item())
    expected = {
        "logits_per_image": scale * images @ texts.T,
        "logits_per_text": scale * texts @ images.T,
        "logits_per_image_pronunciation": scale * images @ pronunciations.T,
        "logits_per_pronunciation": scale * pronunciations @ images.T,
        "logits_per_text_pronunciation": scale * texts @ pronunciations.T,
        "logits_per_pronunciation_text": scale * pronunciations @ texts.T,
        "image_embeds": images,
        "text_embeds": texts,
        "pronunciation_embeds": pronunciations,
    }
    for name, value in expected.items():
        assert_same_outputs(output[name], value)
    assert output.logits_per_text_pronunciation.shape == (3, 2)
    torch.testing.assert_close(output.pronunciation_model_output.pooler_output, embed(model))


def test_loss_is_the_mean_over_the_pairs_present() -> None:
    model = tiny_model()
    ids = IDS[[0, 1, 1]]
    ids[2, 1] = 12
    image, text, sound = {"pixel_values": pixels(3)}, {"input_ids": text_ids()}, {"pronunciation_input_ids": ids}
    output = model(**image, **text, **sound, return_loss=True)

    def contrastive(logits: torch.Tensor) -> torch.Tensor:
        rows = torch.log_softmax(logits, dim=1).diagonal().mean()
        columns = torch.log_softmax(logits, dim=0).diagonal().mean()
        return -(rows + columns) / 2

    pairs = (output.logits_per_image, output.logits_per_image_pronunciation, output.logits_per_text_pronunciation)
    losses = [contrastive(logits) for logits in pairs]
    torch.testing.assert_close(output.loss, sum(losses) / 3)
    torch.testing.assert_close(model(**image, **sound, return_loss=True).loss, losses[1])
    torch.testing.assert_close(model(**text, **sound, return_loss=True).loss, losses[2])
    assert model(**text, **sound).loss is None


def test_arguments_stand_where_clips_stand() -> None:
    names, clips = (list(inspect.signature(model.forward).parameters) for model in (IPAClipModel, CLIPModel))
    assert names[: len(clips) - 1] == clips[:-1]  # all but **kwargs
    assert set(names) - set(clips) == {"pronunciation_input_ids", "pronunciation_attention_mask"}
    clip, model, texts = tiny_clip(), tiny_model(), text_ids()
    mask, positions = torch.ones_like(texts), torch.arange(4).expand(3, 4).flip(1)
    for arguments in ((None, True), (positions, True), (positions, False, False)):
        expected, actual = (one(texts, pixels(3), mask, *arguments) for one in (clip, model))
        assert_same_outputs(actual.logits_per_image, expected.logits_per_image)
        assert (expected.loss is None) == (actual.loss is None)
        if expected.loss is not None:
            assert_same_outputs(actual.loss, expected.loss)
    larger = torch.randn(3, 3, 48, 48)
    expected, actual = (one(texts, larger, mask, None, False, True) for one in (clip, model))
    assert_same_outputs(actual.image_embeds, expected.image_embeds)


def test_output_as_tuple_is_flat() -> None:
    model = tiny_model()
    inputs = {"pixel_values": pixels(), "pronunciation_input_ids": IDS}
    output, as_tuple = model(**inputs), model(**inputs, return_dict=False)
    assert isinstance(as_tuple[-1], tuple)
    assert_same_outputs(as_tuple[0], output.logits_per_image_pronunciation)
    assert_same_outputs(as_tuple[-1][1], output.pronunciation_model_output.pooler_output)
    assert len(as_tuple) == 6  # two logits, two embeddings, two towers


@pytest.mark.parametrize(
    "inputs", [{}, {"pixel_values": pixels()}, {"input_ids": text_ids()}, {"pronunciation_input_ids": IDS}]
)
def test_fewer_than_two_modalities_is_an_error(inputs: dict[str, torch.Tensor]) -> None:
    with pytest.raises(ValueError, match="at least two of pixel_values, input_ids and pronunciation_input_ids"):
        tiny_model()(**inputs)


def test_loss_between_unequal_batches_is_an_error() -> None:
    with pytest.raises(ValueError, match="equal length, got 3 and 2"):
        tiny_model()(input_ids=text_ids(), pixel_values=pixels(2), return_loss=True)


# --- the tower ---


@pytest.mark.parametrize("pooling", ["mean", "eos", "bos"])
@pytest.mark.parametrize("attention", ["eager", "sdpa"])
def test_padding_changes_nothing(pooling: str, attention: str) -> None:
    model = tiny_model(pooling=pooling)
    model.set_attn_implementation(attention)
    alone = embed(model, IDS[:1, :4], MASK[:1, :4])
    assert_same_outputs(embed(model, IDS, MASK)[:1], alone)
    assert_same_outputs(embed(model)[:1], alone)
    other = IDS.clone()
    other[0, 4:] = 9  # hidden by the mask
    assert_same_outputs(embed(model, other, MASK)[:1], alone)


@pytest.mark.parametrize(("pooling", "position"), [("bos", 0), ("eos", 3)])
@torch.no_grad()
def test_pooling_at_a_token_takes_its_first_state(pooling: str, position: int) -> None:
    model = tiny_model(pooling=pooling)
    ids = torch.tensor([[2, 5, 6, 3, 3, 2]])
    output = model.pronunciation_model(ids)
    assert torch.equal(output.pooler_output, output.last_hidden_state[:, position])


@torch.no_grad()
def test_mean_pooling_is_over_tokens() -> None:
    output = tiny_model().pronunciation_model(IDS, MASK)
    torch.testing.assert_close(output.pooler_output[0], output.last_hidden_state[0, :4].mean(dim=0))


def test_the_tower_looks_both_ways() -> None:
    model = tiny_model(pooling="bos")
    other = IDS.clone()
    other[:, 2] = 20
    assert not torch.allclose(embed(model), embed(model, other))


@torch.no_grad()
def test_embedding_is_features_residual_and_position() -> None:
    model = tiny_model(learned_residual=True)
    embeddings = model.pronunciation_model.get_input_embeddings()
    weights = model.state_dict()
    prefix = "pronunciation_model.embeddings."
    expected = feature_table()[IDS] @ weights[prefix + "feature_projection.weight"].T
    expected = expected + weights[prefix + "residual_embedding.weight"][IDS]
    expected = expected + weights[prefix + "position_embedding.weight"][:7]
    torch.testing.assert_close(embeddings(IDS), expected)
    torch.testing.assert_close(
        embeddings(IDS, torch.arange(7).flip(0))[0, 0] - expected[0, 0],
        weights[prefix + "position_embedding.weight"][6] - weights[prefix + "position_embedding.weight"][0],
    )


def test_phonemes_with_equal_features_sound_equal_without_residual() -> None:
    table = feature_table()
    table[6] = table[5]
    model = tiny_model()
    model.set_phoneme_features(table)
    assert_same_outputs(embed(model, torch.tensor([[2, 5, 3]])), embed(model, torch.tensor([[2, 6, 3]])))


def test_learned_needs_no_table() -> None:
    model = tiny_model(feature_set="learned")
    assert model.config.pronunciation_config.num_phoneme_features == 0
    assert "pronunciation_model.embeddings.phoneme_features" not in model.state_dict()
    assert embed(model).isfinite().all()
    assert not torch.allclose(embed(model, torch.tensor([[2, 5, 3]])), embed(model, torch.tensor([[2, 6, 3]])))


@pytest.mark.parametrize("bias", [True, False])
def test_projection_bias_is_added(bias: bool) -> None:
    model = tiny_model(projection_bias=bias)
    assert (model.pronunciation_projection.bias is not None) == bias
    if bias:
        before = embed(model)
        torch.nn.init.constant_(model.pronunciation_projection.bias, 2.0)
        torch.testing.assert_close(embed(model), before + 2.0)


def test_attention_backends_agree() -> None:
    model = tiny_model()
    model.set_attn_implementation("eager")
    eager = embed(model)
    model.set_attn_implementation({"pronunciation_config": "sdpa"})
    assert model.pronunciation_model.config._attn_implementation == "sdpa"
    torch.testing.assert_close(embed(model), eager, atol=1e-5, rtol=1e-5)


@pytest.mark.slow
def test_flex_attention_agrees() -> None:
    model = tiny_model()
    expected = embed(model)
    model.set_attn_implementation("flex_attention")
    torch.testing.assert_close(embed(model), expected, atol=1e-5, rtol=1e-5)


def test_hidden_states_and_attentions() -> None:
    model = tiny_model()
    model.set_attn_implementation("eager")
    output = model(
        pixel_values=pixels(), pronunciation_input_ids=IDS, output_hidden_states=True, output_attentions=True
    ).pronunciation_model_output
    assert [tuple(state.shape) for state in output.hidden_states] == [(2, 7, 32)] * 3
    assert [tuple(weights.shape) for weights in output.attentions] == [(2, 4, 7, 7)] * 2
    torch.testing.assert_close(output.attentions[0].sum(dim=-1), torch.ones(2, 4, 7))
    assert output.attentions[0][0, :, :, 4:].abs().max() == 0  # padding
    tower = IPAClipPronunciationModelWithProjection(model.config.pronunciation_config)
    tower.set_phoneme_features(feature_table())
    assert len(tower(IDS, output_hidden_states=True).hidden_states) == 3
    assert tower(IDS, return_dict=False)[0].shape == (2, PROJECTION_DIM)


def test_gradient_checkpointing_gives_the_same_gradients() -> None:
    model = tiny_model(learned_residual=True).train()

    def gradients() -> dict[str, torch.Tensor]:
        model.zero_grad()
        model.get_pronunciation_features(IDS, MASK).pooler_output.pow(2).sum().backward()
        return {name: p.grad.clone() for name, p in model.named_parameters() if p.grad is not None}

    expected = gradients()
    model.gradient_checkpointing_enable()
    actual = gradients()
    assert len(expected) > 20
    assert_same_gradients(actual, expected)


def test_export_traces_the_tower() -> None:
    tower = tiny_model().pronunciation_model
    program = torch.export.export(tower, (), {"input_ids": IDS, "attention_mask": MASK}, strict=False)
    actual = program.module()(input_ids=IDS, attention_mask=MASK).pooler_output
    torch.testing.assert_close(actual, tower(IDS, MASK).pooler_output, atol=1e-5, rtol=1e-5)


# --- bad input ---


def test_too_long_names_both_numbers() -> None:
    with pytest.raises(ValueError, match=r"25 tokens long, .* 24 positions"):
        tiny_model().get_pronunciation_features(torch.full((1, 25), 5))


@pytest.mark.parametrize("bad", [VOCAB_SIZE, -1])
def test_ids_outside_the_vocabulary(bad: int) -> None:
    with pytest.raises(ValueError, match=f"0 to 39, got {bad}"):
        tiny_model().get_pronunciation_features(torch.tensor([[2, bad, 3]]))


@pytest.mark.parametrize("pooling", ["eos", "bos"])
def test_pooling_at_a_missing_token_names_the_row(pooling: str) -> None:
    ids = torch.tensor([[2, 5, 3], [7, 7, 7]])
    with pytest.raises(ValueError, match=f"Row 1 .* {pooling} token"):
        tiny_model(pooling=pooling).get_pronunciation_features(ids)


def test_a_row_without_tokens_names_the_row() -> None:
    mask = MASK.clone()
    mask[1] = 0
    with pytest.raises(ValueError, match=r"Row 1 .* no token that is not padding"):
        tiny_model().get_pronunciation_features(IDS, mask)


def test_a_mask_of_another_shape() -> None:
    with pytest.raises(ValueError, match=r"shape of the ids, \(2, 7\), got \(2, 6\)"):
        tiny_model().get_pronunciation_features(IDS, MASK[:, :6])


def test_embeddings_in_the_place_of_ids() -> None:
    model, embeds = tiny_model(), torch.zeros(2, 7, 32)
    expected = model.pronunciation_model(IDS, MASK).pooler_output
    assert_same_outputs(model.pronunciation_model(IDS, MASK, inputs_embeds=None).pooler_output, expected)
    both = {"pixel_values": pixels(), "pronunciation_input_ids": IDS}
    assert_same_outputs(
        model(**both, inputs_embeds=None).logits_per_pronunciation, model(**both).logits_per_pronunciation
    )
    projected = IPAClipPronunciationModelWithProjection(model.config.pronunciation_config)
    for refuse in (
        lambda: model.pronunciation_model(inputs_embeds=embeds),
        lambda: projected(inputs_embeds=embeds),
        lambda: model.get_pronunciation_features(IDS, inputs_embeds=embeds),
        lambda: model(**both, inputs_embeds=embeds),
    ):
        with pytest.raises(ValueError, match="inputs_embeds are not supported"):
            refuse()


def test_no_ids() -> None:
    with pytest.raises(ValueError, match="needs input_ids"):
        tiny_model().get_pronunciation_features()
    with pytest.raises(ValueError, match="needs input_ids"):
        tiny_model().pronunciation_model()


# --- the feature table ---


def test_a_table_that_was_never_filled_is_an_error_also_after_saving(tmp_path: Path) -> None:
    config = tiny_model().config
    IPAClipModel(config).save_pretrained(tmp_path)
    for model in (
        IPAClipModel(config),
        *(IPAClipModel.from_pretrained(tmp_path, dtype=d) for d in ("float16", "auto")),
    ):
        with pytest.raises(ValueError, match=r"never filled: call `set_phoneme_features\(table\)`"):
            embed(model)
        model.set_phoneme_features(feature_table().numpy())
        assert embed(model).isfinite().all()


@pytest.mark.parametrize(
    ("table", "message"),
    [
        (torch.zeros(VOCAB_SIZE, NUM_FEATURES + 1), r"shape \(40, 10\), .* got \(40, 11\)"),
        (torch.zeros(VOCAB_SIZE), r"shape \(40, 10\), .* got \(40,\)"),
        (torch.zeros(VOCAB_SIZE, NUM_FEATURES).index_fill(0, torch.tensor(17), math.inf), "infinite values in row 17"),
        (torch.zeros(VOCAB_SIZE, NUM_FEATURES).index_fill(0, torch.tensor(3), math.nan), "NaN .* in row 3"),
    ],
)
def test_a_bad_table(table: torch.Tensor, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        tiny_model().set_phoneme_features(table)


def emptied(model: IPAClipModel) -> dict[str, torch.Tensor]:
    """Weights of a model whose table was never filled."""
    return IPAClipModel(model.config).state_dict()


WAYS_TO_EMPTY_A_TABLE = {
    "load": lambda model: model.load_state_dict(emptied(model)),
    "load the tower": lambda model: model.pronunciation_model.load_state_dict(
        IPAClipModel(model.config).pronunciation_model.state_dict()
    ),
    "assign": lambda model: model.load_state_dict(emptied(model), assign=True),
    "to_empty": lambda model: model.to_empty(device="cpu").load_state_dict(emptied(model)),
    "cast": lambda model: model.to(torch.float64).load_state_dict(emptied(model)),
    "draw again": lambda model: model.pronunciation_model._init_weights(model.pronunciation_model.embeddings),
    "fill": lambda model: model.pronunciation_model.embeddings.phoneme_features.fill_(math.nan),
}


@pytest.mark.parametrize("way", WAYS_TO_EMPTY_A_TABLE)
def test_a_table_that_is_emptied_after_use_is_an_error(way: str) -> None:
    model = tiny_model(phonetic_dim=6)
    assert embed(model).isfinite().all()
    WAYS_TO_EMPTY_A_TABLE[way](model)
    with pytest.raises(ValueError, match="never filled"):
        embed(model)
    with pytest.raises(ValueError, match="never filled"):
        model.get_phonetic_features(IDS)
    model.set_phoneme_features(feature_table())
    assert embed(model).isfinite().all()


def test_the_table_is_looked_at_again_after_loading_where_a_look_is_costly(monkeypatch: pytest.MonkeyPatch) -> None:
    """On an accelerator only loading and moving make a model look again; so let the CPU pass for one."""
    model = tiny_model()
    embeddings = model.pronunciation_model.embeddings
    looks = []
    monkeypatch.setattr(torch, "isnan", lambda table, isnan=torch.isnan: looks.append(1) or isnan(table))
    for _ in range(3):
        embed(model)
    assert len(looks) == 1
    for change in (lambda: model.load_state_dict(model.state_dict()), model.half, model.float):
        change()
        assert not embeddings._table_is_filled
        embed(model)
    assert len(looks) == 4


def test_the_table_is_not_trained() -> None:
    assert not [name for name, _ in tiny_model().named_parameters() if "phoneme_features" in name]


# --- initialisation ---


def wide_config() -> dict[str, Any]:
    return {
        "vocab_size": 200,
        "num_phoneme_features": 24,
        "learned_residual": True,
        "max_position_embeddings": 128,
        "hidden_size": 128,
        "intermediate_size": 256,
        "num_hidden_layers": 2,
        "num_attention_heads": 4,
    }


def fresh(clip_dir: Path) -> IPAClipModel:
    clip = CLIPModel.from_pretrained(clip_dir)
    return IPAClipModel(
        IPAClipConfig(
            text_config=clip.config.text_config,
            vision_config=clip.config.vision_config,
            projection_dim=PROJECTION_DIM,
            pronunciation_config=wide_config(),
        )
    )


WAYS = {
    "fresh": fresh,
    "from_config": lambda clip_dir: AutoModel.from_config(fresh(clip_dir).config),
    "from_pretrained": lambda clip_dir: IPAClipModel.from_pretrained(clip_dir, pronunciation_config=wide_config()),
    "from_pretrained with config": lambda clip_dir: IPAClipModel.from_pretrained(
        clip_dir, config=fresh(clip_dir).config
    ),
    "from_clip": lambda clip_dir: IPAClipModel.from_clip(clip_dir, feature_table(200, 24), wide_config()),
    "the tower alone": lambda clip_dir: IPAClipPronunciationModelWithProjection(
        IPAClipPronunciationConfig(projection_dim=PROJECTION_DIM, **wide_config())
    ),
}


@pytest.mark.parametrize("way", WAYS)
def test_initialisation_is_clips(way: str, tmp_path: Path) -> None:
    clip = tiny_clip()
    clip.save_pretrained(tmp_path)
    torch.manual_seed(5)
    model = WAYS[way](tmp_path)
    width, layers = 128, 2
    attention_in = width**-0.5 * (2 * layers) ** -0.5
    expected = {
        "embeddings.feature_projection": 0.02 * 12**-0.5,
        "embeddings.residual_embedding": 0.002,
        "embeddings.position_embedding": 0.02,
        "self_attn.q_proj": attention_in,
        "self_attn.k_proj": attention_in,
        "self_attn.v_proj": attention_in,
        "self_attn.out_proj": width**-0.5,
        "mlp.fc1": (2 * width) ** -0.5,
        "mlp.fc2": attention_in,
        "pronunciation_projection": width**-0.5,
    }
    seen = set()
    for name, weight in model.named_parameters():
        if not name.startswith("pronunciation_"):
            continue
        if name.endswith("bias"):
            assert weight.abs().max() == 0, name
        elif "layer_norm" in name:
            assert (weight == 1).all(), name
        else:
            (kind,) = [kind for kind in expected if kind in name]
            assert weight.std().item() == pytest.approx(expected[kind], rel=0.06), name
            seen.add(kind)
    assert seen == expected.keys()


def test_embeddings_start_at_the_scale_of_clips() -> None:
    model = IPAClipModel.from_clip(tiny_clip(hidden_size=64), feature_table(400, 24))
    embedded = feature_table(400, 24) @ model.pronunciation_model.embeddings.feature_projection.weight.T
    assert embedded.std().item() == pytest.approx(0.02, rel=0.1)
    sparse = torch.eye(50)  # one-hot rows, as a chart's columns give
    model = IPAClipModel.from_clip(tiny_clip(hidden_size=64), sparse)
    embedded = sparse @ model.pronunciation_model.embeddings.feature_projection.weight.T
    assert embedded.std().item() == pytest.approx(0.02, rel=0.1)
    learned = tiny_model(feature_set="learned").pronunciation_model.embeddings.residual_embedding.weight
    assert learned.std().item() == pytest.approx(0.02, rel=0.1)


def test_initializer_factor_scales_the_tower() -> None:
    plain, scaled = (
        IPAClipPronunciationModel(IPAClipPronunciationConfig(initializer_factor=f, **wide_config())) for f in (1.0, 3.0)
    )
    for name in ("embeddings.feature_projection", "encoder.layers.0.mlp.fc1", "encoder.layers.0.self_attn.q_proj"):
        ratio = scaled.get_submodule(name).weight.std() / plain.get_submodule(name).weight.std()
        assert ratio.item() == pytest.approx(3.0, rel=0.1)


def test_clips_own_towers_are_initialised_as_clips_are() -> None:
    config = tiny_model().config
    torch.manual_seed(3)
    ours = IPAClipModel(config).text_model.encoder.layers[0]
    assert ours.mlp.fc1.weight.std().item() == pytest.approx(64**-0.5, rel=0.1)
    assert ours.self_attn.out_proj.weight.std().item() == pytest.approx(32**-0.5, rel=0.1)


# --- from_clip ---


def test_from_clip_copies_and_obeys_the_seed(tmp_path: Path) -> None:
    clip = tiny_clip()
    clip.save_pretrained(tmp_path)
    before = copy.deepcopy(clip.state_dict())
    models = []
    for source in (clip, tmp_path, str(tmp_path)):
        torch.manual_seed(11)
        models.append(IPAClipModel.from_clip(source, feature_table()))
    assert same_weights(models[0], models[1])
    assert same_weights(models[0], models[2])
    assert not models[0].training
    torch.manual_seed(12)
    assert not same_weights(models[0], IPAClipModel.from_clip(clip, feature_table()))
    with torch.no_grad():
        for parameter in models[0].parameters():
            parameter.add_(1)
    assert all(torch.equal(before[key], value) for key, value in clip.state_dict().items())
    assert type(clip.config).__name__ == "CLIPConfig"


def test_from_clip_takes_the_shape_of_text_tower_and_table() -> None:
    clip = tiny_clip()
    config = IPAClipModel.from_clip(clip, feature_table()).config.pronunciation_config
    text = clip.config.text_config
    for name in ("hidden_size", "intermediate_size", "num_hidden_layers", "num_attention_heads", "hidden_act"):
        assert getattr(config, name) == getattr(text, name)
    assert (config.vocab_size, config.num_phoneme_features) == (VOCAB_SIZE, NUM_FEATURES)
    assert (config.feature_set, config.projection_dim, config.eos_token_id) == ("panphon", PROJECTION_DIM, 3)


def test_from_clip_with_a_configuration() -> None:
    clip, table = tiny_clip(), feature_table()
    assert IPAClipModel.from_clip(
        clip, table, {"feature_set": "ipa_chart", "num_hidden_layers": 3}
    ).pronunciation_model.encoder.layers[2]
    given = IPAClipPronunciationConfig(
        vocab_size=VOCAB_SIZE,
        num_phoneme_features=NUM_FEATURES,
        hidden_size=48,
        num_attention_heads=4,
        projection_dim=PROJECTION_DIM,
        num_hidden_layers=1,
    )
    assert IPAClipModel.from_clip(clip, table, given).pronunciation_projection.in_features == 48
    with pytest.raises(ValueError, match=r"shape \(40, 10\), .* vocab_size=41"):
        IPAClipModel.from_clip(clip, table, {"vocab_size": 41})
    given.projection_dim = 8
    with pytest.raises(Exception, match="projection_dim"):
        IPAClipModel.from_clip(clip, table, given)
    learned = IPAClipModel.from_clip(clip, feature_table(num_features=0))
    assert learned.config.pronunciation_config.feature_set == "learned"


def test_from_clip_keeps_dtype_and_attention(tmp_path: Path) -> None:
    clip = tiny_clip().to(torch.float16)
    clip.set_attn_implementation("eager")
    model = IPAClipModel.from_clip(clip, feature_table())
    assert {parameter.dtype for parameter in model.parameters()} == {torch.float16}
    assert model.pronunciation_model.config._attn_implementation == "eager"
    clip.save_pretrained(tmp_path)
    model = IPAClipModel.from_clip(tmp_path, feature_table(), dtype=torch.float32)
    assert model.pronunciation_projection.weight.dtype == torch.float32
    assert torch.equal(model.text_projection.weight, clip.text_projection.weight.float())


def test_from_clip_takes_a_clip_with_any_further_keys(tmp_path: Path) -> None:
    clip = tiny_clip()
    further = {"encoder_type": 1, "audio_config": {"width": 3}, "chunk_size": 4, "sep_token_id": 3, "head_dim": 8}
    for config in (clip.config, clip.config.text_config, clip.config.vision_config):
        for key, value in further.items():
            setattr(config, key, value)
    clip.save_pretrained(tmp_path)
    for source in (clip, tmp_path):
        model = IPAClipModel.from_clip(source, feature_table(), {"max_position_embeddings": 24})
        assert {key: getattr(model.config, key) for key in further} == further
        assert embed(model).isfinite().all()
    with pytest.raises(ValueError, match="did you mean `hidden_size`"):
        IPAClipModel.from_clip(clip, feature_table(), {"hiden_size": 8})


def test_from_clip_refuses_what_is_no_clip(tmp_path: Path) -> None:
    with pytest.raises(TypeError, match="Linear"):
        IPAClipModel.from_clip(torch.nn.Linear(1, 1), feature_table())  # type: ignore[arg-type]
    with pytest.raises(TypeError, match="dtype"):
        IPAClipModel.from_clip(tiny_clip(), feature_table(), dtype=torch.float16)
    with pytest.raises(ValueError, match=r"shape \(vocab_size, num_phoneme_features\), got \(3,\)"):
        IPAClipModel.from_clip(tiny_clip(), [1, 2, 3])
    tiny_clip().save_pretrained(tmp_path)
    weights = load_file(tmp_path / "model.safetensors")
    del weights["text_projection.weight"]
    save_file(weights, tmp_path / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(ValueError, match=r"no.* CLIP checkpoint: it lacks 1 weights \(as text_projection.weight\)"):
        IPAClipModel.from_clip(tmp_path)


def test_from_clip_of_an_ipaclip_starts_a_new_tower() -> None:
    model = tiny_model()
    again = IPAClipModel.from_clip(model, feature_table(), {"max_position_embeddings": 24})
    assert torch.equal(again.text_projection.weight, model.text_projection.weight)
    assert not torch.equal(again.pronunciation_projection.weight, model.pronunciation_projection.weight)


# --- saving and loading ---


@pytest.mark.parametrize("dtype", [torch.float32, torch.float16, torch.bfloat16])
@pytest.mark.parametrize("feature_set", ["panphon", "learned"])
def test_outputs_survive_saving(dtype: torch.dtype, feature_set: str, tmp_path: Path) -> None:
    model = tiny_model(feature_set=feature_set).to(dtype)
    inputs = {"pixel_values": pixels(), "input_ids": text_ids(), "pronunciation_input_ids": IDS}
    with torch.no_grad():
        expected = model(**inputs)
        model.save_pretrained(tmp_path)
        loaded = AutoModel.from_pretrained(tmp_path)
        assert type(loaded) is IPAClipModel
        assert loaded.dtype == dtype
        assert same_weights(loaded, model)
        actual = loaded(**inputs)
    assert_same_outputs(actual.logits_per_pronunciation, expected.logits_per_pronunciation)
    assert_same_outputs(actual.pronunciation_embeds, expected.pronunciation_embeds)
    assert actual.pronunciation_embeds.dtype == dtype
    reference = tiny_model(feature_set=feature_set)(**inputs).pronunciation_embeds
    torch.testing.assert_close(actual.pronunciation_embeds.float(), reference, atol=3e-2, rtol=0)


def test_the_towers_load_from_the_whole_and_from_themselves(tmp_path: Path) -> None:
    model = tiny_model()
    model.save_pretrained(tmp_path / "whole")
    expected = embed(model)
    projected, info = IPAClipPronunciationModelWithProjection.from_pretrained(
        tmp_path / "whole", output_loading_info=True
    )
    assert not info["missing_keys"]
    assert not info["unexpected_keys"]
    assert_same_outputs(projected(IDS, MASK).pronunciation_embeds, expected)
    tower = IPAClipPronunciationModel.from_pretrained(tmp_path / "whole")
    assert same_weights(tower, model.pronunciation_model)

    projected.save_pretrained(tmp_path / "projected")
    again = IPAClipPronunciationModelWithProjection.from_pretrained(tmp_path / "projected")
    assert same_weights(again, projected)
    assert same_weights(IPAClipPronunciationModel.from_pretrained(tmp_path / "projected"), tower)
    tower.save_pretrained(tmp_path / "tower")
    again = AutoModel.from_pretrained(tmp_path / "tower")
    assert type(again) is IPAClipPronunciationModel
    assert same_weights(again, tower)
    assert "embeddings.phoneme_features" in load_file(tmp_path / "tower" / "model.safetensors")


@pytest.mark.parametrize(("values", "count"), [({}, 2), ({"projection_bias": False}, 1), ({"phonetic_dim": 6}, 13)])
def test_a_bare_tower_has_no_projection_and_the_advice_is_to_load_it_bare(
    values: dict[str, Any], count: int, tmp_path: Path
) -> None:
    tiny_model(**values).pronunciation_model.save_pretrained(tmp_path)
    message = (
        rf"lacks {count} weights of the pronunciation tower .*load it with `IPAClipPronunciationModel`, or load the"
    )
    with pytest.raises(ValueError, match=message):
        IPAClipPronunciationModelWithProjection.from_pretrained(tmp_path)
    assert IPAClipPronunciationModel.from_pretrained(tmp_path)(IDS).pooler_output.isfinite().all()
    with pytest.raises(ValueError, match=r"tower alone: .*ipaclip convert merge"):
        IPAClipModel.from_pretrained(tmp_path)


@pytest.mark.parametrize(
    "model_class", [IPAClipModel, IPAClipPronunciationModel, IPAClipPronunciationModelWithProjection]
)
def test_a_plain_clip_has_no_pronunciation_weights(model_class: Any, tmp_path: Path) -> None:
    tiny_clip().save_pretrained(tmp_path)
    with pytest.raises(ValueError, match=r"use `IPAClipModel.from_clip`"):
        model_class.from_pretrained(tmp_path)


@pytest.mark.parametrize("loader", [IPAClipModel, AutoModel, IPAClipPronunciationModel])
def test_a_missing_pronunciation_weight_is_an_error(loader: Any, tmp_path: Path) -> None:
    tiny_model().save_pretrained(tmp_path)
    weights = load_file(tmp_path / "model.safetensors")
    del weights["pronunciation_model.final_layer_norm.weight"]
    save_file(weights, tmp_path / "model.safetensors", metadata={"format": "pt"})
    message = r"lacks 1 weights of the pronunciation tower \(as .*final_layer_norm.weight\): it is incomplete"
    with pytest.raises(ValueError, match=message):
        loader.from_pretrained(tmp_path)


@pytest.mark.parametrize("length", [4, 5000])
def test_a_corrupt_file_is_named(length: int, tmp_path: Path) -> None:
    tiny_model().save_pretrained(tmp_path)
    file = tmp_path / "model.safetensors"
    file.write_bytes(file.read_bytes()[:length])
    with pytest.raises(OSError, match=r"model.safetensors is not a valid safetensors file"):
        IPAClipModel.from_pretrained(tmp_path)


def test_copies_and_pickles() -> None:
    model = tiny_model()
    for other in (copy.deepcopy(model), pickle.loads(pickle.dumps(model))):
        assert same_weights(other, model)
        assert_same_outputs(embed(other), embed(model))


def test_input_embeddings() -> None:
    model = tiny_model()
    assert model.get_input_embeddings() is model.text_model.embeddings.token_embedding
    tower = IPAClipPronunciationModelWithProjection(model.config.pronunciation_config)
    assert tower.get_input_embeddings() is tower.pronunciation_model.embeddings


@pytest.mark.parametrize("kind", ["tower", "projected"])
def test_the_vocabulary_of_a_tower_is_fixed_and_the_error_says_why_and_what_to_do(kind: str) -> None:
    whole = tiny_model()
    tower: Any = whole.pronunciation_model
    if kind == "projected":
        tower = IPAClipPronunciationModelWithProjection(whole.config.pronunciation_config)
    for change in (
        tower.resize_token_embeddings,
        lambda: tower.resize_token_embeddings(VOCAB_SIZE + 2, mean_resizing=False),
        lambda: tower.resize_token_embeddings(pad_to_multiple_of=64),
        lambda: tower.set_input_embeddings(torch.nn.Embedding(VOCAB_SIZE, 32)),
    ):
        with pytest.raises(NotImplementedError, match=r"row of its phoneme feature table: build a tokenizer"):
            change()


def test_the_whole_resizes_clips_vocabulary() -> None:
    model, texts, expected = tiny_model(), text_ids(), embed(tiny_model())
    before = model(input_ids=texts, pixel_values=pixels()).text_embeds
    assert model.resize_token_embeddings(120).num_embeddings == 120
    assert (model.config.text_config.vocab_size, model.config.pronunciation_config.vocab_size) == (120, VOCAB_SIZE)
    assert_same_outputs(model(input_ids=texts, pixel_values=pixels()).text_embeds, before)
    assert_same_outputs(embed(model), expected)
    new = torch.nn.Embedding(99, 32)
    model.set_input_embeddings(new)
    assert model.text_model.embeddings.token_embedding is new


# --- the package ---


def test_what_is_saved_names_a_class_for_each_auto_class_that_loads_it_here(tmp_path: Path) -> None:
    whole = tiny_model()
    whole.save_pretrained(tmp_path / "whole")
    projected = IPAClipPronunciationModelWithProjection.from_pretrained(tmp_path / "whole")
    projected.save_pretrained(tmp_path / "projected")
    IPAClipPronunciationModel.from_pretrained(tmp_path / "projected").save_pretrained(tmp_path / "bare")
    expected = {
        "whole": {"AutoModel", "AutoModelForZeroShotImageClassification"},
        "projected": {"AutoModel", "AutoModelForTextEncoding"},
        "bare": {"AutoModel"},
    }
    for folder, names in expected.items():
        auto_map = json.loads((tmp_path / folder / "config.json").read_text())["auto_map"]
        assert auto_map.keys() == {"AutoConfig", *names}
        for name in names:
            loaded = getattr(transformers, name).from_pretrained(tmp_path / folder)
            assert auto_map[name] == f"modeling_ipaclip.{type(loaded).__name__}"


def test_zero_shot_image_classification_knows_the_model(tmp_path: Path) -> None:
    tiny_model().save_pretrained(tmp_path)
    assert type(AutoModelForZeroShotImageClassification.from_pretrained(tmp_path)) is IPAClipModel


def run_python(code: str) -> str:
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stderr
    return result.stdout.strip()


def test_importing_the_package_imports_no_torch() -> None:
    code = "import sys, ipaclip; ipaclip.embedded_checkpoint; ipaclip.__version__; print('torch' in sys.modules)"
    assert run_python(code) == "False"


@pytest.mark.slow
@pytest.mark.parametrize(
    "imports",
    [
        "import ipaclip; from transformers import AutoModel",
        "from transformers import AutoModel; import ipaclip",
        "import ipaclip, transformers.modeling_layers; from transformers import AutoModel",
        "import ipaclip; from transformers import CLIPModel, AutoModel",
        "import ipaclip; from transformers import pipeline, AutoModel",
        "import ipaclip; from ipaclip import IPAClipProcessor; from transformers import AutoModel",
    ],
)
def test_auto_model_works_in_a_fresh_process_whatever_is_imported_first(imports: str, tmp_path: Path) -> None:
    tiny_model().save_pretrained(tmp_path)
    assert (
        run_python(f"{imports}\nprint(type(AutoModel.from_pretrained({str(tmp_path)!r})).__name__)") == "IPAClipModel"
    )


@pytest.mark.slow
def test_remote_code_works_without_the_package(tmp_path: Path) -> None:
    model = tiny_model()
    model.save_pretrained(tmp_path / "checkpoint")
    code = f"""
import os, sys
os.environ["HF_MODULES_CACHE"] = {str(tmp_path / "modules")!r}
sys.modules["ipaclip"] = None
import torch
from transformers import AutoModel
model = AutoModel.from_pretrained({str(tmp_path / "checkpoint")!r}, trust_remote_code=True)
print(model.get_pronunciation_features(torch.tensor({IDS.tolist()})).pooler_output[0, 0].item())
"""
    assert float(run_python(code)) == pytest.approx(embed(model)[0, 0].item(), abs=1e-6)
