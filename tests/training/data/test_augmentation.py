"""Phonetic noise: what it may do, how often, and what it must never make."""

import numpy as np
import pytest
from ipaclip.tokenization import IPATokenizer, nearest_phonemes
from ipaclip.training import AugmentationArguments
from ipaclip.training.data.augmentation import PhoneticAugmentation
from ipaclip.training.data.held_out_words import HeldOutWords

INVENTORY = ["p", "b", "t", "d", "k", "ɡ", "m", "n", "s", "z", "i", "u", "a", "o", "e"]
ALWAYS = {"clean": 0.0, "substitution": 1.0, "stress": 0.0}


@pytest.fixture(scope="module")
def tokenizer():
    return IPATokenizer.build()


def ids_of(tokenizer, ipa):
    return np.asarray(tokenizer(ipa)["input_ids"], dtype=np.int32)


def noisy(tokenizer, ipa, seeds, held_out=(), **rates):
    augmentation = PhoneticAugmentation(
        AugmentationArguments(**rates), tokenizer, INVENTORY, HeldOutWords(tokenizer, held_out)
    )
    return [augmentation(ids_of(tokenizer, ipa), np.random.default_rng(seed)) for seed in range(seeds)]


def test_a_swap_takes_one_of_the_nearest_and_keeps_the_rest_in_place(tokenizer):
    near = nearest_phonemes(INVENTORY)
    original = ids_of(tokenizer, "ˈbat moz")
    tokens = tokenizer.convert_ids_to_tokens(original.tolist())
    changed = 0
    for ids in noisy(tokenizer, "ˈbat moz", 50, nearest=2, **ALWAYS):
        assert len(ids) == len(original)
        for before, after in zip(tokens, tokenizer.convert_ids_to_tokens(ids.tolist()), strict=True):
            if before in near:
                assert after == before or after in near[before][:2]
                changed += after != before
            else:
                assert after == before
    assert changed > 50


def test_the_rate_is_a_mean_per_phoneme(tokenizer):
    ipa = "batipumekodasize"
    original = ids_of(tokenizer, ipa)
    results = noisy(tokenizer, ipa, 2000, substitution=0.1, clean=0.0, stress=0.0)
    share = np.mean([(ids != original)[1:-1].mean() for ids in results])
    # 2,000 words of 16 phonemes at a level with mean 1: the standard error is below 0.002.
    assert share == pytest.approx(0.1, abs=0.01)


def test_no_noise_where_all_is_clean(tokenizer):
    original = ids_of(tokenizer, "batima")
    for ids in noisy(tokenizer, "batima", 20, clean=1.0, substitution=1.0, deletion=1.0):
        assert ids.tolist() == original.tolist()


def test_held_out_words_are_never_made(tokenizer):
    near = nearest_phonemes(INVENTORY)
    forbidden = {first + "i" for first in near["b"][:3]} | {"b" + last for last in near["i"][:3]}
    made = {"".join(tokenizer.convert_ids_to_tokens(ids[1:-1].tolist()))
            for ids in noisy(tokenizer, "bi", 300, **ALWAYS)}  # fmt: skip
    assert made & forbidden
    guarded = {"".join(tokenizer.convert_ids_to_tokens(ids[1:-1].tolist()))
               for ids in noisy(tokenizer, "ˈbi", 300, [f"ˈ{word}" for word in forbidden], **ALWAYS)}  # fmt: skip
    assert not {word.replace("ˈ", "") for word in guarded} & forbidden
    assert len(guarded) > 1


def test_deletion_shortens_but_never_empties_a_word(tokenizer):
    boundary = tokenizer.convert_tokens_to_ids(" ")
    lengths = set()
    for ids in noisy(tokenizer, "ba ti", 100, clean=0.0, substitution=0.0, deletion=1.0, stress=0.0):
        words = "".join(" " if one == boundary else "x" for one in ids[1:-1]).split(" ")
        assert len(words) == 2
        assert all(words)
        lengths.add(len(ids))
    assert min(lengths) < 7


def test_insertion_lengthens_by_a_near_phoneme(tokenizer):
    lengths = {
        len(ids) for ids in noisy(tokenizer, "bati", 100, clean=0.0, substitution=0.0, insertion=0.5, stress=0.0)
    }
    assert max(lengths) > 6
    assert min(lengths) == 6


def test_stress_can_be_lost_but_phonemes_stay(tokenizer):
    plain, stressed = ids_of(tokenizer, "bati").tolist(), ids_of(tokenizer, "ˈbati").tolist()
    seen = [ids.tolist() for ids in noisy(tokenizer, "ˈbati", 100, clean=0.0, substitution=0.0, stress=0.5)]
    assert plain in seen
    assert stressed in seen
    assert all(ids in (plain, stressed) for ids in seen)


def test_the_same_generator_gives_the_same_noise(tokenizer):
    first = [ids.tolist() for ids in noisy(tokenizer, "batima", 10, **ALWAYS)]
    assert first == [ids.tolist() for ids in noisy(tokenizer, "batima", 10, **ALWAYS)]


def test_strength_multiplies_the_rates(tokenizer):
    augmentation = PhoneticAugmentation(
        AugmentationArguments(**{**ALWAYS, "substitution": 0.5}), tokenizer, INVENTORY, HeldOutWords(tokenizer)
    )
    ids = ids_of(tokenizer, "batimo" * 5)
    changed = [
        np.mean([(augmentation(ids, np.random.default_rng(seed), strength) != ids).mean() for seed in range(300)])
        for strength in (0.0, 0.25, 0.5)
    ]
    assert changed[0] == 0
    assert changed[2] / changed[1] == pytest.approx(2, rel=0.15)
