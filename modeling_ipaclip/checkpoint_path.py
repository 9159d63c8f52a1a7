"""What may name a checkpoint: a directory, or a name on the Hub."""

import os
from pathlib import Path


def require_directory_or_name(name: str | os.PathLike) -> None:
    """
    Keeps a path to nothing from being taken for a name on the Hub.

    Raises:
        `FileNotFoundError`: if there is no such directory, and `name` can only be a path: a file, an absolute path, one
            that begins with a dot or `~`, or one of more than two parts.
    """
    path = Path(name).expanduser()
    if path.is_dir():
        return
    if path.is_absolute() or str(name).startswith((".", "~")) or path.exists() or len(path.parts) > 2:
        raise FileNotFoundError(f"There is no directory {name}: give a checkpoint's directory or its name on the Hub.")
