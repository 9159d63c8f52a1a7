"""What may name a checkpoint, a directory or a name on the Hub, and whether the directory's files are whole."""

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path
from typing import Any

AGAIN = "copy or download it again"
_LFS = b"version https://git-lfs"
# What transformers reads by itself, and complains of without the file's name.
_READ = (
    "config.json", "processor_config.json", "preprocessor_config.json", "tokenizer.json", "tokenizer_config.json",
    "special_tokens_map.json", "added_tokens.json", "vocab.json", "model.safetensors.index.json",
)  # fmt: skip
_TOKENIZER = "pronunciation_tokenizer"
# Of a whole IPA-CLIP, one of each.
_NEEDED: tuple[tuple[str, ...], ...] = (
    ("processor_config.json", "preprocessor_config.json"),
    ("tokenizer.json", "vocab.json"),
    (f"{_TOKENIZER}/tokenizer.json",),
)


def require_directory_or_name(name: str | os.PathLike) -> None:
    """
    Keeps a path to nothing from being taken for a name on the Hub, and damaged files from being loaded.

    Raises:
        `FileNotFoundError`: if there is no such directory, and `name` can only be a path: a file, an absolute path, one
            that begins with a dot or `~`, or one of more than two parts.
        `OSError`: as `require_whole_json`, if it is a directory.
    """
    path = Path(name).expanduser()
    if path.is_dir():
        require_whole_json(path)
    elif path.is_absolute() or str(name).startswith((".", "~")) or path.exists() or len(path.parts) > 2:
        raise FileNotFoundError(f"There is no directory {name}: give a checkpoint's directory or its name on the Hub.")


def local_checkpoint(name: str | Path) -> Path:
    """The directory of a checkpoint: `name` itself if it is a directory, else its files, fetched from the Hub.

    A directory is never asked for on the Hub, nor is a name that can only be a path.

    Raises:
        `FileNotFoundError`: If there is no such directory, nor a checkpoint of this name on the Hub or in its cache.
        `OSError`: If a JSON file of it is damaged or missing, with its name.
    """
    require_directory_or_name(name)
    path = Path(name).expanduser()
    if path.is_dir():
        return path
    from huggingface_hub import snapshot_download

    try:
        # All at once: gallery, processor and weights are of one revision, and nothing asks the network afterwards.
        directory = Path(snapshot_download(str(name), allow_patterns=["*.json", "*.txt", "*.safetensors"]))
    except (OSError, ValueError) as error:
        raise FileNotFoundError(
            f"There is no directory {name}, and the Hub did not give a checkpoint of that name ({error})."
        ) from error
    require_whole_json(directory)
    return directory


def require_whole_json(directory: str | os.PathLike) -> None:
    """
    Looks at the JSON files of a checkpoint, of any model, before transformers does.

    Raises:
        `OSError`: naming the file, if one is no JSON (cut off, a pointer of Git LFS, with a byte order mark), or an
            IPA-CLIP lacks one that it cannot do without.
    """
    root = Path(directory)
    for folder in (root, root / _TOKENIZER):
        for file in filter(Path.is_file, map(folder.joinpath, _READ)):
            _read_once(file, file.stat().st_size, file.stat().st_mtime_ns)
    for names in _needed(root):
        if not any((root / name).is_file() for name in names):
            raise FileNotFoundError(f"{root / names[0]} is missing: {AGAIN}.")


def _needed(root: Path) -> tuple[tuple[str, ...], ...]:
    """Files of which a checkpoint must have one each."""
    if not (root / "config.json").is_file():
        return (("config.json",),) if any(root.glob("model*.safetensors")) else ()
    # Where the folder is missing altogether, the processor says what that means.
    whole = read_json(root / "config.json").get("model_type") == "ipaclip" and (root / _TOKENIZER).is_dir()
    return _NEEDED if whole else ()


def read_json(path: str | os.PathLike) -> dict[str, Any]:
    """
    The object in a JSON file.

    Raises:
        `OSError`: if the file is missing, or no JSON object in UTF-8, with its name and what to do.
    """
    path = Path(path)
    content = path.read_bytes()
    if content.startswith(_LFS):
        raise OSError(f"{path} is not JSON, but a pointer of Git LFS: {AGAIN}, or run `git lfs pull`.")
    if content.startswith(b"\xef\xbb\xbf"):
        raise OSError(f"{path} is not JSON, for it begins with a byte order mark: {AGAIN}, or save it without one.")
    try:
        values = json.loads(content.decode("utf-8"))
    except (ValueError, RecursionError) as error:
        raise OSError(f"{path} is not JSON ({error}): {AGAIN}.") from error
    if not isinstance(values, dict):
        raise OSError(f"{path} is no JSON object: {AGAIN}.")
    return values


@lru_cache(maxsize=64)
def _read_once(path: Path, size: int, changed: int) -> None:
    """A file that did not change is looked at once."""
    read_json(path)


@contextmanager
def reading_weights(name_or_path: str | os.PathLike | None) -> Iterator[None]:
    """
    Names the weight file that cannot be read, where the libraries name none.

    Raises:
        `OSError`: if it is corrupt, or a pickle that holds more than tensors.
    """
    from pickle import UnpicklingError

    from safetensors import SafetensorError, safe_open

    try:
        yield
    except SafetensorError as error:
        corrupt = str(name_or_path)
        for file in Path(corrupt).glob("*.safetensors"):
            try:
                with safe_open(file, framework="pt"):
                    pass
            except SafetensorError:
                corrupt = str(file)
        raise OSError(f"{corrupt} is not a valid safetensors file ({error}): {AGAIN}.") from error
    except UnpicklingError as error:
        raise OSError(
            f"The pickled weights of {name_or_path} are cut off, or hold more than tensors, and to load them could run "
            "any code: refused."
        ) from error
