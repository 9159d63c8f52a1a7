"""Tiny random models for the tests: nothing is downloaded, everything runs in milliseconds."""

from typing import Any

import torch
from ipaclip import IPAClipModel
from transformers import CLIPConfig, CLIPModel

VOCAB_SIZE, NUM_FEATURES, PROJECTION_DIM = 40, 10, 16
TEXT_EOS = 98
PRONUNCIATION = {"max_position_embeddings": 24}


def tiny_clip(seed: int = 0, hidden_size: int = 32) -> CLIPModel:
    torch.manual_seed(seed)
    tower = {"hidden_size": hidden_size, "intermediate_size": 2 * hidden_size, "num_hidden_layers": 2}
    tower["num_attention_heads"] = 4
    config = CLIPConfig(
        text_config={**tower, "vocab_size": 99, "max_position_embeddings": 12, "eos_token_id": TEXT_EOS},
        vision_config={**tower, "image_size": 32, "patch_size": 8},
        projection_dim=PROJECTION_DIM,
    )
    return CLIPModel(config).eval()


def feature_table(vocab_size: int = VOCAB_SIZE, num_features: int = NUM_FEATURES) -> torch.Tensor:
    """Rows with about half of the entries +1 or -1, as phonetic features are."""
    generator = torch.Generator().manual_seed(7)
    signs = torch.randint(0, 2, (vocab_size, num_features), generator=generator) * 2 - 1
    return signs * torch.randint(0, 2, (vocab_size, num_features), generator=generator).float()


def tiny_model(seed: int = 0, **pronunciation_config: Any) -> IPAClipModel:
    clip = tiny_clip(seed)
    torch.manual_seed(seed + 1)
    learned = pronunciation_config.get("feature_set") == "learned"
    table = feature_table(num_features=0) if learned else feature_table()
    return IPAClipModel.from_clip(clip, table, {**PRONUNCIATION, **pronunciation_config})


def pixels(images: int = 2) -> torch.Tensor:
    return torch.randn(images, 3, 32, 32, generator=torch.Generator().manual_seed(1))


def text_ids() -> torch.Tensor:
    """Three texts, the last token of each CLIP's end token."""
    return torch.tensor([[5, 6, TEXT_EOS, 1], [7, 8, 9, TEXT_EOS], [4, 5, 5, TEXT_EOS]])


def pronunciation_ids() -> tuple[torch.Tensor, torch.Tensor]:
    """Two pronunciations of 4 and 7 tokens, `<s>` (2) and `</s>` (3) included, and their mask."""
    ids = torch.tensor([[2, 5, 6, 3, 0, 0, 0], [2, 7, 8, 9, 10, 11, 3]])
    return ids, (ids != 0).long()
