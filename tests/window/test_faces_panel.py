from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray
from PySide6.QtCore import QPoint, Qt
from PySide6.QtGui import QCursor, QGuiApplication, QImage, QPalette
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication, QComboBox, QLabel, QListView, QScrollArea, QToolButton
from pytestqt.qtbot import QtBot

from desktop_app.catalogue.manifest import AgeLabel, Labels
from desktop_app.engine.types import RenderedFrame
from desktop_app.sources.frame import Frame
from desktop_app.vision.classification.classifier import Prediction
from desktop_app.vision.classification.label import Label, without_gender
from desktop_app.vision.classification.label import make_label as make_label_of
from desktop_app.vision.detection.blazeface import Detection
from desktop_app.vision.geometry import Box, Landmarks, Point
from desktop_app.vision.tracking.tracker import Track
from desktop_app.window.panels.crop_image import rounded_pixmap
from desktop_app.window.panels.face_card import top_ages
from desktop_app.window.panels.face_list import FACE_ROLE, Face
from desktop_app.window.panels.face_order import arrange, hold_still, sort_value
from desktop_app.window.panels.faces_panel import FacesPanel, format_duration
from desktop_app.window.panels.probability_bars import BarChart
from desktop_app.window.style.translation import install_language

LABELS = Labels((AgeLabel("0-19", 0, 19), AgeLabel("20-59", 20, 59), AgeLabel("60+", 60, None)), ("Male", "Female"))
PICTURE = np.zeros((480, 640, 3), np.uint8)


def make_track(track_id: int, *, seen_s: float = 5.0, size: float = 100.0, missed: int = 0) -> Track:
    marks = Landmarks(*[Point(0, 0)] * 6)
    return Track(track_id, Detection(Box(0, 0, size, size), 0.9, marks), 0.0, seen_s, 10, missed)


def make_label(age: Sequence[float] = (0.1, 0.7, 0.2), gender: Sequence[float] = (0.2, 0.8)) -> Label:
    prediction = Prediction(np.array(age, np.float32), np.array(gender, np.float32))
    return make_label_of(prediction, LABELS, samples=3)


def make_crop(track_id: int) -> NDArray[np.uint8]:
    return np.random.default_rng(track_id).integers(0, 256, (64, 64, 3), np.uint8)


def rendered(*tracks: Track, labels: dict[int, Label] | None = None) -> RenderedFrame:
    named = labels if labels is not None else {track.id: make_label() for track in tracks}
    crops = {track.id: make_crop(track.id) for track in tracks if track.missed == 0}
    return RenderedFrame(PICTURE, Frame(PICTURE, 0, 0.0), tracks, named, crops, 0.0, 0.0)


@pytest.fixture
def panel(qtbot: QtBot) -> FacesPanel:
    # Away from the list, which holds still under the pointer.
    QCursor.setPos(QGuiApplication.primaryScreen().geometry().bottomRight())
    panel = FacesPanel()
    qtbot.addWidget(panel)
    panel.resize(340, 700)
    panel.set_labels(LABELS)
    panel.show()
    return panel


def list_of(panel: FacesPanel) -> QListView:
    view = panel.findChild(QListView)
    assert isinstance(view, QListView)
    return view


def shown_faces(panel: FacesPanel) -> list[Face]:
    model = list_of(panel).model()
    return [model.index(row, 0).data(FACE_ROLE) for row in range(model.rowCount())]


def wait_for_ids(qtbot: QtBot, panel: FacesPanel, *ids: int) -> None:
    qtbot.waitUntil(lambda: [face.id for face in shown_faces(panel)] == list(ids))


def card_text(panel: FacesPanel) -> str:
    return " ".join(label.text() for label in panel.findChildren(QLabel) if label.isVisible())


def click_row(panel: FacesPanel, row: int) -> None:
    view = list_of(panel)
    place = view.visualRect(view.model().index(row, 0)).center()
    QTest.mouseClick(view.viewport(), Qt.MouseButton.LeftButton, Qt.KeyboardModifier.NoModifier, place)


def test_without_faces_it_says_so(qtbot: QtBot, panel: FacesPanel) -> None:
    panel.show_composed(rendered())
    qtbot.waitUntil(lambda: "No face in view" in card_text(panel))
    assert not list_of(panel).isVisible()


def test_each_face_has_a_row_that_a_screen_reader_can_read(qtbot: QtBot, panel: FacesPanel) -> None:
    panel.show_composed(rendered(make_track(3), make_track(1, seen_s=65), labels={1: make_label()}))
    wait_for_ids(qtbot, panel, 1, 3)
    model = list_of(panel).model()
    texts = [model.index(row, 0).data(Qt.ItemDataRole.AccessibleTextRole) for row in (0, 1)]
    assert texts == ["Face 1: 20–59 (70%), Female (80%), seen for 1:05", "Face 3, not yet classified"]


def test_an_unsure_face_is_shown_as_the_picture_shows_it(qtbot: QtBot, panel: FacesPanel) -> None:
    spread = (0.04, 0.34, 0.31, 0.31)
    ages = (AgeLabel("0-19", 0, 19), AgeLabel("20-39", 20, 39), AgeLabel("40-59", 40, 59), AgeLabel("60+", 60, None))
    prediction = Prediction(np.array(spread, np.float32), np.array((0.45, 0.55), np.float32))
    panel.set_labels(Labels(ages, LABELS.genders))
    panel.show_composed(rendered(make_track(1), labels={1: make_label_of(prediction, Labels(ages, LABELS.genders))}))
    wait_for_ids(qtbot, panel, 1)
    (face,) = shown_faces(panel)
    assert (face.age, face.age_text, face.gender, face.gender_text) == ("20–59", "65%", "gender unsure", "")
    assert face.summary == "Face 1: age unsure, 20–59 (65%), gender unsure, seen for 5 s"
    (large,) = (text for text in panel.findChildren(QLabel) if text.text() == "20–59")
    assert large.foregroundRole() == QPalette.ColorRole.PlaceholderText
    charts = [[bar.strong for bar in chart.bars] for chart in panel.findChildren(BarChart)]
    assert charts == [[False, True, True, False], [False, False]]


def test_a_face_that_is_not_seen_just_now_is_listed_but_not_counted(qtbot: QtBot, panel: FacesPanel) -> None:
    panel.show_composed(rendered(make_track(1), make_track(2), make_track(3, missed=2)))
    wait_for_ids(qtbot, panel, 1, 2, 3)
    assert "In view: 2" in card_text(panel)


def test_what_is_written_as_nothing_has_no_bar(qtbot: QtBot, panel: FacesPanel) -> None:
    panel.show_composed(rendered(make_track(1), labels={1: make_label(age=(0.004, 0.99, 0.006))}))
    wait_for_ids(qtbot, panel, 1)
    ages = next(chart for chart in panel.findChildren(BarChart) if len(chart.bars) == 3)
    assert [(bar.text, bar.fraction > 0) for bar in ages.bars] == [("0%", False), ("99%", True), ("1%", True)]


def test_only_the_newest_picture_counts(qtbot: QtBot, panel: FacesPanel) -> None:
    for last in range(1, 30):
        panel.show_composed(rendered(make_track(last)))
    wait_for_ids(qtbot, panel, 29)


def test_a_hidden_panel_waits_until_it_is_shown(qtbot: QtBot, panel: FacesPanel) -> None:
    visible = FacesPanel()
    qtbot.addWidget(visible)
    visible.show()
    for one in (panel, visible):
        one.show_composed(rendered(make_track(1)))
        wait_for_ids(qtbot, one, 1)
    panel.hide()
    for one in (panel, visible):
        one.show_composed(rendered(make_track(2)))
    wait_for_ids(qtbot, visible, 2)
    assert [face.id for face in shown_faces(panel)] == [1]
    panel.show()
    wait_for_ids(qtbot, panel, 2)


def test_texts_follow_the_language(qtbot: QtBot, qapp: QApplication, panel: FacesPanel, plain_looks: None) -> None:
    panel.show_composed(rendered(make_track(1)))
    wait_for_ids(qtbot, panel, 1)
    install_language(qapp, "zh_CN")
    qtbot.waitUntil(lambda: "画面中：1" in card_text(panel) and "女 · 80%" in card_text(panel))


def test_a_click_selects_and_is_told_once(qtbot: QtBot, panel: FacesPanel) -> None:
    panel.show_composed(rendered(make_track(1), make_track(2)))
    wait_for_ids(qtbot, panel, 1, 2)
    told: list[object] = []
    panel.face_selected.connect(told.append)
    click_row(panel, 1)
    assert told == [2]
    assert panel.selected == 2
    assert "#2" in card_text(panel)
    QTest.keyClick(list_of(panel), Qt.Key.Key_Escape)
    assert told == [2, None]
    assert panel.selected is None


def test_arrow_keys_move_the_selection(qtbot: QtBot, panel: FacesPanel) -> None:
    panel.show_composed(rendered(make_track(1), make_track(2), make_track(3)))
    wait_for_ids(qtbot, panel, 1, 2, 3)
    click_row(panel, 0)
    with qtbot.waitSignal(panel.face_selected) as told:
        QTest.keyClick(list_of(panel), Qt.Key.Key_Down)
    assert told.args == [2]


def test_select_from_elsewhere_is_not_told_back(qtbot: QtBot, panel: FacesPanel) -> None:
    panel.show_composed(rendered(make_track(1), make_track(2)))
    wait_for_ids(qtbot, panel, 1, 2)
    told: list[object] = []
    panel.face_selected.connect(told.append)
    panel.select(2)
    rows = [index.row() for index in list_of(panel).selectionModel().selectedIndexes()]
    assert (rows, told) == ([1], [])
    panel.select(None)
    assert not list_of(panel).selectionModel().hasSelection()
    assert told == []


def test_the_selection_stays_with_a_face_that_leaves_and_comes_back(qtbot: QtBot, panel: FacesPanel) -> None:
    panel.show_composed(rendered(make_track(1), make_track(2), make_track(3)))
    wait_for_ids(qtbot, panel, 1, 2, 3)
    click_row(panel, 1)
    told: list[object] = []
    panel.face_selected.connect(told.append)
    panel.show_composed(rendered(make_track(1), make_track(3)))
    wait_for_ids(qtbot, panel, 1, 3)
    assert panel.selected == 2
    assert not list_of(panel).selectionModel().hasSelection()
    panel.show_composed(rendered(make_track(1), make_track(2), make_track(3)))
    wait_for_ids(qtbot, panel, 1, 2, 3)
    assert [index.row() for index in list_of(panel).selectionModel().selectedIndexes()] == [1]
    assert told == []


def test_without_a_selection_the_card_stays_with_the_largest_face(qtbot: QtBot, panel: FacesPanel) -> None:
    panel.show_composed(rendered(make_track(1, size=50), make_track(2, size=200)))
    wait_for_ids(qtbot, panel, 1, 2)
    assert "#2" in card_text(panel)
    panel.show_composed(rendered(make_track(1, size=400), make_track(2, size=200), make_track(3)))
    wait_for_ids(qtbot, panel, 1, 2, 3)
    assert "#2" in card_text(panel)
    panel.show_composed(rendered(make_track(1, size=400), make_track(3)))
    wait_for_ids(qtbot, panel, 1, 3)
    assert "#1" in card_text(panel)


def test_the_card_shows_every_class_with_its_name(qtbot: QtBot, panel: FacesPanel) -> None:
    panel.show_composed(rendered(make_track(1), labels={1: make_label((0.1, 0.25, 0.65), (0.9, 0.1))}))
    wait_for_ids(qtbot, panel, 1)
    bars = [[(bar.label, bar.text, bar.strong) for bar in chart.bars] for chart in panel.findChildren(BarChart)]
    assert bars == [
        [("0–19", "10%", False), ("20–59", "25%", False), ("60+", "65%", True)],
        [("Male", "90%", True), ("Female", "10%", False)],
    ]


def test_another_models_labels_do_not_name_old_answers(qtbot: QtBot, panel: FacesPanel) -> None:
    panel.set_labels(Labels((AgeLabel("young", 0, 29), AgeLabel("old", 30, None)), ("Male", "Female")))
    panel.show_composed(rendered(make_track(1)))
    wait_for_ids(qtbot, panel, 1)
    ages = panel.findChildren(BarChart)[0].bars
    assert [bar.label for bar in ages] == ["", "", ""]


def test_a_coasting_face_keeps_its_last_crop_and_is_marked(qtbot: QtBot, panel: FacesPanel) -> None:
    panel.show_composed(rendered(make_track(1)))
    wait_for_ids(qtbot, panel, 1)
    panel.show_composed(rendered(make_track(1, missed=3)))
    qtbot.waitUntil(lambda: not shown_faces(panel)[0].visible)
    crop = shown_faces(panel)[0].crop
    assert crop is not None
    np.testing.assert_array_equal(crop, make_crop(1))


def row_picture(panel: FacesPanel) -> QImage:
    view = list_of(panel)
    return view.viewport().grab(view.visualRect(view.model().index(0, 0))).toImage()


@pytest.mark.parametrize("visible", [True, False])
def test_of_what_was_shown_before_nothing_stays(qtbot: QtBot, panel: FacesPanel, visible: bool) -> None:
    panel.show_composed(rendered(make_track(1), make_track(2)))
    wait_for_ids(qtbot, panel, 1, 2)
    panel.setVisible(visible)
    # A face that coasts has no crop of its own in the new picture: what is kept of it must go, too.
    hidden = replace(rendered(make_track(1), make_track(2, missed=1)), crops={1: make_crop(7)})
    panel.show_only(hidden)
    panel.show()
    wait_for_ids(qtbot, panel, 1, 2)
    shown = [face.crop for face in shown_faces(panel)]
    assert shown[0] is hidden.crops[1]
    assert shown[1] is None
    card = next(label for label in panel.findChildren(QLabel) if not label.pixmap().isNull())
    assert card.pixmap().toImage() == rounded_pixmap(make_crop(7), card.width(), radius=12).toImage()


def test_thirty_faces_scroll(qtbot: QtBot, panel: FacesPanel) -> None:
    panel.show_composed(rendered(*(make_track(number) for number in range(1, 31))))
    wait_for_ids(qtbot, panel, *range(1, 31))
    panel.select(30)
    view = list_of(panel)
    rectangle = view.visualRect(view.model().index(29, 0))
    assert view.viewport().rect().contains(rectangle.center())
    assert view.indexAt(QPoint(10, rectangle.center().y())).row() == 29


@pytest.mark.parametrize(
    ("seconds", "text"), [(-1, "0 s"), (0.9, "0 s"), (59.9, "59 s"), (60, "1:00"), (3599, "59:59"), (3725, "1:02:05")]
)
def test_durations_are_for_people(seconds: float, text: str) -> None:
    assert format_duration(seconds) == text


def test_without_gender_nothing_is_said_of_it(qtbot: QtBot, panel: FacesPanel) -> None:
    panel.show_composed(rendered(make_track(1), labels={1: without_gender(make_label())}))
    wait_for_ids(qtbot, panel, 1)
    (face,) = shown_faces(panel)
    assert face.summary == "Face 1: 20–59 (70%), seen for 5 s"
    assert (face.gender, face.gender_text) == ("", "")
    assert sorted(len(chart.bars) for chart in panel.findChildren(BarChart)) == [0, 3]


OLD, YOUNG, UNSURE = make_label((0.1, 0.1, 0.8), (0.9, 0.1)), make_label((0.8, 0.1, 0.1)), make_label(gender=(0.5, 0.5))
CROWD = {1: OLD, 2: YOUNG, 3: make_label(), 4: UNSURE}


def choose(panel: FacesPanel, text: str) -> None:
    box = next(box for box in panel.findChildren(QComboBox) if box.findText(text) >= 0)
    box.setCurrentIndex(box.findText(text))


def crowd(*, seen_s: float = 5.0) -> RenderedFrame:
    tracks = [make_track(number, seen_s=seen_s + number) for number in CROWD]
    return rendered(*tracks, make_track(5, seen_s=0.1), labels=CROWD)


@pytest.mark.parametrize(
    ("text", "ids"),
    [("Sort by age", [2, 3, 4, 1, 5]), ("Sort by gender", [1, 2, 3, 4, 5]), ("Sort by time", [1, 2, 3, 4, 5])],
)
def test_faces_are_sorted(qtbot: QtBot, panel: FacesPanel, text: str, ids: list[int]) -> None:
    panel.show_composed(crowd())
    wait_for_ids(qtbot, panel, 1, 2, 3, 4, 5)
    click_row(panel, 0)
    choose(panel, text)
    assert [face.id for face in shown_faces(panel)] == ids
    # The selection stays with its face.
    assert [index.data(FACE_ROLE).id for index in list_of(panel).selectionModel().selectedIndexes()] == [1]


@pytest.mark.parametrize(
    ("text", "ids"),
    [
        ("Female", [2, 3]),
        ("Male", [1]),
        ("60+", [1]),
        ("Unsure", [4]),
        ("10 s or longer", [3, 4]),
        ("All faces", [1, 2, 3, 4, 5]),
    ],
)
def test_faces_are_filtered(qtbot: QtBot, panel: FacesPanel, text: str, ids: list[int]) -> None:
    panel.show_composed(crowd(seen_s=7.0))
    wait_for_ids(qtbot, panel, 1, 2, 3, 4, 5)
    choose(panel, "All faces")
    choose(panel, text)
    assert [face.id for face in shown_faces(panel)] == ids
    assert ("listed" in card_text(panel)) == (len(ids) < 5)
    # The card shows its face all the same.
    assert "#1" in card_text(panel)


def test_what_is_chosen_stays_with_another_language_and_the_same_labels(
    qtbot: QtBot, qapp: QApplication, panel: FacesPanel, plain_looks: None
) -> None:
    panel.show_composed(crowd())
    wait_for_ids(qtbot, panel, 1, 2, 3, 4, 5)
    choose(panel, "Female")
    choose(panel, "Sort by age")
    install_language(qapp, "zh_CN")
    qtbot.waitUntil(lambda: [box.currentText() for box in panel.findChildren(QComboBox)] == ["女", "按年龄排序"])
    panel.set_labels(LABELS)
    assert [face.id for face in shown_faces(panel)] == [2, 3]


def test_rows_keep_their_place_when_answers_change(qtbot: QtBot, panel: FacesPanel) -> None:
    panel.show_composed(rendered(make_track(1), make_track(2), labels={1: YOUNG, 2: OLD}))
    wait_for_ids(qtbot, panel, 1, 2)
    choose(panel, "Sort by age")
    panel.show_composed(rendered(make_track(1), make_track(2), labels={1: OLD, 2: YOUNG}))
    qtbot.waitUntil(lambda: shown_faces(panel)[0].age == "60+")
    assert [face.id for face in shown_faces(panel)] == [1, 2]


def test_the_rows_in_sight_stay_where_they_are_when_faces_above_them_leave(qtbot: QtBot, panel: FacesPanel) -> None:
    panel.show_composed(rendered(*(make_track(number) for number in range(1, 31))))
    wait_for_ids(qtbot, panel, *range(1, 31))
    view = list_of(panel)
    qtbot.waitUntil(lambda: view.verticalScrollBar().maximum() > 10 * view.sizeHintForRow(0) + 7)
    view.verticalScrollBar().setValue(10 * view.sizeHintForRow(0) + 7)

    def place(number: int) -> int:
        row = [face.id for face in shown_faces(panel)].index(number)
        return view.visualRect(view.model().index(row, 0)).top()

    before = place(12)
    left = [number for number in range(1, 31) if number not in {2, 5}]
    panel.show_composed(rendered(*(make_track(number) for number in left)))
    wait_for_ids(qtbot, panel, *left)
    assert place(12) == before


def test_a_list_that_is_pointed_at_holds_still() -> None:
    faces = [Face(id=number, crop=None, seen="", visible=True, summary="") for number in range(1, 5)]
    rows = hold_still(faces[:3], [faces[3], faces[0], faces[2]], [faces[3], faces[2], faces[0]])
    assert [(face.id, face.visible) for face in rows] == [(1, True), (2, False), (3, True), (4, True)]
    assert arrange(faces, {face.id: sort_value(face, "age") for face in faces}) == faces


def test_for_another_source_no_row_stays_though_it_is_pointed_at(qtbot: QtBot, panel: FacesPanel) -> None:
    panel.show_composed(rendered(make_track(1), make_track(2)))
    wait_for_ids(qtbot, panel, 1, 2)
    panel.clear()
    assert shown_faces(panel) == []
    panel.show_composed(rendered(make_track(2)))
    wait_for_ids(qtbot, panel, 2)


def test_the_card_shows_three_ages_until_all_are_asked_for(qtbot: QtBot, panel: FacesPanel) -> None:
    ages = tuple(AgeLabel(f"{10 * n}-{10 * n + 9}", 10 * n, 10 * n + 9) for n in range(7))
    labels = Labels(ages, LABELS.genders)
    prediction = Prediction(
        np.array((0.02, 0.2, 0.4, 0.03, 0.25, 0.05, 0.05), np.float32), np.array((0.1, 0.9), np.float32)
    )
    panel.set_labels(labels)
    panel.show_composed(rendered(make_track(1), labels={1: make_label_of(prediction, labels)}))
    wait_for_ids(qtbot, panel, 1)
    chart = panel.findChildren(BarChart)[0]
    assert [bar.label for bar in chart.bars] == ["10–19", "20–29", "40–49"]
    button = next(one for one in panel.findChildren(QToolButton) if one.text() == "All ages")
    button.click()
    assert len(chart.bars) == 7
    assert button.text() == "Fewer ages"
    button.click()
    assert len(chart.bars) == 3


def test_with_all_ages_a_low_panel_stays_as_low_and_keeps_rows_and_does_not_hide_what_it_has_room_for(
    qtbot: QtBot, panel: FacesPanel
) -> None:
    ages = tuple(AgeLabel(f"{10 * n}-{10 * n + 9}", 10 * n, 10 * n + 9) for n in range(9))
    labels = Labels(ages, LABELS.genders)
    prediction = Prediction(np.full(9, 1 / 9, np.float32), np.array((0.1, 0.9), np.float32))
    panel.set_labels(labels)
    panel.show_composed(rendered(*map(make_track, range(1, 5)), labels={1: make_label_of(prediction, labels)}))
    wait_for_ids(qtbot, panel, 1, 2, 3, 4)
    card = panel.findChildren(BarChart)[0].parentWidget()
    area = panel.findChild(QScrollArea)
    assert card is not None
    assert area is not None
    next(one for one in panel.findChildren(QToolButton) if one.text() == "All ages").click()
    qtbot.waitUntil(lambda: area.height() == card.sizeHint().height())
    panel.resize(340, 480)
    qtbot.waitUntil(lambda: area.height() < card.sizeHint().height())
    assert panel.minimumSizeHint().height() <= panel.height() == 480
    assert list_of(panel).height() >= list_of(panel).sizeHintForRow(0)


def test_of_a_picture_that_stands_alone_no_time_is_told(qtbot: QtBot, panel: FacesPanel) -> None:
    panel.show_composed(rendered(make_track(1, seen_s=0.0)))
    wait_for_ids(qtbot, panel, 1)
    [face] = shown_faces(panel)
    assert face.summary == "Face 1: 20–59 (70%), Female (80%)"
    assert "seen" not in card_text(panel)


def test_the_three_ages_change_only_for_clearly_better_ones() -> None:
    first = top_ages((0.5, 0.2, 0.16, 0.14), ())
    assert first == (0, 1, 2)
    assert top_ages((0.5, 0.2, 0.14, 0.16), first) == first
    assert top_ages((0.5, 0.2, 0.1, 0.2), first) == (0, 1, 3)
    # Those of another model.
    assert top_ages((0.1, 0.9), (4, 5, 6)) == (0, 1)
