"""Training loop: batches, steps, averaged weights and resumable checkpoints."""

from __future__ import annotations

import math
import signal
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import fmean
from typing import Any, Final

import numpy as np
import torch
from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn
from torch.utils.data import DataLoader

from models.cli_utils import ToolError, progress, uninterrupted
from models.networks.architectures import build_network, head_logits, load_state
from models.networks.checkpoints import Checkpoint, load_checkpoint, save_checkpoint
from models.training.batches import Batch, Faces, Normaliser, Views
from models.training.recipes import Logits, Recipe, Targets, Weights, distillation_loss

DEFAULT_WORKERS: Final = 1 if sys.platform == "linux" else 0
"""Elsewhere, a process that starts would be sent all pictures instead of sharing them."""
LOSS_EVERY: Final = 20
"""Steps on a GPU after which the loss is looked at."""
REPORT_EVERY_S: Final = 30.0
"""Seconds that lie at least between two reports on a GPU, where a pass may take less time than to judge the network."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Budget:
    """How long to train: a number of steps, or minutes; the other is 0."""

    iterations: int = 0
    minutes: float = 0.0

    def progress(self, iteration: int, elapsed_s: float) -> float:
        """The share of the training that is done, 0 to 1."""
        done = iteration / self.iterations if self.iterations else elapsed_s / (60 * self.minutes)
        return min(done, 1.0)


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainingSettings:
    """What a run needs besides its recipe.

    Attributes:
        budget: how long.
        seed: where all chance comes from; on a CPU, equal seeds and step budgets give equal weights.
        device: `cpu`, `cuda`, or `auto`.
        workers: processes that make views; 0 makes them in between.
        save_every_s: seconds between checkpoints.
        teacher: a network whose answers are targets too.
        teacher_weights: how much those answers count, by head, and the ones that came with the faces.
        freeze_norms: leaves batch normalisation's running statistics as they are.
        bfloat16: convolutions and products in half the width, about 1.6 times as fast on CPUs and GPUs that have
            instructions for it; weights, norms and losses stay float32.
        quiet: no progress bar.
    """

    budget: Budget
    seed: int = 0
    device: str = "auto"
    workers: int = DEFAULT_WORKERS
    save_every_s: float = 300.0
    teacher: nn.Module | None = None
    teacher_weights: Mapping[str, float] | None = None
    freeze_norms: bool = False
    bfloat16: bool = False
    quiet: bool = False


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a training is.

    Attributes:
        share: of the training that is done, 0 to 1.
        epoch: pass over the pictures, from 1.
        iteration: steps that are done.
        loss: mean over the batches since the last report that were looked at.
    """

    share: float
    epoch: int
    iteration: int
    loss: float


class Trainer:
    """Trains the network of a checkpoint.

    Args:
        start: the network, its labels and its input; where the file at `path` is of the same run, that goes on.
        recipe: the way to train.
        faces: what to learn from.
        path: where checkpoints go; the last one is the result.
        settings: how long and on what.

    Raises:
        ToolError: the device is not there, the set is smaller than a batch, or the file is of another run.
    """

    def __init__(self, start: Checkpoint, recipe: Recipe, faces: Faces, path: Path, settings: TrainingSettings) -> None:
        if len(faces) < 2:
            raise ToolError("Cannot train: there are fewer than two labelled pictures. Check the labels.")
        self._start, self._recipe, self._faces, self._path, self._settings = start, recipe, faces, path, settings
        self._device = choose_device(settings.device)
        self._batch_size = min(recipe.batch_size, len(faces))
        self._normaliser = Normaliser(start).to(self._device)
        self._network = build_network(start.spec)
        load_state(self._network, start.state)
        self._network = self._network.to(self._device, memory_format=torch.channels_last)
        self._averager: AveragedModel | None = None
        self._average = self._network
        if recipe.averaging:
            self._averager = AveragedModel(self._network, multi_avg_fn=self._move_average, use_buffers=True)
            # The weights of the start are the first that count.
            self._averager.update_parameters(self._network)
            self._average = self._averager.module
        if settings.teacher is not None:
            settings.teacher.to(self._device, memory_format=torch.channels_last)
        self._optimiser = recipe.make_optimiser(self._network)
        self._iteration, self._elapsed_s, self._loss = 0, 0.0, math.nan
        self._losses: list[float] = []
        torch.manual_seed(settings.seed)
        if path.is_file():
            self._resume()

    def run(self, on_epoch: Callable[[nn.Module, Progress], None] | None = None) -> Checkpoint:
        """Train to the end of the budget.

        Args:
            on_epoch: called after each pass over the pictures with the network to judge.

        Returns:
            The finished checkpoint, which lies at `path` as well.
        """
        try:
            self._loop(on_epoch)
        except KeyboardInterrupt:
            save_checkpoint(self._checkpoint(finished=False), self._path)
            raise
        finished = self._checkpoint(finished=True)
        save_checkpoint(finished, self._path)
        return finished

    def _loop(self, on_epoch: Callable[[nn.Module, Progress], None] | None) -> None:
        self._network.train()
        saved_at = time.monotonic()
        began_at = saved_at - self._elapsed_s
        report_at = saved_at
        nothing: tuple[int, ...] = ()
        total = self._settings.budget.iterations or None
        with progress(nothing, "training", total=total, done=self._iteration, quiet=self._settings.quiet) as bar:
            while self._progress() < 1:
                epoch = self._iteration // self._per_epoch
                for batch in self._batches(epoch):
                    # A checkpoint of half a step would not go on to the same end.
                    with uninterrupted():
                        self._step(batch)
                    self._elapsed_s = time.monotonic() - began_at
                    bar.update()
                    bar.set_postfix_str(f"{self._progress():.1%} loss {self._loss:.3f}", refresh=False)
                    if time.monotonic() - saved_at > self._settings.save_every_s:
                        saved_at = time.monotonic()
                        save_checkpoint(self._checkpoint(finished=False), self._path)
                    if self._progress() >= 1:
                        break
                due = self._device.type == "cpu" or time.monotonic() >= report_at or self._progress() >= 1
                if on_epoch is not None and due:
                    report_at = time.monotonic() + REPORT_EVERY_S
                    loss = fmean(self._losses or [self._loss])
                    on_epoch(self._average, Progress(self._progress(), epoch + 1, self._iteration, loss))
                    self._losses.clear()
                    self._network.train()

    @property
    def _per_epoch(self) -> int:
        return len(self._faces) // self._batch_size

    def _progress(self) -> float:
        return self._settings.budget.progress(self._iteration, self._elapsed_s)

    def _batches(self, epoch: int) -> Iterator[Batch]:
        views = Views(
            self._faces,
            self._recipe,
            batch_size=self._batch_size,
            side=self._recipe.side(self._progress()),
            seed=self._settings.seed,
            epoch=epoch,
            first=self._iteration % self._per_epoch,
        )
        workers = self._settings.workers
        loader: DataLoader[Any] = DataLoader(
            views,
            batch_size=None,
            num_workers=workers,
            prefetch_factor=6 if workers else None,
            worker_init_fn=_leave_interrupts,
            pin_memory=self._device.type == "cuda",
            # Its own: drawing from the common one would shift the dropout of a run that goes on.
            generator=torch.Generator(),
        )
        yield from loader

    def _step(self, batch: Batch) -> None:
        rate = self._recipe.rate(self._iteration, self._progress())
        for group in self._optimiser.param_groups:
            group["lr"] = rate * group["factor"]
        if self._settings.freeze_norms:
            freeze_norms(self._network)
        pixels = self._normaliser(batch.views.to(self._device, non_blocking=True))
        targets, answers, weights = (
            {head: one.to(self._device, non_blocking=True) for head, one in each.items()}
            for each in (batch.targets, batch.answers, batch.weights)
        )
        loss = self._batch_loss(pixels, targets, answers, weights)
        self._optimiser.zero_grad()
        loss.backward()
        if math.isfinite(self._recipe.largest_gradient):
            nn.utils.clip_grad_norm_(self._network.parameters(), self._recipe.largest_gradient)
        self._optimiser.step()
        self._iteration += 1
        if self._averager is not None:
            self._averager.update_parameters(self._network)
        # To read a number of a GPU's is to wait for all that it was told to do.
        if self._device.type == "cpu" or self._iteration % LOSS_EVERY == 0:
            self._loss = float(loss.detach())
            self._losses.append(self._loss)
            if not math.isfinite(self._loss):
                raise ToolError(
                    f"Cannot continue: the training diverged at step {self._iteration}. Begin with a lower --rate."
                )

    def _batch_loss(self, pixels: Tensor, targets: Targets, answers: Targets, weights: Weights) -> Tensor:
        """The loss of a batch, whose pictures may be blended in pairs first (mixup: Zhang et al., ICLR 2018)."""
        alpha = self._recipe.mixing
        if not alpha:
            logits = self._answers(self._network, pixels)
            return self._recipe.loss(logits, targets, weights) + self._teaching(pixels, logits, answers)
        share = float(torch.distributions.Beta(alpha, alpha).sample())
        pairs = torch.randperm(len(pixels)).to(self._device)
        pixels = pixels.lerp(pixels[pairs], 1 - share)
        logits = self._answers(self._network, pixels)
        paired_targets, paired_weights = (
            {head: one[pairs] for head, one in each.items()} for each in (targets, weights)
        )
        own, other = (
            self._recipe.loss(logits, targets, weights),
            self._recipe.loss(logits, paired_targets, paired_weights),
        )
        blended = {head: one.lerp(one[pairs], 1 - share) for head, one in answers.items()}
        return share * own + (1 - share) * other + self._teaching(pixels, logits, blended)

    def _answers(self, network: nn.Module, pixels: Tensor) -> dict[str, Tensor]:
        with torch.autocast(self._device.type, torch.bfloat16, enabled=self._settings.bfloat16):
            answer = network(pixels)
        return {head: logits.float() for head, logits in head_logits(self._start.spec, answer).items()}

    def _teaching(self, pixels: Tensor, logits: Logits, kept: Mapping[str, Tensor]) -> Tensor:
        """How far the network is from its teachers: the one that is asked now, and the answers that were kept."""
        teacher, weights = self._settings.teacher, self._settings.teacher_weights or {}
        # The logarithm of a probability is a logit of the same answer.
        lessons = [{head: one.clamp(min=1e-6).log() for head, one in kept.items()}] if kept else []
        if teacher is not None:
            with torch.no_grad():
                lessons.append(self._answers(teacher, pixels))
        total = pixels.new_zeros(())
        for lesson in lessons:
            for head, weight in weights.items():
                total = total + weight * distillation_loss(logits[head], lesson[head])
        return total

    def _move_average(self, average: Sequence[Tensor], values: Sequence[Tensor], steps: Tensor) -> None:
        """Move the tensors of one type; `AveragedModel` counts the steps."""
        if average[0].is_floating_point():
            # The average follows closely at first, where the weights still change fast.
            decay = min(self._recipe.averaging, (1 + int(steps)) / (10 + int(steps)))
            get_ema_multi_avg_fn(decay)(average, values, steps)
        else:
            # What batch normalisation counts.
            for counted, value in zip(average, values, strict=True):
                counted.copy_(value)

    def _checkpoint(self, *, finished: bool) -> Checkpoint:
        training: dict[str, Any] = {"finished": True, "iteration": self._iteration}
        if not finished:
            training = {
                "finished": False,
                "iteration": self._iteration,
                "elapsed_s": self._elapsed_s,
                "network": self._network.state_dict(),
                "optimiser": self._optimiser.state_dict(),
                "random": torch.get_rng_state(),
            }
        state = {name: value.detach().cpu().contiguous().clone() for name, value in self._average.state_dict().items()}
        return replace(self._start, state=state, training=training)

    def _resume(self) -> None:
        found = load_checkpoint(self._path)
        start = self._start
        if (found.spec, found.labels, found.input) != (start.spec, start.labels, start.input) or not found.training:
            raise ToolError(
                f"Cannot continue {self._path}: it holds another network. Choose another --output or delete it."
            )
        if not np.array_equal(found.mean_image, start.mean_image):  # type: ignore[arg-type]
            raise ToolError(
                f"Cannot continue {self._path}: it learnt from other pictures or folds (the mean image differs). "
                "Choose another --output or delete it."
            )
        if found.training.get("finished"):
            raise ToolError(f"Cannot continue {self._path}: it is finished. Choose another --output or delete it.")
        try:
            load_state(self._network, found.training["network"])
            load_state(self._average, found.state if self._recipe.averaging else found.training["network"])
            self._optimiser.load_state_dict(found.training["optimiser"])
            self._iteration, self._elapsed_s = int(found.training["iteration"]), float(found.training["elapsed_s"])
            if self._averager is not None:
                self._averager.n_averaged.fill_(1 + self._iteration)
            torch.set_rng_state(found.training["random"])
        except (KeyError, TypeError, ValueError, RuntimeError) as error:
            raise ToolError(
                f"Cannot continue {self._path}: it is damaged, or of another --recipe. Choose another --output."
            ) from error


def choose_device(name: str) -> torch.device:
    """The device of that name; `auto` takes a GPU where PyTorch finds one.

    Raises:
        ToolError: there is none.
    """
    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        device = torch.device(name)
        torch.empty(1, device=device)
    except (RuntimeError, AssertionError, NotImplementedError) as error:
        raise ToolError(f"Cannot train on {name!r}: PyTorch finds no such device. Use --device cpu or auto.") from error
    return device


def _leave_interrupts(_worker: int) -> None:
    # Ctrl-C reaches all processes of a terminal; what becomes of the workers is for the training to say.
    signal.signal(signal.SIGINT, signal.SIG_IGN)


def freeze_norms(network: nn.Module) -> None:
    """Let batch normalisation use its running statistics in training, too: small sets would spoil them."""
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.eval()
