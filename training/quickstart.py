"""What `ipaclip quickstart` distils: its texts, the words kept out of them, its configuration and its folder."""

import json
import shutil
from collections.abc import Iterable, Sequence
from importlib.resources import files
from pathlib import Path
from typing import Any

from ipaclip.common.checkpoints import METRICS_FILE
from ipaclip.common.extras import needs_extra
from ipaclip.common.files import write_text

NAME_WEIGHT, RESPELLING_WEIGHT, SYNONYM_WEIGHT = 3.0, 0.5, 0.2
TEXTS_FILE, HELD_OUT_FILE = "texts.jsonl", "held_out.txt"


def make_room(output: Path) -> bool:
    """Clears the way for a new run in `output`, of what an earlier, finished one left.

    Returns:
        Whether one was broken off and goes on.

    Raises:
        ValueError: if `output` is a file, or holds files of something else.
    """
    checkpoint = output / "checkpoint"
    if output.exists() and not output.is_dir():
        raise ValueError(f"{output} is a file: give --output a directory.")
    is_finished = (checkpoint / METRICS_FILE).exists()
    if not is_finished and output.exists() and any(output.iterdir()) and not (output / TEXTS_FILE).exists():
        raise ValueError(f"{output} holds other files: give --output another directory.")
    if is_finished or (checkpoint.exists() and not (checkpoint / "checkpoints").exists()):
        shutil.rmtree(checkpoint)  # if not finished, then broken off before there was anything to go on with
    return checkpoint.exists()


def configuration(feature_set: str, seed: int, steps: int | None) -> dict[str, Any]:
    """The quickstart's settings, in the form of `DistillationArguments.from_dict`."""
    import yaml

    text = (files("ipaclip.training") / "configs" / "quickstart.yaml").read_text(encoding="utf-8")
    values: dict[str, Any] = yaml.safe_load(text)
    values["student"]["feature_set"] = feature_set
    values["loop"]["seed"] = seed
    if steps is not None:
        values["loop"]["steps"] = steps
    return values


def write_inputs(
    output: Path, entries: Sequence[Any], respellings: Iterable[tuple[int, str]], held_out: Iterable[str]
) -> tuple[Path, Path]:
    """Writes the texts to learn (names, respelled names, and what else `emoji` calls them), and the words to keep out.

    Args:
        output: the folder.
        entries: of a gallery, with `character` and `name`.
        respellings: number of the entry, and how its name may be spelled.
        held_out: words.

    Raises:
        ImportError: without the package emoji.
    """
    with needs_extra("data", "Finding synonyms of names"):
        import emoji
    weights: dict[str, float] = {}
    for entry in entries:
        for alias in emoji.EMOJI_DATA.get(entry.character, {}).get("alias", []):
            text = " ".join(alias.strip(":").replace("_", " ").split())
            if sum(sign.isalpha() for sign in text) >= 2:
                weights.setdefault(text, SYNONYM_WEIGHT)
    weights.update({entry.name: NAME_WEIGHT for entry in entries})
    rows: list[dict[str, Any]] = [{"text": text, "weight": weight} for text, weight in weights.items()]
    rows += [
        {"text": entries[index].name, "pronounced": spelling, "weight": RESPELLING_WEIGHT}
        for index, spelling in respellings
    ]
    write_text(output / TEXTS_FILE, "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows))
    write_text(output / HELD_OUT_FILE, "\n".join(sorted(held_out)) + "\n")
    return output / TEXTS_FILE, output / HELD_OUT_FILE
