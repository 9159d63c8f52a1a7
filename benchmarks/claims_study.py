"""The goals of docs/results.md by feature set: small towers with `panphon`, `ipa_chart` and `learned`, some seeds each.

    python benchmarks/claims_study.py --human judgements.csv [--output runs/claims] [--steps 800] [--pictures 472]

Each is distilled with the quickstart's settings, as in `distillation_study.py`, and then fitted for sound alone, as by
`ipaclip fit-phonetic`. Finished ones are kept in `results.jsonl`: an interrupted study goes on where it stopped.
"""

import argparse
import hashlib
import json
import logging
import shutil
from pathlib import Path
from typing import Any

from distillation_study import VARIANTS, Study, finished, spread
from ipaclip import IPAClipModel, IPAClipProcessor
from ipaclip.evaluation import Checkpoint, Options, read_judgements, run_suites
from ipaclip.evaluation.pwesuite.tasks import evaluate_pwesuite
from ipaclip.evaluation.sound_alone import encode_sound
from ipaclip.search import PictureSearch
from ipaclip.training.sound_alone.checkpoint import fit_checkpoint
from report import machine, markdown_table, versions
from sound_alone import cmu_words

logger = logging.getLogger("claims")

FEATURE_SETS = ("panphon", "ipa_chart", "learned")
# Figure → digits, as the table has them.
FIGURES = {
    "rho": 3,
    "one swap, top-1": 3,
    "fusion, worst loss, points": 1,
    "human, tower": 3,
    "human, sound alone": 3,
    "articulatory correlation": 3,
    "retrieval of words": 3,
}


def measure(study: Study, features: str, seed: int, fit_steps: int, judgements: Path) -> dict[str, float]:
    """Distils, fits the output for sound alone, and asks what the goals ask."""
    tower, sounds = study.distil(VARIANTS[features], seed), study.output / "sounds"
    asked = study.ask(PictureSearch.from_checkpoint(tower)).rows
    recalls = [row.recall for row in asked]
    losses = [max(recall["text"][1], recall["heard"][1]) - recall["both"][1] for recall in recalls]
    shutil.rmtree(sounds, ignore_errors=True)
    fit_checkpoint(tower, sounds, steps=fit_steps, seed=seed)
    model = IPAClipModel.from_pretrained(sounds, local_files_only=True).float().eval()
    processor = IPAClipProcessor.from_pretrained(sounds, local_files_only=True)
    checkpoint = Checkpoint(features, model, processor)
    values = run_suites(checkpoint, "phonemes").values()
    found = {
        "rho": values["phonemes: IPA chart, embedding, all: rho with panphon distance"],
        "one swap, top-1": next(row.recall["pronunciation"][1] for row in asked if row.kind == "one_swap"),
        "fusion, worst loss, points": 100 * max(losses),
    }
    values = run_suites(checkpoint, "human", Options(judgements=judgements)).values()
    found["human, tower"] = values["human: pronunciation tower: Pearson"]
    found["human, sound alone"] = values["human: sound alone: Pearson"]
    words = cmu_words(600, 0)
    scores = evaluate_pwesuite(words, encode_sound(model, processor, [word.ipa for word in words])).overall
    found["articulatory correlation"] = scores["articulatory correlation"]
    found["retrieval of words"] = scores["retrieval"]
    return {name: float(getattr(value, "mean", value)) for name, value in found.items()}


def table(results: list[dict[str, Any]]) -> str:
    """A row for each feature set, mean ± standard deviation over its seeds."""
    rows = []
    for features in dict.fromkeys(one["features"] for one in results):
        own = [one["figures"] for one in results if one["features"] == features]
        cells = [spread([one[name] for one in own], digits) for name, digits in FIGURES.items()]
        rows.append([features, str(len(own)), *cells])
    return markdown_table(("features", "seeds", *FIGURES), rows)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--output", type=Path, default=Path("runs/claims"))
    parser.add_argument(
        "--human", type=Path, required=True, help="a table of judgements, as `ipaclip evaluate` takes it"
    )
    parser.add_argument("--steps", type=int, default=800)
    parser.add_argument("--fit-steps", type=int, default=1500, help="of the output for sound alone")
    parser.add_argument("--pictures", type=int, default=472, help="so many of the gallery, drawn once")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--only", nargs="+", choices=FEATURE_SETS, default=list(FEATURE_SETS))
    parser.add_argument("--quick", action="store_true", help="3 steps, 40 pictures, one seed: checks the script")
    args = parser.parse_args()
    if args.quick:
        args.steps, args.fit_steps, args.pictures, args.seeds = 3, 20, 40, [0]
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(name)s: %(message)s")
    read_judgements(args.human)  # what is wrong with it must not come out only after a distillation
    args.output.mkdir(parents=True, exist_ok=True)
    path = args.output / "results.jsonl"
    judged = hashlib.blake2b(args.human.read_bytes(), digest_size=8).hexdigest()
    setting = {"steps": args.steps, "fit_steps": args.fit_steps, "pictures": args.pictures, "judgements": judged}
    study = Study(args.output, args.steps, args.pictures)
    for seed in args.seeds:
        for features in args.only:
            run = {"features": features, "seed": seed, **setting}
            if any(run.items() <= one.items() for one in finished(path)):
                continue
            result = {**run, "figures": measure(study, features, seed, args.fit_steps, args.human)}
            with path.open("a", encoding="utf-8") as file:
                file.write(json.dumps(result) + "\n")
            logger.info("%s", result)
    done = [one for one in finished(path) if setting.items() <= one.items() and one["features"] in args.only]
    print(f"{machine()}; {versions('ipaclip', 'torch', 'panphon')}; {len(study.names)} pictures, {args.steps} steps\n")
    print(table(sorted(done, key=lambda one: FEATURE_SETS.index(one["features"]))))


if __name__ == "__main__":
    main()
