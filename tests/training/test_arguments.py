"""Arguments of a distillation: read, converted, checked before anything loads."""

import json

import pytest
from ipaclip.training.arguments import ArgumentsError, DistillationArguments

MINIMAL = {"teacher": "clip", "output_dir": "out", "data": {"train": ["rows.jsonl"]}}


def test_what_is_not_given_has_its_default():
    arguments = DistillationArguments.from_dict(MINIMAL)
    assert arguments.student.feature_set == "panphon"
    assert arguments.augmentation.nearest == 3
    assert arguments.objective.centre is True


@pytest.mark.parametrize(
    ("written", "meant"), [("1e-3", 1e-3), (1, 1.0), (0.5, 0.5)], ids=["exponent", "integer", "float"]
)
def test_yaml_numbers_become_floats(tmp_path, written, meant):
    path = tmp_path / "run.yaml"
    path.write_text(f"teacher: clip\noutput_dir: out\ndata: {{train: rows.jsonl}}\nloop:\n  learning_rate: {written}\n")
    arguments = DistillationArguments.from_file(path)
    assert arguments.loop.learning_rate == meant
    assert arguments.data.train == ["rows.jsonl"]


def test_overrides_win_and_json_is_read(tmp_path):
    path = tmp_path / "run.json"
    path.write_text(json.dumps({**MINIMAL, "loop": {"steps": 5}}))
    arguments = DistillationArguments.from_file(path, ["loop.steps=7", "student.pooling=eos", "resume=true"])
    assert (arguments.loop.steps, arguments.student.pooling, arguments.resume) == (7, "eos", True)


def test_the_arguments_survive_their_own_dictionary():
    arguments = DistillationArguments.from_dict({**MINIMAL, "loop": {"steps": 9}})
    assert DistillationArguments.from_dict(arguments.to_dict()) == arguments


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"loop": {"stepz": 3}}, r"unknown key loop\.stepz: did you mean loop\.steps\?"),
        ({"techer": "x"}, r"unknown key techer: did you mean teacher\?"),
        ({"loop": {"steps": "many"}}, r"'steps' expected int"),
        ({"loop": {"steps": 0}}, r"loop\.steps is 0: it must be at least 1"),
        ({"loop": {"learning_rate": "fast"}}, r"'learning_rate' expected float"),
        ({"augmentation": {"substitution": 1.5}}, r"augmentation\.substitution is 1\.5: it must be from 0 to 1"),
        ({"student": {"pooling": "max"}}, r"'pooling' expected one of"),
        ({"student": {"hidden_size": 10, "num_attention_heads": 3}}, r"num_attention_heads must divide"),
        ({"objective": {"cosine": 0, "mse": 0, "contrastive": 0}}, r"every weight is 0"),
        ({"loop": {"accumulation": 0}}, r"loop\.accumulation is 0: it must be at least 1"),
        ({"loop": {"ema": 1.0}}, r"loop\.ema is 1\.0: it must be from 0"),
        ({"loop": {"tokens_per_batch": 300}}, r"loop\.tokens_per_batch is 300: it must be at least 512"),
        ({"loop": {"best_metric": "loss"}}, r"'best_metric' expected one of"),
        ({"loop": {"learning_rate": float("nan")}}, r"loop\.learning_rate is nan"),
        ({"augmentation": {"ramp": 2.0}}, r"augmentation\.ramp is 2\.0: it must be from 0 to 1"),
        ({"data": {"train": "a.txt", "eval": "b.txt", "eval_share": 0.1}}, r"both given"),
        ({"data": {"train": "a.txt", "eval_share": 0.95}}, r"data\.eval_share is 0\.95"),
        ({"data": {"train": []}}, r"data\.train is empty"),
        ({"data": {"train": "a.txt", "template": "a photo"}}, r"must hold \{\} once"),
        ({"data": {"train": "a.txt", "template": "{} {kind}"}}, r"'\{\} \{kind\}': it must hold \{\} once"),
        ({"data": {"train": "a.txt", "template": "{} {"}}, r"must hold \{\} once"),
        ({"data": {"train": [{"path": "a.txt", "template": "{0}"}]}}, r"must hold \{\} once"),
        ({"loop": 5}, r"loop must hold keys and values"),
    ],
)
def test_a_configuration_that_cannot_run_is_one_clear_error(values, message):
    with pytest.raises(ArgumentsError, match=message):
        DistillationArguments.from_dict({**MINIMAL, **values})


def test_missing_keys_broken_yaml_and_bad_overrides(tmp_path):
    with pytest.raises(ArgumentsError, match="teacher is missing"):
        DistillationArguments.from_dict({"output_dir": "out"})
    path = tmp_path / "run.yaml"
    path.write_text("teacher: [unclosed")
    with pytest.raises(ArgumentsError, match=r"run\.yaml is not YAML"):
        DistillationArguments.from_file(path)
    path.write_text("just words")
    with pytest.raises(ArgumentsError, match="must hold keys and values"):
        DistillationArguments.from_file(path)
    path.write_text(json.dumps(MINIMAL))
    with pytest.raises(ArgumentsError, match="must look like key=value"):
        DistillationArguments.from_file(path, ["loop.steps"])
