"""Any picture as the image tower was taught to see one: upright, 8 bits a channel, RGB, on white."""

from contextlib import suppress
from pathlib import Path
from typing import IO, TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from PIL.Image import Image


def open_picture(source: "str | Path | IO[bytes]") -> "Image":
    """
    A file as a Pillow image in RGB, see `as_rgb`, read whole.

    Args:
        source: A path, or a file opened for reading bytes.

    Raises:
        `OSError`: if it is missing, damaged, too large or no picture, with the reason.
    """
    from PIL import Image

    try:
        with Image.open(source) as picture:
            picture.filename = ""  # a mapped TIFF that is to be turned comes scrambled, in Pillow 13.0 at least
            return as_rgb(picture)
    except OSError:
        raise
    except Exception as error:  # Pillow's readers raise whatever they stumble over: struct.error, IndexError, …
        raise OSError(f"{type(error).__name__}: {error}" if str(error) else type(error).__name__) from error


def as_rgb(picture: "Image") -> "Image":
    """
    A Pillow image in RGB, of a new size only where it is turned; the given one stays as it is.

    It is turned upright as its EXIF orientation says. What is transparent shows white. Grey levels of more than 8 bits
    are scaled to 8: `I;16` by dropping the lower 8 bits; `I` by the range that holds its largest value, which ends at
    255, 65,535 or 2³¹ - 1; `F` likewise, or from 0 to 1, and what exceeds such a range by less than its width, as
    resampling leaves it, is white. What is negative or no number is black.

    Args:
        picture: Of any mode.
    """
    from PIL import ImageOps

    picture.load()  # a TIFF is turned by that, and its tag is gone
    with suppress(Exception):  # a damaged note about the picture leaves the picture whole
        picture = ImageOps.exif_transpose(picture)
    shown = _grey(picture) if picture.mode.startswith("I") or picture.mode == "F" else picture
    if shown.has_transparency_data:
        shown = _on_white(shown)
    shown = shown.convert("RGB") if shown.mode != "RGB" else shown.copy()
    shown.info = {}
    return shown


def _grey(picture: "Image") -> "Image":
    """Mode L or, where one value is marked as transparent, LA."""
    from PIL import Image

    values = np.asarray(picture)
    levels = Image.fromarray(_eight_bits(values, wide=picture.mode.startswith("I;16")))
    marked = picture.info.get("transparency")
    if isinstance(marked, int):
        levels.putalpha(Image.fromarray(np.where(values == marked, 0, 255).astype(np.uint8)))
    return levels


def _eight_bits(values: np.ndarray, wide: bool) -> np.ndarray:
    """
    Grey levels 0 to 255.

    Args:
        values: of any type of number.
        wide: whether they are 16 bits wide however small they are.
    """
    levels = np.nan_to_num(values.astype(np.float64), nan=0.0, posinf=np.inf, neginf=0.0)
    finite = levels[np.isfinite(levels)]
    largest = float(finite.max()) if finite.size else 0.0
    if is_float := values.dtype.kind == "f":
        largest /= 2  # a range holds what exceeds it a little
    if is_float and largest <= 1:
        return np.clip(np.round(levels * 255), 0, 255).astype(np.uint8)
    bits = 16 if wide else 8 if largest <= 255 else 16 if largest <= 65_535 else 31
    return np.clip(np.floor(levels / 2 ** (bits - 8)), 0, 255).astype(np.uint8)


def _on_white(picture: "Image") -> "Image":
    from PIL import Image

    colours = (picture.convert("LA") if picture.mode == "La" else picture).convert("RGBA")
    return Image.alpha_composite(Image.new("RGBA", colours.size, "white"), colours)
