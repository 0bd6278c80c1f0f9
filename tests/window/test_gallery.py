"""The pictures of a folder: thumbnails, filter, corrections by hand."""

from __future__ import annotations

import csv
import shutil
from pathlib import Path

import cv2
import numpy as np
import pytest
from PySide6.QtCore import Qt
from PySide6.QtGui import QCloseEvent, QGuiApplication, QPixmap
from PySide6.QtWidgets import QDialogButtonBox, QFileDialog, QLabel, QTableWidget
from pytestqt.qtbot import QtBot

from desktop_app.analytics.corrections import StillFace, Truth
from desktop_app.engine.types import RenderedFrame
from desktop_app.sources.base import PictureFile
from desktop_app.sources.frame import Frame
from desktop_app.vision.classification.label import Label
from desktop_app.vision.geometry import Box
from desktop_app.window.panels.gallery.confusion_dialog import ConfusionDialog
from desktop_app.window.panels.gallery.face_rows import FaceRow
from desktop_app.window.panels.gallery.gallery_panel import GalleryPanel
from desktop_app.window.panels.gallery.thumbnails import Thumbnails
from desktop_app.window.panels.gallery.unsaved_dialog import UnsavedDialog
from tests.helpers.desk import Desk
from tests.helpers.portrait import astronaut_bgr
from tests.helpers.visitors import LABELS, label, track

CHILD, ADULT = label(0.9, 0.05, 0.05), label(0.1, 0.8, 0.1)
PIXELS = np.zeros((100, 200, 3), np.uint8)
LEFT, RIGHT = Box(10, 10, 40, 40), Box(120, 10, 40, 40)
PICTURES = tuple(PictureFile(Path(f"/album/{name}.png"), index) for index, name in enumerate("abc"))


@pytest.fixture
def panel(qtbot: QtBot) -> GalleryPanel:
    made = GalleryPanel()
    qtbot.addWidget(made)
    made.resize(340, 700)
    made.set_labels(LABELS)
    made.set_pictures(PICTURES)
    made.show()
    return made


def picture(index: int, *faces: tuple[Box, Label | None], mirrored: bool = False) -> RenderedFrame:
    frame = Frame(PIXELS, index, float(index), f"{'abc'[index]}.png", alone=True)
    tracks = tuple(track(number, box=box) for number, (box, _) in enumerate(faces, 10 * index))
    labels = {one.id: said for one, (_, said) in zip(tracks, faces, strict=True) if said is not None}
    return RenderedFrame(PIXELS, frame, tracks, labels, {}, 0.0, 0.0, mirrored=mirrored)


def listed(panel: GalleryPanel) -> list[str]:
    model = panel.list.model()
    return [str(model.index(row, 0).data()) for row in range(model.rowCount())]


def rows_of(panel: GalleryPanel) -> list[FaceRow]:
    return list(panel.rows.rows)


def choose(panel: GalleryPanel, text: str) -> None:
    panel.filter_choice.setCurrentIndex(panel.filter_choice.findText(text))


def test_the_list_says_what_was_seen_and_filters_by_it(panel: GalleryPanel) -> None:
    assert listed(panel) == ["a.png", "b.png", "c.png"]
    panel.show_composed(picture(0, (LEFT, CHILD), (RIGHT, ADULT)))
    panel.show_composed(picture(1, (LEFT, ADULT)))
    assert listed(panel) == ["a.png: 2 faces", "b.png: 20–59 · Female", "c.png"]
    assert panel.list.currentIndex().row() == 1
    assert "2 of 3 seen" in {one.text() for one in panel.findChildren(QLabel)}
    for text, names in (("0–19", ["a.png: 2 faces"]), ("Not looked at", ["c.png"]), ("Corrected", []), ("Unsure", [])):
        choose(panel, text)
        assert listed(panel) == names
    panel.clear()
    assert listed(panel) == []
    panel.end()


def test_faces_are_corrected_one_by_one(panel: GalleryPanel, qtbot: QtBot) -> None:
    panel.show_composed(picture(0, (LEFT, CHILD), (RIGHT, None)))
    first, second = panel.rows.rows
    assert not second.right_button.isEnabled()
    assert (panel.unsaved, panel.save_button.isEnabled()) == (False, False)
    with qtbot.waitSignal(panel.corrected):
        first.right_button.click()
    second.age_choice.setCurrentIndex(3)
    assert (first.age_choice.currentText(), first.gender_choice.currentText()) == ("0–19", "Female")
    assert [face.truth for face in panel.faces.corrected()] == [Truth("0-19", "Female"), Truth("60+")]
    assert (panel.unsaved, panel.save_button.isEnabled()) == (True, True)
    panel.note_saved(panel.faces.changes)
    assert not panel.unsaved
    # Another picture, and back: under other numbers, mirrored.
    panel.show_composed(picture(1))
    assert rows_of(panel) == []
    panel.show_composed(picture(0, (Box(40, 10, 40, 40), ADULT), (Box(150, 10, 40, 40), CHILD), mirrored=True))
    assert [row.age_choice.currentText() for row in rows_of(panel)] == ["60+", "0–19"]
    rows_of(panel)[0].age_choice.setCurrentIndex(0)
    assert [face.truth for face in panel.faces.corrected()] == [Truth("0-19", "Female")]
    panel.end()


def test_a_picture_that_is_chosen_is_asked_for(panel: GalleryPanel, qtbot: QtBot) -> None:
    panel.show_composed(picture(0))
    with qtbot.waitSignal(panel.picture_chosen) as asked:
        panel.list.setCurrentIndex(panel.list.model().index(2, 0))
    assert asked.args == [2]
    # A file of another name has this index by now: nothing is said of it.
    panel.set_pictures((PICTURES[0], PictureFile(Path("/album/c.png"), 1)))
    panel.show_composed(picture(1, (LEFT, CHILD)))
    assert listed(panel) == ["a.png: no face", "c.png"]
    panel.end()


def test_thumbnails_come_by_and_by_and_go_when_pictures_are_hidden(qtbot: QtBot, tmp_path: Path) -> None:
    wide, broken = tmp_path / "wide.png", tmp_path / "broken.png"
    cv2.imwrite(str(wide), np.full((200, 800, 3), 90, np.uint8))
    broken.write_bytes(b"no picture")
    thumbnails = Thumbnails()
    for path in (wide, broken):
        with qtbot.waitSignal(thumbnails.arrived):
            assert thumbnails.get(path) is None
    shown = thumbnails.get(wide)
    assert isinstance(shown, QPixmap)
    assert (shown.width(), shown.height()) == (192, 48)
    assert thumbnails.get(broken) is None
    thumbnails.set_hidden(True)
    assert thumbnails.get(wide) is None
    thumbnails.end()


def test_the_dialog_sets_corrections_against_answers(qtbot: QtBot) -> None:
    faces = [
        StillFace(Path("a.png"), LEFT, CHILD, Truth("20-59", "Female")),
        StillFace(Path("b.png"), LEFT, ADULT, Truth("20-59")),
    ]
    dialog = ConfusionDialog(faces, LABELS)
    qtbot.addWidget(dialog)
    ages, genders = dialog.findChildren(QTableWidget)
    item, other = ages.item(1, 0), ages.item(1, 1)
    assert item is not None
    assert other is not None
    assert (item.text(), other.text(), genders.rowCount()) == ("1", "1", 2)
    texts = [one.text() for one in dialog.findChildren(QLabel)]
    assert "1 of 2 right (50%)" in texts
    assert "1 of 1 right (100%)" in texts
    box = dialog.findChild(QDialogButtonBox)
    assert isinstance(box, QDialogButtonBox)
    (copy,) = (one for one in box.buttons() if one.text() == "Copy as table")
    copy.click()
    lines = QGuiApplication.clipboard().text().splitlines()
    assert lines[:3] == ["Age groups\t0-19\t20-59\t60+", "0-19\t0\t0\t0", "20-59\t1\t1\t0"]


def album(folder: Path) -> Path:
    folder.mkdir()
    cv2.imwrite(str(folder / "1.png"), astronaut_bgr())
    cv2.imwrite(str(folder / "2.png"), np.full((64, 64, 3), 90, np.uint8))
    return folder


def test_a_folder_opens_the_panel_and_corrections_are_saved(
    desk: Desk, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, qtbot: QtBot
) -> None:
    panel, dock = desk.window.panels.gallery, desk.window.panels.dock("gallery")
    folder = album(tmp_path / "album")
    desk.open(str(folder))
    desk.wait(lambda: len(panel.rows.rows) == 1 and panel.rows.rows[0].right_button.isEnabled())
    assert not dock.isHidden()
    assert listed(panel)[1] == "2.png"
    assert panel.rows.rows[0].has_crop
    desk.trigger("privacy")
    # At once, and not when the next picture comes.
    assert not panel.rows.rows[0].has_crop
    assert panel.list.model().index(0, 0).data(Qt.ItemDataRole.DecorationRole) is None
    desk.trigger("privacy_off")
    panel.rows.rows[0].right_button.click()
    saved = folder / "corrections.csv"
    monkeypatch.setattr(QFileDialog, "getSaveFileName", lambda *_: (str(saved), ""))
    panel.save_button.click()
    desk.wait(saved.is_file)
    (row,) = csv.DictReader(saved.read_text().splitlines())
    assert (row["file"], row["gender"]) == ("./1.png", "Female")
    assert 100 < float(row["width"]) < 200
    desk.wait(lambda: not panel.unsaved)
    # From then on a crash loses nothing, and what is taken back leaves the file.
    panel.rows.rows[0].gender_choice.setCurrentIndex(panel.rows.rows[0].gender_choice.findText("Male"))
    desk.wait(lambda: [one["gender"] for one in csv.DictReader(saved.read_text().splitlines())] == ["Male"])
    for choice in (panel.rows.rows[0].age_choice, panel.rows.rows[0].gender_choice):
        choice.setCurrentIndex(0)
    desk.wait(lambda: list(csv.DictReader(saved.read_text().splitlines())) == [])
    desk.wait(lambda: not panel.unsaved)
    assert not desk.window.gallery.ask_before_leaving(pytest.fail)
    panel.list.setCurrentIndex(panel.list.model().index(1, 0))
    desk.wait(lambda: desk.shown().frame.origin == "2.png" and panel.rows.rows == ())
    desk.open("demo")
    desk.wait(lambda: dock.isHidden())
    assert sorted(path.name for path in folder.iterdir()) == ["1.png", "2.png", "corrections.csv"]


def test_where_the_chosen_file_cannot_be_written_any_more_closing_asks(
    desk: Desk, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    panel, place = desk.window.panels.gallery, tmp_path / "place"
    place.mkdir()
    face = panel.faces.see(Path("/album/1.png"), [(LEFT, None)])[0]
    panel.faces.correct(face, Truth(gender="Male"))
    monkeypatch.setattr(QFileDialog, "getSaveFileName", lambda *_: (str(place / "mine"), ""))
    desk.window.gallery.save()
    desk.wait(lambda: "Saved mine.csv. What you correct from now on" in desk.window.stage.toast.text)
    shutil.rmtree(place)
    panel.faces.correct(face, Truth(gender="Female"))
    panel.corrected.emit()
    desk.wait(lambda: f"Cannot write “{place / 'mine.csv'}”" in desk.window.stage.toast.text)
    assert desk.window.gallery.ask_before_leaving(pytest.fail)


def test_corrections_are_not_lost_without_a_question(desk: Desk) -> None:
    window, panel = desk.window, desk.window.panels.gallery
    face = panel.faces.see(Path("/album/1.png"), [(LEFT, None)])[0]
    panel.faces.correct(face, Truth(gender="Male"))
    desk.trigger("quit")
    dialog = window.gallery.current
    assert isinstance(dialog, UnsavedDialog)
    assert "Your corrections of 1 face are in no file." in {one.text() for one in dialog.findChildren(QLabel)}
    box = dialog.findChild(QDialogButtonBox)
    assert isinstance(box, QDialogButtonBox)
    box.button(QDialogButtonBox.StandardButton.Cancel).click()
    assert window.isVisible()
    # A signal, or a system that shuts down, is not made to wait.
    event = QCloseEvent()
    window.closeEvent(event)
    assert event.isAccepted()
