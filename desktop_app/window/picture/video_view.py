"""Video view: picture with kept aspect ratio, zoom, pan and face selection."""

from __future__ import annotations

from dataclasses import replace
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray
from PySide6.QtCore import QPointF, QRectF, Qt, Signal
from PySide6.QtGui import (
    QColor,
    QImage,
    QKeyEvent,
    QMouseEvent,
    QPainter,
    QPaintEvent,
    QResizeEvent,
    QWheelEvent,
)
from PySide6.QtWidgets import QWidget

from desktop_app.engine.types import RenderedFrame
from desktop_app.window.picture.viewport import Viewport
from desktop_app.window.style.theme import CANVAS

ZOOM_STEP: Final = 1.25
DRAG_THRESHOLD: Final = 6
DIMMED_BY: Final = 215
"""Of 255: a message over the picture must be read on white as well."""


class VideoView(QWidget):
    """Shows the newest picture of a session."""

    face_clicked = Signal(object)
    """The id of the track under a click, None beside the faces."""
    painted = Signal(float)
    """`rendered_at` of a picture, once it was painted."""
    double_clicked = Signal()
    moved_over = Signal()
    """The pointer moved over the picture."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setAttribute(Qt.WidgetAttribute.WA_OpaquePaintEvent)
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setMouseTracking(True)
        self.setMinimumSize(320, 180)
        self._composed: RenderedFrame | None = None
        self._pixels: NDArray[np.uint8] | None = None
        self._image: QImage | None = None
        self._unpainted_at: float | None = None
        self._viewport = Viewport(self.width(), self.height())
        self._dimmed = False
        self._pressed_at: QPointF | None = None
        self._dragged_from: QPointF | None = None

    @property
    def rendered(self) -> RenderedFrame | None:
        """What is shown."""
        return self._composed

    @property
    def viewport(self) -> Viewport:
        """Where the picture lies."""
        return self._viewport

    def show_composed(self, rendered: RenderedFrame) -> None:
        """Show a picture."""
        # Converted once here: painting from 32 bits is three times as fast as from 24, for each repaint.
        self._pixels = np.asarray(cv2.cvtColor(rendered.picture, cv2.COLOR_BGR2BGRA), np.uint8)
        height, width = self._pixels.shape[:2]
        self._image = QImage(self._pixels.data, width, height, 4 * width, QImage.Format.Format_RGB32)
        if self._composed is None or self._composed.rendered_at != rendered.rendered_at:
            # A picture that was changed here did not come from the camera just now.
            self._unpainted_at = rendered.rendered_at
        self._composed = rendered
        if (width, height) != (self._viewport.picture_width, self._viewport.picture_height):
            self._viewport = replace(self._viewport, picture_width=width, picture_height=height).fitted()
        self.update()

    def clear(self) -> None:
        """Show the empty canvas."""
        self._composed = self._image = self._pixels = self._unpainted_at = None
        self._viewport = self._viewport.fitted()
        self.update()

    def set_dimmed(self, dimmed: bool) -> None:
        """Darken the picture, for a message over it."""
        if dimmed != self._dimmed:
            self._dimmed = dimmed
            self.update()

    def picture(self) -> QImage | None:
        """A copy of the picture that is shown, in its own size."""
        return self._image.copy() if self._image is not None else None

    def zoom_in(self) -> None:
        """One step closer to the middle."""
        self._zoom(ZOOM_STEP, self.rect().center().toPointF())

    def zoom_out(self) -> None:
        """One step away from the middle."""
        self._zoom(1 / ZOOM_STEP, self.rect().center().toPointF())

    def fit(self) -> None:
        """Show the whole picture."""
        self._viewport = self._viewport.fitted()
        self.update()

    def track_at(self, position: QPointF) -> int | None:
        """The id of the track under a point of the widget; of several, the one whose middle is nearest."""
        if self._composed is None:
            return None
        x, y = self._viewport.to_picture(position.x(), position.y())
        hits = [
            (abs(track.detection.box.center.x - x) + abs(track.detection.box.center.y - y), track.id)
            for track in self._composed.tracks
            if track.detection.box.x <= x <= track.detection.box.right
            and track.detection.box.y <= y <= track.detection.box.bottom
        ]
        return min(hits)[1] if hits else None

    def paintEvent(self, event: QPaintEvent) -> None:  # noqa: N802
        """Paint the picture into its letterbox."""
        painter = QPainter(self)
        painter.fillRect(event.rect(), QColor(CANVAS))
        if self._image is not None:
            target = QRectF(*self._viewport.target)
            # A picture in its own size needs no filter, and is sharper without.
            own_size = abs(self._viewport.scale * self.devicePixelRatioF() - 1) < 1e-3
            painter.setRenderHint(QPainter.RenderHint.SmoothPixmapTransform, not own_size)
            painter.drawImage(target, self._image)
            if self._dimmed:
                painter.fillRect(self.rect(), QColor(0, 0, 0, DIMMED_BY))
        painter.end()
        if self._unpainted_at is not None:
            rendered_at, self._unpainted_at = self._unpainted_at, None
            self.painted.emit(rendered_at)

    def resizeEvent(self, event: QResizeEvent) -> None:  # noqa: N802
        """Fit the picture into the new size."""
        size = event.size()
        self._viewport = replace(self._viewport, width=size.width(), height=size.height()).settled()
        super().resizeEvent(event)

    def wheelEvent(self, event: QWheelEvent) -> None:  # noqa: N802
        """Zoom about the pointer."""
        steps = event.angleDelta().y() / 120
        if self._image is not None and steps:
            self._zoom(ZOOM_STEP**steps, event.position())
            event.accept()

    def mousePressEvent(self, event: QMouseEvent) -> None:  # noqa: N802
        """Begin a click or a drag."""
        if event.button() == Qt.MouseButton.LeftButton:
            self._pressed_at = event.position()
            self._dragged_from = None

    def mouseMoveEvent(self, event: QMouseEvent) -> None:  # noqa: N802
        """Pan while the button is down."""
        self.moved_over.emit()
        if self._pressed_at is None:
            if self._viewport.zoom == 1:
                over_face = self.track_at(event.position()) is not None
                self.setCursor(Qt.CursorShape.PointingHandCursor if over_face else Qt.CursorShape.ArrowCursor)
            return
        if self._dragged_from is None:
            if (event.position() - self._pressed_at).manhattanLength() < DRAG_THRESHOLD:
                return
            self._dragged_from = self._pressed_at
            if self._viewport.zoom > 1:
                self.setCursor(Qt.CursorShape.ClosedHandCursor)
        delta = event.position() - self._dragged_from
        self._dragged_from = event.position()
        self._viewport = self._viewport.panned(delta.x(), delta.y())
        self.update()

    def mouseReleaseEvent(self, event: QMouseEvent) -> None:  # noqa: N802
        """Select a face where it was a click."""
        if event.button() != Qt.MouseButton.LeftButton or self._pressed_at is None:
            return
        clicked = self._dragged_from is None
        self._pressed_at = self._dragged_from = None
        self._show_cursor()
        if clicked and self._composed is not None:
            self.face_clicked.emit(self.track_at(event.position()))

    def mouseDoubleClickEvent(self, event: QMouseEvent) -> None:  # noqa: N802
        """Ask for full screen, or for the way back."""
        if event.button() == Qt.MouseButton.LeftButton:
            self._pressed_at = None
            self.double_clicked.emit()

    def keyPressEvent(self, event: QKeyEvent) -> None:  # noqa: N802
        """Pan a zoomed picture with the arrow keys."""
        steps = {
            Qt.Key.Key_Left: (48, 0),
            Qt.Key.Key_Right: (-48, 0),
            Qt.Key.Key_Up: (0, 48),
            Qt.Key.Key_Down: (0, -48),
        }
        step = steps.get(Qt.Key(event.key()))
        if step is None or self._viewport.zoom == 1:
            super().keyPressEvent(event)
            return
        self._viewport = self._viewport.panned(*step)
        self.update()

    def _zoom(self, factor: float, about: QPointF) -> None:
        if self._image is None:
            return
        self._viewport = self._viewport.zoomed(factor, x=about.x(), y=about.y())
        self._show_cursor()
        self.update()

    def _show_cursor(self) -> None:
        zoomed = self._viewport.zoom > 1
        self.setCursor(Qt.CursorShape.OpenHandCursor if zoomed else Qt.CursorShape.ArrowCursor)
