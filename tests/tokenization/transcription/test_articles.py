"""The English "a": the article or the letter."""

import pytest
from ipaclip.tokenization import get_transcriber

ARTICLE = [
    "a butterfly",
    "A butterfly",
    "A cat and a dog",
    "the cat saw a dog",
    "(A cat)",
    "(A) cat",
    "“A cat,” he said",
    "—a cat",
    "🦋 A cat",
    "a 🦋 cat",
    "Look! A cat",
    "It is here. A cat came",
    "THIS IS A CAT",
    "a by-product",
    "a to-do list",
    "a for-profit firm",
    "a B movie",
    "A T shirt",
    "a 5 year old",
    "plan a trip",
    "type a letter",
    "a plus for us",
    "I got a B",
]
LETTER = [
    "a",
    "A",
    "a.",
    "“a”",
    "a!",
    "a.m.",
    "A.M.",
    "10 a.m. today",
    "A to Z",
    "a to z",
    "A through Z",
    "A-team",
    "A-frame",
    "a-frame",
    "A/B test",
    "a/b test",
    "A+",
    "A+ grade",
    "A & E",
    "a + b",
    "a b c",
    "A B C",
    "a, b and c",
    "a) first",
    "A. Smith",
    "Dr. A Smith",
    "vitamin a",
    "vitamin A",
    "vitamin a deficiency",
    "hepatitis A is bad",
    "side a",
    "plan A works",
    "grade A",
    "type a",
    "the A team",
    "an a in maths",
    "a is for apple",
    "A is for apple",
]


def said(text: str) -> list[str]:
    pytest.importorskip("espeakng_loader")
    return get_transcriber("eng-Latn").transcribe([text])[0].replace("ˌ", "ˈ").split()


@pytest.mark.parametrize("text", ARTICLE)
def test_article(text: str) -> None:
    assert "ə" in said(text)
    assert "ˈeɪ" not in said(text)


@pytest.mark.parametrize("text", LETTER)
def test_letter(text: str) -> None:
    assert "ˈeɪ" in said(text)
    assert "ə" not in said(text)


@pytest.mark.parametrize("language", ["eng-Latn-gb", "eng-Latn-scotland"])
def test_accents(language: str) -> None:
    pytest.importorskip("espeakng_loader")
    weak, strong = get_transcriber(language).transcribe(["a cat", "A-team"])
    assert weak.split()[0] == "ə"
    assert strong.split()[0] == get_transcriber(language).transcribe(["A"])[0]


def test_other_languages_have_one_a() -> None:
    pytest.importorskip("espeakng_loader")
    whole, *words = get_transcriber("ita-Latn").transcribe(["a casa", "a", "casa"])
    assert whole == " ".join(words)
