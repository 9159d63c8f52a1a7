"""The `ipaclip` command: what it prints, what it complains of, and how it ends."""

import json
import logging
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from ipaclip.cli import app
from ipaclip.search import PictureSearch
from typer.testing import CliRunner

COMMAND = [sys.executable, "-c", "from ipaclip.cli import main; main()"]


class Result:
    """How a command ended: its exit code, the lines it printed, and those on stderr."""

    def __init__(self, code: int, out: str, err: str) -> None:
        self.code, self.out, self.err = code, out.splitlines(), err.splitlines()

    @property
    def json(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.out]


def ipaclip(*arguments: str | Path, stdin: str | bytes = "") -> Result:
    result = CliRunner().invoke(app, [str(argument) for argument in arguments], input=stdin, prog_name="ipaclip")
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    return Result(result.exit_code, result.stdout, result.stderr)


def characters(results: list[dict[str, Any]]) -> list[str]:
    return [result["character"] for result in results]


# --- search ---


def test_search_prints_columns(tiny_checkpoint: Path) -> None:
    result = ipaclip("search", "--checkpoint", tiny_checkpoint, "--ipa", "bʌtɚflaɪ", "--top", "2")
    assert (result.code, result.err) == (0, [])
    assert result.out[:2] == ["/bʌtɚflaɪ/", "  🦋  butterfly   1.000"]
    assert len(result.out) == 3


def test_search_names_the_query_and_what_was_heard(tiny_checkpoint: Path) -> None:
    result = ipaclip("search", "--checkpoint", tiny_checkpoint, "--language", "pol-Latn", "kot", "--top", "1")
    assert result.code == 0
    assert result.out[0] == "kot  /kɔt/"  # as dictionaries have it


def test_search_in_json_agrees_with_the_api(tiny_checkpoint: Path) -> None:
    result = ipaclip("search", "--checkpoint", tiny_checkpoint, "--ipa", "--json", "ʌmbɹɛlə", "dɔɡ")
    assert [answer["query"] for answer in result.json] == ["ʌmbɹɛlə", "dɔɡ"]
    assert [answer["ipa"] for answer in result.json] == ["ʌmbɹɛlə", "dɔɡ"]
    assert [characters(answer["results"])[0] for answer in result.json] == ["☂️", "🐶"]
    hits = PictureSearch.from_checkpoint(tiny_checkpoint).search(["ʌmbɹɛlə"], by="ipa")[0]
    assert result.json[0]["results"] == [
        {"character": hit.entry.character, "name": hit.entry.name, "score": pytest.approx(hit.score, abs=5e-5)}
        for hit in hits
    ]
    assert len(hits) == 5


def test_search_by_text(tiny_checkpoint: Path) -> None:
    (answer,) = ipaclip("search", "--checkpoint", tiny_checkpoint, "--text", "--json", "--top", "1", "pen").json
    assert answer["results"] == [{"character": "🖋️", "name": "pen", "score": pytest.approx(1, abs=1e-4)}]
    assert "ipa" not in answer
    assert "text_results" not in answer


def test_search_by_both(tiny_checkpoint: Path) -> None:
    base = ("search", "--checkpoint", tiny_checkpoint, "--language", "pol-Latn", "--top", "1")
    (answer,) = ipaclip(*base, "--both", "--json", "book").json
    (sound,) = ipaclip(*base, "--json", "book").json
    assert characters(answer["text_results"]) == ["📖"]
    assert answer["results"] == sound["results"]
    assert answer["results"] != answer["text_results"]
    plain = ipaclip(*base, "--both", "book").out
    assert plain[0] == f"book  /{answer['ipa']}/"
    assert plain[1].split() == ["by", "sound", "by", "text"]
    (best,) = sound["results"]
    assert plain[2].split() == [
        *(best["character"], best["name"], f"{best['score']:.3f}"),
        *("📖", "book", "1.000"),
    ]


def test_columns_stand_below_each_other_whatever_the_width_of_the_emoji(tiny_checkpoint: Path) -> None:
    from rich.cells import cell_len

    lines = ipaclip("search", "--checkpoint", tiny_checkpoint, "--ipa", "dɔɡ", "--top", "6").out[1:]
    names = ("butterfly", "dog", "umbrella", "book", "pen", "family")
    starts = {cell_len(line[: line.index(name)]) for line in lines for name in names if name in line}
    assert starts == {6}  # two blanks, two cells of emoji, two blanks
    assert len({cell_len(line) for line in lines}) == 1


def test_queries_from_file_and_stdin(tiny_checkpoint: Path, tmp_path: Path) -> None:
    file = tmp_path / "queries.txt"
    file.write_bytes("\ufeffdɔɡ\r\n\r\n   \r\n bʌtɚflaɪ \r\n".encode())
    base = ("search", "--checkpoint", tiny_checkpoint, "--ipa", "--json")
    assert [answer["query"] for answer in ipaclip(*base, "--queries", file).json] == ["dɔɡ", "bʌtɚflaɪ"]
    answers = ipaclip(*base, "ʌmbɹɛlə", "--queries", "-", stdin="dɔɡ\n\n").json
    assert [answer["query"] for answer in answers] == ["ʌmbɹɛlə", "dɔɡ"]


def test_list(tiny_checkpoint: Path) -> None:
    plain = ipaclip("search", "--list", "--checkpoint", tiny_checkpoint)
    assert (plain.code, plain.out[0], len(plain.out)) == (0, "🦋  butterfly", 6)
    listed = ipaclip("search", "--list", "--json", "--checkpoint", tiny_checkpoint).json
    assert listed[1] == {"character": "🐶", "name": "dog"}


def test_the_embedded_checkpoint_is_the_default(tiny_checkpoint: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ipaclip.embedded_checkpoint", lambda: str(tiny_checkpoint))
    assert len(ipaclip("search", "--list").out) == 6


def test_what_cannot_be_said_does_not_stop_the_others(tiny_checkpoint: Path) -> None:
    base = ("search", "--checkpoint", tiny_checkpoint, "--language", "pol-Latn", "--top", "1")
    queries = ("kot", "!!!", "蝴蝶", " ", "dom")
    result = ipaclip(*base, "--json", *queries)
    assert result.code == 1
    assert [answer["query"] for answer in result.json] == list(queries)
    assert [len(answer["results"]) for answer in result.json] == [1, 0, 0, 0, 1]
    assert ["error" in answer for answer in result.json] == [False, True, True, True, False]
    assert ["ipa" in answer for answer in result.json] == [True, False, False, False, True]
    assert [line.startswith("error: ") for line in result.err] == [True] * 3
    assert "'!!!'" in result.err[0]
    assert "'蝴蝶'" in result.err[1]

    plain = ipaclip(*base, *queries)
    assert (plain.code, plain.err) == (1, result.err)
    assert [line.split()[0] for line in plain.out if not line.startswith(" ")] == ["kot", "dom"]


def test_the_text_tower_answers_what_cannot_be_said(tiny_checkpoint: Path) -> None:
    base = ("search", "--checkpoint", tiny_checkpoint, "--language", "pol-Latn", "--both", "--top", "1")
    result = ipaclip(*base, "--json", "蝴蝶")
    assert result.code == 1
    assert result.json[0]["results"] == []
    assert len(result.json[0]["text_results"]) == 1
    plain = ipaclip(*base, "蝴蝶").out
    assert plain[1].index("by text") == 14
    assert plain[2].startswith(" " * 14)


def test_unknown_signs_are_warned_of_once(tiny_checkpoint: Path) -> None:
    result = ipaclip("search", "--checkpoint", tiny_checkpoint, "--ipa", "bʌ☃t", "--json")
    assert result.code == 0
    (warning,) = result.err
    assert warning.startswith("warning: ")
    assert "'☃' at 2" in warning


def test_what_holds_no_ipa_is_not_searched_for(tiny_checkpoint: Path) -> None:
    result = ipaclip("search", "--checkpoint", tiny_checkpoint, "--ipa", "☃ 蝴蝶", "dɔɡ", "--json")
    assert result.code == 1
    assert [bool(answer["results"]) for answer in result.json] == [False, True]
    assert result.err == ["error: '☃ 蝴蝶' holds no sign of IPA: leave out --ipa if it is spelled."]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--ipa", "--text", "x"), "The text tower cannot read IPA: leave out --ipa or --text."),
        (("--ipa", "--both", "x"), "The text tower cannot read IPA: leave out --ipa or --both."),
        (("--text", "--both", "x"), "--text and --both are two ways of asking: leave out one of them."),
        (("--text", "--language", "eng-Latn", "x"), "leave out --language or --text."),
        (("--list", "x"), "--list takes no queries"),
        ((), "There is no query: try `ipaclip search batterfly`"),
        (("--queries", "-"), "There is no query"),
        (("--queries", "/no/such/file"), "/no/such/file: No such file or directory"),
        (("--checkpoint", "/no/such", "x"), "There is no directory /no/such"),
        (("--checkpoint", "nobody/nothing", "x"), "There is no directory nobody/nothing, and the Hub did not give"),
    ],
)
def test_what_is_wrong_is_one_line_and_exit_code_two(arguments: tuple[str, ...], message: str) -> None:
    result = ipaclip("search", *arguments)
    assert (result.code, result.out, len(result.err)) == (2, [], 1)
    assert result.err[0].startswith("error: ")
    assert message in result.err[0]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--ipa", "--language", "eng-Latn", "x"), "leave out --language or --ipa."),
        (("--top", "7", "x"), "--top 7 is too many: the gallery has 6 pictures."),
        (("--language", "xxx-Latn", "x"), "'xxx-Latn'"),
    ],
)
def test_what_only_the_checkpoint_can_tell(arguments: tuple[str, ...], message: str, tiny_checkpoint: Path) -> None:
    result = ipaclip("search", "--checkpoint", tiny_checkpoint, *arguments)
    assert (result.code, result.out, len(result.err)) == (2, [], 1)
    assert message in result.err[0]


def test_a_damaged_checkpoint_is_one_line(tiny_checkpoint_copy: Path) -> None:
    for name, content in (("gallery.json", b"{"), ("model.safetensors", b"abc"), ("config.json", b"{")):
        path = tiny_checkpoint_copy / name
        whole = path.read_bytes()
        path.write_bytes(content)
        result = ipaclip("search", "--checkpoint", tiny_checkpoint_copy, "--ipa", "dɔɡ")
        assert (result.code, result.out, len(result.err)) == (2, [], 1), name
        path.write_bytes(whole)


def test_a_file_in_another_encoding_is_named(tmp_path: Path) -> None:
    file = tmp_path / "latin1.txt"
    file.write_bytes("ok\ncafé".encode("latin-1"))
    for command, option in (("search", "--queries"), ("transcribe", "--file")):
        assert ipaclip(command, option, file).err == [f"error: {file} is not UTF-8 at byte 6: save it as UTF-8."]


@pytest.mark.parametrize("arguments", [("--top", "0", "x"), ("--top", "many", "x"), ("--nonsense",)])
def test_usage_errors_are_typers(arguments: tuple[str, ...]) -> None:
    result = ipaclip("search", *arguments)
    assert result.code == 2
    assert "Usage: ipaclip search" in "\n".join(result.err)


# --- transcribe, languages ---


def test_transcribe() -> None:
    assert ipaclip("transcribe", "--language", "pol-Latn", "kot", "las").out == ["kɔt", "las"]
    result = ipaclip("transcribe", "--language", "pol-Latn", "--json", "--file", "-", stdin="kot\n\nlas\n")
    assert result.json == [
        {"text": "kot", "ipa": "kɔt"},
        {"text": "", "ipa": ""},
        {"text": "las", "ipa": "las"},
    ]
    assert ipaclip("transcribe", "--language", "pol-Latn", stdin="kot").out == ["kɔt"]


def test_transcribe_says_english() -> None:
    pytest.importorskip("phonemizer")
    (ipa,) = ipaclip("transcribe", "dog").out
    assert ipa[0] == "d"
    assert ipa[-1] in "gɡ"


def test_transcribe_keeps_lines_parallel() -> None:
    words = ["kot"] * 300 + ["!!!"] + ["las"] * 300
    result = ipaclip("transcribe", "--language", "pol-Latn", stdin="\n".join(words))
    assert (result.code, len(result.err)) == (1, 1)
    assert result.out == ["kɔt"] * 300 + [""] + ["las"] * 300
    (answer,) = ipaclip("transcribe", "--language", "pol-Latn", "--json", "!!!").json
    assert set(answer) == {"text", "error"}


@pytest.mark.parametrize("backend", ["epitran", "espeak"])
def test_a_line_in_is_a_line_out(tmp_path: Path, backend: str) -> None:
    if backend == "espeak":
        pytest.importorskip("phonemizer")
    inside = ["\u2028", "\u2029", "\x0b", "\x0c", "\x1c", "\x85", "\r"]
    lines = ["kot", "", *(f"kot{sign}las" for sign in inside), " \t", "dom"]
    command = ("transcribe", "--language", "pol-Latn", "--backend", backend)
    alone = dict(zip(("kot", "las", "dom"), ipaclip(*command, "kot", "las", "dom").out, strict=True))
    for content in ("\n".join(lines), "\r\n".join(lines) + "\r\n"):
        (tmp_path / "in.txt").write_bytes(content.encode())
        for source in ({"stdin": content.encode()}, {}):
            arguments = command if source else (*command, "--file", tmp_path / "in.txt")
            result = CliRunner().invoke(app, list(map(str, arguments)), input=source.get("stdin", b""))
            assert (result.exit_code, result.stderr) == (0, "")
            said = result.stdout.split("\n")
            assert said.pop() == ""
            assert len(said) == len(lines)
            assert (said[0], said[1], said[-2], said[-1]) == (alone["kot"], "", "", alone["dom"])
            for line in said[2:-2]:
                assert line.split() == [alone["kot"], alone["las"]]


def test_blank_lines_alone_are_answered_and_an_empty_file_is_not(tmp_path: Path) -> None:
    result = ipaclip("transcribe", "--language", "pol-Latn", stdin="\n\n")
    assert (result.code, result.out, result.err) == (0, ["", ""], [])
    assert "nothing to transcribe" in ipaclip("transcribe", stdin="").err[0]


@pytest.mark.parametrize("arguments", [(), ("--language", "xxx-Latn", "word"), ("--file", "/no/such/file")])
def test_transcribe_complains(arguments: tuple[str, ...]) -> None:
    result = ipaclip("transcribe", *arguments)
    assert (result.code, result.out, len(result.err)) == (2, [], 1)


def test_transcribe_a_file(tmp_path: Path) -> None:
    source, output = tmp_path / "in.csv", tmp_path / "out.csv"
    source.write_text("word\nkot\n!!!\nlas\n", encoding="utf-8")
    command = ("transcribe", source, "--output", output, "--column", "word", "--language", "pol-Latn")
    result = ipaclip(*command)
    assert (result.code, result.out) == (1, [f"{output}: 2 of 3 rows transcribed"])
    assert result.err[-1] == f"warning: 1 rows were set aside, with reasons: {tmp_path / 'rejected.jsonl'}"
    assert output.read_text(encoding="utf-8") == "word,ipa\nkot,kɔt\nlas,las\n"
    again = ipaclip(*command)
    assert (again.code, again.out) == (2, [])
    assert again.err == [f"error: {output} exists: choose another output, or allow overwriting it (--overwrite)."]
    source.write_text("word\nkot\n", encoding="utf-8")
    assert ipaclip(*command, "--overwrite").code == 0
    assert not (tmp_path / "rejected.jsonl").exists()


def test_transcribe_a_file_shows_how_far_it_is(tmp_path: Path) -> None:
    (tmp_path / "in.txt").write_text("kot\nlas\n", encoding="utf-8")
    result = ipaclip("transcribe", tmp_path / "in.txt", "--output", tmp_path / "out.txt", "--language", "pol-Latn")
    assert (tmp_path / "out.txt").read_text(encoding="utf-8") == "kɔt\nlas\n"
    assert "2/2" in "".join(result.err)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("dog", "--num-proc", "2", "--ipa-column", "x"), "--ipa-column, --num-proc: only for a file or data set"),
        (("dog", "--overwrite"), "--overwrite: only for a file or data set"),
        (("--output", "out.txt"), "exactly one INPUT"),
        (("a.txt", "b.txt", "--output", "out.txt"), "exactly one INPUT"),
        (("a.txt", "--output", "out.txt", "--json"), "leave out --file and --json"),
        (("a.txt", "--output", "out.txt", "--file", "b.txt"), "leave out --file and --json"),
        (("none.txt", "--output", "out.txt"), "none.txt: No such file"),
        (("dog", "--backend", "flite"), "'flite'"),
    ],
)
def test_transcribe_tells_words_from_files(
    arguments: tuple[str, ...], message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    result = ipaclip("transcribe", *arguments)
    assert (result.code, result.out, len(result.err)) == (2, [], 1)
    assert message in result.err[0]
    assert list(tmp_path.iterdir()) == []


def test_languages() -> None:
    lines = ipaclip("languages").out
    assert "eng-Latn" in [line.split()[0] for line in lines]
    listed = {answer["language"]: answer["backends"] for answer in ipaclip("languages", "--json").json}
    assert len(listed) == len(lines)
    assert listed["eng-Latn"][0] == "espeak"


# --- the command as a whole ---


def test_debug_shows_the_traceback(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ValueError, match="There is no query"):
        ipaclip("--debug", "search")
    monkeypatch.setenv("IPACLIP_DEBUG", "1")
    with pytest.raises(ValueError, match="There is no query"):
        ipaclip("search")


def test_our_own_mistakes_stay_tracebacks(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(_: str) -> None:
        raise AttributeError("a mistake in the code")

    monkeypatch.setattr("ipaclip.search.local_checkpoint", broken)
    with pytest.raises(AttributeError):
        ipaclip("search", "x", "--checkpoint", ".")


def test_interrupted_it_ends_with_130(monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(_: str) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("ipaclip.search.local_checkpoint", interrupted)
    result = ipaclip("search", "x", "--checkpoint", ".")
    assert (result.code, result.out, result.err) == (130, [], [])


def test_version() -> None:
    from importlib.metadata import version

    assert ipaclip("--version").out == [f"ipaclip {version('ipaclip')}"]


def test_a_reader_who_leaves_is_no_error() -> None:
    process = subprocess.Popen([*COMMAND, "languages"], stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    assert process.stdout is not None
    assert process.stderr is not None
    process.stdout.close()
    assert process.stderr.read() == b""
    process.stderr.close()
    assert process.wait() != 0


def test_nothing_but_the_answer_is_printed(tiny_checkpoint: Path) -> None:
    """In a process of its own, online, in a locale without emoji: no bars, no chatter, no look at the network."""
    code = (
        "import socket, sys\n"
        "def refuse(*arguments): print('network:', arguments, file=sys.stderr); raise OSError\n"
        "socket.getaddrinfo = socket.socket.connect = refuse\n"
        "from ipaclip.cli import main; main()"
    )
    ours = {"HF_HUB_OFFLINE", "HF_HUB_DISABLE_PROGRESS_BARS", "TRANSFORMERS_VERBOSITY"}
    environment = {name: value for name, value in os.environ.items() if name not in ours}
    done = subprocess.run(
        [sys.executable, "-c", code, "search", "--checkpoint", tiny_checkpoint, "--ipa", "dɔɡ", "--top", "1"],
        capture_output=True,
        env={**environment, "PYTHONIOENCODING": "ascii"},
        check=False,
    )
    assert (done.stdout.decode("utf-8"), done.stderr, done.returncode) == ("/dɔɡ/\n  🐶  dog   1.000\n", b"", 0)


@pytest.fixture(autouse=True)
def leave_logging_as_it_was() -> Any:
    ours = logging.getLogger("ipaclip")
    handlers = list(ours.handlers)
    yield
    ours.handlers[:] = handlers
