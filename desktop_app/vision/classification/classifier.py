"""Age group and perceived gender of face crops, with ONNX Runtime."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from desktop_app.catalogue.catalogue import Catalogue, Labels, ModelChoice, ModelError, ModelPackage
from desktop_app.errors import MAX_REASON, reason_of
from desktop_app.messages import Message
from desktop_app.paths import MODELS_FOLDER
from desktop_app.vision.classification.network_trial import try_network
from desktop_app.vision.classification.providers import open_sessions, run_options
from desktop_app.vision.face_alignment import CROP_SIZE, OVERSAMPLE_SIZE
from desktop_app.vision.preprocessing import Preprocessing, ten_views

MAX_BATCH: Final = 8
"""Inputs a run: bounds the memory of a crowd or of ten views a face."""
TRIED_BATCHES: Final = (1, 2, 3)
"""A network that runs one face need not run two."""


@dataclass(frozen=True, slots=True)
class Prediction:
    """What the networks say of one crop.

    Attributes:
        age: float32 probabilities, one an age label, that sum to 1.
        gender: float32 probabilities, one a gender label, that sum to 1; empty where gender is not computed.
    """

    age: NDArray[np.float32]
    gender: NDArray[np.float32]


class Classifier:
    """A model ready to classify crops.

    It may be used from one thread at a time.

    Args:
        package: the model.
        provider: `auto` for the best execution provider that really loads, or one of `cpu`, `cuda`, `directml`,
            `coreml`, `openvino`.
        oversample: average ten views (four corners, centre, each mirrored) of a 256×256 crop instead of taking the
            centre alone (Levi and Hassner 2015).
        threads: CPU threads of ONNX Runtime; 0 lets it leave half the cores to capture and detection.
        gender: whether perceived gender is computed; without it the gender head, or network, does not run at all.

    Raises:
        ModelError: the network cannot be loaded or is not what its manifest says.
        ProviderError: the provider that was asked for is not there.
    """

    def __init__(
        self,
        package: ModelPackage,
        *,
        provider: str = "auto",
        oversample: bool = False,
        threads: int = 0,
        gender: bool = True,
    ) -> None:
        self._package = package
        self._oversample = oversample
        self._outputs = (package.manifest.age, package.manifest.gender) if gender else (package.manifest.age,)
        self._preprocess = Preprocessing(package.input, package.mean_image())
        files = tuple(dict.fromkeys(package.path.parent / output.file for output in self._outputs))
        for file in files if package.path.parent.resolve() != MODELS_FOLDER else ():
            try_network(file, package.manifest.files[file.name])
        opened = open_sessions(files, provider=provider, threads=threads)
        self._sessions = dict(zip(files, opened.sessions, strict=True))
        self._run_options = run_options()
        self._provider, self._notice = opened.provider, opened.notice
        self._check()
        self._warm_up()

    @classmethod
    def of(cls, choice: ModelChoice, *, threads: int = 0) -> Classifier:
        """The model that was chosen; `threads` as for the class.

        Raises:
            ModelError: there is no such model, or it cannot be used.
            ProviderError: the provider that was chosen is not there.
        """
        package = Catalogue().find(choice.model)
        return cls(
            package,
            provider=choice.provider,
            oversample=choice.oversample,
            threads=threads,
            gender=choice.gender,
        )

    @property
    def package(self) -> ModelPackage:
        """The model in use."""
        return self._package

    @property
    def labels(self) -> Labels:
        """The classes, in the order of the probabilities."""
        return self._package.labels

    @property
    def oversample(self) -> bool:
        """Whether ten views of each crop are averaged."""
        return self._oversample

    @property
    def crop_size(self) -> int:
        """Side of the crops to hand in: the network's input, or what ten views of it are taken from."""
        size = self._package.input.size
        return round(size * OVERSAMPLE_SIZE / CROP_SIZE) if self._oversample else size

    @property
    def margin(self) -> float:
        """Side of the crop over the side of the detector's box."""
        return self._package.input.margin * self.crop_size / self._package.input.size

    @property
    def provider(self) -> str:
        """The execution provider that is really used."""
        return self._provider

    @property
    def notice(self) -> Message | None:
        """Where `auto` had to fall back from something better."""
        return self._notice

    def classify(self, crops: NDArray[np.uint8]) -> list[Prediction]:
        """Classify a batch of crops.

        Args:
            crops: N×S×S×3 uint8, BGR, with S = `crop_size`; N may be 0.

        Returns:
            One prediction a crop, in their order.

        Raises:
            ValueError: the crops have another shape.
            ModelError: the network failed, for example because the device or the memory is gone.
        """
        size = self.crop_size
        if crops.ndim != 4 or crops.shape[1:] != (size, size, 3):
            raise ValueError(f"crops must be N×{size}×{size}×3, not {crops.shape}")
        views = ten_views(crops, self._package.input.size) if self._oversample else crops
        per_crop = len(views) // len(crops) if len(crops) else 1
        try:
            answers = [self._run(views[start : start + MAX_BATCH]) for start in range(0, len(views), MAX_BATCH)]
        except Exception as error:
            # ONNX Runtime raises many kinds.
            raise ModelError(
                "Cannot classify faces: the network of the model “{model}” failed on {provider} ({reason}). Choose "
                "another "
                "model or provider.",
                model=self._package.name,
                provider=self._provider,
                reason=reason_of(error),
            ) from error
        if not answers:
            return []
        ages, genders = (
            np.concatenate(parts).reshape(len(crops), per_crop, -1).mean(axis=1) for parts in zip(*answers, strict=True)
        )
        return [Prediction(age, gender) for age, gender in zip(ages, genders, strict=True)]

    def _run(self, views: NDArray[np.uint8]) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        pixels = self._preprocess(views)
        manifest, folder = self._package.manifest, self._package.path.parent
        wanted: dict[str, list[str]] = {}
        for output in self._outputs:
            wanted.setdefault(output.file, []).append(output.tensor)
        values: dict[tuple[str, str], NDArray[np.float32]] = {}
        for file, tensors in wanted.items():
            session = self._sessions[folder / file]
            results = session.run(tensors, {session.get_inputs()[0].name: pixels}, self._run_options)
            values.update({(file, tensor): result for tensor, result in zip(tensors, results, strict=True)})
        labels = self._package.labels
        logits = [
            values[output.file, output.tensor].reshape(len(views), count)
            for output, count in zip(self._outputs, (len(labels.ages), len(labels.genders)), strict=False)
        ]
        softened = manifest.activation == "softmax"
        age, *genders = (softmax(one) if softened else one.astype(np.float32) for one in logits)
        return age, genders[0] if genders else np.zeros((len(views), 0), np.float32)

    def _check(self) -> None:
        try:
            self._check_tensors()
        except UnicodeDecodeError:
            raise self._invalid(Message("the names in its network are not UTF-8 text")) from None

    def _check_tensors(self) -> None:
        manifest, folder = self._package.manifest, self._package.path.parent
        size = manifest.input.size
        for session in self._sessions.values():
            inputs = session.get_inputs()
            shape = list(inputs[0].shape) if inputs else []
            if len(inputs) != 1 or shape[1:] != [3, size, size] or isinstance(shape[0], int):
                taken = _shortened(str(shape)) if shape else Message("nothing")
                raise self._invalid(Message("its network takes {taken}, not N×3×{size}×{size}", taken=taken, size=size))
            if inputs[0].type != "tensor(float)":
                raise self._invalid(Message("its network takes {taken}, not float32", taken=inputs[0].type))
        for output, kind, count in (
            (manifest.age, Message("age"), len(manifest.labels.ages)),
            (manifest.gender, Message("gender"), len(manifest.labels.genders)),
        )[: len(self._outputs)]:
            tensors = {one.name: one for one in self._sessions[folder / output.file].get_outputs()}
            if output.tensor not in tensors:
                raise self._invalid(
                    Message(
                        "“{file}” has no output “{output}” but {names}",
                        file=output.file,
                        output=output.tensor,
                        names=_shortened(", ".join(tensors)),
                    )
                )
            classes = _classes(tensors[output.tensor])
            if classes != count:
                raise self._invalid(
                    Message(
                        "it lists {count} {kind} labels but the network answers with {classes}",
                        count=count,
                        kind=kind,
                        classes=classes,
                    )
                )

    def _warm_up(self) -> None:
        size = self._package.input.size
        for count in TRIED_BATCHES:
            try:
                answers = self._run(np.full((count, size, size, 3), 127, np.uint8))[: len(self._outputs)]
            except Exception as error:
                raise self._invalid(
                    Message("its network does not run on %n face(s) ({reason})", None, count, reason=reason_of(error))
                ) from error
            for probabilities in answers:
                sums = probabilities.sum(axis=1)
                if not np.isfinite(probabilities).all() or (np.abs(sums - 1) > 1e-2).any():
                    raise self._invalid(Message("its network's answers are not probabilities"))

    def _invalid(self, reason: Message) -> ModelError:
        return ModelError(
            "Cannot use the model “{model}” ({path}): {reason}. Choose another model.",
            model=self._package.name,
            path=self._package.path,
            reason=reason,
        )


def classify_both_sides(classifier: Classifier, crops: NDArray[np.uint8]) -> list[Prediction]:
    """The means of the answers to crops (N×S×S×3, as for `Classifier.classify`) and to their mirror images.

    The ten views of a classifier that over-samples hold both sides already.
    """
    if classifier.oversample:
        return classifier.classify(crops)
    half = np.float32(0.5)
    pairs = zip(classifier.classify(crops), classifier.classify(crops[:, :, ::-1]), strict=True)
    return [Prediction((one.age + other.age) * half, (one.gender + other.gender) * half) for one, other in pairs]


def softmax(logits: NDArray[np.float32]) -> NDArray[np.float32]:
    """Probabilities along the last axis of logits of any shape (…×K), float32."""
    shifted = np.exp(logits - logits.max(axis=-1, keepdims=True))
    return np.asarray(shifted / shifted.sum(axis=-1, keepdims=True), np.float32)


def _classes(tensor: Any) -> int:
    sizes = [size for size in tensor.shape[1:] if isinstance(size, int)]
    return int(np.prod(sizes)) if sizes else -1


def _shortened(text: str) -> str:
    return text if len(text) <= MAX_REASON else f"{text[:MAX_REASON]}…"
