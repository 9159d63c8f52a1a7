"""The table of spellings as a normalizer of the package `tokenizers`: what a tokenizer is saved with."""

from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache
from itertools import groupby

from tokenizers import Regex, normalizers

from .charsmap import charsmap_steps
from .phonemes.mark_order import STAND_INS, order_steps
from .phonemes.spelling import SIGNS, Spelling, readings


def _steps(spellings: Sequence[Spelling]) -> list[normalizers.Normalizer]:
    """The rules as normalizers. Rules of one sign that follow each other run as one character map.

    That map also writes `STAND_INS` for marks: so does what comes after it, and reads them.
    """
    steps: list[normalizers.Normalizer] = []
    written: Mapping[int, str] = {}
    for is_sign, rules in groupby(spellings, key=lambda rule: not rule.pattern and len(rule.source) == 1):
        if is_sign:
            steps += charsmap_steps(_map_of(rules))
            written = str.maketrans(STAND_INS)
            continue
        for rule in rules:
            source = rule.source.translate(written)
            steps.append(normalizers.Replace(Regex(source) if rule.pattern else source, rule.target.translate(written)))
    return steps


def _map_of(rules: Iterable[Spelling]) -> dict[str, str]:
    targets: dict[str, str] = {}
    for rule in rules:
        # A later rule sees what an earlier one wrote.
        targets = {source: target.replace(rule.source, rule.target) for source, target in targets.items()}
        targets.setdefault(rule.source, rule.target)
    written = str.maketrans(STAND_INS)
    return {**STAND_INS, **{source: target.translate(written) for source, target in targets.items()}}


@lru_cache(maxsize=1)
def normalizer(unwanted: str = "") -> normalizers.Normalizer:
    """Normal spelling; then, if there is such a pattern, without what is unwanted.

    NFD at the end puts the marks in Unicode's order. Where something is taken out, signs meet that did not before, so
    the rules run once more.

    Args:
        unwanted: A pattern, empty if nothing is.
    """
    rules = [normalizers.NFD(), *_steps(SIGNS), *order_steps(readings()), normalizers.NFD()]
    again = [normalizers.Replace(Regex(unwanted), ""), *rules] if unwanted else []
    return normalizers.Sequence([*rules, *again, normalizers.Strip()])
