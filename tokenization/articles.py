"""The English "a": the article, which is weak (/ə/), or the letter, which is said by its name (/eɪ/).

A text is taken apart at white space. In a chunk with more than it, "a" is the letter: "a.m.", "A-team", "A/B", "a)". A
chunk of "a" alone, in quotation marks or brackets or not, is what its neighbours make it; the other languages that have
such a word have one sound for it.
"""

import re

ARTICLE = "ə"
"""How the article sounds in company."""

_ALONE = re.compile(r"[^\w\s.&+/@#=-]*[(\[{]?[\"'“‘«*_]*[aA](?:(?<=[(\[{][aA])[)\]}])?[\"'”’»*_]*")
_LONGEST = 6  # signs of such a chunk
_BETWEEN = frozenset("&+=/-–−×*<>→")  # signs that stand between letters, not between an article and its noun
# No noun phrase goes on so: what stands before these is no article.
_NO_NOUN = re.compile(
    "an?|the|to|and|n?or|of|in|on|at|by|for|from|with|as|than|is|was|are|were|has|had|isn't|wasn't"
).fullmatch
_BETWEEN_LETTERS = re.compile("through|thru|versus|vs|plus|minus|times|equals|over").fullmatch
_NAMED_BY_LETTER = re.compile(
    "an|the|my|your|his|her|its|our|their|letter|capital|vitamin|hepatitis|influenza"
).fullmatch
_SENTENCE_ENDS = re.compile(r"(?:[!?…:]|(?<=[a-z]{3})\.)[\"'”’»)\]]*$")


def spoken_article(chunk: str) -> str | None:
    """How a settled chunk sounds if it is the article, else None."""
    return ARTICLE if len(chunk) <= _LONGEST and "a" in chunk and _ALONE.fullmatch(chunk) else None


def settle_articles(chunks: list[str]) -> None:
    """Of the chunks of one text, write each article with a small letter, and each letter "a" alone with a capital."""
    places = [
        place
        for place, chunk in enumerate(chunks)
        if len(chunk) <= _LONGEST and ("a" in chunk or "A" in chunk) and _ALONE.fullmatch(chunk)
    ]
    if places:
        settled = [chunks[place].lower() if _is_article(chunks, place) else chunks[place].upper() for place in places]
        for place, chunk in zip(places, settled, strict=True):
            chunks[place] = chunk


def _is_article(chunks: list[str], place: int) -> bool:
    following = [chunk for chunk in chunks[place + 1 : place + 6] if _has_letters(chunk)]
    if not following or chunks[place + 1] in _BETWEEN:
        return False  # a noun must follow
    if "A" in chunks[place] and not _may_be_capital(chunks, place):
        return False
    if place and _NAMED_BY_LETTER(_bare(chunks[place - 1])):
        return False
    after = [_bare(chunk) for chunk in following[:2]] + [""]
    if _NO_NOUN(after[0]) or (_BETWEEN_LETTERS(after[0]) and len(after[1]) == 1):
        return False
    # "a b c" are letters; "a B movie" and "A T shirt" are not.
    letters = len(after[0]) == 1 and after[0].isalpha() and len(after[1]) <= 1
    return not (letters and following[0].isupper() == ("A" in chunks[place]))


def _may_be_capital(chunks: list[str], place: int) -> bool:
    """Whether a sentence begins there, or all is written in capitals."""
    before = [chunk for chunk in chunks[:place] if _has_letters(chunk)]
    return not before or _SENTENCE_ENDS.search(before[-1]) is not None or all(map(str.isupper, before))


def _has_letters(chunk: str) -> bool:
    return any(map(str.isalnum, chunk))


def _bare(chunk: str) -> str:
    return chunk.lower().strip("\"'“”‘’«»()[]{}.,;:!?…*_").replace("’", "'")
