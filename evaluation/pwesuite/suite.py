"""The suite `pwesuite`: PWESuite's tasks, beside other embeddings of words by sound."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial

import numpy as np

from ..checkpoint import PRONUNCIATION, TEXT, Checkpoint, Options
from ..human.human import read_judgements
from ..report import SuiteResult
from .tasks import ALL as ALL_LANGUAGES
from .tasks import TASKS, PWESuiteReport, TaskScore, evaluate_pwesuite
from .words import HUB_NAME, Word, beside, embed_words, export_embeddings, read_words


def run_pwesuite(checkpoint: Checkpoint, options: Options) -> SuiteResult:
    """PWESuite's tasks: sound alone and pronunciation tower on the IPA of the data, the text tower on its spelling."""
    source = options.pwesuite or HUB_NAME
    words = read_words(source)
    judgements, cognates = beside(source)
    if options.judgements is not None:
        judgements = read_judgements(options.judgements)
    vectors, silent = embed_and_export(checkpoint, words, options)
    spelled = [replace(word, ipa=word.ort) for word in words]
    vectors[TEXT], _ = embed_words(spelled, partial(checkpoint.read, show_progress=options.show_progress))
    reports = {
        name: evaluate_pwesuite(
            words,
            some,
            judgements=judgements,
            cognates=cognates,
            seed=options.seed,
            show_progress=options.show_progress,
        )
        for name, some in vectors.items()
    }
    result = _result_of(reports)
    result.notes.insert(0, f"{len(words)} words of {source}.")
    if silent:
        listed = ", ".join(f"{row} ({words[row].ort})" for row in silent[:10])
        result.notes.append(
            f"{len(silent)} rows have no pronunciation and so a vector of zeros: {listed}{' …' * (len(silent) > 10)}."
        )
    return result


def embed_and_export(
    checkpoint: Checkpoint, words: Sequence[Word], options: Options
) -> tuple[dict[str, np.ndarray], list[int]]:
    """The vectors of all that hears, see `Checkpoint.hearing`, and the rows without a pronunciation.

    Written if `options.export` says so: those of sound alone beside those of the tower.
    """
    vectors: dict[str, np.ndarray] = {}
    silent: list[int] = []
    for name, encode in checkpoint.hearing(options.show_progress).items():
        vectors[name], silent = embed_words(words, encode)
        if options.export is not None:
            alone = options.export.with_stem(f"{options.export.stem}_sound")
            export_embeddings(vectors[name], options.export if name == PRONUNCIATION else alone)
    return vectors, silent


def _result_of(reports: Mapping[str, PWESuiteReport]) -> SuiteResult:
    first = next(iter(reports.values()))
    tasks = [task for task in TASKS if task in first.overall]
    result = SuiteResult("pwesuite", notes=list(first.notes))
    result.add_table(
        "PWESuite, all languages (higher is better)",
        ["vectors", *tasks, "mean"],
        [
            [name, *(report.overall[task] for task in tasks), _mean_of(report, tasks)]
            for name, report in reports.items()
        ],
    )
    for task in tasks:
        if len(_by_language(first, task)) > 1:
            result.add_table(
                f"{task}, by language",
                ["vectors", *(one.language for one in _by_language(first, task))],
                [[name, *(one.score for one in _by_language(report, task))] for name, report in reports.items()],
            )
    for name, report in reports.items():
        result.values.update({f"{name}, {task}": score for task, score in report.overall.items()})
    return result


def _by_language(report: PWESuiteReport, task: str) -> list[TaskScore]:
    return [one for one in report.scores if one.task == task and one.language != ALL_LANGUAGES]


def _mean_of(report: PWESuiteReport, tasks: Sequence[str]) -> float | None:
    known = [score.mean for task in tasks if (score := report.overall[task]) is not None]
    return float(np.mean(known)) if known else None
