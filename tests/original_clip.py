"""CLIP as OpenAI and open_clip compute it, in their layout: written from the description of the model, on
`nn.MultiheadAttention`, so that a translation can be compared with something other than itself."""

from typing import Any

import torch
from torch import nn


class QuickGELU(nn.Module):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x * torch.sigmoid(1.702 * x)


class Block(nn.Module):
    def __init__(self, width: int, heads: int, quick: bool) -> None:
        super().__init__()
        self.attn = nn.MultiheadAttention(width, heads, batch_first=True)
        self.ln_1 = nn.LayerNorm(width)
        self.mlp = nn.Sequential()
        self.mlp.add_module("c_fc", nn.Linear(width, 4 * width))
        self.mlp.add_module("gelu", QuickGELU() if quick else nn.GELU())
        self.mlp.add_module("c_proj", nn.Linear(4 * width, width))
        self.ln_2 = nn.LayerNorm(width)

    def forward(self, x: torch.Tensor, mask: torch.Tensor | None) -> torch.Tensor:
        y = self.ln_1(x)
        x = x + self.attn(y, y, y, need_weights=False, attn_mask=mask)[0]
        return x + self.mlp(self.ln_2(x))


class Transformer(nn.Module):
    def __init__(self, width: int, heads: int, layers: int, quick: bool) -> None:
        super().__init__()
        self.resblocks = nn.ModuleList([Block(width, heads, quick) for _ in range(layers)])

    def forward(self, x: torch.Tensor, mask: torch.Tensor | None = None) -> torch.Tensor:
        for block in self.resblocks:
            x = block(x, mask)
        return x


class Visual(nn.Module):
    def __init__(self, width: int, heads: int, layers: int, out: int, quick: bool) -> None:
        super().__init__()
        size, patch = 32, 8
        self.conv1 = nn.Conv2d(3, width, patch, patch, bias=False)
        self.class_embedding = nn.Parameter(torch.randn(width))
        self.positional_embedding = nn.Parameter(torch.randn((size // patch) ** 2 + 1, width))
        self.ln_pre = nn.LayerNorm(width)
        self.transformer = Transformer(width, heads, layers, quick)
        self.ln_post = nn.LayerNorm(width)
        self.proj = nn.Parameter(torch.randn(width, out) * width**-0.5)

    def forward(self, pictures: torch.Tensor) -> torch.Tensor:
        patches = self.conv1(pictures).flatten(2).transpose(1, 2)
        first = self.class_embedding.expand(len(patches), 1, -1)
        x = self.ln_pre(torch.cat([first, patches], dim=1) + self.positional_embedding)
        return self.ln_post(self.transformer(x)[:, 0]) @ self.proj


class OriginalCLIP(nn.Module):
    """Random weights, none of them at its usual start, so that no bias and no norm is left out unnoticed."""

    def __init__(
        self,
        *,
        quick: bool = True,
        widths: tuple[int, int] = (128, 64),
        heads: tuple[int, int] = (2, 1),
        layers: tuple[int, int] = (2, 3),
        vocab_size: int = 100,
        marked: bool = True,
    ) -> None:
        super().__init__()
        torch.manual_seed(0)
        out, length = 24, 12
        self.visual = Visual(widths[0], heads[0], layers[0], out, quick)
        self.transformer = Transformer(widths[1], heads[1], layers[1], quick)
        self.token_embedding = nn.Embedding(vocab_size, widths[1])
        self.positional_embedding = nn.Parameter(torch.randn(length, widths[1]))
        self.ln_final = nn.LayerNorm(widths[1])
        self.text_projection = nn.Parameter(torch.randn(widths[1], out) * widths[1] ** -0.5)
        self.logit_scale = nn.Parameter(torch.tensor(3.3))
        if marked:  # as OpenAI's archives are
            for name, number in {"input_resolution": 32, "context_length": length, "vocab_size": vocab_size}.items():
                self.register_buffer(name, torch.tensor(number))
        with torch.no_grad():
            for name, parameter in self.named_parameters():
                if name.endswith("bias") or "ln_" in name:
                    parameter.add_(0.2 * torch.randn_like(parameter))
        self.eval()

    def encode_image(self, pictures: torch.Tensor) -> torch.Tensor:
        return self.visual(pictures)

    def encode_text(self, ids: torch.Tensor) -> torch.Tensor:
        length = ids.shape[1]
        mask = torch.full((length, length), float("-inf")).triu(1)
        x = self.transformer(self.token_embedding(ids) + self.positional_embedding[:length], mask)
        # The end token has the highest id.
        return self.ln_final(x)[torch.arange(len(ids)), ids.argmax(dim=-1)] @ self.text_projection

    def forward(self, pictures: torch.Tensor, ids: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        return self.encode_image(pictures), self.encode_text(ids)


def inputs(vocab_size: int = 100) -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(1)
    pictures = torch.randn(3, 3, 32, 32, generator=generator)
    ids = torch.randint(1, vocab_size - 2, (3, 12), generator=generator)
    ids[:, 0], ids[:, 7], ids[:, 8:] = vocab_size - 2, vocab_size - 1, 0
    return pictures, ids


def open_clip_config(**values: Any) -> dict[str, Any]:
    """open_clip's configuration of `OriginalCLIP()`."""
    vision = {"image_size": 32, "layers": 2, "width": 128, "patch_size": 8}
    text = {"context_length": 12, "vocab_size": 100, "width": 64, "heads": 1, "layers": 3}
    return {"embed_dim": 24, "vision_cfg": vision, "text_cfg": text, **values}
