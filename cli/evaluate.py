"""`ipaclip evaluate`."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from .console import CANNOT_BE_SAID, complain, fast_imports, keep_libraries_quiet, show_progress

if TYPE_CHECKING:
    from ipaclip.evaluation.checkpoint import Checkpoint, Options
    from ipaclip.evaluation.report import Report

_SUITES = "The paper's claims (with --suite)"
Pictures = Annotated[
    str | None,
    typer.Option(metavar="DIR|TABLE|NAME", help="Pictures with captions, for retrieval.", rich_help_panel=_SUITES),
]
Human = Annotated[
    Path | None,
    typer.Option(metavar="TABLE", help="CSV of human judgements: word1, word2, obtained.", rich_help_panel=_SUITES),
]
Words = Annotated[
    str | None,
    typer.Option(
        metavar="DIR|NAME", help="PWESuite's words: a file, a directory or a Hub name.", rich_help_panel=_SUITES
    ),
]
Dictionary = Annotated[
    Path | None,
    typer.Option(
        metavar="TABLE",
        help="CSV of pronunciations, for notation: language, word, ipa, name.",
        rich_help_panel=_SUITES,
    ),
]
Export = Annotated[
    Path | None,
    typer.Option(
        metavar="FILE", help="Write vectors for PWESuite's own scripts: .pkl or .npz.", rich_help_panel=_SUITES
    ),
]


def evaluate(
    checkpoints: Annotated[
        list[str] | None,
        typer.Argument(metavar="DIR|NAME", help="Directory or Hub name.", show_default="the embedded one"),
    ] = None,
    *,
    suite: Annotated[
        str | None,
        typer.Option(
            help="all, phonemes, retrieval, nonsense, human, pwesuite or notation; without it, one table of retrieval.",
            show_default=False,
        ),
    ] = None,
    seed: Annotated[int, typer.Option(help="Another seed asks for other nonsense words.")] = 0,
    output: Annotated[
        Path | None,
        typer.Option(metavar="DIR", help="Write report.json and report.md there, too; pictures with --suite."),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON instead of tables.")] = False,
    compare: Annotated[
        bool,
        typer.Option(
            "--compare", help="Of several checkpoints, or outputs of --output: one table.", rich_help_panel=_SUITES
        ),
    ] = False,
    pictures: Pictures = None,
    human: Human = None,
    pwesuite: Words = None,
    dictionary: Dictionary = None,
    export_embeddings: Export = None,
    plots: Annotated[bool, typer.Option(help="Draw pictures into --output.", rich_help_panel=_SUITES)] = True,
) -> None:
    """Ask for every picture of a checkpoint's gallery by name, respelled name and nonsense, and count what is found.

    With --suite, test the paper's claims: where phonemes lie, what both towers find, nonsense words, agreement with
    people; and PWESuite's tasks, and other notations of IPA. Of all suites, one that fails is left out with its reason,
    and the exit code is 1.
    """
    names = checkpoints or []
    options_of_suites = {"--pictures": pictures, "--human": human, "--pwesuite": pwesuite, "--dictionary": dictionary}
    _reject_what_does_not_go_together(names, suite, options_of_suites, compare=compare, export=export_embeddings)
    keep_libraries_quiet()
    show_progress()
    from ipaclip.training.loop.threads import wait_asleep_if_busy

    wait_asleep_if_busy()
    with fast_imports():
        from ipaclip.evaluation.checkpoint import Checkpoint, Options
        from ipaclip.evaluation.suites import run_suites

        checkpoint = None if compare else Checkpoint.load(names[0] if names else None)
    options = Options(seed, pictures, human, pwesuite, export_embeddings, dictionary, show_progress=True)
    if checkpoint is None:
        _compare(names, suite or "all", options, output, as_json)
    elif suite is not None:
        report = run_suites(checkpoint, suite, options)
        _print_suites(report, output, plots, as_json)
        _exit_if_failed([report])
    elif export_embeddings is not None:
        _export(checkpoint, options)
    else:
        _print_retrieval(checkpoint, seed, output, as_json)


def _reject_what_does_not_go_together(
    names: list[str],
    suite: str | None,
    options_of_suites: dict[str, str | Path | None],
    *,
    compare: bool,
    export: Path | None,
) -> None:
    if not compare and len(names) > 1:
        raise ValueError(f"{len(names)} checkpoints: one is evaluated at a time, or several with --compare.")
    given = [name for name, value in options_of_suites.items() if value and not (name == "--pwesuite" and export)]
    if suite is None and not compare and given:
        raise ValueError(f"{', '.join(options_of_suites)} belong to suites: add --suite all, or one of them.")
    if compare and len(names) < 2:
        raise ValueError(
            f"--compare takes two or more checkpoints, or directories that --output wrote; got {len(names)}."
        )
    if compare and export is not None:
        raise ValueError("--export-embeddings writes one checkpoint's vectors: leave out --compare.")


def _print_retrieval(checkpoint: "Checkpoint", seed: int, output: Path | None, as_json: bool) -> None:
    from ipaclip.evaluation.report import REPORT
    from ipaclip.evaluation.suites import plain_report

    report, found = plain_report(checkpoint, seed)
    _print({**report.to_dict(), **found.to_dict()}, found.to_markdown(), output, REPORT, as_json)


def _print_suites(report: "Report", output: Path | None, plots: bool, as_json: bool) -> None:
    from ipaclip.evaluation.report import write_report
    from ipaclip.evaluation.suites import draw

    if output is not None:
        drawn: list[str] = []
        try:
            drawn = draw(report, output) if plots else []
        except ImportError as error:
            complain(f"{error}; the tables are written without pictures.")
        write_report(report, output, drawn)
    _print(report.to_dict(), report.to_markdown(), None, "", as_json)


def _print(document: dict[str, Any], page: str, output: Path | None, name: str, as_json: bool) -> None:
    from ipaclip.evaluation.report import write_pages

    if output is not None:
        write_pages(output, name, document, page)
    typer.echo(json.dumps(document, indent=2, ensure_ascii=False, allow_nan=False) if as_json else page, nl=as_json)


def _exit_if_failed(reports: "list[Report]") -> None:
    """Says which suites could not be run, and why."""
    failed = [(report.checkpoint, name, why) for report in reports for name, why in report.failures.items()]
    for checkpoint, name, why in failed:
        complain(f"{checkpoint}, suite {name}: {why}")
    if failed:
        raise typer.Exit(CANNOT_BE_SAID)


def _compare(names: list[str], suite: str, options: "Options", output: Path | None, as_json: bool) -> None:
    from ipaclip.evaluation.checkpoint import Checkpoint
    from ipaclip.evaluation.report import compare, is_report, read_report
    from ipaclip.evaluation.suites import run_suites

    # What is read is read first: it fails in no time, and evaluating takes minutes.
    known = {name: read_report(name) for name in names if is_report(Path(name))}
    new = {name: run_suites(Checkpoint.load(name), suite, options) for name in names if name not in known}
    table = compare([(known | new)[name] for name in names])
    _print({"header": table.header, "rows": table.rows}, table.to_markdown() + "\n", output, "comparison", as_json)
    _exit_if_failed(list(new.values()))


def _export(checkpoint: "Checkpoint", options: "Options") -> None:
    from ipaclip.evaluation.checkpoint import PRONUNCIATION
    from ipaclip.evaluation.pwesuite.suite import embed_and_export
    from ipaclip.evaluation.pwesuite.words import HUB_NAME, read_words

    vectors, silent = embed_and_export(checkpoint, read_words(options.pwesuite or HUB_NAME), options)
    rows, width = vectors[PRONUNCIATION].shape
    typer.echo(f"{options.export}: {rows} vectors of {width} dimensions")
    if silent:
        complain(f"{len(silent)} rows have no pronunciation and so a vector of zeros, the first is row {silent[0]}")
