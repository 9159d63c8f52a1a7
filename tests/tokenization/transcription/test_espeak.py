"""What comes out of espeak-ng: no crash, no word without its end, no number that depends on the one before."""

import json
import subprocess
import sys
import unicodedata
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from ipaclip.tokenization import TranscriptionError, get_transcriber, transcribe_file
from ipaclip.tokenization.transcription.espeak_voices import VOICES

pytest.importorskip("phonemizer")
pytest.importorskip("espeakng_loader")

ENGLISH = ("eng-Latn", "eng-Latn-gb", "eng-Latn-rp", "eng-Latn-scotland", "eng-Latn-caribbean")
# Each of these ends a process that has espeak-ng say it: an ending or a prefix of the voice, stacked.
DEADLY = ("s'" * 120, "s'" * 70, "dog" + "'s" * 100, "dog" + "’s" * 100, "ness" * 100, "anti" * 100 + "x")


def said(language: str, *words: str) -> list[str]:
    """By espeak-ng alone; a refusal is its reason."""
    return [str(answer) for answer in get_transcriber(language, "espeak").transcribe_each(words)]


def bare(ipa: str) -> str:
    return "".join(ipa.split()).replace("ˈ", "").replace("ˌ", "")


@pytest.mark.parametrize("language", ENGLISH)
def test_a_word_that_would_end_the_process_is_refused(language: str) -> None:
    answers = get_transcriber(language, "espeak").transcribe_each([*DEADLY, "dog"])
    assert all(isinstance(answer, TranscriptionError) for answer in answers[:-1])
    assert all("it is too long for espeak-ng" in str(answer) for answer in answers[:-1])
    assert answers[-1] == said(language, "dog")[0]


@pytest.mark.parametrize(
    ("language", "word"), [("deu-Latn", "un" * 51), ("gle-Latn", "in" * 52), ("fra-Latn", "s'" * 70)]
)
def test_other_languages_have_such_words(language: str, word: str) -> None:
    assert "too long" in said(language, word)[0]


def test_the_reason_names_the_word_and_the_limit() -> None:
    (reason,) = said("eng-Latn", "s'" * 70)
    assert "s's's'" in reason
    assert "139 letters" in reason  # the last apostrophe is none of the word
    assert "85 letters at most" in reason


@pytest.mark.parametrize("num_proc", [1, 2])
def test_in_bulk_the_other_rows_are_done(tmp_path: Path, num_proc: int) -> None:
    source, output = tmp_path / "words.txt", tmp_path / "said.jsonl"
    source.write_text("dog\n" + "s'" * 120 + "\ncat\n", encoding="utf-8")
    report = transcribe_file(source, output, language="eng-Latn", num_proc=num_proc, progress=False)
    rows = [json.loads(line) for line in output.read_text(encoding="utf-8").splitlines()]
    assert [row["ipa"] for row in rows if row.get("ipa")] == said("eng-Latn", "dog", "cat")
    assert report.rejected == 1


def test_the_command_refuses_it_and_goes_on() -> None:
    ran = subprocess.run(
        [sys.executable, "-c", "from ipaclip.cli import main; main()", "transcribe", "s'" * 120, "dog"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert ran.returncode == 1
    assert "too long for espeak-ng" in ran.stderr


def test_the_longest_words_of_all_voices_do_not_end_the_process() -> None:
    """In a process of its own: endings and prefixes of espeak-ng's rules, stacked up to the limit."""
    program = """
from ipaclip.tokenization.transcription.espeak import EspeakEngine
from ipaclip.tokenization.transcription.espeak_limits import LONGEST
for language in ("eng-Latn", "eng-Latn-gb", "deu-Latn", "gle-Latn", "fra-Latn", "nld-Latn", "tur-Latn", "vie-Latn"):
    pieces = "s' 's ness ment less un in anti be ver w x 1 9 c 1. 0, ng straße".split()
    words = [piece * (LONGEST // len(piece)) for piece in pieces]
    words += [one * 20 + other * 15 for one in pieces[:10] for other in pieces[:10]]
    EspeakEngine(language).pronounce([word[:LONGEST] for word in words])
"""
    subprocess.run([sys.executable, "-c", program], check=True)


@pytest.mark.parametrize(
    ("language", "word"),
    [
        ("eng-Latn", "c" * 49 + "d"),
        ("eng-Latn", "w" * 25 + "e"),
        ("eng-Latn", "9" * 45),
        ("eng-Latn", "9" * 60),
        ("eng-Latn", "1." * 300),
        ("eng-Latn", "a" * 200),
        ("deu-Latn", "be" * 30),
        ("deu-Latn", "7" * 45),
        ("tsn-Latn", "8" + ".8" * 8),
        ("ell-Grek", "λοπαδοτεμαχοσελαχογαλεοκρανιολειψανοδριμυποτριμματοσιλφιοκαραβομελιτοκατακεχυμενοκιχλεπι"),
    ],
)
def test_a_word_whose_end_would_be_missing_is_refused(language: str, word: str) -> None:
    assert "too long for espeak-ng" in said(language, word)[0]


@pytest.mark.parametrize(
    ("language", "first", "second"),
    [
        ("deu-Latn", "Donaudampfschifffahrtselektrizitätenhauptbetriebs", "werkbauunterbeamtengesellschaft"),
        ("deu-Latn", "Rindfleischetikettierungsüberwachungsaufgaben", "übertragungsgesetz"),
        ("fin-Latn", "lentokonesuihkuturbiinimoottori", "apumekaanikkoaliupseerioppilas"),
        ("mri-Latn", "taumatawhakatangihangakoauauotamateaturi", "pukakapikimaungahoronukupokaiwhenuakitanatahu"),
        ("ell-Grek", "σπερμαγοραιολεκιθο", "λαχανοπώλιδες"),
        ("eng-Latn", "pneumonoultramicroscopic", "silicovolcanoconiosis"),
        ("mal-Mlym", "തിരുവനന്തപുരത്തു", "നിന്നുള്ളവരായിരുന്നു"),
    ],
)
def test_long_words_of_the_languages_are_said_whole(language: str, first: str, second: str) -> None:
    whole, beginning, end = map(bare, said(language, first + second, first, second))
    assert len(whole) >= 0.9 * (len(beginning) + len(end))
    assert whole[-3:] == end[-3:]


def test_long_numbers_are_said_whole() -> None:
    whole, last = said("eng-Latn", "1,234,567,890", "890")
    assert whole.endswith(last)
    assert bare(said("eng-Latn", "9" * 40)[0]) == bare(said("eng-Latn", "9")[0]) * 40


@pytest.mark.parametrize("language", sorted(VOICES))
def test_no_common_number_is_too_long(language: str) -> None:
    """The longest that are written in figures, in the groups of several customs."""
    numbers = ["1234567.5", "1234567,5", "999.888.777,66", "777,777,777.77", "82226,61", "12345678901.25", "9" * 32]
    assert not [answer for answer in said(language, *numbers) if "too long" in answer]


# Million, thousand, and other numbers of which espeak-ng 1.52 says another after the first.
NUMBERS = ("1.000.000.000", "1.000.000", "1.234.444", "2.000.000", "1.000", "2.000", "3.000", "12345", "1.5", "100.000")


@pytest.mark.parametrize(
    "language",
    [
        "fra-Latn",
        "nld-Latn",
        "swe-Latn",
        "nob-Latn",
        "deu-Latn",
        "ind-Latn",
        "ron-Latn",
        "pol-Latn",
        "fin-Latn",
        "bul-Cyrl",
        "slv-Latn",
        "est-Latn",
        "hye-Armn",
        "aze-Latn",
        "msa-Latn",
        "epo-Latn",
        "ido-Latn",
    ],
)
def test_a_number_sounds_the_same_whatever_was_said_before(language: str) -> None:
    from ipaclip.tokenization.transcription.espeak import EspeakEngine

    voice = EspeakEngine(language)
    alone = {}
    for number in NUMBERS:
        voice.pronounce(["a" * 80])
        alone[number] = voice.pronounce([number])[0]
    assert len({alone[number] for number in NUMBERS[1:7]}) == 6
    for first in NUMBERS:
        for second in NUMBERS:
            assert voice.pronounce([first, second]) == [alone[first], alone[second]]
    assert voice.pronounce(list(NUMBERS)) == list(alone.values())
    assert voice.pronounce(list(reversed(NUMBERS))) == list(reversed(alone.values()))


@pytest.mark.parametrize(
    ("language", "before", "number", "right"),
    [
        ("fra-Latn", "1.000.000", "1.000", "mˈil"),
        ("fra-Latn", "1.000.000 1.000", "1.000 euros", "mˈil øʁˈo"),
        ("swe-Latn", "1.000.000", "2.000", "tvˈoː tˈʉsɛn"),
        ("deu-Latn", "1.234.444", "3.000", "dɾˈaɪ tˈaʊzənt"),
        ("ron-Latn", "2.000.000", "2.000", "dˈouə mˈiɪ"),
    ],
)
def test_thousands_after_millions(language: str, before: str, number: str, right: str) -> None:
    assert said(language, before, number)[1] == right
    assert said(language, number)[0] == right  # as it is remembered


def test_threads_do_not_change_each_others_numbers() -> None:
    texts = ["1.000.000", "1.000", "x" * 90, "2.000"] * 5
    languages = ["fra-Latn", "deu-Latn", "swe-Latn", "nld-Latn"] * 5
    right = {language: said(language, *texts) for language in languages}
    with ThreadPoolExecutor(8) as pool:
        assert all(
            answers == right[language]
            for language, answers in zip(languages, pool.map(lambda name: said(name, *texts), languages), strict=True)
        )


# Signs that the voices have no rule for, before any of our rules respells them.
@pytest.mark.parametrize(
    ("language", "word", "sign"),
    [
        ("heb-Hebr", "שָׁלוֹם", "ָ"),
        ("heb-Hebr", "פִּיל", "ִ"),
        ("heb-Hebr", "כַּבַּאי", "ַ"),
        ("eng-Latn", "donʼt", "ʼ"),
        ("eng-Latn", "weʼll", "ʼ"),
        ("eng-Latn", "OʼClock", "ʼ"),
        ("fra-Latn", "cʼest", "ʼ"),
        ("fra-Latn", "lʼeau", "ʼ"),
        ("ita-Latn", "lʼalbero", "ʼ"),
        ("bel-Cyrl", "сямʼя", "ʼ"),
        ("bel-Cyrl", "абʼява", "ʼ"),
        ("tur-Latn", "İstanbulʼda", "ʼ"),
        ("grn-Latn", "avañeʼẽ", "ʼ"),
        ("spa-Latn", "kwakʼwala", "ʼ"),
        ("jpn-Hira", "とおー", "ー"),
        ("jpn-Kana", "スウェーデン", "ェ"),
        ("guj-Gujr", "ફ઼ોન", "઼"),
        ("asm-Beng", "হয়", "়"),
        ("asm-Beng", "অসমীয়া", "়"),
        ("asm-Beng", "আফ্রিকা", "র"),
        ("mar-Deva", "बाज़ार", "़"),
        ("mar-Deva", "ज़मीन", "ज़"),
        ("mar-Deva", "ज़रा", "ज़"),
        ("mar-Deva", "ॲप", "ॲ"),
        ("hin-Deva", "ॲम", "ॲ"),
        ("mri-Latn", "dirham", "d"),
        ("urd-Arab", "ماکونده", "ه"),
        ("tel-Telu", "వెలఁది", "ఁ"),
        ("dan-Latn", "maɹnipuri", "ɹ"),
        ("fra-Latn", "coɮmmun", "ɮ"),
        ("srp-Cyrl", "оръомо", "ъ"),
        ("bul-Cyrl", "наївахо", "ї"),
        ("pan-Guru", "ੈਂਡ", "ੈ"),
    ],
)
def test_no_sign_is_said_by_its_name(language: str, word: str, sign: str) -> None:
    from ipaclip.tokenization.transcription.espeak import EspeakEngine
    from ipaclip.tokenization.transcription.refusal import Refusal

    (answer,) = EspeakEngine(language).pronounce([unicodedata.normalize("NFC", word)])
    assert isinstance(answer, Refusal)
    assert answer.reason.startswith("espeak-ng does not know")
    assert unicodedata.normalize("NFC", sign) in answer.reason


@pytest.mark.parametrize(
    ("language", "words"),
    [
        ("fra-Latn", ["Cook", "Danemark"]),  # whole words in another voice
        ("grn-Latn", ["América", "México"]),
        ("vie-Latn", ["Micronesia", "Sahara", "McDonald"]),
        ("eng-Latn", ["don't", "o'clock", "BBC", "naïve", "fjörd", "McDonald"]),
        ("deu-Latn", ["Straße", "USA", "Złoty"]),
        ("yue-Hant", ["世界", "大洋洲", "中美"]),
        ("hin-Deva", ["फ़ोन", "ज़मीन", "बाज़ार"]),
        ("ell-Grek", ["ΔΕΗ", "θάλασσα"]),
        ("ara-Arab", ["كِتَاب", "محمد"]),
        ("uzb-Latn", ["oʻzbek"]),
    ],
)
def test_what_a_voice_reads_is_said(language: str, words: list[str]) -> None:
    from ipaclip.tokenization.transcription.espeak import EspeakEngine

    assert all(isinstance(answer, str) for answer in EspeakEngine(language).pronounce(words))


@pytest.mark.parametrize(
    ("language", "word", "plain"),
    [
        ("dan-Latn", "ta'et", "taet"),
        ("cat-Latn", "Qur'an", "Quran"),
        ("cat-Latn", "N'Djamena", "NDjamena"),
        ("kir-Cyrl", "д'ивуар", "дивуар"),
    ],
)
def test_an_apostrophe_that_the_voice_would_name_is_left_out(language: str, word: str, plain: str) -> None:
    assert said(language, word) == said(language, plain)


def test_catalan_keeps_the_apostrophes_that_it_reads() -> None:
    assert said("cat-Latn", "l'home", "dona'm", "agafa'l") != said("cat-Latn", "lhome", "donam", "agafal")
    assert said("cat-Latn", "dona'm") == ["dˈɔnəm"]
