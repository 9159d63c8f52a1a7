"""How time and memory of a distillation grow with its rows.

    python benchmarks/scaling.py                       # 100,000 and 200,000 rows: an epoch of each
    python benchmarks/scaling.py --rows 10000000 --steps 300      # ten million rows, so many steps

Words of made-up phonemes, no two alike, said of 20,000 different texts; a tiny tower. Each size runs in a process of
its own, from generated rows to the saved model. CPU seconds are those of all threads. Peak memory is the system's
figure (`ru_maxrss`), in which the pages of mapped files count that the system may drop at any time; "own" is what the
process itself holds at its end, without them.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from report import machine, markdown_table, versions

TEXTS, WIDTH = 20_000, 32
SYLLABLES = [
    onset + vowel for onset in ("p", "b", "t", "d", "k", "ɡ", "m", "n", "s", "z", "f", "l") for vowel in "aiuɛɔ"
]

RUN = """
import json, resource, sys, time
import psutil
from ipaclip.training.arguments import DistillationArguments
from ipaclip.training.distillation import Distillation
started, watch = time.process_time(), time.perf_counter()
run = Distillation(DistillationArguments.from_file(sys.argv[1]))
ready = time.process_time()
run.run()
memory = psutil.Process().memory_full_info()
print(json.dumps({"prepare": ready - started, "train": time.process_time() - ready, "own": memory.uss / 1e9,
                  "peak": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6, "steps": run.progress.step,
                  "wall": time.perf_counter() - watch}))
"""


def write_rows(path: Path, count: int) -> None:
    """Rows whose words count in syllables, three to six of them, and then come again."""
    base = len(SYLLABLES)
    with path.open("w", encoding="utf-8") as file:
        for number in range(count):
            left, spoken = number * 4001, []
            while len(spoken) < 3 or (left and len(spoken) < 6):
                spoken.append(SYLLABLES[left % base])
                left //= base
            file.write(f'{{"text": "thing {number % TEXTS}", "ipa": "{"".join(spoken)}"}}\n')


def measure(folder: Path, rows: int, steps: int | None, tokens: int) -> dict[str, Any]:
    """Seconds and gigabytes of one run of an epoch, or of so many steps."""
    from ipaclip import embedded_checkpoint

    write_rows(folder / "rows.jsonl", rows)
    values: dict[str, Any] = {
        "teacher": embedded_checkpoint(), "output_dir": str(folder / "out"), "cache_dir": str(folder / "cache"),
        "data": {"train": [str(folder / "rows.jsonl")]},
        "student": {"hidden_size": WIDTH, "intermediate_size": 2 * WIDTH, "num_hidden_layers": 1,
                    "num_attention_heads": 2, "max_position_embeddings": 64},
        "loop": {"tokens_per_batch": tokens, "steps": steps or epoch_steps(rows, tokens), "log_every": 50,
                 "checkpoint_every": 10**9},
    }  # fmt: skip
    config = folder / "run.json"
    config.write_text(json.dumps(values), encoding="utf-8")
    environment = {**os.environ, "TOKENIZERS_PARALLELISM": "false"}
    done = subprocess.run(
        [sys.executable, "-c", RUN, str(config)], capture_output=True, text=True, check=False, env=environment
    )
    if done.returncode:
        raise SystemExit(done.stdout + done.stderr)
    return json.loads(done.stdout.splitlines()[-1])


def epoch_steps(rows: int, tokens: int) -> int:
    """About an epoch: most rows have 14 tokens, six syllables of two with `<s>` and `</s>`."""
    return max(1, rows * 14 // tokens)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, nargs="+", default=[100_000, 200_000])
    parser.add_argument("--steps", type=int, help="steps to train; by default an epoch")
    parser.add_argument("--tokens", type=int, default=4096, help="padded tokens of a batch")
    parser.add_argument("--quick", action="store_true", help="200 and 300 rows, 3 steps: checks the script")
    args = parser.parse_args()
    if args.quick:
        args.rows, args.steps = [200, 300], 3
    table = []
    for rows in args.rows:
        with tempfile.TemporaryDirectory() as name:
            found = measure(Path(name), rows, args.steps, args.tokens)
        table.append([f"{rows:,}", f"{found['prepare']:.1f}", f"{found['steps']:,}", f"{found['train']:.1f}",
                      f"{found['wall']:.1f}", f"{found['peak']:.2f}", f"{found['own']:.2f}"])  # fmt: skip
        print(f"{rows:,} rows done", file=sys.stderr, flush=True)
    print(f"{machine()}; {versions('torch', 'transformers', 'accelerate')}\n")
    header = ["rows", "prepare, CPU s", "steps", "train, CPU s", "both, s", "peak memory, GB", "own memory, GB"]
    print(markdown_table(header, table))
    return 0


if __name__ == "__main__":
    sys.exit(main())
