"""Directories and files that appear under their names only once they are whole."""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def new_directory(path: str | Path) -> Iterator[Path]:
    """A directory to fill, renamed to `path` at the end; if anything goes wrong in between, nothing is left of it.

    Raises:
        ValueError: if `path` is a file, or holds files already.
        OSError: if it cannot be made there.
    """
    path = Path(path)
    if path.exists() and (not path.is_dir() or any(path.iterdir())):
        reason = "is not empty" if path.is_dir() else "is a file"
        raise ValueError(f"{path} {reason}: name another directory.")
    temporary = path.with_name(f".{path.name}.writing-{os.getpid()}")
    try:
        temporary.mkdir(parents=True)
    except OSError as error:  # it names a directory that nobody asked for
        raise type(error)(error.errno, f"no directory can be made here ({error.strerror})", str(path)) from error
    try:
        yield temporary
        if path.is_dir():
            path.rmdir()
        os.replace(temporary, path)
    except BaseException:
        shutil.rmtree(temporary, ignore_errors=True)
        raise
