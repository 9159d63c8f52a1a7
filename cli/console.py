"""What the subcommands share: how they read, complain and keep libraries quiet. Light: `ipaclip --help` imports it."""

import gc
import logging
import os
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import typer
from typer.core import TyperGroup

CANNOT_BE_SAID = 1  # some inputs were answered, others could not be
FAILED = 2
INTERRUPTED = 130

_DEBUG = "IPACLIP_DEBUG"


class CommandGroup(TyperGroup):
    """Turns what users can cause into one line on stderr; everything else stays a traceback, for it is our mistake."""

    def invoke(self, ctx: Any) -> Any:
        """Runs the subcommand."""
        try:
            return super().invoke(ctx)
        except KeyboardInterrupt as error:
            raise typer.Exit(INTERRUPTED) from error
        except BrokenPipeError:  # whoever read has read enough: typer leaves without a word
            raise
        except Exception as error:
            if ctx.params.get("debug") or not _is_expected(error):
                raise
            complain(error)
            raise typer.Exit(FAILED) from error


def _is_expected(error: Exception) -> bool:
    # huggingface_hub's and safetensors' own errors are not all ValueErrors or OSErrors.
    library = type(error).__module__.partition(".")[0]
    return isinstance(error, ValueError | OSError | ImportError) or library in ("huggingface_hub", "safetensors")


def complain(error: Exception | str) -> None:
    """Prints `error: …` to stderr, as one line."""
    message = str(error)
    if isinstance(error, OSError) and error.strerror and error.filename:
        message = f"{error.filename}: {error.strerror}"
    typer.echo(f"error: {one_line(message) or type(error).__name__}", err=True)


def one_line(message: str) -> str:
    """The message with its line breaks and indentation made single spaces."""
    return " ".join(message.split())


class _Warnings(logging.Handler):
    def emit(self, record: logging.LogRecord) -> None:
        level = "" if record.levelno == logging.INFO else f"{record.levelname.lower()}: "
        typer.echo(f"{level}{one_line(record.getMessage())}", err=True)


def keep_libraries_quiet() -> None:
    """No progress bars and chatter from transformers, while our own warnings go to stderr, one line each.

    Call it before transformers is imported.
    """
    for name, value in {"TRANSFORMERS_VERBOSITY": "error", "HF_HUB_DISABLE_PROGRESS_BARS": "1"}.items():
        os.environ.setdefault(name, value)
    ours = logging.getLogger("ipaclip")
    handlers = [handler for handler in ours.handlers if isinstance(handler, _Warnings)]
    if not handlers:
        handlers = [_Warnings()]
        ours.addHandler(handlers[0])
    for handler in handlers:  # a command that ran before in this process may have shown more
        handler.setLevel(logging.WARNING)


def show_progress() -> None:
    """Our own notes go to stderr as well: a long run says what it does."""
    ours = logging.getLogger("ipaclip")
    ours.setLevel(logging.INFO)
    for handler in ours.handlers:
        if isinstance(handler, _Warnings):
            handler.setLevel(logging.INFO)


@contextmanager
def fast_imports() -> Iterator[None]:
    """For loading torch and transformers: a quarter of that goes to looking for garbage, and there is none."""
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.freeze()  # what is loaded stays: no later search, that at exit included, need visit it
            gc.enable()


def use_utf8() -> None:
    """Prints UTF-8 wherever it goes: emoji and IPA fit in no other encoding that a pipe may have by default."""
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(encoding="utf-8", errors="backslashreplace")


def read_lines(name: str) -> list[str]:
    r"""The lines of a UTF-8 file (`-`: of stdin), blank ones included; they end at `\n` or `\r\n` only.

    Raises:
        OSError: If the file cannot be read.
        ValueError: If it is not UTF-8.
    """
    from ipaclip.common.rows import split_lines

    content = sys.stdin.buffer.read() if name == "-" else Path(name).read_bytes()
    try:
        return split_lines(content.decode("utf-8-sig"))
    except UnicodeDecodeError as error:
        where = "stdin" if name == "-" else name
        raise ValueError(f"{where} is not UTF-8 at byte {error.start}: save it as UTF-8.") from error


def read_words(name: str) -> list[str]:
    """As `read_lines`, without blank lines and without blanks around the words."""
    return [line.strip() for line in read_lines(name) if line.strip()]


def some_at_a_time(
    transcribe_each: Callable[[list[str]], Sequence[str | ValueError]], texts: Sequence[str], together: int = 256
) -> Iterator[str | ValueError]:
    """For each text its IPA, or the error that says why it has none; the first ones before the last are asked for."""
    for start in range(0, len(texts), together):
        yield from transcribe_each(list(texts[start : start + together]))


def debug_option() -> Any:
    """The global option `--debug`, which can also be switched on from the environment."""
    return typer.Option("--debug", envvar=_DEBUG, help="Show where an error comes from.")
