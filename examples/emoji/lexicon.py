"""The lexicon of a checkpoint: what the emoji of its gallery are called, in English and in other languages.

    python examples/emoji/lexicon.py [CHECKPOINT]

Names and aliases: the PyPI package ``emoji`` (names from Unicode's CLDR). A name in another language means the English
one, which is what the checkpoint's text tower reads.
"""

import argparse
from collections.abc import Sequence
from pathlib import Path

import emoji
import languages
from ipaclip import embedded_checkpoint
from ipaclip.lexicon import Entry, Lexicon
from ipaclip.search import GalleryEntry, PictureSearch

ENGLISH = "eng-Latn"
# A name is asked for more often than an alias of it.
NAME_FREQUENCY, ALIAS_FREQUENCY = 4.0, 1.0


def entries_of(gallery: Sequence[GalleryEntry]) -> list[Entry]:
    """Names, aliases that are no name, and names in other languages; each means an English name or alias."""
    names = [entry.name for entry in gallery]
    found = [Entry(name, ENGLISH, frequency=NAME_FREQUENCY) for name in dict.fromkeys(names)]
    known = {name.casefold() for name in names}
    for entry in gallery:
        for alias in emoji.EMOJI_DATA.get(entry.character, {}).get("alias", []):
            word = " ".join(alias.strip(":").replace("_", " ").split())
            if word and word.casefold() not in known:
                found.append(Entry(word, ENGLISH, entry.name, ALIAS_FREQUENCY))
    for language, foreign in languages.foreign_names([entry.character for entry in gallery]).items():
        found += [Entry(word, language, names[number], NAME_FREQUENCY) for number, word in foreign]
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("checkpoint", type=Path, nargs="?", default=Path(embedded_checkpoint()))
    parser.add_argument("--output", type=Path, help="where to write it; by default into the checkpoint")
    options = parser.parse_args()
    pictures = PictureSearch.from_checkpoint(options.checkpoint)
    lexicon = Lexicon.build(
        entries_of(pictures.gallery.entries), pictures.model, pictures.processor, language=ENGLISH, show_progress=True
    )
    lexicon.save(options.output or options.checkpoint)
    print(f"{len(lexicon):,} words of {len(lexicon.languages)} languages, {len(lexicon.sounds):,} pronunciations")
    for word, reason in lexicon.rejected.items():
        print(f"left out: {word}: {reason}")


if __name__ == "__main__":
    main()
