"""Baseline to compare with: one thread, both networks of the paper for every face of every frame, in sequence.

This is how the public webcam demos of age and gender networks work: read a frame, find the faces, cut each box out with
a border, run the age network, run the gender network, draw, next frame. Both networks are the shipped `levi-hassner`,
which has the paper's layers, asked once for age and once for gender.
"""

from __future__ import annotations

import statistics as averages
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Self

import cv2
import numpy as np
from numpy.typing import NDArray

from desktop_app.benchmark.offline import ROUNDS, BenchmarkError, OfflineBench
from desktop_app.catalogue.catalogue import Catalogue
from desktop_app.sources.opening import open_source
from desktop_app.vision.detection.blazeface import BlazeFaceDetector, Detection

PAPER_MODEL: Final = "levi-hassner"
INPUT_SIZE: Final = 227
_BORDER: Final = 20
_MEAN: Final = (78.426, 87.769, 114.896)
_GREEN: Final = (0, 255, 0)
_TRIALS: Final = 3

Network = Callable[[NDArray[np.float32]], NDArray[np.float32]]
"""Takes 1×3×227×227 float32 and gives 1×classes probabilities."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """The app and the usual way on one clip.

    Attributes:
        faces: in the clip.
        frames: that the app analysed in each round.
        usual_frames: that the usual way analysed in each round: it does the same on every frame, so a few do.
        fps: frames a second of the app, median of the rounds.
        usual_fps: frames a second of the usual way, median of the rounds.
        usual_faces: faces a frame that the usual way found.
        usual_runtime: what ran the usual way's networks, the faster of two.
        ratio: median of the rounds' ratios; the two run by turns in one process, so it holds on a busy machine, too.
    """

    faces: int
    frames: int
    usual_frames: int
    fps: float
    usual_fps: float
    usual_faces: float
    usual_runtime: str
    ratio: float


class PerFaceBaseline:
    """Detect; then for each face the paper's two networks one by one; then draw.

    It gets the benefit of the doubt: the app's own full-range detector, where demos take slower ones, and whichever of
    OpenCV's `dnn` (which they take) and ONNX Runtime, both with their own choice of threads, is faster here. Use it as
    a context manager.

    Args:
        stills: look a second time, with a border, at pictures in which no face is found.

    Attributes:
        runtime: which of the two that is.
    """

    def __init__(self, *, stills: bool = False) -> None:
        self._stills = stills
        self.runtime, self._networks = _faster_runtime()
        self._detector = BlazeFaceDetector("full")

    def step(self, image: NDArray[np.uint8]) -> int:
        """Analyse one picture (H×W×3 uint8, BGR) and draw into it; returns how many faces there are."""
        faces = self._detector.detect_still(image) if self._stills else self._detector.detect(image)
        for face in faces:
            age, gender = (int(network(_blob(image, face)).argmax()) for network in self._networks)
            _draw(image, face, f"{'MF'[gender]}, age group {age}")
        return len(faces)

    def seconds_for(self, spec: str, *, frames: int) -> tuple[float, list[int]]:
        """One run over the first frames of a source: the seconds it took, and the faces of each frame."""
        with open_source(spec) as source:
            faces: list[int] = []
            started = time.perf_counter()
            while len(faces) < frames and (frame := source.read()) is not None:
                faces.append(self.step(frame.image.copy()))
            return time.perf_counter() - started, faces

    def close(self) -> None:
        """Free the detector."""
        self._detector.close()

    def __enter__(self) -> Self:
        """Return itself."""
        return self

    def __exit__(self, *_: object) -> None:
        """Close it."""
        self.close()


def compare(
    bench: OfflineBench, usual: PerFaceBaseline, spec: str, *, faces: int, frames: int, rounds: int = ROUNDS
) -> Comparison:
    """Run the app and the usual way by turns over one clip.

    Args:
        bench: the app.
        usual: the usual way.
        spec: the clip.
        faces: in the clip.
        frames: for the app to analyse in each round.
        rounds: turns of each.

    Raises:
        SourceError: the clip cannot be read.
        BenchmarkError: it holds no frame.
    """
    few = max(round(frames / (4 * max(faces, 1))), 2)
    bench.warm_up(spec)
    usual.seconds_for(spec, frames=1)
    app_rates: list[float] = []
    usual_rates: list[float] = []
    found: list[int] = []
    counted: Sequence[int] = ()
    for _ in range(rounds):
        seconds, done = bench.seconds_for(spec, frames=frames)
        app_rates.append(done / seconds)
        seconds, counted = usual.seconds_for(spec, frames=few)
        if not counted:
            raise BenchmarkError(
                "Cannot measure with “{source}”: it contains no picture that can be read. Choose another source.",
                source=spec,
            )
        usual_rates.append(len(counted) / seconds)
        found += counted
    return Comparison(
        faces=faces,
        frames=done,
        usual_frames=len(counted),
        fps=averages.median(app_rates),
        usual_fps=averages.median(usual_rates),
        usual_faces=float(averages.mean(found)),
        usual_runtime=usual.runtime,
        ratio=averages.median(app / other for app, other in zip(app_rates, usual_rates, strict=True)),
    )


def _faster_runtime() -> tuple[str, list[Network]]:
    """Load both networks in both runtimes, run them in turn, and keep the faster pair."""
    package = Catalogue().find(PAPER_MODEL)
    asked = (package.manifest.age, package.manifest.gender)
    outputs = [(package.path.parent / output.file, output.tensor) for output in asked]
    candidates: dict[str, list[Network]] = {
        "OpenCV": [_load_in_opencv(file, tensor) for file, tensor in outputs],
        "ONNX Runtime": [_load_in_onnx_runtime(file, tensor) for file, tensor in outputs],
    }
    pixels = np.random.default_rng(0).normal(0, 50, (1, 3, INPUT_SIZE, INPUT_SIZE)).astype(np.float32)
    seconds: dict[str, list[float]] = {name: [] for name in candidates}
    for _ in range(_TRIALS + 1):
        for name, networks in candidates.items():
            started = time.perf_counter()
            networks[0](pixels)
            seconds[name].append(time.perf_counter() - started)
    # The first run of each allocates.
    fastest = min(candidates, key=lambda name: averages.median(seconds[name][1:]))
    return fastest, candidates[fastest]


def _load_in_opencv(file: Path, tensor: str) -> Network:
    network = cv2.dnn.readNetFromONNX(str(file))

    def run(pixels: NDArray[np.float32]) -> NDArray[np.float32]:
        network.setInput(pixels)
        return np.asarray(network.forward(tensor), np.float32)

    return run


def _load_in_onnx_runtime(file: Path, tensor: str) -> Network:
    import onnxruntime

    # As it comes, without the app's options.
    session = onnxruntime.InferenceSession(file, providers=["CPUExecutionProvider"])
    name = session.get_inputs()[0].name
    return lambda pixels: np.asarray(session.run([tensor], {name: pixels})[0], np.float32)


def _blob(image: NDArray[np.uint8], face: Detection) -> NDArray[np.float32]:
    """The box with a border, 1×3×227×227."""
    box, (height, width) = face.box, image.shape[:2]
    left, top = max(round(box.x) - _BORDER, 0), max(round(box.y) - _BORDER, 0)
    right, bottom = min(round(box.right) + _BORDER, width), min(round(box.bottom) + _BORDER, height)
    part = image[top : max(bottom, top + 1), left : max(right, left + 1)]
    return np.asarray(cv2.dnn.blobFromImage(part, 1.0, (INPUT_SIZE, INPUT_SIZE), _MEAN), np.float32)


def _draw(image: NDArray[np.uint8], face: Detection, text: str) -> None:
    box = face.box
    corner = round(box.x), round(box.y)
    cv2.rectangle(image, corner, (round(box.right), round(box.bottom)), _GREEN, 2)
    cv2.putText(image, text, (corner[0], corner[1] - 8), cv2.FONT_HERSHEY_SIMPLEX, 0.8, _GREEN, 2, cv2.LINE_AA)
