"""From a name to a teacher."""

from ipaclip.checkpoint_path import require_directory_or_name
from transformers import AutoConfig, PreTrainedConfig
from transformers.models.auto.modeling_auto import MODEL_MAPPING

from . import clip_family, sentence_encoder
from .protocol import Teacher, TeacherError


def load_teacher(name: str) -> Teacher:
    """Loads a teacher by Hub name or directory; `modules.json` or the configuration say which kind it is.

    Raises:
        OSError: if there is no such model.
        TeacherError: if it is of a kind that cannot teach, with a list of what can.
        ImportError: if it is a sentence encoder, and sentence-transformers is not installed.
    """
    try:
        require_directory_or_name(name)
        is_sentence_encoder = sentence_encoder.is_sentence_encoder(name)
    except (OSError, ValueError) as error:
        raise OSError(f"teacher {name}: {' '.join(str(error).split())}") from error
    if is_sentence_encoder:
        return sentence_encoder.SentenceTeacher.load(name)
    config = _read_config(name)
    if config.model_type in clip_family.SUPPORTED or _has_text_features(config):
        return clip_family.ClipTeacher.load(name, config.model_type)
    raise TeacherError(
        f"teacher {name} (model_type {config.model_type!r}) cannot teach: it has no get_text_features and no "
        f"{sentence_encoder.MODULES_FILE}. Supported are {', '.join(clip_family.SUPPORTED)} and others with "
        "get_text_features, and sentence encoders as sentence-transformers stores them"
    )


def _read_config(name: str) -> PreTrainedConfig:
    try:
        return AutoConfig.from_pretrained(name)
    except (OSError, ValueError) as error:
        kind = OSError if isinstance(error, OSError) else TeacherError
        raise kind(f"teacher {name}: {' '.join(str(error).split())}") from error


def _has_text_features(config: PreTrainedConfig) -> bool:
    return type(config) in MODEL_MAPPING and hasattr(MODEL_MAPPING[type(config)], "get_text_features")
