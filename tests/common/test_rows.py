"""Rows of text files: one reader for bulk transcription, training and evaluation."""

import csv
import json
from pathlib import Path

import pytest
from ipaclip.common.rows import read_records, read_table, read_utf8, split_lines


def write(path: Path, content: str | bytes) -> Path:
    path.write_bytes(content if isinstance(content, bytes) else content.encode("utf-8"))
    return path


def values(path: Path, **options: bool) -> list[dict[str, str]]:
    records = list(read_records(path, **options))
    assert [record.broken for record in records] == [None] * len(records)
    return [record.values for record in records]


def broken(path: Path, **options: bool) -> dict[int, str]:
    return {record.line: record.broken for record in read_records(path, **options) if record.broken}


# --- .tsv: a line is a row ---


@pytest.mark.parametrize(
    "text",
    ['"Where is it," she asked.', '"Stop!', '"The dog is big”', 'go"', '"', 'a "b" c', '"Stop!"', "it's", '"a" "b"'],
)
def test_quotation_marks_are_text_in_a_tsv(tmp_path, text):
    path = write(tmp_path / "q.tsv", f"id\ttext\n1\t{text}\n2\tdog\n")
    assert values(path) == [{"id": "1", "text": text}, {"id": "2", "text": "dog"}]
    first = write(tmp_path / "first.tsv", f"text\tid\n{text}\t1\ndog\t2\n")
    assert values(first) == [{"text": text, "id": "1"}, {"text": "dog", "id": "2"}]


def test_quotation_marks_of_two_rows_do_not_make_them_one(tmp_path):
    path = write(tmp_path / "q.tsv", 'id\ttext\n1\t"Stop he said\n2\tgo"\n3\t"a\n4\tb\n5\tc"\n')
    assert [row["text"] for row in values(path)] == ['"Stop he said', 'go"', '"a', "b", 'c"']
    one = write(tmp_path / "one.tsv", 'text\n"Stop he said\ngo"\ndog\n')
    assert [row["text"] for row in values(one)] == ['"Stop he said', 'go"', "dog"]


AWKWARD = ["ü\t2", "two\ncats", "a\n\nb", 'say "x"', '"all"', "\r3", "", "plain", 'a\n"b"\nc', '"', "x\r\ny"]


@pytest.mark.parametrize("quoting", [csv.QUOTE_MINIMAL, csv.QUOTE_ALL])
@pytest.mark.parametrize("columns", [["text", "id"], ["id", "text"], ["a", "text", "b"]])
def test_cells_that_other_programs_quote_in_a_tsv_are_read_as_they_mean_them(tmp_path, quoting, columns):
    rows = [{**dict.fromkeys(columns, "x"), "text": text} for text in AWKWARD]
    with (tmp_path / "q.tsv").open("w", encoding="utf-8", newline="") as stream:
        writer = csv.DictWriter(stream, columns, delimiter="\t", quoting=quoting, lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
    assert values(tmp_path / "q.tsv") == rows


def test_a_row_of_a_tsv_with_other_cells_than_the_header_is_broken(tmp_path):
    path = write(tmp_path / "q.tsv", 'id\ttext\n1\n2\ta\tb\n3\t"a"\tb\n\n4\t"open\nrest\n5\tdog\n')
    found = broken(path)
    assert found.keys() == {2, 3, 4, 7}
    assert "1 cells" in found[2]
    assert "3 cells" in found[3]
    assert "3 cells" in found[4]
    assert "1 cells" in found[7]  # and line 6 is a row, whatever is open in it
    assert [record.values for record in read_records(path) if not record.broken] == [
        {"id": "4", "text": '"open'},
        {"id": "5", "text": "dog"},
    ]


def test_a_long_column_of_open_quotes_takes_no_longer_than_it_has_lines(tmp_path):
    path = write(tmp_path / "q.tsv", "id\ttext\n" + "".join(f'{row}\t"Stop {row}\n' for row in range(20_000)))
    assert len(values(path)) == 20_000
    lines = write(tmp_path / "one.tsv", "text\n" + '"Stop\n' * 20_000)
    assert len(values(lines)) == 20_000


# --- .csv ---


def test_line_breaks_in_cells_of_a_csv(tmp_path):
    rows = [{"id": "x", "text": text} for text in AWKWARD]
    with (tmp_path / "q.csv").open("w", encoding="utf-8", newline="") as stream:
        writer = csv.DictWriter(stream, ["id", "text"], quoting=csv.QUOTE_ALL)
        writer.writeheader()
        writer.writerows(rows)
    assert values(tmp_path / "q.csv") == rows


def test_an_open_quotation_mark_that_another_closes_swallows_no_row_in_silence(tmp_path):
    path = write(tmp_path / "q.csv", 'image,caption\na.png,"open quote\nhouse.png,dog\nb.png,end"\nc.png,cat\n')
    (found,) = broken(path).items()
    assert found[0] == 2
    assert "lines 2 to 4" in found[1]
    assert "quotation mark" in found[1]
    with pytest.raises(ValueError, match=r"q\.csv:2: lines 2 to 4 .*quotation mark"):
        list(read_table(path))


def test_an_open_quotation_mark_that_nobody_closes_costs_its_line(tmp_path):
    path = write(tmp_path / "q.csv", 'image,caption\na.png,"open quote\nhouse.png,dog\n')
    assert broken(path) == {2: "the row cannot be read: a quotation mark is not closed"}
    assert [record.line for record in read_records(path)] == [2, 3]


def test_a_cell_that_is_too_large_is_named(tmp_path):
    for content in (f"{'x' * 200_000},a", f"a,{'x' * 200_000}"):
        path = write(tmp_path / "huge.csv", f"image,caption\n{content}\nb,c\n")
        with pytest.raises(ValueError, match=r"huge\.csv:2: .*field larger than field limit \(131072\)"):
            list(read_table(path))


def test_short_rows_and_columns_without_a_name(tmp_path):
    path = write(tmp_path / "q.csv", "text,id,,\na,1,,\nb\n")
    assert values(path, whole=False) == [{"text": "a", "id": "1", "": ""}, {"text": "b", "id": None, "": None}]
    with pytest.raises(ValueError, match=r"q\.csv:1: the header names '' twice"):
        list(read_records(path))
    assert broken(write(path, "text,id\nb\n"))[2] == "the row has 1 cells, and the header 2"


@pytest.mark.parametrize("whole", [True, False])
@pytest.mark.parametrize(("name", "tab"), [("t.csv", ","), ("t.tsv", "\t")])
def test_a_column_that_is_named_twice_is_refused(tmp_path, whole, name, tab):
    path = write(tmp_path / name, f"text{tab}id{tab}text\na{tab}1{tab}b\n")
    with pytest.raises(ValueError, match=rf"{name}:1: the header names 'text' twice"):
        list(read_records(path, whole=whole))


# --- .jsonl ---


@pytest.mark.parametrize(
    ("line", "word"),
    [
        ('{"text": "a", "text": "b"}', "names 'text' twice"),
        ('{"text": "a", "more": {"x": 1, "x": 2}}', "names 'x' twice"),
        ('{"text": "a", "ipa": "\\ud800"}', "surrogate"),
        ('{"text": "a", "more": ["\\udc00"]}', "surrogate"),
        ('{"text": "a", "\\ud800": 1}', "surrogate"),
        ('{"text": ' + "[" * 150 + "]" * 150 + "}", "nested deeper"),
        ('{"text": ' + "[" * 100_000 + "]" * 100_000 + "}", "nested deeper"),
        ('{"a":' * 150 + "1" + "}" * 150, "nested deeper"),
        ('{"text": ' + "1" * 5000 + "}", "not JSON"),
        ("[1]", "not a JSON object"),
        ("{", "not JSON"),
    ],
)
def test_a_line_of_json_that_cannot_be_used_says_why(tmp_path, line, word):
    path = write(tmp_path / "t.jsonl", f'{{"text": "dog"}}\n{line}\n{{"text": "cat"}}\n')
    assert [record.values.get("text") for record in read_records(path)] == ["dog", None, "cat"]
    assert word in broken(path)[2]


def test_separators_of_lines_stay_inside_a_line(tmp_path):
    text = "a\u2028b\u2029c\x0bd\x0ce\x85f\x1cg\rh"
    assert values(write(tmp_path / "t.txt", f"{text}\r\n\n{text}")) == [{"text": text}, {"text": ""}, {"text": text}]
    assert split_lines(f"{text}\r\n\n{text}") == [text, "", text]
    assert split_lines("a\n\n") == ["a", ""]
    assert split_lines("") == []
    line = json.dumps({"text": text.replace("\r", "")}, ensure_ascii=False)
    for escape in ("\\u000b", "\\f", "\\u001c"):  # JSON itself wants these escaped
        assert escape in line
    assert values(write(tmp_path / "t.jsonl", f"{line}\n")) == [{"text": text.replace("\r", "")}]
    assert values(write(tmp_path / "t.tsv", f"text\tid\n{text}\t1\n")) == [{"text": text, "id": "1"}]


# --- encodings ---

TABLES = {
    "t.csv": "image,caption\nnaïve.png,dog\n",
    "t.tsv": "image\tcaption\nnaïve.png\tdog\n",
    "t.jsonl": '{"image": "naïve.png", "caption": "dog"}\n',
    "t.TXT.CSV": "image,caption\nnaïve.png,dog\n",
}


@pytest.mark.parametrize("name", TABLES)
def test_a_table_in_utf8_may_begin_with_a_byte_order_mark(tmp_path, name):
    path = write(tmp_path / name, TABLES[name].encode("utf-8-sig"))
    assert values(path) == [{"image": "naïve.png", "caption": "dog"}]


@pytest.mark.parametrize("name", TABLES)
@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-16-be"])
def test_a_table_in_utf16_is_named(tmp_path, name, encoding):
    path = write(tmp_path / name, TABLES[name].encode(encoding))
    with pytest.raises(ValueError, match=rf"{name} is in UTF-16: save it as UTF-8"):
        list(read_table(path))


@pytest.mark.parametrize("name", TABLES)
def test_a_table_in_latin1_is_named_with_the_line(tmp_path, name):
    path = write(tmp_path / name, TABLES[name].encode("latin-1"))
    line = 1 if name == "t.jsonl" else 2
    place = TABLES[name].splitlines()[line - 1].index("ï") + 1
    with pytest.raises(ValueError, match=rf"{name}:{line}: the row is not UTF-8 at byte {place}: save the file as"):
        list(read_table(path))
    header = write(tmp_path / "h.csv", "naïve,caption\na,b\n".encode("latin-1"))
    with pytest.raises(ValueError, match=r"h\.csv:1: the header is not UTF-8: save"):
        list(read_table(header))
    with pytest.raises(ValueError, match=rf"{name} is not UTF-8 at byte"):
        read_utf8(path)


def test_suffixes_may_be_in_capitals(tmp_path):
    assert values(write(tmp_path / "T.TXT", "a\n")) == [{"text": "a"}]
    assert values(write(tmp_path / "T.JSONL", '{"text": "a"}\n')) == [{"text": "a"}]
    assert values(write(tmp_path / "T.Tsv", 'text\tid\n"a\t1\n')) == [{"text": '"a', "id": "1"}]
    assert values(write(tmp_path / "T.CSV", 'text,id\n"a",1\n')) == [{"text": "a", "id": "1"}]
