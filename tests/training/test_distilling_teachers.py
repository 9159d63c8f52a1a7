"""Whole distillations from teachers of several kinds: what starts where, what is saved, what is not computed twice."""

import json
import shutil
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import torch
from conftest import tiny_clip, tiny_clip_tokenizer
from ipaclip.conversion_scripts.merge_split import load_tower
from ipaclip.training import distillation
from ipaclip.training.distillation import Distillation
from ipaclip.training.teachers import TeacherError, load_teacher
from teacher_helpers import bert_checkpoint
from training_helpers import WORDS, configure, log


@pytest.fixture
def configuration(tmp_path, tiny_checkpoint):
    return partial(configure, tmp_path, tiny_checkpoint)


def test_a_second_run_with_the_same_teacher_asks_it_nothing(configuration, monkeypatch):
    from ipaclip.training.teachers import ClipTeacher

    asked, embed = [], ClipTeacher.embed
    monkeypatch.setattr(ClipTeacher, "embed", lambda self, texts: asked.extend(texts) or embed(self, texts))
    for output in ("one", "two"):
        Distillation(configuration(output, loop={"steps": 1}))
    assert sorted(asked) == sorted(WORDS)


def test_a_tower_like_the_teacher_s_starts_as_the_teacher_s_blocks(configuration):
    student = {"preset": "base", "init_from_text_tower": True, "hidden_size": None, "intermediate_size": None,
               "num_hidden_layers": None, "num_attention_heads": None}  # fmt: skip
    run = Distillation(configuration(student=student, loop={"steps": 1}))
    ours, theirs = run.tower.pronunciation_model.encoder, run.teacher.text_tower.encoder
    assert all(torch.equal(value, theirs.state_dict()[key]) for key, value in ours.state_dict().items())
    run.run()


@pytest.mark.parametrize(
    ("lacking", "message"),
    [
        ("images", "has no image processor that can be loaded"),
        ("tokenizer", "its tokenizer is missing, or does not fit"),
    ],
)
def test_a_teacher_that_lacks_a_part_is_refused_before_rows_are_read(tmp_path, monkeypatch, lacking, message):
    from transformers import CLIPImageProcessor

    tokenizer = tiny_clip_tokenizer()
    tiny_clip(tokenizer).save_pretrained(tmp_path / "clip")
    if lacking != "tokenizer":
        tokenizer.save_pretrained(tmp_path / "clip")
    if lacking != "images":
        CLIPImageProcessor(size={"shortest_edge": 32}, crop_size=32).save_pretrained(tmp_path / "clip")
    monkeypatch.setattr(distillation, "load_data", lambda *_: pytest.fail("rows are read"))
    with pytest.raises(TeacherError, match=message):
        Distillation(configure(tmp_path, tmp_path / "clip"))


def test_a_sentence_encoder_without_its_tokenizer_is_refused(tmp_path):
    folder = bert_checkpoint(tmp_path / "bert")
    for name in ("tokenizer.json", "tokenizer_config.json"):
        (Path(folder) / name).unlink()
    with pytest.raises(TeacherError, match="its tokenizer is missing"):
        load_teacher(str(folder))


def test_a_tower_saved_alone_says_how_words_were_transcribed(tmp_path):
    pytest.importorskip("phonemizer")
    rows = tmp_path / "spoken.jsonl"
    spoken = [("Katze", "deu-Latn"), ("Hund", "deu-Latn"), ("cat", "eng-Latn"), ("dog", "eng-Latn")]
    rows.write_text("".join(json.dumps({"text": text, "language": spoken_in}) + "\n" for text, spoken_in in spoken))
    data = {"train": [str(rows)], "transcriber": "espeak"}
    teacher = bert_checkpoint(tmp_path / "bert")
    directory = Distillation(configure(tmp_path, teacher, data=data, loop={"steps": 1, "batch_size": 2})).run()
    speech = load_tower(directory).speech
    assert (speech.language, speech.transcriber) == ("eng-Latn", "espeak")
    assert {language: one["backend"] for language, one in speech.transcribers.items()} == {
        "deu-Latn": "espeak",
        "eng-Latn": "espeak",
    }


def test_a_gallery_travels_and_a_gate_of_the_teacher_s_own_tower_does_not(tiny_checkpoint, tmp_path):
    teacher = shutil.copytree(tiny_checkpoint, tmp_path / "teacher")
    (teacher / "fusion.json").write_text("{}")
    directory = Distillation(configure(tmp_path, teacher, loop={"steps": 1})).run()
    for name in ("gallery.json", "gallery.safetensors"):
        assert (directory / name).read_bytes() == (teacher / name).read_bytes()
    assert not (directory / "fusion.json").exists()


def test_the_teacher_may_know_texts_alone(tmp_path):
    from ipaclip import IPAClipPronunciationModelWithProjection
    from ipaclip.tokenization import IPATokenizer

    arguments = configure(tmp_path, bert_checkpoint(tmp_path / "bert"), loop={"steps": 100})
    directory = Distillation(arguments).run()
    losses = [record["loss"] for record in log(directory)]
    assert np.mean(losses[-10:]) < 0.7 * np.mean(losses[:10])
    model = IPAClipPronunciationModelWithProjection.from_pretrained(directory)
    ids = IPATokenizer.from_pretrained(directory)(["kæt"], return_tensors="pt")
    assert model(**ids).pronunciation_embeds.shape == (1, 16)
    card = " ".join((directory / "README.md").read_text().split())
    assert "the tower, its projection and its tokenizer alone" in card
    assert "It has no pictures." in card
