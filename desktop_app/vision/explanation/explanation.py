"""Explanations of a network's answer: filters, feature maps and occlusion maps."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal

import cv2
import numpy as np
from numpy.typing import NDArray

from desktop_app.catalogue.catalogue import ModelPackage
from desktop_app.errors import AgelensError, reason_of
from desktop_app.vision.classification.classifier import Prediction, softmax
from desktop_app.vision.explanation.activations import Layer, OpenNetwork
from desktop_app.vision.preprocessing import Preprocessing, center

Head = Literal["age", "gender"]

OCCLUSION_GRID: Final = 9
"""Places of the patch along each side of an occlusion map."""

OCCLUSION_BATCH: Final = 8
"""Covered crops a run: short runs, so that a caller who has changed its mind waits for one only."""


class ExplainError(AgelensError):
    """A network cannot be looked into."""


@dataclass(frozen=True, slots=True)
class Activations:
    """One crop on its way through the network.

    Attributes:
        prediction: the network's own answer, not smoothed over time.
        seen: size×size×3 uint8 BGR: the input after mean and scale, stretched to the full range.
        maps: channels×rows×columns float32, as the layer gives them (not rectified); empty without a layer.
    """

    prediction: Prediction
    seen: NDArray[np.uint8]
    maps: NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Occlusion:
    """How much of the answer is lost where the crop is covered.

    Attributes:
        head: which answer.
        index: the class that is predicted for the uncovered crop.
        probability: that class's probability for the uncovered crop.
        drop: rows×columns float32: `probability` less that with a patch centred there; negative where
            covering helps.
    """

    head: Head
    index: int
    probability: float
    drop: NDArray[np.float32]


class Explainer:
    """Looks into a model of the catalogue, with one head or two, one network or two.

    It has ONNX Runtime sessions of its own on the CPU. Use it from one thread at a time.

    Args:
        package: the model.
        threads: CPU threads of ONNX Runtime.
        gender: whether gender may be looked at; without it nothing of it is computed.

    Raises:
        ExplainError: ONNX Runtime cannot load or run the network with its inner tensors as outputs.
        ModelError: the mean image cannot be read.
    """

    def __init__(self, package: ModelPackage, *, threads: int = 1, gender: bool = True) -> None:
        self._package = package
        self._gender = gender
        outputs = (package.manifest.age, package.manifest.gender) if gender else (package.manifest.age,)
        files = dict.fromkeys(package.path.parent / output.file for output in outputs)
        self._preprocess = Preprocessing(package.input, package.mean_image())
        probe = np.zeros((1, 3, package.input.size, package.input.size), np.float32)
        try:
            self._networks = {file: OpenNetwork(file, probe, threads, package.manifest.layers) for file in files}
        except Exception as error:
            reason = reason_of(error)
            raise ExplainError(
                "Cannot look into the model “{model}”: {reason}. Choose another model.",
                model=package.title,
                reason=reason,
            ) from error

    @property
    def package(self) -> ModelPackage:
        """The model that is looked into."""
        return self._package

    @property
    def gender(self) -> bool:
        """Whether gender is looked at."""
        return self._gender

    def layers(self, head: Head) -> tuple[Layer, ...]:
        """The layers with feature maps on the way to an answer, first to last."""
        return self._network(head).layers

    def filters(self, head: Head) -> NDArray[np.uint8]:
        """The filters of the first convolution, all on one scale that spans the full range, as in the paper's demo.

        Strong filters stand out against weak ones so.

        Returns:
            N×rows×columns×3 uint8, BGR; grey where the convolution does not work on three colours; N is 0
            where the network has no convolution.
        """
        return _filter_pictures(self._network(head).first_weights, self._package.input.colour)

    def look(self, crop: NDArray[np.uint8], head: Head, layer: Layer | None = None) -> Activations:
        """Run one crop and keep the feature maps of a layer.

        Args:
            crop: S×S×3 uint8, BGR. Where it is larger than the network's input, its centre is taken (the
                centre view of over-sampling).
            head: to which answer the layer leads.
            layer: one of `layers(head)`.
        """
        pixels = self._preprocess(self._fit(crop)[None])
        tensors = [layer.tensor] if layer is not None else []
        age, gender, inner = self._run(pixels, head, tensors)
        maps = inner[0][0] if inner else np.zeros((0, 0, 0), np.float32)
        return Activations(Prediction(age[0], gender[0]), self._input_picture(pixels[0]), maps)

    def occlude(
        self,
        crop: NDArray[np.uint8],
        head: Head,
        *,
        grid: int = OCCLUSION_GRID,
        go_on: Callable[[], bool] = lambda: True,
    ) -> Occlusion | None:
        """Slide a grey patch over the crop and watch the predicted class (Zeiler and Fergus 2014).

        Args:
            crop: as for `look`.
            head: which answer is watched.
            grid: places along each side; the patch is two steps wide, so that neighbours overlap by half.
            go_on: asked between runs of a few crops each; False ends the work.

        Returns:
            The map, or None where `go_on` ended it.
        """
        picture = self._fit(crop)
        answer = self._answer(picture[None], head)[0]
        index = int(answer.argmax())
        places = (np.arange(grid) + 0.5) / grid
        covered = np.stack([cover(picture, x, y, side=2 / grid) for y in places for x in places])
        probabilities: list[NDArray[np.float32]] = []
        for start in range(0, len(covered), OCCLUSION_BATCH):
            if not go_on():
                return None
            probabilities.append(self._answer(covered[start : start + OCCLUSION_BATCH], head)[:, index])
        drop = answer[index] - np.concatenate(probabilities).reshape(grid, grid)
        return Occlusion(head, index, float(answer[index]), drop.astype(np.float32))

    def _network(self, head: Head) -> OpenNetwork:
        return self._networks[self._package.path.parent / self._output(head).file]

    def _output(self, head: Head) -> Any:
        return self._package.manifest.age if head == "age" else self._package.manifest.gender

    def _fit(self, crop: NDArray[np.uint8]) -> NDArray[np.uint8]:
        size = self._package.input.size
        if crop.shape[0] < size:
            return np.asarray(cv2.resize(crop, (size, size), interpolation=cv2.INTER_LINEAR), np.uint8)
        return np.asarray(center(crop[None], size)[0])

    def _input_picture(self, pixels: NDArray[np.float32]) -> NDArray[np.uint8]:
        picture = _stretched(pixels.transpose(1, 2, 0))
        return np.ascontiguousarray(picture[..., ::-1] if self._package.input.colour == "RGB" else picture)

    def _answer(self, pictures: NDArray[np.uint8], head: Head) -> NDArray[np.float32]:
        output = self._network(head).run(self._preprocess(pictures), [self._output(head).tensor])[0]
        return self._probabilities(output)

    def _run(
        self, pixels: NDArray[np.float32], head: Head, tensors: Sequence[str]
    ) -> tuple[NDArray[np.float32], NDArray[np.float32], list[NDArray[np.float32]]]:
        """Both answers as N×classes (N×0 of gender without it) and tensors of the head's network; one run a network."""
        other: Head = "gender" if head == "age" else "age"
        names = [self._output(head).tensor, *tensors]
        answers: dict[Head, NDArray[np.float32]] = {}
        if not self._gender:
            results = self._network(head).run(pixels, names)
            answers["gender"] = np.zeros((len(pixels), 0), np.float32)
        elif self._network(other) is self._network(head):
            results = self._network(head).run(pixels, [*names, self._output(other).tensor])
            answers[other] = self._probabilities(results.pop())
        else:
            results = self._network(head).run(pixels, names)
            answers[other] = self._probabilities(self._network(other).run(pixels, [self._output(other).tensor])[0])
        answers[head] = self._probabilities(results[0])
        return answers["age"], answers["gender"], results[1:]

    def _probabilities(self, output: NDArray[np.float32]) -> NDArray[np.float32]:
        flat = output.reshape(len(output), -1)
        return softmax(flat) if self._package.manifest.activation == "softmax" else flat


def cover(crop: NDArray[np.uint8], x: float, y: float, *, side: float = 2 / OCCLUSION_GRID) -> NDArray[np.uint8]:
    """A copy of a crop with a grey patch.

    Args:
        crop: S×S×3 uint8.
        x: middle of the patch, 0 at the left edge to 1 at the right.
        y: the same from top to bottom.
        side: of the patch over that of the crop.
    """
    covered, size = crop.copy(), crop.shape[0]
    left, top = (max(round((at - side / 2) * size), 0) for at in (x, y))
    right, bottom = (max(math.ceil((at + side / 2) * size), 0) for at in (x, y))
    covered[top:bottom, left:right] = 127
    return covered


def _filter_pictures(weights: NDArray[np.float32], colour: str) -> NDArray[np.uint8]:
    if weights.ndim != 4:
        return np.zeros((0, 1, 1, 3), np.uint8)
    pictures = weights.transpose(0, 2, 3, 1)
    if pictures.shape[3] != 3:
        pictures = np.repeat(pictures.mean(axis=3, keepdims=True), 3, axis=3)
    elif colour == "RGB":
        pictures = pictures[..., ::-1]
    return _stretched(pictures) if len(pictures) else pictures.astype(np.uint8)


def _stretched(values: NDArray[np.float32]) -> NDArray[np.uint8]:
    """Values mapped to 0…255, all channels alike; mid-grey where they are all equal."""
    low, high = float(values.min()), float(values.max())
    if high <= low:
        return np.full(values.shape, 127, np.uint8)
    return np.asarray((values - low) * (255 / (high - low)) + 0.5, np.uint8)
