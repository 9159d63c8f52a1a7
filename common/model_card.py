"""The model card of a checkpoint in the Hub's form, made from its `metrics.json`."""

from pathlib import Path
from typing import Any

from huggingface_hub import EvalResult, ModelCardData

from .hub_languages import hub_languages
from .tables import markdown_table

TAGS = ["ipa-clip", "clip", "phonetics", "pronunciation", "ipa"]
RANKS = ("1", "5", "10")
QUERIES = {
    "names": "names",
    "respelled": "names, respelled by sound",
    "one_swap": "nonsense words, one phoneme swapped",
    "two_swaps": "nonsense words, two phonemes swapped",
    "far_swap": "nonsense words, one phoneme swapped for a farther one",
}
ASKED_BY = {
    "text": "text tower, spelling",
    "pronunciation": "pronunciation tower, phonemes",
    "heard": "pronunciation tower, spelling as transcribed",
}


def model_card(
    name: str,
    metrics: dict[str, Any] | None,
    *,
    languages: list[str],
    base_model: str | None = None,
    license: str = "apache-2.0",
    tower: dict[str, Any] | None = None,
    is_local: bool = False,
) -> str:
    """A `README.md`: metadata that the Hub reads, then what the model is, how to use it, its results and limits.

    Args:
        name: The model's name on the Hub, `owner/name`, or its folder's.
        metrics: Content of `metrics.json`, or None where there is none: then nothing is claimed.
        languages: Of the spelled words, as epitran names them, such as "eng-Latn".
        base_model: The teacher's name on the Hub.
        license: As the Hub names licences.
        tower: The pronunciation tower's configuration; by default what `metrics` say of its shape.
        is_local: Whether it is the card of a folder on the machine that trained: only there are paths of use.
    """
    metrics = metrics or {}
    is_alone = metrics.get("run", {}).get("tower_alone", False)
    data = ModelCardData(
        language=hub_languages(languages),
        license=license,
        library_name="transformers",
        pipeline_tag="feature-extraction" if is_alone else "zero-shot-image-classification",
        tags=[tag for tag in TAGS if not (is_alone and tag == "clip")],
        base_model=base_model,
        model_name=name.rpartition("/")[2],
        eval_results=evaluation_results(metrics.get("retrieval")) or None,
    )
    sections = [
        _introduction(name, metrics, is_alone),
        (TOWER_ALONE if is_alone else USAGE).format(name="." if is_local else name),
        _training(metrics, tower, show_paths=is_local),
        _results(metrics.get("retrieval")),
    ]
    head = f"---\n{data.to_yaml()}\n---"
    return "\n\n".join([head, *filter(None, sections), _limits(metrics, is_alone)]) + "\n"


def evaluation_results(retrieval: dict[str, Any] | None) -> list[EvalResult]:
    """The pronunciation tower's retrieval, top-1 and top-5, one entry for each kind of query."""
    if not retrieval:
        return []
    return [
        EvalResult(
            task_type="image-retrieval",
            task_name="Pictures found by how their names sound",
            dataset_type=f"gallery-{row['kind']}",
            dataset_name=f"{retrieval['pictures']} pictures, {QUERIES.get(row['kind'], row['kind'])}",
            metric_type=f"recall_at_{rank}",
            metric_name=f"Recall@{rank}",
            metric_value=round(row["recall"]["pronunciation"][rank], 4),
        )
        for row in retrieval["rows"]
        for rank in ("1", "5")
    ]


def _introduction(name: str, metrics: dict[str, Any], is_alone: bool) -> str:
    teacher = metrics.get("arguments", {}).get("teacher")
    taught = f", distilled from the frozen text tower of `{Path(teacher).name}`" if teacher else ""
    what = (
        f"The pronunciation tower of an IPA-CLIP{taught}, whose embeddings compare with that model's own. The model\n"
        "is **not** in this folder: here are the tower, its projection and its tokenizer alone."
        if is_alone
        else f"IPA-CLIP: a CLIP with a third tower that reads how words sound{taught}."
    )
    return f"""# {name.rpartition("/")[2]}

{what}
The pronunciation tower reads phonemes (IPA) through an embedding built from phonetic features, and ends in its
teacher's own space, so pictures are found by how their names sound, even as words that nobody ever wrote. After
Matsuhira et al., *IPA-CLIP: Integrating Phonetic Priors into Vision and Language Pretraining*, 2023,
[arXiv 2303.03144](https://arxiv.org/abs/2303.03144). Made with [ipaclip](https://pypi.org/project/ipaclip)."""


USAGE = """## How to use

With transformers alone, in IPA:

```python
from transformers import AutoModel, AutoProcessor

model = AutoModel.from_pretrained("{name}", trust_remote_code=True)
processor = AutoProcessor.from_pretrained("{name}", trust_remote_code=True)
inputs = processor(ipa=["bʌtɚflaɪ"], return_tensors="pt")
embeddings = model.get_pronunciation_features(**inputs).pooler_output  # (1, projection_dim)
```

With the package (`pip install "ipaclip[espeak]"`) spelled words, too: `processor(pronounce=["batterfly"])`. The CLIP
within loads as ever, with `CLIPModel.from_pretrained("{name}")`."""
TOWER_ALONE = """## How to use

```python
from ipaclip import IPAClipPronunciationModelWithProjection
from ipaclip.tokenization import IPATokenizer, get_transcriber

model = IPAClipPronunciationModelWithProjection.from_pretrained("{name}")
tokenizer = IPATokenizer.from_pretrained("{name}")
said = get_transcriber("eng-Latn").transcribe(["batterfly"])
embeddings = model(**tokenizer(said, padding=True, return_tensors="pt")).pronunciation_embeds
```"""


def _training(metrics: dict[str, Any], tower: dict[str, Any] | None, show_paths: bool) -> str:
    """Teacher, tower, rows, transcribers, start, steps, noise, machine; paths by their last part or whole."""
    if not {"arguments", "data", "run"} <= metrics.keys():
        return ""
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
    table = "\n".join(["| | |", "| --- | --- |", *(f"| {name} | {value} |" for name, value in rows.items())])
    return f"## Training\n\n{table}\n\nAll settings and versions are in `metrics.json`."


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


def _results(retrieval: dict[str, Any] | None) -> str:
    if not retrieval:
        return ""
    rows = []
    for row in retrieval["rows"]:
        shares = [" / ".join(f"{100 * row['recall'][by][rank]:.1f}" for rank in RANKS) for by in ASKED_BY]
        rows.append([QUERIES.get(row["kind"], row["kind"]), *shares])
    table = markdown_table(["queries", *ASKED_BY.values()], rows)
    return f"""## Results

Percent of queries whose picture, of {retrieval["pictures"]}, is found at rank 1 / among 5 / among 10.

{table}

Transcribed as {retrieval["language"]} by {retrieval["transcriber_version"]}; seed {retrieval["seed"]}. Printed by
`ipaclip evaluate`."""


def _limits(metrics: dict[str, Any], is_alone: bool) -> str:
    knows = (
        "It has no pictures."
        if is_alone
        else "It knows pictures, and what they are called, only as its CLIP does, with that CLIP's biases."
    )
    unmeasured = "" if is_alone or metrics.get("retrieval") else " Nothing was measured with these pictures yet."
    return f"""## Limits

It hears words as its transcriber does, and another transcriber gives other results. {knows}{unmeasured}"""
