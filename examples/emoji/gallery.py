"""What goes with the trained CLIP: the gallery of picture embeddings, and the texts to distil from."""

import json
from pathlib import Path

import dataset
import numpy as np
import torch
from ipaclip.search import Gallery, GalleryEntry
from PIL import Image
from transformers import CLIPImageProcessorPil, CLIPModel

# Names are what is searched for; synonyms share what is left.
NAME_WEIGHT, SYNONYM_WEIGHT = 3.0, 0.5


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


def write_texts(emojis: list[dataset.Emoji], path: Path) -> None:
    """All texts as rows for the distillation: `{"text", "weight"}`, each text once."""
    weights: dict[str, float] = {}
    for one in emojis:
        for text in one.texts:
            weights.setdefault(text, SYNONYM_WEIGHT)
        weights[one.name] = NAME_WEIGHT
    rows = [json.dumps({"text": text, "weight": weight}, ensure_ascii=False) for text, weight in weights.items()]
    path.write_text("\n".join(rows) + "\n", encoding="utf-8")
