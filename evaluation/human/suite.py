"""The suite `human`: words that people find alike in sound lie close together."""

from collections.abc import Callable, Mapping, Sequence

from ipaclip.tokenization import phoneme_sequence_distance

from ..checkpoint import TEXT, Checkpoint, Encode, NotRunError, Options
from ..nonsense.queries import segments_of
from ..report import SuiteResult
from .human import HumanReport, Judgement, human_agreement, human_similarity, read_judgements


def run_human(checkpoint: Checkpoint, options: Options) -> SuiteResult:
    """Agreement with human judgements: sound alone, both towers, and phonetic distance without any model."""
    if options.judgements is None:
        raise NotRunError(
            "the human suite compares with judgements of people, which are not shipped: give a CSV of the columns "
            "word1, word2, obtained (--human TABLE.csv), such as data/human_similarity.csv of PWESuite's repository."
        )
    judgements = read_judgements(options.judgements)
    said, mute = checkpoint.transcribe([word for one in judgements for word in (one.word1, one.word2)])

    def similarity(encode: Encode) -> HumanReport:
        return human_similarity(judgements, lambda words: encode([said[word] for word in words]), mute)

    reports = {name: similarity(encode) for name, encode in checkpoint.hearing().items()}
    reports[TEXT] = human_similarity(judgements, checkpoint.read, mute)
    reports["phonetic distance, no model"] = human_agreement(judgements, _phonetic_similarity(said), mute)
    result = _result_of(judgements, reports)
    result.notes.append(f"Words are said in {checkpoint.transcriber}.")
    return result


def _result_of(judgements: Sequence[Judgement], reports: Mapping[str, HumanReport]) -> SuiteResult:
    aside = {(pair, why) for report in reports.values() for pair, why in report.set_aside.items()}
    notes = [
        f"{len(judgements)} judged pairs; the phonetic distance is panphon's weighted feature edit distance between "
        "the transcriptions, divided by the longer one's length.",
        *(f"Left out: {pair}, {why}." for pair, why in sorted(aside)),
    ]
    result = SuiteResult("human", notes=notes)
    result.add_table(
        "Agreement with people, mean over groups (-1 to 1, higher is better)",
        ["similarity by", "Pearson, with 95% interval", "Spearman"],
        [[name, report.interval, report.spearman] for name, report in reports.items()],
    )
    # All have the same groups: what sets one aside before it is measured is no matter of who is asked.
    groups = next(iter(reports.values())).groups
    if groups:
        result.add_table(
            "Pearson in each group",
            ["similarity by", *(f"{group.standard} ({group.pairs})" for group in groups)],
            [[name, *(group.pearson for group in report.groups)] for name, report in reports.items()],
        )
    for name, report in reports.items():
        result.values.update({f"{name}: Pearson": report.interval, f"{name}: Spearman": report.spearman})
    return result


def _phonetic_similarity(said: Mapping[str, str]) -> Callable[[str, str], float]:
    segments = {word: segments_of(ipa) for word, ipa in said.items()}

    def similarity(first: str, second: str) -> float:
        longest = max(len(segments[first]), len(segments[second]), 1)
        return -phoneme_sequence_distance(segments[first], segments[second]) / longest

    return similarity
