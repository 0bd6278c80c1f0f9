"""The residual network of dlib's face recognition, with an age and a gender head in the place of its descriptor."""

from __future__ import annotations

from typing import Final, NamedTuple, cast

import torch
from torch import Tensor, nn
from torch.nn import functional

from models.networks.layers import ConvNorm

SMALLEST_SIDE: Final = 103
"""Below it the last block has nothing left to look at."""
STEM_WIDTH: Final = 32
MEAN_BGR: Final = (104.298, 117.001, 122.782)
"""What it takes away from the pixels before it divides them by 256."""


class Block(NamedTuple):
    """One residual block: channels that come in and go out; one that is down halves the side."""

    inputs: int
    outputs: int
    is_down: bool


BLOCKS: Final = (
    *[Block(32, 32, False)] * 3,
    Block(32, 64, True),
    *[Block(64, 64, False)] * 3,
    Block(64, 128, True),
    *[Block(128, 128, False)] * 2,
    Block(128, 256, True),
    *[Block(256, 256, False)] * 2,
    Block(256, 256, True),
)


class FaceBlock(nn.Module):
    """Two 3×3 convolutions beside a shortcut, which in a down block is a mean of 2×2.

    The first convolution of a down block does not pad; whatever is smaller gets zeros at the right, at the bottom and
    as further channels, as dlib adds.
    """

    def __init__(self, block: Block) -> None:
        super().__init__()
        self.is_down = block.is_down
        stride, padding = (2, 0) if block.is_down else (1, 1)
        self.first = ConvNorm(block.inputs, block.outputs, 3, stride=stride, padding=padding)
        self.second = ConvNorm(block.outputs, block.outputs, 3, padding=1)

    def forward(self, maps: Tensor) -> Tensor:
        """N×inputs×H×W to N×outputs×⌊H/2⌋×⌊W/2⌋ where it is down (sides of at least 3), else N×outputs×H×W."""
        main = cast("Tensor", self.second(torch.relu(self.first(maps))))
        if self.is_down:
            maps = functional.avg_pool2d(maps, 2)
            channels = main.shape[1] - maps.shape[1]
            missing = maps.shape[2] - main.shape[2], maps.shape[3] - main.shape[3]
            main = functional.pad(main, (0, missing[1], 0, missing[0]))
            maps = functional.pad(maps, (0, 0, 0, 0, 0, channels)) if channels else maps
        return torch.relu(main + maps)


class FaceResNet(nn.Module):
    """The trunk of dlib's `dlib_face_recognition_resnet_model_v1` (Davis King, CC0) with two heads.

    Its last layer, whose 128 numbers identify people, is left out: this network cannot recognise anyone.

    Args:
        ages: number of age groups.
        genders: number of genders.
        side: larger pictures are shrunk to this side first.
    """

    offset: Tensor

    def __init__(self, ages: int, genders: int, *, side: int) -> None:
        super().__init__()
        self.side = side
        # Pixels come as (pixel - 127.5) / 64.
        offset = (127.5 - torch.tensor(MEAN_BGR)) / 256
        self.register_buffer("offset", offset.reshape(1, 3, 1, 1), persistent=False)
        self.stem = ConvNorm(3, STEM_WIDTH, 7, stride=2)
        self.blocks = nn.Sequential(*(FaceBlock(block) for block in BLOCKS))
        self.dropout = nn.Dropout(0.2)
        self.age = nn.Linear(BLOCKS[-1].outputs, ages)
        self.gender = nn.Linear(BLOCKS[-1].outputs, genders)

    def features(self, pixels: Tensor) -> Tensor:
        """N×256 values that both heads see."""
        if pixels.shape[-1] > self.side:
            pixels = functional.interpolate(pixels, (self.side, self.side), mode="bilinear", align_corners=False)
        maps = torch.relu(self.stem(pixels * 0.25 + self.offset))
        return cast("Tensor", self.blocks(functional.max_pool2d(maps, 3, 2))).mean((2, 3))

    def forward(self, pixels: Tensor) -> tuple[Tensor, Tensor]:
        """N×ages and N×genders logits of N×3×227×227 pixels, BGR, `(pixel - 127.5) / 64`."""
        features = self.dropout(self.features(pixels))
        return self.age(features), self.gender(features)
