"""Lists of words, IPA strings or pictures → one matrix of embeddings."""

import logging
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from os.path import isfile
from pathlib import Path
from typing import Any

import torch
from tqdm.auto import tqdm

from .pictures import as_rgb, open_picture
from .processing_ipaclip import TOKENIZERS

logger = logging.getLogger(__name__)


@torch.no_grad()
def encode(
    model: Any,
    processor: Any,
    *,
    text: str | Sequence[str] | None = None,
    ipa: str | Sequence[str] | None = None,
    pronounce: str | Sequence[str] | None = None,
    images: Any = None,
    language: str | None = None,
    batch_size: int = 64,
    show_progress: bool = False,
) -> torch.Tensor:
    """Embeds inputs of one kind, in batches of alike length. One input alone is a list of one.

    Args:
        model: an `IPAClipModel`; for `ipa` and `pronounce` an `IPAClipPronunciationModelWithProjection` serves too.
        processor: its `IPAClipProcessor`.
        text: what the text tower reads.
        ipa: IPA strings for the pronunciation tower.
        pronounce: spelled words for the pronunciation tower, transcribed first, as spoken in `language`.
        images: pictures for the image tower: Pillow's (see `ipaclip.pictures.as_rgb`), paths of files, or whatever else
            the image processor takes.
        language: the language of `pronounce`; by default the processor's own.
        batch_size: how many inputs go through a tower at once.
        show_progress: whether to show a progress bar, inputs done of all.

    Returns:
        `(inputs, projection_dim)`, float32 on the CPU, rows of length 1, in the order of the inputs.

    Raises:
        ValueError: unless exactly one kind of input is given.
        OSError: if a file is no picture.
    """
    given = {"text": text, "ipa": ipa, "pronounce": pronounce, "images": images}
    kinds = [kind for kind, values in given.items() if values is not None]
    if len(kinds) != 1:
        raise ValueError(f"give exactly one of {', '.join(given)}; got {', '.join(kinds) or 'none'}")
    (kind,), inputs = kinds, _as_list(given[kinds[0]])
    if kind == "pronounce":
        kind, inputs = "ipa", processor.transcribe(inputs, language=language)
    order = (
        list(range(len(inputs))) if kind == "images" else sorted(range(len(inputs)), key=lambda row: len(inputs[row]))
    )
    batches = [order[start : start + batch_size] for start in range(0, len(inputs), batch_size)]
    parts = []
    with tqdm(total=len(inputs), desc=f"encoding {kind}", disable=not show_progress) as progress, _evaluating(model):
        for batch in batches:
            parts.append(_embed(model, processor, kind, [inputs[row] for row in batch]))
            progress.update(len(batch))
    if not parts:
        return torch.empty(0, model.config.projection_dim)
    embeddings = torch.cat(parts)
    result = torch.empty_like(embeddings)
    result[torch.tensor(order)] = embeddings
    return result


def _as_list(given: Any) -> list[Any]:
    from PIL.Image import Image

    return [given] if isinstance(given, (str, Path, Image)) else list(given)


@contextmanager
def _evaluating(model: Any) -> Iterator[None]:
    was_training = model.training
    modules = list(model.modules()) if isinstance(model, torch.nn.Module) else []
    modes = [module.training for module in modules]  # a frozen tower may have its own
    model.eval()
    try:
        yield
    finally:
        model.train(was_training)
        for module, mode in zip(modules, modes, strict=True):
            module.training = mode


def _warn_of_long_texts(tokenizer: Any, texts: list[str]) -> None:
    limit = tokenizer.model_max_length
    with TOKENIZERS:
        whole = tokenizer(texts, verbose=False)["input_ids"]
    for text, ids in zip(texts, whole, strict=True):
        if len(ids) > limit:
            logger.warning("%r is %d tokens long: the last %d were cut, for %d is the text tower's limit.",
                           text, len(ids), len(ids) - limit, limit)  # fmt: skip


def _picture(given: Any) -> Any:
    from PIL.Image import Image

    if isinstance(given, Image):
        return as_rgb(given)
    return open_picture(given) if isinstance(given, Path) or (isinstance(given, str) and isfile(given)) else given


def _embed(model: Any, processor: Any, kind: str, inputs: list[Any]) -> torch.Tensor:
    if kind == "text":
        _warn_of_long_texts(processor.tokenizer, inputs)
    if kind == "images":
        inputs = [_picture(one) for one in inputs]
    batch = processor(**{kind: inputs}, return_tensors="pt", truncation=True).to(model.device)
    if kind == "images":
        features = model.get_image_features(pixel_values=batch["pixel_values"].to(model.dtype)).pooler_output
    elif kind == "text":
        features = model.get_text_features(
            input_ids=batch["input_ids"], attention_mask=batch["attention_mask"]
        ).pooler_output
    else:
        read = (batch["pronunciation_input_ids"], batch["pronunciation_attention_mask"])
        is_whole = hasattr(model, "get_pronunciation_features")
        features = (
            model.get_pronunciation_features(*read).pooler_output if is_whole else model(*read).pronunciation_embeds
        )
    return torch.nn.functional.normalize(features.float(), dim=-1).cpu()
