"""The output for sound alone: the model's part, on tiny random models."""

import pytest
import torch
from ipaclip import IPAClipModel, IPAClipPronunciationModelWithProjection
from kernels import assert_same_outputs, same_weights
from modeling_helpers import pronunciation_ids, tiny_model
from transformers import CLIPModel

DIM = 6
HEAD = {"phonetic_dim": DIM, "phonetic_bottleneck": 4}


@pytest.fixture
def model():
    return tiny_model(**HEAD)


@torch.no_grad()
def sound(model, ids, mask=None):
    if isinstance(model, IPAClipModel):
        return model.get_phonetic_features(pronunciation_input_ids=ids, pronunciation_attention_mask=mask).pooler_output
    return model.get_phonetic_features(input_ids=ids, attention_mask=mask).pooler_output


def test_one_row_a_word_and_the_sum_of_its_tokens(model):
    ids, mask = pronunciation_ids()
    with torch.no_grad():
        output = model.get_phonetic_features(pronunciation_input_ids=ids, pronunciation_attention_mask=mask)
    assert output.pooler_output.shape == (2, DIM)
    assert output.last_hidden_state.shape == (2, 7, DIM)
    torch.testing.assert_close(output.last_hidden_state.sum(dim=1), output.pooler_output)
    assert (output.last_hidden_state[0, 4:] == 0).all()
    assert output.pooler_output[0].ne(output.pooler_output[1]).any()


def test_padding_changes_nothing(model):
    ids, mask = pronunciation_ids()
    torch.testing.assert_close(sound(model, ids[:1, :4]), sound(model, ids, mask)[:1])
    # Without a mask, what is padding is known by its id.
    torch.testing.assert_close(sound(model, ids), sound(model, ids, mask))


def test_a_token_is_heard_with_two_neighbours_on_either_side(model):
    """Ids 7 8 9 10 11 between the ends: a change of the last one reaches as far as two before it."""
    ids, _ = pronunciation_ids()
    changed = ids[1:].clone()
    changed[0, 5] = 12
    with torch.no_grad():
        first, second = (
            model.get_phonetic_features(pronunciation_input_ids=one).last_hidden_state[0] for one in (ids[1:], changed)
        )
    differs = (first - second).abs().amax(dim=-1) > 1e-6
    assert differs.tolist() == [False, False, False, True, True, True, True]


def test_where_in_the_word_a_token_stands_counts_relative_to_its_length(model):
    """Without position embeddings, the middle tokens of nine and of eleven are described alike, the others are not."""
    with torch.no_grad():
        model.pronunciation_model.embeddings.position_embedding.weight.zero_()
        states = model.get_phonetic_features(pronunciation_input_ids=torch.full((1, 9), 7)).last_hidden_state[0]
        longer = model.get_phonetic_features(pronunciation_input_ids=torch.full((1, 11), 7)).last_hidden_state[0]
    torch.testing.assert_close(states[4], longer[5])
    assert (states[3] - states[4]).abs().amax() > 1e-4
    assert (states[3] - longer[4]).abs().amax() > 1e-4


def test_the_encoder_has_no_say(model):
    before = sound(model, *pronunciation_ids())
    with torch.no_grad():
        for parameter in model.pronunciation_model.encoder.parameters():
            parameter.add_(1.0)
    torch.testing.assert_close(sound(model, *pronunciation_ids()), before)


def test_a_tuple_where_a_tuple_is_asked_for(model):
    ids, mask = pronunciation_ids()
    states, pooled = model.get_phonetic_features(ids, mask, return_dict=False)
    assert states.shape == (2, 7, DIM)
    assert pooled.shape == (2, DIM)


def test_it_is_saved_and_loaded(model, tmp_path):
    model.save_pretrained(tmp_path)
    expected = sound(model, *pronunciation_ids())
    loaded = IPAClipModel.from_pretrained(tmp_path).eval()
    assert same_weights(loaded, model)
    assert_same_outputs(sound(loaded, *pronunciation_ids()), expected)
    tower = IPAClipPronunciationModelWithProjection.from_pretrained(tmp_path).eval()
    assert_same_outputs(sound(tower, *pronunciation_ids()), expected)
    tower.save_pretrained(tmp_path / "tower")
    again = IPAClipPronunciationModelWithProjection.from_pretrained(tmp_path / "tower").eval()
    assert same_weights(again, tower)
    assert_same_outputs(sound(again, *pronunciation_ids()), expected)
    clip = CLIPModel.from_pretrained(tmp_path)
    assert torch.equal(clip.logit_scale, model.logit_scale)


def test_half_precision_says_nearly_the_same(model):
    expected = sound(model, *pronunciation_ids())
    torch.testing.assert_close(sound(model.half(), *pronunciation_ids()).float(), expected, atol=0.02, rtol=0.02)


def test_without_it_a_model_has_the_weights_it_had(model):
    without, added = tiny_model().state_dict(), set(model.state_dict()) - set(tiny_model().state_dict())
    assert not [key for key in without if "phonetic" in key]
    assert {key.split(".")[0] for key in added} == {"phonetic_projection"}


def test_without_it_the_error_says_where_to_get_one():
    plain = tiny_model()
    with pytest.raises(ValueError, match="ipaclip fit-phonetic"):
        sound(plain, *pronunciation_ids())
    tower = IPAClipPronunciationModelWithProjection(plain.pronunciation_model.config)
    with pytest.raises(ValueError, match="ipaclip fit-phonetic"):
        sound(tower, *pronunciation_ids())


def test_a_checkpoint_that_lost_its_projection_is_refused(model, tmp_path):
    state = {key: value for key, value in model.state_dict().items() if not key.startswith("phonetic_")}
    model.save_pretrained(tmp_path, state_dict=state)
    with pytest.raises(ValueError, match="phonetic_projection"):
        IPAClipModel.from_pretrained(tmp_path)


@pytest.mark.parametrize(
    ("ids", "mask", "message"),
    [
        (None, None, "needs input_ids"),
        ([[2, 5, 3]], [[1, 1]], "must have the shape of the ids"),
        ([[2, 5, 3], [0, 0, 0]], None, "Row 1 of the pronunciations has no token"),
        ([[2, 40, 3]], None, "0 to 39, got 40"),
        ([[2] * 25], None, "25 tokens long"),
    ],
)
def test_wrong_input_is_refused(model, ids, mask, message):
    with pytest.raises(ValueError, match=message):
        sound(model, *(None if one is None else torch.tensor(one) for one in (ids, mask)))
