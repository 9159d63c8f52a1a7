"""A run that was broken off goes on as if it never had been, on the processor at hand; a folder belongs to one run."""

import errno
import json
import signal
import subprocess
import sys
from functools import partial
from pathlib import Path

import pytest
import torch
from ipaclip.training.arguments import ArgumentsError
from ipaclip.training.distillation import Distillation, distil
from ipaclip.training.loop.checkpoints import list_checkpoints, load_checkpoint
from ipaclip.training.loop.log import cut_back
from training_helpers import configure, file_limit, log, weights


@pytest.fixture
def configuration(tmp_path, tiny_checkpoint):
    """A function that gives the arguments of a small run, with changes."""
    return partial(configure, tmp_path, tiny_checkpoint)


class Unfinished(Distillation):
    """Trains, and leaves its checkpoints."""

    def _finish(self):
        return self.output_dir


def test_a_run_that_goes_on_is_the_run_that_never_stopped(configuration):
    whole = Distillation(configuration("whole")).run()

    class Stopped(Exception):
        pass

    class Stopping(Distillation):
        def _step(self, batches, numbers):
            if self.progress.step == 8:
                raise Stopped
            super()._step(batches, numbers)

    with pytest.raises(Stopped):
        Stopping(configuration("broken", loop={"checkpoint_every": 5})).run()
    resumed = Distillation(configuration("broken", loop={"checkpoint_every": 5}, resume=True)).run()
    expected = weights(whole)
    for key, value in weights(resumed).items():
        assert torch.equal(value, expected[key]), key


def test_a_checkpoint_that_was_cut_off_is_passed_over(configuration):
    class Stopping(Distillation):
        def _finish(self):
            return self.output_dir

    run = Stopping(configuration(loop={"checkpoint_every": 5, "steps": 10}))
    directory = run.run()
    assert [path.name for path in list_checkpoints(directory)] == ["step-00000005.pt", "step-00000010.pt"]
    (directory / "checkpoints" / "step-00000010.pt").write_bytes(b"half")
    assert load_checkpoint(directory, run.trained).step == 5


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_the_run_with_a_checkpoint_after_the_step_that_it_met(configuration, number):
    class Interrupted(Distillation):
        def _step(self, batches, numbers):
            if self.progress.step == 3:
                signal.raise_signal(number)
            super()._step(batches, numbers)

    before = signal.getsignal(number)
    run = Interrupted(configuration())
    with pytest.raises(KeyboardInterrupt):
        run.run()
    assert (run.output_dir / "checkpoints" / "step-00000004.pt").is_file()
    assert signal.getsignal(number) is before


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
    with pytest.raises(ArgumentsError, match=r"began with another student \(hidden_size 32, now 64\)"):
        Distillation(configuration(student={"hidden_size": 64}, resume=True)).run()


@pytest.mark.parametrize("change", [
    {"loop": {"batch_size": 6}}, {"loop": {"seed": 1}}, {"loop": {"accumulation": 2}}, {"data": {"eval_share": 0.4}},
])  # fmt: skip
def test_going_on_with_other_batches_is_refused(configuration, change):
    Unfinished(configuration(loop={"steps": 2})).run()
    with pytest.raises(ArgumentsError, match=r"began with another (batches|data)"):
        Distillation(configuration(**{**change, "resume": True})).run()


def test_all_that_a_step_changes_goes_on(configuration):
    """Mean of the weights, best evaluation, log and progress: broken off between two records and two evaluations."""
    options = {"data": {"eval_share": 0.4}, "objective": {"relational": 1.0, "symmetric": True}}
    loop = {"steps": 14, "ema": 0.8, "evaluate_every": 4, "checkpoint_every": 3, "log_every": 5, "accumulation": 2,
            "batch_size": 2}  # fmt: skip
    whole = Distillation(configuration("whole", loop=loop, **options)).run()

    class Stopped(Exception):
        pass

    class Stopping(Distillation):
        def _step(self, batches, numbers):
            if self.progress.step == 11:
                raise Stopped
            super()._step(batches, numbers)

    with pytest.raises(Stopped):
        Stopping(configuration("broken", loop=loop, **options)).run()
    broken = Distillation(configuration("broken", loop=loop, resume=True, **options)).run()
    expected = weights(whole)
    for key, value in weights(broken).items():
        assert torch.equal(value, expected[key]), key
    timeless = [[{key: value for key, value in record.items() if "second" not in key and "memory" not in key}
                 for record in log(directory)] for directory in (whole, broken)]  # fmt: skip
    assert timeless[0] == timeless[1]


def test_the_log_is_cut_back_to_the_checkpoint(tmp_path):
    path = tmp_path / "log.jsonl"
    lines = [json.dumps({"step": step}) + "\n" for step in (1, 2, 3)]
    path.write_text("".join(lines) + '{"step": 4, "lo')
    cut_back(path, 2)
    assert path.read_text() == "".join(lines[:2])


def test_a_finished_run_is_not_done_again(configuration, monkeypatch):
    directory = distil(configuration(loop={"steps": 2}))
    monkeypatch.setattr(Distillation, "__init__", lambda *_: pytest.fail("done again"))
    assert distil(configuration(loop={"steps": 2}, resume=True)) == directory
    with pytest.raises(ArgumentsError, match=r"finished run with another configuration \(loop\)"):
        distil(configuration(loop={"steps": 3}, resume=True))


def test_a_run_that_ended_before_its_first_step_does_not_spoil_its_folder(configuration, tmp_path):
    broken = tmp_path / "broken.jsonl"
    broken.write_text('{"text": ""}\n')
    with pytest.raises(ArgumentsError, match="no usable row"):
        Distillation(configuration(data={"train": [str(broken)]}))
    broken.write_text('{"text": "", "ipa": "a"}\n{"text": "a", "ipa": "a"}\n{"text": "b", "ipa": "b"}\n')
    directory = Distillation(configuration(data={"train": [str(broken)]}, loop={"steps": 1})).run()
    assert len((directory / "rejected.jsonl").read_text().splitlines()) == 1


def test_a_run_that_ended_over_its_rows_to_evaluate_on_does_not_spoil_its_folder(configuration, tmp_path):
    other = tmp_path / "other.jsonl"
    other.write_text('{"text": ""}\n')
    with pytest.raises(ArgumentsError, match="no usable row"):
        Distillation(configuration(data={"eval": [str(other)]}))
    assert (tmp_path / "out" / "eval" / "rejected.jsonl").is_file()
    other.write_text('{"text": "kitten", "ipa": "kɪtən"}\n')
    directory = Distillation(configuration(data={"eval": [str(other)]}, loop={"steps": 1})).run()
    assert not (directory / "eval" / "rejected.jsonl").exists()


def test_what_somebody_else_put_into_eval_is_not_removed(configuration, tmp_path):
    (tmp_path / "out" / "eval").mkdir(parents=True)
    (tmp_path / "out" / "eval" / "precious.txt").write_text("x")
    with pytest.raises(ArgumentsError, match="is not empty"):
        Distillation(configuration())
    assert (tmp_path / "out" / "eval" / "precious.txt").is_file()


def test_checkpoints_that_are_all_cut_off_are_said_so(configuration, caplog):
    run = Unfinished(configuration(loop={"steps": 2, "checkpoint_every": 1}))
    for path in list_checkpoints(run.run()):
        path.write_bytes(b"half")
    assert load_checkpoint(run.output_dir, run.trained).step == 0
    assert "NO CHECKPOINT IN" in caplog.text


def test_two_runs_in_one_folder_are_refused(configuration):
    first = Distillation(configuration())
    with pytest.raises(ArgumentsError, match=r"another run \(process \d+\) is writing to .*out"):
        Distillation(configuration(resume=True))
    first.run()
    Distillation(configuration(resume=True))


def test_a_full_disk_leaves_the_checkpoints_before(configuration):
    class Filling(Unfinished):
        def _save_checkpoint(self):
            if self.progress.step == 10:
                with file_limit(20_000):
                    super()._save_checkpoint()
            else:
                super()._save_checkpoint()

    with pytest.raises(OSError, match=r"step-00000010\.pt cannot be written to .* \(.* MB free\).*resume=true"):
        Filling(configuration("full", loop={"checkpoint_every": 5})).run()
    folder = Path(configuration("full", resume=True).output_dir)
    assert [path.name for path in (folder / "checkpoints").iterdir()] == ["step-00000005.pt"]
    whole = weights(Distillation(configuration("whole", loop={"checkpoint_every": 5})).run())
    again = weights(Distillation(configuration("full", loop={"checkpoint_every": 5}, resume=True)).run())
    assert all(torch.equal(value, whole[key]) for key, value in again.items())


def test_a_disk_that_is_full_only_at_the_end_loses_nothing(configuration, monkeypatch):
    from ipaclip import IPAClipModel

    def no_space(*_, **__):
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr(IPAClipModel, "save_pretrained", no_space)
        with pytest.raises(OSError, match=r"the finished model cannot be written .*No space left.*resume=true"):
            Distillation(configuration()).run()
    resumed = Distillation(configuration(resume=True))
    resumed._step = lambda *_: pytest.fail("trained again")
    assert (resumed.run() / "metrics.json").is_file()


def test_only_the_last_checkpoints_are_kept(configuration):
    directory = Unfinished(configuration(loop={"checkpoint_every": 3, "keep_checkpoints": 2})).run()
    assert [path.name for path in list_checkpoints(directory)] == ["step-00000009.pt", "step-00000012.pt"]


@pytest.mark.slow
def test_killed_runs_end_with_the_weights_of_those_that_were_not(tmp_path):
    """On the processor at hand, one process and two."""
    drill = Path(__file__).parents[2] / "benchmarks" / "resume_drill.py"
    command = [sys.executable, str(drill), "--quick", "--folder", str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert [line.split("|")[1].strip() for line in done.stdout.splitlines()[-2:]] == ["1", "2"]
