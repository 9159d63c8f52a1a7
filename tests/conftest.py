"""No network, and a checkpoint of a tiny random IPA-CLIP with a gallery whose right answers are known."""

import importlib.util
import os
import shutil
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from transformers import CLIPModel, CLIPTokenizer

# Before anything imports transformers or huggingface_hub: what the person who tests has set for other work, such as a
# token or a CI's wish for colours, and a home where nothing may be written, decide nothing here.
OTHERS = ("ACCELERATE_", "ESPEAK", "HF_", "HUGGING", "PHONEMIZER_", "TRANSFORMERS_")
LOOKS = ("CLICOLOR_FORCE", "FORCE_COLOR", "GITHUB_ACTIONS", "PYTHONIOENCODING", "PYTHONWARNINGS", "PY_COLORS")
for name in list(os.environ):
    if name.startswith(OTHERS) or name in LOOKS:
        del os.environ[name]
caches = tempfile.TemporaryDirectory(prefix="ipaclip-tests-")
os.environ["HF_HOME"] = os.environ["MPLCONFIGDIR"] = caches.name
os.environ["HF_HUB_OFFLINE"] = "1"
os.environ["HF_HUB_DISABLE_PROGRESS_BARS"] = "1"
os.environ["COLUMNS"] = "80"
os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")

if importlib.util.find_spec("hypothesis"):
    from hypothesis import HealthCheck, settings

    # The same examples on every machine, and none too slow where others load it.
    settings.register_profile(
        "anywhere", deadline=None, derandomize=True, database=None, suppress_health_check=[HealthCheck.too_slow]
    )
    settings.load_profile("anywhere")

PROJECTION_DIM = 16

# Three pictures embedded as these sound, and three as the text tower reads these: (character, name, what is encoded).
SOUNDING = (("🦋", "butterfly", "bʌtɚflaɪ"), ("🐶", "dog", "dɔɡ"), ("☂️", "umbrella", "ʌmbɹɛlə"))
WRITTEN = (("📖", "book", "book"), ("🖋️", "pen", "pen"), ("👨‍👩‍👧", "family", "family"))


@pytest.fixture(autouse=True)
def numbers_drawn_alike() -> None:
    """What a test draws does not depend on the tests before it."""
    if "torch" in sys.modules:
        sys.modules["torch"].manual_seed(0)


def tiny_clip_tokenizer() -> "CLIPTokenizer":
    """CLIP's tokenizer over single bytes, each also as the end of a word."""
    from tokenizers.pre_tokenizers import ByteLevel
    from transformers import CLIPTokenizer

    signs = sorted(ByteLevel.alphabet())
    tokens = [*signs, *(f"{sign}</w>" for sign in signs), "<|startoftext|>", "<|endoftext|>"]
    return CLIPTokenizer(vocab={token: row for row, token in enumerate(tokens)}, merges=[], model_max_length=32)


def tiny_clip(tokenizer: "CLIPTokenizer") -> "CLIPModel":
    """Random, 32 x 32 pixels."""
    import torch
    from transformers import CLIPConfig, CLIPModel

    torch.manual_seed(0)
    shape = {"hidden_size": 16, "intermediate_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2}
    ends = {
        "bos_token_id": tokenizer.bos_token_id,
        "eos_token_id": tokenizer.eos_token_id,
        "pad_token_id": tokenizer.pad_token_id,
    }
    config = CLIPConfig(
        text_config={**shape, **ends, "vocab_size": len(tokenizer), "max_position_embeddings": 32},
        vision_config={**shape, "image_size": 32, "patch_size": 16},
        projection_dim=PROJECTION_DIM,
        # As drawn by default, all texts land beside each other.
        initializer_factor=5.0,
    )
    return CLIPModel(config).eval()


@pytest.fixture(scope="session")
def tiny_checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A directory with model, processor and gallery. Shared: copy it (`tiny_checkpoint_copy`) to change it."""
    import torch
    from ipaclip import IPAClipModel, IPAClipProcessor
    from ipaclip.encoding import encode
    from ipaclip.search import Gallery, GalleryEntry
    from ipaclip.tokenization import IPATokenizer, phoneme_feature_table
    from transformers import CLIPImageProcessor

    directory = tmp_path_factory.mktemp("checkpoints") / "tiny"
    clip_tokenizer, ipa_tokenizer = tiny_clip_tokenizer(), IPATokenizer.build(max_length=64)
    shape = {"hidden_size": 16, "intermediate_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2}
    model = IPAClipModel.from_clip(
        tiny_clip(clip_tokenizer),
        phoneme_features=phoneme_feature_table(ipa_tokenizer, "panphon"),
        pronunciation_config={**shape, "max_position_embeddings": 64, "initializer_factor": 5.0},
    )
    size = {"height": 32, "width": 32}
    pictures = CLIPImageProcessor(size={"shortest_edge": 32}, crop_size=size)
    processor = IPAClipProcessor(pictures, clip_tokenizer, ipa_tokenizer)
    model.save_pretrained(directory)
    processor.save_pretrained(directory)
    embeds = torch.cat(
        [
            encode(model, processor, ipa=[ipa for _, _, ipa in SOUNDING]),
            encode(model, processor, text=[text for _, _, text in WRITTEN]),
        ]
    )
    Gallery([GalleryEntry(character, name) for character, name, _ in (*SOUNDING, *WRITTEN)], embeds).save(directory)
    return directory


@pytest.fixture
def tiny_checkpoint_copy(tiny_checkpoint: Path, tmp_path: Path) -> Path:
    """A copy of `tiny_checkpoint` that a test may damage."""
    return Path(shutil.copytree(tiny_checkpoint, tmp_path / "copy"))
