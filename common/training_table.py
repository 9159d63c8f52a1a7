"""What `metrics.json` says of a training, as the table of a model card."""

from pathlib import Path
from typing import Any


def training_table(metrics: dict[str, Any], tower: dict[str, Any] | None = None, show_paths: bool = True) -> str:
    """A table in Markdown: teacher, tower, rows, transcribers, start, steps, noise, machine.

    Args:
        metrics: what `ipaclip distill` wrote, with `arguments`, `data` and `run`.
        tower: the tower's configuration; by default what `metrics` say of its shape.
        show_paths: whether teacher and start are named whole; else by their last part, as beyond the machine that
            trained a directory says nothing.
    """
    arguments, data, run = metrics["arguments"], metrics["data"], metrics["run"]
    noise, teacher, start = arguments["augmentation"], arguments["teacher"], arguments.get("start_from")
    if not show_paths:
        teacher, start = Path(teacher).name, start and Path(start).name
    transcribed = ", ".join(f"{backend} ({language})" for language, backend in data["transcribers"].items())
    rows = {
        "teacher": f"`{teacher}`",
        "pronunciation tower": _shape(tower or run.get("tower") or {}, arguments["student"]),
        "trained on": f"{data['rows']:,} rows, {data['texts']:,} different texts, {data['tokens']:,} phoneme tokens",
        "transcribed by": transcribed or "given as IPA",
        "started from": f"`{start}`" if start else "random weights",
        "steps": f"{run['steps']:,} of {_batch(arguments['loop'])}, {run['seconds']:,.0f} s",
        "phonetic noise": f"{noise['substitution']} of phonemes swapped for one of the {noise['nearest']} nearest",
        "machine": run["machine"],
    }
    return "\n".join(["| | |", "| --- | --- |", *(f"| {name} | {value} |" for name, value in rows.items())])


def _shape(tower: dict[str, Any], student: dict[str, Any]) -> str:
    """The true shape; of what is known of none, the preset that was asked for."""
    found = {**student, **tower}
    layers, width, pooling = (found.get(name) for name in ("num_hidden_layers", "hidden_size", "pooling"))
    shape = f"{layers} layers, {width} wide" if layers and width else f"preset `{found.get('preset')}`"
    return f"{shape}, `{pooling}` pooling, phonetic features `{student['feature_set']}`"


def _batch(loop: dict[str, Any]) -> str:
    """What one step sees."""
    tokens, accumulation = loop.get("tokens_per_batch"), loop.get("accumulation", 1)
    batch = f"{tokens:,} tokens" if tokens else f"{loop['batch_size']} rows"
    return f"{accumulation} batches of {batch}" if accumulation > 1 else batch
