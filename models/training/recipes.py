"""Training recipes: the paper's, and that of the compact network."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Protocol

import numpy as np
import torch
from numpy.random import Generator
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from models.data.augment import random_crop, random_webcam_view
from models.networks.architectures import INPUT_SIZE, LeviHassnerNet

Logits = Mapping[str, Tensor]
Targets = Mapping[str, Tensor]
Weights = Mapping[str, Tensor]


class Recipe(Protocol):
    """What a training loop asks of a way to train."""

    @property
    def batch_size(self) -> int:
        """Pictures a step."""

    @property
    def averaging(self) -> float:
        """Decay of the moving average of the weights that is kept in the end; 0: the last weights are kept."""

    @property
    def largest_gradient(self) -> float:
        """The norm that gradients are clipped to; infinite: they are not."""

    @property
    def mixing(self) -> float:
        """How evenly pictures are blended in pairs, the parameter of mixup's beta distribution; 0: not at all."""

    def make_optimiser(self, network: nn.Module) -> torch.optim.Optimizer:
        """An optimiser whose groups each hold their own `factor` of the rate."""

    def rate(self, iteration: int, progress: float) -> float:
        """The learning rate of a step; progress goes from 0 to 1."""

    def side(self, progress: float) -> int:
        """Side of the views in pixels."""

    def view(self, picture: NDArray[np.uint8], side: int, rng: Generator) -> NDArray[np.uint8] | NDArray[np.float32]:
        """One random view of a prepared picture: uint8 pixels, or float32 with the mean taken away already."""

    def loss(self, logits: Logits, targets: Targets, weights: Weights) -> Tensor:
        """The loss of a batch; targets of -1 are unknown, and weights say how much each label counts."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PaperRecipe:
    """Levi and Hassner 2015: SGD with momentum, steps in the rate, random crops and mirror images.

    The numbers are those of the authors' solver files (`solver_test_fold_is_*.prototxt`, GilLevi/AgeGenderDeepLearning
    on GitHub: base_lr 0.001, lr_policy step, gamma 0.1, stepsize 10000, max_iter 50000, momentum 0.9, weight_decay
    0.0005). The paper's text tells of one step only; `step_once` follows it.

    Attributes:
        mean: what is taken away from the pixels: 256×256×3 (or 1×1×3) float32, BGR.
        base_rate: learning rate of weights; biases and the last layer have their published factors.
        step: number of iterations after which the rate falls to a tenth, again and again.
        step_once: the rate falls at the first of these steps only.
        weight_decay: of weights.
        momentum: of SGD.
        batch_size: pictures a step.
    """

    mean: NDArray[np.float32]
    base_rate: float = 1e-3
    step: int = 10_000
    step_once: bool = False
    weight_decay: float = 5e-4
    momentum: float = 0.9
    batch_size: int = 50
    averaging: float = 0.0
    mixing: float = 0.0
    largest_gradient: float = math.inf

    def make_optimiser(self, network: nn.Module) -> torch.optim.Optimizer:
        """SGD with the published factors."""
        if isinstance(network, LeviHassnerNet):
            groups = network.parameter_groups(rate=self.base_rate, weight_decay=self.weight_decay)
        else:
            groups = [{"params": list(network.parameters()), "weight_decay": self.weight_decay, "factor": 1.0}]
        return torch.optim.SGD(groups, lr=self.base_rate, momentum=self.momentum)

    def rate(self, iteration: int, progress: float) -> float:  # noqa: ARG002 (the protocol's)
        """1e-3, and a tenth of that from each step on."""
        steps = iteration // self.step
        return self.base_rate * 0.1 ** (min(steps, 1) if self.step_once else steps)

    def side(self, progress: float) -> int:  # noqa: ARG002 (the protocol's)
        """227 throughout."""
        return INPUT_SIZE

    def view(self, picture: NDArray[np.uint8], side: int, rng: Generator) -> NDArray[np.float32]:
        """A random crop, perhaps mirrored, with the mean of the same place taken away, as Caffe does."""
        crop, top, left, mirrored = random_crop(picture, side, rng)
        mean = self.mean
        if mean.shape[0] > 1:
            mean = mean[top : top + side, left : left + side]
            mean = mean[:, ::-1] if mirrored else mean
        return crop - mean

    def loss(self, logits: Logits, targets: Targets, weights: Weights) -> Tensor:
        """Softmax cross-entropy, summed over the heads."""
        losses = [
            _known_mean(_cross_entropy(logits[head], targets[head]), targets[head], weights.get(head))
            for head in logits
        ]
        return torch.stack(losses).sum()


DEFAULT_SIDES: Final = ((0.0, 128), (0.35, 160), (0.8, INPUT_SIZE))


@dataclass(frozen=True, slots=True, kw_only=True)
class CompactRecipe:
    """One cycle of AdamW on small pictures that grow, webcam-like damage, and averaged weights.

    Age groups are ordered: the target is a narrow Gaussian over neighbouring groups, and rare groups weigh more.

    Attributes:
        age_counts: how many training pictures each age group has.
        base_rate: the highest learning rate.
        warm_up: share of the training in which the rate rises.
        weight_decay: of weights; biases and norms have none.
        strength: how often views are damaged, 0 to 1.
        spread: standard deviation of the age target, in groups.
        balance: exponent of the weight of rare groups; 0 weighs all pictures alike.
        gender_weight: how much gender's loss counts beside that of age.
        sides: (progress from which on, side of the views), rising.
        head_factor: factor of the rate in the last layers; above 1 where they learn anew.
        mixing: how evenly pictures are blended in pairs; 0 leaves them alone.
        batch_size: pictures a step.
    """

    age_counts: tuple[int, ...]
    base_rate: float = 3e-3
    warm_up: float = 0.1
    weight_decay: float = 0.05
    strength: float = 0.5
    spread: float = 0.55
    balance: float = 0.2
    gender_weight: float = 1.0
    sides: tuple[tuple[float, int], ...] = DEFAULT_SIDES
    head_factor: float = 1.0
    mixing: float = 0.0
    batch_size: int = 128
    averaging: float = 0.9985
    largest_gradient: float = 2.0
    _soft_ages: Tensor = field(init=False, repr=False, compare=False)
    _weights: Tensor = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        """Compute the age targets and weights once."""
        object.__setattr__(self, "_soft_ages", soft_ages(len(self.age_counts), self.spread))
        object.__setattr__(self, "_weights", age_weights(self.age_counts, self.balance))

    def make_optimiser(self, network: nn.Module) -> torch.optim.Optimizer:
        """AdamW; weight decay on weights alone."""
        groups: list[dict[str, Any]] = []
        for name, parameter in network.named_parameters():
            decay = self.weight_decay if parameter.ndim > 1 else 0.0
            factor = self.head_factor if name.split(".")[0] in HEADS else 1.0
            groups.append({"params": [parameter], "weight_decay": decay, "factor": factor})
        return torch.optim.AdamW(_merged(groups), lr=self.base_rate, betas=(0.9, 0.99))

    def rate(self, iteration: int, progress: float) -> float:  # noqa: ARG002 (the protocol's)
        """A linear rise, then half a cosine (Smith and Topin 2018, "super-convergence")."""
        if progress < self.warm_up:
            return self.base_rate * progress / self.warm_up + 1e-6
        falling = (progress - self.warm_up) / (1 - self.warm_up)
        return self.base_rate * 0.5 * (1 + math.cos(math.pi * falling)) + 1e-6

    def side(self, progress: float) -> int:
        """The side of the last stage that has begun."""
        return [side for start, side in self.sides if progress >= start][-1]

    def view(self, picture: NDArray[np.uint8], side: int, rng: Generator) -> NDArray[np.uint8]:
        """A view as another webcam would have given it."""
        return random_webcam_view(picture, side, self.strength, rng)

    def loss(self, logits: Logits, targets: Targets, weights: Weights) -> Tensor:
        """Cross-entropy with soft age targets, and with label smoothing for gender."""
        losses: list[Tensor] = []
        for head, answer in logits.items():
            target = targets[head]
            if head == "age":
                index = target.clamp(min=0)
                soft, rarity = self._soft_ages.to(answer), self._weights.to(answer)
                each = -(soft[index] * functional.log_softmax(answer, 1)).sum(1) * rarity[index]
            else:
                each = _cross_entropy(answer, target, smoothing=0.05) * self.gender_weight
            losses.append(_known_mean(each, target, weights.get(head)))
        return torch.stack(losses).sum()


HEADS: Final = frozenset({"age", "gender", "fc8"})
"""Names of the last layers in all networks here."""


def soft_ages(groups: int, spread: float) -> Tensor:
    """groups×groups float32: row i is the target of group i, a Gaussian over the groups that sums to 1."""
    distance = torch.arange(groups)[:, None] - torch.arange(groups)[None]
    targets = torch.exp(-(distance.float() ** 2) / (2 * spread**2))
    return targets / targets.sum(1, keepdim=True)


def age_weights(counts: tuple[int, ...], exponent: float) -> Tensor:
    """One weight a group, `(largest / count) ** exponent`, with a mean of 1 over the pictures."""
    numbers = torch.tensor(counts, dtype=torch.float32).clamp(min=1)
    weights = (numbers.max() / numbers) ** exponent
    return weights * numbers.sum() / (weights * numbers).sum()


def hard_group_weights(
    gender: NDArray[np.int64], race: NDArray[np.str_], answers: NDArray[np.float32], exponent: float
) -> NDArray[np.float32]:
    """How much the gender of each picture counts: more in groups of race and gender where a network errs more.

    A network that is as good on average treats such groups better; a fixed form of group distributionally robust
    optimisation (Sagawa et al., ICLR 2020), whose weights follow the losses.

    Args:
        gender: N indices, -1 where unknown.
        race: N texts; those without are groups of their own.
        answers: N×K, what the network said of the pictures.
        exponent: the power of the group's share of errors; 0 weighs all pictures alike.

    Returns:
        N float32 with a mean of 1 over the pictures of known gender, and 1 for the others.
    """
    weights = np.ones(len(gender), np.float32)
    grouped = gender >= 0
    keys = np.char.add(race, gender.astype(np.str_))
    wrong = answers.argmax(1) != gender
    for key in np.unique(keys[grouped]):
        rows = grouped & (keys == key)
        # One error more, so that a group without any keeps a weight.
        weights[rows] = ((wrong[rows].sum() + 1) / (rows.sum() + 1)) ** exponent
    if grouped.any():
        weights[grouped] /= weights[grouped].mean()
    return weights


def distillation_loss(student: Tensor, teacher: Tensor, *, temperature: float = 2.0) -> Tensor:
    """How far a student's answers are from a teacher's (Hinton et al. 2015), averaged over N×K logits."""
    target = functional.softmax(teacher / temperature, 1)
    answer = functional.log_softmax(student / temperature, 1)
    return functional.kl_div(answer, target, reduction="batchmean") * temperature**2


def _cross_entropy(logits: Tensor, target: Tensor, *, smoothing: float = 0.0) -> Tensor:
    return functional.cross_entropy(logits, target, reduction="none", ignore_index=-1, label_smoothing=smoothing)


def _known_mean(each: Tensor, target: Tensor, weights: Tensor | None) -> Tensor:
    known = (target >= 0).to(each)
    weighted = each if weights is None else each * weights
    return (weighted * known).sum() / known.sum().clamp(min=1)


def _merged(groups: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The same groups with those of equal settings made one, which optimisers step through faster."""
    merged: dict[tuple[float, float], dict[str, Any]] = {}
    for group in groups:
        key = group["weight_decay"], group["factor"]
        if key in merged:
            merged[key]["params"] += group["params"]
        else:
            merged[key] = group
    return list(merged.values())
