"""Cameras by index or name."""

from __future__ import annotations

import os
import sys
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, Final, Literal, Protocol

import cv2
import numpy as np

from desktop_app.messages import Message
from desktop_app.preferences import CAMERA, Preference
from desktop_app.sources.base import SourceError, SourceInfo, SourceStalledError
from desktop_app.sources.live import Captured, LiveSource

CameraBackend = Literal["auto", "v4l2", "msmf", "dshow", "avfoundation"]

_BACKENDS: Final[dict[str, int]] = {
    "v4l2": cv2.CAP_V4L2,
    "msmf": cv2.CAP_MSMF,
    "dshow": cv2.CAP_DSHOW,
    "avfoundation": cv2.CAP_AVFOUNDATION,
}
_PLATFORM_BACKENDS: Final[dict[str, tuple[str, ...]]] = {
    "linux": ("v4l2",),
    # Media Foundation is the one that is still kept up; DirectShow opens some cameras that it does not.
    "win32": ("msmf", "dshow"),
    "darwin": ("avfoundation",),
}
_WARM_UP_FRAMES: Final = 20
_RETRY_S: Final = 0.02
_MAX_FAILURES: Final = 50

# What OpenCV would write to stderr is reported by our own errors.
cv2.utils.logging.setLogLevel(cv2.utils.logging.LOG_LEVEL_SILENT)


@dataclass(frozen=True, slots=True)
class CameraOptions:
    """The format requested of a camera; it may choose another one, which `SourceInfo` then states.

    Attributes:
        width: in pixels.
        height: in pixels.
        rate: frames per second.
        backend: the system's interface; `auto` is the platform's first one that knows of a camera.
        fourcc: the pixel format's four letters; MJPG is what most webcams need for their full rate.
    """

    width: Annotated[
        int,
        Preference(
            page=CAMERA,
            label=Message("Size"),
            choices=((640, 480), (1280, 720), (1920, 1080), (2560, 1440), (3840, 2160)),
            beside=("height",),
        ),
    ] = 1280
    height: int = 720
    rate: Annotated[
        float,
        Preference(page=CAMERA, label=Message("Frame rate"), choices=(15.0, 24.0, 30.0, 50.0, 60.0), unit="Hz"),
    ] = 30.0
    backend: Annotated[
        CameraBackend,
        Preference(page=CAMERA, label=Message("Capture backend"), texts={"auto": Message("Automatic")}),
    ] = "auto"
    fourcc: Annotated[
        str,
        Preference(
            page=CAMERA,
            label=Message("Format"),
            choices=("MJPG", "YUYV", "NV12", "H264"),
            hint=Message("A camera takes the nearest format it has; the status line shows which."),
        ),
    ] = "MJPG"


@dataclass(frozen=True, slots=True)
class CameraDevice:
    """A camera that is plugged in.

    Attributes:
        index: its number within the backend.
        name: what its maker calls it; a second one of the same name ends in " (2)".
        backend: `v4l2`, `msmf`, `dshow` or `avfoundation`.
        path: the system's address of the device; may be empty.
    """

    index: int
    name: str
    backend: str
    path: str


class VideoCapture(Protocol):
    """The part of `cv2.VideoCapture` that is used here."""

    def isOpened(self) -> bool: ...  # noqa: D102, N802 - OpenCV's name
    def set(self, prop: int, value: float) -> bool: ...  # noqa: D102
    def get(self, prop: int) -> float: ...  # noqa: D102
    def grab(self) -> bool: ...  # noqa: D102
    def retrieve(self) -> tuple[bool, Any]: ...  # noqa: D102
    def release(self) -> None: ...  # noqa: D102


CaptureFactory = Callable[[int, int], VideoCapture]
"""Opens a camera by its index and OpenCV's number of the backend."""


def list_cameras(backend: CameraBackend = "auto") -> list[CameraDevice]:
    """The cameras that are plugged in, found without opening them.

    Args:
        backend: whose cameras; `auto` takes the first backend of the platform that has any.

    Returns:
        The cameras by index; none where the platform has no list.
    """
    for name in _candidate_backends(backend):
        devices = _enumerate(name)
        if devices:
            return devices
    return []


def find_camera(
    name_or_index: str | int,
    *,
    backend: CameraBackend = "auto",
    devices: Sequence[CameraDevice] | None = None,
) -> CameraDevice:
    """The camera that is meant.

    Args:
        name_or_index: an index, a path such as `/dev/video0`, a name, or a part of exactly one name,
            in any case.
        backend: whose cameras to look among.
        devices: the cameras to choose from; those plugged in if not given.

    Raises:
        SourceError: none or several match; the message names those that are there.
    """
    known = list_cameras(backend) if devices is None else list(devices)
    wanted = str(name_or_index).strip()
    if wanted.isdecimal():
        matches = [device for device in known if device.index == int(wanted)]
    else:
        matches = _matches_by_name(wanted, known)
    if len(matches) == 1:
        return matches[0]
    if matches:
        raise SourceError(
            "Cannot find the camera “{wanted}”: several have such a name, {names}. Give the whole name or the index.",
            wanted=wanted,
            names=_names(matches),
        )
    if not known:
        raise SourceError(
            "Cannot find the camera “{wanted}”: no camera is connected. Connect one, or open the source `demo`.",
            wanted=wanted,
        )
    raise SourceError(
        "Cannot find the camera “{wanted}”: those here are {names}. Choose one of them.",
        wanted=wanted,
        names=_names(known),
    )


def open_camera(
    name_or_index: str | int,
    options: CameraOptions = CameraOptions(),
    *,
    capture_factory: CaptureFactory = cv2.VideoCapture,
    devices: Sequence[CameraDevice] | None = None,
    stall_timeout_s: float = 5.0,
    open_timeout_s: float = 15.0,
    cancel: threading.Event | None = None,
) -> LiveSource:
    """Open a camera; see `find_camera` for how it is named.

    Args:
        name_or_index: which camera.
        options: the requested format.
        capture_factory: opens the device; tests give their own.
        devices: the cameras to choose from; those plugged in if not given.
        stall_timeout_s: how long a read waits for a picture.
        open_timeout_s: how long the camera may take to open.
        cancel: when set, opening is given up.

    Raises:
        SourceError: it is not there, cannot be opened, or is too slow to open.
    """
    device = find_camera(name_or_index, backend=options.backend, devices=devices)
    spec = str(name_or_index)
    return LiveSource(
        lambda stop: CameraCapture(device, options, stop, spec=spec, capture_factory=capture_factory),
        name=device.name,
        open_timeout_s=open_timeout_s,
        stall_timeout_s=stall_timeout_s,
        warm_up_frames=_WARM_UP_FRAMES,
        cancel=cancel,
    )


class CameraCapture:
    """An open camera; everything happens on the thread that made it.

    Raises:
        SourceError: the camera cannot be opened.
    """

    def __init__(
        self,
        device: CameraDevice,
        options: CameraOptions,
        stop: threading.Event,
        *,
        spec: str,
        capture_factory: CaptureFactory,
    ) -> None:
        self._device = device
        self._stop = stop
        self._capture = capture_factory(device.index, _BACKENDS.get(device.backend, cv2.CAP_ANY))
        if not self._capture.isOpened():
            self._capture.release()
            raise _not_opened(device)
        # In this order: the pixel format decides which sizes there are, and the size which rates.
        if len(options.fourcc) == 4:
            self._capture.set(cv2.CAP_PROP_FOURCC, float(cv2.VideoWriter.fourcc(*options.fourcc)))
        self._capture.set(cv2.CAP_PROP_FRAME_WIDTH, float(options.width))
        self._capture.set(cv2.CAP_PROP_FRAME_HEIGHT, float(options.height))
        self._capture.set(cv2.CAP_PROP_FPS, options.rate)
        self._info = SourceInfo(
            kind="camera",
            name=device.name,
            spec=spec,
            width=int(self._capture.get(cv2.CAP_PROP_FRAME_WIDTH)),
            height=int(self._capture.get(cv2.CAP_PROP_FRAME_HEIGHT)),
            rate=max(float(self._capture.get(cv2.CAP_PROP_FPS)), 0.0),
            frame_count=None,
            live=True,
        )

    @property
    def info(self) -> SourceInfo:
        """The size and rate that the camera really chose."""
        return self._info

    @property
    def notice(self) -> Message | None:
        """None: a camera's pictures are not checked."""
        return None

    def read(self) -> Captured | None:
        """Wait for the next picture.

        Raises:
            SourceStalledError: the camera failed many times in a row: it was most likely unplugged.
        """
        for _ in range(_MAX_FAILURES):
            if self._stop.is_set():
                return None
            if self._capture.grab():
                captured_at = time.monotonic()
                decoded, image = self._capture.retrieve()
                if decoded and image is not None and image.size:
                    return Captured(_as_bgr(image), captured_at)
            self._stop.wait(_RETRY_S)
        raise SourceStalledError(
            "Cannot continue with “{name}”: it sends no more pictures. Check that it is still connected.",
            name=self._device.name,
        )

    def interrupt(self) -> None:
        """Do nothing: a camera cannot be interrupted."""

    def close(self) -> None:
        """Release the device."""
        self._capture.release()


def _as_bgr(image: Any) -> np.ndarray[Any, np.dtype[np.uint8]]:
    if image.ndim == 2:
        image = cv2.cvtColor(image, cv2.COLOR_GRAY2BGR)
    return np.ascontiguousarray(image, dtype=np.uint8)


def _candidate_backends(backend: CameraBackend) -> tuple[str, ...]:
    if backend != "auto":
        return (backend,)
    return _PLATFORM_BACKENDS.get(sys.platform, ())


def _enumerate(backend: str) -> list[CameraDevice]:
    try:
        from cv2_enumerate_cameras import enumerate_cameras

        found = enumerate_cameras(_BACKENDS[backend])
    except (ImportError, NotImplementedError, OSError):
        return []
    devices: list[CameraDevice] = []
    seen: dict[str, int] = {}
    for camera in sorted(found, key=lambda one: one.index):
        name = str(camera.name or f"Camera {camera.index}").strip()
        seen[name] = seen.get(name, 0) + 1
        shown = name if seen[name] == 1 else f"{name} ({seen[name]})"
        devices.append(CameraDevice(int(camera.index), shown, backend, str(camera.path or "")))
    return devices


def _matches_by_name(wanted: str, devices: Sequence[CameraDevice]) -> list[CameraDevice]:
    folded = wanted.casefold()
    if not folded:
        return []
    exact = [device for device in devices if folded in (device.name.casefold(), device.path.casefold())]
    return exact or [device for device in devices if folded in device.name.casefold()]


def _names(devices: Sequence[CameraDevice]) -> str:
    return ", ".join(f"{device.index} ({device.name})" for device in devices)


def _not_opened(device: CameraDevice) -> SourceError:
    if device.backend == "v4l2" and device.path and not os.access(device.path, os.R_OK | os.W_OK):
        return SourceError(
            "Cannot open camera {index} ({name}): this user may not use {path}. Join the group `video`, and log in "
            "again.",
            index=device.index,
            name=device.name,
            path=device.path,
        )
    return SourceError(
        "Cannot open camera {index} ({name}): it does not answer. Close other programs that use it, or choose another "
        "capture backend.",
        index=device.index,
        name=device.name,
    )
