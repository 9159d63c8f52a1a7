"""How far long work has come: a bar on a terminal; elsewhere, as in a file, a line every so often."""

import logging
import threading
import time
from collections import deque
from collections.abc import Iterable, Iterator, Sized
from typing import TypeVar

logger = logging.getLogger(__name__)

# Seconds to the first line and, growing, between later ones.
FIRST_SECONDS, MOST_SECONDS = 10.0, 60.0
# The rate is that between so many last lines: what came before may have been faster, or slower.
_LINES_OF_RATE = 5

Item = TypeVar("Item")


class Progress:
    """Counts what is done, and shows it with rate and time left.

    On a terminal that is a tqdm bar. Elsewhere lines go to the log, level INFO, also while nothing gets done, and one
    at the end. Use it as a context manager, for one thread.
    """

    def __init__(
        self, name: str, total: int | None = None, *, unit: str = "", initial: int = 0, shown: bool = True
    ) -> None:
        """
        Args:
            name: of the work, such as "rows".
            total: how much there is to do, None where nobody knows.
            unit: what is counted, in the plural.
            initial: how much was done before.
            shown: whether anything is shown at all.
        """
        from tqdm.auto import tqdm

        self.name, self.total, self.unit, self.n = name, total, unit, initial
        self._bar = tqdm(desc=name, total=total, initial=initial, unit=f" {unit}", smoothing=0.05, unit_scale=True,
                         disable=None if shown else True)  # fmt: skip
        self._started = time.monotonic()
        self._marks: deque[tuple[float, int]] = deque([(self._started, initial)], maxlen=_LINES_OF_RATE)
        self._ended = threading.Event()
        self._writes_lines = bool(shown and self._bar.disable)
        if self._writes_lines:
            threading.Thread(target=self._write_lines, name=f"progress of {name}", daemon=True).start()

    def update(self, count: int = 1) -> None:
        """So much more is done."""
        self.n += count
        self._bar.update(count)

    def skip(self, count: int) -> None:
        """So much more need not be done: it counts, but not in the rate."""
        self.n += count
        self._marks = deque([(when, done + count) for when, done in self._marks], maxlen=_LINES_OF_RATE)
        self._bar.update(count)

    def __enter__(self) -> "Progress":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Says what was done; from here on nothing is shown."""
        if self._writes_lines and not self._ended.is_set():
            logger.info("%s: %s in %s", self.name, self._amount(self.n), self._interval(self._started))
        self._ended.set()
        self._bar.close()

    def _write_lines(self) -> None:
        pause = FIRST_SECONDS
        while not self._ended.wait(pause):
            logger.info("%s", self.line())
            pause = min(2 * pause, MOST_SECONDS)

    def line(self) -> str:
        """How far it is, as in `targets: 2,048/26,000 texts (8%), 310 a second, 01:17 left`."""
        now, done = time.monotonic(), self.n
        before, done_before = self._marks[0]
        self._marks.append((now, done))
        rate = (done - done_before) / max(1e-9, now - before)
        parts = [f"{self.name}: {self._amount(done)}"]
        if self.total:
            parts[0] += f" ({done / self.total:.0%})"
        if not rate:
            return f"{parts[0]} after {self._interval(self._started)}"
        parts.append(f"{rate:,.0f} a second" if rate >= 10 else f"{rate:.2g} a second")
        if self.total:
            parts.append(f"{_clock(max(0, self.total - done) / rate)} left")
        return ", ".join(parts)

    def _amount(self, done: int) -> str:
        amount = f"{done:,}/{self.total:,}" if self.total else f"{done:,}"
        return f"{amount} {self.unit}".rstrip()

    def _interval(self, since: float) -> str:
        return _clock(time.monotonic() - since)


def _clock(seconds: float) -> str:
    from tqdm import tqdm

    return tqdm.format_interval(seconds)


def track(
    items: Iterable[Item], name: str, total: int | None = None, *, unit: str = "", shown: bool = True
) -> Iterator[Item]:
    """The items, with their progress shown; each is done when the next is asked for."""
    if total is None and isinstance(items, Sized):
        total = len(items)
    with Progress(name, total, unit=unit, shown=shown) as progress:
        for item in items:
            yield item
            progress.update()
