"""Learning the teacher's token states: the term, the head that is kept, the cache, going on."""

import json
from functools import partial

import pytest
import torch
from ipaclip import IPAClipModel, IPAClipProcessor
from ipaclip.training.arguments import ArgumentsError, ObjectiveArguments
from ipaclip.training.distillation import Distillation
from ipaclip.training.objective import DistillationObjective
from ipaclip.training.teachers import load_teacher
from ipaclip.training.token_states import HEAD_FILE, TokenHead, state_errors
from safetensors.torch import load_file
from training_helpers import WORDS, configure, log, weights

TOKENS = {"token_states": 1.0, "token_positions": 5}


@pytest.fixture
def configuration(tmp_path, tiny_checkpoint):
    """A function that gives the arguments of a small run, with changes."""
    return partial(configure, tmp_path, tiny_checkpoint)


def test_the_error_of_a_row_is_its_mean_squared_distance_in_units_of_the_variance():
    said = torch.tensor([[[3.0, 4.0], [0.0, 0.0]], [[1.0, 0.0], [0.0, 1.0]]])
    # 25 and 0 apart; 1 and 1 apart; in units of 50.
    assert state_errors(said, torch.zeros(2, 2, 2), 50.0).tolist() == pytest.approx([12.5 / 50, 1 / 50])


def test_the_term_is_the_mean_of_the_rows_and_weighted():
    arguments = ObjectiveArguments(cosine=0.0, mse=1.0, contrastive=0.0, token_states=3.0)
    objective = DistillationObjective(arguments, torch.zeros(2), 1.0)
    student, teacher = torch.tensor([[1.0, 0.0], [0.0, 1.0]]), torch.tensor([[0.0, 0.0], [0.0, 1.0]])
    terms = objective(student, teacher, torch.arange(2), state_errors=torch.tensor([0.2, 0.6]))
    assert terms["token_states"].item() == pytest.approx(0.4)
    assert terms["loss"].item() == pytest.approx(0.5 + 3 * 0.4)


def test_token_states_are_learned_and_the_head_is_kept(configuration, tiny_checkpoint):
    loop = {"steps": 150, "batch_size": 6, "learning_rate": 5e-3}
    run = Distillation(configuration(objective=TOKENS, augmentation={"substitution": 0.0}, loop=loop))
    directory = run.run()
    terms = [record["token_states"] for record in log(directory)]
    # A start that says the mean has 1 from what it misses, and about 1 from its own random spread.
    assert 1 < terms[0] < 3
    assert sum(terms[-10:]) / 10 < 0.2
    model, processor = IPAClipModel.from_pretrained(directory), IPAClipProcessor.from_pretrained(directory)
    head, teacher = TokenHead.from_pretrained(directory), load_teacher(str(tiny_checkpoint))
    inputs = processor(ipa=list(WORDS.values()), return_tensors="pt")
    ids, mask = inputs["pronunciation_input_ids"], inputs["pronunciation_attention_mask"]
    with torch.no_grad():
        said = head(model.pronunciation_model(ids, mask).last_hidden_state, mask)
    states = torch.from_numpy(teacher.embed_tokens(list(WORDS), 5))
    variance = (states - states.mean((0, 1))).square().sum(-1).mean()
    assert said.shape == states.shape == (len(WORDS), 5, 16)
    assert (said - states).square().sum(-1).mean() / variance < 0.2


def test_without_it_nothing_changes(configuration):
    plain = weights(Distillation(configuration("plain", loop={"steps": 3})).run())
    directory = Distillation(configuration("zero", objective={"token_states": 0.0}, loop={"steps": 3})).run()
    assert not (directory / HEAD_FILE).exists()
    assert all(torch.equal(value, plain[key]) for key, value in weights(directory).items())


def test_targets_are_computed_once(configuration, monkeypatch):
    options = {"objective": TOKENS, "loop": {"steps": 1}}
    from ipaclip.training.teachers.clip_family import ClipTeacher

    asked, embed = [], ClipTeacher.embed_tokens
    monkeypatch.setattr(
        ClipTeacher, "embed_tokens", lambda self, texts, length: asked.extend(texts) or embed(self, texts, length)
    )
    for output in ("one", "two"):
        Distillation(configuration(output, **options)).run()
    assert sorted(asked) == sorted(WORDS)


def test_it_goes_on_bit_for_bit_with_mean_and_best_weights(configuration):
    loop = {"steps": 9, "batch_size": 3, "ema": 0.8, "evaluate_every": 4, "checkpoint_every": 2}
    options = {"objective": TOKENS, "data": {"eval_share": 0.4}, "loop": loop}
    whole = Distillation(configuration("whole", **options)).run()

    class Stopped(Exception):
        pass

    class Stopping(Distillation):
        def _step(self, batches, numbers):
            if self.progress.step == 7:
                raise Stopped
            super()._step(batches, numbers)

    with pytest.raises(Stopped):
        Stopping(configuration("broken", **options)).run()
    broken = Distillation(configuration("broken", resume=True, **options)).run()
    for file in ("model.safetensors", HEAD_FILE):
        expected = load_file(whole / file)
        assert all(torch.equal(value, expected[key]) for key, value in load_file(broken / file).items())


def test_going_on_with_or_without_token_states_is_refused(configuration):
    class Unfinished(Distillation):
        def _finish(self):
            return self.output_dir

    Unfinished(configuration(loop={"steps": 2})).run()
    with pytest.raises(ArgumentsError, match="began with another token_positions"):
        Distillation(configuration(resume=True, objective=TOKENS)).run()


def test_fine_tuning_goes_on_with_the_head(configuration):
    first = Distillation(configuration("first", objective=TOKENS, save_dtype="float16", loop={"steps": 2})).run()
    head = TokenHead.from_pretrained(first)
    assert {value.dtype for value in load_file(first / HEAD_FILE).values()} == {torch.float16}
    run = Distillation(configuration("second", objective=TOKENS, start_from=str(first)))
    assert torch.equal(run.head.linear.weight, head.linear.weight)
    other = Distillation(configuration("third", objective=TOKENS))
    assert not torch.equal(other.head.linear.weight, head.linear.weight)


def test_a_checkpoint_without_a_head_says_so(tiny_checkpoint):
    with pytest.raises(FileNotFoundError, match=r"was not trained with objective\.token_states"):
        TokenHead.from_pretrained(tiny_checkpoint)


@pytest.mark.slow
def test_two_processes_have_the_losses_of_one(tmp_path, tiny_checkpoint):
    from training_helpers import launch, values

    options = {"objective": {**TOKENS, "relational": 1.0}, "loop": {"steps": 6, "batch_size": 5, "accumulation": 2}}
    one = Distillation(configure(tmp_path, tiny_checkpoint, "one", **options)).run()
    config = tmp_path / "two.json"
    config.write_text(json.dumps(values(tmp_path, tiny_checkpoint, "two", **options)))
    launch("-m", "ipaclip.training.distill", config)
    for record, other in zip(log(one), log(tmp_path / "two"), strict=True):
        for name in ("loss", "token_states"):
            assert other[name] == pytest.approx(record[name], abs=1e-5)
    expected = load_file(one / HEAD_FILE)
    for key, value in load_file(tmp_path / "two" / HEAD_FILE).items():
        torch.testing.assert_close(value, expected[key], atol=1e-5, rtol=0)
