"""The model card of a checkpoint in the Hub's form, made from its `metrics.json`."""

from pathlib import Path
from typing import Any

from huggingface_hub import EvalResult, ModelCardData
from ipaclip.common.tables import markdown_table
from ipaclip.common.training_table import training_table

from .hub_languages import hub_languages

PIPELINE_TAG = "zero-shot-image-classification"
TAGS = ["ipa-clip", "clip", "phonetics", "pronunciation", "ipa"]
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
) -> str:
    """A `README.md`: metadata that the Hub reads, then what the model is, how to use it, its results and limits.

    Args:
        name: The model's name on the Hub, `owner/name`.
        metrics: Content of `metrics.json`, or None where there is none: then nothing is claimed.
        languages: Of the spelled words, as epitran names them, such as "eng-Latn".
        base_model: The teacher's name on the Hub.
        license: As the Hub names licences.
        tower: The pronunciation tower's configuration; by default what `metrics` say of its shape.
    """
    metrics = metrics or {}
    data = ModelCardData(
        language=hub_languages(languages),
        license=license,
        library_name="transformers",
        pipeline_tag=PIPELINE_TAG,
        tags=TAGS,
        base_model=base_model,
        model_name=name.rpartition("/")[2],
        eval_results=evaluation_results(metrics.get("retrieval")) or None,
    )
    training = _training(metrics, tower)
    sections = [_introduction(name, metrics), _usage(name), training, _results(metrics.get("retrieval"))]
    return "\n\n".join([f"---\n{data.to_yaml()}\n---", *filter(None, sections), _limits(metrics)]) + "\n"


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


def _introduction(name: str, metrics: dict[str, Any]) -> str:
    teacher = metrics.get("arguments", {}).get("teacher")
    taught = f", distilled from the frozen text tower of `{Path(teacher).name}`" if teacher else ""
    return f"""# {name.rpartition("/")[2]}

IPA-CLIP: a CLIP with a third tower that reads how words sound{taught}.
The pronunciation tower reads phonemes (IPA) through an embedding built from phonetic features, and ends in CLIP's own
space, so pictures are found by how their names sound, even as words that nobody ever wrote. After Matsuhira et al.,
*IPA-CLIP: Integrating Phonetic Priors into Vision and Language Pretraining*, 2023,
[arXiv 2303.03144](https://arxiv.org/abs/2303.03144)."""


def _usage(name: str) -> str:
    return f"""## How to use

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


def _training(metrics: dict[str, Any], tower: dict[str, Any] | None) -> str:
    if not {"arguments", "data", "run"} <= metrics.keys():
        return ""
    return f"""## Training

{training_table(metrics, tower, show_paths=False)}

All settings and versions are in `metrics.json`."""


def _results(retrieval: dict[str, Any] | None) -> str:
    if not retrieval:
        return ""
    ranks = ("1", "5", "10")
    rows = []
    for row in retrieval["rows"]:
        shares = [" / ".join(f"{100 * row['recall'][by][rank]:.1f}" for rank in ranks) for by in ASKED_BY]
        rows.append([QUERIES.get(row["kind"], row["kind"]), *shares])
    table = markdown_table(["queries", *ASKED_BY.values()], rows)
    return f"""## Results

Percent of queries whose picture, of {retrieval["pictures"]}, is found at rank 1 / among 5 / among 10.

{table}

Transcribed as {retrieval["language"]} by {retrieval["transcriber_version"]}; seed {retrieval["seed"]}. Printed by
`ipaclip evaluate`."""


def _limits(metrics: dict[str, Any]) -> str:
    unmeasured = "" if metrics.get("retrieval") else " Nothing was measured with these pictures yet."
    return f"""## Limits

It hears words as its transcriber does, and another transcriber gives other results. It knows pictures, and what they
are called, only as its CLIP does, with that CLIP's biases.{unmeasured}"""
