"""Lists of inputs → one matrix, in order, whatever the batches."""

import numpy as np
import pytest
import torch
from ipaclip import IPAClipModel, IPAClipProcessor, IPAClipPronunciationModelWithProjection
from ipaclip.encoding import encode

IPA = ["kæt", "bʌtɚflaɪ", "a", "ɛlɪfənt", "dɔɡ"]


@pytest.fixture(scope="module")
def parts(tiny_checkpoint):
    return IPAClipModel.from_pretrained(tiny_checkpoint), IPAClipProcessor.from_pretrained(tiny_checkpoint)


def test_rows_keep_the_order_of_the_inputs_and_have_length_one(parts):
    model, processor = parts
    together = encode(model, processor, ipa=IPA, batch_size=2)
    torch.testing.assert_close(together.norm(dim=-1), torch.ones(len(IPA)))
    for row, ipa in zip(together, IPA, strict=True):
        with torch.no_grad():
            alone = model.get_pronunciation_features(**processor(ipa=[ipa], return_tensors="pt")).pooler_output[0]
        torch.testing.assert_close(row, alone / alone.norm(), atol=1e-5, rtol=0)


def test_the_tower_alone_gives_the_same(parts, tiny_checkpoint):
    model, processor = parts
    tower = IPAClipPronunciationModelWithProjection.from_pretrained(tiny_checkpoint)
    torch.testing.assert_close(encode(tower, processor, ipa=IPA), encode(model, processor, ipa=IPA))


def test_text_and_pictures(parts):
    from PIL import Image

    model, processor = parts
    pictures = [Image.fromarray(np.full((32, 32, 3), value, dtype=np.uint8)) for value in (0, 255)]
    with torch.no_grad():
        expected = model.get_image_features(**processor(images=pictures, return_tensors="pt")).pooler_output
    torch.testing.assert_close(
        encode(model, processor, images=pictures), torch.nn.functional.normalize(expected, dim=-1)
    )
    with torch.no_grad():
        read = model.get_text_features(**processor(text=["pen"], return_tensors="pt")).pooler_output
    torch.testing.assert_close(encode(model, processor, text=["pen"]), torch.nn.functional.normalize(read, dim=-1))


def test_a_text_that_is_too_long_is_cut_with_a_warning(parts, caplog):
    model, processor = parts
    assert encode(model, processor, text=["x" * 100]).shape == (1, 16)
    assert "the last" in caplog.text


def test_the_model_stays_in_the_mode_it_was_in(parts):
    model, processor = parts
    model.train()
    encode(model, processor, ipa=IPA)
    assert model.training
    model.eval()


def test_one_input_is_a_list_of_one(parts, tmp_path):
    from PIL import Image

    model, processor = parts
    picture = Image.fromarray(np.full((32, 32, 3), 90, dtype=np.uint8))
    picture.save(tmp_path / "grey.png")
    for kind, one in (("text", "butterfly"), ("ipa", "bʌtɚflaɪ"), ("images", picture)):
        alone = encode(model, processor, **{kind: one})
        assert alone.shape == (1, 16)
        torch.testing.assert_close(alone, encode(model, processor, **{kind: [one]}))
    from_path = encode(model, processor, images=str(tmp_path / "grey.png"))
    torch.testing.assert_close(from_path, encode(model, processor, images=[picture]))


def test_one_spelled_word_is_a_list_of_one(parts):
    pytest.importorskip("phonemizer")
    model, processor = parts
    for word in ("cat", "butterfly"):
        alone = encode(model, processor, pronounce=word, language="eng-Latn")
        (ipa,) = processor.transcribe([word], language="eng-Latn")
        torch.testing.assert_close(alone, encode(model, processor, ipa=[ipa]))
        assert alone.shape == (1, 16)


def test_after_an_error_the_model_is_in_the_mode_it_was_in(parts):
    model, processor = parts
    model.train()
    with pytest.raises((ValueError, TypeError)):
        encode(model, processor, ipa=["kæt", " "])
    assert model.training
    model.eval()


def test_a_frozen_tower_stays_in_its_own_mode(parts):
    model, processor = parts
    model.train()
    model.text_model.eval()
    encode(model, processor, ipa=IPA)
    assert model.training
    assert model.pronunciation_model.training
    assert not any(module.training for module in model.text_model.modules())
    model.eval()


def test_nothing_gives_no_rows_and_two_kinds_are_an_error(parts):
    model, processor = parts
    assert encode(model, processor, ipa=[]).shape == (0, 16)
    with pytest.raises(ValueError, match="exactly one of"):
        encode(model, processor, ipa=IPA, text=["pen"])
    with pytest.raises(ValueError, match="got none"):
        encode(model, processor)
