"""Adapters of peft: LoRA on the pronunciation tower, trained, saved and loaded."""

from pathlib import Path
from typing import Any

import pytest
import torch
from ipaclip import IPAClipPronunciationModel, IPAClipPronunciationModelWithProjection
from kernels import assert_same_outputs
from modeling_helpers import pixels, pronunciation_ids, text_ids, tiny_model

peft = pytest.importorskip("peft")

IDS, MASK = pronunciation_ids()
TASKS = [None, peft.TaskType.FEATURE_EXTRACTION]


def lora(task: Any, **options: Any) -> Any:
    return peft.LoraConfig(task_type=task, r=2, target_modules=["q_proj", "v_proj"], **options)


def train(model: torch.nn.Module, answer: Any) -> torch.Tensor:
    """One step of gradient descent; what the model answers after it."""
    optimizer = torch.optim.SGD([p for p in model.parameters() if p.requires_grad], lr=1.0)
    # LoRA's second factor starts at 0, so that the first has no gradient before it moves.
    for _ in range(2):
        optimizer.zero_grad()
        answer().square().sum().backward()
        optimizer.step()
    with torch.no_grad():
        return answer()


@pytest.mark.parametrize("task", TASKS)
@pytest.mark.parametrize("tower", [IPAClipPronunciationModel, IPAClipPronunciationModelWithProjection])
def test_a_tower_s_adapter_is_trained_saved_and_loaded(tower: Any, task: Any, tmp_path: Path) -> None:
    tiny_model(phonetic_dim=6).save_pretrained(tmp_path / "model")
    base = tower.from_pretrained(tmp_path / "model")
    before = {name: value.clone() for name, value in base.state_dict().items()}
    name = "pooler_output" if tower is IPAClipPronunciationModel else "pronunciation_embeds"
    with torch.no_grad():
        plain = base(IDS, MASK)[name]

    model = peft.get_peft_model(base, lora(task))
    torch.testing.assert_close(model(input_ids=IDS, attention_mask=MASK)[name], plain, atol=1e-5, rtol=1e-4)
    trained = train(model, lambda: model(input_ids=IDS, attention_mask=MASK)[name])
    assert not torch.allclose(trained, plain, atol=1e-3)
    with torch.no_grad():
        sounds = model(input_ids=IDS, attention_mask=MASK, output_hidden_states=True)
    assert len(sounds.hidden_states) == 3

    model.save_pretrained(tmp_path / "adapter")
    loaded = peft.PeftModel.from_pretrained(tower.from_pretrained(tmp_path / "model"), tmp_path / "adapter")
    with torch.no_grad():
        torch.testing.assert_close(loaded(input_ids=IDS, attention_mask=MASK)[name], trained, atol=1e-5, rtol=1e-4)
        merged = loaded.merge_and_unload()
        torch.testing.assert_close(merged(IDS, MASK)[name], trained, atol=1e-5, rtol=1e-4)
        model.unload()
    assert all(torch.equal(value, before[name]) for name, value in model.base_model.model.state_dict().items())


@pytest.mark.parametrize("task", TASKS)
def test_the_whole_with_an_adapter_in_one_tower(task: Any) -> None:
    whole = tiny_model()
    inputs = {"pixel_values": pixels(2), "input_ids": text_ids(), "pronunciation_input_ids": IDS}
    plain = whole(**inputs)
    module = r"pronunciation_model\..*\.(q_proj|v_proj)"
    model = peft.get_peft_model(whole, peft.LoraConfig(task_type=task, r=2, target_modules=module))
    torch.testing.assert_close(model(**inputs).logits_per_pronunciation, plain.logits_per_pronunciation)
    assert all("pronunciation_model" in name for name, p in model.named_parameters() if p.requires_grad)
    train(model, lambda: model(**inputs).pronunciation_embeds[:, :4])
    trained = model(**inputs)
    assert not torch.allclose(trained.pronunciation_embeds, plain.pronunciation_embeds, atol=1e-3)
    assert_same_outputs(trained.logits_per_image, plain.logits_per_image)


def test_prompts_are_refused_for_they_are_embeddings() -> None:
    config = peft.PromptTuningConfig(
        task_type=peft.TaskType.FEATURE_EXTRACTION, num_virtual_tokens=2, token_dim=32, num_layers=2,
        num_attention_heads=4, num_transformer_submodules=1,
    )  # fmt: skip
    model = peft.get_peft_model(tiny_model(learned_residual=True).pronunciation_model, config)
    with pytest.raises(ValueError, match="inputs_embeds are not supported"):
        model(input_ids=IDS, attention_mask=MASK)
