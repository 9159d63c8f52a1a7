"""A small classifier, where a suite asks whether embeddings let one be learned."""

from itertools import pairwise

import numpy as np
import torch


def perceptron(
    inputs: np.ndarray, labels: np.ndarray, asked: np.ndarray, hidden: tuple[int, ...], seed: int
) -> np.ndarray:
    """What a perceptron says of `asked`, trained as scikit-learn's `MLPClassifier` is by default.

    That is: ReLU, Adam at 0.001, batches of 200, at most 200 epochs, none after ten without a loss lower by 1e-4,
    a weight decay of 1e-4 (https://scikit-learn.org/stable/modules/generated/sklearn.neural_network.MLPClassifier.html).
    """
    generator = torch.Generator().manual_seed(seed)
    sizes = [inputs.shape[1], *hidden, 1]
    weights = []
    for fan_in, fan_out in pairwise(sizes):
        bound = ((2 if fan_out == 1 else 6) / (fan_in + fan_out)) ** 0.5
        for shape in ((fan_in, fan_out), (fan_out,)):
            drawn = (2 * torch.rand(shape, generator=generator, dtype=torch.float64) - 1) * bound
            weights.append(drawn.requires_grad_())

    def logits(x: torch.Tensor) -> torch.Tensor:
        for layer in range(0, len(weights), 2):
            x = x @ weights[layer] + weights[layer + 1]
            x = x.relu() if layer + 2 < len(weights) else x
        return x.squeeze(1)

    x, y = torch.from_numpy(inputs), torch.from_numpy(labels.astype(np.float64))
    optimizer = torch.optim.Adam(weights, lr=1e-3)
    batch = min(200, len(x))
    best, patience = float("inf"), 0
    for _ in range(200):
        total = 0.0
        for rows in torch.randperm(len(x), generator=generator).split(batch):
            decay = sum((weight**2).sum() for weight in weights[::2])
            loss = torch.nn.functional.binary_cross_entropy_with_logits(logits(x[rows]), y[rows])
            loss = loss + 0.5e-4 * decay / len(rows)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            total += float(loss.detach()) * len(rows)
        patience = patience + 1 if total / len(x) > best - 1e-4 else 0
        best = min(best, total / len(x))
        if patience > 10:
            break
    with torch.no_grad():
        return (logits(torch.from_numpy(asked)) > 0).numpy()
