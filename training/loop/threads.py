"""How threads wait for each other on machines that others use as well. Light: it must act before torch is loaded.

PyTorch's wheels for Linux compute with GNU's OpenMP, whose threads wait by spinning, some milliseconds long. Where the
cores are busy with other work, they so take from each other the time that they wait for: two threads on two cores that
eight other processes used went 0.1 to 0.4 steps a second, and with `OMP_WAIT_POLICY=passive`, which puts who waits to
sleep, 1.3 to 3.8 (tower of 3 layers, 256 wide, 32 x 14 tokens; one thread: 0.7 to 3.5). The setting is read once, when
the library is loaded (https://gcc.gnu.org/onlinedocs/libgomp/OMP_005fWAIT_005fPOLICY.html).
"""

import logging
import os
import sys
import time
from collections.abc import MutableMapping

from ipaclip.common.provenance import cores

logger = logging.getLogger(__name__)

POLICY = "OMP_WAIT_POLICY"
# Whatever the user says of waiting, goes before.
SETTINGS = (POLICY, "GOMP_SPINCOUNT", "KMP_BLOCKTIME")
# Shares of all cores: above the first, others are busy; below the second, a run gets too little.
BUSY, TOO_LITTLE = 0.25, 0.75
ADVICE = f"end the run, set {POLICY}=passive in the environment, or loop.num_threads=1, and go on with resume=true"


def wait_asleep_if_busy(environment: MutableMapping[str, str] = os.environ) -> bool:
    """Makes the threads of torch, which is not loaded yet, wait asleep if other processes keep the cores busy.

    Returns whether they will. What the environment says already stays.
    """
    if any(name in environment for name in SETTINGS) or "torch" in sys.modules:
        return environment.get(POLICY, "").lower() == "passive"
    load = _load()
    if load < BUSY * cores():
        return False
    environment[POLICY] = "passive"
    logger.info("load %.1f on %d cores: threads wait asleep for each other (%s=passive)", load, cores(), POLICY)
    return True


def _load() -> float:
    """How many processes ran or wanted to, on average over the last minute; 0 where the system does not say."""
    try:
        return os.getloadavg()[0]
    except (AttributeError, OSError):
        return 0.0


class CoreWatch:
    """Says once if threads that wait by spinning get too little of the cores."""

    def __init__(self, threads: int) -> None:
        self._threads, self._said = threads, any(name in os.environ for name in SETTINGS) or threads < 2
        self._mark = (time.perf_counter(), time.process_time())

    def look(self) -> None:
        """Compares what this process got since the last look with what it could have used."""
        (before, used_before), self._mark = self._mark, (time.perf_counter(), time.process_time())
        share = (self._mark[1] - used_before) / max(1e-9, self._mark[0] - before)
        if self._said or share >= TOO_LITTLE * self._threads or _load() <= self._threads:
            return
        self._said = True
        logger.warning(
            "%d threads get %.1f cores, for others use them, too, and spend much of that waiting for each other: %s",
            self._threads, share, ADVICE,
        )  # fmt: skip
