"""Weights of original CLIPs from files of any kind, without running anything that is in them."""

import pickle
import zipfile
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file

_DTYPES = {
    "DoubleStorage": torch.float64,
    "FloatStorage": torch.float32,
    "HalfStorage": torch.float16,
    "BFloat16Storage": torch.bfloat16,
    "LongStorage": torch.int64,
    "IntStorage": torch.int32,
    "ShortStorage": torch.int16,
    "CharStorage": torch.int8,
    "ByteStorage": torch.uint8,
    "BoolStorage": torch.bool,
}


def read_weights(file: str | Path) -> dict[str, torch.Tensor]:
    """The state dict in a `.safetensors` file, in what `torch.save` wrote, or in a TorchScript archive.

    Nothing in the file is executed. `torch.save` files are read with `weights_only=True`. `torch.jit.load` would
    compile and run an archive's code, so of archives only the tensors are read, with an unpickler that knows nothing
    else.
    Checkpoints of a training run (`{"state_dict": …}`) and of `DistributedDataParallel` (`module.…`) are unwrapped.

    Raises:
        OSError: if there is no such file, or it is cut off or corrupt.
        ValueError: if it holds more than tensors, or no tensors.
    """
    file = Path(file)
    if not file.is_file():
        raise FileNotFoundError(f"There is no file {file}.")
    if file.suffix.lower() == ".safetensors":
        try:
            weights = load_file(file)
        except SafetensorError as error:
            raise OSError(f"{file} is not a valid safetensors file ({error}): download it again.") from error
    elif _is_torchscript(file):
        weights = _read_archive(file)
    else:
        weights = _read_torch_save(file)
    weights = {key.removeprefix("module."): value for key, value in weights.items()}
    if not weights:
        raise ValueError(f"{file} holds no weights.")
    return weights


def _is_torchscript(file: Path) -> bool:
    if not zipfile.is_zipfile(file):
        return False
    with zipfile.ZipFile(file) as archive:
        return any(name.endswith("/constants.pkl") for name in archive.namelist())


def _read_torch_save(file: Path) -> dict[str, torch.Tensor]:
    try:
        content = torch.load(file, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        raise OSError(
            f"{file} is no file of torch.save, is cut off, or holds more than tensors, and to load it could run any "
            "code: refused, download it again."
        ) from error
    except (RuntimeError, EOFError) as error:
        raise OSError(f"{file} is not a file of torch.save, or is cut off: download it again.") from error
    if isinstance(content, dict) and isinstance(content.get("state_dict"), dict):
        content = content["state_dict"]
    if not isinstance(content, dict) or not all(isinstance(value, torch.Tensor) for value in content.values()):
        raise ValueError(f"{file} holds no state dict: a dictionary of tensors was expected.")
    return content


class _ScriptObject:
    """Stands for any module of an archive: it keeps the attributes and can do nothing."""

    def __setstate__(self, state: Any) -> None:
        self.attributes: dict[str, Any] = state if isinstance(state, dict) else {}


def _rebuild_tensor(storage: torch.Tensor, offset: int, size: tuple[int, ...], stride: tuple[int, ...], *_: Any) -> Any:
    return torch.as_strided(storage, size, stride, offset)


def _as_list(values: Any) -> Any:
    return values


class _ArchiveUnpickler(pickle.Unpickler):
    """Reads `data.pkl` of a TorchScript archive (pytorch/torch/csrc/jit/serialization/pickler.cpp): objects of its own
    classes, tensors, plain lists, and nothing that could be called to any effect."""

    def __init__(self, archive: zipfile.ZipFile, root: str) -> None:
        self._root, self._archive = root, archive
        self._storages: dict[str, torch.Tensor] = {}
        super().__init__(archive.open(f"{root}/data.pkl"))

    def find_class(self, module: str, name: str) -> Any:
        if module == "__torch__" or module.startswith("__torch__."):
            return _ScriptObject
        if module == "torch._utils" and name == "_rebuild_tensor_v2":
            return _rebuild_tensor
        if module == "torch" and name in _DTYPES:
            return _DTYPES[name]
        if module == "torch.jit._pickle" and name.startswith("build_"):
            return _as_list
        if module == "collections" and name == "OrderedDict":
            return dict
        raise pickle.UnpicklingError(f"{module}.{name}")

    def persistent_load(self, pid: Any) -> torch.Tensor:
        _, dtype, key, _, count = pid
        if key not in self._storages:
            content = bytearray(self._archive.read(f"{self._root}/data/{key}"))
            self._storages[key] = torch.frombuffer(content, dtype=dtype, count=count) if count else torch.empty(0)
        return self._storages[key]


def _read_archive(file: Path) -> dict[str, torch.Tensor]:
    try:
        with zipfile.ZipFile(file) as archive:
            root = next(name for name in archive.namelist() if name.endswith("/data.pkl")).removesuffix("/data.pkl")
            module = _ArchiveUnpickler(archive, root).load()
    except pickle.UnpicklingError as error:
        raise ValueError(
            f"{file} holds more than tensors ({error}), and to load it could run any code: refused."
        ) from error
    except (zipfile.BadZipFile, StopIteration, LookupError, EOFError, RuntimeError, TypeError, ValueError) as error:
        raise OSError(f"{file} is a broken TorchScript archive ({error}): download it again.") from error
    weights: dict[str, torch.Tensor] = {}
    _collect(module, "", weights)
    return weights


def _collect(module: Any, prefix: str, weights: dict[str, torch.Tensor]) -> None:
    for name, value in getattr(module, "attributes", {}).items():
        if isinstance(value, torch.Tensor):
            weights[f"{prefix}{name}"] = value
        elif isinstance(value, _ScriptObject):
            _collect(value, f"{prefix}{name}.", weights)
