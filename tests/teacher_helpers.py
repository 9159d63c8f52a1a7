"""Tiny teachers, saved as their libraries save them."""

import json

import pytest
import torch
from tokenizers import Tokenizer, models, pre_tokenizers
from tokenizers.processors import TemplateProcessing
from transformers import (
    BertConfig,
    BertModel,
    PreTrainedTokenizerFast,
    SiglipConfig,
    SiglipModel,
)

LETTERS = " abcdefghijklmnopqrstuvwxyz"


SHAPE = {"hidden_size": 16, "intermediate_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2}


VISION = {**SHAPE, "image_size": 32, "patch_size": 16}


def letter_tokenizer(begin, end, pad, **kwargs):
    """One token a letter between the given ends; ids 0, 1, 2 are pad, begin, end."""
    special = list(dict.fromkeys([pad, *([begin] if begin else []), end]))
    vocabulary = {token: row for row, token in enumerate([*special, "[UNK]", *LETTERS])}
    backend = Tokenizer(models.WordLevel(vocabulary, unk_token="[UNK]"))
    backend.pre_tokenizer = pre_tokenizers.Split("", "isolated")
    single = f"{begin} $A {end}" if begin else f"$A {end}"
    backend.post_processor = TemplateProcessing(single=single, special_tokens=[(t, vocabulary[t]) for t in special])
    ends = {"bos_token": begin, "eos_token": end} if begin else {"eos_token": end}
    return PreTrainedTokenizerFast(
        tokenizer_object=backend, unk_token="[UNK]", pad_token=pad, cls_token=begin or end, sep_token=end, **ends,
        **kwargs,
    )  # fmt: skip


def saved(directory, model, tokenizer):
    # As drawn by default, all texts land beside each other.
    with torch.no_grad():
        for name, value in model.named_parameters():
            if name.startswith("text_") and value.ndim > 1:
                value.normal_(std=0.4)
    model.eval().save_pretrained(directory)
    tokenizer.save_pretrained(directory)
    return str(directory)


def siglip_checkpoint(directory):
    tokenizer = letter_tokenizer(None, "</s>", "</s>")
    text = {**SHAPE, "vocab_size": len(tokenizer), "max_position_embeddings": 24, "projection_size": 16}
    return saved(directory, SiglipModel(SiglipConfig(text_config=text, vision_config=VISION)), tokenizer)


def bert_checkpoint(directory, modules=("Transformer", "Pooling", "Normalize"), pooling=None, settings=None):
    pytest.importorskip("sentence_transformers")
    tokenizer = letter_tokenizer("[CLS]", "[SEP]", "[PAD]")
    torch.manual_seed(3)
    config = BertConfig(**SHAPE, vocab_size=len(tokenizer), max_position_embeddings=24, initializer_range=0.4)
    BertModel(config).save_pretrained(directory)
    tokenizer.save_pretrained(directory)
    kind_of = "sentence_transformers.models."
    listed = [
        {"idx": row, "name": str(row), "path": f"{row}_{kind}" if row else "", "type": kind_of + kind}
        for row, kind in enumerate(modules)
    ]
    (directory / "modules.json").write_text(json.dumps(listed))
    (directory / "1_Pooling").mkdir()
    pooling = {"word_embedding_dimension": 16, **(pooling or {"pooling_mode_mean_tokens": True})}
    (directory / "1_Pooling" / "config.json").write_text(json.dumps(pooling))
    (directory / "sentence_bert_config.json").write_text(json.dumps(settings or {"max_seq_length": 12}))
    return str(directory)
