"""The paper's claims as suites: each asks one checkpoint and gives tables, figures, notes and pictures.

1. `phonemes`: phonemes lie where phonetics says (arXiv 2303.03144, claim 1).
2. `retrieval`: both towers find more pictures than one (claim 2).
3. `nonsense`: words that nobody wrote are treated by their sound (claim 3).
4. `human`: words that people find alike in sound lie close together (claim 4).
And `pwesuite`: the tasks of PWESuite, beside other embeddings of words by sound.
"""

import logging
import platform
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from ipaclip.encoding import encode
from ipaclip.tokenization import (
    TranscriptionError,
    inventory_of,
    is_segment,
    phoneme_feature_table,
    phoneme_sequence_distance,
    split_segments,
)
from ipaclip.tokenization.ipa_chart import chart_row

from .curves import NonsenseReport, evaluate_nonsense
from .fusion import EMBEDDED_GATE, Gate
from .human import Judgement, human_agreement, human_similarity, read_judgements
from .phonemes import EMBEDDING, TOWER, PhonemeRow, chart_letters, evaluate_phonemes, phoneme_vectors
from .pictures import CaptionReport, evaluate_captions, read_pictures
from .pwesuite import ALL as ALL_LANGUAGES
from .pwesuite import TASKS, PWESuiteReport, evaluate_pwesuite
from .pwesuite_words import HUB_NAME, Word, beside, embed_words, export_embeddings, read_words
from .queries import FAR_SWAP, NAMES, ONE_SWAP, RESPELLED, TWO_SWAPS
from .report import Figure, Report, SuiteResult, Table, show
from .retrieval import BOTH, COLUMNS, KS, Placing, RetrievalReport, RetrievalRow, evaluate_retrieval
from .sound_alone import encode_sound, has_sound_alone
from .statistics import Interval, bootstrap_share

logger = logging.getLogger(__name__)

FEATURES = "features"
TEXT, PRONUNCIATION, SOUND_ALONE = "text tower", "pronunciation tower", "sound alone"
_COLUMN_NAMES = {
    "text": "text tower, spelling",
    "pronunciation": "pronunciation tower, phonemes",
    "heard": "pronunciation tower, spelling as transcribed",
    "both": "both towers, spelling",
}


class NotRunError(ValueError):
    """A suite lacks what it needs; the message says what to give."""


@dataclass(frozen=True)
class Checkpoint:
    """What is evaluated.

    Attributes:
        name: directory or Hub name.
        model: an `IPAClipModel`.
        processor: its `IPAClipProcessor`.
        image_embeds: `(pictures, projection_dim)`, or None where there are no pictures.
        names: one for each picture.
        gate: how its two towers are fused, see `load_gate`.
        known: what one suite computed and another uses.

    Raises:
        ValueError: if the model has no pronunciation tower.
    """

    name: str
    model: Any
    processor: Any
    image_embeds: torch.Tensor | None = None
    names: Sequence[str] = ()
    gate: Gate = EMBEDDED_GATE
    known: dict[Any, Any] = field(default_factory=dict, compare=False, repr=False)

    def __post_init__(self) -> None:
        if not hasattr(self.model, "get_pronunciation_features"):
            raise ValueError(
                f"{self.name} has no pronunciation tower: `ipaclip convert clip` puts one beside a CLIP, and "
                "`ipaclip distill` trains it."
            )


@dataclass(frozen=True)
class Options:
    """What the suites may be told.

    Attributes:
        seed: of queries, draws and bootstraps.
        pictures: a folder or table of pictures with captions, or a Hub data set, for retrieval; see `read_pictures`.
        judgements: a table of human judgements, see `read_judgements`.
        pwesuite: a file, directory or Hub name, see `read_words`.
        export: where to write PWESuite's embeddings of the pronunciation tower; those of sound alone, where the
            checkpoint has them, beside it: `embd.pkl` and `embd_sound.pkl`.
        show_progress: whether to show progress bars.
    """

    seed: int = 0
    pictures: str | None = None
    judgements: Path | None = None
    pwesuite: str | None = None
    export: Path | None = None
    show_progress: bool = False


# --- phonemes ---


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
        from .plots import save, similarity_map

        vectors = phoneme_vectors(checkpoint.model, checkpoint.processor.pronunciation_tokenizer, letters)
        save(similarity_map(vectors, letters), path)

    def plane(level: str, kind: str, path: Path) -> None:
        from . import plots

        vectors = phoneme_vectors(checkpoint.model, checkpoint.processor.pronunciation_tokenizer, segments)[level]
        draw = plots.phoneme_map if kind == "map" else plots.dendrogram
        plots.save(draw(vectors, segments, _LEVEL_NAMES[level]), path)

    result.plots["similarity.png"] = similarity
    for level in (EMBEDDING, TOWER):
        for kind in ("map", "tree"):
            result.plots[f"{kind}_{level}.png"] = partial(plane, level, kind)


_LEVEL_NAMES = {EMBEDDING: "phoneme embedding", TOWER: "tower's output"}


# --- retrieval and nonsense ---


def _gallery(checkpoint: Checkpoint) -> torch.Tensor:
    if checkpoint.image_embeds is None or not checkpoint.names:
        raise NotRunError(
            f"{checkpoint.name} has no gallery of pictures to be found: give pictures with captions (--pictures), or a "
            "checkpoint that has a gallery."
        )
    return checkpoint.image_embeds


def _retrieval(checkpoint: Checkpoint, options: Options) -> RetrievalReport:
    key = ("retrieval", options.seed)
    if key not in checkpoint.known:
        checkpoint.known[key] = evaluate_retrieval(
            checkpoint.model,
            checkpoint.processor,
            _gallery(checkpoint),
            checkpoint.names,
            seed=options.seed,
            gate=checkpoint.gate,
        )
    return checkpoint.known[key]


def run_retrieval(checkpoint: Checkpoint, options: Options) -> SuiteResult:
    """Pictures by name and by respelled name, names by picture, pictures by caption: each tower, and both together."""
    if checkpoint.image_embeds is None and options.pictures is not None:
        result = SuiteResult("retrieval", [], {}, [])
    else:
        result = _by_name(_retrieval(checkpoint, options))
    if options.pictures is not None:
        pictures = read_pictures(options.pictures)
        report = evaluate_captions(checkpoint.model, checkpoint.processor, pictures, gate=checkpoint.gate)
        _add_captions(result, report, options.pictures)
    return result


def _by_name(report: RetrievalReport) -> SuiteResult:
    kinds = (NAMES, RESPELLED)
    rows = [row for row in report.rows if row.kind in kinds]
    result = SuiteResult("retrieval", [], {}, [_terms_of(report)])
    _add_rows(result, rows)
    _add_placings(result, "names found by picture", report.picture_to_word)
    result.notes.append(_worst_loss(rows))
    result.plots["retrieval.png"] = partial(_bars, rows, f"retrieval: pictures found, {report.pictures} in all")
    return result


def _terms_of(report: RetrievalReport) -> str:
    queries = report.rows[0].queries
    return (
        f"{report.pictures} pictures; {queries} queries of each kind; {report.language} by {report.transcriber}, "
        f"{report.transcriber_version}."
    )


def _add_captions(result: SuiteResult, report: CaptionReport, source: str) -> None:
    _add_placings(result, "pictures found by caption", report.caption_to_picture)
    _add_placings(result, "captions found by picture", report.picture_to_caption)
    result.notes.append(f"{report.pictures} pictures and {report.captions} captions of {source}.")
    result.notes.extend(f"Left out: {name}, {why}." for name, why in report.set_aside.items())


def run_nonsense(checkpoint: Checkpoint, options: Options) -> SuiteResult:
    """Pictures by words that nobody wrote, and the neighbourhood of words that have no source."""
    report = _retrieval(checkpoint, options)
    rows = [row for row in report.rows if row.kind in (ONE_SWAP, TWO_SWAPS, FAR_SWAP)]
    further = evaluate_nonsense(
        checkpoint.model,
        checkpoint.processor,
        _gallery(checkpoint),
        checkpoint.names,
        seed=options.seed,
        gate=checkpoint.gate,
    )
    result = SuiteResult("nonsense", [], {}, [_terms_of(report)])
    _add_rows(result, rows)
    result.tables.append(_kinds_table(further.rows))
    for row in further.rows:
        for column, placing in row.placings.items():
            result.values[f"{row.kind}, {_COLUMN_NAMES[column]}: top-1"] = placing.recall[1]
    _add_neighbourhood(result, further)
    result.notes.extend(
        f"{row.kind}: {row.unswapped} of {row.words} words left as they are (every swap gives a real word), "
        f"{row.heard_real} heard as real words when typed."
        for row in rows
    )
    result.notes.append(_worst_loss([*rows, *further.rows]))
    result.plots["nonsense.png"] = partial(_bars, rows, f"nonsense: pictures found, {report.pictures} in all")
    result.plots["kinds.png"] = partial(_bars, further.rows, "edits of one word, and misspellings")
    result.plots["curve.png"] = partial(_curve, further)
    return result


def _kinds_table(rows: Sequence[RetrievalRow]) -> Table:
    columns = [column for column in COLUMNS if any(column in row.placings for row in rows)]
    return Table(
        "one word of the name edited, or spelled otherwise: top-1, with 95% interval",
        ["queries", "count", *(_COLUMN_NAMES[column] for column in columns)],
        [
            [row.kind, str(row.queries)]
            + [show(row.placings[column].recall[1]) if column in row.placings else "" for column in columns]
            for row in rows
        ],
    )


def _add_neighbourhood(result: SuiteResult, report: NonsenseReport) -> None:
    near = report.neighbourhood
    distances = {_COLUMN_NAMES[column]: interval for column, interval in near.distance.items()}
    distances |= {"names drawn blindly": near.random, "names nearest in sound": near.best}
    result.tables.append(
        Table(
            f"{near.words} pseudowords without a source: mean phonetic distance of the ten best (lower is more alike)",
            ["by", "distance"],
            [[name, show(interval)] for name, interval in distances.items()],
        )
    )
    result.values.update({f"pseudowords, {name}: distance": interval for name, interval in distances.items()})
    if report.rivals.wins is not None:
        wins = {_COLUMN_NAMES[column]: interval for column, interval in report.rivals.wins.items()}
        result.tables.append(
            Table(
                f"{report.rivals.pairs} minimal pairs among the names: the right picture wins (0.5 by chance)",
                ["by", "share"],
                [[name, show(interval)] for name, interval in wins.items()],
            )
        )
        result.values.update({f"minimal pairs, {name}: right": interval for name, interval in wins.items()})
    _add_placings(
        result, "another real word, one phoneme off a name: the name's picture is found", report.minimal_pairs
    )
    result.tables.append(
        Table(
            "recall against phonetic distance: top-1, with 95% interval",
            ["distance", "queries", *(_COLUMN_NAMES[column] for column in _TOWERS)],
            [
                [f"{point.distance:.2f}", str(point.queries), *(show(point.recall[column]) for column in _TOWERS)]
                for point in report.curve
            ],
        )
    )


_TOWERS = ("text", "pronunciation")


def _add_rows(result: SuiteResult, rows: Sequence[RetrievalRow]) -> None:
    for row in rows:
        _add_placings(result, f"pictures found by {row.kind}", row.placings)


def _add_placings(result: SuiteResult, title: str, placings: Mapping[str, Placing]) -> None:
    """A table of recall and median rank by tower, and the same as figures."""
    columns = [column for column in COLUMNS if column in placings]
    if not columns:
        return
    head = ["tower", *(f"top-{k}" for k in KS), "median rank"]
    rows = []
    for column in columns:
        placing, name = placings[column], _COLUMN_NAMES[column]
        rows.append([name, *(show(placing.recall[k]) for k in KS), f"{placing.median_rank.mean:g}"])
        result.values.update({f"{title}, {name}: top-{k}": placing.recall[k] for k in KS})
        result.values[f"{title}, {name}: median rank"] = placing.median_rank
    result.tables.append(Table(f"{title}: share, with 95% interval", head, rows))


def _bars(rows: Sequence[RetrievalRow], title: str, path: Path) -> None:
    from .plots import recall_bars, save

    shares = {
        row.kind: {column: _bounds(row.placings[column].recall[1]) for column in COLUMNS if column in row.placings}
        for row in rows
    }
    save(recall_bars(shares, title), path)


def _curve(report: NonsenseReport, path: Path) -> None:
    from .plots import recall_curve, save

    points = {
        column: [(point.distance, *_bounds(point.recall[column])) for point in report.curve] for column in _TOWERS
    }
    save(recall_curve(points, "names, and one to three phonemes of them swapped"), path)


def _bounds(interval: Interval) -> tuple[float, float, float]:
    return interval.mean, interval.low, interval.high


def _worst_loss(rows: Sequence[RetrievalRow]) -> str:
    losses = {row.kind: max(row.recall["text"][1], row.recall["heard"][1]) - row.recall[BOTH][1] for row in rows}
    kind = max(losses, key=lambda one: losses[one])
    return (
        f"Both towers against the better of the two, same spelling, top-1: at worst {-100 * losses[kind]:+.1f} points "
        f"({kind})."
    )


# --- human ---


def transcribe(checkpoint: Checkpoint, words: Sequence[str]) -> tuple[dict[str, str], dict[str, str]]:
    """Word → IPA, and word → why it has none."""
    some = list(dict.fromkeys(words))
    if not some:
        return {}, {}
    try:
        return dict(zip(some, checkpoint.processor.transcribe(some), strict=True)), {}
    except TranscriptionError as error:  # of one text, but there may be more of the kind
        if len(some) == 1:
            return {}, {some[0]: f"it cannot be pronounced ({error})"}
    half = len(some) // 2
    first, second = transcribe(checkpoint, some[:half]), transcribe(checkpoint, some[half:])
    return first[0] | second[0], first[1] | second[1]


def run_human(checkpoint: Checkpoint, options: Options) -> SuiteResult:
    """Agreement with human judgements: sound alone, both towers, and phonetic distance without any model."""
    if options.judgements is None:
        raise NotRunError(
            "the human suite compares with judgements of people, which are not shipped: give a CSV of the columns "
            "word1, word2, obtained (--human TABLE.csv), such as data/human_similarity.csv of PWESuite's repository."
        )
    judgements = read_judgements(options.judgements)
    words = [word for one in judgements for word in (one.word1, one.word2)]
    said, mute = transcribe(checkpoint, words)
    alone = {}
    if has_sound_alone(checkpoint.model):
        alone[SOUND_ALONE] = human_similarity(
            judgements, lambda some: _sound_alone(checkpoint, [said[w] for w in some]), mute
        )
    reports = alone | {
        PRONUNCIATION: human_similarity(judgements, lambda some: _sound(checkpoint, [said[w] for w in some]), mute),
        TEXT: human_similarity(judgements, lambda some: _text(checkpoint, some), mute),
        "phonetic distance, no model": human_agreement(judgements, _phonetic_similarity(said), mute),
    }
    return _human_result(judgements, reports)


def _human_result(judgements: Sequence[Judgement], reports: Mapping[str, Any]) -> SuiteResult:
    first = next(iter(reports.values()))
    summary = Table(
        "Agreement with people, mean over groups (-1 to 1, higher is better)",
        ["similarity by", "Pearson, with 95% interval", "Spearman"],
        [[name, show(report.interval), show(report.spearman)] for name, report in reports.items()],
    )
    standards = [group.standard for group in first.groups]
    groups = Table(
        "Pearson in each group",
        ["similarity by", *(f"{group.standard} ({group.pairs})" for group in first.groups)],
        [[name, *(show(_group(report, one)) for one in standards)] for name, report in reports.items()],
    )
    values: dict[str, Figure] = {}
    for name, report in reports.items():
        values[f"{name}: Pearson"], values[f"{name}: Spearman"] = report.interval, report.spearman
    aside = {(pair, why) for report in reports.values() for pair, why in report.set_aside.items()}
    notes = [
        f"{len(judgements)} judged pairs; the phonetic distance is panphon's weighted feature edit distance between "
        "the transcriptions, divided by the longer one's length.",
        *(f"Left out: {pair}, {why}." for pair, why in sorted(aside)),
    ]
    return SuiteResult("human", [summary, *([groups] if standards else [])], values, notes)


def _group(report: Any, standard: str) -> float | None:
    return next((group.pearson for group in report.groups if group.standard == standard), None)


def _phonetic_similarity(said: Mapping[str, str]) -> Callable[[str, str], float]:
    segments = {word: [one for one in split_segments(ipa) if is_segment(one)] for word, ipa in said.items()}

    def similarity(first: str, second: str) -> float:
        longest = max(len(segments[first]), len(segments[second]), 1)
        return -phoneme_sequence_distance(segments[first], segments[second]) / longest

    return similarity


def _sound(checkpoint: Checkpoint, ipa: list[str], show_progress: bool = False) -> np.ndarray:
    return encode(checkpoint.model, checkpoint.processor, ipa=ipa, show_progress=show_progress).numpy()


def _sound_alone(checkpoint: Checkpoint, ipa: list[str], show_progress: bool = False) -> np.ndarray:
    return encode_sound(checkpoint.model, checkpoint.processor, ipa, show_progress)


def _text(checkpoint: Checkpoint, words: list[str], show_progress: bool = False) -> np.ndarray:
    return encode(checkpoint.model, checkpoint.processor, text=words, show_progress=show_progress).numpy()


# --- PWESuite ---


def run_pwesuite(checkpoint: Checkpoint, options: Options) -> SuiteResult:
    """PWESuite's tasks: sound alone and pronunciation tower on the IPA of the data, the text tower on its spelling."""
    source = options.pwesuite or HUB_NAME
    words = read_words(source)
    judgements, cognates = beside(source)
    if options.judgements is not None:
        judgements = read_judgements(options.judgements)
    sounds, silent = export_pwesuite(checkpoint, words, options)
    spelled = [Word(word.ort, word.ort, word.arp, word.lang, word.purpose) for word in words]
    texts, _ = embed_words(spelled, lambda some: _text(checkpoint, some, options.show_progress))
    run = partial(
        evaluate_pwesuite,
        words,
        judgements=judgements,
        cognates=cognates,
        seed=options.seed,
        show_progress=options.show_progress,
    )
    reports = {PRONUNCIATION: run(vectors=sounds), TEXT: run(vectors=texts)}
    if has_sound_alone(checkpoint.model):
        alone, _ = embed_words(words, lambda some: _sound_alone(checkpoint, some, options.show_progress))
        reports = {SOUND_ALONE: run(vectors=alone), **reports}
    result = _pwesuite_result(reports)
    result.notes.insert(0, f"{len(words)} words of {source}.")
    if silent:
        listed = ", ".join(f"{row} ({words[row].ort})" for row in silent[:10])
        result.notes.append(
            f"{len(silent)} rows have no pronunciation and so a vector of zeros: {listed}{' …' * (len(silent) > 10)}."
        )
    return result


def export_pwesuite(checkpoint: Checkpoint, words: Sequence[Word], options: Options) -> tuple[np.ndarray, list[int]]:
    """The pronunciation tower's vectors, and the rows without a pronunciation.

    Written if `options.export` says so, and then those of sound alone, too.
    """
    vectors, silent = embed_words(words, lambda some: _sound(checkpoint, some, options.show_progress))
    if options.export is not None:
        export_embeddings(vectors, options.export)
        if has_sound_alone(checkpoint.model):
            alone, _ = embed_words(words, lambda some: _sound_alone(checkpoint, some, options.show_progress))
            export_embeddings(alone, options.export.with_stem(f"{options.export.stem}_sound"))
    return vectors, silent


def _pwesuite_result(reports: Mapping[str, PWESuiteReport]) -> SuiteResult:
    first = next(iter(reports.values()))
    tasks = [task for task in TASKS if task in first.overall]
    means = {name: _mean_of(report, tasks) for name, report in reports.items()}
    overall = Table(
        "PWESuite, all languages (higher is better)",
        ["vectors", *tasks, "mean"],
        [
            [name, *(show(report.overall[task]) for task in tasks), show(means[name])]
            for name, report in reports.items()
        ],
    )
    languages = [
        Table(
            f"{task}, by language",
            ["vectors", *(one.language for one in _of(first, task))],
            [[name, *(show(one.score) for one in _of(report, task))] for name, report in reports.items()],
        )
        for task in tasks
        if len(_of(first, task)) > 1
    ]
    values: dict[str, Figure] = {
        f"{name}, {task}": score for name, report in reports.items() for task, score in report.overall.items()
    }
    return SuiteResult("pwesuite", [overall, *languages], values, list(first.notes))


def _of(report: PWESuiteReport, task: str) -> list[Any]:
    return [one for one in report.scores if one.task == task and one.language != ALL_LANGUAGES]


def _mean_of(report: PWESuiteReport, tasks: Sequence[str]) -> float | None:
    known = [score.mean for task in tasks if (score := report.overall[task]) is not None]
    return float(np.mean(known)) if known else None


# --- all ---


Run = Callable[[Checkpoint, Options], SuiteResult]
SUITES: dict[str, Run] = {
    "phonemes": run_phonemes,
    "retrieval": run_retrieval,
    "nonsense": run_nonsense,
    "human": run_human,
    "pwesuite": run_pwesuite,
}
ALL = "all"


def run_suites(checkpoint: Checkpoint, suite: str = ALL, options: Options | None = None) -> Report:
    """Runs one suite, or all of them.

    Of `"all"`, a suite that lacks its data says so in its notes: `human` without judgements, `pwesuite` without a
    source, `retrieval` and `nonsense` without pictures.

    Raises:
        ValueError: if there is no such suite, or what it reads is wrong; `NotRunError` if one suite is asked for that
            lacks its data.
        ImportError: if a transcriber, or a package for reading data, is not installed.
    """
    options = options or Options()
    if suite != ALL and suite not in SUITES:
        raise ValueError(f"There is no suite {suite!r}: choose {', '.join([ALL, *SUITES])}.")
    results = []
    for name in SUITES if suite == ALL else [suite]:
        logger.info("Suite %s.", name)
        try:
            if suite == ALL and name == "pwesuite" and options.pwesuite is None:
                raise NotRunError(f"give its words: --pwesuite DIR, or --pwesuite {HUB_NAME} to fetch them")
            results.append(SUITES[name](checkpoint, options))
        except NotRunError as error:
            if suite != ALL:
                raise
            results.append(SuiteResult(name, [], {}, [f"Not run: {error}"]))
    return Report(checkpoint.name, tuple(results), _terms(checkpoint, options))


def _terms(checkpoint: Checkpoint, options: Options) -> dict[str, Any]:
    from importlib.metadata import PackageNotFoundError, version

    terms: dict[str, Any] = {"seed": options.seed}
    for package in ("ipaclip", "torch", "transformers", "panphon", "numpy"):
        try:
            terms[package] = version(package)
        except PackageNotFoundError:
            continue
    terms["python"] = platform.python_version()
    terms["machine"] = platform.machine()
    terms["features"] = checkpoint.model.config.pronunciation_config.feature_set
    return terms


def draw(report: Report, directory: Path) -> list[str]:
    """Draws the suites' pictures into a directory and returns their file names.

    Raises:
        ImportError: if matplotlib or scipy is not installed.
    """
    drawn = []
    for suite in report.suites:
        for name, plot in suite.plots.items():
            plot(directory / name)
            drawn.append(name)
    return drawn
