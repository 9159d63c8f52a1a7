"""Text and pronunciation tower asked together: which way of fusing their scores loses least to the better tower?

    python benchmarks/fusion_study.py                 # the embedded checkpoint
    python benchmarks/fusion_study.py --checkpoint DIR --write   # fits its gate and writes DIR/fusion.json

Weights and thresholds are chosen on one half of the pictures and two seeds of queries; the table shows the other half
and two other seeds. Figures are points of top-1 lost to the better tower on the kind of query where most is lost.
"""

import argparse
import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from ipaclip import embedded_checkpoint
from ipaclip.encoding import encode
from ipaclip.evaluation import RealWords, build_queries, ranks
from ipaclip.evaluation.retrieval.queries import NAMES, Query
from ipaclip.search import PictureSearch
from ipaclip.search.fusion import Gate, fit_gate, fuse, query_signs
from ipaclip.tokenization import get_transcriber
from report import machine, markdown_table, versions

CHOOSING_SEEDS, TESTING_SEEDS = (1, 2), (0, 3)
PACKAGES = ("ipaclip", "torch", "transformers", "numpy")
TYPED, GIVEN, MISHEARD = "typed", "given", "misheard"


@dataclass(frozen=True)
class PairedQueries:
    """What each tower is given, and the picture that is meant, query by query."""

    spellings: tuple[str, ...]
    ipa: tuple[str, ...]
    targets: tuple[int, ...]


def pair_queries(queries: Mapping[str, Sequence[Query]]) -> dict[str, PairedQueries]:
    """The ways in which both towers may be asked at once, by name, such as `"typed one_swap"`.

    `typed`: the pronunciation tower hears what the transcriber makes of the spelling. `given`: it hears the query's own
    IPA. `misheard`: the text tower reads the picture's true name, the pronunciation tower hears nonsense, as from
    noisy speech: here the text tower is the better one.
    """
    paired = {f"{TYPED} {kind}": _paired(asked, asked, heard=True) for kind, asked in queries.items()}
    for kind, asked in queries.items():
        if kind != NAMES:  # whose IPA is what is heard
            paired[f"{GIVEN} {kind}"] = _paired(asked, asked)
    named = {query.target: query for query in queries.get(NAMES, ())}
    for kind, asked in queries.items():
        if any(query.target in named and query.ipa != named[query.target].ipa for query in asked):
            known = [query for query in asked if query.target in named]
            paired[f"{MISHEARD} {kind}"] = _paired([named[query.target] for query in known], known)
    return paired


def _paired(read: Sequence[Query], said: Sequence[Query], heard: bool = False) -> PairedQueries:
    return PairedQueries(
        tuple(query.spelling for query in read),
        tuple(query.heard if heard else query.ipa for query in said),
        tuple(query.target for query in said),
    )


@dataclass(frozen=True)
class Asked:
    """One kind of query with one seed, both towers asked."""

    kind: str
    text: np.ndarray
    sound: np.ndarray
    text_embeds: np.ndarray
    sound_embeds: np.ndarray
    pieces: np.ndarray
    targets: np.ndarray

    def fused(self, gate: Gate) -> np.ndarray:
        return fuse(self.text, self.sound, self.text_embeds, self.sound_embeds, gate)

    def signs(self) -> np.ndarray:
        return query_signs(self.text, self.sound, self.text_embeds, self.sound_embeds)

    def top1(self, scores: np.ndarray) -> float:
        return float(np.mean(ranks(scores, self.targets) == 0))


Way = Callable[[Asked], np.ndarray]


def standardised(scores: np.ndarray) -> np.ndarray:
    return (scores - scores.mean(1, keepdims=True)) / scores.std(1, keepdims=True)


def log_softmax(scores: np.ndarray, temperature: float) -> np.ndarray:
    shifted = (scores - scores.max(1, keepdims=True)) / temperature
    return shifted - np.log(np.exp(shifted).sum(1, keepdims=True))


def entropy(scores: np.ndarray, temperature: float) -> np.ndarray:
    logs = log_softmax(scores, temperature)
    return -(np.exp(logs) * logs).sum(1)


def margin(scores: np.ndarray) -> np.ndarray:
    best = np.partition(scores, -2, axis=1)
    return best[:, -1] - best[:, -2]


def places(scores: np.ndarray) -> np.ndarray:
    return np.argsort(np.argsort(-scores, axis=1), axis=1)


def choose(text_leads: np.ndarray, asked: Asked, otherwise: np.ndarray) -> np.ndarray:
    """The text tower's scores where it leads, else the others."""
    return np.where(text_leads[:, None], asked.text, otherwise)


def ways(temperature: float) -> dict[str, Way]:
    """What needs no choosing, and what `thresholds` chose nothing for."""
    return {
        "mean of cosines": lambda one: one.text + one.sound,
        "mean of standardised cosines": lambda one: standardised(one.text) + standardised(one.sound),
        "reciprocal ranks (Cormack et al. 2009)": lambda one: (
            1 / (60 + places(one.text)) + 1 / (60 + places(one.sound))
        ),
        "higher cosine, picture by picture": lambda one: np.maximum(one.text, one.sound),
        "higher standardised cosine": lambda one: np.maximum(standardised(one.text), standardised(one.sound)),
        "mean of probabilities": lambda one: np.logaddexp(
            log_softmax(one.text, temperature), log_softmax(one.sound, temperature)
        ),
        "tower with the higher best probability": lambda one: choose(
            log_softmax(one.text, temperature).max(1) > log_softmax(one.sound, temperature).max(1), one, one.sound
        ),
        "tower with the wider margin": lambda one: choose(margin(one.text) > margin(one.sound), one, one.sound),
        "tower with the lower entropy": lambda one: choose(
            entropy(one.text, temperature) < entropy(one.sound, temperature), one, one.sound
        ),
    }


def thresholds() -> dict[str, tuple[Sequence[float], Callable[[float], Way]]]:
    """Name → values to choose from, and the way for each of them."""
    return {
        "mean where BPE pieces a letter < x, else sound": (
            (0.2, 0.3, 0.4, 0.45, 0.5, 0.6),
            lambda x: lambda one: np.where((one.pieces < x)[:, None], one.text + one.sound, one.sound),
        ),
        "mean where text's best cosine > x, else sound": (
            (0.6, 0.64, 0.66, 0.68, 0.7),
            lambda x: lambda one: np.where((one.text.max(1) > x)[:, None], one.text + one.sound, one.sound),
        ),
        "mean where the towers agree > x, else sound": (
            (0.2, 0.3, 0.4, 0.5, 0.6),
            lambda x: lambda one: np.where((one.signs()[:, 2] > x)[:, None], one.text + one.sound, one.sound),
        ),
    }


def losses(asked: Sequence[Asked], way: Way) -> dict[str, float]:
    """Kind → points of top-1 above (below, if negative) the better tower, the mean over seeds."""
    found: dict[str, list[tuple[float, float, float]]] = {}
    for one in asked:
        found.setdefault(one.kind, []).append((one.top1(one.text), one.top1(one.sound), one.top1(way(one))))
    means = {kind: np.mean(values, axis=0) for kind, values in found.items()}
    return {kind: float(100 * (fused - max(text, sound))) for kind, (text, sound, fused) in means.items()}


def gate_of(asked: Sequence[Asked], columns: Sequence[int], temperature: float) -> Gate:
    """The gate by these signs alone (0 text's best, 1 sound's best, 2 agreement)."""
    kept = np.isin(range(3), columns)
    signs = np.concatenate([one.signs() for one in asked]) * kept
    right = [
        np.concatenate([ranks(getattr(one, name), one.targets) == 0 for one in asked]) for name in ("text", "sound")
    ]
    return fit_gate(signs, *right, temperature=temperature)


class Study:
    """A checkpoint, and its answers to queries."""

    def __init__(self, checkpoint: str | Path) -> None:
        self.pictures = PictureSearch.from_checkpoint(checkpoint)
        self.names = [entry.name for entry in self.pictures.gallery.entries]
        self.directions = self.pictures.gallery.image_embeds.astype(np.float64)
        self.transcriber = get_transcriber("eng-Latn", "espeak")
        self.real = RealWords.load(self.transcriber)
        self.temperature = 1 / self.pictures.model.logit_scale.detach().exp().item()
        # By the name, so that a picture is on the same side whatever else is in the gallery.
        hashes = [hashlib.blake2b(name.encode(), digest_size=1).digest()[0] for name in self.names]
        self.chosen_on = np.array(hashes) % 2 == 0
        self.known: dict[str, dict[str, np.ndarray]] = {"text": {}, "ipa": {}}

    def embed(self, kind: str, strings: Sequence[str]) -> np.ndarray:
        known = self.known[kind]
        new = [string for string in dict.fromkeys(strings) if string not in known]
        rows = encode(self.pictures.model, self.pictures.processor, **{kind: new}).numpy().astype(np.float64)
        known.update(zip(new, rows, strict=True))
        return np.stack([known[string] for string in strings])

    def ask(self, seeds: Sequence[int], *, choosing: bool) -> list[Asked]:
        asked = []
        for seed in seeds:
            queries = build_queries(self.names, self.transcriber, seed=seed, real_words=self.real)
            asked += [self._ask(kind, pairs, choosing) for kind, pairs in pair_queries(queries).items()]
        return asked

    def _ask(self, kind: str, pairs: PairedQueries, choosing: bool) -> Asked:
        rows = [row for row, target in enumerate(pairs.targets) if self.chosen_on[target] == choosing]
        spellings, ipa = [pairs.spellings[row] for row in rows], [pairs.ipa[row] for row in rows]
        text, sound = self.embed("text", spellings), self.embed("ipa", ipa)
        tokenize = self.pictures.processor.tokenizer.tokenize
        pieces = [len(tokenize(word)) / len(word.replace(" ", "")) for word in spellings]
        targets = np.array([pairs.targets[row] for row in rows])
        return Asked(kind, text @ self.directions.T, sound @ self.directions.T, text, sound, np.array(pieces), targets)


def candidates_of(choosing: Sequence[Asked], temperature: float) -> tuple[dict[str, Way], Gate]:
    """All ways by name, what is to be chosen chosen; and the gate that is taken."""
    found = ways(temperature)
    for name, (values, make) in thresholds().items():
        best = max(values, key=lambda value: min(losses(choosing, make(value)).values()))
        found[name.replace(" x,", f" {best:g},")] = make(best)
    gates = {
        "learned gate: best cosines": gate_of(choosing, (0, 1), temperature),
        "learned gate: agreement": gate_of(choosing, (2,), temperature),
        "learned gate: best cosines, agreement": gate_of(choosing, (0, 1, 2), temperature),
    }
    for name, gate in gates.items():
        found[name] = lambda one, gate=gate: one.fused(gate)  # type: ignore[misc]
    return found, gate


def study_table(found: Mapping[str, Way], choosing: Sequence[Asked], testing: Sequence[Asked]) -> str:
    rows = []
    for name, way in found.items():
        chosen, tested = losses(choosing, way), losses(testing, way)
        worst = min(tested, key=lambda kind: tested[kind])
        mean = float(np.mean(list(tested.values())))
        rows.append([name, f"{min(chosen.values()):.1f}", f"{tested[worst]:.1f}", worst, f"{mean:.1f}"])
    return markdown_table(["way", "worst, chosen on", "worst, tested on", "where", "mean, tested on"], rows)


def kinds_table(gate: Gate, testing: Sequence[Asked]) -> str:
    """Top-1 of each tower, of the fusion and of whichever tower is right, in percent."""
    found: dict[str, list[list[float]]] = {}
    for one in testing:
        right = [ranks(scores, one.targets) == 0 for scores in (one.text, one.sound, one.fused(gate))]
        found.setdefault(one.kind, []).append([100 * float(np.mean(hits)) for hits in (*right, right[0] | right[1])])
    rows = [[kind, *(f"{value:.1f}" for value in np.mean(values, axis=0))] for kind, values in found.items()]
    return markdown_table(["queries", "text", "pronunciation", "fused", "either is right"], rows)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--checkpoint", type=Path, help="a directory with a gallery; by default the embedded one")
    parser.add_argument("--write", action="store_true", help="write the gate to the checkpoint's fusion.json")
    parser.add_argument("--quick", action="store_true", help="one seed each")
    args = parser.parse_args()
    seeds = 1 if args.quick else 2
    directory = args.checkpoint or embedded_checkpoint()
    with torch.inference_mode():
        study = Study(directory)
        choosing = study.ask(CHOOSING_SEEDS[:seeds], choosing=True)
        testing = study.ask(TESTING_SEEDS[:seeds], choosing=False)
    found, gate = candidates_of(choosing, study.temperature)
    print(f"{machine()}; {versions(*PACKAGES)}\n")
    print(study_table(found, choosing, testing), end="\n\n")
    print(kinds_table(gate, testing), end="\n\n")
    print(gate)
    if args.write:
        gate.save(directory)


if __name__ == "__main__":
    main()
