"""Which commit of a Hub data set a run reads: a branch moves, and rows prepared before must not stand for it.

What a name means is looked up once a run and kept in its folder: a run goes on with the rows that it began with.
"""

import json
import logging
import re
import uuid
from collections.abc import Sequence
from pathlib import Path

from ipaclip.common.files import lock, write_json

from ..arguments import SourceArguments
from ..loop.folder import REVISIONS_FILE

logger = logging.getLogger(__name__)

_COMMIT = re.compile(r"[0-9a-f]{40}")
# In the place of a commit that could not be looked up: a name of its own, under which no other run finds the rows.
_UNKNOWN = "unknown-"


def pin_revisions(
    sources: Sequence[SourceArguments], output_dir: Path, cache_dir: Path
) -> tuple[list[SourceArguments], dict[str, str]]:
    """The sources, those of the Hub at the very commit that their revision means; and `name@revision` → commit.

    Where the Hub does not answer, the data set is read as it is, and its rows are prepared for this run alone.
    """
    named = [source for source in sources if not Path(source.path).is_file()]
    wanted = {_key(source): source for source in named if not _COMMIT.fullmatch(source.revision or "")}
    if not wanted:
        return list(sources), {}
    cache_dir.mkdir(parents=True, exist_ok=True)
    file = output_dir / REVISIONS_FILE
    with lock(cache_dir / "revisions.lock", "another process looks up revisions: waiting for it"):
        known: dict[str, str] = json.loads(file.read_text(encoding="utf-8")) if file.is_file() else {}
        for key, source in wanted.items():
            if key not in known:
                known[key] = _look_up(source)
        write_json(file, known)
    commits = {key: known[key] for key in wanted}
    pinned = [_pinned(source, commits.get(_key(source))) for source in sources]
    return pinned, commits


def _key(source: SourceArguments) -> str:
    return f"{source.path}@{source.revision or 'main'}"


def _pinned(source: SourceArguments, commit: str | None) -> SourceArguments:
    is_known = commit is not None and not commit.startswith(_UNKNOWN)
    return source.model_copy(update={"revision": commit}) if is_known else source


def _look_up(source: SourceArguments) -> str:
    from huggingface_hub import HfApi

    try:
        commit = HfApi().dataset_info(source.path, revision=source.revision).sha
    except Exception as error:
        # What cannot be read at all is said where it is read. The network's errors are httpx's.
        if not isinstance(error, OSError | ValueError) and not type(error).__module__.startswith("httpx"):
            raise
        logger.warning(
            "the Hub does not say which commit %s of %s is (%s): its rows are prepared for this run alone",
            source.revision or "main", source.path, " ".join(str(error).split()),
        )  # fmt: skip
        return f"{_UNKNOWN}{uuid.uuid4().hex}"
    logger.info("%s is read at commit %s", source.path, commit)
    return str(commit)
