"""A Python with all that this one has, but without ipaclip."""

import os
import subprocess
import sys
import sysconfig
import venv
from pathlib import Path


def python_without_package(directory: Path) -> Path:
    """A new virtual environment whose packages are links to those of this one, ipaclip left out."""
    venv.create(directory, with_pip=False, symlinks=True)
    packages = Path(sysconfig.get_paths("venv", {"base": str(directory), "platbase": str(directory)})["purelib"])
    for source in {Path(sysconfig.get_paths()[kind]) for kind in ("purelib", "platlib")}:
        for entry in source.iterdir():
            is_ours = entry.name.startswith(("ipaclip", "__editable__", "_ipaclip")) or entry.suffix == ".pth"
            if not is_ours and not (packages / entry.name).exists():
                (packages / entry.name).symlink_to(entry)
    return directory / "bin" / "python"


def run(python: Path | str, code: str, cwd: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    """Runs code in `cwd`, with Hub and module caches below it and nothing of this process's own paths."""
    env = {key: value for key, value in os.environ.items() if key not in ("PYTHONPATH", "HF_HUB_OFFLINE")}
    env |= {"HF_HOME": str(cwd / "hf"), "TRANSFORMERS_VERBOSITY": "error", "HF_HUB_DISABLE_XET": "1", **environment}
    return subprocess.run([str(python), "-c", code], capture_output=True, text=True, check=False, cwd=cwd, env=env)


def output(python: Path | str, code: str, cwd: Path, **environment: str) -> str:
    """What code printed last; a failure if it failed."""
    result = run(python, code, cwd, **environment)
    assert result.returncode == 0, result.stderr
    return result.stdout.strip().splitlines()[-1]


HERE = sys.executable
