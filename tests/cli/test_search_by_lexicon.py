"""`ipaclip search` beside a lexicon, and `ipaclip lexicon`."""

import shutil
from pathlib import Path

import pytest
from ipaclip.lexicon import Entry, Lexicon
from ipaclip.search import PictureSearch, Score, Witness
from test_cli import ipaclip


@pytest.fixture(scope="module")
def checkpoint(tiny_checkpoint: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The tiny checkpoint with a lexicon whose words mean two of its texts."""
    directory = tmp_path_factory.mktemp("search") / "checkpoint"
    shutil.copytree(tiny_checkpoint, directory)
    pictures = PictureSearch.from_checkpoint(directory)
    entries = [Entry("tome", "eng-Latn", "book", 1.0, ("toʊm",)), Entry("quill", "eng-Latn", "pen", 1.0, ("kwɪl",))]
    Lexicon.build(entries, pictures.model, pictures.processor).save(directory)
    witnesses = Witness(-9.0, 60.0), Witness(0.0, 60.0), Witness(-9.0, 60.0)
    Score(*witnesses, nothing=-6.0, threshold=0.3).save(directory)
    return directory


def test_why(checkpoint: Path) -> None:
    result = ipaclip("search", "--checkpoint", checkpoint, "--ipa", "doʊm", "--why", "--top", "1")
    assert (result.code, result.err) == (0, [])
    assert result.out[1].split()[:2] == ["📖", "book"]
    assert "doʊm → tome (eng-Latn)" in result.out[3]
    assert result.out[4].split() == ["tome", "t", "o", "ʊ", "m"]
    assert result.out[5].split() == ["doʊm", "d", "o", "ʊ", "m"]


def test_json_has_the_reading_and_whether_anything_fits(checkpoint: Path) -> None:
    result = ipaclip("search", "--checkpoint", checkpoint, "--ipa", "--json", "kwɪl", "ʃʒθðŋŋʃʒθ")
    found, strange = result.json
    assert found["fits"] is True
    assert found["results"][0]["reading"]["words"] == "quill"
    assert strange["fits"] is False
    shown = ipaclip("search", "--checkpoint", checkpoint, "--ipa", "ʃʒθðŋŋʃʒθ")
    assert shown.out[1] == "  nothing fits; the nearest are"


def test_what_cannot_be_read_does_not_stop_the_others(checkpoint: Path) -> None:
    result = ipaclip("search", "--checkpoint", checkpoint, "--ipa", "--json", "ˈ", "kwɪl", "k" * 501)
    assert result.code == 1
    assert [bool(answer["results"]) for answer in result.json] == [False, True, False]
    assert "holds no consonant or vowel" in result.err[0]
    assert "501 signs" in result.err[1]


def test_one_tower_alone_gives_cosines(checkpoint: Path, tiny_checkpoint: Path) -> None:
    alone = ipaclip("search", "--checkpoint", checkpoint, "--sound", "--ipa", "--json", "dɔɡ")
    without = ipaclip("search", "--checkpoint", tiny_checkpoint, "--ipa", "--json", "dɔɡ")
    assert alone.json == without.json
    assert "fits" not in alone.json[0]


def test_a_lexicon_from_elsewhere(tiny_checkpoint: Path, checkpoint: Path, tmp_path: Path) -> None:
    result = ipaclip("search", "--checkpoint", tiny_checkpoint, "--lexicon", checkpoint, "--ipa", "--json", "kwɪl")
    assert result.json[0]["results"][0]["reading"]["words"] == "quill"
    missing = ipaclip("search", "--checkpoint", tiny_checkpoint, "--lexicon", tmp_path, "--ipa", "kwɪl")
    assert missing.code == 2
    assert "lexicon.tsv" in missing.err[0]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--why",), "has no lexicon"),
        (("--why", "--sound"), "leave out --why or --sound"),
        (("--sound", "--fuse"), "two ways of asking"),
    ],
)
def test_what_does_not_go_together(tiny_checkpoint: Path, arguments: tuple[str, ...], message: str) -> None:
    result = ipaclip("search", "--checkpoint", tiny_checkpoint, "dog", *arguments)
    assert result.code == 2
    assert message in result.err[0]


def test_a_lexicon_is_built_taken_from_and_searched(tiny_checkpoint: Path, tmp_path: Path) -> None:
    words = tmp_path / "words.tsv"
    words.write_text("word\tmeaning\tipa\ntome\tbook\ttoʊm\nquill\tpen\tkwɪl\n", encoding="utf-8")
    output = tmp_path / "lexicon"
    made = ipaclip("lexicon", words, "--output", output, "--checkpoint", tiny_checkpoint)
    assert made.code == 0
    assert made.out == [f"2 words, 2 pronunciations: {output}"]
    less = tmp_path / "less.txt"
    less.write_text("tome\n", encoding="utf-8")
    gone = ipaclip("lexicon", less, "--output", output, "--remove")
    assert gone.out == [f"1 entries taken out, 1 left: {output}"]
    assert [Lexicon.load(output)[0].word] == ["quill"]
    bad = tmp_path / "bad.csv"
    bad.write_text("name\nx\n", encoding="utf-8")
    wrong = ipaclip("lexicon", bad, "--output", output, "--checkpoint", tiny_checkpoint)
    assert wrong.code == 2
    assert "bad.csv" in wrong.err[0]
    assert "'name' is no column" in wrong.err[0]
