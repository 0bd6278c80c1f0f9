"""Exposure, focus and white balance of a camera, where it offers them: on Linux, by V4L2.

A device can be opened once more while its pictures are read, so nothing here concerns the thread that reads them.
OpenCV has these controls as well, but without their ranges.
"""

from __future__ import annotations

import os
import struct
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Final, Literal

from desktop_app.errors import reason_of
from desktop_app.sources.base import SourceError

ControlName = Literal["exposure", "focus", "white_balance"]
Ioctl = Callable[[int, int, bytearray], object]
"""Asks a device, by its descriptor and the number of the request; the answer is put into the buffer."""

# Numbers and structures of linux/videodev2.h, which are the same on all machines.
_QUERY_CONTROL: Final = 0xC0445624
_QUERY_MENU: Final = 0xC02C5625
_GET: Final = 0xC008561B
_SET: Final = 0xC008561C
_DESCRIPTION: Final = struct.Struct("=II32siiiiI8x")
_MENU_ITEM: Final = struct.Struct("=II32s4x")
_VALUE: Final = struct.Struct("=Ii")
_MENU: Final = 3
_DISABLED_OR_READ_ONLY: Final = 1 | 4
_IDS: Final[dict[ControlName, tuple[int, int]]] = {
    "exposure": (0x009A0901, 0x009A0902),
    "focus": (0x009A090C, 0x009A090A),
    "white_balance": (0x0098090C, 0x0098091A),
}
"""Numbers of the switch between automatic and manual, and of the value."""
# A camera's exposure has four modes: all automatic, all manual, and either with a manual aperture or time.
_AUTOMATIC_MODES: Final = (3, 0)
_MANUAL_MODES: Final = (1, 2)


@dataclass(frozen=True, slots=True)
class CameraControl:
    """What a camera offers, and how it is set.

    Attributes:
        name: which one.
        automatic: whether the camera decides by itself; None where it cannot be chosen.
        value: exposure in 0.1 ms, focus in units of the camera's own (higher is nearer), white balance in kelvin; None
            where it can only be automatic.
        low: the lowest value.
        high: the highest value.
        step: from one value to the next.
        default: the value that its maker chose.
    """

    name: ControlName
    automatic: bool | None
    value: int | None = None
    low: int = 0
    high: int = 0
    step: int = 1
    default: int = 0


@dataclass(frozen=True, slots=True)
class KeptControl:
    """What the user chose for one control of one camera.

    Attributes:
        camera: its name.
        name: which control.
        automatic: see `CameraControl`.
        value: see `CameraControl`.
    """

    camera: str
    name: ControlName
    automatic: bool | None
    value: int | None


@dataclass(frozen=True, slots=True)
class _Description:
    kind: int
    low: int
    high: int
    step: int
    default: int


class CameraControls:
    """The controls of one camera; each call opens the device for its own length.

    Args:
        path: the device, as `/dev/video0`.
        ioctl: asks the device; tests give their own.
    """

    def __init__(self, path: str, *, ioctl: Ioctl | None = None) -> None:
        self._path = path
        self._ioctl = ioctl or _system_ioctl()

    def read(self) -> tuple[CameraControl, ...]:
        """What the camera offers; nothing where it is gone, or offers nothing, or this system has no such calls."""
        if self._ioctl is None:
            return ()
        try:
            with self._opened() as device:
                found = [self._read(device, name) for name in _IDS]
        except OSError:
            return ()
        return tuple(one for one in found if one is not None)

    def apply(self, wanted: Sequence[KeptControl]) -> None:
        """Set some controls; those that the camera does not have are left out.

        Raises:
            SourceError: the camera refuses.
        """
        offered = {one.name: one for one in self.read()}
        known = [(one, offered[one.name]) for one in wanted if one.name in offered]
        if not known:
            return
        try:
            with self._opened() as device:
                for one, control in known:
                    self._set(device, one, control)
        except OSError as error:
            raise SourceError(
                "Cannot set up the camera “{name}”: {reason}. Plug it in again.",
                name=known[0][0].camera,
                reason=reason_of(error),
            ) from error

    @contextmanager
    def _opened(self) -> Iterator[int]:
        device = os.open(self._path, os.O_RDWR | getattr(os, "O_NONBLOCK", 0))
        try:
            yield device
        finally:
            os.close(device)

    def _read(self, device: int, name: ControlName) -> CameraControl | None:
        switch_id, value_id = _IDS[name]
        automatic: bool | None = None
        value: int | None = None
        with suppress(OSError):
            switch = self._describe(device, switch_id)
            if self._mode(device, switch_id, switch, True) is not None:
                state = self._get(device, switch_id)
                automatic = state not in _MANUAL_MODES if switch.kind == _MENU else bool(state)
        described = _Description(0, 0, 0, 1, 0)
        with suppress(OSError):
            described = self._describe(device, value_id)
            if described.high > described.low:
                value = min(max(self._get(device, value_id), described.low), described.high)
        if automatic is None and value is None:
            return None
        low, high, step = described.low, described.high, max(described.step, 1)
        return CameraControl(name, automatic, value, low, high, step, described.default)

    def _set(self, device: int, wanted: KeptControl, control: CameraControl) -> None:
        switch_id, value_id = _IDS[wanted.name]
        if wanted.automatic is not None and control.automatic is not None:
            mode = self._mode(device, switch_id, self._describe(device, switch_id), wanted.automatic)
            if mode is not None:
                self._put(device, switch_id, mode)
        # While the camera decides by itself it refuses a value.
        manual = not wanted.automatic or control.automatic is None
        if manual and wanted.value is not None and control.value is not None:
            self._put(device, value_id, min(max(wanted.value, control.low), control.high))

    def _mode(self, device: int, control_id: int, described: _Description, automatic: bool) -> int | None:
        """The switch's number for automatic or manual; None where the camera does not have both."""
        if described.kind != _MENU:
            return int(automatic)
        modes = [
            next((mode for mode in modes if self._has_item(device, control_id, mode)), None)
            for modes in (_AUTOMATIC_MODES, _MANUAL_MODES)
        ]
        return None if None in modes else modes[0 if automatic else 1]

    def _has_item(self, device: int, control_id: int, index: int) -> bool:
        try:
            self._ask(device, _QUERY_MENU, _MENU_ITEM, control_id, index, b"")
        except OSError:
            return False
        return True

    def _describe(self, device: int, control_id: int) -> _Description:
        answer = self._ask(device, _QUERY_CONTROL, _DESCRIPTION, control_id, 0, b"", 0, 0, 0, 0, 0)
        _, kind, _, low, high, step, default, flags = answer
        if flags & _DISABLED_OR_READ_ONLY:
            raise OSError("it cannot be set")
        return _Description(kind, low, high, step, default)

    def _get(self, device: int, control_id: int) -> int:
        return int(self._ask(device, _GET, _VALUE, control_id, 0)[1])

    def _put(self, device: int, control_id: int, value: int) -> None:
        self._ask(device, _SET, _VALUE, control_id, value)

    def _ask(self, device: int, request: int, layout: struct.Struct, *values: object) -> tuple[int, ...]:
        assert self._ioctl is not None
        buffer = bytearray(layout.pack(*values))
        self._ioctl(device, request, buffer)
        return layout.unpack(buffer)


def _system_ioctl() -> Ioctl | None:
    if sys.platform != "linux":
        return None
    import fcntl

    return fcntl.ioctl
