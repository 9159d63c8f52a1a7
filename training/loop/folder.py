"""The folder of a run: one run at a time, and never another's files."""

from pathlib import Path
from typing import TYPE_CHECKING

from ipaclip.checkpoint_path import read_json
from ipaclip.common.checkpoints import METRICS_FILE
from ipaclip.common.files import HeldError, take_lock

from ..arguments import ArgumentsError, DistillationArguments

if TYPE_CHECKING:
    from filelock import BaseFileLock

LOCK_FILE = ".lock"
ARGUMENTS_FILE = "distillation.json"
REJECTED_FILE = "rejected.jsonl"
REVISIONS_FILE = "data_revisions.json"
# Where the lists of the rows to evaluate on go.
EVALUATION_FOLDER = "eval"
# What a run leaves that ended before its first step, as for a misspelled path.
LEFT_BEHIND = {LOCK_FILE, f"{LOCK_FILE}.pid", REJECTED_FILE, REVISIONS_FILE}


def prepare_output_dir(arguments: DistillationArguments) -> Path:
    """Makes the output folder; one that holds another run's files, or anybody's, is refused unless `resume` is set."""
    output_dir = Path(arguments.output_dir)
    if output_dir.exists() and not output_dir.is_dir():
        raise ArgumentsError(f"output_dir {output_dir} is a file")
    evaluation = output_dir / EVALUATION_FOLDER
    others = (_names(output_dir) - {EVALUATION_FOLDER}) | _names(evaluation)
    if others - LEFT_BEHIND and not arguments.resume:
        raise ArgumentsError(f"output_dir {output_dir} is not empty: set resume=true to go on with it, or name another")
    output_dir.mkdir(parents=True, exist_ok=True)
    if not arguments.resume:
        for folder in (output_dir, evaluation):
            (folder / REVISIONS_FILE).unlink(missing_ok=True)
    return output_dir


def _names(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()} if folder.is_dir() else set()


# What to do after a disk was full.
GO_ON = "The checkpoints before it are whole: make room and run again with resume=true"


def lock_folder(output_dir: Path) -> "BaseFileLock":
    """The lock of the run that writes to a folder; `ArgumentsError` if another run holds it."""
    try:
        return take_lock(output_dir / LOCK_FILE)
    except HeldError as error:
        raise ArgumentsError(
            f"another run (process {error.pid}) is writing to {output_dir}: wait for it, stop it, or name another "
            "output_dir"
        ) from error


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
