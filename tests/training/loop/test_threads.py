"""Threads on a machine that others use: asleep where they would spin, and a line where that comes too late."""

import logging
import os
import subprocess
import sys

import pytest
from ipaclip.training.loop import threads
from ipaclip.training.loop.threads import CoreWatch, wait_asleep_if_busy


@pytest.fixture
def load(monkeypatch):
    """The load of a machine of two cores, before torch is loaded and with nothing said of waiting."""
    state = [5.0]
    monkeypatch.setattr(threads, "cores", lambda: 2)
    monkeypatch.setattr(threads.os, "getloadavg", lambda: (state[0], 0.0, 0.0))
    monkeypatch.delitem(sys.modules, "torch", raising=False)
    for name in threads.SETTINGS:
        monkeypatch.delenv(name, raising=False)
    return state


def test_threads_wait_asleep_where_others_are_busy(load):
    environment = {}
    assert wait_asleep_if_busy(environment)
    assert environment == {"OMP_WAIT_POLICY": "passive"}
    load[0], environment = 0.1, {}
    assert not wait_asleep_if_busy(environment)
    assert environment == {}


@pytest.mark.parametrize("name", threads.SETTINGS)
def test_what_the_user_says_goes_before(load, name):
    environment = {name: "5"}
    wait_asleep_if_busy(environment)
    assert environment == {name: "5"}


def test_after_torch_is_loaded_it_is_too_late(load, monkeypatch):
    monkeypatch.setitem(sys.modules, "torch", object())
    environment = {}
    assert not wait_asleep_if_busy(environment)
    assert environment == {}


@pytest.mark.parametrize("command", ["from ipaclip.cli import main; main()", "distill.main"])
def test_the_setting_acts_before_the_library_is_loaded(tiny_checkpoint, tmp_path, command):
    rows, config = tmp_path / "rows.jsonl", tmp_path / "run.yaml"
    rows.write_text('{"text": "a"}\n')
    # torch is loaded, and then there is no such output.
    config.write_text(f"teacher: {tiny_checkpoint}\noutput_dir: {rows}\ndata: {{train: {rows}}}\n")
    words = ["ipaclip", "distill", str(config)] if command.startswith("from") else ["distill", str(config)]
    run = command if command.startswith("from") else "from ipaclip.training.distill import main; main()"
    code = f"import os, sys; os.getloadavg = lambda: (99.0,) * 3; sys.argv = {words!r}; {run}"
    environment = {name: value for name, value in os.environ.items() if name not in threads.SETTINGS}
    environment["OMP_DISPLAY_ENV"] = "true"
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=False)
    assert f"output_dir {rows} is a file" in done.stderr
    if "OMP_WAIT_POLICY" not in done.stderr.replace("OMP_WAIT_POLICY=passive", ""):
        pytest.skip("torch computes without GNU's OpenMP")
    assert "OMP_WAIT_POLICY = 'PASSIVE'" in done.stderr


@pytest.fixture
def clock(monkeypatch):
    state = {"wall": 0.0, "used": 0.0}
    monkeypatch.setattr(threads.time, "perf_counter", lambda: state["wall"])
    monkeypatch.setattr(threads.time, "process_time", lambda: state["used"])
    return state


def test_a_run_that_gets_too_little_says_so_once(load, clock, caplog):
    caplog.set_level(logging.WARNING)
    watch = CoreWatch(2)
    clock.update(wall=10.0, used=19.0)
    watch.look()
    assert not caplog.records
    clock.update(wall=20.0, used=25.0)
    watch.look()
    clock.update(wall=30.0, used=26.0)
    watch.look()
    (record,) = caplog.records
    assert "2 threads get 0.6 cores" in record.getMessage()
    assert "OMP_WAIT_POLICY=passive" in record.getMessage()
    assert "loop.num_threads=1" in record.getMessage()


@pytest.mark.parametrize("reason", ["one thread", "asleep", "no others"])
def test_where_nothing_can_be_won_nothing_is_said(load, clock, caplog, monkeypatch, reason):
    if reason == "asleep":
        monkeypatch.setenv("OMP_WAIT_POLICY", "passive")
    if reason == "no others":
        load[0] = 1.0
    watch = CoreWatch(1 if reason == "one thread" else 2)
    clock.update(wall=10.0, used=2.0)
    watch.look()
    assert not caplog.records
