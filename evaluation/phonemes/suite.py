"""The suite `phonemes`: phonemes lie where phonetics says."""

from collections.abc import Sequence
from functools import partial
from pathlib import Path

import numpy as np
from ipaclip.tokenization import inventory_of, phoneme_feature_table
from ipaclip.tokenization.phonemes.ipa_chart import chart_row

from ..checkpoint import Checkpoint, Options, transcribe
from ..report import Figure, SuiteResult, Table, show
from ..retrieval.retrieval import ProcessorTranscriber
from ..statistics import bootstrap_share
from .phonemes import EMBEDDING, TOWER, PhonemeRow, chart_letters, evaluate_phonemes, phoneme_vectors

FEATURES = "features"
_LEVEL_NAMES = {EMBEDDING: "phoneme embedding", TOWER: "tower's output"}


def run_phonemes(checkpoint: Checkpoint, options: Options) -> SuiteResult:
    """Phoneme geometry: over the whole IPA chart, and over the phonemes that the names of the pictures are made of."""
    result = SuiteResult("phonemes", [], {}, [])
    letters = chart_letters()
    inventories = {"IPA chart": letters}
    if checkpoint.names:
        said, _ = transcribe(checkpoint, list(checkpoint.names))
        # Rarer ones are slips of the transcriber as often as phonemes.
        heard = inventory_of(said.values(), min_count=max(1, len(said) // 600))
        inventories["heard in names"] = [one for one in heard if chart_row(one) is not None]
        result.notes.append(f"Names are said in {ProcessorTranscriber(checkpoint.processor, None)}.")
    else:
        result.notes.append("No names of pictures are known: phonemes are those of the chart alone.")
    result.notes.append(
        "Distance is 1 - cosine. `features` are panphon's features themselves, without any model: what the embedding "
        "starts from. Phonemes that the training never had are measured along in the chart."
    )
    for inventory, segments in inventories.items():
        if len(segments) < 4:
            result.notes.append(f"{inventory}: not measured, for it has only {len(segments)} phonemes of the chart.")
            continue
        vectors = _levels(checkpoint, segments)
        rows = evaluate_phonemes(vectors, segments)
        result.tables.extend(_phoneme_tables(inventory, rows))
        result.values.update(_phoneme_values(inventory, rows))
    heard_in_names = inventories.get("heard in names", [])
    _phoneme_plots(result, checkpoint, letters, heard_in_names if len(heard_in_names) >= 8 else letters)
    return result


def _levels(checkpoint: Checkpoint, segments: Sequence[str]) -> dict[str, np.ndarray]:
    tokenizer = checkpoint.processor.pronunciation_tokenizer
    vectors = phoneme_vectors(checkpoint.model, tokenizer, segments)
    table = np.asarray(phoneme_feature_table(tokenizer, "panphon"))
    ids = [one[0] for one in tokenizer(list(segments), add_special_tokens=False)["input_ids"]]
    return {FEATURES: table[ids], **vectors}


def _phoneme_tables(inventory: str, rows: Sequence[PhonemeRow]) -> list[Table]:
    correlation = Table(
        f"{inventory}: Spearman's rho with phonetic distance (-1 to 1, higher is better)",
        ["vectors", "phonemes", "count", "panphon's feature distance", "IPA chart distance"],
        [
            [row.level, row.phonemes, str(row.count), *(show(row.intervals[name]) for name in ("panphon", "chart"))]
            for row in rows
        ],
    )
    parts = [row for row in rows if row.purity]
    classes = list(dict.fromkeys(name for row in parts for name in row.purity))
    purity = Table(
        f"{inventory}: nearest neighbour is of the same class, percent (by chance)",
        ["vectors", "phonemes", *classes],
        [
            [row.level, row.phonemes]
            + [
                f"{100 * row.purity[name]:.0f} ({100 * row.chance[name]:.0f})" if name in row.purity else ""
                for name in classes
            ]
            for row in parts
        ],
    )
    everything = [row for row in rows if row.phonemes == "all" and row.analogies]
    changes = list(dict.fromkeys(name for row in everything for name in row.analogies))
    analogies = Table(
        f"{inventory}: analogies such as b - p + t = d that come out, percent",
        ["vectors", *(f"{name} ({everything[0].analogy_counts[name]})" for name in changes)],
        [[row.level, *(f"{100 * row.analogies[name]:.0f}" for name in changes)] for row in everything],
    )
    return [table for table in (correlation, purity, analogies) if table.rows]


def _phoneme_values(inventory: str, rows: Sequence[PhonemeRow]) -> dict[str, Figure]:
    values: dict[str, Figure] = {}
    for row in rows:
        where = f"{inventory}, {row.level}, {row.phonemes}"
        values |= {f"{where}: rho with {name} distance": interval for name, interval in row.intervals.items()}
        values |= {f"{where}: same {name}": bootstrap_share(share, row.count) for name, share in row.purity.items()}
        if row.phonemes == "all":
            # Analogies share phonemes: drawing them anew would give intervals that are too narrow.
            values |= {f"{where}: {change} analogies": share for change, share in row.analogies.items()}
    return values


def _phoneme_plots(
    result: SuiteResult, checkpoint: Checkpoint, letters: Sequence[str], segments: Sequence[str]
) -> None:
    def similarity(path: Path) -> None:
        from ..plots import save, similarity_map

        vectors = phoneme_vectors(checkpoint.model, checkpoint.processor.pronunciation_tokenizer, letters)
        save(similarity_map(vectors, letters), path)

    def plane(level: str, kind: str, path: Path) -> None:
        from .. import plots

        vectors = phoneme_vectors(checkpoint.model, checkpoint.processor.pronunciation_tokenizer, segments)[level]
        draw = plots.phoneme_map if kind == "map" else plots.dendrogram
        plots.save(draw(vectors, segments, _LEVEL_NAMES[level]), path)

    result.plots["similarity.png"] = similarity
    for level in (EMBEDDING, TOWER):
        for kind in ("map", "tree"):
            result.plots[f"{kind}_{level}.png"] = partial(plane, level, kind)
