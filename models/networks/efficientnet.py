"""EfficientNet-Lite0, which starts from weights that were learnt on ImageNet, with an age and a gender head."""

from __future__ import annotations

from typing import Final, NamedTuple, cast

from torch import Tensor, nn
from torch.nn import functional

from models.networks.layers import ConvNorm

NORM_EPSILON: Final = 1e-3
"""That of TensorFlow, in which the published weights were learnt."""
STEM_WIDTH: Final = 32
HEAD_WIDTH: Final = 1280


class PictureArea(NamedTuple):
    """Blocks of one width: the first has the stride."""

    expansion: int
    width: int
    blocks: int
    stride: int
    kernel: int


STAGES: Final = (
    PictureArea(1, 16, 1, 1, 3),
    PictureArea(6, 24, 2, 2, 3),
    PictureArea(6, 40, 2, 2, 5),
    PictureArea(6, 80, 3, 2, 3),
    PictureArea(6, 112, 3, 1, 5),
    PictureArea(6, 192, 4, 2, 5),
    PictureArea(6, 320, 1, 1, 3),
)


class InvertedBlock(nn.Module):
    """Widens with 1×1, looks around with one filter a channel, narrows with 1×1 (Sandler et al., CVPR 2018).

    Args:
        inputs: channels that come in.
        stage: what the block belongs to.
        stride: of the middle convolution; with 1 and as many channels out as in, the input is added.
    """

    def __init__(self, inputs: int, stage: PictureArea, stride: int) -> None:
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
    """EfficientNet-Lite0 (Tan and Le, ICML 2019, without squeeze-and-excitation and with ReLU6) with two heads.

    Convolutions pad evenly. TensorFlow pads an even side at stride 2 by one pixel less at the top and left, so the
    published function is exactly this one for sides of 32n + 1, and this one moved by pixels for others.

    Args:
        ages: number of age groups.
        genders: number of genders.
        side: larger pictures are shrunk to this side first.
    """

    def __init__(self, ages: int, genders: int, *, side: int) -> None:
        super().__init__()
        self.side = side
        self.stem = _conv_norm(3, STEM_WIDTH, 3, stride=2)
        self.blocks = nn.Sequential()
        channels = STEM_WIDTH
        for stage in STAGES:
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
