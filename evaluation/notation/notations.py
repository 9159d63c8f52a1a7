"""Words that mean pictures, and the notations in which transcribers and dictionaries write them."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from ipaclip.common.rows import read_table
from ipaclip.lexicon.pronouncing import DIALECTS
from ipaclip.lexicon.sounds import segments_of
from ipaclip.tokenization import MissingBackendError, get_transcriber, languages

COLUMNS = ("language", "word", "ipa")
NAME, ALIAS = "name", "emoji_name"
# As dictionaries name what transcribers know by another code.
CODES = {"eng-us": "eng-Latn", "eng-uk": "eng-Latn"}
ESPEAK, EPITRAN, LEXICON = "espeak-ng", "epitran", "CMU dictionary"
_BACKENDS = {"epitran": EPITRAN, "lexicon": LEXICON}
_WITHOUT = {", no stress": "ˈˌ", ", no length": "ːˑ", ", neither": "ˈˌːˑ"}


@dataclass(frozen=True)
class WordList:
    """Words of one language, each of which means a picture.

    Attributes:
        label: what the language is called in reports: as the table has it.
        language: ISO 639-3, a dash, ISO 15924.
        words: as they are spelled.
        targets: of each word the index of its picture.
        ipa: of each word, as a dictionary writes it; none where there is no dictionary.
    """

    label: str
    language: str
    words: tuple[str, ...]
    targets: tuple[int, ...]
    ipa: tuple[str, ...] = ()


@dataclass(frozen=True)
class Notation:
    """How one transcriber or dictionary writes the words of a list.

    Attributes:
        name: of the notation.
        ipa: one string for each word; None where it refuses the word.
    """

    name: str
    ipa: tuple[str | None, ...]


def read_dictionary(path: str | Path, names: Sequence[str]) -> tuple[list[WordList], int]:
    """Reads a table of pronunciations: CSV, TSV or JSONL.

    Its columns are `language`, `word`, `ipa` and `name`, or `emoji_name`: the name of the picture that the word means,
    capitals or not. `eng-us` and `eng-uk` are English. Rows are grouped by language, in the order of the table.

    Args:
        path: of the table.
        names: of the pictures; of two alike the first counts.

    Returns:
        The words of each language, and how many rows name no picture.

    Raises:
        FileNotFoundError: if there is no such file.
        ValueError: for a column that is missing, a cell that is empty or no IPA, or a row that is broken, with file and
            line; if no row names a picture.
    """
    picture: dict[str, int] = {}
    for index, name in enumerate(names):
        picture.setdefault(_plain(name), index)
    rows: dict[str, list[tuple[str, int, str]]] = {}
    unknown = 0
    for where, row in read_table(path, COLUMNS):
        language, word, ipa = (_cell(where, row, column) for column in COLUMNS)
        if NAME not in row and ALIAS not in row:
            raise ValueError(f"{where}: there is no column {NAME}; it needs {', '.join((*COLUMNS, NAME))}.")
        name = _cell(where, row, NAME if NAME in row else ALIAS)
        if not segments_of([ipa])[0]:
            raise ValueError(f"{where}: {ipa!r} holds no consonant or vowel of IPA.")
        if _plain(name) in picture:
            rows.setdefault(language, []).append((word, picture[_plain(name)], ipa))
        else:
            unknown += 1
    if not rows:
        raise ValueError(f"{path}: none of its {unknown} rows names a picture of the gallery, such as {names[0]!r}.")
    lists = []
    for label, found in rows.items():
        words, targets, ipa_strings = zip(*found, strict=True)
        lists.append(WordList(label, CODES.get(label, label), words, targets, ipa_strings))
    return lists, unknown


def _cell(where: str, row: Mapping[str, object], column: str) -> str:
    value = " ".join(str(row[column] or "").split())
    if not value:
        raise ValueError(f"{where}: {column} is empty.")
    return value


def _plain(name: str) -> str:
    return " ".join(name.split()).casefold()


def notations_of(words: WordList, dictionary: str, missing: dict[str, str]) -> Iterator[Notation]:
    """All notations that can be had of a list; marks are left out only where there are any.

    Args:
        words: the list.
        dictionary: what the notation of the list's own IPA is called.
        missing: notation → why it cannot be had; written to.
    """
    known, language = languages(), words.language
    if words.ipa:
        yield Notation(dictionary, words.ipa)
    backends = known.get(language, ())
    if not backends:
        missing[f"{language} by any transcriber"] = "none of them has this language"
    if "espeak" in backends and (said := _said(words, language, "espeak", missing)):
        yield from _with_and_without_marks(said)
    for dialect in DIALECTS.get(language, ()):
        if "espeak" in known.get(dialect, ()) and (said := _said(words, dialect, "espeak", missing)):
            yield Notation(f"{ESPEAK}, {dialect}", said)
    for backend, name in _BACKENDS.items():
        if backend in backends and (said := _said(words, language, backend, missing)):
            yield Notation(name, said)


def _with_and_without_marks(said: tuple[str | None, ...]) -> Iterator[Notation]:
    written = {said}
    yield Notation(ESPEAK, said)
    for name, signs in _WITHOUT.items():
        without = str.maketrans("", "", signs)
        bare = tuple(ipa and ipa.translate(without) for ipa in said)
        if bare not in written:
            written.add(bare)
            yield Notation(ESPEAK + name, bare)


def _said(words: WordList, language: str, backend: str, missing: dict[str, str]) -> tuple[str | None, ...]:
    """One string a word, None where it is refused; nothing where the transcriber is not installed."""
    try:
        answers = get_transcriber(language, backend).transcribe_each(list(words.words))
    except MissingBackendError as error:
        missing[f"{language} by {backend}"] = str(error)
        return ()
    return tuple(answer if isinstance(answer, str) else None for answer in answers)
