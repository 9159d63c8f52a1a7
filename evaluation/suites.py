"""The paper's claims as suites: each asks one checkpoint and gives tables, figures, notes and pictures.

1. `phonemes`: phonemes lie where phonetics says (arXiv 2303.03144, claim 1).
2. `retrieval`: both towers find more pictures than one (claim 2).
3. `nonsense`: words that nobody wrote are treated by their sound (claim 3).
4. `human`: words that people find alike in sound lie close together (claim 4).

And beside the paper:

`pwesuite`: the tasks of PWESuite, beside other embeddings of words by sound.
`notation`: the same words as different transcribers and dictionaries write them.
"""

import logging
import platform
from collections.abc import Callable
from pathlib import Path
from typing import Any

from ipaclip.common.provenance import python_version, versions

from .checkpoint import Checkpoint, NotRunError, Options
from .human.suite import run_human
from .nonsense.suite import SWAPPED, run_nonsense
from .notation.suite import run_notation
from .phonemes.suite import run_phonemes
from .pwesuite.suite import run_pwesuite
from .pwesuite.words import HUB_NAME
from .report import Report, SuiteResult
from .retrieval.retrieval import RetrievalReport
from .retrieval.suite import ask_gallery, by_kind, by_name, notes_of, run_retrieval

logger = logging.getLogger(__name__)

Run = Callable[[Checkpoint, Options], SuiteResult]
SUITES: dict[str, Run] = {
    "phonemes": run_phonemes,
    "retrieval": run_retrieval,
    "nonsense": run_nonsense,
    "human": run_human,
    "pwesuite": run_pwesuite,
    "notation": run_notation,
}
ALL = "all"


def run_suites(checkpoint: Checkpoint, suite: str = ALL, options: Options | None = None) -> Report:
    """Runs one suite, or all of them.

    Of `"all"`, a suite that lacks its data says so in its notes: `human` without judgements, `pwesuite` without a
    source, `retrieval`, `nonsense` and `notation` without pictures. One that fails, as by a table that cannot be read
    or in a language that it does not know, has its reason in `failure` and in its notes, and the others go on.

    Raises:
        ValueError: if there is no such suite, or, of one suite, what it reads is wrong; `NotRunError` if it lacks its
            data.
        OSError, ImportError: of one suite, if a file cannot be read, or a package is not installed.
    """
    options = options or Options()
    if suite != ALL and suite not in SUITES:
        raise ValueError(f"There is no suite {suite!r}: choose {', '.join([ALL, *SUITES])}.")
    results = []
    for name in SUITES if suite == ALL else [suite]:
        logger.info("Suite %s.", name)
        try:
            if suite == ALL and name == "pwesuite" and options.pwesuite is None:
                raise NotRunError(f"give its words: --pwesuite DIR, or --pwesuite {HUB_NAME} to fetch them")
            results.append(SUITES[name](checkpoint, options))
        except NotRunError as error:
            if suite != ALL:
                raise
            results.append(SuiteResult(name, notes=[f"Not run: {error}"]))
        except (ValueError, OSError, ImportError) as error:
            if suite != ALL:
                raise
            reason = " ".join(str(error).split()) or type(error).__name__
            logger.info("Suite %s is left out: %s", name, reason)
            results.append(SuiteResult(name, notes=[f"Left out: {reason}"], failure=reason))
    return Report(checkpoint.name, tuple(results), terms_of(checkpoint.model, options.seed))


def plain_report(checkpoint: Checkpoint, seed: int) -> tuple[Report, RetrievalReport]:
    """The gallery asked by name, respelled name and nonsense, without the rest of the suites, and their names for it.

    Raises:
        ValueError, ImportError: as `ask_gallery`.
    """
    found = ask_gallery(checkpoint, seed)
    suites = by_name(found), by_kind("nonsense", found, SWAPPED)
    for note in notes_of(checkpoint):
        logger.warning(note)
        suites[0].notes.append(note)
    return Report(checkpoint.name, suites, terms_of(checkpoint.model, seed)), found


def terms_of(model: Any, seed: int) -> dict[str, Any]:
    """What a report's figures rest on: seed, versions, machine, feature set."""
    return {
        "seed": seed,
        **versions("ipaclip", "torch", "transformers", "panphon", "numpy"),
        "python": python_version(),
        "machine": platform.machine(),
        "features": model.config.pronunciation_config.feature_set,
    }


def draw(report: Report, directory: Path) -> list[str]:
    """Draws the suites' pictures into a directory and returns their file names.

    Raises:
        ImportError: if matplotlib or scipy is not installed.
    """
    plots = {name: plot for suite in report.suites for name, plot in suite.plots.items()}
    for name, plot in plots.items():
        plot(directory / name)
    return list(plots)
