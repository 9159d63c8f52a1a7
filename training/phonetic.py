"""The old name of `ipaclip.training.sound_alone.fit` (the fit of the output for sound alone), for one version."""

import warnings
from typing import Any


def __getattr__(name: str) -> Any:
    import ipaclip.training.sound_alone.fit as moved

    if name.startswith("__"):
        raise AttributeError(name)
    warnings.warn(
        f"{__name__} is now ipaclip.training.sound_alone.fit: import {name} from there.",
        DeprecationWarning,
        stacklevel=2,
    )
    return getattr(moved, name)
