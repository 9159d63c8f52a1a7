"""What is evaluated, what the suites may be told, and how the checkpoint's encoders are asked."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from ipaclip.encoding import encode
from ipaclip.search.fusion import EMBEDDED_GATE, NO_GATE, Gate

from .retrieval.retrieval import ProcessorTranscriber
from .sound_alone import encode_sound

TEXT, PRONUNCIATION, SOUND_ALONE = "text tower", "pronunciation tower", "sound alone"


class NotRunError(ValueError):
    """A suite lacks what it needs; the message says what to give."""


@dataclass(frozen=True)
class Checkpoint:
    """What is evaluated.

    Attributes:
        name: directory or Hub name.
        model: an `IPAClipModel`.
        processor: its `IPAClipProcessor`.
        image_embeds: `(pictures, projection_dim)`, or None where there are no pictures.
        names: one for each picture.
        gate: how its two towers are fused, see `find_gate`; None where it has none, and then the embedded checkpoint's
            is used, and reports say so.
        known: what one suite computed and another uses.

    Raises:
        ValueError: if the model has no pronunciation tower.
    """

    name: str
    model: Any
    processor: Any
    image_embeds: torch.Tensor | None = None
    names: Sequence[str] = ()
    gate: Gate | None = None
    known: dict[Any, Any] = field(default_factory=dict, compare=False, repr=False)

    def __post_init__(self) -> None:
        if not hasattr(self.model, "get_pronunciation_features"):
            raise ValueError(
                f"{self.name} has no pronunciation tower: `ipaclip distill` trains one beside a CLIP, its teacher."
            )

    @property
    def gate_in_use(self) -> Gate:
        """Its own gate, or else the embedded checkpoint's."""
        return self.gate or EMBEDDED_GATE

    @property
    def notes_on_gate(self) -> list[str]:
        """What is to be said where the gate is not its own."""
        return [] if self.gate else [f"{self.name} {NO_GATE}."]


@dataclass(frozen=True)
class Options:
    """What the suites may be told.

    Attributes:
        seed: of queries, draws and bootstraps.
        pictures: a folder or table of pictures with captions, or a Hub data set, for retrieval; see `read_pictures`.
        judgements: a table of human judgements, see `read_judgements`.
        pwesuite: a file, directory or Hub name, see `read_words`.
        export: where to write PWESuite's embeddings of the pronunciation tower; those of sound alone, where the
            checkpoint has them, beside it: `embd.pkl` and `embd_sound.pkl`.
        show_progress: whether to show progress bars.
    """

    seed: int = 0
    pictures: str | None = None
    judgements: Path | None = None
    pwesuite: str | None = None
    export: Path | None = None
    show_progress: bool = False


def transcribe(checkpoint: Checkpoint, words: Sequence[str]) -> tuple[dict[str, str], dict[str, str]]:
    """Word → IPA, and word → why it has none."""
    some = list(dict.fromkeys(words))
    if not some:
        return {}, {}
    answers = dict(zip(some, ProcessorTranscriber(checkpoint.processor, None).transcribe_each(some), strict=True))
    said = {word: answer for word, answer in answers.items() if isinstance(answer, str)}
    return said, {word: f"it cannot be pronounced ({answers[word]})" for word in some if word not in said}


def by_pronunciation(checkpoint: Checkpoint, ipa: list[str], show_progress: bool = False) -> np.ndarray:
    """IPA strings → `(strings, projection_dim)`, as the pronunciation tower hears them."""
    return encode(checkpoint.model, checkpoint.processor, ipa=ipa, show_progress=show_progress).numpy()


def by_sound_alone(checkpoint: Checkpoint, ipa: list[str], show_progress: bool = False) -> np.ndarray:
    """IPA strings → `(strings, phonetic_dim)`, their sound without meaning."""
    return encode_sound(checkpoint.model, checkpoint.processor, ipa, show_progress)


def by_text(checkpoint: Checkpoint, words: list[str], show_progress: bool = False) -> np.ndarray:
    """Words → `(words, projection_dim)`, as the text tower reads them."""
    return encode(checkpoint.model, checkpoint.processor, text=words, show_progress=show_progress).numpy()
