"""What is evaluated, what the suites may be told, and how the checkpoint's encoders are asked."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from ipaclip.encoding import encode
from ipaclip.lexicon import Lexicon
from ipaclip.search.fusion import EMBEDDED_GATE, NO_GATE, Gate, find_gate

from .sound_alone import encode_sound, has_sound_alone

EMBEDDED = "the embedded checkpoint"
TEXT, PRONUNCIATION, SOUND_ALONE = "text tower", "pronunciation tower", "sound alone"
_ADVICE = "`ipaclip distill` trains one beside a CLIP, its teacher."

Encode = Callable[[list[str]], np.ndarray]


class NotRunError(ValueError):
    """A suite lacks what it needs; the message says what to give."""


class ProcessorTranscriber:
    """What the processor hears words by, with the name and version of it.

    Raises:
        ValueError: if the checkpoint was taught by another transcriber than is installed.
        ImportError: if none is installed.
    """

    def __init__(self, processor: Any, language: str | None = None) -> None:
        self._processor = processor
        self.language: str = language or processor.language
        record = self._ask(processor.transcriber_record)
        self.backend, self.version = record["backend"], record["version"]

    def __str__(self) -> str:
        return f"{self.language} by {self.backend}, {self.version}"

    def transcribe(self, texts: Sequence[str]) -> list[str]:
        return self._ask(self._processor.transcribe, list(texts))

    def transcribe_each(self, texts: Sequence[str]) -> list[str | ValueError]:
        return self._ask(self._processor.transcribe_each, list(texts))

    def _ask(self, method: Callable[..., Any], *arguments: Any) -> Any:
        try:
            return method(*arguments, language=self.language)
        except RuntimeError as error:
            raise ValueError(str(error)) from error


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
        lexicon: what its words sound like; None where it has none.
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
    lexicon: Lexicon | None = None
    known: dict[Any, Any] = field(default_factory=dict, compare=False, repr=False)

    def __post_init__(self) -> None:
        if not hasattr(self.model, "get_pronunciation_features"):
            raise ValueError(f"{self.name} has no pronunciation tower: {_ADVICE}")

    @classmethod
    def load(cls, name: str | None = None) -> "Checkpoint":
        """Model, processor and, where it has them, gallery and lexicon of a directory or Hub name; else the embedded.

        Raises:
            OSError: if the checkpoint, or a file of it, is missing or damaged.
            ValueError: if it is of another kind, or its lexicon is damaged.
        """
        from ipaclip import IPAClipProcessor, embedded_checkpoint
        from ipaclip.checkpoint_path import read_json
        from ipaclip.lexicon.storage import ARRAYS_FILE
        from ipaclip.search import Gallery, local_checkpoint
        from ipaclip.search.picture_search import load_model

        directory = local_checkpoint(name or embedded_checkpoint())
        name = name or EMBEDDED
        kind = read_json(directory / "config.json").get("model_type")
        if kind != "ipaclip":
            raise ValueError(f"{name} is a model of type {kind!r}, without a pronunciation tower: {_ADVICE}")
        gallery = Gallery.load(directory) if (directory / "gallery.json").is_file() else None
        return cls(
            name,
            load_model(directory),
            IPAClipProcessor.from_pretrained(directory, local_files_only=True),
            None if gallery is None else torch.from_numpy(gallery.image_embeds),
            () if gallery is None else [entry.name for entry in gallery.entries],
            find_gate(directory),
            Lexicon.load(directory) if (directory / ARRAYS_FILE).is_file() else None,
        )

    @property
    def gate_in_use(self) -> Gate:
        """Its own gate, or else the embedded checkpoint's."""
        return self.gate or EMBEDDED_GATE

    @property
    def notes_on_gate(self) -> list[str]:
        """What is to be said where the gate is not its own."""
        return [] if self.gate else [f"{self.name} {NO_GATE}."]

    @property
    def transcriber(self) -> ProcessorTranscriber:
        """What it hears words by."""
        return ProcessorTranscriber(self.processor)

    @property
    def gallery(self) -> torch.Tensor:
        """The embeddings of the pictures.

        Raises:
            NotRunError: if it has none.
        """
        if self.image_embeds is None or not self.names:
            raise NotRunError(
                f"{self.name} has no gallery of pictures to be found: give pictures with captions (--pictures), or a "
                "checkpoint that has a gallery."
            )
        return self.image_embeds

    def transcribe(self, words: Sequence[str]) -> tuple[dict[str, str], dict[str, str]]:
        """Word → IPA, and word → why it has none."""
        distinct = list(dict.fromkeys(words))
        answers = dict(zip(distinct, self.transcriber.transcribe_each(distinct), strict=True)) if distinct else {}
        said = {word: answer for word, answer in answers.items() if isinstance(answer, str)}
        return said, {word: f"it cannot be pronounced ({answers[word]})" for word in distinct if word not in said}

    def hearing(self, show_progress: bool = False) -> dict[str, Encode]:
        """What hears IPA, by name: sound alone, where the model has it, and the pronunciation tower.

        Each takes strings and gives `(strings, dim)`.
        """
        encoders: dict[str, Encode] = {}
        if has_sound_alone(self.model):
            encoders[SOUND_ALONE] = lambda ipa: encode_sound(self.model, self.processor, ipa, show_progress)
        encoders[PRONUNCIATION] = lambda ipa: encode(
            self.model, self.processor, ipa=ipa, show_progress=show_progress
        ).numpy()
        return encoders

    def read(self, words: list[str], show_progress: bool = False) -> np.ndarray:
        """Words → `(words, projection_dim)`, as the text tower reads them."""
        return encode(self.model, self.processor, text=words, show_progress=show_progress).numpy()


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
        dictionary: a table of pronunciations for `notation`, see `read_dictionary`.
        show_progress: whether to show progress bars.
    """

    seed: int = 0
    pictures: str | None = None
    judgements: Path | None = None
    pwesuite: str | None = None
    export: Path | None = None
    dictionary: Path | None = None
    show_progress: bool = False
