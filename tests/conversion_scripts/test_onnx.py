"""Towers as ONNX give what PyTorch gives, for any batch and length."""

import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from ipaclip import IPAClipModel, IPAClipProcessor, embedded_checkpoint

onnxruntime = pytest.importorskip("onnxruntime")
onnx = pytest.importorskip("onnx")
pytest.importorskip("onnxscript")

from ipaclip.conversion_scripts import export_onnx, to_markdown  # noqa: E402

WORDS = ["bˈʌɾɚflˌaɪ", "kæt", "aɪ", "ɹˈeɪlɹoʊd tɹˈæk ænd sˈʌmθɪŋ lˈɔːŋ"]


def run(file: Path, **inputs: torch.Tensor) -> torch.Tensor:
    session = onnxruntime.InferenceSession(str(file), providers=["CPUExecutionProvider"])
    (output,) = session.run(None, {name: tensor.numpy() for name, tensor in inputs.items()})
    return torch.from_numpy(output)


@pytest.fixture(scope="module")
def tiny_export(tiny_checkpoint: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[Any]]:
    directory = tmp_path_factory.mktemp("onnx") / "out"
    reports = export_onnx(tiny_checkpoint, directory, towers=("pronunciation", "text", "image"), repeats=2)
    return directory, reports


@torch.no_grad()
@pytest.mark.parametrize(("batch", "length"), [(1, 1), (1, 2), (2, 64), (7, 5)])
def test_any_batch_and_length(tiny_export: Any, tiny_checkpoint: Path, batch: int, length: int) -> None:
    model = IPAClipModel.from_pretrained(tiny_checkpoint)
    config = model.config.pronunciation_config
    generator = torch.Generator().manual_seed(batch)
    ids = torch.randint(4, config.vocab_size, (batch, length), generator=generator)
    mask = torch.ones_like(ids)
    mask[0, 1:] = 0
    expected = model.get_pronunciation_features(ids, mask).pooler_output
    inputs = {"pronunciation_input_ids": ids, "pronunciation_attention_mask": mask}
    actual = run(tiny_export[0] / "pronunciation.onnx", **inputs)
    torch.testing.assert_close(actual, expected, atol=1e-4, rtol=0)
    quantised = run(tiny_export[0] / "pronunciation_int8.onnx", **inputs)
    assert torch.nn.functional.cosine_similarity(quantised, expected).min() > 0.98


@torch.no_grad()
def test_the_other_towers(tiny_export: Any, tiny_checkpoint: Path) -> None:
    model, processor = IPAClipModel.from_pretrained(tiny_checkpoint), IPAClipProcessor.from_pretrained(tiny_checkpoint)
    text = dict(processor(text=["cat", "a longer text"], return_tensors="pt"))
    expected = model.get_text_features(**text).pooler_output
    torch.testing.assert_close(run(tiny_export[0] / "text.onnx", **text), expected, atol=1e-4, rtol=0)
    pictures = torch.rand(3, 3, 32, 32, generator=torch.Generator().manual_seed(0))
    expected = model.get_image_features(pictures).pooler_output
    actual = run(tiny_export[0] / "image.onnx", pixel_values=pictures)
    torch.testing.assert_close(actual, expected, atol=1e-4, rtol=0)


def test_the_directory_serves_without_the_checkpoint(tiny_export: Any) -> None:
    directory, _ = tiny_export
    processor = IPAClipProcessor.from_pretrained(directory)
    inputs = processor(ipa=WORDS, return_tensors="pt")
    assert run(directory / "pronunciation.onnx", **inputs).shape == (4, 16)
    assert {file.name for file in directory.glob("*.onnx")} == {
        f"{tower}{kind}.onnx" for tower in ("pronunciation", "text", "image") for kind in ("", "_int8")
    }


def test_the_graph_names_its_axes_and_no_paths(tiny_export: Any) -> None:
    file = tiny_export[0] / "pronunciation.onnx"
    graph = onnx.load(file).graph
    axes = {entry.name: [axis.dim_param for axis in entry.type.tensor_type.shape.dim] for entry in graph.input}
    assert axes == {name: ["batch", "length"] for name in ("pronunciation_input_ids", "pronunciation_attention_mask")}
    assert [entry.name for entry in graph.output] == ["pronunciation_embeds"]
    assert os.path.dirname(torch.__file__).encode() not in file.read_bytes()
    assert b"modeling_ipaclip" not in file.read_bytes()


def test_the_report_is_what_was_measured(tiny_export: Any, tiny_checkpoint: Path) -> None:
    directory, reports = tiny_export
    model = IPAClipModel.from_pretrained(tiny_checkpoint)
    parts = {
        "pronunciation": (model.pronunciation_model, model.pronunciation_projection),
        "text": (model.text_model, model.text_projection),
        "image": (model.vision_model, model.visual_projection),
    }
    assert [(r.tower, r.runtime) for r in reports] == [
        (tower, runtime)
        for tower in ("pronunciation", "text", "image")
        for runtime in ("PyTorch fp32", "ONNX fp32", "ONNX int8")
    ]
    for report in reports:
        assert min(report.latency_one, report.latency_batch) > 0
        if report.runtime == "PyTorch fp32":
            weights = [value for part in parts[report.tower] for value in part.state_dict().values()]
            assert report.size == sum(value.numel() * value.element_size() for value in weights)
            assert (report.largest_difference, report.relative_difference) == (0, 0)
            assert report.smallest_cosine == pytest.approx(1)
        else:
            suffix = "_int8" if report.runtime.endswith("int8") else ""
            assert report.size == (directory / f"{report.tower}{suffix}.onnx").stat().st_size
    table = to_markdown(reports).splitlines()
    assert len(table) == 2 + len(reports)
    cells = [cell.strip() for cell in table[3].split("|")[1:4]]
    assert cells == ["pronunciation", "ONNX fp32", f"{reports[1].size / 1e6:.2f}"]


def test_without_int8(tiny_checkpoint: Path, tmp_path: Path) -> None:
    reports = export_onnx(tiny_checkpoint, tmp_path / "out", int8=False, repeats=1)
    assert [r.runtime for r in reports] == ["PyTorch fp32", "ONNX fp32"]
    assert [file.name for file in (tmp_path / "out").glob("*.onnx")] == ["pronunciation.onnx"]


@pytest.mark.parametrize("pooling", ["eos", "bos"])
@pytest.mark.parametrize("feature_set", ["panphon", "learned"])
@torch.no_grad()
def test_all_kinds_of_towers(pooling: str, feature_set: str, tmp_path: Path, tiny_checkpoint: Path) -> None:
    from ipaclip.tokenization import IPATokenizer, phoneme_feature_table

    tokenizer = IPATokenizer.build()
    torch.manual_seed(0)
    model = IPAClipModel.from_clip(
        IPAClipModel.from_pretrained(tiny_checkpoint),
        phoneme_feature_table(tokenizer, feature_set),
        {"pooling": pooling, "feature_set": feature_set, "initializer_factor": 5.0},
    ).half()
    model.save_pretrained(tmp_path / "in")
    processor = IPAClipProcessor.from_pretrained(tiny_checkpoint)
    processor.save_pretrained(tmp_path / "in")
    export_onnx(tmp_path / "in", tmp_path / "out", int8=False, repeats=1)
    inputs = processor(ipa=WORDS, return_tensors="pt")
    expected = model.float().get_pronunciation_features(**inputs).pooler_output
    torch.testing.assert_close(run(tmp_path / "out" / "pronunciation.onnx", **inputs), expected, atol=1e-4, rtol=0)


def test_a_difference_leaves_nothing(tiny_checkpoint: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import importlib

    module = importlib.import_module("ipaclip.conversion_scripts.export_onnx")
    monkeypatch.setattr(module, "TOLERANCE", -1.0)
    with pytest.raises(ValueError, match=r"pronunciation tower's ONNX differs from PyTorch by"):
        export_onnx(tiny_checkpoint, tmp_path / "out", repeats=1)
    assert not list(tmp_path.iterdir())


def test_bad_input(tiny_checkpoint: Path, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="no tower 'sound': choose from pronunciation, text, image"):
        export_onnx(tiny_checkpoint, tmp_path / "out", towers=("sound",))
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "file").touch()
    with pytest.raises(ValueError, match="full is not empty"):
        export_onnx(tiny_checkpoint, tmp_path / "full")
    with pytest.raises(OSError, match="nowhere"):
        export_onnx(tmp_path / "nowhere", tmp_path / "out")
    assert [path.name for path in tmp_path.iterdir()] == ["full"]


def test_without_the_packages_the_error_says_what_to_install(
    tiny_checkpoint: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import importlib.util

    find_spec = importlib.util.find_spec
    monkeypatch.setattr(
        importlib.util, "find_spec", lambda name, *rest: None if name == "onnxscript" else find_spec(name, *rest)
    )
    with pytest.raises(ImportError, match=r'needs onnxscript: pip install "ipaclip\[onnx\]"'):
        export_onnx(tiny_checkpoint, tmp_path / "out")


@pytest.mark.slow
@torch.no_grad()
def test_the_embedded_checkpoint_on_real_words(tmp_path: Path) -> None:
    directory = Path(embedded_checkpoint())
    fp32, int8 = export_onnx(directory, tmp_path / "out", repeats=3)[1:]
    assert fp32.largest_difference <= 1e-4
    assert int8.smallest_cosine >= 0.99
    assert int8.size < 0.3 * fp32.size
    model = IPAClipModel.from_pretrained(directory, dtype=torch.float32)
    inputs = IPAClipProcessor.from_pretrained(directory)(ipa=WORDS, return_tensors="pt")
    expected = model.get_pronunciation_features(**inputs).pooler_output
    np.testing.assert_allclose(run(tmp_path / "out" / "pronunciation.onnx", **inputs), expected, atol=1e-4)
