"""What a lexicon is made of: words, their languages, meanings and frequencies, and files that list them."""

import csv
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from ipaclip.common.rows import read_table

COLUMNS = ("word", "language", "meaning", "frequency", "ipa")
# Between the pronunciations of one word in a table: no sign of IPA.
BETWEEN = ";"


@dataclass(frozen=True)
class Entry:
    """A word, or a name of several words.

    Attributes:
        word: as it is spelled.
        language: ISO 639-3, a dash, ISO 15924.
        meaning: what the text tower reads for it: by default the word itself; for `"Schmetterling"` beside an English
            text tower `"butterfly"`.
        frequency: how often it is used, above 0, by any measure that is the same for the whole lexicon.
        pronunciations: IPA; none where it is still to be transcribed.
    """

    word: str
    language: str
    meaning: str = ""
    frequency: float = 1.0
    pronunciations: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        for name in ("word", "language"):
            value = getattr(self, name)
            if not isinstance(value, str) or not value.strip():
                raise ValueError(f"{name} is {value!r}: it must be a text that is not empty.")
        object.__setattr__(self, "word", " ".join(self.word.split()))
        object.__setattr__(self, "meaning", " ".join(self.meaning.split()) or self.word)
        if not 0 < self.frequency < float("inf"):
            raise ValueError(f"The frequency of {self.word!r} is {self.frequency}: it must be a number above 0.")

    @property
    def key(self) -> tuple[str, str, str]:
        """What tells entries apart: word, language and meaning."""
        return self.word, self.language, self.meaning

    def pronounced(self, pronunciations: Iterable[str]) -> "Entry":
        """The same entry with these pronunciations."""
        return replace(self, pronunciations=tuple(dict.fromkeys(pronunciations)))


def as_entries(words: Iterable["str | Entry | Mapping[str, Any]"], language: str) -> Iterator[Entry]:
    """Words, rows or entries → entries; `language` is that of words and of rows that name none.

    Raises:
        TypeError: If `words` is one string, or an item is none of the three.
        ValueError: If a row has no word, a column that is not known, or a frequency that is not above 0.
    """
    if isinstance(words, (str, bytes)):
        raise TypeError(f"A lexicon is made of a list of words, not of one str: write [{words!r}].")
    for item in words:
        if isinstance(item, Entry):
            yield item
        elif isinstance(item, str):
            yield Entry(item, language)
        elif isinstance(item, Mapping):
            yield _from_row(item, language)
        else:
            raise TypeError(f"{item!r} is neither a word, nor a row, nor an Entry.")


def _from_row(row: Mapping[str, Any], language: str) -> Entry:
    unknown = [name for name in row if name not in COLUMNS]
    if unknown or not row.get("word"):
        what = f"{unknown[0]!r} is no column" if unknown else "there is no word"
        raise ValueError(f"{what}; a row of a lexicon has {', '.join(COLUMNS)}, of which only word is needed.")
    frequency = row.get("frequency")
    try:
        number = 1.0 if frequency in (None, "") else float(str(frequency))
    except ValueError:
        raise ValueError(f"The frequency {frequency!r} is no number.") from None
    ipa = row.get("ipa") or ()
    heard = ipa.split(BETWEEN) if isinstance(ipa, str) else ipa
    return Entry(
        str(row["word"]),
        str(row.get("language") or language),
        str(row.get("meaning") or ""),
        number,
        tuple(one.strip() for one in heard if one.strip()),
    )


def read_entries(path: str | Path, language: str) -> list[Entry]:
    """Reads a list of words: a text file with a word a line, or a table (CSV, TSV, JSONL) with a column `word`.

    Raises:
        OSError: If it cannot be read.
        ValueError: If a row is wrong, with file and line; if there is no word.
    """
    path = Path(path)
    if path.suffix.lower() in (".csv", ".tsv", ".jsonl"):
        entries = []
        for where, row in read_table(path):
            try:
                entries.append(_from_row(row, language))
            except ValueError as error:
                raise ValueError(f"{where}: {error}") from None
    else:
        try:
            lines = path.read_text(encoding="utf-8-sig").splitlines()
        except UnicodeDecodeError as error:
            raise ValueError(f"{path} is not in UTF-8 ({error}): save it in UTF-8.") from None
        entries = [Entry(line, language) for line in lines if line.strip()]
    if not entries:
        raise ValueError(f"{path} holds no words.")
    return entries


def write_entries(entries: Iterable[Entry], path: str | Path) -> None:
    """Writes a table that `read_entries` reads."""
    with Path(path).open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, delimiter="\t", lineterminator="\n")
        writer.writerow(COLUMNS)
        for one in entries:
            meaning = "" if one.meaning == one.word else one.meaning
            frequency = "" if one.frequency == 1 else f"{one.frequency:.9g}"
            writer.writerow([one.word, one.language, meaning, frequency, BETWEEN.join(one.pronunciations)])


def read_saved(path: Path) -> list[Entry]:
    """Reads what `write_entries` wrote, without the checks of a stranger's table.

    Raises:
        ValueError: If it is no such table.
    """
    try:
        with path.open(encoding="utf-8", newline="") as file:
            reader = csv.reader(file, delimiter="\t")
            if next(reader, None) != list(COLUMNS):
                raise ValueError("its first line names other columns")
            return [
                Entry(word, language, meaning, float(frequency or 1), tuple(filter(None, ipa.split(BETWEEN))))
                for word, language, meaning, frequency, ipa in reader
            ]
    except (ValueError, csv.Error) as error:
        raise ValueError(f"{path} is damaged ({error}): build the lexicon again.") from error
