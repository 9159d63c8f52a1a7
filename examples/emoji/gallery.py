"""What goes with the trained CLIP: the gallery of picture embeddings, and the texts to distil from."""

import json
from pathlib import Path

import dataset
import numpy as np
import torch
from ipaclip.search import Gallery, GalleryEntry
from PIL import Image
from transformers import CLIPImageProcessorPil, CLIPModel

# Names are what is searched for; respellings are heard as people type, and synonyms share what is left.
NAME_WEIGHT, RESPELLING_WEIGHT, SYNONYM_WEIGHT, FOREIGN_WEIGHT = 3.0, 0.25, 0.4, 0.5
RESPELLINGS = 12

Row = dict[str, str | float]


@torch.no_grad()
def build_gallery(emojis: list[dataset.Emoji], pictures: np.ndarray, checkpoint: Path) -> Gallery:
    """Embeds all pictures with the CLIP in `checkpoint`, through its own image processor."""
    model = CLIPModel.from_pretrained(checkpoint, dtype=torch.float32).eval()
    processor = CLIPImageProcessorPil.from_pretrained(checkpoint)
    parts = []
    for start in range(0, len(pictures), 256):
        images = [Image.fromarray(picture) for picture in pictures[start : start + 256]]
        pixels = processor(images, return_tensors="pt")["pixel_values"]
        parts.append(model.get_image_features(pixel_values=pixels).pooler_output)
    embeddings = torch.nn.functional.normalize(torch.cat(parts), dim=-1)
    entries = [
        GalleryEntry(one.character, one.name, tuple(character for character, _ in one.same_picture)) for one in emojis
    ]
    return Gallery(entries, embeddings)


def english_rows(emojis: list[dataset.Emoji], respellings: list[tuple[int, str]]) -> list[Row]:
    """All texts, each once, and respelled names, `pronounced` as they are spelled."""
    weights: dict[str, float] = {}
    for one in emojis:
        for text in one.texts:
            weights.setdefault(text, SYNONYM_WEIGHT)
        weights[one.name] = NAME_WEIGHT
    rows: list[Row] = [{"text": text, "weight": weight} for text, weight in weights.items()]
    return rows + [
        {"text": emojis[index].name, "pronounced": spelling, "weight": RESPELLING_WEIGHT}
        for index, spelling in respellings
    ]


def foreign_rows(emojis: list[dataset.Emoji], foreign: dict[str, list[tuple[int, str]]]) -> list[Row]:
    """What the emoji are called in other languages, which means their English name."""
    return [
        {"text": emojis[index].name, "pronounced": name, "language": language, "weight": FOREIGN_WEIGHT}
        for language, names in foreign.items()
        for index, name in names
    ]


def write_rows(rows: list[Row], path: Path) -> None:
    """Rows for the distillation, one a line; the file is whole or not there."""
    unfinished = path.with_name(f"{path.name}.unfinished")
    unfinished.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows), encoding="utf-8")
    unfinished.replace(path)
