"""Which weights ask for gradients, and training over several processes, as CLIPModel trains."""

import copy
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
import torch.distributed
from ipaclip import IPAClipModel, IPAClipPronunciationModelWithProjection
from ipaclip.training.sound_alone.fit import add_phonetic_projection
from modeling_helpers import feature_table, pixels, pronunciation_ids, text_ids, tiny_clip, tiny_model
from torch.nn.parallel import DistributedDataParallel
from training_helpers import launch
from transformers import AutoModel, CLIPModel

IDS = pronunciation_ids()[0][[0, 1, 1]]
IDS[2, 1] = 12
INPUTS = {
    "text": {"input_ids": text_ids()},
    "vision": {"pixel_values": pixels(3)},
    "pronunciation": {"pronunciation_input_ids": IDS},
}
ALL = tuple(INPUTS)
PAIRS = (("text", "vision"), ("vision", "pronunciation"), ("text", "pronunciation"))


def model_with_sound() -> IPAClipModel:
    return tiny_model(phonetic_dim=6, phonetic_bottleneck=4).train()


def loss(model: Any, modalities: tuple[str, ...] = ALL) -> torch.Tensor:
    inputs = {name: value for modality in modalities for name, value in INPUTS[modality].items()}
    return model(**inputs, return_loss=True).loss


def asking(model: torch.nn.Module) -> set[str]:
    return {name for name, parameter in model.named_parameters() if parameter.requires_grad}


def given(model: torch.nn.Module) -> set[str]:
    return {name for name, parameter in model.named_parameters() if parameter.grad is not None}


# --- one process ---


@pytest.mark.parametrize("checkpointing", [False, True])
@pytest.mark.parametrize("modalities", [ALL, *PAIRS])
def test_all_that_ask_for_gradients_get_them_in_each_tower_that_was_passed(
    modalities: tuple[str, ...], checkpointing: bool
) -> None:
    model = model_with_sound()
    if checkpointing:
        model.gradient_checkpointing_enable()
    loss(model, modalities).backward()
    absent = set(ALL) - set(modalities)
    prefixes = [f"{part}_{module}." for part in absent for module in ("model", "projection")]
    prefixes += ["visual_projection."] if "vision" in absent else []
    assert given(model) == {name for name in asking(model) if not name.startswith(tuple(prefixes))}
    if modalities == ALL:
        assert given(model) == asking(model)
    if modalities == ("text", "vision"):
        clip = tiny_clip().train()
        loss(clip, modalities).backward()
        assert given(model) == given(clip) == asking(clip)


def test_a_tower_alone_gives_gradients_to_all_that_ask() -> None:
    config = model_with_sound().config.pronunciation_config
    model = IPAClipPronunciationModelWithProjection(config)
    model.set_phoneme_features(feature_table())
    model(IDS).pronunciation_embeds.square().sum().backward()
    assert given(model) == asking(model)
    assert {name for name, _ in model.named_parameters()} - asking(model) == {
        name for name, _ in model.named_parameters() if name.startswith("phonetic_projection.")
    }


def test_the_output_for_sound_alone_asks_for_none_however_the_model_was_made(tmp_path: Path) -> None:
    model = model_with_sound()
    model.save_pretrained(tmp_path)
    added = tiny_model()
    add_phonetic_projection(added, 6, 4)
    for one in (
        model,
        copy.deepcopy(model),
        added,
        IPAClipModel(model.config),
        IPAClipModel.from_pretrained(tmp_path),
        IPAClipModel.from_pretrained(tmp_path, dtype=torch.float16, device_map="cpu"),
        AutoModel.from_pretrained(tmp_path),
        IPAClipPronunciationModelWithProjection.from_pretrained(tmp_path),
    ):
        frozen = {name for name, parameter in one.named_parameters() if not parameter.requires_grad}
        assert frozen
        assert frozen == {name for name, _ in one.named_parameters() if name.startswith("phonetic_projection.")}


def test_it_is_trained_where_it_is_asked_to() -> None:
    model = model_with_sound()
    model.phonetic_projection.requires_grad_()
    model.get_phonetic_features(IDS).pooler_output.square().sum().backward()
    assert {name for name in given(model) if name.startswith("phonetic_projection.")} == {
        name for name in asking(model) if name.startswith("phonetic_projection.")
    }


# --- data parallel ---


@pytest.fixture
def process_group(tmp_path: Path) -> Iterator[None]:
    """Of this process alone: what DistributedDataParallel expects of gradients is the same for any number of them."""
    store = (tmp_path / "store").as_uri()
    torch.distributed.init_process_group("gloo", init_method=store, rank=0, world_size=1)
    yield
    torch.distributed.destroy_process_group()


def three_steps(model: torch.nn.Module, modalities: tuple[str, ...] = ALL, **options: Any) -> list[float]:
    parallel = DistributedDataParallel(model, **options)
    optimizer = torch.optim.AdamW([p for p in model.parameters() if p.requires_grad], lr=1e-3)
    losses = []
    for _ in range(3):
        optimizer.zero_grad()
        value = loss(parallel, modalities)
        value.backward()
        optimizer.step()
        losses.append(value.item())
    assert losses[-1] < losses[0]
    return losses


@pytest.mark.parametrize("checkpointing", [False, True])
@pytest.mark.usefixtures("process_group")
def test_three_modalities(checkpointing: bool, tmp_path: Path) -> None:
    model_with_sound().save_pretrained(tmp_path)
    model = IPAClipModel.from_pretrained(tmp_path).train()
    sound = copy.deepcopy(model.phonetic_projection.state_dict())
    if checkpointing:
        model.gradient_checkpointing_enable()
    three_steps(model)
    assert all(torch.equal(value, sound[name]) for name, value in model.phonetic_projection.state_dict().items())


@pytest.mark.usefixtures("process_group")
def test_two_modalities_take_what_the_docstring_says(tmp_path: Path) -> None:
    model_with_sound().save_pretrained(tmp_path)
    pair = ("text", "vision")
    expected = three_steps(CLIPModel.from_pretrained(tmp_path).train(), pair)
    assert three_steps(IPAClipModel.from_pretrained(tmp_path).train(), pair, find_unused_parameters=True) == (
        pytest.approx(expected, abs=1e-4)
    )
    frozen = IPAClipModel.from_pretrained(tmp_path).train()
    frozen.pronunciation_model.requires_grad_(False)
    frozen.pronunciation_projection.requires_grad_(False)
    assert three_steps(frozen, pair) == pytest.approx(expected, abs=1e-4)
    with pytest.raises(RuntimeError, match="find_unused_parameters"):
        three_steps(IPAClipModel.from_pretrained(tmp_path).train(), pair)


TRAINER = """
import sys

import torch
from ipaclip import IPAClipModel
from transformers import Trainer, TrainingArguments

model = IPAClipModel.from_pretrained(sys.argv[1])
before = {name: value.clone() for name, value in model.state_dict().items()}
torch.manual_seed(0)
rows = [
    {
        "pixel_values": torch.randn(3, 32, 32),
        "input_ids": torch.tensor([5 + row, 6, 7, 98]),
        "pronunciation_input_ids": torch.tensor([2, 5 + row, 6, 3]),
    }
    for row in range(16)
]


def collate(batch):
    return {name: torch.stack([row[name] for row in batch]) for name in rows[0]} | {"return_loss": True}


arguments = TrainingArguments(
    sys.argv[2], max_steps=3, per_device_train_batch_size=2, gradient_checkpointing=True, use_cpu=True,
    report_to="none", save_strategy="no", disable_tqdm=True, learning_rate=1e-3,
)
trainer = Trainer(model, arguments, train_dataset=rows, data_collator=collate)
result = trainer.train()
assert trainer.accelerator.num_processes == 2
weights = torch.cat([value.detach().float().flatten() for value in model.parameters()])
both = [torch.empty_like(weights) for _ in range(2)]
torch.distributed.all_gather(both, weights)
assert torch.equal(*both), "the processes differ"
changed = {name.split(".")[0] for name, value in model.state_dict().items() if not torch.equal(value, before[name])}
if trainer.accelerator.is_main_process:
    print("changed:", *sorted(changed), flush=True)
"""


@pytest.mark.slow
def test_trainer_with_gradient_checkpointing_on_two_processes(tmp_path: Path) -> None:
    model_with_sound().save_pretrained(tmp_path / "model")
    script = tmp_path / "train.py"
    script.write_text(TRAINER)
    said = launch(script, tmp_path / "model", tmp_path / "run")
    (line,) = [line for line in said.splitlines() if line.startswith("changed:")]
    assert line.split()[1:] == [
        "logit_scale", "pronunciation_model", "pronunciation_projection", "text_model", "text_projection",
        "vision_model", "visual_projection",
    ]  # fmt: skip
