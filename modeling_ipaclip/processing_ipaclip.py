"""Processor of IPA-CLIP: pictures, texts and pronunciations, spelled or in IPA."""

import os
import threading
from collections.abc import Sequence
from typing import Any

from transformers.dynamic_module_utils import custom_object_save
from transformers.feature_extraction_utils import BatchFeature
from transformers.processing_utils import ProcessingKwargs, ProcessorMixin, TextKwargs, Unpack
from transformers.utils import logging

from .checkpoint_path import require_whole_json
from .transcribing import checked_record, get_transcriber

logger = logging.get_logger(__name__)

PRONUNCIATION_TOKENIZER = "pronunciation_tokenizer"
# One token each in any IPA tokenizer, and in no tokenizer of spelled text.
IPA_PROBE = ("ʃ", "ŋ", "ə")
# What `from_pretrained` passes on to fetch files; all else is for CLIP's tokenizer and image processor.
_FETCHING = frozenset(
    {"cache_dir", "code_revision", "force_download", "local_files_only", "revision", "subfolder", "token"}
    | {"trust_remote_code"}
)
_OWN_ARGUMENTS = frozenset({"language", "transcriber", "transcribers"})

# Held while a tokenizer runs: transformers' fast ones keep the padding and truncation of the call that runs where every
# other call of that moment finds them.
TOKENIZERS = threading.RLock()
if hasattr(os, "register_at_fork"):  # a lock that another thread held would stay locked in a forked process
    os.register_at_fork(
        before=TOKENIZERS.acquire, after_in_parent=TOKENIZERS.release, after_in_child=TOKENIZERS.release
    )


class IPAClipProcessorKwargs(ProcessingKwargs, total=False):  # type: ignore[call-arg]
    """CLIP's keyword arguments, and those for pronunciations alone."""

    pronunciation_kwargs: TextKwargs


class NoIPATokenizerError(ValueError):
    """What should be the pronunciation tokenizer splits IPA as no tokenizer of IPA does."""


class IPAClipProcessor(ProcessorMixin):
    r"""
    CLIP's processor, and a second tokenizer for pronunciations.

    Args:
        image_processor: CLIP's image processor.
        tokenizer: CLIP's tokenizer.
        pronunciation_tokenizer: The IPA tokenizer.
        language (`str`): What `pronounce` takes words to be in, unless told otherwise, as epitran names it.
        transcriber (`str`, *optional*): The backend that transcribed the training words, such as "espeak". Words of
            every language that `transcribers` does not name are transcribed by this backend only. `None` takes the
            first that `ipaclip.tokenization.languages` lists for a language.
        transcribers (`dict[str, dict[str, str]]`, *optional*): What transcribed the training words of each language:
            its `"backend"`, and if known its `"version"`, as in `{"deu-Latn": {"backend": "epitran", "version":
            "epitran 1.35.3"}}`. Another backend is an error, another version a warning, once. A `"fallback"` says the
            words that the backend refuses; without one they are refused.

    Raises:
        `ValueError`: if `pronunciation_tokenizer` is no IPA tokenizer, or `transcribers` names no backends.

    Example:

    ```python
    >>> from ipaclip import IPAClipProcessor, embedded_checkpoint

    >>> processor = IPAClipProcessor.from_pretrained(embedded_checkpoint())
    >>> processor(ipa=["bʌtɚflaɪ"], return_tensors="pt").keys()
    >>> processor(pronounce=["batterfly"], language="eng-Latn", return_tensors="pt").keys()
    ```"""

    # Not one is keyword-only: `ProcessorMixin.from_pretrained` would not pass it.
    def __init__(  # noqa: PLR0917
        self,
        image_processor: Any,
        tokenizer: Any,
        pronunciation_tokenizer: Any,
        language: str = "eng-Latn",
        transcriber: str | None = None,
        transcribers: dict[str, dict[str, str]] | None = None,
    ) -> None:
        super().__init__(image_processor, tokenizer, pronunciation_tokenizer)
        tokens = pronunciation_tokenizer.convert_ids_to_tokens(
            pronunciation_tokenizer("".join(IPA_PROBE), add_special_tokens=False)["input_ids"]
        )
        if tuple(tokens) != IPA_PROBE:
            raise NoIPATokenizerError(
                f"The pronunciation tokenizer is no IPA tokenizer: it splits {''.join(IPA_PROBE)!r} into {tokens}."
            )
        self.language = language
        self.transcriber = transcriber
        self.transcribers = checked_record(transcribers)

    @classmethod
    def from_pretrained(cls, pretrained_model_name_or_path: str | os.PathLike, **kwargs: Any) -> Any:
        r"""
        As [`~transformers.ProcessorMixin.from_pretrained`], but never with CLIP's tokenizer in the place of a missing
        pronunciation tokenizer, which stays as it was saved: what changes tokenizers (`pad_token`, `padding`, …) is for
        CLIP's.

        Raises:
            `OSError`: if the folder of the pronunciation tokenizer is missing, or holds another tokenizer; if a JSON
                file is missing or damaged, with its name.
        """
        where = f"folder {PRONUNCIATION_TOKENIZER!r} in {str(pretrained_model_name_or_path)!r}"
        advice = "this is no complete IPA-CLIP, so save or download the whole processor again"
        directory = os.path.join(pretrained_model_name_or_path, kwargs.get("subfolder", ""))
        if os.path.isdir(directory) and not os.path.isdir(os.path.join(directory, PRONUNCIATION_TOKENIZER)):
            raise OSError(f"There is no {where}: {advice}.")
        if os.path.isdir(directory):
            require_whole_json(directory)
        try:
            processor = super().from_pretrained(pretrained_model_name_or_path, **kwargs)
        except NoIPATokenizerError as error:
            raise OSError(f"There is no IPA tokenizer in the {where}: {advice}.") from error
        if kwargs.keys() - _FETCHING - _OWN_ARGUMENTS:
            fetching = {name: value for name, value in kwargs.items() if name in _FETCHING}
            fetching["subfolder"] = os.path.join(kwargs.get("subfolder", ""), PRONUNCIATION_TOKENIZER)
            tokenizer_class = type(processor.pronunciation_tokenizer)
            processor.pronunciation_tokenizer = tokenizer_class.from_pretrained(
                pretrained_model_name_or_path, **fetching
            )
        return processor

    def save_pretrained(self, save_directory: str | os.PathLike, push_to_hub: bool = False, **kwargs: Any) -> list[str]:
        with TOKENIZERS:
            for tokenizer in (self.tokenizer, self.pronunciation_tokenizer):
                # What the last call set would be saved as the tokenizer's own.
                if (backend := getattr(tokenizer, "backend_tokenizer", None)) is not None:
                    backend.no_truncation()
                    backend.no_padding()
            files = super().save_pretrained(save_directory, push_to_hub=push_to_hub, **kwargs)
        # The tokenizer writes its code into its own folder, but it is looked for at the root.
        if self.pronunciation_tokenizer._auto_class is not None:
            custom_object_save(self.pronunciation_tokenizer, save_directory)
        return files

    def __call__(
        self,
        images: Any = None,
        text: str | list[str] | None = None,
        ipa: str | Sequence[str] | None = None,
        pronounce: str | Sequence[str] | None = None,
        language: str | None = None,
        **kwargs: Unpack[IPAClipProcessorKwargs],
    ) -> BatchFeature:
        r"""
        Prepare any of pictures, texts and pronunciations for the model. Threads may share a processor.

        Args:
            images: Pictures, as for [`~transformers.CLIPProcessor`].
            text (`str` or `list[str]`, *optional*): Texts, as for [`~transformers.CLIPProcessor`].
            ipa (`str` or `list[str]`, *optional*): Pronunciations in IPA.
            pronounce (`str` or `list[str]`, *optional*): Spelled words or sentences, to be transcribed.
            language (`str`, *optional*): The language of `pronounce`, else the processor's.
            kwargs: As for [`~transformers.CLIPProcessor`]. `text_kwargs` are for texts alone, `pronunciation_kwargs`
                for pronunciations alone, other arguments of tokenizers for both; but where there are texts,
                `max_length` is for them alone. With `return_tensors`, texts and pronunciations are padded unless
                `padding`, here or among the tokenizer's own settings, says otherwise. Pronunciations that are too long
                are truncated, with a warning, unless `truncation` says otherwise.

        Returns:
            [`~transformers.BatchFeature`]: `pixel_values`; `input_ids` and `attention_mask`;
            `pronunciation_input_ids` and `pronunciation_attention_mask`, each `(batch, length)`.

        Raises:
            `ValueError`: if nothing is passed, or both `ipa` and `pronounce`, or a pronunciation is empty.
            `ImportError`: if there is no transcriber for `pronounce`.
            `RuntimeError`: if another transcriber than the recorded one would answer.
        """
        if ipa is not None and pronounce is not None:
            raise ValueError("`ipa` and `pronounce` are two ways to pass the same thing: pass one of them.")
        given, name = (ipa, "ipa") if pronounce is None else (pronounce, "pronounce")
        own = kwargs.pop("pronunciation_kwargs", {})
        features = BatchFeature()
        if text is not None:
            with TOKENIZERS:
                features.update(super().__call__(text=text, **self._padded(kwargs, self.tokenizer)))
        if images is not None or (text is None and given is None):
            features.update(super().__call__(images=images, **kwargs))
        if given is not None:
            strings = _strings(given, name)
            if pronounce is not None:
                name = "the transcription of pronounce"
                strings = _strings(self.transcribe(strings, language), name)
            shared = {key: value for key, value in kwargs.items() if key != "max_length" or text is None}
            shared = self._padded({**shared, "text_kwargs": own}, self.pronunciation_tokenizer)
            settings = self._settings(self.pronunciation_tokenizer)
            merged = self._merge_kwargs(ProcessingKwargs, settings, **shared)["text_kwargs"]
            with TOKENIZERS:
                self._warn_of_losses(strings, name, merged)
                encoded = self.pronunciation_tokenizer(strings[0] if isinstance(given, str) else strings, **merged)
            features.update({f"pronunciation_{key}": value for key, value in encoded.items()})
        return features

    @staticmethod
    def _settings(tokenizer: Any) -> dict[str, Any]:
        """What a tokenizer was told when it was made that a call may override."""
        names = ("padding", "truncation", "max_length")
        return {name: tokenizer.init_kwargs[name] for name in names if tokenizer.init_kwargs.get(name) is not None}

    def _padded(self, kwargs: dict[str, Any], tokenizer: Any) -> dict[str, Any]:
        """Tensors are rectangular: so with them rows are padded, unless something says how."""
        given = (*kwargs, *kwargs.get("text_kwargs", {}), *self._settings(tokenizer))
        tensors = kwargs.get("return_tensors") or kwargs.get("text_kwargs", {}).get("return_tensors")
        return kwargs if tensors is None or "padding" in given else {**kwargs, "padding": True}

    def transcribe(self, texts: Sequence[str], language: str | None = None) -> list[str]:
        """
        Spelled words or sentences to IPA, one string each.

        Args:
            texts (`list[str]`): What to pronounce.
            language (`str`, *optional*): Their language, as epitran names it; else the processor's.

        Raises:
            `ValueError`: if a text cannot be pronounced (`ipaclip.tokenization.TranscriptionError`).
            `ImportError`: if there is no transcriber.
            `RuntimeError`: if another transcriber than the recorded one would answer.
        """
        return list(self._transcriber(language).transcribe(list(texts)))

    def transcribe_each(self, texts: Sequence[str], language: str | None = None) -> list[str | ValueError]:
        """
        As `transcribe`, but a text that cannot be pronounced gets its error in the list, and the others their IPA.
        """
        return list(self._transcriber(language).transcribe_each(list(texts)))

    def transcriber_record(self, language: str | None = None) -> dict[str, str]:
        """
        What transcribes the words of a language, as `transcribers` holds it: `"backend"`, `"version"` and, where the
        words that it refuses go to another one, `"fallback"`.
        """
        transcriber = self._transcriber(language)
        record = {"backend": transcriber.backend, "version": transcriber.version}
        fallback = getattr(transcriber, "fallback", None)
        return record if fallback is None else {**record, "fallback": fallback}

    def _transcriber(self, language: str | None) -> Any:
        language = language or self.language
        recorded = (self.transcribers or {}).get(language, {})
        backend = "+".join(filter(None, (self.backend_of(language), recorded.get("fallback")))) or None
        return get_transcriber(language, backend, recorded.get("version"))

    def backend_of(self, language: str | None = None) -> str | None:
        """
        The backend that words of a language are transcribed by, or `None` if none is recorded yet.

        Args:
            language (`str`, *optional*): As epitran names it; else the processor's.
        """
        recorded = (self.transcribers or {}).get(language or self.language)
        return recorded["backend"] if recorded else self.transcriber

    def _warn_of_losses(self, strings: list[str], name: str, kwargs: dict[str, Any]) -> None:
        """Warns of all that gets lost on the way to ids; sets `kwargs` to truncate unless they say otherwise."""
        tokenizer = self.pronunciation_tokenizer
        add_special_tokens = kwargs.get("add_special_tokens", True)
        whole = tokenizer(strings, add_special_tokens=add_special_tokens, return_attention_mask=False, verbose=False)
        limit = kwargs.get("max_length") or tokenizer.model_max_length
        truncates = kwargs.setdefault("truncation", True) not in (False, "do_not_truncate")
        if truncates:
            kwargs["max_length"] = limit
        for index, (string, ids) in enumerate(zip(strings, whole["input_ids"], strict=True)):
            if tokenizer.unk_token_id in ids:
                unknown = ", ".join(f"{sign!r} at {position}" for sign, position in self._unknown_signs(string))
                logger.warning(f"{name}[{index}] ({string!r}) has signs that are no IPA known here: {unknown}.")
            if truncates and len(ids) > limit:
                logger.warning(
                    f"{name}[{index}] is {len(ids)} tokens long: the last {len(ids) - limit} before `</s>` were "
                    f"cut, for {limit} is the limit."
                )

    def _unknown_signs(self, string: str) -> list[tuple[str, int]]:
        """The signs of a string that the tokenizer does not know, with their positions in it."""
        tokenizer = self.pronunciation_tokenizer
        if hasattr(tokenizer, "unknown_symbols"):
            return [(unknown.symbol, unknown.position) for unknown in tokenizer.unknown_symbols(string)]
        encoding = tokenizer(string, add_special_tokens=False, return_offsets_mapping=True, verbose=False)
        return [
            (string[start:end], start)
            for token_id, (start, end) in zip(encoding["input_ids"], encoding["offset_mapping"], strict=True)
            if token_id == tokenizer.unk_token_id
        ]

    @property
    def model_input_names(self) -> list[str]:
        names = self.image_processor.model_input_names + self.tokenizer.model_input_names
        return names + [f"pronunciation_{name}" for name in self.pronunciation_tokenizer.model_input_names]


def _strings(given: str | Sequence[str], name: str) -> list[str]:
    """One or more strings as a list, none of them empty."""
    strings = [given] if isinstance(given, str) else list(given)
    if not strings:
        raise ValueError(f"{name} is an empty list: pass at least one string.")
    for index, string in enumerate(strings):
        if not isinstance(string, str):
            raise ValueError(f"{name}[{index}] must be a string, got {type(string).__name__}.")
        if not string.strip():
            raise ValueError(f"{name}[{index}] is empty: there is nothing to pronounce.")
    return strings


IPAClipProcessor.register_for_auto_class()


__all__ = ["IPAClipProcessor"]
