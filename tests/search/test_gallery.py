"""Galleries: the ranking, the two files, and what is wrong with damaged ones."""

import json
import math
import re
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from ipaclip.search import Gallery, GalleryEntry
from safetensors import safe_open
from safetensors.torch import save_file

ENTRIES = [
    GalleryEntry("🦋", "butterfly"),
    GalleryEntry("🇳🇴", "flag: Norway", same_picture=("🇧🇻", "🇸🇯")),
    GalleryEntry("☂️", "umbrella"),
]
AXES = [[1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0]]


def write(directory: Path, entries: object = None, embeds: torch.Tensor | None = None, **changes: str) -> Path:
    """A gallery's files as the format says, made without Gallery."""
    form = "ipaclip-gallery-1"
    if entries is None:
        entries = [{"character": "🦋", "name": "butterfly"}, {"character": "🐶", "name": "dog"}]
    embeds = torch.eye(2, 3, dtype=torch.float16) if embeds is None else embeds
    content = {"format": changes.get("json_format", form), "entries": entries}
    (directory / "gallery.json").write_text(json.dumps(content), encoding="utf-8")
    metadata = {"format": changes.get("tensor_format", form)}
    save_file({changes.get("tensor", "image_embeds"): embeds}, directory / "gallery.safetensors", metadata)
    return directory


def test_scores_are_cosines_best_first() -> None:
    hits = Gallery(ENTRIES, AXES).nearest([[3.0, -4.0, 0.0], [0.0, 0.5, 1.2]], top=3)
    assert [hit.entry.character for hit in hits[0]] == ["🦋", "☂️", "🇳🇴"]
    assert [hit.score for hit in hits[0]] == pytest.approx([0.6, 0.0, -0.8])  # 3, 4, 5
    assert [hit.entry.name for hit in hits[1]] == ["umbrella", "flag: Norway", "butterfly"]
    assert [hit.score for hit in hits[1]] == pytest.approx([12 / 13, 5 / 13, 0.0])


def test_equal_scores_keep_the_order_of_the_gallery() -> None:
    entries = [GalleryEntry(str(row), str(row)) for row in range(40)]
    embeds = [[1.0, 0.0] if row % 2 else [0.0, 1.0] for row in range(40)]
    (hits,) = Gallery(entries, embeds).nearest([[1.0, 0.0]], top=40)
    assert [int(hit.entry.name) for hit in hits] == [*range(1, 40, 2), *range(0, 40, 2)]


def test_ranking_agrees_with_cosines_computed_one_by_one() -> None:
    random = np.random.default_rng(0)
    embeds, queries = random.normal(size=(50, 8)), random.normal(size=(4, 8))
    embeds /= np.linalg.norm(embeds, axis=1, keepdims=True)
    hits = Gallery([GalleryEntry("x", str(row)) for row in range(50)], embeds).nearest(queries, top=7)
    for query, found in zip(queries.tolist(), hits, strict=True):
        cosines = [
            sum(a * b for a, b in zip(query, row, strict=True)) / math.hypot(*query) / math.hypot(*row)
            for row in embeds.tolist()
        ]
        best = sorted(range(50), key=lambda row: -cosines[row])[:7]
        assert [int(hit.entry.name) for hit in found] == best
        assert [hit.score for hit in found] == pytest.approx([cosines[row] for row in best], abs=1e-6)


def test_more_than_there_are_gives_all_and_no_query_nothing() -> None:
    gallery = Gallery(ENTRIES, AXES)
    assert len(gallery) == 3
    assert gallery.dim == 3
    assert [len(hits) for hits in gallery.nearest(AXES[:2], top=99)] == [3, 3]
    assert gallery.nearest(np.empty((0, 3))) == []


def test_a_cosine_is_never_above_one() -> None:
    embeds = (torch.nn.functional.normalize(torch.rand(200, 16), dim=-1)).half()  # rounded: lengths around 1
    gallery = Gallery([GalleryEntry("x", "x")] * 200, embeds)
    scores = [hits[0].score for hits in gallery.nearest(embeds.float(), top=1)]
    assert max(scores) <= 1.0
    assert min(scores) > 0.999999


@pytest.mark.parametrize(
    ("queries", "top", "message"),
    [
        ([[1.0, 0.0, 0.0]], 0, "top is 0: ask for one picture at least."),
        ([[1.0, 0.0]], 1, "query_embeds has shape (1, 2): this gallery takes (queries, 3)."),
        ([1.0, 0.0, 0.0], 1, "query_embeds has shape (3,): this gallery takes (queries, 3)."),
        ([[1.0, 0.0, 0.0], [0.0, 0.0, 0.0]], 1, "row 1 of query_embeds is zero or not finite: it has no direction."),
        ([[math.nan, 0.0, 0.0]], 1, "row 0 of query_embeds is zero or not finite: it has no direction."),
    ],
)
def test_what_cannot_be_asked(queries: list, top: int, message: str) -> None:
    with pytest.raises(ValueError, match=re.escape(message)):
        Gallery(ENTRIES, AXES).nearest(queries, top)


def test_saved_and_loaded_it_is_the_same(tmp_path: Path) -> None:
    embeds = torch.nn.functional.normalize(torch.randn(3, 5), dim=-1).half()
    Gallery(ENTRIES, embeds).save(tmp_path / "new")
    loaded = Gallery.load(tmp_path / "new")
    assert loaded.entries == tuple(ENTRIES)
    assert np.array_equal(loaded.image_embeds, embeds.float().numpy())


def test_the_files_are_as_the_format_says(tmp_path: Path) -> None:
    Gallery(ENTRIES[:2], AXES[:2]).save(tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["gallery.json", "gallery.safetensors"]
    assert json.loads((tmp_path / "gallery.json").read_bytes().decode("utf-8")) == {
        "format": "ipaclip-gallery-1",
        "entries": [
            {"character": "🦋", "name": "butterfly"},
            {"character": "🇳🇴", "name": "flag: Norway", "same_picture": ["🇧🇻", "🇸🇯"]},
        ],
    }
    with safe_open(tmp_path / "gallery.safetensors", framework="pt") as file:
        assert file.metadata() == {"format": "ipaclip-gallery-1"}
        assert list(file.keys()) == ["image_embeds"]
        assert torch.equal(file.get_tensor("image_embeds"), torch.eye(2, 3, dtype=torch.float16))


def test_files_written_by_others_load(tmp_path: Path) -> None:
    (hits,) = Gallery.load(write(tmp_path)).nearest([[0.0, 2.0, 0.0]], top=1)
    assert hits == [(GalleryEntry("🐶", "dog"), 1.0)]


@pytest.mark.parametrize("writer", ["write_bytes", "write_text"])
def test_no_file_is_replaced_before_both_are_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, writer: str
) -> None:
    Gallery(ENTRIES, AXES).save(tmp_path)
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}

    def full(path: Path, *content: object, **options: object) -> int:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, writer, full)
    with pytest.raises(OSError, match="No space left"):
        Gallery(ENTRIES[:1], AXES[:1]).save(tmp_path)
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == before


def test_a_failed_save_leaves_the_old_gallery(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    Gallery(ENTRIES, AXES).save(tmp_path)

    def full(path: Path, content: bytes) -> int:
        with path.open("wb") as file:
            file.write(content[:10])
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "write_bytes", full)
    with pytest.raises(OSError, match="No space left"):
        Gallery(ENTRIES[:1], AXES[:1]).save(tmp_path)
    assert len(Gallery.load(tmp_path)) == 3
    assert sorted(path.name for path in tmp_path.iterdir()) == ["gallery.json", "gallery.safetensors"]


DAMAGES: list[tuple[Callable[[Path], object], str]] = [
    (lambda d: write(d).joinpath("gallery.json").write_text("{"), "gallery.json is not JSON"),
    (lambda d: write(d).joinpath("gallery.json").write_bytes(b'"\xff"'), "gallery.json is not JSON"),
    (lambda d: write(d).joinpath("gallery.json").write_text("[]"), "gallery.json is no JSON object"),
    (lambda d: write(d, json_format="ipaclip-gallery-2"), 'gallery.json does not say "format": "ipaclip-gallery-1"'),
    (lambda d: write(d, entries={"a": 1}), 'gallery.json has no list "entries"'),
    (lambda d: write(d, entries=["🦋", "🐶"]), "Entry 0 of "),
    (lambda d: write(d, entries=[{"character": "🦋", "name": "x"}, {"character": "🐶"}]), "Entry 1 of "),
    (lambda d: write(d, entries=[{"character": "🦋", "name": "x", "same_picture": "🐛"}]), "Entry 0 of "),
    (lambda d: write(d).joinpath("gallery.safetensors").write_bytes(b"GIF89a.."), "gallery.safetensors is not a read"),
    (lambda d: write(d, tensor="embeds"), "gallery.safetensors has no floating-point tensor image_embeds"),
    (lambda d: write(d, embeds=torch.eye(2, 3).int()), "gallery.safetensors has no floating-point tensor"),
    (lambda d: write(d, tensor_format="other"), 'gallery.safetensors does not say "format"'),
    (lambda d: write(d, embeds=torch.eye(3)), "there are 2 entries for 3 rows"),
    (lambda d: write(d, embeds=torch.ones(2)), "image_embeds has shape (2,)"),
    (lambda d: write(d, entries=[], embeds=torch.empty(0, 3)), "the gallery is empty"),
    (lambda d: write(d, embeds=torch.eye(2, 3) * 1.01), "row 0 of image_embeds has length 1.01"),
    (lambda d: write(d, embeds=torch.tensor([[1.0, 0.0], [math.nan, 1.0]])), "row 1 of image_embeds has length nan"),
    (lambda d: write(d, embeds=torch.tensor([[1.0, 0.0], [math.inf, 1.0]])), "row 1 of image_embeds has length inf"),
]


@pytest.mark.parametrize(("damage", "message"), DAMAGES)
def test_a_damaged_gallery_says_which_file_and_what(
    damage: Callable[[Path], object], message: str, tmp_path: Path
) -> None:
    damage(tmp_path)
    with pytest.raises((ValueError, OSError), match=re.escape(message)) as caught:
        Gallery.load(tmp_path)
    assert str(tmp_path / "gallery.") in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("name", ["gallery.json", "gallery.safetensors"])
def test_a_missing_file_is_named(name: str, tmp_path: Path) -> None:
    (write(tmp_path) / name).unlink()
    with pytest.raises(FileNotFoundError, match=re.escape(f"{tmp_path} has no {name}")):
        Gallery.load(tmp_path)
