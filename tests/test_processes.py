"""Two processes on one global batch compute what one process computes."""

import json
import os
import subprocess
import sys
from importlib.resources import files

import numpy as np
import pytest
import torch
from ipaclip.training import processes
from ipaclip.training.arguments import ArgumentsError
from ipaclip.training.distillation import Distillation
from ipaclip.training.processes import share_of
from training_helpers import configure, log, values, weights

# Rows are of odd number, and every term that looks across the batch is in.
OPTIONS = {
    "loop": {"steps": 8, "batch_size": 5, "accumulation": 2, "ema": 0.9, "evaluate_every": 4, "checkpoint_every": 3},
    "objective": {"relational": 1.0, "symmetric": True, "extra_negatives": 6},
    "data": {"eval_share": 0.3},
}

SHARDED = """
import sys
from pathlib import Path

import torch
from accelerate import Accelerator
from ipaclip.training.checkpoints import Progress, Trained, load_checkpoint, save_checkpoint
from ipaclip.training.optimisation import WeightAverage
from torch.distributed.fsdp import fully_shard

folder = Path(sys.argv[1])
accelerator = Accelerator(cpu=True)
assert accelerator.num_processes == 2


def build():
    torch.manual_seed(0)
    model = torch.nn.Sequential(torch.nn.Linear(6, 5), torch.nn.GELU(), torch.nn.Linear(5, 3))
    fully_shard(model)
    optimizer = torch.optim.AdamW([{"params": list(model.parameters()), "relative_rate": 0.5}], lr=0.01)
    return model, Trained(accelerator, model, optimizer, WeightAverage(model, 0.8), {})


def train(model, trained, steps):
    for step in steps:
        torch.manual_seed(step)
        model(torch.randn(4, 6)).square().sum().backward()
        trained.optimizer.step()
        trained.optimizer.zero_grad()
        trained.average.update(step + 1)


model, whole = build()
train(model, whole, range(3))
save_checkpoint(folder, Progress(step=3), whole, keep=1)
train(model, whole, range(3, 6))
other_model, other = build()
assert load_checkpoint(folder, other).step == 3
train(other_model, other, range(3, 6))
expected, found = whole.weights(), other.weights()
if accelerator.is_main_process:
    assert expected["0.weight"].shape == (5, 6), expected["0.weight"].shape
    assert all(torch.equal(found[key], expected[key]) for key in expected)
    print("whole and equal")
"""


def launch(*words):
    """Runs what follows in two processes on the CPU, by the configuration that the package brings."""
    config = files("ipaclip.training") / "configs" / "accelerate" / "cpu_2.yaml"
    command = [sys.executable, "-m", "accelerate.commands.launch", "--config_file", str(config)]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    environment.pop("ACCELERATE_USE_CPU", None)
    done = subprocess.run(
        [*command, "--main_process_port", "0", *map(str, words)],
        capture_output=True, text=True, check=False, env=environment, timeout=3600,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout + done.stderr


def test_shares_are_all_rows_and_equally_many():
    for rows in range(1, 12):
        for number in range(1, 5):
            shares = [share_of(rows, process, number) for process in range(number)]
            assert len({len(share) for share in shares}) == 1
            in_order = np.stack(shares, axis=1).ravel()
            assert in_order[:rows].tolist() == list(range(rows))
            assert set(in_order[rows:]) <= {rows - 1}


@pytest.mark.slow
def test_two_processes_have_the_losses_and_weights_of_one(tmp_path, tiny_checkpoint):
    one = Distillation(configure(tmp_path, tiny_checkpoint, "one", **OPTIONS)).run()
    config = tmp_path / "two.json"
    config.write_text(json.dumps(values(tmp_path, tiny_checkpoint, "two", **OPTIONS)))
    said = launch("-m", "ipaclip.training.distill", config)
    assert "distilling on 2 process(es)" in said
    two = tmp_path / "two"
    assert json.loads((two / "metrics.json").read_text())["run"]["processes"] == 2
    for record, other in zip(log(one), log(two), strict=True):
        for name in record.keys() & {"loss", "cosine", "mse", "contrastive", "relational", "eval_cosine", "eval_mse"}:
            assert other[name] == pytest.approx(record[name], abs=1e-5), (record["step"], name)
    expected = weights(one)
    for key, value in weights(two).items():
        torch.testing.assert_close(value, expected[key], atol=1e-5, rtol=0)


@pytest.mark.slow
def test_a_sharded_model_s_checkpoint_is_whole_and_exact(tmp_path):
    script = tmp_path / "sharded.py"
    script.write_text(SHARDED)
    assert "whole and equal" in launch(script, tmp_path / "run")


def test_processes_that_accelerate_misses_are_an_error(monkeypatch):
    class Alone:
        num_processes = 1

    monkeypatch.setenv("WORLD_SIZE", "2")
    monkeypatch.setattr(processes, "Accelerator", lambda **_: Alone())
    with pytest.raises(ArgumentsError, match="2 processes were launched, and accelerate sees 1"):
        processes.build_accelerator()


@pytest.mark.parametrize("words", [["--num_processes", "2"], ["--num-processes=2"]])
def test_a_launcher_that_started_fewer_processes_than_it_was_asked_for_is_reported(monkeypatch, caplog, words):
    class Parent:
        def parent(self):
            return self

        def cmdline(self):
            return ["python", "accelerate", "launch", "--cpu", *words, "script.py"]

    monkeypatch.setattr(processes.psutil, "Process", Parent)
    processes.build_accelerator()
    assert "THIS RUN HAS 1 PROCESS, AND THE LAUNCHER WAS ASKED FOR 2" in caplog.text
