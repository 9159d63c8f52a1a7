"""To the Hub and back, over HTTP, with the real client and a server of our own."""

import json
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
import yaml
from fake_hub import FakeHub, Repository
from ipaclip import IPAClipModel, IPAClipProcessor, embedded_checkpoint
from ipaclip.common.hub_languages import hub_languages
from ipaclip.common.model_card import evaluation_results, model_card
from ipaclip.conversion_scripts.push_to_hub import prepare
from kernels import assert_same_outputs
from without_package import HERE, output, python_without_package, run

IPA = ["bʌtɚflaɪ", "kæt"]
LOAD_BY_NAME = f"""
import json, torch
from transformers import AutoModel, AutoProcessor, CLIPModel
name = "someone/tiny"
processor = AutoProcessor.from_pretrained(name, trust_remote_code=True)
model = AutoModel.from_pretrained(name, trust_remote_code=True)
features = model.get_pronunciation_features(**processor(ipa={IPA!r}, return_tensors="pt")).pooler_output
text = CLIPModel.from_pretrained(name).get_text_features(**processor(text=["cat"], return_tensors="pt")).pooler_output
print(json.dumps([features.tolist(), text.tolist()]))
"""
PLAIN_PUSH = """
from ipaclip import IPAClipModel, IPAClipProcessor
IPAClipModel.from_pretrained({directory!r}).push_to_hub("someone/tiny")
IPAClipProcessor.from_pretrained({directory!r}).push_to_hub("someone/tiny")
"""


@pytest.fixture
def hub() -> Iterator[FakeHub]:
    with FakeHub() as server:
        yield server


@pytest.fixture(scope="module")
def python(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return python_without_package(tmp_path_factory.mktemp("venv") / "venv")


def run_command(words: list[str], cwd: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    code = f"import sys; sys.argv = {['ipaclip', *words]!r}; from ipaclip.cli import main; main()"
    return run(HERE, code, cwd, **environment)


def push(directory: Path, hub: FakeHub, cwd: Path, *options: str, token: str = "hf_token") -> tuple[int, str, str]:
    cwd.mkdir(exist_ok=True)
    environment = {"HF_ENDPOINT": hub.url, **({"HF_TOKEN": token} if token else {})}
    result = run_command(["push", str(directory), *options], cwd, **environment)
    return result.returncode, result.stdout, result.stderr


@torch.no_grad()
def assert_loads_by_name(directory: Path, hub: FakeHub, python: Path, cwd: Path) -> None:
    cwd.mkdir()
    model, processor = IPAClipModel.from_pretrained(directory), IPAClipProcessor.from_pretrained(directory)
    expected = (
        model.get_pronunciation_features(**processor(ipa=IPA, return_tensors="pt")).pooler_output,
        model.get_text_features(**processor(text=["cat"], return_tensors="pt")).pooler_output,
    )
    for environment in ({}, {"HF_HUB_OFFLINE": "1"}):
        asked = len(hub.requests)
        printed = output(python, LOAD_BY_NAME, cwd, HF_ENDPOINT=hub.url, **environment)
        for ours, theirs in zip(expected, json.loads(printed), strict=True):
            assert_same_outputs(torch.tensor(theirs), ours)
    assert len(hub.requests) == asked  # the second time it came from the cache


@pytest.mark.slow
@pytest.mark.parametrize("lfs", [(), (".safetensors", "tokenizer.json")])
def test_pushed_and_loaded_by_name_without_the_package(
    tiny_checkpoint: Path, python: Path, tmp_path: Path, lfs: tuple[str, ...]
) -> None:
    with FakeHub(lfs) as hub:
        code, out, err = push(tiny_checkpoint, hub, tmp_path / "pusher", "someone/tiny")
        assert (code, out.strip()) == (0, f"{hub.url}/someone/tiny"), err
        repository = hub.repositories["someone/tiny"]
        assert repository.commits == 1
        assert repository.lfs == {path for path in repository.files if lfs and path.endswith(lfs)}
        assert {"README.md", "gallery.json", "modeling_ipaclip.py", "pronunciation_tokenizer/tokenizer.json"} <= (
            repository.files.keys()
        )
        assert_loads_by_name(tiny_checkpoint, hub, python, tmp_path / "loader")


@pytest.mark.slow
def test_plain_push_to_hub(tiny_checkpoint: Path, python: Path, hub: FakeHub, tmp_path: Path) -> None:
    code = PLAIN_PUSH.format(directory=str(tiny_checkpoint))
    result = run(HERE, code, tmp_path, HF_ENDPOINT=hub.url, HF_TOKEN="hf_token")
    assert result.returncode == 0, result.stderr
    assert_loads_by_name(tiny_checkpoint, hub, python, tmp_path / "loader")


def test_a_card_of_ones_own_and_a_private_model(tiny_checkpoint: Path, hub: FakeHub, tmp_path: Path) -> None:
    (tmp_path / "CARD.md").write_text("# Mine\n")
    options = ("someone/tiny", "--private", "--card", str(tmp_path / "CARD.md"))
    code, _, err = push(tiny_checkpoint, hub, tmp_path, *options)
    assert code == 0, err
    repository = hub.repositories["someone/tiny"]
    assert repository.private
    assert repository.files["README.md"] == b"# Mine\n"


def test_what_cannot_be_pushed_is_said_in_one_line(tiny_checkpoint_copy: Path, hub: FakeHub, tmp_path: Path) -> None:
    (tmp_path / "cwd").mkdir()
    code, _, err = push(tiny_checkpoint_copy, hub, tmp_path / "cwd", "someone/tiny", token="")
    assert (code, err.count("\n")) == (2, 1)
    assert "The Hub did not take someone/tiny" in err
    (tiny_checkpoint_copy / "model.safetensors").write_bytes(b"cut off")
    code, _, err = push(tiny_checkpoint_copy, hub, tmp_path / "cwd", "someone/tiny")
    assert (code, err.count("\n")) == (2, 1)
    assert "model.safetensors is not a valid safetensors file" in err
    code, _, err = push(tmp_path / "nowhere", hub, tmp_path / "cwd", "someone/tiny")
    assert (code, err.count("\n")) == (2, 1)
    assert "There is no directory" in err
    assert not hub.repositories


@pytest.mark.parametrize("name", ["someone/nothing", "someone/private"])
def test_a_name_that_does_not_exist_or_is_private(hub: FakeHub, tmp_path: Path, name: str) -> None:
    hub.repositories["someone/private"] = Repository(private=True)
    result = run_command(["convert", name, "out"], tmp_path, HF_ENDPOINT=hub.url)
    assert (result.returncode, result.stderr.count("\n")) == (2, 1), result.stderr
    assert name in result.stderr
    assert not (tmp_path / "out").exists()


def test_push_without_a_network(tiny_checkpoint: Path, tmp_path: Path) -> None:
    closed = FakeHub()
    closed.__exit__()
    result = run_command(["push", str(tiny_checkpoint), "someone/tiny"], tmp_path, HF_ENDPOINT=closed.url)
    assert (result.returncode, result.stderr.count("\n")) == (2, 1), result.stderr
    assert "The Hub did not take someone/tiny" in result.stderr


@pytest.mark.slow  # the client tries six times
def test_convert_without_a_network(tmp_path: Path) -> None:
    closed = FakeHub()
    closed.__exit__()
    result = run_command(["convert", "someone/clip", "out"], tmp_path, HF_ENDPOINT=closed.url)
    assert result.returncode == 2
    assert result.stderr.splitlines()[-1].startswith("error: No CLIP could be loaded from someone/clip")
    assert not (tmp_path / "out").exists()


def test_all_that_belongs_to_a_checkpoint_is_pushed(tiny_checkpoint_copy: Path, tmp_path: Path) -> None:
    files = ("gallery.json", "gallery.safetensors", "fusion.json", "token_head.safetensors", "metrics.json")
    for name in files:
        if not (tiny_checkpoint_copy / name).exists():
            (tiny_checkpoint_copy / name).write_text("{}")
    (tmp_path / "hub").mkdir()
    prepare(tiny_checkpoint_copy, tmp_path / "hub")
    for name in files:
        assert (tmp_path / "hub" / name).read_bytes() == (tiny_checkpoint_copy / name).read_bytes(), name


# --- the model card ---


def embedded_metrics() -> dict:
    return json.loads((Path(embedded_checkpoint()) / "metrics.json").read_text(encoding="utf-8"))


def test_the_card_says_what_the_metrics_say() -> None:
    metrics, teacher = embedded_metrics(), "openai/clip-vit-base-patch32"
    card = model_card("me/emoji", metrics, languages=["eng-Latn", "gsw-Latn"], base_model=teacher)
    _, head, text = card.split("---\n", 2)
    data = yaml.safe_load(head)
    assert data["library_name"] == "transformers"
    assert data["language"] == ["en", "gsw"]
    assert data["base_model"] == teacher
    assert data["license"] == "apache-2.0"
    assert {"ipa-clip", "phonetics"} <= set(data["tags"])
    (model,) = data["model-index"]
    assert model["name"] == "emoji"
    first = metrics["retrieval"]["rows"][0]
    values = {m["type"]: m["value"] for m in model["results"][0]["metrics"]}
    assert values["recall_at_1"] == pytest.approx(first["recall"]["pronunciation"]["1"], abs=1e-4)
    assert len(model["results"]) == len(metrics["retrieval"]["rows"])
    for share in first["recall"]["text"].values():
        assert f"{100 * share:.1f}" in text
    assert 'from_pretrained("me/emoji", trust_remote_code=True)' in text
    assert "## Limits" in text
    assert metrics["arguments"]["teacher"] not in text  # a path of the machine that trained


def test_the_card_of_a_preset_has_the_true_shape_and_batch() -> None:
    metrics = embedded_metrics()
    metrics["arguments"]["student"] |= {"num_hidden_layers": None, "hidden_size": None, "preset": "small"}
    metrics["arguments"]["loop"] |= {"tokens_per_batch": 4096, "batch_size": 32, "accumulation": 2}
    shape = {"num_hidden_layers": 3, "hidden_size": 256, "pooling": "mean"}
    metrics["run"] |= {"tower": shape, "steps": 50000}
    card = model_card("me/new", metrics, languages=["eng-Latn"])
    assert "| pronunciation tower | 3 layers, 256 wide, `mean` pooling" in card
    assert "| steps | 50,000 of 2 batches of 4,096 tokens," in card
    del metrics["run"]["tower"]
    metrics["arguments"]["loop"] |= {"tokens_per_batch": None, "accumulation": 1}
    card = model_card("me/new", metrics, languages=["eng-Latn"], tower={**shape, "num_hidden_layers": 5})
    assert "5 layers, 256 wide" in card
    assert "50,000 of 32 rows" in card
    assert "None" not in model_card("me/new", metrics, languages=["eng-Latn"])


def test_languages_are_named_as_the_hub_names_them() -> None:
    from ipaclip.tokenization import languages

    babel = pytest.importorskip("babel.core")
    assert hub_languages(["ara-Arab", "fas-Arab", "eng-Latn", "eng-Latn-gb", "gsw-Latn"]) == ["ar", "fa", "en", "gsw"]
    known = {language.split("-")[0] for language in languages()}
    aliases = babel.get_global("language_aliases")  # CLDR's
    # CLDR prefers these to the ISO 639-1 codes that the languages have.
    expected = {code: aliases.get(code, code) for code in known} | {"tgl": "tl", "twi": "tw", "hbs": "sh"}
    for code in known:
        assert hub_languages([f"{code}-Latn"]) == [expected[code] if len(expected[code]) == 2 else code], code


def test_a_card_without_metrics_claims_nothing() -> None:
    card = model_card("me/new", None, languages=["eng-Latn"])
    assert "model-index" not in card
    assert "## Results" not in card
    assert "## Training" not in card
    assert "Nothing was measured" in card
    assert evaluation_results(None) == []
