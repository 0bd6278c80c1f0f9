from __future__ import annotations

import queue
import threading
from collections.abc import Callable
from typing import Any

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from desktop_app.sources.base import SourceError, SourceStalledError
from desktop_app.sources.cameras import (
    CameraDevice,
    CameraOptions,
    find_camera,
    list_cameras,
    open_camera,
)
from desktop_app.sources.frame import Frame
from desktop_app.sources.live import LiveSource

PATIENCE_S = 20.0
DEVICES = [
    CameraDevice(0, "Integrated Camera", "v4l2", "/dev/video0"),
    CameraDevice(2, "Logitech BRIO", "v4l2", "/dev/video2"),
    CameraDevice(4, "Logitech BRIO (2)", "v4l2", "/dev/video4"),
    CameraDevice(6, "HDMI grabber", "v4l2", "/dev/video6"),
]


def grey_picture(level: int) -> NDArray[np.uint8]:
    return np.full((48, 64, 3), level, np.uint8)


class FakeCamera:
    """Behaves as `cv2.VideoCapture` on a camera: `grab` blocks until there is a picture."""

    def __init__(self, *, opens: bool = True, answer: dict[int, float] | None = None) -> None:
        self.settings: list[tuple[int, float]] = []
        self.released = threading.Event()
        self.taken = threading.Semaphore(0)
        self._opens = opens
        self._answer = answer or {}
        self._pictures: queue.Queue[NDArray[np.uint8] | None] = queue.Queue()
        self._current: NDArray[np.uint8] | None = None

    def send(self, *pictures: NDArray[np.uint8] | None) -> None:
        """Let the camera have pictures, None for a failure."""
        for picture in pictures:
            self._pictures.put(picture)

    def show(self, *pictures: NDArray[np.uint8]) -> None:
        """Send pictures, and wait until the reader has come back for more."""
        self.send(*pictures)
        for _ in pictures:
            assert self.taken.acquire(timeout=PATIENCE_S)

    def __call__(self, index: int, backend: int) -> FakeCamera:
        self.index, self.backend = index, backend
        return self

    def isOpened(self) -> bool:  # noqa: N802 - OpenCV's name
        return self._opens

    def set(self, prop: int, value: float) -> bool:
        self.settings.append((prop, value))
        return True

    def get(self, prop: int) -> float:
        return self._answer.get(prop, 0.0)

    def grab(self) -> bool:
        if self._current is not None:
            self.taken.release()
        self._current = self._pictures.get()
        return self._current is not None

    def retrieve(self) -> tuple[bool, Any]:
        return self._current is not None, self._current

    def release(self) -> None:
        self.released.set()


def open_fake(camera: Callable[[int, int], Any], **options: Any) -> LiveSource:
    return open_camera("2", capture_factory=camera, devices=DEVICES, **options)


def level(frame: Frame | None) -> int:
    assert frame is not None
    return int(frame.image[0, 0, 0])


def test_only_the_newest_picture_is_given() -> None:
    camera = FakeCamera()
    with open_fake(camera) as source:
        camera.show(*(grey_picture(value) for value in (50, 60, 70)))
        newest = source.read()
        camera.show(grey_picture(80))
        following = source.read()
        assert source.dropped_count == 2
        assert source.skip(4) == 0
        source.seek(0)
    assert newest is not None
    assert following is not None
    assert (level(newest), level(following)) == (70, 80)
    assert (newest.index, following.index) == (0, 1)
    assert newest.captured_at < following.captured_at
    assert newest.origin == "Logitech BRIO"


def test_the_camera_is_asked_in_the_order_that_works_and_believed() -> None:
    camera = FakeCamera(answer={cv2.CAP_PROP_FRAME_WIDTH: 640, cv2.CAP_PROP_FRAME_HEIGHT: 480, cv2.CAP_PROP_FPS: 15})
    with open_fake(camera, options=CameraOptions(width=1920, height=1080, rate=60)) as source:
        info = source.info
        camera.show(grey_picture(90))
    assert camera.settings == [
        (cv2.CAP_PROP_FOURCC, cv2.VideoWriter.fourcc(*"MJPG")),
        (cv2.CAP_PROP_FRAME_WIDTH, 1920),
        (cv2.CAP_PROP_FRAME_HEIGHT, 1080),
        (cv2.CAP_PROP_FPS, 60),
    ]
    assert (camera.index, camera.backend) == (2, cv2.CAP_V4L2)
    assert (info.kind, info.name, info.spec, info.live) == ("camera", "Logitech BRIO", "2", True)
    assert (info.width, info.height, info.rate, info.frame_count) == (640, 480, 15.0, None)


def test_black_pictures_at_the_start_are_passed_over() -> None:
    camera = FakeCamera()
    with open_fake(camera) as source:
        camera.show(grey_picture(0), grey_picture(2), grey_picture(90), grey_picture(0))
        assert level(source.read()) == 0
        assert source.dropped_count == 1


def test_a_covered_lens_is_shown_after_all() -> None:
    camera = FakeCamera()
    with open_fake(camera) as source:
        camera.show(*[grey_picture(1)] * 21)
        assert level(source.read()) == 1


def test_grey_cameras_and_single_failures_are_tolerated() -> None:
    camera = FakeCamera()
    with open_fake(camera) as source:
        camera.send(None)
        camera.show(grey_picture(77)[..., 0])
        frame = source.read()
    assert frame is not None
    assert frame.image.shape == (48, 64, 3)
    assert level(frame) == 77


def test_close_frees_a_reader_while_the_camera_hangs() -> None:
    camera = FakeCamera()
    source = open_fake(camera, stall_timeout_s=PATIENCE_S)
    results: queue.Queue[Frame | None] = queue.Queue()
    reader = threading.Thread(target=lambda: results.put(source.read()))
    reader.start()
    source.close()
    assert results.get(timeout=PATIENCE_S / 4) is None
    reader.join()
    assert not camera.released.is_set()
    camera.send(grey_picture(5))
    assert camera.released.wait(PATIENCE_S)
    assert source.read() is None


def test_a_closed_camera_is_free_at_once() -> None:
    class Flowing(FakeCamera):
        def grab(self) -> bool:
            self._current = grey_picture(50)
            return True

    camera = Flowing()
    source = open_fake(camera)
    assert level(source.read()) == 50
    source.close()
    assert camera.released.is_set()


def test_a_silent_camera_is_told() -> None:
    camera = FakeCamera()
    with open_fake(camera, stall_timeout_s=0.05) as source:
        with pytest.raises(SourceStalledError, match=r"“Logitech BRIO”: it sent no picture for 0\.05 seconds"):
            source.read()
        camera.show(grey_picture(42))
        assert level(source.read()) == 42


@pytest.mark.slow
def test_an_unplugged_camera_is_told() -> None:
    class Unplugged(FakeCamera):
        def grab(self) -> bool:
            return False

    with (
        open_fake(Unplugged(), stall_timeout_s=PATIENCE_S) as source,
        pytest.raises(SourceStalledError, match="still connected"),
    ):
        source.read()


def test_a_driver_that_fails_is_told() -> None:
    class Broken(FakeCamera):
        def grab(self) -> bool:
            raise cv2.error("bad ioctl")

    camera = Broken()
    with open_fake(camera) as source, pytest.raises(SourceError, match="Cannot read “Logitech BRIO”: bad ioctl"):
        source.read()
    assert camera.released.wait(PATIENCE_S)


def test_a_camera_in_use_is_told() -> None:
    camera = FakeCamera(opens=False)
    with pytest.raises(SourceError, match=r"^Cannot open camera 2 \(Logitech BRIO\): "):
        open_fake(camera)
    assert camera.released.is_set()


def test_a_camera_that_does_not_open_is_given_up() -> None:
    go_on = threading.Event()
    camera = FakeCamera()

    def open_slowly(index: int, backend: int) -> FakeCamera:
        go_on.wait(PATIENCE_S)
        return camera

    with pytest.raises(SourceError, match=r"did not start within 0\.05 seconds"):
        open_fake(open_slowly, open_timeout_s=0.05)
    cancel = threading.Event()
    cancel.set()
    with pytest.raises(SourceError, match="was cancelled"):
        open_fake(open_slowly, cancel=cancel)
    go_on.set()
    assert camera.released.wait(PATIENCE_S)


@pytest.mark.parametrize(
    ("wanted", "index"),
    [
        (0, 0),
        ("4", 4),
        ("integrated camera", 0),
        ("logitech brio", 2),
        ("Logitech BRIO (2)", 4),
        ("grabber", 6),
        ("/dev/video6", 6),
        ("  2 ", 2),
    ],
)
def test_cameras_are_found_by_index_name_part_and_path(wanted: str | int, index: int) -> None:
    assert find_camera(wanted, devices=DEVICES).index == index


def test_a_missing_camera_names_those_that_are_there() -> None:
    with pytest.raises(SourceError) as caught:
        find_camera(3, devices=DEVICES[:2])
    assert str(caught.value) == (
        "Cannot find the camera “3”: those here are 0 (Integrated Camera), 2 (Logitech BRIO). Choose one of them."
    )
    with pytest.raises(SourceError, match="the camera “Kinect”: those here are"):
        find_camera("Kinect", devices=DEVICES)
    with pytest.raises(SourceError, match="no camera is connected"):
        find_camera("0", devices=[])


def test_a_name_that_fits_several_asks_for_more() -> None:
    with pytest.raises(SourceError, match=r"several have such a name, 2 .*, 4 "):
        find_camera("brio", devices=DEVICES)


def test_this_machines_cameras_have_names_and_are_not_listed_twice() -> None:
    devices = list_cameras()
    assert len({device.name for device in devices}) == len(devices)
    assert len({device.index for device in devices}) == len(devices)
    assert all(device.name and device.backend != "auto" for device in devices)
    with pytest.raises(SourceError, match="Cannot find the camera “987”"):
        find_camera(987)
