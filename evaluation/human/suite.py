"""The suite `human`: words that people find alike in sound lie close together."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from ipaclip.tokenization import phoneme_sequence_distance

from ..checkpoint import (
    PRONUNCIATION,
    SOUND_ALONE,
    TEXT,
    Checkpoint,
    NotRunError,
    Options,
    by_pronunciation,
    by_sound_alone,
    by_text,
    transcribe,
)
from ..nonsense.queries import segments_of
from ..report import Figure, SuiteResult, Table, show
from ..retrieval.retrieval import ProcessorTranscriber
from ..sound_alone import has_sound_alone
from .human import Judgement, human_agreement, human_similarity, read_judgements


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
            judgements, lambda some: by_sound_alone(checkpoint, [said[w] for w in some]), mute
        )
    reports = alone | {
        PRONUNCIATION: human_similarity(
            judgements, lambda some: by_pronunciation(checkpoint, [said[w] for w in some]), mute
        ),
        TEXT: human_similarity(judgements, lambda some: by_text(checkpoint, some), mute),
        "phonetic distance, no model": human_agreement(judgements, _phonetic_similarity(said), mute),
    }
    result = _human_result(judgements, reports)
    result.notes.append(f"Words are said in {ProcessorTranscriber(checkpoint.processor, None)}.")
    return result


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
    segments = {word: segments_of(ipa) for word, ipa in said.items()}

    def similarity(first: str, second: str) -> float:
        longest = max(len(segments[first]), len(segments[second]), 1)
        return -phoneme_sequence_distance(segments[first], segments[second]) / longest

    return similarity
