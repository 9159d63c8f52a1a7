"""A trained tower onto a CLIP and off it again."""

import json
import shutil
from pathlib import Path

import pytest
import torch
from conftest import tiny_clip, tiny_clip_tokenizer
from ipaclip import IPAClipModel, IPAClipProcessor, IPAClipPronunciationModelWithProjection
from ipaclip.conversion_scripts import convert_clip_to_ipaclip, merge, split
from ipaclip.training.sound_alone.fit import add_phonetic_projection
from kernels import assert_same_outputs
from safetensors.torch import load_file, save_file
from transformers import AutoModelForTextEncoding, AutoTokenizer, CLIPImageProcessor, CLIPModel, CLIPProcessor


def same_files(one: Path, other: Path) -> bool:
    ours, theirs = load_file(one / "model.safetensors"), load_file(other / "model.safetensors")
    return ours.keys() == theirs.keys() and all(torch.equal(ours[key], theirs[key]) for key in ours)


def other_clip(directory: Path, projection_dim: int = 16) -> Path:
    """A CLIP with other weights than the tiny checkpoint's, and its processor."""
    tokenizer = tiny_clip_tokenizer()
    config = tiny_clip(tokenizer).config
    config.projection_dim = projection_dim
    torch.manual_seed(9)
    CLIPModel(config).save_pretrained(directory)
    images = CLIPImageProcessor(size={"shortest_edge": 32}, crop_size={"height": 32, "width": 32})
    CLIPProcessor(images, tokenizer).save_pretrained(directory)
    return directory


@pytest.mark.parametrize("name", ["/nowhere/clip", "./nowhere", "runs/a/b/c"])
def test_a_path_to_nothing_is_not_asked_for_on_the_hub(name: str, tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=f"There is no directory {name}: give a checkpoint's directory"):
        convert_clip_to_ipaclip(name, tmp_path / "out")
    with pytest.raises(FileNotFoundError, match=f"There is no directory {name}"):
        split(name, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_the_output_for_sound_alone_goes_with_the_tower(tiny_checkpoint: Path, tmp_path: Path) -> None:
    model = IPAClipModel.from_pretrained(tiny_checkpoint)
    add_phonetic_projection(model, 8, seed=3)
    shutil.copytree(tiny_checkpoint, tmp_path / "whole")
    model.save_pretrained(tmp_path / "whole")
    split(tmp_path / "whole", tmp_path / "parts")
    merge(tmp_path / "parts" / "pronunciation", tmp_path / "parts" / "clip", tmp_path / "again")
    assert same_files(tmp_path / "whole", tmp_path / "again")


def test_split_and_merged_it_is_the_same_again(tiny_checkpoint: Path, tmp_path: Path) -> None:
    assert split(tiny_checkpoint, tmp_path / "parts") <= 1e-4
    assert merge(tmp_path / "parts" / "pronunciation", tmp_path / "parts" / "clip", tmp_path / "again") <= 1e-4
    assert same_files(tiny_checkpoint, tmp_path / "again")
    inputs = [
        IPAClipProcessor.from_pretrained(directory)(ipa=["kæt"], text=["cat"])
        for directory in (tiny_checkpoint, tmp_path / "again")
    ]
    assert dict(inputs[0]) == dict(inputs[1])
    for name in ("gallery.json", "gallery.safetensors"):
        assert (tmp_path / "again" / name).read_bytes() == (tiny_checkpoint / name).read_bytes()


def test_the_parts_load_by_themselves(tiny_checkpoint: Path, tmp_path: Path) -> None:
    split(tiny_checkpoint, tmp_path / "parts")
    whole = IPAClipModel.from_pretrained(tiny_checkpoint)
    tower = AutoModelForTextEncoding.from_pretrained(tmp_path / "parts" / "pronunciation")
    assert type(tower) is IPAClipPronunciationModelWithProjection
    inputs = AutoTokenizer.from_pretrained(tmp_path / "parts" / "pronunciation")(["kæt"], return_tensors="pt")
    expected = whole.get_pronunciation_features(inputs["input_ids"], inputs["attention_mask"]).pooler_output
    assert_same_outputs(tower(inputs["input_ids"], inputs["attention_mask"]).pronunciation_embeds, expected)

    clip_inputs = CLIPProcessor.from_pretrained(tmp_path / "parts" / "clip")(text=["cat"], return_tensors="pt")
    clip = CLIPModel.from_pretrained(tmp_path / "parts" / "clip")
    assert clip.config.model_type == "clip"
    assert not [key for key in load_file(tmp_path / "parts" / "clip" / "model.safetensors") if "pronunciation" in key]
    expected = whole.get_text_features(**clip_inputs).pooler_output
    assert_same_outputs(clip.get_text_features(**clip_inputs).pooler_output, expected)


def test_onto_another_clip(tiny_checkpoint: Path, tmp_path: Path) -> None:
    clip = other_clip(tmp_path / "clip")
    assert merge(tiny_checkpoint, clip, tmp_path / "out") <= 1e-4
    weights, tower = load_file(tmp_path / "out" / "model.safetensors"), load_file(tiny_checkpoint / "model.safetensors")
    theirs = load_file(clip / "model.safetensors")
    assert weights.keys() == tower.keys()
    for key, value in weights.items():
        assert torch.equal(value, (tower if key.startswith("pronunciation_") else theirs)[key]), key
    assert not (tmp_path / "out" / "gallery.json").exists()  # these pictures were another CLIP's


def test_how_words_were_transcribed_travels_along(tiny_checkpoint_copy: Path, tmp_path: Path) -> None:
    file = tiny_checkpoint_copy / "processor_config.json"
    file.write_text(json.dumps({**json.loads(file.read_text()), "language": "deu-Latn", "transcriber": "epitran"}))
    split(tiny_checkpoint_copy, tmp_path / "parts")
    merge(tmp_path / "parts" / "pronunciation", tmp_path / "parts" / "clip", tmp_path / "again")
    processor = IPAClipProcessor.from_pretrained(tmp_path / "again")
    assert (processor.language, processor.transcriber) == ("deu-Latn", "epitran")


@pytest.mark.parametrize("apart", [False, True])
def test_which_transcriber_each_language_had_travels_along(
    tiny_checkpoint_copy: Path, tmp_path: Path, apart: bool
) -> None:
    record = {
        "deu-Latn": {"backend": "epitran", "version": "epitran 1.35.3"},
        "eng-Latn": {"backend": "espeak", "version": "espeak-ng 1.52.0"},
    }
    file = tiny_checkpoint_copy / "processor_config.json"
    file.write_text(json.dumps({**json.loads(file.read_text()), "transcriber": "espeak", "transcribers": record}))
    tower = tiny_checkpoint_copy
    if apart:
        split(tiny_checkpoint_copy, tmp_path / "parts")
        tower = tmp_path / "parts" / "pronunciation"
    merge(tower, other_clip(tmp_path / "clip"), tmp_path / "again")
    processor = IPAClipProcessor.from_pretrained(tmp_path / "again")
    assert processor.transcribers == record
    assert processor.backend_of("deu-Latn") == "epitran"


def test_gate_and_token_map_go_with_the_tower_and_pictures_with_the_clip(
    tiny_checkpoint_copy: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    for name in ("fusion.json", "token_head.safetensors"):
        (tiny_checkpoint_copy / name).write_bytes(name.encode())
    split(tiny_checkpoint_copy, tmp_path / "parts")
    parts = {one: {path.name for path in (tmp_path / "parts" / one).iterdir()} for one in ("pronunciation", "clip")}
    assert {"fusion.json", "token_head.safetensors"} <= parts["pronunciation"] - parts["clip"]
    assert {"gallery.json", "gallery.safetensors"} <= parts["clip"] - parts["pronunciation"]
    merge(tmp_path / "parts" / "pronunciation", tmp_path / "parts" / "clip", tmp_path / "again")
    for name in ("fusion.json", "token_head.safetensors", "gallery.json", "gallery.safetensors"):
        assert (tmp_path / "again" / name).read_bytes() == (tiny_checkpoint_copy / name).read_bytes()
    assert "onto another CLIP it must be fitted anew" in caplog.text


def test_results_with_pictures_stay_with_their_clip(tiny_checkpoint_copy: Path, tmp_path: Path) -> None:
    metrics = {"run": {"steps": 3}, "retrieval": {"rows": []}}
    (tiny_checkpoint_copy / "metrics.json").write_text(json.dumps(metrics))
    merge(tiny_checkpoint_copy, other_clip(tmp_path / "clip"), tmp_path / "out")
    merged = json.loads((tmp_path / "out" / "metrics.json").read_text())
    assert merged == {"run": {"steps": 3}, "merged_onto": str(tmp_path / "clip")}


def test_different_dtypes_meet_in_the_wider_one(tiny_checkpoint: Path, tmp_path: Path) -> None:
    IPAClipModel.from_pretrained(tiny_checkpoint, dtype=torch.float16).save_pretrained(tmp_path / "half")
    IPAClipProcessor.from_pretrained(tiny_checkpoint).save_pretrained(tmp_path / "half")
    assert merge(tmp_path / "half", tiny_checkpoint, tmp_path / "out") <= 1e-4
    weights, half = (load_file(tmp_path / name / "model.safetensors") for name in ("out", "half"))
    key = "pronunciation_projection.weight"
    assert weights[key].dtype == torch.float32
    assert torch.equal(weights[key], half[key].float())


def test_half_precision_stays_half(tiny_checkpoint: Path, tmp_path: Path) -> None:
    IPAClipModel.from_pretrained(tiny_checkpoint, dtype=torch.float16).save_pretrained(tmp_path / "half")
    IPAClipProcessor.from_pretrained(tiny_checkpoint).save_pretrained(tmp_path / "half")
    split(tmp_path / "half", tmp_path / "parts")
    merge(tmp_path / "parts" / "pronunciation", tmp_path / "parts" / "clip", tmp_path / "again")
    for name in ("parts/pronunciation", "parts/clip", "again"):
        weights = load_file(tmp_path / name / "model.safetensors").values()
        assert {weight.dtype for weight in weights} == {torch.float16}, name
    assert same_files(tmp_path / "half", tmp_path / "again")


def test_another_width_is_refused(tiny_checkpoint: Path, tmp_path: Path) -> None:
    clip = other_clip(tmp_path / "clip", projection_dim=24)
    with pytest.raises(ValueError, match=r"ends in 16 dimensions, .*/clip in 24"):
        merge(tiny_checkpoint, clip, tmp_path / "out")
    assert {path.name for path in tmp_path.iterdir()} == {"clip"}


def test_a_vocabulary_of_another_size_is_refused(tiny_checkpoint_copy: Path, tmp_path: Path) -> None:
    tokenizer = IPAClipProcessor.from_pretrained(tiny_checkpoint_copy).pronunciation_tokenizer
    size = len(tokenizer)
    tokenizer.add_tokens(["new"])
    tokenizer.save_pretrained(tiny_checkpoint_copy / "pronunciation_tokenizer")
    with pytest.raises(ValueError, match=f"has {size + 1} tokens, the tower {size}"):
        split(tiny_checkpoint_copy, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_a_vocabulary_in_another_order_is_refused(tiny_checkpoint_copy: Path, tmp_path: Path) -> None:
    file = tiny_checkpoint_copy / "pronunciation_tokenizer" / "tokenizer.json"
    content = json.loads(file.read_text(encoding="utf-8"))
    vocabulary = content["model"]["vocab"]
    content["model"]["vocab"] = [*vocabulary[:10], *reversed(vocabulary[10:])]
    file.write_text(json.dumps(content), encoding="utf-8")
    with pytest.raises(ValueError, match=r"does not match the tower's feature table: \d+ of \d+ tokens"):
        split(tiny_checkpoint_copy, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_a_table_that_was_never_filled_is_refused(tiny_checkpoint_copy: Path, tmp_path: Path) -> None:
    file = tiny_checkpoint_copy / "model.safetensors"
    weights = load_file(file)
    weights["pronunciation_model.embeddings.phoneme_features"].fill_(float("nan"))
    save_file(weights, file, metadata={"format": "pt"})
    with pytest.raises(ValueError, match="feature table"):
        split(tiny_checkpoint_copy, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_what_is_no_ipaclip_is_refused(tiny_checkpoint_copy: Path, tmp_path: Path) -> None:
    clip = other_clip(tmp_path / "clip")
    with pytest.raises(ValueError, match="pronunciation tower"):
        split(clip, tmp_path / "out")
    with pytest.raises(ValueError, match="pronunciation tower"):
        merge(clip, clip, tmp_path / "out")
    shutil.rmtree(tiny_checkpoint_copy / "pronunciation_tokenizer")
    with pytest.raises(OSError, match="no folder 'pronunciation_tokenizer'"):
        split(tiny_checkpoint_copy, tmp_path / "out")
    assert not (tmp_path / "out").exists()
