"""Every block of code in README and docs does what it says."""

import re
import shlex
import shutil
import subprocess
import sys
from importlib.metadata import metadata
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).parent.parent
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md")), ROOT / "examples" / "emoji" / "README.md"]
LINKING = [*PAGES, *(ROOT / name for name in ("CHANGELOG.md", "CONTRIBUTING.md", "benchmarks/README.md"))]
# These take minutes or a network; that they are understood is checked, and what they do has tests of its own.
LONG = ("quickstart", "distill")


# One topic a page, as the README lists them.
TOPICS = (
    "getting-started",
    "model",
    "sounds",
    "distillation",
    "evaluation",
    "search",
    "match",
    "conversion",
    "architecture",
    "results",
)


def headings(page):
    """The anchors of a page, as GitHub makes them of its headings."""
    text = re.sub(r"```.*?```", "", page.read_text(encoding="utf-8"), flags=re.S)
    plain = (re.sub(r"[^\w\- ]", "", title.lower()) for title in re.findall(r"^#+ (.+)$", text, re.M))
    return {title.replace(" ", "-") for title in plain}


@pytest.mark.parametrize("topic", TOPICS)
def test_each_topic_has_a_page_that_the_readme_names(topic):
    assert ROOT / "docs" / f"{topic}.md" in PAGES
    assert f"](docs/{topic}.md)" in (ROOT / "README.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("page", LINKING, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_lead_somewhere(page):
    text = re.sub(r"```.*?```", "", page.read_text(encoding="utf-8"), flags=re.S)
    for link in re.findall(r"\]\(([^)\s]+)\)", text):
        if link.startswith(("https://", "http://")):
            continue
        path, _, anchor = link.partition("#")
        target = (page.parent / path).resolve() if path else page
        assert target.exists(), f"{link} leads nowhere"
        assert not anchor or anchor in headings(target), f"{link}: no such heading"


@pytest.mark.parametrize("page", LINKING, ids=lambda page: str(page.relative_to(ROOT)))
def test_files_that_are_named_exist(page):
    folders = "|".join(sorted(path.name for path in ROOT.iterdir() if path.is_dir() and path.name.isidentifier()))
    text = page.read_text(encoding="utf-8")
    named = re.findall(rf"(?<![\w/.-])((?:{folders})/[\w/.-]+\.(?:py|md|yaml|tsv|png))\b", text)
    missing = sorted({name for name in named if not (ROOT / name).is_file()})
    assert not missing


@pytest.mark.parametrize("page", LINKING, ids=lambda page: str(page.relative_to(ROOT)))
def test_extras_that_are_named_exist(page):
    named = re.findall(r'pip install "(?:ipaclip|\.)\[(.+?)\]"', page.read_text(encoding="utf-8"))
    extras = metadata("ipaclip").get_all("Provides-Extra")
    assert {extra for one in named for extra in one.split(",")} <= set(extras)


def blocks(language):
    for page in PAGES:
        for number, block in enumerate(re.findall(rf"```{language}\n(.*?)```", page.read_text(encoding="utf-8"), re.S)):
            yield pytest.param(block, id=f"{page.relative_to(ROOT)}-{number}")


def test_every_block_is_of_a_kind_that_is_tested():
    for page in PAGES:
        kinds = re.findall(r"^```(\w+)$", page.read_text(encoding="utf-8"), re.M)
        assert set(kinds) <= {"python", "bash", "yaml", "text"}, page


@pytest.mark.parametrize("code", blocks("python"))
def test_python(code, tmp_path):
    pytest.importorskip("phonemizer")
    done = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("text", blocks("yaml"))
def test_yaml(text):
    from ipaclip.training.arguments import DistillationArguments

    arguments = DistillationArguments.from_dict(yaml.safe_load(text))
    defaults = DistillationArguments.from_dict(
        {key: arguments.to_dict()[key] for key in ("teacher", "output_dir")} | {"data": {"train": arguments.data.train}}
    )
    assert arguments == defaults, "the page shows another value than the default"


@pytest.mark.parametrize("script", blocks("bash"))
def test_bash(script, tmp_path):
    pytest.importorskip("phonemizer")
    (tmp_path / "customers.csv").write_text("name\nSmith\nSmyth\nStephen\nМария\n", encoding="utf-8")
    for line in script.splitlines():
        command, *words = shlex.split(line, comments=True) or [""]
        if command == "make":
            done = subprocess.run(["make", "-n", *words], cwd=ROOT, capture_output=True, text=True, check=False)
        elif command.endswith("ipaclip") and words[0] not in LONG:
            run = [sys.executable, "-c", "from ipaclip.cli import main; main()", *words]
            done = subprocess.run(run, cwd=tmp_path, capture_output=True, text=True, check=False)
            assert done.stdout.strip(), line
        elif command.endswith("ipaclip"):
            options = [word.partition("=")[0] for word in words[1:] if word.startswith("--")]
            run = [sys.executable, "-c", "from ipaclip.cli import main; main()", words[0], "--help"]
            done = subprocess.run(run, cwd=tmp_path, capture_output=True, text=True, check=False)
            assert all(option in done.stdout for option in options), line
        elif command.endswith("python"):
            done = subprocess.run([sys.executable, "-m", "py_compile", str(ROOT / words[0])], check=False)
        elif command:
            assert command in ("apt-get", "accelerate", "pip") or shutil.which(command), line
            continue
        else:
            continue
        assert done.returncode == 0, (line, done.stderr)
