"""Starts the window; checks for a display first, because Qt aborts the process without one."""

from __future__ import annotations

import ctypes
import gc
import os
import signal
import socket
import sys
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

from desktop_app.errors import CommandError
from desktop_app.imports import without_collecting
from desktop_app.system_libraries import ALWAYS_NEEDED, QT_NEEDED, XCB_NEEDED, missing_packages
from desktop_app.terminal import EXIT_INTERRUPTED, handle_signals, leave

if TYPE_CHECKING:
    from PySide6.QtWidgets import QApplication

    from desktop_app.settings import Settings

EXIT_DONE: Final = 0


class DisplayError(CommandError):
    """There is no screen to show a window on, or libraries for it are missing."""


def run_window(given: Mapping[str, Any], *, full_screen: bool = False) -> int:
    """Show the window until it is closed.

    Args:
        given: values of fields of `Settings`; the others are as they were chosen last.
        full_screen: whether to begin with the picture alone.

    Returns:
        0, or 130 after an interrupt from the terminal.

    Raises:
        DisplayError: no window can be shown here.
    """
    check_display(os.environ)
    # Imported only now: Qt and OpenCV need the libraries that were looked for.
    with without_collecting():
        from PySide6.QtCore import Qt
        from PySide6.QtWidgets import QApplication

        from desktop_app.settings import SettingsStore
        from desktop_app.window.main_window import MainWindow
        from desktop_app.window.style.theme import app_icon, apply_theme
        from desktop_app.window.style.translation import install_language

    # OpenCV's wheel points Qt to its own Qt 5 plugins when it is imported, which it was by now.
    for name in ("QT_QPA_PLATFORM_PLUGIN_PATH", "QT_QPA_FONTDIR"):
        os.environ.pop(name, None)
    app = QApplication(sys.argv[:1])
    interrupted = _end_on_signals(app)
    app.setApplicationName("Agelens")
    app.setDesktopFileName("agelens")
    app.setWindowIcon(app_icon())
    store = SettingsStore()
    settings: Settings = replace(store.load(), **given)
    apply_theme(app, settings.theme)
    install_language(app, settings.language)
    window = MainWindow(settings, store)
    # All is loaded when there is a first picture. Left to be searched for garbage, it would stop every thread for the
    # length of two frames now and then.
    window.bridge.picture_arrived.connect(gc.freeze, Qt.ConnectionType.SingleShotConnection)
    window.show()
    if full_screen:
        window.toggle_full_screen(True)
    window.begin()
    app.exec()
    # Where the display goes away, Qt ends without closing its windows, and a recording would stay unfinished.
    if window.isVisible():
        window.close()
    return EXIT_INTERRUPTED if interrupted else EXIT_DONE


def check_display(environment: Mapping[str, str], load: Callable[[str], object] = ctypes.CDLL) -> None:
    """Find out whether Qt can open a window here, without starting Qt.

    Args:
        environment: the process's environment.
        load: loads a shared library by name; raises OSError where it is missing.

    Raises:
        DisplayError: it cannot; the sentence says what to install or what to use instead.
    """
    if not sys.platform.startswith("linux"):
        return
    platform = environment.get("QT_QPA_PLATFORM", "").split(":")[0].split(";")[0]
    display, wayland = environment.get("DISPLAY"), environment.get("WAYLAND_DISPLAY")
    if not platform and not display and not wayland:
        raise DisplayError(
            "Cannot show a window: there is no display (DISPLAY and WAYLAND_DISPLAY are not set). Start Agelens in a "
            "desktop session, or use `annotate` to write a video without a window."
        )
    uses_xcb = platform == "xcb" or (not platform and not wayland)
    missing = missing_packages({**ALWAYS_NEEDED, **QT_NEEDED, **(XCB_NEEDED if uses_xcb else {})}, load)
    if missing:
        raise DisplayError(
            "Cannot show a window: the system lacks libraries. Install them, on Debian or Ubuntu by "
            "`sudo apt install {packages}`.",
            packages=" ".join(missing),
        )
    if uses_xcb and not _answers(display):
        raise DisplayError(
            "Cannot show a window: the display “{display}” does not answer. Set DISPLAY to one that runs, or use "
            "`annotate` to write a video without a window.",
            display=display or "",
        )


def _answers(display: str | None) -> bool:
    """Whether an X server takes a connection."""
    try:
        xcb = ctypes.CDLL("libxcb.so.1")
    except OSError:
        return False
    xcb.xcb_connect.restype = ctypes.c_void_p
    xcb.xcb_connect.argtypes = [ctypes.c_char_p, ctypes.c_void_p]
    xcb.xcb_connection_has_error.argtypes = [ctypes.c_void_p]
    xcb.xcb_disconnect.argtypes = [ctypes.c_void_p]
    connection = xcb.xcb_connect(display.encode() if display else None, None)
    failed = xcb.xcb_connection_has_error(connection) != 0
    xcb.xcb_disconnect(connection)
    return not failed


def _end_on_signals(app: QApplication) -> list[int]:
    """End the window on Ctrl+C, a polite kill and the end of the terminal, so that a recording is finished.

    A second signal ends the process at once, with what is on the disk.

    Returns:
        A list that the number of a signal is put into when it comes.
    """
    from PySide6.QtCore import QSocketNotifier, QTimer

    received: list[int] = []

    def on_signal(number: int, _frame: object) -> None:
        received.append(number)
        if len(received) > 1:
            leave(EXIT_INTERRUPTED)
        # This may be in the middle of anything.
        QTimer.singleShot(0, app.quit)

    handle_signals(on_signal)
    # Python runs a handler between two of its own instructions, of which a window that stands still has none: the
    # byte that Python writes for each signal wakes it.
    waking, woken = socket.socketpair()
    waking.setblocking(False)
    woken.setblocking(False)
    signal.set_wakeup_fd(waking.fileno(), warn_on_full_buffer=False)
    notifier = QSocketNotifier(woken.fileno(), QSocketNotifier.Type.Read, app)
    notifier.activated.connect(lambda: woken.recv(64))
    # Kept as long as the application.
    app.setProperty("woken_by", (waking, woken))
    return received
