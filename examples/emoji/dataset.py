"""The emoji data set: every emoji's picture, name and synonyms, made on the spot and never committed.

Pictures: Noto Color Emoji (Debian's ``fonts-noto-color-emoji``), drawn with Pillow. Names and aliases: the PyPI package
``emoji``. Keywords: the Unicode CLDR annotations of Debian's ``unicode-cldr-core``.
"""

import hashlib
import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from xml.etree import ElementTree

import emoji
import numpy as np
from PIL import Image, ImageDraw, ImageFont

FONT_PATH = Path("/usr/share/fonts/truetype/noto/NotoColorEmoji.ttf")
CLDR_PATH = Path("/usr/share/unicode/cldr/common")
# The font holds bitmaps of one size only; any other size is refused by FreeType.
FONT_SIZE = 109
CANVAS = 136

SKIN_TONES = range(0x1F3FB, 0x1F400)
# Names carry signs that nobody says; the spoken word takes their place.
SPOKEN = {"#": "hash", "*": "asterisk", "&": "and", "1st": "first", "2nd": "second", "3rd": "third"}
DIGITS = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten")


@dataclass
class Emoji:
    """One picture: its first character and name, everything else it is called, and its pixels."""

    character: str
    name: str
    aliases: list[str] = field(default_factory=list)
    keywords: list[str] = field(default_factory=list)
    same_picture: list[tuple[str, str]] = field(default_factory=list)

    @property
    def texts(self) -> list[str]:
        """The name first, then aliases and keywords, each once (letter case aside)."""
        names = [self.name, *(name for _, name in self.same_picture), *self.aliases, *self.keywords]
        first: dict[str, str] = {}
        for text in names:
            first.setdefault(text.lower(), text)
        return list(first.values())

    def also(self, character: str, name: str) -> None:
        """Takes in an emoji that looks the same; the shortest name (``France``, not ``Clipperton Island``) leads."""
        self.same_picture.append((character, name))
        self.same_picture.append((self.character, self.name))
        self.same_picture.sort(key=lambda entry: (len(entry[1]), entry[1]))
        self.character, self.name = self.same_picture.pop(0)


def spoken_name(raw: str) -> str:
    """The name as one would say it: ``:keycap_#:`` → ``keycap hash``, ``:1st_place_medal:`` → ``first place medal``."""
    words = raw.strip(":").replace("’", "'").replace("_", " ").split()
    spoken = [SPOKEN.get(word, word) for word in words]
    text = " ".join(DIGITS[int(word)] if word.isdigit() and int(word) < len(DIGITS) else word for word in spoken)
    return re.sub(r"\s+", " ", re.sub(r"[^\w\s'’-]", " ", text)).strip()


def render(character: str, size: int, font: ImageFont.FreeTypeFont) -> np.ndarray:
    """The picture of one emoji on white: ``(size, size, 3)`` bytes."""
    canvas = Image.new("RGB", (CANVAS, CANVAS), "white")
    left, top, right, bottom = font.getbbox(character)
    at = ((CANVAS - (right - left)) // 2 - left, (CANVAS - (bottom - top)) // 2 - top)
    ImageDraw.Draw(canvas).text(at, character, font=font, embedded_color=True)
    return np.asarray(canvas.resize((size, size), Image.Resampling.LANCZOS))


def load(size: int) -> tuple[list[Emoji], np.ndarray]:
    """All emoji that the font can draw, without skin tones, pictures identical to the pixel taken as one.

    Returns the emoji and their pictures, ``(emoji, size, size, 3)`` bytes.
    Raises ``FileNotFoundError`` where the font or the CLDR annotations are not installed.
    """
    for path, package in ((FONT_PATH, "fonts-noto-color-emoji"), (CLDR_PATH, "unicode-cldr-core")):
        if not path.exists():
            raise FileNotFoundError(f"{path} is missing: apt-get install {package}")
    font = ImageFont.truetype(str(FONT_PATH), FONT_SIZE)
    keywords = cldr_keywords()
    missing = picture_key(render("\U0010fffd", size, font))
    found: dict[str, Emoji] = {}
    pictures: list[np.ndarray] = []
    for character, data in emoji.EMOJI_DATA.items():
        if data["status"] != emoji.STATUS["fully_qualified"] or any(ord(sign) in SKIN_TONES for sign in character):
            continue
        if font.getlength(character) > font.getlength("🦋") * 1.2:
            continue  # a sequence that the font draws as several pictures has no picture of its own
        picture = render(character, size, font)
        key = picture_key(picture)
        if key == missing:
            continue
        name, aliases = spoken_name(data["en"]), [spoken_name(alias) for alias in data.get("alias", [])]
        words = keywords.get(character.replace("\ufe0f", ""), [])
        if key not in found:
            found[key] = Emoji(character, name)
            pictures.append(picture)
        else:
            found[key].also(character, name)
        found[key].aliases += usable(aliases)
        found[key].keywords += usable(words)
    return list(found.values()), np.stack(pictures)


def usable(texts: Iterable[str]) -> list[str]:
    """Texts with at least two letters: ``fr`` stays, ``1`` and ``+`` say nothing."""
    return [text for text in texts if len(re.findall(r"[^\W\d_]", text)) >= 2]


def picture_key(picture: np.ndarray) -> str:
    return hashlib.sha256(picture.tobytes()).hexdigest()


def cldr_keywords() -> dict[str, list[str]]:
    """Emoji (without variation selectors) → English keywords and short names of Unicode's CLDR."""
    keywords: dict[str, list[str]] = {}
    for folder in ("annotations", "annotationsDerived"):
        for node in ElementTree.parse(CLDR_PATH / folder / "en.xml").iter("annotation"):
            character = node.attrib["cp"].replace("\ufe0f", "")
            texts = [spoken_name(part) for part in (node.text or "").split("|")]
            keywords.setdefault(character, []).extend(texts)
    return keywords
