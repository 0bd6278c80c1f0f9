"""The picture in its widget: place, zoom, what is under the pointer, what is painted."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray
from PySide6.QtCore import QPoint, QPointF, Qt
from PySide6.QtGui import QColor, QImage, QWheelEvent
from PySide6.QtTest import QTest
from pytestqt.qtbot import QtBot

from desktop_app.engine.types import RenderedFrame
from desktop_app.sources.frame import Frame
from desktop_app.vision.detection.blazeface import Detection
from desktop_app.vision.geometry import Box, Landmarks, Point
from desktop_app.vision.tracking.tracker import Track
from desktop_app.window.picture.video_view import VideoView
from desktop_app.window.picture.viewport import MAX_ZOOM, Viewport
from desktop_app.window.style.theme import CANVAS

RED_BGR = (10, 20, 200)


def make_track(track_id: int, box: Box) -> Track:
    marks = Landmarks(*(Point(box.center.x, box.center.y) for _ in range(6)))
    return Track(track_id, Detection(box, 0.9, marks), 0.0, 0.0, 3, 0)


def make_rendered(picture: NDArray[np.uint8], *tracks: Track, at: float = 1.0) -> RenderedFrame:
    return RenderedFrame(picture, Frame(picture, 0, at), tracks, {}, {}, at, at)


def plain(width: int, height: int) -> NDArray[np.uint8]:
    return np.full((height, width, 3), RED_BGR, np.uint8)


@pytest.fixture
def view(qtbot: QtBot) -> VideoView:
    widget = VideoView()
    qtbot.addWidget(widget)
    widget.resize(800, 600)
    widget.show()
    qtbot.waitExposed(widget)
    return widget


def grab(view: VideoView) -> QImage:
    image = view.grab().toImage()
    image.setDevicePixelRatio(1.0)
    return image


def test_picture_is_centred_with_its_aspect_and_colours(view: VideoView) -> None:
    view.show_composed(make_rendered(plain(1280, 720)))
    assert view.viewport.target == (0, 75, 800, 450)
    image = grab(view)
    assert image.pixelColor(400, 300) == QColor(200, 20, 10)
    assert image.pixelColor(400, 20) == QColor(CANVAS)
    assert image.pixelColor(400, 580) == QColor(CANVAS)


def test_a_tall_picture_has_its_bars_at_the_sides(view: VideoView) -> None:
    view.show_composed(make_rendered(plain(300, 600)))
    assert view.viewport.target == (250, 0, 300, 600)


def test_a_picture_in_its_own_size_keeps_every_pixel(view: VideoView) -> None:
    noise = np.random.default_rng(1).integers(0, 256, (600, 800, 3), np.uint8)
    view.show_composed(make_rendered(noise))
    image = grab(view).convertToFormat(QImage.Format.Format_RGB888)
    pixels = np.frombuffer(image.constBits(), np.uint8).reshape(600, image.bytesPerLine())[:, :2400]
    np.testing.assert_array_equal(pixels.reshape(600, 800, 3)[..., ::-1], noise)


def test_painting_is_told_once_a_picture(view: VideoView, qtbot: QtBot) -> None:
    painted: list[float] = []
    view.painted.connect(lambda rendered_at, _draw_s: painted.append(rendered_at))
    with qtbot.waitSignal(view.painted):
        view.show_composed(make_rendered(plain(64, 64), at=4.5))
    view.repaint()
    assert painted == [4.5]


def test_click_selects_the_face_under_it(view: VideoView, qtbot: QtBot) -> None:
    faces = make_track(3, Box(100, 100, 200, 200)), make_track(8, Box(250, 150, 200, 200))
    view.show_composed(make_rendered(plain(800, 600), *faces))
    clicked: list[int | None] = []
    view.face_clicked.connect(clicked.append)
    for point in (QPoint(150, 150), QPoint(400, 300), QPoint(260, 180), QPoint(700, 500)):
        QTest.mouseClick(view, Qt.MouseButton.LeftButton, pos=point)
    # In the overlap the face whose middle is nearer counts.
    assert clicked == [3, 8, 3, None]


def test_click_finds_faces_in_a_zoomed_picture(view: VideoView, qtbot: QtBot) -> None:
    view.show_composed(make_rendered(plain(800, 600), make_track(5, Box(380, 280, 40, 40))))
    for _ in range(6):
        view.zoom_in()
    with qtbot.waitSignal(view.face_clicked) as signal:
        QTest.mouseClick(view, Qt.MouseButton.LeftButton, pos=QPoint(400 + 60, 300))
    assert signal.args == [5]


def test_drag_pans_and_selects_nothing(view: VideoView, qtbot: QtBot) -> None:
    view.show_composed(make_rendered(plain(800, 600), make_track(1, Box(0, 0, 800, 600))))
    view.zoom_in()
    before = view.viewport.target
    with qtbot.assertNotEmitted(view.face_clicked):
        QTest.mousePress(view, Qt.MouseButton.LeftButton, pos=QPoint(400, 300))
        QTest.mouseMove(view, QPoint(420, 310))
        QTest.mouseMove(view, QPoint(440, 320))
        QTest.mouseRelease(view, Qt.MouseButton.LeftButton, pos=QPoint(440, 320))
    after = view.viewport.target
    assert after[0] == pytest.approx(before[0] + 40)
    assert after[1] == pytest.approx(before[1] + 20)


def test_wheel_zooms_about_the_pointer(view: VideoView) -> None:
    view.show_composed(make_rendered(plain(800, 600)))
    under = view.viewport.to_picture(200, 150)
    wheel = QWheelEvent(
        QPointF(200, 150),
        QPointF(200, 150),
        QPoint(),
        QPoint(0, 240),
        Qt.MouseButton.NoButton,
        Qt.KeyboardModifier.NoModifier,
        Qt.ScrollPhase.NoScrollPhase,
        False,
    )
    view.wheelEvent(wheel)
    assert view.viewport.zoom == pytest.approx(1.25**2)
    assert view.viewport.to_picture(200, 150) == pytest.approx(under)
    view.fit()
    assert view.viewport.zoom == 1


def test_another_size_shows_the_whole_picture_again(view: VideoView) -> None:
    view.show_composed(make_rendered(plain(800, 600)))
    view.zoom_in()
    view.show_composed(make_rendered(plain(800, 600)))
    assert view.viewport.zoom > 1
    view.show_composed(make_rendered(plain(640, 360)))
    assert view.viewport.zoom == 1


def test_cleared_view_is_empty(view: VideoView) -> None:
    view.show_composed(make_rendered(plain(800, 600), make_track(1, Box(0, 0, 800, 600))))
    view.clear()
    assert view.picture() is None
    assert view.track_at(QPointF(400, 300)) is None
    assert grab(view).pixelColor(400, 300) == QColor(CANVAS)


def test_copied_picture_is_the_one_shown_and_keeps_its_pixels(view: VideoView) -> None:
    view.show_composed(make_rendered(plain(640, 360)))
    copied = view.picture()
    assert copied is not None
    view.show_composed(make_rendered(np.zeros((360, 640, 3), np.uint8)))
    assert (copied.width(), copied.height()) == (640, 360)
    assert copied.pixelColor(5, 5) == QColor(200, 20, 10)


def test_the_copied_picture_has_its_labels_at_its_own_size(view: VideoView) -> None:
    rendered = make_rendered(plain(1600, 1200), make_track(1, Box(400, 400, 300, 300)))
    view.show_composed(rendered)
    copied = view.picture()
    assert copied is not None
    copied = copied.convertToFormat(QImage.Format.Format_BGR888)
    pixels = np.frombuffer(copied.constBits(), np.uint8).reshape(1200, copied.bytesPerLine())[:, :4800]
    np.testing.assert_array_equal(pixels.reshape(1200, 1600, 3), rendered.annotated())


def test_the_whole_label_is_shown_under_the_pointer(view: VideoView, qtbot: QtBot) -> None:
    view.show_composed(make_rendered(plain(800, 600), make_track(1, Box(400, 300, 20, 20))))
    without = grab(view)
    QTest.mouseMove(view, QPoint(410, 310))
    qtbot.waitUntil(lambda: grab(view) != without)
    QTest.mouseMove(view, QPoint(100, 500))
    qtbot.waitUntil(lambda: grab(view) == without)


def test_zoom_and_pan_keep_to_their_bounds() -> None:
    viewport = Viewport(800, 600, 1280, 720)
    for _ in range(40):
        viewport = viewport.zoomed(1.5, x=10, y=10)
    assert viewport.zoom == MAX_ZOOM
    for dx, dy in ((1e5, 1e5), (-1e6, -1e6)):
        viewport = viewport.panned(dx, dy)
        left, top, width, height = viewport.target
        assert left <= 1e-6
        assert top <= 1e-6
        assert left + width >= 800 - 1e-6
        assert top + height >= 600 - 1e-6
    assert viewport.zoomed(1e-9, x=400, y=300).target == pytest.approx(Viewport(800, 600, 1280, 720).target)
