"""How fast words become IPA, and IPA ids, beside the libraries that others use for it; memory and start-up, too.

    python benchmarks/sounds.py --text captions.txt

Whatever is compared runs in turns (ours, theirs, ours, …) in one run, so that all feel the same load of the machine;
printed is the median of the repeats with its range. Every measurement of a transcriber has a process of its own: so
all caches are empty when the clock starts, and nothing that one library loads slows or speeds another. Loading is
timed by itself.
"""

import argparse
import json
import os
import random
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate, cycle, islice
from pathlib import Path
from statistics import median
from typing import Any

from report import machine, markdown_table, versions

PACKAGES = ("ipaclip", "tokenizers", "transformers", "panphon", "epitran", "phonemizer", "espeakng-loader")
WARM_WORD = "one"  # read before the clock starts, so that lazy loading is over
MEBIBYTE = 2**20


@dataclass
class Timing:
    """Seconds of each repeat for a number of units of work."""

    name: str
    seconds: list[float]

    def rate(self, units: int) -> float:
        return units / median(self.seconds)

    def spread(self) -> str:
        """How far the repeats lie apart, in percent of the median."""
        return f"{(max(self.seconds) - min(self.seconds)) / median(self.seconds):.0%}"


def in_turns(jobs: Mapping[str, Callable[[], float]], repeats: int) -> list[Timing]:
    """Run all jobs, then all again: each returns the seconds that it measured."""
    timings = [Timing(name, []) for name in jobs]
    for _ in range(repeats):
        for timing, job in zip(timings, jobs.values(), strict=True):
            timing.seconds.append(job())
    return timings


def alone(job: Callable[..., Any], *arguments: object) -> Any:
    """The answer of a function of this module, called in a new interpreter that ends with it.

    A program of its own, not a process of `multiprocessing`: such a process waits at its end for workers that a library
    started in it, and joblib's, which phonemizer uses, are ended only where a program ends.
    """
    with tempfile.TemporaryDirectory() as folder:
        call, answer = Path(folder) / "call.json", Path(folder) / "answer.json"
        call.write_text(json.dumps([job.__name__, *arguments]), encoding="utf-8")
        # Its output is not waited for, which workers that outlive it could hold open.
        command = [sys.executable, __file__, "--alone", call, answer]
        subprocess.run(command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, check=True)
        return json.loads(answer.read_text(encoding="utf-8"))


def answer_alone(call: Path, answer: Path) -> None:
    """What the new interpreter does: calls the function that `alone` named, and leaves its answer."""
    name, *arguments = json.loads(call.read_text(encoding="utf-8"))
    answer.write_text(json.dumps(globals()[name](*arguments)), encoding="utf-8")


def seconds_of(job: Callable[[], object]) -> float:
    start = time.perf_counter()
    job()
    return time.perf_counter() - start


# Texts


def invented_lines(lines: int, seed: int = 0) -> list[str]:
    """Lines of twelve invented words from 8,000, frequent and rare ones as in a language (Zipf's law)."""
    chance = random.Random(seed)
    words = invented_words(8000, seed)
    weights = list(accumulate(1 / rank for rank in range(1, len(words) + 1)))
    return [" ".join(chance.choices(words, cum_weights=weights, k=12)) for _ in range(lines)]


def invented_words(count: int, seed: int = 0) -> list[str]:
    """So many different words that can be read aloud in most languages that are written in Latin letters."""
    chance = random.Random(seed)
    onsets, vowels, codas = [*"bdfgklmnprstv", "st", "tr", "pl"], "aeiou", ["", "", "", "n", "l", "s"]
    found: dict[str, None] = {}
    while len(found) < count:
        syllables = chance.choices((2, 3, 4), weights=(3, 4, 2))[0]
        parts = (chance.choice(onsets) + chance.choice(vowels) + chance.choice(codas) for _ in range(syllables))
        found["".join(parts)] = None
    return list(found)


def words_in(lines: Sequence[str]) -> list[list[str]]:
    """The words of each line in plain Latin letters, so that splitting a text into words is no part of the contest."""
    return [words for line in lines if (words := re.findall("[A-Za-z]+", line))]


# Tokenizing


def wav2vec2_tokenizer(tokens: Sequence[str], folder: str) -> Any:
    """transformers' phoneme tokenizer over the same tokens; it takes IPA whose phones are parted by spaces."""
    from transformers import Wav2Vec2PhonemeCTCTokenizer

    file = Path(folder) / "vocab.json"
    file.write_text(json.dumps({token: index for index, token in enumerate(tokens)}), encoding="utf-8")
    return Wav2Vec2PhonemeCTCTokenizer(str(file), do_phonemize=False)


def tokenizing(lines: Sequence[str], repeats: int, threads: Sequence[int]) -> str:
    """The same lines of IPA to segments (panphon) or ids (the others)."""
    from ipaclip.tokenization import IPATokenizer
    from panphon import FeatureTable

    tokenizer = IPATokenizer.build()
    encodings = tokenizer(list(lines), add_special_tokens=False, verbose=False).encodings or []
    count = sum(len(encoding) for encoding in encodings)
    # Given the segments, the phoneme tokenizer has less to do than the others: it only splits at spaces.
    parted = [" ".join("|" if token == " " else token for token in encoding.tokens) for encoding in encodings]
    panphon_table = FeatureTable()
    with tempfile.TemporaryDirectory() as folder:
        theirs = wav2vec2_tokenizer([*tokenizer.get_vocab(), "|"], folder)

        def by_offsets(parallel: bool) -> float:
            os.environ["TOKENIZERS_PARALLELISM"] = str(parallel).lower()
            return seconds_of(lambda: tokenizer(list(lines), return_offsets_mapping=True)["offset_mapping"])

        def by_words(ids: Callable[[Any], object], again: list[float]) -> float:
            os.environ["TOKENIZERS_PARALLELISM"] = "false"
            fresh = IPATokenizer.build()  # knows no word yet
            first = seconds_of(lambda: ids(fresh))
            again.append(seconds_of(lambda: ids(fresh)))
            return first

        ways: dict[str, tuple[Callable[[Any], object], list[float]]] = {
            "ipaclip `tokenizer(lines)`": (lambda fresh: fresh(list(lines))["input_ids"], []),
            "ipaclip `batch_ids`": (lambda fresh: fresh.batch_ids(lines), []),
        }
        jobs: dict[str, Callable[[], float]] = {
            name: lambda ids=ids, again=again: by_words(ids, again) for name, (ids, again) in ways.items()
        }
        offsets = "ipaclip `tokenizer(lines, return_offsets_mapping=True)`"
        jobs[offsets] = lambda: by_offsets(False)
        if max(threads) > 1:
            jobs[f"{offsets}, all cores"] = lambda: by_offsets(True)
        jobs["panphon `ipa_segs`"] = lambda: seconds_of(lambda: [panphon_table.ipa_segs(line) for line in lines])
        jobs["transformers `Wav2Vec2PhonemeCTCTokenizer`"] = lambda: seconds_of(lambda: theirs(parted)["input_ids"])
        timings = in_turns(jobs, repeats)
    for place, (name, (_, again)) in zip((1, 3), ways.items(), strict=True):
        timings.insert(place, Timing(f"{name}, all words known", again))
    *_, panphons, transformers = timings
    rows = [
        (
            timing.name,
            f"{timing.rate(count):,.0f}",
            f"{timing.rate(len(lines)):,.0f}",
            timing.spread(),
            *(f"{timing.rate(1) / peer.rate(1):.1f}" for peer in (panphons, transformers)),
        )
        for timing in timings
    ]
    table = markdown_table(("tokenizing", "tokens/s", "lines/s", "spread", "× panphon", "× transformers"), rows)
    return f"{len(lines):,} lines of IPA, {count:,} tokens.\n\n{table}"


# Transcribing: each job runs in a new interpreter


def ours_transcribes(texts: Sequence[str], language: str, backend: str, passes: int) -> list[float]:
    """Seconds of each pass over the texts; the first finds the word cache empty."""
    from ipaclip.tokenization import get_transcriber

    transcriber = get_transcriber(language, backend)
    transcriber.transcribe([WARM_WORD])
    return [seconds_of(lambda: transcriber.transcribe(list(texts))) for _ in range(passes)]


def epitran_transcribes(words: Sequence[str], language: str) -> float:
    """Seconds, word by word."""
    from epitran import Epitran

    engine = Epitran(language)
    engine.transliterate(WARM_WORD)
    return seconds_of(lambda: [engine.transliterate(word) for word in words])


def phonemizer_transcribes(texts: Sequence[str], njobs: int) -> float:
    """Seconds, all texts in one call as phonemizer's documentation advises."""
    import espeakng_loader
    from phonemizer import phonemize
    from phonemizer.backend.espeak.wrapper import EspeakWrapper
    from phonemizer.logger import get_logger

    # By the environment, too: the processes of njobs know nothing of what is set here.
    os.environ["PHONEMIZER_ESPEAK_LIBRARY"] = espeakng_loader.get_library_path()
    os.environ["PHONEMIZER_ESPEAK_DATA_PATH"] = os.environ["ESPEAK_DATA_PATH"] = espeakng_loader.get_data_path()
    EspeakWrapper.set_library(espeakng_loader.get_library_path())
    EspeakWrapper.set_data_path(espeakng_loader.get_data_path())
    options: dict[str, Any] = {
        "language": "en-us",
        "backend": "espeak",
        "strip": True,
        "with_stress": True,
        "tie": True,
        "njobs": njobs,
        "logger": get_logger("quiet"),
    }
    # As many texts as jobs: so their processes, too, are there before the clock starts.
    phonemize([WARM_WORD] * njobs, **options)
    return seconds_of(lambda: phonemize(list(texts), **options))


def transcribing(lines: Sequence[str], repeats: int, threads: Sequence[int]) -> str:
    """Ours beside epitran word by word and phonemizer in one call, on the words of the same lines."""
    rows = []
    split = words_in(lines)
    texts, flat = [" ".join(words) for words in split], [word for words in split for word in words]
    for language, backend in (("deu-Latn", "epitran"), ("spa-Latn", "epitran"), ("eng-Latn", "espeak")):
        jobs: dict[str, Callable[[], float]] = {}
        again: list[float] = []

        def ours(language: str = language, backend: str = backend, again: list[float] = again) -> float:
            first, second = alone(ours_transcribes, texts, language, backend, 2)
            again.append(second)
            return float(first)

        jobs[f"ipaclip, {backend}"] = ours
        if backend == "epitran":
            jobs["epitran, word by word"] = lambda language=language: alone(epitran_transcribes, flat, language)
        else:
            for njobs in threads:
                jobs[f"phonemizer, one call, njobs={njobs}"] = lambda njobs=njobs: alone(
                    phonemizer_transcribes, texts, njobs
                )
        timings = in_turns(jobs, repeats)
        timings.insert(1, Timing(f"ipaclip, {backend}, all words known", again))
        for timing in timings:
            ratio = f"{timings[0].rate(1) / timing.rate(1):.1f}"
            rows.append((language, timing.name, f"{timing.rate(len(flat)):,.0f}", timing.spread(), ratio))
    table = markdown_table(("language", "transcribing", "words/s", "spread", "first row is × as fast"), rows)
    return f"{len(flat):,} words, {len(set(flat)):,} different ones.\n\n{table}"


# Memory: each job runs in a new interpreter


def growth_of(job: Callable[[list[str]], object], texts: Sequence[str], words: int) -> tuple[int, float]:
    """Words given to the job in batches of 500 texts, at least so many, and by how many MiB the process grew after the
    first batch."""
    import psutil

    process, done, before = psutil.Process(), 0, 0
    for batch in cycle([list(texts[start : start + 500]) for start in range(0, len(texts), 500)]):
        job(batch)
        before = before or process.memory_info().rss
        done += sum(len(text.split()) for text in batch)
        if done >= words:
            break
    return done, (process.memory_info().rss - before) / MEBIBYTE


def transcriber_grows(texts: Sequence[str], words: int, language: str, backend: str) -> tuple[int, float]:
    from ipaclip.tokenization import get_transcriber

    return growth_of(get_transcriber(language, backend).transcribe, texts, words)


def tokenizer_grows(texts: Sequence[str], words: int, method: str) -> tuple[int, float]:
    from ipaclip.tokenization import IPATokenizer

    return growth_of(getattr(IPATokenizer.build(), method), texts, words)


def memory(lines: Sequence[str], words: int) -> str:
    """Growth over many words: those of the text again and again, and words that are all different."""
    texts, different = [" ".join(words) for words in words_in(lines)], iter(invented_words(words))
    unlike = [" ".join(islice(different, 10)) for _ in range(words // 10)]
    jobs: dict[str, tuple[Callable[..., tuple[int, float]], tuple[str, ...]]] = {
        "transcribing, eng-Latn, espeak": (transcriber_grows, ("eng-Latn", "espeak")),
        "transcribing, deu-Latn, epitran": (transcriber_grows, ("deu-Latn", "epitran")),
        "`tokenizer(lines)`": (tokenizer_grows, ("__call__",)),
        "`batch_ids`": (tokenizer_grows, ("batch_ids",)),
    }
    rows = []
    for name, (job, arguments) in jobs.items():
        for kind, source in (("those of the text, repeated", texts), ("all different", unlike)):
            done, growth = alone(job, source, words, *arguments)
            rows.append((name, kind, f"{done:,}", f"{growth:,.1f}"))
    return markdown_table(("memory", "words", "how many", "growth, MiB"), rows)


# Start-up


def ours_starts(language: str, backend: str, word: str) -> float:
    """Seconds from the import to the IPA of the first word."""

    def start() -> None:
        from ipaclip.tokenization import get_transcriber

        get_transcriber(language, backend).transcribe([word])

    return seconds_of(start)


def epitran_starts(language: str, word: str) -> float:
    def start() -> None:
        from epitran import Epitran

        Epitran(language).transliterate(word)

    return seconds_of(start)


def tokenizer_starts() -> float:
    def start() -> None:
        from ipaclip.tokenization import IPATokenizer

        IPATokenizer.build()(WARM_WORD)

    return seconds_of(start)


def starting(repeats: int) -> str:
    """From the import to the first answer, each in a new interpreter."""
    from ipaclip.tokenization import languages

    jobs: dict[str, Callable[[], float]] = {"ipaclip, the tokenizer": lambda: alone(tokenizer_starts)}
    for backend in languages()["eng-Latn"]:
        word = "wʌn" if backend == "ipa" else "one"
        jobs[f"ipaclip, {backend}, eng-Latn"] = lambda backend=backend, word=word: alone(
            ours_starts, "eng-Latn", backend, word
        )
    for language, word in (("deu-Latn", "eins"), ("spa-Latn", "uno")):
        jobs[f"ipaclip, epitran, {language}"] = lambda language=language, word=word: alone(
            ours_starts, language, "epitran", word
        )
        jobs[f"epitran itself, {language}"] = lambda language=language, word=word: alone(epitran_starts, language, word)
    timings = in_turns(jobs, repeats)
    rows = [(timing.name, f"{median(timing.seconds):.2f}", timing.spread()) for timing in timings]
    return markdown_table(("start-up", "seconds to the first word", "spread"), rows)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--text", type=Path, help="a text a line, in Latin letters (default: invented words)")
    parser.add_argument("--repeats", type=int, default=5, help="of each measurement (default: 5)")
    parser.add_argument("--threads", type=int, default=os.cpu_count() or 1, help="1: nothing runs on several cores")
    parser.add_argument(
        "--only", choices=("tokenizing", "transcribing", "memory", "starting"), help="one of the tables"
    )
    parser.add_argument("--quick", action="store_true", help="60 lines, once: checks the script, measures nothing")
    parser.add_argument("--alone", type=Path, nargs=2, help=argparse.SUPPRESS)  # a single measurement: see `alone`
    arguments = parser.parse_args()
    if arguments.alone:
        answer_alone(*arguments.alone)
        return
    count, repeats, many_words = (60, 1, 3000) if arguments.quick else (5000, arguments.repeats, 1_000_000)
    if arguments.text:
        lines = [line for line in arguments.text.read_text(encoding="utf-8").splitlines() if line.strip()]
        lines = lines[:count] if arguments.quick else lines
    else:
        lines = invented_lines(count)
    threads = sorted({1, arguments.threads})

    from ipaclip.tokenization import get_transcriber

    print(f"{machine()}\n{versions(*PACKAGES)}")
    tables: dict[str, Callable[[], str]] = {
        "tokenizing": lambda: tokenizing(
            get_transcriber("eng-Latn", "espeak").transcribe([" ".join(words) for words in words_in(lines)]),
            repeats,
            threads,
        ),
        "transcribing": lambda: transcribing(lines, repeats, threads),
        "memory": lambda: memory(lines, many_words),
        "starting": lambda: starting(repeats),
    }
    for name, table in tables.items():
        if arguments.only in (None, name):
            print(f"\n{table()}", flush=True)


if __name__ == "__main__":
    main()
