"""CLIP checkpoints → IPA-CLIP."""

import pytest
import torch
from conftest import tiny_clip, tiny_clip_tokenizer
from ipaclip import IPAClipModel, IPAClipProcessor
from ipaclip.conversion_scripts import convert_clip_to_ipaclip


@pytest.fixture
def clip_directory(tmp_path):
    from transformers import CLIPImageProcessor

    tokenizer = tiny_clip_tokenizer()
    tiny_clip(tokenizer).save_pretrained(tmp_path / "clip")
    tokenizer.save_pretrained(tmp_path / "clip")
    CLIPImageProcessor(size={"shortest_edge": 32}, crop_size=32).save_pretrained(tmp_path / "clip")
    return tmp_path / "clip"


@pytest.mark.parametrize("feature_set", ["panphon", "ipa_chart", "learned"])
def test_the_clip_stays_as_it_is_and_the_tower_speaks(clip_directory, tmp_path, feature_set):
    assert convert_clip_to_ipaclip(clip_directory, tmp_path / "out", feature_set=feature_set) == 0
    model = IPAClipModel.from_pretrained(tmp_path / "out")
    processor = IPAClipProcessor.from_pretrained(tmp_path / "out")
    first, second = model.get_pronunciation_features(**processor(ipa=["kæt", "dɔɡ"], return_tensors="pt")).pooler_output
    assert torch.isfinite(first).all()
    assert not torch.allclose(first, second)
    assert model.config.pronunciation_config.feature_set == feature_set


def test_the_seed_decides_the_tower(clip_directory, tmp_path):
    towers = []
    for name, seed in (("a", 0), ("b", 0), ("c", 1)):
        convert_clip_to_ipaclip(clip_directory, tmp_path / name, seed=seed)
        towers.append(IPAClipModel.from_pretrained(tmp_path / name).pronunciation_projection.weight)
    assert torch.equal(towers[0], towers[1])
    assert not torch.equal(towers[0], towers[2])


def test_a_directory_with_files_is_refused(clip_directory):
    with pytest.raises(ValueError, match="is not empty"):
        convert_clip_to_ipaclip(clip_directory, clip_directory)
