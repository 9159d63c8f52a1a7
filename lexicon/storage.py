"""A lexicon on disk: a table to read and arrays to load, each replaced whole or not at all."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from ipaclip.common.checkpoints import LEXICON_FILES
from ipaclip.common.files import whole_file

from .channel import Channel
from .entries import Entry, read_saved, write_entries
from .sounds import ENCODER, Sounds

if TYPE_CHECKING:
    from .lexicon import Lexicon

FORMAT = "ipaclip-lexicon-1"
ARRAYS_FILE, TABLE_FILE = LEXICON_FILES
_FIELDS = ("owners", "numbers", "lengths", "projection", "vectors")


def save(lexicon: "Lexicon", entries: Sequence[Entry], embeds: Mapping[str, np.ndarray], directory: Path) -> None:
    """See `Lexicon.save`."""
    from safetensors.numpy import save as to_bytes

    sounds = lexicon.sounds
    arrays = {name: getattr(sounds, name) for name in _FIELDS}
    arrays["vectors"] = sounds.vectors.astype(np.float16)
    arrays["numbers"] = sounds.numbers[sounds.numbers >= 0].astype(np.int16)
    meanings = list(dict.fromkeys(entry.meaning for entry in entries))
    if embeds:
        arrays["text_embeds"] = np.stack([embeds[meaning] for meaning in meanings]).astype(np.float16)
    about = {
        "format": FORMAT,
        "sound_encoder": json.dumps(asdict(ENCODER)),
        "segments": json.dumps(sounds.segments, ensure_ascii=False),
        "language": lexicon.language,
        "channel": json.dumps(lexicon.channel.to_dict()),
        "text_tower": lexicon.text_tower or "",
    }
    arrays = {name: np.ascontiguousarray(array) for name, array in arrays.items()}
    # Both are whole before either gets its name: a run that is killed leaves two files of one lexicon.
    with whole_file(directory / ARRAYS_FILE) as whole, whole_file(directory / TABLE_FILE) as table:
        write_entries(entries, table)
        whole.write_bytes(to_bytes(arrays, {**about, "table": _hash(table)}))


def load(kind: "type[Lexicon]", directory: Path) -> "Lexicon":
    """See `Lexicon.load`."""
    for name in (TABLE_FILE, ARRAYS_FILE):
        if not (directory / name).is_file():
            raise FileNotFoundError(f"{directory} has no {name}: build a lexicon with `ipaclip lexicon`.")
    about, arrays = _read_arrays(directory / ARRAYS_FILE)
    if about.get("table") != _hash(directory / TABLE_FILE):
        raise ValueError(
            f"{directory / TABLE_FILE} is not what was written with {ARRAYS_FILE}: it was damaged or changed, or is "
            "of another lexicon, so build it again."
        )
    entries = read_saved(directory / TABLE_FILE)
    vectors = arrays["vectors"].astype(np.float32)
    lengths = arrays["lengths"]
    numbers = np.full((len(lengths), int(lengths.max(initial=1))), -1, dtype=np.int16)
    numbers[np.arange(numbers.shape[1]) < lengths[:, None]] = arrays["numbers"]
    segments = tuple(json.loads(about["segments"]))
    sounds = Sounds(segments, arrays["owners"], numbers, lengths, arrays["projection"], vectors)
    meanings = dict.fromkeys(entry.meaning for entry in entries)
    embeds = dict(zip(meanings, arrays["text_embeds"], strict=True)) if "text_embeds" in arrays else {}
    channel = Channel.from_dict(json.loads(about["channel"]))
    return kind(
        entries, sounds, about["language"], channel=channel, embeds=embeds, text_tower=about["text_tower"] or None
    )


def _hash(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def _read_arrays(path: Path) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(path, "numpy") as file:
            about = dict(file.metadata() or {})
            arrays = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    except SafetensorError as error:
        raise ValueError(f"{path} is damaged ({error}): build the lexicon again.") from error
    if about.get("format") != FORMAT:
        raise ValueError(f"{path} is of format {about.get('format')!r}, and {FORMAT!r} is known: build it again.")
    if json.loads(about["sound_encoder"]) != asdict(ENCODER):
        raise ValueError(
            f"{path} holds sounds of another encoder ({about['sound_encoder']}) than this version's "
            f"({json.dumps(asdict(ENCODER))}): build the lexicon again."
        )
    missing = [name for name in _FIELDS if name not in arrays]
    if missing:
        raise ValueError(f"{path} lacks {missing[0]}: build the lexicon again.")
    return about, arrays
