"""`ipaclip match`: what it prints, what it complains of, and how it ends."""

import json
from pathlib import Path

import pytest
from ipaclip.cli import app
from typer.testing import CliRunner

pytest.importorskip("phonemizer")

TABLE = "id,name,language\n1,Catherine Miller,\n2,Smith,\n3,,\n4,Мария,\n5,Stephen,eng-Latn\n6,Smyth,\n7,李明,\n"


def ipaclip(*arguments: str | Path, stdin: str = "") -> tuple[int, list[str], list[str]]:
    result = CliRunner().invoke(app, [str(argument) for argument in arguments], input=stdin, prog_name="ipaclip")
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result.exit_code, result.stdout.splitlines(), result.stderr.splitlines()


@pytest.fixture
def customers(tmp_path: Path) -> Path:
    path = tmp_path / "customers.csv"
    path.write_text(TABLE, encoding="utf-8")
    return path


def test_the_nearest_names_with_their_lines(customers: Path) -> None:
    code, out, err = ipaclip("match", "Steven", "Maria", "--names", customers, "--top", "1")
    assert code == 0
    assert [line.split()[1:] for line in out[1::2]] == [["Stephen", "(line", "6)"], ["Мария", "(line", "5)"]]
    assert out[::2] == ["Steven", "Maria"]
    assert err[0] == f"skipped {customers}:4: there is no name"
    assert err[1].startswith(f"by letters alone: {customers}:8: '李明'")


def test_json(customers: Path) -> None:
    code, out, _ = ipaclip("match", "Katherine Miller", "--names", customers, "--json", "--top", "2")
    answer = json.loads(out[0])
    assert (code, len(out), answer["query"], len(answer["results"])) == (0, 1, "Katherine Miller", 2)
    best = answer["results"][0]
    assert (best["name"], best["line"], best["typing_errors"]) == ("Catherine Miller", 2, 1)
    assert best["score"] > 0.8
    assert sum(edit["cost"] for edit in best["edits"]) == pytest.approx(best["distance"], abs=0.01)


def test_why(customers: Path) -> None:
    _, out, _ = ipaclip("match", "Steven", "--names", customers, "--top", "1", "--why")
    assert [line.split()[0] for line in out] == ["Steven", out[1].split()[0], "Steven", "Stephen", "Steven", "cost"]


def test_duplicates(customers: Path) -> None:
    code, out, _ = ipaclip("match", "--duplicates", "--names", customers)
    assert (code, len(out)) == (0, 1)
    assert out[0].split()[1:] == ["Smith", "(line", "3)", "=", "Smyth", "(line", "7)"]
    (pair,) = (json.loads(line) for line in ipaclip("match", "--duplicates", "--names", customers, "--json")[1])
    assert (pair["query"], pair["query_line"], pair["name"], pair["line"]) == ("Smith", 3, "Smyth", 7)
    assert ipaclip("match", "--duplicates", "--names", customers, "--threshold", "0.99")[1] == []


def test_nothing_above_the_threshold_is_an_answer(customers: Path) -> None:
    code, out, _ = ipaclip("match", "Zebulon", "--names", customers, "--threshold", "0.5")
    assert (code, out) == (0, ["Zebulon", "  –"])


def test_a_list_of_lines_and_queries_of_a_file(tmp_path: Path) -> None:
    names, queries = tmp_path / "names.txt", tmp_path / "queries.txt"
    names.write_text("Smith\n\nStephen\n", encoding="utf-8")
    queries.write_text("Smyth\n\n", encoding="utf-8")
    code, out, err = ipaclip("match", "--names", names, "--queries", queries, "--top", "1")
    assert (code, out[0], out[1].split()[1:], err) == (0, "Smyth", ["Smith", "(line", "1)"], [])
    code, out, _ = ipaclip("match", "--names", names, "--queries", "-", "--top", "1", stdin="Steven\n")
    assert out[1].split()[1:] == ["Stephen", "(line", "3)"]


def test_rows_may_have_a_language_and_another_column(tmp_path: Path) -> None:
    path = tmp_path / "people.tsv"
    path.write_text("who\tcode\nJosé\tspa-Latn\nJoan\teng-Latn\n", encoding="utf-8")
    columns = ("--column", "who", "--language-column", "code")
    answer = json.loads(ipaclip("match", "Hosé", "--names", path, *columns, "--json")[1][0])
    assert [one["language"] for one in answer["results"]] == ["spa-Latn", "eng-Latn"]


def test_an_empty_query_is_told_and_the_others_are_answered(customers: Path) -> None:
    code, out, err = ipaclip("match", "", "Steven", "--names", customers, "--top", "1")
    assert (code, out[0]) == (1, "Steven")
    assert "error: A query is empty: write a name." in err


@pytest.mark.parametrize(
    ("content", "arguments", "message"),
    [
        (TABLE, ("X", "--column", "nam"), "has no column 'nam': it has 'id', 'name', 'language'"),
        (TABLE, ("X", "--language-column", "lang"), "has no column 'lang'"),
        (TABLE, ("X", "--language", "xxx-Latn"), "'xxx-Latn'"),
        (TABLE, (), "There is no query"),
        (TABLE, ("X", "--duplicates"), "leave out the queries"),
        (TABLE, ("--duplicates", "--top", "3"), "leave out --top"),
        ("name\n", ("X",), "holds no name"),
        ("", ("X",), "holds no name"),
        ("name\ncaf\xe9\n", ("X",), "not UTF-8"),
    ],
)
def test_bad_input(tmp_path: Path, content: str, arguments: tuple[str, ...], message: str) -> None:
    path = tmp_path / "customers.csv"
    path.write_bytes(content.encode("latin-1" if "\xe9" in content else "utf-8"))
    code, out, err = ipaclip("match", "--names", path, *arguments)
    assert (code, out) == (2, [])
    assert err[-1].startswith("error: ")
    assert message in err[-1]


@pytest.mark.parametrize(("name", "message"), [("none.csv", "No such file"), ("names.xlsx", "ends with .txt, .csv")])
def test_no_such_file_and_no_such_kind(tmp_path: Path, name: str, message: str) -> None:
    code, _, err = ipaclip("match", "X", "--names", tmp_path / name)
    assert code == 2
    assert message in err[-1]


def test_a_list_of_lines_has_no_columns(tmp_path: Path) -> None:
    (tmp_path / "names.txt").write_text("Smith\n", encoding="utf-8")
    code, _, err = ipaclip("match", "X", "--names", tmp_path / "names.txt", "--column", "name")
    assert code == 2
    assert "has no columns" in err[-1]
