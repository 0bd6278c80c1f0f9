"""Architectures: the networks of Levi and Hassner (2015) and the compact network with two heads that the app ships.

Both take N×3×227×227 float32. Training, export and fine-tuning make them from a `NetworkSpec`, which a checkpoint
carries.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Final, Literal, cast, get_args

from torch import Tensor, nn
from torch.nn import functional

from desktop_app.catalogue.manifest import MAX_LABELS
from desktop_app.errors import AgelensError
from models.networks.efficientnet import LITE2, EfficientNet
from models.networks.face_resnet import SMALLEST_SIDE, FaceResNet
from models.networks.layers import ConvNorm, ResidualBlock, ResponseNorm

INPUT_SIZE: Final = 227
"""Side of the input in pixels."""

FC6_SIDE: Final = 7
"""Side of the maps that reach fc6 of the paper's network."""

NetworkName = Literal["compact", "levi-hassner", "efficientnet-lite0", "efficientnet-lite2", "face-resnet"]
Norm = Literal["lrn", "batch"]
State = Mapping[str, Tensor]

WIDTHS: Final = range(8, 4097)
BLOCKS: Final = range(1, 65)
SIDES: Final = range(32, 1025)
"""What the compact network may be made of: far more than is of use, and little enough to be made."""

_PAPER_STD: Final = {"conv1": 0.01, "conv2": 0.01, "conv3": 0.01, "fc6": 0.005, "fc7": 0.005, "fc8": 0.01}
_PAPER_BIAS: Final = {"conv1": 0.0, "conv2": 1.0, "conv3": 0.0, "fc6": 1.0, "fc7": 1.0, "fc8": 0.0}


class NetworkError(AgelensError):
    """A network cannot be made, or a checkpoint does not hold the one that it should."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NetworkSpec:
    """Which network, and how large: enough to make it again.

    Attributes:
        architecture: `compact`, `levi-hassner`, or one with a published start.
        ages: outputs of the age head; 0 leaves the head out.
        genders: outputs of the gender head; 0 leaves the head out.
        norm: what follows the first two pools of `levi-hassner`.
        stem_width: channels of the first convolution of `compact`.
        widths: channels of its stages.
        blocks: residual blocks of its stages.
        attention: whether its blocks have squeeze-and-excitation.
        side: larger pictures are shrunk to this side inside all but `levi-hassner`: cheaper, and less sharp.
    """

    architecture: NetworkName
    ages: int
    genders: int
    norm: Norm = "lrn"
    stem_width: int = 24
    widths: tuple[int, ...] = (32, 64, 128, 256)
    blocks: tuple[int, ...] = (1, 1, 2, 1)
    attention: bool = True
    side: int = INPUT_SIZE

    def __post_init__(self) -> None:
        """Refuse what no network can be made of, and what would take all memory to make."""
        answers, both = range(MAX_LABELS + 1), self.ages and self.genders
        sensible = {
            "architecture": self.architecture in get_args(NetworkName),
            "ages": self.ages in answers and (both or self.architecture == "levi-hassner"),
            "genders": self.genders in answers and (self.ages or self.genders),
            "norm": self.norm in get_args(Norm),
            "stem_width": self.stem_width in WIDTHS,
            "widths": 0 < len(self.widths) == len(self.blocks) and all(one in WIDTHS for one in self.widths),
            "blocks": all(one in BLOCKS for one in self.blocks),
            "attention": isinstance(self.attention, bool),
            "side": self.side in SIDES and self.side >= self.smallest_side,
        }
        for name, is_sensible in sensible.items():
            if not is_sensible:
                value = str(getattr(self, name))[:40]
                raise NetworkError(
                    f"no network can be made with {name} {value}; correct that or take another checkpoint"
                )

    @property
    def smallest_side(self) -> int:
        """Side of the smallest pictures that the network can take."""
        return SMALLEST_SIDE if self.architecture == "face-resnet" else SIDES.start

    @property
    def heads(self) -> tuple[str, ...]:
        """The names of the outputs, in their order: `age`, `gender`, or both."""
        return tuple(name for name, count in (("age", self.ages), ("gender", self.genders)) if count)

    def as_dict(self) -> dict[str, Any]:
        """Plain values, as a checkpoint stores them."""
        return asdict(self)

    @staticmethod
    def from_dict(values: Mapping[str, Any]) -> NetworkSpec:
        """The spec that `as_dict` wrote.

        Raises:
            NetworkError: the values are not a spec.
        """
        plain: dict[str, Any] = {
            key: tuple(value) if isinstance(value, list) else value for key, value in values.items()
        }
        try:
            return NetworkSpec(**plain)
        except (TypeError, ValueError, RuntimeError) as error:
            # RuntimeError: a tensor in the place of a number.
            raise NetworkError(f"the checkpoint describes no network that is known here ({error})") from error


class LeviHassnerNet(nn.Module):
    """The network of Levi and Hassner, "Age and gender classification using convolutional neural networks", CVPRW 2015.

    Layers, sizes and initial values follow the authors' Caffe definition: pools round up (sides 56, 28, 14, 7), ReLU
    comes before the pools, dropout is 0.5. With 8 outputs it has 11,415,048 parameters.

    Args:
        outputs: number of classes.
        norm: `lrn` as published, or `batch` for batch normalisation in its place.
    """

    def __init__(self, outputs: int, norm: Norm = "lrn") -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(3, 96, 7, stride=4)
        self.norm1 = _paper_norm(norm, 96)
        self.conv2 = nn.Conv2d(96, 256, 5, padding=2)
        self.norm2 = _paper_norm(norm, 256)
        self.conv3 = nn.Conv2d(256, 384, 3, padding=1)
        self.fc6 = nn.Linear(384 * FC6_SIDE**2, 512)
        self.fc7 = nn.Linear(512, 512)
        self.fc8 = nn.Linear(512, outputs)
        self.relu = nn.ReLU()
        self.pool = nn.MaxPool2d(3, 2, ceil_mode=True)
        self.dropout = nn.Dropout(0.5)
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Draw the published initial values: Gaussian weights, biases 0 or 1."""
        if self.fc8.weight.is_meta:
            # Only the shapes are asked for; PyTorch would load its compiler to draw nothing.
            return
        for name, std in _PAPER_STD.items():
            layer = getattr(self, name)
            nn.init.normal_(layer.weight, std=std)
            nn.init.constant_(layer.bias, _PAPER_BIAS[name])

    def features(self, pixels: Tensor) -> Tensor:
        """N×512 values after fc7, before the last dropout."""
        maps = self.norm1(self.pool(self.relu(self.conv1(pixels))))
        maps = self.norm2(self.pool(self.relu(self.conv2(maps))))
        maps = self.pool(self.relu(self.conv3(maps)))
        if maps.shape[-1] != FC6_SIDE:
            # Training may begin with smaller pictures, which cost less.
            maps = functional.adaptive_avg_pool2d(maps, FC6_SIDE)
        hidden = self.dropout(self.relu(self.fc6(maps.flatten(1))))
        return cast("Tensor", self.relu(self.fc7(hidden)))

    def forward(self, pixels: Tensor) -> Any:
        """N×outputs logits of N×3×227×227 pixels with the mean taken away (BGR, 0 to 255)."""
        return self.fc8(self.dropout(self.features(pixels)))

    def parameter_groups(self, *, rate: float, weight_decay: float) -> list[dict[str, Any]]:
        """The parameters with their published factors, as a `torch.optim` optimiser takes them.

        The rate's factors are 1 for weights and 2 for biases, 10 and 20 in fc8, which learns anew when fine-tuning;
        decay is 1 for weights and 0 for biases. `factor` stays in the group, so that a schedule can keep it.
        """
        groups: list[dict[str, Any]] = []
        for name, parameter in self.named_parameters():
            is_bias = parameter.ndim == 1
            factor = (20 if is_bias else 10) if name.startswith("fc8") else (2 if is_bias else 1)
            if name.startswith("norm"):
                factor = 1
            decay = 0.0 if is_bias else weight_decay
            groups.append({"params": [parameter], "lr": rate * factor, "weight_decay": decay, "factor": factor})
        return groups


class TwoHeadLeviHassnerNet(LeviHassnerNet):
    """The same network with one fc8 for both questions: it answers with a pair of logits, age and gender."""

    def __init__(self, ages: int, genders: int, norm: Norm = "lrn") -> None:
        super().__init__(ages + genders, norm)
        self.sizes = (ages, genders)

    def forward(self, pixels: Tensor) -> Any:
        """N×ages and N×genders logits of N×3×227×227 pixels with the mean taken away (BGR, 0 to 255)."""
        logits = super().forward(pixels)
        return logits[:, : self.sizes[0]], logits[:, self.sizes[0] :]


class CompactNet(nn.Module):
    """A small residual network with an age and a gender head on one trunk.

    The stem shrinks 227×227 to 38×38 at once, as detail beyond that costs much and tells little of age; each stage
    after the first halves the side.

    Args:
        ages: number of age groups.
        genders: number of genders.
        stem_width: channels of the first convolution.
        widths: channels of the stages.
        blocks: residual blocks of the stages.
        attention: squeeze-and-excitation in the blocks.
        side: larger pictures are shrunk to this side first.
    """

    def __init__(
        self,
        ages: int = 9,
        genders: int = 2,
        *,
        stem_width: int = 24,
        widths: tuple[int, ...] = (32, 64, 128, 256),
        blocks: tuple[int, ...] = (1, 1, 2, 1),
        attention: bool = True,
        side: int = INPUT_SIZE,
    ) -> None:
        super().__init__()
        self.side = side
        self.stem = nn.Sequential(
            ConvNorm(3, stem_width, 5, stride=3, padding=1),
            nn.ReLU(),
            ConvNorm(stem_width, widths[0], 3, stride=2, padding=1),
            nn.ReLU(),
        )
        self.stages = nn.Sequential()
        channels = widths[0]
        for index, (width, count) in enumerate(zip(widths, blocks, strict=True)):
            stage = nn.Sequential()
            for block in range(count):
                stride = 2 if block == 0 and index > 0 else 1
                stage.append(ResidualBlock(channels, width, stride=stride, attention=attention))
                channels = width
            self.stages.append(stage)
        self.dropout = nn.Dropout(0.2)
        self.age = nn.Linear(channels, ages)
        self.gender = nn.Linear(channels, genders)

    def features(self, pixels: Tensor) -> Tensor:
        """N×widths[-1] values that both heads see."""
        if pixels.shape[-1] > self.side:
            pixels = functional.interpolate(pixels, (self.side, self.side), mode="bilinear", align_corners=False)
        return cast("Tensor", self.stages(self.stem(pixels))).mean((2, 3))

    def forward(self, pixels: Tensor) -> tuple[Tensor, Tensor]:
        """N×ages and N×genders logits of N×3×227×227 pixels, BGR, `(pixel - 127.5) / 64`."""
        features = self.dropout(self.features(pixels))
        return self.age(features), self.gender(features)


def build_network(spec: NetworkSpec) -> nn.Module:
    """Make the network of a spec, with fresh weights."""
    if spec.architecture == "compact":
        return CompactNet(
            spec.ages,
            spec.genders,
            stem_width=spec.stem_width,
            widths=spec.widths,
            blocks=spec.blocks,
            attention=spec.attention,
            side=spec.side,
        )
    if spec.architecture == "efficientnet-lite0":
        return EfficientNet(spec.ages, spec.genders, side=spec.side)
    if spec.architecture == "efficientnet-lite2":
        return EfficientNet(spec.ages, spec.genders, side=spec.side, scale=LITE2)
    if spec.architecture == "face-resnet":
        return FaceResNet(spec.ages, spec.genders, side=spec.side)
    if spec.ages and spec.genders:
        return TwoHeadLeviHassnerNet(spec.ages, spec.genders, spec.norm)
    return LeviHassnerNet(spec.ages + spec.genders, spec.norm)


def head_logits(spec: NetworkSpec, answer: Any) -> dict[str, Tensor]:
    """What a network of this spec answered, by the name of the head."""
    return dict(zip(spec.heads, answer if isinstance(answer, tuple) else (answer,), strict=True))


def load_state(network: nn.Module, state: State) -> None:
    """Load weights.

    Raises:
        NetworkError: they belong to another network.
    """
    try:
        network.load_state_dict(dict(state))
    except RuntimeError as error:
        first = str(error).splitlines()[-1].strip()
        raise NetworkError(f"the weights do not fit the network: {first}") from error


def _paper_norm(norm: Norm, channels: int) -> nn.Module:
    if norm == "batch":
        return nn.BatchNorm2d(channels)
    return ResponseNorm(5, alpha=1e-4, beta=0.75, k=1.0)
