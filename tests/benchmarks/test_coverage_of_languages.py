"""Real words in more than forty languages of more than twelve scripts become tokens, none of them `<unk>`."""

import subprocess
import sys
import unicodedata
from pathlib import Path

import pytest
from ipaclip.tokenization import IPATokenizer, TranscriptionError, get_transcriber

SCRIPT = Path(__file__).parents[2] / "benchmarks" / "language_coverage.py"

# "Water" in languages of fifteen scripts, and a sound that its IPA must have, whatever the backend.
WATER = {
    "amh-Ethi": ("ውሃ", "w"),
    "ara-Arab": ("ماء", "m"),
    "ben-Beng": ("জল", "l"),
    "deu-Latn": ("Wasser", "v"),
    "ell-Grek": ("νερό", "n"),
    "heb-Hebr": ("מים", "m"),
    "hin-Deva": ("पानी", "p"),
    "hye-Armn": ("ջուր", "d͡ʒ"),
    "jpn-Kana": ("ミズ", "m"),
    "kan-Knda": ("ನೀರು", "n"),
    "kat-Geor": ("წყალი", "l"),
    "kor-Hang": ("물", "m"),
    "pan-Guru": ("ਪਾਣੀ", "p"),
    "rus-Cyrl": ("вода", "v"),
    "tam-Taml": ("தண்ணீர்", "ɳ"),
}


@pytest.mark.parametrize("language", WATER)
def test_water(language: str) -> None:
    pytest.importorskip("phonemizer")
    word, sound = WATER[language]
    tokenizer = IPATokenizer.build()
    ipa = get_transcriber(language).transcribe([word])[0]
    ids = tokenizer(ipa, add_special_tokens=False)["input_ids"]
    assert tokenizer.unk_token_id not in ids
    assert tokenizer.decode(ids) == tokenizer.normalize(ipa) == tokenizer.normalize(tokenizer.normalize(ipa))
    assert unicodedata.normalize("NFD", sound) in tokenizer.normalize(ipa)


@pytest.mark.parametrize(("language", "text"), [("rus-Cyrl", "water"), ("eng-Latn", "вода"), ("hin-Deva", "🦋")])
def test_what_cannot_be_said_is_an_error_that_names_it(language: str, text: str) -> None:
    pytest.importorskip("phonemizer")
    with pytest.raises(TranscriptionError, match=text):
        get_transcriber(language).transcribe([text])


@pytest.mark.slow
def test_hundreds_of_words_of_each_language() -> None:
    pytest.importorskip("babel")
    pytest.importorskip("phonemizer")
    command = [sys.executable, SCRIPT, "--every-backend"]  # which checks the choice of "auto", too
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, [line for line in done.stdout.splitlines() if line.startswith("FAILED")]
