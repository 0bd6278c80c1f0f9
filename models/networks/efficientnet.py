"""EfficientNet-Lite, which starts from weights that were learnt on ImageNet, with an age and a gender head."""

from __future__ import annotations

import math
from typing import Final, NamedTuple, cast

from torch import Tensor, nn
from torch.nn import functional

from models.networks.layers import ConvNorm

NORM_EPSILON: Final = 1e-3
"""That of TensorFlow, in which the published weights were learnt."""
STEM_WIDTH: Final = 32
HEAD_WIDTH: Final = 1280


class BlockGroup(NamedTuple):
    """Blocks of one width: the first has the stride."""

    expansion: int
    width: int
    blocks: int
    stride: int
    kernel: int


STAGES: Final = (
    BlockGroup(1, 16, 1, 1, 3),
    BlockGroup(6, 24, 2, 2, 3),
    BlockGroup(6, 40, 2, 2, 5),
    BlockGroup(6, 80, 3, 2, 3),
    BlockGroup(6, 112, 3, 1, 5),
    BlockGroup(6, 192, 4, 2, 5),
    BlockGroup(6, 320, 1, 1, 3),
)
"""Of Lite0, which the larger ones are scaled from."""


class Scale(NamedTuple):
    """How much wider and deeper a network is than Lite0."""

    width: float = 1.0
    depth: float = 1.0


LITE0: Final = Scale()
LITE2: Final = Scale(1.1, 1.2)


def scaled_stages(scale: Scale) -> tuple[BlockGroup, ...]:
    """The groups of blocks of a larger network; the first and the last keep their depth, as in all of the Lite kind."""
    ends = STAGES[0], STAGES[-1]
    return tuple(
        stage._replace(
            width=_rounded(stage.width * scale.width),
            blocks=stage.blocks if stage in ends else math.ceil(stage.blocks * scale.depth),
        )
        for stage in STAGES
    )


def _rounded(width: float) -> int:
    """The multiple of 8 that is nearest, and no more than a tenth below."""
    nearest = max(int(width + 4) // 8 * 8, 8)
    return nearest + 8 if nearest < 0.9 * width else nearest


class InvertedBlock(nn.Module):
    """Widens with 1×1, looks around with one filter a channel, narrows with 1×1 (Sandler et al., CVPR 2018).

    Args:
        inputs: channels that come in.
        stage: what the block belongs to.
        stride: of the middle convolution; with 1 and as many channels out as in, the input is added.
    """

    def __init__(self, inputs: int, stage: BlockGroup, stride: int) -> None:
        super().__init__()
        wide = inputs * stage.expansion
        self.expand: nn.Module = nn.Identity()
        if stage.expansion > 1:
            self.expand = nn.Sequential(_conv_norm(inputs, wide, 1), nn.ReLU6())
        self.depthwise = _conv_norm(wide, wide, stage.kernel, stride=stride, groups=wide)
        self.project = _conv_norm(wide, stage.width, 1)
        self.adds = stride == 1 and inputs == stage.width

    def forward(self, maps: Tensor) -> Tensor:
        """N×inputs×H×W to N×width×⌈H/stride⌉×⌈W/stride⌉."""
        narrow = cast("Tensor", self.project(functional.relu6(self.depthwise(self.expand(maps)))))
        return narrow + maps if self.adds else narrow


class EfficientNet(nn.Module):
    """EfficientNet-Lite (Tan and Le, ICML 2019, without squeeze-and-excitation and with ReLU6) with two heads.

    Convolutions pad evenly. TensorFlow pads an even side at stride 2 by one pixel less at the top and left, so the
    published function is exactly this one for sides of 32n + 1, and this one moved by pixels for others.

    Args:
        ages: number of age groups.
        genders: number of genders.
        side: larger pictures are shrunk to this side first.
        scale: which one of the family.
    """

    def __init__(self, ages: int, genders: int, *, side: int, scale: Scale = LITE0) -> None:
        super().__init__()
        self.side = side
        self.stem = _conv_norm(3, STEM_WIDTH, 3, stride=2)
        self.blocks = nn.Sequential()
        channels = STEM_WIDTH
        for stage in scaled_stages(scale):
            for index in range(stage.blocks):
                self.blocks.append(InvertedBlock(channels, stage, stage.stride if index == 0 else 1))
                channels = stage.width
        self.top = _conv_norm(channels, HEAD_WIDTH, 1)
        self.dropout = nn.Dropout(0.2)
        self.age = nn.Linear(HEAD_WIDTH, ages)
        self.gender = nn.Linear(HEAD_WIDTH, genders)

    def features(self, pixels: Tensor) -> Tensor:
        """N×1280 values that both heads see."""
        if pixels.shape[-1] > self.side:
            pixels = functional.interpolate(pixels, (self.side, self.side), mode="bilinear", align_corners=False)
        # As it was taught: (pixel - 127) / 128.
        pixels = pixels * 0.5 + 0.5 / 128
        maps = self.blocks(functional.relu6(self.stem(pixels)))
        return functional.relu6(self.top(maps)).mean((2, 3))

    def forward(self, pixels: Tensor) -> tuple[Tensor, Tensor]:
        """N×ages and N×genders logits of N×3×227×227 pixels, BGR, `(pixel - 127.5) / 64`."""
        features = self.dropout(self.features(pixels))
        return self.age(features), self.gender(features)


def _conv_norm(inputs: int, outputs: int, kernel: int, *, stride: int = 1, groups: int = 1) -> ConvNorm:
    return ConvNorm(inputs, outputs, kernel, stride=stride, padding=kernel // 2, groups=groups, epsilon=NORM_EPSILON)
