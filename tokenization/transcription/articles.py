"""The English "a": the article, which is weak (/ə/), or the letter, which is said by its name (/eɪ/).

A text is taken apart at white space. In a chunk with more than it, "a" is the letter: "a.m.", "A-team", "A/B", "a)". A
chunk of "a" alone, in quotation marks or brackets or not, is what its neighbours make it; the other languages that have
such a word have one sound for it.
"""

import re

ARTICLE = "ə"
"""How the article sounds in company."""


def _words(listed: str) -> frozenset[str]:
    return frozenset(listed.split())


_ALONE = re.compile(r"[^\w\s.&+/@#=-]*[(\[{]?[\"'“‘«*_]*[aA](?:(?<=[(\[{][aA])[)\]}])?[\"'”’»*_]*")
_LONGEST = 6  # signs of such a chunk
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
    places = _places(chunks, "A") if "A" in chunks else []
    if "a" in chunks:
        places += [place for place in _places(chunks, "a") if not _goes_on_plainly(chunks, place)]
    for end in {0, len(chunks) - 1} if chunks else ():
        chunk = chunks[end]
        if 1 < len(chunk) <= _LONGEST and ("a" in chunk or "A" in chunk) and _ALONE.fullmatch(chunk):
            places.append(end)
    if places:
        settled = [chunks[place].lower() if _is_article(chunks, place) else chunks[place].upper() for place in places]
        for place, chunk in zip(places, settled, strict=True):
            chunks[place] = chunk


def _places(chunks: list[str], alone: str) -> list[int]:
    places, place = [], -1
    for _ in range(chunks.count(alone)):
        place = chunks.index(alone, place + 1)
        places.append(place)
    return places


def _goes_on_plainly(chunks: list[str], place: int) -> bool:
    """Whether "a" is the article at first sight, as it nearly always is."""
    following = chunks[place + 1] if place + 1 < len(chunks) else ""
    return (
        len(following) > 1
        and following.isalpha()
        and following.lower() not in _TELLING
        and (place == 0 or chunks[place - 1].lower() not in _NAMED_BY_LETTER)
    )


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
