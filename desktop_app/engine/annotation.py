"""`annotate`: a source in, an annotated video or pictures and a table of predictions out."""

from __future__ import annotations

import os
from collections.abc import Generator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Protocol

import cv2
import numpy as np
from numpy.typing import NDArray

from desktop_app.engine.flow import AnalysisSettings, Composed
from desktop_app.engine.offline import OfflineAnalysis
from desktop_app.errors import AgelensError
from desktop_app.media.recorder import Recorder
from desktop_app.media.sources import Source, SourceInfo, open_source
from desktop_app.vision.classifier import Classifier
from desktop_app.vision.finder import FaceFinder
from desktop_app.vision.predictions import PredictionWriter, face_rows
from models.catalogue import Catalogue

VIDEO_SUFFIXES: Final = (".mp4", ".mkv")
PICTURE_SUFFIXES: Final = (".png", ".jpg", ".jpeg", ".webp")


class AnnotationError(AgelensError):
    """What was asked for cannot be written."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AnnotationRequest(AnalysisSettings):
    """What to annotate and where to write it.

    Attributes:
        output: a video (`.mp4`, `.mkv`), a picture for a picture, or a folder for a folder of pictures; None for none.
        predictions: a table (`.csv`, `.jsonl`); None for none.
        overwrite: replace what is there.
    """

    output: Path | None = None
    predictions: Path | None = None
    overwrite: bool = False


@dataclass(frozen=True, slots=True)
class AnnotationProgress:
    """How far it is.

    Attributes:
        frames: done so far.
        total: frames of the source; None where unknown.
        faces: seen in the newest frame.
        notice: one sentence to pass on (a provider that fell back), or empty.
    """

    frames: int
    total: int | None
    faces: int
    notice: str = ""


class PictureSink(Protocol):
    """Takes finished pictures in order."""

    def write(self, composed: Composed) -> None:
        """Take the next picture."""
        ...

    def close(self) -> None:
        """Finish what was written."""
        ...


def annotate(request: AnnotationRequest) -> Generator[AnnotationProgress, None, None]:
    """Annotate a source to its end; what was written so far is kept whenever the iteration is left.

    Yields:
        The progress after each frame.

    Raises:
        AgelensError: source, model, provider or output cannot be used; nothing that existed was overwritten.
    """
    _check_outputs(request)
    package = Catalogue().find(request.model)
    with ExitStack() as stack:
        source = stack.enter_context(open_source(request.source, camera=request.camera))
        classifier = Classifier(package, provider=request.provider, oversample=request.oversample)
        finder = stack.enter_context(FaceFinder(request.detector, min_score=request.min_score))
        table: PredictionWriter | None = None
        if request.predictions is not None:
            table = PredictionWriter(request.predictions, overwrite=request.overwrite)
            stack.callback(table.close)
        analysis = OfflineAnalysis(classifier, finder, style=request.style, mirror=request.mirror)
        yield from _run(request, stack, source, analysis, table, classifier.notice)


def _run(
    request: AnnotationRequest,
    stack: ExitStack,
    source: Source,
    analysis: OfflineAnalysis,
    table: PredictionWriter | None,
    notice: str,
) -> Generator[AnnotationProgress, None, None]:
    sink: PictureSink | None = None
    frames = 0
    for composed in analysis.run(source):
        if request.output is not None:
            if sink is None:
                sink = _open_sink(request.output, source.info, composed, overwrite=request.overwrite)
                stack.callback(sink.close)
            sink.write(composed)
        frame = composed.frame
        rows = face_rows(frame.index, frame.captured_at, frame.origin, composed.tracks, composed.labels)
        if table is not None:
            table.write(rows)
        frames += 1
        yield AnnotationProgress(frames, source.info.frame_count, len(rows), notice)
    if frames == 0:
        raise AnnotationError(f"{request.source} holds no picture that could be read")
    damage = getattr(source, "notice", "")
    if damage:
        yield AnnotationProgress(frames, source.info.frame_count, 0, damage)


def _check_outputs(request: AnnotationRequest) -> None:
    """Say what is wrong before anything is opened, so that nothing half-done is left behind."""
    if request.output is None and request.predictions is None:
        raise AnnotationError("nothing to write: name a video with --output, a table with --predictions, or both")
    for path in (request.output, request.predictions):
        if path is None:
            continue
        if not path.parent.is_dir():
            raise AnnotationError(f"the folder {path.parent} does not exist; create it or choose another")
        if path.exists() and not request.overwrite:
            raise AnnotationError(f"{path} exists already; choose another name or add --overwrite")
        if not os.access(path.parent, os.W_OK):
            raise AnnotationError(f"the folder {path.parent} cannot be written to; choose another")
        if Path(request.source).exists() and path.exists() and path.samefile(request.source):
            raise AnnotationError(f"{path} is the source itself; choose another name")
    if request.output is not None and request.output == request.predictions:
        raise AnnotationError("--output and --predictions name the same file; choose two")


def _open_sink(output: Path, info: SourceInfo, composed: Composed, *, overwrite: bool) -> PictureSink:
    suffix = output.suffix.lower()
    if suffix in VIDEO_SUFFIXES:
        height, width = composed.picture.shape[:2]
        recorder = Recorder(output, width=width, height=height, rate=info.rate or 30.0, overwrite=overwrite)
        return VideoSink(recorder, still=info.kind in {"image", "folder"})
    if suffix in PICTURE_SUFFIXES and info.kind == "image":
        return PictureFileSink(output)
    if not suffix and info.kind == "folder":
        return PictureFolderSink(output)
    fitting = {"image": "a .png, .jpg or .webp picture, or ", "folder": "a folder (no suffix), or "}.get(info.kind, "")
    raise AnnotationError(f"{output.name} cannot hold this source's result; name {fitting}an .mp4 or .mkv video")


class VideoSink:
    """Pictures become a video with their media times; pictures that stand alone are shown a second each."""

    def __init__(self, recorder: Recorder, *, still: bool) -> None:
        self._recorder, self._still = recorder, still

    def write(self, composed: Composed) -> None:
        """Take the next picture."""
        frame = composed.frame
        self._recorder.write(composed.picture, float(frame.index) if self._still else frame.captured_at)

    def close(self) -> None:
        """Finish the video."""
        self._recorder.close()


class PictureFileSink:
    """One picture becomes one file."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def write(self, composed: Composed) -> None:
        """Write the picture."""
        write_picture(self._path, composed.picture)

    def close(self) -> None:
        """Nothing is open."""


class PictureFolderSink:
    """Each picture becomes a PNG named like the original, so that no two can collide."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        folder.mkdir(exist_ok=True)

    def write(self, composed: Composed) -> None:
        """Write the next picture."""
        name = Path(composed.frame.origin).name or f"{composed.frame.index:06d}"
        write_picture(self._folder / f"{name}.png", composed.picture)

    def close(self) -> None:
        """Nothing is open."""


def write_picture(path: Path, picture: NDArray[np.uint8]) -> None:
    """Write a picture (H×W×3 uint8, BGR) in the format of the file's suffix; any characters in the path.

    Raises:
        AnnotationError: it cannot be written.
    """
    done, encoded = cv2.imencode(path.suffix, picture)
    try:
        if not done:
            raise OSError("the picture cannot be encoded")
        path.write_bytes(encoded.tobytes())
    except OSError as error:
        raise AnnotationError(f"{path} cannot be written ({error.strerror or error}); choose another place") from error
