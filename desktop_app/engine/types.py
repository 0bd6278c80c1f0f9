"""Data that travels between the steps of the pipeline and to front ends."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, Literal

import numpy as np
from numpy.typing import NDArray

from desktop_app.catalogue.catalogue import ModelChoice
from desktop_app.messages import Message
from desktop_app.sources.frame import Frame
from desktop_app.sources.opening import CameraOptions, SourceInfo
from desktop_app.vision.classification.label import Label
from desktop_app.vision.detection.face_detector import DetectorMode
from desktop_app.vision.drawing.overlay import OverlayStyle
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
    """

    source: str = "demo"
    camera: CameraOptions = field(default_factory=CameraOptions)
    choice: ModelChoice = field(default_factory=ModelChoice)
    mirror: bool = False
    detector: DetectorMode = "auto"
    min_score: float = 0.5
    style: OverlayStyle = field(default_factory=OverlayStyle)


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionSettings(AnalysisSettings):
    """What a session is started with.

    Attributes:
        loop: start a finite source again at its end.
    """

    loop: bool = True


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


@dataclass(frozen=True, slots=True)
class RenderedFrame:
    """A finished picture and what it shows: screen, recording, screenshot and CSV cannot disagree.

    Attributes:
        picture: H×W×3 uint8, BGR, overlay drawn, mirrored if asked; not written to any more.
        frame: the frame that it was made from, never mirrored; its pixels are not hidden and must not be shown or kept.
        tracks: the faces, in pixels of `picture`.
        labels: what is said of them by track id; a face without an answer yet is not in it.
        crops: newest crop of each visible face, S×S×3 uint8 BGR: as the classifier sees it, or hidden like the picture.
        taken_at: monotonic seconds when the frame left its source.
        rendered_at: monotonic seconds when the picture was finished.
        privacy: what is hidden in it, at the least.
    """

    picture: NDArray[np.uint8]
    frame: Frame
    tracks: tuple[Track, ...]
    labels: Mapping[int, Label]
    crops: Mapping[int, NDArray[np.uint8]]
    taken_at: float
    rendered_at: float
    privacy: PrivacyMode = "off"


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
    """

    index: int = 0
    time_s: float = 0.0
    frame_count: int | None = None
    duration_s: float | None = None
    paused: bool = False
    speed: float = 1.0
    loop: bool = True
    seekable: bool = False
