"""What the output for sound alone is fitted to, by hand and by another implementation; and the fit."""

import json
import shutil

import numpy as np
import pytest
import torch
from ipaclip import IPAClipModel, IPAClipProcessor, IPAClipPronunciationModelWithProjection
from ipaclip.cli import app
from ipaclip.evaluation.pwesuite.tasks import feature_edit_distances
from ipaclip.tokenization import split_segments
from ipaclip.training.sound_alone.fit import SoundTable, add_phonetic_projection, fit_phonetic_projection
from typer.testing import CliRunner

WORDS = ["kæt", "bæt", "bˈɪt", "dɔɡ", "dɔɡz", "t͡ʃɪkən", "hɔːɹs", "ɡuːs", "weɪl", "ʃiːp"]
FIT = {"steps": 60, "groups": 4, "learning_rate": 1e-2}


def heard(words):
    split = [split_segments(word) for word in words]
    phonemes = sorted({token for word in split for token in word if token != "ˈ"})
    table = SoundTable(phonemes)
    return table, table.encode(split)


@pytest.fixture
def fitted(tiny_checkpoint):
    model = IPAClipModel.from_pretrained(tiny_checkpoint, dtype=torch.float32)
    tokenizer = IPAClipProcessor.from_pretrained(tiny_checkpoint).pronunciation_tokenizer
    add_phonetic_projection(model, 24, 8)
    return model, tokenizer


# --- what it is fitted to ---


def test_distances_are_those_of_the_evaluation():
    table, sounds = heard(WORDS)
    np.testing.assert_allclose(table.distances(sounds, sounds).numpy(), feature_edit_distances(WORDS), atol=1e-5)


def test_shared_runs_by_hand():
    """Of kæt and bæt, æ, t, æt, t#, æt# are shared: 2 + 1 + 2 + 1 + 2 = 8, a run with a vowel counting twice.

    Each has three phonemes (k 1, æ 2, t 1), runs of two #k kæ æt t# (1 + 2 + 2 + 1) and of three #kæ kæt æt#
    (2 + 2 + 2): 4 + 6 + 6 = 16.
    """
    table, sounds = heard(["kæt", "bæt"])
    torch.testing.assert_close(table.shared_runs(sounds), torch.tensor([[16.0, 8.0], [8.0, 16.0]]))


def test_a_run_that_occurs_twice_counts_twice():
    """tætæ against tæ: products of counts, times two for a run with a vowel.

    tætæ: t 2, æ 2; #t, tæ 2, æt, æ#; #tæ, tæt, ætæ, tæ#. 1·4 + 2·4 + 1 + 2·4 + 2 + 2 + 2 + 2 + 2 + 2 = 33.
    tæ: t, æ; #t, tæ, æ#; #tæ, tæ#. 1 + 2 + 1 + 2 + 2 + 2 + 2 = 12.
    Both: 1·2 + 2·2 + 1 + 2·2 + 2 + 2 + 2 = 17.
    """
    table, sounds = heard(["tætæ", "tæ"])
    torch.testing.assert_close(table.shared_runs(sounds), torch.tensor([[33.0, 17.0], [17.0, 12.0]]))


def test_the_square_is_a_sum():
    """Of kæt and bæt: runs differ by 16 + 16 - 2 · 8 = 16."""
    table, sounds = heard(["kæt", "bæt"])
    articulated = feature_edit_distances(["kæt", "bæt"])[0, 1]
    expected = articulated**2 + 0.25 * 16
    assert table.squares(sounds, sounds, 0.25)[0, 1].item() == pytest.approx(expected, rel=1e-5)
    assert table.squares(sounds, sounds, 0.25).diagonal().tolist() == [0.0, 0.0]


# --- the fit ---


def test_only_the_projection_is_trained_and_it_learns(fitted):
    model, tokenizer = fitted
    before = {key: value.clone() for key, value in model.state_dict().items()}
    first = fit_phonetic_projection(model, tokenizer, WORDS, **{**FIT, "steps": 20, "learning_rate": 1e-9})
    last = fit_phonetic_projection(model, tokenizer, WORDS, **FIT)
    after = model.state_dict()
    changed = {key for key in after if not torch.equal(torch.nan_to_num(after[key]), torch.nan_to_num(before[key]))}
    assert {key.split(".")[0] for key in changed} == {"phonetic_projection"}
    assert all(parameter.grad is None for parameter in model.parameters())
    assert last.words == len(WORDS)
    assert last.loss < first.loss / 2


def test_the_seed_decides_all(tiny_checkpoint):
    tokenizer = IPAClipProcessor.from_pretrained(tiny_checkpoint).pronunciation_tokenizer
    weights = []
    for seed in (1, 1, 2):
        model = IPAClipPronunciationModelWithProjection.from_pretrained(tiny_checkpoint, dtype=torch.float32)
        add_phonetic_projection(model, 8, 4, seed=seed)
        fit_phonetic_projection(model, tokenizer, WORDS, steps=20, groups=2, seed=seed)
        weights.append(model.phonetic_projection.context.weight)
    torch.testing.assert_close(weights[0], weights[1], atol=1e-4, rtol=0)
    assert not torch.allclose(weights[0], weights[2], atol=1e-2)


def test_adding_leaves_the_random_state_alone(fitted):
    model, _ = fitted
    torch.manual_seed(3)
    expected = torch.rand(2)
    torch.manual_seed(3)
    add_phonetic_projection(model, 8, 4)
    assert torch.equal(torch.rand(2), expected)
    assert model.config.pronunciation_config.phonetic_dim == 8


@pytest.mark.parametrize(
    ("words", "change", "message"),
    [
        (["a"], {}, "None of the 1 words has two phonemes"),
        ([], {}, "None of the 0 words"),
        (["kæ§"], {}, "'kæ§' has a sign that the vocabulary lacks: '§'"),
        (WORDS, {"steps": 5}, "at least 20 steps"),
        (WORDS, {"runs": -1.0}, "runs of at least 0"),
        (WORDS, {"runs": float("nan")}, "runs of at least 0"),
        (WORDS, {"learning_rate": 1e30}, "The loss is .* at step"),
    ],
)
def test_what_cannot_be_fitted_is_refused(fitted, words, change, message):
    with pytest.raises(ValueError, match=message):
        fit_phonetic_projection(*fitted, words, **{**FIT, **change})


def test_a_model_without_projection_is_refused(tiny_checkpoint):
    model = IPAClipModel.from_pretrained(tiny_checkpoint)
    with pytest.raises(ValueError, match="add_phonetic_projection"):
        fit_phonetic_projection(model, None, WORDS)
    with pytest.raises(ValueError, match="at least 1"):
        add_phonetic_projection(model, 0)


# --- the command ---


def run(*arguments):
    result = CliRunner().invoke(app, ["fit-phonetic", *map(str, arguments)], prog_name="ipaclip")
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result


def test_the_command_adds_it_and_keeps_the_rest(tiny_checkpoint, tmp_path):
    source, words = shutil.copytree(tiny_checkpoint, tmp_path / "source"), tmp_path / "words.txt"
    (source / "metrics.json").write_text('{"run": {"steps": 3}}')
    words.write_text("\n".join(WORDS), encoding="utf-8")
    result = run(source, tmp_path / "out", "--words", words, "--ipa", "--steps", 20, "--phonetic-dim", 8, "--runs", 0.3)
    assert f"fitted to {len(WORDS)} words in 20 steps" in result.output
    old, new = (IPAClipModel.from_pretrained(one).state_dict() for one in (source, tmp_path / "out"))
    assert all(torch.equal(value, new[key]) for key, value in old.items())
    assert {key.split(".")[0] for key in set(new) - set(old)} == {"phonetic_projection"}
    assert {one.name for one in source.iterdir()} <= {one.name for one in (tmp_path / "out").iterdir()}
    metrics = json.loads((tmp_path / "out" / "metrics.json").read_text())
    assert metrics["run"] == {"steps": 3}
    assert (metrics["phonetic_projection"]["steps"], metrics["phonetic_projection"]["runs"]) == (20, 0.3)


def test_the_command_s_runs_are_what_it_fits_to(tiny_checkpoint, tmp_path):
    (tmp_path / "words.txt").write_text("\n".join(WORDS), encoding="utf-8")
    said = ("--words", tmp_path / "words.txt", "--ipa", "--steps", 20, "--phonetic-dim", 8)
    for runs in (0, 5):
        run(tiny_checkpoint, tmp_path / str(runs), *said, "--runs", runs)
    none, many = (IPAClipModel.from_pretrained(tmp_path / str(runs)).state_dict() for runs in (0, 5))
    assert any(not torch.equal(none[key], many[key]) for key in none if key.startswith("phonetic_projection"))
    assert "runs of at least 0" in run(tiny_checkpoint, tmp_path / "out", *said, "--runs", -1).output


def test_the_command_refuses_what_is_there_and_what_says_nothing(tiny_checkpoint, tmp_path):
    (tmp_path / "words.txt").write_text("kæt\n", encoding="utf-8")
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "file").touch()
    words = ("--words", tmp_path / "words.txt", "--ipa")
    full, alone = run(tiny_checkpoint, tmp_path / "full", *words), run(tiny_checkpoint, tmp_path / "out", "--ipa")
    assert full.exit_code != 0
    assert "is not empty" in full.output
    assert alone.exit_code != 0
    assert "give --words" in alone.output
    assert not (tmp_path / "out").exists()
