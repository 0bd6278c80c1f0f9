"""Layers of a Caffe network as data, from any format since 2014."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from desktop_app.catalogue.manifest import ModelError
from models.caffe.files import read_definition
from models.caffe.schema import enum_name

MAX_SIDE: Final = 4096
MAX_LAYERS: Final = 2000

# Names of V1LayerParameter.LayerType (caffe.proto) whose layers have another name today by more than capital letters.
_MODERN_TYPES: Final = {
    "ACCURACY": "Accuracy",
    "CONVOLUTION": "Convolution",
    "DATA": "Data",
    "DROPOUT": "Dropout",
    "IMAGE_DATA": "ImageData",
    "INNER_PRODUCT": "InnerProduct",
    "MEMORY_DATA": "MemoryData",
    "POOLING": "Pooling",
    "RELU": "ReLU",
    "SOFTMAX": "Softmax",
    "SOFTMAX_LOSS": "SoftmaxWithLoss",
    "WINDOW_DATA": "WindowData",
}
# Where the crop stands; until 2014 with the data, today in `transform_param`.
_DATA_PARAMETERS: Final = {
    "Data": "data_param",
    "ImageData": "image_data_param",
    "MemoryData": "transform_param",
    "WindowData": "window_data_param",
}


@dataclass(frozen=True, slots=True)
class CaffeLayer:
    """One layer.

    Attributes:
        path: the file that defines it.
        name: its name.
        type: its type, by today's name.
        bottoms: the blobs that it reads.
        tops: the blobs that it writes.
        definition: the whole `LayerParameter` or `V1LayerParameter` message.
    """

    path: Path
    name: str
    type: str
    bottoms: tuple[str, ...]
    tops: tuple[str, ...]
    definition: Any

    def wrong(self, reason: str) -> ModelError:
        """The error that says why this layer cannot be imported."""
        return ModelError(
            f"Cannot import {self.path}: the layer {self.name!r} {reason}. Correct it, or import another network."
        )


@dataclass(frozen=True, slots=True)
class CaffeNetwork:
    """A network for prediction.

    Attributes:
        path: its definition.
        name: its own name, for people.
        input: the blob that pictures go into.
        shape: channels, height and width of the input.
        layers: in the order of computation, without the input and without what serves training alone.
    """

    path: Path
    name: str
    input: str
    shape: tuple[int, int, int]
    layers: tuple[CaffeLayer, ...]


def read_network(path: Path) -> CaffeNetwork:
    """Read a network's definition (`deploy.prototxt`, or one for training and testing: then its test phase).

    Args:
        path: the file, with `layer` or, as until 2014, `layers`; its input given by `input_dim`, `input_shape`, an
            Input layer or the crop of a data layer.

    Raises:
        ModelError: the file cannot be read, or does not define a network with one input and a fixed size.
    """
    document = read_definition(path)
    definitions = document.layer or document.layers
    if not definitions:
        raise ModelError(f"Cannot import {path}: it defines no layers. Give a network's deploy.prototxt.")
    if not document.layer and any(definition.HasField("layer") for definition in definitions):
        raise ModelError(
            f"Cannot import {path}: it is in Caffe's oldest format (2013). Convert it with Caffe's "
            "upgrade_net_proto_text."
        )
    if len(definitions) > MAX_LAYERS:
        raise ModelError(f"Cannot import {path}: it has more than {MAX_LAYERS} layers. Import a smaller network.")
    layers = [_layer(path, definition) for definition in definitions if _used_for_prediction(definition)]
    inputs = _declared_inputs(path, document)
    computed = []
    for layer in layers:
        if layer.type == "Input" or layer.type in _DATA_PARAMETERS:
            inputs.append(_input_of(layer))
        else:
            computed.append(layer)
    if len(inputs) != 1:
        raise ModelError(
            f"Cannot import {path}: it has {len(inputs)} inputs, not one. Give a network's deploy.prototxt."
        )
    name, shape = inputs[0]
    if not name:
        raise ModelError(f"Cannot import {path}: it has an input without a name. Give a network's deploy.prototxt.")
    return CaffeNetwork(path, document.name or path.stem, name, _checked_shape(path, shape), tuple(computed))


def _layer(path: Path, definition: Any) -> CaffeLayer:
    name = definition.name
    if not name or not definition.HasField("type"):
        raise ModelError(f"Cannot import {path}: a layer has no name or no type. Correct the network's definition.")
    kind = definition.type if isinstance(definition.type, str) else enum_name(definition, "type")
    if not definition.top:
        raise ModelError(f"Cannot import {path}: the layer {name!r} has no top. Correct the network's definition.")
    bottoms, tops = tuple(definition.bottom), tuple(definition.top)
    return CaffeLayer(path, name, _MODERN_TYPES.get(kind, kind), bottoms, tops, definition)


def _used_for_prediction(definition: Any) -> bool:
    """Caffe's rule (`Net::FilterNet`) for the test phase, level 0 and no stages."""
    if definition.include:
        return any(_rule_met(rule) for rule in definition.include)
    return not any(_rule_met(rule) for rule in definition.exclude)


def _rule_met(rule: Any) -> bool:
    if rule.HasField("phase") and enum_name(rule, "phase") != "TEST":
        return False
    return not rule.stage and rule.min_level <= 0 <= rule.max_level


def _declared_inputs(path: Path, document: Any) -> list[tuple[str, tuple[int, ...]]]:
    """Inputs in the style before Input layers: names, and for each a shape or four numbers."""
    numbers = tuple(document.input_dim)
    shapes = [tuple(shape.dim) for shape in document.input_shape]
    if not shapes:
        shapes = [numbers[start : start + 4] for start in range(0, len(numbers), 4)]
    if len(shapes) != len(document.input):
        raise ModelError(
            f"Cannot import {path}: the sizes of the inputs do not match their names. Correct the network's definition."
        )
    return list(zip(document.input, shapes, strict=True))


def _input_of(layer: CaffeLayer) -> tuple[str, tuple[int, ...]]:
    definition = layer.definition
    if layer.type == "Input":
        shapes = definition.input_param.shape
        return layer.tops[0], tuple(shapes[-1].dim) if shapes else ()
    crop = definition.transform_param.crop_size or getattr(definition, _DATA_PARAMETERS[layer.type]).crop_size
    if crop == 0:
        raise layer.wrong("does not state how large a picture is, as a deploy.prototxt does")
    return layer.tops[0], (1, 3, crop, crop)


def _checked_shape(path: Path, shape: tuple[int, ...]) -> tuple[int, int, int]:
    if len(shape) != 4 or not all(0 < size <= MAX_SIDE for size in shape[1:]):
        raise ModelError(
            f"Cannot import {path}: its input is not N×channels×height×width with sides of at most {MAX_SIDE}. Correct "
            "the network's definition."
        )
    return shape[1], shape[2], shape[3]
