"""Pictures of every kind, as the image tower sees them: upright, 8 bits, on white."""

import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
import torch
from ipaclip import IPAClipModel, IPAClipProcessor
from ipaclip.encoding import encode
from ipaclip.evaluation.retrieval.captions import evaluate_captions, read_folder
from ipaclip.pictures import as_rgb, open_picture
from PIL import Image

ORIENTATION = 0x0112
UPRIGHT = np.arange(0, 240, 40, dtype=np.uint8).reshape(2, 3)
# (i, j) of what is stored → where that is in the upright picture of 2 rows and 3 columns. EXIF 2.3, table of tag 274:
# which side the 0th row is, and which the 0th column.
STORED = {
    1: lambda i, j: (i, j),  # top, left
    2: lambda i, j: (i, 2 - j),  # top, right
    3: lambda i, j: (1 - i, 2 - j),  # bottom, right
    4: lambda i, j: (1 - i, j),  # bottom, left
    5: lambda i, j: (j, i),  # left, top
    6: lambda i, j: (j, 2 - i),  # right, top
    7: lambda i, j: (1 - j, 2 - i),  # right, bottom
    8: lambda i, j: (1 - j, i),  # left, bottom
}


def stored(path: Path, orientation: int) -> Path:
    shape = (2, 3) if orientation < 5 else (3, 2)
    pixels = [[UPRIGHT[STORED[orientation](i, j)] for j in range(shape[1])] for i in range(shape[0])]
    exif = Image.Exif()
    exif[ORIENTATION] = orientation
    Image.fromarray(np.array(pixels, dtype=np.uint8)).save(path, exif=exif, **LOSSLESS.get(path.suffix, {}))
    return path


LOSSLESS = {".webp": {"lossless": True}}


def grey(picture: Image.Image) -> list[list[int]]:
    assert picture.mode == "RGB"
    values = np.asarray(picture)
    assert (values == values[..., :1]).all()
    return values[..., 0].tolist()


@pytest.mark.parametrize("suffix", [".png", ".webp", ".tif"])
@pytest.mark.parametrize("orientation", STORED)
def test_a_picture_is_turned_as_its_tag_says_and_once_only(tmp_path, suffix, orientation):
    path = stored(tmp_path / f"turned{suffix}", orientation)
    assert grey(open_picture(path)) == UPRIGHT.tolist()
    with path.open("rb") as file, Image.open(file) as picture:
        shown = as_rgb(picture)
    assert grey(shown) == grey(as_rgb(shown)) == UPRIGHT.tolist()


def test_a_jpeg_is_turned(tmp_path):
    halves = Image.new("L", (32, 16))
    halves.paste(255, (0, 0, 16, 16))  # white on the left
    exif = Image.Exif()
    exif[ORIENTATION] = 6
    halves.save(tmp_path / "turned.jpg", exif=exif)
    shown = np.asarray(open_picture(tmp_path / "turned.jpg"))[..., 0]
    assert shown.shape == (32, 16)
    assert shown[:14].min() > 250  # turned clockwise, what was left is on top
    assert shown[18:].max() < 5


def test_a_damaged_tag_leaves_the_picture_as_it_is_stored():
    picture = Image.fromarray(UPRIGHT)
    picture.info["exif"] = b"Exif\0\0II*\0\xff\xff\xff\xff"
    assert grey(as_rgb(picture)) == UPRIGHT.tolist()
    exif = Image.Exif()
    exif[ORIENTATION] = 9
    picture.info["exif"] = exif.tobytes()
    assert grey(as_rgb(picture)) == UPRIGHT.tolist()


@pytest.mark.parametrize("suffix", [".png", ".tif"])
def test_sixteen_bits_lose_the_lower_eight(tmp_path, suffix):
    Image.fromarray(np.array([[0, 255, 256, 65535]], dtype=np.uint16)).save(tmp_path / f"deep{suffix}")
    assert grey(open_picture(tmp_path / f"deep{suffix}")) == [[0, 0, 1, 255]]
    big_endian = Image.frombytes("I;16B", (2, 1), struct.pack(">2H", 0x1234, 0xFFFF))
    assert grey(as_rgb(big_endian)) == [[0x12, 0xFF]]


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        (np.int32([[-5, 0, 17, 255]]), [0, 0, 17, 255]),
        (np.int32([[256, 511, 65535]]), [1, 1, 255]),
        (np.int32([[0, 1 << 23, 2**31 - 1]]), [0, 1, 255]),
        (np.float32([[-1, 0, 0.2, 1]]), [0, 0, 51, 255]),
        (np.float32([[0, 0.2, 1.5]]), [0, 51, 255]),
        (np.float32([[0, 17.9, 260]]), [0, 17, 255]),
        (np.float32([[256, 65535]]), [1, 255]),
        (np.float32([[np.nan, -np.inf, 0.2, np.inf]]), [0, 0, 51, 255]),
        (np.float32([[np.nan, np.nan]]), [0, 0]),
    ],
)
def test_wide_grey_levels_are_scaled_by_the_range_that_holds_them(tmp_path, values, expected):
    Image.fromarray(values).save(tmp_path / "wide.tif")
    assert grey(open_picture(tmp_path / "wide.tif")) == [expected]


def test_what_is_transparent_is_white():
    rgba = Image.fromarray(np.uint8([[[0, 255, 0, 0], [255, 0, 0, 255], [0, 0, 0, 51]]]))
    assert np.asarray(as_rgb(rgba)).tolist() == [[[255, 255, 255], [255, 0, 0], [204, 204, 204]]]
    two = Image.merge("LA", (Image.new("L", (1, 1), 10), Image.new("L", (1, 1), 0)))
    assert grey(as_rgb(two)) == [[255]]
    for mode in ("PA", "RGBa", "La"):
        assert np.asarray(as_rgb(two.convert("RGBA").convert(mode) if mode != "La" else two.convert("La"))).min() == 255


@pytest.mark.parametrize(("mode", "marked"), [("P", 1), ("L", 40), ("RGB", (40, 40, 40)), ("I;16", 40 << 8)])
def test_a_colour_that_is_marked_as_transparent_is_white(tmp_path, mode, marked):
    if mode == "P":
        picture = Image.new("P", (2, 1))
        picture.putpalette([0, 0, 0, 40, 40, 40])
        picture.putpixel((1, 0), 1)
    elif mode == "I;16":
        picture = Image.fromarray(np.uint16([[0, 40 << 8]]))
    else:
        picture = Image.fromarray(np.uint8([[0, 40]])).convert(mode)
    picture.save(tmp_path / "marked.png", transparency=marked)
    assert grey(open_picture(tmp_path / "marked.png")) == [[0, 255]]


@pytest.mark.parametrize("mode", ["1", "CMYK", "YCbCr", "HSV", "LAB", "RGBX"])
def test_other_modes_become_rgb(mode):
    assert as_rgb(Image.new(mode, (2, 2))).mode == "RGB"


def broken_pictures(folder: Path) -> dict[str, str]:
    """Files that Pillow's readers stumble over, each in another way, and a word of what is said of it."""
    Image.new("1", (1, 1)).save(folder / "bomb.png")
    content = bytearray((folder / "bomb.png").read_bytes())
    content[16:24] = struct.pack(">2I", 20_000, 20_000)  # its header says how large it is
    content[29:33] = struct.pack(">I", zlib.crc32(content[12:29]))
    (folder / "bomb.png").write_bytes(content)
    (folder / "broken.dds").write_bytes(b"DDS " + struct.pack("<I", 124) + b"\xff" * 120)
    (folder / "bomb.gif").write_bytes(b"GIF89a" + struct.pack("<2H", 60_000, 60_000) + b"\0" * 30)
    (folder / "cut.png").write_bytes(b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR\0\0")
    (folder / "text.png").write_bytes(b"no picture")
    return {"bomb.png": "DecompressionBomb", "broken.dds": "", "bomb.gif": "", "cut.png": "", "text.png": "identify"}


def test_what_cannot_be_opened_says_why(tmp_path):
    for name, word in broken_pictures(tmp_path).items():
        with pytest.raises(OSError, match=word or None) as refused:
            open_picture(tmp_path / name)
        assert str(refused.value).strip()
    with pytest.raises(FileNotFoundError):
        open_picture(tmp_path / "none.png")


@pytest.mark.parametrize(
    "error", [IndexError(), MemoryError("full"), EOFError(), struct.error("x"), OverflowError("x")]
)
def test_whatever_pillow_raises_is_the_pictures_fault(tmp_path, monkeypatch, error):
    def stumble(*_):
        raise error

    monkeypatch.setattr(Image, "open", stumble)
    with pytest.raises(OSError, match=type(error).__name__):
        open_picture(tmp_path / "a.png")


@pytest.fixture(scope="module")
def parts(tiny_checkpoint):
    return IPAClipModel.from_pretrained(tiny_checkpoint).eval(), IPAClipProcessor.from_pretrained(tiny_checkpoint)


def test_encode_and_evaluate_see_the_picture_that_people_see(parts, tmp_path):
    model, processor = parts
    random = np.random.default_rng(0)
    plain = Image.fromarray(random.integers(0, 256, (40, 40), dtype=np.uint8))
    hidden = plain.convert("RGBA")
    hidden.putalpha(plain.point(lambda value: 255 * (value > 128)))
    on_white = plain.point(lambda value: value if value > 128 else 255)
    exif = Image.Exif()
    exif[ORIENTATION] = 3
    plain.rotate(180).save(tmp_path / "turned.png", exif=exif)
    Image.fromarray(np.asarray(plain).astype(np.uint16) << 8).save(tmp_path / "deep.png")
    hidden.save(tmp_path / "hidden.png")
    expected = encode(model, processor, images=[plain.convert("RGB"), plain.convert("RGB"), on_white.convert("RGB")])
    names = [tmp_path / name for name in ("turned.png", "deep.png", "hidden.png")]
    for images in (list(map(Image.open, names)), names, list(map(str, names)), list(map(open_picture, names))):
        torch.testing.assert_close(encode(model, processor, images=images), expected, atol=1e-5, rtol=0)
    other = encode(model, processor, images=[plain.rotate(180).convert("RGB")])
    assert float((other @ expected[0])[0]) < 0.999  # the tower tells them apart


def test_pictures_that_do_not_open_are_set_aside_and_the_rest_is_evaluated(parts, tmp_path):
    broken = broken_pictures(tmp_path)
    Image.new("RGB", (40, 40), "red").save(tmp_path / "dog.png")
    Image.new("RGB", (40, 40), "blue").save(tmp_path / "cat.png")
    report = evaluate_captions(*parts, read_folder(tmp_path), language="deu-Latn")
    assert report.pictures == 2
    assert set(report.set_aside) == set(broken)
    assert all(why.startswith("it does not open (") for why in report.set_aside.values())
