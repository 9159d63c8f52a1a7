"""The words of PWESuite (see `pwesuite`): read, embedded, and written for the suite's own scripts."""

import pickle
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from ipaclip.common.files import whole_file
from ipaclip.common.rows import read_table, read_utf8, split_lines
from ipaclip.common.sources import import_datasets

from ..human.human import Judgement, read_judgements

HUB_NAME = "zouharvi/pwesuite-eval"
COLUMNS = ("token_ort", "token_ipa", "token_arp", "lang", "purpose")
MAIN, HUMAN, ANALOGY, COGNATES = PURPOSES = ("main", "human_similarity", "analogy", "cognates")
# The suite writes this for phonemes that are rare or unknown.
UNKNOWN = "😕"


@dataclass(frozen=True)
class Word:
    """One row of the data set: spelling, IPA, ARPAbet with stress (English), language and what it is there for."""

    ort: str
    ipa: str
    arp: str
    lang: str
    purpose: str


@dataclass(frozen=True)
class CognateTriple:
    """A word, one of the same origin, and one that looks alike and is not: spellings, as `token_ort` has them."""

    word: str
    cognate: str
    distractor: str


def read_words(source: str | Path) -> list[Word]:
    """The words of a data set, in its order.

    Args:
        source: a `.jsonl`, `.csv` or `.tsv` file with the data set's columns, the suite's own `multi.tsv` (no header),
            a directory with one of these, or a name on the Hub (that needs `datasets`).

    Raises:
        FileNotFoundError: if a directory has no such file.
        ValueError: if columns are missing, with the file and line; or there are no words.
        ImportError: if a name on the Hub is given and `datasets` is not installed.
    """
    path = Path(source).expanduser()
    if path.is_dir():
        path = _table_in(path)
    if path.is_file():
        words = [Word(*fields) for fields in _rows_of(path)]
    elif path.suffix.lower() in (".jsonl", ".csv", ".tsv"):
        raise FileNotFoundError(f"There is no file {source}: give the suite's words, or their name on the Hub.")
    else:
        words = _from_hub(str(source))
    if not words:
        raise ValueError(f"{source} holds no words.")
    return words


def _table_in(directory: Path) -> Path:
    for name in ("train.jsonl", "multi.tsv", "train.csv", "train.tsv"):
        if (directory / name).is_file():
            return directory / name
    raise FileNotFoundError(f"{directory} has neither train.jsonl, train.csv, train.tsv nor multi.tsv: give the file.")


def _from_hub(name: str) -> list[Word]:
    rows = import_datasets().load_dataset(name, split="train")
    missing = [column for column in COLUMNS if column not in rows.column_names]
    if missing:
        raise ValueError(f"{name} has no column {', '.join(missing)}; it needs {', '.join(COLUMNS)}.")
    return [Word(*_fields(row)) for row in rows]


def _rows_of(path: Path) -> Iterator[list[str]]:
    if path.suffix.lower() == ".tsv" and (lines := split_lines(read_utf8(path))):
        first = lines[0].split("\t")
        if len(first) == len(COLUMNS) and first[3] in PURPOSES:
            yield from _without_header(path, lines)
            return
    for _, row in read_table(path, COLUMNS):
        yield _fields(row)


def _without_header(path: Path, lines: Iterable[str]) -> Iterator[list[str]]:
    """The suite's own table, whose columns stand in another order."""
    for number, line in enumerate(lines, 1):
        row = line.split("\t")
        if len(row) != len(COLUMNS):
            raise ValueError(f"{path}:{number}: {len(row)} columns instead of {len(COLUMNS)}.")
        yield [row[0], row[1], row[4], row[2], row[3]]


def _fields(row: Mapping[str, Any]) -> list[str]:
    return [str(row[name] or "") for name in COLUMNS]


def read_cognates(path: str | Path) -> list[CognateTriple]:
    """Reads a CSV of the columns `word`, `cognate`, `distractor`.

    Raises:
        FileNotFoundError: if there is no such file.
        ValueError: for a missing column, an empty cell or a broken row, with its line.
    """
    names = ("word", "cognate", "distractor")
    triples = []
    for where, row in read_table(path, names):
        cells = [str(row[name] or "").strip() for name in names]
        if not all(cells):
            raise ValueError(f"{where}: a word is empty.")
        triples.append(CognateTriple(*cells))
    return triples


def beside(source: str | Path) -> tuple[list[Judgement] | None, list[CognateTriple] | None]:
    """The judgements (`human_similarity.csv`) and cognates (`cognates.csv`) in a local copy's directory, if there."""
    path = Path(source).expanduser()
    directory = path if path.is_dir() else path.parent
    judged, cognates = directory / "human_similarity.csv", directory / "cognates.csv"
    if not path.exists():
        return None, None
    return (
        read_judgements(judged) if judged.is_file() else None,
        read_cognates(cognates) if cognates.is_file() else None,
    )


def embed_words(words: Sequence[Word], encode: Callable[[list[str]], Any]) -> tuple[np.ndarray, list[int]]:
    """A vector for each row: `(words, dim)` float32, and the rows that have nothing to say and so the zero vector.

    All vectors are multiplied by one number, so that their entries are about 1: the suite's classifiers, which take
    them as they come, learn nothing from entries that are ten times smaller. Cosines and orders are not changed by it.

    Args:
        encode: IPA strings → `(strings, dim)`. The sign for an unknown phoneme is taken out first.
    """
    said = [word.ipa.replace(UNKNOWN, "").strip() for word in words]
    distinct = {ipa: row for row, ipa in enumerate(dict.fromkeys(filter(None, said)))}
    if not distinct:
        raise ValueError("None of the words has a pronunciation (token_ipa).")
    vectors = np.asarray(encode(list(distinct)), dtype=np.float32)
    scale = max(float(np.sqrt(np.mean(vectors**2))), 1e-12)
    vectors = np.concatenate([vectors / scale, np.zeros((1, vectors.shape[1]), np.float32)])
    return vectors[[distinct.get(ipa, -1) for ipa in said]], [row for row, ipa in enumerate(said) if not ipa]


def export_embeddings(vectors: np.ndarray, path: str | Path) -> None:
    """Writes a vector for each row of the data set, in its order, as the suite's own scripts read them.

    Args:
        vectors: `(words, dim)`.
        path: `.pkl`, a pickled numpy array, which every version of the scripts reads; or `.npz`.

    Raises:
        ValueError: for another suffix.
    """
    path = Path(path)
    suffix = path.suffix.lower()
    if suffix not in (".pkl", ".pickle", ".npz"):
        raise ValueError(f"{path.name}: the suite reads .pkl and .npz; give the file one of these suffixes.")
    with whole_file(path) as temporary, temporary.open("wb") as file:
        if suffix == ".npz":
            np.savez(file, vectors)
        else:
            pickle.dump(vectors, file)
