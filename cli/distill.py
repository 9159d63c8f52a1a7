"""`ipaclip distill`."""

from typing import Annotated

import typer

from .console import fast_imports, keep_libraries_quiet, show_progress


def distill(
    config: Annotated[str, typer.Argument(metavar="CONFIG.yaml", help="What to distil: see docs/distillation.md.")],
    overrides: Annotated[
        list[str] | None, typer.Argument(metavar="[KEY=VALUE]...", help="Such as loop.steps=100 or resume=true.")
    ] = None,
) -> None:
    """Distil a pronunciation tower from a CLIP's frozen text tower.

    For several processes: accelerate launch -m ipaclip.training.distill CONFIG.yaml.
    """
    keep_libraries_quiet()
    show_progress()
    from ipaclip.training.loop.threads import wait_asleep_if_busy

    wait_asleep_if_busy()
    from ipaclip.training.arguments import DistillationArguments

    arguments = DistillationArguments.from_file(config, overrides or [])
    with fast_imports():
        from ipaclip.training.distillation import distil
    typer.echo(f"checkpoint: {distil(arguments)}")
