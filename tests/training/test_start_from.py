"""Fine-tuning: a run that starts from the tower of a finished model."""

import json
from functools import partial
from pathlib import Path

import pytest
import torch
from ipaclip import IPAClipModel, IPAClipProcessor, IPAClipPronunciationModelWithProjection, embedded_checkpoint
from ipaclip.conversion_scripts import convert_clip_to_ipaclip, split
from ipaclip.training.arguments import ArgumentsError
from ipaclip.training.distillation import Distillation
from ipaclip.training.sound_alone.fit import add_phonetic_projection, fit_phonetic_projection
from training_helpers import WORDS, configure, weights

TOWER = "pronunciation_"


@pytest.fixture
def configuration(tmp_path, tiny_checkpoint):
    """A function that gives the arguments of a small run, with changes."""
    return partial(configure, tmp_path, tiny_checkpoint)


@pytest.fixture
def finished(configuration):
    """The directory of a finished run."""
    return Distillation(configuration("finished", loop={"steps": 3})).run()


def tower_of(directory):
    return {key: value for key, value in weights(directory).items() if key.startswith(TOWER)}


def test_training_starts_from_the_finished_tower_and_says_so(configuration, finished):
    run = Distillation(configuration("more", start_from=str(finished), loop={"steps": 2}))
    for key, value in tower_of(finished).items():
        assert torch.equal(run.tower.state_dict()[key], value), key
    directory = run.run()
    changed = tower_of(directory)
    assert any(not torch.equal(changed[key], value) for key, value in tower_of(finished).items())
    metrics = json.loads((directory / "metrics.json").read_text())
    assert metrics["run"]["start_from"]["name"] == metrics["arguments"]["start_from"] == str(finished)
    assert f"started from | `{finished}`" in (directory / "README.md").read_text()
    assert "started from | random weights" in (finished / "README.md").read_text()


def test_a_rate_of_nothing_leaves_the_tower_as_it_was(configuration, finished):
    directory = Distillation(
        configuration("same", start_from=str(finished), loop={"steps": 2, "learning_rate": 0.0})
    ).run()
    assert all(torch.equal(value, tower_of(directory)[key]) for key, value in tower_of(finished).items())


def test_a_tower_saved_alone_is_a_start_too(configuration, finished, tmp_path):
    alone = tmp_path / "alone"
    tower = IPAClipPronunciationModelWithProjection.from_pretrained(finished)
    tower.half().save_pretrained(alone)
    Distillation(configuration("other", loop={"steps": 1})).tokenizer.save_pretrained(alone)
    run = Distillation(configuration("more", start_from=str(alone)))
    for key, value in tower_of(finished).items():
        torch.testing.assert_close(run.tower.state_dict()[key], value, atol=1e-3, rtol=1e-3)
        assert run.tower.state_dict()[key].dtype == torch.float32


def given_sound_alone(directory):
    """Gives a finished model an output for sound alone, fitted, and returns its directory."""
    model = IPAClipModel.from_pretrained(directory)
    add_phonetic_projection(model, 8)
    tokenizer = IPAClipProcessor.from_pretrained(directory).pronunciation_tokenizer
    drawn = {key: value.clone() for key, value in model.phonetic_projection.state_dict().items()}
    fit_phonetic_projection(model, tokenizer, list(WORDS.values()), steps=20, groups=2, show_progress=False)
    assert any(not torch.equal(value, drawn[key]) for key, value in model.phonetic_projection.state_dict().items())
    model.save_pretrained(directory)
    return directory


@pytest.mark.parametrize("alone", [False, True])
def test_an_output_for_sound_alone_is_left_behind_and_it_is_said(configuration, finished, tmp_path, caplog, alone):
    start = given_sound_alone(finished)
    if alone:
        split(start, tmp_path / "parts")
        start = tmp_path / "parts" / "pronunciation"
    directory = Distillation(
        configuration("more", start_from=str(start), loop={"steps": 2, "learning_rate": 0.0})
    ).run()
    assert f"the output for sound alone of {start} is left behind" in caplog.text
    towers = {key: value for key, value in tower_of(finished).items() if not key.startswith("phonetic_")}
    assert all(torch.equal(value, tower_of(directory)[key]) for key, value in towers.items())
    assert IPAClipModel.from_pretrained(directory).config.pronunciation_config.phonetic_dim == 0
    if not alone:  # the trained tower can be given a new one, and be a start again
        again = Distillation(configuration("again", start_from=str(given_sound_alone(directory)), loop={"steps": 1}))
        assert (
            again.start.fingerprint()
            == Distillation(configuration("before", start_from=str(finished), loop={"steps": 1})).start.fingerprint()
        )


def test_the_shipped_checkpoint_is_a_start(tmp_path):
    shipped = str(embedded_checkpoint())
    student = {"hidden_size": None, "intermediate_size": None, "num_hidden_layers": None, "num_attention_heads": None}
    run = Distillation(configure(tmp_path, shipped, start_from=shipped, student=student))
    for key, value in tower_of(Path(shipped)).items():
        if not key.startswith("phonetic_"):
            assert torch.equal(run.tower.state_dict()[key], value.float()), key


def test_what_does_not_fit_is_found_before_rows_are_read(configuration, finished, monkeypatch):
    from ipaclip.training import distillation

    def read(*_):
        raise AssertionError("rows are read")

    monkeypatch.setattr(distillation, "load_data", read)
    with pytest.raises(ArgumentsError, match="num_hidden_layers is 1 there, 2 here"):
        Distillation(configuration(start_from=str(finished), student={"num_hidden_layers": 2}))
    with pytest.raises(AssertionError, match="rows are read"):
        Distillation(configuration("other", start_from=str(given_sound_alone(finished))))


@pytest.mark.parametrize("preset", ["tiny", "base"])
def test_a_converted_tower_goes_on_where_it_is_the_start(tiny_checkpoint, tmp_path, caplog, preset):
    new = tmp_path / "new"
    convert_clip_to_ipaclip(tiny_checkpoint, new, preset=preset)
    student = {"preset": preset, "hidden_size": None, "intermediate_size": None, "num_hidden_layers": None,
               "num_attention_heads": None}  # fmt: skip
    run = Distillation(configure(tmp_path, new, start_from=str(new), student=student))
    for key, value in tower_of(new).items():
        assert torch.equal(run.tower.state_dict()[key], value), key
    with caplog.at_level("INFO"):
        Distillation(configure(tmp_path, new, "other"))
    assert f"that of the teacher {new} takes no part: start_from={new} trains it further" in caplog.text


def test_what_the_start_knows_of_other_languages_is_kept(configuration, finished):
    processor = IPAClipProcessor.from_pretrained(finished)
    processor.transcribers = {"deu-Latn": {"backend": "epitran", "version": "epitran 1.0"}}
    processor.save_pretrained(finished)
    directory = Distillation(configuration("more", start_from=str(finished), loop={"steps": 1})).run()
    kept = IPAClipProcessor.from_pretrained(directory)
    assert kept.transcribers["deu-Latn"] == {"backend": "epitran", "version": "epitran 1.0"}


def test_a_fine_tuning_that_goes_on_is_the_one_that_never_stopped(configuration, finished):
    options = {"start_from": str(finished), "loop": {"steps": 8, "checkpoint_every": 3}}
    whole = Distillation(configuration("whole", **options)).run()

    class Stopped(Exception):
        pass

    class Stopping(Distillation):
        def _step(self, batches, numbers):
            if self.progress.step == 5:
                raise Stopped
            super()._step(batches, numbers)

    with pytest.raises(Stopped):
        Stopping(configuration("broken", **options)).run()
    broken = Distillation(configuration("broken", resume=True, **options)).run()
    assert all(torch.equal(value, weights(whole)[key]) for key, value in weights(broken).items())


def test_going_on_from_another_start_is_refused(configuration, finished):
    class Unfinished(Distillation):
        def _finish(self):
            return self.output_dir

    Unfinished(configuration(start_from=str(finished), loop={"steps": 2})).run()
    with pytest.raises(ArgumentsError, match="began with another start_from"):
        Distillation(configuration(resume=True, loop={"steps": 2})).run()


def test_all_that_does_not_fit_is_named_with_what_to_set(configuration, finished):
    with pytest.raises(ArgumentsError, match=(
        r"does not fit this run: num_hidden_layers is 1 there, 2 here; pooling is mean there, eos here: "
        r"set student\.num_hidden_layers=1 student\.pooling=mean$"
    )):  # fmt: skip
        Distillation(configuration(start_from=str(finished), student={"num_hidden_layers": 2, "pooling": "eos"}))
    with pytest.raises(ArgumentsError, match="feature_set is panphon there, ipa_chart here"):
        Distillation(configuration("other", start_from=str(finished), student={"feature_set": "ipa_chart"}))


def test_another_vocabulary_does_not_fit(configuration, finished):
    path = finished / "pronunciation_tokenizer" / "tokenizer.json"
    rules = json.loads(path.read_text())
    vocabulary = rules["model"]["vocab"]
    vocabulary[-1], vocabulary[-2] = vocabulary[-2], vocabulary[-1]
    path.write_text(json.dumps(rules))
    with pytest.raises(ArgumentsError, match="has another vocabulary of phonemes"):
        Distillation(configuration(start_from=str(finished)))


def test_another_feature_table_does_not_fit(configuration, finished):
    from safetensors.torch import save_file

    changed = weights(finished)
    table = changed["pronunciation_model.embeddings.phoneme_features"]
    table[100, 0] += 1
    save_file(changed, finished / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(ArgumentsError, match="has another feature table than this version of ipaclip makes"):
        Distillation(configuration(start_from=str(finished)))


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda folder: folder.mkdir(), r"holds no finished model \(no config\.json\)"),
        (lambda folder: None, "is no finished IPA-CLIP or pronunciation tower"),
        (lambda folder: (folder.mkdir(), (folder / "config.json").write_text("{")), "is no finished IPA-CLIP"),
    ],
    ids=["empty folder", "no folder", "broken"],
)
def test_what_is_no_model_is_one_error(configuration, tmp_path, make, message):
    make(tmp_path / "nothing")
    with pytest.raises(ArgumentsError, match=message):
        Distillation(configuration(start_from=str(tmp_path / "nothing")))


def test_a_start_that_contradicts_is_refused_before_anything_loads(configuration, tmp_path):
    with pytest.raises(ArgumentsError, match=r"start_from and student\.init_from_text_tower are both given"):
        configuration(start_from="x", student={"init_from_text_tower": True})
    with pytest.raises(ArgumentsError, match="start_from and output_dir are both"):
        configuration(start_from=str(tmp_path / "out"))
