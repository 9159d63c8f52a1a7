"""The suite `phonemes`: phonemes lie where phonetics says."""

from collections.abc import Sequence
from functools import partial
from pathlib import Path

import numpy as np
from ipaclip.tokenization import inventory_of, phoneme_feature_table
from ipaclip.tokenization.phonemes.ipa_chart import chart_row

from ..checkpoint import Checkpoint, Options
from ..report import SuiteResult
from ..statistics import bootstrap_share
from .phonemes import ALL, EMBEDDING, TOWER, PhonemeRow, chart_letters, evaluate_phonemes, phoneme_vectors

FEATURES = "features"


def run_phonemes(checkpoint: Checkpoint, options: Options) -> SuiteResult:
    """Phoneme geometry: over the whole IPA chart, and over the phonemes that the names of the pictures are made of."""
    result = SuiteResult("phonemes")
    letters = chart_letters()
    inventories = {"IPA chart": letters}
    heard: list[str] = []
    if checkpoint.names:
        said, _ = checkpoint.transcribe(checkpoint.names)
        # Rarer ones are slips of the transcriber as often as phonemes.
        inventory = inventory_of(said.values(), min_count=max(1, len(said) // 600))
        inventories["heard in names"] = heard = [one for one in inventory if chart_row(one) is not None]
        result.notes.append(f"Names are said in {checkpoint.transcriber}.")
    else:
        result.notes.append("No names of pictures are known: phonemes are those of the chart alone.")
    result.notes.append(
        "Distance is 1 - cosine. `features` are panphon's features themselves, without any model: what the embedding "
        "starts from. Phonemes that the training never had are measured along in the chart."
    )
    for name, segments in inventories.items():
        if len(segments) < 4:
            result.notes.append(f"{name}: not measured, for it has only {len(segments)} phonemes of the chart.")
            continue
        rows = evaluate_phonemes(_levels(checkpoint, segments), segments)
        _add_tables(result, name, rows)
        _add_values(result, name, rows)
    _add_plots(result, checkpoint, letters, heard if len(heard) >= 8 else letters)
    return result


def _levels(checkpoint: Checkpoint, segments: Sequence[str]) -> dict[str, np.ndarray]:
    tokenizer = checkpoint.processor.pronunciation_tokenizer
    vectors = phoneme_vectors(checkpoint.model, tokenizer, segments)
    table = np.asarray(phoneme_feature_table(tokenizer, "panphon"))
    ids = [one[0] for one in tokenizer(list(segments), add_special_tokens=False)["input_ids"]]
    return {FEATURES: table[ids], **vectors}


def _add_tables(result: SuiteResult, inventory: str, rows: Sequence[PhonemeRow]) -> None:
    result.add_table(
        f"{inventory}: Spearman's rho with phonetic distance (-1 to 1, higher is better)",
        ["vectors", "phonemes", "count", "panphon's feature distance", "IPA chart distance"],
        [[row.level, row.phonemes, row.count, row.rho["panphon"], row.rho["chart"]] for row in rows],
    )
    classes = list(dict.fromkeys(name for row in rows for name in row.purity))
    result.add_table(
        f"{inventory}: nearest neighbour is of the same class, percent (by chance)",
        ["vectors", "phonemes", *classes],
        [[row.level, row.phonemes, *(_purity(row, name) for name in classes)] for row in rows if row.purity],
    )
    everything = [row for row in rows if row.phonemes == ALL and row.analogies]
    counts = everything[0].analogy_counts if everything else {}
    result.add_table(
        f"{inventory}: analogies such as b - p + t = d that come out, percent",
        ["vectors", *(f"{name} ({count})" for name, count in counts.items())],
        [[row.level, *(f"{100 * row.analogies[name]:.0f}" for name in counts)] for row in everything],
    )


def _purity(row: PhonemeRow, name: str) -> str:
    return f"{100 * row.purity[name]:.0f} ({100 * row.chance[name]:.0f})" if name in row.purity else ""


def _add_values(result: SuiteResult, inventory: str, rows: Sequence[PhonemeRow]) -> None:
    for row in rows:
        where = f"{inventory}, {row.level}, {row.phonemes}"
        result.values.update({f"{where}: rho with {name} distance": interval for name, interval in row.rho.items()})
        result.values.update(
            {f"{where}: same {name}": bootstrap_share(share, row.count) for name, share in row.purity.items()}
        )
        if row.phonemes == ALL:
            # Analogies share phonemes: drawing them anew would give intervals that are too narrow.
            result.values.update({f"{where}: {change} analogies": share for change, share in row.analogies.items()})


def _add_plots(result: SuiteResult, checkpoint: Checkpoint, letters: Sequence[str], segments: Sequence[str]) -> None:
    def similarity(path: Path) -> None:
        from ..plots import save, similarity_map

        vectors = phoneme_vectors(checkpoint.model, checkpoint.processor.pronunciation_tokenizer, letters)
        save(similarity_map(vectors, letters), path)

    def plane(level: str, kind: str, path: Path) -> None:
        from .. import plots

        vectors = phoneme_vectors(checkpoint.model, checkpoint.processor.pronunciation_tokenizer, segments)[level]
        draw = plots.phoneme_map if kind == "map" else plots.dendrogram
        plots.save(draw(vectors, segments, plots.TITLES[level]), path)

    result.plots["similarity.png"] = similarity
    for level in (EMBEDDING, TOWER):
        for kind in ("map", "tree"):
            result.plots[f"{kind}_{level}.png"] = partial(plane, level, kind)
