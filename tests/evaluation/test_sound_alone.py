"""Sound alone in the evaluation: beside the towers where a checkpoint has it, and nowhere else."""

import json
import pickle

import numpy as np
import pytest
import torch
from ipaclip import IPAClipModel, IPAClipProcessor
from ipaclip.evaluation.phonemes.phonemes import phoneme_vectors
from ipaclip.evaluation.pwesuite.suite import embed_and_export
from ipaclip.evaluation.pwesuite.words import Word, embed_words
from ipaclip.evaluation.sound_alone import encode_sound, has_sound_alone
from ipaclip.evaluation.suites import Checkpoint, Options, run_suites
from ipaclip.training.sound_alone.fit import add_phonetic_projection
from kernels import assert_same_outputs

IPA = ["pæt", "bæt", "mæn", "ʌndɚɹɪtən"]


@pytest.fixture(scope="module")
def checkpoint(tiny_checkpoint):
    model = IPAClipModel.from_pretrained(tiny_checkpoint).eval()
    add_phonetic_projection(model, 8, 4)
    return Checkpoint("tiny", model, IPAClipProcessor.from_pretrained(tiny_checkpoint))


@pytest.fixture(scope="module")
def plain(tiny_checkpoint):
    model = IPAClipModel.from_pretrained(tiny_checkpoint).eval()
    return Checkpoint("tiny", model, IPAClipProcessor.from_pretrained(tiny_checkpoint))


@pytest.fixture
def judged(tmp_path):
    path = tmp_path / "judged.csv"
    path.write_text("word1,word2,obtained\npat,bat,3\nman,bat,1\ncat,bat,2\nsix,bat,1\n", encoding="utf-8")
    return path


@pytest.fixture
def words(tmp_path):
    path = tmp_path / "words"
    path.mkdir()
    rows = [{"token_ort": one, "token_ipa": one, "token_arp": "", "lang": "en", "purpose": "main"} for one in IPA]
    (path / "train.jsonl").write_text("\n".join(map(json.dumps, rows)), encoding="utf-8")
    return path


def test_encoding_keeps_order_and_length(checkpoint):
    found = encode_sound(checkpoint.model, checkpoint.processor, IPA)
    assert found.shape == (4, 8)
    with torch.no_grad():
        for row, one in zip(found, IPA, strict=True):
            inputs = checkpoint.processor(ipa=[one], return_tensors="pt")
            expected = checkpoint.model.get_phonetic_features(**inputs).pooler_output[0]
            assert_same_outputs(torch.from_numpy(row), expected)
    assert encode_sound(checkpoint.model, checkpoint.processor, []).shape == (0, 8)


def test_only_where_a_model_has_it(checkpoint, plain):
    assert has_sound_alone(checkpoint.model)
    assert not has_sound_alone(plain.model)
    with_it, without = (
        phoneme_vectors(one.model, one.processor.pronunciation_tokenizer, ["p", "b"]) for one in (checkpoint, plain)
    )
    assert list(without) == ["embedding", "tower"]
    assert list(with_it) == ["embedding", "tower", "sound alone"]
    alone = encode_sound(checkpoint.model, checkpoint.processor, ["p", "b"])
    assert_same_outputs(torch.from_numpy(with_it["sound alone"]), torch.from_numpy(alone))


def test_embedding_the_words_keeps_their_lengths_relative(checkpoint):
    words = [Word(one, one, "", "en", "main") for one in IPA]
    raw = encode_sound(checkpoint.model, checkpoint.processor, IPA)
    scaled, silent = embed_words(words, lambda some: encode_sound(checkpoint.model, checkpoint.processor, some))
    assert silent == []
    assert np.mean(scaled**2) == pytest.approx(1.0, rel=1e-4)
    np.testing.assert_allclose(scaled / np.linalg.norm(scaled), raw / np.linalg.norm(raw), atol=1e-5)


def test_human_and_pwesuite_show_it_first(checkpoint, plain, judged, words):
    pytest.importorskip("phonemizer")
    options = Options(judgements=judged)
    human, without = (run_suites(one, "human", options).suites[0] for one in (checkpoint, plain))
    assert human.tables[0].rows[0][0] == "sound alone"
    assert "sound alone: Pearson" in human.values
    assert "sound alone: Pearson" not in without.values
    suite = run_suites(checkpoint, "pwesuite", Options(pwesuite=str(words))).suites[0]
    assert [row[0] for row in suite.tables[0].rows] == ["sound alone", "pronunciation tower", "text tower"]


def test_both_are_exported(checkpoint, tmp_path):
    words = [Word(one, one, "", "en", "main") for one in IPA]
    vectors, _ = embed_and_export(checkpoint, words, Options(export=tmp_path / "embd.pkl"))
    assert vectors["pronunciation tower"].shape == (4, 16)
    for name, file in (("pronunciation tower", "embd.pkl"), ("sound alone", "embd_sound.pkl")):
        np.testing.assert_array_equal(pickle.loads((tmp_path / file).read_bytes()), vectors[name])
