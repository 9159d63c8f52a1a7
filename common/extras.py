"""Libraries that only some commands need, as the extras of the package bring them."""

from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def needs_extra(extra: str, what: str) -> Iterator[None]:
    """Says which extra brings a library that is imported within.

    Args:
        extra: its name in pyproject.toml.
        what: what needs it, as the beginning of a sentence.

    Raises:
        ImportError: in place of the library's own.
    """
    try:
        yield
    except ImportError as error:
        raise ImportError(f'{what} needs {error.name or error}: pip install "ipaclip[{extra}]"') from error
