"""Equal weights at other places in memory: what processors may compute otherwise, and by how much.

Kernels choose how they add up by processor, number of threads, and where in memory numbers lie. So outputs of models
that were made, loaded or fed separately are compared within a tolerance, and only bytes that are copied to the bit.
"""

import copy
import json
from pathlib import Path
from typing import TypeVar

import torch

# Bytes past a multiple of 64, the line of the cache: all places at which a float32 can lie.
PLACES = range(0, 64, 4)

# Shares of the largest value. Rounding makes 1e-6 in float32 and few units in the last place in half precision; another
# weight, mask or activation makes 1e-3 and more.
TOLERANCES = {torch.float32: 5e-5, torch.float16: 1e-2, torch.bfloat16: 8e-2}

Model = TypeVar("Model", bound=torch.nn.Module)


def assert_same_outputs(actual: torch.Tensor, expected: torch.Tensor) -> None:
    """The two are outputs of equal weights for equal inputs."""
    assert actual.dtype == expected.dtype
    largest = expected.detach().abs().max().item()
    torch.testing.assert_close(actual, expected, atol=TOLERANCES[expected.dtype] * largest, rtol=0)


def assert_same_gradients(actual: dict[str, torch.Tensor], expected: dict[str, torch.Tensor]) -> None:
    """The two are gradients of equal weights, by name. Of some nothing is left but rounding (of the keys' biases)."""
    assert actual.keys() == expected.keys()
    largest = max(gradient.abs().max().item() for gradient in expected.values())
    for name, gradient in expected.items():
        difference = (actual[name] - gradient).abs().max().item()
        assert difference <= TOLERANCES[gradient.dtype] * largest, (name, difference, largest)


def same_weights(model: torch.nn.Module, other: torch.nn.Module) -> bool:
    """All weights of the two are the same to the bit."""
    weights, others = model.state_dict(), other.state_dict()
    return weights.keys() == others.keys() and all(torch.equal(weights[key], others[key]) for key in weights)


def moved(model: Model, place: int) -> Model:
    """A copy of the model whose weights all begin `place` bytes past a multiple of 64."""
    result = copy.deepcopy(model)
    for tensor in (*result.parameters(), *result.buffers()):
        tensor.data = _at(tensor.data, place)
    return result


def _at(tensor: torch.Tensor, place: int) -> torch.Tensor:
    size = tensor.element_size()
    room = torch.empty(tensor.numel() + 64 // size, dtype=tensor.dtype)
    start = (place - room.data_ptr()) % 64 // size
    result = room[start : start + tensor.numel()].view(tensor.shape).copy_(tensor)
    assert result.data_ptr() % 64 == place // size * size
    return result


def move_file(file: Path, place: int) -> None:
    """Pads a safetensors file's header, so that its first tensor begins `place` bytes past a multiple of 64."""
    content = file.read_bytes()
    length = int.from_bytes(content[:8], "little")
    header = json.dumps(json.loads(content[8 : 8 + length])).encode()
    header += b" " * ((place - 8 - len(header)) % 64)
    file.write_bytes(len(header).to_bytes(8, "little") + header + content[8 + length :])
    assert (8 + len(header)) % 64 == place
