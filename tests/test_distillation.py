"""A whole distillation on a tiny random CLIP: what it learns, what it leaves, how it goes on."""

import json

import numpy as np
import pytest
import torch
from conftest import PROJECTION_DIM
from ipaclip.training.arguments import ArgumentsError, DistillationArguments, LoopArguments
from ipaclip.training.distillation import Distillation, learning_rate
from ipaclip.training.teacher import Teacher, cached_targets

WORDS = {
    "cat": "kæt", "dog": "dɔɡ", "bee": "biː", "tiger": "taɪɡɚ", "horse": "hɔːɹs", "mouse": "maʊs", "whale": "weɪl",
    "butterfly": "bʌtɚflaɪ", "snake": "sneɪk", "sheep": "ʃiːp", "chicken": "t͡ʃɪkən", "goose": "ɡuːs",
}  # fmt: skip


@pytest.fixture
def configuration(tmp_path, tiny_checkpoint):
    """A function that gives the arguments of a small run, with changes."""
    rows = tmp_path / "rows.jsonl"
    rows.write_text("".join(json.dumps({"text": text, "ipa": ipa}) + "\n" for text, ipa in WORDS.items()))

    def configure(output="out", **sections):
        values = {
            "teacher": str(tiny_checkpoint),
            "output_dir": str(tmp_path / output),
            "cache_dir": str(tmp_path / "cache"),
            "data": {"train": [str(rows)]},
            "student": {"hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 1, "num_attention_heads": 2},
            "loop": {"steps": 12, "batch_size": 4, "learning_rate": 3e-3, "log_every": 1, "checkpoint_every": 1000},
            "augmentation": {"substitution": 0.1},
            "objective": {},
        }
        for section, change in sections.items():
            values[section] = {**values[section], **change} if isinstance(change, dict) else change
        return DistillationArguments.from_dict(values)

    return configure


def weights(directory):
    from safetensors.torch import load_file

    return load_file(directory / "model.safetensors")


def log(directory):
    return [json.loads(line) for line in (directory / "log.jsonl").read_text().splitlines()]


def test_it_learns_and_leaves_a_checkpoint_that_loads_and_keeps_clip(configuration, tiny_checkpoint):
    from ipaclip import IPAClipModel, IPAClipProcessor
    from ipaclip.encoding import encode
    from transformers import CLIPModel

    directory = Distillation(configuration(loop={"steps": 150}, augmentation={"substitution": 0.0})).run()
    losses = [record["loss"] for record in log(directory)]
    assert np.mean(losses[-10:]) < 0.5 * np.mean(losses[:10])

    model, processor = IPAClipModel.from_pretrained(directory), IPAClipProcessor.from_pretrained(directory)
    said = encode(model, processor, ipa=list(WORDS.values()))
    read = encode(model, processor, text=list(WORDS))
    assert (said @ read.T).argmax(1).tolist() == list(range(len(WORDS)))

    before, after = CLIPModel.from_pretrained(tiny_checkpoint), CLIPModel.from_pretrained(directory)
    for key, value in before.state_dict().items():
        assert torch.equal(value, after.state_dict()[key]), key
    metrics = json.loads((directory / "metrics.json").read_text())
    assert metrics["run"]["steps"] == 150
    assert metrics["data"]["rows"] == len(WORDS)
    assert (directory / "gallery.json").read_bytes() == (tiny_checkpoint / "gallery.json").read_bytes()
    assert "library_name: transformers" in (directory / "README.md").read_text()
    assert not (directory / "checkpoints").exists()


def test_every_term_is_logged(configuration):
    arguments = configuration(loop={"steps": 2}, objective={"mse": 1.0})
    record = log(Distillation(arguments).run())[-1]
    assert {"cosine", "mse", "contrastive", "loss", "padding", "learning_rate", "seconds"} <= set(record)
    assert record["loss"] == pytest.approx(record["cosine"] + record["mse"] + record["contrastive"], abs=1e-3)


def test_a_run_that_goes_on_is_the_run_that_never_stopped(configuration):
    whole = Distillation(configuration("whole")).run()

    class Stopped(Exception):
        pass

    class Stopping(Distillation):
        def _step(self, rows, number):
            if self.progress.step == 8:
                raise Stopped
            return super()._step(rows, number)

    with pytest.raises(Stopped):
        Stopping(configuration("broken", loop={"checkpoint_every": 5})).run()
    resumed = Distillation(configuration("broken", loop={"checkpoint_every": 5}, resume=True)).run()
    expected = weights(whole)
    for key, value in weights(resumed).items():
        assert torch.equal(value, expected[key]), key


def test_a_checkpoint_that_was_cut_off_is_passed_over(configuration):
    from ipaclip.training.checkpoints import list_checkpoints, load_checkpoint

    class Stopping(Distillation):
        def _finish(self):
            return self.output_dir

    run = Stopping(configuration(loop={"checkpoint_every": 5, "steps": 10}))
    directory = run.run()
    assert [path.name for path in list_checkpoints(directory)] == ["step-00000005", "step-00000010"]
    (directory / "checkpoints" / "step-00000010" / "state.pt").write_bytes(b"half")
    assert load_checkpoint(directory, run.student, run.optimizer).step == 5


def test_ctrl_c_leaves_a_checkpoint(configuration):
    class Interrupted(Distillation):
        def _step(self, rows, number):
            if self.progress.step == 3:
                raise KeyboardInterrupt
            return super()._step(rows, number)

    run = Interrupted(configuration())
    with pytest.raises(KeyboardInterrupt):
        run.run()
    assert (run.output_dir / "checkpoints" / "step-00000003").is_dir()


def test_another_run_s_folder_is_refused(configuration, tmp_path):
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "precious.txt").write_text("x")
    with pytest.raises(ArgumentsError, match="is not empty: set resume=true"):
        Distillation(configuration())


def test_going_on_with_another_tower_is_refused(configuration):
    class Stopping(Distillation):
        def _finish(self):
            return self.output_dir

    Stopping(configuration(loop={"steps": 2, "checkpoint_every": 1})).run()
    with pytest.raises(ArgumentsError, match="began with another student"):
        Distillation(configuration(student={"hidden_size": 64}, resume=True)).run()


def test_half_precision_on_disk(configuration):
    directory = Distillation(configuration(save_dtype="float16", loop={"steps": 2})).run()
    assert {value.dtype for value in weights(directory).values()} == {torch.float16}


@pytest.mark.parametrize("feature_set", ["ipa_chart", "learned"])
def test_the_other_phoneme_embeddings_train_too(configuration, feature_set):
    from ipaclip import IPAClipModel

    directory = Distillation(configuration(student={"feature_set": feature_set}, loop={"steps": 2})).run()
    config = IPAClipModel.from_pretrained(directory).config.pronunciation_config
    assert config.feature_set == feature_set
    assert config.learned_residual == (feature_set == "learned")


def test_the_loss_that_is_no_number_stops_the_run(configuration):
    run = Distillation(configuration())
    with torch.no_grad():
        next(iter(run.student.parameters())).fill_(float("nan"))
    with pytest.raises(FloatingPointError, match="the loss is nan at step 1"):
        run.run()


def test_targets_are_the_text_tower_s_and_are_computed_once(tiny_checkpoint, tmp_path, monkeypatch):
    from transformers import AutoTokenizer, CLIPModel

    teacher = Teacher.load(str(tiny_checkpoint))
    targets = cached_targets(teacher, list(WORDS), tmp_path)
    clip, tokenizer = CLIPModel.from_pretrained(tiny_checkpoint), AutoTokenizer.from_pretrained(tiny_checkpoint)
    with torch.no_grad():
        for text, target in zip(WORDS, targets, strict=True):
            features = clip.get_text_features(**tokenizer([text], return_tensors="pt")).pooler_output[0]
            np.testing.assert_allclose(target, (features / features.norm()).numpy(), atol=1e-5)
    assert targets.shape == (len(WORDS), PROJECTION_DIM)

    monkeypatch.setattr(Teacher, "embed", lambda *_: pytest.fail("computed twice"))
    np.testing.assert_array_equal(cached_targets(teacher, list(WORDS), tmp_path), targets)
    with pytest.raises(pytest.fail.Exception):
        cached_targets(teacher, [*WORDS, "another"], tmp_path)
    with torch.no_grad():
        teacher.model.text_projection.weight.mul_(1.5)
    with pytest.raises(pytest.fail.Exception):
        cached_targets(teacher, list(WORDS), tmp_path)


def test_a_spoiled_cache_is_computed_anew(tiny_checkpoint, tmp_path):
    teacher = Teacher.load(str(tiny_checkpoint))
    targets = np.array(cached_targets(teacher, list(WORDS), tmp_path))
    (file,) = tmp_path.glob("*.npy")
    file.write_bytes(file.read_bytes()[:200])
    np.testing.assert_array_equal(cached_targets(teacher, list(WORDS), tmp_path), targets)


def test_the_learning_rate_warms_up_and_falls_as_a_cosine():
    loop = LoopArguments(steps=110, warmup=10 / 110, learning_rate=1.0, final_learning_rate=0.1)
    assert learning_rate(loop, 0) == pytest.approx(0.1)
    assert learning_rate(loop, 9) == pytest.approx(1.0)
    assert learning_rate(loop, 60) == pytest.approx(0.55)
    assert learning_rate(loop, 110) == pytest.approx(0.1)
