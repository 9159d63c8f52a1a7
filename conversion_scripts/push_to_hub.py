"""A checkpoint → the Hub, in one commit: weights, processor, code, gallery, metrics and model card."""

import logging
import shutil
import tempfile
from pathlib import Path
from typing import Any

from huggingface_hub import HfApi
from ipaclip import IPAClipModel, IPAClipProcessor
from ipaclip.checkpoint_path import read_json, require_whole_json
from ipaclip.common.checkpoints import METRICS_FILE, copy_files
from ipaclip.common.model_card import model_card

logger = logging.getLogger(__name__)


def push(
    checkpoint: str | Path,
    name: str,
    *,
    private: bool = False,
    card: str | Path | None = None,
    base_model: str | None = None,
    license: str = "apache-2.0",
    message: str = "Upload IPA-CLIP",
    token: str | None = None,
) -> str:
    """Uploads a checkpoint so that transformers alone loads it, with `trust_remote_code=True`.

    Args:
        checkpoint: Directory of an IPA-CLIP.
        name: Its name on the Hub, `owner/name`, made if it does not exist.
        private: Whether a new repository is private.
        card: A `README.md` of your own; by default one is made from `metrics.json`.
        base_model: The teacher's name on the Hub. By default the one in `metrics.json`, if the Hub knows it.
        license: As the Hub names licences.
        message: Of the commit.
        token: By default the one of `hf auth login` or `HF_TOKEN`.

    Returns:
        The address of the model's page.

    Raises:
        OSError: if the checkpoint is incomplete or corrupt, or the Hub refuses. All files go up in one commit, so a
            model that is there stays as it was.
        ValueError: if the checkpoint is no IPA-CLIP, or the name is none.
    """
    checkpoint = Path(checkpoint)
    if not checkpoint.is_dir():
        raise FileNotFoundError(f"There is no directory {checkpoint}.")
    api = HfApi(token=token)
    with tempfile.TemporaryDirectory() as temporary:
        directory = Path(temporary)
        metrics = prepare(checkpoint, directory)
        if card is not None:
            shutil.copyfile(card, directory / "README.md")
        else:
            config = read_json(directory / "config.json")
            text = model_card(
                name,
                metrics,
                languages=_languages(metrics, directory),
                base_model=base_model or _teacher_on_the_hub(metrics, api),
                license=license,
                tower=config["pronunciation_config"],
            )
            (directory / "README.md").write_text(text, encoding="utf-8")
        try:
            url = api.create_repo(name, private=private, exist_ok=True)
            api.upload_folder(repo_id=name, folder_path=directory, commit_message=message)
        except Exception as error:
            # The client's errors of the network are those of httpx, under whichever name it brings it along.
            if not isinstance(error, OSError) and not type(error).__module__.startswith("httpx"):
                raise
            reason = str(error).strip().splitlines()[-1]  # of what may be several lines, what the Hub said
            raise OSError(f"The Hub did not take {name}: {reason}") from error
    logger.info("%s is at %s", checkpoint, url)
    return str(url)


def prepare(checkpoint: Path, directory: Path) -> dict[str, Any] | None:
    """Writes what belongs on the Hub, but the card, to `directory`; returns the content of `metrics.json`, if any.

    Raises:
        OSError, ValueError: if the checkpoint is incomplete, corrupt or no IPA-CLIP.
    """
    require_whole_json(checkpoint)
    # Written anew, for a checkpoint may lack the code that transformers needs without this package.
    IPAClipModel.from_pretrained(checkpoint).save_pretrained(directory)
    IPAClipProcessor.from_pretrained(checkpoint).save_pretrained(directory)
    copy_files(checkpoint, directory)
    file = directory / METRICS_FILE
    return read_json(file) if file.is_file() else None


def _languages(metrics: dict[str, Any] | None, directory: Path) -> list[str]:
    """Those of the training data, where they are known; else the one that the processor takes words to be in."""
    trained = (metrics or {}).get("data", {}).get("transcribers", {})
    return sorted(trained) or [IPAClipProcessor.from_pretrained(directory).language]


def _teacher_on_the_hub(metrics: dict[str, Any] | None, api: HfApi) -> str | None:
    """The teacher of `metrics.json` if it is a name on the Hub; a directory of the machine that trained is none."""
    teacher = (metrics or {}).get("arguments", {}).get("teacher")
    if not isinstance(teacher, str) or teacher.count("/") > 1 or Path(teacher).exists():
        return None
    try:
        return teacher if api.repo_exists(teacher) else None
    except ValueError:  # no name that the Hub could have
        return None
