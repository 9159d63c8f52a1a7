"""What each sign of X-SAMPA, ARPAbet and Kirshenbaum's ASCII IPA means in IPA."""

from .cells import table

# X-SAMPA: J. C. Wells, "Computer-coding the IPA: a proposed extension of SAMPA" (UCL, 1995, revised 2000), with what
# has come into use since (`_j`, `_=`, `_~`, `I\`, `U\`): https://en.wikipedia.org/wiki/X-SAMPA

XSAMPA_LETTERS: dict[str, str] = {
    **{letter: letter for letter in "abcdefhijklmnopqrstuvwxyz"},
    **table(
        """
        g ɡ       d` ɖ      h\\ ɦ     j\\ ʝ     l` ɭ      l\\ ɺ     n` ɳ      p\\ ɸ     r` ɽ      r\\ ɹ     r\\` ɻ
        s` ʂ      s\\ ɕ     t` ʈ      v\\ ʋ     x\\ ɧ     z` ʐ      z\\ ʑ     A ɑ       B β       B\\ ʙ     C ç
        D ð       E ɛ       F ɱ       G ɣ       G\\ ɢ     H ɥ       H\\ ʜ     I ɪ       I\\ ᵻ     J ɲ       J\\ ɟ
        K ɬ       K\\ ɮ     L ʎ       L\\ ʟ     M ɯ       M\\ ɰ     N ŋ       N\\ ɴ     O ɔ       O\\ ʘ     P ʋ
        Q ɒ       R ʁ       R\\ ʀ     S ʃ       T θ       U ʊ       U\\ ᵿ     V ʌ       W ʍ       X χ       X\\ ħ
        Y ʏ       Z ʒ       @ ə       @` ɚ      @\\ ɘ     { æ       } ʉ       1 ɨ       2 ø       3 ɜ       3` ɝ
        3\\ ɞ     4 ɾ       5 ɫ       6 ɐ       7 ɤ       8 ɵ       9 œ       & ɶ       ? ʔ       ?\\ ʕ     <\\ ʢ
        >\\ ʡ     !\\ ǃ     |\\ ǀ     |\\|\\ ǁ  =\\ ǂ
        """
    ),
    # `_<` makes an implosive; a voiceless one has no letter since 1993, but the voiced one's and a ring.
    **table(
        """
        b_< ɓ         d_< ɗ         d`_< ᶑ        J\\_< ʄ       g_< ɠ         G\\_< ʛ       p_< ɓ\u0325
        t_< ɗ\u0325   t`_< ᶑ\u0325  c_< ʄ\u0325   k_< ɠ\u0325   q_< ʛ\u0325
        """
    ),
}

XSAMPA_MARKS: dict[str, str] = table(
    """
    : ː        :\\ ˑ      ' ʲ        ` ˞        = \u0329   ~ \u0303   _j ʲ       _= \u0329  _~ \u0303  _" \u0308
    _+ \u031f  _- \u0320  _0 \u0325  _> ʼ       _?\\ ˤ     _^ \u032f  _} \u031a  _A \u0318  _a \u033a  _c \u031c
    _d \u032a  _e \u0334  _G ˠ       _h ʰ       _k \u0330  _l ˡ       _m \u033b  _N \u033c  _n ⁿ       _O \u0339
    _o \u031e  _q \u0319  _r \u031d  _t \u0324  _v \u032c  _w ʷ       _X \u0306  _x \u033d
    """
)

# As letters, not as the marks of the same tones: `s_R` is no š.
XSAMPA_TONES: dict[str, str] = table(
    """
    _T ˥      _H ˦      _M ˧      _L ˨      _B ˩      _R ˩˥     _F ˥˩     _/ ˩˥     _\\ ˥˩    _H_T ˦˥   _B_L ˩˨
    _R_F ˧˦˧
    """
)

XSAMPA_BREAKS: dict[str, str] = table(
    """
    " ˈ    % ˌ    . .    | |    || ‖   -\\ ‿  ! ꜜ    ^ ꜛ    <R> ↗  <F> ↘
    """
)

# ARPAbet: the 39 phonemes of the CMU Pronouncing Dictionary (http://www.speech.cs.cmu.edu/cgi-bin/cmudict), and the
# allophones of TIMIT's lexicon (J. Garofolo et al., NIST IR 4930, 1993, `phoncode.doc`). IPA values:
# https://en.wikipedia.org/wiki/ARPABET, but NX as in TIMIT (a flapped n), not as in the older ARPAbet (NG).

ARPABET_NUCLEI: dict[str, str] = table(
    """
    AA ɑ          AE æ          AH ʌ          AO ɔ          AW aʊ         AX ə          AX-H ə\u0325  AXR ɚ
    AY aɪ         EH ɛ          EL l\u0329    EM m\u0329    EN n\u0329    ENG ŋ\u0329   ER ɝ          EY eɪ
    IH ɪ          IX ɨ          IY i          OW oʊ         OY ɔɪ         UH ʊ          UW u          UX ʉ
    """
)

# The CMU dictionary has no AX and AXR: it writes AH0 and ER0.
ARPABET_UNSTRESSED: dict[str, str] = {"AH": "ə", "ER": "ɚ"}

ARPABET_CONSONANTS: dict[str, str] = table(
    """
    B b          CH t\u0361ʃ  D d          DH ð         DX ɾ         F f          G ɡ          HH h
    HV ɦ         JH d\u0361ʒ  K k          L l          M m          N n          NG ŋ         NX ɾ\u0303
    P p          Q ʔ          R ɹ          S s          SH ʃ         T t          TH θ         V v
    W w          WH ʍ         Y j          Z z          ZH ʒ
    """
)

# Kirshenbaum: E. Kirshenbaum, "Representing IPA phonetics in ASCII" (draft of 1992 on sci.lang; FAQ of 1993:
# http://www.kirshenbaum.net/IPA/faq.html).
# A sign stands for a set of features, a diacritic overrides some of them: so there is one table from features to IPA.

KIRSHENBAUM_CLASSES: tuple[frozenset[str], ...] = tuple(
    frozenset(names.split())
    for names in (
        "vcd vls",
        "blb lbd dnt alv rfx pla pal vel lbv uvl phr glt",
        "stp frc nas apr trl flp clk imp",
        "hgh smh umd mid lmd low",
        "fnt cnt bck",
        "unr rnd",
    )
)
"""Features of which a segment has one: a diacritic takes the place of what the segment had (Appendix A)."""

KIRSHENBAUM_IMPLIED: frozenset[str] = frozenset({"orl", "ctl"})
"""Oral, central: true of what is not said to be nasal or lateral (Appendix A)."""

KIRSHENBAUM_SEGMENTS: dict[str, str] = {
    # Appendix E. Voice is not named where the IPA has no voiceless letter.
    **table(
        """
        blb nas m             lbd nas ɱ             alv nas n             rfx nas ɳ             pal nas ɲ
        vel nas ŋ             uvl nas ɴ             lbv nas ŋ\u0361m      vls blb stp p         vcd blb stp b
        vls alv stp t         vcd alv stp d         vls rfx stp ʈ         vcd rfx stp ɖ         vls pal stp c
        vcd pal stp ɟ         vls vel stp k         vcd vel stp ɡ         vls lbv stp k\u0361p  vcd lbv stp ɡ\u0361b
        vls uvl stp q         vcd uvl stp ɢ         glt stp ʔ             vls glt stp ʔ         vls blb frc ɸ
        vcd blb frc β         vls lbd frc f         vcd lbd frc v         vls dnt frc θ         vcd dnt frc ð
        vls alv frc s         vcd alv frc z         vls rfx frc ʂ         vcd rfx frc ʐ         vls pla frc ʃ
        vcd pla frc ʒ         vls pal frc ç         vcd pal frc ʝ         vls vel frc x         vcd vel frc ɣ
        vls lbv frc ʍ         vcd lbv frc w         vls uvl frc χ         vcd uvl frc ʁ         vls phr frc ħ
        vcd phr frc ʕ         vls glt frc h         vcd glt frc ɦ         mrm glt frc ɦ         vls alv lat frc ɬ
        vcd alv lat frc ɮ     lbd apr ʋ             alv apr ɹ             rfx apr ɻ             pal apr j
        rnd pal apr ɥ         vel apr ɰ             lbv apr w             vls lbv apr ʍ         uvl apr ʁ
        glt apr h             vcd glt apr ɦ         mrm glt apr ɦ         alv lat l             rfx lat ɭ
        pal lat ʎ             vel lat ʟ             blb trl ʙ             alv trl r             uvl trl ʀ
        alv flp ɾ             rfx flp ɽ             alv lat flp ɺ         lat flp ɺ             blb imp ɓ
        dnt imp ɗ             alv imp ɗ             pal imp ʄ             vel imp ɠ             uvl imp ʛ
        """,
        key=-1,
    ),
    # Appendix E names {alv,clk} /c!/ too; the running text says that it is /t!/, "tsk".
    **table(
        """
        vls blb clk ʘ      vls dnt clk ǀ      vls alv clk ǀ      vls pal clk ǃ      vls alv lat clk ǁ
        vls lat clk ǁ
        """,
        key=-1,
    ),
    # All heights, so that every vowel can be centred, rounded and unrounded; without a letter: the nearest, marked.
    **table(
        """
        hgh fnt unr vwl i        hgh fnt rnd vwl y        hgh cnt unr vwl ɨ        hgh cnt rnd vwl ʉ
        hgh bck unr vwl ɯ        hgh bck rnd vwl u        smh fnt unr vwl ɪ        smh fnt rnd vwl ʏ
        smh cnt unr vwl ɪ\u0308  smh cnt rnd vwl ʊ\u0308  smh bck unr vwl ɯ\u033d  smh bck rnd vwl ʊ
        umd fnt unr vwl e        umd fnt rnd vwl ø        umd cnt unr vwl ɘ        umd cnt rnd vwl ɵ
        umd bck unr vwl ɤ        umd bck rnd vwl o        mid fnt unr vwl e\u031e  mid fnt rnd vwl ø\u031e
        mid cnt unr vwl ə        mid cnt rnd vwl ɵ        mid bck unr vwl ɤ\u031e  mid bck rnd vwl o\u031e
        lmd fnt unr vwl ɛ        lmd fnt rnd vwl œ        lmd cnt unr vwl ɜ        lmd cnt rnd vwl ɞ
        lmd bck unr vwl ʌ        lmd bck rnd vwl ɔ        low fnt unr vwl æ        low fnt rnd vwl ɶ
        low cnt unr vwl a        low cnt rnd vwl ɒ\u0308  low bck unr vwl ɑ        low bck rnd vwl ɒ
        mid cnt unr rzd vwl ɚ    umd cnt unr rzd vwl ɝ
        """,
        key=-1,
    ),
}

# Appendix B; where it gives two readings, the first, its author's preference. The last two are of Appendix D; their
# diacritic alone would give another sound.
KIRSHENBAUM_SYMBOLS: dict[str, str] = table(
    """
    a low cnt unr vwl      b vcd blb stp          c vls pal stp          d vcd alv stp
    e umd fnt unr vwl      f vls lbd frc          g vcd vel stp          h glt apr
    i hgh fnt unr vwl      j pal apr              k vls vel stp          l alv lat
    m blb nas              n alv nas              o umd bck rnd vwl      p vls blb stp
    q vls uvl stp          r alv apr              s vls alv frc          t vls alv stp
    u hgh bck rnd vwl      v vcd lbd frc          w lbv apr              x vls vel frc
    y hgh fnt rnd vwl      z vcd alv frc          A low bck unr vwl      B vcd blb frc
    C vls pal frc          D vcd dnt frc          E lmd fnt unr vwl      G vcd uvl stp
    H vls phr frc          I smh fnt unr vwl      J vcd pal stp          L vel lat
    M lbd nas              N vel nas              O lmd bck rnd vwl      P vls blb frc
    Q vcd vel frc          R mid cnt unr rzd vwl  S vls pla frc          T vls dnt frc
    U smh bck rnd vwl      V lmd bck unr vwl      W lmd fnt rnd vwl      X vls uvl frc
    Y umd fnt rnd vwl      Z vcd pla frc          ? glt stp              @ mid cnt unr vwl
    & low fnt unr vwl      * alv flp              g" vcd uvl frc         r" uvl trl
    """
)

# Appendix C (`j`: Appendix F): the feature on a vowel, on a consonant.
KIRSHENBAUM_DIACRITICS: dict[str, list[str]] = {
    sign: features.split()
    for sign, features in table(
        """
        ~ nzd vzd  : lng lng  - unr syl  ! clk clk  . rnd rfx  [ dnt dnt  ; pzd pzd  " cnt uvl  ^ pal pal
        ` ejc ejc  H fzd fzd  h asp asp  j pzd pzd  o unx unx  r rzd rzd  w lzd lzd  ? mrm mrm
        """
    ).items()
}

KIRSHENBAUM_BARE = '~:-!.[;"^`'
"""The diacritics that need no angle brackets: they are no segment's sign."""

# Appendix C, in the order in which they are written; `~` on consonants and <H>, which share U+0334 there, apart.
KIRSHENBAUM_MARKS: dict[str, str] = table(
    """
    vls \u0325  vcd \u032c  dnt \u032a  syl \u0329  nzd \u0303  mrm \u0324  rzd ˞       pzd ʲ       vzd ˠ
    fzd ˤ       lzd ʷ       asp ʰ       ejc ʼ       unx \u031a  lng ː
    """
)

KIRSHENBAUM_BREAKS: dict[str, str] = {"'": "ˈ", ",": "ˌ", "#": "."}
