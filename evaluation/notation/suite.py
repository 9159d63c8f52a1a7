"""The suite `notation`: pictures found by their names as different transcribers and dictionaries write them."""

from collections.abc import Callable, Mapping, Sequence
from functools import partial

import numpy as np
import torch

from ..checkpoint import PRONUNCIATION, Checkpoint, Options, ProcessorTranscriber
from ..metrics import ranks
from ..report import Figure, SuiteResult
from ..retrieval.baselines import BY_LEXICON, BY_SOUND, LexiconThenText, NearestName, by_place
from ..retrieval.retrieval import directions
from ..statistics import Interval, bootstrap_share
from .notations import Notation, WordList, notations_of, read_dictionary

HEADER = ("language", "notation", "n")
OWN = "names"

# IPA strings → `(strings, pictures)`, higher is better.
Hears = Callable[[list[str]], np.ndarray]


def run_notation(checkpoint: Checkpoint, options: Options) -> SuiteResult:
    """The gallery's names in all notations of their language, and the words of a dictionary in those of theirs.

    Raises:
        NotRunError: if there is no gallery.
        ValueError, OSError: as `read_dictionary`.
    """
    names = list(checkpoint.names)
    pictures = directions(checkpoint.gallery, names)
    # Read first: a broken table fails in no time, and asking a gallery takes minutes.
    lists, unknown = read_dictionary(options.dictionary, names) if options.dictionary else ([], 0)
    language = checkpoint.transcriber.language
    own = WordList(language, language, tuple(names), tuple(range(len(names))))
    result = SuiteResult("notation", notes=[f"{len(names)} pictures."])
    asked = _Asked(checkpoint, pictures, own, lists)
    asked.add(result, f"the {len(names)} names of the gallery", OWN, [own], "")
    if options.dictionary:
        file = options.dictionary.name
        asked.add(result, f"the words of {file}", file, lists, file)
        if unknown:
            rows = unknown + sum(len(words.words) for words in lists)
            result.notes.append(f"{file}: {unknown} of {rows} rows name no picture of the gallery, and are left out.")
    result.notes.extend(asked.notes)
    return result


class _Asked:
    """A checkpoint that is asked by IPA, list of words by list of words.

    Attributes:
        notes: what the figures rest on, and what was left out.
    """

    def __init__(
        self, checkpoint: Checkpoint, pictures: torch.Tensor, own: WordList, lists: Sequence[WordList]
    ) -> None:
        self.notes: list[str] = []
        self._checkpoint, self._pictures, self._own, self._lists = checkpoint, pictures, own, lists
        self._near: dict[str, NearestName | None] = {}
        self._decoded: LexiconThenText | None = None
        if checkpoint.lexicon is not None:
            try:
                self._decoded = LexiconThenText(checkpoint, pictures)
            except ValueError as error:
                self.notes.append(f"Left out: {BY_LEXICON}. {error}")

    def add(self, result: SuiteResult, what: str, key: str, lists: Sequence[WordList], dictionary: str) -> None:
        """A table of what the words of some lists find, and the same as figures."""
        rows: list[list[str | Figure]] = []
        columns: list[str] = [PRONUNCIATION, BY_SOUND, *([BY_LEXICON] if self._decoded else [])]
        missing: dict[str, str] = {}
        for words in lists:
            hears = self._columns(words.language)
            for notation in notations_of(words, dictionary, missing):
                shares, count = self._found(words, notation, hears)
                rows.append([words.label, notation.name, count, *(shares.get(column) for column in columns)])
                figure = f"{key}, {words.label}, {notation.name}"
                result.values.update({f"{figure}, {column}: top-1": share for column, share in shares.items()})
        result.add_table(f"{what}: top-1, with 95% interval", [*HEADER, *columns], rows)
        self.notes.extend(f"Left out: {what}: {why}" for what, why in missing.items())

    def _columns(self, language: str) -> dict[str, Hears]:
        hearing = self._checkpoint.hearing()[PRONUNCIATION]
        columns: dict[str, Hears] = {PRONUNCIATION: lambda ipa: hearing(ipa) @ self._pictures.numpy().T}
        near = self._names_in(language)
        if near is not None:
            columns[BY_SOUND] = lambda ipa: by_place(near(ipa))
        if self._decoded is not None:
            columns[BY_LEXICON] = partial(self._decoded, language=language, ipa=True)
        return columns

    def _found(
        self, words: WordList, notation: Notation, columns: Mapping[str, Hears]
    ) -> tuple[dict[str, Interval], int]:
        """Column → top-1, and of how many words: those that the transcriber does not refuse."""
        pairs = [(ipa, target) for ipa, target in zip(notation.ipa, words.targets, strict=True) if ipa]
        if not pairs:
            return {}, 0
        ipa = [one for one, _ in pairs]
        targets = [target for _, target in pairs]
        shares = {column: float(np.mean(ranks(hears(ipa), targets) == 0)) for column, hears in columns.items()}
        return {column: bootstrap_share(share, len(pairs)) for column, share in shares.items()}, len(pairs)

    def _names_in(self, language: str) -> NearestName | None:
        """What pictures are called in a language: by the gallery, else by the table and the lexicon."""
        if language not in self._near:
            named = self._named(language)
            try:
                said = ProcessorTranscriber(self._checkpoint.processor, language).transcribe_each(list(named))
            except ValueError as error:
                self.notes.append(f"Left out: {BY_SOUND} in {language}: {error}")
                self._near[language] = None
            else:
                pairs = [(ipa, owner) for ipa, owners in zip(said, named.values(), strict=True) for owner in owners]
                ipa, owners = [ipa for ipa, _ in pairs], [owner for _, owner in pairs]
                self._near[language] = NearestName(ipa, owners, len(self._pictures))
                self.notes.append(f"Nearest name in {language}: of {len(self._near[language] or ()):,} names.")
        return self._near[language]

    def _named(self, language: str) -> dict[str, dict[int, None]]:
        """Word → its pictures."""
        named: dict[str, dict[int, None]] = {}
        for words in [self._own] if language == self._own.language else self._lists:
            if words.language == language:
                for word, target in zip(words.words, words.targets, strict=True):
                    named.setdefault(word, {})[target] = None
        lexicon = self._checkpoint.lexicon
        if lexicon is not None and language != self._own.language:
            picture = {name: place for place, name in enumerate(self._checkpoint.names)}
            for number in range(len(lexicon)):
                entry = lexicon[number]
                if entry.language == language and entry.meaning in picture:
                    named.setdefault(entry.word, {})[picture[entry.meaning]] = None
        return named
