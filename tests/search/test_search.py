"""Searching a tiny random checkpoint whose gallery holds the embeddings of known queries."""

import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from ipaclip.search import Gallery, GalleryEntry, PictureSearch, local_checkpoint
from safetensors.torch import load_file, save_file


@pytest.fixture(scope="module")
def pictures(tiny_checkpoint: Path) -> PictureSearch:
    return PictureSearch.from_checkpoint(tiny_checkpoint)


def names(hits: list) -> list[str]:
    return [hit.entry.name for hit in hits]


def assert_same_hits(found: list, expected: list) -> None:
    assert [names(hits) for hits in found] == [names(hits) for hits in expected]
    for hits, others in zip(found, expected, strict=True):
        assert [hit.score for hit in hits] == pytest.approx([hit.score for hit in others], abs=1e-5)


def test_what_sounds_like_a_picture_finds_it_first(pictures: PictureSearch) -> None:
    found = pictures.search(["ʌmbɹɛlə", "dɔɡ", "bʌtɚflaɪ"], by="ipa", top=2)
    assert [names(hits)[0] for hits in found] == ["umbrella", "dog", "butterfly"]
    assert [hits[0].score for hits in found] == pytest.approx([1.0] * 3, abs=1e-5)
    assert [len(hits) for hits in found] == [2, 2, 2]


def test_the_text_tower_finds_what_is_written(pictures: PictureSearch) -> None:
    found = pictures.search(["pen", "book", "family"], by="text", top=1)
    assert [names(hits) for hits in found] == [["pen"], ["book"], ["family"]]


def test_scores_are_the_cosines_of_the_models_own_features(pictures: PictureSearch) -> None:
    ipa = "ʌmbɹɛflaɪ"
    inputs = pictures.processor(ipa=[ipa], return_tensors="pt")
    with torch.no_grad():
        query = pictures.model.get_pronunciation_features(**inputs).pooler_output[0].numpy()
    rows = pictures.gallery.image_embeds
    cosines = rows @ query / np.linalg.norm(rows, axis=1) / np.linalg.norm(query)
    (hits,) = pictures.search([ipa], by="ipa", top=6)
    assert names(hits) == [pictures.gallery.entries[row].name for row in np.argsort(-cosines)]
    assert [hit.score for hit in hits] == pytest.approx(sorted(cosines, reverse=True), abs=1e-5)


def test_spelled_words_are_searched_as_they_are_said(pictures: PictureSearch) -> None:
    epitran = pytest.importorskip("epitran")
    said = epitran.Epitran("pol-Latn").transliterate("parasol")
    assert_same_hits(pictures.search(["Parasol"], language="pol-Latn"), pictures.search([said], by="ipa"))


def test_english_is_the_language_of_the_checkpoint(pictures: PictureSearch) -> None:
    pytest.importorskip("phonemizer")
    assert_same_hits(pictures.search(["umbrella"]), pictures.search(["umbrella"], language="eng-Latn"))


def test_no_query_finds_nothing(pictures: PictureSearch) -> None:
    assert pictures.search([]) == []


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({"queries": "dog"}, TypeError, "write search(['dog'])"),
        ({"queries": ["dog"], "by": "smell"}, ValueError, "by is 'smell': it must be 'sound', 'ipa' or 'text'."),
        ({"queries": ["dɔɡ"], "by": "ipa", "language": "eng-Latn"}, ValueError, "leave it out with by='ipa'"),
        ({"queries": ["dog"], "by": "text", "language": "eng-Latn"}, ValueError, "leave it out with by='text'"),
        ({"queries": ["dɔɡ"], "by": "ipa", "top": 0}, ValueError, "top is 0"),
        ({"queries": ["dog"], "language": "xxx-Latn"}, ValueError, "'xxx-Latn'"),
        ({"queries": ["蝴蝶"], "language": "pol-Latn"}, ValueError, "蝴蝶"),
    ],
)
def test_bad_questions(pictures: PictureSearch, arguments: dict[str, Any], error: type, message: str) -> None:
    with pytest.raises(error, match=re.escape(message)):
        pictures.search(**arguments)


def test_a_gallery_of_another_width_is_refused(pictures: PictureSearch) -> None:
    gallery = Gallery([GalleryEntry("🦋", "butterfly")], [[1.0, 0.0]])
    with pytest.raises(ValueError, match="have 2 dimensions, the model's 16"):
        PictureSearch(pictures.model, pictures.processor, gallery)


@pytest.mark.parametrize(
    "missing", ["gallery.json", "config.json", "processor_config.json", "model.safetensors", "pronunciation_tokenizer"]
)
def test_an_incomplete_checkpoint_is_refused(missing: str, tiny_checkpoint_copy: Path) -> None:
    (tiny_checkpoint_copy / missing).rename(tiny_checkpoint_copy / "gone")
    with pytest.raises((OSError, ValueError), match=missing):
        PictureSearch.from_checkpoint(tiny_checkpoint_copy)


def test_missing_weights_are_not_made_up(tiny_checkpoint_copy: Path) -> None:
    path = tiny_checkpoint_copy / "model.safetensors"
    weights = load_file(path)
    del weights["visual_projection.weight"]
    save_file(weights, path, {"format": "pt"})
    with pytest.raises(ValueError, match=r"lacks weights \(visual_projection\.weight\)"):
        PictureSearch.from_checkpoint(tiny_checkpoint_copy)


def test_weights_of_another_shape_are_refused(tiny_checkpoint_copy: Path) -> None:
    path = tiny_checkpoint_copy / "model.safetensors"
    weights = load_file(path)
    weights["visual_projection.weight"] = torch.zeros(16, 17)
    save_file(weights, path, {"format": "pt"})
    with pytest.raises(ValueError, match=r"do not fit its config\.json"):
        PictureSearch.from_checkpoint(tiny_checkpoint_copy)


@pytest.mark.parametrize("name", ["/no/such", "./none", "~/none", "a/b/c"])
def test_a_missing_directory_is_not_asked_for_on_the_hub(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("huggingface_hub.snapshot_download", lambda *_, **__: pytest.fail("asked the Hub"))
    with pytest.raises(FileNotFoundError, match=re.escape(f"There is no directory {name}")):
        local_checkpoint(name)


def test_what_neither_disk_nor_hub_has_is_said_so() -> None:
    with pytest.raises(FileNotFoundError, match="There is no directory nobody/nothing, and the Hub did not give"):
        local_checkpoint("nobody/nothing")


def test_a_hub_name_is_fetched_whole(tiny_checkpoint: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from fnmatch import fnmatch

    def snapshot(name: str, allow_patterns: list[str]) -> str:
        assert name == "someone/tiny"
        wanted = [*tiny_checkpoint.glob("*.json"), *tiny_checkpoint.glob("*/*.json"), *tiny_checkpoint.glob("*.safe*")]
        for path in wanted:
            relative = str(path.relative_to(tiny_checkpoint))
            assert any(fnmatch(relative, pattern) for pattern in allow_patterns), relative
        return str(tiny_checkpoint)

    monkeypatch.setattr("huggingface_hub.snapshot_download", snapshot)
    assert names(PictureSearch.from_checkpoint("someone/tiny").search(["dɔɡ"], by="ipa")[0])[0] == "dog"


def test_galleries_need_no_torch(tiny_checkpoint: Path) -> None:
    code = (
        "import sys; from ipaclip.search import Gallery; import ipaclip.cli; "
        f"print(len(Gallery.load({str(tiny_checkpoint)!r}))); "
        "assert not {'torch', 'transformers'} & set(sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (done.stdout, done.stderr, done.returncode) == ("6\n", "", 0)
