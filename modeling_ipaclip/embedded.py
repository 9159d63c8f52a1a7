"""The checkpoint that is shipped with the package."""

from importlib.resources import files
from pathlib import Path


def embedded_checkpoint() -> str:
    """
    The directory of the emoji checkpoint that comes with the package: `from_pretrained` takes it like any other.

    Needs neither torch nor transformers.

    Raises:
        `FileNotFoundError`: if this installation carries no checkpoint.
    """
    directory = Path(str(files("ipaclip.pretrained") / "emoji"))
    if not (directory / "config.json").is_file():
        raise FileNotFoundError(
            f"The embedded checkpoint is missing, for {directory} has no config.json: install ipaclip from its wheel."
        )
    return str(directory)
