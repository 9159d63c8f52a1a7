"""Whole files → IPA: every format, rows set aside, interruption, and the same bytes however it is done."""

import csv
import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from ipaclip.tokenization import BulkError, BulkReport, get_transcriber, transcribe_dataset, transcribe_file
from ipaclip.tokenization.transcription.pronunciation import Pronunciation

datasets = pytest.importorskip("datasets")
parquet = pytest.importorskip("pyarrow.parquet")
pytest.importorskip("phonemizer")

WORDS = ("dog", "two cats", "butterfly", "a fish")


def said(*texts: str, language: str = "eng-Latn") -> list[str]:
    return get_transcriber(language).transcribe(list(texts))


def run(source: Path, output: Path, **options: Any) -> BulkReport:
    options.setdefault("language", "eng-Latn")
    return transcribe_file(source, output, progress=False, **options)


def read_jsonl(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def read_output(path: Path) -> list[dict[str, Any]]:
    """Rows as other libraries read them."""
    if path.suffix == ".parquet":
        return parquet.read_table(path).to_pylist()
    if path.suffix == ".jsonl":
        return read_jsonl(path)
    with path.open(encoding="utf-8", newline="") as stream:
        return list(csv.DictReader(stream, delimiter="\t" if path.suffix == ".tsv" else ","))


def write_input(path: Path, rows: list[dict[str, Any]]) -> Path:
    """Rows as other libraries write them."""
    if path.suffix == ".parquet":
        datasets.Dataset.from_list(rows).to_parquet(str(path))
    elif path.suffix == ".jsonl":
        path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    elif path.suffix == ".txt":
        path.write_text("".join(row["text"] + "\n" for row in rows), encoding="utf-8")
    else:
        with path.open("w", encoding="utf-8", newline="") as stream:
            writer = csv.DictWriter(stream, rows[0], delimiter="\t" if path.suffix == ".tsv" else ",")
            writer.writeheader()
            writer.writerows(rows)
    return path


def write_words(path: Path, number: int = len(WORDS)) -> Path:
    return write_input(path, [{"text": WORDS[row % len(WORDS)]} for row in range(number)])


# --- formats ---


@pytest.mark.parametrize("suffix", [".csv", ".tsv", ".jsonl", ".parquet"])
@pytest.mark.parametrize("to", [".csv", ".tsv", ".jsonl", ".parquet", ".txt"])
def test_every_format_to_every_format(tmp_path: Path, suffix: str, to: str) -> None:
    rows = [{"id": "x,1", "text": 'the "dog"'}, {"id": "ü\t2", "text": "two\ncats"}, {"id": "\r3", "text": "a fish"}]
    output = tmp_path / f"out{to}"
    report = run(write_input(tmp_path / f"in{suffix}", rows), output, rows_per_shard=2)
    assert report == BulkReport(rows=3, transcribed=3, rejected=0, rejected_path=None, output=output)
    ipa = said(*(row["text"] for row in rows))
    if to == ".txt":
        assert output.read_text(encoding="utf-8").splitlines() == ipa
    else:
        assert read_output(output) == [{**row, "ipa": one} for row, one in zip(rows, ipa, strict=True)]
    assert {path.name for path in tmp_path.iterdir()} == {f"in{suffix}", f"out{to}"}


def test_lines_of_text_become_rows(tmp_path: Path) -> None:
    run(write_words(tmp_path / "in.txt"), tmp_path / "out.jsonl")
    assert read_jsonl(tmp_path / "out.jsonl") == [
        {"text": text, "ipa": ipa} for text, ipa in zip(WORDS, said(*WORDS), strict=True)
    ]


def test_types_survive(tmp_path: Path) -> None:
    rows = [
        {"text": "dog", "number": 1, "share": 1, "nested": {"tags": ["a", "b"]}, "flag": True, "late": None},
        {"text": "cat", "number": 2**60, "share": 0.5, "nested": {"tags": []}, "flag": None, "late": "x"},
    ]
    source = write_input(tmp_path / "in.jsonl", rows)
    expected = [{**row, "ipa": ipa} for row, ipa in zip(rows, said("dog", "cat"), strict=True)]
    run(source, tmp_path / "out.jsonl")
    assert (tmp_path / "out.jsonl").read_text(encoding="utf-8") == "".join(
        json.dumps(row, ensure_ascii=False) + "\n" for row in expected
    )
    run(source, tmp_path / "out.parquet")
    assert read_output(tmp_path / "out.parquet") == expected
    run(tmp_path / "out.parquet", tmp_path / "again.jsonl", ipa_column="ipa2")
    assert read_jsonl(tmp_path / "again.jsonl") == [{**row, "ipa2": row["ipa"]} for row in expected]


def test_a_data_set_keeps_its_features(tmp_path: Path) -> None:
    features = datasets.Features({"text": datasets.Value("string"), "kind": datasets.ClassLabel(names=["pet", "prey"])})
    rows = {"text": ["dog", "!!!", "fish"], "kind": [0, 0, 1]}
    datasets.Dataset.from_dict(rows, features=features).to_parquet(str(tmp_path / "in.parquet"))
    run(tmp_path / "in.parquet", tmp_path / "out.parquet")
    out = datasets.Dataset.from_parquet(str(tmp_path / "out.parquet"), cache_dir=str(tmp_path / "cache"))
    assert out.features == {**features, "ipa": datasets.Value("string")}
    assert out.to_dict() == {"text": ["dog", "fish"], "kind": [0, 1], "ipa": said("dog", "fish")}


def test_parquet_says_what_transcribed_it(tmp_path: Path) -> None:
    run(write_words(tmp_path / "in.txt"), tmp_path / "out.parquet")
    record = json.loads(parquet.read_schema(tmp_path / "out.parquet").metadata[b"ipaclip"])
    assert (record["language"], record["backend"]) == ("eng-Latn", "espeak")
    assert record["versions"]["engine"] == get_transcriber("eng-Latn").version


def test_a_directory_is_a_data_set_with_splits(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    write_words(tmp_path / "data" / "train.parquet", 3)
    write_words(tmp_path / "data" / "test.parquet", 2)
    with pytest.raises(ValueError, match=r"several splits: choose one of (train, test|test, train)"):
        run(tmp_path / "data", tmp_path / "out.txt")
    assert not (tmp_path / "out.txt.partial").exists()
    for streaming in (False, True):
        output = tmp_path / f"out{streaming}.txt"
        assert run(tmp_path / "data", output, split="test", streaming=streaming).rows == 2
        assert output.read_text(encoding="utf-8").splitlines() == said(*WORDS[:2])


def test_parquet_of_any_row_groups_is_the_same(tmp_path: Path) -> None:
    # Row groups of four rows, so that shards of five begin inside them.
    source = write_words(tmp_path / "whole.parquet", 23)
    parquet.write_table(parquet.read_table(source), tmp_path / "groups.parquet", row_group_size=4)
    for name in ("whole", "groups"):
        run(tmp_path / f"{name}.parquet", tmp_path / f"{name}.jsonl", rows_per_shard=5)
    assert (tmp_path / "whole.jsonl").read_bytes() == (tmp_path / "groups.jsonl").read_bytes()
    assert len(read_output(tmp_path / "whole.jsonl")) == 23


# --- rows that cannot be used ---


def rejections(directory: Path) -> list[tuple[int, str | None, str]]:
    return [(row["row"], row.get("where"), row["reason"]) for row in read_jsonl(directory / "rejected.jsonl")]


def test_broken_csv_rows_are_set_aside_with_their_lines(tmp_path: Path) -> None:
    content = (
        b"id,text\n"
        b'1,"two\ncats"\n'  # lines 2 and 3
        b"2,dog,more\n"
        b'3,"open\n'  # costs its own line, not those behind it
        b"\n"
        b"4,!!!\n"
        b"5,caf\xe9\n"
        b"6,\n"
        b"7\n"
        b"8,fish\n"
    )
    (tmp_path / "in.csv").write_bytes(content)
    report = run(tmp_path / "in.csv", tmp_path / "out.csv", rows_per_shard=3)
    assert [row["id"] for row in read_output(tmp_path / "out.csv")] == ["1", "8"]
    assert (report.rows, report.transcribed, report.rejected) == (8, 2, 6)
    assert report.rejected_path == tmp_path / "rejected.jsonl"
    listed = rejections(tmp_path)
    assert [(row, where) for row, where, _ in listed] == [
        (2, "in.csv:4"),
        (3, "in.csv:5"),
        (4, "in.csv:7"),
        (5, "in.csv:8"),
        (6, "in.csv:9"),
        (7, "in.csv:10"),
    ]
    words = ("3 cells", "cannot be read", "'!!!'", "UTF-8", "text is empty", "1 cells")
    for (_, _, reason), word in zip(listed, words, strict=True):
        assert word in reason


def test_a_line_of_a_tsv_is_a_row_whatever_its_quotation_marks(tmp_path: Path) -> None:
    texts = ['"Stop he said', 'go"', '"Where is it," she asked.', '"Stop!', '"The dog is big”', '"dog"']
    (tmp_path / "in.tsv").write_text("id\ttext\n" + "".join(f"{row}\t{text}\n" for row, text in enumerate(texts)))
    for suffix in (".jsonl", ".tsv"):
        report = run(tmp_path / "in.tsv", tmp_path / f"out{suffix}", rows_per_shard=2)
        assert (report.rows, report.transcribed) == (6, 6)
        expected = [{"id": str(row), "text": text, "ipa": said(text)[0]} for row, text in enumerate(texts)]
        assert read_output(tmp_path / f"out{suffix}") == expected
    run(tmp_path / "out.tsv", tmp_path / "again.jsonl", ipa_column="ipa2")
    assert read_jsonl(tmp_path / "again.jsonl") == [{**row, "ipa2": row["ipa"]} for row in expected]


@pytest.mark.parametrize("suffix", [".txt", ".csv", ".tsv", ".jsonl", ".parquet"])
def test_suffixes_may_be_in_capitals(tmp_path: Path, suffix: str) -> None:
    lower = write_words(tmp_path / f"in{suffix}", 3)
    upper = lower.rename(tmp_path / f"IN{suffix.upper()}")
    run(upper, tmp_path / f"OUT{suffix.upper()}")
    (tmp_path / f"OUT{suffix.upper()}").rename(tmp_path / f"out{suffix}")
    if suffix == ".txt":
        assert (tmp_path / "out.txt").read_text(encoding="utf-8").splitlines() == said(*WORDS[:3])
    else:
        assert [row["ipa"] for row in read_output(tmp_path / f"out{suffix}")] == said(*WORDS[:3])


def test_an_open_quote_that_a_later_row_closes_is_told(tmp_path: Path) -> None:
    (tmp_path / "in.csv").write_text('id,text\n1,"Stop he said\n2,go"\n3,fish\n', encoding="utf-8")
    run(tmp_path / "in.csv", tmp_path / "out.csv")
    assert [row["id"] for row in read_output(tmp_path / "out.csv")] == ["3"]
    ((row, where, reason),) = rejections(tmp_path)
    assert (row, where) == (1, "in.csv:2")
    assert "lines 2 to 3" in reason


def test_an_open_quote_in_the_last_row(tmp_path: Path) -> None:
    (tmp_path / "in.csv").write_text('text\ndog\n"open\nfish\n', encoding="utf-8")
    run(tmp_path / "in.csv", tmp_path / "out.txt")
    assert (tmp_path / "out.txt").read_text(encoding="utf-8").splitlines() == [*said("dog"), "", *said("fish")]
    assert [listed[:2] for listed in rejections(tmp_path)] == [(2, "in.csv:3")]


def test_broken_json_rows_are_set_aside_with_their_lines(tmp_path: Path) -> None:
    lines = [
        '{"text": "dog"}',
        "{",
        "",
        '"dog"',
        '{"text": 5}',
        '{"other": "dog"}',
        '{"text": "\\ud83d"}',
        '{"text": "fish"}',
    ]
    (tmp_path / "in.jsonl").write_text("\n".join(lines), encoding="utf-8")
    for suffix in (".jsonl", ".parquet"):
        run(tmp_path / "in.jsonl", tmp_path / f"out{suffix}", overwrite=True)
        assert [row["text"] for row in read_output(tmp_path / f"out{suffix}")] == ["dog", "fish"]
        listed = rejections(tmp_path)
        assert [(row, where) for row, where, _ in listed] == [
            (2, "in.jsonl:2"),
            (3, "in.jsonl:4"),
            (4, "in.jsonl:5"),
            (5, "in.jsonl:6"),
            (6, "in.jsonl:7"),
        ]
        words = ("not JSON", "not a JSON object", "text is 5", "no 'text'", "surrogate")
        for (_, _, reason), word in zip(listed, words, strict=True):
            assert word in reason


def test_lines_of_ipa_stay_parallel_to_the_text(tmp_path: Path) -> None:
    (tmp_path / "in.txt").write_bytes(b"\xef\xbb\xbfdog\r\n\r\n!!!\r\nfish")
    run(tmp_path / "in.txt", tmp_path / "out.txt")
    assert (tmp_path / "out.txt").read_text(encoding="utf-8").split("\n") == [*said("dog"), "", "", *said("fish"), ""]
    assert [listed[:2] for listed in rejections(tmp_path)] == [(2, "in.txt:2"), (3, "in.txt:3")]


def test_parquet_rows_are_counted_from_one_and_have_no_lines(tmp_path: Path) -> None:
    source = write_input(tmp_path / "in.parquet", [{"text": text} for text in ("dog", None, "fish", "!!!")])
    run(source, tmp_path / "out.parquet", rows_per_shard=3)
    assert [listed[:2] for listed in rejections(tmp_path)] == [(2, None), (4, None)]
    assert [row["text"] for row in read_output(tmp_path / "out.parquet")] == ["dog", "fish"]


def test_a_file_of_nothing_usable(tmp_path: Path) -> None:
    (tmp_path / "in.csv").write_text("text\n!!!\n", encoding="utf-8")
    for suffix in (".csv", ".parquet"):
        assert run(tmp_path / "in.csv", tmp_path / f"out{suffix}", overwrite=True).transcribed == 0
        assert read_output(tmp_path / f"out{suffix}") == []


def test_the_list_of_rejected_rows_may_lie_elsewhere(tmp_path: Path) -> None:
    source = write_input(tmp_path / "in.txt", [{"text": "!!!"}])
    report = run(source, tmp_path / "out.txt", rejected=tmp_path / "bad.jsonl")
    assert report.rejected_path == tmp_path / "bad.jsonl"
    with pytest.raises(BulkError, match=r"bad\.jsonl exists"):
        run(source, tmp_path / "other.txt", rejected=tmp_path / "bad.jsonl")
    write_words(source)
    run(source, tmp_path / "other.txt", rejected=tmp_path / "bad.jsonl", overwrite=True)
    assert not (tmp_path / "bad.jsonl").exists()  # it was of another run


# --- languages ---


def test_the_language_may_vary_by_row(tmp_path: Path) -> None:
    rows = [
        {"text": "Hund", "lang": "deu-Latn"},
        {"text": "dog", "lang": "eng-Latn"},
        {"text": "dog", "lang": ""},
        {"text": "dog", "lang": "xxx-Latn"},
        {"text": "Fisch", "lang": "deu-Latn"},
    ]
    source = write_input(tmp_path / "in.csv", rows)
    ipa = [*said("Hund", language="deu-Latn"), *said("dog"), *said("dog"), *said("Fisch", language="deu-Latn")]
    run(source, tmp_path / "out.csv", language_column="lang")
    assert [row["ipa"] for row in read_output(tmp_path / "out.csv")] == ipa
    ((row, _, reason),) = rejections(tmp_path)
    assert row == 4
    assert "'xxx-Latn'" in reason
    run(source, tmp_path / "out.csv", language=None, language_column="lang", overwrite=True)
    assert [row["ipa"] for row in read_output(tmp_path / "out.csv")] == [ipa[0], ipa[1], ipa[3]]
    assert [row for row, _, _ in rejections(tmp_path)] == [3, 4]


def test_the_backend_is_the_one_asked_for(tmp_path: Path) -> None:
    source = write_input(tmp_path / "in.txt", [{"text": "Hund"}])
    for backend in ("epitran", "espeak"):
        output = tmp_path / f"{backend}.txt"
        run(source, output, language="deu-Latn", backend=backend)
        expected = get_transcriber("deu-Latn", backend).transcribe(["Hund"])
        assert output.read_text(encoding="utf-8").splitlines() == expected


# --- the same bytes, however it is done ---


def mixed(path: Path, number: int) -> Path:
    texts = ("dog", "!!!", "two cats", "", "butterfly", "蝴蝶")
    return write_input(path, [{"id": row, "text": texts[row % len(texts)]} for row in range(number)])


def content(directory: Path, output: str) -> tuple[bytes, bytes]:
    return (directory / output).read_bytes(), (directory / "rejected.jsonl").read_bytes()


@pytest.mark.parametrize(("source", "output"), [("in.csv", "out.jsonl"), ("in.parquet", "out.parquet")])
def test_the_number_of_processes_changes_nothing(tmp_path: Path, source: str, output: str) -> None:
    mixed(tmp_path / source, 50)
    found = []
    for num_proc in (1, 2):
        run(tmp_path / source, tmp_path / output, num_proc=num_proc, rows_per_shard=7, overwrite=True)
        found.append(content(tmp_path, output))
    assert found[0] == found[1]
    assert len(found[0][1].splitlines()) == 25


SCRIPT = """
import signal, sys, time
from ipaclip.tokenization import transcribe_file
from ipaclip.tokenization.transcription.pronunciation import Pronunciation

one_shard, left = Pronunciation.answer, int(sys.argv[4])
def a_few(self, texts, languages):
    global left
    if not left:
        time.sleep(3600)  # until it is ended
    left -= 1
    return one_shard(self, texts, languages)

Pronunciation.answer = a_few
if __name__ == "__main__":
    signal.signal(signal.SIGINT, signal.default_int_handler)  # what a shell starts in the background ignores Ctrl-C
    transcribe_file(sys.argv[1], sys.argv[2], language="eng-Latn", rows_per_shard=5, num_proc=int(sys.argv[3]))
"""


def start(script: Path, source: Path, output: Path, shards: int, num_proc: int = 1) -> subprocess.Popen[bytes]:
    """Transcribes so many shards of five rows, in each process, and stops there."""
    script.write_text(SCRIPT, encoding="utf-8")
    arguments = [str(script), str(source), str(output), str(num_proc), str(shards)]
    return subprocess.Popen([sys.executable, *arguments], stderr=subprocess.PIPE)


def wait_for(condition: Callable[[], bool], process: "subprocess.Popen[bytes]") -> None:
    deadline = time.monotonic() + 600  # however much else the machine has to do
    while not condition():
        assert process.poll() is None, process.communicate()[1].decode()
        assert time.monotonic() < deadline
        time.sleep(0.01)


def shards_done(output: Path) -> int:
    journal = output.with_name(f"{output.name}.partial") / "journal.json"
    return json.loads(journal.read_text(encoding="utf-8"))["shards"] if journal.exists() else 0


@pytest.mark.parametrize("output", ["out.jsonl", "out.parquet"])
@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGINT])
def test_interrupted_it_goes_on_where_it_stopped(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, output: str, how: signal.Signals
) -> None:
    source = mixed(tmp_path / "in.jsonl", 300)
    (tmp_path / "whole").mkdir()
    run(source, tmp_path / "whole" / output, rows_per_shard=5)

    target = tmp_path / output
    for done in (4, 8):
        process = start(tmp_path / "script.py", source, target, shards=4)
        wait_for(lambda done=done: shards_done(target) == done, process)
        process.send_signal(how)
        process.communicate()
        assert process.returncode != 0
        assert not target.exists()
        assert shards_done(target) == done
    for name in ("output", "rejected"):  # cut off in the middle of a row
        with (tmp_path / f"{output}.partial" / name).open("ab") as file:
            file.write(b'{"half a')

    asked = []
    answer = Pronunciation.answer
    monkeypatch.setattr(Pronunciation, "answer", lambda *given: asked.append(len(given[1])) or answer(*given))
    run(source, target, rows_per_shard=5)
    assert sum(asked) == 300 - 8 * 5
    assert content(tmp_path, output) == content(tmp_path / "whole", output)
    assert not (tmp_path / f"{output}.partial").exists()


@pytest.mark.slow
def test_killed_with_workers_it_leaves_none_behind(tmp_path: Path) -> None:
    psutil = pytest.importorskip("psutil")
    source = mixed(tmp_path / "in.csv", 1000)
    target = tmp_path / "out.csv"
    process = start(tmp_path / "script.py", source, target, shards=2, num_proc=2)
    wait_for(lambda: shards_done(target) >= 2, process)
    children = psutil.Process(process.pid).children(recursive=True)
    assert len(children) >= 2
    process.kill()
    process.communicate()
    assert psutil.wait_procs(children, timeout=600)[1] == []
    assert shards_done(target) < 200
    run(source, target, rows_per_shard=5)
    (tmp_path / "whole").mkdir()
    run(source, tmp_path / "whole" / "out.csv", rows_per_shard=5)
    assert content(tmp_path, "out.csv") == content(tmp_path / "whole", "out.csv")


@pytest.mark.parametrize("broken_off_at", range(1, 5))
def test_killed_while_tidying_up_it_is_finished_by_the_same_call(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, broken_off_at: int
) -> None:
    source, target = mixed(tmp_path / "in.csv", 12), tmp_path / "out.csv"
    (tmp_path / "whole").mkdir()
    run(source, tmp_path / "whole" / "out.csv")
    steps = 0
    unlink, replace = Path.unlink, os.replace

    class Killed(BaseException):
        """Nothing catches it, and what stands in `finally` is undone below."""

    def step(action: Callable[..., Any]) -> Callable[..., Any]:
        def stepping(*arguments: Any, **options: Any) -> Any:
            nonlocal steps
            journal = tmp_path / "out.csv.partial" / "journal.json"
            if journal.exists() and json.loads(journal.read_text(encoding="utf-8"))["finished"]:
                steps += 1
                if steps == broken_off_at:
                    raise Killed
            return action(*arguments, **options)

        return stepping

    with monkeypatch.context() as patched:
        patched.setattr(Path, "unlink", step(unlink))
        patched.setattr(os, "replace", step(replace))
        with pytest.raises(Killed):
            run(source, target)
    run(source, target)
    assert content(tmp_path, "out.csv") == content(tmp_path / "whole", "out.csv")
    assert not (tmp_path / "out.csv.partial").exists()


# --- what is refused ---


def interrupted(source: Path, output: Path, monkeypatch: pytest.MonkeyPatch, **options: Any) -> None:
    """A run on `output` that stopped before its first shard was done."""

    def stop(*_: Any) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(Pronunciation, "answer", stop)
        with pytest.raises(KeyboardInterrupt):
            run(source, output, **options)


@pytest.mark.parametrize(
    ("options", "what"),
    [
        ({"language": "deu-Latn"}, "language was 'eng-Latn' and is 'deu-Latn'"),
        ({"ipa_column": "sound"}, "IPA column was 'ipa' and is 'sound'"),
        ({"column": "other"}, "column was 'text' and is 'other'"),
        ({"rows_per_shard": 3}, "rows per shard was 10000 and is 3"),
    ],
)
def test_other_options_on_an_unfinished_output_are_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, options: dict[str, Any], what: str
) -> None:
    source = write_input(tmp_path / "in.csv", [{"text": "dog", "other": "cat"}])
    interrupted(source, tmp_path / "out.csv", monkeypatch)
    with pytest.raises(BulkError) as refused:
        run(source, tmp_path / "out.csv", **options)
    assert what in str(refused.value)
    assert str(tmp_path / "out.csv.partial") in str(refused.value)
    run(source, tmp_path / "out.csv", num_proc=2)  # does not change the result, so it may change
    assert [row["ipa"] for row in read_output(tmp_path / "out.csv")] == said("dog")


def test_another_input_on_an_unfinished_output_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    source = write_words(tmp_path / "in.txt")
    interrupted(source, tmp_path / "out.txt", monkeypatch)
    before = source.stat()
    source.write_bytes(source.read_bytes().replace(b"dog", b"cat"))
    os.utime(source, ns=(before.st_atime_ns, before.st_mtime_ns))
    with pytest.raises(BulkError, match="was begun otherwise and not finished: input was"):
        run(source, tmp_path / "out.txt")


def test_an_output_that_exists_is_kept(tmp_path: Path) -> None:
    source, output = write_words(tmp_path / "in.txt"), tmp_path / "out.txt"
    output.write_text("precious", encoding="utf-8")
    with pytest.raises(BulkError, match=r"out\.txt exists"):
        run(source, output)
    assert output.read_text(encoding="utf-8") == "precious"
    run(source, output, overwrite=True)
    assert output.read_text(encoding="utf-8").splitlines() == said(*WORDS)


def test_two_runs_on_one_output(tmp_path: Path) -> None:
    source, output = mixed(tmp_path / "in.csv", 600), tmp_path / "out.csv"
    process = start(tmp_path / "script.py", source, output, shards=2)
    wait_for(lambda: shards_done(output) >= 1, process)
    with pytest.raises(BulkError, match=rf"Another process \(pid {process.pid}\) is at work on"):
        run(source, output, rows_per_shard=5)
    process.kill()
    process.communicate()
    assert (tmp_path / "out.csv.partial" / "lock.pid").read_text(encoding="ascii").strip() == str(process.pid)
    assert run(source, output, rows_per_shard=5).rows == 600  # the dead one's lock is no hindrance


def test_a_missing_column_is_told_with_those_there_are(tmp_path: Path) -> None:
    for suffix in (".csv", ".jsonl", ".parquet"):
        source = write_input(tmp_path / f"in{suffix}", [{"caption": "dog", "id": "1"}])
        with pytest.raises(BulkError, match=r"has no column 'text'\. Its columns: 'caption', 'id'"):
            run(source, tmp_path / "out.txt")
        with pytest.raises(BulkError, match="has no column 'lang'"):
            run(source, tmp_path / "out.txt", column="caption", language_column="lang")
        assert not (tmp_path / "out.txt.partial").exists()


def test_a_column_of_the_new_name(tmp_path: Path) -> None:
    for suffix in (".csv", ".parquet"):
        source = write_input(tmp_path / f"in{suffix}", [{"ipa": "old", "text": "dog"}])
        with pytest.raises(BulkError, match="has a column 'ipa' already"):
            run(source, tmp_path / f"out{suffix}")
        run(source, tmp_path / f"out{suffix}", overwrite_column=True)
        assert read_output(tmp_path / f"out{suffix}") == [{"ipa": said("dog")[0], "text": "dog"}]


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("in.txt", b"", "has no rows"),
        ("in.csv", b"", "has no rows"),
        ("in.csv", b"text\n", "has no rows"),
        ("in.jsonl", b"\n\n", "has no rows"),
        ("in.csv", b"text,text\na,b\n", "names 'text' twice"),
        ("in.csv", b'"text\n', "header cannot be read"),
        ("in.txt", "dog".encode("utf-16"), "is in UTF-16"),
        ("in.json", b"{}", "the name must end in .txt, .csv, .tsv, .jsonl, .parquet"),
        ("in.parquet", b"no parquet", "in.parquet cannot be read"),
    ],
)
def test_an_input_that_cannot_be_read(tmp_path: Path, name: str, content: bytes, message: str) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(ValueError, match=message):
        run(tmp_path / name, tmp_path / "out.parquet")
    assert [path.name for path in tmp_path.iterdir()] == [name]


def test_parquet_without_rows(tmp_path: Path) -> None:
    parquet.write_table(parquet.read_table(write_words(tmp_path / "in.parquet")).slice(0, 0), tmp_path / "none.parquet")
    for streaming in (False, True):
        with pytest.raises(ValueError, match=r"none\.parquet has no rows"):
            run(tmp_path / "none.parquet", tmp_path / "out.txt", streaming=streaming)


def test_values_of_two_kinds_in_one_column(tmp_path: Path) -> None:
    rows = [{"text": "dog", "id": 1}, {"text": "cat", "id": "x"}]
    source = write_input(tmp_path / "in.jsonl", rows)
    with pytest.raises(ValueError, match=r"column 'id' holds values of different kinds up to line 2 .* write \.jsonl"):
        run(source, tmp_path / "out.parquet")
    run(source, tmp_path / "out.jsonl")
    assert [row["id"] for row in read_jsonl(tmp_path / "out.jsonl")] == [1, "x"]


def test_what_a_text_format_cannot_hold(tmp_path: Path) -> None:
    source = write_input(tmp_path / "in.parquet", [{"text": "dog", "tags": ["a"], "raw": b"\x00"}])
    with pytest.raises(BulkError, match=r"'tags' .* cannot be written as \.csv: choose \.parquet or \.jsonl"):
        run(source, tmp_path / "out.csv")
    with pytest.raises(BulkError, match=r"'raw' \(binary\) cannot be written as \.jsonl: choose \.parquet"):
        run(source, tmp_path / "out.jsonl")
    run(source, tmp_path / "out.parquet")
    assert read_output(tmp_path / "out.parquet")[0]["raw"] == b"\x00"


def test_places_that_cannot_be_written(tmp_path: Path) -> None:
    source = write_words(tmp_path / "in.txt")
    with pytest.raises(BulkError, match=r"must end in \.txt, \.csv"):
        run(source, tmp_path / "out.xlsx")
    with pytest.raises(FileNotFoundError, match="No such directory"):
        run(source, tmp_path / "no" / "out.txt")
    with pytest.raises(FileNotFoundError, match="No such directory"):
        run(source, source / "out.txt")
    with pytest.raises(BulkError, match="three different files"):
        run(source, source, overwrite=True)
    (tmp_path / "out.txt").mkdir()
    with pytest.raises(BulkError, match="is a directory"):
        run(source, tmp_path / "out.txt", overwrite=True)
    with pytest.raises(FileNotFoundError, match=r"none\.csv"):
        run(tmp_path / "none.csv", tmp_path / "out.csv")


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root may write anywhere")
def test_a_directory_without_permission(tmp_path: Path) -> None:
    source = write_words(tmp_path / "in.txt")
    (tmp_path / "closed").mkdir(mode=0o500)
    with pytest.raises(PermissionError):
        run(source, tmp_path / "closed" / "out.txt")


def test_options_that_make_no_sense(tmp_path: Path) -> None:
    source = write_words(tmp_path / "in.txt")
    with pytest.raises(BulkError, match="in which language"):
        run(source, tmp_path / "out.txt", language=None)
    with pytest.raises(ValueError, match="'xxx-Latn'"):
        run(source, tmp_path / "out.txt", language="xxx-Latn")
    with pytest.raises(ValueError, match="'flite'"):
        run(source, tmp_path / "out.txt", backend="flite")
    with pytest.raises(ValueError, match="only data sets have a split"):
        run(source, tmp_path / "out.txt", split="train")
    with pytest.raises(BulkError, match="at least 1"):
        run(source, tmp_path / "out.txt", num_proc=0)


def test_without_datasets_it_says_how_to_get_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    source = write_words(tmp_path / "in.parquet")
    monkeypatch.setitem(sys.modules, "datasets", None)
    with pytest.raises(ImportError, match=r'pip install "ipaclip\[data\]"'):
        run(source, tmp_path / "out.txt")
    text = write_words(tmp_path / "in.txt")
    run(text, tmp_path / "out.jsonl")  # text takes none of it
    assert len(read_jsonl(tmp_path / "out.jsonl")) == len(WORDS)


def test_local_files_stay_local(tmp_path: Path) -> None:
    """In a process of its own, online: no look at the network, nothing left in the home directory."""
    for suffix in (".parquet", ".csv"):
        write_words(tmp_path / f"in{suffix}")
    (tmp_path / "home").mkdir()
    code = (
        "import socket, sys\n"
        "def refuse(*arguments): print('network:', arguments, file=sys.stderr); raise OSError\n"
        "socket.getaddrinfo = socket.socket.connect = refuse\n"
        "from ipaclip.tokenization import transcribe_file\n"
        "for name in ('in.parquet', 'in.csv'):\n"
        "    for streaming in (False, True):\n"
        "        output = f'{streaming}{name}'\n"
        "        transcribe_file(name, output, language='eng-Latn', streaming=streaming, progress=False)\n"
    )
    environment = {name: value for name, value in os.environ.items() if not name.startswith("HF_")}
    environment["HOME"] = str(tmp_path / "home")
    done = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, env=environment, capture_output=True, check=False)
    assert (done.returncode, done.stderr) == (0, b"")
    assert list((tmp_path / "home").rglob("*.arrow")) == []
    assert (tmp_path / "Truein.parquet").read_bytes() == (tmp_path / "Falsein.parquet").read_bytes()


# --- data sets in Python ---


def test_a_data_set_gets_ipa_and_reasons() -> None:
    dataset = datasets.Dataset.from_dict({"text": ["dog", "!!!", None, "fish"], "id": [1, 2, 3, 4]})
    for one in (dataset, dataset.to_iterable_dataset()):
        rows = list(transcribe_dataset(one, language="eng-Latn"))
        dog, fish = said("dog", "fish")
        assert [row["ipa"] for row in rows] == [dog, None, None, fish]
        assert [row["id"] for row in rows] == [1, 2, 3, 4]
        assert [row["ipa_rejected"] is None for row in rows] == [True, False, False, True]
        assert rows[2]["ipa_rejected"] == "text is empty"


def test_a_data_set_with_a_language_column_in_two_processes() -> None:
    dataset = datasets.Dataset.from_dict({"t": ["dog", "Hund"] * 3, "l": ["eng-Latn", "deu-Latn"] * 3})
    for num_proc in (None, 2):
        found = transcribe_dataset(dataset, column="t", language_column="l", num_proc=num_proc)
        assert found["ipa"][:] == [*said("dog"), *said("Hund", language="deu-Latn")] * 3


def test_a_data_set_of_nothing_usable_keeps_its_types() -> None:
    found = transcribe_dataset(datasets.Dataset.from_dict({"text": ["!!!"]}), language="eng-Latn")
    assert found.features["ipa"] == datasets.Value("string")


def test_what_a_data_set_is_refused_for() -> None:
    dataset = datasets.Dataset.from_dict({"text": ["dog"], "ipa": ["x"]})
    with pytest.raises(BulkError, match="has a column 'ipa' already"):
        transcribe_dataset(dataset, language="eng-Latn")
    assert transcribe_dataset(dataset, language="eng-Latn", overwrite_column=True)["ipa"][:] == said("dog")
    with pytest.raises(BulkError, match="has no column 'caption'"):
        transcribe_dataset(dataset, language="eng-Latn", column="caption")
    with pytest.raises(BulkError, match="leave out num_proc"):
        transcribe_dataset(dataset.to_iterable_dataset(), language="eng-Latn", num_proc=2, ipa_column="sound")
    with pytest.raises(TypeError, match="DatasetDict"):
        transcribe_dataset(datasets.DatasetDict({"train": dataset}), language="eng-Latn")


# --- memory ---


@pytest.mark.slow
def test_memory_does_not_grow_with_the_rows(tmp_path: Path) -> None:
    psutil = pytest.importorskip("psutil")
    source, output = tmp_path / "in.txt", tmp_path / "out.txt"
    source.write_text("the dog sees two cats\n" * 200_000, encoding="utf-8")
    run(write_words(tmp_path / "warm.txt"), tmp_path / "warm.jsonl")
    process, sizes, over = psutil.Process(), [], threading.Event()

    def watch() -> None:
        while not over.wait(0.05):
            sizes.append(process.memory_info().rss)

    watcher = threading.Thread(target=watch)
    watcher.start()
    run(source, output)
    over.set()
    watcher.join()
    assert max(sizes) - sizes[0] < 50 * 2**20
