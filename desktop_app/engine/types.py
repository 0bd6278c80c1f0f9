"""Data that travels between the steps of the pipeline and to front ends."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, Literal

import numpy as np
from numpy.typing import NDArray

from desktop_app.catalogue.catalogue import ModelChoice
from desktop_app.messages import Message
from desktop_app.sources.base import PictureFile
from desktop_app.sources.excerpt import Excerpt
from desktop_app.sources.frame import Frame
from desktop_app.sources.opening import CameraOptions, SourceInfo
from desktop_app.vision.classification.label import Label
from desktop_app.vision.detection.near_faces import DetectorMode
from desktop_app.vision.drawing.canvas import Canvas
from desktop_app.vision.drawing.label_layout import LabelPlaces
from desktop_app.vision.drawing.overlay import OverlayStyle, draw_overlay
from desktop_app.vision.drawing.view import draw_view
from desktop_app.vision.geometry import Line
from desktop_app.vision.privacy.concealment import PrivacyMode
from desktop_app.vision.tracking.tracker import Track

SourceState = Literal["idle", "connecting", "live", "paused", "reconnecting", "ended", "failed", "stopped"]
RecordingState = Literal["idle", "recording", "paused", "finishing", "failed"]
UNFINISHED: Final[frozenset[RecordingState]] = frozenset({"recording", "paused", "finishing"})
"""States of a recording that still writes, or will."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AnalysisSettings:
    """What to look at, and how: the same for the window, `annotate` and `benchmark`.

    Attributes:
        source: what `open_source` takes.
        camera: format asked of a camera.
        choice: the model, and how it runs.
        mirror: show the picture as a mirror does.
        detector: which of MediaPipe's two models looks for faces; `auto` uses both as needed.
        min_score: faces below this detector score (0 to 1) are left out.
        style: what is drawn.
        lines: whose crossings are counted, in the picture as the source gives it.
        excerpt: the part of the source to look at; the window looks at all of it.
        hardware_decoding: let a device decode films, if one can.
    """

    source: str = "demo"
    camera: CameraOptions = field(default_factory=CameraOptions)
    choice: ModelChoice = field(default_factory=ModelChoice)
    mirror: bool = False
    detector: DetectorMode = "auto"
    min_score: float = 0.5
    style: OverlayStyle = field(default_factory=OverlayStyle)
    lines: tuple[Line, ...] = ()
    excerpt: Excerpt = field(default_factory=Excerpt)
    hardware_decoding: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionSettings(AnalysisSettings):
    """What a session is started with.

    Attributes:
        loop: start a finite source again at its end.
        paused: show the first frame of a finite source, and hold it.
    """

    loop: bool = True
    paused: bool = False


@dataclass(frozen=True, slots=True)
class CropBatch:
    """Crops of one frame on their way to the classifier.

    Attributes:
        track_ids: whose they are.
        crops: N×S×S×3 uint8, BGR.
        mirrored: which of them are mirror images.
        weights: how much each says about its face, see `crop_weight`.
        captured_at: the frame's time in seconds.
        generation: counts seeks and source changes; answers to an older generation are thrown away.
    """

    track_ids: tuple[int, ...]
    crops: NDArray[np.uint8]
    mirrored: tuple[bool, ...]
    weights: tuple[float, ...]
    captured_at: float
    generation: int


class _DrawnOnce:
    """Keeps a picture that several threads may ask for, once the first of them has drawn it."""

    __slots__ = ("_lock", "_picture")

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._picture: NDArray[np.uint8] | None = None

    def get(self, draw: Callable[[], NDArray[np.uint8]]) -> NDArray[np.uint8]:
        """The picture."""
        with self._lock:
            if self._picture is None:
                self._picture = draw()
            return self._picture


@dataclass(frozen=True, slots=True)
class RenderedFrame:
    """A picture and what is shown over it: screen, recording, screenshot and CSV cannot disagree.

    The overlay is drawn where the picture ends up, from the same data: over the scaled picture in a window (`view`),
    over the picture in its own size in files (`annotated`).

    Attributes:
        picture: H×W×3 uint8, BGR, without overlay: what is to be hidden is hidden, mirrored if asked; never written to.
        frame: the frame that it was made from, never mirrored; its pixels are not hidden and must not be shown or kept.
        tracks: the faces, in pixels of `picture`.
        labels: what is said of them by track id; a face without an answer yet is not in it.
        crops: newest crop of each visible face, S×S×3 uint8 BGR: as the classifier sees it, or hidden like the picture.
        taken_at: monotonic seconds when the frame left its source.
        rendered_at: monotonic seconds when the picture was finished.
        privacy: what is hidden in `picture`.
        style: what is drawn over it.
        places: where the labels lie in files, from picture to picture.
        mirrored: `picture` is the mirror image of the frame.
    """

    picture: NDArray[np.uint8]
    frame: Frame
    tracks: tuple[Track, ...]
    labels: Mapping[int, Label]
    crops: Mapping[int, NDArray[np.uint8]]
    taken_at: float
    rendered_at: float
    privacy: PrivacyMode = "off"
    style: OverlayStyle = field(default_factory=OverlayStyle)
    places: LabelPlaces = field(default_factory=LabelPlaces, compare=False, repr=False)
    mirrored: bool = False
    _annotated: _DrawnOnce = field(default_factory=_DrawnOnce, init=False, compare=False, repr=False)

    def annotated(self) -> NDArray[np.uint8]:
        """The picture in its own size with the overlay drawn, H×W×3 uint8 BGR, for files; not to be written to."""
        return self._annotated.get(self._annotate)

    def view(self, canvas: Canvas, places: LabelPlaces, *, expanded: int | None = None) -> NDArray[np.uint8]:
        """A part of the picture, scaled, with the overlay drawn at that scale, H×W×4 uint8 BGRA, for the screen.

        Args:
            canvas: the part and its size on the screen.
            places: where the labels lay on the screen before; keeps those of this picture.
            expanded: id of the track whose label is drawn in full, over all else.
        """

        def draw(image: NDArray[np.uint8], canvas: Canvas) -> None:
            self._draw(image, canvas, places, expanded)

        return draw_view(self.picture, canvas, draw)

    def _annotate(self) -> NDArray[np.uint8]:
        image = self.picture.copy()
        self._draw(image, None, self.places, None)
        return image

    def _draw(self, image: NDArray[np.uint8], canvas: Canvas | None, places: LabelPlaces, expanded: int | None) -> None:
        draw_overlay(
            image,
            self.tracks,
            self.labels,
            self.style,
            hidden=self.privacy,
            canvas=canvas,
            places=places,
            at=self.frame.captured_at,
            expanded=expanded,
        )


@dataclass(frozen=True, slots=True)
class SessionStatus:
    """How a session is doing.

    Attributes:
        state: of the source.
        message: what there is to say of the state.
        info: the open source.
        model: name of the model in use; empty while it loads.
        provider: the execution provider in use.
        notice: what there is to say of the model or the provider (a fall-back, a model that could not be used) or of
            the source (what could not be read).
    """

    state: SourceState = "idle"
    message: Message | None = None
    info: SourceInfo | None = None
    model: str = ""
    provider: str = ""
    notice: Message | None = None


@dataclass(frozen=True, slots=True)
class RecordingStatus:
    """How a recording is doing.

    Attributes:
        state: `failed` keeps `message` and `path` until the next recording starts.
        path: the video file.
        frames: pictures written.
        duration_s: length in seconds, pauses left out.
        size_bytes: on disk so far; 0 after the end where there is no file at `path`.
        dropped: pictures that the encoder was too slow for.
        message: why it went wrong or ended by itself.
        started_at: when it began, in seconds of the monotonic clock; distinguishes recordings of one name.
    """

    state: RecordingState = "idle"
    path: Path | None = None
    frames: int = 0
    duration_s: float = 0.0
    size_bytes: int = 0
    dropped: int = 0
    message: Message | None = None
    started_at: float = 0.0


@dataclass(frozen=True, slots=True)
class PlaybackPosition:
    """Where a source is.

    Attributes:
        index: of the frame that was shown last.
        time_s: its media time in seconds.
        frame_count: None for live sources.
        duration_s: None for live sources.
        paused: whether it stands still.
        speed: 1.0 is the source's own.
        loop: whether it starts again at its end.
        seekable: whether `seek` and `step` do something.
        pictures: the files of a folder, see `SourceInfo.pictures`.
        entry: the place in a playlist that is shown, or was chosen last; all else is about the entry that is shown.
        entries: the files of a playlist, see `SourceInfo.entries`.
    """

    index: int = 0
    time_s: float = 0.0
    frame_count: int | None = None
    duration_s: float | None = None
    paused: bool = False
    speed: float = 1.0
    loop: bool = True
    seekable: bool = False
    pictures: tuple[PictureFile, ...] = ()
    entry: int = 0
    entries: tuple[Path, ...] = ()
