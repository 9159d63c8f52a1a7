"""
IPA-CLIP for transformers: CLIP with a third tower, which reads how words sound.

Importing this package takes no time and no torch: its names are imported when they are first used, and it registers
with transformers' Auto classes when these are.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from .auto_registration import register_models, register_when_used
from .embedded import embedded_checkpoint

if TYPE_CHECKING:
    from .configuration_ipaclip import IPAClipConfig, IPAClipPronunciationConfig
    from .encoding import encode
    from .modeling_ipaclip import (
        IPAClipModel,
        IPAClipOutput,
        IPAClipPreTrainedModel,
        IPAClipPronunciationModel,
        IPAClipPronunciationModelOutput,
        IPAClipPronunciationModelWithProjection,
    )
    from .processing_ipaclip import IPAClipProcessor

    __version__: str

_LAZY = {
    "IPAClipConfig": "configuration_ipaclip",
    "IPAClipPronunciationConfig": "configuration_ipaclip",
    "IPAClipModel": "modeling_ipaclip",
    "IPAClipOutput": "modeling_ipaclip",
    "IPAClipPreTrainedModel": "modeling_ipaclip",
    "IPAClipPronunciationModel": "modeling_ipaclip",
    "IPAClipPronunciationModelOutput": "modeling_ipaclip",
    "IPAClipPronunciationModelWithProjection": "modeling_ipaclip",
    "IPAClipProcessor": "processing_ipaclip",
    "encode": "encoding",
}

__all__ = [
    "IPAClipConfig",
    "IPAClipModel",
    "IPAClipOutput",
    "IPAClipPreTrainedModel",
    "IPAClipProcessor",
    "IPAClipPronunciationConfig",
    "IPAClipPronunciationModel",
    "IPAClipPronunciationModelOutput",
    "IPAClipPronunciationModelWithProjection",
    "__version__",
    "embedded_checkpoint",
    "encode",
]


def __getattr__(name: str) -> Any:
    if name == "__version__":
        from importlib.metadata import version

        value: Any = version("ipaclip")
    elif name in _LAZY:
        if _LAZY[name] not in ("processing_ipaclip", "encoding"):
            register_models()
        value = getattr(import_module(f".{_LAZY[name]}", __name__), name)
    else:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})


register_when_used()
