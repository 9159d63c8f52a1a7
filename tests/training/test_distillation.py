"""A whole distillation on a tiny random CLIP: what it learns, what it leaves, how it goes on."""

import json
from functools import partial

import numpy as np
import pytest
import torch
from ipaclip.training.arguments import ArgumentsError, AugmentationArguments, LoopArguments
from ipaclip.training.distillation import Distillation
from ipaclip.training.loop.optimisation import learning_rate, noise_strength
from training_helpers import WORDS, configure, log, weights


@pytest.fixture
def configuration(tmp_path, tiny_checkpoint):
    """A function that gives the arguments of a small run, with changes."""
    return partial(configure, tmp_path, tiny_checkpoint)


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
    with pytest.raises(FloatingPointError, match=r"the loss is nan at step 1: its 4 rows are in .*nan_batch\.jsonl"):
        run.run()
    rows = [json.loads(line) for line in (run.output_dir / "nan_batch.jsonl").read_text().splitlines()]
    lines = list(WORDS)
    for row in rows:
        assert row["text"] == lines[int(row["where"].rpartition(":")[2]) - 1]
        assert run.tokenizer.decode(row["ids"], skip_special_tokens=True) == row["heard"]
    assert len({row["where"] for row in rows}) == 4


def test_the_learning_rate_warms_up_and_falls_as_a_cosine():
    loop = LoopArguments(steps=110, warmup=10 / 110, learning_rate=1.0, final_learning_rate=0.1)
    assert learning_rate(loop, 0) == pytest.approx(0.1)
    assert learning_rate(loop, 9) == pytest.approx(1.0)
    assert learning_rate(loop, 60) == pytest.approx(0.55)
    assert learning_rate(loop, 110) == pytest.approx(0.1)


def test_the_noise_rises_with_the_ramp():
    noise = AugmentationArguments(ramp=0.5)
    assert [noise_strength(noise, 100, step) for step in (0, 25, 50, 99)] == [0.0, 0.5, 1.0, 1.0]
    assert noise_strength(AugmentationArguments(), 100, 0) == 1.0


def test_accumulated_batches_are_one_step_of_their_mean(configuration, tmp_path):
    """Without terms that compare rows, two batches of 3 are one of 6."""
    simple = {"contrastive": 0.0}
    still = {"substitution": 0.0, "stress": 0.0}
    one = Distillation(configuration("one", loop={"batch_size": 12, "steps": 3}, objective=simple, augmentation=still))
    two = Distillation(configuration("two", loop={"batch_size": 3, "steps": 3, "accumulation": 4}, objective=simple,
                                     augmentation=still))  # fmt: skip
    first, second = weights(one.run()), weights(two.run())
    for key, value in first.items():
        torch.testing.assert_close(second[key], value, atol=1e-5, rtol=1e-4)
    assert [record["epoch"] for record in log(two.output_dir)] == [0, 1, 2]


def test_gradient_checkpointing_changes_nothing(configuration):
    plain = weights(Distillation(configuration("plain", loop={"steps": 3})).run())
    saving = weights(Distillation(configuration("saving", loop={"steps": 3, "gradient_checkpointing": True})).run())
    for key, value in plain.items():
        torch.testing.assert_close(saving[key], value)


def test_the_running_mean_is_what_is_saved(configuration):
    last, mean = (
        weights(Distillation(configuration(str(decay), loop={"steps": 2, "ema": decay})).run()) for decay in (None, 0.5)
    )
    run = Distillation(configuration("watched", loop={"steps": 2, "ema": 0.5}))
    states = [{key: value.clone() for key, value in run.student.state_dict().items()}]
    step = run._step

    def watch(batches, numbers):
        step(batches, numbers)
        states.append({key: value.clone() for key, value in run.student.state_dict().items()})

    run._step = watch
    run.run()
    # After step n the decay is min(0.5, (1 + n) / (10 + n)): 2/11, then 3/12.
    for key, value in run.student.state_dict().items():
        if value.is_floating_point() and "phoneme_features" not in key:
            after_one = 2 / 11 * states[0][key] + 9 / 11 * states[1][key]
            torch.testing.assert_close(mean[key], 3 / 12 * after_one + 9 / 12 * states[2][key])
            torch.testing.assert_close(last[key], states[2][key])


def test_held_out_texts_are_never_trained_on_and_the_best_weights_are_saved(configuration, tmp_path):
    loop = {"steps": 30, "evaluate_every": 5, "best_metric": "mse", "learning_rate": 1e-2}
    seen = set()

    class Watching(Distillation):
        def _step(self, batches, numbers):
            for number in numbers:
                seen.update(self.data.texts[text] for text in self.data.text_of_row[batches[number]])
            super()._step(batches, numbers)

    run = Watching(configuration(data={"eval_share": 0.4}, loop=loop))
    held_out = {run.data.texts[run.data.text_of_row[row]] for row in run.evaluation_rows.rows}
    assert held_out
    assert not held_out & {run.data.texts[text] for text in run.batches.negatives}
    directory = run.run()
    assert seen == set(WORDS) - held_out
    records = [record for record in log(directory) if "eval_mse" in record]
    assert [record["step"] for record in records] == [5, 10, 15, 20, 25, 30]
    best = min(records, key=lambda record: record["eval_mse"])
    assert json.loads((directory / "metrics.json").read_text())["run"]["best"]["step"] == best["step"]
    assert evaluate_by_hand(run, directory, sorted(held_out)) == pytest.approx(
        [best["eval_cosine"], best["eval_mse"], best["eval_recall"]], abs=1e-4
    )


def evaluate_by_hand(run, directory, texts):
    """Cosine, MSE and recall of a saved checkpoint on the texts, from the definitions."""
    from ipaclip import IPAClipModel, IPAClipProcessor

    model, processor = IPAClipModel.from_pretrained(directory), IPAClipProcessor.from_pretrained(directory)
    with torch.no_grad():
        said = [model.get_pronunciation_features(**processor(ipa=WORDS[text], return_tensors="pt")).pooler_output[0]
                for text in texts]  # fmt: skip
        read = [model.get_text_features(**processor(text=text, return_tensors="pt")).pooler_output[0] for text in texts]
        every = [model.get_text_features(**processor(text=text, return_tensors="pt")).pooler_output[0]
                 for text in WORDS]  # fmt: skip
    said, read, every = (torch.stack(part).double().numpy() for part in (said, read, every))
    read, every = (part / np.linalg.norm(part, axis=1, keepdims=True) for part in (read, every))
    mean = every.mean(0)
    variance = np.square(every - mean).sum(1).mean()
    cosines = [a @ b / np.linalg.norm(a) / np.linalg.norm(b) for a, b in zip(said - mean, read - mean, strict=True)]
    right = (said @ read.T).argmax(1) == np.arange(len(texts))
    return [np.mean(cosines), np.square(said - read).sum(1).mean() / variance, right.mean()]


def test_evaluation_on_files_and_the_last_weights_on_request(configuration, tmp_path):
    other = tmp_path / "other.jsonl"
    other.write_text(
        json.dumps({"text": "kitten", "ipa": "kɪtən"}) + "\n" + json.dumps({"text": "", "ipa": "a"}) + "\n"
    )
    loop = {"steps": 4, "evaluate_every": 2, "keep_best": False}
    directory = Distillation(configuration(data={"eval": [str(other)]}, loop=loop)).run()
    assert [record["eval_recall"] for record in log(directory) if "eval_recall" in record] == [1.0, 1.0]
    assert (directory / "best.safetensors").is_file()
    assert "the text is empty" in (directory / "eval" / "rejected.jsonl").read_text()
    plain = weights(Distillation(configuration("plain", loop={"steps": 4})).run())
    for key, value in weights(directory).items():
        assert torch.equal(value, plain[key]), key


def test_a_tracker_that_is_not_installed_is_named_before_anything_loads(configuration, monkeypatch):
    import importlib.util

    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(ArgumentsError, match=r"loop\.trackers: wandb is not installed: pip install wandb"):
        configuration(loop={"trackers": ["wandb"]})
    with pytest.raises(ArgumentsError, match=r"'mlfow': it must be 'tensorboard', 'wandb' or 'trackio'"):
        configuration(loop={"trackers": "mlfow"})


def test_tensorboard_gets_what_the_log_gets(configuration):
    pytest.importorskip("tensorboard")
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    directory = Distillation(configuration(loop={"steps": 3, "trackers": ["tensorboard"]})).run()
    events = EventAccumulator(str(directory / "ipaclip"))
    events.Reload()
    assert [one.value for one in events.Scalars("loss")] == pytest.approx([one["loss"] for one in log(directory)])


def test_batches_made_ahead_are_the_same(configuration):
    from ipaclip.training.data.batches import Preparation

    loop = {"steps": 9, "accumulation": 2}
    plain = weights(Distillation(configuration("plain", loop=loop)).run())
    run = Distillation(configuration("ahead", loop=loop))
    run.preparation = Preparation(run.batches, ahead=True)
    for key, value in weights(run.run()).items():
        assert torch.equal(value, plain[key]), key


def test_half_precision_on_a_cpu_learns_the_same_and_leaves_the_same_configuration(configuration):
    from accelerate.state import AcceleratorState

    plain = Distillation(configuration("plain", loop={"steps": 3})).run()
    AcceleratorState._reset_state(reset_partial_state=True)  # a process otherwise has one precision
    try:
        run = Distillation(configuration("bf16", loop={"steps": 3, "mixed_precision": "bf16"}))
        assert run.tower.config._attn_implementation == "eager"
        half = run.run()
    finally:
        AcceleratorState._reset_state(reset_partial_state=True)
    assert (half / "config.json").read_bytes() == (plain / "config.json").read_bytes()
    for one, other in zip(log(plain), log(half), strict=True):
        assert other["loss"] == pytest.approx(one["loss"], rel=0.05)


def test_what_is_no_phoneme_is_no_part_of_the_inventory(configuration):
    with pytest.raises(ArgumentsError, match=r"augmentation\.inventory: 'q7' is no phoneme"):
        Distillation(configuration(augmentation={"inventory": ["k", "q7"]}))


def test_a_missing_file_is_named_before_the_teacher_loads(configuration, monkeypatch, tmp_path):
    from ipaclip.training import distillation

    monkeypatch.setattr(distillation, "load_teacher", lambda *_: pytest.fail("loaded"))
    with pytest.raises(ArgumentsError, match=r"there is no file .*nowhere\.jsonl"):
        Distillation(configuration(data={"eval": [str(tmp_path / "nowhere.jsonl")]}))


def test_batches_by_token_budget(configuration):
    directory = Distillation(configuration(
        student={"max_position_embeddings": 16}, loop={"tokens_per_batch": 40, "steps": 3}
    )).run()  # fmt: skip
    assert "batches" not in (directory / "README.md").read_text()
    assert "3 of 40 tokens" in (directory / "README.md").read_text()


@pytest.mark.slow
def test_a_compiled_tower_learns_the_same(configuration):
    plain = log(Distillation(configuration("plain", loop={"steps": 4})).run())
    compiled = log(Distillation(configuration("compiled", loop={"steps": 4, "compile": True})).run())
    for one, other in zip(plain, compiled, strict=True):
        assert one["loss"] == pytest.approx(other["loss"], rel=1e-4)
