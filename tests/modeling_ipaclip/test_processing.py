"""The processor: three kinds of input, what gets lost on the way, transcribers, and files."""

import copy
import json
import logging
import pickle
import shutil
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from ipaclip import IPAClipProcessor, transcribing
from modeling_helpers import tiny_model
from PIL import Image
from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, processors
from transformers import AutoProcessor, CLIPImageProcessor, CLIPProcessor, PreTrainedTokenizerFast

SEGMENTS = ["b", "ʌ", "t", "ɚ", "f", "l", "a", "ɪ", "ʃ", "ŋ", "ə", " "]
ID = {segment: index + 4 for index, segment in enumerate(SEGMENTS)}
BOS, EOS, PAD, UNK = 2, 3, 0, 1


def ipa_tokenizer(max_length: int = 12) -> PreTrainedTokenizerFast:
    tokens = ["<pad>", "<unk>", "<s>", "</s>", *SEGMENTS]
    backend = Tokenizer(models.Unigram([(token, -1.0) for token in tokens], unk_id=UNK))
    backend.normalizer = normalizers.NFD()
    backend.post_processor = processors.TemplateProcessing(
        single="<s> $A </s>", special_tokens=[("<s>", BOS), ("</s>", EOS)]
    )
    backend.decoder = decoders.Fuse()
    special = {"pad_token": "<pad>", "unk_token": "<unk>", "bos_token": "<s>", "eos_token": "</s>"}
    return PreTrainedTokenizerFast(
        tokenizer_object=backend,
        model_max_length=max_length,
        model_input_names=["input_ids", "attention_mask"],
        **special,
    )


def text_tokenizer() -> PreTrainedTokenizerFast:
    """Byte level, as CLIP's is: of every IPA sign it makes several tokens, and never `<unk>`."""
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    backend = Tokenizer(models.BPE({token: index for index, token in enumerate([*alphabet, "<end>"])}, []))
    backend.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    backend.decoder = decoders.ByteLevel()
    backend.post_processor = processors.TemplateProcessing(single="$A <end>", special_tokens=[("<end>", len(alphabet))])
    return PreTrainedTokenizerFast(
        tokenizer_object=backend,
        eos_token="<end>",
        pad_token="<end>",
        model_max_length=77,
        model_input_names=["input_ids", "attention_mask"],
    )


def make_processor(**kwargs: Any) -> IPAClipProcessor:
    images = CLIPImageProcessor(size={"shortest_edge": 32}, crop_size={"height": 32, "width": 32})
    return IPAClipProcessor(images, text_tokenizer(), ipa_tokenizer(), **kwargs)


def picture() -> Image.Image:
    return Image.fromarray(np.arange(40 * 48 * 3, dtype=np.uint8).reshape(40, 48, 3))


class FakeTranscriber:
    def __init__(self, language: str, backend: str, version: str) -> None:
        self.language, self.backend, self.version = language, backend, version

    def transcribe(self, texts: Sequence[str]) -> list[str]:
        spoken = {"butterfly": "bʌtɚflaɪ", "bat": "bat", "?": " "}
        return [spoken[text] for text in texts]

    def transcribe_each(self, texts: Sequence[str]) -> list[str | ValueError]:
        return [ValueError(f"{text} cannot be said") if text == "!" else self.transcribe([text])[0] for text in texts]


class FakeEntryPoint:
    """Stands for the package's `get_transcriber`; counts how often one is made."""

    def __init__(self, best: str = "espeak") -> None:
        self.best, self.version, self.made = best, "1", []  # type: ignore[var-annotated]

    def load(self) -> Any:
        def get_transcriber(language: str, backend: str = "auto") -> FakeTranscriber:
            self.made.append((language, backend))
            return FakeTranscriber(language, self.best, self.version)

        return get_transcriber


@pytest.fixture(autouse=True)
def _no_transcribers_from_other_tests() -> Iterator[None]:
    transcribing.get_transcriber.cache_clear()
    yield
    transcribing.get_transcriber.cache_clear()


@pytest.fixture
def entry_point(monkeypatch: pytest.MonkeyPatch) -> FakeEntryPoint:
    fake = FakeEntryPoint()

    def entry_points(group: str, name: str) -> list[FakeEntryPoint]:
        return [fake] if (group, name) == ("ipaclip.transcribers", "default") else []

    monkeypatch.setattr(transcribing, "entry_points", entry_points)
    return fake


# --- what goes in and what comes out ---


def test_ids_and_mask_of_pronunciations() -> None:
    features = make_processor()(ipa=["bʌt", "a"], return_tensors="pt")
    assert features["pronunciation_input_ids"].tolist() == [
        [BOS, ID["b"], ID["ʌ"], ID["t"], EOS],
        [BOS, ID["a"], EOS, PAD, PAD],
    ]
    assert features["pronunciation_attention_mask"].tolist() == [[1, 1, 1, 1, 1], [1, 1, 1, 0, 0]]
    assert set(features) == {"pronunciation_input_ids", "pronunciation_attention_mask"}


def test_images_and_texts_are_clips() -> None:
    processor = make_processor()
    clip = CLIPProcessor(processor.image_processor, processor.tokenizer)
    inputs = {"images": [picture()], "text": ["a cat", "dog"], "return_tensors": "pt"}
    expected, actual = clip(**inputs, padding=True), processor(**inputs)
    assert set(actual) == {"pixel_values", "input_ids", "attention_mask"}
    assert all(torch.equal(actual[key], expected[key]) for key in actual)
    assert set(processor(**inputs, ipa="bat")) == set(processor.model_input_names)


def test_the_model_takes_what_the_processor_gives() -> None:
    processor = make_processor()
    features = processor(images=[picture()], ipa=["bat", "bʌtɚ"], return_tensors="pt")
    assert tiny_model()(**features).logits_per_image_pronunciation.shape == (1, 2)


def test_one_string_is_a_batch_of_one_with_tensors_and_flat_without() -> None:
    processor = make_processor()
    assert processor(ipa="bat")["pronunciation_input_ids"] == [BOS, ID["b"], ID["a"], ID["t"], EOS]
    assert processor(ipa="bat", return_tensors="pt")["pronunciation_input_ids"].shape == (1, 5)
    assert isinstance(processor(ipa=["bat"], return_tensors="np")["pronunciation_input_ids"], np.ndarray)


def test_what_is_for_texts_what_for_pronunciations_and_what_for_both() -> None:
    processor = make_processor()  # its tokenizers take 77 and 12 tokens
    long = {"padding": "max_length", "truncation": True, "return_tensors": "pt"}
    features = processor(text=["cat"], ipa=["bat"], max_length=9, **long)
    assert features["input_ids"].shape == (1, 9)
    assert features["pronunciation_input_ids"].shape == (1, 12)  # a length for texts cuts no pronunciation
    features = processor(text=["cat"], ipa=["bat"], pronunciation_kwargs={"max_length": 7}, max_length=9, **long)
    assert (features["input_ids"].shape, features["pronunciation_input_ids"].shape) == ((1, 9), (1, 7))
    assert processor(ipa=["bat"], max_length=9, **long)["pronunciation_input_ids"].shape == (1, 9)
    features = processor(ipa=["bat", "a"], pronunciation_kwargs={"padding": "max_length"}, return_tensors="pt")
    assert features["pronunciation_input_ids"].shape == (2, 12)
    features = processor(
        text=["a"], ipa=["bat"], text_kwargs={"padding": "max_length", "max_length": 8}, return_tensors="pt"
    )
    assert (features["input_ids"].shape, features["pronunciation_input_ids"].shape) == ((1, 8), (1, 5))
    lengths = [len(ids) for ids in processor(ipa=["bat", "a"])["pronunciation_input_ids"]]
    assert lengths == [5, 3]  # no padding without tensors


def test_the_tokenizers_own_padding_stays(tmp_path: Path) -> None:
    make_processor().save_pretrained(tmp_path)
    settings = {"padding": "max_length", "max_length": 20}
    ours = IPAClipProcessor.from_pretrained(tmp_path, **settings)
    clips = CLIPProcessor.from_pretrained(tmp_path, **settings)
    text = {"text": "a dog", "return_tensors": "pt"}
    assert ours(**text)["input_ids"].tolist() == clips(**text)["input_ids"].tolist()
    assert ours(**text)["input_ids"].shape == (1, 20)
    assert ours(ipa=["bat"], return_tensors="pt")["pronunciation_input_ids"].shape == (1, 5)


def test_a_new_pad_token_is_the_text_tokenizers_alone(tmp_path: Path) -> None:
    saved = make_processor()
    saved.save_pretrained(tmp_path)
    loaded = IPAClipProcessor.from_pretrained(tmp_path, pad_token="[PADDING]")
    assert loaded.tokenizer.pad_token == "[PADDING]"
    assert loaded.pronunciation_tokenizer.pad_token == saved.pronunciation_tokenizer.pad_token
    assert loaded.pronunciation_tokenizer.get_vocab() == saved.pronunciation_tokenizer.get_vocab()


def test_a_misspelled_argument_is_reported(caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(logging.getLogger("transformers"), "propagate", True)
    make_processor()(ipa=["bat"], paddding=True)
    assert "paddding" in caplog.text


def test_decoding_is_of_texts() -> None:
    processor = make_processor()
    ids = processor(text=["a cat"])["input_ids"]
    assert processor.batch_decode(ids, skip_special_tokens=True) == ["a cat"]


# --- what gets lost ---


def test_truncation_keeps_the_end_token_and_warns(caplog: pytest.LogCaptureFixture) -> None:
    features = make_processor()(ipa=["bat", "bat" * 5], return_tensors="pt")
    assert features["pronunciation_input_ids"].shape == (2, 12)
    assert features["pronunciation_input_ids"][1, -2:].tolist() == [ID["b"], EOS]
    assert "ipa[1] is 17 tokens long: the last 5 before `</s>` were cut, for 12 is the limit" in caplog.text
    assert "ipa[0]" not in caplog.text


def test_truncation_can_be_turned_off(caplog: pytest.LogCaptureFixture) -> None:
    features = make_processor()(ipa=["bat" * 5], truncation=False, return_tensors="pt")
    assert features["pronunciation_input_ids"].shape == (1, 17)
    assert "cut" not in caplog.text


def test_unknown_signs_are_named_with_their_positions(caplog: pytest.LogCaptureFixture) -> None:
    features = make_processor()(ipa=["bat", "b@t7"], return_tensors="pt")
    assert features["pronunciation_input_ids"][1].tolist() == [BOS, ID["b"], UNK, ID["t"], UNK, EOS]
    assert "ipa[1] ('b@t7') has signs that are no IPA known here: '@' at 1, '7' at 3" in caplog.text
    assert "ipa[0]" not in caplog.text


@pytest.mark.parametrize("name", ["ipa", "pronounce"])
@pytest.mark.parametrize(
    ("value", "message"),
    [
        (["bat", ""], r"{}\[1\] is empty"),
        (["bat", "bat", " \t"], r"{}\[2\] is empty"),
        ("", r"{}\[0\] is empty"),
        ([], "{} is an empty list"),
        (["bat", None], r"{}\[1\] must be a string, got NoneType"),
    ],
)
def test_empty_strings_are_errors(name: str, value: Any, message: str, entry_point: FakeEntryPoint) -> None:
    with pytest.raises(ValueError, match=message.format(name)):
        make_processor()(**{name: value})


def test_nothing_or_two_pronunciations_is_an_error() -> None:
    with pytest.raises(ValueError, match="at least one input"):
        make_processor()()
    with pytest.raises(ValueError, match="`ipa` and `pronounce`"):
        make_processor()(ipa="bat", pronounce="bat")


# --- transcribers ---


def test_spelled_words_are_transcribed(entry_point: FakeEntryPoint) -> None:
    processor = make_processor()
    assert processor.transcribe(["bat", "butterfly"]) == ["bat", "bʌtɚflaɪ"]
    spelled, ipa = processor(pronounce=["butterfly", "bat"]), processor(ipa=["bʌtɚflaɪ", "bat"])
    assert spelled["pronunciation_input_ids"] == ipa["pronunciation_input_ids"]
    assert processor(pronounce="bat") == processor(ipa="bat")


def test_one_transcriber_per_language_and_backend(entry_point: FakeEntryPoint) -> None:
    processor = make_processor(transcriber="espeak")
    for language in (None, "eng-Latn", "deu-Latn", None):
        processor(pronounce=["bat"], language=language)
        copy.deepcopy(processor)(pronounce=["bat"], language=language)
    assert entry_point.made == [("eng-Latn", "espeak"), ("deu-Latn", "espeak")]
    make_processor(language="fra-Latn").transcribe(["bat"])
    assert entry_point.made[2:] == [("fra-Latn", "auto")]


def test_another_transcriber_than_the_recorded_one_is_an_error(entry_point: FakeEntryPoint) -> None:
    entry_point.best = "epitran"
    with pytest.raises(RuntimeError, match=r"'espeak' transcribes them, .* only 'epitran' here"):
        make_processor(transcriber="espeak")(pronounce=["bat"])


def test_what_is_chosen_changes_no_processor_and_is_told(entry_point: FakeEntryPoint) -> None:
    processor = make_processor()
    before = processor.to_dict()
    processor(pronounce=["bat"])
    assert processor.to_dict() == before
    assert processor.backend_of() is None
    assert processor.transcriber_record() == {"backend": "espeak", "version": "1"}
    entry_point.best, entry_point.version = "epitran", "2"
    assert processor.transcriber_record("deu-Latn") == {"backend": "epitran", "version": "2"}


def test_a_record_is_saved_and_kept_to(entry_point: FakeEntryPoint, tmp_path: Path) -> None:
    recorded = {"eng-Latn": {"backend": "espeak", "version": "1"}, "deu-Latn": {"backend": "epitran", "version": "2"}}
    make_processor(transcribers=recorded).save_pretrained(tmp_path)
    loaded = IPAClipProcessor.from_pretrained(tmp_path)
    assert loaded.transcribers == recorded
    assert (loaded.backend_of(), loaded.backend_of("deu-Latn")) == ("espeak", "epitran")
    assert loaded.backend_of("fra-Latn") is None
    entry_point.best = "epitran"
    with pytest.raises(RuntimeError, match=r"'espeak' transcribes them, but for 'eng-Latn' .* only 'epitran' here"):
        loaded(pronounce=["bat"])


def test_what_is_recorded_stays(entry_point: FakeEntryPoint) -> None:
    processor = make_processor(transcriber="espeak")
    processor(pronounce=["bat"])
    assert (processor.transcriber, processor.transcribers) == ("espeak", None)
    recorded = {"eng-Latn": {"backend": "espeak", "version": "0.9"}}
    processor = make_processor(transcribers=recorded)
    processor(pronounce=["bat"])
    assert processor.transcribers == recorded


def test_another_version_is_one_warning(entry_point: FakeEntryPoint, caplog: pytest.LogCaptureFixture) -> None:
    processor = make_processor(transcribers={"eng-Latn": {"backend": "espeak", "version": "0.9"}})
    for _ in range(2):
        processor(pronounce=["bat"])
        copy.deepcopy(processor)(pronounce=["bat"])
    (record,) = caplog.records
    assert "as 0.9 transcribes them, and here they are transcribed by 1" in record.getMessage()
    caplog.clear()
    make_processor(transcribers={"eng-Latn": {"backend": "espeak", "version": "1"}})(pronounce=["bat"])
    make_processor(transcribers={"eng-Latn": {"backend": "espeak"}})(pronounce=["bat"])
    assert not caplog.records


@pytest.mark.parametrize("record", ["espeak", {"version": "1"}, {"backend": None}])
def test_a_record_without_a_backend_is_an_error(record: Any) -> None:
    with pytest.raises(ValueError, match=r"transcribers\['deu-Latn'\] must be a dict with a 'backend'"):
        make_processor(transcribers={"deu-Latn": record})


def test_a_word_without_a_sound_is_an_error(entry_point: FakeEntryPoint) -> None:
    with pytest.raises(ValueError, match=r"the transcription of pronounce\[1\] is empty"):
        make_processor()(pronounce=["bat", "?"])


def test_without_a_transcriber_the_error_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(transcribing, "entry_points", lambda group, name: [])
    with pytest.raises(ImportError, match=r"pip install ipaclip\[espeak\]"):
        make_processor()(pronounce=["bat"])


def test_the_installed_package_offers_a_transcriber() -> None:
    (entry_point,) = {point.value for point in transcribing.entry_points(group="ipaclip.transcribers")}
    assert entry_point == "ipaclip.tokenization:get_transcriber"


# --- files ---


@pytest.mark.parametrize("loader", [IPAClipProcessor, AutoProcessor])
def test_round_trip_through_files(loader: Any, tmp_path: Path) -> None:
    processor = make_processor(language="deu-Latn", transcriber="epitran")
    processor.save_pretrained(tmp_path)
    assert (tmp_path / "pronunciation_tokenizer" / "tokenizer.json").is_file()
    saved = json.loads((tmp_path / "processor_config.json").read_text())
    assert (saved["language"], saved["transcriber"]) == ("deu-Latn", "epitran")
    loaded = loader.from_pretrained(tmp_path)
    assert type(loaded) is IPAClipProcessor
    assert (loaded.language, loaded.transcriber) == ("deu-Latn", "epitran")
    inputs = {"images": [picture()], "text": ["cat"], "ipa": ["bat"], "return_tensors": "pt"}
    expected, actual = processor(**inputs), loaded(**inputs)
    assert expected.keys() == actual.keys()
    assert all(torch.equal(actual[key], expected[key]) for key in expected)
    assert loader.from_pretrained(tmp_path, language="fra-Latn").language == "fra-Latn"


def test_no_setting_of_a_call_is_saved(tmp_path: Path) -> None:
    processor = make_processor()
    processor.save_pretrained(tmp_path / "unused")
    processor(text=["a dog"], ipa=["bat"], padding="max_length", max_length=9, truncation=True, return_tensors="pt")
    processor.tokenizer(["a dog"], padding="max_length", max_length=9, truncation=True)
    processor.save_pretrained(tmp_path / "used")
    for file in ("tokenizer.json", "tokenizer_config.json"):
        for folder in (".", "pronunciation_tokenizer"):
            used, unused = ((tmp_path / name / folder / file).read_text() for name in ("used", "unused"))
            assert used == unused
    loaded = IPAClipProcessor.from_pretrained(tmp_path / "used")
    assert len(loaded(text=["a dog"])["input_ids"][0]) == len("a dog") + 1


def test_each_text_has_an_answer_or_a_reason(entry_point: FakeEntryPoint) -> None:
    bat, error = make_processor().transcribe_each(["bat", "!"])
    assert bat == "bat"
    assert isinstance(error, ValueError)
    assert "cannot be said" in str(error)


def test_a_processor_saved_without_a_record_by_language_loads(entry_point: FakeEntryPoint, tmp_path: Path) -> None:
    make_processor(transcriber="espeak").save_pretrained(tmp_path)
    config = tmp_path / "processor_config.json"
    saved = json.loads(config.read_text())
    del saved["transcribers"]
    config.write_text(json.dumps(saved))
    loaded = IPAClipProcessor.from_pretrained(tmp_path)
    assert (loaded.transcriber, loaded.transcribers) == ("espeak", None)
    loaded(pronounce=["bat"], language="deu-Latn")
    assert entry_point.made == [("deu-Latn", "espeak")]


def test_a_clip_finds_its_processor_within(tmp_path: Path) -> None:
    processor = make_processor()
    processor.save_pretrained(tmp_path)
    clip = CLIPProcessor.from_pretrained(tmp_path)
    assert clip(text=["cat"])["input_ids"] == processor(text=["cat"])["input_ids"]


@pytest.mark.parametrize("loader", [IPAClipProcessor, AutoProcessor])
def test_a_missing_pronunciation_tokenizer_is_named(loader: Any, tmp_path: Path) -> None:
    make_processor().save_pretrained(tmp_path)
    shutil.rmtree(tmp_path / "pronunciation_tokenizer")
    with pytest.raises(OSError, match=rf"no folder 'pronunciation_tokenizer' in '{tmp_path}'"):
        loader.from_pretrained(tmp_path)


def test_an_empty_or_wrong_pronunciation_tokenizer_is_an_error(tmp_path: Path) -> None:
    make_processor().save_pretrained(tmp_path)
    for file in (tmp_path / "pronunciation_tokenizer").iterdir():
        file.unlink()
    with pytest.raises(OSError, match="no IPA tokenizer in the folder 'pronunciation_tokenizer'"):
        IPAClipProcessor.from_pretrained(tmp_path)
    text_tokenizer().save_pretrained(tmp_path / "pronunciation_tokenizer")
    with pytest.raises(OSError, match="no IPA tokenizer in the folder 'pronunciation_tokenizer'"):
        IPAClipProcessor.from_pretrained(tmp_path)


def test_the_tokenizers_cannot_be_confused() -> None:
    images = CLIPImageProcessor()
    with pytest.raises(ValueError, match="no IPA tokenizer"):
        IPAClipProcessor(images, ipa_tokenizer(), text_tokenizer())


def test_copies_and_pickles(entry_point: FakeEntryPoint) -> None:
    processor = make_processor(transcriber="espeak")
    processor(pronounce=["bat"])
    for other in (copy.deepcopy(processor), pickle.loads(pickle.dumps(processor))):
        assert other(ipa=["bat"]) == processor(ipa=["bat"])
        assert other.transcriber == "espeak"


@pytest.mark.slow
def test_remote_code_works_without_the_package(tmp_path: Path) -> None:
    tiny_model().save_pretrained(tmp_path / "checkpoint")
    make_processor().save_pretrained(tmp_path / "checkpoint")
    code = f"""
import os, sys
os.environ["HF_MODULES_CACHE"] = {str(tmp_path / "modules")!r}
sys.modules["ipaclip"] = None
from transformers import AutoModel, AutoProcessor
checkpoint = {str(tmp_path / "checkpoint")!r}
processor = AutoProcessor.from_pretrained(checkpoint, trust_remote_code=True)
model = AutoModel.from_pretrained(checkpoint, trust_remote_code=True)
features = processor(ipa=["bat"], return_tensors="pt")
assert model.get_pronunciation_features(**features).pooler_output.shape == (1, 16)
print(processor(ipa="bat")["pronunciation_input_ids"])
"""
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stderr
    assert json.loads(result.stdout) == [BOS, ID["b"], ID["a"], ID["t"], EOS]
