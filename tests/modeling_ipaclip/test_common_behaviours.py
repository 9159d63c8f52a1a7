"""What transformers promises of every model, for all of ours. What is special to one is in `test_modeling.py`."""

from pathlib import Path
from typing import Any

import pytest
import torch
from ipaclip import (
    IPAClipModel,
    IPAClipPreTrainedModel,
    IPAClipPronunciationModel,
    IPAClipPronunciationModelWithProjection,
)
from kernels import assert_same_gradients, assert_same_outputs, same_weights
from modeling_helpers import feature_table, pixels, pronunciation_ids, text_ids, tiny_model
from safetensors.torch import load_file, save_file

IDS, MASK = pronunciation_ids()


def make_whole() -> IPAClipModel:
    return tiny_model(learned_residual=True)


def make_tower() -> IPAClipPronunciationModel:
    return make_whole().pronunciation_model


def make_projected() -> IPAClipPronunciationModelWithProjection:
    whole = make_whole()
    model = IPAClipPronunciationModelWithProjection(whole.config.pronunciation_config)
    model.pronunciation_model.load_state_dict(whole.pronunciation_model.state_dict())
    model.pronunciation_projection.load_state_dict(whole.pronunciation_projection.state_dict())
    return model.eval()


def tower_inputs() -> dict[str, torch.Tensor]:
    return {"input_ids": IDS, "attention_mask": MASK}


def whole_inputs() -> dict[str, torch.Tensor]:
    return {
        "pixel_values": pixels(),
        "input_ids": text_ids(),
        "pronunciation_input_ids": IDS,
        "pronunciation_attention_mask": MASK,
    }


CASES = {
    "IPAClipModel": (make_whole, whole_inputs, "logits_per_pronunciation"),
    "IPAClipPronunciationModel": (make_tower, tower_inputs, "pooler_output"),
    "IPAClipPronunciationModelWithProjection": (make_projected, tower_inputs, "pronunciation_embeds"),
}


@pytest.mark.parametrize("name", CASES)
class TestCommonBehaviours:
    @pytest.fixture
    def model(self, name: str) -> IPAClipPreTrainedModel:
        return CASES[name][0]()

    @pytest.fixture
    def inputs(self, name: str) -> dict[str, torch.Tensor]:
        return CASES[name][1]()

    def answer(self, model: Any, name: str, inputs: dict[str, torch.Tensor], **kwargs: Any) -> torch.Tensor:
        cast = {k: v.to(model.dtype) if v.is_floating_point() else v for k, v in inputs.items()}
        with torch.no_grad():
            return model(**cast, **kwargs)[CASES[name][2]]

    def load(self, name: str, directory: Path, **kwargs: Any) -> Any:
        return globals()[name].from_pretrained(directory, **kwargs)

    @pytest.mark.parametrize("dtype", [torch.float32, torch.float16, torch.bfloat16])
    def test_saving_changes_nothing(self, name: str, model: Any, inputs: Any, tmp_path: Path, dtype: Any) -> None:
        model.to(dtype).save_pretrained(tmp_path)
        loaded = self.load(name, tmp_path)
        assert loaded.dtype == dtype
        assert not loaded.training
        assert same_weights(loaded, model)
        assert_same_outputs(self.answer(loaded, name, inputs), self.answer(model, name, inputs))

    def test_shards_and_device_map(self, name: str, model: Any, inputs: Any, tmp_path: Path) -> None:
        model.save_pretrained(tmp_path, max_shard_size="20KB")
        assert len(list(tmp_path.glob("model-*.safetensors"))) > 2
        expected = self.answer(model, name, inputs)
        assert_same_outputs(self.answer(self.load(name, tmp_path), name, inputs), expected)
        placed = self.load(name, tmp_path, device_map="cpu")
        assert_same_outputs(self.answer(placed, name, inputs), expected)
        assert {parameter.device.type for parameter in placed.parameters()} == {"cpu"}

    def test_a_missing_shard_is_an_error(self, name: str, model: Any, tmp_path: Path) -> None:
        model.save_pretrained(tmp_path, max_shard_size="20KB")
        sorted(tmp_path.glob("model-*.safetensors"))[1].unlink()
        with pytest.raises((OSError, ValueError), match="model-00002"):
            self.load(name, tmp_path)

    def test_keys_can_be_mapped(self, name: str, model: Any, inputs: Any, tmp_path: Path) -> None:
        model.save_pretrained(tmp_path)
        file = tmp_path / "model.safetensors"
        weights = {f"old.{key}": value for key, value in load_file(file).items()}
        save_file(weights, file, metadata={"format": "pt"})
        loaded = self.load(name, tmp_path, key_mapping={r"^old\.": ""})
        assert same_weights(loaded, model)
        assert_same_outputs(self.answer(loaded, name, inputs), self.answer(model, name, inputs))

    def test_outputs_are_the_same_every_time(self, name: str, model: Any, inputs: Any) -> None:
        first = self.answer(model, name, inputs)
        assert_same_outputs(self.answer(model, name, inputs), first)
        model.train()  # there is no dropout by default
        assert_same_outputs(self.answer(model, name, inputs), first)

    def test_attention_dropout_acts_in_training_alone(self, name: str, model: Any, inputs: Any) -> None:
        for module in model.modules():
            if hasattr(module, "dropout"):
                module.dropout = 0.5
        model.eval()
        expected = self.answer(model, name, inputs)
        assert_same_outputs(self.answer(model, name, inputs), expected)
        model.train()
        assert not torch.allclose(self.answer(model, name, inputs), expected)

    def test_attention_backends_agree(self, name: str, model: Any, inputs: Any) -> None:
        model.set_attn_implementation("eager")
        eager = self.answer(model, name, inputs)
        model.set_attn_implementation("sdpa")
        torch.testing.assert_close(self.answer(model, name, inputs), eager, atol=1e-5, rtol=1e-5)

    def test_hidden_states_and_attentions(self, name: str, model: Any, inputs: Any) -> None:
        model.set_attn_implementation("eager")
        with torch.no_grad():
            output = model(**inputs, output_hidden_states=True, output_attentions=True)
        towers = [output] if "hidden_states" in output else [v for k, v in output.items() if k.endswith("_output")]
        assert len(towers) == (3 if name == "IPAClipModel" else 1)
        for tower in towers:
            assert len(tower.hidden_states) == 3  # embeddings and two layers
            assert len(tower.attentions) == 2
            for weights in tower.attentions:
                torch.testing.assert_close(weights.sum(dim=-1), torch.ones(weights.shape[:-1]))
        plain = self.answer(model, name, inputs)
        assert_same_outputs(output[CASES[name][2]], plain)

    @pytest.mark.parametrize("use_reentrant", [True, False])
    def test_gradient_checkpointing(self, name: str, model: Any, inputs: Any, use_reentrant: bool) -> None:
        model.train()

        def gradients() -> dict[str, torch.Tensor]:
            model.zero_grad()
            model(**inputs)[CASES[name][2]].square().sum().backward()
            return {key: p.grad.clone() for key, p in model.named_parameters() if p.grad is not None}

        expected = gradients()
        model.gradient_checkpointing_enable({"use_reentrant": use_reentrant})
        actual = gradients()
        assert len(expected) > 30
        assert_same_gradients(actual, expected)
        model.gradient_checkpointing_disable()

    def test_initialisation_obeys_the_seed_and_leaves_nothing_unset(self, name: str, model: Any) -> None:
        models = []
        for seed in (1, 1, 2):
            torch.manual_seed(seed)
            models.append(globals()[name](model.config))
        for key, weight in models[0].named_parameters():
            assert torch.isfinite(weight).all(), key
            assert weight.abs().max() < 10, key
            assert torch.equal(weight, models[1].get_parameter(key)), key
        drawn = [k for k, w in models[0].named_parameters() if w.std() > 0 and w.dim() == 2]
        assert len(drawn) > 10
        assert all(not torch.equal(models[0].get_parameter(key), models[2].get_parameter(key)) for key in drawn)

    def test_no_weights_are_tied(self, name: str, model: Any) -> None:
        places = [weight.data_ptr() for weight in model.state_dict().values()]
        assert len(set(places)) == len(places)

    def test_export(self, name: str, model: Any, inputs: Any) -> None:
        program = torch.export.export(model, (), inputs, strict=False)
        actual = program.module()(**inputs)[CASES[name][2]]
        torch.testing.assert_close(actual, self.answer(model, name, inputs), atol=1e-5, rtol=1e-5)

    @pytest.mark.slow
    def test_compile(self, name: str, model: Any, inputs: Any) -> None:
        compiled = torch.compile(model)
        torch.testing.assert_close(
            self.answer(compiled, name, inputs), self.answer(model, name, inputs), atol=1e-5, rtol=1e-4
        )

    @pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
    def test_lower_precision_stays_near(self, name: str, model: Any, inputs: Any, dtype: Any) -> None:
        expected = self.answer(model, name, inputs)
        actual = self.answer(model.to(dtype), name, inputs)
        assert actual.dtype == dtype
        spread = (expected - expected.mean()).abs().max()
        assert (actual.float() - expected).abs().max() < 0.1 * spread + 0.02

    def test_meta_device(self, name: str, model: Any) -> None:
        with torch.device("meta"):
            assert globals()[name](model.config).device.type == "meta"

    def test_quantised_loading(self, name: str, model: Any, inputs: Any, tmp_path: Path) -> None:
        torchao = pytest.importorskip("torchao.quantization")
        from transformers import TorchAoConfig

        model.save_pretrained(tmp_path)
        loaded = self.load(name, tmp_path, quantization_config=TorchAoConfig(torchao.Int8WeightOnlyConfig()))
        expected = self.answer(model, name, inputs)
        cosine = torch.nn.functional.cosine_similarity(self.answer(loaded, name, inputs), expected, dim=-1)
        assert cosine.min() > 0.99


def test_pictures_of_another_size() -> None:
    model = make_whole()
    larger = torch.randn(2, 3, 48, 48)
    with pytest.raises(ValueError, match="size"):
        model(pixel_values=larger, pronunciation_input_ids=IDS)
    output = model(pixel_values=larger, pronunciation_input_ids=IDS, interpolate_pos_encoding=True)
    assert output.logits_per_image_pronunciation.shape == (2, 2)
    clips = super(IPAClipModel, model).get_image_features(larger, interpolate_pos_encoding=True).pooler_output
    torch.testing.assert_close(output.image_embeds, torch.nn.functional.normalize(clips, dim=-1))


def test_the_table_travels_in_every_dtype(tmp_path: Path) -> None:
    make_whole().save_pretrained(tmp_path)
    for dtype in (torch.float32, torch.float16, torch.bfloat16):
        loaded = IPAClipModel.from_pretrained(tmp_path, dtype=dtype)
        # Features are 0, 1 and -1, which every dtype holds.
        assert torch.equal(loaded.pronunciation_model.embeddings.phoneme_features.float(), feature_table())
