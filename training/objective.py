"""The distillation loss: how far the pronunciation tower is from the teacher's text embeddings, term by term."""

import torch
from torch import Tensor
from torch.nn import functional

from .arguments import ObjectiveArguments


class DistillationObjective:
    """A weighted sum of terms over L2-normalised teacher embeddings.

    Text embeddings share a large common part; a student that meets it has a small loss and has learned nothing. So with
    `centre` the teacher's mean is taken out of both sides before the directions are compared.

    - `cosine`: mean of 1 - cos(student, teacher). From 0 to 2.
    - `mse`: mean squared distance, in units of the targets' variance: 0 for the teacher itself, 1 for a student that
      always says the mean. The other terms are blind to length, and where a query lands among pictures is not.
    - `contrastive`: InfoNCE (van den Oord et al. 2018) of each student embedding against the teacher embeddings of the
      batch and `extra_negatives` others, at `temperature`. From 0 to log(candidates) for a student that knows nothing.
      `symmetric` takes the mean of it and of the other way round: each teacher embedding against the students of the
      batch.
    - `relational`: mean squared difference between the cosines of two students and of their two teachers, over all
      pairs of the batch (similarity-preserving distillation, Tung and Mori 2019; relational knowledge distillation,
      Park et al. 2019, compares distances and angles so). From 0 to 4.
    - `token_states`: mean squared distance of token states, in units of their targets' variance: 0 for the teacher's
      own, 1 for a head that always says their mean.
    """

    def __init__(self, arguments: ObjectiveArguments, mean: Tensor, variance: float) -> None:
        """`mean` `(dim,)` and `variance` (mean squared distance from it) are those of the teacher's embeddings."""
        self.arguments = arguments
        self.variance = max(variance, torch.finfo(torch.float32).tiny)
        self.mean = mean if arguments.centre else torch.zeros_like(mean)

    def __call__(
        self,
        student: Tensor,
        teacher: Tensor,
        text: Tensor,
        extra: Tensor | None = None,
        extra_text: Tensor | None = None,
        *,
        state_errors: Tensor | None = None,
    ) -> dict[str, Tensor]:
        """The terms with a positive weight, unweighted, and their weighted sum as `loss`.

        Args:
            student: `(batch, dim)`, the pronunciation tower's projected outputs.
            teacher: `(batch, dim)`, the teacher's normalised embeddings.
            text: `(batch,)`, numbers of the texts; equal numbers are never negatives of each other.
            extra: `(others, dim)`, more of the teacher's embeddings, as negatives.
            extra_text: `(others,)`, their texts' numbers.
            state_errors: `(batch,)`, of each row's token states; see `ipaclip.training.token_states`.
        """
        weights = self.arguments
        student, teacher = student.float() - self.mean, teacher - self.mean
        terms: dict[str, Tensor] = {}
        if weights.cosine:
            terms["cosine"] = (1 - functional.cosine_similarity(student, teacher, dim=-1)).mean()
        if weights.mse:
            terms["mse"] = (student - teacher).square().sum(-1).mean() / self.variance
        if weights.contrastive:
            candidates, numbers = teacher, text
            if extra is not None and extra_text is not None:
                candidates = torch.cat([teacher, extra - self.mean])
                numbers = torch.cat([text, extra_text])
            there = contrastive(student, candidates, text, numbers, weights.temperature)
            if weights.symmetric:
                there = (there + contrastive(teacher, student, text, text, weights.temperature)) / 2
            terms["contrastive"] = there
        if weights.relational:
            terms["relational"] = relational(student, teacher)
        if weights.token_states and state_errors is not None:
            terms["token_states"] = state_errors.mean()
        terms["loss"] = sum((getattr(weights, name) * term for name, term in terms.items()), student.new_zeros(()))
        return terms


def contrastive(student: Tensor, candidates: Tensor, text: Tensor, numbers: Tensor, temperature: float) -> Tensor:
    """Cross-entropy of the right candidate (row i of `candidates` for row i of `student`) among all.

    Candidates of the same text, other than the right one, take no part.
    """
    logits = functional.normalize(student, dim=-1) @ functional.normalize(candidates, dim=-1).T / temperature
    target = torch.arange(len(student), device=student.device)
    same = text[:, None] == numbers[None, :]
    same[target, target] = False
    return functional.cross_entropy(logits.masked_fill(same, float("-inf")), target)


def relational(student: Tensor, teacher: Tensor) -> Tensor:
    """Mean squared difference of the cosines among students and among teachers, over pairs of different rows."""
    student, teacher = functional.normalize(student, dim=-1), functional.normalize(teacher, dim=-1)
    difference = (student @ student.T - teacher @ teacher.T).fill_diagonal_(0)
    return difference.square().sum() / max(1, len(student) * (len(student) - 1))
