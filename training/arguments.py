"""What a distillation run can be told: dataclasses, read from YAML, checked before anything loads."""

import difflib
import importlib.util
import json
import string
import types
import typing
from dataclasses import MISSING, asdict, dataclass, field, fields, is_dataclass, replace
from pathlib import Path
from typing import Any, Literal

import yaml
from huggingface_hub.dataclasses import strict
from ipaclip.common.rows import read_utf8

FeatureSet = Literal["panphon", "ipa_chart", "learned"]
TERMS = ("cosine", "mse", "contrastive", "relational")
TRACKERS = ("tensorboard", "wandb", "trackio")


class ArgumentsError(ValueError):
    """A configuration that cannot be run; the message names the key and what to write instead."""


@strict
@dataclass
class StudentArguments:
    """The pronunciation tower's shape; its projection has the teacher's width.

    `preset` is `tiny`, `small`, `medium` (see `ipaclip.presets`) or `base` (the shape of the teacher's text tower);
    what of `hidden_size`, `intermediate_size`, `num_hidden_layers` and `num_attention_heads` is given goes before it.
    `init_from_text_tower` starts with the teacher's blocks where shapes fit. `hidden_act` is `gelu` where it is not
    given; of `base`, and of copied blocks, the teacher's.

    `query_key_gain` multiplies CLIP's initial query and key weights: so small a tower learns which phonemes are
    neighbours sooner when its attention does not start out even. `weigh_features` starts the projection of the
    features so that the distance of two phonemes is panphon's weighted one, whose class counts more than its voicing.
    """

    feature_set: FeatureSet = "panphon"
    learned_residual: bool = False
    preset: Literal["tiny", "small", "medium", "base"] = "small"
    hidden_size: int | None = None
    intermediate_size: int | None = None
    num_hidden_layers: int | None = None
    num_attention_heads: int | None = None
    max_position_embeddings: int = 256
    pooling: Literal["mean", "eos", "bos"] = "mean"
    hidden_act: str | None = None
    init_from_text_tower: bool = False
    query_key_gain: float = 3.0
    weigh_features: bool = True


@strict
@dataclass
class SourceArguments:
    """One file or Hub data set, and which of its columns mean what.

    A row has a `text` (what the teacher reads), optionally `pronounced` (what is said, if it differs), optionally `ipa`
    (if transcribed before), `language` (if it varies) and `weight` (how often it is seen in an epoch). `weight` here
    multiplies that of every row; `config`, `split` and `revision` are those of a Hub data set.
    """

    path: str
    config: str | None = None
    split: str = "train"
    revision: str | None = None
    weight: float = 1.0
    text_column: str = "text"
    pronounced_column: str = "pronounced"
    ipa_column: str = "ipa"
    language_column: str = "language"
    weight_column: str = "weight"
    language: str = "eng-Latn"
    template: str = "{}"


@strict
@dataclass
class DataArguments:
    """Where the rows are: files (JSONL, CSV, TSV, TXT, Parquet) and names of Hub data sets.

    An entry of `train` is a path, or a mapping with the keys of `SourceArguments` for what differs from the rest here.
    `held_out` names a file of IPA words, one a line, that training never hears: rows that say one are set aside, and
    noise makes none. What the run is evaluated on while it trains is either in files of its own (`eval`, as `train`) or
    a share of the texts (`eval_share`), chosen by a hash of the text, with all rows that have it.
    """

    train: list[str | dict[str, Any]] = field(default_factory=list)
    text_column: str = "text"
    pronounced_column: str = "pronounced"
    ipa_column: str = "ipa"
    language_column: str = "language"
    weight_column: str = "weight"
    language: str = "eng-Latn"
    transcriber: str = "auto"
    template: str = "{}"
    held_out: str | None = None
    eval: list[str | dict[str, Any]] = field(default_factory=list)
    eval_share: float = 0.0

    def sources(self) -> list[SourceArguments]:
        """The entries of `train`, each whole. Raises `ArgumentsError`."""
        shared = {one.name: getattr(self, one.name) for one in fields(self) if one.name in _SOURCE_KEYS}
        return [
            _build(
                SourceArguments,
                {**shared, **(one if isinstance(one, dict) else {"path": one})},
                f"data.train[{index}].",
            )
            for index, one in enumerate(self.train)
        ]

    def for_evaluation(self) -> "DataArguments":
        """The same of the files to evaluate on, where the held-out words may be asked for."""
        return replace(self, train=self.eval, eval=[], held_out=None)


_SOURCE_KEYS = {one.name for one in fields(SourceArguments)}


@strict
@dataclass
class ObjectiveArguments:
    """Weights of the loss terms; see `ipaclip.training.objective`.

    With `token_states` above 0 the student also learns the teacher's states of tokens, resampled to `token_positions`.
    """

    cosine: float = 1.0
    mse: float = 1.0
    contrastive: float = 1.0
    relational: float = 0.0
    symmetric: bool = False
    temperature: float = 0.05
    centre: bool = True
    extra_negatives: int = 2048
    token_states: float = 0.0
    token_positions: int = 16


@strict
@dataclass
class AugmentationArguments:
    """Phonetic noise while training; see `ipaclip.training.data.augmentation`.

    Rates are means per phoneme. Over the first `ramp` of the steps they rise from 0 to what is given here.
    """

    substitution: float = 0.15
    nearest: int = 3
    deletion: float = 0.0
    insertion: float = 0.0
    stress: float = 0.1
    clean: float = 0.2
    ramp: float = 0.0
    inventory: list[str] | None = None


@strict
@dataclass
class LoopArguments:
    """How long, how fast, how often.

    A batch has `batch_size` rows or, if given, `tokens_per_batch` padded tokens, over all processes together; a step
    takes `accumulation` of them. `ema` is the decay of a running mean of the weights, which is then what is evaluated
    and saved. `embedding_rate` is the learning rate of the embeddings as a share of the blocks', for CLIP draws them
    an order of magnitude smaller: at the same rate the geometry of the features is overwritten before it is used.
    """

    steps: int = 2000
    batch_size: int = 32
    tokens_per_batch: int | None = None
    accumulation: int = 1
    learning_rate: float = 4e-4
    embedding_rate: float = 0.1
    final_learning_rate: float = 0.0
    weight_decay: float = 0.05
    warmup: float = 0.05
    max_grad_norm: float = 1.0
    ema: float | None = None
    mixed_precision: Literal["no", "bf16", "fp16"] = "no"
    gradient_checkpointing: bool = False
    compile: bool = False
    log_every: int = 50
    trackers: list[str] = field(default_factory=list)
    evaluate_every: int = 500
    best_metric: Literal["recall", "cosine", "mse"] = "recall"
    keep_best: bool = True
    checkpoint_every: int = 500
    keep_checkpoints: int = 2
    seed: int = 0
    num_threads: int | None = None


@strict
@dataclass
class DistillationArguments:
    """Everything about one run. Make it with `from_file` or `from_dict`; both check it whole.

    `start_from` is a finished IPA-CLIP or pronunciation tower (a directory or Hub name) with whose weights training
    starts; `student` must describe its very shape.
    """

    teacher: str
    output_dir: str
    resume: bool = False
    save_dtype: Literal["float32", "float16", "bfloat16"] = "float32"
    cache_dir: str = "~/.cache/ipaclip"
    target_precision: Literal["float32", "float16"] = "float32"
    start_from: str | None = None
    student: StudentArguments = field(default_factory=StudentArguments)
    data: DataArguments = field(default_factory=DataArguments)
    objective: ObjectiveArguments = field(default_factory=ObjectiveArguments)
    augmentation: AugmentationArguments = field(default_factory=AugmentationArguments)
    loop: LoopArguments = field(default_factory=LoopArguments)

    @classmethod
    def from_file(cls, path: str | Path, overrides: typing.Sequence[str] = ()) -> "DistillationArguments":
        """Reads YAML (JSON is YAML too), then `key=value` overrides such as `loop.steps=100`.

        Raises:
            ArgumentsError: for a file that is not a mapping, an unknown key, a wrong type, a value out of range.
            FileNotFoundError: if there is no such file.
        """
        try:
            values = yaml.safe_load(read_utf8(path))
        except yaml.YAMLError as error:
            raise ArgumentsError(f"{path} is not YAML: {' '.join(str(error).split())}") from error
        if not isinstance(values, dict):
            raise ArgumentsError(f"{path} must hold keys and values, such as `teacher: openai/clip-vit-base-patch32`")
        for override in overrides:
            _override(values, override)
        return cls.from_dict(values)

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> "DistillationArguments":
        """Builds and checks the arguments. Raises `ArgumentsError`."""
        arguments = _build(cls, values, "")
        _check(arguments)
        return arguments

    def to_dict(self) -> dict[str, Any]:
        return asdict(self)


def _override(values: dict[str, Any], override: str) -> None:
    key, equals, text = override.partition("=")
    if not equals:
        raise ArgumentsError(f"override {override!r} must look like key=value, such as loop.steps=100")
    *sections, last = key.split(".")
    for section in sections:
        values = values.setdefault(section, {})
        if not isinstance(values, dict):
            raise ArgumentsError(f"override {override!r}: {section} is a value, not a section")
    values[last] = yaml.safe_load(text)


def _build(cls: type, values: Any, where: str) -> Any:
    if not isinstance(values, dict):
        raise ArgumentsError(f"{where.rstrip('.')} must hold keys and values, not {values!r}")
    known = {one.name: one for one in fields(cls)}
    hints = typing.get_type_hints(cls)
    given = {}
    for key, value in values.items():
        if key not in known:
            near = difflib.get_close_matches(str(key), known, n=1)
            advice = f"did you mean {where}{near[0]}?" if near else f"known keys: {', '.join(known)}"
            raise ArgumentsError(f"unknown key {where}{key}: {advice}")
        kind = hints[key]
        section = isinstance(kind, type) and is_dataclass(kind)
        given[key] = _build(kind, value or {}, f"{where}{key}.") if section else _convert(kind, value)
    missing = [one.name for one in known.values() if one.name not in given and one.default is MISSING
               and one.default_factory is MISSING]  # fmt: skip
    if missing:
        raise ArgumentsError(f"{where}{missing[0]} is missing: give it in the configuration")
    try:
        return cls(**given)
    except Exception as error:
        reason = " ".join(str(error.__cause__ or error).split())
        raise ArgumentsError(f"{where or 'the configuration'}: {reason}") from error


def _convert(hint: Any, value: Any) -> Any:
    """YAML reads `1` as an integer and `1e-3` as a string where a float is meant, and one path where a list is."""
    kinds = typing.get_args(hint) if typing.get_origin(hint) in (typing.Union, types.UnionType) else (hint,)
    if float in kinds and isinstance(value, (int, str)) and not isinstance(value, bool):
        try:
            return float(value)
        except ValueError:
            return value
    if isinstance(value, str) and any(typing.get_origin(kind) is list for kind in kinds):
        return [value]
    return value


def _check(arguments: DistillationArguments) -> None:
    """What the types cannot say."""
    loop, objective, data = arguments.loop, arguments.objective, arguments.data
    for key, (value, low, high) in _ranges(arguments).items():
        if value is not None and not (value >= low and (high is None or value <= high)):
            limits = f"at least {low}" if high is None else f"from {low} to {high}"
            raise ArgumentsError(f"{key} is {value}: it must be {limits}")
    if not data.train:
        raise ArgumentsError("data.train is empty: name at least one file of rows (JSONL, CSV or TXT)")
    if data.eval and data.eval_share:
        raise ArgumentsError("data.eval and data.eval_share are both given: evaluate on files or on a share, not both")
    if not any(getattr(objective, name) for name in TERMS):
        raise ArgumentsError(f"objective: every weight is 0; give one of {', '.join(TERMS)} a positive weight")
    for source in [*data.sources(), *data.for_evaluation().sources()]:
        _check_template(source.template)
        if not 0 < source.weight < float("inf"):
            raise ArgumentsError(f"data.train: the weight of {source.path} is {source.weight}: it must be positive")
    _check_shape(arguments.student)
    _check_start(arguments)
    positions = arguments.student.max_position_embeddings
    if loop.tokens_per_batch is not None and loop.tokens_per_batch < 2 * positions:
        raise ArgumentsError(
            f"loop.tokens_per_batch is {loop.tokens_per_batch}: it must be at least {2 * positions}, two sequences of "
            "student.max_position_embeddings tokens"
        )
    for tracker in loop.trackers:
        _check_tracker(tracker)


def _check_template(template: str) -> None:
    try:
        fields = [rest for _, *rest in string.Formatter().parse(template) if rest[0] is not None]
    except ValueError:
        fields = []
    if fields != [["", "", None]]:
        raise ArgumentsError(
            f"data.template is {template!r}: it must hold {{}} once, for the text; other braces are written twice"
        )


def _check_shape(student: StudentArguments) -> None:
    """What can be said without the teacher; `ipaclip.training.student` checks the rest."""
    for name in ("hidden_size", "intermediate_size", "num_hidden_layers", "num_attention_heads"):
        if (getattr(student, name) or 1) < 1:
            raise ArgumentsError(f"student.{name} is {getattr(student, name)}: it must be at least 1")
    if student.hidden_size and student.num_attention_heads and student.hidden_size % student.num_attention_heads:
        raise ArgumentsError("student.num_attention_heads must divide student.hidden_size")


def _check_start(arguments: DistillationArguments) -> None:
    start = arguments.start_from
    if start is None:
        return
    if arguments.student.init_from_text_tower:
        raise ArgumentsError("start_from and student.init_from_text_tower are both given: training starts from one")
    if Path(start).resolve() == Path(arguments.output_dir).resolve():
        raise ArgumentsError(f"start_from and output_dir are both {start}: name another output_dir")


def _ranges(arguments: DistillationArguments) -> dict[str, tuple[float | None, float, float | None]]:
    """`(value, least, most)` of each number that has limits."""
    loop, objective = arguments.loop, arguments.objective
    ranges: dict[str, tuple[float | None, float, float | None]] = {
        "loop.steps": (loop.steps, 1, None), "loop.batch_size": (loop.batch_size, 2, None),
        "loop.accumulation": (loop.accumulation, 1, None), "loop.learning_rate": (loop.learning_rate, 0, None),
        "loop.embedding_rate": (loop.embedding_rate, 0, None),
        "loop.warmup": (loop.warmup, 0, 1), "loop.ema": (loop.ema, 0, 1 - 1e-9),
        "loop.max_grad_norm": (loop.max_grad_norm, 1e-9, None), "loop.log_every": (loop.log_every, 1, None),
        "loop.evaluate_every": (loop.evaluate_every, 1, None),
        "loop.checkpoint_every": (loop.checkpoint_every, 1, None),
        "loop.keep_checkpoints": (loop.keep_checkpoints, 1, None), "loop.seed": (loop.seed, 0, None),
        "data.eval_share": (arguments.data.eval_share, 0, 0.9),
        "student.query_key_gain": (arguments.student.query_key_gain, 1e-3, None),
        "objective.temperature": (objective.temperature, 1e-4, None),
        "objective.extra_negatives": (objective.extra_negatives, 0, None),
        "objective.token_states": (objective.token_states, 0, None),
        "objective.token_positions": (objective.token_positions, 2, 512),
        "augmentation.nearest": (arguments.augmentation.nearest, 1, None),
    }  # fmt: skip
    for name in TERMS:
        ranges[f"objective.{name}"] = (getattr(objective, name), 0, None)
    for name in ("substitution", "deletion", "insertion", "stress", "clean", "ramp"):
        ranges[f"augmentation.{name}"] = (getattr(arguments.augmentation, name), 0, 1)
    return ranges


def _check_tracker(name: str) -> None:
    if name not in TRACKERS:
        raise ArgumentsError(f"loop.trackers: {name!r} is none of {', '.join(TRACKERS)} (log.jsonl is always written)")
    if importlib.util.find_spec(name) is None:
        raise ArgumentsError(f"loop.trackers: {name} is not installed: pip install {name}")


def as_json(arguments: DistillationArguments) -> str:
    """The resolved arguments."""
    return json.dumps(arguments.to_dict(), indent=2, ensure_ascii=False) + "\n"
