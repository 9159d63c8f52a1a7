"""The folder of a run: one run at a time, and never another's files."""

import logging
import os
from pathlib import Path
from typing import IO

from ipaclip.checkpoint_path import read_json
from ipaclip.common.checkpoints import METRICS_FILE

from ..arguments import ArgumentsError, DistillationArguments

logger = logging.getLogger(__name__)

LOCK_FILE = ".lock"
ARGUMENTS_FILE = "distillation.json"
REJECTED_FILE = "rejected.jsonl"
REVISIONS_FILE = "data_revisions.json"
# What a run leaves that ended before its first step, as for a misspelled path.
LEFT_BEHIND = {LOCK_FILE, REJECTED_FILE, REVISIONS_FILE}


def prepare_output_dir(arguments: DistillationArguments) -> Path:
    """Makes the output folder; one that holds another run's files, or anybody's, is refused unless `resume` is set."""
    output_dir = Path(arguments.output_dir)
    if output_dir.exists() and not output_dir.is_dir():
        raise ArgumentsError(f"output_dir {output_dir} is a file")
    found = {path.name for path in output_dir.iterdir()} if output_dir.exists() else set()
    if found - LEFT_BEHIND and not arguments.resume:
        raise ArgumentsError(f"output_dir {output_dir} is not empty: set resume=true to go on with it, or name another")
    output_dir.mkdir(parents=True, exist_ok=True)
    if not arguments.resume:
        (output_dir / REVISIONS_FILE).unlink(missing_ok=True)
    return output_dir


# What to do after a disk was full.
GO_ON = "The checkpoints before it are whole: make room and run again with resume=true"


class FolderLock:
    """Held by the run that writes to a folder. The system lets go of it when the process ends, however it ends."""

    def __init__(self, output_dir: Path) -> None:
        """Raises `ArgumentsError` if another run holds it."""
        self._path = output_dir / LOCK_FILE
        self._file: IO[str] | None = None
        try:
            import fcntl
        except ImportError:
            logger.warning("this system has no flock: nothing keeps a second run out of %s", output_dir)
            return
        file = self._path.open("a+", encoding="utf-8")
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            file.seek(0)
            holder = file.read().strip() or "unknown"
            file.close()
            raise ArgumentsError(
                f"another run (process {holder}) is writing to {output_dir}: wait for it, stop it, or name another "
                "output_dir"
            ) from error
        file.truncate(0)
        file.write(str(os.getpid()))
        file.flush()
        self._file = file

    def release(self) -> None:
        """Lets go. The file stays: were it removed, two runs that come at once could hold two files of this name."""
        if self._file is not None:
            self._file.close()
            self._file = None


def is_finished(arguments: DistillationArguments) -> bool:
    """Whether the folder holds this very run's finished model. A model is saved whole when its metrics are there.

    Raises:
        ArgumentsError: if it holds the finished model of another configuration.
    """
    path = Path(arguments.output_dir) / METRICS_FILE
    if not (arguments.resume and path.is_file()):
        return False
    finished = read_json(path).get("arguments", {})
    now = arguments.to_dict()
    different = sorted(
        key for key in now if key not in ("resume", "output_dir", "cache_dir") and finished.get(key) != now[key]
    )
    if different:
        raise ArgumentsError(
            f"{path.parent} holds a finished run with another configuration ({', '.join(different)}): name another "
            "output_dir"
        )
    return True
