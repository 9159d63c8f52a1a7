"""Trains the embedded CLIP from scratch: a small ``CLIPModel`` that knows every emoji's picture by its name.

    python examples/emoji/train_clip.py --output runs/emoji-clip --epochs 150

Symmetric contrastive training (Radford et al. 2021, section 2.3) on all emoji, each with its name and one other of its
texts, images lightly transformed. Two things make a small model exact: batches are built from groups of emoji that the
model itself still confuses, and a text that is right for another picture of the batch (``flag``) is no negative for it.
Half of the patches is left out for the first part of the run; the last part sees whole pictures, ever less transformed.
A run that was stopped goes on after its last saved epoch.
"""

import argparse
import json
import logging
import math
import os
import time
from dataclasses import dataclass
from pathlib import Path

import dataset
import numpy as np
import torch
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, trainers
from torch.nn import functional
from transformers import CLIPConfig, CLIPImageProcessor, CLIPModel, CLIPTokenizer

logger = logging.getLogger("train_clip")

IMAGE_SIZE, PATCH_SIZE = 84, 14
TEXT_LENGTH = 32
MEAN, STD = (0.5, 0.5, 0.5), (0.5, 0.5, 0.5)


def train_tokenizer(texts: list[str], vocab_size: int = 2048) -> CLIPTokenizer:
    """A lower-case byte-level BPE in CLIP's own format, learned from the texts."""
    bpe = Tokenizer(models.BPE(end_of_word_suffix="</w>", continuing_subword_prefix=""))
    bpe.normalizer = normalizers.Sequence([normalizers.NFC(), normalizers.Lowercase()])
    bpe.pre_tokenizer = pre_tokenizers.Sequence(
        [pre_tokenizers.WhitespaceSplit(), pre_tokenizers.ByteLevel(add_prefix_space=False)]
    )
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    trainer = trainers.BpeTrainer(
        vocab_size=vocab_size - 2, initial_alphabet=alphabet, end_of_word_suffix="</w>", show_progress=False
    )
    bpe.train_from_iterator(texts, trainer)
    model = json.loads(bpe.to_str())["model"]
    tokens = list(model["vocab"])
    # CLIP's tokenizer also needs every byte as the last of its word.
    tokens += [sign + "</w>" for sign in alphabet if sign + "</w>" not in model["vocab"]]
    vocab = {token: index for index, token in enumerate([*tokens, "<|startoftext|>", "<|endoftext|>"])}
    return CLIPTokenizer(vocab=vocab, merges=[tuple(merge) for merge in model["merges"]], model_max_length=TEXT_LENGTH)


def load_or_train_tokenizer(emojis: list[dataset.Emoji], output: Path) -> CLIPTokenizer:
    """The run's tokenizer: merges of equal count come in any order, so a run that goes on must keep its own."""
    if not (output / "tokenizer.json").exists():
        train_tokenizer([text for one in emojis for text in one.texts]).save_pretrained(output)
    return CLIPTokenizer.from_pretrained(output)


def build_model(tokenizer: CLIPTokenizer) -> CLIPModel:
    """A ``CLIPModel`` of some four million parameters, CLIP's own initialisation."""
    bos, eos = tokenizer.bos_token_id, tokenizer.eos_token_id
    config = CLIPConfig(
        projection_dim=160,
        text_config={
            "vocab_size": len(tokenizer), "hidden_size": 160, "intermediate_size": 640, "num_hidden_layers": 3,
            "num_attention_heads": 5, "max_position_embeddings": TEXT_LENGTH, "projection_dim": 160,
            "bos_token_id": bos, "eos_token_id": eos, "pad_token_id": tokenizer.pad_token_id,
        },
        vision_config={
            "hidden_size": 192, "intermediate_size": 768, "num_hidden_layers": 6, "num_attention_heads": 6,
            "image_size": IMAGE_SIZE, "patch_size": PATCH_SIZE, "projection_dim": 160,
        },
    )  # fmt: skip
    return CLIPModel(config)


def pixel_values(pictures: torch.Tensor) -> torch.Tensor:
    """Bytes ``(batch, height, width, 3)`` → normalised ``(batch, 3, height, width)``, as the image processor does."""
    pixels = pictures.permute(0, 3, 1, 2).float() / 255
    mean, std = (torch.tensor(values, device=pixels.device).view(1, 3, 1, 1) for values in (MEAN, STD))
    return (pixels - mean) / std


def augment(pixels: torch.Tensor, strength: float, generator: torch.Generator) -> torch.Tensor:
    """Light shift, scale, rotation, contrast and brightness; ``strength`` 0 leaves pictures as they are."""
    if strength == 0:
        return pixels
    batch = pixels.shape[0]
    noise = (torch.rand(batch, 6, generator=generator) * 2 - 1) * strength
    angle, scale = noise[:, 0] * math.radians(10), 1 + noise[:, 1] * 0.12
    rows = [scale * angle.cos(), -scale * angle.sin(), noise[:, 2] * 0.12]
    rows += [scale * angle.sin(), scale * angle.cos(), noise[:, 3] * 0.12]
    grid = functional.affine_grid(
        torch.stack(rows, 1).view(batch, 2, 3).to(pixels.device), list(pixels.shape), align_corners=False
    )
    # Outside of the picture is white (1 after normalisation): shift so that zero padding means white.
    moved = functional.grid_sample(pixels - 1, grid, align_corners=False) + 1
    contrast = (1 + noise[:, 4] * 0.15).view(-1, 1, 1, 1).to(pixels.device)
    brightness = (noise[:, 5] * 0.1).view(-1, 1, 1, 1).to(pixels.device)
    return (moved - 1) * contrast + 1 + brightness


class PatchDropout:
    """A hook that keeps the class token and a random part of the patches while training (Li et al. 2023, FLIP).

    Half of the patches is half of the work; the last part of the run sees all of them.
    """

    def __init__(self, model: CLIPModel) -> None:
        self.kept = 1.0
        self.generator = torch.Generator().manual_seed(0)
        model.vision_model.embeddings.register_forward_hook(self)

    def __call__(self, module: torch.nn.Module, _: tuple[torch.Tensor, ...], output: torch.Tensor) -> torch.Tensor:
        if not module.training or self.kept == 1.0:
            return output
        batch, length, dim = output.shape
        chosen = torch.rand(batch, length - 1, generator=self.generator).argsort(1)[
            :, : round(self.kept * (length - 1))
        ]
        index = torch.cat([torch.zeros(batch, 1, dtype=torch.long), chosen + 1], 1).to(output.device)
        return output.gather(1, index[..., None].expand(-1, -1, dim))


@dataclass
class Texts:
    """Every text tokenised once, the texts of each picture, and for each text the pictures that it is right for."""

    ids: torch.Tensor
    of_picture: list[list[int]]
    names: torch.Tensor
    right: torch.Tensor

    @classmethod
    def build(cls, emojis: list[dataset.Emoji], tokenizer: CLIPTokenizer) -> "Texts":
        index: dict[str, int] = {}
        of_picture = [[index.setdefault(text.lower(), len(index)) for text in one.texts] for one in emojis]
        encoded = tokenizer(list(index), padding=True, truncation=True, return_tensors="pt")
        right = torch.zeros(len(index), len(emojis), dtype=torch.bool)
        for picture, texts in enumerate(of_picture):
            right[texts, picture] = True
        return cls(encoded["input_ids"], of_picture, torch.tensor([texts[0] for texts in of_picture]), right)


def contrastive_loss(image: torch.Tensor, text: torch.Tensor, scale: torch.Tensor, right: torch.Tensor) -> torch.Tensor:
    """Symmetric cross-entropy over the batch; texts that are right for another picture are left out for it.

    ``image`` and ``text`` are ``(batch, dim)``, L2-normalised; ``right[i, j]``: text i names picture j.
    """
    logits = scale * text @ image.T
    other = right & ~torch.eye(len(text), dtype=torch.bool, device=text.device)
    logits = logits.masked_fill(other, float("-inf"))
    target = torch.arange(len(text), device=text.device)
    return (functional.cross_entropy(logits, target) + functional.cross_entropy(logits.T, target)) / 2


def confusable_order(similarity: np.ndarray | None, count: int, group: int, rng: np.random.Generator) -> np.ndarray:
    """An order of all pictures in which groups of those that look alike to the model stand together."""
    anchors = rng.permutation(count)
    if similarity is None:
        return anchors
    free = np.ones(count, dtype=bool)
    groups: list[np.ndarray] = []
    for anchor in anchors:
        if free[anchor]:
            near = similarity[anchor]
            members = near[free[near]][:group]
            free[members] = False
            groups.append(members)
    return np.concatenate([groups[index] for index in rng.permutation(len(groups))])


@torch.no_grad()
def evaluate(model: CLIPModel, pictures: torch.Tensor, texts: Texts) -> tuple[float, float, np.ndarray]:
    """Top-1 and top-5 of all names over all pictures, and for each picture the pictures its name comes nearest to."""
    model.eval()
    image = functional.normalize(
        torch.cat([model.get_image_features(pixel_values(part)).pooler_output for part in pictures.split(512)]), dim=-1
    )
    ids = texts.ids[texts.names].to(image.device)
    text = functional.normalize(model.get_text_features(ids).pooler_output, dim=-1)
    scores = text @ image.T
    ranking = scores.argsort(dim=1, descending=True)[:, :64]
    hit = ranking == torch.arange(len(ranking), device=image.device)[:, None]
    own = torch.arange(len(ranking))[:, None]
    return (
        hit[:, 0].float().mean().item(),
        hit[:, :5].any(1).float().mean().item(),
        torch.cat([own, ranking.cpu()], dim=1).numpy(),
    )


class Trainer:
    """Everything that changes while training, and how it is saved and restored."""

    def __init__(self, model: CLIPModel, pictures: torch.Tensor, texts: Texts, args: argparse.Namespace) -> None:
        self.model, self.pictures, self.texts, self.args = model, pictures, texts, args
        decay = [p for p in model.parameters() if p.ndim >= 2]
        plain = [p for p in model.parameters() if p.ndim < 2]
        self.optimizer = torch.optim.AdamW(
            [{"params": decay, "weight_decay": args.weight_decay}, {"params": plain, "weight_decay": 0.0}],
            lr=args.learning_rate, betas=(0.9, 0.98), eps=1e-6,
        )  # fmt: skip
        self.epoch, self.done, self.seconds, self.similarity = 0, 0.0, 0.0, None
        self.patches = PatchDropout(model)
        self.path = Path(args.output) / "trainer.pt"

    def save(self) -> None:
        state = {"model": self.model.state_dict(), "optimizer": self.optimizer.state_dict(),
                 "epoch": self.epoch, "seconds": self.seconds}  # fmt: skip
        torch.save(state, self.path.with_suffix(".tmp"))
        os.replace(self.path.with_suffix(".tmp"), self.path)

    def restore(self) -> None:
        if self.path.exists():
            state = torch.load(self.path, weights_only=True)
            self.model.load_state_dict(state["model"])
            self.optimizer.load_state_dict(state["optimizer"])
            self.epoch, self.seconds = state["epoch"], state["seconds"]
            self.similarity = evaluate(self.model, self.pictures, self.texts)[2]
            logger.info("going on after epoch %d (%.0f s)", self.epoch, self.seconds)

    @property
    def progress(self) -> float:
        return min(1.0, (self.epoch + self.done) / self.args.epochs)

    def rate(self) -> float:
        """Warm-up over 2% of the epochs, then a cosine to 1% of the peak."""
        if self.progress < 0.02:
            return self.args.learning_rate * max(self.progress / 0.02, 0.02)
        return self.args.learning_rate * (0.01 + 0.99 * (1 + math.cos(math.pi * self.progress)) / 2)

    def step(self, batch: torch.Tensor, rng: np.random.Generator, generator: torch.Generator) -> float:
        strength = max(0.0, 1 - self.progress / 0.85)
        pixels = augment(pixel_values(self.pictures[batch]), strength, generator)
        others = torch.tensor([rng.choice(self.texts.of_picture[index]) for index in batch.tolist()])
        which = torch.cat([self.texts.names[batch], others])
        ids = self.texts.ids[which]
        ids = ids[:, : int((ids != ids[0, -1]).sum(1).max()) + 2] if self.args.trim else ids
        with torch.autocast(pixels.device.type, torch.bfloat16, enabled=self.args.bf16):
            image = self.model.get_image_features(pixels).pooler_output
            text = self.model.get_text_features(ids.to(pixels.device)).pooler_output
        image, text = functional.normalize(image.float(), dim=-1), functional.normalize(text.float(), dim=-1)
        scale = self.model.logit_scale.exp().clamp(max=100)
        right = self.texts.right[which][:, batch].to(pixels.device)
        losses = [contrastive_loss(image, part, scale, mask)
                  for part, mask in zip(text.chunk(2), right.chunk(2), strict=True)]  # fmt: skip
        loss = losses[0] + 0.3 * losses[1]
        self.optimizer.zero_grad(set_to_none=True)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(self.model.parameters(), 1.0)
        for group in self.optimizer.param_groups:
            group["lr"] = self.rate()
        self.optimizer.step()
        return losses[0].item()

    def run_epoch(self) -> float:
        started = time.perf_counter()
        rng = np.random.default_rng([self.args.seed, self.epoch])
        generator = torch.Generator().manual_seed(self.args.seed * 100_003 + self.epoch)
        self.model.train()
        self.patches.kept = 0.5 if self.progress < 0.6 else 1.0
        self.patches.generator = generator
        order = confusable_order(
            self.similarity if self.progress > 0.15 else None, len(self.pictures), self.args.group, rng
        )
        batches = np.array_split(order, max(1, round(len(order) / self.args.batch_size)))
        losses = []
        for index in rng.permutation(len(batches)):
            losses.append(self.step(torch.from_numpy(batches[index]), rng, generator))
            self.done += 1 / len(batches)
        self.epoch, self.done = self.epoch + 1, 0.0
        self.seconds += time.perf_counter() - started
        return float(np.mean(losses))


def save_checkpoint(model: CLIPModel, tokenizer: CLIPTokenizer, output: Path) -> None:
    model.save_pretrained(output)
    tokenizer.save_pretrained(output)
    processor = CLIPImageProcessor(
        size={"shortest_edge": IMAGE_SIZE}, crop_size=IMAGE_SIZE, image_mean=list(MEAN), image_std=list(STD)
    )
    processor.save_pretrained(output)


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--output", default="runs/emoji-clip")
    parser.add_argument("--epochs", type=int, default=150)
    parser.add_argument("--batch-size", type=int, default=256)
    parser.add_argument("--group", type=int, default=16, help="how many look-alikes stand together in a batch")
    parser.add_argument("--learning-rate", type=float, default=1e-3)
    parser.add_argument("--weight-decay", type=float, default=0.05)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--bf16", action=argparse.BooleanOptionalAction, default=True)
    parser.add_argument("--trim", action=argparse.BooleanOptionalAction, default=True)
    return parser.parse_args()


def main() -> None:
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
    args = parse_args()
    torch.manual_seed(args.seed)
    device = "cuda" if torch.cuda.is_available() else "cpu"
    output = Path(args.output)
    output.mkdir(parents=True, exist_ok=True)
    emojis, pictures = dataset.load(IMAGE_SIZE)
    tokenizer = load_or_train_tokenizer(emojis, output)
    texts = Texts.build(emojis, tokenizer)
    trainer = Trainer(build_model(tokenizer).to(device), torch.from_numpy(pictures).to(device), texts, args)
    logger.info("%d pictures, %d texts, %.2f M parameters", len(pictures), len(texts.ids),
                sum(p.numel() for p in trainer.model.parameters()) / 1e6)  # fmt: skip
    trainer.restore()
    while trainer.progress < 1:
        loss = trainer.run_epoch()
        if trainer.epoch % 5 == 0 or trainer.progress >= 1:
            top1, top5, trainer.similarity = evaluate(trainer.model, trainer.pictures, texts)
            trainer.save()
            logger.info("epoch %d  %.0f s (%.0f%%)  loss %.3f  scale %.1f  top-1 %.3f  top-5 %.3f", trainer.epoch,
                        trainer.seconds, 100 * trainer.progress, loss, trainer.model.logit_scale.exp().item(),
                        top1, top5)  # fmt: skip
    save_checkpoint(trainer.model, tokenizer, output)


if __name__ == "__main__":
    main()
