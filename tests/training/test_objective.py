"""Loss terms against values worked out by hand."""

import math

import pytest
import torch
from ipaclip.training import ObjectiveArguments
from ipaclip.training.objective import DistillationObjective, contrastive, relational

MEAN = torch.tensor([0.5, 0.0])


def terms(student, teacher, mean=MEAN, variance=1.0, **weights):
    arguments = ObjectiveArguments(**{"cosine": 0.0, "mse": 0.0, "contrastive": 0.0, "relational": 0.0, **weights})
    objective = DistillationObjective(arguments, mean, variance)
    return objective(torch.tensor(student), torch.tensor(teacher), torch.arange(len(student)))


def test_centred_cosine_looks_at_what_the_mean_leaves():
    # Less the mean: (0, 1) against (0.5, 0): a right angle. Not less the mean: the cosine is 0.5 / sqrt(1.25).
    assert terms([[0.5, 1.0]], [[1.0, 0.0]], cosine=1.0)["cosine"].item() == pytest.approx(1.0, abs=1e-6)
    plain = terms([[0.5, 1.0]], [[1.0, 0.0]], cosine=1.0, centre=False)["cosine"].item()
    assert plain == pytest.approx(1 - 0.5 / math.sqrt(1.25), abs=1e-6)


def test_mse_is_the_squared_distance_in_units_of_the_variance():
    # (3, 4) and (0, 0) are 25 apart, (1, 1) and (1, 1) nothing; the mean of both rows is 12.5, a quarter of 50.
    result = terms([[3.0, 4.0], [1.0, 1.0]], [[0.0, 0.0], [1.0, 1.0]], variance=50.0, mse=1.0)
    assert result["mse"].item() == pytest.approx(0.25)


def test_contrastive_is_the_cross_entropy_of_the_right_candidate():
    student = torch.tensor([[1.0, 0.0]])
    candidates = torch.tensor([[1.0, 0.0], [0.0, 1.0], [-1.0, 0.0]])
    loss = contrastive(student, candidates, torch.tensor([0]), torch.tensor([0, 1, 2]), temperature=0.5)
    # Logits are 2, 0, -2.
    expected = -math.log(math.exp(2) / (math.exp(2) + 1 + math.exp(-2)))
    assert loss.item() == pytest.approx(expected, abs=1e-6)


def test_the_same_text_is_no_negative():
    student = torch.tensor([[1.0, 0.0]])
    candidates = torch.tensor([[1.0, 0.0], [0.0, 1.0], [1.0, 0.0]])
    loss = contrastive(student, candidates, torch.tensor([7]), torch.tensor([7, 1, 7]), temperature=0.5)
    assert loss.item() == pytest.approx(-math.log(math.exp(2) / (math.exp(2) + 1)), abs=1e-6)


def test_the_loss_is_the_weighted_sum_and_extra_negatives_count():
    objective = DistillationObjective(ObjectiveArguments(cosine=2.0, mse=0.5, contrastive=3.0), torch.zeros(2), 1.0)
    student, teacher = torch.tensor([[1.0, 0.2], [0.1, 1.0]]), torch.tensor([[1.0, 0.0], [0.0, 1.0]])
    numbers = torch.tensor([0, 1])
    without = objective(student, teacher, numbers)
    total = 2 * without["cosine"] + 0.5 * without["mse"] + 3 * without["contrastive"]
    assert without["loss"].item() == pytest.approx(total.item(), abs=1e-6)
    extra = objective(student, teacher, numbers, torch.tensor([[0.7, 0.7]]), torch.tensor([2]))
    assert extra["contrastive"].item() > without["contrastive"].item()
    same = objective(student, teacher, numbers, torch.tensor([[1.0, 0.0]]), torch.tensor([0]))
    # The extra one is row 0's own text: only row 1 sees it.
    first = contrastive(student[:1], teacher, numbers[:1], numbers, 0.05)
    second = contrastive(student[1:].flip(0), torch.cat([teacher.flip(0), torch.tensor([[1.0, 0.0]])]),
                         numbers[1:], torch.tensor([1, 0, 0]), 0.05)  # fmt: skip
    assert same["contrastive"].item() == pytest.approx(((first + second) / 2).item(), abs=1e-6)


def test_relational_compares_the_cosines_of_pairs():
    # Less the mean (0.5, 0): students (1, 0), (0, 1), cosine 0; teachers (1, 0), (1, 1), cosine 1 / sqrt(2).
    result = terms([[1.5, 0.0], [0.5, 1.0]], [[1.5, 0.0], [1.5, 1.0]], relational=1.0)
    assert result["relational"].item() == pytest.approx(0.5, abs=1e-6)
    # Turned and stretched as a whole, students keep their cosines.
    assert relational(torch.tensor([[0.0, 2.0], [-2.0, 2.0]]), torch.tensor([[1.0, 0.0], [1.0, 1.0]])) < 1e-12
    # A lone row has no pair.
    assert relational(torch.ones(1, 2), torch.ones(1, 2)).item() == 0


def test_relational_is_the_mean_over_pairs_of_three_rows():
    student = torch.tensor([[1.0, 0.0], [0.0, 1.0], [-1.0, 0.0]])
    teacher = torch.tensor([[1.0, 0.0], [1.0, 0.0], [1.0, 0.0]])
    # Cosines 0, -1, 0 against 1, 1, 1: squared differences 1, 4, 1.
    assert relational(student, teacher).item() == pytest.approx(2.0)


def test_symmetric_asks_each_teacher_for_its_student_as_well():
    student, teacher = torch.tensor([[1.0, 0.0], [0.6, 0.8]]), torch.tensor([[1.0, 0.0], [0.0, 1.0]])
    arguments = ObjectiveArguments(cosine=0.0, mse=0.0, symmetric=True, temperature=1.0, centre=False)
    found = DistillationObjective(arguments, torch.zeros(2), 1.0)(student, teacher, torch.arange(2))["contrastive"]
    cosines = [[1.0, 0.0], [0.6, 0.8]]

    def entropy(right, *logits):
        return -math.log(math.exp(right) / sum(map(math.exp, logits)))

    there = entropy(1.0, *cosines[0]) + entropy(0.8, *cosines[1])
    back = entropy(1.0, 1.0, 0.6) + entropy(0.8, 0.0, 0.8)
    assert found.item() == pytest.approx((there + back) / 4, abs=1e-6)
