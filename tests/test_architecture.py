"""The rooms of the house: who may import whom, as docs/architecture.md draws it."""

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
FOLDERS = {
    "modeling_ipaclip": "ipaclip",
    **{
        room: f"ipaclip.{room}"
        for room in (
            "cli",
            "common",
            "conversion_scripts",
            "evaluation",
            "lexicon",
            "search",
            "tokenization",
            "training",
        )
    },
}
MAY_USE = {
    "common": set(),
    "modeling_ipaclip": set(),
    "tokenization": {"common"},
    "lexicon": {"modeling_ipaclip", "tokenization", "common"},
    "search": {"modeling_ipaclip", "tokenization", "lexicon", "common"},
    "conversion_scripts": {"modeling_ipaclip", "tokenization", "common"},
    "training": {"modeling_ipaclip", "tokenization", "common"},
    "evaluation": {"modeling_ipaclip", "tokenization", "lexicon", "search", "common"},
    "cli": {
        "modeling_ipaclip",
        "tokenization",
        "lexicon",
        "search",
        "conversion_scripts",
        "training",
        "evaluation",
        "common",
    },
}


def room_of(module: str) -> str:
    parts = module.split(".")
    return parts[1] if len(parts) > 1 and parts[1] in FOLDERS else "modeling_ipaclip"


def imported(path: Path, folder: str) -> set[str]:
    """The modules of ours that a file imports, in full."""
    package = [*FOLDERS[folder].split("."), *path.relative_to(ROOT / folder).parent.parts]
    found = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            base = package[: len(package) - node.level + 1] if node.level else []
            module = ".".join([*base, *([node.module] if node.module else [])])
            found |= {f"{module}.{alias.name}" for alias in node.names}
    return {module for module in found if module.split(".")[0] == "ipaclip"}


@pytest.mark.parametrize("folder", FOLDERS)
def test_a_room_uses_only_rooms_below_it(folder):
    files = list((ROOT / folder).rglob("*.py"))
    assert files
    for path in files:
        used = {room_of(module) for module in imported(path, folder)} - {folder}
        assert used <= MAY_USE[folder], f"{path.relative_to(ROOT)} uses {sorted(used - MAY_USE[folder])}"


def test_every_package_is_in_the_wheel():
    tomllib = pytest.importorskip("tomllib")

    setuptools = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["setuptools"]
    folders = {
        str(path.parent.relative_to(ROOT)) for folder in FOLDERS for path in (ROOT / folder).rglob("__init__.py")
    }
    mapped = set(setuptools["package-dir"].values())
    assert folders <= mapped
    assert set(setuptools["package-dir"]) == set(setuptools["packages"])


def test_the_page_names_every_room():
    page = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
    for folder in FOLDERS:
        assert f"`{folder}/`" in page
