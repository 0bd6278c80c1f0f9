"""The analysis as an object: faces of pictures and films, for other programs."""

from __future__ import annotations

import threading
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from desktop_app.analytics.audience import summarise
from desktop_app.analytics.crossings import MAX_LINES
from desktop_app.analytics.visits import Visit, VisitLog
from desktop_app.catalogue.catalogue import Labels, Manifest, ModelChoice
from desktop_app.closeable import Closeable
from desktop_app.engine.audience_files import REPORT_SUFFIXES, report_bytes
from desktop_app.engine.offline import OfflineAnalysis
from desktop_app.engine.types import RenderedFrame
from desktop_app.output.late_file import LateFile
from desktop_app.output.people import people_table
from desktop_app.output.tables import TABLE_SUFFIXES, check_format
from desktop_app.sources.base import SourceBase, SourceError, SourceInfo
from desktop_app.sources.frame import Frame
from desktop_app.sources.opening import Source, open_source
from desktop_app.vision.classification.classifier import Classifier
from desktop_app.vision.classification.label import Label
from desktop_app.vision.classification.years import Years
from desktop_app.vision.detection.face_detector import FaceDetector
from desktop_app.vision.detection.near_faces import DetectorMode
from desktop_app.vision.drawing.overlay import OverlayStyle, draw_overlay
from desktop_app.vision.geometry import Box, Landmarks, Line
from desktop_app.vision.tracking.tracker import Track

Picture = NDArray[np.uint8] | str | Path
"""A picture: H×W×3 uint8, BGR as OpenCV has it, or the path of a file."""

_PLAIN: Final = OverlayStyle(boxes=False, names=False, ages=False, genders=False)
_DRAWN: Final = OverlayStyle()


@dataclass(frozen=True, slots=True, repr=False)
class Face:
    """One face in one picture.

    Attributes:
        track: the face as it is followed: its number, box and landmarks.
        label: what is said of it; None where there is no answer yet.
        classes: the age groups and genders that the answer chooses among.
    """

    track: Track
    label: Label | None
    classes: Labels

    @property
    def id(self) -> int:
        """The same number for the same face in all frames of a film; it identifies nobody."""
        return self.track.id

    @property
    def box(self) -> Box:
        """Where the face is, in pixels of the picture: `x`, `y`, `width`, `height`; may reach beyond the picture."""
        return self.track.detection.box

    @property
    def landmarks(self) -> Landmarks:
        """Eyes, nose, mouth and ears, in pixels of the picture."""
        return self.track.detection.landmarks

    @property
    def score(self) -> float:
        """How sure the detector is that this is a face, 0 to 1."""
        return self.track.detection.score

    @property
    def age(self) -> str | None:
        """Name of the most probable age group, as in `Analyzer.labels`; None where there is no answer yet."""
        return self.label.age if self.label else None

    @property
    def age_confidence(self) -> float | None:
        """Probability of that age group, 0 to 1."""
        return self.label.age_confidence if self.label else None

    @property
    def age_shown(self) -> str | None:
        """What to show: the age group; a span of groups, or "?", where that is unsure."""
        return self.label.age_answer.shown if self.label else None

    @property
    def years(self) -> Years | None:
        """The expected age and a range, in years: `expected`, `low`, `high`; None where there is no answer yet."""
        return self.label.years if self.label else None

    @property
    def gender(self) -> str | None:
        """Name of the most probable perceived gender; None where there is no answer, or gender is not computed."""
        return (self.label.gender or None) if self.label else None

    @property
    def gender_confidence(self) -> float | None:
        """Probability of that gender, 0 to 1."""
        return self.label.gender_confidence if self.label and self.label.gender else None

    @property
    def gender_shown(self) -> str | None:
        """What to show: the perceived gender, or "?" where that is unsure."""
        return self.label.gender_answer.shown if self.label and self.label.gender_answer else None

    @property
    def unsure(self) -> str:
        """What is too improbable to be shown as it is: "age", "gender", "age gender", or "" for none."""
        return self.label.unsure if self.label else ""

    @property
    def ages(self) -> dict[str, float]:
        """Probability of each age group, by name; they sum to 1. Empty where there is no answer."""
        names = [one.name for one in self.classes.ages]
        return _named(names, self.label.prediction.age) if self.label else {}

    @property
    def genders(self) -> dict[str, float]:
        """Probability of each gender, by name; they sum to 1. Empty where there is no answer, or it is not computed."""
        return _named(self.classes.genders, self.label.prediction.gender) if self.label else {}

    def __repr__(self) -> str:
        x, y, width, height = (round(value) for value in (self.box.x, self.box.y, self.box.width, self.box.height))
        return f"Face({self.id}, {self.age_shown!r}, {self.gender_shown!r}, x={x}, y={y}, {width}×{height})"


@dataclass(frozen=True, slots=True)
class Result:
    """A picture, or a frame of a film, and its faces.

    Attributes:
        index: number of the frame or picture, from 0.
        time_s: moment of the frame in seconds from the beginning; 0 for pictures.
        file: name of the file, where there is one.
        image: H×W×3 uint8, BGR; do not write into it.
        faces: those that the picture shows.
        still: a picture that stands alone: its faces are those of no other picture, and time means nothing.
        manifest: of the model: its classes and measured errors.
    """

    index: int
    time_s: float
    file: str
    image: NDArray[np.uint8] = field(repr=False)
    faces: tuple[Face, ...]
    still: bool
    manifest: Manifest = field(repr=False)


class Analyzer(Closeable):
    """Finds faces and says which age group and perceived gender they look like, on this machine alone.

    Loads the model once, so make one and keep it. It works on one picture or film at a time, and should be used on the
    thread that it was made on; for several threads make one each. Close it, or use it in a `with` statement.

    Args:
        model: name of a model of `agelens models`, or its file; the default model where it is empty.
        provider: what runs the network: `auto`, or one of `cpu`, `cuda`, `directml`, `coreml`, `openvino`.
        oversample: average ten views of each face, which is slower.
        gender: whether to compute perceived gender.
        min_score: faces of which the detector is less sure than that (0 to 1) are left out.
        detector: `auto`, or the only one of MediaPipe's models (`short`, `full`) that is to look at films.

    Raises:
        AgelensError: there is no such model or provider, or it cannot be used.
    """

    def __init__(
        self,
        model: str | Path = "",
        *,
        provider: str = "auto",
        oversample: bool = False,
        gender: bool = True,
        min_score: float = 0.5,
        detector: DetectorMode = "auto",
    ) -> None:
        choice = ModelChoice(model=str(model), provider=provider, oversample=oversample, gender=gender)
        self._classifier = Classifier.of(choice)
        self._new_detector: Callable[[], FaceDetector] = lambda: FaceDetector(detector, min_score=min_score)
        self._stills: FaceDetector | None = None
        self._working = threading.Lock()
        self._closed = False

    @property
    def labels(self) -> Labels:
        """The age groups (`ages`, with `name`, `low` and `high` in years) and `genders` of the model."""
        return self._classifier.labels

    @property
    def manifest(self) -> Manifest:
        """All that is known of the model: licence, data, measured errors, checksums."""
        return self._classifier.package.manifest

    def analyze(self, picture: Picture) -> tuple[Face, ...]:
        """The faces of one picture.

        Args:
            picture: H×W×3 uint8, BGR as OpenCV has it, or the path of a file.

        Raises:
            AgelensError: the file cannot be read, or the network failed.
            ValueError: the array has another shape or type.
        """
        with closing(self.analyze_all([picture])) as results:
            return next(results).faces

    def analyze_all(self, pictures: Iterable[Picture]) -> Generator[Result, None, None]:
        """The faces of many pictures that have nothing to do with each other; faster than one by one.

        Pictures are read ahead on another thread while those before are worked on.

        Args:
            pictures: as for `analyze`; taken one after the other, so they need not all fit into memory.

        Yields:
            One result a picture, in order.

        Raises:
            AgelensError: a file cannot be read, or the network failed.
            ValueError: an array has another shape or type.
        """
        with self._busy():
            self._stills = self._stills or self._new_detector()
            yield from self._results(_Pictures(pictures), self._stills)

    def stream(self, source: str | Path) -> Generator[Result, None, None]:
        """The frames of a film, camera, folder or stream, each with its faces; none is left out of a file.

        Leaving the loop early closes the source as soon as the iterator is gone; `contextlib.closing` does it at once.

        Args:
            source: a video or picture file, a folder of pictures, a camera's index or name, an `http(s)://` or
                `rtsp://` address, or `demo`.

        Yields:
            One result a frame, in order.

        Raises:
            AgelensError: the source cannot be opened or read on, or the network failed.
        """
        with self._busy(), ExitStack() as stack:
            opened = stack.enter_context(open_source(str(source)))
            yield from self._results(opened, stack.enter_context(self._new_detector()))

    def close(self) -> None:
        """Let go of the detectors; does nothing the second time."""
        self._closed = True
        if self._stills is not None:
            self._stills.close()
            self._stills = None

    def _results(self, source: Source, detector: FaceDetector) -> Iterator[Result]:
        analysis = OfflineAnalysis(self._classifier, detector, style=_PLAIN)
        began_at: float | None = None
        for rendered in analysis.run(source):
            if began_at is None:
                began_at = rendered.frame.captured_at if source.info.live else 0.0
            yield self._result(rendered, began_at)

    def _result(self, rendered: RenderedFrame, began_at: float) -> Result:
        frame, labels = rendered.frame, rendered.labels
        seen = [track for track in rendered.tracks if track.missed == 0]
        faces = tuple(Face(track, labels.get(track.id), self.labels) for track in seen)
        time_s = 0.0 if frame.alone else frame.captured_at - began_at
        return Result(frame.index, time_s, frame.origin, frame.image, faces, frame.alone, self.manifest)

    @contextmanager
    def _busy(self) -> Iterator[None]:
        if self._closed:
            raise RuntimeError("this Analyzer is closed: make a new one")
        if not self._working.acquire(blocking=False):
            raise RuntimeError("this Analyzer works on something else: finish or close that iterator, or make another")
        try:
            yield
        finally:
            self._working.release()


def draw(result: Result, *, style: OverlayStyle = _DRAWN) -> NDArray[np.uint8]:
    """A picture with its boxes and labels, as the window and `annotate` draw them.

    Args:
        result: the picture and its faces.
        style: what is drawn. Where it asks to hide faces, the whole picture is hidden, as a result does not know where
            faces are that were not labelled.

    Returns:
        A new H×W×3 uint8 picture, BGR.
    """
    picture = result.image.copy()
    labels = {face.id: face.label for face in result.faces if face.label is not None}
    draw_overlay(picture, [face.track for face in result.faces], labels, style)
    return picture


def visits(results: Iterable[Result], *, lines: Sequence[Line] = ()) -> tuple[Visit, ...]:
    """Who was there, when and how long: one visit a face, from its first sighting to its last.

    Args:
        results: of one `stream` or `analyze_all`; pictures are not kept, so a film of any length will do.
        lines: two at the most; each visit's `crossings` say how often its face went over each of them, in their order.
            Pictures that stand alone have no crossings.

    Raises:
        ValueError: there are more lines, or one is too short or not in the picture.
    """
    seen = _collect(results, lines)
    return seen.log.visits(seen.manifest.labels) if seen.manifest is not None else ()


def report(
    results: Iterable[Result],
    path: str | Path,
    *,
    source: str = "",
    overwrite: bool = False,
    lines: Sequence[Line] = (),
) -> None:
    """Write the counts of an audience with their uncertainty; nothing in the file is about a single face.

    Args:
        results: of one `stream` or `analyze_all`.
        path: a page (`.html`), or values (`.json`).
        source: what the report calls the source; the name of the first file where it is empty.
        overwrite: replace an existing file.
        lines: whose crossings are counted, as for `visits`.

    Raises:
        AgelensError: the file cannot be written.
        ValueError: the name has another suffix, there are no results, or the lines are not as for `visits`.
    """
    target = _checked(path, REPORT_SUFFIXES)
    seen = _collect(results, lines)
    if seen.manifest is None:
        raise ValueError("there are no results to report on")
    audience = summarise(
        seen.log.visits(seen.manifest.labels),
        seen.manifest,
        frames=seen.log.frames,
        duration_s=seen.log.duration_s,
        lines=lines,
    )
    content = report_bytes(audience, seen.manifest, source=source or seen.file, suffix=target.suffix.lower())
    LateFile(target, lambda: content, overwrite=overwrite).close()


def write_people(visited: Sequence[Visit], path: str | Path, *, labels: Labels, overwrite: bool = False) -> None:
    """Write one row a visit, as `annotate --people` does.

    Args:
        visited: what `visits` gives.
        path: `.csv`, `.jsonl` or `.parquet`.
        labels: `Analyzer.labels`.
        overwrite: replace an existing file.

    Raises:
        AgelensError: the file cannot be written, or the package for Parquet is not installed.
        ValueError: the name has another suffix.
    """
    target = _checked(path, TABLE_SUFFIXES)
    check_format(target)
    LateFile(target, lambda: people_table(visited, labels, target.suffix.lower()), overwrite=overwrite).close()


@dataclass(slots=True)
class _Collected:
    log: VisitLog
    manifest: Manifest | None = None
    file: str = ""


def _collect(results: Iterable[Result], lines: Sequence[Line]) -> _Collected:
    if len(lines) > MAX_LINES:
        raise ValueError(f"there are {len(lines)} lines: crossings of {MAX_LINES} at the most are counted")
    for line in lines:
        if not line.is_valid:
            raise ValueError(f"{line} is too short, or not in the picture: its ends must be shares from 0 to 1")
    seen = _Collected(VisitLog(lines))
    for result in results:
        if seen.manifest is None:
            seen.manifest, seen.file = result.manifest, result.file
        labels = {face.id: face.label for face in result.faces if face.label is not None}
        tracks = [face.track for face in result.faces]
        height, width = result.image.shape[:2]
        seen.log.add(
            result.index, result.time_s, result.file, tracks, labels, still=result.still, width=width, height=height
        )
    return seen


def _checked(path: str | Path, suffixes: Sequence[str]) -> Path:
    path = Path(path)
    if path.suffix.lower() not in suffixes:
        raise ValueError(f"the name must end in {' or '.join(suffixes)}, not as “{path.name}” does")
    return path


def _named(names: Sequence[str], values: NDArray[np.float32]) -> dict[str, float]:
    return {name: float(value) for name, value in zip(names, values, strict=False)}


class _Pictures(SourceBase):
    """Pictures from memory and from files as a source, read one after the other."""

    def __init__(self, pictures: Iterable[Picture]) -> None:
        self._pictures = iter(pictures)
        self._index = 0

    @property
    def info(self) -> SourceInfo:
        """Pictures without an end that is known."""
        return SourceInfo("folder", "pictures", "", 0, 0, 0.0, None, live=False)

    def read(self) -> Frame | None:
        """The next picture, one second of media time after the one before."""
        picture = next(self._pictures, None)
        if picture is None:
            return None
        index, self._index = self._index, self._index + 1
        if isinstance(picture, str | Path):
            return replace(_read(Path(picture)), index=index, captured_at=float(index), alone=True)
        return Frame(_as_image(picture), index, float(index), alone=True)

    def skip(self, count: int) -> int:
        """Skips none."""
        del count
        return 0

    def seek(self, index: int) -> None:
        """Pictures come once, in their order."""

    def close(self) -> None:
        """Nothing is open."""


def _read(path: Path) -> Frame:
    # As an absolute path it is never taken for a camera or an address.
    with open_source(str(path.expanduser().absolute())) as source:
        frame = source.read() if source.info.kind == "image" else None
    if frame is None:
        raise SourceError("Cannot open “{path}”: it is not one picture. Use `stream` for films and folders.", path=path)
    return frame


def _as_image(picture: NDArray[np.uint8]) -> NDArray[np.uint8]:
    if picture.dtype != np.uint8 or picture.ndim != 3 or picture.shape[2] != 3 or not picture.size:
        raise ValueError(f"a picture must be H×W×3 uint8 in BGR order, not {picture.shape} {picture.dtype}")
    return np.ascontiguousarray(picture)
