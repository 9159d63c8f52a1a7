"""`ipaclip convert clip | original | onnx | merge | split`."""

from pathlib import Path
from types import ModuleType
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from .console import fast_imports, keep_libraries_quiet

_CHECKPOINT = typer.Argument(metavar="CHECKPOINT", help="Directory or Hub name of an IPA-CLIP.")
_OUTPUT = typer.Argument(metavar="DIR", help="The new directory.")
_PRESET = typer.Option(help="Shape of the new tower: tiny, small, medium, or base, as CLIP's text tower.")
_FROM_TEXT = typer.Option("--init-from-text-tower", help="Start with the text tower's blocks (only --preset base).")
_FEATURES = typer.Option(help="panphon, ipa_chart or learned.")
_LANGUAGE = typer.Option(help="Language of spelled words.")
_SEED = typer.Option(help="Of the new tower's weights.")


class _ConvertGroup(TyperGroup):
    """`ipaclip convert CLIP DIR` means `ipaclip convert clip CLIP DIR`."""

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        """Finds the subcommand."""
        known = args and (args[0] in self.commands or args[0].startswith("-"))
        return super().resolve_command(ctx, args if known else ["clip", *args])


convert = typer.Typer(
    cls=_ConvertGroup,
    name="convert",
    help="Turn CLIPs into IPA-CLIPs, and IPA-CLIPs into ONNX or their parts.",
    no_args_is_help=True,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _scripts() -> ModuleType:
    keep_libraries_quiet()
    with fast_imports():
        from ipaclip import conversion_scripts
    return conversion_scripts


@convert.command()
def clip(
    clip: Annotated[str, typer.Argument(metavar="CLIP", help="Hub name or directory of a transformers CLIP.")],
    output: Annotated[Path, _OUTPUT],
    *,
    preset: Annotated[str, _PRESET] = "base",
    init_from_text_tower: Annotated[bool, _FROM_TEXT] = False,
    feature_set: Annotated[str, _FEATURES] = "panphon",
    language: Annotated[str, _LANGUAGE] = "eng-Latn",
    seed: Annotated[int, _SEED] = 0,
) -> None:
    """Put a new, untrained pronunciation tower beside a CLIP, and check that the CLIP stays as it is."""
    scripts = _scripts()
    difference = scripts.convert_clip_to_ipaclip(
        clip,
        output,
        preset=preset,
        init_from_text_tower=init_from_text_tower,
        feature_set=feature_set,
        language=language,
        seed=seed,
    )
    typer.echo(f"{output}: {scripts.verdict(difference, clip)}")


@convert.command()
def original(
    source: Annotated[Path, typer.Argument(metavar="FILE|DIR", help="OpenAI's .pt, or open_clip's weights.")],
    output: Annotated[Path, _OUTPUT],
    *,
    config: Annotated[
        Path | None,
        typer.Option(help="open_clip's configuration (JSON).", show_default="open_clip_config.json beside the weights"),
    ] = None,
    activation: Annotated[
        str | None, typer.Option(help="quick_gelu or gelu, if the source does not say.", show_default=False)
    ] = None,
    tokenizer: Annotated[
        str | None,
        typer.Option(
            help="Directory or Hub name of CLIP's tokenizer, or bpe_simple_vocab_16e6.txt.gz.",
            show_default="open_clip's, else openai/clip-vit-base-patch32",
        ),
    ] = None,
    preset: Annotated[str, _PRESET] = "base",
    init_from_text_tower: Annotated[bool, _FROM_TEXT] = False,
    feature_set: Annotated[str, _FEATURES] = "panphon",
    language: Annotated[str, _LANGUAGE] = "eng-Latn",
    seed: Annotated[int, _SEED] = 0,
) -> None:
    """Turn a checkpoint of OpenAI's CLIP or of open_clip into an IPA-CLIP. Nothing in the file is executed."""
    scripts = _scripts()
    difference = scripts.convert_original_clip(
        source,
        output,
        config=config,
        activation=activation,
        tokenizer=tokenizer,
        preset=preset,
        init_from_text_tower=init_from_text_tower,
        feature_set=feature_set,
        language=language,
        seed=seed,
    )
    typer.echo(f"{output}: {scripts.verdict(difference, source)}")


@convert.command()
def onnx(
    checkpoint: Annotated[str, _CHECKPOINT],
    output: Annotated[Path, _OUTPUT],
    *,
    tower: Annotated[
        list[str] | None,
        typer.Option(help="pronunciation, text or image; give it once for each.", show_default="pronunciation"),
    ] = None,
    int8: Annotated[bool, typer.Option(help="Also with weights in int8.")] = True,
) -> None:
    """Export towers to ONNX, and print how they compare with PyTorch."""
    scripts = _scripts()
    reports = scripts.export_onnx(checkpoint, output, towers=tower or ("pronunciation",), int8=int8)
    typer.echo(scripts.to_markdown(reports), nl=False)


@convert.command()
def merge(
    tower: Annotated[str, typer.Argument(metavar="TOWER", help="An IPA-CLIP, or a tower that split took off.")],
    clip: Annotated[str, typer.Argument(metavar="CLIP", help="Hub name or directory of the CLIP it was taught by.")],
    output: Annotated[Path, _OUTPUT],
) -> None:
    """Put a trained pronunciation tower onto a CLIP."""
    scripts = _scripts()
    difference = scripts.merge(tower, clip, output)
    typer.echo(f"{output}: {scripts.verdict(difference, f'{clip} and {tower}')}")


@convert.command()
def split(checkpoint: Annotated[str, _CHECKPOINT], output: Annotated[Path, _OUTPUT]) -> None:
    """Take the pronunciation tower off: DIR/pronunciation and DIR/clip."""
    scripts = _scripts()
    difference = scripts.split(checkpoint, output)
    typer.echo(f"{output}/pronunciation, {output}/clip: {scripts.verdict(difference, checkpoint)}")
