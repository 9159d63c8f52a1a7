"""Pictures of one's own: what is read, what is set aside, and how captions are found."""

import json
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from ipaclip.evaluation.retrieval.captions import (
    best_places,
    evaluate_captions,
    read_folder,
    read_pictures,
    read_table,
)
from ipaclip.search.fusion import Gate
from ipaclip.tokenization import TranscriptionError
from PIL import Image

COLOURS = {"red": (255, 0, 0), "green": (0, 255, 0), "blue": (0, 0, 255)}


@pytest.fixture
def folder(tmp_path):
    """Three pictures, and a file that is none."""
    for name, colour in COLOURS.items():
        Image.new("RGB", (4, 4), colour).save(tmp_path / f"{name}.png")
    (tmp_path / "broken-one.png").write_bytes(b"no picture")
    return tmp_path


class Batch(dict):
    def to(self, device):
        return self


AXES = {"red": [1.0, 0, 0], "green": [0, 1.0, 0], "blue": [0, 0, 1.0], "grey": [1.0, 1.0, 1.0]}


class StubProcessor:
    """A picture is its first pixel, a text the colours that it names."""

    language = "eng-Latn"

    class tokenizer:
        model_max_length = 99

        def __new__(cls, texts, verbose):
            return {"input_ids": [[0]] * len(texts)}

    def transcribe_each(self, texts, language=None):
        return [TranscriptionError(f"{text} cannot be said.") if "§" in text else text for text in texts]

    def __call__(self, text=None, ipa=None, images=None, return_tensors=None, truncation=False):
        if images is not None:
            return Batch({"pixel_values": torch.tensor([one.getpixel((0, 0)) for one in images]).float()})
        rows = torch.tensor([np.sum([AXES[word] for word in one.split()], axis=0).tolist() for one in text or ipa])
        kind = "input_ids" if text is not None else "pronunciation_input_ids"
        return Batch({kind: rows, kind.replace("input_ids", "attention_mask"): rows})


def output(rows):
    return SimpleNamespace(pooler_output=rows)


MODEL = SimpleNamespace(
    device="cpu",
    dtype=torch.float32,
    training=False,
    eval=lambda: None,
    train=lambda mode: None,
    config=SimpleNamespace(projection_dim=3),
    get_image_features=lambda **pixels: output(pixels["pixel_values"]),
    get_text_features=lambda input_ids, attention_mask: output(input_ids),
    # Hears red for green, and green for red.
    get_pronunciation_features=lambda pronunciation_input_ids, pronunciation_attention_mask: output(
        pronunciation_input_ids[:, [1, 0, 2]]
    ),
)
TEXT_ALONE = Gate(0.0, 0.0, 0.0, 1e6, 1.0)


def test_a_folder_names_its_pictures(folder):
    (folder / "more").mkdir()
    Image.new("L", (2, 2)).save(folder / "more" / "dark_night-sky.png")
    (folder / ".hidden.png").write_bytes(b"")
    found = read_folder(folder)
    assert [(one.name, one.captions) for one in found] == [
        ("blue.png", ("blue",)),
        ("broken-one.png", ("broken one",)),
        ("green.png", ("green",)),
        ("more/dark_night-sky.png", ("dark night sky",)),
        ("red.png", ("red",)),
    ]
    assert found[3].open().mode == "RGB"


def test_tables_gather_the_captions_of_a_picture(folder):
    rows = [("red.png", "red"), ("blue.png", "blue"), ("red.png", "red thing"), ("red.png", "red")]
    (folder / "t.csv").write_text("image,caption\n" + "".join(f"{a},{b}\n" for a, b in rows), encoding="utf-8")
    lines = [{"image": "red.png", "caption": ["red", "red thing"]}, {"image": "blue.png", "caption": "blue"}]
    (folder / "t.jsonl").write_text("\n".join(map(json.dumps, lines)) + "\n\n", encoding="utf-8")
    for table in ("t.csv", "t.jsonl"):
        found = read_pictures(folder / table)
        assert [(one.name, one.captions) for one in found] == [
            ("red.png", ("red", "red thing")),
            ("blue.png", ("blue",)),
        ]
        assert found[0].open().getpixel((0, 0)) == (255, 0, 0)


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("t.csv", "image,text\na.png,red\n", r"t\.csv has no column caption"),
        ("t.csv", "image,caption\na.png,red\nb.png,\n", r"t\.csv:3: a caption is empty"),
        ("t.csv", "image,caption\n,red\n", r"t\.csv:2: image is not the path"),
        ("t.csv", "image,caption\n", "holds no pictures"),
        ("t.jsonl", '{"image": "a.png", "caption": "a"}\n{"image"\n', r"t\.jsonl:2: the line is not JSON"),
        ("t.jsonl", "[]\n", r"t\.jsonl:1: the line is not a JSON object"),
        ("t.jsonl", '{"image": "a.png", "caption": ["a", 3]}\n', r"t\.jsonl:1: a caption is empty or no text"),
    ],
)
def test_damaged_tables_say_where(tmp_path, name, content, message):
    (tmp_path / name).write_text(content, encoding="utf-8")
    with pytest.raises(ValueError, match=message):
        read_table(tmp_path / name)


def test_what_is_not_there(tmp_path):
    with pytest.raises(FileNotFoundError, match="no folder or table"):
        read_pictures(tmp_path / "nowhere")
    with pytest.raises(FileNotFoundError, match="no table"):
        read_pictures(tmp_path / "nowhere.csv")
    with pytest.raises(ValueError, match="holds no pictures"):
        read_folder(tmp_path)


def test_a_data_set_of_the_hub(folder, monkeypatch):
    datasets = pytest.importorskip("datasets")
    data = datasets.Dataset.from_dict(
        {
            "image": [str(folder / "red.png"), str(folder / "broken-one.png")],
            "caption": [["red", "red thing", "red"], ["broken"]],
        }
    ).cast_column("image", datasets.Image())
    asked = []
    monkeypatch.setattr(datasets, "load_dataset", lambda name, split: asked.append((name, split)) or data)
    found = read_pictures("someone/pictures")
    assert asked == [("someone/pictures", "test")]
    assert [one.captions for one in found] == [("red", "red thing"), ("broken",)]
    assert found[0].open().getpixel((0, 0)) == (255, 0, 0)
    with pytest.raises(OSError, match="cannot identify"):
        found[1].open()
    data = data.rename_column("caption", "words")
    with pytest.raises(ValueError, match="no column caption; it has image, words"):
        read_pictures("someone/pictures")


def test_best_places_by_hand():
    scores = [[0.9, 0.8, 0.7], [0.9, 0.8, 0.7], [0.5, 0.5, 0.1], [float("nan"), 0.2, 0.1]]
    right = [[False, True, True], [True, True, False], [True, False, False], [True, False, True]]
    # One wrong answer above; none; one that ties; for the last, .1 is the best, and .2 is above it.
    assert best_places(scores, right).tolist() == [1, 0, 1, 1]
    assert best_places([[float("nan"), 0.2]], [[True, False]]).tolist() == [1]


def test_best_places_need_an_answer():
    with pytest.raises(ValueError, match="Question 1 has no right answer"):
        best_places(np.ones((2, 2)), [[True, False], [False, False]])
    with pytest.raises(ValueError, match="must both be"):
        best_places(np.ones((2, 2)), [[True, False]])


def test_captions_and_pictures_find_each_other(folder):
    lines = [
        {"image": "red.png", "caption": ["red", "red red", "§ red"]},
        {"image": "green.png", "caption": ["green"]},
        {"image": "blue.png", "caption": ["blue", "grey"]},
        {"image": "broken-one.png", "caption": ["green"]},
        {"image": "missing.png", "caption": ["blue"]},
    ]
    (folder / "t.jsonl").write_text("\n".join(map(json.dumps, lines)), encoding="utf-8")
    report = evaluate_captions(MODEL, StubProcessor(), read_table(folder / "t.jsonl"), gate=TEXT_ALONE)
    assert (report.pictures, report.captions) == (3, 5)
    assert set(report.set_aside) == {"broken-one.png", "missing.png", "§ red"}
    assert "cannot be said" in report.set_aside["§ red"]
    assert "does not open" in report.set_aside["missing.png"]
    # Captions red, red red, green, blue, grey; grey is as near to all three pictures.
    assert report.caption_to_picture["text"].places == (0, 0, 0, 0, 2)
    # Heard as green, red is found behind it, level with blue.
    assert report.caption_to_picture["heard"].places == (2, 2, 2, 0, 2)
    # The picture of red finds "green" first, then "grey", and of its own none before "blue".
    assert report.picture_to_caption["heard"].places == (3, 4, 0)
    assert report.caption_to_picture["both"].places == (0, 0, 0, 0, 2)
    assert report.picture_to_caption["text"].places == (0, 0, 0)
    assert report.picture_to_caption["both"].places == (0, 0, 0)


def test_nothing_to_evaluate(tmp_path):
    (tmp_path / "broken.png").write_bytes(b"no picture")
    with pytest.raises(ValueError, match=r"None of 1 pictures opens: broken\.png"):
        evaluate_captions(MODEL, StubProcessor(), read_folder(tmp_path))
    Image.new("RGB", (2, 2)).save(tmp_path / "§.png")
    with pytest.raises(ValueError, match="No caption can be pronounced"):
        evaluate_captions(MODEL, StubProcessor(), read_folder(tmp_path))
