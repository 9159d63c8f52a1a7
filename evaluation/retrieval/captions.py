"""Pictures of one's own and their captions, from a folder, a table or the Hub, asked for each other."""

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import torch
from ipaclip.common.progress import track
from ipaclip.common.rows import read_table as read_rows
from ipaclip.common.sources import import_datasets
from ipaclip.encoding import encode
from ipaclip.pictures import open_picture
from ipaclip.search.fusion import EMBEDDED_GATE, Gate, fuse, fuse_cosines

from ..metrics import as_array
from .retrieval import BOTH, HEARD, TEXT, Placing

logger = logging.getLogger(__name__)

IMAGE, CAPTION = "image", "caption"
TABLES = (".csv", ".tsv", ".jsonl")
_BATCH = 64


@dataclass(frozen=True)
class CaptionedPicture:
    """One picture that is not opened yet.

    Attributes:
        name: what it is called in reports: its path, or its row.
        captions: what is said of it, at least one.
        open: gives the picture, in RGB.
    """

    name: str
    captions: tuple[str, ...]
    open: Callable[[], Any]


def read_pictures(source: str | Path) -> list[CaptionedPicture]:
    """Pictures from a folder, from a CSV, TSV or JSONL table, or else from the data set of that name on the Hub.

    Raises:
        FileNotFoundError: for what can only be a path, and is none.
        ValueError: as the reader that is chosen.
    """
    path = Path(source).expanduser()
    if path.is_dir():
        return read_folder(path)
    if path.suffix.lower() in TABLES or path.is_file():
        return read_table(path)
    if path.is_absolute() or str(source).startswith((".", "~")) or len(path.parts) > 2:
        raise FileNotFoundError(f"There is no folder or table {source}.")
    return read_hub(str(source))


def read_folder(folder: str | Path) -> list[CaptionedPicture]:
    """All files of a folder and the folders in it, by path; hidden ones are left out.

    Each is named by its file: `red_heart.png` shows a "red heart".

    Raises:
        ValueError: if there is no file.
    """
    root = Path(folder)
    files = sorted(
        path
        for path in root.rglob("*")
        if path.is_file() and not any(part.startswith(".") for part in path.relative_to(root).parts)
    )
    if not files:
        raise ValueError(f"{folder} holds no pictures.")
    return [
        CaptionedPicture(str(path.relative_to(root)), (_name_of(path),), partial(open_picture, path)) for path in files
    ]


def _name_of(path: Path) -> str:
    return " ".join(path.stem.replace("_", " ").replace("-", " ").split()) or path.stem


def read_table(path: str | Path) -> list[CaptionedPicture]:
    """A CSV or TSV with a header, or JSON lines: in each row a picture's path, `image`, and a `caption` of it.

    Paths are relative to the table. Rows with the same path are captions of one picture; in JSON, a caption may be a
    list of several.

    Raises:
        FileNotFoundError: if there is no such table.
        ValueError: if it is no such table or not in UTF-8, a column is missing or a value is empty, with the line.
    """
    table = Path(path)
    if not table.is_file():
        raise FileNotFoundError(f"There is no table {path}.")
    found: dict[str, dict[str, None]] = {}
    for where, row in read_rows(table, (IMAGE, CAPTION)):
        captions = _captions(row[CAPTION], where)
        if not isinstance(row[IMAGE], str) or not row[IMAGE].strip():
            raise ValueError(f"{where}: {IMAGE} is not the path of a picture.")
        found.setdefault(row[IMAGE].strip(), {}).update(dict.fromkeys(captions))
    if not found:
        raise ValueError(f"{path} holds no pictures.")
    return [
        CaptionedPicture(name, tuple(captions), partial(open_picture, table.parent / name))
        for name, captions in found.items()
    ]


def _captions(value: Any, where: str) -> list[str]:
    captions = value if isinstance(value, (list, tuple)) else [value]
    if not captions or not all(isinstance(one, str) and one.strip() for one in captions):
        raise ValueError(f"{where}: a caption is empty or no text.")
    return [one.strip() for one in captions]


def read_hub(name: str) -> list[CaptionedPicture]:
    """The split `test` of a data set on the Hub, or in its cache: columns `image`, and `caption` or a list of them.

    Raises:
        ImportError: if the package `datasets` is not installed.
        ValueError: if a column is missing or a caption empty, with the row.
    """
    datasets = import_datasets()
    data = datasets.load_dataset(name, split="test")
    missing = [column for column in (IMAGE, CAPTION) if column not in data.column_names]
    if missing:
        raise ValueError(f"{name} has no column {', '.join(missing)}; it has {', '.join(data.column_names)}.")
    # Undecoded: a picture that is damaged is met when it is opened, not while rows are read.
    data = data.cast_column(IMAGE, datasets.Image(decode=False))
    rows = [(f"{name}, test, row {row}", captions) for row, captions in enumerate(data[CAPTION])]
    return [
        CaptionedPicture(where, tuple(dict.fromkeys(_captions(captions, where))), partial(_open_row, data, row))
        for row, (where, captions) in enumerate(rows)
    ]


def _open_row(data: Any, row: int) -> Any:
    stored = data[row][IMAGE]
    if stored is None:
        raise ValueError("the row has none")
    return open_picture(BytesIO(stored["bytes"]) if stored["bytes"] is not None else stored["path"])


@dataclass(frozen=True)
class CaptionReport:
    """Pictures and captions, asked for each other.

    Attributes:
        pictures: how many pictures there were to find.
        captions: how many captions.
        caption_to_picture: column → how the best placed picture of each caption is placed. `"heard"` is the
            pronunciation tower, hearing the captions as transcribed; `"both"` is fused.
        picture_to_caption: column → how the best placed caption of each picture is placed among all captions:
            recall@k is the share of pictures with at least one of their captions among the k best (Karpathy and
            Fei-Fei 2015, CVPR).
        set_aside: picture or caption → why it could not be used.
    """

    pictures: int
    captions: int
    caption_to_picture: Mapping[str, Placing]
    picture_to_caption: Mapping[str, Placing]
    set_aside: Mapping[str, str]


def best_places(scores: Any, right: Any) -> np.ndarray:
    """The place of the best of several right answers, 0 the best: how many WRONG ones score at least as high.

    Ties with a wrong answer count against us, and so does a score that is not a number, as in `ranks`.

    Args:
        scores: `(questions, answers)`; higher is better.
        right: `(questions, answers)`, whether an answer is right; at least one for each question.

    Raises:
        ValueError: if the shapes differ, or a question has no right answer.
    """
    values, wanted = as_array(scores), as_array(right).astype(bool)
    if values.ndim != 2 or values.shape != wanted.shape:
        raise ValueError(f"Scores {values.shape} and right answers {wanted.shape} must both be (questions, answers).")
    if not wanted.any(axis=1).all():
        raise ValueError(f"Question {int(np.argmin(wanted.any(axis=1)))} has no right answer.")
    best = np.where(wanted & ~np.isnan(values), values, -np.inf).max(axis=1, keepdims=True)
    return np.count_nonzero(~wanted & ~(values < best), axis=1)


def evaluate_captions(
    model: Any,
    processor: Any,
    pictures: Sequence[CaptionedPicture],
    *,
    language: str | None = None,
    gate: Gate = EMBEDDED_GATE,
) -> CaptionReport:
    """Asks for pictures by their captions, and for captions by their pictures.

    Captions of the same words are one caption, which is right for every picture that has it. A picture that does not
    open and a caption that cannot be pronounced are set aside, the latter for the text tower, too, so that all columns
    answer the same questions; a picture without captions left is only there to be confused with.

    Args:
        model: an `IPAClipModel`.
        processor: its `IPAClipProcessor`.
        pictures: see `read_pictures`.
        language: that captions are spoken in; by default the processor's.
        gate: how the towers are fused for the column `"both"`.

    Raises:
        ValueError: if no picture opens, or no caption can be pronounced.
        ImportError: if the transcriber is not installed.
    """
    aside: dict[str, str] = {}
    opened, image_embeds = _embed_pictures(model, processor, pictures, aside)
    if not opened:
        raise ValueError(f"None of {len(pictures)} pictures opens: {_first(aside)}")
    texts = list(dict.fromkeys(caption for picture in opened for caption in picture.captions))
    said = dict(zip(texts, processor.transcribe_each(texts, language=language), strict=True))
    aside.update({text: str(why) for text, why in said.items() if isinstance(why, Exception)})
    texts = [text for text in texts if text not in aside]
    if not texts:
        raise ValueError(f"No caption can be pronounced: {_first(aside)}")
    for name, why in aside.items():
        logger.warning("%s is left out: %s", name, why)
    written = encode(model, processor, text=texts)
    heard = encode(model, processor, ipa=[str(said[text]) for text in texts])
    scores = {TEXT: (written @ image_embeds.T).numpy(), HEARD: (heard @ image_embeds.T).numpy()}
    towers = (scores[TEXT], scores[HEARD], written, heard, gate)
    index = {text: row for row, text in enumerate(texts)}
    right = np.zeros((len(texts), len(opened)), dtype=bool)
    for column, picture in enumerate(opened):
        right[[index[caption] for caption in picture.captions if caption in index], column] = True
    asking = right.any(axis=0)
    return CaptionReport(
        pictures=len(opened),
        captions=len(texts),
        caption_to_picture={
            column: Placing.of(best_places(values, right)) for column, values in {**scores, BOTH: fuse(*towers)}.items()
        },
        picture_to_caption={
            column: Placing.of(best_places(values.T[asking], right.T[asking]))
            for column, values in {**scores, BOTH: fuse_cosines(*towers)}.items()
        },
        set_aside=aside,
    )


def _first(aside: Mapping[str, str]) -> str:
    return next((f"{name}: {why}" for name, why in aside.items()), "there are none.")


def _embed_pictures(
    model: Any, processor: Any, pictures: Sequence[CaptionedPicture], aside: dict[str, str]
) -> tuple[list[CaptionedPicture], torch.Tensor]:
    """Those that open, and their embeddings; a batch at a time in memory. Why others do not goes into `aside`."""
    opened: list[CaptionedPicture] = []
    parts: list[torch.Tensor] = []
    for start in track(range(0, len(pictures), _BATCH), "embedding pictures", unit="batches"):
        images = []
        for picture in pictures[start : start + _BATCH]:
            try:
                images.append(picture.open())
            except (OSError, ValueError) as error:
                aside[picture.name] = f"it does not open ({error})"
            else:
                opened.append(picture)
        if images:
            parts.append(encode(model, processor, images=images))
    return opened, torch.cat(parts) if parts else torch.empty(0, 0)
