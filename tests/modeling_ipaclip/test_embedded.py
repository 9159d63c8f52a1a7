"""The checkpoint that is shipped: whole, small, and as good as the README says."""

from pathlib import Path

import pytest
import torch
from ipaclip import embedded_checkpoint

DIRECTORY = Path(embedded_checkpoint())


@pytest.fixture(scope="module")
def pictures():
    from ipaclip.search import PictureSearch

    return PictureSearch.from_checkpoint(DIRECTORY)


def top1(queries, pictures):
    images = torch.from_numpy(pictures.gallery.image_embeds)
    return ((queries @ images.T).argmax(1) == torch.arange(len(images))).float().mean().item()


def test_it_is_small_and_holds_no_pickle():
    files = [file for file in DIRECTORY.rglob("*") if file.is_file()]
    assert sum(file.stat().st_size for file in files) <= 40_000_000
    assert {file.suffix for file in files} <= {".json", ".md", ".safetensors", ".tsv"}


def test_the_clip_within_is_transformers_own_and_finds_pictures_by_name(pictures):
    from ipaclip.encoding import encode
    from transformers import AutoTokenizer, CLIPModel

    names = [entry.name for entry in pictures.gallery.entries]
    assert len(names) == len(set(names)) == 1886
    assert top1(encode(pictures.model, pictures.processor, text=names), pictures) >= 0.95
    clip, tokenizer = (
        CLIPModel.from_pretrained(DIRECTORY, dtype=torch.float32),
        AutoTokenizer.from_pretrained(DIRECTORY),
    )
    with torch.no_grad():
        features = clip.get_text_features(**tokenizer(["butterfly"], return_tensors="pt")).pooler_output
    features = torch.nn.functional.normalize(features, dim=-1).numpy()
    assert pictures.gallery.nearest(features, top=1)[0][0].entry.character == "🦋"


def test_pictures_are_found_by_the_sound_of_their_names(pictures):
    pytest.importorskip("phonemizer")
    from ipaclip.encoding import encode

    names = [entry.name for entry in pictures.gallery.entries]
    assert top1(encode(pictures.model, pictures.processor, pronounce=names), pictures) >= 0.95


def test_words_that_nobody_wrote(pictures):
    pytest.importorskip("phonemizer")
    for query, character in {"batterfly": "🦋", "yoonikorn": "🦄"}.items():
        assert pictures.search([query], top=1)[0][0].entry.character == character
