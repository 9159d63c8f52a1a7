"""Makes the embedded checkpoint `pretrained/emoji` again, from the font and the names to the table of results.

    python examples/emoji/build.py            # all that is not there yet: the CLIP, the tower, the evaluation
    python examples/emoji/build.py --install  # and puts the result into pretrained/emoji

Needs Debian's fonts-noto-color-emoji and unicode-cldr-core, and `pip install -e ".[all]"`. What was finished before is
not done again; what was interrupted goes on where it stopped.
"""

import argparse
import json
import logging
import shutil
import subprocess
import sys
from pathlib import Path

import dataset
import gallery
import languages
import torch
import train_clip
from ipaclip.evaluation import RealWords, build_queries, evaluate_retrieval, further_respellings, held_out_words
from ipaclip.lexicon import Lexicon
from ipaclip.search import PictureSearch
from ipaclip.tokenization import get_transcriber
from ipaclip.training.arguments import DistillationArguments
from ipaclip.training.distillation import distil
from ipaclip.training.sound_alone.checkpoint import fit_checkpoint

import lexicon

logger = logging.getLogger("build")

HERE = Path(__file__).parent
SHIPPED = HERE.parent.parent / "pretrained" / "emoji"
SHIPPED_FILES = (
    "README.md", "config.json", "gallery.json", "gallery.safetensors", "lexicon.safetensors", "lexicon.tsv",
    "metrics.json", "model.safetensors", "processor_config.json", "tokenizer.json", "tokenizer_config.json",
)  # fmt: skip


def make_clip(clip: Path, epochs: int) -> None:
    """Trains the CLIP, unless it is there, and makes its gallery."""
    if not (clip / "model.safetensors").exists():
        command = [sys.executable, str(HERE / "train_clip.py"), "--output", str(clip), "--epochs", str(epochs)]
        subprocess.run(command, check=True)
    emojis, pictures = dataset.load(train_clip.IMAGE_SIZE)
    gallery.build_gallery(emojis, pictures, clip).save(clip)


def make_tower(clip: Path, tower: Path, overrides: list[str]) -> None:
    """Distils the pronunciation tower on English, goes on from there with all languages, and again with less noise;
    then its output for sound alone is fitted. What comes before that lies beside it, under its name and a word.
    """
    common = [f"teacher={clip}", "data.transcriber=espeak", "resume=true", *write_inputs(clip), *overrides]
    parts = {
        "english": ("distill.yaml", "texts.jsonl"),
        "languages": ("distill_languages.yaml", "texts_languages.jsonl"),
        "refined": ("distill_refined.yaml", "texts_languages.jsonl"),
    }
    before: list[str] = []
    for name, (configuration, texts) in parts.items():
        output = tower.with_name(f"{tower.name}-{name}")
        arguments = [f"output_dir={output}", f"data.train={clip / texts}", *before, *common]
        distil(DistillationArguments.from_file(HERE / configuration, arguments))
        before = [f"start_from={output}"]
    fit_checkpoint(output, tower, steps=8000, runs=0.35)


def write_inputs(clip: Path) -> list[str]:
    """Writes the texts of each part, those of the part before among them, and the words to hold out: every word of the
    evaluation's nonsense. Returns what the distillations are told of it.
    """
    emojis, _ = dataset.load(train_clip.IMAGE_SIZE)
    names = [one.name for one in emojis]
    transcriber = get_transcriber("eng-Latn", "espeak")
    inventory = RealWords.load(transcriber).inventory(transcriber.transcribe(names))
    held_out = clip / "held_out.txt"
    if not (clip / "texts_languages.jsonl").exists():
        queries = build_queries(names, transcriber, inventory)
        held_out.write_text("\n".join(sorted(held_out_words(queries))) + "\n", encoding="utf-8")
        respellings = further_respellings(names, transcriber, queries, gallery.RESPELLINGS)
        rows = gallery.english_rows(emojis, respellings)
        gallery.write_rows(rows, clip / "texts.jsonl")
        rows += gallery.foreign_rows(emojis, languages.foreign_names([one.character for one in emojis]))
        gallery.write_rows(rows, clip / "texts_languages.jsonl")
    return [f"augmentation.inventory={json.dumps(inventory)}", f"data.held_out={held_out}"]


def make_lexicon(tower: Path) -> None:
    """Builds the lexicon, unless it is there."""
    if not (tower / "lexicon.safetensors").exists():
        pictures = PictureSearch.from_checkpoint(tower)
        entries = lexicon.entries_of(pictures.gallery.entries)
        Lexicon.build(entries, pictures.model, pictures.processor, show_progress=True).save(tower)


def evaluate(tower: Path) -> None:
    """Adds the table of results to the metrics and the model card."""
    pictures = PictureSearch.from_checkpoint(tower)
    names = [entry.name for entry in pictures.gallery.entries]
    embeds = torch.from_numpy(pictures.gallery.image_embeds)
    report = evaluate_retrieval(pictures.model, pictures.processor, embeds, names)
    metrics = json.loads((tower / "metrics.json").read_text(encoding="utf-8"))
    metrics["retrieval"] = report.to_dict()
    metrics["languages"] = languages.evaluate_languages(
        pictures.model, pictures.processor, embeds, [entry.character for entry in pictures.gallery.entries]
    )
    (tower / "metrics.json").write_text(json.dumps(metrics, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
    card = (tower / "README.md").read_text(encoding="utf-8").partition("\n## Made of\n")[0]
    made = (HERE / "card.md").read_text(encoding="utf-8")
    made = made.replace("{table}", report.to_markdown())
    made = made.replace("{languages}", languages.to_markdown(metrics["languages"]))
    (tower / "README.md").write_text(f"{card}\n{made}", encoding="utf-8")
    logger.info("\n%s", report.to_markdown())


def install(tower: Path) -> None:
    SHIPPED.mkdir(parents=True, exist_ok=True)
    for name in SHIPPED_FILES:
        shutil.copyfile(tower / name, SHIPPED / name)
    shutil.copytree(tower / "pronunciation_tokenizer", SHIPPED / "pronunciation_tokenizer", dirs_exist_ok=True)
    for name in ("config.json", "processor_config.json", "pronunciation_tokenizer/tokenizer_config.json"):
        # The code that these would send a stranger to is the package around them.
        settings = json.loads((SHIPPED / name).read_text(encoding="utf-8"))
        settings.pop("auto_map", None)
        (SHIPPED / name).write_text(json.dumps(settings, indent=2) + "\n", encoding="utf-8")
    size = sum(file.stat().st_size for file in SHIPPED.rglob("*") if file.is_file())
    logger.info("%s: %.1f MB", SHIPPED, size / 1e6)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--clip", type=Path, default=Path("runs/emoji-clip"))
    parser.add_argument("--tower", type=Path, default=Path("runs/emoji-tower"))
    parser.add_argument("--epochs", type=int, default=150, help="of the CLIP")
    parser.add_argument("--install", action="store_true", help="put the result into pretrained/emoji")
    parser.add_argument("overrides", nargs="*", metavar="key=value", help="of the distillations")
    args = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(name)s: %(message)s")
    make_clip(args.clip, args.epochs)
    if not (args.tower / "metrics.json").exists():
        make_tower(args.clip, args.tower, args.overrides)
    make_lexicon(args.tower)
    evaluate(args.tower)
    if args.install:
        install(args.tower)


if __name__ == "__main__":
    main()
