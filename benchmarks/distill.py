"""How fast distillation is, side by side on one machine: ours, sentence-transformers' trainer, and a plain loop.

    python benchmarks/distill.py                        # minutes
    python benchmarks/distill.py --only utilisation     # or side-by-side
    python benchmarks/distill.py --quick                # a tiny tower and few steps: that it runs, not how fast

All train the same tower on the same rows, words and captions mixed, against the same targets with the same loss (mean
squared error), without noise. Then the tower in CLIP text's shape alone: how much of the machine's peak, measured with
products of matrices, goes into true tokens. Padding, attention to padding and all that is no matrix product count as
nothing. Beside it the same of a bare step, with which no loop can do better: the tower, a squared error and the
optimizer on as many tokens of one length, without data, noise or log.
"""

import argparse
import json
import random
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from report import machine, markdown_table, versions
from torch.nn import functional

SMALL = {"hidden_size": 256, "intermediate_size": 1024, "num_hidden_layers": 3, "num_attention_heads": 4}
BASE = {"hidden_size": 512, "intermediate_size": 2048, "num_hidden_layers": 12, "num_attention_heads": 8}
TINY = {"hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 1, "num_attention_heads": 2}
POSITIONS = 256
BARE_LENGTH = 32
# Precision of the loop, of the arithmetic, and whether with torch.compile (`loop.compile`).
KINDS = (("no", torch.float32, False), ("bf16", torch.bfloat16, False), ("bf16", torch.bfloat16, True))
MSE_ONLY = {"cosine": 0.0, "contrastive": 0.0, "mse": 1.0}


@dataclass
class Scale:
    """How much is done."""

    shape: dict[str, int]
    base: dict[str, int]
    rows: int
    batch_size: int
    base_tokens: int
    steps: int
    base_steps: int


FULL = Scale(SMALL, BASE, rows=8192, batch_size=64, base_tokens=4096, steps=60, base_steps=8)
QUICK = Scale(TINY, TINY, rows=512, batch_size=16, base_tokens=1024, steps=4, base_steps=2)


def write_rows(path: Path, count: int) -> None:
    """Half words (5 to 12 tokens), half captions (log-normal: 57 tokens on average, 92 at the 95th percentile).

    The lengths are those of English words and captions through espeak-ng; the phonemes are made up.
    """
    rng = random.Random(0)
    syllables = [onset + vowel for onset in "pbtdkɡmnszflɹ" for vowel in "aiuɛɔ"]

    def words(tokens: int) -> str:
        spoken = []
        while tokens > 0:
            size = min(rng.randint(1, 3), max(1, tokens // 2))
            spoken.append("".join(rng.choices(syllables, k=size)))
            tokens -= 2 * size + 1
        return " ".join(spoken)

    with path.open("w", encoding="utf-8") as file:
        for number in range(count):
            tokens = rng.randint(5, 12) if number % 2 else min(200, int(rng.lognormvariate(4.0, 0.3)))
            row = {"text": f"thing {number % 1000}", "ipa": words(tokens - 2)}
            file.write(json.dumps(row, ensure_ascii=False) + "\n")


def arguments(folder: Path, output: str, shape: dict[str, int], loop: dict[str, Any]) -> Any:
    from ipaclip import embedded_checkpoint
    from ipaclip.training.arguments import DistillationArguments

    return DistillationArguments.from_dict({
        "teacher": embedded_checkpoint(), "output_dir": str(folder / output), "cache_dir": str(folder / "cache"),
        "data": {"train": [str(folder / "rows.jsonl")]}, "augmentation": {"clean": 1.0}, "objective": MSE_ONLY,
        "student": {**shape, "max_position_embeddings": POSITIONS},
        "loop": {"checkpoint_every": 10**9, **loop},
    })  # fmt: skip


@dataclass
class Speed:
    rows: float
    """A second."""
    tokens: float
    """True ones, a second."""
    flops: float
    """Of true tokens, a second."""
    padding: float


def ours(folder: Path, name: str, shape: dict[str, int], steps: int, **loop: Any) -> Speed:
    """The speed that the run's own log reports for the second half of its steps; the first half warms up."""
    from ipaclip.training.distillation import Distillation

    run = Distillation(arguments(folder, name, shape, {"steps": 2 * steps, "log_every": steps, **loop}))
    per_row = flops_of(run.data.lengths, shape, run.targets.shape[1]).mean()
    lengths = run.data.lengths.mean()
    record = json.loads((run.run() / "log.jsonl").read_text(encoding="utf-8").splitlines()[1])
    tokens = record["tokens_per_second"]
    # Of rows of all lengths: the batches of a run are a fair sample of them.
    return Speed(tokens / lengths, tokens, tokens / lengths * per_row, record["padding"])


def flops_of(lengths: np.ndarray, shape: dict[str, int], dim: int) -> np.ndarray:
    """Floating-point operations of one training step on each row: matrix products, forward once and backward twice."""
    hidden, between, layers = shape["hidden_size"], shape["intermediate_size"], shape["num_hidden_layers"]
    length = lengths.astype(np.float64)
    layer = length * (8 * hidden**2 + 4 * hidden * between) + 4 * length**2 * hidden
    return 3 * (layers * layer + 2 * hidden * dim)


@dataclass
class Setting:
    """What the peers train on: a fresh tower, and each row's ids and target."""

    tower: torch.nn.Module
    ids: list[np.ndarray]
    targets: np.ndarray
    pad: int
    device: torch.device
    learning_rate: float

    @classmethod
    def build(cls, folder: Path, shape: dict[str, int], precision: str = "no") -> "Setting":
        from ipaclip.training.distillation import Distillation

        forget_precision()
        run = Distillation(arguments(folder, f"peer-{time.time_ns()}", shape, {"mixed_precision": precision}))
        ids = [run.data.phonemes[row] for row in range(len(run.data))]
        targets = run.targets[np.asarray(run.data.text_of_row)]
        tower = run.accelerator.unwrap_model(run.student).train()
        run.lock.release()
        return cls(tower, ids, targets, run.batches.pad_token_id, run.accelerator.device, 4e-4)


def plain_loop(setting: Setting, batch_size: int, steps: int) -> float:
    """Rows a second of the loop that one writes first: rows as they come, padded to the tower's length."""
    optimizer = torch.optim.AdamW(setting.tower.parameters(), lr=setting.learning_rate)
    order = np.random.default_rng(0).permutation(len(setting.ids))
    started = 0.0
    for step in range(2 * steps):
        if step == steps:
            synchronise(setting.device)
            started = time.perf_counter()
        rows = order[np.arange(step * batch_size, (step + 1) * batch_size) % len(order)]
        ids = torch.full((batch_size, POSITIONS), setting.pad)
        for number, row in enumerate(rows):
            ids[number, : len(setting.ids[row])] = torch.from_numpy(setting.ids[row])
        ids, target = ids.to(setting.device), torch.from_numpy(setting.targets[rows]).to(setting.device)
        said = setting.tower(input_ids=ids, attention_mask=(ids != setting.pad).long()).pronunciation_embeds
        functional.mse_loss(said, target).backward()
        optimizer.step()
        optimizer.zero_grad()
    synchronise(setting.device)
    return steps * batch_size / (time.perf_counter() - started)


def sentence_transformers(setting: Setting, folder: Path, batch_size: int, steps: int) -> float | None:
    """Rows a second of `SentenceTransformerTrainer` with `MSELoss`, its defaults otherwise; None if not installed."""
    try:
        from datasets import Dataset
        from datasets.table import InMemoryTable
        from sentence_transformers import (
            SentenceTransformer,
            SentenceTransformerTrainer,
            SentenceTransformerTrainingArguments,
        )
        from sentence_transformers.losses import MSELoss
        from transformers import TrainerCallback
    except ImportError:
        return None

    class Tower(torch.nn.Module):
        """The tower as a module of theirs. A row's number stands for its text, so that nothing is tokenized anew."""

        def __init__(self) -> None:
            super().__init__()
            self.tower = setting.tower

        def tokenize(self, texts: list[str], **_: Any) -> dict[str, torch.Tensor]:
            sequences = [torch.from_numpy(setting.ids[int(text)]).long() for text in texts]
            ids = torch.nn.utils.rnn.pad_sequence(sequences, batch_first=True, padding_value=setting.pad)
            return {"input_ids": ids, "attention_mask": (ids != setting.pad).long()}

        preprocess = tokenize

        def forward(self, features: dict[str, torch.Tensor], **_: Any) -> dict[str, torch.Tensor]:
            said = self.tower(input_ids=features["input_ids"], attention_mask=features["attention_mask"])
            return {**features, "sentence_embedding": said.pronunciation_embeds}

    class Clock(TrainerCallback):
        def __init__(self) -> None:
            self.times: list[float] = []

        def on_step_end(self, *_: Any, **__: Any) -> None:
            synchronise(setting.device)
            self.times.append(time.perf_counter())

    texts = [str(row) for row in range(len(setting.ids))]
    table = InMemoryTable.from_pydict({"sentence": texts, "label": setting.targets.tolist()})
    # With a name of its own the table need not be pickled, which not every pair of pyarrow and dill can.
    dataset = Dataset(table, fingerprint="rows")
    options = SentenceTransformerTrainingArguments(
        output_dir=str(folder / "st"), max_steps=2 * steps, per_device_train_batch_size=batch_size, save_strategy="no",
        learning_rate=setting.learning_rate, report_to="none", disable_tqdm=True, logging_strategy="no",
        use_cpu=setting.device.type == "cpu",
    )  # fmt: skip
    model, clock = SentenceTransformer(modules=[Tower()], device=str(setting.device)), Clock()
    trainer = SentenceTransformerTrainer(
        model=model, args=options, train_dataset=dataset, loss=MSELoss(model), callbacks=[clock]
    )
    trainer.train()
    return steps * batch_size / (clock.times[-1] - clock.times[steps - 1])


def synchronise(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize()


def peak(dtype: torch.dtype, device: torch.device, quick: bool) -> float:
    """Floating-point operations a second of the best of several sizes of matrix products."""
    best = 0.0
    for size in (256, 512) if quick else (1024, 2048, 4096):
        left, right = (torch.randn(size, size, device=device, dtype=dtype) for _ in range(2))
        left @ right
        synchronise(device)
        started, times = time.perf_counter(), 0
        while time.perf_counter() - started < (0.1 if quick else 1.0):
            left @ right
            synchronise(device)
            times += 1
        best = max(best, 2 * size**3 * times / (time.perf_counter() - started))
    return best


def compare(folder: Path, scale: Scale) -> str:
    """The table of ours and its peers."""
    mean = np.mean([len(ids) for ids in Setting.build(folder, scale.shape).ids])
    budget = max(2 * POSITIONS, round(scale.batch_size * float(mean)))
    own = ours(folder, "ours", scale.shape, scale.steps, tokens_per_batch=budget, seed=0)
    theirs = sentence_transformers(Setting.build(folder, scale.shape), folder, scale.batch_size, scale.steps)
    plain = plain_loop(Setting.build(folder, scale.shape), scale.batch_size, max(2, scale.steps // 4))
    rows = [["ipaclip", f"{own.rows:,.0f}", f"{own.padding:.0%}", "1.0"]]
    for name, found in (("sentence-transformers' trainer, MSELoss", theirs),
                        (f"plain loop, padded to {POSITIONS}", plain)):  # fmt: skip
        rows.append(
            [name, f"{found:,.0f}", "", f"{own.rows / found:.1f}"] if found else [name, "not installed", "", ""]
        )
    return markdown_table(["training with", "rows/s", "padding", "ipaclip is faster by"], rows)


def utilisation(folder: Path, scale: Scale, quick: bool) -> str:
    """The table of how much of the machine's peak goes into true tokens."""
    rows = []
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    for precision, dtype, compiled in KINDS:
        highest = peak(dtype, device, quick)
        speed = run_base(folder, scale, precision, compiled)
        bare = bare_step(folder, scale, dtype, compiled)
        # The peak of before and after: what else the machine does must not make it look low.
        highest = max(highest, peak(dtype, device, quick))
        kind = str(dtype).removeprefix("torch.") + ", compiled" * compiled
        rows.append([kind, f"{speed.tokens:,.0f}", f"{speed.padding:.0%}",
                     f"{speed.flops / 1e9:,.1f}", f"{highest / 1e9:,.1f}", f"{speed.flops / highest:.0%}",
                     f"{bare / highest:.0%}"])  # fmt: skip
    header = ["precision", "tokens/s", "padding", "GFLOP/s", "peak GFLOP/s", "utilisation", "bare step"]
    return markdown_table(header, rows)


def bare_step(folder: Path, scale: Scale, dtype: torch.dtype, compiled: bool) -> float:
    """Floating-point operations a second of `BARE_LENGTH` tokens a row, as many in all as a batch of the loop has."""
    setting = Setting.build(folder, scale.base, "no" if dtype == torch.float32 else "bf16")
    tower, device = setting.tower, setting.device
    if compiled:
        tower.compile(dynamic=True)
    rows, dim = scale.base_tokens // BARE_LENGTH, setting.targets.shape[1]
    ids = torch.randint(10, 100, (rows, BARE_LENGTH), device=device)
    mask, target = torch.ones_like(ids), torch.zeros(rows, dim, device=device)
    optimizer = torch.optim.AdamW(tower.parameters(), lr=setting.learning_rate, fused=True)
    started = 0.0
    for step in range(2 * scale.base_steps):
        if step == scale.base_steps:
            synchronise(device)
            started = time.perf_counter()
        with torch.autocast(device.type, dtype, enabled=dtype != torch.float32):
            said = tower(input_ids=ids, attention_mask=mask).pronunciation_embeds
        functional.mse_loss(said.float(), target).backward()
        optimizer.step()
        optimizer.zero_grad()
    synchronise(device)
    seconds = time.perf_counter() - started
    return float(flops_of(np.full(rows, BARE_LENGTH), scale.base, dim).sum()) * scale.base_steps / seconds


def run_base(folder: Path, scale: Scale, precision: str, compiled: bool) -> Speed:
    forget_precision()
    return ours(
        folder, f"base-{precision}{'-compiled' * compiled}", scale.base, scale.base_steps,
        tokens_per_batch=scale.base_tokens, mixed_precision=precision, compile=compiled,
    )  # fmt: skip


def forget_precision() -> None:
    """accelerate otherwise settles a process's precision once and for all."""
    from accelerate.state import AcceleratorState

    AcceleratorState._reset_state(reset_partial_state=True)


def describe(shape: dict[str, int]) -> str:
    return f"{shape['num_hidden_layers']} layers, {shape['hidden_size']} wide"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="a tiny tower and few steps")
    parser.add_argument("--only", choices=["side-by-side", "utilisation"], help="one of the two tables")
    parser.add_argument("--threads", type=int, help="by default torch's own number")
    parser.add_argument("--output", type=Path, help="a file for the tables, beside what is printed")
    args = parser.parse_args()
    scale = QUICK if args.quick else FULL
    if args.threads:
        torch.set_num_threads(args.threads)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write_rows(folder / "rows.jsonl", scale.rows)
        tables = []
        if args.only != "utilisation":
            tables.append(f"A tower of {describe(scale.shape)}, words and captions:\n\n{compare(folder, scale)}")
        if args.only != "side-by-side":
            used = utilisation(folder, scale, args.quick)
            tables.append(f"A tower of {describe(scale.base)}, true tokens only:\n\n{used}")
    where = torch.cuda.get_device_name() if torch.cuda.is_available() else f"{torch.get_num_threads()} thread(s)"
    found = versions("torch", "transformers", "accelerate", "sentence-transformers")
    text = "\n\n".join([f"{machine()}, {where}; {found}", *tables])
    print(text)
    if args.output:
        args.output.write_text(text + "\n", encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
