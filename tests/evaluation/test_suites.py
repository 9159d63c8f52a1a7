"""Suites, reports and the command: on a tiny checkpoint, and on results made by hand."""

import json
import shutil
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest
import torch
from ipaclip.cli import app
from ipaclip.evaluation.checkpoint import Checkpoint, NotRunError, Options
from ipaclip.evaluation.report import Report, SuiteResult, Table, compare, read_report, write_report
from ipaclip.evaluation.retrieval.retrieval import Placing, RetrievalReport, RetrievalRow
from ipaclip.evaluation.statistics import Interval
from ipaclip.evaluation.suites import draw, plain_report, run_suites
from ipaclip.tokenization import TranscriptionError
from typer.testing import CliRunner

NAMES = ("butterfly", "dog", "umbrella", "book", "pen", "family")
RESULT = SuiteResult(
    "human",
    [Table("Agreement", ["by", "Pearson"], [["a|b", "0.5"], ["text", "–"]])],
    {"Pearson": Interval(0.5, 0.25, 0.75), "median": 2.0, "none": None},
    ["one note"],
)
REPORT = Report("some/where", (RESULT,), {"seed": 0})


def run(*arguments):
    result = CliRunner().invoke(app, ["evaluate", *map(str, arguments)], prog_name="ipaclip")
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result


@pytest.fixture(scope="module")
def checkpoint(tiny_checkpoint):
    from ipaclip import IPAClipModel, IPAClipProcessor
    from ipaclip.search import Gallery

    model, processor = IPAClipModel.from_pretrained(tiny_checkpoint), IPAClipProcessor.from_pretrained(tiny_checkpoint)
    gallery = Gallery.load(tiny_checkpoint)
    return Checkpoint(str(tiny_checkpoint), model.eval(), processor, torch.from_numpy(gallery.image_embeds), NAMES)


@pytest.fixture(scope="module")
def phonemes(checkpoint):
    return run_suites(checkpoint, "phonemes")


@pytest.fixture
def judged(tmp_path):
    path = tmp_path / "judged.csv"
    path.write_text("word1,word2,obtained\npat,bat,3\nman,bat,1\ncat,bat,2\nsix,ten,1\n", encoding="utf-8")
    return path


@pytest.fixture
def words(tmp_path):
    rows = [("pat", "pat", "P AE1 T"), ("bat", "bat", "B AE1 T"), ("man", "man", "M AE1 N"), ("x", "😕", "")]
    path = tmp_path / "words"
    path.mkdir()
    names = ("token_ort", "token_ipa", "token_arp")
    lines = [json.dumps({**dict(zip(names, row, strict=True)), "lang": "en", "purpose": "main"}) for row in rows]
    (path / "train.jsonl").write_text("\n".join(lines), encoding="utf-8")
    return path


# --- reports ---


def test_a_table_is_aligned_and_escapes_bars():
    assert RESULT.tables[0].to_markdown().splitlines() == [
        "| by   | Pearson |",
        "| ---- | ------: |",
        "| a\\|b |     0.5 |",
        "| text |       – |",
    ]


def test_a_report_comes_back_as_it_was_written(tmp_path):
    write_report(REPORT, tmp_path / "out")
    assert read_report(tmp_path / "out") == REPORT
    assert read_report(tmp_path / "out" / "report.json") == REPORT
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["report.json", "report.md"]
    page = (tmp_path / "out" / "report.md").read_text(encoding="utf-8")
    assert page.startswith("# some/where\n\n## human\n\n**Agreement**\n\n| by ")
    assert page.endswith("- one note\n\nMade with: seed 0.\n")


def test_the_report_without_suites_has_the_figures_names_and_comes_back(checkpoint, tmp_path):
    kinds = {"names": [0, 0, 1], "one_swap": [0, 7, 20]}
    columns = ("text", "pronunciation", "heard", "both")
    rows = [
        RetrievalRow(kind, 3, 3, 0, 0, {column: Placing.of(places) for column in columns})
        for kind, places in kinds.items()
    ]
    found = RetrievalReport(tuple(rows), 30, 0, "eng-Latn", "espeak", "espeak-ng 9", {"text": Placing.of([0, 9, 9])})
    asked = replace(checkpoint, name="some/where", known={("retrieval", 0): found})
    report, same = plain_report(asked, 0)
    assert same is found
    write_report(report, tmp_path / "new")
    values = read_report(tmp_path / "new").values()
    assert values["retrieval: pictures found by names, text tower, spelling: top-1"].mean == pytest.approx(2 / 3)
    assert values["nonsense: pictures found by one_swap, both towers, spelling: top-10"].mean == pytest.approx(2 / 3)
    assert values["retrieval: names found by picture, text tower, spelling: median rank"].mean == 10
    # What was written before there was one format.
    (tmp_path / "old").mkdir()
    (tmp_path / "old" / "report.json").write_text(json.dumps(found.to_dict()))
    with pytest.raises(ValueError, match="is no report of `ipaclip evaluate`, or of an older version"):
        read_report(tmp_path / "old")


@pytest.mark.parametrize("content", ["{", "[]", '{"rows": []}', '{"rows": [3]}', '{"format": 1, "suites": []}'])
def test_what_is_no_report_says_so(tmp_path, content):
    (tmp_path / "report.json").write_text(content)
    with pytest.raises(ValueError, match="is no report of"):
        read_report(tmp_path)


def test_reports_are_compared_figure_by_figure():
    other = SuiteResult("human", [], {"Pearson": Interval(0.7, 0.6, 0.8), "new": 1.0}, [])
    table = compare([REPORT, Report("else/where2", (other,), {})])
    assert table.header == ["figure", "where", "where2"]
    assert table.rows == [
        ["human: Pearson", "0.500 [0.250, 0.750]", "0.700 [0.600, 0.800]"],
        ["human: median", "2.000", "not run"],
        ["human: none", "–", "not run"],
        ["human: new", "not run", "1.000"],
    ]
    assert compare([Report("a/x", (), {}), Report("b/x", (), {})]).header == ["figure", "a/x", "b/x"]
    with pytest.raises(ValueError, match="at least two"):
        compare([REPORT])


# --- suites ---


def test_phonemes_over_chart_and_names(phonemes):
    (suite,) = phonemes.suites
    titles = [table.title for table in suite.tables]
    assert any(title.startswith("IPA chart: Spearman") for title in titles)
    assert any(title.startswith("heard in names: Spearman") for title in titles)
    # What the embedding starts from does not hang on the model: panphon's features against panphon's distance.
    assert suite.values["IPA chart, features, vowels: rho with panphon distance"].mean > 0.9
    # An embedding of features, projected at random, keeps much of what the features say, but not all.
    features, embedding = (
        suite.values[f"IPA chart, {one}, all: rho with panphon distance"].mean for one in ("features", "embedding")
    )
    assert 0.4 < embedding < features
    for table in suite.tables:
        assert all(len(row) == len(table.header) for row in table.rows)


def test_pictures_are_drawn_and_named_in_the_report(phonemes, tmp_path):
    image = pytest.importorskip("matplotlib.image")
    report = phonemes
    drawn = draw(report, tmp_path)
    assert drawn == ["similarity.png", "map_embedding.png", "tree_embedding.png", "map_tower.png", "tree_tower.png"]
    write_report(report, tmp_path, drawn)
    page = (tmp_path / "report.md").read_text(encoding="utf-8")
    assert all(f"]({name})" in page for name in drawn)
    for name in drawn:
        pixels = image.imread(tmp_path / name)[..., :3]
        # Something is drawn on white, in more than one colour.
        assert 0.01 < (pixels.min(-1) < 0.9).mean() < 0.9
        assert np.ptp(pixels, axis=-1).max() > 0.3
    # What is drawn is what was found: the two levels lie otherwise.
    for kind in ("map", "tree"):
        first, second = ((tmp_path / f"{kind}_{level}.png").read_bytes() for level in ("embedding", "tower"))
        assert first != second


def test_human_names_what_it_leaves_out(checkpoint, judged):
    (suite,) = run_suites(checkpoint, "human", Options(judgements=judged)).suites
    assert [row[0] for row in suite.tables[0].rows] == [
        "pronunciation tower",
        "text tower",
        "phonetic distance, no model",
    ]
    assert suite.tables[1].header == ["similarity by", "bat (3)"]
    assert "Left out: ten, only 1 pair: a correlation takes 3." in suite.notes


def test_words_that_cannot_be_pronounced_are_listed(checkpoint, tmp_path, monkeypatch):
    def refuse(texts, language=None):
        mute = ("zzz", "qqq")
        return [TranscriptionError(f"{text!r} has no sound") if text in mute else text for text in texts]

    monkeypatch.setattr(checkpoint.processor, "transcribe_each", refuse)
    said, mute = checkpoint.transcribe(["pat", "zzz", "bat", "qqq", "pat"])
    assert said == {"pat": "pat", "bat": "bat"}
    assert mute == {word: f"it cannot be pronounced ('{word}' has no sound)" for word in ("zzz", "qqq")}
    path = tmp_path / "judged.csv"
    path.write_text("word1,word2,obtained\npat,bat,3\nman,bat,1\ntan,bat,2\nzzz,bat,1\n", encoding="utf-8")
    (suite,) = run_suites(checkpoint, "human", Options(judgements=path)).suites
    assert "Left out: zzz / bat, it cannot be pronounced ('zzz' has no sound)." in suite.notes


def test_constant_judgements_are_said_and_never_nan(checkpoint, tmp_path):
    path = tmp_path / "flat.csv"
    path.write_text("word1,word2,obtained\npat,bat,1\nman,bat,1\ntan,bat,1\n", encoding="utf-8")
    report = run_suites(checkpoint, "human", Options(judgements=path))
    assert "Left out: bat, all judgements are equal: correlation is undefined." in report.suites[0].notes
    assert report.values()["human: text tower: Pearson"] is None
    json.dumps(report.to_dict(), allow_nan=False)


def test_pwesuite_runs_what_the_data_allow(checkpoint, words, tmp_path):
    options = Options(pwesuite=str(words), export=tmp_path / "embd.npz")
    (suite,) = run_suites(checkpoint, "pwesuite", options).suites
    assert suite.tables[0].header == ["vectors", "articulatory correlation", "retrieval", "mean"]
    assert any("1 rows have no pronunciation and so a vector of zeros: 3 (x)." in note for note in suite.notes)
    assert any(note.startswith("human similarity: not run") for note in suite.notes)
    (vectors,) = np.load(tmp_path / "embd.npz").values()
    assert vectors.shape == (4, 16)
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), [4, 4, 4, 0], rtol=1e-5)


def test_of_all_suites_those_without_data_say_what_they_need(checkpoint):
    bare = Checkpoint("bare", checkpoint.model, checkpoint.processor)
    report = run_suites(bare)
    notes = {suite.name: suite.notes[0] for suite in report.suites}
    assert "gallery" in notes["retrieval"]
    assert "gallery" in notes["nonsense"]
    assert "word1, word2, obtained" in notes["human"]
    assert "zouharvi/pwesuite-eval" in notes["pwesuite"]
    assert report.suites[0].tables
    with pytest.raises(NotRunError, match="--human"):
        run_suites(bare, "human")


@pytest.fixture(scope="module")
def german(tiny_checkpoint, tmp_path_factory):
    """The tiny checkpoint, whose words are German."""
    directory = tmp_path_factory.mktemp("german") / "checkpoint"
    shutil.copytree(tiny_checkpoint, directory)
    file = directory / "processor_config.json"
    record = {"deu-Latn": {"backend": "epitran"}}
    values = {**json.loads(file.read_text()), "language": "deu-Latn", "transcriber": "espeak", "transcribers": record}
    file.write_text(json.dumps(values))
    return directory


def test_one_suite_that_fails_does_not_end_the_others(german, judged, tmp_path):
    result = run(german, "--suite", "all", "--human", judged, "--output", tmp_path / "out", "--no-plots")
    assert result.exit_code == 1
    report = read_report(tmp_path / "out")
    suites = {suite.name: suite for suite in report.suites}
    assert suites["phonemes"].values
    assert suites["human"].values
    assert any(note.startswith("Words are said in deu-Latn by epitran, epitran ") for note in suites["human"].notes)
    assert sorted(report.failures) == ["nonsense", "retrieval"]
    for name, why in report.failures.items():
        assert why in suites[name].notes[0]
        assert f"error: {german}, suite {name}: Names can be respelled in eng-Latn only" in result.stderr
    assert suites["pwesuite"].notes[0].startswith("Not run: ")
    # Asked for alone, it is an error as before.
    assert run(german, "--suite", "nonsense").exit_code == 2


def test_captions_are_asked_for_where_names_cannot_be_respelled(german, tmp_path):
    from PIL import Image

    for name, colour in (("Hund", "red"), ("Katze", "blue")):
        Image.new("RGB", (32, 32), colour).save(tmp_path / f"{name}.png")
    result = run(german, "--suite", "retrieval", "--pictures", tmp_path, "--json")
    assert result.exit_code == 1
    (suite,) = json.loads(result.stdout)["suites"]
    assert suite["failure"].startswith("names: Names can be respelled in eng-Latn only")
    assert suite["values"]["pictures found by caption, text tower, spelling: top-5"]["mean"] == 1.0
    assert any("Captions are said in deu-Latn by epitran" in note for note in suite["notes"])


def test_a_table_that_cannot_be_read_is_one_suite_s_failure(checkpoint, tmp_path):
    bare = Checkpoint("bare", checkpoint.model, checkpoint.processor)
    report = run_suites(bare, "all", Options(judgements=tmp_path / "none.csv"))
    assert list(report.failures) == ["human"]
    assert "none.csv" in report.failures["human"]


def test_bad_names_and_models(checkpoint):
    with pytest.raises(ValueError, match="no suite 'rhymes': choose all, phonemes"):
        run_suites(checkpoint, "rhymes")
    with pytest.raises(ValueError, match="text-only has no pronunciation tower"):
        Checkpoint("text-only", torch.nn.Linear(2, 2), None)


def test_pictures_with_captions_are_found_without_a_gallery(checkpoint, tmp_path):
    from PIL import Image

    for name, colour in (("dog", "red"), ("pen", "blue")):
        Image.new("RGB", (32, 32), colour).save(tmp_path / f"{name}.png")
    (tmp_path / "cat.png").write_bytes(b"no picture")
    bare = Checkpoint("bare", checkpoint.model, checkpoint.processor)
    (suite,) = run_suites(bare, "retrieval", Options(pictures=str(tmp_path))).suites
    assert [table.title for table in suite.tables] == [
        "pictures found by caption: share, with 95% interval",
        "captions found by picture: share, with 95% interval",
    ]
    assert any("cat" in note and note.startswith("Left out") for note in suite.notes)
    assert suite.values["pictures found by caption, text tower, spelling: top-5"].mean == 1.0


@pytest.mark.slow
def test_retrieval_and_nonsense(checkpoint, tmp_path):
    retrieval, nonsense = (run_suites(checkpoint, name).suites[0] for name in ("retrieval", "nonsense"))
    # Three pictures are embedded as their names sound, three as their names read.
    found = {
        tower: retrieval.values[f"pictures found by names, {tower}: top-1"].mean
        for tower in ("text tower, spelling", "pronunciation tower, phonemes")
    }
    assert found["text tower, spelling"] == pytest.approx(0.5, abs=0.17)
    assert found["pronunciation tower, phonemes"] == pytest.approx(0.5, abs=0.17)
    assert any(title.startswith("pictures found by one_swap") for title in (one.title for one in nonsense.tables))
    for suite in (retrieval, nonsense):
        assert all(len(row) == len(table.header) for table in suite.tables for row in table.rows)
        json.dumps(suite.to_dict(), allow_nan=False)


# --- the command ---


def assert_alike(one, other):
    """The same but for the last digits of numbers, which were computed twice."""
    if isinstance(one, dict):
        assert one.keys() == other.keys()
        one, other = list(one.values()), list(other.values())
    if isinstance(one, list):
        for mine, yours in zip(one, other, strict=True):
            assert_alike(mine, yours)
    else:
        assert one == (pytest.approx(other, abs=1e-4) if isinstance(other, float) else other)


def test_the_command_writes_what_it_prints(tiny_checkpoint, judged, tmp_path):
    result = run(tiny_checkpoint, "--suite", "human", "--human", judged, "--output", tmp_path / "out")
    assert result.exit_code == 0, result.output
    assert "| pronunciation tower" in result.stdout
    assert (tmp_path / "out" / "report.md").read_text(encoding="utf-8") == result.stdout
    printed = run(tiny_checkpoint, "--suite", "human", "--human", judged, "--json")
    written = json.loads((tmp_path / "out" / "report.json").read_text(encoding="utf-8"))
    assert_alike(json.loads(printed.stdout), written)


def test_the_command_compares_reports_and_checkpoints(tiny_checkpoint, judged, tmp_path):
    run(tiny_checkpoint, "--suite", "human", "--human", judged, "--output", tmp_path / "first")
    both = run("--compare", tmp_path / "first", tiny_checkpoint, "--suite", "human", "--human", judged, "--json")
    assert both.exit_code == 0, both.output
    table = json.loads(both.stdout)
    assert len(table["header"]) == 3
    assert table["rows"]
    assert all(first == second for _, first, second in table["rows"])


def test_the_command_exports_embeddings(tiny_checkpoint, words, tmp_path):
    result = run(tiny_checkpoint, "--export-embeddings", tmp_path / "embd.pkl", "--pwesuite", words)
    assert result.stdout == f"{tmp_path / 'embd.pkl'}: 4 vectors of 16 dimensions\n"
    assert "1 rows have no pronunciation" in result.stderr


def test_the_command_says_what_is_wrong(tiny_checkpoint, tiny_checkpoint_copy, judged, tmp_path):
    def complaint(*arguments):
        result = run(*arguments)
        assert result.exit_code == 2
        # Notes of progress are on stderr, too, where another command of this process asked for them.
        (line,) = [line for line in result.stderr.splitlines() if line.startswith("error:")]
        return line

    assert "--human TABLE.csv" in complaint(tiny_checkpoint, "--suite", "human")
    assert "belong to suites" in complaint(tiny_checkpoint, "--human", judged)
    assert "one is evaluated at a time" in complaint("a", "b")
    assert "two or more" in complaint("--compare", "a")
    judged.write_text("word1,obtained\npat,1\n", encoding="utf-8")
    assert "has no column word2" in complaint(tiny_checkpoint, "--suite", "human", "--human", judged)
    table = tmp_path / "table.csv"
    for content, message in (
        (f"image,caption\na.png,{'x' * 200_000}\n".encode(), "table.csv:2: the row cannot be read: field larger than"),
        ("image,caption\nnaïve.png,dog\n".encode("latin-1"), "table.csv:2: the row is not UTF-8 at byte 3: save the"),
        ("image,caption\na.png,dog\n".encode("utf-16"), "table.csv is in UTF-16: save it as UTF-8"),
        (
            b'image,caption\na.png,"open\nb.png,dog\n',
            "table.csv:2: the row cannot be read: a quotation mark is not closed",
        ),
    ):
        table.write_bytes(content)
        assert message in complaint(tiny_checkpoint, "--suite", "retrieval", "--pictures", table)
    table.write_text(f"word1,word2,obtained\n{'x' * 200_000},a,1\n", encoding="utf-8")
    assert "table.csv:2: " in complaint(tiny_checkpoint, "--suite", "human", "--human", table)
    assert "no file" in complaint(tiny_checkpoint, "--suite", "pwesuite", "--pwesuite", tmp_path / "none.csv")
    assert "none.csv" in complaint(tiny_checkpoint, "--suite", "human", "--human", tmp_path / "none.csv")
    config = json.loads((tiny_checkpoint_copy / "config.json").read_text())
    (tiny_checkpoint_copy / "config.json").write_text(json.dumps({**config, "model_type": "clip"}))
    assert "type 'clip', without a pronunciation tower" in complaint(tiny_checkpoint_copy, "--suite", "phonemes")


def test_a_checkpoint_without_gallery_has_phonemes(tiny_checkpoint_copy):
    for name in ("gallery.json", "gallery.safetensors"):
        (tiny_checkpoint_copy / name).unlink()
    result = run(tiny_checkpoint_copy, "--suite", "phonemes")
    assert result.exit_code == 0, result.output
    assert "No names of pictures are known" in result.stdout


def test_a_library_that_is_missing_names_the_extra(checkpoint, judged, monkeypatch):
    monkeypatch.setitem(sys.modules, "scipy.stats", None)
    with pytest.raises(ImportError, match=r'needs scipy.* pip install "ipaclip\[evaluation\]"'):
        run_suites(checkpoint, "human", Options(judgements=judged))


def test_pictures_are_asked_for_without_the_extra(tmp_path):
    program = """
import sys
for name in ("scipy", "sklearn", "matplotlib", "jellyfish", "metaphone"):
    sys.modules[name] = None
from ipaclip.evaluation import Query, bootstrap_mean, build_queries, evaluate_retrieval, further_respellings
from ipaclip.evaluation.retrieval.retrieval import Placing
from ipaclip.evaluation.suites import plain_report
from ipaclip.search import PictureSearch
from ipaclip.search.fusion import fuse
print(Placing.of([0, 3]).recall[1].mean, bootstrap_mean([0, 1]).mean)
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False, cwd=tmp_path)
    assert done.stdout == "0.5 0.5\n", done.stderr
