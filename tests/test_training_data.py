"""Rows of text → training data; what cannot be used is set aside with its reason."""

import json

import numpy as np
import pytest
from ipaclip.tokenization import IPATokenizer
from ipaclip.training import DataArguments
from ipaclip.training.arguments import ArgumentsError
from ipaclip.training.data import load_data


@pytest.fixture(scope="module")
def tokenizer():
    return IPATokenizer.build()


def load(tmp_path, tokenizer, name, content, max_length=64, **columns):
    path = tmp_path / name
    path.write_text(content, encoding="utf-8")
    return load_data(DataArguments(train=[str(path)], **columns), tokenizer, max_length, tmp_path)


def jsonl(*rows):
    return "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)


def rejected(tmp_path):
    lines = (tmp_path / "rejected.jsonl").read_text(encoding="utf-8").splitlines()
    return {json.loads(line)["row"].rpartition(":")[2]: json.loads(line)["reason"] for line in lines}


def test_given_ipa_needs_no_transcriber_and_keeps_its_weight(tmp_path, tokenizer):
    content = jsonl({"text": "cat", "ipa": "kæt", "weight": 2}, {"text": "dog", "ipa": "dɔɡ"})
    data = load(tmp_path, tokenizer, "rows.jsonl", content, template="a photo of a {}")
    assert data.texts == ["a photo of a cat", "a photo of a dog"]
    assert data.weights.tolist() == [2.0, 1.0]
    assert data.transcribers == {}
    assert [tokenizer.decode(ids, skip_special_tokens=True) for ids in data.phonemes] == ["kæt", "dɔɡ"]
    assert data.phonemes[0].tolist() == tokenizer("kæt")["input_ids"]
    assert not (tmp_path / "rejected.jsonl").exists()


def test_csv_and_other_column_names(tmp_path, tokenizer):
    content = 'caption,sounds\n"a, b",kæt\n'
    data = load(tmp_path, tokenizer, "rows.csv", content, text_column="caption", ipa_column="sounds")
    assert data.texts == ["a, b"]
    assert data.ipa == ["kæt"]


def test_broken_rows_are_set_aside_with_their_reasons_and_the_rest_goes_on(tmp_path, tokenizer):
    content = (
        jsonl({"text": "cat", "ipa": "kæt"}, {"text": "  ", "ipa": "a"})
        + "{not json\n"
        + jsonl(
            {"text": "x", "ipa": "k@t"},
            {"text": "y", "ipa": "a" * 100},
            {"text": "z", "ipa": "a", "weight": -1},
            {"text": 3, "ipa": "a"},
        )
    )
    data = load(tmp_path, tokenizer, "rows.jsonl", content)
    assert data.texts == ["cat"]
    assert data.rejected == 6
    reasons = rejected(tmp_path)
    assert reasons["2"] == "the text is empty"
    assert "not JSON" in reasons["3"]
    assert "'@' at position 1" in reasons["4"]
    assert reasons["5"] == "102 tokens, and the tower has 64 positions"
    assert "weight is -1" in reasons["6"]
    assert "text is 3, not a string" in reasons["7"]


def test_spelled_words_are_transcribed_and_what_cannot_be_said_is_set_aside(tmp_path, tokenizer):
    pytest.importorskip("phonemizer")
    data = load(tmp_path, tokenizer, "rows.txt", "dog\n\n!!!\nсобака\ncat\n")
    assert data.texts == ["dog", "cat"]
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
        load_data(DataArguments(train=[str(tmp_path / "nowhere.jsonl")]), tokenizer, 64, tmp_path)


def test_rows_that_say_a_held_out_word_are_set_aside(tmp_path, tokenizer):
    words = tmp_path / "held_out.txt"
    words.write_text("məˈla\nbi\n", encoding="utf-8")
    said = ["kæt məla", "ˈbi", "bin", "məlab i", "bɪ"]
    content = jsonl(*({"text": f"text {index}", "ipa": ipa} for index, ipa in enumerate(said)))
    data = load(tmp_path, tokenizer, "rows.jsonl", content, held_out=str(words))
    assert data.ipa == ["bin", "məlab i", "bɪ"]
    reasons = rejected(tmp_path)
    assert reasons.keys() == {"1", "2"}
    assert "'məla'" in reasons["1"]
    assert "data.held_out" in reasons["1"]
