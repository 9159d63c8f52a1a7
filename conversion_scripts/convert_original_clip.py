"""OpenAI's and open_clip's checkpoints → IPA-CLIP with a new, untrained pronunciation tower."""

import gzip
import logging
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from ipaclip.checkpoint_path import read_json
from transformers import AutoTokenizer, CLIPImageProcessor, CLIPTokenizer
from transformers.convert_slow_tokenizer import bytes_to_unicode

from .convert_clip_to_ipaclip import NewTower, save_as_ipaclip
from .load_clip import require_own_tokenizer
from .original_layout import to_transformers
from .original_weights import read_weights

logger = logging.getLogger(__name__)

OPEN_CLIP_CONFIG = "open_clip_config.json"
OPEN_CLIP_WEIGHTS = (
    "open_clip_model.safetensors",
    "open_clip_pytorch_model.safetensors",
    "open_clip_pytorch_model.bin",
)
# Its tokenizer is that of all of OpenAI's models, and of open_clip's that have CLIP's own text tower.
DEFAULT_TOKENIZER = "openai/clip-vit-base-patch32"
MERGES_FILE = "bpe_simple_vocab_16e6.txt.gz"
# OpenAI's preprocessing (github.com/openai/CLIP, clip/clip.py), and open_clip's default.
MEAN, STD = [0.48145466, 0.4578275, 0.40821073], [0.26862954, 0.26130258, 0.27577711]
PIL_BICUBIC, PIL_BILINEAR = 3, 2


def convert_original_clip(
    source: str | Path,
    output: str | Path,
    *,
    config: str | Path | None = None,
    activation: str | None = None,
    tokenizer: str | Path | None = None,
    **tower: Any,
) -> float:
    """Turns a checkpoint in OpenAI's or open_clip's layout into an IPA-CLIP.

    Args:
        source: A file (TorchScript archive, `torch.save` or safetensors), or a directory with open_clip's files.
        output: The new checkpoint's directory.
        config: open_clip's configuration of the model, a JSON file. By default `open_clip_config.json` beside the
            weights. A name that ends in `-quickgelu` means QuickGELU, as it does in open_clip.
        activation: "quick_gelu" or "gelu", where the source does not say which.
        tokenizer: Directory or Hub name of a CLIP tokenizer, or OpenAI's `bpe_simple_vocab_16e6.txt.gz`. By default the
            one in open_clip if that is installed, else the Hub's `openai/clip-vit-base-patch32`.
        tower: Any field of `NewTower`.

    Returns:
        How far image and text embeddings of the checkpoint, loaded again from disk, lie from the translated CLIP's, as
        a share of their largest value, in float32: up to 1e-4, for kernels round differently.

    Raises:
        OSError: if a file is missing or corrupt, or `output` cannot be made.
        ValueError: if the file holds more than tensors, or is no CLIP with a vision transformer, or the activation
            cannot be known, or the tokenizer is another model's. Nothing is then left at `output`.
    """
    file = _weight_file(Path(source))
    document = _read_config(file, Path(config) if config is not None else None)
    model_config = document.get("model_cfg") if document is not None else None
    clip = to_transformers(read_weights(file), activation=activation, model_config=model_config)
    text_tokenizer = load_text_tokenizer(tokenizer, clip.config.text_config.max_position_embeddings)
    require_own_tokenizer(text_tokenizer, clip, str(tokenizer or source))
    images = image_processor(clip.config.vision_config.image_size, (document or {}).get("preprocess_cfg", {}))
    difference = save_as_ipaclip(clip, images, text_tokenizer, output, NewTower(**tower), description=str(source))
    logger.info("%s: %s, image and text embeddings as %s", output, clip.config.text_config.hidden_act, source)
    return difference


def _weight_file(source: Path) -> Path:
    if not source.is_dir():
        return source
    for name in OPEN_CLIP_WEIGHTS:
        if (source / name).is_file():
            return source / name
    raise FileNotFoundError(f"{source} holds none of {', '.join(OPEN_CLIP_WEIGHTS)}: name the weight file itself.")


def _read_config(weights: Path, config: Path | None) -> dict[str, Any] | None:
    """`{"model_cfg": …, "preprocess_cfg": …}`, as the Hub has it, or as open_clip itself has it, the former alone."""
    file = config or weights.with_name(OPEN_CLIP_CONFIG)
    if config is None and not file.is_file():
        return None
    document = read_json(file)
    if "model_cfg" not in document:
        document = {"model_cfg": document}
    model_config = document["model_cfg"]
    if not isinstance(model_config, dict) or not {"vision_cfg", "text_cfg"} <= model_config.keys():
        raise ValueError(f"{file} is no configuration of open_clip: vision_cfg or text_cfg is missing.")
    if file.stem.endswith("-quickgelu"):
        document["model_cfg"]["quick_gelu"] = True
    return document


def load_text_tokenizer(name: str | Path | None, max_length: int) -> Any:
    """CLIP's tokenizer from a directory, the Hub, or OpenAI's list of merges.

    Raises:
        OSError: if there is none.
    """
    if name is None:
        name = _merges_of_open_clip() or DEFAULT_TOKENIZER
    if str(name).lower().endswith((".txt.gz", ".txt")):
        return _tokenizer_from_merges(Path(name), max_length)
    try:
        return AutoTokenizer.from_pretrained(name)
    except (OSError, ValueError) as error:
        raise OSError(
            f"CLIP's tokenizer was not found at {name}: pass a directory with it, or OpenAI's {MERGES_FILE}."
        ) from error


def _merges_of_open_clip() -> Path | None:
    spec = find_spec("open_clip")
    file = Path(spec.origin).with_name(MERGES_FILE) if spec is not None and spec.origin else None
    return file if file is not None and file.is_file() else None


def _tokenizer_from_merges(file: Path, max_length: int) -> CLIPTokenizer:
    """The vocabulary as OpenAI's `clip/simple_tokenizer.py` builds it: bytes, bytes that end words, merges, ends."""
    content = file.read_bytes()
    text = (gzip.decompress(content) if file.suffix.lower() == ".gz" else content).decode("utf-8")
    merges = text.split("\n")[1 : 49152 - 256 - 2 + 1]
    signs = list(bytes_to_unicode().values())  # in GPT-2's order
    tokens = [*signs, *(f"{sign}</w>" for sign in signs), *("".join(merge.split()) for merge in merges if merge)]
    tokens += ["<|startoftext|>", "<|endoftext|>"]
    pairs = [tuple(merge.split()) for merge in merges if merge]
    return CLIPTokenizer(
        vocab={token: row for row, token in enumerate(tokens)}, merges=pairs, model_max_length=max_length
    )


def image_processor(size: int, preprocess_cfg: dict[str, Any]) -> CLIPImageProcessor:
    """CLIP's preprocessing, with open_clip's own values where they are given.

    Raises:
        ValueError: if pictures are resized in a way that CLIP's image processor does not know.
    """
    if (mode := preprocess_cfg.get("resize_mode", "shortest")) != "shortest":
        raise ValueError(f"preprocess_cfg.resize_mode is {mode!r}: CLIP's image processor knows only 'shortest'.")
    interpolation = preprocess_cfg.get("interpolation", "bicubic")
    if interpolation not in ("bicubic", "bilinear"):
        raise ValueError(f"preprocess_cfg.interpolation is {interpolation!r}: only bicubic and bilinear are known.")
    return CLIPImageProcessor(
        size={"shortest_edge": size},
        crop_size={"height": size, "width": size},
        resample=PIL_BICUBIC if interpolation == "bicubic" else PIL_BILINEAR,
        image_mean=list(preprocess_cfg.get("mean", MEAN)),
        image_std=list(preprocess_cfg.get("std", STD)),
    )
