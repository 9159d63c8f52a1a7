"""The English "a": the article, which is weak (/ə/), or the letter, which is said by its name (/eɪ/).

A text is taken apart at white space. In a chunk with more than it, "a" is the letter: "a.m.", "A-team", "A/B", "a)". A
chunk of "a" alone, in quotation marks or brackets or not, is what its neighbours make it; the other languages that have
such a word have one sound for it.
"""

import re
from functools import lru_cache

ARTICLE = "ə"
"""How the article sounds in company."""


def _words(listed: str) -> frozenset[str]:
    return frozenset(listed.split())


_ALONE = re.compile(r"[^\w\s.&+/@#=-]*[(\[{]?[\"'“‘«*_]*[aA](?:(?<=[(\[{][aA])[)\]}])?[\"'”’»*_]*")
_LONGEST = 6  # signs of such a chunk
_REMEMBERED = 8192  # chunks
_ARTICLES = frozenset("aA")
_BETWEEN = frozenset("&+=/-–−×*<>→")  # signs that stand between letters, not between an article and its noun
# No noun phrase goes on so: what stands before these is no article.
_NO_NOUN = _words("a an the to and or nor of in on at by for from with as than is was are were has had isn't wasn't")
_BETWEEN_LETTERS = _words("through thru versus vs plus minus times equals over")
_TELLING = _NO_NOUN | _BETWEEN_LETTERS
_NAMED_BY_LETTER = _words("an the my your his her its our their letter capital vitamin hepatitis influenza")
_SENTENCE_ENDS = re.compile(r"(?:[!?…:]|(?<=[a-z]{3})\.)[\"'”’»)\]]*$")


def spoken_article(chunk: str) -> str | None:
    """How a settled chunk sounds if it is the article, else None."""
    return ARTICLE if len(chunk) <= _LONGEST and "a" in chunk and _ALONE.fullmatch(chunk) else None


def settle_articles(chunks: list[str]) -> None:
    """Of the chunks of one text, write each article with a small letter, and each letter "a" alone with a capital.

    Marks around it are looked through at the text's ends; elsewhere "a" in marks is the article, "A" the letter.
    """
    if not chunks:
        return
    places, last = [], len(chunks) - 1
    for place, chunk in enumerate(chunks):
        if chunk not in _ARTICLES:
            continue
        if not _goes_on_plainly(chunks, place) or (chunk == "A" and place):
            places.append(place)
        elif chunk == "A":
            chunks[0] = "a"  # a sentence begins with it
    places += [end for end in ((0, last) if last else (0,)) if _is_marked(chunks[end])]
    if places:
        settled = [chunks[place].lower() if _is_article(chunks, place) else chunks[place].upper() for place in places]
        for place, chunk in zip(places, settled, strict=True):
            chunks[place] = chunk


@lru_cache(maxsize=_REMEMBERED)
def _is_marked(chunk: str) -> bool:
    """Whether the chunk is an "a" with marks around it."""
    return 1 < len(chunk) <= _LONGEST and ("a" in chunk or "A" in chunk) and _ALONE.fullmatch(chunk) is not None


@lru_cache(maxsize=_REMEMBERED)
def _is_plain(following: str) -> bool:
    return len(following) > 1 and following.isalpha() and following.lower() not in _TELLING


@lru_cache(maxsize=_REMEMBERED)
def _names_letters(before: str) -> bool:
    return before.lower() in _NAMED_BY_LETTER


def _goes_on_plainly(chunks: list[str], place: int) -> bool:
    """Whether "a" is the article at first sight, as it nearly always is."""
    if place == len(chunks) - 1 or not _is_plain(chunks[place + 1]):
        return False
    return place == 0 or not _names_letters(chunks[place - 1])


def _is_article(chunks: list[str], place: int) -> bool:
    if place and chunks[place - 1].lower() in _NAMED_BY_LETTER:
        return False
    following = [chunk for chunk in chunks[place + 1 : place + 12] if _has_letters(chunk)][:2]
    if not following or chunks[place + 1] in _BETWEEN:
        return False  # a noun must follow
    after, then = (_bare(chunk) for chunk in (*following, "")[:2])
    if after in _NO_NOUN or ("A" in chunks[place] and not _may_be_capital(chunks, place)):
        return False
    if len(then) > 1 or (len(after) > 1 and not then):
        return True
    # "A through Z", "a b c"; but "a B movie" and "A T shirt".
    if len(after) > 1:
        return after not in _BETWEEN_LETTERS
    return not after.isalpha() or following[0].isupper() != ("A" in chunks[place])


def _may_be_capital(chunks: list[str], place: int) -> bool:
    """Whether a sentence begins there, or all is written in capitals."""
    before = [chunk for chunk in chunks[:place] if _has_letters(chunk)]
    return not before or _SENTENCE_ENDS.search(before[-1]) is not None or all(map(str.isupper, before))


def _has_letters(chunk: str) -> bool:
    return any(map(str.isalnum, chunk))


def _bare(chunk: str) -> str:
    return chunk.lower().strip("\"'“”‘’«»()[]{}.,;:!?…*_").replace("’", "'")
