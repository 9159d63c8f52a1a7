"""Progress of long work where there is no terminal: lines in the log, with rate and time left."""

import re
import time

import pytest
from ipaclip.common import progress as module
from ipaclip.common.progress import Progress, track


@pytest.fixture
def seconds(monkeypatch):
    """A clock that a test sets; no lines by themselves."""
    clock = [100.0]
    monkeypatch.setattr(module.time, "monotonic", lambda: clock[0])
    monkeypatch.setattr(module, "FIRST_SECONDS", 3600.0)
    return clock


def test_a_line_says_how_much_how_fast_and_how_long(seconds):
    with Progress("targets", 26_000, unit="texts") as progress:
        seconds[0] += 10
        assert progress.line() == "targets: 0/26,000 texts (0%) after 00:10"
        progress.update(2600)
        seconds[0] += 10  # 2,600 in 20 seconds, and 23,400 are left: 180 seconds
        assert progress.line() == "targets: 2,600/26,000 texts (10%), 130 a second, 03:00 left"


def test_what_is_skipped_is_no_work(seconds):
    with Progress("targets", 1000, unit="texts", initial=100) as progress:
        progress.skip(700)
        progress.update(50)
        seconds[0] += 100
        assert progress.line() == "targets: 850/1,000 texts (85%), 0.5 a second, 05:00 left"


def test_without_a_total_there_is_no_time_left(seconds):
    with Progress("rows", unit="rows") as progress:
        progress.update(3000)
        seconds[0] += 2
        assert progress.line() == "rows: 3,000 rows, 1,500 a second"


def test_the_rate_is_that_of_the_last_lines(seconds):
    with Progress("rows", 10_000, unit="rows") as progress:
        for _ in range(10):
            progress.update(100)
            seconds[0] += 1
            progress.line()
        for _ in range(5):
            progress.update(10)
            seconds[0] += 1
            last = progress.line()
        assert ", 10 a second, " in last


def lines_of(caplog):
    return [record.getMessage() for record in caplog.records if record.name == module.__name__]


def test_lines_come_while_nothing_gets_done_and_end_with_the_work(monkeypatch, caplog):
    monkeypatch.setattr(module, "FIRST_SECONDS", 0.05)
    monkeypatch.setattr(module, "MOST_SECONDS", 0.05)
    with caplog.at_level("INFO"):
        for item in track([1, 2, 3], "slow", unit="things"):
            if item == 2:
                time.sleep(0.5)
        written = lines_of(caplog)
        assert re.match(r"slow: 1/3 things \(33%\)", written[-2])
        assert re.fullmatch(r"slow: 3/3 things in 00:0\d", written[-1])
        assert len(written) >= 4
        time.sleep(0.2)
        assert lines_of(caplog) == written


def test_nothing_is_shown_where_nothing_is_wanted(monkeypatch, caplog, capsys):
    monkeypatch.setattr(module, "FIRST_SECONDS", 0.01)
    with caplog.at_level("INFO"):
        assert list(track(iter("ab"), "quiet", shown=False)) == ["a", "b"]
        time.sleep(0.1)
    assert lines_of(caplog) == []
    assert capsys.readouterr().err == ""
