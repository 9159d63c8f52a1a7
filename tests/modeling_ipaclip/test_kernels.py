"""Wherever weights lie in memory, models say the same but for rounding, and what compares them lets rounding pass."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from conftest import tiny_clip, tiny_clip_tokenizer
from ipaclip import IPAClipModel
from ipaclip.conversion_scripts import convert_clip_to_ipaclip, merge, split
from ipaclip.conversion_scripts.comparison import TOLERANCE
from ipaclip.conversion_scripts.load_clip import require_same_clip
from kernels import PLACES, assert_same_outputs, move_file, moved, same_weights
from modeling_helpers import pixels, pronunciation_ids, text_ids, tiny_model
from safetensors.torch import load_file, save_file
from transformers import CLIPImageProcessor, PreTrainedModel


def outputs(model: IPAClipModel) -> list[torch.Tensor]:
    ids, mask = pronunciation_ids()
    with torch.no_grad():
        return [
            model.get_image_features(pixels()).pooler_output,
            model.get_text_features(text_ids()).pooler_output,
            model.get_pronunciation_features(ids, mask).pooler_output,
            model.get_pronunciation_features(ids[:1, :4]).pooler_output,
        ]


@pytest.mark.parametrize("place", PLACES)
def test_outputs_are_the_same_wherever_weights_lie(place: int, tmp_path: Path) -> None:
    model = tiny_model()
    model.save_pretrained(tmp_path)
    move_file(tmp_path / "model.safetensors", place)
    expected = outputs(model)
    for other in (moved(model, place), IPAClipModel.from_pretrained(tmp_path)):
        assert same_weights(model, other)
        for one, two in zip(outputs(other), expected, strict=True):
            assert_same_outputs(one, two)


@pytest.mark.parametrize("place", PLACES)
def test_what_was_written_passes_wherever_weights_lie(place: int) -> None:
    clip = tiny_clip(tiny_clip_tokenizer())
    assert 0 <= require_same_clip(clip, moved(clip, place), "the CLIP") <= TOLERANCE


@pytest.mark.parametrize("place", [4, 36, 60])
def test_the_commands_pass_wherever_weights_lie(place: int, tiny_checkpoint: Path, tmp_path: Path) -> None:
    whole, parts = Path(shutil.copytree(tiny_checkpoint, tmp_path / "whole")), tmp_path / "parts"
    move_file(whole / "model.safetensors", place)
    assert split(whole, parts) <= TOLERANCE
    for part in ("pronunciation", "clip"):
        move_file(parts / part / "model.safetensors", place)
    assert merge(parts / "pronunciation", parts / "clip", tmp_path / "again") <= TOLERANCE
    assert convert_clip_to_ipaclip(parts / "clip", tmp_path / "new", preset="tiny") <= TOLERANCE
    before, after = (load_file(directory / "model.safetensors") for directory in (whole, tmp_path / "again"))
    assert before.keys() == after.keys()
    assert all(torch.equal(after[key], weight) for key, weight in before.items())


def clip_directory(directory: Path, dtype: torch.dtype = torch.float32) -> Path:
    tokenizer = tiny_clip_tokenizer()
    tiny_clip(tokenizer).to(dtype).save_pretrained(directory)
    tokenizer.save_pretrained(directory)
    CLIPImageProcessor(size={"shortest_edge": 32}, crop_size=32).save_pretrained(directory)
    return directory


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_half_precision_is_compared_in_single(dtype: torch.dtype, tmp_path: Path) -> None:
    source = clip_directory(tmp_path / "clip", dtype)
    move_file(source / "model.safetensors", 20)
    assert convert_clip_to_ipaclip(source, tmp_path / "out", preset="tiny") <= TOLERANCE
    assert IPAClipModel.from_pretrained(tmp_path / "out").dtype == dtype


# --- what rounding does not explain ---


def damage(monkeypatch: pytest.MonkeyPatch, change: Callable[[Path], None]) -> None:
    """Whatever a model saves is changed at once."""
    save = PreTrainedModel.save_pretrained

    def save_and_change(self: PreTrainedModel, directory: Path, **options: Any) -> None:
        save(self, directory, **options)
        change(Path(directory))

    monkeypatch.setattr(PreTrainedModel, "save_pretrained", save_and_change)


def last_bit_of(name: str) -> Callable[[Path], None]:
    def change(directory: Path) -> None:
        weights = load_file(directory / "model.safetensors")
        if name in weights:
            weights[name].view(torch.int32).flatten()[0] ^= 1
        save_file(weights, directory / "model.safetensors", metadata={"format": "pt"})

    return change


def activation_of(tower: str) -> Callable[[Path], None]:
    def change(directory: Path) -> None:
        values = json.loads((directory / "config.json").read_text())
        values.get(f"{tower}_config", values if tower in values["model_type"] else {})["hidden_act"] = "relu"
        (directory / "config.json").write_text(json.dumps(values))

    return change


COMMANDS = {
    "convert": lambda checkpoint, output: convert_clip_to_ipaclip(checkpoint, output, preset="tiny"),
    "split": split,
    "merge": lambda checkpoint, output: merge(checkpoint, checkpoint, output),
}


@pytest.mark.parametrize(
    ("command", "weight"),
    [
        ("convert", "text_projection.weight"),
        ("split", "visual_projection.weight"),
        ("split", "pronunciation_projection.weight"),
        ("merge", "vision_model.embeddings.class_embedding"),
        ("merge", "pronunciation_model.final_layer_norm.bias"),
    ],
)
def test_the_last_bit_of_a_weight_is_missed(
    command: str, weight: str, tiny_checkpoint: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    damage(monkeypatch, last_bit_of(weight))
    with pytest.raises(ValueError, match=rf"does not hold the weights of .*tiny: 1 differ \(as {weight}\)"):
        COMMANDS[command](tiny_checkpoint, tmp_path / "out")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("command", "tower"),
    [("convert", "vision"), ("split", "text"), ("split", "pronunciation"), ("merge", "pronunciation")],
)
def test_another_activation_is_no_rounding(
    command: str, tower: str, tiny_checkpoint: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    damage(monkeypatch, activation_of(tower))
    with pytest.raises(ValueError, match=r"does not give the embeddings of .*tiny: they differ by up to .* rounding"):
        COMMANDS[command](tiny_checkpoint, tmp_path / "out")
    assert not list(tmp_path.iterdir())


def test_what_is_no_number_is_no_rounding(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    clip = tiny_clip(tiny_clip_tokenizer())
    broken = moved(clip, 0)
    with torch.no_grad():
        for model in (clip, broken):
            model.visual_projection.weight[0, 0] = float("nan")
    with pytest.raises(ValueError, match="differ by up to nan"):
        require_same_clip(clip, broken, "the CLIP")
