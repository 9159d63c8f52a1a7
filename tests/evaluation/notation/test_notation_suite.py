"""The same words as different transcribers and dictionaries write them."""

import json

import pytest
from ipaclip.cli import app
from ipaclip.evaluation.checkpoint import Checkpoint, NotRunError, Options
from ipaclip.evaluation.notation.notations import WordList, notations_of, read_dictionary
from ipaclip.evaluation.suites import run_suites
from typer.testing import CliRunner

NAMES = ("butterfly", "Dog", "umbrella", "book", "pen", "family")
ROWS = (
    "eng-us,butterfly,bʌtɚflaɪ,butterfly",
    "deu-Latn,Hund,hʊnt,dog",
    "eng-us,pens,dɔɡ,DOG",
    "eng-us,penny,ʌmbɹɛlə,umbrella",
    "eng-us,book,bʊk,book",
    "eng-us,zebra,ziːbɹə,zebra",
)


@pytest.fixture
def table(tmp_path):
    path = tmp_path / "dictionary.csv"
    path.write_text("\n".join(["language,word,ipa,emoji_name", *ROWS]) + "\n", encoding="utf-8")
    return path


@pytest.fixture(scope="module")
def checkpoint(tiny_checkpoint):
    pytest.importorskip("phonemizer")
    return Checkpoint.load(str(tiny_checkpoint))


def test_a_table_is_read_by_language_and_what_it_does_not_name_is_counted(table):
    lists, unknown = read_dictionary(table, NAMES)
    assert unknown == 1
    english = WordList(
        "eng-us",
        "eng-Latn",
        ("butterfly", "pens", "penny", "book"),
        (0, 1, 2, 3),
        ("bʌtɚflaɪ", "dɔɡ", "ʌmbɹɛlə", "bʊk"),
    )
    assert lists == [english, WordList("deu-Latn", "deu-Latn", ("Hund",), (1,), ("hʊnt",))]
    table.write_text(table.read_text(encoding="utf-8").replace("emoji_name", "name"), encoding="utf-8")
    assert read_dictionary(table, NAMES) == (lists, 1)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("language,word,name\nx,y,pen\n", r"has no column ipa; it needs language, word, ipa"),
        ("language,word,ipa\nx,y,pɛn\n", r"table.csv:2: there is no column name; it needs language, word, ipa, name"),
        ("language,word,ipa,name\na,b,pɛn,pen\na,,pɛn,pen\n", r"table.csv:3: word is empty"),
        ("language,word,ipa,name\na,b,ˈ12,pen\n", r"table.csv:2: 'ˈ12' holds no consonant or vowel of IPA"),
        ("language,word,ipa,name\na,b,pɛn,quill\n", r"none of its 1 rows names a picture of the gallery"),
    ],
)
def test_a_bad_table_is_refused_with_file_and_line(tmp_path, text, message):
    path = tmp_path / "table.csv"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(ValueError, match=message):
        read_dictionary(path, NAMES)


def test_transcribers_write_the_same_words_otherwise():
    pytest.importorskip("phonemizer")
    words = WordList("eng-Latn", "eng-Latn", ("teacher", "car"), (0, 1), ("tit͡ʃɚ", "kɑr"))
    missing = {}
    said = {notation.name: notation.ipa for notation in notations_of(words, "mine", missing)}
    assert list(said) == [
        "mine",
        "espeak-ng",
        "espeak-ng, no stress",
        "espeak-ng, no length",
        "espeak-ng, neither",
        "espeak-ng, eng-Latn-gb",
        "CMU dictionary",
    ]
    assert said["mine"] == ("tit͡ʃɚ", "kɑr")
    assert said["espeak-ng"][1] == "kˈɑːɹ"
    assert [said[f"espeak-ng, {which}"][1] for which in ("no stress", "no length", "neither")] == [
        "kɑːɹ",
        "kˈɑɹ",
        "kɑɹ",
    ]
    assert "ɹ" not in said["espeak-ng, eng-Latn-gb"][1]
    assert not missing
    # What changes nothing is no notation of its own, and epitran has German.
    german = WordList("deu-Latn", "deu-Latn", ("Katze",), (0,))
    assert [one.name for one in notations_of(german, "", missing)] == ["espeak-ng", "espeak-ng, no stress", "epitran"]
    klingon = WordList("tlh-Latn", "tlh-Latn", ("qaw",), (0,), ("qʰɑw",))
    assert [one.name for one in notations_of(klingon, "mine", missing)] == ["mine"]
    assert missing == {"tlh-Latn by any transcriber": "none of them has this language"}


def test_figures_by_language_and_notation(checkpoint, table):
    with table.open("a", encoding="utf-8") as file:
        file.write("tlh-Latn,paq,bʊk,book\n")
    (suite,) = run_suites(checkpoint, "notation", Options(dictionary=table)).suites
    names, words = suite.tables
    assert names.title.startswith("the 6 names of the gallery")
    assert words.title.startswith("the words of dictionary.csv")
    assert words.header == ["language", "notation", "n", "pronunciation tower", "nearest name by phonetic distance"]
    rows = {tuple(row[:2]): row[2:] for row in words.rows}
    assert rows["eng-us", "dictionary.csv"][0] == "4"
    # Three pictures are embedded as they sound here, letter for letter; the book is where the text tower puts it.
    values = {name.removeprefix("dictionary.csv, "): value for name, value in suite.values.items()}
    tower = values["eng-us, dictionary.csv, pronunciation tower: top-1"]
    assert tower.mean == 0.75
    assert 0 <= tower.low < 0.75 < tower.high <= 1
    assert values["eng-us, dictionary.csv, nearest name by phonetic distance: top-1"].mean == 1.0
    # Pens are dogs to this table, and a penny an umbrella: as they are spelled, both lie nearest to the pen.
    assert values["eng-us, espeak-ng, nearest name by phonetic distance: top-1"].mean == 0.5
    assert values["deu-Latn, epitran, nearest name by phonetic distance: top-1"].mean == 1.0
    assert rows["tlh-Latn", "dictionary.csv"][2] == "–"
    assert values["names, eng-Latn, espeak-ng, no stress, nearest name by phonetic distance: top-1"].mean == 1.0
    assert "dictionary.csv: 1 of 7 rows name no picture of the gallery, and are left out." in suite.notes
    assert "Nearest name in deu-Latn: of 1 names." in suite.notes
    assert any(note.startswith("Left out: nearest name by phonetic distance in tlh-Latn: ") for note in suite.notes)
    json.dumps(suite.to_dict(), allow_nan=False)


def test_a_lexicon_has_a_column_and_names_in_its_languages(tiny_checkpoint_copy, table):
    pytest.importorskip("phonemizer")
    from ipaclip.lexicon import Entry, Lexicon

    bare = Checkpoint.load(str(tiny_checkpoint_copy))
    words = [*(Entry(name, "eng-Latn") for name in bare.names), Entry("Schirm", "deu-Latn", "umbrella")]
    Lexicon.build(words, bare.model, bare.processor).save(tiny_checkpoint_copy)
    checkpoint = Checkpoint.load(str(tiny_checkpoint_copy))
    (suite,) = run_suites(checkpoint, "notation", Options(dictionary=table)).suites
    assert suite.tables[0].header[-1] == "nearest words of the lexicon, then text tower"
    # Hund of the table, and Schirm of the lexicon.
    assert "Nearest name in deu-Latn: of 2 names." in suite.notes
    figure = "names, eng-Latn, espeak-ng, nearest words of the lexicon, then text tower: top-1"
    # Read as names, the three pictures that are embedded by text are found, and the others by chance.
    assert suite.values[figure].mean >= 0.5


def test_without_pictures_nothing_can_be_found(checkpoint, table):
    bare = Checkpoint("bare", checkpoint.model, checkpoint.processor)
    with pytest.raises(NotRunError, match="no gallery"):
        run_suites(bare, "notation", Options(dictionary=table))


def test_the_command(tiny_checkpoint, table):
    pytest.importorskip("phonemizer")

    def run(*arguments):
        return CliRunner().invoke(app, ["evaluate", str(tiny_checkpoint), *map(str, arguments)], prog_name="ipaclip")

    result = run("--suite", "notation", "--dictionary", table)
    assert result.exit_code == 0, result.output
    assert "## notation" in result.stdout
    assert "--dictionary belong to suites" in run("--dictionary", table).stderr
    table.write_text("language,word,ipa,name\na,b,,pen\n", encoding="utf-8")
    wrong = run("--suite", "notation", "--dictionary", table)
    assert wrong.exit_code == 2
    assert "dictionary.csv:2: ipa is empty" in wrong.stderr
