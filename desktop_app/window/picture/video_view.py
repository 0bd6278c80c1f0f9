"""Video view: picture with kept aspect ratio, zoom, pan and face selection."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

import numpy as np
from numpy.typing import NDArray
from PySide6.QtCore import QEvent, QPointF, QRectF, Qt, Signal
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
from desktop_app.vision.drawing.canvas import Canvas
from desktop_app.vision.drawing.label_layout import LabelPlaces
from desktop_app.vision.geometry import Line
from desktop_app.window.panels.crop_image import to_image
from desktop_app.window.picture.line_layer import ShownLine, paint_lines
from desktop_app.window.picture.viewport import Viewport
from desktop_app.window.style.theme import CANVAS

ZOOM_STEP: Final = 1.25
DRAG_THRESHOLD: Final = 6
DIMMED_BY: Final = 215
"""Of 255: a message over the picture must be read on white as well."""


@dataclass(frozen=True, slots=True)
class _Drawn:
    """The visible part of a picture in pixels of the screen, with all that it was made of.

    Attributes:
        rendered: the picture.
        view: viewport, pixels of the screen a logical pixel, and the face under the pointer.
        position: of its top left corner, in logical pixels.
        pixels: keeps what `image` shows.
        image: is painted.
    """

    rendered: RenderedFrame
    view: tuple[Viewport, float, int | None]
    position: QPointF
    pixels: NDArray[np.uint8]
    image: QImage


class VideoView(QWidget):
    """Shows the newest picture of a session."""

    face_clicked = Signal(object)
    """The id of the track under a click, None beside the faces."""
    painted = Signal(float, float)
    """`rendered_at` of a picture, once it was painted, and the seconds that drawing it took."""
    double_clicked = Signal()
    line_drawn = Signal(object)
    """A `Line` in the picture as its source gives it; it may be too short."""
    stepped = Signal(int)
    """An arrow key: 1 for the next frame, -1 for the one before."""
    moved_over = Signal()
    """The pointer moved over the picture."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setAttribute(Qt.WidgetAttribute.WA_OpaquePaintEvent)
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setMouseTracking(True)
        self.setMinimumSize(320, 180)
        self._composed: RenderedFrame | None = None
        self._drawn: _Drawn | None = None
        self._places = LabelPlaces()
        self._hovered: int | None = None
        self._unpainted_at: float | None = None
        self._viewport = Viewport(self.width(), self.height())
        self._dimmed = False
        self._pressed_at: QPointF | None = None
        self._dragged_from: QPointF | None = None
        self._lines: tuple[Line, ...] = ()
        self._drawing = False
        self._drawn_to: QPointF | None = None

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
        height, width = rendered.picture.shape[:2]
        if self._composed is None or self._composed.rendered_at != rendered.rendered_at:
            # A picture that was changed here did not come from the camera just now.
            self._unpainted_at = rendered.rendered_at
        self._composed = rendered
        if (width, height) != (self._viewport.picture_width, self._viewport.picture_height):
            self._viewport = replace(self._viewport, picture_width=width, picture_height=height).fitted()
        self.update()

    def clear(self) -> None:
        """Show the empty canvas."""
        self._composed = self._drawn = self._unpainted_at = self._hovered = None
        self._viewport = self._viewport.fitted()
        self.update()

    def set_lines(self, lines: Sequence[Line]) -> None:
        """Show lines, given in the picture as its source gives it."""
        self._lines = tuple(lines)
        self.update()

    def set_drawing(self, drawing: bool) -> None:
        """Let the next drag draw a line, or not."""
        self._drawing = drawing
        self._pressed_at = self._drawn_to = None
        self._show_cursor()
        self.update()

    def set_dimmed(self, dimmed: bool) -> None:
        """Darken the picture, for a message over it."""
        if dimmed != self._dimmed:
            self._dimmed = dimmed
            self.update()

    def picture(self) -> QImage | None:
        """A copy of the picture that is shown, in its own size, as it is saved."""
        return to_image(self._composed.annotated()) if self._composed is not None else None

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
        started = time.perf_counter()
        drawn = self._draw()
        draw_s = time.perf_counter() - started
        if drawn is not None:
            painter.drawImage(drawn.position, drawn.image)
            self._paint_lines(painter, drawn.rendered)
            if self._dimmed:
                painter.fillRect(self.rect(), QColor(0, 0, 0, DIMMED_BY))
        painter.end()
        if self._unpainted_at is not None:
            rendered_at, self._unpainted_at = self._unpainted_at, None
            self.painted.emit(rendered_at, draw_s)

    def resizeEvent(self, event: QResizeEvent) -> None:  # noqa: N802
        """Fit the picture into the new size."""
        size = event.size()
        self._viewport = replace(self._viewport, width=size.width(), height=size.height()).settled()
        super().resizeEvent(event)

    def wheelEvent(self, event: QWheelEvent) -> None:  # noqa: N802
        """Zoom about the pointer."""
        steps = event.angleDelta().y() / 120
        if self._composed is not None and steps:
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
        if self._drawing:
            if self._pressed_at is not None:
                self._drawn_to = event.position()
                self.update()
            return
        if self._pressed_at is None:
            hovered = self.track_at(event.position())
            self._expand(hovered)
            if self._viewport.zoom == 1:
                over_face = hovered is not None
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

    def leaveEvent(self, event: QEvent) -> None:  # noqa: N802
        """Show no label in full any more."""
        super().leaveEvent(event)
        self._expand(None)

    def mouseReleaseEvent(self, event: QMouseEvent) -> None:  # noqa: N802
        """Select a face where it was a click."""
        if event.button() != Qt.MouseButton.LeftButton or self._pressed_at is None:
            return
        if self._drawing:
            self._finish_line(self._pressed_at, event.position())
            return
        clicked = self._dragged_from is None
        self._pressed_at = self._dragged_from = None
        self._show_cursor()
        if clicked and self._composed is not None:
            self.face_clicked.emit(self.track_at(event.position()))

    def mouseDoubleClickEvent(self, event: QMouseEvent) -> None:  # noqa: N802
        """Ask for full screen, or for the way back."""
        if event.button() == Qt.MouseButton.LeftButton and not self._drawing:
            self._pressed_at = None
            self.double_clicked.emit()

    def keyPressEvent(self, event: QKeyEvent) -> None:  # noqa: N802
        """Pan a zoomed picture with the arrow keys; else left and right lead from frame to frame."""
        steps = {
            Qt.Key.Key_Left: (48, 0),
            Qt.Key.Key_Right: (-48, 0),
            Qt.Key.Key_Up: (0, 48),
            Qt.Key.Key_Down: (0, -48),
        }
        step = steps.get(Qt.Key(event.key()))
        if step is not None and step[0] and self._viewport.zoom == 1:
            self.stepped.emit(-1 if step[0] > 0 else 1)
            return
        if step is None or self._viewport.zoom == 1:
            super().keyPressEvent(event)
            return
        self._viewport = self._viewport.panned(*step)
        self.update()

    def _expand(self, track_id: int | None) -> None:
        """Show the whole label of the face under the pointer."""
        if track_id != self._hovered:
            self._hovered = track_id
            self.update()

    def _draw(self) -> _Drawn | None:
        """What is to be painted, drawn anew where anything of it changed."""
        if self._composed is None:
            return None
        ratio = self.devicePixelRatioF()
        known = self._drawn
        wanted = (self._viewport, ratio, self._hovered)
        if known is None or known.rendered is not self._composed or known.view != wanted:
            canvas, position = _visible_part(self._viewport, ratio)
            pixels = self._composed.view(canvas, self._places, expanded=self._hovered)
            image = QImage(pixels.data, canvas.width, canvas.height, pixels.strides[0], QImage.Format.Format_RGB32)
            image.setDevicePixelRatio(ratio)
            self._drawn = _Drawn(self._composed, wanted, position, pixels, image)
        return self._drawn

    def _paint_lines(self, painter: QPainter, rendered: RenderedFrame) -> None:
        """Paint what is to be crossed, and the line that is being drawn."""
        view = self._viewport
        left, top, width, height = view.target
        shown = []
        for number, line in enumerate(self._lines, 1):
            start, end = (line.mirrored() if rendered.mirrored else line).in_pixels(width, height)
            shown.append(
                ShownLine(QPointF(left + start.x, top + start.y), QPointF(left + end.x, top + end.y), str(number))
            )
        if self._pressed_at is not None and self._drawn_to is not None:
            shown.append(ShownLine(self._pressed_at, self._drawn_to))
        if shown:
            boxes = [track.detection.box.scaled(view.scale).shifted(left, top) for track in rendered.tracks]
            faces = [QRectF(box.x, box.y, box.width, box.height).toRect() for box in boxes]
            paint_lines(painter, shown, faces, self.rect())

    def _finish_line(self, start: QPointF, end: QPointF) -> None:
        """Say which line was drawn; what is beside the picture is moved to its border."""
        self._pressed_at = self._drawn_to = None
        self.update()
        if self._composed is None:
            return
        left, top, width, height = self._viewport.target
        ends = [(_share(one.x() - left, width), _share(one.y() - top, height)) for one in (start, end)]
        line = Line(*ends[0], *ends[1])
        self.line_drawn.emit(line.mirrored() if self._composed.mirrored else line)

    def _zoom(self, factor: float, about: QPointF) -> None:
        if self._composed is None:
            return
        self._viewport = self._viewport.zoomed(factor, x=about.x(), y=about.y())
        self._show_cursor()
        self.update()

    def _show_cursor(self) -> None:
        if self._drawing:
            self.setCursor(Qt.CursorShape.CrossCursor)
            return
        zoomed = self._viewport.zoom > 1
        self.setCursor(Qt.CursorShape.OpenHandCursor if zoomed else Qt.CursorShape.ArrowCursor)


def _share(offset: float, length: float) -> float:
    return min(max(offset / length, 0.0), 1.0)


def _visible_part(viewport: Viewport, ratio: float) -> tuple[Canvas, QPointF]:
    """The part of the picture that can be seen, and where it lies in the widget, in logical pixels."""
    left, top, width, height = (value * ratio for value in viewport.target)
    # Whole pixels of the screen, so that nothing is scaled twice.
    x, y = round(max(left, 0.0)), round(max(top, 0.0))
    right = round(min(left + width, viewport.width * ratio))
    bottom = round(min(top + height, viewport.height * ratio))
    scale = viewport.scale * ratio
    canvas = Canvas.of_view(
        max(right - x, 1),
        max(bottom - y, 1),
        scale=scale,
        left=max((x - left) / scale, 0.0),
        top=max((y - top) / scale, 0.0),
        ratio=ratio,
    )
    return canvas, QPointF(x / ratio, y / ratio)
