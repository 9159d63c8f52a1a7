"""IPATokenizer: IPA strings → phoneme ids, as a plain `tokenizer.json` that needs none of this package to load."""

import copy
import logging
import math
import os
import re
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import lru_cache, partial
from typing import Any, Literal, NamedTuple, NoReturn, get_args
from weakref import WeakKeyDictionary

from tokenizers import Encoding, Tokenizer, decoders, processors
from tokenizers.models import Unigram
from transformers import BatchEncoding
from transformers.tokenization_utils_base import TruncationStrategy
from transformers.tokenization_utils_tokenizers import TokenizersBackend
from transformers.utils import PaddingStrategy, TensorType

from .lazy_encoding import LazyBatchEncoding, encodings_of, pad, truncate
from .normal_form import normalizer
from .phonemes.segments import (
    LENGTHS,
    MODIFIERS,
    PITCHES,
    SPECIAL_TOKENS,
    STRESSES,
    check_segments,
    vocabulary,
)
from .phonemes.spelling import INVISIBLE, before_sorting, respell, signs
from .word_ids import WordIds, by_word

logger = logging.getLogger(__name__)

Unknown = Literal["unk", "drop", "error"]

_PAD, _UNK, _BOS, _EOS = SPECIAL_TOKENS
_BOS_ID, _EOS_ID = SPECIAL_TOKENS.index(_BOS), SPECIAL_TOKENS.index(_EOS)
_NAMED_SIGNS = 20
_LEAST_LENGTH = 3  # <s>, a token, </s>
_invisible = re.compile(INVISIBLE)
_half_pair = re.compile("[\ud800-\udfff]")


class UnknownSymbol(NamedTuple):
    """A sign that the vocabulary lacks, and where it stands in the text as it was given (in code points, from 0)."""

    symbol: str
    position: int


def _score(token: str) -> float:
    # In `aˀt` the mark belongs to what precedes it, though panphon has both `aˀ` and `ˀt`.
    return -1.001 if token[0] in MODIFIERS else -1.0


def _unwanted(unknown: Unknown, stress: bool, tone: bool, length: bool) -> str:
    """A pattern of the signs that do not become tokens, empty if all do."""
    dropped = "".join(kind for kind, kept in ((STRESSES, stress), (PITCHES, tone), (LENGTHS, length)) if not kept)
    patterns = [f"[{dropped}]"] if dropped else []
    if unknown == "drop":
        # The cedilla is the one sign that is no token of its own: it occurs in `ç` only.
        patterns += [f"[^\u0327{re.escape(''.join(sorted(signs())))}]", "(?<!c)\u0327"]
    return "|".join(patterns)


def build_backend(unwanted: str = "", segments: Sequence[str] = ()) -> Tokenizer:
    """The tokenizer itself: normal spelling, then the segmentation into the fewest tokens.

    All tokens of the `Unigram` model cost the same, so fewest wins: `t͡ʃ` is one token and never `t`, `͡`, `ʃ`.
    """
    tokens = (*vocabulary(), *segments)
    backend = Tokenizer(Unigram([(token, _score(token)) for token in tokens], unk_id=tokens.index(_UNK)))
    backend.normalizer = normalizer(unwanted)
    backend.post_processor = processors.TemplateProcessing(
        single=f"{_BOS} $A {_EOS}",
        pair=f"{_BOS} $A {_EOS} $B {_EOS}",
        special_tokens=[(token, tokens.index(token)) for token in (_BOS, _EOS)],
    )
    backend.decoder = decoders.Fuse()
    return backend


class _Beside:
    """What a tokenizer needs while it is used, and what no copy, pickle or hash of it may hold."""

    def __init__(self) -> None:
        self.lock = threading.RLock()
        self.words: tuple[Any, WordIds | None] = (None, None)
        self.warnings: dict[str, bool] = {}


def _after_fork() -> None:
    _all_lock.release()
    _all_beside.clear()


_all_beside: WeakKeyDictionary["IPATokenizer", _Beside] = WeakKeyDictionary()
_all_lock = threading.Lock()
if hasattr(os, "register_at_fork"):  # a lock that another thread held would stay locked in a forked process
    os.register_at_fork(before=_all_lock.acquire, after_in_parent=_all_lock.release, after_in_child=_after_fork)


class IPATokenizer(TokenizersBackend):
    """Turns IPA into ids, one for each segment, suprasegmental or lone diacritic: `<s> … </s>`, padded right.

    It has no `__init__` of its own: everything is in `tokenizer.json`, so `AutoTokenizer` gives the same ids where this
    package is not installed. What it does not know becomes `<unk>` (neighbouring unknown signs share one), is dropped,
    or is an error, as `build` was told; `unknown_symbols` tells which signs they are. No call leaves anything behind
    that another would notice, in this thread or in others: threads may share a tokenizer, each with its own settings.
    """

    @classmethod
    def build(
        cls,
        max_length: int = 256,
        *,
        unknown: Unknown = "unk",
        stress: bool = True,
        tone: bool = True,
        length: bool = True,
        segments: Sequence[str] = (),
    ) -> "IPATokenizer":
        """A new tokenizer over the whole segment table. What it is told here is saved with it.

        Args:
            max_length: Tokens at most, `<s>` and `</s>` among them, when called with `truncation=True`.
            unknown: What becomes of a sign that the vocabulary lacks. `"unk"`: the token `<unk>`. `"drop"`: nothing.
                `"error"`: a ValueError that names the signs, their places and their text; where this package is not
                installed, a tokenizer saved so acts as `"unk"`.
            stress: Whether `ˈ` and `ˌ` become tokens. False: they are left out, in the normal form, too.
            tone: The same for what the IPA chart lists under "Tones and word accents": tone letters and marks, down-
                and upstep, global rise and fall.
            length: The same for `ː`, `ˑ` and the extra-short breve.
            segments: Further segments, which take the ids after the default vocabulary's: combinations of base and
                diacritics that panphon's table lacks, but that its rules allow (see `composed_features`).

        Raises:
            ValueError: If `max_length` leaves no room for a token between `<s>` and `</s>`, `unknown` is none of the
                three, or a further segment is known already, has no features, or never occurs in a normal form.
        """
        if max_length < _LEAST_LENGTH:
            raise ValueError(f"max_length is {max_length}: it must be at least 3, for <s>, one token and </s>.")
        if unknown not in get_args(Unknown):
            raise ValueError(f"unknown is {unknown!r}: choose one of {', '.join(get_args(Unknown))}.")
        unwanted = _unwanted(unknown, stress, tone, length)
        backend = build_backend(unwanted, _further(segments, unwanted))
        return cls(
            tokenizer_object=backend,
            pad_token=_PAD,
            unk_token=_UNK,
            bos_token=_BOS,
            eos_token=_EOS,
            model_max_length=max_length,
            padding_side="right",
            truncation_side="right",
            clean_up_tokenization_spaces=False,
            **({} if unknown == "unk" else {"unknown": unknown}),
        )

    @property
    def unknown(self) -> Unknown:
        """What becomes of a sign that the vocabulary lacks: `"unk"`, `"drop"` or `"error"`."""
        return self.init_kwargs.get("unknown", "unk")

    def normalize(self, ipa: str) -> str:
        """The spelling the vocabulary uses: NFD, one space between words. Normal forms are their own normal form."""
        return self.backend_tokenizer.normalizer.normalize_str(ipa)

    def unknown_symbols(self, text: str) -> list[UnknownSymbol]:
        """The signs in `text` that become `<unk>`, are dropped or refused, one by one, in the order they stand."""
        if self.unknown == "drop":
            return default_tokenizer().unknown_symbols(text)
        with self._unset_backend() as backend:
            encoding = backend.encode(_half_pair.sub("\ufffd", text), add_special_tokens=False)
        positions = [
            position
            for token, (start, end) in zip(encoding.ids, encoding.offsets, strict=True)
            if token == self.unk_token_id
            for position in range(start, end)
            if not _invisible.match(text[position])
        ]
        return [UnknownSymbol(text[position], position) for position in before_sorting(text, positions)]

    def batch_ids(self, texts: Sequence[str]) -> list[list[int]]:
        """The same as `self(texts).input_ids`, without the rest that a call makes: no mask, padding or truncation.

        Raises:
            TypeError: If `texts` is one string, or holds something that is not a string.
            ValueError: If a text has an unknown sign and the tokenizer was built with `unknown="error"`.
        """
        if isinstance(texts, str):
            raise TypeError(f"batch_ids takes a list of texts, not one str: write batch_ids([{texts!r}]).")
        texts = list(texts)
        rows = self._rows(texts, True) if set(map(type, texts)) == {str} else None
        return self(texts, verbose=False).input_ids if rows is None else rows

    def _rows(self, texts: list[str], add_special_tokens: bool) -> list[list[int]] | None:
        """The ids of each text, put together from its words; None if the backend has to be asked itself.

        Words are looked up among those met before, so it is fast for text in which words repeat.
        """
        words = self._known_words()
        if words is None:
            return None
        try:
            rows = words.rows(texts, add_special_tokens)
        except UnicodeEncodeError:  # half of a surrogate pair, which the backend refuses
            return None
        left = [index for index, row in enumerate(rows) if row is None]
        if left:
            some = [texts[index] for index in left]
            with self._unset_backend() as backend:
                whole = backend.encode_batch_fast(some, add_special_tokens=add_special_tokens)
            for index, encoding in zip(left, whole, strict=True):
                rows[index] = encoding.ids
                if self.unknown == "error" and self.unk_token_id in encoding.ids:
                    return None
        return rows  # type: ignore[return-value]

    def _known_words(self) -> WordIds | None:
        """The words met before, as long as the backend has the same rules; None if it has not those of `build`."""
        beside = self._beside
        with self._unset_backend() as backend:
            rules = (len(self), *map(_state, (backend.normalizer, backend.pre_tokenizer, backend.post_processor)))
            if rules != beside.words[0]:
                added = [token.content for token in backend.get_added_tokens_decoder().values()]
                framed = backend.encode("").ids == [_BOS_ID, _EOS_ID]
                usual = framed and by_word(added) and backend.normalizer and not backend.pre_tokenizer
                steady = rules[1] == _default_rules()
                words = WordIds(backend, refuse_unknown=self.unknown == "error", steady=steady) if usual else None
                beside.words = (rules, words)
            return beside.words[1]

    @property
    def _beside(self) -> _Beside:
        with _all_lock:
            return _all_beside.get(self) or _all_beside.setdefault(self, _Beside())

    @property
    def deprecation_warnings(self) -> dict[str, bool]:
        """Which of transformers' warnings were given; it writes here while the tokenizer is used."""
        return self._beside.warnings

    @deprecation_warnings.setter
    def deprecation_warnings(self, warnings: dict[str, bool]) -> None:
        self._beside.warnings = warnings

    @contextmanager
    def _unset_backend(self) -> Iterator[Tokenizer]:
        """The backend with no call's padding and truncation, which it keeps, applies and saves; for one thread."""
        with self._beside.lock:
            self._forget_settings()
            yield self._tokenizer

    def _forget_settings(self) -> None:
        if self._tokenizer.truncation is not None:
            self._tokenizer.no_truncation()
        if self._tokenizer.padding is not None:
            self._tokenizer.no_padding()
        if self._tokenizer.encode_special_tokens != self.split_special_tokens:
            self._tokenizer.encode_special_tokens = self.split_special_tokens

    def _add_tokens(self, new_tokens: Any, special_tokens: bool = False) -> int:
        beside = self._beside
        with beside.lock:
            if beside.words[1]:
                # What earlier calls gave may yet ask the backend for its encodings: those without the new tokens.
                self._tokenizer: Tokenizer = copy.deepcopy(self.backend_tokenizer)
            beside.words = (None, None)
            return super()._add_tokens(new_tokens, special_tokens)

    def _save_pretrained(self, *args: Any, **kwargs: Any) -> Any:
        with self._unset_backend():
            return super()._save_pretrained(*args, **kwargs)

    def train_new_from_iterator(self, *args: Any, **kwargs: Any) -> NoReturn:
        """Not possible: the tokens are the segments of panphon's table, whose features the pronunciation tower reads.

        Raises:
            NotImplementedError: Always.
        """
        raise NotImplementedError(
            "The tokens of an IPATokenizer are the segments of a table, each with its phonetic features; they are not "
            "learned from texts. More segments: IPATokenizer.build(segments=[...])."
        )

    def _encode_plus(self, text: Any, text_pair: Any = None, *args: Any, **kwargs: Any) -> BatchEncoding:
        if text_pair is None and not args and isinstance(text, list | tuple) and set(map(type, text)) <= {str}:
            batch = self._encode_by_words(list(text), **kwargs)
            if batch is not None:
                return batch
        try:
            return self._encode_by_backend(text, text_pair, *args, **kwargs)
        except TypeError as error:
            for string in _strings((text, text_pair or ())):
                half = _half_pair.search(string)
                if half:
                    raise ValueError(
                        f"{string!r} has half of a surrogate pair at position {half.start()}, which is no character: "
                        "it was decoded wrongly, so read it again in its right encoding."
                    ) from error
            raise

    def _encode_by_words(
        self,
        texts: list[str],
        *,
        add_special_tokens: bool = True,
        padding_strategy: PaddingStrategy = PaddingStrategy.DO_NOT_PAD,
        truncation_strategy: TruncationStrategy = TruncationStrategy.DO_NOT_TRUNCATE,
        max_length: int | None = None,
        pad_to_multiple_of: int | None = None,
        padding_side: str | None = None,
        return_tensors: str | TensorType | None = None,
        return_token_type_ids: bool | None = None,
        return_attention_mask: bool | None = None,
        return_length: bool = False,
        verbose: bool = True,
        **others: Any,
    ) -> BatchEncoding | None:
        """The same as `_encode_by_backend` for a batch of single texts; None if an option needs the backend's answer.

        The backend computes offsets of every token, which is most of its time; here they wait until they are wanted.
        """
        longest = None if truncation_strategy == TruncationStrategy.DO_NOT_TRUNCATE else max_length
        if (
            any(others.values())
            or self.split_special_tokens
            or self._tokenizer.encode_special_tokens
            or truncation_strategy == TruncationStrategy.ONLY_SECOND
            or (longest is not None and longest < _LEAST_LENGTH)
            or (padding_strategy == PaddingStrategy.MAX_LENGTH and max_length is None)
        ):
            return None
        rows = self._rows(texts, add_special_tokens)
        if rows is None:
            return None
        truncation = padding = None
        if longest is not None:
            cut = sum(truncate(row, longest, self.truncation_side, add_special_tokens) for row in rows)
            _warn_of_truncation(cut)
            content = longest - 2 if add_special_tokens else longest
            truncation = {"max_length": content, "direction": self.truncation_side}
        data: dict[str, Any] = {"input_ids": rows}
        if return_token_type_ids or (return_token_type_ids is None and "token_type_ids" in self.model_input_names):
            data["token_type_ids"] = [[0] * len(row) for row in rows]
        if return_attention_mask or (return_attention_mask is None and "attention_mask" in self.model_input_names):
            data["attention_mask"] = [[1] * len(row) for row in rows]
        if padding_strategy != PaddingStrategy.DO_NOT_PAD:
            to_max = padding_strategy == PaddingStrategy.MAX_LENGTH and max_length is not None
            length: int = max_length if to_max else max(map(len, rows), default=0)  # type: ignore[assignment]
            if pad_to_multiple_of:
                length = math.ceil(length / pad_to_multiple_of) * pad_to_multiple_of
            padding = {
                "length": length,
                "direction": padding_side or self.padding_side,
                "pad_id": self.pad_token_id,
                "pad_type_id": self.pad_token_type_id,
                "pad_token": self.pad_token,
            }
            fillers = {"input_ids": self.pad_token_id, "token_type_ids": self.pad_token_type_id, "attention_mask": 0}
            for key, values in data.items():
                pad(values, length, fillers[key], padding["direction"])
        if return_length:
            data["length"] = list(map(len, rows))
        if max(map(len, rows), default=0) > self.model_max_length:
            for row in rows:
                self._eventual_warn_about_too_long_sequence(row, max_length, verbose)
        encode = partial(self._encodings, self._tokenizer, texts, add_special_tokens, truncation, padding)
        return LazyBatchEncoding.of(data, encode, return_tensors)

    def _encodings(self, *given: Any) -> list[Encoding]:
        with self._beside.lock:
            return encodings_of(*given)

    def _encode_by_backend(self, text: Any, text_pair: Any = None, *args: Any, **kwargs: Any) -> BatchEncoding:
        with self._beside.lock:
            try:
                batch = super()._encode_plus(text, text_pair, *args, **kwargs)
            finally:
                self._forget_settings()
        encodings = batch.encodings or []
        if self.unknown == "error" and any(
            self.unk_token_id in part.ids for encoding in encodings for part in (encoding, *encoding.overflowing)
        ):
            raise ValueError(self._refusal(text, text_pair))
        if not kwargs.get("return_overflowing_tokens"):
            _warn_of_truncation(
                sum(part.special_tokens_mask.count(0) for encoding in encodings for part in encoding.overflowing)
            )
        return batch

    def _refusal(self, text: Any, text_pair: Any) -> str:
        """Which signs of which of the call's texts are unknown, at most `_NAMED_SIGNS` of them by name."""
        first, second = (
            [] if part is None else [part] if isinstance(part, str) else part for part in (text, text_pair)
        )
        texts = [
            (index, string) for part in (first, second) for index, row in enumerate(part) for string in _strings(row)
        ]
        found = [(index, string, symbol) for index, string in texts for symbol in self.unknown_symbols(string)]
        named = "; ".join(
            f"{symbol!r} at position {position} of {string!r}" + (f" (text {index})" if len(texts) > 1 else "")
            for index, string, (symbol, position) in found[:_NAMED_SIGNS]
        )
        more = f"; and {len(found) - _NAMED_SIGNS} more" if len(found) > _NAMED_SIGNS else ""
        return (
            f"Not IPA: {named}{more}. Spell them in IPA (to_ipa converts other notations), or build the tokenizer with "
            "unknown='unk' or unknown='drop'."
        )


def _warn_of_truncation(cut: int) -> None:
    if cut:
        logger.warning("Truncation cut %d tokens of IPA: raise max_length, or give shorter texts.", cut)


@lru_cache(maxsize=1)
def _default_rules() -> bytes | None:
    return _state(normalizer())


def _state(part: Any) -> bytes | None:
    return None if part is None else part.__getstate__()


def _strings(row: Any) -> Iterator[str]:
    """The strings in one row of a call: a text, a pair of texts, words, or a pair of lists of words."""
    if isinstance(row, str):
        yield row
    elif isinstance(row, list | tuple):
        for part in row:
            yield from _strings(part)


def _further(segments: Sequence[str], unwanted: str) -> tuple[str, ...]:
    """The further segments, checked.

    Raises:
        ValueError: If one is known already, has no features, or never occurs in a normal form.
    """
    if isinstance(segments, str):
        raise TypeError(f"segments takes a list of segments, not one str: write segments=[{segments!r}].")
    for segment in segments:
        if respell(segment) != segment:
            raise ValueError(f"The segment {segment!r} is not in normal spelling: write it {respell(segment)!r}.")
        if unwanted and re.search(unwanted, segment):
            raise ValueError(f"The segment {segment!r} has a mark that this tokenizer leaves out.")
    check_segments(segments)
    return tuple(segments)


@lru_cache(maxsize=1)
def default_tokenizer() -> IPATokenizer:
    """The tokenizer as it is built without options, once a process."""
    return IPATokenizer.build()
