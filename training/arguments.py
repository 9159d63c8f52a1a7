"""What a distillation run can be told, read from YAML and checked before anything loads."""

import difflib
import importlib.util
import json
import string
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar

import yaml
from ipaclip.common.rows import read_utf8
from ipaclip.presets import PRESET_NAMES
from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    ValidationError,
    field_validator,
    model_validator,
)

FeatureSet = Literal["panphon", "ipa_chart", "learned"]
TERMS = ("cosine", "mse", "contrastive", "relational")


class ArgumentsError(ValueError):
    """A configuration that cannot be run; the message names the key and what to write instead."""


def _number(value: Any) -> Any:
    """YAML reads `1e-3` as a string."""
    try:
        return float(value) if isinstance(value, str) else value
    except ValueError:
        return value


def _listed(value: Any) -> Any:
    return [value] if isinstance(value, str) else value


def _installed(tracker: str) -> str:
    if importlib.util.find_spec(tracker) is None:
        raise ValueError(f"loop.trackers: {tracker} is not installed: pip install {tracker}")
    return tracker


def _with_one_field(template: str) -> str:
    try:
        fields = [rest for _, *rest in string.Formatter().parse(template) if rest[0] is not None]
    except ValueError:
        fields = []
    if fields != [["", "", None]]:
        raise ValueError(
            f"data.template is {template!r}: it must hold {{}} once, for the text; other braces are written twice"
        )
    return template


Number = Annotated[float, BeforeValidator(_number)]
NotNegative = Annotated[Number, Field(ge=0)]
Share = Annotated[Number, Field(ge=0, le=1)]
Positive = Annotated[int, Field(ge=1)]
Template = Annotated[str, AfterValidator(_with_one_field)]
Sources = Annotated[list[str | dict[str, Any]], BeforeValidator(_listed)]
# `log.jsonl` is written whatever is named here.
Tracker = Annotated[Literal["tensorboard", "wandb", "trackio"], AfterValidator(_installed)]


class Section(BaseModel):
    """Values of the very types that are named, under known keys alone."""

    model_config = ConfigDict(strict=True, extra="forbid", protected_namespaces=())


class StudentArguments(Section):
    """The pronunciation tower's shape; its projection has the teacher's width.

    `preset` is `tiny`, `small`, `medium` (see `ipaclip.presets`) or `base` (the shape of the teacher's text tower);
    what of `hidden_size`, `intermediate_size`, `num_hidden_layers` and `num_attention_heads` is given overrides it.
    `init_from_text_tower` starts with the teacher's blocks where shapes fit. `hidden_act` is `gelu` where it is not
    given; of `base`, and of copied blocks, the teacher's.

    `query_key_gain` multiplies CLIP's initial query and key weights: so small a tower learns which phonemes are
    neighbours sooner when its attention does not start out even. `weigh_features` starts the projection of the
    features so that the distance of two phonemes is panphon's weighted one, whose class counts more than its voicing.
    """

    feature_set: FeatureSet = "panphon"
    learned_residual: bool = False
    preset: Literal[PRESET_NAMES] = "small"  # type: ignore[valid-type]
    hidden_size: Positive | None = None
    intermediate_size: Positive | None = None
    num_hidden_layers: Positive | None = None
    num_attention_heads: Positive | None = None
    max_position_embeddings: int = 256
    pooling: Literal["mean", "eos", "bos"] = "mean"
    hidden_act: str | None = None
    init_from_text_tower: bool = False
    query_key_gain: Annotated[Number, Field(ge=1e-3)] = 3.0
    weigh_features: bool = True

    @model_validator(mode="after")
    def _check_heads(self) -> "StudentArguments":
        """What can be said without the teacher; `ipaclip.training.student` checks the rest."""
        if self.hidden_size and self.num_attention_heads and self.hidden_size % self.num_attention_heads:
            raise ValueError("student.num_attention_heads must divide student.hidden_size")
        return self


class Columns(Section):
    """Which columns of rows mean what, and what holds for rows that do not say it."""

    text_column: str = "text"
    pronounced_column: str = "pronounced"
    ipa_column: str = "ipa"
    language_column: str = "language"
    weight_column: str = "weight"
    language: str = "eng-Latn"
    template: Template = "{}"


class SourceArguments(Columns):
    """One file or Hub data set, and which of its columns mean what.

    A row has a `text` (what the teacher reads), optionally `pronounced` (what is said, if it differs), optionally `ipa`
    (if transcribed before), `language` (if it varies) and `weight` (how often it is seen in an epoch). `weight` here
    multiplies that of every row; `config`, `split` and `revision` are those of a Hub data set.
    """

    path: str
    config: str | None = None
    split: str = "train"
    revision: str | None = None
    weight: Annotated[Number, Field(gt=0, allow_inf_nan=False)] = 1.0


class DataArguments(Columns):
    """Where the rows are: files (JSONL, CSV, TSV, TXT, Parquet) and names of Hub data sets.

    An entry of `train` is a path, or a mapping with the keys of `SourceArguments` for what differs from the rest here.
    `held_out` names a file of IPA words, one a line, that training never hears: rows that say one are set aside, and
    noise makes none. What the run is evaluated on while it trains is either in files of its own (`eval`, as `train`) or
    a share of the texts (`eval_share`), chosen by a hash of the text, with all rows that have it.
    """

    train: Sources = []
    transcriber: str = "auto"
    held_out: str | None = None
    eval: Sources = []
    eval_share: Annotated[Number, Field(ge=0, le=0.9)] = 0.0

    @model_validator(mode="after")
    def _check_evaluation(self) -> "DataArguments":
        if self.eval and self.eval_share:
            raise ValueError("data.eval and data.eval_share are both given: evaluate on files or on a share, not both")
        return self

    def sources(self) -> list[SourceArguments]:
        """The entries of `train`, each whole. Raises `ArgumentsError`."""
        shared = self.model_dump(include=set(Columns.model_fields))
        return [
            _checked(
                SourceArguments,
                {**shared, **(one if isinstance(one, dict) else {"path": one})},
                f"data.train[{index}].",
            )
            for index, one in enumerate(self.train)
        ]

    def for_evaluation(self) -> "DataArguments":
        """The same of the files to evaluate on, where the held-out words may be asked for."""
        return self.model_copy(update={"train": self.eval, "eval": [], "held_out": None})


class ObjectiveArguments(Section):
    """Weights of the loss terms; see `ipaclip.training.objective`.

    With `token_states` above 0 the student also learns the teacher's states of tokens, resampled to `token_positions`.
    """

    cosine: NotNegative = 1.0
    mse: NotNegative = 1.0
    contrastive: NotNegative = 1.0
    relational: NotNegative = 0.0
    symmetric: bool = False
    temperature: Annotated[Number, Field(ge=1e-4)] = 0.05
    centre: bool = True
    extra_negatives: Annotated[int, Field(ge=0)] = 2048
    token_states: NotNegative = 0.0
    token_positions: Annotated[int, Field(ge=2, le=512)] = 16


class AugmentationArguments(Section):
    """Phonetic noise while training; see `ipaclip.training.data.augmentation`.

    Rates are means per phoneme. Over the first `ramp` of the steps they rise from 0 to what is given here.
    """

    substitution: Share = 0.15
    nearest: Positive = 3
    deletion: Share = 0.0
    insertion: Share = 0.0
    stress: Share = 0.1
    clean: Share = 0.2
    ramp: Share = 0.0
    inventory: Annotated[list[str] | None, BeforeValidator(_listed)] = None


class LoopArguments(Section):
    """How long, how fast, how often.

    A batch has `batch_size` rows or, if given, `tokens_per_batch` padded tokens, over all processes together; a step
    takes `accumulation` of them. `ema` is the decay of a running mean of the weights, which is then what is evaluated
    and saved. `embedding_rate` is the learning rate of the embeddings as a share of the blocks', for CLIP draws them
    an order of magnitude smaller: at the same rate the geometry of the features is overwritten before it is used.
    """

    steps: Positive = 2000
    batch_size: Annotated[int, Field(ge=2)] = 32
    tokens_per_batch: int | None = None
    accumulation: Positive = 1
    learning_rate: NotNegative = 4e-4
    embedding_rate: NotNegative = 0.1
    final_learning_rate: Number = 0.0
    weight_decay: Number = 0.05
    warmup: Share = 0.05
    max_grad_norm: Annotated[Number, Field(gt=0)] = 1.0
    ema: Annotated[Number | None, Field(ge=0, lt=1)] = None
    mixed_precision: Literal["no", "bf16", "fp16"] = "no"
    gradient_checkpointing: bool = False
    compile: bool = False
    log_every: Positive = 50
    trackers: Annotated[list[Tracker], BeforeValidator(_listed)] = []
    evaluate_every: Positive = 500
    best_metric: Literal["recall", "cosine", "mse"] = "recall"
    keep_best: bool = True
    checkpoint_every: Positive = 500
    keep_checkpoints: Positive = 2
    seed: Annotated[int, Field(ge=0)] = 0
    num_threads: int | None = None


class DistillationArguments(Section):
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
    student: StudentArguments = StudentArguments()
    data: DataArguments = DataArguments()
    objective: ObjectiveArguments = ObjectiveArguments()
    augmentation: AugmentationArguments = AugmentationArguments()
    loop: LoopArguments = LoopArguments()

    @classmethod
    def from_file(cls, path: str | Path, overrides: Sequence[str] = ()) -> "DistillationArguments":
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
        return _checked(cls, values)

    def to_dict(self) -> dict[str, Any]:
        return self.model_dump()

    def to_json(self) -> str:
        return json.dumps(self.to_dict(), indent=2, ensure_ascii=False) + "\n"

    @field_validator("student", "data", "objective", "augmentation", "loop", mode="before")
    @classmethod
    def _empty_section(cls, value: Any) -> Any:
        """A section of which nothing is given, as YAML reads it."""
        return {} if value is None else value

    @model_validator(mode="after")
    def _check_together(self) -> "DistillationArguments":
        """What no field can say alone."""
        if not self.data.train:
            raise ValueError("data.train is empty: name at least one file of rows (JSONL, CSV or TXT)")
        if not any(getattr(self.objective, name) for name in TERMS):
            raise ValueError(f"objective: every weight is 0; give one of {', '.join(TERMS)} a positive weight")
        self.data.sources()
        self.data.for_evaluation().sources()
        if self.start_from and self.student.init_from_text_tower:
            raise ValueError("start_from and student.init_from_text_tower are both given: training starts from one")
        if self.start_from and Path(self.start_from).resolve() == Path(self.output_dir).resolve():
            raise ValueError(f"start_from and output_dir are both {self.start_from}: name another output_dir")
        budget, least = self.loop.tokens_per_batch, 2 * self.student.max_position_embeddings
        if budget is not None and budget < least:
            raise ValueError(
                f"loop.tokens_per_batch is {budget}: it must be at least {least}, two sequences of "
                "student.max_position_embeddings tokens"
            )
        return self


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


SectionType = TypeVar("SectionType", bound=Section)


def _checked(kind: type[SectionType], values: Any, where: str = "") -> SectionType:
    """A section of these values; `where` stands before its keys in messages."""
    try:
        return kind.model_validate(values)
    except ValidationError as error:
        raise ArgumentsError(_first_reason(kind, error, where)) from error


def _first_reason(kind: type[Section], error: ValidationError, where: str) -> str:
    first = error.errors()[0]
    location, value = [part for part in first["loc"] if part != "str"], first["input"]  # one of the kinds of a source
    key = where + "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in location).removeprefix(".")
    if first["type"] == "value_error":  # from a check of ours, which says it all
        return str(first["ctx"]["error"])
    if first["type"] == "missing":
        return f"{key} is missing: give it in the configuration"
    if first["type"] == "extra_forbidden":
        section: Any = kind.model_fields[str(location[0])].annotation if len(location) > 1 else kind
        above = key.removesuffix(str(location[-1]))
        near = difflib.get_close_matches(str(location[-1]), section.model_fields, n=1)
        advice = f"did you mean {above}{near[0]}?" if near else f"known keys: {', '.join(section.model_fields)}"
        return f"unknown key {key}: {advice}"
    if first["type"] == "model_type":
        return f"{key or 'the configuration'} must hold keys and values, not {value!r}"
    return f"{key} is {value!r}: it {first['msg'].removeprefix('Input ').replace('should', 'must', 1)}"
