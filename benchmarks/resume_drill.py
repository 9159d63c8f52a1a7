"""Kills a distillation again and again, and compares what it ends with.

    python benchmarks/resume_drill.py                  # 20 kills on one process, 20 on two
    python benchmarks/resume_drill.py --quick          # 4 kills each

A run on the embedded CLIP is done once without a break. Then it is done again and killed (SIGKILL, all its processes at
once) at random moments: between checkpoints, in the middle of an epoch, while a checkpoint is being written. Each time
the same command line goes on with it. At the end all weights must be bit-identical, as they are on one machine.
"""

import argparse
import contextlib
import hashlib
import json
import os
import random
import shutil
import subprocess
import sys
import tempfile
import time
from importlib.resources import files
from pathlib import Path

import psutil

ROWS, BATCH, CHECKPOINT_EVERY = 200, 16, 7
# Longest wait for anything to happen, in seconds.
PATIENCE = 600


def write_inputs(folder: Path) -> Path:
    """Rows of words that nobody knows, and the configuration. An epoch has 12 steps."""
    from ipaclip import embedded_checkpoint

    rng = random.Random(0)
    syllables = [onset + vowel for onset in "pbtdkɡmnszflɹ" for vowel in "aiuɛɔ"]
    rows = folder / "rows.jsonl"
    words = [{"text": f"thing {number}", "ipa": "".join(rng.choices(syllables, k=rng.randint(1, 5)))}
             for number in range(ROWS)]  # fmt: skip
    rows.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in words), encoding="utf-8")
    config = folder / "run.json"
    values = {
        "teacher": embedded_checkpoint(), "output_dir": "", "resume": True, "cache_dir": str(folder / "cache"),
        "data": {"train": [str(rows)], "eval_share": 0.1},
        "student": {"hidden_size": 64, "intermediate_size": 128, "num_hidden_layers": 2, "num_attention_heads": 2},
        "loop": {"batch_size": BATCH, "log_every": 1, "checkpoint_every": CHECKPOINT_EVERY, "evaluate_every": 25,
                 "ema": 0.99, "num_threads": 1},
    }  # fmt: skip
    config.write_text(json.dumps(values), encoding="utf-8")
    return config


def command(config: Path, output: Path, steps: int, processes: int) -> list[str]:
    module = ["-m", "ipaclip.training.distill", str(config), f"output_dir={output}", f"loop.steps={steps}"]
    if processes == 1:
        return [sys.executable, *module]
    accelerate = str(files("ipaclip.training") / "configs" / "accelerate" / "cpu_2.yaml")
    launch = ["-m", "accelerate.commands.launch", "--config_file", accelerate, "--num_processes", str(processes)]
    return [sys.executable, *launch, "--main_process_port", "0", *module]


def start(words: list[str], log: Path) -> subprocess.Popen[bytes]:
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "TOKENIZERS_PARALLELISM": "false"}
    with log.open("ab") as output:
        return subprocess.Popen(words, stdout=output, stderr=output, env=environment, start_new_session=True)


def last_step(output: Path) -> int:
    """The last step that the run's log speaks of."""
    path = output / "log.jsonl"
    lines = path.read_text(encoding="utf-8").splitlines() if path.exists() else []
    for line in reversed(lines):
        try:
            return int(json.loads(line)["step"])
        except (ValueError, KeyError):
            continue
    return 0


def kill_at(run: subprocess.Popen[bytes], output: Path, began: int, step: int, delay: float) -> bool:
    """Kills the run `delay` seconds after it is past `step`. False if it ended before."""
    limit = time.monotonic() + PATIENCE
    moving = False
    while time.monotonic() < limit:
        if run.poll() is not None:
            return False
        now = last_step(output)
        # The log still speaks of the steps of the run before until this one cuts it back and goes on.
        moving = moving or now != began
        if moving and now >= step:
            time.sleep(delay)
            break
        time.sleep(0.002)
    kill(run)
    return True


def kill(run: subprocess.Popen[bytes]) -> None:
    """Kills a run with all its processes, which a launcher puts into sessions of their own."""
    with contextlib.suppress(psutil.NoSuchProcess):
        parent = psutil.Process(run.pid)
        for process in (parent, *parent.children(recursive=True)):
            with contextlib.suppress(psutil.NoSuchProcess):
                process.kill()
    run.wait()


def drill(words: list[str], output: Path, steps: int, kills: int, rng: random.Random) -> list[int]:
    """Kills the run `kills` times and lets it end. Returns the steps at which it was killed."""
    log = output.with_suffix(".txt")
    killed: list[int] = []
    for number in range(kills):
        began = last_step(output)
        # So that about as many steps are left for each kill that is to come.
        step = min(steps - 1, began + rng.randint(1, max(1, 2 * (steps - began) // (kills - number + 1))))
        if not kill_at(start(words, log), output, began, step, rng.random() * 0.05):
            raise SystemExit(f"the run ended before kill {number + 1}: see {log}")
        killed.append(last_step(output))
    finish(words, log)
    return killed


def finish(words: list[str], log: Path) -> None:
    run = start(words, log)
    try:
        code = run.wait(PATIENCE)
    finally:
        kill(run)
    if code:
        raise SystemExit(f"the run failed with {code}: see {log}")


def digest(output: Path) -> str:
    return hashlib.sha256((output / "model.safetensors").read_bytes()).hexdigest()[:16]


def steps_logged(output: Path) -> list[tuple[int, float]]:
    """`(step, loss)` of each record."""
    records = [json.loads(line) for line in (output / "log.jsonl").read_text(encoding="utf-8").splitlines()]
    return [(record["step"], record["loss"]) for record in records if "loss" in record]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--steps", type=int, default=600)
    parser.add_argument("--processes", type=int, nargs="+", default=[1, 2])
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--folder", type=Path, help="where to work; by default a temporary folder, removed at the end")
    parser.add_argument("--quick", action="store_true", help="4 kills in 120 steps")
    args = parser.parse_args()
    kills, steps = (4, 120) if args.quick else (args.kills, args.steps)
    folder = args.folder or Path(tempfile.mkdtemp(prefix="resume-drill-"))
    folder.mkdir(parents=True, exist_ok=True)
    config = write_inputs(folder)
    good = True
    print(f"{steps} steps, a checkpoint every {CHECKPOINT_EVERY}, {ROWS // BATCH} steps an epoch\n")
    print("| processes | kills | killed after steps | losses logged once, and equal | weights |")
    print("| --- | --- | --- | --- | --- |")
    for processes in args.processes:
        whole, broken = folder / f"whole-{processes}", folder / f"broken-{processes}"
        finish(command(config, whole, steps, processes), whole.with_suffix(".txt"))
        killed = drill(command(config, broken, steps, processes), broken, steps, kills, random.Random(args.seed))
        same, logs = digest(whole) == digest(broken), steps_logged(whole) == steps_logged(broken)
        good = good and same and logs
        verdict = "bit-identical" if same else f"DIFFERENT: {digest(whole)}, {digest(broken)}"
        where = ", ".join(map(str, killed))
        print(f"| {processes} | {len(killed)} | {where} | {'yes' if logs else 'NO'} | {verdict} |", flush=True)
    if not args.folder and good:
        shutil.rmtree(folder)
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
