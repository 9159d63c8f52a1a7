"""The configurations: defaults, contradictions, misspelled keys, and files."""

import json
from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest
from ipaclip import IPAClipConfig, IPAClipPronunciationConfig
from transformers import AutoConfig, CLIPConfig, CLIPTextConfig


def test_defaults_are_clips_base_text_shape_with_room_for_phonemes() -> None:
    config, text = IPAClipPronunciationConfig(), CLIPTextConfig()
    for name in ("hidden_size", "intermediate_size", "projection_dim", "num_hidden_layers", "num_attention_heads"):
        assert getattr(config, name) == getattr(text, name)
    assert config.max_position_embeddings == 256
    assert config.pooling == "mean"
    ids = (config.pad_token_id, config.unk_token_id, config.bos_token_id, config.eos_token_id)
    assert ids == (0, 1, 2, 3)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"hidden_size": 30, "num_attention_heads": 4}, "not a multiple"),
        ({"pooling": "max"}, r"pooling.*'mean', 'eos', 'bos'"),
        ({"feature_set": "acoustic"}, r"feature_set.*'panphon', 'ipa_chart', 'learned'"),
        ({"feature_set": "learned", "learned_residual": True}, "num_phoneme_features=0"),
        ({"feature_set": "learned", "num_phoneme_features": 0}, "learned_residual=True"),
        ({"num_phoneme_features": 0}, "num_phoneme_features must be at least 1"),
        ({"phonetic_dim": -1}, "phonetic_dim must be at least 0"),
        ({"phonetic_bottleneck": 0}, "phonetic_bottleneck must be at least 1"),
        ({"vocab_size": 3}, r"eos_token_id \(3\) is outside the vocabulary of 3"),
        ({"pad_token_id": -1}, "pad_token_id"),
        ({"num_hidden_layers": 0}, "num_hidden_layers must be at least 1"),
        ({"vocab_size": "many"}, "vocab_size"),
    ],
)
def test_contradictions_are_errors(values: dict[str, Any], message: str) -> None:
    with pytest.raises(Exception, match=message):
        IPAClipPronunciationConfig(**values)


def test_contradictions_are_errors_when_saving(tmp_path: Path) -> None:
    config = IPAClipPronunciationConfig()
    config.hidden_size = 510
    with pytest.raises(Exception, match="not a multiple"):
        config.save_pretrained(tmp_path)


@pytest.mark.parametrize("feature_set", ["panphon", "ipa_chart"])
def test_a_residual_is_allowed_beside_features(feature_set: str) -> None:
    config = IPAClipPronunciationConfig(feature_set=feature_set, learned_residual=True)
    assert config.learned_residual


def test_a_misspelled_key_names_the_nearest() -> None:
    with pytest.raises(ValueError, match=r"`hiden_size` is not a key of .*did you mean `hidden_size`"):
        IPAClipPronunciationConfig(hiden_size=64)
    with pytest.raises(ValueError, match="did you mean `hidden_size`"):
        IPAClipConfig(pronunciation_config={"hiden_size": 64})
    with pytest.raises(ValueError, match="did you mean `pronunciation_config`"):
        IPAClipConfig(pronounciation_config={})


def test_a_misspelled_key_in_a_file_is_named_and_the_rest_is_loaded(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    IPAClipConfig(pronunciation_config={"pooling": "eos", "num_hidden_layers": 3}).save_pretrained(tmp_path)
    file = tmp_path / "config.json"
    file.write_text(file.read_text().replace('"pooling"', '"poling"'))
    tower = AutoConfig.from_pretrained(tmp_path).pronunciation_config
    assert (tower.pooling, tower.num_hidden_layers) == ("mean", 3)
    assert "`poling` is not a key of IPAClipPronunciationConfig" in caplog.text
    assert "if `pooling` is meant" in caplog.text


# Each resembles a key of ours: keys of other models, of older and of later versions of transformers.
FOREIGN_KEYS = {
    "sep_token_id": 3, "cls_token_id": 2, "mask_token_id": 1, "decoder_start_token_id": 2, "rms_norm_eps": 1e-6,
    "batch_norm_eps": 1e-5, "num_key_value_heads": 2, "head_dim": 64, "hidden_dim": 512, "encoder_type": 1,
    "audio_config": {"width": 3}, "chunk_size": 4, "hidden_dropout": 0.1, "token_type": 1, "vocab_sizes": [1, 2],
}  # fmt: skip


def test_what_is_saved_with_any_key_can_be_loaded(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    for config_class in (IPAClipPronunciationConfig, IPAClipConfig):
        config = config_class()
        for key, value in FOREIGN_KEYS.items():
            setattr(config, key, value)
        config.save_pretrained(tmp_path)
        for loaded in (
            config_class.from_pretrained(tmp_path),
            AutoConfig.from_pretrained(tmp_path),
            config_class.from_json_file(tmp_path / "config.json"),
            config_class(**config.to_dict()),
            config_class.from_dict(config.to_dict()),
        ):
            assert {key: getattr(loaded, key) for key in FOREIGN_KEYS} == FOREIGN_KEYS
    assert "is not a key of" not in caplog.text


def test_a_file_may_hold_a_whole_number_for_a_float(tmp_path: Path) -> None:
    IPAClipConfig().save_pretrained(tmp_path)
    written = json.loads((tmp_path / "config.json").read_text())
    whole = {"layer_norm_eps": 1, "attention_dropout": 0, "initializer_range": 2, "initializer_factor": 3}
    written["pronunciation_config"].update(whole)
    (tmp_path / "config.json").write_text(json.dumps(written))
    for config in (AutoConfig.from_pretrained(tmp_path).pronunciation_config, IPAClipPronunciationConfig(**whole)):
        assert {name: getattr(config, name) for name in whole} == whole


def test_a_tower_within_a_whole_may_have_any_key(tmp_path: Path) -> None:
    config = IPAClipConfig()
    config.pronunciation_config.sep_token_id = 3
    config.save_pretrained(tmp_path)
    written = json.loads((tmp_path / "config.json").read_text())
    del written["pronunciation_config"]["model_type"]
    (tmp_path / "config.json").write_text(json.dumps(written))
    for loaded in (
        IPAClipConfig.from_pretrained(tmp_path),
        IPAClipConfig.from_pretrained(tmp_path, pronunciation_config={"pooling": "eos"}),
    ):
        assert loaded.pronunciation_config.sep_token_id == 3
    assert loaded.pronunciation_config.pooling == "eos"
    assert IPAClipPronunciationConfig.from_pretrained(tmp_path).sep_token_id == 3


def test_what_is_passed_beside_a_file_must_be_spelled_right(tmp_path: Path) -> None:
    IPAClipConfig().save_pretrained(tmp_path)
    with pytest.raises(ValueError, match="did you mean `hidden_size`"):
        IPAClipConfig.from_pretrained(tmp_path, pronunciation_config={"hiden_size": 64})
    with pytest.raises(ValueError, match="did you mean `hidden_size`"):
        AutoConfig.from_pretrained(tmp_path, pronunciation_config={"hiden_size": 64})


@pytest.mark.slow
def test_no_key_of_any_configuration_of_transformers_keeps_a_file_from_loading(tmp_path: Path) -> None:
    from transformers.models.auto.configuration_auto import CONFIG_MAPPING

    others = [CONFIG_MAPPING[name] for name in list(CONFIG_MAPPING) if not name.startswith("ipaclip")]
    names = {field.name for config_class in others for field in fields(config_class)}
    assert len(names) > 1000
    names -= {"num_labels", "head_dim"}  # of which transformers itself wants numbers
    for config_class in (IPAClipPronunciationConfig, IPAClipConfig):
        config = config_class.from_dict({**dict.fromkeys(names), **config_class().to_dict()})
        config.save_pretrained(tmp_path)
        assert config_class.from_pretrained(tmp_path).to_dict()["projection_dim"] == 512


def test_a_key_that_resembles_none_is_kept_with_a_warning(caplog: pytest.LogCaptureFixture) -> None:
    assert IPAClipPronunciationConfig(zzz=1).zzz == 1
    assert "`zzz`" in caplog.text


def test_keys_that_transformers_writes_are_allowed(caplog: pytest.LogCaptureFixture) -> None:
    written = {"auto_map": {}, "quantization_config": {}, "_private": 1, "name_or_path": "x", "torch_dtype": "float16"}
    for config_class in (IPAClipConfig, IPAClipPronunciationConfig):
        config_class(**written, attn_implementation="eager", output_attentions=False, num_labels=3)
    assert not [record for record in caplog.records if "is not a key" in record.message]


def test_projection_dim_is_shared() -> None:
    assert IPAClipConfig(projection_dim=64).pronunciation_config.projection_dim == 64
    assert (
        IPAClipConfig(projection_dim=64, pronunciation_config={"pooling": "eos"}).pronunciation_config.pooling == "eos"
    )
    with pytest.raises(Exception, match=r"projection_dim .*\(32\) differs from the model's \(64\)"):
        IPAClipConfig(projection_dim=64, pronunciation_config={"projection_dim": 32})


def test_round_trip_through_files(tmp_path: Path) -> None:
    config = IPAClipConfig(projection_dim=64, pronunciation_config={"pooling": "eos", "learned_residual": True})
    config.save_pretrained(tmp_path)
    assert json.loads((tmp_path / "config.json").read_text())["model_type"] == "ipaclip"
    for loaded in (IPAClipConfig.from_pretrained(tmp_path), AutoConfig.from_pretrained(tmp_path)):
        assert type(loaded) is IPAClipConfig
        provenance = {"transformers_version": None, "_name_or_path": None}
        assert {**loaded.to_dict(), **provenance} == {**config.to_dict(), **provenance}
    tower = IPAClipPronunciationConfig.from_pretrained(tmp_path)
    assert (tower.pooling, tower.projection_dim) == ("eos", 64)


def test_clip_and_ipaclip_read_each_others_files(tmp_path: Path) -> None:
    CLIPConfig(projection_dim=64, text_config={"hidden_size": 64}).save_pretrained(tmp_path / "clip")
    config = IPAClipConfig.from_pretrained(tmp_path / "clip")
    assert config.model_type == "ipaclip"
    assert config.pronunciation_config.projection_dim == 64
    assert config.text_config.hidden_size == 64
    config.save_pretrained(tmp_path / "ipaclip")
    assert CLIPConfig.from_pretrained(tmp_path / "ipaclip").text_config.hidden_size == 64


def test_a_tower_alone_has_no_configuration_of_a_whole(tmp_path: Path) -> None:
    IPAClipPronunciationConfig().save_pretrained(tmp_path)
    with pytest.raises(ValueError, match=r"tower alone: load it with `IPAClipPronunciationModelWithProjection`"):
        IPAClipConfig.from_pretrained(tmp_path)


def test_a_clip_has_no_pronunciation_configuration(tmp_path: Path) -> None:
    CLIPConfig().save_pretrained(tmp_path)
    with pytest.raises(ValueError, match="no pronunciation tower"):
        IPAClipPronunciationConfig.from_pretrained(tmp_path)
