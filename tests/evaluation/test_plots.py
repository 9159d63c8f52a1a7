"""Pictures: what is computed for them, and that they are drawn."""

import struct

import numpy as np
import pytest
from ipaclip.evaluation.phonemes.phonemes import chart_letters
from ipaclip.evaluation.statistics import Interval

pytest.importorskip("matplotlib")
pytest.importorskip("scipy")

from ipaclip.evaluation import plots

SEGMENTS = ["p", "b", "s", "z", "n̩", "t͡ʃ", "i", "u", "a"]
VECTORS = np.random.default_rng(0).normal(size=(len(SEGMENTS), 5))


def texts(axis):
    return {text.get_text() for text in axis.texts}


def width_and_height(path):
    content = path.read_bytes()
    assert content[:8] == b"\x89PNG\r\n\x1a\n"
    return struct.unpack(">II", content[16:24])


def test_scaling_gives_back_distances_in_the_plane():
    points = np.array([[0.0, 0.0], [3.0, 0.0], [0.0, 4.0], [1.0, 1.0]])
    distances = np.linalg.norm(points[:, None] - points[None], axis=-1)
    found = plots.classical_mds(distances)
    np.testing.assert_allclose(np.linalg.norm(found[:, None] - found[None], axis=-1), distances, atol=1e-9)
    np.testing.assert_allclose(plots.classical_mds(distances), found, atol=1e-9)  # signs included
    assert np.isfinite(plots.classical_mds(np.zeros((3, 3)))).all()


def test_the_chart_has_every_letter_once_and_frames_the_chosen(tmp_path):
    letters = chart_letters()
    vectors = np.random.default_rng(0).normal(size=(len(letters), 6))
    figure = plots.similarity_map({"embedding": vectors, "tower": vectors}, letters, "z", "y")
    charts = figure.axes[:4]
    assert [axis.get_title("left") for axis in charts] == [
        "phoneme embedding: similarity to [z]",
        "phoneme embedding: similarity to [y]",
        "tower's output: similarity to [z]",
        "tower's output: similarity to [y]",
    ]
    shown = [text.get_text().replace("ç", "c\u0327") for axis in charts[:2] for text in axis.texts]
    assert sorted(shown) == sorted(letters)
    # No two letters in one place.
    for axis in charts[:2]:
        places = np.array([text.get_position() for text in axis.texts])
        apart = np.abs(places[:, None] - places[None]) >= 0.999
        assert (apart.any(-1) | np.eye(len(places), dtype=bool)).all()
        framed = [patch for patch in axis.patches if patch.get_linewidth() > 2]
        assert len(framed) == 1
    plots.save(figure, tmp_path / "sub" / "similarity.png")
    assert width_and_height(tmp_path / "sub" / "similarity.png")[0] > 1000
    assert [path.name for path in (tmp_path / "sub").iterdir()] == ["similarity.png"]


def test_the_colour_is_the_similarity():
    vectors = np.eye(len(SEGMENTS))
    vectors[SEGMENTS.index("b")] = vectors[SEGMENTS.index("p")]
    axis = plots.similarity_map({"embedding": vectors}, SEGMENTS, "p", "i").axes[0]
    colour = {text.get_text(): patch.get_facecolor() for text, patch in zip(axis.texts, axis.patches, strict=True)}
    assert colour["p"] == colour["b"]
    assert colour["s"] == colour["z"] != colour["p"]
    assert colour["q"] not in (colour["p"], colour["s"])  # not among the segments


@pytest.mark.parametrize(("consonant", "vowel"), [("x", "i"), ("i", "i"), ("p", "p")])
def test_a_phoneme_that_is_not_there_is_refused(consonant, vowel):
    with pytest.raises(ValueError, match="among the segments"):
        plots.similarity_map({"embedding": VECTORS}, SEGMENTS, consonant, vowel)


def test_map_and_tree_show_every_phoneme_on_its_side(tmp_path):
    left, right = plots.phoneme_map(VECTORS, SEGMENTS, "tower").axes
    assert texts(left) == {"p", "b", "s", "z", "n̩", "t͡ʃ"}
    assert texts(right) == {"i", "u", "a"}
    assert left.get_title("left") == "tower: consonants"
    tree = plots.dendrogram(VECTORS, SEGMENTS)
    labels = [{label.get_text() for label in axis.get_yticklabels()} for axis in tree.axes]
    assert labels == [texts(left), texts(right)]
    plots.save(tree, tmp_path / "tree.png")


def test_phonemes_with_one_vector_are_shown_together():
    vectors = VECTORS.copy()
    vectors[1] = vectors[0]
    assert "p b" in texts(plots.phoneme_map(vectors, SEGMENTS).axes[0])


def test_the_tree_joins_the_nearest_first():
    vectors = np.array([[1.0, 0.0], [0.0, 1.0], [1.0, 0.1], [0.1, 1.0]])
    axis = plots.dendrogram(vectors, ["p", "s", "b", "z"]).axes[0]
    order = [label.get_text() for label in axis.get_yticklabels()]
    assert {frozenset(order[:2]), frozenset(order[2:])} == {frozenset("pb"), frozenset("sz")}


def test_bars_and_curves_stand_where_the_figures_are():
    bars = plots.recall_bars(
        {"names": {"text": Interval(0.9, 0.8, 0.95)}, "one_swap": {"text": Interval(0.2, 0.1, 0.3)}}
    ).axes[0]
    assert [patch.get_height() for patch in bars.patches] == [0.9, 0.2]
    assert [label.get_text() for label in bars.get_xticklabels()] == ["names", "one swap"]
    curve = plots.recall_curve(
        {"pronunciation": [(0.0, Interval(0.9, 0.8, 1.0)), (0.5, Interval(0.4, 0.3, 0.5))]}
    ).axes[0]
    np.testing.assert_allclose(curve.lines[0].get_xydata(), [[0, 0.9], [0.5, 0.4]])
