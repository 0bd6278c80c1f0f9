"""Checkpoints nobody trained, for tests of what happens to a network; import it only where PyTorch is."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import torch

from desktop_app.catalogue.manifest import InputSpec, Labels
from models.data.labels import ADIENCE_AGES, FAIRFACE_AGES, GENDERS
from models.networks.architectures import NetworkSpec, build_network
from models.networks.checkpoints import Checkpoint


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
