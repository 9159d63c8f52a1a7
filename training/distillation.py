"""The run itself: a frozen teacher, a pronunciation tower that learns to say what the teacher reads."""

import json
import logging
import math
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import numpy as np
import torch
from accelerate import Accelerator
from accelerate.utils import set_seed
from ipaclip import IPAClipModel, IPAClipPronunciationModelWithProjection
from ipaclip.tokenization import IPATokenizer, phoneme_feature_table
from tqdm.auto import tqdm

from .arguments import ArgumentsError, DistillationArguments, LoopArguments, dump
from .augmentation import PhoneticAugmentation
from .batching import epoch_batches
from .checkpoints import Progress, load_checkpoint, remove_checkpoints, save_checkpoint
from .data import load_data
from .held_out import HeldOutWords
from .objective import DistillationObjective
from .output import save_result
from .prepared import TrainingData
from .teacher import Teacher, cached_targets

logger = logging.getLogger(__name__)

ARGUMENTS_FILE = "distillation.json"
LOG_FILE = "log.jsonl"


@dataclass
class Targets:
    """The teacher's embeddings `(texts, dim)` of all different texts, which one each row has, mean and variance."""

    embeddings: np.ndarray
    of_row: np.ndarray
    mean: torch.Tensor
    variance: float

    @property
    def scale(self) -> float:
        """Standard deviation of one dimension: what CLIP's initialisation takes to be 1."""
        return math.sqrt(self.variance / len(self.mean))

    @classmethod
    def of(cls, data: TrainingData, teacher: Teacher, cache_dir: Path) -> "Targets":
        embeddings = cached_targets(teacher, data.texts, cache_dir / "targets")
        mean = embeddings.mean(0, dtype=np.float64)
        variance = float(np.square(embeddings - mean).sum(-1).mean())
        return cls(embeddings, data.text_of_row, torch.from_numpy(mean).float(), variance)


class Distillation:
    """Distils a pronunciation tower from a CLIP's text tower.

    `Distillation(arguments).run()` trains and saves; everything that is decided before the first step is an attribute.
    Batches and noise are pure functions of seed, epoch and batch, so that a resumed run is the uninterrupted one.
    """

    def __init__(self, arguments: DistillationArguments) -> None:
        self.arguments = arguments
        self.output_dir = prepare_output_dir(arguments)
        if arguments.loop.num_threads:
            torch.set_num_threads(arguments.loop.num_threads)
        self.accelerator = Accelerator(mixed_precision=arguments.loop.mixed_precision)
        set_seed(arguments.loop.seed)
        self.tokenizer = IPATokenizer.build(max_length=arguments.student.max_position_embeddings)
        cache_dir = Path(arguments.cache_dir).expanduser()
        self.data = load_data(
            arguments.data,
            self.tokenizer,
            arguments.student.max_position_embeddings,
            self.output_dir,
            cache_dir / "rows",
        )
        self.teacher = Teacher.load(arguments.teacher)
        self.teacher.model.to(self.accelerator.device)
        self.targets = Targets.of(self.data, self.teacher, cache_dir)
        self.ipaclip = self._build_model()
        self.augmentation = self._build_augmentation()
        self.objective = DistillationObjective(
            arguments.objective, self.targets.mean.to(self.accelerator.device), self.targets.variance
        )
        self.student, self.optimizer = self._prepare_student()
        self.progress = Progress()
        self.recent: list[dict[str, float]] = []

    def _build_model(self) -> IPAClipModel:
        student = self.arguments.student
        table = phoneme_feature_table(self.tokenizer, student.feature_set)
        config = {name: getattr(student, name) for name in student.__dataclass_fields__ if name != "query_key_gain"}
        config.update(vocab_size=len(self.tokenizer), num_phoneme_features=table.shape[1], attention_dropout=0.0)
        if student.feature_set == "learned":
            config["learned_residual"] = True
        model = IPAClipModel.from_clip(self.teacher.model, phoneme_features=table, pronunciation_config=config)
        with torch.no_grad():
            # Mean and spread of the targets need no learning: with these, outputs start in the teacher's space.
            model.pronunciation_projection.bias.copy_(self.targets.mean)
            model.pronunciation_projection.weight.mul_(self.targets.scale)
            for layer in model.pronunciation_model.encoder.layers:
                layer.self_attn.q_proj.weight.mul_(student.query_key_gain)
                layer.self_attn.k_proj.weight.mul_(student.query_key_gain)
        return model

    def _build_augmentation(self) -> PhoneticAugmentation:
        arguments = self.arguments.augmentation
        held_out = HeldOutWords.from_file(self.tokenizer, self.arguments.data.held_out)
        inventory = arguments.inventory or self.data.inventory(self.tokenizer)
        return PhoneticAugmentation(arguments, self.tokenizer, inventory, held_out)

    def _prepare_student(self) -> tuple[Any, torch.optim.Optimizer]:
        student = IPAClipPronunciationModelWithProjection(cast(Any, self.ipaclip.config.pronunciation_config))
        student.pronunciation_model = self.ipaclip.pronunciation_model
        student.pronunciation_projection = self.ipaclip.pronunciation_projection
        student.requires_grad_(True)
        if self.arguments.loop.gradient_checkpointing:
            student.gradient_checkpointing_enable()
        return self.accelerator.prepare(student, build_optimizer(student, self.arguments.loop, self.targets.scale))

    def run(self) -> Path:
        """Trains to the last step, saves the IPA-CLIP, and returns its directory. Ctrl-C saves a checkpoint first."""
        accelerator, loop = self.accelerator, self.arguments.loop
        if self.arguments.resume:
            self._check_same_run()
            self.progress = load_checkpoint(self.output_dir, accelerator.unwrap_model(self.student), self.optimizer)
        if accelerator.is_main_process:
            dump(self.arguments, self.output_dir / ARGUMENTS_FILE)
        logger.info(
            "distilling on %d process(es), %s: %d rows, %d texts, %.1f M parameters, %d steps, from step %d",
            accelerator.num_processes, accelerator.device, len(self.data), len(self.targets.embeddings),
            sum(weight.numel() for weight in self.student.parameters()) / 1e6, loop.steps, self.progress.step,
        )  # fmt: skip
        bar = tqdm(
            total=loop.steps, initial=self.progress.step, desc="distilling", unit="step", smoothing=0.05,
            disable=None if accelerator.is_main_process else True,
        )  # fmt: skip
        self.student.train()
        try:
            while self.progress.step < loop.steps:
                self._run_epoch(bar)
        except KeyboardInterrupt:
            self._save_checkpoint()
            logger.warning("interrupted at step %d: run again with resume=true to go on", self.progress.step)
            raise
        finally:
            bar.close()
        return self._finish()

    def _check_same_run(self) -> None:
        """A checkpoint goes on with the teacher and the tower that it began with."""
        path = self.output_dir / ARGUMENTS_FILE
        if path.exists():
            before, now = json.loads(path.read_text(encoding="utf-8")), self.arguments.to_dict()
            for key in ("teacher", "student"):
                if before.get(key) != now[key]:
                    raise ArgumentsError(
                        f"the run in {self.output_dir} began with another {key} ({before.get(key)}): name another "
                        "output_dir, or give the same"
                    )

    def _run_epoch(self, bar: tqdm) -> None:
        """From the batch where the run is to the epoch's end, or to the last step."""
        loop, progress = self.arguments.loop, self.progress
        batches = epoch_batches(self.data.lengths, self.data.weights, loop.batch_size, loop.seed, progress.epoch)
        for number in range(progress.batch, len(batches)):
            started = time.perf_counter()
            self.recent.append(self._step(batches[number], number))
            progress.step, progress.batch = progress.step + 1, number + 1
            progress.seconds += time.perf_counter() - started
            bar.update()
            if progress.step % loop.log_every == 0 or progress.step == loop.steps:
                self._log(bar)
            if progress.step % loop.checkpoint_every == 0:
                self._save_checkpoint()
            if progress.step == loop.steps:
                return
        progress.epoch, progress.batch = progress.epoch + 1, 0

    def _step(self, rows: np.ndarray, number: int) -> dict[str, float]:
        """One update on this process's share of the batch. Returns the loss terms and the share of padding."""
        loop, accelerator = self.arguments.loop, self.accelerator
        rng = np.random.default_rng([loop.seed, 1, self.progress.epoch, number])
        phonemes = [self.augmentation(self.data.phonemes[row], rng) for row in rows]
        extra = self._extra_negatives(rng)
        mine = slice(accelerator.process_index, None, accelerator.num_processes)
        ids, mask = self._pad(phonemes[mine])
        numbers = self.targets.of_row[rows[mine]]
        output = self.student(input_ids=ids, attention_mask=mask).pronunciation_embeds
        terms = self.objective(output, self._teacher(numbers), self._numbers(numbers), self._teacher(extra),
                               self._numbers(extra))  # fmt: skip
        if not torch.isfinite(terms["loss"]):
            raise FloatingPointError(
                f"the loss is {terms['loss'].item()} at step {self.progress.step + 1}: lower loop.learning_rate"
            )
        accelerator.backward(terms["loss"])
        accelerator.clip_grad_norm_(self.student.parameters(), loop.max_grad_norm)
        for group in self.optimizer.param_groups:
            group["lr"] = learning_rate(loop, self.progress.step) * group["relative_rate"]
        self.optimizer.step()
        self.optimizer.zero_grad(set_to_none=True)
        return {**{name: term.item() for name, term in terms.items()}, "padding": 1 - mask.float().mean().item()}

    def _extra_negatives(self, rng: np.random.Generator) -> np.ndarray:
        count = min(self.arguments.objective.extra_negatives, len(self.targets.embeddings))
        return np.sort(rng.choice(len(self.targets.embeddings), count, replace=False))

    def _teacher(self, numbers: np.ndarray) -> torch.Tensor:
        return torch.from_numpy(np.asarray(self.targets.embeddings[numbers])).to(self.accelerator.device)

    def _numbers(self, numbers: np.ndarray) -> torch.Tensor:
        return torch.from_numpy(numbers).to(self.accelerator.device)

    def _pad(self, phonemes: list[np.ndarray]) -> tuple[torch.Tensor, torch.Tensor]:
        """`(batch, length)` ids and mask; noise may have lengthened a sequence past the tower's positions: cut it."""
        limit = self.arguments.student.max_position_embeddings
        phonemes = [ids if len(ids) <= limit else np.append(ids[: limit - 1], ids[-1]) for ids in phonemes]
        length = max(len(ids) for ids in phonemes)
        padded = np.full((len(phonemes), length), self.tokenizer.pad_token_id, dtype=np.int64)
        for row, ids in enumerate(phonemes):
            padded[row, : len(ids)] = ids
        mask = np.arange(length)[None, :] < np.array([len(ids) for ids in phonemes])[:, None]
        device = self.accelerator.device
        return torch.from_numpy(padded).to(device), torch.from_numpy(mask.astype(np.int64)).to(device)

    def _log(self, bar: tqdm) -> None:
        """Means of the steps since the last record, to the progress bar and `log.jsonl`."""
        values = {name: round(float(np.mean([step[name] for step in self.recent])), 4) for name in self.recent[0]}
        self.recent.clear()
        if not self.accelerator.is_main_process:
            return
        record = {"step": self.progress.step, "epoch": self.progress.epoch, **values,
                  "learning_rate": learning_rate(self.arguments.loop, self.progress.step - 1),
                  "seconds": round(self.progress.seconds, 2)}  # fmt: skip
        with (self.output_dir / LOG_FILE).open("a", encoding="utf-8") as log:
            log.write(json.dumps(record) + "\n")
        bar.set_postfix(values)

    def _save_checkpoint(self) -> None:
        if self.accelerator.is_main_process:
            student = self.accelerator.unwrap_model(self.student)
            save_checkpoint(
                self.output_dir, self.progress, student, self.optimizer, self.arguments.loop.keep_checkpoints
            )
        self.accelerator.wait_for_everyone()

    def _finish(self) -> Path:
        if self.accelerator.is_main_process:
            self.ipaclip.to("cpu").eval()
            save_result(
                self.output_dir, self.ipaclip, teacher=self.teacher, tokenizer=self.tokenizer, data=self.data,
                arguments=self.arguments,
                run={"steps": self.progress.step, "seconds": round(self.progress.seconds, 1)},
            )  # fmt: skip
            remove_checkpoints(self.output_dir)
        self.accelerator.wait_for_everyone()
        self.accelerator.end_training()
        return self.output_dir


def build_optimizer(
    student: IPAClipPronunciationModelWithProjection, loop: LoopArguments, projection_rate: float
) -> torch.optim.Optimizer:
    """AdamW, without decay for biases and norms. The projection starts smaller by a factor, and so are its steps."""
    projection = list(student.pronunciation_projection.parameters())
    tower = list(student.pronunciation_model.parameters())
    groups = [
        {
            "params": [weight for weight in weights if (weight.ndim >= 2) is matrix],
            "weight_decay": loop.weight_decay if matrix else 0.0,
            "relative_rate": rate,
        }
        for weights, rate in ((tower, 1.0), (projection, projection_rate))
        for matrix in (True, False)
    ]
    return torch.optim.AdamW(groups, lr=loop.learning_rate, betas=(0.9, 0.98), eps=1e-6, fused=True)


def learning_rate(loop: LoopArguments, step: int) -> float:
    """Linear warm-up over `warmup` of the steps, then a cosine from `learning_rate` to `final_learning_rate`."""
    warmup = max(1, round(loop.warmup * loop.steps))
    if step < warmup:
        return loop.learning_rate * (step + 1) / warmup
    done = (step - warmup) / max(1, loop.steps - warmup)
    cosine = (1 + math.cos(math.pi * min(1.0, done))) / 2
    return loop.final_learning_rate + (loop.learning_rate - loop.final_learning_rate) * cosine


def prepare_output_dir(arguments: DistillationArguments) -> Path:
    """Makes the output folder; one that holds a run already is refused unless `resume` is set."""
    output_dir = Path(arguments.output_dir)
    if output_dir.exists() and not output_dir.is_dir():
        raise ArgumentsError(f"output_dir {output_dir} is a file")
    if output_dir.exists() and any(output_dir.iterdir()) and not arguments.resume:
        raise ArgumentsError(f"output_dir {output_dir} is not empty: set resume=true to go on with it, or name another")
    output_dir.mkdir(parents=True, exist_ok=True)
    return output_dir
