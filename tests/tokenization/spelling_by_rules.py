"""The normal spelling as the table says it, rule by rule and mark by mark in plain Python: slow, and easy to check."""

import re
import unicodedata

from ipaclip.tokenization.phonemes import mark_order
from ipaclip.tokenization.phonemes.mark_order import NO_TONE, TONE_MARKS
from ipaclip.tokenization.phonemes.spelling import MARKS, SIGNS


def classes(stand_ins: dict[str, str]) -> dict[str, int]:
    return {mark: unicodedata.combining(stand_in) for mark, stand_in in stand_ins.items()}


FIRST, LAST = classes(mark_order._BEFORE_READING), classes(mark_order._MARKS)


def by_rules(text: str) -> str:
    text = unicodedata.normalize("NFD", text)
    for rule in SIGNS:
        text = re.sub(rule.source, rule.target, text) if rule.pattern else text.replace(rule.source, rule.target)
    return unicodedata.normalize("NFD", in_order(text)).strip(" ")


def in_order(text: str) -> str:
    """The text with the marks of each letter in order, and tone marks read: as letters, or with their consonant."""
    for sign in mark_order._NO_IPA:
        text = text.replace(sign, "\ufffd")
    for pattern, held in mark_order._held({}):
        text = re.sub(pattern, held, text)
    text = in_places(text, FIRST)
    for pattern in mark_order._second_tone_marks({}):
        text = re.sub(pattern, "\ufffd", text)
    read = {letter + mark: letter + mark for letter in NO_TONE for mark in TONE_MARKS}
    read |= {in_places(rule.source, FIRST): rule.target for rule in MARKS}
    text = re.sub("|".join(sorted(read, key=len, reverse=True)), lambda found: read[found[0]], text)
    text = in_places(text, LAST)
    for mark, held in mark_order._HELD.items():
        text = text.replace(held, mark)
    for as_sorted, as_in_table in mark_order._AS_IN_TABLE:
        text = re.sub(as_sorted, as_in_table, text)
    return text


def in_places(text: str, places: dict[str, int]) -> str:
    """Each run of marks in the order of their places, which are combining classes unless they are given."""

    def place(sign: str) -> int:
        return places.get(sign, unicodedata.combining(sign))

    runs: list[str] = []
    for sign in text:
        if runs and bool(place(sign)) == bool(place(runs[-1][-1])):
            runs[-1] += sign
        else:
            runs.append(sign)
    return "".join("".join(sorted(run, key=place)) if place(run[0]) else run for run in runs)
