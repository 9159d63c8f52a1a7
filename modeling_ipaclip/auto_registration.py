"""
Registration with transformers' Auto classes, put off until one of them is used.

transformers' guides register in `__init__`, but their Auto classes import torch and half of transformers: that takes
seconds, where `import ipaclip` takes 0.05 s. So it waits for these modules, by a hook on their import, for transformers
has no way to announce a class by its name. While they are imported, most of transformers is only half imported; hence
the stand-ins for the configurations.
"""

import sys
from collections.abc import Callable
from functools import cache
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec
from importlib.util import find_spec
from types import ModuleType
from typing import Any

AUTO = "transformers.models.auto"
MODEL_TYPES = {"IPAClipConfig": "ipaclip", "IPAClipPronunciationConfig": "ipaclip_pronunciation_model"}


@cache
def register_models() -> None:
    """Register configurations, models and image classification for good; called before any of them is used."""
    import transformers as auto

    from . import modeling_ipaclip as ours

    whole, tower = ours.IPAClipConfig, ours.IPAClipPronunciationConfig
    for config_class in (whole, tower):
        auto.AutoConfig.register(config_class.model_type, config_class, exist_ok=True)
    for auto_class, config_class, model_class in (
        (auto.AutoModel, whole, ours.IPAClipModel),
        (auto.AutoModel, tower, ours.IPAClipPronunciationModel),
        (auto.AutoModelForTextEncoding, tower, ours.IPAClipPronunciationModelWithProjection),
        (auto.AutoModelForZeroShotImageClassification, whole, ours.IPAClipModel),
    ):
        auto_class.register(config_class, model_class, exist_ok=True)


def _stand_in(name: str) -> type:
    """A class that AutoConfig may call in a configuration's place, once: its call registers the true one."""

    def true_class() -> Any:
        register_models()
        from . import configuration_ipaclip

        return getattr(configuration_ipaclip, name)

    def from_dict(cls: type, config_dict: dict[str, Any], **kwargs: Any) -> Any:
        return true_class().from_dict(config_dict, **kwargs)

    def new(cls: type, *args: Any, **kwargs: Any) -> Any:
        return true_class()(*args, **kwargs)

    return type(name, (), {"from_dict": classmethod(from_dict), "__new__": new, "__module__": __name__})


def _register_configurations() -> None:
    from transformers.models.auto.configuration_auto import AutoConfig

    for name, model_type in MODEL_TYPES.items():
        AutoConfig.register(model_type, _stand_in(name), exist_ok=True)


def _register_processor() -> None:
    from transformers.models.auto.processing_auto import AutoProcessor

    from .configuration_ipaclip import IPAClipConfig
    from .processing_ipaclip import IPAClipProcessor

    AutoProcessor.register(IPAClipConfig, IPAClipProcessor, exist_ok=True)


class _AfterImport(MetaPathFinder):
    """Runs a function when a module has been imported, each once."""

    def __init__(self, functions: dict[str, Callable[[], None]]) -> None:
        self.functions = functions

    def find_spec(self, fullname: str, path: Any = None, target: ModuleType | None = None) -> ModuleSpec | None:
        if (function := self.functions.pop(fullname, None)) is None:
            return None
        spec = find_spec(fullname)
        if spec is not None and spec.loader is not None:
            exec_module = spec.loader.exec_module

            def exec_and_run(module: ModuleType) -> None:
                exec_module(module)
                function()

            spec.loader.exec_module = exec_and_run  # type: ignore[method-assign]
        return spec


def register_when_used() -> None:
    """Register at once with the Auto classes that are imported already, and with the others when they are."""
    functions = {
        f"{AUTO}.configuration_auto": _register_configurations,
        f"{AUTO}.processing_auto": _register_processor,
    }
    for name in [name for name in functions if name in sys.modules]:
        functions.pop(name)()
    if functions:
        sys.meta_path.insert(0, _AfterImport(functions))
