"""A gallery: the embeddings of pictures, and what each picture shows."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from ipaclip.checkpoint_path import read_json
from ipaclip.common.files import whole_file
from numpy.typing import ArrayLike, NDArray

if TYPE_CHECKING:
    from ipaclip.lexicon import Reading

FORMAT = "ipaclip-gallery-1"
EMBEDDINGS_FILE = "gallery.safetensors"
ENTRIES_FILE = "gallery.json"

# Rounding to float16 changes a number, and so the length of a row, by 2**-11 = 0.0005 of itself at most.
_LENGTH_TOLERANCE = 1e-3


@dataclass(frozen=True)
class GalleryEntry:
    """What one picture shows.

    Attributes:
        character: The picture as a character, such as `"🦋"`.
        name: Its name, such as `"butterfly"`.
        same_picture: Other characters that are drawn as this very picture.
    """

    character: str
    name: str
    same_picture: tuple[str, ...] = ()

    def to_dict(self) -> dict[str, Any]:
        """The entry as `gallery.json` holds it; `same_picture` only where there is one."""
        entry: dict[str, Any] = {"character": self.character, "name": self.name}
        return {**entry, "same_picture": list(self.same_picture)} if self.same_picture else entry


class _Found(NamedTuple):
    entry: GalleryEntry
    score: float


class Hit(_Found):
    """A picture found: a pair of entry and score, which knows its reading.

    Attributes:
        entry: what it shows.
        score: of one tower, the cosine between its embedding and the query's, -1 to 1; of several, its probability.
        reading: what the query was taken for, where a lexicon found the picture.
    """

    reading: "Reading | None"

    def __new__(cls, entry: GalleryEntry, score: float, reading: "Reading | None" = None) -> "Hit":
        hit = super().__new__(cls, entry, score)
        hit.reading = reading
        return hit


class Gallery:
    """Pictures' embeddings and entries, row by row.

    Args:
        entries: What each picture shows.
        image_embeds: `(pictures, dim)`, rows of length 1, in the order of the entries.

    Raises:
        ValueError: If there is no picture, or the embeddings are not a finite matrix of one row of length 1 each.
    """

    def __init__(self, entries: Sequence[GalleryEntry], image_embeds: ArrayLike) -> None:
        self.entries = tuple(entries)
        self.image_embeds: NDArray[np.float32] = np.asarray(image_embeds, dtype=np.float32)
        if self.image_embeds.ndim != 2:
            raise ValueError(f"image_embeds has shape {self.image_embeds.shape}: it must be (pictures, dim).")
        if len(self.entries) != len(self.image_embeds):
            raise ValueError(
                f"there are {len(self.entries)} entries for {len(self.image_embeds)} rows of image_embeds: "
                "each picture needs one of each."
            )
        if not self.image_embeds.size:
            raise ValueError("the gallery is empty: give it one picture at least.")
        lengths = np.linalg.norm(self.image_embeds, axis=1, keepdims=True)
        # Written so that a length that is not a number fails, too.
        wrong = np.flatnonzero(~(np.abs(lengths - 1) <= _LENGTH_TOLERANCE))
        if wrong.size:
            raise ValueError(
                f"row {wrong[0]} of image_embeds has length {lengths[wrong[0], 0]:.4g}: "
                "rows must be finite and L2-normalised."
            )
        self.directions = self.image_embeds / lengths

    def __len__(self) -> int:
        return len(self.entries)

    @property
    def dim(self) -> int:
        """The width of an embedding."""
        return int(self.image_embeds.shape[1])

    def nearest(self, query_embeds: ArrayLike, top: int = 5) -> list[list[Hit]]:
        """The pictures nearest to each query, by cosine, best first; equal scores in the gallery's order.

        Args:
            query_embeds: `(queries, dim)`, rows of any length but 0.
            top: How many pictures for each query; all of them, if the gallery has fewer.

        Raises:
            ValueError: If `query_embeds` has another shape or a row without a direction, or `top` is below 1.
        """
        if top < 1:
            raise ValueError(f"top is {top}: ask for one picture at least.")
        queries = np.asarray(query_embeds, dtype=np.float32)
        if queries.ndim != 2 or queries.shape[1] != self.dim:
            raise ValueError(f"query_embeds has shape {queries.shape}: this gallery takes (queries, {self.dim}).")
        lengths = np.linalg.norm(queries, axis=1, keepdims=True)
        without = np.flatnonzero(~(np.isfinite(lengths) & (lengths > 0)))
        if without.size:
            raise ValueError(f"row {without[0]} of query_embeds is zero or not finite: it has no direction.")
        scores = np.clip(queries / lengths @ self.directions.T, -1, 1)
        order = np.argsort(-scores, axis=1, kind="stable")[:, :top]
        return [
            [Hit(self.entries[column], float(row[column])) for column in best]
            for row, best in zip(scores, order, strict=True)
        ]

    def save(self, directory: str | Path) -> None:
        """Writes `gallery.safetensors` (float16) and `gallery.json`, each replaced whole or not at all."""
        from safetensors.numpy import save

        directory = Path(directory)
        entries = {"format": FORMAT, "entries": [entry.to_dict() for entry in self.entries]}
        embeds = save({"image_embeds": self.image_embeds.astype(np.float16)}, {"format": FORMAT})
        # Both are written before either is renamed.
        with whole_file(directory / EMBEDDINGS_FILE) as first, whole_file(directory / ENTRIES_FILE) as second:
            first.write_bytes(embeds)
            second.write_text(json.dumps(entries, ensure_ascii=False, indent=1) + "\n", encoding="utf-8", newline="\n")

    @classmethod
    def load(cls, directory: str | Path) -> "Gallery":
        """Reads the gallery that `save` wrote.

        Raises:
            OSError: If one of the two files is missing, or the JSON is damaged.
            ValueError: If a file holds something else, or the two do not fit each other.
        """
        directory = Path(directory)
        for name in (ENTRIES_FILE, EMBEDDINGS_FILE):
            if not (directory / name).is_file():
                raise FileNotFoundError(f"{directory} has no {name}: a directory to search must hold a gallery.")
        entries = _read_entries(directory / ENTRIES_FILE)
        embeds = _read_embeddings(directory / EMBEDDINGS_FILE)
        try:
            return cls(entries, embeds)
        except ValueError as error:
            raise ValueError(f"{directory / EMBEDDINGS_FILE} cannot be used, for {error}") from error


def _read_entries(path: Path) -> list[GalleryEntry]:
    content = read_json(path)
    if content.get("format") != FORMAT:
        raise ValueError(f'{path} does not say "format": "{FORMAT}": it is no gallery this version can read.')
    entries = content.get("entries")
    if not isinstance(entries, list):
        raise ValueError(f'{path} has no list "entries": write the gallery anew.')
    return [_entry(path, index, entry) for index, entry in enumerate(entries)]


def _entry(path: Path, index: int, entry: Any) -> GalleryEntry:
    values = entry if isinstance(entry, dict) else {}
    character, name, same = values.get("character"), values.get("name"), values.get("same_picture", [])
    if not (
        isinstance(character, str)
        and isinstance(name, str)
        and isinstance(same, list)
        and all(isinstance(other, str) for other in same)
    ):
        raise ValueError(
            f'Entry {index} of {path} is not {{"character": string, "name": string}}, with "same_picture" a list of '
            "strings if there is one."
        )
    return GalleryEntry(character, name, tuple(same))


def _read_embeddings(path: Path) -> NDArray[Any]:
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(path, framework="np") as file:
            found, tensors = (file.metadata() or {}).get("format"), list(file.keys())
            embeds = file.get_tensor("image_embeds") if "image_embeds" in tensors else None
    except (SafetensorError, TypeError) as error:
        raise ValueError(f"{path} is not a readable safetensors file ({error}): write the gallery anew.") from error
    if found != FORMAT:
        raise ValueError(f'{path} does not say "format": "{FORMAT}": it is no gallery this version can read.')
    if embeds is None or not np.issubdtype(embeds.dtype, np.floating):
        raise ValueError(f"{path} has no floating-point tensor image_embeds: write the gallery anew.")
    return embeds
