"""How far agreement with people can go in the text tower's own space: words as mixtures of what sounds like them.

    python benchmarks/meaning_and_sound.py --human judgements.csv [CHECKPOINT]

A pronunciation tower is to land where the text tower puts a word. For a word that it was never taught, it can mix the
names that sound like it: weights softmax(-d / width), d the feature edit distance (`SoundTable`). Of such mixtures,
from the nearest name alone to many alike, this prints the agreement with judgements of how alike words sound.
"""

import argparse
from collections.abc import Sequence
from pathlib import Path

import torch
from ipaclip import IPAClipModel, IPAClipProcessor, embedded_checkpoint
from ipaclip.encoding import encode
from ipaclip.evaluation import human_similarity, read_judgements
from ipaclip.evaluation.nonsense.queries import segments_of
from ipaclip.search import Gallery
from ipaclip.training.sound_alone.fit import SoundTable
from report import machine, markdown_table, versions

WIDTHS = (0.01, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.8, 1.0, 1.5)


def distances(words: Sequence[str], names: Sequence[str]) -> torch.Tensor:
    """Feature edit distance of IPA words and names, `(words, names)`."""
    parts = [segments_of(ipa) for ipa in (*words, *names)]
    sounds = SoundTable(sorted({segment for part in parts for segment in part}))
    encoded = sounds.encode(parts)
    return sounds.distances(encoded[: len(words)], encoded[len(words) :])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("checkpoint", type=Path, nargs="?", default=Path(embedded_checkpoint()))
    parser.add_argument(
        "--human", type=Path, required=True, help="a table of judgements, as `ipaclip evaluate` takes it"
    )
    args = parser.parse_args()
    model = IPAClipModel.from_pretrained(args.checkpoint, local_files_only=True).float().eval()
    processor = IPAClipProcessor.from_pretrained(args.checkpoint, local_files_only=True)
    names = list(dict.fromkeys(entry.name for entry in Gallery.load(args.checkpoint).entries))
    judgements = read_judgements(args.human)
    words = sorted({word for one in judgements for word in (one.word1, one.word2)})
    row = {word: number for number, word in enumerate(words)}
    far = distances(processor.transcribe(words), processor.transcribe(names))
    means = encode(model, processor, text=names)
    rows = []
    for width in WIDTHS:
        weights = torch.softmax(-far / width, dim=1)
        mixed = torch.nn.functional.normalize(weights @ means, dim=1)
        report = human_similarity(judgements, lambda some, mixed=mixed: mixed[[row[word] for word in some]].numpy())
        rows.append((f"{width:g}", f"{weights.max(dim=1).values.mean():.2f}", str(report.interval)))
    said = encode(model, processor, ipa=processor.transcribe(words))
    own = human_similarity(judgements, lambda some: said[[row[word] for word in some]].numpy())
    print(f"{machine()}; {versions('ipaclip', 'torch')}; {len(names)} names, {len(words)} words\n")
    print(markdown_table(("width", "weight of the nearest", "Pearson, with 95% interval"), rows))
    print(f"\nThe pronunciation tower itself: {own.interval}.")


if __name__ == "__main__":
    main()
