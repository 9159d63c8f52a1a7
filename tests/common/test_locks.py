"""One lock: who holds it is told, and it ends with its holder."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from ipaclip.common.files import HeldError, take_lock

HOLDER = """
import sys
from ipaclip.common.files import take_lock
held = take_lock(sys.argv[1])
print("held", flush=True)
sys.stdin.read()
"""


def test_a_lock_is_refused_while_another_process_holds_it(tmp_path: Path) -> None:
    path = tmp_path / "folder" / "lock"
    with subprocess.Popen(
        [sys.executable, "-c", HOLDER, str(path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "held\n"
        with pytest.raises(HeldError, match=f"process {process.pid} holds") as refused:
            take_lock(path)
        assert refused.value.pid == str(process.pid)
        process.kill()  # whatever it held is free then
    take_lock(path).release()


def test_a_lock_whose_folder_went_can_be_taken_again(tmp_path: Path) -> None:
    path = tmp_path / "folder" / "lock"
    held = take_lock(path)
    with pytest.raises(HeldError, match=str(os.getpid())):
        take_lock(path)
    shutil.rmtree(path.parent)
    held.release()
    take_lock(path).release()
    assert path.exists()
