"""What of a text is a word, what is not spoken, and which letters are of another script."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from ipaclip.tokenization.transcription.words import split_words, unreadable_letters, unspoken


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("Hello, world!", ["Hello", "world"]),
        ("don’t 'quote' dogs'", ["don't", "quote", "dogs"]),
        ("well-known—yes", ["well", "known", "yes"]),
        ("3.5 of 1,000. End,then", ["3.5", "of", "1,000", "End", "then"]),
        ("cafe\u0301", ["caf\u00e9"]),
        ("soft\u00adhyphen \u200ba\ufe0f", ["softhyphen", "a"]),
        ("हिन्दी नमस्ते", ["हिन्दी", "नमस्ते"]),
        ("می\u200cروم", ["می\u200cروم"]),
        ("🦋 … \u0301 '", []),
        ("", []),
        ("Dr. Who, U.S., e.g. this", ["Dr", "Who", "U", "S", "e", "g", "this"]),
        ("10:30 1/2 50% -7 3rd", ["10", "30", "1", "2", "50", "7", "3rd"]),
        ("3\ufe0f\u20e3", ["3"]),  # the keycap emoji of a digit
        ("https://a.org/b?c=1", ["https", "a", "org", "b", "c", "1"]),
        ("me@a.org", ["me", "a", "org"]),
        ("#NoFilter @you_all", ["NoFilter", "you", "all"]),
        ("rock&roll C++", ["rock", "roll", "C"]),
        ("ねこ、いぬ。", ["ねこ", "いぬ"]),
        ("п’ять", ["п'ять"]),
    ],
)
def test_words(text: str, words: list[str]) -> None:
    assert split_words(text) == words


@given(text=st.text())
def test_words_hold_no_space_and_something_to_say(text: str) -> None:
    for word in split_words(text):
        assert len(word.split()) == 1
        assert any(sign.isalnum() for sign in word)


@given(text=st.text())
def test_white_space_parts_words_whatever_is_around_it(text: str) -> None:
    assert split_words(text) == [word for chunk in text.split() for word in split_words(chunk)]


@given(text=st.text())
def test_every_letter_and_digit_is_in_a_word(text: str) -> None:
    import unicodedata

    composed = unicodedata.normalize("NFC", text)
    assert [sign for sign in composed if sign.isalnum()] == [
        sign for word in split_words(text) for sign in word if sign.isalnum()
    ]


@pytest.mark.parametrize(
    ("text", "signs"),
    [
        ("5% of €3 & 🦋🦋 + 1", ["%", "€", "&", "🦋", "+"]),
        ("“Well,” he said — (yes!) #1 a@b.c/d", []),
        ("", []),
    ],
)
def test_unspoken(text: str, signs: list[str]) -> None:
    assert unspoken(text) == signs


@pytest.mark.parametrize(
    ("word", "script", "letters"),
    [
        ("naïve", "Latn", []),
        ("x2", "Latn", []),
        ("чай", "Latn", ["ч", "а", "й"]),
        ("c\u0430t", "Latn", ["\u0430"]),  # Cyrillic а among Latin letters
        ("чай", "Cyrl", []),
        ("мʼята", "Cyrl", []),  # with the letter apostrophe, U+02BC
        ("나비", "Hang", []),
        ("ねコー", "Hira", []),
        ("ねコー", "Kana", []),
        ("猫", "Hira", ["猫"]),
        ("猫", "Hant", []),
        ("whatever", "Xxxx", []),
    ],
)
def test_letters_of_another_script(word: str, script: str, letters: list[str]) -> None:
    assert unreadable_letters(word, script) == letters


def test_what_was_readable_before_makes_no_other_letter_so() -> None:
    assert unreadable_letters("кот", "Latn") == ["к", "о", "т"]
    assert unreadable_letters("cat", "Latn") == []
    assert unreadable_letters("cкaоt", "Latn") == ["к", "о"]
    assert unreadable_letters("cat", "Cyrl") == ["c", "a", "t"]
