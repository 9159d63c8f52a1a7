"""Which languages there are, by which backends, and what each is called."""

import pytest
from ipaclip.tokenization import TranscriptionError, UnknownLanguageError, get_transcriber, languages
from ipaclip.tokenization.language_table import describe
from ipaclip.tokenization.transcription.epitran_rules import epitran_languages
from ipaclip.tokenization.transcription.espeak_voices import LEFT_OUT, TONES, VOICES


def test_backends_in_the_order_of_auto() -> None:
    known = languages()
    assert known["eng-Latn"][:2] == ("espeak", "lexicon")
    assert known["rus-Cyrl"] == ("epitran", "espeak")
    assert known["deu-Latn"] == ("espeak", "epitran")  # nearer to the dictionary
    assert known["fra-Latn"] == ("espeak", "epitran")  # epitran's table lacks à and è
    assert known["ita-Latn"] == ("espeak", "epitran")  # and k, w, y, as in Washington
    assert known["dan-Latn"] == ("espeak",)
    assert list(known) == sorted(known)
    assert all(get_transcriber(language).backend == backends[0] for language, backends in known.items())
    assert get_transcriber("deu-Latn", backend="espeak").backend == "espeak"


def test_a_table_that_refuses_most_of_its_language_is_not_listed() -> None:
    known = languages()
    assert not {"khm-Khmr", "sag-Latn"} & known.keys()
    assert known["urd-Arab"] == ("espeak",)
    with pytest.raises(UnknownLanguageError, match="epitran's table of it has no vowel signs"):
        get_transcriber("khm-Khmr")


def test_every_voice_has_a_language_or_a_reason() -> None:
    pytest.importorskip("espeakng_loader")
    from ipaclip.tokenization.transcription.espeak import _library

    voices = {voice.language for voice in _library()._wrapper.available_voices()}
    assert voices == set(VOICES.values()) | LEFT_OUT.keys()
    assert not set(VOICES.values()) & LEFT_OUT.keys()
    assert set(VOICES.values()) >= TONES.keys()


def test_every_language_has_a_name_and_a_word() -> None:
    described = {language: describe(language) for language in languages()}
    assert described["deu-Latn"] == ("German", "Wasser")
    assert described["fra-Latn-be"].name == "French (be)"
    assert all(name and example for name, example in described.values())
    with pytest.raises(KeyError):
        describe("xyz-Latn")


@pytest.mark.parametrize("backend", ["espeak", "epitran"])
def test_the_word_of_every_language_can_be_said(backend: str) -> None:
    if backend == "espeak":
        pytest.importorskip("espeakng_loader")
    first = {language: backends[0] for language, backends in languages().items()}
    refused = {}
    for language in (language for language, name in first.items() if name == backend):
        (answer,) = get_transcriber(language).transcribe_each([describe(language).example])
        if isinstance(answer, TranscriptionError):
            refused[language] = str(answer)
    assert refused == {}


def test_every_table_of_epitran_can_be_read() -> None:
    for language in epitran_languages() - {"eng-Latn"}:
        assert get_transcriber(language, "epitran").version.startswith("epitran ")
