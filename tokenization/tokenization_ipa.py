"""IPATokenizer: IPA strings → phoneme ids, as a plain `tokenizer.json` that needs none of this package to load."""

import logging
from typing import Any, NamedTuple

from tokenizers import Regex, Tokenizer, decoders, normalizers, processors
from tokenizers.models import Unigram
from transformers import BatchEncoding
from transformers.tokenization_utils_tokenizers import TokenizersBackend

from .segments import MODIFIERS, SPECIAL_TOKENS, vocabulary
from .spelling import MARKS, SIGNS, Spelling

logger = logging.getLogger(__name__)

_PAD, _UNK, _BOS, _EOS = SPECIAL_TOKENS


class UnknownSymbol(NamedTuple):
    """A sign that the vocabulary lacks, and where it stands in the text as it was given (in code points, from 0)."""

    symbol: str
    position: int


def _score(token: str) -> float:
    # In `aˀt` the mark belongs to what precedes it, though panphon has both `aˀ` and `ˀt`.
    return -1.001 if token[0] in MODIFIERS else -1.0


def _rules(spellings: tuple[Spelling, ...]) -> list[normalizers.Replace]:
    return [normalizers.Replace(Regex(s.source) if s.pattern else s.source, s.target) for s in spellings]


def build_backend() -> Tokenizer:
    """The tokenizer itself: normal spelling, then the segmentation into the fewest tokens.

    All tokens of the `Unigram` model cost the same, so fewest wins: `t͡ʃ` is one token and never `t`, `͡`, `ʃ`.
    """
    tokens = vocabulary()
    backend = Tokenizer(Unigram([(token, _score(token)) for token in tokens], unk_id=tokens.index(_UNK)))
    # The rules write marks: NFD after them puts these in order.
    nfd, strip = normalizers.NFD(), normalizers.Strip()
    backend.normalizer = normalizers.Sequence([nfd, *_rules(SIGNS), nfd, *_rules(MARKS), nfd, strip])
    backend.post_processor = processors.TemplateProcessing(
        single=f"{_BOS} $A {_EOS}",
        pair=f"{_BOS} $A {_EOS} $B {_EOS}",
        special_tokens=[(token, tokens.index(token)) for token in (_BOS, _EOS)],
    )
    backend.decoder = decoders.Fuse()
    return backend


class IPATokenizer(TokenizersBackend):
    """Turns IPA into ids, one for each segment, suprasegmental or lone diacritic: `<s> … </s>`, padded right.

    It has no state and no `__init__` of its own: everything is in `tokenizer.json`, so `AutoTokenizer` gives the same
    ids where this package is not installed. What it does not know becomes `<unk>` (neighbouring unknown signs share
    one); `unknown_symbols` tells which they are.
    """

    @classmethod
    def build(cls, max_length: int = 256) -> "IPATokenizer":
        """A new tokenizer over the whole segment table.

        Args:
            max_length: Tokens at most, `<s>` and `</s>` among them, when called with `truncation=True`.

        Raises:
            ValueError: If `max_length` leaves no room for a token between `<s>` and `</s>`.
        """
        if max_length < 3:
            raise ValueError(f"max_length is {max_length}: it must be at least 3, for <s>, one token and </s>.")
        return cls(
            tokenizer_object=build_backend(),
            pad_token=_PAD,
            unk_token=_UNK,
            bos_token=_BOS,
            eos_token=_EOS,
            model_max_length=max_length,
            padding_side="right",
            truncation_side="right",
            clean_up_tokenization_spaces=False,
        )

    def normalize(self, ipa: str) -> str:
        """The spelling the vocabulary uses: NFD, one space between words. Normal forms are their own normal form."""
        return self.backend_tokenizer.normalizer.normalize_str(ipa)

    def unknown_symbols(self, text: str) -> list[UnknownSymbol]:
        """The signs in `text` that become `<unk>`, one by one, in the order they stand."""
        encoding = self(text, add_special_tokens=False, verbose=False).encodings[0]
        return [
            UnknownSymbol(text[position], position)
            for token, (start, end) in zip(encoding.ids, encoding.offsets, strict=True)
            if token == self.unk_token_id
            for position in range(start, end)
        ]

    def _encode_plus(self, *args: Any, **kwargs: Any) -> BatchEncoding:
        batch = super()._encode_plus(*args, **kwargs)
        if not kwargs.get("return_overflowing_tokens"):
            cut = sum(
                part.special_tokens_mask.count(0) for encoding in batch.encodings or () for part in encoding.overflowing
            )
            if cut:
                logger.warning("Truncation cut %d tokens of IPA: raise max_length, or give shorter texts.", cut)
        return batch
