"""Checkpoints of OpenAI's CLIP and of open_clip → IPA-CLIP."""

import gzip
import json
import pickle
import sys
import warnings
import zipfile
from pathlib import Path
from typing import Any

import pytest
import torch
from conftest import tiny_clip_tokenizer
from ipaclip import IPAClipModel, IPAClipProcessor
from ipaclip.conversion_scripts import convert_original_clip
from ipaclip.conversion_scripts.convert_original_clip import image_processor, load_text_tokenizer
from ipaclip.conversion_scripts.original_layout import to_transformers
from ipaclip.conversion_scripts.original_weights import read_weights
from original_clip import OriginalCLIP, inputs, open_clip_config
from safetensors.torch import save_file
from transformers import CLIPModel

VOCAB_SIZE = 514  # of the tiny tokenizer


@pytest.fixture
def tokenizer(tmp_path: Path) -> Path:
    tiny_clip_tokenizer().save_pretrained(tmp_path / "tokenizer")
    return tmp_path / "tokenizer"


@torch.no_grad()
def assert_same_outputs(original: OriginalCLIP, clip: CLIPModel, vocab_size: int = 100) -> None:
    pictures, ids = inputs(vocab_size)
    for expected, actual in (
        (original.encode_image(pictures), clip.get_image_features(pictures).pooler_output),
        (original.encode_text(ids), clip.get_text_features(ids).pooler_output),
    ):
        assert expected.abs().max() > 0.5
        torch.testing.assert_close(actual, expected, atol=1e-5, rtol=1e-5)
    assert clip.logit_scale.item() == original.logit_scale.item()


# --- the layout ---


def test_openai_computes_quick_gelu_with_heads_of_64() -> None:
    clip = to_transformers(OriginalCLIP().state_dict())
    assert_same_outputs(OriginalCLIP(), clip)
    assert clip.config.vision_config.hidden_act == clip.config.text_config.hidden_act == "quick_gelu"
    assert (clip.config.vision_config.num_attention_heads, clip.config.text_config.num_attention_heads) == (2, 1)


@pytest.mark.parametrize("quick", [True, False])
def test_open_clip_says_what_it_computes(quick: bool) -> None:
    original = OriginalCLIP(quick=quick, marked=False)
    right, wrong = (
        to_transformers(original.state_dict(), model_config=open_clip_config(quick_gelu=value))
        for value in (quick, not quick)
    )
    assert_same_outputs(original, right)
    with pytest.raises(AssertionError):
        assert_same_outputs(original, wrong)


def test_open_clip_says_how_many_heads() -> None:
    original = OriginalCLIP(quick=False, heads=(8, 4), marked=False)
    config = open_clip_config()
    config["vision_cfg"]["head_width"], config["text_cfg"]["heads"] = 16, 4
    clip = to_transformers(original.state_dict(), model_config=config)
    assert_same_outputs(original, clip)
    assert clip.config.vision_config.num_attention_heads == 8


def test_a_text_tower_within_text() -> None:
    original = OriginalCLIP(quick=False, marked=False)
    within = ("transformer.", "token_embedding.", "positional_embedding", "ln_final.", "text_projection")
    weights = {f"text.{k}" if k.startswith(within) else k: v for k, v in original.state_dict().items()}
    weights["text.attn_mask"] = torch.zeros(12, 12)
    assert_same_outputs(original, to_transformers(weights, model_config=open_clip_config()))


def test_the_translation_can_be_undone() -> None:
    original = OriginalCLIP(marked=False).state_dict()
    translated = to_transformers(original, activation="gelu").state_dict()
    undone: dict[str, torch.Tensor] = {
        "logit_scale": translated["logit_scale"],
        "visual.proj": translated["visual_projection.weight"].T,
        "text_projection": translated["text_projection.weight"].T,
        "visual.conv1.weight": translated["vision_model.embeddings.patch_embedding.weight"],
        "visual.class_embedding": translated["vision_model.embeddings.class_embedding"],
        "visual.positional_embedding": translated["vision_model.embeddings.position_embedding.weight"],
        "positional_embedding": translated["text_model.embeddings.position_embedding.weight"],
        "token_embedding.weight": translated["text_model.embeddings.token_embedding.weight"],
    }
    norms = {"visual.ln_pre": "vision_model.pre_layrnorm", "visual.ln_post": "vision_model.post_layernorm"}
    norms["ln_final"] = "text_model.final_layer_norm"
    for ours, theirs in norms.items():
        undone |= {f"{ours}.{kind}": translated[f"{theirs}.{kind}"] for kind in ("weight", "bias")}
    for ours, theirs, layers in (("visual.transformer", "vision_model", 2), ("transformer", "text_model", 3)):
        for layer in range(layers):
            old, new = f"{ours}.resblocks.{layer}", f"{theirs}.encoder.layers.{layer}"
            for kind in ("weight", "bias"):
                parts = [translated[f"{new}.self_attn.{letter}_proj.{kind}"] for letter in "qkv"]
                undone[f"{old}.attn.in_proj_{kind}"] = torch.cat(parts)
                undone[f"{old}.attn.out_proj.{kind}"] = translated[f"{new}.self_attn.out_proj.{kind}"]
                for mine, yours in (("ln_1", "layer_norm1"), ("ln_2", "layer_norm2")):
                    undone[f"{old}.{mine}.{kind}"] = translated[f"{new}.{yours}.{kind}"]
                for mine, yours in (("c_fc", "fc1"), ("c_proj", "fc2")):
                    undone[f"{old}.mlp.{mine}.{kind}"] = translated[f"{new}.mlp.{yours}.{kind}"]
    assert undone.keys() == original.keys()
    assert all(torch.equal(undone[key], original[key]) for key in original)


def test_open_clips_own_outputs() -> None:
    open_clip = pytest.importorskip("open_clip")
    for quick in (False, True):
        config = open_clip_config(quick_gelu=quick)
        original = open_clip.model.CLIP(**config).eval()
        assert_same_outputs(original, to_transformers(original.state_dict(), model_config=config))


# --- what cannot be known, or cannot be ---


def test_an_unknown_activation_is_refused_unless_given() -> None:
    original = OriginalCLIP(quick=False, marked=False)
    with pytest.raises(ValueError, match="Nothing says whether this model computes GELU or QuickGELU"):
        to_transformers(original.state_dict())
    assert_same_outputs(original, to_transformers(original.state_dict(), activation="gelu"))
    with pytest.raises(ValueError, match="must be one of quick_gelu, gelu, got 'relu'"):
        to_transformers(original.state_dict(), activation="relu")
    with pytest.raises(ValueError, match="given as gelu, but the source says quick_gelu"):
        to_transformers(OriginalCLIP().state_dict(), activation="gelu")


def without(name: str) -> dict[str, torch.Tensor]:
    return {key: value for key, value in OriginalCLIP().state_dict().items() if key != name}


@pytest.mark.parametrize(
    ("weights", "message"),
    [
        (without("visual.conv1.weight"), "lacks visual.conv1.weight"),
        (without("visual.proj"), r"1 weights are missing \(as visual_projection.weight"),
        (without("transformer.resblocks.1.ln_1.bias"), r"1 weights are missing \(as text_model.*layer_norm1.bias"),
        ({**without(""), "visual.layer1.0.conv1.weight": torch.zeros(1)}, "ResNet"),
        ({**without(""), "visual.trunk.x": torch.zeros(1)}, "timm"),
        ({**without(""), "logit_bias": torch.zeros(1)}, "SigLIP"),
        ({**without(""), "visual.attn_pool.query": torch.zeros(1)}, "visual.attn_pool.query has no place"),
        ({**without(""), "transformer.resblocks.0.ls_1.gamma": torch.zeros(1)}, "ls_1.gamma has no place"),
        ({**without(""), "visual.positional_embedding": torch.zeros(16, 128)}, "not square"),
    ],
)
def test_other_models_are_refused(weights: dict[str, torch.Tensor], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        to_transformers(weights)


@pytest.mark.parametrize(
    ("tower", "key", "value"),
    [
        ("vision_cfg", "pool_type", "avg"),
        ("vision_cfg", "attentional_pool", True),
        ("vision_cfg", "timm_model_name", "convnext_base"),
        ("text_cfg", "hf_model_name", "roberta-base"),
        ("text_cfg", "norm_kwargs", {"eps": 1e-6}),
        ("text_cfg", "something_new", 3),
    ],
)
def test_what_transformers_cannot_compute_is_refused(tower: str, key: str, value: Any) -> None:
    config = open_clip_config()
    config[tower][key] = value
    with pytest.raises(ValueError, match=f"{tower}.{key} is {value!r}"):
        to_transformers(OriginalCLIP(marked=False).state_dict(), model_config=config)


# --- files ---


def archive(original: OriginalCLIP, file: Path) -> Path:
    """As OpenAI published its models."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.jit.save(torch.jit.trace(original, inputs(VOCAB_SIZE), check_trace=False), file)
    return file


def test_an_archive_is_read_without_running_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    original = OriginalCLIP(vocab_size=VOCAB_SIZE)
    file = archive(original, tmp_path / "clip.pt")
    monkeypatch.setattr(torch.jit, "load", None)
    weights, expected = read_weights(file), original.state_dict()
    assert weights.keys() == expected.keys()
    assert all(torch.equal(weights[key], expected[key]) for key in expected)


def test_an_archive_in_half_precision(tmp_path: Path) -> None:
    """The published archives hold matrices in half precision, and the rest in single."""
    module = torch.nn.Sequential(torch.nn.Conv2d(3, 4, 2, bias=False).half(), torch.nn.LayerNorm(4))
    torch.jit.save(torch.jit.script(module), tmp_path / "half.pt")
    weights = read_weights(tmp_path / "half.pt")
    assert {key: value.dtype for key, value in weights.items()} == {
        "0.weight": torch.float16,
        "1.weight": torch.float32,
        "1.bias": torch.float32,
    }
    assert torch.equal(weights["0.weight"], module[0].weight)


def test_a_2021_archive_becomes_an_ipaclip(tmp_path: Path, tokenizer: Path) -> None:
    original = OriginalCLIP(vocab_size=VOCAB_SIZE)
    file = archive(original, tmp_path / "ViT-T-8.pt")
    assert convert_original_clip(file, tmp_path / "out", tokenizer=tokenizer, preset="tiny") <= 1e-4
    model = IPAClipModel.from_pretrained(tmp_path / "out")
    assert_same_outputs(original, model, VOCAB_SIZE)
    processor = IPAClipProcessor.from_pretrained(tmp_path / "out")
    assert processor.image_processor.size["shortest_edge"] == 32
    assert processor(text="cat")["input_ids"][-1] == VOCAB_SIZE - 1
    assert model.get_pronunciation_features(**processor(ipa="kæt", return_tensors="pt")).pooler_output.shape == (1, 24)


def test_state_dicts_in_all_their_wrappings(tmp_path: Path) -> None:
    expected = OriginalCLIP().state_dict()
    torch.save(expected, tmp_path / "plain.pt")
    torch.save({"epoch": 3, "state_dict": {f"module.{k}": v for k, v in expected.items()}}, tmp_path / "run.pt")
    torch.save(expected, tmp_path / "old.pt", _use_new_zipfile_serialization=False)
    save_file(expected, tmp_path / "weights.safetensors")
    for file in tmp_path.iterdir():
        weights = read_weights(file)
        assert weights.keys() == expected.keys()
        assert all(torch.equal(weights[key], expected[key]) for key in expected), file


def test_open_clips_directory(tmp_path: Path, tokenizer: Path) -> None:
    original = OriginalCLIP(quick=False, vocab_size=VOCAB_SIZE, marked=False)
    source = tmp_path / "source"
    source.mkdir()
    save_file(original.state_dict(), source / "open_clip_model.safetensors")
    preprocess = {"mean": [0.5, 0.5, 0.5], "std": [0.25, 0.25, 0.25], "interpolation": "bilinear"}
    document = {"model_cfg": open_clip_config(), "preprocess_cfg": preprocess}
    (source / "open_clip_config.json").write_text(json.dumps(document))
    convert_original_clip(source, tmp_path / "out", tokenizer=tokenizer)
    assert_same_outputs(original, IPAClipModel.from_pretrained(tmp_path / "out"), VOCAB_SIZE)
    images = IPAClipProcessor.from_pretrained(tmp_path / "out").image_processor
    assert (list(images.image_mean), list(images.image_std), int(images.resample)) == ([0.5] * 3, [0.25] * 3, 2)


def test_a_configuration_named_quickgelu_means_it(tmp_path: Path, tokenizer: Path) -> None:
    original = OriginalCLIP(quick=True, vocab_size=VOCAB_SIZE, marked=False)
    torch.save(original.state_dict(), tmp_path / "weights.bin")
    (tmp_path / "ViT-T-8-quickgelu.json").write_text(json.dumps(open_clip_config()))
    convert_original_clip(
        tmp_path / "weights.bin", tmp_path / "out", config=tmp_path / "ViT-T-8-quickgelu.json", tokenizer=tokenizer
    )
    assert_same_outputs(original, IPAClipModel.from_pretrained(tmp_path / "out"), VOCAB_SIZE)


class Malicious:
    def __init__(self, file: Path) -> None:
        self.file = file

    def __reduce__(self) -> Any:
        return (Path.touch, (self.file,))


@pytest.mark.parametrize("kind", ["torch.save", "pickle", "archive"])
def test_a_file_that_does_more_than_tensors_is_refused(tmp_path: Path, tokenizer: Path, kind: str) -> None:
    file, touched = tmp_path / "evil.pt", tmp_path / "touched"
    content = {"visual.proj": torch.zeros(2), "evil": Malicious(touched)}
    if kind == "torch.save":
        torch.save(content, file)
    elif kind == "pickle":
        file.write_bytes(pickle.dumps(content, protocol=2))
    else:
        with zipfile.ZipFile(file, "w") as out:
            out.writestr("evil/data.pkl", pickle.dumps(Malicious(touched)))
            out.writestr("evil/constants.pkl", b"")
    with pytest.raises((ValueError, OSError), match=r"evil.pt .*holds more than tensors.*refused"):
        convert_original_clip(file, tmp_path / "out", tokenizer=tokenizer)
    assert not touched.exists()
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("kind", ["archive", "torch.save", "safetensors", "text"])
def test_a_broken_file_is_named(tmp_path: Path, tokenizer: Path, kind: str) -> None:
    original, file = OriginalCLIP(vocab_size=VOCAB_SIZE), tmp_path / "clip.pt"
    if kind == "archive":
        archive(original, file)
    elif kind == "torch.save":
        torch.save(original.state_dict(), file)
    elif kind == "safetensors":
        file = tmp_path / "clip.safetensors"
        save_file(original.state_dict(), file)
    else:
        file.write_text("This is no checkpoint. " * 9999)
    file.write_bytes(file.read_bytes()[:100_000])
    with pytest.raises(OSError, match=rf"{file.name} is .*download it again"):
        convert_original_clip(file, tmp_path / "out", tokenizer=tokenizer)
    with pytest.raises(OSError, match=r"no file .*nowhere.pt"):
        convert_original_clip(tmp_path / "nowhere.pt", tmp_path / "out", tokenizer=tokenizer)
    assert not (tmp_path / "out").exists()


def test_a_file_without_a_state_dict(tmp_path: Path) -> None:
    for content in ({}, {"epoch": 3}, [torch.zeros(2)]):
        torch.save(content, tmp_path / "file.pt")
        with pytest.raises(ValueError, match="holds no"):
            read_weights(tmp_path / "file.pt")


# --- tokenizer and pictures ---


def test_another_models_tokenizer_is_refused(tmp_path: Path, tokenizer: Path) -> None:
    torch.save(OriginalCLIP().state_dict(), tmp_path / "clip.pt")
    with pytest.raises(ValueError, match="has 514 tokens, the text tower 100"):
        convert_original_clip(tmp_path / "clip.pt", tmp_path / "out", tokenizer=tokenizer)
    with pytest.raises(OSError, match=r"not found at nobody/nothing: pass .*bpe_simple_vocab_16e6.txt.gz"):
        convert_original_clip(tmp_path / "clip.pt", tmp_path / "out", tokenizer="nobody/nothing")
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("suffix", [".txt", ".txt.gz"])
def test_the_tokenizer_of_a_list_of_merges(tmp_path: Path, suffix: str) -> None:
    content = b'"a first line that is no merge"\nc a\nca t</w>\n'
    file = tmp_path / f"merges{suffix}"
    file.write_bytes(gzip.compress(content) if suffix.endswith("gz") else content)
    tokenizer = load_text_tokenizer(file, 77)
    # 256 bytes, the same ending words, two merges, two ends. In GPT-2's order "!" is byte 0, so "c" is byte 66.
    assert len(tokenizer) == 512 + 2 + 2
    assert tokenizer("cat c")["input_ids"] == [514, 513, 256 + ord("c") - ord("!"), 515]
    assert tokenizer.model_max_length == 77


def test_a_way_of_resizing_that_is_not_clips_is_refused() -> None:
    with pytest.raises(ValueError, match="resize_mode is 'squash'"):
        image_processor(32, {"resize_mode": "squash"})
    with pytest.raises(ValueError, match="interpolation is 'nearest'"):
        image_processor(32, {"interpolation": "nearest"})


def test_a_configuration_that_is_none(tmp_path: Path) -> None:
    torch.save(OriginalCLIP(marked=False).state_dict(), tmp_path / "clip.pt")
    bad = {"{": "is not JSON", "[]": "is no JSON object", '{"embed_dim": 3}': "is no configuration of open_clip"}
    bad['{"model_cfg": 3}'] = "is no configuration of open_clip"
    for content, message in bad.items():
        (tmp_path / "config.json").write_text(content)
        with pytest.raises((ValueError, OSError), match=rf"config\.json {message}"):
            convert_original_clip(tmp_path / "clip.pt", tmp_path / "out", config=tmp_path / "config.json")


def test_nothing_of_the_archive_reader_reaches_python(tmp_path: Path) -> None:
    """Builtins, torch's own functions and `__torch__`'s look-alikes are all unknown to the reader."""
    assert "antigravity" not in sys.modules
    for line in (b"cbuiltins\neval\n", b"ctorch\nload\n", b"cos\nsystem\n", b"c__torch\nevil\n", b"ctorch.hub\nload\n"):
        file = tmp_path / "evil.pt"
        with zipfile.ZipFile(file, "w") as out:
            out.writestr("evil/data.pkl", line + b"(X\x12\x00\x00\x00import antigravitytR.")
            out.writestr("evil/constants.pkl", b"")
        with pytest.raises(ValueError, match="refused"):
            read_weights(file)
    assert "antigravity" not in sys.modules
