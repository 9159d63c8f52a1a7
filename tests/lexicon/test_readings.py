"""`Lexicon`: what a query may have meant, how it is built, changed and kept."""

import csv
import math
from pathlib import Path

import numpy as np
import pytest
from ipaclip.lexicon import Channel, Entry, Lexicon, read_entries
from ipaclip.lexicon.building import build_into
from ipaclip.tokenization import phoneme_distance

ENGLISH = "eng-Latn"
PLAIN = Channel(prior=1.0, nothing=2.0, spoken=2.0)


def entry(word: str, *ipa: str, frequency: float = 1.0, language: str = ENGLISH, meaning: str = "") -> Entry:
    return Entry(word, language, meaning, frequency, ipa)


ANIMALS = [entry("bat", "bæt"), entry("pat", "pæt"), entry("cat", "kæt"), entry("red cat", "ɹɛd kæt")]


def words_of(lexicon: Lexicon, query: str, **options: object) -> list[str]:
    return [one.words for one in lexicon.readings([query], ipa=True, **options)[0]]  # type: ignore[arg-type]


def test_probabilities_by_hand() -> None:
    lexicon = Lexicon.build([entry("bat", "bæt", frequency=3), entry("pat", "pæt")], channel=PLAIN)
    (found,) = lexicon.readings(["bæt"], ipa=True)
    # log P(word) + log P(sound | word): 3 of 4 and no difference; 1 of 4 and a voicing, at 2 a unit; none: 2 a segment.
    scores = [math.log(0.75), math.log(0.25) - 2 * phoneme_distance("b", "p"), -2.0 * 3]
    total = math.log(sum(map(math.exp, scores)))
    assert [one.words for one in found] == ["bat", "pat"]
    assert [one.probability for one in found] == pytest.approx([math.exp(one - total) for one in scores[:2]])
    assert sum(one.probability for one in found) < 1


def test_frequency_decides_between_homophones() -> None:
    lexicon = Lexicon.build([entry("knight", "naɪt"), entry("night", "naɪt", frequency=9)])
    assert words_of(lexicon, "naɪt") == ["night", "knight"]


def test_the_pronunciation_that_fits_best_counts() -> None:
    lexicon = Lexicon.build([entry("tomato", "təmeɪtoʊ", "təmɑːtəʊ"), entry("potato", "pəteɪtoʊ")])
    (best, *_), *_ = lexicon.readings(["təmɑtəʊ"], ipa=True)
    assert (best.words, best.distance) == ("tomato", 0.0)
    assert best.parts[0].ipa == "təmɑtəʊ"


def test_why() -> None:
    lexicon = Lexicon.build(ANIMALS)
    (best, *_), *_ = lexicon.readings(["kæd"], ipa=True)
    assert best.words == "cat"
    assert [(one.word, one.query) for one in best.parts[0].edits] == [("k", "k"), ("æ", "æ"), ("t", "d")]
    assert best.distance == pytest.approx(sum(one.cost for one in best.parts[0].edits))
    lines = best.explain().splitlines()
    assert lines[1].split() == ["cat", "k", "æ", "t"]
    assert lines[2].split() == ["kæd", "k", "æ", "d"]
    assert lines[3].split() == ["cost", f"{phoneme_distance('t', 'd'):.2g}"]


def test_a_phrase_is_read_whole_and_word_by_word() -> None:
    lexicon = Lexicon.build(ANIMALS)
    assert words_of(lexicon, "ɹɛd kæt")[0] == "red cat"  # an entry
    assert words_of(lexicon, "bæt kæt")[0] == "bat cat"  # two
    (best, *_), *_ = lexicon.readings(["ɡɹuːv kæt"], ipa=True)
    assert [part.word for part in best.parts][-1] == "cat"
    assert best.meaning.split()[-1] == "cat"


def test_a_language_is_likelier_where_it_is_named() -> None:
    lexicon = Lexicon.build([entry("bun", "ban"), entry("bahn", "ban", language="deu-Latn", meaning="railway")])
    assert words_of(lexicon, "ban")[0] == "bun"
    german = lexicon.readings(["ban"], ipa=True, language="deu-Latn")[0][0]
    assert (german.words, german.meaning) == ("bahn", "railway")


def test_words_are_added_removed_and_updated() -> None:
    lexicon = Lexicon.build(ANIMALS[:2])
    lexicon.add([entry("cat", "kæt"), entry("bat", "bæt", frequency=4)])
    assert [lexicon[number].word for number in range(len(lexicon))] == ["bat", "pat", "cat"]
    assert lexicon[0].frequency == 5
    assert words_of(lexicon, "kæt")[0] == "cat"
    assert lexicon.remove(["pat", "nothing"]) == 1
    assert "pat" not in words_of(lexicon, "pæt")
    lexicon.update([entry("cat", "ʃa")])
    assert words_of(lexicon, "ʃa")[0] == "cat"
    assert len(lexicon) == 2


def test_a_word_again_adds_its_frequency_alone() -> None:
    lexicon = Lexicon.build(ANIMALS[:1])
    lexicon.add([entry("bat", "ʃa", frequency=2)])
    assert (lexicon[0].frequency, lexicon[0].pronunciations) == (3, ("bæt",))  # as it is decoded


def test_what_cannot_be_updated_stays_as_it_was() -> None:
    lexicon = Lexicon.build(ANIMALS[:2])
    before = lexicon.readings(["bæt"], ipa=True)
    with pytest.raises(ValueError, match="xxx-Latn"):
        lexicon.update([Entry("bat", "xxx-Latn")])
    assert [lexicon[number].word for number in range(len(lexicon))] == ["bat", "pat"]
    assert lexicon.readings(["bæt"], ipa=True) == before


def test_an_emptied_lexicon_reads_nothing(tmp_path: Path) -> None:
    lexicon = Lexicon.build(ANIMALS[:1])
    lexicon.remove(["bat"])
    assert lexicon.readings(["bæt"], ipa=True) == [[]]
    lexicon.save(tmp_path)
    again = Lexicon.load(tmp_path)
    again.add(ANIMALS)
    assert words_of(again, "kæt")[0] == "cat"


def test_saved_and_loaded_it_reads_alike(tmp_path: Path) -> None:
    lexicon = Lexicon.build([*ANIMALS, entry("chat", "ʃa", language="fra-Latn", meaning="cat", frequency=0.25)])
    lexicon.save(tmp_path)
    again = Lexicon.load(tmp_path)
    assert [again[number] for number in range(len(again))] == [lexicon[number] for number in range(len(lexicon))]
    for query in ("kæt", "ʃa", "ɹɛd pæt"):
        for first, second in zip(
            lexicon.readings([query], ipa=True)[0], again.readings([query], ipa=True)[0], strict=True
        ):
            assert first.words == second.words
            assert first.probability == pytest.approx(second.probability, rel=1e-5)
    again.add([entry("dog", "dɒɡ")])
    assert words_of(again, "dɒɡ")[0] == "dog"


@pytest.mark.parametrize("name", ["lexicon.tsv", "lexicon.safetensors"])
def test_a_damaged_lexicon_is_named(tmp_path: Path, name: str) -> None:
    Lexicon.build(ANIMALS).save(tmp_path)
    file = tmp_path / name
    file.write_bytes(file.read_bytes()[:-7])
    with pytest.raises(ValueError, match=name.replace(".", r"\.")):
        Lexicon.load(tmp_path)
    file.unlink()
    with pytest.raises(FileNotFoundError, match=name):
        Lexicon.load(tmp_path)


def test_sounds_of_another_encoder_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from ipaclip.lexicon import sounds, storage
    from ipaclip.tokenization.phonemes.sound_vectors import SoundEncoder

    Lexicon.build(ANIMALS).save(tmp_path)
    for module in (sounds, storage):
        monkeypatch.setattr(module, "ENCODER", SoundEncoder(waves=3))
    with pytest.raises(ValueError, match=r'another encoder.*"waves": 6.*"waves": 3'):
        Lexicon.load(tmp_path)


@pytest.mark.parametrize(
    ("queries", "message"),
    [([" "], "is empty"), (["a" * 501], "501 signs"), (["ˈ"], "no consonant or vowel"), ([""], "is empty")],
)
def test_bad_queries(queries: list[str], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Lexicon.build(ANIMALS).readings(queries, ipa=True)


def test_extreme_queries_are_answered() -> None:
    lexicon = Lexicon.build(ANIMALS)
    assert words_of(lexicon, "t")
    assert words_of(lexicon, "bæt" * 160)
    assert lexicon.readings([], ipa=True) == []
    with pytest.raises(TypeError, match="not one str"):
        lexicon.readings("bæt")
    with pytest.raises(ValueError, match="top is 0"):
        lexicon.readings(["bæt"], top=0)


@pytest.mark.parametrize(
    ("words", "error", "message"),
    [
        ([], ValueError, "no words"),
        ("cat", TypeError, "not of one str"),
        ([7], TypeError, "7 is neither"),
        ([{"word": "a", "sound": "x"}], ValueError, "'sound' is no column"),
        ([{"ipa": "x"}], ValueError, "no word"),
        ([{"word": "a", "frequency": "often"}], ValueError, "'often' is no number"),
        ([{"word": "a", "frequency": "-1"}], ValueError, "above 0"),
        ([entry("!", "ˈ")], ValueError, "no segment"),
    ],
)
def test_what_is_no_list_of_words(words: list[object], error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        Lexicon.build(words)  # type: ignore[arg-type]


def test_lists_and_tables(tmp_path: Path) -> None:
    plain = tmp_path / "words.txt"
    plain.write_text("cat\n\n  red   cat \n", encoding="utf-8")
    assert [one.word for one in read_entries(plain, ENGLISH)] == ["cat", "red cat"]
    table = tmp_path / "words.csv"
    table.write_text("word,ipa,frequency\ncat,kæt;kat,2\n", encoding="utf-8")
    assert read_entries(table, ENGLISH) == [entry("cat", "kæt", "kat", frequency=2)]
    table.write_text("word,frequency\ncat,1\ndog,none\n", encoding="utf-8")
    with pytest.raises(ValueError, match=r"words\.csv.*3.*'none' is no number"):
        read_entries(table, ENGLISH)
    plain.write_bytes(b"caf\xe9\n")
    with pytest.raises(ValueError, match="not in UTF-8"):
        read_entries(plain, ENGLISH)


def test_typed_queries_have_two_witnesses() -> None:
    pytest.importorskip("phonemizer")
    lexicon = Lexicon.build(["butterfly", "battery", "phone", "crab", "carb"])
    for query, word in [("batterfly", "butterfly"), ("fone", "phone"), ("crba", "crab"), ("buttefrly", "butterfly")]:
        (best, *_), *_ = lexicon.readings([query])
        assert best.words == word
    (best, *_), *_ = lexicon.readings(["crba"])
    assert best.parts[0].typing_errors == 1
    assert lexicon.readings(["2024 crab"])[0][0].words == "2024 crab"  # a number stays
    with pytest.raises(ValueError, match="xxx-Latn"):
        lexicon.readings(["crab"], language="xxx-Latn")


def test_what_cannot_be_pronounced_is_listed_and_the_rest_goes_on(tmp_path: Path) -> None:
    pytest.importorskip("phonemizer")
    lexicon = build_into(tmp_path, [Entry("crab", ENGLISH), Entry("краб", ENGLISH)])
    assert [lexicon[number].word for number in range(len(lexicon))] == ["crab"]
    with (tmp_path / "lexicon.rejected.tsv").open(encoding="utf-8", newline="") as file:
        (row,) = csv.DictReader(file, delimiter="\t")
    assert row["word"] == "краб"
    assert "script" in row["reason"]


def test_building_goes_on_where_it_stopped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from ipaclip.lexicon import building

    monkeypatch.setattr(building, "_STEP", 2)
    asked: list[str] = []
    add = Lexicon.add

    def interrupted(self: Lexicon, words: list[Entry], *rest: object, **options: object) -> None:
        asked.extend(one.word for one in words)
        if len(asked) == 2:
            raise KeyboardInterrupt
        add(self, words, *rest, **options)  # type: ignore[arg-type]

    monkeypatch.setattr(Lexicon, "add", interrupted)
    with pytest.raises(KeyboardInterrupt):
        build_into(tmp_path, ANIMALS)
    assert len(Lexicon.load(tmp_path)) == 2
    lexicon = build_into(tmp_path, ANIMALS)
    assert asked == ["cat", "red cat", "cat", "red cat"]
    assert len(lexicon) == len(Lexicon.load(tmp_path)) == 4
    assert lexicon[0].frequency == 1  # what was there is not counted again


def test_embeddings_may_come_later(tmp_path: Path, tiny_checkpoint: Path) -> None:
    from ipaclip import IPAClipModel, IPAClipProcessor

    model, processor = IPAClipModel.from_pretrained(tiny_checkpoint), IPAClipProcessor.from_pretrained(tiny_checkpoint)
    lexicon = Lexicon.build(ANIMALS[:2])
    lexicon.add(ANIMALS[2:], model, processor)
    lexicon.save(tmp_path)
    whole = Lexicon.build(ANIMALS, model, processor)
    words = [one.word for one in ANIMALS]
    np.testing.assert_allclose(Lexicon.load(tmp_path).text_embeds(words), whole.text_embeds(words), atol=1e-3)


def test_another_text_tower_is_refused(tmp_path: Path, tiny_checkpoint: Path) -> None:
    import torch
    from ipaclip import IPAClipModel, IPAClipProcessor

    model, processor = IPAClipModel.from_pretrained(tiny_checkpoint), IPAClipProcessor.from_pretrained(tiny_checkpoint)
    lexicon = Lexicon.build(ANIMALS, model, processor)
    lexicon.save(tmp_path)
    again = Lexicon.load(tmp_path)
    again.check_text_tower(model, processor)
    np.testing.assert_allclose(again.text_embeds(["cat"]), lexicon.text_embeds(["cat"]), atol=1e-3)
    torch.manual_seed(1)
    other = IPAClipModel(model.config).eval()
    other.name_or_path = "somebody/other"
    with pytest.raises(ValueError, match=f"{tiny_checkpoint.name}.*somebody/other"):
        again.check_text_tower(other, processor)
    with pytest.raises(ValueError, match="give that model"):
        again.add([entry("dog", "dɒɡ")])
