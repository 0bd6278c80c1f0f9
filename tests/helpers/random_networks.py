"""Checkpoints nobody trained, for tests of what happens to a network; import it only where PyTorch is."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import torch

from desktop_app.catalogue.manifest import InputSpec, Labels
from models.data.labels import ADIENCE_AGES, FAIRFACE_AGES, GENDERS
from models.networks.architectures import NetworkSpec, build_network
from models.networks.checkpoints import Checkpoint

SMALL = NetworkSpec(architecture="compact", ages=9, genders=2, widths=(16, 32), blocks=(1, 1), side=64)
PAPER_BATCH_NORM = NetworkSpec(architecture="levi-hassner", ages=9, genders=2, norm="batch")


def paper_pair() -> tuple[Checkpoint, Checkpoint]:
    """The paper's age and gender network, with one mean image."""
    mean = np.random.default_rng(0).uniform(90, 130, (256, 256, 3)).astype(np.float32)
    spec = NetworkSpec(architecture="levi-hassner", ages=8, genders=0)
    shared: dict[str, Any] = {"input": InputSpec(mean=0.0, scale=1.0), "mean_image": mean}
    return (
        checkpoint_of(spec, notes={"data": "faces", "taught_by": "one"}, **shared),
        checkpoint_of(replace(spec, ages=0, genders=2), notes={"data": "faces", "taught_by": "other"}, **shared),
    )


def checkpoint_of(spec: NetworkSpec, **changes: Any) -> Checkpoint:
    """A network with random weights, norms included, always the same.

    Args:
        spec: with nine age groups, which are FairFace's then, or another number, and they are Adience's.
        changes: to the checkpoint's fields.
    """
    torch.manual_seed(0)
    network = build_network(spec)
    for module in network.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            module.running_mean.uniform_(-0.3, 0.3)
            module.running_var.uniform_(0.5, 1.5)
    ages = FAIRFACE_AGES if spec.ages == 9 else ADIENCE_AGES
    start = Checkpoint(spec=spec, labels=Labels(ages, GENDERS), input=InputSpec(), state=network.state_dict())
    return replace(start, **changes)
