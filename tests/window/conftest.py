"""A window with the real pipeline, and a short film."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
import pytest
from PySide6.QtCore import QCoreApplication, QEvent, Qt
from PySide6.QtGui import QGuiApplication
from PySide6.QtWidgets import QApplication
from pytestqt.qtbot import QtBot

from desktop_app.window.style.theme import apply_theme
from desktop_app.window.style.translation import install_language
from tests.helpers.desk import Desk


@pytest.fixture
def plain_looks(qapp: QApplication) -> Iterator[None]:
    """Leaves the application's looks and language to other tests as they were."""
    palette, sheet = qapp.palette(), qapp.styleSheet()
    yield
    qapp.setStyleSheet(sheet)
    qapp.setPalette(palette)
    QGuiApplication.styleHints().setColorScheme(Qt.ColorScheme.Unknown)
    install_language(qapp, "en")


@pytest.fixture
def desk(qtbot: QtBot, qapp: QApplication, tmp_path: Path, plain_looks: None) -> Iterator[Desk]:
    apply_theme(qapp, "dark")
    install_language(qapp, "en")
    made = Desk(qtbot, tmp_path)
    yield made
    made.window.close()
    # Windows that stay would be styled anew with every later theme.
    made.window.deleteLater()
    QCoreApplication.sendPostedEvents(made.window, QEvent.Type.DeferredDelete.value)


@pytest.fixture
def clip(tmp_path: Path) -> Path:
    path = tmp_path / "clip.mp4"
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"mp4v"), 25, (320, 240))
    for index in range(50):
        writer.write(np.full((240, 320, 3), 4 * index, np.uint8))
    writer.release()
    return path
