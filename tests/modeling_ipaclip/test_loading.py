"""Loading: checkpoints of every released format, and what is whole, broken or hostile."""

import json
import math
import os
import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from ipaclip import (
    IPAClipModel,
    IPAClipProcessor,
    IPAClipPronunciationModel,
    IPAClipPronunciationModelWithProjection,
    embedded_checkpoint,
    encode,
)
from numpy.typing import NDArray
from safetensors.numpy import load_file
from safetensors.torch import load_file as load_tensors
from transformers import AutoConfig, AutoModel, AutoProcessor, AutoTokenizer, CLIPModel, pipeline

# One directory for each format that a release has written. They stay as they are.
FORMATS = sorted((Path(__file__).parents[1] / "fixtures_checkpoints").iterdir())
Array = NDArray[Any]


@pytest.fixture(params=FORMATS, ids=lambda path: path.name)
def old(request: pytest.FixtureRequest) -> Path:
    return request.param


# --- the pronunciation tower, written down once more ---


def norm(x: Array, weights: dict[str, Array], name: str) -> Array:
    centred = x - x.mean(axis=-1, keepdims=True)
    scaled = centred / np.sqrt((centred**2).mean(axis=-1, keepdims=True) + 1e-5)
    return scaled * weights[f"{name}.weight"] + weights[f"{name}.bias"]


def linear(x: Array, weights: dict[str, Array], name: str) -> Array:
    return x @ weights[f"{name}.weight"].T + weights.get(f"{name}.bias", 0)


def attention(x: Array, weights: dict[str, Array], name: str, heads: int) -> Array:
    queries, keys, values = (linear(x, weights, f"{name}.{letter}_proj") for letter in "qkv")
    width = x.shape[-1] // heads
    mixed = []
    for head in range(heads):
        part = slice(head * width, (head + 1) * width)
        scores = np.exp(queries[:, part] @ keys[:, part].T / math.sqrt(width))
        mixed.append(scores / scores.sum(axis=-1, keepdims=True) @ values[:, part])
    return linear(np.concatenate(mixed, axis=-1), weights, f"{name}.out_proj")


def embedding_by_hand(directory: Path, ids: list[int]) -> Array:
    """One pronunciation's embedding, from the files alone, in float64."""
    config = json.loads((directory / "config.json").read_text())["pronunciation_config"]
    weights = {name: value.astype(np.float64) for name, value in load_file(directory / "model.safetensors").items()}
    tower = "pronunciation_model"
    x = weights[f"{tower}.embeddings.phoneme_features"][ids]
    x = linear(x, weights, f"{tower}.embeddings.feature_projection")
    x = x + weights[f"{tower}.embeddings.residual_embedding.weight"][ids]
    x = x + weights[f"{tower}.embeddings.position_embedding.weight"][: len(ids)]
    x = norm(x, weights, f"{tower}.pre_layer_norm")
    for layer in range(config["num_hidden_layers"]):
        block = f"{tower}.encoder.layers.{layer}"
        normed = norm(x, weights, f"{block}.layer_norm1")
        x = x + attention(normed, weights, f"{block}.self_attn", config["num_attention_heads"])
        inner = linear(norm(x, weights, f"{block}.layer_norm2"), weights, f"{block}.mlp.fc1")
        x = x + linear(inner / (1 + np.exp(-1.702 * inner)), weights, f"{block}.mlp.fc2")  # QuickGELU
    pooled = norm(x, weights, f"{tower}.final_layer_norm").mean(axis=0)
    return linear(pooled, weights, "pronunciation_projection")


# --- old checkpoints ---


@torch.no_grad()
def test_old_checkpoints_say_what_they_said(old: Path) -> None:
    model, processor = AutoModel.from_pretrained(old, dtype=torch.float32), AutoProcessor.from_pretrained(old)
    assert (type(model), type(processor)) == (IPAClipModel, IPAClipProcessor)
    assert (processor.language, processor.transcriber) == ("deu-Latn", "espeak")
    # <s> b ʌ t ɚ f l a ɪ </s>: specials are 0 to 3, segments follow in the order in which the fixture lists them.
    ids = [[2, 4, 5, 6, 7, 8, 9, 10, 11, 3], [2, 4, 10, 6, 3]]
    inputs = processor(ipa=["bʌtɚflaɪ", "bat"], return_tensors="pt")
    assert [row[row != 0].tolist() for row in inputs["pronunciation_input_ids"]] == ids
    actual = model.get_pronunciation_features(**inputs).pooler_output
    expected = np.stack([embedding_by_hand(old, row) for row in ids])
    np.testing.assert_allclose(actual, expected, atol=1e-5)
    assert processor(text="cat")["input_ids"] == [52, 2, 0, 26 + 19, 53]


def test_all_ways_to_load_an_old_checkpoint(old: Path) -> None:
    assert AutoConfig.from_pretrained(old).model_type == "ipaclip"
    assert IPAClipModel.from_pretrained(old).dtype == torch.float16
    for part in (IPAClipPronunciationModelWithProjection, IPAClipPronunciationModel, CLIPModel):
        model, info = part.from_pretrained(old, output_loading_info=True)
        assert not info["missing_keys"]
        assert all(torch.isfinite(weight).all() for weight in model.parameters())
    assert len(AutoTokenizer.from_pretrained(old)) == 54
    assert len(AutoTokenizer.from_pretrained(old / "pronunciation_tokenizer")) == 16


# --- broken, hostile, incomplete ---


class Malicious:
    def __init__(self, file: Path) -> None:
        self.file = file

    def __reduce__(self) -> Any:
        return (Path.touch, (self.file,))


@pytest.mark.parametrize("loader", [IPAClipModel, AutoModel, IPAClipPronunciationModelWithProjection])
def test_a_pickle_that_does_more_than_tensors_is_refused(
    loader: Any, tiny_checkpoint_copy: Path, tmp_path: Path
) -> None:
    weights = load_tensors(tiny_checkpoint_copy / "model.safetensors")
    (tiny_checkpoint_copy / "model.safetensors").unlink()
    torch.save({**weights, "evil": Malicious(tmp_path / "touched")}, tiny_checkpoint_copy / "pytorch_model.bin")
    with pytest.raises((OSError, ValueError), match=r"copy are .*more than tensors.* refused"):
        loader.from_pretrained(tiny_checkpoint_copy)
    assert not (tmp_path / "touched").exists()


def test_a_harmless_pickle_is_loaded(tiny_checkpoint_copy: Path, tiny_checkpoint: Path) -> None:
    weights = load_tensors(tiny_checkpoint_copy / "model.safetensors")
    (tiny_checkpoint_copy / "model.safetensors").unlink()
    torch.save(weights, tiny_checkpoint_copy / "pytorch_model.bin")
    loaded = IPAClipModel.from_pretrained(tiny_checkpoint_copy).state_dict()
    assert all(torch.equal(value, loaded[key]) for key, value in weights.items())


@pytest.mark.parametrize("name", ["model.safetensors", "config.json"])
def test_half_a_checkpoint_names_what_is_missing(name: str, tiny_checkpoint_copy: Path) -> None:
    (tiny_checkpoint_copy / name).unlink()
    with pytest.raises((OSError, ValueError), match=name.replace("model.", "model.*")):
        IPAClipModel.from_pretrained(tiny_checkpoint_copy)


def test_a_name_that_is_nowhere_is_named() -> None:
    with pytest.raises(OSError, match=r"nobody/nothing|connect"):
        IPAClipModel.from_pretrained("nobody/nothing")


def test_saving_where_it_is_forbidden(tmp_path: Path) -> None:
    model = IPAClipModel.from_pretrained(FORMATS[-1])
    (tmp_path / "file").touch()
    with pytest.raises(OSError, match="file"):
        model.save_pretrained(tmp_path / "file" / "below")
    assert os.listdir(tmp_path) == ["file"]


# --- as transformers' pipeline, and all embedded at once ---


def test_zero_shot_image_classification_by_its_text_side(tiny_checkpoint: Path) -> None:
    from PIL import Image

    classify = pipeline("zero-shot-image-classification", model=str(tiny_checkpoint))
    picture = Image.fromarray(np.full((32, 32, 3), 90, dtype=np.uint8))
    answers = classify(picture, candidate_labels=["cat", "dog"], hypothesis_template="{}")
    model, processor = IPAClipModel.from_pretrained(tiny_checkpoint), IPAClipProcessor.from_pretrained(tiny_checkpoint)
    with torch.no_grad():
        inputs = processor(images=picture, text=["cat", "dog"], return_tensors="pt")
        expected = CLIPModel.from_pretrained(tiny_checkpoint)(**inputs).logits_per_image.softmax(dim=-1)[0]
    assert type(classify.model) is IPAClipModel
    assert model.config.model_type == "ipaclip"
    scores = {answer["label"]: answer["score"] for answer in answers}
    assert [scores["cat"], scores["dog"]] == pytest.approx(expected.tolist(), abs=1e-5)


def test_encode_shows_its_progress(tiny_checkpoint: Path, capsys: pytest.CaptureFixture[str]) -> None:
    model, processor = IPAClipModel.from_pretrained(tiny_checkpoint), IPAClipProcessor.from_pretrained(tiny_checkpoint)
    capsys.readouterr()
    assert encode(model, processor, ipa=["kæt"] * 5, batch_size=2, show_progress=True).shape == (5, 16)
    assert "5/5" in capsys.readouterr().err
    encode(model, processor, ipa=["kæt"])
    assert not capsys.readouterr().err


def test_the_embedded_checkpoint_loads_in_all_ways() -> None:
    directory = embedded_checkpoint()
    assert type(AutoModel.from_pretrained(directory)) is IPAClipModel
    assert type(AutoProcessor.from_pretrained(directory)) is IPAClipProcessor
    model = pickle.loads(pickle.dumps(IPAClipPronunciationModelWithProjection.from_pretrained(directory)))
    assert model.config.projection_dim == 160
