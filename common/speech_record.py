"""How spelled words were transcribed for a tower: kept by its processor, or by the tokenizer of one saved alone."""

import os
from dataclasses import dataclass
from typing import Any

_KEYS = ("language", "transcriber", "transcribers")


@dataclass(frozen=True)
class SpeechRecord:
    """
    What [`IPAClipProcessor`] is told of languages; see there.

    Args:
        language (`str`): What words are taken to be in.
        transcriber (`str`, *optional*): The backend of every language that `transcribers` does not name.
        transcribers (`dict`, *optional*): Language → record of its backend.
    """

    language: str = "eng-Latn"
    transcriber: str | None = None
    transcribers: dict[str, dict[str, Any]] | None = None

    @classmethod
    def of_processor(cls, processor: Any) -> "SpeechRecord":
        return cls(processor.language, processor.transcriber, processor.transcribers)

    @classmethod
    def of_tokenizer(cls, tokenizer: Any) -> "SpeechRecord":
        """Of a tower's tokenizer that was saved alone; one that says nothing gives the defaults."""
        kept = tokenizer.init_kwargs
        return cls(**{key: kept[key] for key in _KEYS if kept.get(key) is not None})

    @classmethod
    def of_checkpoint(cls, name: str | os.PathLike, tokenizer: Any) -> "SpeechRecord":
        """
        Of an IPA-CLIP (directory or Hub name) from its processor's configuration, else from the tower's tokenizer.
        """
        from transformers import ProcessorMixin

        from .checkpoints import find_file

        if find_file(name, "processor_config.json") is None:
            return cls.of_tokenizer(tokenizer)
        values = ProcessorMixin.get_processor_dict(name)[0]
        return cls(**{key: values[key] for key in _KEYS if values.get(key) is not None})

    def write_into(self, tokenizer: Any) -> None:
        """Puts the record into the settings that the tokenizer is saved with."""
        tokenizer.init_kwargs.update({key: getattr(self, key) for key in _KEYS})

    def updated(self, newer: "SpeechRecord") -> "SpeechRecord":
        """The newer record, with what only this one knows of other languages."""
        return SpeechRecord(
            newer.language,
            newer.transcriber or self.transcriber,
            {**(self.transcribers or {}), **(newer.transcribers or {})} or None,
        )

    def to_dict(self) -> dict[str, Any]:
        """Keyword arguments of [`IPAClipProcessor`]."""
        return {key: getattr(self, key) for key in _KEYS}
