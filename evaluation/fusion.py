"""The old name of `ipaclip.search.fusion` (both towers asked as one), for one version."""

import warnings
from typing import Any


def __getattr__(name: str) -> Any:
    import ipaclip.search.fusion as moved

    if name.startswith("__"):
        raise AttributeError(name)
    warnings.warn(
        f"{__name__} is now ipaclip.search.fusion: import {name} from there.", DeprecationWarning, stacklevel=2
    )
    return getattr(moved, name)
