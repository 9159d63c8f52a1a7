"""What the emoji are called in other languages, and how well they are found by it.

    python examples/emoji/languages.py [CHECKPOINT]

Names: the PyPI package ``emoji`` (from Unicode's CLDR). Each is said in its own language and means the English name.
"""

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import emoji
import torch
from ipaclip import embedded_checkpoint
from ipaclip.encoding import encode
from ipaclip.evaluation import bootstrap_mean, ranks
from ipaclip.search import PictureSearch
from ipaclip.tokenization import TranscriptionError, get_transcriber, languages

# The package's code → the language as the transcribers name it.
LANGUAGES = {
    "de": "deu-Latn",
    "es": "spa-Latn",
    "fr": "fra-Latn",
    "it": "ita-Latn",
    "pt": "por-Latn",
    "ru": "rus-Cyrl",
    "tr": "tur-Latn",
    "ja": "jpn-Kana",
    "ko": "kor-Hang",
    "zh": "cmn-Hans",
    "ar": "ara-Arab",
    "fa": "fas-Arab",
    "id": "ind-Latn",
}
BACKEND = "espeak"


def foreign_names(characters: Sequence[str]) -> dict[str, list[tuple[int, str]]]:
    """Language → the names that the emoji have in it, each with the emoji's number; only languages that can be read."""
    emoji.config.load_language(list(LANGUAGES))
    known = languages()
    names: dict[str, list[tuple[int, str]]] = {}
    for code, language in LANGUAGES.items():
        if BACKEND in known.get(language, ()):
            raw = ((number, emoji.EMOJI_DATA[one].get(code, "")) for number, one in enumerate(characters))
            names[language] = [
                (number, " ".join(name.strip(":").replace("_", " ").split())) for number, name in raw if name
            ]
    return names


def evaluate_languages(
    model: Any, processor: Any, image_embeds: torch.Tensor, characters: Sequence[str]
) -> list[dict[str, Any]]:
    """For each language: how many names it has, how many can be said, and how often these find their picture first."""
    rows = []
    for language, names in foreign_names(characters).items():
        answers = get_transcriber(language, BACKEND).transcribe_each([name for _, name in names])
        said = [(number, ipa) for (number, _), ipa in zip(names, answers, strict=True)
                if not isinstance(ipa, TranscriptionError)]  # fmt: skip
        scores = encode(model, processor, ipa=[ipa for _, ipa in said]) @ image_embeds.T
        found = ranks(scores, [number for number, _ in said])
        top_1 = bootstrap_mean(found < 1)
        rows.append({"language": language, "names": len(names), "said": len(said), "top_1": top_1.mean,
                     "interval": [top_1.low, top_1.high], "top_5": float((found < 5).mean())})  # fmt: skip
    return rows


def to_markdown(rows: Sequence[dict[str, Any]]) -> str:
    """The table: percent of the names that can be said."""
    lines = ["| language | names | can be said | top-1 [95%] | top-5 |", "| --- | ---: | ---: | ---: | ---: |"]
    for row in rows:
        low, high = (f"{100 * bound:.1f}" for bound in row["interval"])
        top_1 = f"{100 * row['top_1']:.1f} [{low}, {high}]"
        lines.append(f"| {row['language']} | {row['names']} | {row['said']} | {top_1} | {100 * row['top_5']:.1f} |")
    return "\n".join(lines) + "\n"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("checkpoint", type=Path, nargs="?", default=Path(embedded_checkpoint()))
    pictures = PictureSearch.from_checkpoint(parser.parse_args().checkpoint)
    characters = [entry.character for entry in pictures.gallery.entries]
    embeds = torch.from_numpy(pictures.gallery.image_embeds)
    print(to_markdown(evaluate_languages(pictures.model, pictures.processor, embeds, characters)), end="")


if __name__ == "__main__":
    main()
