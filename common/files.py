"""Files and folders that appear under their names only once they are whole, and the one kind of lock."""

import json
import logging
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from filelock import BaseFileLock

logger = logging.getLogger(__name__)


@contextmanager
def whole_file(path: str | Path) -> Iterator[Path]:
    """A path to write to, renamed to `path` at the end; if anything goes wrong in between, nothing is left of it.

    The temporary name keeps the suffix of `path`, begins with a dot and holds the process's number, so that no two
    writers share it. The folder is made if it is missing. The content is on disk before the name is.

    Raises:
        OSError: If the file cannot be written there.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.stem}.writing-{os.getpid()}{path.suffix}")
    try:
        yield temporary
        with temporary.open("rb") as written:
            os.fsync(written.fileno())
        os.replace(temporary, path)
    except BaseException:
        with suppress(OSError):
            temporary.unlink(missing_ok=True)
        raise


def copy_file(source: Path, target: Path) -> None:
    """Copies a file, whole or not at all."""
    with whole_file(target) as temporary:
        shutil.copyfile(source, temporary)


def write_text(path: str | Path, text: str) -> None:
    """Writes a file of text in UTF-8 with plain line feeds, whole or not at all."""
    with whole_file(path) as temporary:
        temporary.write_text(text, encoding="utf-8", newline="\n")


def write_bytes(path: str | Path, content: bytes) -> None:
    """Writes a file, whole or not at all."""
    with whole_file(path) as temporary:
        temporary.write_bytes(content)


def write_json(path: str | Path, content: Any, indent: int | None = 1) -> None:
    """Writes a JSON file, whole or not at all: UTF-8, letters as they are, a line feed at the end."""
    write_text(path, json.dumps(content, ensure_ascii=False, indent=indent) + "\n")


@contextmanager
def new_directory(path: str | Path) -> Iterator[Path]:
    """A directory to fill, renamed to `path` at the end; if anything goes wrong in between, nothing is left of it.

    Raises:
        ValueError: If `path` is a file, or holds files already.
        OSError: If it cannot be made there.
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


@contextmanager
def lock(path: str | Path, waiting: str) -> Iterator[None]:
    """Keeps other processes out while it is held; the system lets go of it, however the process ends.

    Args:
        path: The lock file. It stays: were it removed, two processes that come at once could hold two of its name.
        waiting: What is logged where another process holds it, before its end is waited for.
    """
    from filelock import FileLock, Timeout

    Path(path).parent.mkdir(parents=True, exist_ok=True)
    held = FileLock(path)
    try:
        held.acquire(timeout=0)
    except Timeout:
        logger.info(waiting)
        held.acquire()
    try:
        yield
    finally:
        held.release()


class HeldError(RuntimeError):
    """Another process holds a lock; `pid` is the number of it, or `"unknown"`."""

    def __init__(self, path: Path, pid: str) -> None:
        super().__init__(f"process {pid} holds {path}")
        self.pid = pid


def take_lock(path: str | Path) -> "BaseFileLock":
    """A lock that this process now holds, until it calls `release` or ends, however it ends.

    Args:
        path: The lock file. Its folder is made. Who holds it may remove both; nobody else may.

    Raises:
        HeldError: If another process holds it.
    """
    from filelock import FileLock, Timeout

    path = Path(path)
    holder = path.with_name(f"{path.name}.pid")
    held = FileLock(path)
    while not held.is_locked:
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            held.acquire(timeout=0)
        except Timeout as error:
            pid = holder.read_text(encoding="ascii").strip() if holder.exists() else "unknown"
            raise HeldError(path, pid) from error
        if not path.exists():  # whoever held it has removed it meanwhile: what is held here is no file
            held.release()
    holder.write_text(f"{os.getpid()}\n", encoding="ascii")
    return held


@contextmanager
def saying_what_cannot_be_written(what: str, folder: Path, advice: str) -> Iterator[None]:
    """Turns the errors of writing into one that says what was being written, the space left, and what to do.

    Raises:
        OSError: In place of it, or of safetensors' own error.
    """
    from safetensors import SafetensorError

    try:
        yield
    except (OSError, SafetensorError) as error:
        there = next((path for path in (folder, *folder.parents) if path.exists()), Path())
        free = shutil.disk_usage(there).free / 1e6
        raise OSError(f"{what} cannot be written to {folder} ({free:,.0f} MB free): {error}. {advice}") from error
