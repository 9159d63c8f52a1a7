"""Teachers of every family, as tiny random models: each embedding against the model called by hand, text by text."""

import json
import logging
import sys

import numpy as np
import pytest
import torch
from conftest import tiny_clip, tiny_clip_tokenizer
from ipaclip.training.teachers import TeacherError, load_teacher, resample_tokens
from teacher_helpers import SHAPE, VISION, bert_checkpoint, letter_tokenizer, saved, siglip_checkpoint
from tokenizers.processors import TemplateProcessing
from transformers import (
    AltCLIPConfig,
    AltCLIPModel,
    BertConfig,
    BertModel,
    ChineseCLIPConfig,
    ChineseCLIPModel,
    CLIPModel,
    MetaClip2Config,
    MetaClip2Model,
    PreTrainedTokenizerFast,
    Siglip2Config,
    Siglip2Model,
)

TEXTS = ["a dog", "a photo of two cats", "bee", "zebra crossing"]


def clip_checkpoint(directory):
    tokenizer = tiny_clip_tokenizer()
    return saved(directory, tiny_clip(tokenizer), tokenizer)


def metaclip_checkpoint(directory):
    tokenizer = letter_tokenizer("<s>", "</s>", "<pad>")
    ends = {"bos_token_id": 1, "eos_token_id": 2, "pad_token_id": 0}
    text = {**SHAPE, **ends, "vocab_size": len(tokenizer), "max_position_embeddings": 24}
    return saved(
        directory, MetaClip2Model(MetaClip2Config(text_config=text, vision_config=VISION, projection_dim=12)), tokenizer
    )


def siglip2_checkpoint(directory):
    tokenizer = letter_tokenizer(None, "</s>", "<pad>", padding_side="right")
    text = {**SHAPE, "vocab_size": len(tokenizer), "max_position_embeddings": 24, "projection_size": 16}
    vision = {**SHAPE, "patch_size": 16, "num_patches": 4}
    return saved(directory, Siglip2Model(Siglip2Config(text_config=text, vision_config=vision)), tokenizer)


def chinese_clip_checkpoint(directory):
    tokenizer = letter_tokenizer("[CLS]", "[SEP]", "[PAD]")
    text = {**SHAPE, "vocab_size": len(tokenizer), "max_position_embeddings": 24, "pad_token_id": 0}
    model = ChineseCLIPModel(ChineseCLIPConfig(text_config=text, vision_config=VISION, projection_dim=12))
    return saved(directory, model, tokenizer)


def altclip_checkpoint(directory):
    tokenizer = letter_tokenizer("<s>", "</s>", "<pad>")
    text = {**SHAPE, "vocab_size": len(tokenizer), "max_position_embeddings": 24, "pad_token_id": 0, "project_dim": 16}
    model = AltCLIPModel(AltCLIPConfig(text_config=text, vision_config=VISION, projection_dim=12))
    return saved(directory, model, tokenizer)


FAMILIES = {
    "clip": clip_checkpoint,
    "metaclip_2": metaclip_checkpoint,
    "siglip": siglip_checkpoint,
    "siglip2": siglip2_checkpoint,
    "chinese_clip": chinese_clip_checkpoint,
    "altclip": altclip_checkpoint,
}
PADDED = ("siglip", "siglip2")


def by_hand(family, model, tokenizer, text):
    """One text's embedding and the states of its own tokens, without batching."""
    ids = tokenizer(text)["input_ids"]
    count = len(ids)
    if family in PADDED:
        ids = ids + [tokenizer.pad_token_id] * (model.config.text_config.max_position_embeddings - count)
    ids = torch.tensor([ids])
    with torch.no_grad():
        states = model.text_model(input_ids=ids).last_hidden_state
        if family in PADDED:
            pooled = model.text_model.head(states[:, -1])
        elif family in ("chinese_clip", "altclip"):
            pooled = model.text_projection(states[:, 0])
        else:
            pooled = model.text_projection(states[:, count - 1])
    return (pooled / pooled.norm()).numpy()[0], states[0, :count].numpy()


@pytest.mark.parametrize("family", FAMILIES)
def test_each_family_is_read_as_it_wants_to_be(family, tmp_path):
    teacher = load_teacher(FAMILIES[family](tmp_path))
    assert teacher.model.config.model_type == family
    embeddings, tokens = teacher.embed(TEXTS), teacher.embed_tokens(TEXTS, 7)
    assert embeddings.shape == (len(TEXTS), teacher.dim)
    assert embeddings.dtype == np.float32
    assert tokens.shape == (len(TEXTS), 7, teacher.token_dim)
    for row, text in enumerate(TEXTS):
        pooled, states = by_hand(family, teacher.model, teacher.tokenizer, text)
        np.testing.assert_allclose(embeddings[row], pooled, atol=2e-5)
        for column in range(states.shape[1]):
            expected = np.interp(np.linspace(0, len(states) - 1, 7), np.arange(len(states)), states[:, column])
            np.testing.assert_allclose(tokens[row, :, column], expected, atol=1e-4)
    assert np.ptp(embeddings, axis=0).max() > 0.1
    assert (teacher.clip is not None) == (family == "clip")


def test_the_clip_within_an_ipa_clip_teaches_as_that_clip_does(tiny_checkpoint, tmp_path):
    CLIPModel.from_pretrained(tiny_checkpoint).save_pretrained(tmp_path)
    tiny_clip_tokenizer().save_pretrained(tmp_path)
    within, plain = load_teacher(str(tiny_checkpoint)), load_teacher(str(tmp_path))
    np.testing.assert_allclose(within.embed(TEXTS), plain.embed(TEXTS), atol=1e-5)
    assert within.fingerprint() == plain.fingerprint()


def test_the_fingerprint_tells_teachers_apart_and_not_what_they_did_before(tmp_path):
    teacher = load_teacher(clip_checkpoint(tmp_path / "one"))
    before = teacher.fingerprint()
    teacher.embed(["a text that is long enough to be cut by a tower that reads thirty-two letters"])
    assert teacher.fingerprint() == before == load_teacher(str(tmp_path / "one")).fingerprint()
    with torch.no_grad():
        teacher.model.text_projection.weight[0, 0] += 1e-3
    changed = teacher.fingerprint()
    assert changed != before
    with torch.no_grad():
        teacher.model.visual_projection.weight.add_(1)
    assert teacher.fingerprint() == changed
    teacher.tokenizer.add_tokens(["zebra"])
    assert teacher.fingerprint() != changed


def test_texts_that_are_cut_are_counted(tmp_path, caplog):
    teacher = load_teacher(chinese_clip_checkpoint(tmp_path))
    assert teacher.max_length == 24
    long = "abcdefghij" * 5
    with caplog.at_level(logging.WARNING):
        embeddings = teacher.embed([long, "bee", long[:22]])
    assert teacher.truncated == 1
    assert "reads 24 tokens" in caplog.text
    np.testing.assert_allclose(embeddings[0], embeddings[2], atol=1e-5)


def test_positions_that_are_kept_for_padding_are_not_counted(tmp_path):
    # XLM-R's positions begin after the padding's own number, here 0.
    assert load_teacher(altclip_checkpoint(tmp_path)).max_length == 23


def test_a_tokenizer_without_an_end_token_is_refused(tmp_path):
    directory = clip_checkpoint(tmp_path)
    letter = letter_tokenizer("<s>", "</s>", "<pad>")
    letter.backend_tokenizer.post_processor = TemplateProcessing(single="<s> $A", special_tokens=[("<s>", 1)])
    letter.save_pretrained(directory)
    with pytest.raises(TeacherError, match=r"embeds 'a' and 'two dogs' alike"):
        load_teacher(directory)


def test_a_family_whose_padding_is_not_known_is_refused(tmp_path, monkeypatch):
    from ipaclip.training.teachers import clip_family

    # SigLIP pools at the last position, padding or not: a stand-in for whatever family comes next.
    monkeypatch.setattr(clip_family, "PADDED_TYPES", ())
    with pytest.raises(TeacherError, match="embeds a text otherwise when it is padded"):
        load_teacher(siglip_checkpoint(tmp_path))


def test_missing_weights_are_an_error(tmp_path):
    from safetensors.torch import load_file, save_file

    directory = clip_checkpoint(tmp_path)
    weights = load_file(tmp_path / "model.safetensors")
    del weights["text_projection.weight"]
    save_file(weights, tmp_path / "model.safetensors", {"format": "pt"})
    with pytest.raises(TeacherError, match=r"lacks 1 weights of its text tower \(as text_projection.weight\)"):
        load_teacher(directory)


def bert_states(directory, text):
    """`(tokens, width)`, cut at 12 tokens by hand."""
    model = BertModel.from_pretrained(directory).eval()
    ids = PreTrainedTokenizerFast.from_pretrained(directory)(text)["input_ids"]
    ids = ids if len(ids) <= 12 else [*ids[:11], ids[-1]]
    with torch.no_grad():
        return model(input_ids=torch.tensor([ids])).last_hidden_state[0].numpy()


POOLED = {
    "pooling_mode_cls_token": lambda states: states[0],
    "pooling_mode_mean_tokens": lambda states: states.mean(0),
    "pooling_mode_max_tokens": lambda states: states.max(0),
    "pooling_mode_mean_sqrt_len_tokens": lambda states: states.sum(0) / len(states) ** 0.5,
    "pooling_mode_weightedmean_tokens": lambda states: np.average(
        states, axis=0, weights=np.arange(1, len(states) + 1)
    ),
    "pooling_mode_lasttoken": lambda states: states[-1],
}


@pytest.mark.parametrize("key", POOLED)
@pytest.mark.parametrize("newer", [False, True])
def test_a_sentence_encoder_pools_as_its_configuration_says(key, newer, tmp_path):
    mode = key.removeprefix("pooling_mode_").removesuffix("_tokens").removesuffix("_token")
    mode = "mean_sqrt_len_tokens" if mode == "mean_sqrt_len" else mode
    pooling = {"pooling_mode": mode} if newer else {name: name == key for name in POOLED}
    directory = bert_checkpoint(tmp_path, ("Transformer", "Pooling"), pooling)
    teacher = load_teacher(directory)
    assert teacher.clip is None
    for row, text in zip(teacher.embed(TEXTS), TEXTS, strict=True):
        np.testing.assert_allclose(row, POOLED[key](bert_states(directory, text)), atol=1e-4)


def test_several_poolings_are_joined_and_normalize_is_obeyed(tmp_path):
    pooling = {"pooling_mode_mean_tokens": True, "pooling_mode_cls_token": True}
    directory = bert_checkpoint(tmp_path, pooling=pooling)
    teacher = load_teacher(directory)
    assert (teacher.dim, teacher.token_dim) == (32, 16)
    for row, text in zip(teacher.embed(TEXTS), TEXTS, strict=True):
        states = bert_states(directory, text)
        joined = np.concatenate([states[0], states.mean(0)])
        np.testing.assert_allclose(row, joined / np.linalg.norm(joined), atol=1e-5)


def dense_checkpoint(directory, about=None, file="model.safetensors"):
    """A sentence encoder that ends in a linear map to 5 numbers and a tanh; its weight and bias."""
    from safetensors.torch import save_file

    bert_checkpoint(directory, ("Transformer", "Pooling", "Dense"))
    weight, bias = torch.randn(5, 16), torch.randn(5)
    folder = directory / "2_Dense"
    folder.mkdir()
    activation = "torch.nn.modules.activation.Tanh"
    about = {"in_features": 16, "out_features": 5, "bias": True, "activation_function": activation, **(about or {})}
    (folder / "config.json").write_text(json.dumps(about))
    weights = {"linear.weight": weight, "linear.bias": bias}
    if file.endswith(".bin"):
        torch.save(weights, folder / file)
    else:
        save_file(weights, folder / file)
    return weight, bias


def test_a_dense_module_is_obeyed(tmp_path):
    weight, bias = dense_checkpoint(tmp_path)
    teacher = load_teacher(str(tmp_path))
    assert teacher.dim == 5
    for row, text in zip(teacher.embed(TEXTS), TEXTS, strict=True):
        expected = np.tanh(weight.numpy() @ bert_states(tmp_path, text).mean(0) + bias.numpy())
        np.testing.assert_allclose(row, expected, atol=1e-4)


def test_pickled_weights_are_refused(tmp_path):
    dense_checkpoint(tmp_path / "dense", file="pytorch_model.bin")
    with pytest.raises(TeacherError, match=r"2_Dense has no model\.safetensors; pickled weights are not read"):
        load_teacher(str(tmp_path / "dense"))
    directory = bert_checkpoint(tmp_path / "encoder")
    weights = BertModel.from_pretrained(directory).state_dict()
    (tmp_path / "encoder" / "model.safetensors").unlink()
    torch.save(weights, tmp_path / "encoder" / "pytorch_model.bin")
    with pytest.raises(OSError, match=r"no file named model\.safetensors"):
        load_teacher(directory)


def test_a_model_s_own_code_is_never_run(tmp_path):
    directory = tmp_path / "plain"
    bert_checkpoint(directory)
    (directory / "evil.py").write_text("raise SystemExit('run')")
    listed = json.loads((directory / "modules.json").read_text())
    listed[1]["type"] = "evil.Pooling"
    (directory / "modules.json").write_text(json.dumps(listed))
    with pytest.raises(TeacherError, match=r"module Pooling \(evil\.Pooling\) is not supported"):
        load_teacher(str(directory))
    dense_checkpoint(tmp_path / "dense", {"activation_function": "os.abort"})
    with pytest.raises(TeacherError, match=r"the activation os\.abort of 2_Dense is not one of torch\.nn"):
        load_teacher(str(tmp_path / "dense"))


def test_a_sentence_encoder_that_lacks_weights_is_refused(tmp_path):
    from safetensors.torch import load_file, save_file

    directory = bert_checkpoint(tmp_path)
    weights = load_file(tmp_path / "model.safetensors")
    name = next(key for key in weights if key.endswith("layer.1.output.dense.weight"))
    del weights[name]
    save_file(weights, tmp_path / "model.safetensors", {"format": "pt"})
    with pytest.raises(TeacherError, match=r"lacks 1 weights \(as .*layer\.1\.output\.dense\.weight"):
        load_teacher(directory)


def test_without_the_library_it_is_said_what_to_install(tmp_path, monkeypatch):
    directory = bert_checkpoint(tmp_path)
    monkeypatch.setitem(sys.modules, "sentence_transformers", None)
    with pytest.raises(ImportError, match=r'pip install "ipaclip\[sentence-transformers\]"'):
        load_teacher(directory)


def test_long_texts_of_a_sentence_encoder_are_cut_and_counted(tmp_path, caplog):
    directory = bert_checkpoint(tmp_path)
    teacher = load_teacher(directory)
    assert teacher.max_length == 12
    long = "abcdefghij" * 3
    np.testing.assert_allclose(teacher.embed([long])[0], teacher.embed([long[:10]])[0], atol=1e-5)
    assert teacher.truncated == 1
    assert "reads 12 tokens" in caplog.text


def test_lower_case_and_the_default_prompt_are_obeyed(tmp_path):
    settings = {"max_seq_length": 12, "do_lower_case": True}
    plain = load_teacher(bert_checkpoint(tmp_path / "plain"))
    directory = bert_checkpoint(tmp_path / "prompted", settings=settings)
    prompts = {"prompts": {"q": "say "}, "default_prompt_name": "q"}
    (tmp_path / "prompted" / "config_sentence_transformers.json").write_text(json.dumps(prompts))
    prompted = load_teacher(directory)
    np.testing.assert_allclose(prompted.embed(["A Dog"]), plain.embed(["say a dog"]), atol=1e-6)
    assert prompted.fingerprint() != plain.fingerprint()


def test_a_pooler_that_takes_no_part_does_not_count(tmp_path):
    teacher = load_teacher(bert_checkpoint(tmp_path))
    before = teacher.fingerprint()
    with torch.no_grad():
        teacher.text_tower.pooler.dense.weight.add_(1)
    assert teacher.fingerprint() == before
    other = load_teacher(bert_checkpoint(tmp_path / "cls", pooling={"pooling_mode_cls_token": True}))
    assert other.fingerprint() != before


def test_sentence_token_states(tmp_path):
    directory = bert_checkpoint(tmp_path)
    states = bert_states(directory, "bee")
    tokens = load_teacher(directory).embed_tokens(["bee", "a longer text"], len(states))
    np.testing.assert_allclose(tokens[0], states, atol=1e-4)


@pytest.mark.parametrize(
    ("modules", "pooling", "message"),
    [
        (("Transformer", "Pooling", "LSTM"), None, "module LSTM .* is not supported; supported: Transformer, Pooling"),
        (("Transformer", "Normalize"), None, "must be one Transformer, one Pooling"),
        (("Transformer", "Pooling"), {"pooling_mode": "attention"}, "cannot be loaded: .*attention"),
    ],
)
def test_modules_that_are_not_known_are_refused(modules, pooling, message, tmp_path):
    with pytest.raises(TeacherError, match=message):
        load_teacher(bert_checkpoint(tmp_path, modules, pooling))


def test_a_model_that_cannot_teach_is_refused_with_what_can(tmp_path):
    BertModel(BertConfig(**SHAPE, vocab_size=30)).save_pretrained(tmp_path)
    with pytest.raises(TeacherError, match=r"model_type 'bert'\) cannot teach.*clip.*siglip2.*chinese_clip.*sentence"):
        load_teacher(str(tmp_path))


def test_no_model_at_all(tmp_path):
    with pytest.raises(OSError, match=r"^teacher .*nowhere: "):
        load_teacher(str(tmp_path / "nowhere"))


def test_resampling_by_hand():
    states = torch.tensor([[[9.0], [0.0], [10.0], [20.0]], [[1.0], [2.0], [9.0], [9.0]], [[5.0], [9.0], [9.0], [9.0]]])
    mask = torch.tensor([[0, 1, 1, 1], [1, 1, 0, 0], [1, 0, 0, 0]])
    expected = [[0.0, 5.0, 10.0, 15.0, 20.0], [1.0, 1.25, 1.5, 1.75, 2.0], [5.0] * 5]
    torch.testing.assert_close(resample_tokens(states, mask, 5)[..., 0], torch.tensor(expected))
    with pytest.raises(ValueError, match="at least 2 positions"):
        resample_tokens(states, mask, 1)
    with pytest.raises(ValueError, match="row 1 has no token"):
        resample_tokens(states[:2], torch.tensor([[1, 1, 1, 1], [0, 0, 0, 0]]), 2)


def test_gradients_pass_through_resampling():
    states = torch.zeros(1, 3, 1, requires_grad=True)
    resample_tokens(states, torch.tensor([[1, 1, 0]]), 3).sum().backward()
    # Positions 0, 1/2 and 1 between two tokens: each gets 1 + 1/2, the padding nothing.
    torch.testing.assert_close(states.grad[0, :, 0], torch.tensor([1.5, 1.5, 0.0]))
