"""What each choice of the distillation is worth: variants × seeds on the embedded CLIP, evaluated on its pictures.

    python benchmarks/distillation_study.py --output runs/study [--steps 2000] [--pictures 1886] [--seeds 0 1 2]

Every run starts from the quickstart's settings and changes what its name says. Finished runs are kept in
`results.jsonl`, so that an interrupted study goes on where it stopped; the table is printed at the end.
"""

import argparse
import json
import logging
import shutil
import time
from collections.abc import Iterator
from importlib.resources import files
from pathlib import Path
from typing import Any

import numpy as np
import torch
import yaml
from ipaclip import embedded_checkpoint
from ipaclip.evaluation import (
    RealWords,
    RetrievalReport,
    build_queries,
    chart_letters,
    evaluate_phonemes,
    evaluate_retrieval,
    further_respellings,
    held_out_words,
    phoneme_vectors,
)
from ipaclip.search import Gallery, PictureSearch
from ipaclip.tokenization import get_transcriber
from ipaclip.training.arguments import DistillationArguments
from ipaclip.training.distillation import Distillation
from ipaclip.training.quickstart import write_inputs

logger = logging.getLogger("study")

NO_NOISE = {"augmentation.clean": 1.0}
# The shape of the teacher's own text tower.
BASE = {"student.preset": "base", "student.hidden_size": None, "student.intermediate_size": None,
        "student.num_hidden_layers": None, "student.num_attention_heads": None}  # fmt: skip
# Name → what differs from the quickstart's settings.
VARIANTS: dict[str, dict[str, Any]] = {
    "panphon": {},
    "learned": {"student.feature_set": "learned"},
    "ipa_chart": {"student.feature_set": "ipa_chart"},
    "panphon, no noise": NO_NOISE,
    "learned, no noise": {"student.feature_set": "learned", **NO_NOISE},
    "ipa_chart, no noise": {"student.feature_set": "ipa_chart", **NO_NOISE},
    "pooling eos": {"student.pooling": "eos"},
    "no contrastive term": {"objective.contrastive": 0.0},
    "no mse term": {"objective.mse": 0.0},
    "no cosine term": {"objective.cosine": 0.0},
    "not centred": {"objective.centre": False},
    "with relational term": {"objective.relational": 1.0},
    "query_key_gain 1": {"student.query_key_gain": 1.0},
    "embedding_rate 1": {"loop.embedding_rate": 1.0},
    "embedding_rate 0.01": {"loop.embedding_rate": 0.01},
    "learned, embedding_rate 1": {"student.feature_set": "learned", "loop.embedding_rate": 1.0},
    "features unweighted": {"student.weigh_features": False},
    "features unweighted, embedding_rate 1": {"student.weigh_features": False, "loop.embedding_rate": 1.0},
    "panphon and a learned residual": {"student.learned_residual": True},
    "base": BASE,
    "base, from the text tower": {**BASE, "student.init_from_text_tower": True},
}
KINDS = ("names", "respelled", "one_swap", "two_swaps", "far_swap")


class Study:
    """The gallery, the questions and the texts, made once for all runs."""

    def __init__(self, output: Path, steps: int, pictures: int) -> None:
        self.output, self.steps = output, steps
        self.teacher = Path(embedded_checkpoint())
        whole = Gallery.load(self.teacher)
        chosen = np.sort(np.random.default_rng(0).permutation(len(whole.entries))[:pictures])
        self.gallery = Gallery([whole.entries[row] for row in chosen], whole.image_embeds[chosen])
        self.names = [entry.name for entry in self.gallery.entries]
        transcriber = get_transcriber("eng-Latn", "espeak")
        self.inventory = RealWords.load(transcriber).inventory(transcriber.transcribe(self.names))
        self.queries = build_queries(self.names, transcriber, self.inventory)
        respellings = further_respellings(self.names, transcriber, self.queries, 2)
        self.texts, self.held_out = write_inputs(
            output, self.gallery.entries, respellings, held_out_words(self.queries)
        )

    def arguments(self, changes: dict[str, Any], seed: int, directory: Path) -> DistillationArguments:
        text = (files("ipaclip.training") / "configs" / "quickstart.yaml").read_text(encoding="utf-8")
        values: dict[str, Any] = yaml.safe_load(text)
        values.update(teacher=str(self.teacher), output_dir=str(directory))
        values["data"] = {"train": [str(self.texts)], "transcriber": "espeak", "held_out": str(self.held_out)}
        values["augmentation"]["inventory"] = self.inventory
        values["loop"].update(steps=self.steps, seed=seed)
        for key, value in changes.items():
            section, name = key.split(".")
            values[section][name] = value
        return DistillationArguments.from_dict(values)

    def distil(self, changes: dict[str, Any], seed: int) -> Path:
        """The directory of the tower that the changes give, which replaces the one before."""
        directory = self.output / "run"
        shutil.rmtree(directory, ignore_errors=True)
        return Distillation(self.arguments(changes, seed, directory)).run()

    def ask(self, pictures: PictureSearch) -> RetrievalReport:
        """How many of the study's pictures are found by the study's queries."""
        embeds = torch.from_numpy(self.gallery.image_embeds)
        return evaluate_retrieval(pictures.model, pictures.processor, embeds, self.names, queries=self.queries)

    def run(self, changes: dict[str, Any], seed: int) -> dict[str, Any]:
        """Distils, evaluates, and leaves nothing but the figures."""
        started = time.perf_counter()
        directory = self.distil(changes, seed)
        seconds = time.perf_counter() - started
        pictures = PictureSearch.from_checkpoint(directory)
        report = self.ask(pictures)
        letters = chart_letters()
        vectors = phoneme_vectors(pictures.model, pictures.processor.pronunciation_tokenizer, letters)
        rows = evaluate_phonemes({"embedding": vectors["embedding"]}, letters)
        shutil.rmtree(directory)
        top_1 = {row.kind: row.recall["pronunciation"][1] for row in report.rows}
        return {
            "seconds": round(seconds, 1),
            "top_1": top_1,
            "typed": report.rows[1].recall["heard"][1],
            "rho": rows[0].rho["panphon"].mean,
        }


def finished(path: Path) -> Iterator[dict[str, Any]]:
    if path.exists():
        for line in path.read_text(encoding="utf-8").splitlines():
            yield json.loads(line)


def spread(values: list[float], digits: int) -> str:
    """Mean ± standard deviation; of one value, that value."""
    mean = f"{np.mean(values):.{digits}f}"
    return mean if len(values) == 1 else f"{mean} ± {np.std(values):.{digits}f}"


def table(results: list[dict[str, Any]]) -> str:
    """Markdown: mean ± standard deviation over seeds of top-1 in percent, and of Spearman's rho."""
    lines = [
        "| variant | seeds | " + " | ".join(KINDS) + " | respelled, typed | rho |",
        "| --- |" + " ---: |" * (len(KINDS) + 3),
    ]
    for variant in dict.fromkeys(result["variant"] for result in results):
        own = [result for result in results if result["variant"] == variant]
        columns = [[100 * one["top_1"][kind] for one in own] for kind in KINDS] + [[100 * one["typed"] for one in own]]
        cells = [spread(values, 1) for values in columns] + [spread([one["rho"] for one in own], 3)]
        lines.append(f"| {variant} | {len(own)} | {' | '.join(cells)} |")
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--output", type=Path, default=Path("runs/study"))
    parser.add_argument("--steps", type=int, default=2000)
    parser.add_argument("--pictures", type=int, default=1886, help="so many of the gallery, drawn once")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--only", nargs="+", choices=VARIANTS, default=list(VARIANTS))
    parser.add_argument("--quick", action="store_true", help="3 steps, 40 pictures, one seed: checks the script")
    args = parser.parse_args()
    if args.quick:
        args.steps, args.pictures, args.seeds = 3, 40, [0]
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(name)s: %(message)s")
    args.output.mkdir(parents=True, exist_ok=True)
    path = args.output / "results.jsonl"
    done = {(one["variant"], one["seed"], one["steps"], one["pictures"]) for one in finished(path)}
    wanted = [(variant, seed) for seed in args.seeds for variant in args.only]
    study = Study(args.output, args.steps, args.pictures)
    for variant, seed in wanted:
        if (variant, seed, args.steps, args.pictures) in done:
            continue
        figures = study.run(VARIANTS[variant], seed)
        result = {"variant": variant, "seed": seed, "steps": args.steps, "pictures": args.pictures, **figures}
        with path.open("a", encoding="utf-8") as file:
            file.write(json.dumps(result) + "\n")
        logger.info("%s", result)
    chosen = [
        one
        for one in finished(path)
        if (one["steps"], one["pictures"]) == (args.steps, args.pictures) and one["variant"] in args.only
    ]
    order = list(VARIANTS)
    print(
        f"\n{len(study.names)} pictures, {args.steps} steps; mean ± standard deviation over seeds of top-1 in percent, "
        "and of Spearman's rho between the embeddings' cosines and panphon's distances over the IPA chart.\n"
    )
    print(table(sorted(chosen, key=lambda one: (order.index(one["variant"]), one["seed"]))))


if __name__ == "__main__":
    main()
