"""CLIP's activation in training: the same function and gradient, in fewer passes."""

import pytest
import torch
from ipaclip.training.loop.activation import FusedQuickGELU, fuse_quick_gelu
from modeling_helpers import pronunciation_ids, tiny_model
from transformers.activations import QuickGELUActivation


def test_values_and_gradients_are_the_formula_s():
    states = torch.linspace(-12, 12, 101, dtype=torch.float64, requires_grad=True)
    sigmoid = 1 / (1 + torch.exp(-1.702 * states.detach()))
    found = FusedQuickGELU()(states)
    torch.testing.assert_close(found.detach(), states.detach() * sigmoid)
    found.sum().backward()
    # The product rule, and sigmoid' = sigmoid (1 - sigmoid).
    torch.testing.assert_close(states.grad, sigmoid + 1.702 * states.detach() * sigmoid * (1 - sigmoid))


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_what_comes_in_stays_as_it_is(dtype: torch.dtype):
    states = torch.randn(3, 4, dtype=dtype)
    before = states.clone()
    found = FusedQuickGELU()(states)
    assert found.dtype == dtype
    assert torch.equal(states, before)
    torch.testing.assert_close(found, QuickGELUActivation()(states))


@pytest.mark.parametrize(("activation", "fused"), [("quick_gelu", True), ("gelu", False)])
def test_a_tower_answers_as_before_and_has_the_same_weights(activation: str, fused: bool):
    model = tiny_model(hidden_act=activation)
    said = pronunciation_ids()
    before = model.get_pronunciation_features(*said).pooler_output
    names = list(model.state_dict())
    fuse_quick_gelu(model.pronunciation_model)
    assert any(isinstance(module, FusedQuickGELU) for module in model.modules()) == fused
    after = model.get_pronunciation_features(*said).pooler_output
    torch.testing.assert_close(after, before)
    assert list(model.state_dict()) == names
