"""Rows of text → training data; what cannot be used is set aside with its reason."""

import json
from types import SimpleNamespace

import numpy as np
import pytest
from ipaclip.tokenization import IPATokenizer
from ipaclip.training import DataArguments
from ipaclip.training.arguments import ArgumentsError
from ipaclip.training.data.prepare import load_data
from training_helpers import file_limit


@pytest.fixture(scope="module")
def tokenizer():
    return IPATokenizer.build()


def load(tmp_path, tokenizer, name, content, max_length=64, **columns):
    path = tmp_path / name
    path.write_text(content, encoding="utf-8")
    return load_data(DataArguments(train=[str(path)], **columns), tokenizer, max_length, tmp_path, tmp_path / "cache")


def spoken(data, tokenizer):
    return [tokenizer.decode(ids, skip_special_tokens=True) for ids in data.phonemes]


def jsonl(*rows):
    return "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)


def rejected(tmp_path):
    lines = (tmp_path / "rejected.jsonl").read_text(encoding="utf-8").splitlines()
    return {json.loads(line)["row"].rpartition(":")[2]: json.loads(line)["reason"] for line in lines}


def test_given_ipa_needs_no_transcriber_and_keeps_its_weight(tmp_path, tokenizer):
    content = jsonl({"text": "cat", "ipa": "kæt", "weight": 2}, {"text": "dog", "ipa": "dɔɡ"})
    data = load(tmp_path, tokenizer, "rows.jsonl", content, template="a photo of a {}")
    assert list(data.texts) == ["a photo of a cat", "a photo of a dog"]
    assert data.weights.tolist() == [2.0, 1.0]
    assert data.transcribers == {}
    assert spoken(data, tokenizer) == ["kæt", "dɔɡ"]
    assert data.places[1] == f"{tmp_path / 'rows.jsonl'}:2"
    assert data.phonemes[0].tolist() == tokenizer("kæt")["input_ids"]
    assert not (tmp_path / "rejected.jsonl").exists()


def test_csv_and_other_column_names(tmp_path, tokenizer):
    content = 'caption,sounds\n"a, b",kæt\n'
    data = load(tmp_path, tokenizer, "rows.csv", content, text_column="caption", ipa_column="sounds")
    assert list(data.texts) == ["a, b"]
    assert spoken(data, tokenizer) == ["kæt"]


def test_broken_rows_are_set_aside_with_their_reasons_and_the_rest_goes_on(tmp_path, tokenizer):
    content = (
        jsonl({"text": "cat", "ipa": "kæt"}, {"text": "  ", "ipa": "a"})
        + "{not json\n"
        + jsonl(
            {"text": "x", "ipa": "k@t"},
            {"text": "y", "ipa": "a" * 100},
            {"text": "z", "ipa": "a", "weight": -1},
            {"text": 3, "ipa": "a"},
            {"text": "w", "ipa": "a", "weight": 0},
        )
    )
    data = load(tmp_path, tokenizer, "rows.jsonl", content)
    assert list(data.texts) == ["cat"]
    assert len(data.rejected) == 7
    reasons = rejected(tmp_path)
    assert reasons["2"] == "the text is empty"
    assert "not JSON" in reasons["3"]
    assert "'@' at position 1" in reasons["4"]
    assert reasons["5"] == "102 tokens, and the tower has 64 positions"
    assert "weight is -1" in reasons["6"]
    assert "text is 3, not a string" in reasons["7"]
    assert "weight is 0" in reasons["8"]


def test_a_quotation_mark_that_nobody_closes_loses_one_row(tmp_path, tokenizer):
    rows = "".join(f"word {number},kæt\n" for number in range(60))
    content = f'text,ipa\n"two\nlines",dɔɡ\n"open,kæt\n{rows}"shut" x,kæt\n"last,kæt\n'
    data = load(tmp_path, tokenizer, "rows.csv", content)
    assert list(data.texts) == ["two\nlines", *(f"word {number}" for number in range(60))]
    reasons = rejected(tmp_path)
    assert reasons["4"] == reasons["66"] == "the row cannot be read: a quotation mark is not closed"
    assert "',' expected" in reasons["65"]
    assert len(reasons) == len(data.rejected) == 3


def test_a_line_of_a_tsv_is_a_row_whatever_its_quotation_marks(tmp_path, tokenizer):
    texts = ['"Stop he said', 'go"', '"Where is it," she asked.', '"Stop!', '"The dog is big”']
    data = load(tmp_path, tokenizer, "ROWS.TSV", "ipa\ttext\n" + "".join(f"kæt\t{text}\n" for text in texts))
    assert list(data.texts) == texts
    assert not data.rejected


def test_rows_that_hold_what_no_file_can_are_set_aside(tmp_path, tokenizer):
    content = (
        '{"text": "cat", "ipa": "kæt"}\n'
        '{"text": "x\\ud800", "ipa": "a"}\n'
        '{"text": "y", "ipa": "a", "note": "\\udc00"}\n'
        + '{"text": "z", "ipa": "a", "note": '
        + "[" * 100_000
        + "]" * 100_000
        + "}\n"
        + '{"text": "w", "text": "v", "ipa": "a"}\n'
        + '{"text": "u", "ipa": "a", "weight": 1'
        + "0" * 400
        + "}\n"
        + '{"text": "lost \ufffd", "ipa": "a"}\n'
    )
    data = load(tmp_path, tokenizer, "rows.jsonl", content)
    assert list(data.texts) == ["cat"]
    reasons = rejected(tmp_path)
    for line, word in {"2": "surrogate", "3": "surrogate", "4": "nested", "5": "'text' twice", "6": "weight"}.items():
        assert word in reasons[line]
    assert "U+FFFD" in reasons["7"]


def test_a_column_that_is_named_twice_is_refused_with_the_line(tmp_path, tokenizer):
    with pytest.raises(ArgumentsError, match=r"rows\.csv:1: the header names 'text' twice"):
        load(tmp_path, tokenizer, "rows.csv", "text,ipa,text\ncat,kæt,dog\n")


@pytest.mark.parametrize("encoding", ["latin-1", "utf-16"])
def test_files_in_another_encoding_are_named(tmp_path, tokenizer, encoding):
    (tmp_path / "rows.csv").write_bytes("text,ipa\nnaïve,naiv\ncat,kat\n".encode(encoding))
    arguments = DataArguments(train=[str(tmp_path / "rows.csv")])
    if encoding == "latin-1":  # costs the row
        assert list(load_data(arguments, tokenizer, 64, tmp_path, tmp_path / "cache").texts) == ["cat"]
        assert "not UTF-8 at byte 3" in rejected(tmp_path)["2"]
    else:
        with pytest.raises(ArgumentsError, match=r"rows\.csv is in UTF-16: save it as UTF-8"):
            load_data(arguments, tokenizer, 64, tmp_path, tmp_path / "cache")
    words = tmp_path / "held_out.txt"
    words.write_bytes("naïve".encode(encoding))
    with pytest.raises(ValueError, match=r"held_out\.txt is not UTF-8 at byte"):
        load(tmp_path, tokenizer, "rows.jsonl", jsonl({"text": "a", "ipa": "a"}), held_out=str(words))


def test_csv_that_spreadsheets_write_is_read(tmp_path, tokenizer):
    data = load(tmp_path, tokenizer, "rows.csv", '\ufefftext,ipa\r\n\r\ncat,kæt\r\na 5" nail,neɪl\r\nbee\r\na,b,c\r\n')
    assert list(data.texts) == ["cat", 'a 5" nail', "bee"]
    assert rejected(tmp_path)["6"] == "the row has 3 cells, and the header 2"


def test_a_cell_without_end_is_one_broken_row(tmp_path, tokenizer):
    data = load(tmp_path, tokenizer, "rows.csv", f"text,ipa\n{'x' * 200_000},a\ncat,kæt\n")
    assert list(data.texts) == ["cat"]
    assert "field larger than field limit" in rejected(tmp_path)["2"]


def test_a_parquet_file_that_is_none_is_named(tmp_path, tokenizer):
    pytest.importorskip("datasets")
    (tmp_path / "rows.parquet").write_bytes(b"PAR1 and no more")
    with pytest.raises(ArgumentsError, match=r"rows\.parquet cannot be read after row 0: .*[Pp]arquet"):
        load_data(DataArguments(train=[str(tmp_path / "rows.parquet")]), tokenizer, 64, tmp_path, tmp_path / "cache")


def test_a_missing_file_of_held_out_words_is_named(tmp_path, tokenizer):
    with pytest.raises(ArgumentsError, match=r"data\.held_out: there is no file .*words\.txt"):
        load(tmp_path, tokenizer, "rows.jsonl", jsonl({"text": "a"}), held_out=str(tmp_path / "words.txt"))


def test_a_full_disk_says_what_was_being_written_and_then_it_goes_on(tmp_path, tokenizer):
    path = tmp_path / "rows.jsonl"
    path.write_text(jsonl(*({"text": f"thing {number}", "ipa": "kæt"} for number in range(3000))))
    arguments = DataArguments(train=[str(path)])
    with file_limit(10_000), pytest.raises(OSError, match=r"rows cannot be written to .* MB free\).*another cache_dir"):
        load_data(arguments, tokenizer, 64, tmp_path, tmp_path / "cache")
    data = load_data(arguments, tokenizer, 64, tmp_path, tmp_path / "cache")
    assert list(data.texts) == [f"thing {number}" for number in range(3000)]
    assert set(spoken(data, tokenizer)) == {"kæt"}


def test_spelled_words_are_transcribed_and_what_cannot_be_said_is_set_aside(tmp_path, tokenizer):
    pytest.importorskip("phonemizer")
    data = load(tmp_path, tokenizer, "rows.txt", "dog\n\n!!!\nсобака\ncat\n")
    assert list(data.texts) == ["dog", "cat"]
    assert data.transcribers == {"eng-Latn": "espeak"}
    assert tokenizer.unk_token_id not in np.concatenate(data.phonemes)
    assert set(rejected(tmp_path)) == {"3", "4"}


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("rows.jsonl", "", "is empty"),
        ("rows.jsonl", jsonl({"caption": "cat"}), "has no column 'text'"),
        ("rows.xlsx", "x", "must end in"),
        ("rows.jsonl", jsonl({"text": ""}), "no usable row"),
    ],
)
def test_a_file_that_cannot_be_used_is_one_clear_error(tmp_path, tokenizer, name, content, message):
    with pytest.raises(ArgumentsError, match=message):
        load(tmp_path, tokenizer, name, content)


def test_a_missing_file_is_named(tmp_path, tokenizer):
    with pytest.raises(ArgumentsError, match=r"there is no file .*nowhere\.jsonl"):
        load_data(DataArguments(train=[str(tmp_path / "nowhere.jsonl")]), tokenizer, 64, tmp_path, tmp_path)


def test_rows_that_say_a_held_out_word_are_set_aside(tmp_path, tokenizer):
    words = tmp_path / "held_out.txt"
    words.write_text("məˈla\nbi\n", encoding="utf-8")
    said = ["kæt məla", "ˈbi", "bin", "məlab i", "bɪ"]
    content = jsonl(*({"text": f"text {index}", "ipa": ipa} for index, ipa in enumerate(said)))
    data = load(tmp_path, tokenizer, "rows.jsonl", content, held_out=str(words))
    assert spoken(data, tokenizer) == ["bin", "məlab i", "bɪ"]
    reasons = rejected(tmp_path)
    assert reasons.keys() == {"1", "2"}
    assert "'məla'" in reasons["1"]
    assert "data.held_out" in reasons["1"]


def test_equal_texts_are_one_for_the_teacher_in_the_order_in_which_they_come(tmp_path, tokenizer):
    said = [("dog", "dɔɡ"), ("cat", "kæt"), ("dog", "dɒɡ"), ("ant", "ænt"), ("cat", "kat")]
    data = load(tmp_path, tokenizer, "rows.jsonl", jsonl(*({"text": text, "ipa": ipa} for text, ipa in said)))
    assert list(data.texts) == ["dog", "cat", "ant"]
    assert data.text_of_row.tolist() == [0, 1, 0, 2, 1]
    assert data.lengths.tolist() == [5, 5, 5, 5, 5]
    assert data.inventory(tokenizer) == sorted({"d", "ɔ", "ɡ", "k", "æ", "t", "ɒ", "n", "a"})


def test_sources_mix_each_with_its_own_template_weight_and_columns(tmp_path, tokenizer):
    pytest.importorskip("datasets")
    import pyarrow as pa
    import pyarrow.parquet as pq

    words, captions = tmp_path / "words.jsonl", tmp_path / "captions.parquet"
    words.write_text(jsonl({"text": "cat", "ipa": "kæt", "weight": 2}), encoding="utf-8")
    pq.write_table(pa.table({"caption": ["a dog", None], "ipa": ["ə dɔɡ", "a"]}), captions)
    train = [
        {"path": str(words), "template": "a photo of a {}", "weight": 1.5},
        {"path": str(captions), "text_column": "caption"},
    ]
    data = load_data(DataArguments(train=train), tokenizer, 64, tmp_path, tmp_path / "cache")
    assert list(data.texts) == ["a photo of a cat", "a dog"]
    assert data.weights.tolist() == [3.0, 1.0]
    assert rejected(tmp_path) == {"2": "the text is empty"}


def test_rows_are_prepared_once_and_anew_when_the_file_changes(tmp_path, tokenizer, monkeypatch):
    from ipaclip.training.data import prepare as module

    first = load(tmp_path, tokenizer, "rows.jsonl", jsonl({"text": "cat", "ipa": "kæt"}, {"text": "", "ipa": "a"}))
    (tmp_path / "rejected.jsonl").unlink()
    with monkeypatch.context() as patch:
        patch.setattr(module, "prepare", lambda *_: pytest.fail("prepared twice"))
        arguments = DataArguments(train=[str(tmp_path / "rows.jsonl")])
        again = load_data(arguments, tokenizer, 64, tmp_path, tmp_path / "cache")
    assert list(again.texts) == list(first.texts) == ["cat"]
    assert rejected(tmp_path) == {"2": "the text is empty"}
    assert list(load(tmp_path, tokenizer, "rows.jsonl", jsonl({"text": "dog", "ipa": "dɔɡ"})).texts) == ["dog"]


@pytest.fixture
def data_set(monkeypatch):
    """A data set of the Hub that a test can change: (commit, texts); None of a commit is no answer."""
    datasets = pytest.importorskip("datasets")
    from huggingface_hub import HfApi

    state, read = {"commit": "a" * 40, "texts": ["cat"]}, []

    def load_dataset(name, config, *, split, revision, streaming):
        read.append(revision)
        return [{"text": text, "ipa": "kæt"} for text in state["texts"]]

    def dataset_info(self, name, revision=None):
        if state["commit"] is None:
            raise OSError("no network")
        return SimpleNamespace(sha=state["commit"])

    monkeypatch.setattr(datasets, "load_dataset", load_dataset)
    monkeypatch.setattr(HfApi, "dataset_info", dataset_info)
    return SimpleNamespace(state=state, read=read)


def of_hub(tmp_path, tokenizer, run, **source):
    (tmp_path / run).mkdir(exist_ok=True)
    arguments = DataArguments(train=[{"path": "someone/words", **source}])
    return load_data(arguments, tokenizer, 64, tmp_path / run, tmp_path / "cache")


@pytest.mark.parametrize("revision", [None, "main"])
def test_a_data_set_that_moved_on_is_read_again(tmp_path, tokenizer, data_set, revision):
    first = of_hub(tmp_path, tokenizer, "one", revision=revision)
    assert first.revisions == {"someone/words@main": "a" * 40}
    of_hub(tmp_path, tokenizer, "two", revision=revision)
    assert data_set.read == ["a" * 40]  # the same commit is not read twice
    data_set.state.update(commit="b" * 40, texts=["cat", "dog"])
    assert list(of_hub(tmp_path, tokenizer, "three", revision=revision).texts) == ["cat", "dog"]
    assert data_set.read == ["a" * 40, "b" * 40]
    # A run that goes on has what it began with.
    assert list(of_hub(tmp_path, tokenizer, "one", revision=revision).texts) == ["cat"]
    assert data_set.read == ["a" * 40, "b" * 40]


def test_a_commit_that_is_given_is_not_looked_up(tmp_path, tokenizer, data_set):
    data_set.state["commit"] = None
    data = of_hub(tmp_path, tokenizer, "one", revision="c" * 40)
    assert data.revisions == {}
    of_hub(tmp_path, tokenizer, "two", revision="c" * 40)
    assert data_set.read == ["c" * 40]


def test_rows_of_a_commit_that_nobody_knows_serve_one_run(tmp_path, tokenizer, data_set, caplog):
    data_set.state["commit"] = None
    of_hub(tmp_path, tokenizer, "one")
    assert "prepared for this run alone" in caplog.text
    of_hub(tmp_path, tokenizer, "one")
    assert data_set.read == [None]
    data_set.state["texts"] = ["dog"]
    assert list(of_hub(tmp_path, tokenizer, "two").texts) == ["dog"]


def test_broken_off_preparation_goes_on_where_it_stopped(tmp_path, tokenizer, monkeypatch):
    from ipaclip.training.data import prepare as module

    said = ["kæt", "", "dɔɡ", "ænt", "kæt", "", "biː"]
    rows = [{"text": f"text {index % 4}", "ipa": ipa or "k@"} for index, ipa in enumerate(said)]
    monkeypatch.setattr(module, "CHUNK", 2)
    whole = load(tmp_path, tokenizer, "whole.jsonl", jsonl(*rows))
    reasons = rejected(tmp_path)

    broken, asked = module.Writer.append, []

    def append(writer, rows, *others):
        asked.append(rows)
        broken(writer, [*rows, None] if len(asked) == 3 else rows, *others)

    with monkeypatch.context() as patch:
        patch.setattr(module.Writer, "append", append)
        with pytest.raises(AttributeError):  # in the middle of a chunk
            load(tmp_path, tokenizer, "rows.jsonl", jsonl(*rows))
    seen = []
    monkeypatch.setattr(module.Writer, "append", lambda writer, *chunk: (seen.append(chunk), broken(writer, *chunk)))
    arguments = DataArguments(train=[str(tmp_path / "rows.jsonl")])
    data = load_data(arguments, tokenizer, 64, tmp_path, tmp_path / "cache")
    assert len(seen) == 2
    assert spoken(data, tokenizer) == spoken(whole, tokenizer) == [ipa for ipa in said if ipa]
    assert data.text_of_row.tolist() == whole.text_of_row.tolist() == [0, 1, 2, 0, 1]
    assert list(data.texts) == ["text 0", "text 2", "text 3"]
    assert rejected(tmp_path) == reasons
