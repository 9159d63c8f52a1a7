"""JSON files of a checkpoint that are damaged or missing: one sentence that names the file."""

import shutil
from importlib.util import find_spec
from pathlib import Path

import pytest
from ipaclip import IPAClipProcessor
from ipaclip.cli import app
from typer.testing import CliRunner

LFS = b"version https://git-lfs.github.com/spec/v1\noid sha256:4d7a21\nsize 12345\n"
FILES = (
    "config.json",
    "processor_config.json",
    "tokenizer.json",
    "tokenizer_config.json",
    "gallery.json",
    "pronunciation_tokenizer/tokenizer.json",
    "pronunciation_tokenizer/tokenizer_config.json",
)
DAMAGES = {
    "cut": lambda content: content[: len(content) // 2],
    "marked": lambda content: b"\xef\xbb\xbf" + content,
    "pointer": lambda _: LFS,
    "empty": lambda _: b"",
    "page": lambda _: b"<!DOCTYPE html><title>404</title>",
    "utf-16": lambda content: content.decode("utf-8").encode("utf-16"),
    "list": lambda _: b"[]",
}


def complaint(*arguments: str | Path) -> str:
    result = CliRunner().invoke(app, [str(argument) for argument in arguments], prog_name="ipaclip")
    assert (result.exit_code, result.stdout) == (2, ""), result.exception or result.output
    (line,) = [line for line in result.stderr.splitlines() if line.startswith("error: ")]
    return line


@pytest.mark.parametrize("damage", DAMAGES)
@pytest.mark.parametrize("name", FILES)
def test_search_names_the_damaged_file_and_says_what_to_do(tiny_checkpoint_copy, name, damage):
    path = tiny_checkpoint_copy / name
    path.write_bytes(DAMAGES[damage](path.read_bytes()))
    line = complaint("search", "--ipa", "dɔɡ", "--checkpoint", tiny_checkpoint_copy)
    assert str(path) in line
    if (name, damage) != ("gallery.json", "list"):
        assert "copy or download it again" in line


@pytest.mark.parametrize(
    "name", ["config.json", "processor_config.json", "tokenizer.json", "pronunciation_tokenizer/tokenizer.json"]
)
def test_a_missing_file_is_named(tiny_checkpoint_copy, name):
    (tiny_checkpoint_copy / name).unlink()
    line = complaint("search", "--ipa", "dɔɡ", "--checkpoint", tiny_checkpoint_copy)
    assert line == f"error: {tiny_checkpoint_copy / name} is missing: copy or download it again."
    if name != "config.json":
        with pytest.raises(OSError, match=f"{name} is missing"):
            IPAClipProcessor.from_pretrained(tiny_checkpoint_copy)


@pytest.mark.parametrize("name", ["config.json", "tokenizer.json", "tokenizer_config.json"])
@pytest.mark.parametrize("damage", ["cut", "pointer"])
def test_every_command_that_opens_a_checkpoint_names_it(tiny_checkpoint_copy, tmp_path, name, damage):
    path = tiny_checkpoint_copy / name
    path.write_bytes(DAMAGES[damage](path.read_bytes()))
    copy = tiny_checkpoint_copy
    (tmp_path / "rows.jsonl").write_text('{"text": "dog", "ipa": "dɔɡ"}\n', encoding="utf-8")
    (tmp_path / "run.yaml").write_text(
        f"teacher: {copy}\noutput_dir: {tmp_path / 'run'}\ndata: {{train: [{tmp_path / 'rows.jsonl'}]}}\n",
        encoding="utf-8",
    )
    commands = [
        ("evaluate", copy),
        ("evaluate", copy, "--suite", "phonemes"),
        ("convert", "clip", copy, tmp_path / "out"),
        ("convert", "split", copy, tmp_path / "out"),
        ("push", copy, "someone/name"),
        ("distill", tmp_path / "run.yaml"),
    ]
    if all(map(find_spec, ("onnx", "onnxruntime", "onnxscript"))):
        commands.append(("convert", "onnx", copy, tmp_path / "out"))
    for command in commands:
        line = complaint(*command)
        assert f"{path} is not JSON" in line, command
        assert "copy or download it again" in line


def test_a_damaged_start_and_damaged_metrics_are_named(tiny_checkpoint_copy, tmp_path):
    from ipaclip.conversion_scripts.push_to_hub import prepare
    from ipaclip.training.start import Start

    metrics = tiny_checkpoint_copy / "metrics.json"
    metrics.write_bytes(LFS)
    (tmp_path / "out").mkdir()
    with pytest.raises(OSError, match=r"metrics\.json is not JSON, but a pointer of Git LFS"):
        prepare(tiny_checkpoint_copy, tmp_path / "out")
    (tiny_checkpoint_copy / "tokenizer.json").write_bytes(b"{")
    with pytest.raises(ValueError, match=r"start_from: .*/tokenizer\.json is not JSON"):
        Start.load(str(tiny_checkpoint_copy))


def test_a_whole_checkpoint_and_a_plain_clip_are_let_through(tiny_checkpoint, tmp_path):
    from ipaclip.checkpoint_path import require_whole_json

    require_whole_json(tiny_checkpoint)
    require_whole_json(tmp_path)
    (tmp_path / "clip").mkdir()
    (tmp_path / "clip" / "config.json").write_text('{"model_type": "clip"}')
    require_whole_json(tmp_path / "clip")
    shutil.copyfile(tiny_checkpoint / "model.safetensors", tmp_path / "model.safetensors")
    with pytest.raises(FileNotFoundError, match=r"config\.json is missing"):
        require_whole_json(tmp_path)
