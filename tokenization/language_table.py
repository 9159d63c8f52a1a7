"""What is known of each language, in one table (`languages.tsv`): names, voices, and how good each backend is.

Languages are named by ISO 639-3, a dash and ISO 15924; a variant follows after another dash, and takes what its row
leaves open from its language. Columns:

- `name`: what the language is called in English, as ISO 639-3 has it or shorter; `example`: a word of it to try, mostly
  "water".
- `voice`: the voice of espeak-ng 1.52 that speaks it
  (https://github.com/espeak-ng/espeak-ng/blob/1.52.0/docs/languages.md).
- `affricates`: those that are single phonemes in it, as descriptions usually count them (many in the *Handbook of the
  IPA*); loanword phonemes among them.
- `epitran_error`, `espeak_error`: how far each backend is from Wiktionary's pronunciations (WikiPron,
  https://github.com/CUNY-CL/wikipron), on 200 words: the mean feature edit distance, per segment of the dictionary,
  over the words that both backends say. `benchmarks/g2p.py --words FILE --lines` measures it and prints these cells.
- `epitran_lacks`: what epitran 1.35's rules lack of its words, names of foreign places and languages among them. There
  they refuse 2% or more of the words of the Unicode CLDR and espeak-ng fewer, as
  `benchmarks/language_coverage.py --every-backend` counts them.
"""

import csv
from pathlib import Path
from typing import NamedTuple


class Language(NamedTuple):
    """A row of the table; a cell of which nothing is known is empty."""

    language: str
    name: str
    example: str
    voice: str
    affricates: str
    epitran_error: str
    espeak_error: str
    epitran_lacks: str


class Description(NamedTuple):
    """A language for people to read: its English name, and a word of it."""

    name: str
    example: str


def _read_table() -> dict[str, Language]:
    with Path(__file__).with_name("languages.tsv").open(encoding="utf-8", newline="") as file:
        _, *rows = csv.reader(file, delimiter="\t", quoting=csv.QUOTE_NONE)
    return {row[0]: Language(*row) for row in rows}


LANGUAGES = _read_table()


def describe(language: str) -> Description:
    """The description of a language that `languages()` lists; a variant has the word of its language.

    Raises:
        KeyError: If it is none of them.
    """
    known = LANGUAGES[language[:8]]
    variant = language[9:]
    return Description(f"{known.name} ({variant})" if variant else known.name, known.example)
