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
        ({"loop": {"steps": "many"}}, r"loop\.steps is 'many': it must be a valid integer"),
        ({"loop": {"steps": 0}}, r"loop\.steps is 0: it must be greater than or equal to 1"),
        ({"loop": {"learning_rate": "fast"}}, r"loop\.learning_rate is 'fast': it must be a valid number"),
        (
            {"augmentation": {"substitution": 1.5}},
            r"augmentation\.substitution is 1\.5: it must be less than or equal to 1",
        ),
        ({"student": {"pooling": "max"}}, r"student\.pooling is 'max': it must be 'mean', 'eos' or 'bos'"),
        ({"student": {"hidden_size": 10, "num_attention_heads": 3}}, r"num_attention_heads must divide"),
        ({"objective": {"cosine": 0, "mse": 0, "contrastive": 0}}, r"every weight is 0"),
        ({"loop": {"accumulation": 0}}, r"loop\.accumulation is 0: it must be greater than or equal to 1"),
        ({"loop": {"ema": 1.0}}, r"loop\.ema is 1\.0: it must be less than 1"),
        ({"loop": {"tokens_per_batch": 300}}, r"loop\.tokens_per_batch is 300: it must be at least 512"),
        ({"loop": {"best_metric": "loss"}}, r"loop\.best_metric is 'loss': it must be 'recall', 'cosine' or 'mse'"),
        ({"loop": {"learning_rate": float("nan")}}, r"loop\.learning_rate is nan"),
        ({"augmentation": {"ramp": 2.0}}, r"augmentation\.ramp is 2\.0: it must be less than or equal to 1"),
        ({"data": {"train": "a.txt", "eval": "b.txt", "eval_share": 0.1}}, r"both given"),
        ({"data": {"train": "a.txt", "eval_share": 0.95}}, r"data\.eval_share is 0\.95"),
        ({"data": {"train": []}}, r"data\.train is empty"),
        ({"data": {"train": "a.txt", "template": "a photo"}}, r"must hold \{\} once"),
        ({"data": {"train": "a.txt", "template": "{} {kind}"}}, r"'\{\} \{kind\}': it must hold \{\} once"),
        ({"data": {"train": "a.txt", "template": "{} {"}}, r"must hold \{\} once"),
        ({"data": {"train": [{"path": "a.txt", "template": "{0}"}]}}, r"must hold \{\} once"),
        ({"loop": 5}, r"loop must hold keys and values, not 5"),
        ({"loop": {"steps": True}}, r"loop\.steps is True: it must be a valid integer"),
        ({"resume": "yes"}, r"resume is 'yes': it must be a valid boolean"),
        ({"data": {"train": [5]}}, r"data\.train\[0\] is 5: it must be a valid string"),
        (
            {"data": {"train": [{"path": "a.txt", "weigth": 2}]}},
            r"train\[0\]\.weigth: did you mean data\.train\[0\]\.we",
        ),
        (
            {"data": {"train": ["a.txt", {"path": "b.txt", "weight": 0}]}},
            r"data\.train\[1\]\.weight is 0: it must be gr",
        ),
        ({"data": {"train": "a.txt", "eval": [{"split": "test"}]}}, r"train\[0\]\.path is missing"),
    ],
)
def test_a_configuration_that_cannot_run_is_one_clear_error(values, message):
    with pytest.raises(ArgumentsError, match=message):
        DistillationArguments.from_dict({**MINIMAL, **values})


def test_what_is_left_empty_has_its_default():
    arguments = DistillationArguments.from_dict({**MINIMAL, "loop": None, "student": {"hidden_size": None}})
    assert (arguments.loop.steps, arguments.loop.ema, arguments.student.hidden_size) == (2000, None, None)
    assert DistillationArguments.from_dict({**MINIMAL, "loop": {"ema": None}}).loop.ema is None


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
