"""Whole distillations from teachers of several kinds: what starts where, what is saved, what is not computed twice."""

from functools import partial

import numpy as np
import pytest
import torch
from ipaclip.training.distillation import Distillation
from test_teachers import bert_checkpoint
from training_helpers import configure, log


@pytest.fixture
def configuration(tmp_path, tiny_checkpoint):
    return partial(configure, tmp_path, tiny_checkpoint)


def test_a_second_run_with_the_same_teacher_asks_it_nothing(configuration, monkeypatch):
    from ipaclip.training.teachers import ClipTeacher

    asked, embed = [], ClipTeacher.embed
    monkeypatch.setattr(ClipTeacher, "embed", lambda self, *texts: asked.append(texts) or embed(self, *texts))
    Distillation(configuration("one", loop={"steps": 1}))
    once = len(asked)
    Distillation(configuration("two", loop={"steps": 1}))
    assert once > 0
    assert len(asked) == once


def test_a_tower_like_the_teacher_s_starts_as_the_teacher_s_blocks(configuration):
    student = {"preset": "base", "init_from_text_tower": True, "hidden_size": None, "intermediate_size": None,
               "num_hidden_layers": None, "num_attention_heads": None}  # fmt: skip
    run = Distillation(configuration(student=student, loop={"steps": 1}))
    ours, theirs = run.tower.pronunciation_model.encoder, run.teacher.text_tower.encoder
    assert all(torch.equal(value, theirs.state_dict()[key]) for key, value in ours.state_dict().items())
    run.run()


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
    assert "it hears as its transcriber does, and has no pictures" in card
