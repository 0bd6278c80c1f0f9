"""Libraries of the system that the wheels of OpenCV, MediaPipe and Qt need, and the Debian packages that hold them."""

from __future__ import annotations

import ctypes
import re
from collections.abc import Callable, Mapping
from typing import Final

ALWAYS_NEEDED: Final = {
    "libgthread-2.0.so.0": "libglib2.0-0",
    "libEGL.so.1": "libegl1",
    "libGL.so.1": "libgl1",
    "libGLESv2.so.2": "libgles2",
}
"""By OpenCV and MediaPipe, with or without a window."""
QT_NEEDED: Final = {
    "libfontconfig.so.1": "libfontconfig1",
    "libdbus-1.so.3": "libdbus-1-3",
    "libxkbcommon.so.0": "libxkbcommon0",
}
XCB_NEEDED: Final = {
    "libxkbcommon-x11.so.0": "libxkbcommon-x11-0",
    "libX11-xcb.so.1": "libx11-xcb1",
    "libxcb-cursor.so.0": "libxcb-cursor0",
    "libxcb-icccm.so.4": "libxcb-icccm4",
    "libxcb-image.so.0": "libxcb-image0",
    "libxcb-keysyms.so.1": "libxcb-keysyms1",
    "libxcb-randr.so.0": "libxcb-randr0",
    "libxcb-render-util.so.0": "libxcb-render-util0",
    "libxcb-shape.so.0": "libxcb-shape0",
    "libxcb-sync.so.1": "libxcb-sync1",
    "libxcb-xfixes.so.0": "libxcb-xfixes0",
    "libxcb-xkb.so.1": "libxcb-xkb1",
}
"""By Qt's windows on X11."""

_NOT_THERE: Final = re.compile(r"([\w.+-]+\.so[.\d]*): cannot open shared object file")


def missing_packages(libraries: Mapping[str, str], load: Callable[[str], object] = ctypes.CDLL) -> list[str]:
    """The Debian packages of those libraries that this system lacks.

    Args:
        libraries: the package of each library.
        load: loads a library by name; raises OSError where it is missing.
    """
    return [package for library, package in libraries.items() if not _is_loadable(library, load)]


def missing_library(error: BaseException) -> str | None:
    """The library of the system for whose lack an import or a load failed; None for any other error."""
    cause: BaseException | None = error
    while cause is not None:
        found = _NOT_THERE.search(str(cause))
        if found:
            return found[1]
        # Packed as one folder, the program has another error raised from the system's.
        cause = cause.__cause__ or cause.__context__
    return None


def _is_loadable(library: str, load: Callable[[str], object]) -> bool:
    try:
        load(library)
    except OSError:
        return False
    return True
