from __future__ import annotations

import errno
import struct
from pathlib import Path

import pytest

from desktop_app.sources.base import SourceError
from desktop_app.sources.camera_controls import CameraControl, CameraControls, KeptControl

EXPOSURE_MODE, EXPOSURE = 0x009A0901, 0x009A0902
FOCUS_SWITCH, FOCUS = 0x009A090C, 0x009A090A
WHITE_SWITCH, WHITE = 0x0098090C, 0x0098091A
INTEGER, BOOLEAN, MENU = 1, 2, 3


class Webcam:
    """Answers as the kernel does for a webcam: its driver's controls by number, and which switch each value needs."""

    def __init__(self, path: Path) -> None:
        path.touch()
        self.path = str(path)
        self.described = {
            EXPOSURE_MODE: (MENU, 0, 3, 1, 3),
            EXPOSURE: (INTEGER, 3, 2047, 1, 250),
            FOCUS_SWITCH: (BOOLEAN, 0, 1, 1, 1),
            FOCUS: (INTEGER, 0, 250, 5, 0),
            WHITE: (INTEGER, 2800, 6500, 10, 4600),
        }
        self.values = {number: one[4] for number, one in self.described.items()}
        self.modes = {1, 3}
        self.flags: dict[int, int] = {}

    def __call__(self, device: int, request: int, buffer: bytearray) -> int:
        assert device > 2
        (number,) = struct.unpack_from("=I", buffer)
        if number not in self.described:
            raise OSError(errno.EINVAL, "Invalid argument")
        if request == 0xC0445624:
            kind, *rest = self.described[number]
            struct.pack_into("=II32siiiiI8x", buffer, 0, number, kind, b"name", *rest, self.flags.get(number, 0))
        elif request == 0xC02C5625:
            if struct.unpack_from("=I", buffer, 4)[0] not in self.modes:
                raise OSError(errno.EINVAL, "Invalid argument")
        elif request == 0xC008561B:
            struct.pack_into("=i", buffer, 4, self.values[number])
        else:
            assert request == 0xC008561C
            if (number == EXPOSURE and self.values[EXPOSURE_MODE] != 1) or (
                number == FOCUS and self.values[FOCUS_SWITCH]
            ):
                raise OSError(errno.EIO, "Input/output error")
            self.values[number] = struct.unpack_from("=i", buffer, 4)[0]
        return 0


@pytest.fixture
def webcam(tmp_path: Path) -> Webcam:
    return Webcam(tmp_path / "video0")


def test_what_a_camera_offers_is_read_with_its_ranges(webcam: Webcam) -> None:
    assert CameraControls(webcam.path, ioctl=webcam).read() == (
        CameraControl("exposure", True, 250, 3, 2047, 1, 250),
        CameraControl("focus", True, 0, 0, 250, 5, 0),
        CameraControl("white_balance", None, 4600, 2800, 6500, 10, 4600),
    )


def test_a_value_is_set_after_the_switch_to_manual_and_kept_in_its_range(webcam: Webcam) -> None:
    controls = CameraControls(webcam.path, ioctl=webcam)
    controls.apply(
        [
            KeptControl("Cam", "exposure", False, 5000),
            KeptControl("Cam", "focus", False, 40),
            KeptControl("Cam", "white_balance", None, 5000),
        ]
    )
    assert [(one.automatic, one.value) for one in controls.read()] == [(False, 2047), (False, 40), (None, 5000)]
    # Back to automatic: the value is not touched, which the camera would refuse.
    controls.apply([KeptControl("Cam", "exposure", True, 7), KeptControl("Cam", "focus", True, 7)])
    assert [(one.automatic, one.value) for one in controls.read()][:2] == [(True, 2047), (True, 40)]


def test_exposure_that_is_only_manual_has_no_switch(webcam: Webcam) -> None:
    webcam.modes, webcam.values[EXPOSURE_MODE] = {1}, 1
    del webcam.described[FOCUS], webcam.described[WHITE]
    webcam.flags[FOCUS_SWITCH] = 4
    controls = CameraControls(webcam.path, ioctl=webcam)
    assert controls.read() == (CameraControl("exposure", None, 250, 3, 2047, 1, 250),)
    controls.apply([KeptControl("Cam", "exposure", True, 100), KeptControl("Cam", "focus", True, None)])
    assert (webcam.values[EXPOSURE], webcam.values[EXPOSURE_MODE]) == (100, 1)


def test_a_camera_that_refuses_is_one_sentence(webcam: Webcam) -> None:
    # A driver that says nothing of the switch, and wants it all the same.
    del webcam.described[EXPOSURE_MODE]
    controls = CameraControls(webcam.path, ioctl=webcam)
    with pytest.raises(SourceError, match=r"Cannot set up the camera “Cam”: .*\. Plug it in again\."):
        controls.apply([KeptControl("Cam", "exposure", None, 100)])


def test_what_is_no_camera_offers_nothing(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    for path in (tmp_path / "file", tmp_path / "gone"):
        controls = CameraControls(str(path))
        assert controls.read() == ()
        controls.apply([KeptControl("Cam", "focus", False, 3)])
