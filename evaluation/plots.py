"""Pictures of what the suites found. matplotlib and scipy (the extra `evaluation`) are imported when one is drawn."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from ipaclip.common.extras import needs_extra
from ipaclip.common.files import whole_file
from ipaclip.tokenization.phonemes.ipa_chart import CHART_FEATURES, CONSONANTS, MANNERS, PLACES, VOWELS, chart_row

from .phonemes.phonemes import cosines, is_chart_vowel
from .retrieval.retrieval import column_name
from .statistics import Interval

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_DPI = 110
_INK, _GREY, _EMPTY = "#1a1a1a", "#8a8a8a", "#f2f2f2"
_MAP = "viridis"
TITLES = {"embedding": "phoneme embedding", "tower": "tower's output", "features": "panphon's features"}
_TWO_PLACES = ("bilabial+palatal", "bilabial+velar", "postalveolar+velar", "alveolar+velar")
_HEADS = {
    "alveolo_palatal": "alveolo-\npalatal",
    "postalveolar": "post-\nalveolar",
    "labiodental": "labio-\ndental",
    "pharyngeal": "pharyn-\ngeal",
}
# Of the Okabe-Ito palette, which the colour-blind can tell apart.
_COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#7a5c00", "#56B4E9", "#111111", "#E69F00", "#888888")
_TOWERS = {"text": "#888888", "pronunciation": "#0072B2", "heard": "#56B4E9", "both": "#D55E00"}


def _figure(width: float, height: float) -> "Figure":
    with needs_extra("evaluation", "Drawing pictures"):
        from matplotlib.figure import Figure

    return Figure(figsize=(width, height), dpi=_DPI, layout="constrained", facecolor="white")


def save(figure: "Figure", path: str | Path) -> None:
    """Writes a PNG under a temporary name and renames it."""
    with whole_file(path) as temporary:
        figure.savefig(temporary, format="png", metadata={"Software": None})


# --- maps in the shape of the IPA chart ---


def similarity_map(
    vectors: Mapping[str, np.ndarray], segments: Sequence[str], consonant: str = "s", vowel: str = "i"
) -> "Figure":
    """The consonant chart coloured by cosine similarity to one consonant, the vowel trapezium by that to one vowel.

    Args:
        vectors: level, such as `"embedding"`, → `(segments, dim)`; one row of charts each.
        segments: letters of the IPA chart. Letters that are not among them stay grey.
        consonant: which; it is framed.
        vowel: likewise.

    Raises:
        ValueError: if one of the two is not among the segments.
    """
    for chosen, kind in ((consonant, "consonant"), (vowel, "vowel")):
        if chosen not in segments or is_chart_vowel(chosen) != (kind == "vowel"):
            raise ValueError(f"{chosen!r} is no {kind} among the segments: choose one that is.")
    figure = _figure(15.5, 0.3 + 4.6 * len(vectors))
    axes = figure.subplots(len(vectors), 2, squeeze=False, width_ratios=[3.1, 1])
    for (left, right), (level, matrix) in zip(axes, vectors.items(), strict=True):
        similar = cosines(matrix)
        name = TITLES.get(level, level)
        for axis, chosen, draw in ((left, consonant, _consonants), (right, vowel, _vowels)):
            row = similar[segments.index(chosen)]
            like = is_chart_vowel(chosen)
            values = {one: row[at] for at, one in enumerate(segments) if is_chart_vowel(one) == like}
            draw(axis, values, chosen)
            _title(axis, f"{name}: similarity to [{chosen}]")
    bar = figure.colorbar(_scale(), ax=axes, shrink=0.5, pad=0.01, aspect=30, extend="min")
    bar.set_label("cosine similarity", color=_INK)
    return figure


def _scale() -> Any:
    from matplotlib.cm import ScalarMappable
    from matplotlib.colors import Normalize

    return ScalarMappable(Normalize(0.0, 1.0), _MAP)


def _cell(axis: "Axes", at: tuple[float, float], letter: str, values: Mapping[str, float], chosen: str) -> None:
    from matplotlib.patches import Rectangle

    x, y = at
    # The chart writes ç as one sign, the tokenizer takes it apart.
    name = letter if letter in values else letter.replace("ç", "c\u0327")
    value = values.get(name)
    colour: Any = _EMPTY if value is None else _scale().to_rgba(value)
    dark = value is not None and 0.299 * colour[0] + 0.587 * colour[1] + 0.114 * colour[2] < 0.5
    framed = name == chosen
    edge, width, order = ("#d00000", 2.5, 3) if framed else ("white", 1.0, 2)
    axis.add_patch(Rectangle((x - 0.5, y - 0.5), 1, 1, facecolor=colour, edgecolor=edge, linewidth=width, zorder=order))
    ink = "white" if dark else _INK if value is not None else _GREY
    axis.text(x, y, letter, ha="center", va="center", fontsize=13, color=ink, zorder=4)


def _consonants(axis: "Axes", values: Mapping[str, float], chosen: str) -> None:
    columns = {place: 2.0 * index for index, place in enumerate(PLACES)}
    columns |= {place: 2.0 * len(PLACES) + 0.4 for place in _TWO_PLACES}
    taken: dict[tuple[str, str], int] = {}
    rows = list(CONSONANTS)
    for row, (manner, places) in enumerate(CONSONANTS.items()):
        for place, pair in places.items():
            for voiced, letter in enumerate(pair):
                if letter == "-":
                    continue
                shift = voiced
                if place in _TWO_PLACES:  # these share one wide column
                    shift = taken[manner, "two"] = taken.get((manner, "two"), -1) + 1
                _cell(axis, (columns[place] + shift, row), letter, values, chosen)
    heads = {columns[place] + 0.5: _HEADS.get(place, place) for place in PLACES}
    heads[2.0 * len(PLACES) + 1.4] = "two\nplaces"
    axis.set_xticks(list(heads), list(heads.values()), fontsize=8)
    names = [f"lateral {row.removesuffix('+lateral')}" if row.endswith("+lateral") else row for row in rows]
    axis.set_yticks(range(len(rows)), names, fontsize=9)
    axis.set_xlim(-0.6, 2 * len(PLACES) + 3.0)
    _bare(axis, len(rows) - 0.4)


def _bare(axis: "Axes", bottom: float) -> None:
    axis.set_ylim(bottom, -0.6)
    axis.xaxis.tick_top()
    axis.tick_params(length=0, colors=_INK)
    _hide(axis, *axis.spines)


def _vowels(axis: "Axes", values: Mapping[str, float], chosen: str) -> None:
    def place(height: float, backness: float) -> tuple[float, float]:
        # Front vowels move back as the mouth opens: the trapezium's slanting side.
        return 6.6 * (backness + (1 - backness) * 0.5 * (1 - height)), 9.0 * (1 - height)

    corners = [place(1, 0), place(1, 1), place(0, 1), place(0, 0), place(1, 0)]
    axis.plot(*zip(*corners, strict=True), color=_GREY, linewidth=0.8, zorder=1)
    for height, row in VOWELS.items():
        for backness, pair in row.items():
            x, y = place(height, backness)
            for rounded, letter in enumerate(pair):
                if letter != "-":
                    beside = rounded - 0.5 if "-" not in pair else 0.0
                    _cell(axis, (x + beside, y), letter, values, chosen)
    axis.set_xticks([0, 3.3, 6.6], ["front", "central", "back"], fontsize=9)
    axis.set_yticks([0, 3, 6, 9], ["close", "close-mid", "open-mid", "open"], fontsize=9)
    axis.set_xlim(-1.3, 8.0)
    _bare(axis, 9.8)


# --- where phonemes lie ---


def classical_mds(distances: np.ndarray, dimensions: int = 2) -> np.ndarray:
    """Points whose distances come near the given ones, `(n, dimensions)`: classical scaling.

    Source: Torgerson 1952, Psychometrika 17. Axes are ordered by how much they explain; their signs are fixed so that
    the largest entry of each is positive.
    """
    count = len(distances)
    centre = np.eye(count) - 1 / count
    values, axes = np.linalg.eigh(-0.5 * centre @ distances**2 @ centre)
    order = np.argsort(values)[::-1][:dimensions]
    points = axes[:, order] * np.sqrt(np.maximum(values[order], 0.0))
    return points * np.sign(points[np.abs(points).argmax(0), np.arange(points.shape[1])] + 1e-300)


def phoneme_map(vectors: np.ndarray, segments: Sequence[str], title: str = "") -> "Figure":
    """Consonants and vowels in the plane: the nearer two letters, the more alike (1 - cosine) their vectors.

    Args:
        vectors: `(segments, dim)`.
        segments: letters of the IPA chart.
        title: what the vectors are.
    """
    return _two_charts(vectors, segments, title, _scatter, height=6.4)


def _two_charts(
    vectors: np.ndarray, segments: Sequence[str], title: str, draw: Callable[..., None], height: float
) -> "Figure":
    """Consonants and vowels side by side, each drawn from distances and letters, with the colours of classes."""
    figure = _figure(13, height)
    for axis, (kind, rows) in zip(figure.subplots(1, 2), _kinds(segments).items(), strict=True):
        _title(axis, f"{title}: {kind}" if title else kind)
        letters = [segments[row] for row in rows]
        if len(letters) < 3:
            axis.set_axis_off()
            continue
        colours = _class_colours(letters)
        draw(axis, np.maximum(1 - cosines(vectors[rows]), 0), letters, colours)
        _class_legend(axis, colours)
    return figure


def _scatter(axis: "Axes", distances: np.ndarray, letters: list[str], colours: Mapping[str, str]) -> None:
    axis.set_xticks([])
    axis.set_yticks([])
    for spine in axis.spines.values():
        spine.set_color("#d0d0d0")
    points = classical_mds(distances)
    for label, colour in colours.items():
        own = [row for row, letter in enumerate(letters) if _class_of(letter) == label]
        axis.scatter(points[own, 0], points[own, 1], s=300, color=colour, alpha=0.16, linewidths=0)
        for row in own:
            # Letters with the same vector would hide each other.
            same = [letters[other] for other in range(len(letters)) if distances[row, other] < 1e-6 or other == row]
            axis.text(
                points[row, 0], points[row, 1], " ".join(same), ha="center", va="center", fontsize=13, color=colour
            )
    axis.set_aspect("equal", adjustable="datalim")
    axis.margins(0.08)


def dendrogram(vectors: np.ndarray, segments: Sequence[str], title: str = "") -> "Figure":
    """Which phonemes are joined first: average linkage (Sokal and Michener 1958) of 1 - cosine, by scipy.

    Args: as `phoneme_map`.
    """
    with needs_extra("evaluation", "Drawing dendrograms"):
        from scipy.cluster.hierarchy import dendrogram as draw
        from scipy.cluster.hierarchy import linkage
        from scipy.spatial.distance import squareform

    def tree(axis: "Axes", distances: np.ndarray, letters: list[str], colours: Mapping[str, str]) -> None:
        joined = linkage(squareform(distances, checks=False), "average")
        draw(joined, labels=letters, orientation="left", ax=axis, color_threshold=0, above_threshold_color=_GREY)
        for label in axis.get_yticklabels():
            label.set_fontsize(11)
            label.set_color(colours[_class_of(label.get_text())])
        axis.set_xlabel("distance, 1 - cosine", color=_INK)
        _hide(axis, "top", "left", "right")

    height = max(4.0, 0.4 + 0.2 * max(map(len, _kinds(segments).values())))
    return _two_charts(vectors, segments, title, tree, height)


def _class_legend(axis: "Axes", colours: Mapping[str, str]) -> None:
    from matplotlib.lines import Line2D

    handles = [Line2D([], [], marker="o", linestyle="", color=colour, label=name) for name, colour in colours.items()]
    axis.legend(handles=handles, frameon=False, fontsize=9, loc="upper center", bbox_to_anchor=(0.5, -0.12), ncols=4)


def _kinds(segments: Sequence[str]) -> dict[str, list[int]]:
    vowels = [row for row, one in enumerate(segments) if is_chart_vowel(one)]
    return {"consonants": [row for row in range(len(segments)) if row not in vowels], "vowels": vowels}


def _class_of(segment: str) -> str:
    """Manner of a consonant; front, central or back vowel, and whether it is rounded."""
    row = chart_row(segment)
    assert row is not None
    value = dict(zip(CHART_FEATURES, row, strict=True))
    if is_chart_vowel(segment):
        backness = "front" if value["backness"] < 0.3 else "back" if value["backness"] > 0.7 else "central"
        return f"{backness}, rounded" if value["rounded"] else backness
    if value["affricate"]:
        return "affricate"
    if value["lateral"] and not value["fricative"]:
        return "lateral"
    return next((manner for manner in MANNERS if value[manner]), "other")


def _class_colours(letters: Sequence[str]) -> dict[str, str]:
    names = sorted({_class_of(letter) for letter in letters})
    return {name: _COLOURS[index % len(_COLOURS)] for index, name in enumerate(names)}


# --- what is found ---


def recall_bars(recall: Mapping[str, Mapping[str, Interval]], title: str = "") -> "Figure":
    """Recall for each kind of query and each tower, with 95% intervals.

    Args:
        recall: kind → tower → share found, 0 to 1.
        title: of the picture.
    """
    figure = _figure(max(6.0, 1.6 + 1.45 * len(recall)), 4.2)
    axis = figure.subplots()
    towers = list(dict.fromkeys(tower for row in recall.values() for tower in row))
    width = 0.8 / max(1, len(towers))
    for index, tower in enumerate(towers):
        at = np.array([place for place, row in enumerate(recall.values()) if tower in row])
        x = at + (index - (len(towers) - 1) / 2) * width
        y, low, high = _bounds([row[tower] for row in recall.values() if tower in row])
        axis.bar(x, y, width * 0.92, color=_tower_colour(tower, index), label=column_name(tower))
        axis.errorbar(x, y, np.abs([low - y, high - y]), fmt="none", ecolor=_INK, elinewidth=0.8, capsize=1.5)
    axis.set_xticks(range(len(recall)), [name.replace("_", " ") for name in recall], fontsize=9)
    _graph(axis, "", title)
    axis.legend(frameon=False, fontsize=9, loc="upper center", bbox_to_anchor=(0.5, -0.08), ncols=2)
    return figure


def recall_curve(curves: Mapping[str, Sequence[tuple[float, Interval]]], title: str = "") -> "Figure":
    """Recall against how far what is said is from the picture's name.

    Args:
        curves: tower → points (mean phonetic distance, share found with its 95% interval).
        title: of the picture.
    """
    figure = _figure(7.4, 4.4)
    axis = figure.subplots()
    for index, (tower, points) in enumerate(curves.items()):
        x = [distance for distance, _ in points]
        y, low, high = _bounds([share for _, share in points])
        colour = _tower_colour(tower, index)
        axis.fill_between(x, low, high, color=colour, alpha=0.15, linewidth=0)
        axis.plot(x, y, marker="o", markersize=4, color=colour, label=column_name(tower))
    _graph(axis, "phonetic distance to the picture's name", title)
    axis.legend(frameon=False, fontsize=9)
    return figure


def _bounds(shares: Sequence[Interval]) -> np.ndarray:
    """Mean, low and high, `(3, shares)`."""
    return np.array([(one.mean, one.low, one.high) for one in shares]).T


def _tower_colour(tower: str, index: int) -> str:
    return _TOWERS.get(tower, _COLOURS[index % len(_COLOURS)])


def _graph(axis: "Axes", across: str, title: str) -> None:
    axis.set_ylim(0, 1.02)
    axis.set_xlabel(across, color=_INK)
    axis.set_ylabel("share found as the first", color=_INK)
    _title(axis, title)
    axis.grid(axis="y", color="#e3e3e3", linewidth=0.8)
    axis.set_axisbelow(True)
    _hide(axis, "top", "right")


def _title(axis: "Axes", title: str) -> None:
    axis.set_title(title, fontsize=12, loc="left", color=_INK)


def _hide(axis: "Axes", *sides: str) -> None:
    for side in sides:
        axis.spines[side].set_visible(False)
