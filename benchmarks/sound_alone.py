"""How well the output for sound alone keeps articulatory distance: PWESuite's measures, words of the CMU dictionary.

    python benchmarks/sound_alone.py [CHECKPOINT] [--words 600]

For where the suite's own words are not at hand. Words are drawn blindly and said by espeak-ng.
"""

import argparse
import random
from pathlib import Path

from ipaclip import IPAClipModel, IPAClipProcessor, embedded_checkpoint
from ipaclip.evaluation.pwesuite.tasks import evaluate_pwesuite
from ipaclip.evaluation.pwesuite.words import MAIN, Word
from ipaclip.evaluation.sound_alone import encode_sound
from ipaclip.tokenization import get_transcriber
from ipaclip.tokenization.transcription.dictionary import cmu_dictionary
from report import machine, markdown_table, versions


def cmu_words(count: int, seed: int) -> list[Word]:
    """Words of the CMU dictionary, drawn blindly, those that espeak-ng can say."""
    known = sorted(word for word in cmu_dictionary() if word.isalpha())
    spelled = random.Random(seed).sample(known, count)
    said = get_transcriber("eng-Latn", "espeak").transcribe_each(spelled)
    return [Word(word, ipa, "", "en", MAIN) for word, ipa in zip(spelled, said, strict=True) if isinstance(ipa, str)]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("checkpoint", type=Path, nargs="?", default=Path(embedded_checkpoint()))
    parser.add_argument("--words", type=int, default=600)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--quick", action="store_true", help="30 words: checks the script")
    args = parser.parse_args()
    words = cmu_words(30 if args.quick else args.words, args.seed)
    model = IPAClipModel.from_pretrained(args.checkpoint, local_files_only=True).float().eval()
    processor = IPAClipProcessor.from_pretrained(args.checkpoint, local_files_only=True)
    report = evaluate_pwesuite(words, encode_sound(model, processor, [word.ipa for word in words]))
    print(f"{machine()}; {versions('ipaclip', 'torch', 'panphon')}; {len(words)} words\n")
    rows = [(task, str(score)) for task, score in report.overall.items()]
    print(markdown_table(("task", "score, with 95% interval"), rows))


if __name__ == "__main__":
    main()
