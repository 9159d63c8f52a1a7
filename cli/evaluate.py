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
_EMBEDDED = "the embedded checkpoint"


def evaluate(
    checkpoints: Annotated[
        list[str] | None,
        typer.Argument(metavar="DIR|NAME", help="Directory or Hub name.", show_default="the embedded one"),
    ] = None,
    *,
    suite: Annotated[
        str | None,
        typer.Option(
            help="all, phonemes, retrieval, nonsense, human or pwesuite; without it, one table of retrieval.",
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
    pictures: Annotated[
        str | None,
        typer.Option(metavar="DIR|TABLE|NAME", help="Pictures with captions, for retrieval.", rich_help_panel=_SUITES),
    ] = None,
    human: Annotated[
        Path | None,
        typer.Option(metavar="TABLE", help="CSV of human judgements: word1, word2, obtained.", rich_help_panel=_SUITES),
    ] = None,
    pwesuite: Annotated[
        str | None,
        typer.Option(
            metavar="DIR|NAME", help="PWESuite's words: a file, a directory or a Hub name.", rich_help_panel=_SUITES
        ),
    ] = None,
    export_embeddings: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE", help="Write vectors for PWESuite's own scripts: .pkl or .npz.", rich_help_panel=_SUITES
        ),
    ] = None,
    plots: Annotated[bool, typer.Option(help="Draw pictures into --output.", rich_help_panel=_SUITES)] = True,
) -> None:
    """Ask for every picture of a checkpoint's gallery by name, respelled name and nonsense, and count what is found.

    With --suite, test the paper's claims: where phonemes lie, what both towers find, nonsense words, agreement with
    people; and PWESuite's tasks. Of all suites, one that fails is left out with its reason, and the exit code is 1.
    """
    names = checkpoints or []
    if not compare and len(names) > 1:
        raise ValueError(f"{len(names)} checkpoints: one is evaluated at a time, or several with --compare.")
    if suite is None and not compare and (human or pictures or (pwesuite and not export_embeddings)):
        raise ValueError("--pictures, --human and --pwesuite belong to suites: add --suite all, or one of them.")
    keep_libraries_quiet()
    show_progress()
    from ipaclip.training.loop.threads import wait_asleep_if_busy

    wait_asleep_if_busy()
    if suite is None and not compare and export_embeddings is None:
        _print_retrieval(names, seed, output, as_json)
        return
    with fast_imports():
        from ipaclip.evaluation.checkpoint import Options
    options = Options(seed, pictures, human, pwesuite, export_embeddings, show_progress=True)
    if compare:
        _compare(names, suite or "all", options, output, as_json)
    elif suite is None:
        _export(names, options)
    else:
        report = _run(names, suite, options)
        drawn = _draw(report, output) if output is not None and plots else []
        _print_report(report, output, drawn, as_json)
        _exit_if_failed(report)


def _print_retrieval(names: list[str], seed: int, output: Path | None, as_json: bool) -> None:
    from ipaclip import embedded_checkpoint
    from ipaclip.search import PictureSearch, local_checkpoint

    directory = local_checkpoint(names[0] if names else embedded_checkpoint())
    with fast_imports():
        pictures = PictureSearch.from_checkpoint(directory)
    import torch
    from ipaclip.common.files import write_text
    from ipaclip.evaluation import evaluate_retrieval
    from ipaclip.evaluation.plain_report import plain_report
    from ipaclip.evaluation.report import REPORT_JSON, REPORT_MARKDOWN
    from ipaclip.evaluation.suites import terms_of
    from ipaclip.search.fusion import load_gate

    gallery = pictures.gallery
    report = evaluate_retrieval(
        pictures.model,
        pictures.processor,
        torch.from_numpy(gallery.image_embeds),
        [entry.name for entry in gallery.entries],
        seed=seed,
        gate=load_gate(directory),
    )
    whole = plain_report(names[0] if names else _EMBEDDED, report, terms_of(pictures.model, seed))
    document = json.dumps({**whole.to_dict(), **report.to_dict()}, indent=2, ensure_ascii=False) + "\n"
    if output is not None:
        write_text(output / REPORT_JSON, document)
        write_text(output / REPORT_MARKDOWN, report.to_markdown())
    typer.echo(document if as_json else report.to_markdown(), nl=False)


def _load(names: list[str]) -> "Checkpoint":
    """Model, processor and, where there is one, the gallery."""
    with fast_imports():
        import torch
        from ipaclip import IPAClipModel, IPAClipProcessor, embedded_checkpoint
        from ipaclip.evaluation.checkpoint import Checkpoint
        from ipaclip.search import Gallery, local_checkpoint
        from ipaclip.search.fusion import find_gate

    name = names[0] if names else _EMBEDDED
    directory = local_checkpoint(names[0] if names else embedded_checkpoint())
    _reject_other_models(name, directory)
    model = IPAClipModel.from_pretrained(directory, local_files_only=True).eval()
    processor = IPAClipProcessor.from_pretrained(directory, local_files_only=True)
    if not (directory / "gallery.json").is_file():
        return Checkpoint(name, model, processor, gate=find_gate(directory))
    gallery = Gallery.load(directory)
    embeds = torch.from_numpy(gallery.image_embeds)
    return Checkpoint(name, model, processor, embeds, [entry.name for entry in gallery.entries], find_gate(directory))


def _reject_other_models(name: str, directory: Path) -> None:
    from ipaclip.checkpoint_path import read_json

    kind = read_json(directory / "config.json").get("model_type")
    if kind != "ipaclip":
        raise ValueError(
            f"{name} is a model of type {kind!r}, without a pronunciation tower: `ipaclip distill` trains one beside a "
            "CLIP, its teacher."
        )


def _run(names: list[str], suite: str, options: "Options") -> "Report":
    from ipaclip.evaluation.suites import run_suites

    return run_suites(_load(names), suite, options)


def _draw(report: "Report", output: Path) -> list[str]:
    from ipaclip.evaluation.suites import draw

    try:
        return draw(report, output)
    except ImportError as error:
        complain(f"{error}; the tables are written without pictures.")
        return []


def _print_report(report: "Report", output: Path | None, pictures: list[str], as_json: bool) -> None:
    from ipaclip.evaluation.report import write_report

    if output is not None:
        write_report(report, output, pictures)
    document: Any = json.dumps(report.to_dict(), indent=2, ensure_ascii=False, allow_nan=False) + "\n"
    typer.echo(document if as_json else report.to_markdown(), nl=False)


def _exit_if_failed(*reports: "Report") -> None:
    """Says which suites could not be run, and why."""
    failed = [(report.checkpoint, name, why) for report in reports for name, why in report.failures.items()]
    for checkpoint, name, why in failed:
        complain(f"{checkpoint}, suite {name}: {why}")
    if failed:
        raise typer.Exit(CANNOT_BE_SAID)


def _compare(names: list[str], suite: str, options: "Options", output: Path | None, as_json: bool) -> None:
    from ipaclip.common.files import write_text
    from ipaclip.evaluation.report import compare, read_report

    if len(names) < 2:
        raise ValueError(
            f"--compare takes two or more checkpoints, or directories that --output wrote; got {len(names)}."
        )
    if options.export is not None:
        raise ValueError("--export-embeddings writes one checkpoint's vectors: leave out --compare.")
    # What is read is read first: it fails in no time, and evaluating takes minutes.
    known = {name: read_report(name) for name in names if _is_report(Path(name))}
    reports = [known[name] if name in known else _run([name], suite, options) for name in names]
    table = compare(reports)
    document = json.dumps({"header": table.header, "rows": table.rows}, indent=2, ensure_ascii=False) + "\n"
    text = table.to_markdown() + "\n"
    if output is not None:
        write_text(output / "comparison.json", document)
        write_text(output / "comparison.md", text)
    typer.echo(document if as_json else text, nl=False)
    _exit_if_failed(*(report for name, report in zip(names, reports, strict=True) if name not in known))


def _is_report(path: Path) -> bool:
    """A report's file, or a directory with one that is no checkpoint."""
    return path.suffix.lower() == ".json" or ((path / "report.json").is_file() and not (path / "config.json").is_file())


def _export(names: list[str], options: "Options") -> None:
    from ipaclip.evaluation.pwesuite.suite import export_pwesuite
    from ipaclip.evaluation.pwesuite.words import HUB_NAME, read_words

    words = read_words(options.pwesuite or HUB_NAME)
    vectors, silent = export_pwesuite(_load(names), words, options)
    typer.echo(f"{options.export}: {vectors.shape[0]} vectors of {vectors.shape[1]} dimensions")
    if silent:
        complain(f"{len(silent)} rows have no pronunciation and so a vector of zeros, the first is row {silent[0]}")
