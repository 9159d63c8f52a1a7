"""The phoneme feature table as a picture: the IPA's chart, coloured by the features of each letter.

    python benchmarks/feature_picture.py docs/images/feature_table.png

Above, letters with like features have like colours: the first three principal components of panphon's 24 features are
the lightness and the two colour axes of CIELAB, in which equal steps look about equal. Consonants and vowels have
components of their own. Below, eight of the features by themselves.
"""

import argparse
import os
import tempfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from matplotlib.axes import Axes

FEATURES = {
    "voi": "voiced",
    "son": "sonorant",
    "cont": "continuant",
    "cor": "coronal",
    "hi": "high",
    "lo": "low",
    "back": "back",
    "round": "round",
}
ROWS = {
    "plosive": "plosive",
    "affricate": "affricate",
    "nasal": "nasal",
    "trill": "trill",
    "tap": "tap or flap",
    "tap+lateral": "lateral flap",
    "fricative": "fricative",
    "fricative+lateral": "lateral fricative",
    "approximant": "approximant",
    "approximant+lateral": "lateral approximant",
    "click": "click",
    "click+lateral": "lateral click",
    "implosive": "implosive",
}
# Beside the chart's places, those of letters with two: the IPA lists these apart.
TWO_PLACES = ("bilabial+palatal", "bilabial+velar", "postalveolar+velar", "alveolar+velar")
AFFRICATES = {
    "labiodental": "p͡f b͡v",
    "alveolar": "t͡s d͡z",
    "postalveolar": "t͡ʃ d͡ʒ",
    "alveolo_palatal": "t͡ɕ d͡ʑ",
    "retroflex": "ʈ͡ʂ ɖ͡ʐ",
    "palatal": "c͡ç ɟ͡ʝ",
    "velar": "k͡x ɡ͡ɣ",
    "uvular": "q͡χ ɢ͡ʁ",
}
COLUMN_NAMES = {
    "alveolo_palatal": "alveolo-\npalatal",
    "postalveolar": "post-\nalveolar",
    "labiodental": "labio-\ndental",
    "pharyngeal": "pharyn-\ngeal",
    "bilabial+palatal": "labial-\npalatal",
    "bilabial+velar": "labial-\nvelar",
    "postalveolar+velar": "palatal-\nvelar",
    "alveolar+velar": "velar-\nized",
}
SIGN_COLOURS = {-1: "#d9d9d9", 0: "#ffffff", 1: "#e8962e"}
EDGE, INK = "#8a8a8a", "#1a1a1a"

Position = tuple[float, float]


def consonant_positions() -> dict[str, Position]:
    """Segment → its column and row in the chart, two columns a place: voiceless, voiced."""
    from ipaclip.tokenization.phonemes.ipa_chart import CONSONANTS, PLACES

    columns = {place: 2.0 * index for index, place in enumerate(PLACES)}
    columns |= {places: 2.0 * len(PLACES) + 0.6 + 2 * index for index, places in enumerate(TWO_PLACES)}
    cells = {manner: {place: list(pair) for place, pair in places.items()} for manner, places in CONSONANTS.items()}
    cells["affricate"] = {place: pair.split() for place, pair in AFFRICATES.items()}
    return {
        segment: (columns[place] + voiced, float(row))
        for row, manner in enumerate(ROWS)
        for place, pair in cells[manner].items()
        for voiced, segment in enumerate(pair)
        if segment != "-"
    }


def vowel_positions() -> dict[str, Position]:
    """Vowel → its place in the trapezium: x from 0 (front) to 1 (back), y from 0 (close) to 1 (open)."""
    from ipaclip.tokenization.phonemes.ipa_chart import VOWELS

    found = {}
    for height, row in VOWELS.items():
        for backness, pair in row.items():
            for rounded, letter in enumerate(pair):
                if letter != "-":
                    # A vowel without a partner stands on its line, a pair on either side of it.
                    side = 0.0 if "-" in pair else 0.048 * (1 if rounded else -1)
                    found[letter] = (slanted(backness, height) + side, 1 - height)
    return found


def slanted(backness: float, height: float) -> float:
    """The front of the trapezium leans: open vowels have less room."""
    return backness + (1 - backness) * 0.5 * (1 - height)


def features_of(segments: Sequence[str]) -> dict[str, np.ndarray]:
    """Segment → panphon's features by name order, as the phoneme feature table has them.

    Raises:
        ValueError: If a segment is not one token of the vocabulary.
    """
    from ipaclip.tokenization import IPATokenizer, phoneme_feature_table

    tokenizer = IPATokenizer.build()
    table = phoneme_feature_table(tokenizer, "panphon")
    ids = {segment: tokenizer.convert_tokens_to_ids(tokenizer.tokenize(segment)) for segment in segments}
    odd = [segment for segment, row in ids.items() if len(row) != 1]
    if odd:
        raise ValueError(f"Not one token: {', '.join(odd)}")
    return {segment: table[row[0]] for segment, row in ids.items()}


def similarity_colours(features: Mapping[str, np.ndarray]) -> dict[str, tuple[float, ...]]:
    """Segment → sRGB, near where the features are near: principal components as CIELAB."""
    matrix = np.stack(list(features.values())).astype(np.float64)
    matrix -= matrix.mean(axis=0)
    left, values, _ = np.linalg.svd(matrix, full_matrices=False)
    components = (left * values)[:, :3]
    # One scale for all three: what differs more looks more different. Ink must stay legible on the darkest.
    a, b, lightness = components.T / np.abs(components).max()
    lab = np.stack([76 + 20 * lightness, 50 * a, 50 * b], axis=1)
    return {segment: tuple(colour) for segment, colour in zip(features, srgb(lab), strict=True)}


def srgb(lab: np.ndarray) -> np.ndarray:
    """CIELAB (D65), `(n, 3)` → sRGB from 0 to 1, cut off at its gamut: CIE 15:2004 and IEC 61966-2-1."""
    y = (lab[:, 0] + 16) / 116
    xyz = np.stack([y + lab[:, 1] / 500, y, y - lab[:, 2] / 200], axis=1)
    xyz = np.where(xyz > 6 / 29, xyz**3, 3 * (6 / 29) ** 2 * (xyz - 4 / 29)) * [0.95047, 1.0, 1.08883]
    linear = xyz @ np.array(
        [[3.2406, -0.9689, 0.0557], [-1.5372, 1.8758, -0.2040], [-0.4986, 0.0415, 1.0570]], dtype=np.float64
    )
    linear = np.clip(linear, 0, 1)
    return np.where(linear <= 0.0031308, 12.92 * linear, 1.055 * linear ** (1 / 2.4) - 0.055)


def draw_consonants(
    axes: "Axes", positions: Mapping[str, Position], colour: Callable[[str], Any], size: float, names: bool
) -> None:
    from matplotlib.patches import Rectangle

    for segment, (x, y) in positions.items():
        axes.add_patch(Rectangle((x, y), 1, 1, facecolor=colour(segment), edgecolor=EDGE, linewidth=0.4))
        if size:
            fitting = size if len(segment) == 1 else 0.8 * size
            axes.text(x + 0.5, y + 0.55, segment, ha="center", va="center", fontsize=fitting, color=INK)
    width = max(x for x, _ in positions.values()) + 1
    axes.set(xlim=(0, width), ylim=(len(ROWS), 0))
    axes.axis("off")
    if names:
        from ipaclip.tokenization.phonemes.ipa_chart import PLACES

        for index, place in enumerate((*PLACES, *TWO_PLACES)):
            x = 2 * index + 1 + (0.6 if index >= len(PLACES) else 0)
            axes.text(x, -0.2, COLUMN_NAMES.get(place, place), ha="center", va="bottom", fontsize=8.5, color=INK)
        for row, name in enumerate(ROWS.values()):
            axes.text(-0.25, row + 0.55, name, ha="right", va="center", fontsize=10, color=INK)
            if row:
                axes.plot((0, width), (row, row), color="#e4e4e4", linewidth=0.6, zorder=0)


def draw_vowels(
    axes: "Axes", positions: Mapping[str, Position], colour: Callable[[str], Any], size: float, names: bool
) -> None:
    heights, backs = (1, 4 / 6, 2 / 6, 0), (0, 0.5, 1)
    for height in heights:
        axes.plot((slanted(0, height), 1), (1 - height, 1 - height), color="#b5b5b5", linewidth=0.8, zorder=0)
    for back in backs:
        axes.plot((slanted(back, 1), slanted(back, 0)), (0, 1), color="#b5b5b5", linewidth=0.8, zorder=0)
    for vowel, (x, y) in positions.items():
        axes.plot(
            x, y, "o", markersize=22 if size else 5.2, markerfacecolor=colour(vowel), markeredgecolor=EDGE,
            markeredgewidth=0.4,
        )  # fmt: skip
        if size:
            axes.text(x, y, vowel, ha="center", va="center_baseline", fontsize=size, color=INK)
    axes.set(xlim=(-0.1, 1.1), ylim=(1.09, -0.09))
    axes.axis("off")
    if names:
        for height, name in zip(heights, ("close", "close-mid", "open-mid", "open"), strict=True):
            axes.text(slanted(0, height) - 0.12, 1 - height, name, ha="right", va="center", fontsize=10, color=INK)
        for back, name in zip(backs, ("front", "central", "back"), strict=True):
            axes.text(back, -0.12, name, ha="center", va="bottom", fontsize=10, color=INK)


def draw(path: Path) -> None:
    """Write the picture, a PNG, in one piece."""
    from ipaclip.tokenization import feature_names
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    consonants, vowels = consonant_positions(), vowel_positions()
    features = features_of([*consonants, *vowels])
    colours = similarity_colours({segment: features[segment] for segment in consonants})
    colours |= similarity_colours({segment: features[segment] for segment in vowels})
    names = feature_names("panphon")

    figure = Figure(figsize=(15, 13.2), dpi=100, facecolor="white")
    FigureCanvasAgg(figure)
    title = {"fontsize": 14, "fontweight": "bold", "ha": "left", "color": INK}
    figure.text(0.02, 0.975, "Like features, like colours", **title)
    figure.text(
        0.02, 0.957, "panphon's 24 features in three dimensions; left voiceless, right voiced (vowels: rounded)",
        fontsize=10.5, color=INK,
    )  # fmt: skip
    draw_consonants(figure.add_axes((0.115, 0.475, 0.59, 0.435)), consonants, colours.__getitem__, 12.5, names=True)
    draw_vowels(figure.add_axes((0.765, 0.53, 0.225, 0.33)), vowels, colours.__getitem__, 13, names=True)
    figure.text(0.02, 0.43, "Eight of the features alone", **title)
    figure.text(
        0.02, 0.412, "orange: has it (+); grey: has it not (−); white: does not apply (0)", fontsize=10.5, color=INK
    )
    for index, (feature, meaning) in enumerate(FEATURES.items()):
        column = names.index(feature)
        left, bottom = 0.02 + 0.245 * (index % 4), 0.215 - 0.2 * (index // 4)

        def sign(segment: str, column: int = column) -> str:
            return SIGN_COLOURS[round(float(features[segment][column]))]

        figure.text(left, bottom + 0.168, meaning, fontsize=11.5, fontweight="bold", color=INK)
        draw_consonants(figure.add_axes((left, bottom, 0.14, 0.16)), consonants, sign, 0, names=False)
        draw_vowels(figure.add_axes((left + 0.142, bottom + 0.02, 0.085, 0.12)), vowels, sign, 0, names=False)
    path.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=path.parent) as folder:
        unfinished = Path(folder) / path.name
        figure.savefig(unfinished, metadata={"Software": None})
        os.replace(unfinished, path)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("path", type=Path, nargs="?", default=Path("docs/images/feature_table.png"))
    arguments = parser.parse_args()
    draw(arguments.path)
    print(f"{arguments.path}, {arguments.path.stat().st_size / 1000:.0f} kB")


if __name__ == "__main__":
    main()
