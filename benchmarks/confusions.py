"""Which segments transcribers write for each other: learns `tokenization/phonemes/confusions.tsv` from a dictionary.

    python benchmarks/confusions.py --words FILE.tsv [--output FILE.tsv]

The words are those of a table with `language`, `word` and `ipa`, such as WikiPron's
(https://github.com/CUNY-CL/wikipron, from Wiktionary). Each is transcribed by every backend and dialect of its
language; the pronunciation that is nearest to the dictionary's is aligned with it, segment by segment, and both sides
are counted. With n(a, b) such pairs in either direction, n(a) their sum over b (no segment among them), d(a, b)
panphon's weighted distance with a gap of 2.5, and a prior q(b | a) ~ exp(-s · d(a, b)),

    P(b | a) = (n(a, b) + k · q(b | a)) / (n(a) + k)        cost(a, b) = log(P(a | a) / P(b | a)) / s

made symmetric by the mean of both directions, never above d, and of a gap never below 1.7. What costs .05 less than d
at the least, and was counted 4 times, is written. Alignment and counting are done twice, the second time by the costs
of the first. k is 30, and s = 2.68 is fitted: see `ipaclip.lexicon.Channel`.
"""

import argparse
import csv
import sys
from collections import defaultdict
from pathlib import Path

import numpy as np
from ipaclip.common.files import whole_file
from ipaclip.lexicon.pronouncing import pronounce
from ipaclip.lexicon.sounds import segments_of
from ipaclip.tokenization import languages
from ipaclip.tokenization.phonemes.distance import GAP, NOTHING, SegmentCosts

PRIOR, SCALE, LEAST_GAP = 30.0, 2.68, 1.7
LEAST_GAIN, LEAST_COUNT = 0.05, 4
ROUNDS = 2

# A dictionary's segments, and those of each pronunciation of the transcribers.
Pair = tuple[tuple[str, ...], list[tuple[str, ...]]]


def read_pairs(path: Path) -> list[Pair]:
    """The table's words as the dictionary and as the transcribers pronounce them; what neither says is left out."""
    rows: dict[str, list[tuple[str, str]]] = defaultdict(list)
    with path.open(encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file, delimiter="\t"):
            rows[row["language"]].append((row["word"], row["ipa"]))
    known, pairs = languages(), list[Pair]()
    for language, words in rows.items():
        if language not in known:
            print(f"No backend has {language}.", file=sys.stderr)
            continue
        said = pronounce([word for word, _ in words], language)
        own = segments_of([ipa for _, ipa in words])
        pairs += [
            (wanted, segments_of(answer))
            for wanted, answer in zip(own, said, strict=True)
            if wanted and not isinstance(answer, str)
        ]
    return pairs


def count(pairs: list[Pair], costs: SegmentCosts) -> np.ndarray:
    """`(n + 1, n + 1)`: how often segments stand for each other, in both directions; the last is no segment."""
    number = {segment: place for place, segment in enumerate(costs.segments)}
    none = len(number)
    counts = np.zeros((none + 1, none + 1))
    for wanted, said in pairs:
        (query,), _ = costs.encode([wanted])
        nearest = said[int(costs.distances(query, *costs.encode(said)).argmin())]
        for a, b, _ in costs.align(nearest, wanted):
            counts[none if a is None else number[a], none if b is None else number[b]] += 1
    total: np.ndarray = counts + counts.T
    return total


def learn(counts: np.ndarray, start: SegmentCosts) -> SegmentCosts:
    """The costs by which the pairs that were counted are likely."""
    distance = np.pad(start.substitution, ((0, 1), (0, 1)), constant_values=GAP)
    prior = np.exp(-SCALE * distance)
    prior[-1, -1] = 0
    prior /= prior.sum(1, keepdims=True)
    chance = (counts + PRIOR * prior) / (counts.sum(1, keepdims=True) + PRIOR)
    # That no segment stands for no segment never happens.
    with np.errstate(divide="ignore", invalid="ignore"):
        cost = (np.log(np.diag(chance))[:, None] - np.log(chance)) / SCALE
    substitution = np.clip((cost + cost.T)[:-1, :-1] / 2, 0, start.substitution).astype(np.float32)
    gap = np.clip(cost[:-1, -1], LEAST_GAP, GAP).astype(np.float32)
    return SegmentCosts(start.segments, substitution, gap)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--words", type=Path, required=True, metavar="FILE.tsv", help="language, word, ipa")
    parser.add_argument("--output", type=Path, help="where to write the table; by default it is printed")
    arguments = parser.parse_args()
    pairs = read_pairs(arguments.words)
    segments = sorted({segment for wanted, said in pairs for one in (wanted, *said) for segment in one})
    start = SegmentCosts.panphon(segments, gap=GAP)
    costs = start
    for _ in range(ROUNDS):
        counts = count(pairs, costs)
        costs = learn(counts, start)
    rows = [
        (segments[a], segments[b], f"{costs.substitution[a, b]:.2f}", int(counts[a, b]))
        for a, b in zip(*np.triu_indices(len(segments), 1), strict=True)
        if counts[a, b] >= LEAST_COUNT and start.substitution[a, b] - costs.substitution[a, b] >= LEAST_GAIN
    ]
    rows += [
        (segment, NOTHING, f"{costs.gap[place]:.2f}", int(counts[place, -1]))
        for place, segment in enumerate(segments)
        if counts[place, -1] >= LEAST_COUNT and GAP - costs.gap[place] >= LEAST_GAIN
    ]
    lines = ["\t".join(map(str, row)) for row in [("segment", "other", "cost", "count"), *rows]]
    if arguments.output is None:
        print("\n".join(lines))
        return
    with whole_file(arguments.output) as temporary:
        temporary.write_text("\n".join([*lines, ""]), encoding="utf-8")
    print(f"{len(pairs):,} words, {len(segments)} segments, {len(rows)} rows: {arguments.output}")


if __name__ == "__main__":
    main()
