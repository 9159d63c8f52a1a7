"""The suite `pwesuite`: PWESuite's tasks, beside other embeddings of words by sound."""

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

import numpy as np

from ..checkpoint import (
    PRONUNCIATION,
    SOUND_ALONE,
    TEXT,
    Checkpoint,
    Options,
    by_pronunciation,
    by_sound_alone,
    by_text,
)
from ..human.human import read_judgements
from ..report import Figure, SuiteResult, Table, show
from ..sound_alone import has_sound_alone
from .tasks import ALL as ALL_LANGUAGES
from .tasks import TASKS, PWESuiteReport, evaluate_pwesuite
from .words import HUB_NAME, Word, beside, embed_words, export_embeddings, read_words


def run_pwesuite(checkpoint: Checkpoint, options: Options) -> SuiteResult:
    """PWESuite's tasks: sound alone and pronunciation tower on the IPA of the data, the text tower on its spelling."""
    source = options.pwesuite or HUB_NAME
    words = read_words(source)
    judgements, cognates = beside(source)
    if options.judgements is not None:
        judgements = read_judgements(options.judgements)
    sounds, silent = export_pwesuite(checkpoint, words, options)
    spelled = [Word(word.ort, word.ort, word.arp, word.lang, word.purpose) for word in words]
    texts, _ = embed_words(spelled, lambda some: by_text(checkpoint, some, options.show_progress))
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
        alone, _ = embed_words(words, lambda some: by_sound_alone(checkpoint, some, options.show_progress))
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
    vectors, silent = embed_words(words, lambda some: by_pronunciation(checkpoint, some, options.show_progress))
    if options.export is not None:
        export_embeddings(vectors, options.export)
        if has_sound_alone(checkpoint.model):
            alone, _ = embed_words(words, lambda some: by_sound_alone(checkpoint, some, options.show_progress))
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
