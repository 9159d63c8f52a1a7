"""CLIP checkpoints → IPA-CLIPs."""

import os
import re
from pathlib import Path
from typing import Any

import pytest
import torch
from conftest import tiny_clip, tiny_clip_tokenizer
from ipaclip import IPAClipModel, IPAClipProcessor
from ipaclip.common.files import new_directory
from ipaclip.conversion_scripts import convert_clip_to_ipaclip
from ipaclip.presets import PRESET_NAMES
from safetensors.torch import load_file, save_file
from transformers import CLIPImageProcessor, CLIPModel, CLIPTextConfig


@pytest.fixture
def clip_directory(tmp_path: Path) -> Path:
    tokenizer = tiny_clip_tokenizer()
    tiny_clip(tokenizer).save_pretrained(tmp_path / "clip")
    tokenizer.save_pretrained(tmp_path / "clip")
    CLIPImageProcessor(size={"shortest_edge": 32}, crop_size=32).save_pretrained(tmp_path / "clip")
    return tmp_path / "clip"


def everything_in(directory: Path) -> set[str]:
    return {path.name for path in directory.iterdir()}


@pytest.mark.parametrize("feature_set", ["panphon", "ipa_chart", "learned"])
def test_the_clip_stays_as_it_is_and_the_tower_speaks(clip_directory: Path, tmp_path: Path, feature_set: str) -> None:
    assert convert_clip_to_ipaclip(clip_directory, tmp_path / "out", feature_set=feature_set) <= 1e-4
    model = IPAClipModel.from_pretrained(tmp_path / "out")
    weights = model.state_dict()
    for name, weight in load_file(clip_directory / "model.safetensors").items():
        assert torch.equal(weights[name], weight), name
    processor = IPAClipProcessor.from_pretrained(tmp_path / "out")
    first, second = model.get_pronunciation_features(**processor(ipa=["kæt", "dɔɡ"], return_tensors="pt")).pooler_output
    assert torch.isfinite(first).all()
    assert not torch.allclose(first, second)
    assert model.config.pronunciation_config.feature_set == feature_set


def test_the_seed_decides_the_tower(clip_directory: Path, tmp_path: Path) -> None:
    towers = []
    for name, seed in (("a", 0), ("b", 0), ("c", 1)):
        convert_clip_to_ipaclip(clip_directory, tmp_path / name, seed=seed)
        towers.append(IPAClipModel.from_pretrained(tmp_path / name).pronunciation_projection.weight)
    assert torch.equal(towers[0], towers[1])
    assert not torch.equal(towers[0], towers[2])


@pytest.mark.parametrize("preset", PRESET_NAMES)
def test_presets_shape_the_tower(clip_directory: Path, tmp_path: Path, preset: str) -> None:
    convert_clip_to_ipaclip(clip_directory, tmp_path / "out", preset=preset)
    config = IPAClipModel.from_pretrained(tmp_path / "out").config
    # base is the text tower's own shape
    expected = {"tiny": (128, 2), "small": (256, 3), "medium": (384, 6), "base": (16, 2)}
    assert (config.pronunciation_config.hidden_size, config.pronunciation_config.num_hidden_layers) == expected[preset]


def test_single_values_win_over_the_preset(clip_directory: Path, tmp_path: Path) -> None:
    wanted = {"num_hidden_layers": 1, "max_position_embeddings": 40}
    convert_clip_to_ipaclip(clip_directory, tmp_path / "out", preset="tiny", pronunciation_config=wanted)
    config = IPAClipModel.from_pretrained(tmp_path / "out").config.pronunciation_config
    assert (config.hidden_size, config.num_hidden_layers) == (128, 1)
    tokenizer = IPAClipProcessor.from_pretrained(tmp_path / "out").pronunciation_tokenizer
    assert tokenizer.model_max_length == config.max_position_embeddings == 40


def test_a_tower_may_start_as_the_text_tower(clip_directory: Path, tmp_path: Path) -> None:
    convert_clip_to_ipaclip(clip_directory, tmp_path / "out", init_from_text_tower=True)
    weights = IPAClipModel.from_pretrained(tmp_path / "out").state_dict()
    taken = [name for name in weights if name.startswith(("text_model.encoder.", "text_model.final_layer_norm."))]
    assert len(taken) > 30
    for name in [*taken, "text_projection.weight"]:
        assert torch.equal(weights[name.replace("text_", "pronunciation_", 1)], weights[name]), name


def test_fewer_layers_are_taken_evenly_spaced() -> None:
    from ipaclip.conversion_scripts.convert_clip_to_ipaclip import start_as_text_tower
    from modeling_helpers import feature_table
    from transformers import CLIPConfig

    shape = {"hidden_size": 16, "intermediate_size": 32, "num_attention_heads": 2}
    clip = CLIPModel(
        CLIPConfig(
            text_config={**shape, "num_hidden_layers": 5, "vocab_size": 99},
            vision_config={**shape, "num_hidden_layers": 1, "image_size": 32, "patch_size": 16},
            projection_dim=16,
        )
    )
    model = IPAClipModel.from_clip(clip, feature_table(), {"num_hidden_layers": 3})
    start_as_text_tower(model)
    text, pronunciation = model.text_model.encoder.layers, model.pronunciation_model.encoder.layers
    for ours, theirs in enumerate((0, 2, 4)):
        assert torch.equal(pronunciation[ours].mlp.fc1.weight, text[theirs].mlp.fc1.weight)


@pytest.mark.parametrize(
    ("tower", "message"),
    [
        ({"preset": "huge"}, "no preset 'huge': choose from tiny, small, medium, base"),
        ({"preset": "tiny", "init_from_text_tower": True}, "hidden_size=128, for its own is 16"),
        (
            {"init_from_text_tower": True, "pronunciation_config": {"num_attention_heads": 4}},
            "num_attention_heads=4, for its own is 2",
        ),
        ({"init_from_text_tower": True, "pronunciation_config": {"num_hidden_layers": 3}}, "2 layers, too few"),
        ({"pronunciation_config": {"hiden_size": 8}}, "did you mean `hidden_size`"),
    ],
)
def test_a_tower_that_cannot_be_leaves_nothing(
    clip_directory: Path, tmp_path: Path, tower: dict[str, Any], message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        convert_clip_to_ipaclip(clip_directory, tmp_path / "out", **tower)
    assert everything_in(tmp_path) == {"clip"}


# --- bad sources and outputs ---


def test_a_directory_with_files_and_a_file_are_refused(clip_directory: Path) -> None:
    with pytest.raises(ValueError, match="is not empty"):
        convert_clip_to_ipaclip(clip_directory, clip_directory)
    with pytest.raises(ValueError, match="is a file"):
        convert_clip_to_ipaclip(clip_directory, clip_directory / "config.json")


def test_a_clip_that_lacks_a_weight_is_refused(clip_directory: Path, tmp_path: Path) -> None:
    file = clip_directory / "model.safetensors"
    weights = load_file(file)
    del weights["visual_projection.weight"]
    save_file(weights, file, metadata={"format": "pt"})
    with pytest.raises(ValueError, match=r"no whole CLIP: it lacks 1 weights \(as visual_projection.weight\)"):
        convert_clip_to_ipaclip(clip_directory, tmp_path / "out")
    assert everything_in(tmp_path) == {"clip"}


@pytest.mark.parametrize("length", [5, 5000])
def test_a_cut_off_weight_file_is_named(clip_directory: Path, tmp_path: Path, length: int) -> None:
    file = clip_directory / "model.safetensors"
    file.write_bytes(file.read_bytes()[:length])
    with pytest.raises(OSError, match=r"/clip/model.safetensors is not a valid safetensors file"):
        convert_clip_to_ipaclip(clip_directory, tmp_path / "out")
    assert everything_in(tmp_path) == {"clip"}


@pytest.mark.parametrize("missing", ["model.safetensors", "config.json", "tokenizer.json", "preprocessor_config.json"])
def test_half_a_directory_is_refused(clip_directory: Path, tmp_path: Path, missing: str) -> None:
    (clip_directory / missing).unlink()
    with pytest.raises((OSError, ValueError), match="clip"):
        convert_clip_to_ipaclip(clip_directory, tmp_path / "out")
    assert everything_in(tmp_path) == {"clip"}


def test_another_model_is_refused(tmp_path: Path) -> None:
    CLIPTextConfig().save_pretrained(tmp_path / "text")
    with pytest.raises((OSError, ValueError), match="text"):
        convert_clip_to_ipaclip(tmp_path / "text", tmp_path / "out")


def test_a_name_that_is_nowhere_is_named(tmp_path: Path) -> None:
    with pytest.raises(OSError, match="No CLIP could be loaded from nobody/no-such-clip"):
        convert_clip_to_ipaclip("nobody/no-such-clip", tmp_path / "out")


# --- directories that appear whole or not at all ---


def test_a_directory_appears_only_when_it_is_whole(tmp_path: Path) -> None:
    with new_directory(tmp_path / "a" / "b") as directory:
        (directory / "file").write_text("x")
        assert not (tmp_path / "a" / "b").exists()
    assert (tmp_path / "a" / "b" / "file").read_text() == "x"
    (tmp_path / "empty").mkdir()

    def interrupted() -> None:
        with new_directory(tmp_path / "empty") as directory:
            (directory / "file").write_text("x")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert everything_in(tmp_path) == {"a", "empty"}
    assert not everything_in(tmp_path / "empty")


def test_without_permission_the_wanted_directory_is_named(tmp_path: Path) -> None:
    tmp_path.chmod(0o555)
    as_root = os.geteuid() == 0  # to whom no directory is closed
    if as_root:
        os.seteuid(65534)
    try:
        with (
            pytest.raises(PermissionError, match=f"{tmp_path}/out'"),
            new_directory(tmp_path / "out"),
        ):
            pass
    finally:
        if as_root:
            os.seteuid(0)
        tmp_path.chmod(0o755)


# --- the command ---


def command(*words: object) -> Any:
    from ipaclip.cli import app
    from typer.testing import CliRunner

    return CliRunner().invoke(app, [str(word) for word in words])


def assert_passed(printed: str, beginning: str) -> None:
    """One line that ends in the difference and in what passes for rounding."""
    assert printed.startswith(beginning)
    found = re.fullmatch(r".*embeddings differ by (\S+) of the largest value \(rounding: up to 1e-04\)\n", printed)
    assert found
    assert 0 <= float(found[1]) <= 1e-4


@pytest.mark.parametrize("words", [["convert", "clip"], ["convert"]])
def test_convert_clip(clip_directory: Path, tmp_path: Path, words: list[str]) -> None:
    result = command(*words, clip_directory, tmp_path / "out", "--preset", "tiny")
    assert result.exit_code == 0, result.output
    assert_passed(result.stdout, f"{tmp_path}/out: the weights are those of {clip_directory}; ")
    assert IPAClipModel.from_pretrained(tmp_path / "out").config.pronunciation_config.hidden_size == 128


def test_convert_split_and_merge(tiny_checkpoint: Path, tmp_path: Path) -> None:
    result = command("convert", "split", tiny_checkpoint, tmp_path / "parts")
    assert result.exit_code == 0, result.output
    assert_passed(result.stdout, f"{tmp_path}/parts/pronunciation, {tmp_path}/parts/clip: the weights are those of ")
    parts = tmp_path / "parts"
    result = command("convert", "merge", parts / "pronunciation", parts / "clip", tmp_path / "whole")
    assert result.exit_code == 0, result.output
    assert (tmp_path / "whole" / "model.safetensors").is_file()


def test_convert_original(tmp_path: Path) -> None:
    from original_clip import OriginalCLIP

    tiny_clip_tokenizer().save_pretrained(tmp_path / "tokenizer")
    torch.save(OriginalCLIP(vocab_size=514, marked=False).state_dict(), tmp_path / "clip.pt")
    words = ["convert", "original", tmp_path / "clip.pt", tmp_path / "out", "--tokenizer", tmp_path / "tokenizer"]
    result = command(*words)
    assert (result.exit_code, result.stderr.count("\n")) == (2, 1)
    assert "GELU or QuickGELU" in result.stderr
    result = command(*words, "--activation", "gelu")
    assert result.exit_code == 0, result.output
    assert IPAClipModel.from_pretrained(tmp_path / "out").config.vision_config.hidden_act == "gelu"


def test_convert_onnx_prints_the_comparison(tiny_checkpoint: Path, tmp_path: Path) -> None:
    pytest.importorskip("onnxscript")
    result = command("convert", "onnx", tiny_checkpoint, tmp_path / "out", "--no-int8")
    assert result.exit_code == 0, result.output
    assert [line.split("|")[2].strip() for line in result.stdout.splitlines()[2:]] == ["PyTorch fp32", "ONNX fp32"]
