"""Which backend `auto` takes, what it takes for the words that this one refuses, and where that is recorded."""

import json
import pickle
import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from ipaclip.tokenization import TranscriptionError, UnknownLanguageError, get_transcriber, languages
from ipaclip.tokenization.transcription import backend_choice
from ipaclip.tokenization.transcription import transcriber as transcription
from ipaclip.tokenization.transcription.backend_choice import MEASURED, Errors
from ipaclip.tokenization.transcription.refusal import Refusal


@pytest.fixture
def engines(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Puts other engines in the place of espeak and epitran: each says the words given for it, and refuses others."""

    def put(**spoken: dict[str, str]) -> None:
        monkeypatch.setattr(transcription, "_pronouncers", {})
        for backend, words in spoken.items():
            monkeypatch.setitem(transcription._ENGINES, backend, _engine(backend, words))

    return put


def _engine(backend: str, words: dict[str, str]) -> type:
    class Engine:
        version = f"{backend} 9"

        def __init__(self, language: str) -> None:
            pass

        def pronounce(self, asked: list[str]) -> list[str | Refusal]:
            return [words.get(word) or Refusal(f"{backend} lacks {word}") for word in asked]

    return Engine


# --- the choice ---


@pytest.mark.parametrize(
    ("language", "first"),
    [
        ("deu-Latn", "espeak"),  # epitran's letters would do, but it errs more
        ("hin-Deva", "espeak"),
        ("gle-Latn", "epitran"),  # epitran lacks letters, but espeak-ng errs more
        ("mlt-Latn", "epitran"),
        ("spa-Latn", "epitran"),  # measured, and epitran's letters do
        ("fra-Latn", "espeak"),  # measured, and epitran lacks letters
        ("rus-Cyrl", "epitran"),  # not measured: by letters
        ("por-Latn", "espeak"),
        ("eng-Latn", "espeak"),
    ],
)
def test_auto_takes_what_errs_less_and_else_what_has_the_letters(language: str, first: str) -> None:
    assert get_transcriber(language).backend == languages()[language][0] == first


def test_auto_is_never_clearly_the_worse_of_two() -> None:
    for language, errors in MEASURED.items():
        taken = getattr(errors, get_transcriber(language).backend)
        assert taken - min(errors) <= 0.01 + 1e-9, language


@pytest.mark.parametrize(("language", "default", "other"), [("spa-Latn", 0, "espeak"), ("fra-Latn", 1, "epitran")])
def test_a_hundredth_of_a_segment_decides_nothing(
    monkeypatch: pytest.MonkeyPatch, language: str, default: int, other: str
) -> None:
    for error, changed in ((0.049, False), (0.050, False), (0.051, True), (0.030, False)):
        errors = Errors(*((error, 0.040) if default == 0 else (0.040, error)))
        monkeypatch.setitem(backend_choice.MEASURED, language, errors)
        assert (get_transcriber(language).backend == other) is changed


WITHOUT_PHONEMIZER = """
import sys
sys.modules["phonemizer"] = None
from ipaclip.tokenization import get_transcriber, languages
print([(language, get_transcriber(language).chain) for language in languages()])
"""


def test_the_choice_is_the_same_whatever_is_installed() -> None:
    run = subprocess.run([sys.executable, "-c", WITHOUT_PHONEMIZER], capture_output=True, text=True, check=True)
    assert run.stdout.strip() == str([(language, get_transcriber(language).chain) for language in languages()])


# --- the other backend, for what the first refuses ---


def test_a_refused_word_is_said_by_the_other_backend() -> None:
    pytest.importorskip("phonemizer")
    spanish, epitran, espeak = (get_transcriber("spa-Latn", name) for name in ("auto", "epitran", "espeak"))
    assert (spanish.backend, spanish.fallback, spanish.chain) == ("epitran", "espeak", "epitran+espeak")
    said, (number,) = epitran.transcribe(["gato chico"])[0], espeak.transcribe(["c64"])
    assert spanish.transcribe(["gato chico", "c64", "Gato chico, c64!"]) == [said, number, f"{said} {number}"]


def test_a_word_sounds_the_same_in_every_text(engines: Callable[..., None]) -> None:
    engines(epitran={"a": "a", "b": "b"}, espeak={"a": "aː", "b": "bː", "c": "k"})
    alone = get_transcriber("spa-Latn").transcribe(["a", "b", "c"])
    assert alone == ["a", "b", "k"]
    assert get_transcriber("spa-Latn").transcribe(["a c b", "b-c", "c, c a"]) == ["a k b", "b k", "k k a"]
    engines(epitran={"a": "a", "b": "b"}, espeak={"a": "aː", "b": "bː", "c": "k"})
    assert get_transcriber("spa-Latn").transcribe(["b-c", "c, c a", "a c b"]) == ["b k", "k k a", "a k b"]


def test_either_may_be_the_first(engines: Callable[..., None]) -> None:
    engines(espeak={"a": "aː"}, epitran={"a": "a", "b": "b"})
    assert get_transcriber("fra-Latn").transcribe(["a b"]) == ["aː b"]
    assert get_transcriber("fra-Latn", "epitran+espeak").transcribe(["a b"]) == ["a b"]


def test_what_both_refuse_has_both_reasons(engines: Callable[..., None]) -> None:
    engines(epitran={"a": "a"}, espeak={"b": "@"})
    said, odd, refused = get_transcriber("spa-Latn").transcribe_each(["a", "b", "a c"])
    assert said == "a"
    assert (
        "'b' (epitran lacks b; the answer '@' is not all IPA) cannot be pronounced in spa-Latn by epitran or espeak"
        in (str(odd))
    )
    assert "'c' (epitran lacks c; espeak lacks c) in 'a c'" in str(refused)
    assert isinstance(refused, TranscriptionError)


@pytest.mark.parametrize("backend", ["epitran", "espeak"])
def test_an_explicit_backend_never_falls_back(engines: Callable[..., None], backend: str) -> None:
    engines(epitran={"epitran": "a"}, espeak={"espeak": "a"})
    transcriber = get_transcriber("spa-Latn", backend)
    assert (transcriber.fallback, transcriber.chain) == (None, backend)
    own, other = transcriber.transcribe_each([backend, "espeak" if backend == "epitran" else "epitran"])
    assert own == "a"
    assert f"in spa-Latn by {backend}:" in str(other)


@pytest.mark.parametrize("language", ["eng-Latn", "dan-Latn", "lao-Laoo"])
def test_without_another_backend_there_is_no_fallback(language: str) -> None:
    transcriber = get_transcriber(language)
    assert (transcriber.fallback, transcriber.chain) == (None, transcriber.backend)


WITHOUT_THE_SECOND = """
import sys
sys.modules["phonemizer"] = None
from ipaclip.tokenization import get_transcriber
spanish = get_transcriber("spa-Latn")
print(*spanish.transcribe_each(["gato", "c64"]), spanish.version, sep="\\n")
"""


def test_a_second_backend_that_is_missing_leaves_the_refusal_with_a_hint() -> None:
    run = subprocess.run([sys.executable, "-c", WITHOUT_THE_SECOND], capture_output=True, text=True, check=True)
    said, refused, version = run.stdout.splitlines()
    assert said == "ɡato"
    assert refused.startswith("'c64' (epitran has no rule for '6', '4'; espeak, which might say it, is not installed: ")
    assert "pip install 'ipaclip[espeak]'" in refused
    assert version.endswith(", else espeak (not installed)")


def test_a_fallback_is_pickled_and_shared_by_threads() -> None:
    pytest.importorskip("phonemizer")
    texts = [word for number in range(20) for word in (f"gato {number}", "gato")]
    spanish = get_transcriber("spa-Latn")
    expected, copy = spanish.transcribe(texts), pickle.loads(pickle.dumps(spanish))
    transcription._pronouncers.clear()
    with ThreadPoolExecutor(4) as pool:
        assert list(pool.map(lambda text: copy.transcribe([text])[0], texts)) == expected


@pytest.mark.parametrize("backend", ["espeak+espeak", "auto+espeak", "espeak+ipa", "espeak+", "a+b+c", "+"])
def test_two_backends_are_two_that_there_are(backend: str) -> None:
    with pytest.raises(ValueError, match=r"no transcription backend .* as 'espeak\+epitran'"):
        get_transcriber("spa-Latn", backend)


def test_both_backends_must_have_the_language() -> None:
    with pytest.raises(UnknownLanguageError, match="'dan-Latn' is not known to the epitran backend"):
        get_transcriber("dan-Latn", "espeak+epitran")


# --- what is recorded ---


def test_the_record_names_both_and_their_versions(engines: Callable[..., None]) -> None:
    engines(epitran={}, espeak={})
    assert get_transcriber("spa-Latn").record == {
        "backend": "epitran", "version": "epitran 9, else espeak 9", "fallback": "espeak",
    }  # fmt: skip
    assert get_transcriber("spa-Latn", "epitran").record == {"backend": "epitran", "version": "epitran 9"}
    assert get_transcriber("spa-Latn", "ipa").record == {"backend": "ipa", "version": "ipa"}


def _processor(tiny_checkpoint: Path, **record: object):
    from ipaclip import IPAClipProcessor, transcribing

    transcribing.get_transcriber.cache_clear()
    return IPAClipProcessor.from_pretrained(tiny_checkpoint, **record)


def test_a_checkpoint_keeps_its_fallback_and_an_old_one_has_none(tiny_checkpoint: Path, tmp_path: Path) -> None:
    pytest.importorskip("phonemizer")
    spanish = get_transcriber("spa-Latn")
    processor = _processor(tiny_checkpoint, transcriber=None, transcribers=None)
    said = processor.transcribe(["gato c64"], language="spa-Latn")
    assert said == spanish.transcribe(["gato c64"])
    loaded = _processor(tiny_checkpoint, transcribers={"spa-Latn": spanish.record})
    loaded.save_pretrained(tmp_path)
    saved = json.loads((tmp_path / "processor_config.json").read_text(encoding="utf-8"))["transcribers"]
    assert saved == {"spa-Latn": spanish.record}
    again = _processor(tmp_path)
    assert again.transcribe(["gato c64"], language="spa-Latn") == said
    assert again.backend_of("spa-Latn") == "epitran"

    old = {"backend": "epitran", "version": get_transcriber("spa-Latn", "epitran").version}
    for kept in ({"transcribers": {"spa-Latn": old}}, {"transcribers": None, "transcriber": "epitran"}):
        processor = _processor(tiny_checkpoint, **kept)
        assert processor.transcribe(["gato"], language="spa-Latn") == ["ɡato"]
        with pytest.raises(TranscriptionError, match=r"'c64' \(epitran has no rule for '6', '4'\)"):
            processor.transcribe(["gato c64"], language="spa-Latn")
        assert processor.transcribers == kept["transcribers"]


def test_a_fallback_that_is_no_name_is_an_error(tiny_checkpoint: Path) -> None:
    with pytest.raises(ValueError, match=r"transcribers\['spa-Latn'\]\['fallback'\] must name a backend, got 1"):
        _processor(tiny_checkpoint, transcribers={"spa-Latn": {"backend": "epitran", "fallback": 1}})


def test_a_whole_file_says_what_transcribed_it(tmp_path: Path) -> None:
    parquet = pytest.importorskip("pyarrow.parquet")
    pytest.importorskip("datasets")
    pytest.importorskip("phonemizer")
    from ipaclip.tokenization import transcribe_file

    (tmp_path / "in.txt").write_text("gato\nc64\n", encoding="utf-8")
    for backend, chain, rejected in (("auto", "epitran+espeak", 0), ("epitran", "epitran", 1)):
        output = tmp_path / f"{backend}.parquet"
        report = transcribe_file(
            tmp_path / "in.txt", output, language="spa-Latn", backend=backend, progress=False,
            rejected=tmp_path / f"{backend}.jsonl",
        )  # fmt: skip
        assert report.rejected == rejected
        record = json.loads(parquet.read_schema(output).metadata[b"ipaclip"])
        assert record["backend"] == chain
        assert record["versions"]["engine"] == get_transcriber("spa-Latn", chain).version


def test_a_whole_file_in_many_languages_says_what_transcribed_each(tmp_path: Path) -> None:
    parquet = pytest.importorskip("pyarrow.parquet")
    pytest.importorskip("datasets")
    pytest.importorskip("phonemizer")
    from ipaclip.tokenization import transcribe_file

    rows = ["text,lang", "gato,spa-Latn", "dog,eng-Latn", "chat,fra-Latn", "cat,", "kot,xxx-Latn", "мир,tgl-Latn"]
    (tmp_path / "in.csv").write_text("\n".join([*rows, ""]), encoding="utf-8")
    transcribe_file(
        tmp_path / "in.csv", tmp_path / "out.parquet", language="eng-Latn", language_column="lang", progress=False,
        rows_per_shard=2,
    )  # fmt: skip
    record = json.loads(parquet.read_schema(tmp_path / "out.parquet").metadata[b"ipaclip"])
    assert record["backend"] == "auto"
    assert record["backends"] == {
        "spa-Latn": "epitran+espeak", "eng-Latn": "espeak", "fra-Latn": "espeak+epitran",
    }  # fmt: skip


def test_a_run_is_not_gone_on_with_by_another_choice(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("phonemizer")
    from ipaclip.tokenization import BulkError, transcribe_file
    from ipaclip.tokenization.transcription.pronunciation import Pronunciation

    (tmp_path / "in.csv").write_text("text,lang\ngato,spa-Latn\n", encoding="utf-8")
    asked = {"input": tmp_path / "in.csv", "output": tmp_path / "out.csv", "language_column": "lang", "progress": False}

    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(Pronunciation, "answer", interrupted)
    with pytest.raises(KeyboardInterrupt):
        transcribe_file(**asked)
    monkeypatch.undo()
    monkeypatch.setitem(backend_choice.MEASURED, "spa-Latn", Errors(0.9, 0.1))
    with pytest.raises(BulkError, match=r"begun otherwise .*choice of auto"):
        transcribe_file(**asked)
    monkeypatch.undo()
    assert transcribe_file(**asked).transcribed == 1


def test_rows_for_training_are_prepared_anew_for_another_choice(
    tiny_checkpoint: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("phonemizer")
    from ipaclip.tokenization import IPATokenizer
    from ipaclip.training.arguments import DataArguments
    from ipaclip.training.data.prepare import load_data

    (tmp_path / "words.txt").write_text("gato\n", encoding="utf-8")
    data = DataArguments(train=[str(tmp_path / "words.txt")], language="spa-Latn")
    asked = (data, IPATokenizer.build(), 64, tmp_path, tmp_path / "cache")
    assert load_data(*asked).transcribers == {"spa-Latn": "epitran+espeak"}
    monkeypatch.setitem(backend_choice.MEASURED, "spa-Latn", Errors(0.9, 0.1))
    assert load_data(*asked).transcribers == {"spa-Latn": "espeak+epitran"}


def test_what_a_training_was_taught_with_is_in_its_checkpoint(tiny_checkpoint: Path, tmp_path: Path) -> None:
    pytest.importorskip("phonemizer")
    from ipaclip import IPAClipProcessor
    from ipaclip.training.distillation import Distillation
    from training_helpers import configure

    rows = "".join(f"{word}\n" for word in ("gato", "perro", "c64", "mono", "casa", "жук"))
    (tmp_path / "words.txt").write_text(rows, encoding="utf-8")
    data = {"train": [str(tmp_path / "words.txt")], "language": "spa-Latn"}
    for transcriber, refused in (("auto", 1), ("epitran", 2)):
        arguments = configure(
            tmp_path, tiny_checkpoint, transcriber, data={**data, "transcriber": transcriber}, loop={"steps": 2}
        )
        directory = Distillation(arguments).run()
        processor = IPAClipProcessor.from_pretrained(directory)
        assert processor.transcriber == "epitran"
        assert processor.transcribers == {"spa-Latn": get_transcriber("spa-Latn", transcriber).record}
        metrics = json.loads((directory / "metrics.json").read_text(encoding="utf-8"))
        assert metrics["data"]["rejected"] == refused
        assert metrics["data"]["transcribers"] == {"spa-Latn": get_transcriber("spa-Latn", transcriber).chain}
