"""`Lexicon`: words and names with their sounds, and the readings of what is typed or spoken."""

import logging
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from functools import cached_property
from itertools import groupby
from pathlib import Path
from typing import Any

import numpy as np
from ipaclip.common.progress import Progress
from ipaclip.tokenization import respell

from . import storage
from .channel import Channel
from .decoding import Candidates, Piece, decode, nothing
from .entries import Entry, as_entries
from .letters import LetterIndex, plain_letters
from .phrases import Hypothesis, beam, spans_of
from .pronouncing import letter_by_letter, pronounce
from .readings import Edit, Part, Reading
from .sounds import Sounds, segments_of

logger = logging.getLogger(__name__)

_LISTED = 20  # candidates of one piece that are carried on
_LONGEST_QUERY = 500  # signs
_PROBES = 8  # texts by which a text tower is known
_TOGETHER = 4096  # words that are transcribed in one call


class Lexicon:
    """Words with their pronunciations, what a text tower makes of them, and how a query is decoded.

    Make it with `build` or `load`; it does not change afterwards but by `add`, `remove`, `update`.

    Attributes:
        language: the language of queries that name none.
        channel: the weights by which a query is decoded.
        rejected: word → why it could not be taken in, since this lexicon was made.
        text_tower: the name of the model whose text tower made the embeddings; None where there are none.
    """

    def __init__(
        self,
        entries: Sequence[Entry],
        sounds: Sounds,
        language: str,
        *,
        channel: Channel | None = None,
        embeds: Mapping[str, np.ndarray] | None = None,
        text_tower: str | None = None,
    ) -> None:
        self._entries = list(entries)
        self.sounds = sounds
        self.language = language
        self.channel = channel or Channel()
        self.rejected: dict[str, str] = {}
        self.text_tower = text_tower
        self._embeds: dict[str, np.ndarray] = dict(embeds or {})

    # Making it

    @classmethod
    def build(
        cls,
        words: Iterable[str | Entry | Mapping[str, Any]],
        model: Any = None,
        processor: Any = None,
        *,
        language: str = "eng-Latn",
        channel: Channel | None = None,
        show_progress: bool = False,
    ) -> "Lexicon":
        """A lexicon of words, rows (`word`, `language`, `meaning`, `frequency`, `ipa`) or entries.

        Args:
            words: given twice, one counts once, with the frequencies added.
            model: any model with `get_text_features`: its text tower reads the meanings. Without one, the lexicon
                decodes words but cannot search pictures.
            processor: the model's.
            language: of words that name none, and of queries.
            channel: the weights of decoding.
            show_progress: whether to show words done of all, the rate and the time left.

        Words that cannot be pronounced are left out, and listed with the reason in `rejected`.

        Raises:
            ValueError: If there is no word, or none can be pronounced.
            MissingBackendError: If what transcribes a language is not installed.
        """
        lexicon = cls([], Sounds.build([]), language, channel=channel)
        lexicon._take_in(as_entries(words, language), model, processor, show_progress, first=True)
        if not len(lexicon):
            why = next(iter(lexicon.rejected.items()), None)
            raise ValueError(
                "There are no words to make a lexicon of: give at least one."
                if why is None
                else f"None of the {len(lexicon.rejected):,} words can be pronounced; the first, {why[0]!r}: {why[1]}"
            )
        return lexicon

    def add(
        self,
        words: Iterable[str | Entry | Mapping[str, Any]],
        model: Any = None,
        processor: Any = None,
        *,
        show_progress: bool = False,
    ) -> None:
        """Takes in more words, as `build`; those that it has already only add their frequency.

        Raises:
            ValueError: If the lexicon has embeddings and no model is given, or the model's text tower is another.
        """
        if self._embeds:
            self._require_model(model, processor)
        self._take_in(as_entries(words, self.language), model, processor, show_progress)

    def remove(self, words: Iterable[str]) -> int:
        """Takes out all entries that are spelled so, and returns how many there were."""
        gone = {" ".join(word.split()) for word in _listed(words)}
        kept = [number for number, entry in enumerate(self._entries) if entry.word not in gone]
        count = len(self) - len(kept)
        self.sounds = self.sounds.of_words(np.array(kept, dtype=np.int64))
        self._entries = [self._entries[number] for number in kept]
        meanings = {entry.meaning for entry in self._entries}
        self._embeds = {text: row for text, row in self._embeds.items() if text in meanings}
        self._forget()
        return count

    def update(
        self, words: Iterable[str | Entry | Mapping[str, Any]], model: Any = None, processor: Any = None
    ) -> None:
        """Takes in words in the place of those that are spelled like them.

        Raises:
            ValueError: As `add`; nothing is changed then.
        """
        entries = list(as_entries(words, self.language))
        if self._embeds:
            self._require_model(model, processor)
        before = self._entries, self.sounds, self._embeds
        self.remove([entry.word for entry in entries])
        try:
            self.add(entries, model, processor)
        except BaseException:
            self._entries, self.sounds, self._embeds = before
            self._forget()
            raise

    def _take_in(
        self, entries: Iterable[Entry], model: Any, processor: Any, show_progress: bool, first: bool = False
    ) -> None:
        known = {entry.key: number for number, entry in enumerate(self._entries)}
        again: dict[int, float] = {}
        new: dict[tuple[str, str, str], Entry] = {}
        for entry in entries:
            if entry.key in known:
                number = known[entry.key]
                again[number] = again.get(number, 0.0) + entry.frequency
            else:
                new[entry.key] = _more_frequent(new[entry.key], entry) if entry.key in new else entry
        pronounced = self._pronounced(list(new.values()), show_progress)
        split = _split(pronounced)
        heard = [entry for entry, said in zip(pronounced, split, strict=True) if said]
        self.rejected |= {
            entry.word: "its pronunciation has no segment"
            for entry, said in zip(pronounced, split, strict=True)
            if not said
        }
        more = Sounds.build([said for said in split if said], None if first else self.sounds)
        if model is not None:
            self._embed([entry.meaning for entry in (*self._entries, *heard)], model, processor, show_progress)
        # All that can fail is behind.
        for number, frequency in again.items():
            entry = self._entries[number]
            self._entries[number] = replace(entry, frequency=entry.frequency + frequency)
        self.sounds = more if first else self.sounds.joined(more, len(self._entries))
        self._entries += heard
        self._forget()

    def _pronounced(self, entries: list[Entry], show_progress: bool) -> list[Entry]:
        """The entries with their pronunciations, in their order; those that cannot be said are noted and left out."""
        said: dict[int, Entry] = {number: entry for number, entry in enumerate(entries) if entry.pronunciations}
        silent = sorted(set(range(len(entries))) - said.keys(), key=lambda number: entries[number].language)
        with Progress("pronouncing", len(silent), unit="words", shown=show_progress) as progress:
            for language, group in groupby(silent, key=lambda number: entries[number].language):
                numbers = list(group)
                for start in range(0, len(numbers), _TOGETHER):
                    part = numbers[start : start + _TOGETHER]
                    words = [entries[number].word for number in part]
                    letters = letter_by_letter(words, language)
                    for number, answer, spelled in zip(part, pronounce(words, language), letters, strict=True):
                        if isinstance(answer, str):
                            self.rejected[entries[number].word] = answer
                        else:
                            said[number] = entries[number].pronounced((*answer, *spelled))
                    progress.update(len(part))
        return [said[number] for number in sorted(said)]

    def _embed(self, meanings: Iterable[str], model: Any, processor: Any, show_progress: bool) -> None:
        from ipaclip.encoding import encode

        new = [meaning for meaning in dict.fromkeys(meanings) if meaning not in self._embeds]
        rows = encode(model, processor, text=new, show_progress=show_progress).numpy()
        self._embeds |= dict(zip(new, rows, strict=True))
        self.text_tower = self.text_tower or str(getattr(model, "name_or_path", "") or type(model).__name__)

    # Asking it

    def __len__(self) -> int:
        return len(self._entries)

    def __getitem__(self, number: int) -> Entry:
        return self._entries[number]

    @property
    def languages(self) -> tuple[str, ...]:
        """Of its entries, sorted."""
        return tuple(sorted({entry.language for entry in self._entries}))

    def readings(
        self, queries: Sequence[str], *, ipa: bool = False, language: str | None = None, top: int = 5
    ) -> list[list[Reading]]:
        """What each query may have meant, the likeliest first.

        Probabilities are those among the readings found and that the query is no word of the lexicon at all; so they
        sum to less than 1. A query of several words is read as one entry and word by word; a word that the lexicon has
        not may stay as it is, and numbers and words of other scripts always do.

        Args:
            queries: typed words, or IPA.
            ipa: whether they are IPA.
            language: of the queries, such as `"deu-Latn"`: how typed ones are said, and which words are likelier. By
                default the lexicon's own.
            top: how many readings for each.

        Raises:
            TypeError: If `queries` is one string.
            ValueError: If a query is empty, too long or no IPA; if `language` cannot be pronounced; `top` below 1.
        """
        if top < 1:
            raise ValueError(f"top is {top}: ask for one reading at least.")
        asked = [self.split_query(query, ipa=ipa) for query in _listed(queries)]
        spoken = language or self.language
        if ipa:
            return [self._read(tokens, None, spoken, top) for tokens in asked]
        spans = {" ".join(tokens[a:b]) for tokens in asked for a, b in spans_of(len(tokens))}
        sounds = _heard(sorted(spans), spoken)
        return [self._read(tokens, sounds, spoken, top) for tokens in asked]

    def split_query(self, query: str, *, ipa: bool = False) -> list[str]:
        """The words of a query.

        Raises:
            ValueError: If it is empty or too long, or is to be IPA and holds no segment.
        """
        if not isinstance(query, str) or not query.strip():
            raise ValueError(f"The query {query!r} is empty: write a word.")
        if len(query) > _LONGEST_QUERY:
            raise ValueError(f"The query {query[:20]!r}… has {len(query)} signs: {_LONGEST_QUERY} are the most.")
        tokens = (respell(query) if ipa else query).split()
        if ipa and not segments_of([" ".join(tokens)])[0]:
            raise ValueError(f"{query!r} holds no consonant or vowel of IPA.")
        return tokens

    def _read(
        self, tokens: list[str], sounds: "Mapping[str, Piece] | None", language: str | None, top: int
    ) -> list[Reading]:
        found: dict[tuple[int, int], list[tuple[float, Part]]] = {}
        whole = self._piece(tokens, sounds)

        def read(start: int, end: int) -> list[tuple[float, Part]]:
            if (start, end) not in found:
                found[start, end] = self._options(self._piece(tokens[start:end], sounds), language, len(tokens))
            return found[start, end]

        hypotheses = [one for one in beam(len(tokens), read, self.channel.further) if not one.is_literal]
        readings = _normalised(hypotheses, nothing(self, whole), top)
        return [replace(one, parts=tuple(map(self._aligned, one.parts))) for one in readings]

    def _piece(self, tokens: list[str], sounds: "Mapping[str, Piece] | None") -> Piece:
        text = " ".join(tokens)
        if sounds is not None:
            return sounds[text]
        segments = segments_of([text])[0]
        return Piece(text, (segments,) if segments else (), (text,) if segments else (), typed=False)

    def _options(self, piece: Piece, language: str | None, words: int) -> list[tuple[float, Part]]:
        """What a piece may be; in a phrase, a word may be left as it is."""
        options: list[tuple[float, Part]] = []
        literal = Part(piece.text, piece.text, meaning=piece.text if piece.typed else "")
        is_word = " " not in piece.text
        if words > 1 and is_word and (piece.text.isdecimal() or (piece.typed and not piece.sounds)):
            return [(0.0, literal)]
        if piece.sounds or piece.typed:
            found = decode(self, piece, language, _LISTED)
            options = [(float(score), self._part(piece, found, place)) for place, score in enumerate(found.score)]
        if words > 1 and is_word:
            options.append((nothing(self, piece) - self.channel.itself, literal))
        return options

    def _part(self, piece: Piece, found: Candidates, place: int) -> Part:
        entry = self._entries[found.words[place]]
        heard = int(found.heard[place])
        query = piece.sounds[heard] if heard >= 0 else ()
        said = self.sounds.said(int(found.rows[place]))
        return Part(
            piece.text,
            entry.word,
            entry.language,
            entry.meaning,
            piece.ipa[heard] if heard >= 0 else "",
            "".join(said),
            float(found.distances[place]),
            int(found.errors[place]) if piece.typed else None,
            float(found.log_likelihood[place]),
            float(found.log_prior[place]),
            said,
            query,
        )

    def _aligned(self, part: Part) -> Part:
        if not part.query_segments:
            return part
        edits = self.sounds.costs(part.query_segments).align(part.segments, part.query_segments)
        return replace(part, edits=tuple(Edit(*edit) for edit in edits))

    @cached_property
    def plain_words(self) -> list[str]:
        """The words as typing errors are counted in them."""
        return [plain_letters(entry.word) for entry in self._entries]

    @cached_property
    def letter_index(self) -> LetterIndex:
        """Finds words that are spelled alike."""
        return LetterIndex(self.plain_words)

    @cached_property
    def _log_frequency(self) -> np.ndarray:
        frequency = np.array([entry.frequency for entry in self._entries], dtype=np.float64)
        return np.log(frequency / frequency.sum()).astype(np.float32)

    @cached_property
    def _language_of(self) -> np.ndarray:
        return np.array([entry.language for entry in self._entries], dtype=object)

    def log_prior(self, words: np.ndarray, language: str | None) -> np.ndarray:
        """How likely words (by number) are before anything is heard, natural logarithm."""
        prior: np.ndarray = self.channel.prior * self._log_frequency[words]
        if language is not None:
            prior = prior - self.channel.other_language * (self._language_of[words] != language)
        return prior

    def _forget(self) -> None:
        for name in ("plain_words", "letter_index", "_log_frequency", "_language_of"):
            self.__dict__.pop(name, None)

    # What the text tower makes of it

    @property
    def has_embeds(self) -> bool:
        """Whether a text tower has read the meanings."""
        return bool(self._embeds)

    def text_embeds(self, meanings: Sequence[str], model: Any = None, processor: Any = None) -> np.ndarray:
        """What the text tower makes of meanings, `(len(meanings), dim)`, rows of length 1.

        Those of entries are kept; others, such as of phrases, are read by the model.

        Raises:
            ValueError: If one is not kept and there is no model.
        """
        new = [meaning for meaning in dict.fromkeys(meanings) if meaning not in self._embeds]
        read: dict[str, np.ndarray] = {}
        if new:
            if model is None:
                raise ValueError(f"{new[0]!r} is no entry's meaning: give the model whose text tower can read it.")
            from ipaclip.encoding import encode

            read = dict(zip(new, encode(model, processor, text=new).numpy(), strict=True))
        return np.stack([read[one] if one in read else self._embeds[one] for one in meanings]).astype(np.float32)

    def _require_model(self, model: Any, processor: Any) -> None:
        if model is None:
            raise ValueError("This lexicon has embeddings of a text tower: give that model and its processor.")
        self.check_text_tower(model, processor)

    def check_text_tower(self, model: Any, processor: Any) -> None:
        """Checks that the embeddings are of this model's text tower, on a few words.

        Raises:
            ValueError: If they are of another, with both names.
        """
        if not self._embeds:
            raise ValueError("This lexicon has no embeddings: build it with a model to search pictures by it.")
        from ipaclip.encoding import encode

        some = list(self._embeds)[:_PROBES]
        kept = np.stack([self._embeds[one] for one in some]).astype(np.float32)
        here = encode(model, processor, text=some).numpy() if kept.shape[1] == model.config.projection_dim else None
        if here is None or not _alike(kept, here):
            raise ValueError(
                f"The lexicon is of the text tower of {self.text_tower}, and the model is "
                f"{getattr(model, 'name_or_path', '') or type(model).__name__}: build the lexicon again with it."
            )

    # Keeping it

    def save(self, directory: str | Path) -> None:
        """Writes `lexicon.safetensors` and `lexicon.tsv` into a directory, such as a checkpoint's.

        Raises:
            OSError: If they cannot be written.
        """
        storage.save(self, self._entries, self._embeds, Path(directory))

    @classmethod
    def load(cls, directory: str | Path) -> "Lexicon":
        """Reads what `save` wrote.

        Raises:
            FileNotFoundError: If there is no lexicon.
            ValueError: If it is damaged, of another format, or of another sound encoder.
        """
        return storage.load(cls, Path(directory))


def _alike(kept: np.ndarray, here: np.ndarray) -> bool:
    """Whether embeddings of the same texts are of one text tower, whatever the kernels and the precision.

    Text towers give all texts a large common part, which is nearly the same in two of them: it is taken out.
    """
    if len(kept) > 1:
        kept, here = kept - kept.mean(0), here - here.mean(0)
    product = np.linalg.norm(kept) * np.linalg.norm(here)
    return bool((kept * here).sum() > 0.95 * product)


def _listed(queries: Iterable[str]) -> list[str]:
    if isinstance(queries, (str, bytes)):
        raise TypeError(f"A list of words is needed, not one str: write [{queries!r}].")
    return list(queries)


def _more_frequent(entry: Entry, again: Entry) -> Entry:
    said = tuple(dict.fromkeys((*entry.pronunciations, *again.pronunciations)))
    return Entry(entry.word, entry.language, entry.meaning, entry.frequency + again.frequency, said)


def _split(entries: Sequence[Entry]) -> list[list[tuple[str, ...]]]:
    """The pronunciations of each entry as segments, each once; none where a pronunciation has no segment."""
    flat = iter(segments_of([ipa for entry in entries for ipa in entry.pronunciations]))
    return [[said for said in dict.fromkeys(next(flat) for _ in entry.pronunciations) if said] for entry in entries]


def _heard(spans: Sequence[str], language: str) -> dict[str, Piece]:
    """Typed pieces with their pronunciations; one that cannot be pronounced has none."""
    answers = pronounce(spans, language)
    letters = letter_by_letter(spans, language)
    pieces = {}
    for span, answer, spelled in zip(spans, answers, letters, strict=True):
        said = (*(() if isinstance(answer, str) else answer), *spelled)
        sounds = {segments: ipa for segments, ipa in zip(segments_of(said), said, strict=True) if segments}
        pieces[span] = Piece(span, tuple(sounds), tuple(sounds.values()), typed=True)
    return pieces


def _normalised(hypotheses: Sequence[Hypothesis], none: float, top: int) -> list[Reading]:
    if not hypotheses:
        return []
    scores = np.array([one.score for one in hypotheses], dtype=np.float64)
    total = np.logaddexp.reduce([*scores, none])
    return [
        Reading(one.words, one.meaning, float(np.exp(score - total)), one.parts)
        for one, score in list(zip(hypotheses, scores, strict=True))[:top]
    ]
