"""The one score, and what is found by all that is known of a query."""

import json
import math
import shutil
from pathlib import Path

import numpy as np
import pytest
from ipaclip.lexicon import Entry, Lexicon
from ipaclip.search import PictureSearch, Score, Witness

SCORE = Score(Witness(-1.0, 10.0), Witness(0.0, 10.0), Witness(-2.0, 5.0), nothing=-3.0)


def test_the_formula_by_hand() -> None:
    text, sound = np.array([0.5, 0.1]), np.array([0.2, 1.0])
    readings = [(0.7, np.array([0.9, 0.0])), (0.2, np.array([0.3, 0.8]))]
    found = SCORE.probabilities(text, readings, sound)
    each = [
        math.exp(-1 + 10 * (text[at] - 1))
        + sum(chance * math.exp(10 * (cosines[at] - 1)) for chance, cosines in readings)
        + math.exp(-2 + 5 * (sound[at] - 1))
        for at in range(2)
    ]
    assert found == pytest.approx([one / (math.exp(-3) + sum(each)) for one in each])


def test_what_is_missing_says_nothing() -> None:
    sound = np.array([0.2, 1.0])
    assert SCORE.probabilities(None, [], sound).argmax() == 1
    with pytest.raises(ValueError, match="neither a spelling"):
        SCORE.probabilities(None, [], None)


def test_far_from_everything_nothing_fits() -> None:
    near, far = (SCORE.probabilities(None, [(1.0, np.array([cosine, 0.0]))], None) for cosine in (1.0, 0.1))
    assert near[0] > 0.9
    assert far.sum() < 0.1


def test_weights_are_kept_and_damage_is_named(tmp_path: Path) -> None:
    SCORE.save(tmp_path)
    assert Score.of_checkpoint(tmp_path) == SCORE
    file = tmp_path / "score.json"
    values = json.loads(file.read_text(encoding="utf-8"))
    for damage in ("{", json.dumps({**values, "more": 1}), json.dumps({**values, "text": {"weight": 1}})):
        file.write_text(damage, encoding="utf-8")
        with pytest.raises(ValueError, match=r"score\.json is damaged"):
            Score.of_checkpoint(tmp_path)
    file.unlink()
    assert Score.of_checkpoint(tmp_path) == Score()


@pytest.fixture(scope="module")
def with_lexicon(tiny_checkpoint: Path, tmp_path_factory: pytest.TempPathFactory) -> PictureSearch:
    """The tiny checkpoint with a lexicon of two words, which mean the texts of two of its pictures."""
    directory = tmp_path_factory.mktemp("lexicon") / "checkpoint"
    shutil.copytree(tiny_checkpoint, directory)
    pictures = PictureSearch.from_checkpoint(directory)
    entries = [
        Entry("one", "eng-Latn", pictures.gallery.entries[-1].name, 1.0, ("wʌn",)),
        Entry("two", "eng-Latn", pictures.gallery.entries[-2].name, 1.0, ("tuː",)),
    ]
    Lexicon.build(entries, pictures.model, pictures.processor).save(directory)
    Score(Witness(-5.0, 30.0), Witness(0.0, 30.0), Witness(-5.0, 30.0), nothing=-6.0).save(directory)
    return PictureSearch.from_checkpoint(directory)


def test_a_picture_is_found_by_a_reading(with_lexicon: PictureSearch) -> None:
    (hits,) = with_lexicon.find(["wʌn"], ipa=True, top=2)
    assert hits[0].reading is not None
    assert hits[0].reading.words == "one"
    assert 0 < hits[1].score < hits[0].score < 1
    scores = [hit.score for hit in with_lexicon.find(["wʌn"], ipa=True, top=len(with_lexicon.gallery))[0]]
    assert sum(scores) < 1
    assert with_lexicon.find([], ipa=True) == []


def test_wrong_questions(with_lexicon: PictureSearch) -> None:
    with pytest.raises(TypeError, match="not one str"):
        with_lexicon.find("wʌn")
    with pytest.raises(ValueError, match="top is 0"):
        with_lexicon.find(["wʌn"], ipa=True, top=0)


def test_a_lexicon_of_another_text_tower_is_refused(with_lexicon: PictureSearch) -> None:
    import torch
    from ipaclip import IPAClipModel

    torch.manual_seed(1)
    other = IPAClipModel(with_lexicon.model.config).eval()
    with pytest.raises(ValueError, match="lexicon is of the text tower of"):
        PictureSearch(other, with_lexicon.processor, with_lexicon.gallery, with_lexicon.lexicon)
