"""A distillation from a CLIP of ViT-B/32's true shape, with random weights: steps/s, tokens/s, memory.

    python benchmarks/vit_b32.py               # presets base and small, 20 steps each
    python benchmarks/vit_b32.py --steps 200 --tokens 65536 --precision bf16     # such as on a GPU

Through `ipaclip distill`, in a process of its own, on a GPU where there is one. The teacher has 151 M parameters, as
OpenAI's; its tokenizer reads single bytes, so texts are a little longer than CLIP's own would be.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import torch
from distill import POSITIONS, write_rows
from report import machine, markdown_table, versions

RUN = """
import atexit, resource
atexit.register(lambda: print("peak", resource.getrusage(resource.RUSAGE_SELF).ru_maxrss))
from ipaclip.cli import main
main()
"""


def write_teacher(folder: Path) -> Path:
    """`CLIPModel(CLIPConfig())`, whose defaults are ViT-B/32's, and what reads texts and pictures for it."""
    from tokenizers.pre_tokenizers import ByteLevel
    from transformers import CLIPConfig, CLIPImageProcessor, CLIPModel, CLIPTokenizer

    signs = sorted(ByteLevel.alphabet())
    tokens = [*signs, *(f"{sign}</w>" for sign in signs)]
    # As many as CLIP's own, which a teacher's text tower must have a row for each of.
    unused = CLIPConfig().text_config.vocab_size - len(tokens) - 2
    tokens += [*(f"<unused {number}>" for number in range(unused)), "<|startoftext|>", "<|endoftext|>"]
    tokenizer = CLIPTokenizer(vocab={token: row for row, token in enumerate(tokens)}, merges=[], model_max_length=77)
    torch.manual_seed(0)
    config = CLIPConfig()
    # Pooled at the end token, whose number is this tokenizer's.
    for name in ("bos_token_id", "eos_token_id", "pad_token_id"):
        setattr(config.text_config, name, getattr(tokenizer, name))
    teacher = folder / "vit-b-32"
    CLIPModel(config).save_pretrained(teacher)
    tokenizer.save_pretrained(teacher)
    CLIPImageProcessor().save_pretrained(teacher)
    return teacher


def run(folder: Path, teacher: Path, preset: str, args: argparse.Namespace) -> list[str]:
    """A row of the table."""
    output = folder / preset
    config = folder / f"{preset}.json"
    half = max(1, args.steps // 2)
    values: dict[str, Any] = {
        "teacher": str(teacher), "output_dir": str(output), "cache_dir": str(folder / "cache"),
        "data": {"train": [str(folder / "rows.jsonl")]},
        "student": {"preset": preset, "max_position_embeddings": POSITIONS},
        "loop": {"steps": 2 * half, "tokens_per_batch": args.tokens, "mixed_precision": args.precision,
                 "log_every": half, "checkpoint_every": 2 * half},
    }  # fmt: skip
    config.write_text(json.dumps(values), encoding="utf-8")
    environment = {**os.environ, "TOKENIZERS_PARALLELISM": "false"}
    done = subprocess.run(
        [sys.executable, "-c", RUN, "distill", str(config)],
        capture_output=True, text=True, check=False, env=environment,
    )  # fmt: skip
    if done.returncode:
        raise SystemExit(done.stdout + done.stderr)
    first, last = map(json.loads, (output / "log.jsonl").read_text(encoding="utf-8").splitlines())
    # The second half: the first warms up.
    steps_per_second = half / (last["seconds"] - first["seconds"])
    peak = int(done.stdout.split("peak ")[1]) / 1e6
    metrics = json.loads((output / "metrics.json").read_text(encoding="utf-8"))
    tower = metrics["run"]["tower"]
    return [
        preset, f"{tower['num_hidden_layers']} x {tower['hidden_size']}", f"{steps_per_second:.2f}",
        f"{last['tokens_per_second']:,.0f}", f"{first['loss']:.2f}", f"{last['loss']:.2f}", f"{peak:.1f}",
        f"{last['gpu_memory_gb']:.1f}" if "gpu_memory_gb" in last else "",
    ]  # fmt: skip


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--steps", type=int, default=20)
    parser.add_argument("--presets", nargs="+", default=["base", "small"], choices=["tiny", "small", "base"])
    parser.add_argument("--tokens", type=int, default=2048, help="padded tokens of a batch")
    parser.add_argument("--precision", default="no", choices=["no", "bf16", "fp16"])
    parser.add_argument("--rows", type=int, default=2000)
    parser.add_argument("--quick", action="store_true", help="2 steps of the smallest tower: checks the script")
    args = parser.parse_args()
    if args.quick:
        args.presets, args.steps, args.tokens, args.rows = ["tiny"], 2, 512, 60
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write_rows(folder / "rows.jsonl", args.rows)
        teacher = write_teacher(folder)
        rows = [run(folder, teacher, preset, args) for preset in args.presets]
    where = torch.cuda.get_device_name() if torch.cuda.is_available() else f"{torch.get_num_threads()} thread(s)"
    print(f"{machine()}, {where}, precision {args.precision}; {versions('torch', 'transformers', 'accelerate')}\n")
    print(f"{args.steps} steps of {args.tokens:,} padded tokens, words and captions:\n")
    header = ["preset", "layers", "steps/s", "tokens/s", "loss, first half", "second half", "peak RAM, GB", "GPU, GB"]
    print(markdown_table(header, rows))
    return 0


if __name__ == "__main__":
    sys.exit(main())
