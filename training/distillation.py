"""The run itself: a frozen teacher, a pronunciation tower that learns to say what the teacher reads."""

import hashlib
import logging
import time
from collections.abc import Iterable, Sequence
from contextlib import nullcontext
from datetime import timedelta
from functools import partial
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import numpy as np
import torch
from accelerate.utils import InitProcessGroupKwargs, set_seed
from filelock import BaseFileLock
from ipaclip.common.checkpoints import CLIP_FILES, HEAD_FILE, find_file
from ipaclip.common.files import write_text
from ipaclip.tokenization import IPATokenizer, feature_weights, is_segment, phoneme_feature_table

from .arguments import ArgumentsError, DistillationArguments
from .data.augmentation import PhoneticAugmentation
from .data.batches import Batch, BatchMaker, Preparation, Step, epoch_batches
from .data.evaluation_rows import choose_rows
from .data.held_out_words import HeldOutWords
from .data.prepare import check_files, load_data
from .loop.activation import fuse_quick_gelu
from .loop.checkpoints import Progress, Trained, load_checkpoint, remove_checkpoints, save_checkpoint
from .loop.failure import LossWatch
from .loop.folder import ARGUMENTS_FILE, is_finished, lock_folder, prepare_output_dir
from .loop.log import Meter, RunLog, memory
from .loop.optimisation import WeightAverage, build_optimizer, learning_rate, noise_strength
from .loop.processes import build_accelerator, gather_with_gradients
from .loop.stopping import Interruption
from .loop.threads import CoreWatch
from .loop.validation import BEST_FILE, Validator, is_better, load_best, save_best
from .objective import DistillationObjective
from .output import build_reader, save_result
from .start import Start
from .student import build_student, student_config
from .teachers import load_teacher
from .teachers.targets import TargetCache, Targets
from .token_states import StudentWithTokens, TokenHead, split_weights, state_errors

if TYPE_CHECKING:
    from filelock import BaseFileLock

logger = logging.getLogger(__name__)

# Others wait while the main process asks the teacher for every target.
PATIENCE = timedelta(days=1)


def distil(arguments: DistillationArguments) -> Path:
    """Trains, saves, and returns the checkpoint's directory; a run that is finished already is not done again."""
    if is_finished(arguments):
        logger.info("%s holds this run's finished model: nothing to do", arguments.output_dir)
        return Path(arguments.output_dir)
    return Distillation(arguments).run()


class Distillation:
    """Distils a pronunciation tower from a frozen text encoder.

    `Distillation(arguments).run()` trains and saves; everything that is decided before the first step is an attribute.
    Batches and noise are pure functions of seed, epoch and batch, so that a resumed run is the uninterrupted one.
    """

    def __init__(self, arguments: DistillationArguments) -> None:
        self.arguments = arguments
        self.output_dir = Path(arguments.output_dir)
        self.lock: BaseFileLock | None = None
        if arguments.loop.num_threads:
            torch.set_num_threads(arguments.loop.num_threads)
        self.accelerator = build_accelerator(
            mixed_precision=arguments.loop.mixed_precision,
            log_with=cast(Any, arguments.loop.trackers) or None,
            project_dir=arguments.output_dir,
            kwargs_handlers=[InitProcessGroupKwargs(timeout=PATIENCE)],
        )
        if self.accelerator.is_main_process:
            prepare_output_dir(arguments)
            self.lock = lock_folder(self.output_dir)
        try:
            self.accelerator.wait_for_everyone()
            set_seed(arguments.loop.seed)
            self._load()
        except BaseException:
            self._unlock()
            raise

    def _load(self) -> None:
        """All that is needed before the first step."""
        arguments, accelerator = self.arguments, self.accelerator
        self.tokenizer = IPATokenizer.build(max_length=arguments.student.max_position_embeddings)
        cache_dir = Path(arguments.cache_dir).expanduser()
        positions = arguments.student.max_position_embeddings
        check_files(arguments.data)
        self.teacher = load_teacher(arguments.teacher).to(accelerator.device)
        # What cannot be saved after the last step shall be found before the first.
        image_processor = self.teacher.load_image_processor()
        table = phoneme_feature_table(self.tokenizer, arguments.student.feature_set)
        config = student_config(arguments.student, self.teacher, len(self.tokenizer), table.shape[1])
        self.start = Start.load(arguments.start_from) if arguments.start_from else None
        if self.start:
            self.start.check(config, table, self.tokenizer)
        if accelerator.is_main_process:
            self._say_what_takes_no_part()
        self.data = load_data(arguments.data, self.tokenizer, positions, self.output_dir, cache_dir / "rows")
        speech = self.start.speech if self.start else None
        self.reader = build_reader(
            self.teacher, image_processor, self.tokenizer, data=self.data, arguments=arguments, before=speech
        )
        found = [find_file(arguments.teacher, name) for name in CLIP_FILES]
        self.gallery = [file for file in found if file is not None and self.teacher.clip is not None]
        cache = partial(TargetCache, cache_dir / "targets", self.teacher, precision=arguments.target_precision)
        self.cache, objective = cache(), arguments.objective
        self.targets, self.token_targets = self._teach(self.cache, self.data.texts), None
        if objective.token_states:
            self.token_targets = self._teach(cache(token_length=objective.token_positions), self.data.texts)
        self.row_weights, self.evaluation_rows = choose_rows(
            arguments,
            self.data,
            self.targets,
            tokenizer=self.tokenizer,
            cache_dir=cache_dir / "rows",
            teach=partial(self._teach, self.cache),
        )
        self.teacher.to("cpu")
        self.tower = build_student(
            config, table, mean=self.targets.mean, scale=self.targets.scale,
            query_key_gain=arguments.student.query_key_gain,
            feature_weights=feature_weights(config.feature_set) if arguments.student.weigh_features else None,
            text_tower_of=self.teacher if arguments.student.init_from_text_tower else None,
        )  # fmt: skip
        if self.start:
            self.start.give_to(self.tower)
        self.head = self._build_head()
        mean, variance = self.targets.mean.to(accelerator.device), self.targets.variance
        self.objective = DistillationObjective(objective, mean, variance)
        self.batches = self._build_batches()
        self.validator = None
        if self.evaluation_rows:
            self.validator = Validator(self.evaluation_rows, mean, variance, accelerator, self.batches.pad_token_id)
        self.student, self.optimizer = self._prepare_student()
        average = WeightAverage(self.student, arguments.loop.ema) if arguments.loop.ema else None
        self.trained = Trained(accelerator, self.student, self.optimizer, average, self._identity())
        self.preparation = Preparation(self.batches, ahead=accelerator.device.type != "cpu")
        self.progress, self.meter = Progress(), Meter()
        self.watch = LossWatch(self.batches, self.data, self.tokenizer, self.output_dir, accelerator.is_main_process)

    def _say_what_takes_no_part(self) -> None:
        if self.start:
            self.start.say_what_is_left()
        elif self.teacher.has_tower:
            logger.info(
                "a new pronunciation tower is trained, and that of the teacher %s takes no part: start_from=%s trains "
                "it further",
                self.teacher.name, self.teacher.name,
            )  # fmt: skip

    def _build_head(self) -> TokenHead | None:
        """The map of token states, from `start_from` where that has one of this shape."""
        targets = self.token_targets
        if targets is None:
            return None
        hidden_size, positions = self.tower.config.hidden_size, self.arguments.objective.token_positions
        head = TokenHead(hidden_size, self.teacher.token_dim, positions)
        head.start_at(targets.mean, targets.scale)
        if self.start and find_file(self.start.name, HEAD_FILE):
            trained = TokenHead.from_pretrained(self.start.name)
            if trained.linear.weight.shape == head.linear.weight.shape:
                head.load_state_dict(trained.state_dict())
        return head

    def _teach(self, cache: TargetCache, texts: Sequence[str]) -> Targets:
        with self.accelerator.main_process_first():
            return cache.targets(texts)

    def _build_batches(self) -> BatchMaker:
        arguments, accelerator = self.arguments, self.accelerator
        held_out_words = HeldOutWords.from_file(self.tokenizer, arguments.data.held_out)
        inventory = arguments.augmentation.inventory or self.data.inventory(self.tokenizer)
        if unknown := [one for one in inventory if not is_segment(one)]:
            raise ArgumentsError(f"augmentation.inventory: {unknown[0]!r} is no phoneme")
        noise = PhoneticAugmentation(arguments.augmentation, self.tokenizer, inventory, held_out_words)
        negatives = None
        if arguments.data.eval_share:  # what is asked in the evaluation is no negative in training
            negatives = np.unique(self.data.text_of_row[self.row_weights > 0]).astype(np.int64)
        return BatchMaker(
            arguments, self.data, self.targets, noise, negatives=negatives, states=self.token_targets,
            pad_token_id=cast(int, self.tokenizer.pad_token_id), device=accelerator.device,
            process=accelerator.process_index, processes=accelerator.num_processes,
        )  # fmt: skip

    def _prepare_student(self) -> tuple[Any, torch.optim.Optimizer]:
        loop, tower, head = self.arguments.loop, self.tower, self.head
        if loop.gradient_checkpointing:
            tower.gradient_checkpointing_enable()
        if self.accelerator.device.type == "cpu" and loop.mixed_precision != "no":
            # Fused attention of short sequences takes ten times as long backward in half precision on a CPU.
            tower.set_attn_implementation("eager")
        if loop.compile:
            tower.compile(dynamic=True)
        else:
            fuse_quick_gelu(tower)
        head_scale = self.token_targets.scale if self.token_targets else 1.0
        optimizer = build_optimizer(tower, loop, self.targets.scale, head, head_scale)
        return self.accelerator.prepare(StudentWithTokens(tower, head) if head else tower, optimizer)

    def _identity(self) -> dict[str, Any]:
        """What must be the same when a run goes on, lest its checkpoint mean something else."""
        loop = self.arguments.loop
        return {
            "teacher": self.cache.fingerprint,
            "student": self.arguments.student.model_dump(),
            "start_from": self.start.fingerprint() if self.start else None,
            "token_positions": self.head.positions if self.head else None,
            "data": hash_of(self.data.phonemes.stored(), [self.data.lengths, self.row_weights, self.data.text_of_row]),
            "batches": {
                name: getattr(loop, name) for name in ("batch_size", "tokens_per_batch", "accumulation", "seed")
            },
        }

    def run(self) -> Path:
        """Trains to the last step, saves the model, and returns its directory.

        Ctrl-C or SIGTERM, on one process, ends it with a checkpoint and `KeyboardInterrupt`.
        """
        try:
            self._resume()
            self._train()
            return self._finish()
        finally:
            self._unlock()

    def _unlock(self) -> None:
        if self.lock:
            self.lock.release()

    def _resume(self) -> None:
        accelerator, loop = self.accelerator, self.arguments.loop
        if self.arguments.resume:
            self.progress = load_checkpoint(self.output_dir, self.trained)
            self.meter = Meter(self.progress.unlogged)
        if accelerator.is_main_process:
            write_text(self.output_dir / ARGUMENTS_FILE, self.arguments.to_json())
        logger.info(
            "distilling on %d process(es), %s: %d rows, %d texts, %.1f M parameters, %d steps, from step %d",
            accelerator.num_processes, accelerator.device, int((self.row_weights > 0).sum()),
            len(self.targets), sum(weight.numel() for weight in self.student.parameters()) / 1e6,
            loop.steps, self.progress.step,
        )  # fmt: skip

    def _train(self) -> None:
        """From where the run is to the last step."""
        self.log = RunLog(self.output_dir, self.accelerator, self.arguments, self.progress.step)
        self._seconds_before, self._started = self.progress.seconds, time.perf_counter()
        self.student.train()
        self._cores = CoreWatch(torch.get_num_threads()) if self.accelerator.device.type == "cpu" else None
        # Several processes do not stop at the same step, and so they stop at once, without a checkpoint.
        with self.log, Interruption() if self.accelerator.num_processes == 1 else nullcontext() as interruption:
            while self.progress.step < self.arguments.loop.steps:
                self._run_epoch(interruption)

    def _run_epoch(self, interruption: Interruption | None) -> None:
        """From the batch where the run is to the epoch's end, or to the last step."""
        loop, progress = self.arguments.loop, self.progress
        batches = epoch_batches(
            self.data.lengths,
            self.row_weights,
            loop.batch_size,
            seed=loop.seed,
            epoch=progress.epoch,
            tokens_per_batch=loop.tokens_per_batch,
        )
        while progress.batch < len(batches) and progress.step < loop.steps:
            numbers = range(progress.batch, min(progress.batch + loop.accumulation, len(batches)))
            self._step(batches, numbers)
            progress.step, progress.batch = progress.step + 1, numbers.stop
            progress.seconds = self._seconds_before + time.perf_counter() - self._started
            self._after_step(interruption)
        if progress.batch >= len(batches):
            progress.epoch, progress.batch = progress.epoch + 1, 0

    def _after_step(self, interruption: Interruption | None) -> None:
        """What is due: a record, an evaluation, a checkpoint."""
        loop, step = self.arguments.loop, self.progress.step
        last = step == loop.steps
        self.log.advance()
        if step % loop.log_every == 0 or last:
            self._write_record()
        if self.validator and (step % loop.evaluate_every == 0 or last):
            self._evaluate(self.validator)
        stop = interruption is not None and interruption.requested
        if step % loop.checkpoint_every == 0 or last or stop:
            self._save_checkpoint()
        if stop and not last:
            logger.warning("interrupted at step %d: run again with resume=true to go on", step)
            raise KeyboardInterrupt

    def _step(self, batches: Sequence[np.ndarray], numbers: range) -> None:
        """One update, from the batches of these numbers."""
        loop, accelerator, step = self.arguments.loop, self.accelerator, self.progress.step
        plan = self._plan(batches, numbers, step)
        made = self.preparation.take(plan)
        following = range(numbers.stop, min(numbers.stop + loop.accumulation, len(batches)))
        if following and step + 1 < loop.steps:
            self.preparation.start(self._plan(batches, following, step + 1))
        all_terms = []
        for batch in made:
            with nullcontext() if batch is made[-1] else accelerator.no_sync(self.student):
                terms = self._terms(batch)
                # The mean over the batches; and see `gather_with_gradients` for the number of processes.
                accelerator.backward(terms["loss"] * (accelerator.num_processes / len(made)))
            all_terms.append({name: term.detach() for name, term in terms.items()})
        means = {name: torch.stack([terms[name] for terms in all_terms]).mean() for name in all_terms[0]}
        self.watch.add(plan, means["loss"])
        if accelerator.device.type == "cpu":  # where looking costs nothing, and the weights can still be saved
            self.watch.check()
        accelerator.clip_grad_norm_(self.student.parameters(), loop.max_grad_norm)
        for group in self.optimizer.param_groups:
            group["lr"] = learning_rate(loop, step) * group["relative_rate"]
        self.optimizer.step()
        self.optimizer.zero_grad(set_to_none=True)
        if self.trained.average:
            self.trained.average.update(step + 1)
        padded = sum(batch.ids.numel() for batch in made)
        tokens = sum(batch.tokens for batch in made)
        self.meter.add({**means, "padding": 1 - tokens / padded, "tokens": float(tokens)})

    def _plan(self, batches: Sequence[np.ndarray], numbers: range, step: int) -> Step:
        strength = noise_strength(self.arguments.augmentation, self.arguments.loop.steps, step)
        return Step(step + 1, self.progress.epoch, strength, [(number, batches[number]) for number in numbers])

    def _terms(self, batch: Batch) -> dict[str, torch.Tensor]:
        """The loss terms of a global batch, the same on every process."""
        output, rows, errors = self.student(input_ids=batch.ids, attention_mask=batch.mask), len(batch.rows), None
        said = gather_with_gradients(self.accelerator, output.pronunciation_embeds, rows)
        if self.token_targets and batch.states is not None:
            errors = state_errors(output.token_states, batch.states, self.token_targets.variance)
            errors = gather_with_gradients(self.accelerator, errors, rows)
        return self.objective(said, batch.teacher, batch.text, batch.extra, batch.extra_text, state_errors=errors)

    def _write_record(self) -> None:
        """Means of the steps since the last record, to the log."""
        self.watch.check()
        if self._cores:
            self._cores.look()
        progress, steps = self.progress, self.meter.read()
        tokens = sum(steps.pop("tokens")) * self.accelerator.num_processes
        values = {name: round(float(np.mean(column)), 6) for name, column in steps.items()}
        elapsed = max(1e-9, progress.seconds - progress.logged_seconds)
        record = {
            "step": progress.step, "epoch": progress.epoch, **values,
            "learning_rate": learning_rate(self.arguments.loop, progress.step - 1),
            "tokens_per_second": round(tokens / elapsed), "seconds": round(progress.seconds, 2),
            **memory(self.accelerator.device),
        }  # fmt: skip
        self.meter.clear()
        progress.logged_seconds = progress.seconds
        gigabytes = "+".join(f"{record[name]:.1f}" for name in ("memory_gb", "gpu_memory_gb") if name in record)
        self.log.write(record, {"loss": f"{values['loss']:.3f}", "padding": f"{values['padding']:.0%}",
                                "memory": f"{gigabytes} GB"})  # fmt: skip

    def _evaluate(self, validator: Validator) -> None:
        """Measures the weights that would be saved now; keeps them if they are the best so far."""
        self.watch.check()
        average, progress, metric = self.trained.average, self.progress, self.arguments.loop.best_metric
        with average.swapped() if average else nullcontext():
            result = validator.measure(self.student)
        shown = {name.removeprefix("eval_"): f"{value:.3f}" for name, value in result.items()}
        self.log.write({"step": progress.step, "epoch": progress.epoch, **result}, shown)
        value = result[f"eval_{metric}"]
        if is_better(metric, value, progress.best):
            progress.best, progress.best_step = value, progress.step
            weights = self.trained.weights()
            if self.accelerator.is_main_process:
                save_best(self.output_dir, weights, result, progress.step)
            self.accelerator.wait_for_everyone()

    def _save_checkpoint(self) -> None:
        self.watch.check()
        self.progress.unlogged = self.meter.read()
        save_checkpoint(self.output_dir, self.progress, self.trained, self.arguments.loop.keep_checkpoints)

    def _finish(self) -> Path:
        """Saves the model: the best weights if there is an evaluation and `keep_best`, else the last."""
        weights, result = self.trained.weights(), None
        if self.accelerator.is_main_process:
            keep_best = self.validator is not None and self.arguments.loop.keep_best
            if self.validator:
                best, result = load_best(self.output_dir)
                weights = best if keep_best else weights
            start = {"name": self.start.name, "weights": self.start.fingerprint()} if self.start else None
            run = {"steps": self.progress.step, "seconds": round(self.progress.seconds, 1),
                   "processes": self.accelerator.num_processes, "best": result, "start_from": start}  # fmt: skip
            tower, head = split_weights(weights)
            save_result(
                self.output_dir, self.tower.config, tower, teacher=self.teacher, reader=self.reader,
                gallery=self.gallery, data=self.data, arguments=self.arguments, run=run,
                head=TokenHead.of(head, self.arguments.objective.token_positions) if head else None,
            )  # fmt: skip
            remove_checkpoints(self.output_dir)
            if keep_best:
                (self.output_dir / BEST_FILE).unlink()
        self.accelerator.wait_for_everyone()
        self.accelerator.end_training()
        return self.output_dir


def hash_of(*parts: Iterable[Any]) -> str:
    """A hash of buffers, such as arrays, one after the other."""
    digest = hashlib.blake2b(digest_size=16)
    for buffer in chain(*parts):
        digest.update(buffer)
    return digest.hexdigest()
