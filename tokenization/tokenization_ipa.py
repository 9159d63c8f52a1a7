"""IPATokenizer: IPA strings → phoneme ids, as a plain `tokenizer.json` that needs none of this package to load."""

import logging
import re
from collections.abc import Iterator, Sequence
from functools import lru_cache
from itertools import chain
from typing import Any, Literal, NamedTuple, cast, get_args

from tokenizers import Regex, Tokenizer, decoders, normalizers, processors
from tokenizers.models import Unigram
from transformers import BatchEncoding
from transformers.tokenization_utils_tokenizers import TokenizersBackend

from .charsmap import charsmap_steps
from .segments import (
    LENGTHS,
    MODIFIERS,
    PITCHES,
    SPECIAL_TOKENS,
    STRESSES,
    WORD_BOUNDARY,
    check_segments,
    vocabulary,
)
from .spelling import INVISIBLE, MARKS, NOT_BY_WORD, SIGNS, Spelling, respell, signs

logger = logging.getLogger(__name__)

Unknown = Literal["unk", "drop", "error"]

_PAD, _UNK, _BOS, _EOS = SPECIAL_TOKENS
_BOS_ID, _EOS_ID = SPECIAL_TOKENS.index(_BOS), SPECIAL_TOKENS.index(_EOS)
_REMEMBERED_WORDS = 200_000
_NAMED_SIGNS = 20
_MANY_RULES = 4
_invisible = re.compile(INVISIBLE)
_not_by_word = re.compile(NOT_BY_WORD)


class UnknownSymbol(NamedTuple):
    """A sign that the vocabulary lacks, and where it stands in the text as it was given (in code points, from 0)."""

    symbol: str
    position: int


def _score(token: str) -> float:
    # In `aˀt` the mark belongs to what precedes it, though panphon has both `aˀ` and `ˀt`.
    return -1.001 if token[0] in MODIFIERS else -1.0


def _steps(spellings: Sequence[Spelling]) -> list[normalizers.Normalizer]:
    """The rules as normalizers. Rules of one sign that follow each other run as one character map."""
    steps: list[normalizers.Normalizer] = []
    run: list[Spelling] = []
    for rule in (*spellings, None):
        if rule and not rule.pattern and len(rule.source) == 1 and rule.target:
            run.append(rule)
            continue
        steps += _run_steps(run)
        run = []
        if rule:
            steps.append(_replace(rule))
    return steps


def _replace(rule: Spelling) -> normalizers.Normalizer:
    return normalizers.Replace(Regex(rule.source) if rule.pattern else rule.source, rule.target)


def _run_steps(run: list[Spelling]) -> list[normalizers.Normalizer]:
    if len(run) < _MANY_RULES:
        return [_replace(rule) for rule in run]
    targets: dict[str, str] = {}
    for rule in run:
        # A later rule sees what an earlier one wrote.
        targets = {source: target.replace(rule.source, rule.target) for source, target in targets.items()}
        targets.setdefault(rule.source, rule.target)
    return charsmap_steps(targets)


def _normalizer(unwanted: str) -> normalizers.Normalizer:
    """Normal spelling; then, if there is such a pattern, without what is unwanted.

    The rules write marks: NFD after them puts these in order. Where something is taken out, signs meet that did not
    before, so the rules run once more.
    """
    nfd = normalizers.NFD()
    rules = [nfd, *_steps(SIGNS), nfd, *_steps(MARKS), nfd]
    again = [normalizers.Replace(Regex(unwanted), ""), *rules] if unwanted else []
    return normalizers.Sequence([*rules, *again, normalizers.Strip()])


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
    backend.normalizer = _normalizer(unwanted)
    backend.post_processor = processors.TemplateProcessing(
        single=f"{_BOS} $A {_EOS}",
        pair=f"{_BOS} $A {_EOS} $B {_EOS}",
        special_tokens=[(token, tokens.index(token)) for token in (_BOS, _EOS)],
    )
    backend.decoder = decoders.Fuse()
    return backend


class IPATokenizer(TokenizersBackend):
    """Turns IPA into ids, one for each segment, suprasegmental or lone diacritic: `<s> … </s>`, padded right.

    It has no `__init__` of its own: everything is in `tokenizer.json`, so `AutoTokenizer` gives the same ids where this
    package is not installed. What it does not know becomes `<unk>` (neighbouring unknown signs share one), is dropped,
    or is an error, as `build` was told; `unknown_symbols` tells which signs they are. No call leaves anything behind
    that another would notice.
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
        if max_length < 3:
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
            return _reporter().unknown_symbols(text)
        self._forget_settings()
        encoding = self.backend_tokenizer.encode(text, add_special_tokens=False)
        return [
            UnknownSymbol(text[position], position)
            for token, (start, end) in zip(encoding.ids, encoding.offsets, strict=True)
            if token == self.unk_token_id
            for position in range(start, end)
            if not _invisible.match(text[position])
        ]

    def batch_ids(self, texts: Sequence[str]) -> list[list[int]]:
        """The same as `self(texts).input_ids`, many times faster: ids only, without offsets, padding or truncation.

        Words are looked up among those met before (at most 200,000; parted by spaces, no rule of spelling looks across
        one), so it is fast for text in which words repeat.

        Raises:
            TypeError: If `texts` is one string.
            ValueError: If a text has an unknown sign and the tokenizer was built with `unknown="error"`.
        """
        if isinstance(texts, str):
            raise TypeError(f"batch_ids takes a list of texts, not one str: write batch_ids([{texts!r}]).")
        known = self._known_words()
        rows = [list(map(known.get, text.split(" "))) for text in texts]
        missing = [index for index, row in enumerate(rows) if None in row]
        new = {word for index in missing for word in texts[index].split(" ")}.difference(known)
        known.update(self._word_ids(list(new)))
        for index in missing:
            rows[index] = list(map(known.get, texts[index].split(" ")))
        whole = [texts[index] for index in missing if None in rows[index]]
        if whole and self.unknown == "error":
            return self(list(texts), verbose=False).input_ids
        others = iter(self(whole, verbose=False).input_ids if whole else ())
        return [next(others) if None in row else self._join(row) for row in rows]

    def _join(self, words: list[tuple[int, ...] | None]) -> list[int]:
        row = [_BOS_ID, *chain.from_iterable(cast(list[tuple[int, ...]], words))]
        if len(row) == 1:
            row.append(_EOS_ID)
        row[-1] = _EOS_ID
        return row

    def _word_ids(self, words: list[str]) -> Iterator[tuple[str, tuple[int, ...] | None]]:
        """Each word with its ids and a word boundary's; none if it has no sound; None if it takes its whole text."""
        self._forget_settings()
        boundary = self.convert_tokens_to_ids(WORD_BOUNDARY)
        refused = self.unk_token_id if self.unknown == "error" else None
        encodings = self._tokenizer.encode_batch_fast(words, add_special_tokens=False)
        for word, encoding in zip(words, encodings, strict=True):
            ids = encoding.ids
            if _not_by_word.search(word) or refused in ids:
                yield word, None
            else:
                yield word, (*ids, boundary) if ids else ()

    def _known_words(self) -> dict[str, tuple[int, ...] | None]:
        size, words = self.__dict__.setdefault("_words", (len(self), {}))
        if size != len(self) or len(words) > _REMEMBERED_WORDS:
            words = {}
            self._words = (len(self), words)
        return words

    def __getstate__(self) -> dict[str, Any]:
        return {name: value for name, value in self.__dict__.items() if name != "_words"}

    def _forget_settings(self) -> None:
        """Take the last call's padding and truncation off the backend, which keeps, applies and saves them."""
        if self._tokenizer.truncation is not None:
            self._tokenizer.no_truncation()
        if self._tokenizer.padding is not None:
            self._tokenizer.no_padding()

    def _encode_plus(self, text: Any, text_pair: Any = None, *args: Any, **kwargs: Any) -> BatchEncoding:
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
            cut = sum(part.special_tokens_mask.count(0) for encoding in encodings for part in encoding.overflowing)
            if cut:
                logger.warning("Truncation cut %d tokens of IPA: raise max_length, or give shorter texts.", cut)
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


def _strings(row: Any) -> Iterator[str]:
    """The strings in one row of a call: a text, a pair of texts, words, or a pair of lists of words."""
    if isinstance(row, str):
        yield row
    else:
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
def _reporter() -> IPATokenizer:
    """The default tokenizer, which keeps what another drops."""
    return IPATokenizer.build()
