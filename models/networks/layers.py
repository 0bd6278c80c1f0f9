"""Layers that the networks are built from."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn.utils.fusion import fuse_conv_bn_eval


class ResponseNorm(nn.LocalResponseNorm):
    """Local response normalisation across channels; alpha is divided by the window's size, as Caffe does."""

    def forward(self, input: Tensor) -> Tensor:  # noqa: A002 (PyTorch's own name)
        """Normalise N×C×H×W; in an export it stays the one operation that ONNX has for it."""
        if not torch.onnx.is_in_onnx_export():
            return super().forward(input)
        attributes = {"size": self.size, "alpha": self.alpha, "beta": self.beta, "bias": self.k}
        return torch.onnx.ops.symbolic("LRN", (input,), attributes, dtype=input.dtype, shape=input.shape, version=18)


class ConvNorm(nn.Sequential):
    """A convolution without bias and its batch normalisation; `fold_norms` makes one convolution of the two."""

    def __init__(
        self,
        inputs: int,
        outputs: int,
        kernel: int,
        *,
        stride: int = 1,
        padding: int = 0,
        groups: int = 1,
        epsilon: float = 1e-5,
    ) -> None:
        super().__init__()
        self.conv = nn.Conv2d(inputs, outputs, kernel, stride, padding, groups=groups, bias=False)
        self.norm = nn.BatchNorm2d(outputs, eps=epsilon)


class SqueezeExcitation(nn.Module):
    """Scales each channel by what the whole picture says of it (Hu et al., CVPR 2018)."""

    def __init__(self, channels: int, reduction: int = 8) -> None:
        super().__init__()
        self.reduce = nn.Conv2d(channels, channels // reduction, 1)
        self.expand = nn.Conv2d(channels // reduction, channels, 1)

    def forward(self, maps: Tensor) -> Tensor:
        """N×C×H×W, scaled."""
        squeezed = maps.mean((2, 3), keepdim=True)
        return maps * torch.sigmoid(self.expand(torch.relu(self.reduce(squeezed))))


class ResidualBlock(nn.Module):
    """Two 3×3 convolutions beside a shortcut that averages before it projects (He et al., CVPR 2019, "ResNet-D")."""

    def __init__(self, inputs: int, outputs: int, *, stride: int, attention: bool) -> None:
        super().__init__()
        self.first = ConvNorm(inputs, outputs, 3, stride=stride, padding=1)
        self.second = ConvNorm(outputs, outputs, 3, padding=1)
        self.attention = SqueezeExcitation(outputs) if attention else nn.Identity()
        self.shortcut: nn.Module = nn.Identity()
        if stride != 1 or inputs != outputs:
            self.shortcut = nn.Sequential()
            pool = nn.AvgPool2d(2, 2, ceil_mode=True) if stride == 2 else nn.Identity()
            self.shortcut.add_module("pool", pool)
            self.shortcut.add_module("project", ConvNorm(inputs, outputs, 1))

    def forward(self, maps: Tensor) -> Tensor:
        """N×C×H×W to N×outputs×⌈H/stride⌉×⌈W/stride⌉."""
        main = self.attention(self.second(torch.relu(self.first(maps))))
        return torch.relu(main + self.shortcut(maps))


def fold_norms(network: nn.Module) -> None:
    """Make one convolution of each `ConvNorm`, in place; only for a network in evaluation mode."""
    for module in list(network.modules()):
        if isinstance(module, ConvNorm) and isinstance(module.norm, nn.BatchNorm2d):
            module.conv = fuse_conv_bn_eval(module.conv, module.norm)
            module.norm = nn.Identity()
