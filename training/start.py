"""Where training starts when it does not start from random weights: the pronunciation tower of a finished model."""

import logging
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from ipaclip import IPAClipPronunciationConfig, IPAClipPronunciationModelWithProjection
from ipaclip.checkpoint_path import require_directory_or_name
from ipaclip.common.speech_record import SpeechRecord
from ipaclip.tokenization import IPATokenizer

from .arguments import ArgumentsError
from .teachers.reading import fingerprint

logger = logging.getLogger(__name__)

# What decides the shapes of weights or what is computed with them, and how the configuration calls it.
ASKED_FOR = {
    name: f"student.{name}"
    for name in (
        "hidden_size", "intermediate_size", "num_hidden_layers", "num_attention_heads", "max_position_embeddings",
        "pooling", "hidden_act", "feature_set", "learned_residual",
    )
}  # fmt: skip
OTHERS = ("vocab_size", "num_phoneme_features", "projection_dim")
# What no setting of a run says, and so is as it is there.
FOLLOWED = ("projection_bias", "pre_layer_norm", "layer_norm_eps", "attention_dropout")
# Of a tower saved in half precision. Features are no finer than this.
TABLE_TOLERANCE = 1e-2
TOKENIZER_FOLDER = "pronunciation_tokenizer"
TABLE = "pronunciation_model.embeddings.phoneme_features"
# The output for sound alone is fitted to phoneme embeddings that the training changes.
LEFT_BEHIND = "phonetic_projection."


@dataclass(frozen=True)
class Start:
    """A finished tower, float32, and what it was saved with."""

    name: str
    tower: IPAClipPronunciationModelWithProjection
    tokenizer: IPATokenizer
    speech: SpeechRecord

    @classmethod
    def load(cls, name: str) -> "Start":
        """Loads the tower of an IPA-CLIP, or one that was saved alone, by directory or Hub name.

        Raises:
            ArgumentsError: if there is none, or it cannot be read.
        """
        if Path(name).exists() and not (Path(name) / "config.json").is_file():
            raise ArgumentsError(f"start_from: {name} holds no finished model (no config.json)")
        try:
            require_directory_or_name(name)
            tower = IPAClipPronunciationModelWithProjection.from_pretrained(name, dtype=torch.float32)
            inner = (Path(name) / TOKENIZER_FOLDER).is_dir() or not (Path(name) / "tokenizer.json").is_file()
            tokenizer = IPATokenizer.from_pretrained(name, **({"subfolder": TOKENIZER_FOLDER} if inner else {}))
            speech = SpeechRecord.of_checkpoint(name, tokenizer)
        except (OSError, ValueError) as error:
            reason = " ".join(str(error).split())
            raise ArgumentsError(
                f"start_from: {name} is no finished IPA-CLIP or pronunciation tower: {reason}"
            ) from error
        return cls(name, tower, tokenizer, speech)

    def check(self, config: IPAClipPronunciationConfig, table: Any, tokenizer: IPATokenizer) -> None:
        """Compares the run's tower with this one; what no setting says is made the same in `config`.

        Raises:
            ArgumentsError: with all that differs, if the run's tower is another than this one.
        """
        found = self.tower.config
        for name in FOLLOWED:
            setattr(config, name, getattr(found, name))
        differs = {
            name: (getattr(found, name), getattr(config, name))
            for name in (*ASKED_FOR, *OTHERS) if getattr(found, name) != getattr(config, name)
        }  # fmt: skip
        if differs:
            what = "; ".join(f"{name} is {theirs} there, {ours} here" for name, (theirs, ours) in differs.items())
            keys = [f"{ASKED_FOR[name]}={theirs}" for name, (theirs, _) in differs.items() if name in ASKED_FOR]
            advice = f": set {' '.join(keys)}" if len(keys) == len(differs) else ""
            raise ArgumentsError(f"start_from: the tower of {self.name} does not fit this run: {what}{advice}")
        if self.tokenizer.get_vocab() != tokenizer.get_vocab():
            raise ArgumentsError(f"start_from: {self.name} has another vocabulary of phonemes than this run")
        theirs = self.tower.pronunciation_model.embeddings.phoneme_features
        ours = torch.as_tensor(table, dtype=torch.float32)
        if theirs is not None and not torch.allclose(theirs, ours, rtol=0, atol=TABLE_TOLERANCE):
            row = int((theirs - ours).abs().amax(1).argmax())
            raise ArgumentsError(
                f"start_from: {self.name} has another feature table than this version of ipaclip makes (as for "
                f"{tokenizer.convert_ids_to_tokens(row)!r})"
            )

    def _weights(self) -> dict[str, torch.Tensor]:
        """What training starts with."""
        return {name: one for name, one in self.tower.state_dict().items() if not name.startswith(LEFT_BEHIND)}

    def say_what_is_left(self) -> None:
        """Warns where the tower has an output for sound alone, which the trained one will not have."""
        if self.tower.phonetic_projection is not None:
            logger.warning(
                "start_from: the output for sound alone of %s is left behind, for it is fitted to phoneme embeddings "
                "that training changes: afterwards fit one with `ipaclip fit-phonetic`",
                self.name,
            )

    def fingerprint(self) -> str:
        """A hash of the weights that training starts with."""
        return fingerprint({}, self._weights().items(), self.tokenizer)

    @torch.no_grad()
    def give_to(self, tower: IPAClipPronunciationModelWithProjection) -> None:
        """Copies the weights into a tower that `check` has found to fit; its feature table stays its own."""
        own = {name: value for name, value in tower.state_dict().items() if name == TABLE}
        tower.load_state_dict(self._weights() | own)
