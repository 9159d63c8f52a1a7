"""The table of IPA spelling, row by row, and tying."""

import unicodedata

import pytest
from ipaclip.tokenization import Spelling, is_ipa, respell, spelling_table, tie_affricates
from ipaclip.tokenization.phonemes.spelling import AFFRICATES, signs

TABLE = spelling_table()


@pytest.mark.parametrize(
    ("written", "normal"),
    [
        ("ʆʓ", "ʃʲʒʲ"),
        ("ɩɷ", "ɪʊ"),
        ("ʇʗʖ", "ǀǃǁ"),
        ("ȵȶȡȴ", "ɲ̟c̟ɟ̟ʎ̟"),
        ("ƛλ", "t͡ɬd͡ɮ"),
        ("łəl", "ɬəl"),
        ("šžčǰ", "ʃʒt͡ʃd͡ʒ"),
        ("t\u035cs", "t͡s"),
        ("ʈ͡ʂt͡ʂ", "ʈ͡ʂʈ͡ʂ"),
        ("ą", "ã"),
        ("g̊", "ɡ̥"),
        ("aᶦ", "aɪ"),
        ("ᵑǃa", "ⁿǃa"),
        ("ma⁵⁵ma²¹⁴", "ma˥˥ma˨˩˦"),
        ("ma꜖", "ma˩"),
        ("⁵a", "⁵a"),  # a footnote's number
        ("ma55", "ma55"),  # Chao's numbers, or Pinyin's, or Mesoamerican ones
        (",ʌndə'stænd", "ˌʌndəˈstænd"),
        ("a,b", "a,b"),  # a comma between sounds is a comma
        ("a, b", "a, b"),
        ("!xoː", "ǃxoː"),
        ("a!", "a!"),
        ("t‘a", "tʰa"),
        ("‘a", "‘a"),
        ("a·", "aˑ"),
        ("//a//", "a"),
        ("⟦a⟧", "a"),
        ("a/b", "a/b"),
        ("\u2068a\u2069", "a"),
        ("e᷇", "e˥˦"),
        ("p˺", "p̚"),
        ("ç\u0334", "çˠ"),
        ("ñ̪ʰ˥ʷ", "n̪\u0303ʷʰ˥"),
        ("š\u0301", "ʃ\ufffd"),  # of two tone marks on a consonant the second has no reading
        ("p̌", "p̌"),
        ("\u05e9\u05c1", "\u05e9\ufffd"),  # a point of another script
    ],
)
def test_by_hand(written: str, normal: str) -> None:
    assert respell(written) == unicodedata.normalize("NFD", normal)


@pytest.mark.parametrize("rule", [rule for rule in TABLE if not rule.pattern], ids=lambda rule: ascii(rule.source))
def test_a_literal_rule_leads_into_the_vocabulary(rule: Spelling) -> None:
    assert rule.source == unicodedata.normalize("NFD", rule.source)
    assert rule.reason
    assert rule.source not in signs()
    # The cedilla is no token of its own: it occurs in `ç` only.
    assert set(respell(f"a{rule.source}").replace("c\u0327", "c")) <= signs()
    assert is_ipa(f"a{rule.source}")


def test_no_sign_has_two_rules() -> None:
    sources = [rule.source for rule in TABLE]
    assert len(set(sources)) == len(sources)


def test_c_with_cedilla_and_tilde_is_one_consonant_in_any_order() -> None:
    for written in ("ç\u0334", "c\u0334\u0327", "c\u0327\u0334", "x ç\u0334a"):
        assert is_ipa(written)


def test_is_ipa_reads_what_rules_read_in_one_place() -> None:
    assert is_ipa("[ˈçæt] ")
    assert is_ipa(",a⁵")
    assert not is_ipa("a,")
    assert not is_ipa("⁵a")
    assert not is_ipa("\u0327")
    assert is_ipa("")


@pytest.mark.parametrize(
    ("ipa", "language", "tied"),
    [
        ("tʃɜːtʃ kæts", "eng-Latn", "t͡ʃɜːt͡ʃ kæts"),
        ("pfeɐ̯t tsaɪ̯t", "deu-Latn", "p͡feɐ̯t t͡saɪ̯t"),
        ("ˈdʒɔrno", "ita-Latn", "ˈd͡ʒɔrno"),
        ("t͡ʂɨ tʂɨ", "pol-Latn", "t͡ʂɨ tʂɨ"),  # "czy" and "trzy": what ties one affricate means the other
        ("ʧip tʃip", "eng-Latn", "ʧip tʃip"),
        ("t ʃ", "eng-Latn", "t ʃ"),
    ],
)
def test_tying(ipa: str, language: str, tied: str) -> None:
    assert tie_affricates(ipa, language) == tied


def test_tying_takes_a_listed_language() -> None:
    with pytest.raises(ValueError, match=r"'xxx-Latn'.*eng-Latn"):
        tie_affricates("tʃ", "xxx-Latn")
    for affricates in AFFRICATES.values():
        assert all(len(pair) == 2 and is_ipa(pair) for pair in affricates.split())
