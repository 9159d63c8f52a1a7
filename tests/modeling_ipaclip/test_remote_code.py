"""Without the package: a fresh virtual environment that has transformers, and a saved directory."""

import json
from pathlib import Path

import pytest
import torch
from ipaclip import (
    IPAClipModel,
    IPAClipProcessor,
    IPAClipPronunciationModel,
    IPAClipPronunciationModelWithProjection,
    embedded_checkpoint,
)
from ipaclip.conversion_scripts import split
from kernels import assert_same_outputs
from PIL import Image
from transformers import CLIPModel
from without_package import output, python_without_package, run

pytestmark = pytest.mark.slow

IPA = ["bʌtɚflaɪ", "kæt", "ˈɛlɪfənt"]


@pytest.fixture(scope="module")
def python(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return python_without_package(tmp_path_factory.mktemp("venv") / "venv")


@torch.no_grad()
def embeddings(directory: Path) -> torch.Tensor:
    model, processor = IPAClipModel.from_pretrained(directory), IPAClipProcessor.from_pretrained(directory)
    return model.get_pronunciation_features(**processor(ipa=IPA, return_tensors="pt")).pooler_output


def assert_same(printed: str, expected: torch.Tensor) -> None:
    assert_same_outputs(torch.tensor(json.loads(printed)), expected)


def test_the_package_is_not_there(python: Path, tmp_path: Path) -> None:
    result = run(python, "import ipaclip", tmp_path, HF_HUB_OFFLINE="1")
    assert "No module named 'ipaclip'" in result.stderr


def test_model_and_processor(python: Path, tiny_checkpoint: Path, tmp_path: Path) -> None:
    code = f"""
import json, torch
from transformers import AutoConfig, AutoModel, AutoProcessor, AutoTokenizer
directory = {str(tiny_checkpoint)!r}
config = AutoConfig.from_pretrained(directory, trust_remote_code=True)
assert config.model_type == "ipaclip" and config.pronunciation_config.pooling == "mean"
processor = AutoProcessor.from_pretrained(directory, trust_remote_code=True)
model = AutoModel.from_pretrained(directory, trust_remote_code=True)
tokenizer = AutoTokenizer.from_pretrained(directory + "/pronunciation_tokenizer")
assert tokenizer({IPA!r})["input_ids"] == processor(ipa={IPA!r})["pronunciation_input_ids"]
with torch.no_grad():
    features = model.get_pronunciation_features(**processor(ipa={IPA!r}, return_tensors="pt")).pooler_output
print(json.dumps(features.tolist()))
"""
    assert_same(output(python, code, tmp_path, HF_HUB_OFFLINE="1"), embeddings(tiny_checkpoint))


def test_saved_again_it_still_loads(python: Path, tiny_checkpoint: Path, tmp_path: Path) -> None:
    code = f"""
from transformers import AutoModel, AutoProcessor
for part in (AutoModel, AutoProcessor):
    part.from_pretrained({str(tiny_checkpoint)!r}, trust_remote_code=True).save_pretrained("again")
"""
    assert run(python, code, tmp_path, HF_HUB_OFFLINE="1").returncode == 0
    assert_same_outputs(embeddings(tmp_path / "again"), embeddings(tiny_checkpoint))
    code = f"""
import json, torch
from transformers import AutoModel, AutoProcessor
processor = AutoProcessor.from_pretrained("again", trust_remote_code=True)
model = AutoModel.from_pretrained("again", trust_remote_code=True)
with torch.no_grad():
    features = model.get_pronunciation_features(**processor(ipa={IPA!r}, return_tensors="pt")).pooler_output
print(json.dumps(features.tolist()))
"""
    assert_same(output(python, code, tmp_path, HF_HUB_OFFLINE="1"), embeddings(tiny_checkpoint))


def test_a_tower_that_was_split_off(python: Path, tiny_checkpoint: Path, tmp_path: Path) -> None:
    split(tiny_checkpoint, tmp_path / "parts")
    code = f"""
import json, torch
from transformers import AutoModelForTextEncoding, AutoTokenizer
tokenizer = AutoTokenizer.from_pretrained("parts/pronunciation", trust_remote_code=True)
model = AutoModelForTextEncoding.from_pretrained("parts/pronunciation", trust_remote_code=True)
inputs = tokenizer({IPA!r}, padding=True, return_tensors="pt")
with torch.no_grad():
    print(json.dumps(model(inputs["input_ids"], inputs["attention_mask"]).pronunciation_embeds.tolist()))
"""
    assert_same(output(python, code, tmp_path, HF_HUB_OFFLINE="1"), embeddings(tiny_checkpoint))
    tower = IPAClipPronunciationModelWithProjection.from_pretrained(tmp_path / "parts" / "pronunciation")
    assert tower.config.projection_dim == 16


def test_the_pipeline_that_its_card_names(python: Path, tiny_checkpoint: Path, tmp_path: Path) -> None:
    """Zero-shot image classification, with the scores of the CLIP within."""
    code = f"""
import json
from PIL import Image
from transformers import AutoModelForZeroShotImageClassification, pipeline
directory = {str(tiny_checkpoint)!r}
assert AutoModelForZeroShotImageClassification.from_pretrained(directory, trust_remote_code=True)
classify = pipeline("zero-shot-image-classification", model=directory, trust_remote_code=True)
assert type(classify.model).__name__ == "IPAClipModel"
picture = Image.new("RGB", (32, 32), (200, 90, 30))
answers = classify(picture, candidate_labels=["cat", "dog"], hypothesis_template="{{}}")
print(json.dumps({{answer["label"]: answer["score"] for answer in answers}}))
"""
    scores = json.loads(output(python, code, tmp_path, HF_HUB_OFFLINE="1"))
    processor = IPAClipProcessor.from_pretrained(tiny_checkpoint)
    picture = Image.new("RGB", (32, 32), (200, 90, 30))
    inputs = processor(images=picture, text=["cat", "dog"], return_tensors="pt")
    with torch.no_grad():
        expected = CLIPModel.from_pretrained(tiny_checkpoint)(**inputs).logits_per_image.softmax(dim=-1)[0]
    assert [scores["cat"], scores["dog"]] == pytest.approx(expected.tolist(), abs=1e-5)


def test_the_pipeline_that_a_tower_s_card_names(python: Path, tiny_checkpoint: Path, tmp_path: Path) -> None:
    """Feature extraction, by the tower within: `AutoModel` loads it bare."""
    split(tiny_checkpoint, tmp_path / "parts")
    code = """
import json
from transformers import pipeline
extract = pipeline("feature-extraction", model="parts/pronunciation", trust_remote_code=True)
print(json.dumps(extract("kæt")[0]))
"""
    printed = output(python, code, tmp_path, HF_HUB_OFFLINE="1")
    tower = IPAClipPronunciationModel.from_pretrained(tiny_checkpoint)
    inputs = IPAClipProcessor.from_pretrained(tiny_checkpoint)(ipa=["kæt"], return_tensors="pt")
    with torch.no_grad():
        assert_same(printed, tower(inputs["pronunciation_input_ids"]).last_hidden_state[0])


def test_the_shipped_checkpoint_is_no_plain_tokenizer(python: Path, tmp_path: Path) -> None:
    code = f"""
from transformers import AutoProcessor
try:
    print(type(AutoProcessor.from_pretrained({embedded_checkpoint()!r})).__name__)
except ValueError as error:
    print("trust_remote_code" in str(error))
"""
    assert output(python, code, tmp_path) == "True"  # before: a CLIPTokenizer, without a word


def test_spelled_words_need_the_package_and_say_so(python: Path, tiny_checkpoint: Path, tmp_path: Path) -> None:
    code = f"""
from transformers import AutoProcessor
AutoProcessor.from_pretrained({str(tiny_checkpoint)!r}, trust_remote_code=True)(pronounce=["cat"])
"""
    result = run(python, code, tmp_path, HF_HUB_OFFLINE="1")
    assert "pip install" in result.stderr.splitlines()[-1]
    assert "ipaclip" in result.stderr.splitlines()[-1]
