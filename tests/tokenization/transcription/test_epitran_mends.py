"""The mends of epitran's tables fit the tables that are installed: what they take the place of is there."""

import csv
from pathlib import Path

import pytest
from ipaclip.tokenization.transcription.epitran_mends import MENDS
from ipaclip.tokenization.transcription.epitran_rules import EpitranEngine

epitran = pytest.importorskip("epitran")
DATA = Path(epitran.__file__).parent / "data"


@pytest.mark.parametrize("language", MENDS)
def test_what_is_mended_is_there(language: str) -> None:
    mend = MENDS[language]
    post = DATA / "post" / f"{language}.txt"
    rules = [line.strip() for line in post.read_text(encoding="utf-8").splitlines()] if post.is_file() else []
    with (DATA / "map" / f"{language}.csv").open(encoding="utf-8", newline="") as opened:
        spelled = {row[0] for row in csv.reader(opened)}
    assert not set(mend.lines) - set(rules)
    assert not set(mend.dropped.split()) - spelled
    assert not set(mend.classes) - {rule.split(" ")[0] for rule in rules}


@pytest.mark.parametrize("language", MENDS)
def test_a_words_neighbours_do_not_change_it(language: str) -> None:
    words = {
        "ben-Beng": "ঘর চাঁদ ব্যাগ র্যাব",
        "cat-Latn": "ela gent",
        "deu-Latn": "der Kinder essen Chemie ich sechs Schmetterling den",
        "ukr-Cyrl": "моя я п'ять яма",
        "uzb-Latn": "san'at oʻzbek",
    }.get(language, "ऑफिस बॅट ॲप काम").split()
    engine = EpitranEngine(language)
    assert engine.pronounce(words) == [engine.pronounce([word])[0] for word in words]
